"""What a device would give in the place of exact kernels: noise, shots, mitigation and repair."""

from dataclasses import replace

import numpy as np

from ._quantum_measurement import Repair, depolarise, mitigate, repair, sample_shots


class Fidelities:
    """The way of a fidelity kernel from its exact values to what is trained on, and tested.

    Parameters
    ----------
    n_qubits : int
        Number of qubits.
    noise : float
        Probability of complete depolarisation of a state.
    shots : int or None
        Measurements behind each entry.
    mitigation : {None, "average", "split"}
        How noise is undone.
    psd : {"auto", "clip", "shift", "flip", "nearest", None}
        How negative eigenvalues are repaired.

    Attributes
    ----------
    repair : Repair
        Set by :meth:`train`.
    """

    repair: Repair

    def __init__(self, n_qubits, noise, shots, mitigation, psd):
        self.n_qubits = n_qubits
        self.noise = noise
        self.shots = shots
        self.mitigation = mitigation
        self.psd = psd

    @property
    def is_exact(self):
        """Whether nothing is measured."""
        return self.shots is None and self.noise == 0

    def train(self, K, rng):
        """The kernel to train on: measured, then repaired.

        Parameters
        ----------
        K : float64 ndarray of shape (n, n)
            Exact kernel of the training samples.
        rng : RandomState
            Source of the shots.

        Returns
        -------
        K : float64 ndarray of shape (n, n)
            The matrix.
        """
        repaired = repair(self.measure(K, rng), self.psd, measured=not self.is_exact)
        # The matrix is as large as all else together, and nothing needs it again.
        self.repair = replace(repaired, matrix=np.empty((0, 0)))
        return repaired.matrix

    def measure(self, K, rng):
        """The kernel of the training samples before the repair; arguments as for `train`."""
        K = depolarise(K, self.noise, self.n_qubits)
        if self.shots is not None:
            exact_diagonal = self.noise == 0
            K = sample_shots(K, self.shots, rng, symmetric=True, exact_diagonal=exact_diagonal)
        self._diagonal = np.diag(K).copy()
        if self.mitigation is not None:
            diagonal = self._diagonal
            K = mitigate(K, self.mitigation, self.n_qubits, diagonal, diagonal)
        return K

    def test(self, K, rng, support):
        """The kernel of queries, consistent with the one that was trained on.

        Parameters
        ----------
        K : float64 ndarray of shape (n_queries, n)
            Exact kernel with all training samples if the repair needs them, else with those of
            `support`.
        rng : RandomState
            Source of the shots.
        support : integer ndarray
            Training samples that have a column if not all have.

        Returns
        -------
        K : float64 ndarray of shape (n_queries, n)
            The matrix.
        """
        own = depolarise(np.ones(K.shape[0]), self.noise, self.n_qubits)
        K = depolarise(K, self.noise, self.n_qubits)
        if self.shots is not None:
            K = sample_shots(K, self.shots, rng, symmetric=False)
            if self.mitigation == "split" and self.noise:
                own = rng.binomial(self.shots, own) / self.shots
        if self.mitigation is not None:
            known = self._diagonal if self.repair.needs_all_rows else self._diagonal[support]
            # "average" is one factor: that of the training samples.
            K = mitigate(K, self.mitigation, self.n_qubits, own, known, self._diagonal)
        return self.repair.project(K)


def measured_bloch(vectors, noise, shots, rng):
    """Bloch vectors as a device would measure them.

    Parameters
    ----------
    vectors : ndarray of shape (n, 3 n_qubits)
        Exact expectations of X, Y and Z.
    noise : float
        Probability of complete depolarisation, which shrinks the vectors.
    shots : int or None
        Measurements behind each coordinate.
    rng : RandomState
        Their source.

    Returns
    -------
    vectors : float64 ndarray of shape (n, 3 n_qubits)
        Measured expectations.
    """
    vectors = (1 - noise) * vectors.astype(np.float64, copy=False)
    if shots is None:
        return vectors
    share = np.clip((1 + vectors) / 2, 0, 1)
    return 2 * rng.binomial(shots, share) / shots - 1
