"""What devices do to kernels: noise and shots, their mitigation, and the repair of the matrix."""

from dataclasses import dataclass

import numpy as np

from .._iterate import warn_caller

# Smallest eigenvalue that "auto" takes for a measured one, and not for rounding.
_NEGATIVE = -1e-10

# Higham's projections: relative change that ends them, and their number at most.
_TOLERANCE = 1e-10
_MAX_PROJECTIONS = 100

# Standard deviation of entries below which they are as good as equal, and mean plus two standard
# deviations below which the matrix is as good as the unit matrix.
_FLAT = 1e-3
_NEAR_ZERO = 0.05


def depolarise(K, noise, n_qubits):
    """Fidelities of states that are depolarised with a probability p, equation (4).

    Parameters
    ----------
    K : float64 ndarray of shape (n, m)
        Exact fidelities.
    noise : float
        The probability, for each state.
    n_qubits : int
        Number of qubits.

    Returns
    -------
    K : float64 ndarray of shape (n, m)
        ``(1 - p)^2 K + (1 - (1 - p)^2) / 2^n_qubits``.
    """
    if noise == 0:
        return K
    kept = (1 - noise) ** 2
    return kept * K + (1 - kept) * 2.0**-n_qubits


def sample_shots(K, shots, rng, *, symmetric, exact_diagonal=False):
    """Frequencies of the all-zero string, each of so many shots.

    Parameters
    ----------
    K : float64 ndarray of shape (n, m)
        Probabilities.
    shots : int
        Measurements of each entry.
    rng : RandomState
        Source.
    symmetric : bool
        Whether (i, j) and (j, i) are one circuit.
    exact_diagonal : bool, default=False
        Whether the diagonal is known to be 1.

    Returns
    -------
    K : float64 ndarray of shape (n, m)
        Frequencies.
    """
    K = np.clip(K, 0, 1)
    if not symmetric:
        return rng.binomial(shots, K) / shots
    drawn = np.zeros_like(K)
    rows, columns = np.triu_indices(K.shape[0], k=1)
    drawn[rows, columns] = rng.binomial(shots, K[rows, columns]) / shots
    drawn += drawn.T
    diagonal = 1.0 if exact_diagonal else rng.binomial(shots, np.diag(K)) / shots
    np.fill_diagonal(drawn, diagonal)
    return drawn


def mitigate(K, how, n_qubits, left_diagonal, right_diagonal, train_diagonal=None):
    """Undo the depolarisation that measured diagonals show, equation (4).

    Parameters
    ----------
    K : float64 ndarray of shape (n, m)
        Measured fidelities.
    how : {"average", "split"}
        Whether all samples have one survival probability, or each its own. A sample of which
        nothing seems to be left then has that of all.
    n_qubits : int
        Number of qubits.
    left_diagonal, right_diagonal : float64 ndarray of shape (n,) and (m,)
        Measured fidelities of each sample with itself.
    train_diagonal : float64 ndarray, default=None
        Those of the training samples, whose mean is that of all; None takes those of the left.

    Returns
    -------
    K : float64 ndarray of shape (n, m)
        ``(K_ij - 2^-n (1 - l_i l_j)) / (l_i l_j)``.

    Raises
    ------
    ValueError
        If nothing seems to be left of the training samples as a whole.

    Warns
    -----
    UserWarning
        If that holds for some samples of the left.
    """
    floor = 2.0**-n_qubits
    known = left_diagonal if train_diagonal is None else train_diagonal
    mean = (np.mean(known) - floor) / (1 - floor)
    if mean <= 0:
        raise ValueError(
            f"mitigate={how!r} finds nothing left of the states: their fidelities with themselves"
            f" are {np.mean(known):.3g} on average, not above 1 / 2**n_qubits = {floor:.3g}. Lower"
            " noise, raise shots, or take mitigate=None."
        )
    kept = mean
    if how == "split":
        left, right = ((d - floor) / (1 - floor) for d in (left_diagonal, right_diagonal))
        n_lost = np.count_nonzero(left <= 0)
        if n_lost:
            warn_caller(
                f"mitigate='split' finds nothing left of the states of {n_lost} of {left.size}"
                " samples, and takes the mean of the training samples for them. Lower noise, raise"
                " shots, or take mitigate='average'.",
                UserWarning,
            )
        # The diagonals of samples are products of two equal factors.
        left, right = (np.sqrt(np.where(d > 0, d, mean)) for d in (left, right))
        kept = np.multiply.outer(left, right)
    return (K - floor * (1 - kept)) / kept


