"""Passes over the data of Gaussian groups.

K groups, n points, p features. A precision factor is an upper triangle ``P_k = L_k^{-T}`` with
``Sigma_k = L_k L_k^T``, or its diagonal alone.
"""

from .._backend import kernel


@kernel()
def whiten(xp, X, factors):
    """Data in the coordinates of each group, ``W_k = X P_k``.

    Parameters
    ----------
    xp : module
        Array namespace.
    X : array of shape (n, p)
        Data.
    factors : array of shape (K, p, p) or (K, p)
        Precision factors.

    Returns
    -------
    W : array of shape (K, n, p)
        Whitened data.
    squares : array of shape (K, n)
        Squared lengths of its rows.
    """
    W = X[None, :, :] * factors[:, None, :] if factors.ndim == 2 else X[None, :, :] @ factors
    return W, xp.sum(W * W, axis=2)


@kernel()
def moments(xp, X, U, *, diagonal):
    """Sizes, means and scatters of the groups of a factor, equation (8).

    ``S_k = X^T (diag(Z_k 1) - Z_k) X`` with ``Z_k = U_k U_k^T``, about the means of the groups.

    Parameters
    ----------
    xp : module
        Array namespace.
    X : array of shape (n, p)
        Data.
    U : array of shape (K, n, r)
        Factor.
    diagonal : bool
        Whether the diagonals of the scatters are all that is wanted.

    Returns
    -------
    row_sums : array of shape (K, n)
        ``Z_k 1``.
    means : array of shape (K, p)
        ``X^T Z_k 1 / N_k`` with ``N_k = 1^T Z_k 1``.
    scatters : array of shape (K, p, p) or (K, p)
        The scatters.
    """
    rows, means, scatters = [], [], []
    for k in range(U.shape[0]):
        own = U[k, :, :]
        d = own @ xp.sum(own, axis=0)
        mean = (d @ X) / xp.sum(d)
        Y = X - mean
        product = xp.matrix_transpose(own) @ Y
        if diagonal:
            scatter = d @ (Y * Y) - xp.sum(product * product, axis=0)
        else:
            scatter = xp.matrix_transpose(Y * d[:, None]) @ Y
            scatter = scatter - xp.matrix_transpose(product) @ product
            scatter = (scatter + xp.matrix_transpose(scatter)) / 2
        rows.append(d)
        means.append(mean)
        scatters.append(scatter)
    return xp.stack(rows), xp.stack(means), xp.stack(scatters)


@kernel()
def squared_distances(xp, X, means, factors):
    """Squared distances to the means in the metric of each group, ``|P_k^T (x - m_k)|^2``.

    Parameters
    ----------
    xp : module
        Array namespace.
    X : array of shape (n, p)
        Points.
    means : array of shape (K, p)
        Means.
    factors : array of shape (K, p, p) or (K, p)
        Precision factors.

    Returns
    -------
    squares : array of shape (n, K)
        The squared distances.
    """
    columns = []
    for k in range(means.shape[0]):
        Y = X - means[k, :]
        Y = Y * factors[k, :] if factors.ndim == 2 else Y @ factors[k, :, :]
        columns.append(xp.sum(Y * Y, axis=1))
    return xp.stack(columns, axis=1)
