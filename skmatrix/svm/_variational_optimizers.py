"""Optimisers of trained circuits: each goes from a start, and reports every step.

All take ``report(loss, x)``, called after each step, and return the last point and whether they
ended by their tolerance.
"""

from itertools import count

import numpy as np
from scipy.optimize import minimize

# Adam: decay of the means of gradients and of their squares, as in its paper.
_FIRST, _SECOND, _EPSILON = 0.9, 0.999, 1e-8
# Epochs whose losses are compared.
_PATIENCE = 10

# SPSA: exponents and first shift of the paper's experiments, and what it is calibrated to.
_GAIN_DECAY, _SHIFT_DECAY, _SHIFT = 0.602, 0.101, 0.1
_PAIRS, _FIRST_STEP = 25, 2 * np.pi / 10


def minimise_lbfgs(value_and_gradient, start, *, max_iter, tol, report):
    """L-BFGS, for exact losses.

    Parameters
    ----------
    value_and_gradient : callable
        Maps a point to the loss and its gradient.
    start : float64 ndarray of shape (n,)
        First point.
    max_iter : int
        Iterations at most.
    tol : float
        Relative decrease of the loss that ends it.
    report : callable
        Told of each iteration.

    Returns
    -------
    x : float64 ndarray of shape (n,)
        Last point.
    converged : bool
        Whether it ended by its tolerance.
    """

    def told(intermediate_result):
        report(float(intermediate_result.fun), intermediate_result.x)

    result = minimize(
        value_and_gradient,
        start,
        jac=True,
        method="L-BFGS-B",
        callback=told,
        options={"maxiter": max_iter, "ftol": tol, "gtol": 1e-8, "maxfun": 20 * max_iter},
    )
    # Where no step lowers the loss, rounding has been reached.
    return result.x, result.status != 1


def minimise_adam(gradient_of, start, batches, *, max_iter, tol, learning_rate, report):
    """Adam over epochs of mini-batches.

    Parameters
    ----------
    gradient_of : callable
        Maps a point and a batch to the loss and its gradient.
    start : float64 ndarray of shape (n,)
        First point.
    batches : callable
        Gives the batches of an epoch, pairs of rows and of their share of the weight.
    max_iter : int
        Epochs at most.
    tol : float
        Change of the mean loss of ten epochs, relative, that ends it.
    learning_rate : float
        Size of a step.
    report : callable
        Told of the mean loss of each epoch.

    Returns
    -------
    x : float64 ndarray of shape (n,)
        Last point.
    converged : bool
        Whether it ended by its tolerance.
    """
    x, first, second = start.copy(), np.zeros_like(start), np.zeros_like(start)
    losses: list = []
    step = count(1)
    for _ in range(max_iter):
        total = 0.0
        for rows, share in batches():
            loss, gradient = gradient_of(x, rows)
            total += share * loss
            t = next(step)
            first = _FIRST * first + (1 - _FIRST) * gradient
            second = _SECOND * second + (1 - _SECOND) * gradient**2
            root = np.sqrt(second / (1 - _SECOND**t))
            x = x - learning_rate * first / (1 - _FIRST**t) / (root + _EPSILON)
        losses.append(total)
        report(total, x)
        if len(losses) >= 2 * _PATIENCE:
            before = np.mean(losses[-2 * _PATIENCE : -_PATIENCE])
            if abs(before - np.mean(losses[-_PATIENCE:])) <= tol * max(abs(before), tol):
                return x, True
    return x, False


def minimise_spsa(value, start, *, max_iter, rng, report):
    """Simultaneous perturbation stochastic approximation, for measured losses.

    Parameters
    ----------
    value : callable
        Maps a point to the loss.
    start : float64 ndarray of shape (n,)
        First point.
    max_iter : int
        Iterations.
    rng : RandomState
        Source of the directions.
    report : callable
        Told of the mean of the two losses of each iteration.

    Returns
    -------
    x : float64 ndarray of shape (n,)
        Last point.
    converged : bool
        True: it makes so many steps and no more.
    """

    def measured(x, shift):
        """A random direction, the slope along it, and the mean of both losses."""
        direction = rng.choice([-1.0, 1.0], size=x.size)
        above, below = value(x + shift * direction), value(x - shift * direction)
        return direction, (above - below) / (2 * shift), (above + below) / 2

    slopes = [abs(measured(start, _SHIFT)[1]) for _ in range(_PAIRS)]
    # The first step moves each angle by about a tenth of a turn.
    gain = _FIRST_STEP / max(float(np.mean(slopes)), 1e-10)
    x = start.copy()
    for k in range(max_iter):
        direction, slope, loss = measured(x, _SHIFT / (k + 1) ** _SHIFT_DECAY)
        x = x - gain / (k + 1) ** _GAIN_DECAY * slope * direction
        report(loss, x)
    return x, True
