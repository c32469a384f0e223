"""Scores of kernel matrices: with classes, with each other, and by themselves."""

from numbers import Real

import numpy as np
from scipy.linalg import LinAlgError, eigh
from sklearn.utils import Bunch
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d

from .._backend import to_numpy
from .._sklearn import Interval, _check_sample_weight, validate_params
from .._symmetry import refuse_asymmetric

_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@validate_params(
    {"K": ["array-like"], "y": ["array-like"], "sample_weight": ["array-like", None]},
    prefer_skip_nested_validation=True,
)
def kernel_alignment(K, y, *, sample_weight=None):
    r"""Centred alignment of a kernel with classes.

    Use it to compare kernels, or their parameters, before any classifier is trained.

    Parameters
    ----------
    K : array-like of shape (n_samples, n_samples)
        Kernel matrix, symmetric.
    y : array-like of shape (n_samples,)
        Classes.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples: an integer weight stands for as many repetitions.

    Returns
    -------
    alignment : float
        From -1 to 1; 1 if the centred kernel is a multiple of the ideal one, and 0 if it is zero.

    Raises
    ------
    ValueError
        If K is no symmetric matrix, or there is one class only.

    See Also
    --------
    geometric_difference : Comparison of two kernels without classes.
    kernel_concentration : Spread of a kernel.

    Notes
    -----
    It is :math:`\langle K_c, Y_c\rangle_F / (\|K_c\|_F \|Y_c\|_F)`, where c stands for the removal
    of the means of rows and columns, and :math:`Y_{ij}` is 1 for equal classes and
    :math:`-1/(C - 1)` for different ones of C.

    References
    ----------
    .. [1] Corinna Cortes, Mehryar Mohri, Afshin Rostamizadeh, "Algorithms for learning kernels
       based on centered alignment", Journal of Machine Learning Research 13, 2012.
       :arxiv:`1203.0550`

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.metrics.pairwise import rbf_kernel
    >>> from skmatrix.metrics import kernel_alignment
    >>> X, y = load_iris(return_X_y=True)
    >>> [round(kernel_alignment(rbf_kernel(X, gamma=gamma), y), 2) for gamma in (0.01, 0.1, 1)]
    [0.68, 0.77, 0.74]
    """
    K = _checked_kernel(K, "K")
    y = column_or_1d(to_numpy(y))
    check_consistent_length(K, y)
    check_classification_targets(y)
    if sample_weight is not None:
        sample_weight = to_numpy(sample_weight)
    weight = _check_sample_weight(sample_weight, K, dtype=np.float64, ensure_non_negative=True)
    share = weight / np.sum(weight)
    codes = np.unique(y, return_inverse=True)[1]
    n_classes = int(codes.max()) + 1
    if np.unique(codes[weight > 0]).size < 2:
        raise ValueError(
            "y must have at least two classes among the samples with a weight. Got one class."
        )
    largest = np.abs(K).max()
    if largest == 0:
        return 0.0
    member = np.eye(n_classes)[codes]
    # Y is a multiple of M M^T plus a constant, which centring removes.
    member = member - share @ member
    centred = _centred(K / largest, share)
    root = np.sqrt(share)
    inner = np.sum((share[:, None] * member) * (centred @ (share[:, None] * member)))
    of_kernel = np.linalg.norm(root[:, None] * centred * root)
    weighted = root[:, None] * member
    of_classes = np.linalg.norm(weighted.T @ weighted)
    # What rounding leaves of a constant kernel is no kernel.
    if of_kernel <= 1e-14:
        return 0.0
    return float(inner / (of_kernel * of_classes))


