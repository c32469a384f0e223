"""Vector autoregressions out of augmented covariances: their coefficients and their order.

With the blocks ``G_ij = E[x(t + i lag) x(t + j lag)^T]``, the equations of Yule and Walker for
``x(t) = sum_{k=1..p} A_k x(t - k lag) + e(t)`` are

    [A_p ... A_1] G[0..p-1, 0..p-1] = [G_p0 ... G_{p,p-1}].

The covariance of e is the Schur complement of the last block. Both come out of the Cholesky factor
of G, of which nothing is inverted.
"""

from numbers import Integral

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from sklearn.utils import check_array

from .._sklearn import Interval, validate_params
from .._symmetry import refuse_asymmetric
from ._augmented_covariance_kernels import block_toeplitz

# Ridge relative to the mean eigenvalue, far above what rounding does to a singular matrix.
_RIDGE = 1e-9


@validate_params(
    {"G": ["array-like"], "order": [Interval(Integral, 1, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def var_coefficients(G, order):
    r"""Vector autoregression that an augmented covariance implies.

    An augmented covariance of ``order + 1`` blocks holds all that the Yule-Walker equations of a
    vector autoregression of this order need. Use it to see the dynamics, the spectrum or the
    directed coupling behind a covariance, the mean of a class for instance.

    Parameters
    ----------
    G : array-like of shape ((order + 1) * n_channels, (order + 1) * n_channels)
        Augmented covariance of ``order + 1`` delayed copies, block (i, j) being that of
        ``x(t + i * lag)`` and ``x(t + j * lag)``. It has to be positive definite.
    order : int
        Order p of the autoregression, one less than that of the augmented covariance.

    Returns
    -------
    coefficients : ndarray of shape (order, n_channels, n_channels)
        A_1, ..., A_p in ``x(t) = sum_k A_k x(t - k * lag) + e(t)``, the best linear predictor of
        x(t) under G.
    innovation : ndarray of shape (n_channels, n_channels)
        Covariance of the prediction error e(t).

    Raises
    ------
    ValueError
        If G is not square, symmetric, finite and positive definite, or cannot be cut into
        ``order + 1`` blocks.

    See Also
    --------
    select_embedding : Choose order and lag.

    Notes
    -----
    From one Cholesky factorisation, in O(D^3) for D rows of G. For the Toeplitz form of an
    augmented covariance the autoregression is stable. A ridge on G biases the coefficients by about
    its size relative to the smallest eigenvalue of G.

    References
    ----------
    .. [1] I. Carrara, T. Papadopoulo, "Classification of BCI-EEG based on augmented covariance
       matrix", 2023, :arxiv:`2302.04508`.

    Examples
    --------
    The process x(t) = 0.5 x(t - 1) + e(t), with e of variance 1:

    >>> import numpy as np
    >>> from skmatrix.covariance import var_coefficients
    >>> G = np.array([[4.0, 2.0], [2.0, 4.0]]) / 3
    >>> coefficients, innovation = var_coefficients(G, 1)
    >>> print(coefficients.round(6), innovation.round(6))
    [[[0.5]]] [[1.]]
    """
    G = check_array(G, dtype=np.float64, input_name="G")
    D = G.shape[0]
    if G.shape[1] != D or D % (order + 1):
        raise ValueError(
            f"G of shape {G.shape} cannot be cut into order + 1 = {order + 1} times as many square"
            " blocks; pass the augmented covariance of one order more than that of the"
            f" autoregression, order={order}."
        )
    refuse_asymmetric(G, "G")
    try:
        factor = cholesky(G, lower=True)
    except np.linalg.LinAlgError as error:
        raise ValueError(
            "G is not positive definite; compute the augmented covariance with a larger reg, or"
            " from more samples."
        ) from error
    n_channels = D // (order + 1)
    past, present = factor[:-n_channels, :-n_channels], factor[-n_channels:]
    # The row [A_p ... A_1] of blocks; the oldest copy comes first.
    row = solve_triangular(past, present[:, :-n_channels].T, lower=True, trans="T").T
    blocks = row.reshape(n_channels, order, n_channels).transpose(1, 0, 2)
    last = present[:, -n_channels:]
    return np.ascontiguousarray(blocks[::-1]), last @ last.T


def information_criteria(be, lagged, n_samples):
    """Information criteria of autoregressions of all orders up to the largest.

    ``u_k`` is the log-determinant of the innovation covariance of order k, that is of a Schur
    complement, and the criteria are ``u_k + k C^2 w / N`` with the weights w of 2 (Akaike),
    2 log log N (Hannan and Quinn) and log N (Schwarz).

    Parameters
    ----------
    be : Backend
        Where the matrix is put together.
    lagged : ndarray of shape (P + 1, C, C)
        Lagged covariances ``Gamma_k``, the mean over the trials.
    n_samples : int
        Number N of samples behind the largest delay, above e.

    Returns
    -------
    criteria : dict of str to ndarray of shape (P + 1,)
        "aic", "hq" and "bic" of the orders 0, ..., P.
    """
    n_orders, n_channels = lagged.shape[:2]
    matrix = block_toeplitz(be, lagged[None], reg=_RIDGE)[0]
    # The factor of a leading minor is that of the factor: one factorisation has them all.
    logs = 2 * np.log(np.diagonal(cholesky(matrix, lower=True)))
    levels = logs.reshape(n_orders, n_channels).sum(axis=1)
    penalty = np.arange(n_orders) * n_channels**2 / n_samples
    log_n = np.log(n_samples)
    weights = {"aic": 2.0, "hq": 2 * np.log(log_n), "bic": log_n}
    return {name: levels + weight * penalty for name, weight in weights.items()}
