"""Sums of sparse Bayesian learning with a Kronecker-structured design.

K factors of shape (m_k, n_k); the thin singular value decompositions of ``A_k diag(sqrt(g_k))`` are
``U_k diag(s_k) V_k^H`` of rank r_k. Tensors have their snapshots first: S of them, which are the L
measured ones and, with an intercept, one of ones. Equation numbers are those of the estimator's
docstring.
"""

import math
from functools import lru_cache

from .._backend import kernel


@kernel()
def mode_products(xp, tensor, *matrices):
    """Product of a tensor with a matrix along each mode, ``(A_1 (x) ... (x) A_K) x``.

    Parameters
    ----------
    xp : module
        Array namespace.
    tensor : array of shape (S, n_1, ..., n_K)
        Snapshots of the tensor.
    *matrices : array of shape (p_k, n_k) or None
        A matrix for each mode; None leaves a mode as it is.

    Returns
    -------
    product : array of shape (S, p_1, ..., p_K)
        The products. The mode that shrinks most comes first.
    """
    modes = [mode for mode, matrix in enumerate(matrices) if matrix is not None]
    for mode in sorted(modes, key=lambda k: matrices[k].shape[0] / matrices[k].shape[1]):
        tensor = _mode_product(xp, tensor, matrices[mode], mode + 1)
    return tensor


def _mode_product(xp, tensor, matrix, axis):
    """Product along one axis, as matrix products without a transposed copy."""
    shape = tensor.shape
    before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    new_shape = (*shape[:axis], matrix.shape[0], *shape[axis + 1 :])
    if after == 1:
        product = xp.reshape(tensor, (before, shape[axis])) @ matrix.T
    elif before == 1:
        product = matrix @ xp.reshape(tensor, (shape[axis], after))
    else:
        product = xp.matmul(matrix, xp.reshape(tensor, (before, shape[axis], after)))
    return xp.reshape(product, new_shape)


@kernel()
def evidence_terms(xp, rotated, norms, *powers, noise, n_rows, n_snapshots):
    """What the evidence and the noise variance need, equations (2) to (4).

    Parameters
    ----------
    xp : module
        Array namespace.
    rotated : array of shape (S, r_1, ..., r_K)
        Data in the basis of the left singular vectors, ``Y x_k U_k^H``. A last one beyond
        `n_snapshots` comes from the ones of an intercept; the data before are then centred.
    norms : array of shape (S,)
        Squared norms of all data, of which the basis may see a part.
    *powers : array of shape (r_k,)
        Squared singular values of each factor.
    noise : float
        Noise variance.
    n_rows : int
        Number of measurements M.
    n_snapshots : int
        Number of measured snapshots L.

    Returns
    -------
    power : array of shape (r_1, ..., r_K)
        Signal variances P in this basis.
    weight : array of shape (r_1, ..., r_K)
        Their precisions with noise, ``W = 1 / (noise + P)``.
    centred : array of shape (S, r_1, ..., r_K)
        `rotated` without the intercept.
    intercept : array of shape (n_snapshots,)
        Estimates of the intercept, 0 without one.
    terms : array of shape (6,)
        Log-determinant of the covariance C of the data, weighted sum of squares ``Y^H C^-1 Y``,
        squared norm of the residual, ``tr(H Sigma H^H) / noise``, ``tr(C^-1)`` and the precision
        of the intercept (0 without one).
    """
    power = outer(xp, *powers)
    total = power + noise
    weight = 1 / total
    outside = n_rows - math.prod(power.shape)
    log_det = xp.sum(xp.log(total)) + outside * math.log(noise)
    explained, inverse_trace = xp.sum(power * weight), xp.sum(weight) + outside / noise
    data, lengths = rotated[:n_snapshots, ...], norms[:n_snapshots]
    if rotated.shape[0] == n_snapshots:
        precision, intercept, centred = 0 * explained, 0 * rotated[:, *(0,) * len(powers)], rotated
    else:
        ones = rotated[n_snapshots, ...]
        density = absolute_squares(xp, ones)
        unseen = positive_part(xp, norms[n_snapshots] - xp.sum(density))
        unseen = unseen if outside else 0 * unseen
        precision = xp.sum(density * weight) + unseen / noise
        # The ones are orthogonal to centred data: what they share outside of the basis is what
        # they share inside, with the other sign.
        axes = tuple(range(1, data.ndim))
        shared = xp.sum(conjugate(xp, ones) * (power * weight) * data, axis=axes)
        intercept = -shared / (noise * precision)
        data = data - xp.reshape(intercept, (-1, *(1,) * len(powers))) * ones
        centred = xp.concat([data, ones[None, ...]])
        lengths = lengths + n_rows * absolute_squares(xp, intercept)
        share = (xp.sum(density * weight * weight) + unseen / noise**2) / precision
        log_det = log_det + xp.log(precision / n_rows)
        explained, inverse_trace = explained - 1 + noise * share, inverse_trace - share
    squares = absolute_squares(xp, data)
    beyond = positive_part(xp, lengths - xp.sum(squares, axis=tuple(range(1, data.ndim))))
    # Without a rest there are but rounding errors, which a small noise variance would magnify.
    beyond = xp.sum(beyond) if outside else 0 * explained
    weighted = squares * weight
    quadratic = xp.sum(weighted) + beyond / noise
    residual = noise**2 * xp.sum(weighted * weight) + beyond
    terms = [log_det, quadratic, residual, explained, inverse_trace, precision]
    return power, weight, centred, intercept, xp.stack(terms)


