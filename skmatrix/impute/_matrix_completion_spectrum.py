"""Singular values of sparse residuals: spectral starts, ranks, and the optimality certificate.

Everything here runs on the host, by SciPy's Lanczos iterations.
"""

import array_api_compat
import numpy as np
import scipy.sparse as sp
from scipy.linalg import svd
from scipy.sparse.linalg import ArpackError, LinearOperator, svds

from .._backend import to_numpy
from .._xp import sampled_dot
from ._matrix_completion_alternation import augment, make_problem, run_epoch, starting_biases

# Up to this many elements a dense decomposition is as quick and needs no start.
_DENSE = 10_000
# The ranks that "auto" visits.
_RANKS = (0, 1, 2, 4, 8, 16, 32, 64)
_EPOCHS_PER_RANK = 5
_EPOCHS_PER_DIRECTION = 6
# A rank is as good as the best if its validation error is within this factor of it.
_AS_GOOD = 1.002
# Ratio of the residual's norm to that of its sign-flipped copies that means "noise only".
_NOISE_RATIO = 1.05
# Sign flips judge the residual of a fit that is hardly penalised: what a penalty shrinks away
# is left in the residual, where it would count as signal.
_FLIP_RIDGE = 1e-6
# A residual of this size, relative to that of the data, is no noise to compare with.
_EXACT = 1e-4


def leading_singular_triplets(matrix, k, rng, tol=1e-2):
    """The k largest singular triplets of a sparse matrix, largest first.

    Parameters
    ----------
    matrix : csr_array of shape (m, n)
        The matrix; nothing of its size is copied if it is float64.
    k : int
        Number of triplets, at most min(m, n).
    rng : RandomState
        Draws the start.
    tol : float, default=1e-2
        Relative accuracy of the squared singular values.

    Returns
    -------
    left, s, right : arrays of shape (m, k), (k,) and (k, n)
        The triplets.

    Raises
    ------
    ValueError
        If they cannot be computed.
    """
    m, n = matrix.shape
    matrix = _with_data(matrix, matrix.data.astype(np.float64, copy=False))
    size = max(matrix.data.max(initial=0.0), -matrix.data.min(initial=0.0))
    if size == 0:
        return np.eye(m, k), np.zeros(k), np.eye(k, n)
    if not np.isfinite(size):
        raise _no_spectrum("it is not finite")
    # Lanczos iterations give fewer triplets than there are rows or columns; all of them are as
    # large as the dense matrix anyway.
    if m * n <= _DENSE or k + 1 >= min(m, n):
        left, s, right = svd(matrix.toarray(), full_matrices=False)
        return left[:, :k], s[:k], right[:k]
    start = rng.standard_normal(min(m, n))
    try:
        left, s, right = svds(_scaled(matrix, size), k=k, tol=tol, v0=start, solver="arpack")
    except ArpackError as error:
        raise _no_spectrum(error) from error
    order = np.argsort(-s)
    return left[:, order], size * s[order], right[order]


def _with_data(matrix, data):
    """A matrix of the same places with other values; the places are shared."""
    return sp.csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _scaled(matrix, size):
    """The matrix divided by a number, as an operator.

    ARPACK takes squared singular values below 1e-11 for zero. The division is done half before
    and half after each product, so that neither can leave the range of numbers.
    """
    root, transposed = np.sqrt(size), matrix.T

    def multiply(x):
        return (matrix @ (x / root)) / root

    def multiply_transposed(x):
        return (transposed @ (x / root)) / root

    return LinearOperator(
        matrix.shape,
        matvec=multiply,
        rmatvec=multiply_transposed,
        matmat=multiply,
        rmatmat=multiply_transposed,
        dtype=np.float64,
    )


def _no_spectrum(reason):
    """The error that says which parameters do without singular values."""
    return ValueError(
        f"The singular values of the residual could not be computed: {reason}. They are needed for"
        ' penalty="constant", init="svd" and a chosen n_components: pass penalty="count",'
        ' init="random" and a number of components, or entry_weight nearer to 1.'
    )


def spectral_norm(matrix, rng, tol=1e-8):
    """Largest singular value of a sparse matrix; 0 if it stores nothing but zeros."""
    return float(leading_singular_triplets(matrix, 1, rng, tol)[1][0])


def spectral_norm_outside(matrix, left, right, rng, tol=1e-4):
    """||(I - P) A (I - Q)||_2 of a sparse A that is not zero; P, Q project onto columns given."""
    (left, _), (right, _) = np.linalg.qr(left), np.linalg.qr(right)

    def outside(basis, x):
        return x - basis @ (basis.T @ x)

    matrix = _with_data(matrix, matrix.data.astype(np.float64, copy=False))
    if matrix.shape[0] * matrix.shape[1] <= _DENSE or min(matrix.shape) == 1:
        return float(np.linalg.norm(outside(right, outside(left, matrix.toarray()).T), 2))
    size = float(np.abs(matrix.data).max())
    inner = _scaled(matrix, size)
    operator = LinearOperator(
        matrix.shape,
        matvec=lambda x: outside(left, inner.matvec(outside(right, x))),
        rmatvec=lambda x: outside(right, inner.rmatvec(outside(left, x))),
        dtype=np.float64,
    )
    start = rng.standard_normal(min(matrix.shape))
    try:
        s = svds(operator, k=1, tol=tol, v0=start, return_singular_vectors=False)
    except ArpackError as error:
        raise _no_spectrum(error) from error
    return size * float(s[0])


