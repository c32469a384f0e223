"""Kernel matrices of quantum feature maps, tile by tile."""

from dataclasses import dataclass, replace

import array_api_compat
import numpy as np

from .._backend import to_numpy
from ._quantum_encoding import Encoding, check_memory
from ._quantum_kernels import (
    bloch_vectors,
    bloch_vectors_of_qubits,
    fidelities,
    own_fidelities,
    qubit_fidelities,
)

# Rows of a block of a symmetric matrix, of which only those on and above the diagonal are made: an
# eighth of the rows, within these limits.
_BLOCK = (64, 256)
# States up to which all pairs at once are quicker: those of many qubits are long.
_FEW = 512

# Arrays of the size of a tile of states that are held at once: those of the rows, and while those
# of the columns are made, their phases and intermediate results.
_COPIES = 5


def fidelity_matrix(left, right=None):
    """Fidelities of states.

    Parameters
    ----------
    left : array of shape (n, 2 k)
        States: real parts, then imaginary parts.
    right : array of shape (m, 2 k), default=None
        States; None takes those of `left`.

    Returns
    -------
    K : array of shape (n, m)
        ``|<left_i | right_j>|^2``; exactly symmetric with 1 on the diagonal without `right`.
    """
    return _overlaps(fidelities, left, right)


def _overlaps(overlap, left, right=None):
    """Matrix of overlaps; of a symmetric one, half."""
    xp = array_api_compat.array_namespace(left)
    if right is not None:
        return overlap.reference(xp, left, right)
    n, device = left.shape[0], array_api_compat.device(left)
    if overlap is fidelities and n <= _FEW:
        below = xp.tril(own_fidelities.reference(xp, left), k=-1)
        return below + below.T + xp.eye(n, dtype=left.dtype, device=device)
    K = xp.empty((n, n), dtype=left.dtype, device=device)
    block = min(max(n // 8, _BLOCK[0]), _BLOCK[1])
    for begin in range(0, n, block):
        end = min(begin + block, n)
        rows = overlap.reference(xp, left[begin:end, ...], left[begin:, ...])
        own = xp.tril(rows[:, : end - begin], k=-1)
        one = xp.eye(end - begin, dtype=left.dtype, device=device)
        K[begin:end, begin:end] = own + own.T + one
        K[begin:end, end:] = rows[:, end - begin :]
        K[end:, begin:end] = rows[:, end - begin :].T
    return K


@dataclass(frozen=True)
class QuantumKernel:
    """What an estimator computes of samples, for a given bandwidth.

    Attributes
    ----------
    encoding : Encoding
        The feature map.
    bandwidth : float
        Factor of the data.
    dtype : {"complex128", "complex64"}
        Precision of the amplitudes.
    max_memory : float
        Limit of the states in MB.
    """

    encoding: Encoding
    bandwidth: float
    dtype: str
    max_memory: float

    @classmethod
    def of(cls, estimator, encoding, bandwidth):
        """The kernel with an estimator's precision and memory; ValueError where it is too little.

        Two states are the least that an inner product needs.
        """
        if not encoding.separable:
            check_memory(2, encoding.n_qubits, estimator.max_memory, estimator.dtype)
        return cls(encoding, float(bandwidth), estimator.dtype, estimator.max_memory)

    def joint(self):
        """The same with states of all qubits together, where qubits could be had apart."""
        return replace(self, encoding=replace(self.encoding, separable=False))

    @property
    def bytes_of_a_sample(self):
        """Memory of a state and of its angles, which are in double precision."""
        numbers = 4 * self.encoding.n_qubits
        if not self.encoding.separable:
            numbers = 2 * 2**self.encoding.n_qubits
        of_state = numbers * np.dtype(self.dtype).itemsize // 2
        return of_state + np.dtype(np.float64).itemsize * len(self.encoding.angle_features)

    def tile(self, n_measured=0):
        """Samples whose states, and so many real numbers of each, are held at once."""
        of_measured = n_measured * np.dtype(self.dtype).itemsize // 2
        size = _COPIES * (self.bytes_of_a_sample + of_measured)
        return max(1, round(self.max_memory * 1e6) // size)

    def states(self, be, X):
        """States of a few samples: of all qubits, or where they are separable of each."""
        make = self.encoding.qubit_states if self.encoding.separable else self.encoding.states
        return make(be, self.bandwidth * X, self.dtype)

    def fidelity(self, be, X, Z=None):
        """Fidelities, equation (2), in tiles of rows and columns.

        Parameters
        ----------
        be : Backend
            Engine.
        X : float64 ndarray of shape (n, n_features)
            Samples.
        Z : float64 ndarray of shape (m, n_features), default=None
            Samples; None takes X.

        Returns
        -------
        K : float64 ndarray of shape (n, m)
            The matrix, on the host.
        """
        overlap = qubit_fidelities if self.encoding.separable else fidelities
        n, m = X.shape[0], X.shape[0] if Z is None else Z.shape[0]
        step = self.tile()
        if Z is None and n <= step:
            return to_numpy(_overlaps(overlap, self.states(be, X))).astype(np.float64, copy=False)
        K = np.empty((n, m))
        kept = self.states(be, Z) if Z is not None and m <= step else None
        for begin in range(0, n, step):
            rows = slice(begin, begin + step)
            left = self.states(be, X[rows])
            if Z is None:
                K[rows, rows] = to_numpy(_overlaps(overlap, left))
            for other in range(0 if Z is not None else begin + step, m, step):
                columns = slice(other, other + step)
                right = kept
                if right is None:
                    right = self.states(be, (X if Z is None else Z)[columns])
                K[rows, columns] = to_numpy(_overlaps(overlap, left, right))
                if Z is None:
                    K[columns, rows] = K[rows, columns].T
        return K

    def rows(self, be, X, measure, n_measured=0):
        """What a function measures on the states of samples, tile by tile.

        Parameters
        ----------
        be : Backend
            Engine.
        X : float64 ndarray of shape (n, n_features)
            Samples.
        measure : callable
            Maps states on the engine to an array of as many rows.
        n_measured : int, default=0
            Numbers of a row, if they may be more than those of a state.

        Returns
        -------
        measured : ndarray of shape (n, k)
            The rows, on the host.
        """
        step = self.tile(n_measured)
        # The first tile, which may be empty, knows the width and the dtype.
        first = to_numpy(measure(self.states(be, X[:step])))
        measured = np.empty((X.shape[0], *first.shape[1:]), dtype=first.dtype)
        measured[:step] = first
        for begin in range(step, X.shape[0], step):
            rows = slice(begin, begin + step)
            measured[rows] = to_numpy(measure(self.states(be, X[rows])))
        return measured

    def bloch(self, be, X):
        """Bloch vectors of the qubits, equation (3), on the host: shape (n, 3 n_qubits)."""
        if self.encoding.separable:
            return self.rows(be, X, lambda states: bloch_vectors_of_qubits(be, states))
        n_qubits = self.encoding.n_qubits
        return self.rows(be, X, lambda states: bloch_vectors(be, states, n_qubits=n_qubits))