@kernel()
def marginal_moments(xp, centred, power, weight, basis, *, mode, n_snapshots, precision):
    """Sums over all other modes of ``|mu|^2 / g`` and of ``tau``, equation (8).

    The right singular vectors of the other modes are orthonormal and drop out, so that nothing of
    the size of the coefficients is made.

    Parameters
    ----------
    xp : module
        Array namespace.
    centred : array of shape (S, r_1, ..., r_K)
        Data in the basis of the left singular vectors.
    power, weight : array of shape (r_1, ..., r_K)
        P and W.
    basis : array of shape (n_k, r_k)
        Right singular vectors of the mode.
    mode : int
        The mode k.
    n_snapshots : int
        Number of measured snapshots.
    precision : float
        Precision of the intercept.

    Returns
    -------
    signal : array of shape (n_k,)
        Sums of ``|mu|^2 / g``, averaged over snapshots.
    shrinkage : array of shape (n_k,)
        Sums of ``tau = 1 - Sigma / g``.
    """
    scaled = centred * (xp.sqrt(power) * weight)
    others = tuple(k for k in range(power.ndim) if k != mode)
    shrinkage = absolute_squares(xp, basis) @ xp.sum(power * weight, axis=others)
    signal = _energy(xp, scaled[:n_snapshots, ...], basis, mode) / n_snapshots
    if centred.shape[0] > n_snapshots:
        shrinkage = shrinkage - _energy(xp, scaled[n_snapshots:, ...], basis, mode) / precision
        shrinkage = positive_part(xp, shrinkage)
    return signal, shrinkage


def _energy(xp, tensor, basis, mode):
    """Sums of squares of ``tensor x_k V_k`` at each index of mode k."""
    size = basis.shape[1]
    unfolded = xp.reshape(xp.moveaxis(tensor, mode + 1, 0), (size, -1))
    if unfolded.shape[1] <= size:
        return xp.sum(absolute_squares(xp, basis @ unfolded), axis=1)
    gram = unfolded @ conjugate(xp, unfolded).T
    product = (basis @ gram) * conjugate(xp, basis)
    return positive_part(xp, xp.sum(_real(xp, product), axis=1))


@kernel()
def posterior_moments(xp, centred, weight, *spectra, noise, n_snapshots, precision):
    """Posterior mean and variance of all coefficients, equations (5) and (6).

    Parameters
    ----------
    xp : module
        Array namespace.
    centred : array of shape (S, r_1, ..., r_K)
        Data in the basis of the left singular vectors.
    weight : array of shape (r_1, ..., r_K)
        W.
    *spectra : array
        First the right singular vectors, of shape (n_k, r_k), of all factors; then their singular
        values, of shape (r_k,); then the roots of their prior variances, of shape (n_k,).
    noise : float
        Noise variance.
    n_snapshots : int
        Number of measured snapshots.
    precision : float
        Precision of the intercept.

    Returns
    -------
    mean : array of shape (n_snapshots, n_1, ..., n_K)
        Means.
    variance : array of shape (n_1, ..., n_K)
        Variances, the same for all snapshots.
    """
    K = len(spectra) // 3
    bases, singular, roots = spectra[:K], spectra[K : 2 * K], spectra[2 * K :]
    gains = [root[:, None] * V * s for V, s, root in zip(bases, singular, roots, strict=True)]
    mean = mode_products.reference(xp, centred * weight, *gains)
    squares = [absolute_squares(xp, V) for V in bases]
    variance = mode_products.reference(xp, (noise * weight)[None, ...], *squares)[0, ...]
    if any(V.shape[0] > V.shape[1] for V in bases):
        variance = variance + positive_part(xp, 1 - outer(xp, *map(_row_sums(xp), squares)))
    variance = variance * outer(xp, *[root * root for root in roots])
    if centred.shape[0] > n_snapshots:
        variance = variance + absolute_squares(xp, mean[n_snapshots, ...]) / precision
        mean = mean[:n_snapshots, ...]
    return mean, variance