def spectral_start(residual, n_components, rng):
    """The paper's start: factors of P_Omega(residual) / p, with rows that stick out cut down.

    Rows whose squared norm exceeds eight times the mean are scaled down to it, which keeps
    the factors incoherent; the paper sets them to zero, at a threshold that needs the
    unknown incoherence mu_0.
    """
    share = residual.nnz / (residual.shape[0] * residual.shape[1])
    left, s, right = leading_singular_triplets(residual, n_components, rng)
    factors = []
    for basis in (left, right.T):
        norms = (basis**2).sum(axis=1)
        bound = 8 * norms.mean()
        scale = np.sqrt(bound / np.maximum(norms, bound)) if bound > 0 else 1.0
        clipped, _ = np.linalg.qr(basis * np.reshape(scale, (-1, 1)))
        # QR may flip signs; turn each vector back to the side of the one it came from.
        clipped *= np.where((clipped * basis).sum(axis=0) < 0, -1.0, 1.0)
        factors.append(clipped * np.sqrt(s / share))
    return tuple(factors)


def residual_matrix(problem, U, V):
    """The weighted residual P_Omega(Y - U V^T) as a SciPy matrix, and the plain one."""
    entries = problem.rows.entries
    plain = entries.values - sampled_dot(problem.be.xp, U, V, entries.rows, entries.indices)
    plain = entries.with_values(plain).to_scipy()
    if not entries.weights.shape[0]:
        return plain, plain
    return _with_data(plain, plain.data * to_numpy(entries.weights)), plain


def duality_gap(problem, U, V, singular_values, ridge, rng):
    """Relative duality gap of the nuclear-norm problem at the factors, biases held fixed.

    With R the weighted residual, theta = min(1, ridge / ||R||_2) R is feasible for the dual
    of min_Z 1/2 ||P(Y - Z)||_w^2 + ridge ||Z||_*, so that the gap bounds f - f* from above.

    Returns
    -------
    gap : float
        (primal - dual) / primal, 0 if the primal value is 0.
    norm : float
        ||R||_2, at most `ridge` at an optimum.
    """
    weighted, plain = residual_matrix(problem, U, V)
    xp, k, entries = problem.be.xp, problem.n_components, problem.rows.entries
    free = xp.asarray([1.0] * k + [0.0, 0.0], dtype=U.dtype, device=array_api_compat.device(U))
    low_rank = sampled_dot(xp, U * free, V, entries.rows, entries.indices)
    r, weighted_r = (matrix.data.astype(np.float64, copy=False) for matrix in (plain, weighted))
    # What Z has to explain: the data less the biases.
    target = r + to_numpy(low_rank)
    norm = spectral_norm(weighted, rng)
    shrink = min(1.0, ridge / norm) if norm > 0 else 1.0
    primal = 0.5 * float(weighted_r @ r) + ridge * float(np.sum(singular_values))
    dual = shrink * float(weighted_r @ target) - 0.5 * shrink**2 * float(weighted_r @ r)
    return (max(primal - dual, 0.0) / primal if primal > 0 else 0.0), norm


def _grow(problem, U, V, n_components, rng, share=1.0):
    """Append the leading directions of the residual to the factors, up to a rank."""
    old = problem.n_components
    if n_components == old:
        return problem, U, V
    _, residual = residual_matrix(problem, U, V)
    left, s, right = leading_singular_triplets(residual, n_components - old, rng)
    be, xp = problem.be, problem.be.xp
    root = np.sqrt(share * s)
    grown = []
    for factors, vectors in ((U, left), (V, right.T)):
        added = xp.astype(be.load(np.ascontiguousarray(vectors * root)), factors.dtype)
        grown.append(xp.concat([factors[:, :old], added, factors[:, old:]], axis=1))
    return problem.resized(n_components), *grown


def start_without_factors(problem, alpha):
    """Augmented factors that hold nothing but the starting biases."""
    biases = starting_biases(problem, alpha)
    return tuple(
        augment(problem.be, bias[:, None][:, :0], bias, k) for k, bias in enumerate(biases)
    )


