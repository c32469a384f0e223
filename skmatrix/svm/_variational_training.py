"""Training of circuits: the objective, and its optimisers from several starts."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from .._backend import Backend, to_numpy
from ._variational_kernels import evolve, gradient
from ._variational_loss import (
    binary_cross_entropy,
    cross_entropy,
    depolarised,
    drawn,
    empirical_risk,
)
from ._variational_optimizers import minimise_adam, minimise_lbfgs, minimise_spsa


@dataclass
class Circuit:
    """A circuit with a read-out, on an engine.

    Attributes
    ----------
    be : Backend
        Engine.
    signs : float64 ndarray of shape (2**n_qubits,)
        The entangler.
    readout : float64 ndarray of shape (2**n_qubits, n_classes)
        Class of each outcome.
    noise : float
        Probability of complete depolarisation.
    shots : int or None
        Measurements of a state.
    """

    be: Backend
    signs: np.ndarray
    readout: np.ndarray
    noise: float
    shots: int | None

    def outcomes(self, amplitudes, theta):
        """States behind the circuit, and the exact probabilities of the classes.

        Parameters
        ----------
        amplitudes : array of shape (2, 2**n_qubits, n_samples)
            States in front of it, on the engine.
        theta : float64 ndarray of shape (n_layers + 1, n_qubits, 2)
            Angles.

        Returns
        -------
        amplitudes : array of shape (2, 2**n_qubits, n_samples)
            States, on the engine.
        probability : float64 ndarray of shape (n_samples, n_classes)
            Probabilities, on the host.
        """
        behind = evolve(self.be, amplitudes, *self._loaded(amplitudes, theta, self.signs))
        weight = to_numpy(self.be.xp.sum(behind * behind, axis=0)).astype(np.float64)
        return behind, depolarised(weight.T @ self.readout, self.noise, self.readout)

    def probability(self, amplitudes, theta, rng):
        """Probabilities of the classes, as frequencies if there are shots."""
        probability = self.outcomes(amplitudes, theta)[1]
        return probability if self.shots is None else drawn(probability, self.shots, rng)

    def pulled_back(self, behind, theta, cotangent):
        """Derivatives by the angles from those by the probabilities."""
        loaded = self._loaded(behind, theta, self.signs, self.readout, (1 - self.noise) * cotangent)
        return to_numpy(gradient(self.be, behind, *loaded)).astype(np.float64)

    def _loaded(self, like, *arrays):
        """Host arrays on the engine, in the dtype of the states."""
        real = to_numpy(like[:, :1, :1]).dtype
        return self.be.load(*(np.ascontiguousarray(a, dtype=real) for a in arrays))


@dataclass
class Objective:
    """The loss of angles and biases, joined in one vector.

    Attributes
    ----------
    circuit : Circuit
        What is trained.
    amplitudes : array of shape (2, 2**n_qubits, n_samples)
        States of the training samples.
    codes : integer ndarray of shape (n_samples,)
        Classes.
    share : float64 ndarray of shape (n_samples,)
        Weights that add up to 1.
    shape : tuple
        That of the angles.
    loss : callable
        A function of `_variational_loss`.
    loss_shots : int
        Shots that the empirical risk thinks of.
    fit_intercept : bool
        Whether biases are trained.
    by_shifts : bool
        Whether derivatives come from the parameter-shift rule.
    rng : numpy Generator
        Source of the shots.
    """

    circuit: Circuit
    amplitudes: Any
    codes: np.ndarray
    share: np.ndarray
    shape: tuple
    loss: Callable
    loss_shots: int
    fit_intercept: bool
    by_shifts: bool
    rng: np.random.Generator

    @property
    def n_biases(self):
        """Number of biases: one for two classes."""
        n_classes = self.circuit.readout.shape[1]
        return 1 if n_classes == 2 else n_classes

    def split(self, x):
        """Angles, and the bias or biases."""
        n_angles = int(np.prod(self.shape))
        bias = x[n_angles:]
        return x[:n_angles].reshape(self.shape), float(bias[0]) if bias.size == 1 else bias

    def value(self, x):
        """The loss, of measured frequencies if there are shots."""
        theta, bias = self.split(x)
        probability = self.circuit.probability(self.amplitudes, theta, self.rng)
        return self.loss(probability, bias, self.codes, self.share, self.loss_shots)[0]

    def value_and_gradient(self, x, rows=None):
        """The loss and its gradient, of all samples or of some."""
        theta, bias = self.split(x)
        amplitudes, codes, share = self.amplitudes, self.codes, self.share
        if rows is not None:
            # Indices are made where the states are.
            places = self.circuit.be.load(rows)
            amplitudes = self.circuit.be.xp.take(amplitudes, places, axis=2)
            codes, share = codes[rows], share[rows] / share[rows].sum()
        if self.by_shifts:
            probability = self.circuit.probability(amplitudes, theta, self.rng)
        else:
            behind, probability = self.circuit.outcomes(amplitudes, theta)
        value, cotangent, slope = self.loss(probability, bias, codes, share, self.loss_shots)
        if self.by_shifts:
            by_angles = self._shifted(amplitudes, theta, cotangent)
        else:
            by_angles = self.circuit.pulled_back(behind, theta, cotangent)
        by_bias = np.atleast_1d(slope) if self.fit_intercept else np.zeros(self.n_biases)
        return value, np.concatenate([by_angles.ravel(), by_bias])

    def _shifted(self, amplitudes, theta, cotangent):
        """Parameter-shift rule: half the difference of the probabilities at angles +- pi / 2."""
        derivatives = np.zeros(self.shape)
        for place in np.ndindex(*self.shape):
            sides = []
            for direction in (1, -1):
                moved = theta.copy()
                moved[place] += direction * np.pi / 2
                sides.append(self.circuit.probability(amplitudes, moved, self.rng))
            derivatives[place] = np.sum(cotangent * (sides[0] - sides[1])) / 2
        return derivatives


LOSSES = {
    "empirical_risk": (empirical_risk, cross_entropy),
    "cross_entropy": (binary_cross_entropy, cross_entropy),
}


@dataclass
class Run:
    """One start: where it ended, and the way there."""

    x: np.ndarray
    losses: list
    converged: bool
    final: float


def train(objective, start, estimator, number, n_starts, seed):
    """Minimise an objective from a start, with an estimator's optimiser.

    Parameters
    ----------
    objective : Objective
        What is minimised.
    start : float64 ndarray of shape (n,)
        First angles and biases.
    estimator : VariationalQuantumClassifier
        It has the parameters of the optimisers.
    number : int
        Number of the start, for its reports.
    n_starts : int
        How many there are.
    seed : int
        Of directions and batches.

    Returns
    -------
    run : Run
        The way.
    """
    losses: list = []

    def report(loss, x):
        losses.append(float(loss))
        if estimator.callback is not None:
            theta, _ = objective.split(x)
            estimator.callback(
                iteration=len(losses), start=number, loss=losses[-1], theta=theta.copy()
            )
        if estimator.verbose:
            print(
                f"[{type(estimator).__name__}] start {number + 1}/{n_starts}, iteration"
                f" {len(losses)}/{estimator.max_iter}: objective={losses[-1]:.6g}"
            )

    limits = {"max_iter": estimator.max_iter, "report": report}
    rng = check_random_state(seed)
    if estimator.optimizer == "lbfgs":
        x, converged = minimise_lbfgs(
            objective.value_and_gradient, start, tol=estimator.tol, **limits
        )
    elif estimator.optimizer == "adam":
        x, converged = minimise_adam(
            objective.value_and_gradient,
            start,
            lambda: _batches(objective.share, estimator.batch_size, rng),
            tol=estimator.tol,
            learning_rate=estimator.learning_rate,
            **limits,
        )
    else:
        fixed = slice(None) if objective.fit_intercept else slice(None, -objective.n_biases)

        def value(trained):
            point = start.copy()
            point[fixed] = trained
            return objective.value(point)

        trained, converged = minimise_spsa(value, start[fixed], rng=rng, **limits)
        x = start.copy()
        x[fixed] = trained
    final = objective.value(x)
    return Run(x, losses or [final], converged, final)


def _batches(share, batch_size, rng):
    """Rows of the batches of an epoch, and their shares of the weight."""
    n = share.size
    if batch_size is None or batch_size >= n:
        return [(None, 1.0)]
    order = rng.permutation(n)
    parts = [order[begin : begin + batch_size] for begin in range(0, n, batch_size)]
    return [(rows, float(share[rows].sum())) for rows in parts]
