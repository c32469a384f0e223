"""Augmented covariances of trials, as array-API functions.

The equations are numbered as in the notes of :class:`AugmentedCovariance`. Sums are in double
precision, whatever the trials.
"""

from itertools import pairwise

import array_api_compat

from .._backend import kernel


@kernel(numba="skmatrix.covariance._augmented_covariance_numba:delay_covariances", min_size=0)
def delay_covariances(xp, X, *, delays, center, reg):
    r"""Covariances of the delayed copies of each trial, over the samples that all copies have, (2).

    ``S_ij = sum_t x(t + d_i) x(t + d_j)^T`` for ``t = 0 ... L - 1`` with ``L = T - d_{p-1}``. Where
    delays are evenly spaced, the windows of a block and of the next one down the diagonal differ
    by their ends alone, (3).

    Parameters
    ----------
    xp : module
        Array namespace.
    X : array of shape (n_trials, n_channels, n_times)
        Trials.
    delays : tuple of int
        Delays in samples, ascending from 0.
    center : bool
        Whether each row of the embedding loses its mean; the divisor is L - 1 then, else L.
    reg : float
        Share of the mean eigenvalue that is added to the diagonal, (6).

    Returns
    -------
    covariances : float64 array of shape (n_trials, D, D)
        With D = len(delays) * n_channels; block (i, j) is that of the delays i and j.
    """
    signal = xp.astype(X, xp.float64)
    level = xp.mean(signal, axis=2, keepdims=True)
    # Differences of large numbers are those of the signals as they come. The mean of a trial
    # drops out of centred covariances; the others get it back.
    signal = signal - level
    order, length = len(delays), X.shape[2] - delays[-1]
    sums = _even_sums(xp, signal, delays, length) or _plain_sums(xp, signal, delays, length)
    means = [xp.mean(signal[:, :, d : d + length], axis=2) for d in delays]
    divisor = length - 1 if center else length
    for (i, j), total in sums.items():
        shift = _outer(means[i], means[j])
        if not center:
            shift -= _outer(means[i] + level[:, :, 0], means[j] + level[:, :, 0])
        sums[i, j] = (total - length * shift) / divisor
    return _from_blocks(xp, sums, order, reg)


@kernel(numba="skmatrix.covariance._augmented_covariance_numba:lagged_covariances", min_size=0)
def lagged_covariances(xp, X, *, n_lags, lag, center=True):
    """Covariances between each trial and its delayed copies, with the divisor T, (4).

    Parameters
    ----------
    xp : module
        Array namespace.
    X : array of shape (n_trials, n_channels, n_times)
        Trials.
    n_lags : int
        Number of delays, 0 among them.
    lag : int
        Step between them, in samples.
    center : bool, default=True
        Whether the mean of the trial is taken out.

    Returns
    -------
    lagged : float64 array of shape (n_trials, n_lags, n_channels, n_channels)
        ``Gamma_k = (1 / T) sum_t x(t + k lag) x(t)^T``; the divisor is the same for every k, which
        makes the matrix of (5) positive semidefinite.
    """
    signal = xp.astype(X, xp.float64)
    if center:
        signal = signal - xp.mean(signal, axis=2, keepdims=True)
    n_times = X.shape[2]
    lagged = []
    for k in range(n_lags):
        late, early = signal[:, :, k * lag :], signal[:, :, : max(n_times - k * lag, 0)]
        lagged.append(late @ xp.matrix_transpose(early) / n_times)
    return xp.stack(lagged, axis=1)


@kernel()
def block_toeplitz(xp, lagged, *, reg):
    """Symmetric block-Toeplitz matrices: block (i + k, i) is ``Gamma_k``, (5).

    Parameters
    ----------
    xp : module
        Array namespace.
    lagged : array of shape (n_trials, n_lags, n_channels, n_channels)
        Covariances ``Gamma_k``, that of no delay first.
    reg : float
        Share of the mean eigenvalue that is added to the diagonal, (6).

    Returns
    -------
    covariances : array of shape (n_trials, D, D)
        With D = n_lags * n_channels.
    """
    order = lagged.shape[1]
    upper = {
        (j, i): xp.matrix_transpose(lagged[:, i - j, :, :])
        for i in range(order)
        for j in range(i + 1)
    }
    return _from_blocks(xp, upper, order, reg)


@kernel()
def add_ridge(xp, covariances, *, reg):
    """Add a share of the mean eigenvalue to each matrix, ``G + reg tr(G) / D I``, (6).

    Parameters
    ----------
    xp : module
        Array namespace.
    covariances : array of shape (n_trials, D, D)
        Matrices.
    reg : float
        The share.

    Returns
    -------
    regularised : array of shape (n_trials, D, D)
        Better conditioned matrices.
    """
    size = covariances.shape[-1]
    device = array_api_compat.device(covariances)
    identity = xp.eye(size, dtype=covariances.dtype, device=device)
    trace = xp.sum(covariances * identity, axis=(1, 2), keepdims=True)
    return covariances + (reg / size) * trace * identity


def _outer(left, right):
    """Outer products of the rows of two arrays."""
    return left[:, :, None] * right[:, None, :]


def _from_blocks(xp, upper, order, reg):
    """Symmetric matrices from their blocks (i, j) with i <= j, with the ridge."""
    like = upper[0, 0]
    n, size = like.shape[0], like.shape[1]
    shape, device = (n, order * size, order * size), array_api_compat.device(like)
    matrices = xp.empty(shape, dtype=like.dtype, device=device)
    identity = xp.eye(size, dtype=like.dtype, device=device)
    trace = sum(upper[i, i] * identity for i in range(order))
    ridge = reg / (order * size) * xp.sum(trace, axis=(1, 2), keepdims=True) * identity
    for (i, j), block in upper.items():
        mirrored = xp.matrix_transpose(block)
        if i == j:  # symmetric up to rounding
            block = mirrored = 0.5 * (block + mirrored) + ridge
        rows, columns = slice(i * size, (i + 1) * size), slice(j * size, (j + 1) * size)
        matrices[:, rows, columns] = block
        matrices[:, columns, rows] = mirrored
    return matrices


def _plain_sums(xp, signal, delays, length):
    """Sums of products of windows, of the blocks (i, j) with i <= j."""
    windows = [signal[:, :, d : d + length] for d in delays]
    return {
        (i, j): windows[i] @ xp.matrix_transpose(windows[j])
        for i in range(len(delays))
        for j in range(i, len(delays))
    }


def _even_sums(xp, signal, delays, length):
    """The same for delays that are evenly spaced, each block from the one before it, (3).

    None where delays are uneven, and where the ends are as long as the windows.
    """
    steps = {later - earlier for earlier, later in pairwise(delays)}
    if len(steps) != 1 or 2 * min(steps) >= length:
        return None
    step, order = steps.pop(), len(delays)

    def windows(begin, width, n_copies):
        return [signal[:, :, begin + d : begin + d + width] for d in delays[:n_copies]]

    whole = windows(0, length, order)
    first, last = windows(0, step, order - 1), windows(length, step, order - 1)
    sums = {(0, j): whole[0] @ xp.matrix_transpose(whole[j]) for j in range(order)}
    for i in range(order - 1):
        for j in range(i, order - 1):
            leaving = first[i] @ xp.matrix_transpose(first[j])
            coming = last[i] @ xp.matrix_transpose(last[j])
            sums[i + 1, j + 1] = sums[i, j] - leaving + coming
    return sums