def rank_by_validation(be, entries, settings, ridge, rng):
    """The smallest rank whose error on held-out entries is as good as the best.

    One entry in ten is held out; the ranks 0, 1, 2, 4, ..., 64, at most half of the smaller
    side, start from each other. A small rank can be worse than none at all while a larger one,
    well shrunk, is best: the path ends early only after three ranks that are 5 % worse than the
    best.

    Parameters
    ----------
    be : Backend
        The engine.
    entries : Entries
        Entries on the engine.
    settings : dict
        Arguments of ``make_problem`` but the rank.
    ridge : float
        Ridge in the units of the penalty.
    rng : RandomState
        Chooses the held-out entries.

    Returns
    -------
    n_components : int
        The rank.
    factors : tuple of two arrays
        Augmented factors to start the fit on all entries from.
    path : list of tuple
        (rank, root mean square error on the held-out entries) in the order visited.
    """
    xp = be.xp
    held = be.load(rng.uniform(size=entries.values.shape[0]) < 0.1)
    train, test = entries.keep(~held), entries.keep(held)
    held_mass = test.total(xp.ones_like(test.values))
    problem = make_problem(be, train, n_components=0, **settings)
    visited, path, strikes = {}, [], 0

    def visit(state, k):
        problem, U, V = state
        problem, U, V = _grow(problem, U, V, k, rng)
        for _ in range(_EPOCHS_PER_RANK):
            epoch = run_epoch(problem, U, V, ridge)
            U, V = epoch.U, epoch.V
        error = test.values - sampled_dot(xp, U, V, test.rows, test.indices)
        # Without held-out entries all ranks are as good, and the smallest is taken.
        score = np.sqrt(test.total(error * error) / held_mass) if held_mass > 0 else 0.0
        visited[k] = (score, problem, U, V)
        path.append((k, float(visited[k][0])))

    largest = min(entries.shape) // 2
    state = (problem, *start_without_factors(problem, ridge))
    for k in [rank for rank in _RANKS if rank <= largest] or [0]:
        visit(state, k)
        state = visited[k][1:]
        best = min(score for score, *_ in visited.values())
        strikes += visited[k][0] > 1.05 * best
        if strikes == 3:
            break
    for _ in range(2):
        chosen = _smallest_good_rank(visited)
        below = max((k for k in visited if k < chosen), default=chosen)
        if chosen - below < 2:
            break
        visit(visited[below][1:], (below + chosen) // 2)
    chosen = _smallest_good_rank(visited)
    return chosen, visited[chosen][2:], path


def _smallest_good_rank(visited):
    """The smallest visited rank that is as good as the best."""
    best = min(score for score, *_ in visited.values())
    return min(k for k, (score, *_) in visited.items() if score <= _AS_GOOD * best)


def rank_by_sign_flips(be, entries, settings, rng):
    """The number of directions that stand out of the residual's own noise.

    With T(e)_ij = e_ij / sqrt(n_i N_j), the ratio q of ||T(e)||_2 to the largest of three
    ||T(xi e)||_2, xi random signs on the entries, is about 1 once the residual e holds no
    more signal. Meant for entries seen about uniformly: where few rows or columns hold
    most entries their noise hides the signal, and q is about 1 at every rank.

    Parameters and returns are those of :func:`rank_by_validation`, without the ridge; the
    score in `path` is q.
    """
    problem = make_problem(be, entries, n_components=0, **settings)
    U, V = start_without_factors(problem, _FLIP_RIDGE)
    for _ in range(_EPOCHS_PER_DIRECTION):
        epoch = run_epoch(problem, U, V, _FLIP_RIDGE)
        U, V = epoch.U, epoch.V
    share = 0.25 * entries.shape[0] * entries.shape[1] / entries.values.shape[0]
    path = []
    for k in range(min(entries.shape) // 2 + 1):
        q = _sign_flip_ratio(problem, U, V, rng)
        path.append((k, q))
        if q < _NOISE_RATIO or k == min(entries.shape) // 2:
            break
        problem, U, V = _grow(problem, U, V, k + 1, rng, share)
        for _ in range(_EPOCHS_PER_DIRECTION):
            epoch = run_epoch(problem, U, V, _FLIP_RIDGE)
            U, V = epoch.U, epoch.V
    return problem.n_components, (U, V), path


def _sign_flip_ratio(problem, U, V, rng):
    """||T(e)||_2 over the largest norm of its sign-flipped copies."""
    _, residual = residual_matrix(problem, U, V)
    if np.sqrt(np.mean(residual.data**2, dtype=np.float64)) < _EXACT:
        return 0.0
    n_rows = np.diff(residual.indptr)
    n_columns = np.bincount(residual.indices, minlength=residual.shape[1])
    scaled = residual.data / np.sqrt(np.repeat(n_rows, n_rows) * n_columns[residual.indices])
    norm = spectral_norm(_with_data(residual, scaled), rng, tol=1e-2)
    norms = []
    for _ in range(3):
        flipped = scaled * (2.0 * rng.randint(0, 2, size=scaled.shape[0]) - 1.0)
        norms.append(spectral_norm(_with_data(residual, flipped), rng, tol=1e-2))
    return norm / max(norms)
