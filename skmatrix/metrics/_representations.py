"""Similarity of representations: two sets of features of the same samples."""

import numpy as np
from sklearn.utils.validation import check_array, check_consistent_length

from .._backend import to_numpy
from .._sklearn import validate_params

# Spread, relative to the largest value, up to which features are constant but for rounding.
_CONSTANT = 10 * np.finfo(np.float64).eps
# Elements of a product of features with features that are held at once.
_CELLS = 2**24


@validate_params({"A": ["array-like"], "B": ["array-like"]}, prefer_skip_nested_validation=True)
def linear_cka(A, B):
    r"""Centred kernel alignment of two representations with linear kernels.

    Use it to compare what layers of networks, or embeddings of any kind, say of the same samples:
    their features need neither correspond nor be as many. It is blind to rotations, to shifts and
    to a common scale, but not to all invertible maps: what is, finds no difference once there are
    more features than samples.

    Parameters
    ----------
    A : array-like of shape (n_samples, n_features_a)
        A representation.
    B : array-like of shape (n_samples, n_features_b)
        Another one of the same samples.

    Returns
    -------
    similarity : float
        From 0 to 1. 1 if the centred representations are equal up to rotation and scale; 0 if no
        feature of one correlates with one of the other.

    Raises
    ------
    ValueError
        If the numbers of samples differ, or a representation is the same for all samples: then
        there is nothing to compare.

    See Also
    --------
    kernel_alignment : Alignment of a kernel with classes.

    Notes
    -----
    With columns centred it is :math:`\|B^T A\|_F^2 / (\|A^T A\|_F \|B^T B\|_F)`. That is
    :math:`\mathrm{HSIC}(K, L) / \sqrt{\mathrm{HSIC}(K, K)\, \mathrm{HSIC}(L, L)}` for :math:`K = A
    A^T` and :math:`L = B B^T`, matrices over pairs of samples that are never formed. For few
    samples with many features it is biased upwards.

    References
    ----------
    .. [1] Simon Kornblith, Mohammad Norouzi, Honglak Lee, Geoffrey Hinton, "Similarity of Neural
       Network Representations Revisited", International Conference on Machine Learning, 2019.
       :arxiv:`1905.00414`

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.metrics import linear_cka
    >>> A = np.random.default_rng(0).standard_normal((100, 3))
    >>> round(linear_cka(A, A[:, ::-1] + 5), 3)
    1.0
    >>> round(linear_cka(A, A[:, :1]), 3)
    0.656
    """
    A, B = _centred(A, "A"), _centred(B, "B")
    check_consistent_length(A, B)
    of_both, of_a, of_b = _squared_norm(A, B), _squared_norm(A, A), _squared_norm(B, B)
    # Rounding may lead beyond 1.
    return float(min(of_both / np.sqrt(of_a * of_b), 1.0))


def _centred(A, name):
    """A representation on the host without its mean, in units of its largest value."""
    A = check_array(to_numpy(A), dtype=np.float64, ensure_min_samples=2, input_name=name)
    largest = np.abs(A).max()
    # Divided first, because sums and squares of large numbers overflow.
    A = A / (largest or 1.0)
    A -= A.mean(axis=0)
    spread = np.abs(A).max()
    if spread <= _CONSTANT:
        raise ValueError(f"{name} must differ between samples. Got equal rows.")
    return A / spread


def _squared_norm(A, B):
    """Squared Frobenius norm of B^T A, of which some columns are held at a time."""
    step = max(1, _CELLS // B.shape[1])
    return sum(np.sum((B.T @ A[:, i : i + step]) ** 2) for i in range(0, A.shape[1], step))