@validate_params(
    {
        "K_quantum": ["array-like"],
        "K_classical": ["array-like"],
        "reg": [Interval(Real, 0, None, closed="neither")],
    },
    prefer_skip_nested_validation=True,
)
def geometric_difference(K_quantum, K_classical, *, reg=1e-7):
    r"""How much worse one kernel can be than another, over all labels.

    Use it before a quantum kernel is tried: if it is small, no labels exist for which the classical
    kernel would need a much larger norm, and nothing is to be gained. If it is large, there are
    such labels, which need not be those of the data.

    Parameters
    ----------
    K_quantum : array-like of shape (n_samples, n_samples)
        Kernel whose advantage is in question.
    K_classical : array-like of shape (n_samples, n_samples)
        Kernel it is compared with.
    reg : float, default=1e-7
        What is added to the diagonal of the second, once its mean is 1.

    Returns
    -------
    difference : float
        About 1 for equal kernels, at most of the order of the root of the number of samples where
        it says something; large values for a singular second kernel depend on `reg`.

    Raises
    ------
    ValueError
        If they are no symmetric matrices of one size and of positive trace, or the second has
        negative eigenvalues beyond `reg`.

    See Also
    --------
    kernel_alignment : Agreement of a kernel with the labels at hand.

    Notes
    -----
    With traces scaled to the number of samples it is :math:`\sqrt{\|\sqrt{K_q} (K_c + \lambda
    I)^{-1} \sqrt{K_q}\|_2}`, the root of the largest generalised eigenvalue of the pair. It is not
    symmetric.

    References
    ----------
    .. [1] Hsin-Yuan Huang, Michael Broughton, Masoud Mohseni, Ryan Babbush, Sergio Boixo, Hartmut
       Neven, Jarrod R. McClean, "Power of data in quantum machine learning", Nature Communications
       12, 2021. :arxiv:`2011.01938`

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics.pairwise import rbf_kernel
    >>> from skmatrix.metrics import geometric_difference
    >>> X = np.linspace(0, 1, 10)[:, None]
    >>> K = rbf_kernel(X, gamma=100)
    >>> print(f"{geometric_difference(K, K):.3f}")
    1.000
    >>> print(f"{geometric_difference(np.eye(10), K):.1f}")
    1.5
    """
    numerator = _checked_kernel(K_quantum, "K_quantum")
    denominator = _checked_kernel(K_classical, "K_classical")
    if numerator.shape != denominator.shape:
        raise ValueError(
            f"K_quantum and K_classical must have the same shape. Got {numerator.shape} and"
            f" {denominator.shape}."
        )
    n = numerator.shape[0]
    scaled = []
    for name, K in (("K_quantum", numerator), ("K_classical", denominator)):
        trace = np.trace(K)
        if trace <= 0:
            raise ValueError(f"{name} must have a positive trace. Got {trace:g}.")
        scaled.append(K * (n / trace))
    try:
        largest = eigh(
            scaled[0],
            scaled[1] + reg * np.eye(n),
            eigvals_only=True,
            subset_by_index=[n - 1, n - 1],
        )[0]
    except LinAlgError as error:
        lowest = np.linalg.eigvalsh(scaled[1])[0]
        raise ValueError(
            f"K_classical has the eigenvalue {lowest:.3g} at a mean diagonal of 1, which"
            f" reg={reg:g} does not lift above 0: raise reg, or repair the kernel."
        ) from error
    return float(np.sqrt(max(largest, 0.0)))


@validate_params({"K": ["array-like"]}, prefer_skip_nested_validation=True)
def kernel_concentration(K):
    """Spread of the entries of a kernel off its diagonal.

    Use it to see whether a quantum kernel still tells samples apart: with many qubits or a large
    bandwidth all of its entries come near to one value, and finitely many shots cannot resolve it.

    Parameters
    ----------
    K : array-like of shape (n_samples, n_samples)
        Kernel matrix, symmetric, of at least two samples.

    Returns
    -------
    concentration : Bunch
        ``mean``, ``std``, and ``quantiles``, a dict from 0.05, 0.25, 0.5, 0.75 and 0.95 to the
        quantile.

    Raises
    ------
    ValueError
        If K is no symmetric matrix, or of fewer than two samples.

    See Also
    --------
    kernel_alignment : Agreement of a kernel with classes.

    References
    ----------
    .. [1] Supanut Thanasilp, Samson Wang, Marco Cerezo, Zoë Holmes, "Exponential concentration in
       quantum kernel methods", Nature Communications 15, 2024. :arxiv:`2208.11060`

    Examples
    --------
    >>> import numpy as np
    >>> from skmatrix.metrics import kernel_concentration
    >>> found = kernel_concentration(np.full((3, 3), 0.25) + 0.75 * np.eye(3))
    >>> found.mean, found.std
    (0.25, 0.0)
    """
    K = _checked_kernel(K, "K")
    n = K.shape[0]
    if n < 2:
        raise ValueError("K must be of at least two samples. Got one.")
    entries = K[np.triu_indices(n, k=1)]
    quantiles = np.quantile(entries, _QUANTILES)
    return Bunch(
        mean=float(entries.mean()),
        std=float(entries.std()),
        quantiles=dict(zip(_QUANTILES, quantiles.tolist(), strict=True)),
    )


def _checked_kernel(K, name):
    """A kernel matrix on the host, in double precision."""
    K = check_array(to_numpy(K), dtype=np.float64, input_name=name)
    if K.shape[0] != K.shape[1]:
        raise ValueError(f"{name} must be square. Got an array of shape {K.shape}.")
    # It may have been computed in single precision.
    refuse_asymmetric(K, name, tol=1e-5)
    return K


def _centred(K, share):
    """The kernel without the weighted means of its rows and columns."""
    means = K @ share
    return K - means[:, None] - means + share @ means
