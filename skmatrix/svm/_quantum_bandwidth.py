"""The bandwidth of a quantum feature map: the factor of the data, chosen by alignment."""

import numpy as np
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.utils import resample

from ..metrics._kernels import kernel_alignment
from ._quantum_kernel_matrix import QuantumKernel

# Bandwidths that are tried, for data whose standard deviation is near that of angles which are
# uniform over a turn.
CANDIDATES = 2.0 ** np.arange(-7, 1)
_STANDARD_DEVIATION = 2 * np.pi / 12**0.5

# Octaves that bandwidths are moved by at most, so that they stay finite.
_MAX_OCTAVES = 1000

# Samples that the choice looks at.
MAX_SAMPLES = 1000


def resolve_bandwidth(estimator, encoding, be, X, codes, weight, random_state):
    """The bandwidth of an estimator.

    Parameters
    ----------
    estimator : estimator
        It has the parameters `bandwidth`, `dtype` and `max_memory`, and perhaps `kernel` and
        `gamma`.
    encoding : Encoding
        The feature map.
    be : Backend
        Engine.
    X : float64 ndarray of shape (n_samples, n_features)
        Training data.
    codes : integer ndarray of shape (n_samples,) or None
        Classes. Without them, the kernel of the largest spread is taken.
    weight : float64 ndarray of shape (n_samples,)
        Weights of the samples.
    random_state : RandomState or int
        Source of the sample.

    Returns
    -------
    bandwidth : float
        The given number, or the best of eight powers of two.
    """
    if estimator.bandwidth != "auto":
        return float(estimator.bandwidth)
    used = chosen_samples(codes, weight, random_state)
    labels = None if codes is None else codes[used]
    grid = bandwidth_grid(X, weight)
    scores = alignment_path(estimator, encoding, be, X[used], labels, weight[used], grid)
    # Of equals the largest: the kernel then tells the most points apart.
    return float(grid[::-1][np.argmax(scores[::-1])])


def chosen_samples(codes, weight, random_state):
    """Positions of the samples that the choice looks at; arguments as for `resolve_bandwidth`."""
    # Samples without weight count for nothing, here as in repetitions.
    used = np.flatnonzero(weight > 0)
    if used.size <= MAX_SAMPLES:
        return used
    stratify = None if codes is None else codes[used]
    # A class of one sample cannot be drawn by its share.
    if stratify is not None and np.unique(stratify, return_counts=True)[1].min() < 2:
        stratify = None
    options = {"n_samples": MAX_SAMPLES, "stratify": stratify, "random_state": random_state}
    return resample(used, replace=False, **options)


def bandwidth_grid(X, weight):
    """Powers of two to try.

    2^-7 to 1 for data of about the spread of standardised data or of angles; for data of
    another scale, moved by the power of two that brings them there.
    """
    with np.errstate(over="ignore"):
        share = weight / weight.sum()
        centre = share @ X
        # The root of the mean variance, of numbers that may be too large to be squared.
        deviations = np.abs(X - centre)
        largest = deviations.max(initial=0.0)
    if not np.isfinite(largest) or largest == 0:
        return CANDIDATES
    variance = np.mean(share @ (deviations / largest) ** 2)
    octaves = np.log2(_STANDARD_DEVIATION) - np.log2(largest) - 0.5 * np.log2(variance)
    # Of data near the smallest numbers no power of two is large enough.
    shift = min(int(np.round(octaves)), _MAX_OCTAVES)
    return CANDIDATES * 2.0**shift if abs(shift) > 1 else CANDIDATES


def alignment_path(estimator, encoding, be, X, codes, weight, grid):
    """Alignment of the kernel with the classes at each bandwidth; without classes, its spread.

    Parameters
    ----------
    estimator, encoding, be, X, codes, weight
        As for :func:`resolve_bandwidth`.
    grid : ndarray of shape (n_bandwidths,)
        Bandwidths.

    Returns
    -------
    scores : ndarray of shape (n_bandwidths,)
        Centred alignments, or weighted standard deviations off the diagonal.
    """
    scores = []
    for bandwidth in grid:
        kernel = QuantumKernel.of(estimator, encoding, bandwidth)
        if getattr(estimator, "kernel", "fidelity") == "projected":
            features = kernel.bloch(be, X)
            K = projected_kernel(features, None, resolve_gamma(estimator.gamma, features, weight))
        else:
            K = kernel.fidelity(be, X)
        if codes is None or np.unique(codes).size < 2:
            scores.append(_spread(K, weight))
        else:
            scores.append(kernel_alignment(K, codes, sample_weight=weight))
    return np.array(scores)


def _spread(K, weight):
    """Weighted standard deviation of the entries of a matrix."""
    share = weight / weight.sum()
    mean = share @ K @ share
    return np.sqrt(max(share @ (K - mean) ** 2 @ share, 0.0))


def resolve_gamma(gamma, features, weight):
    """Inverse width of the projected kernel: "scale" is 2 over the total variance."""
    if gamma != "scale":
        return float(gamma)
    share = weight / weight.sum()
    entries = features.astype(np.float64, copy=False)
    # The variance of all entries together, as scikit-learn's "scale" has it.
    variance = float(share @ np.mean((entries - np.mean(share @ entries)) ** 2, axis=1))
    return 2 / (features.shape[1] * (variance if variance > 0 else 1.0))


def projected_kernel(left, right, gamma):
    """``exp(-gamma sum_i |rho_i - rho'_i|_F^2)``, equation (3), of Bloch vectors on the host.

    The squared distance of two density matrices of a qubit is half of that of their vectors.
    """
    return rbf_kernel(left, right, gamma=gamma / 2)