@dataclass(frozen=True)
class Repair:
    """A repaired training kernel, and what it means for kernels of queries.

    Attributes
    ----------
    matrix : float64 ndarray of shape (n, n)
        Symmetric, and unless nothing was repaired without negative eigenvalues.
    n_negative : int
        Negative eigenvalues that it had.
    shift : float
        What was added to all eigenvalues.
    projector : float64 ndarray of shape (n, n) or None
        Matrix that kernels of queries are multiplied by.
    """

    matrix: np.ndarray
    n_negative: int = 0
    shift: float = 0.0
    projector: np.ndarray | None = None

    @property
    def needs_all_rows(self):
        """Whether a repaired entry of a query rests on all training samples."""
        return self.projector is not None

    def project(self, K):
        """Rows of queries, consistent with the repaired matrix."""
        return K if self.projector is None else K @ self.projector


def repair(K, how, *, measured):
    """Make a measured kernel positive semi-definite.

    Parameters
    ----------
    K : float64 ndarray of shape (n, n)
        Symmetric matrix.
    how : {"auto", "clip", "shift", "flip", "nearest", None}
        What happens to negative eigenvalues.
    measured : bool
        Whether noise or shots made K: "auto" repairs nothing else.

    Returns
    -------
    repaired : Repair
        The matrix, and the way there.
    """
    if how is None or (how == "auto" and not measured):
        return Repair(K)
    values, vectors = np.linalg.eigh(K)
    scale = max(1.0, float(values[-1]))
    n_negative = int(np.sum(values < _NEGATIVE * scale))
    if how == "auto":
        how = "clip"
        if not n_negative:
            return Repair(K)
    if how == "nearest":
        if n_negative or np.any(np.diag(K) != 1):
            K = _nearest_correlation(K)
        return Repair(_unit_diagonal(_lifted(K)), n_negative)
    if not n_negative and how != "shift":
        return Repair(_lifted(K), 0)
    if how == "shift":
        shift = float(max(-values[0], 0.0))
        return Repair(_lifted(K + shift * np.eye(K.shape[0])), n_negative, shift)
    sign = (values > 0).astype(np.float64) if how == "clip" else np.where(values < 0, -1.0, 1.0)
    projector = (vectors * sign) @ vectors.T
    matrix = (vectors * (values * sign)) @ vectors.T
    return Repair(_lifted(matrix), n_negative, 0.0, projector)


def _lifted(K):
    """The matrix, exactly symmetric, with what rounding leaves below zero lifted."""
    K = (K + K.T) / 2
    lowest = np.linalg.eigvalsh(K)[0] if K.size else 0.0
    if lowest < 0:
        K = K + 2 * -lowest * np.eye(K.shape[0])
    return K


def _nearest_correlation(K):
    """Nearest matrix with unit diagonal and no negative eigenvalue, by alternating projections.

    Higham's: Dykstra's correction is carried for the cone, which is no subspace. It ends in the
    cone, with its rows scaled to a diagonal of 1.
    """
    matrix, correction = K, np.zeros_like(K)
    for _ in range(_MAX_PROJECTIONS):
        before = matrix
        shifted = matrix - correction
        positive = _positive_part(shifted)
        correction = positive - shifted
        matrix = positive.copy()
        np.fill_diagonal(matrix, 1.0)
        if np.linalg.norm(matrix - before) <= _TOLERANCE * np.linalg.norm(matrix):
            break
    return _unit_diagonal(_positive_part(matrix))


def _unit_diagonal(K):
    """The matrix with rows and columns scaled to a diagonal of 1."""
    scale = np.sqrt(np.diag(K))
    scaled = K / np.multiply.outer(scale, scale)
    np.fill_diagonal(scaled, 1.0)
    return scaled


def _positive_part(K):
    """Projection on the cone of positive semi-definite matrices."""
    values, vectors = np.linalg.eigh((K + K.T) / 2)
    return (vectors * np.maximum(values, 0)) @ vectors.T


def kernel_concentrated(K, shots):
    """A warning if the kernel is nearly the same for all pairs of samples.

    Parameters
    ----------
    K : float64 ndarray of shape (n, n)
        Training kernel.
    shots : int or None
        Measurements of each entry.

    Returns
    -------
    message : str or None
        The warning, or None where it has spread enough, or too few pairs to tell.
    """
    n = K.shape[0]
    if n < 3:
        return None
    entries = K[np.triu_indices(n, k=1)]
    mean, deviation, noise = float(np.mean(entries)), float(np.std(entries)), 0.0
    if shots is not None:
        # The deviation of frequencies that is due to their finite number.
        noise = float(np.sqrt(np.mean(np.clip(entries * (1 - entries), 0, None)) / shots))
    remedy = "Lower bandwidth, or take fewer qubits" if mean < 0.5 else "Raise bandwidth"
    if deviation < 2**0.5 * noise:
        reason, remedy = f", most of which is the noise of shots={shots}", f"Raise shots. {remedy}"
    elif deviation < _FLAT or mean + 2 * deviation < _NEAR_ZERO:
        reason = ""
    else:
        return None
    return (
        f"The kernel is concentrated: its entries off the diagonal are {mean:.3g} with a standard"
        f" deviation of {deviation:.3g}{reason}. {remedy}."
    )