def _row_sums(xp):
    """Sums of squares of the rows of V: exactly 1 where V is square, without rounding."""

    def sums(squares):
        if squares.shape[0] == squares.shape[1]:
            return xp.ones_like(squares[:, 0])
        return xp.sum(squares, axis=1)

    return sums


@kernel()
def contract(xp, tensor, *weights, mode):
    """Weighted sum of a tensor over all modes but one, equation (7).

    Parameters
    ----------
    xp : module
        Array namespace.
    tensor : array of shape (n_1, ..., n_K)
        The tensor.
    *weights : array of shape (n_k,)
        Weights of each mode; those of `mode` are not looked at.
    mode : int
        The mode that stays.

    Returns
    -------
    total : array of shape (n_mode,)
        The sums.
    """
    shape = tensor.shape
    before, after = math.prod(shape[:mode]), math.prod(shape[mode + 1 :])
    if after > 1:
        right = xp.reshape(outer(xp, *weights[mode + 1 :]), (-1,))
        tensor = xp.reshape(tensor, (before * shape[mode], after)) @ right
    tensor = xp.reshape(tensor, (before, shape[mode]))
    if before > 1:
        return xp.reshape(outer(xp, *weights[:mode]), (-1,)) @ tensor
    return tensor[0, :]


@kernel()
def rank_one(xp, tensor):
    """Successive best rank-one approximations: vectors whose outer product is near a tensor.

    Parameters
    ----------
    xp : module
        Array namespace.
    tensor : array of shape (n_1, ..., n_K)
        The tensor, real or complex.

    Returns
    -------
    *vectors : array of shape (n_k,)
        Their outer product approximates the tensor. All but the last have unit norm.
    """
    vectors = []
    for size in tensor.shape[:-1]:
        matrix = xp.reshape(tensor, (size, -1))
        u = _leading(xp, matrix)
        # A step of the power method gives small entries digits of their own.
        u = matrix @ (conjugate(xp, matrix).T @ u)
        u = u / _norm(xp, u)
        vectors.append(u)
        tensor = conjugate(xp, u) @ matrix
    return (*vectors, xp.reshape(tensor, (-1,)))


def _leading(xp, matrix):
    """Leading left singular vector, from the smaller of the two Gram matrices."""
    if matrix.shape[0] <= matrix.shape[1]:
        return xp.linalg.eigh(matrix @ conjugate(xp, matrix).T)[1][:, -1]
    u = matrix @ xp.linalg.eigh(conjugate(xp, matrix).T @ matrix)[1][:, -1]
    return u / _norm(xp, u)


def _norm(xp, vector):
    """Norm of a vector, 1 if it is zero."""
    norm = xp.sqrt(xp.sum(absolute_squares(xp, vector)))
    return xp.where(norm > 0, norm, xp.ones_like(norm))


def outer(xp, *vectors):
    """Outer product of vectors, a tensor."""
    product = vectors[0]
    for vector in vectors[1:]:
        product = product[..., None] * vector
    return product


def positive_part(xp, array):
    """Values, zero in the place of negative ones."""
    return xp.where(array > 0, array, xp.zeros_like(array))


def is_complex(xp, array):
    """Whether an array holds complex numbers."""
    return _is_complex_dtype(xp, array.dtype)


@lru_cache
def _is_complex_dtype(xp, dtype):
    """Whether a dtype is complex; kernels of small arrays would spend their time on asking."""
    return xp.isdtype(dtype, "complex floating")


def absolute_squares(xp, array):
    """Squared moduli of real or complex numbers."""
    if not is_complex(xp, array):
        return array * array
    return xp.real(array) ** 2 + xp.imag(array) ** 2


def conjugate(xp, array):
    """Complex conjugates; a real array as it is."""
    return xp.conj(array) if is_complex(xp, array) else array


def _real(xp, array):
    """Real part of real or complex numbers."""
    return xp.real(array) if is_complex(xp, array) else array
