"""The fit of a matrix completion: units, start, epochs, and what is kept of them."""

import time
from dataclasses import dataclass
from typing import Any

import array_api_compat
import numpy as np

from .._backend import to_numpy
from .._iterate import Iterations
from .._xp import sampled_dot, segment_sum
from ._matrix_completion_alternation import (
    augment,
    make_problem,
    may_stop,
    random_factors,
    resolve_solver,
    ridge_of_epoch,
    run_epoch,
    shared_basis,
    squared_error,
    starting_biases,
    weighted_gram,
)
from ._matrix_completion_kernels import weigh
from ._matrix_completion_spectrum import (
    duality_gap,
    rank_by_sign_flips,
    rank_by_validation,
    residual_matrix,
    spectral_norm,
    spectral_norm_outside,
    spectral_start,
    start_without_factors,
)

# Continuation is on by default for penalties below this.
_CONTINUATION_BELOW = 1e-3


@dataclass(frozen=True)
class Units:
    """How the data are brought to mean 0 and root mean square 1, and back.

    Attributes
    ----------
    offset : float
        Weighted mean of the observed values, 0 if the model has none.
    unit : float
        Root mean square of what is left, 1 if nothing is.
    center, scale : array of shape (n_columns,) or None
        Mean and standard deviation of each column, taken out first.
    """

    offset: float
    unit: float
    center: Any
    scale: Any

    def normalise(self, entries):
        """Entries in these units; the scale must be where the entries are."""
        values = entries.values
        if self.scale is not None:
            center, scale = (entries.xp.astype(a, values.dtype) for a in (self.center, self.scale))
            values = values - entries.xp.take(center, entries.indices)
            values = values / entries.xp.take(scale, entries.indices)
        return entries.with_values((values - self.offset) / self.unit)

    def normalise_new(self, entries):
        """Entries of new rows in these units; those that are too large for them are refused."""
        with np.errstate(over="ignore"):
            normalised = self.normalise(entries)
        _refuse_large(entries.xp, normalised.values)
        return normalised


def _refuse_large(xp, values):
    """Raise for values in units of the fit, so large that sums of squares leave their dtype."""
    if not values.shape[0]:
        return
    largest, limit = float(xp.max(xp.abs(values))), float(xp.finfo(values.dtype).max)
    if largest > 1e-3 * (limit / values.shape[0]) ** 0.5:
        single = " or pass it in double precision," if values.dtype == xp.float32 else ""
        raise ValueError(
            f"Values of X are up to {largest:.3g} times as large as those of the fit, too large for"
            f" {values.dtype}. Scale X as in the fit,{single} or fit again."
        )


def measure_units(add, largest, *, bias, scale):
    """The units of observed entries, from sums and maxima over them.

    Parameters
    ----------
    add, largest : callable
        ``add(f)`` is the sum and ``largest(f)`` the maximum of ``f(entries)`` over all
        blocks of entries; for one block both are ``f(entries)`` itself.
    bias, scale : str, str or None
        Parameters of the estimator.

    Returns
    -------
    units : Units
        Mean, root mean square and scale of the columns.
    """
    columns = _column_moments(add, largest) if scale == "columns" else (None, None)
    raw = Units(0.0, 1.0, *columns)
    mass = add(lambda e: e.total(e.xp.ones_like(e.values)))

    def size(units):
        return largest(lambda e: _largest(units.normalise(e).values))

    # Divided by the largest value first: neither a sum nor a square can overflow.
    bound = size(raw) or 1.0
    offset = 0.0
    if bias != "none":
        offset = bound * (add(lambda e: e.total(raw.normalise(e).values / bound)) / mass)
    centred = Units(offset, 1.0, *columns)
    bound = size(centred)
    # What is left of equal values is the rounding error of their mean.
    eps = largest(lambda e: float(e.xp.finfo(e.values.dtype).eps))
    if bound <= 4 * eps * abs(offset):
        return centred
    squares = add(lambda e: e.total((centred.normalise(e).values / bound) ** 2))
    return Units(offset, bound * float(np.sqrt(squares / mass)) or 1.0, *columns)


def _largest(values):
    """Largest absolute value, 0 if there is none."""
    xp = array_api_compat.array_namespace(values)
    return float(xp.max(xp.abs(values))) if values.shape[0] else 0.0


def _column_moments(add, largest):
    """Observed mean and standard deviation of each column.

    0 and 1 where nothing is observed; the deviation is 1 where it is 0.
    """

    def by_column(f):
        """Sums of f(values) over the entries of each column."""

        def sums(entries):
            columns = entries.transposed()
            terms = weigh(f(columns), columns.weights)
            return segment_sum(columns.xp, terms, columns.indptr)

        return add(sums)

    mass = by_column(lambda columns: columns.xp.ones_like(columns.values))
    xp = array_api_compat.array_namespace(mass)
    safe = xp.where(mass > 0, mass, xp.ones_like(mass))
    bound = largest(lambda e: _largest(e.values)) or 1.0
    mean = by_column(lambda columns: columns.values / bound) / safe
    # relative to the largest value, so that squares do not overflow
    squares = by_column(
        lambda columns: (columns.values / bound - columns.xp.take(mean, columns.rows)) ** 2
    )
    deviation = xp.sqrt(squares / safe)
    tiny = 4 * float(xp.finfo(mass.dtype).eps) * xp.abs(mean)
    return bound * mean, xp.where(deviation > tiny, bound * deviation, xp.ones_like(deviation))


def hold_out(n, fraction, rng):
    """A mask that holds a share of n entries out, at least one of them.

    Raises
    ------
    ValueError
        If nothing would be left to fit.
    """
    n_held = max(1, round(fraction * n))
    if n_held >= n:
        raise ValueError(
            f"validation_fraction={fraction} leaves none of the {n} observed entries to fit. Lower"
            " it, or pass more entries."
        )
    mask = np.zeros(n, dtype=bool)
    mask[rng.permutation(n)[:n_held]] = True
    return mask


@dataclass
class Start:
    """Where the epochs start from: the problem, the factors, and the penalty's unit."""

    problem: Any
    U: Any
    V: Any
    penalty_unit: float
    rank_path: list
    warm: bool


def prepare(estimator, be, entries, units, rng, pool):
    """Choose the rank and the starting factors of a fit.

    Parameters
    ----------
    estimator : MatrixCompletion
        Holds the parameters.
    be : Backend
        The engine.
    entries : Entries
        Normalised training entries on the engine.
    units : Units
        Their units, for factors that come from outside.
    rng : RandomState
        Source of all random choices.
    pool : ThreadPoolExecutor or None
        Threads of the Numba twin.

    Returns
    -------
    start : Start
        Where to begin.
    """
    settings = {
        "penalty": estimator.penalty,
        "bias": estimator.bias,
        "solver": resolve_solver(estimator.solver, estimator.alpha),
        "inner_tol": estimator.inner_tol,
        "inner_max_iter": estimator.inner_max_iter,
        "pool": pool,
    }
    unit = _penalty_unit(be, entries, settings, rng)
    ridge = estimator.alpha * unit
    # Without row or column biases alpha >= 1 is known to have the zero solution.
    vanishing = (
        estimator.penalty == "constant"
        and estimator.alpha >= 1
        and estimator.bias in ("none", "global")
    )
    chosen, factors, path = estimator.n_components, None, []
    if isinstance(chosen, str):
        # The sketch belongs to one rank; along a path of ranks the default solver is used.
        default = {"solver": resolve_solver("auto", estimator.alpha)}
        along = settings | (default if estimator.solver == "sketch" else {})
        if chosen == "auto":
            chosen, factors, path = rank_by_validation(be, entries, along, ridge, rng)
            path = [(k, error * units.unit) for k, error in path]
        else:
            chosen, factors, path = rank_by_sign_flips(be, entries, along, rng)
    k = min(chosen, *entries.shape)
    warm = estimator.warm_start and getattr(estimator, "n_components_", None) == k
    settings["random_state"] = rng
    problem = make_problem(be, entries, n_components=k, **settings)
    if warm:
        factors = _earlier_factors(estimator, problem, units, ridge)
    elif factors is None or estimator.init != "random":
        factors = _starting_factors(estimator, problem, units, ridge, rng, vanishing)
    U, V = factors
    return Start(problem, U, V, unit, path, warm)


def _penalty_unit(be, entries, settings, rng):
    """What alpha counts in: 1, or the norm of the data less their average biases."""
    if settings["penalty"] == "count":
        return 1.0
    # no half step is taken, so no sketch is needed
    problem = make_problem(be, entries, n_components=0, **(settings | {"solver": "pcg"}))
    weighted, _ = residual_matrix(problem, *start_without_factors(problem, 0.0))
    return spectral_norm(weighted, rng) or 1.0


def _starting_factors(estimator, problem, units, ridge, rng, vanishing):
    """Augmented factors of the user, of the spectrum, or random ones."""
    be, k = problem.be, problem.n_components
    b, c = starting_biases(problem, ridge)
    shapes = (problem.rows.mass.shape[0], k), (problem.columns.mass.shape[0], k)
    if isinstance(estimator.init, tuple):
        given = [np.asarray(to_numpy(a), dtype=np.float64) for a in estimator.init]
        if [a.shape for a in given] != list(shapes):
            raise ValueError(
                f"init must hold factors of shapes {shapes[0]} and {shapes[1]}. Got"
                f" {' and '.join(str(a.shape) for a in given)}."
            )
        if not all(np.isfinite(a).all() for a in given):
            raise ValueError("init must hold finite factors. Got NaN or infinity.")
        factors = [a / np.sqrt(units.unit) for a in given]
    elif vanishing or k == 0:
        factors = [np.zeros(shape) for shape in shapes]
    elif estimator.init == "svd":
        _, residual = residual_matrix(
            problem.resized(0), *start_without_factors(problem.resized(0), ridge)
        )
        factors = spectral_start(residual, k, rng)
    else:
        V = random_factors(be, shapes[1][0], k, rng, c)
        U = be.xp.zeros(shapes[0], dtype=b.dtype, device=array_api_compat.device(b))
        return augment(be, U, b, 0), augment(be, V, c, 1)
    loaded = [be.xp.astype(be.load(np.ascontiguousarray(a)), b.dtype) for a in factors]
    return augment(be, loaded[0], b, 0), augment(be, loaded[1], c, 1)


def _earlier_factors(estimator, problem, units, ridge):
    """The factors of the last fit in the new units; new rows and columns start at 0.

    Biases that the model no longer has start, and stay, at 0.
    """
    be, root = problem.be, np.sqrt(units.unit)
    b, c = starting_biases(problem, ridge)
    n_components = problem.n_components
    biased = (float(problem.rows.free[n_components]), float(problem.columns.free[n_components + 1]))
    earlier = (
        (estimator.embedding_, estimator.row_bias_, b),
        (estimator.components_.T, estimator.column_bias_, c),
    )
    sides = []
    for k, (factors, bias, start) in enumerate(earlier):
        factors, bias, fresh = (
            to_numpy(factors) / root,
            to_numpy(bias) / units.unit,
            to_numpy(start),
        )
        n = fresh.shape[0]
        kept = min(n, factors.shape[0])
        joined = np.zeros((n, factors.shape[1]))
        joined[:kept] = factors[:kept]
        fresh = biased[k] * np.concatenate([bias[:kept], fresh[kept:]])
        joined, fresh = (be.xp.astype(be.load(a), start.dtype) for a in (joined, fresh))
        sides.append(augment(be, joined, fresh, k))
    return tuple(sides)


@dataclass(frozen=True)
class Reporter:
    """The estimator that callbacks hear about, with its data.

    Attributes
    ----------
    estimator : estimator
        A MatrixCompletion, or one that holds it.
    X, y : array-like
        The data that it was called with.
    sample_weight : array-like or None
        Weights of the rows of X.
    wrap : callable or None
        Turns the fitted attributes of a MatrixCompletion into those of the estimator; None
        where they are the same.
    """

    estimator: Any
    X: Any
    y: Any = None
    sample_weight: Any = None
    wrap: Any = None


@dataclass
class Result:
    """What the epochs leave behind."""

    U: Any
    V: Any
    loop: Any
    inner_iter: list
    validation: list
    elapsed: list


def run_epochs(estimator, reporter, start, units, held, state):
    """Run epochs until the objective, or the error on held-out entries, stops falling.

    Parameters
    ----------
    estimator : MatrixCompletion
        Holds the parameters.
    reporter : Reporter
        Whom callbacks hear about.
    start : Start
        Where to begin.
    units : Units
        Units of the entries.
    held : Entries or None
        Held-out entries, normalised.
    state : callable
        ``state(U, V)`` returns the fitted attributes for callbacks.

    Returns
    -------
    result : Result
        Factors and histories.
    """
    problem, U, V = start.problem, start.U, start.V
    alpha, unit = estimator.alpha, start.penalty_unit
    # Earlier factors have been through it.
    continuation = continues(estimator) and not start.warm
    entries = problem.rows.entries
    energy = entries.total(entries.values * entries.values)
    eps = float(problem.be.xp.finfo(U.dtype).eps)
    # The entries are met as closely as asked, or as their own rounding error allows.
    met = max(estimator.tol, 4 * eps)
    inner_iter, validation, elapsed, previous, best = [], [], [], np.inf, (np.inf, U, V)
    wrap = reporter.wrap if reporter.wrap is not None else dict
    begin = time.perf_counter()
    loop = Iterations(
        reporter.estimator,
        reporter.X,
        reporter.y,
        max_iter=estimator.max_iter,
        tol=estimator.tol,
        sample_weight=reporter.sample_weight,
    )
    for i in loop:
        ridge = ridge_of_epoch(i, alpha, unit, continuation)
        epoch = run_epoch(problem, U, V, ridge)
        U, V = epoch.U, epoch.V
        change = relative_decrease(previous, epoch.objective, i, alpha)
        previous = epoch.objective
        exact = epoch.loss <= met * met * energy
        inner_iter.append(epoch.steps)
        elapsed.append(time.perf_counter() - begin)
        if held is not None:
            error = held.values - sampled_dot(problem.be.xp, U, V, held.rows, held.indices)
            weight = float(problem.be.xp.sum(held.mass()))
            validation.append(units.unit * float(np.sqrt(held.total(error * error) / weight)))
        loop.update(
            0.0 if exact else change,
            objective=epoch.objective * units.unit * units.unit,  # may overflow to infinity
            validation=validation[-1] if validation else None,
            state=lambda U=U, V=V: wrap(state(U, V)),
            allow_stop=exact or may_stop(ridge, alpha, unit),
        )
        if held is not None:
            if validation[-1] < best[0]:
                best = (validation[-1], U, V)
            elif len(validation) - int(np.argmin(validation)) > estimator.n_iter_no_change:
                loop.stop("the error on held-out entries no longer falls")
    if held is not None:
        _, U, V = best
    return Result(U, V, loop, inner_iter, validation, elapsed)


def continues(estimator):
    """Whether the penalty starts large and falls."""
    if estimator.continuation == "auto":
        return estimator.alpha < _CONTINUATION_BELOW
    return estimator.continuation


def relative_decrease(previous, objective, epoch, alpha):
    """Share by which the objective fell; infinite at first, and an error if it overflowed."""
    if not np.isfinite(objective):
        raise FloatingPointError(
            f"The objective became {objective} in epoch {epoch + 1}. Pass float64 data, or a"
            f" larger alpha than {alpha}."
        )
    if previous == np.inf:
        return np.inf
    return max(previous - objective, 0.0) / previous if previous > 0 else 0.0


def freedom_left(mass, spent):
    """Degrees of freedom that the factors leave to the noise; weights count as repetitions."""
    return mass - min(spent, 0.9 * mass)


def freedom_spent(xp, side, gram, total, ridge):
    """Effective degrees of freedom of the factors and biases of one side.

    A row with mass m spends m L / (m L + ridge) on a direction in which the other side's mean
    Gram matrix has the eigenvalue L, and m / (m + ridge) on its bias. A row with few entries
    spends less: each entry at most m T / (m T + n ridge), with T the sum of the eigenvalues,
    and never more than the row has. Both are bounds of the trace of the row's hat matrix, the
    one for many entries and the other for few.

    Parameters
    ----------
    xp : module
        Array namespace.
    side : Side
        The side, with its masses and penalty factors.
    gram, total : array of shape (k, k), float
        Weighted Gram matrix of the factors of the other side, and the weight in it.
    ridge : float
        What the penalty factors are multiplied by.
    """
    k, mass = gram.shape[0], side.mass
    penalty = (ridge * side.penalty)[:, None]
    biased = float(xp.sum(side.free[k:]))
    spent = biased * _shrunk_share(xp, mass[:, None], penalty)[:, 0]
    if k:
        L, _ = shared_basis(xp, gram, total)
        many = xp.sum(_shrunk_share(xp, mass[:, None] * L[None, :], penalty), axis=1)
        # each of m directions takes the whole length of one entry's factors
        few = mass * _shrunk_share(xp, xp.sum(L) * xp.ones_like(penalty), penalty)[:, 0]
        spent = spent + xp.where(few < many, few, many)
    return float(xp.sum(xp.where(spent < mass, spent, mass), dtype=xp.float64))


def _shrunk_share(xp, pull, penalty):
    """Share pull / (pull + penalty) that a ridge leaves, 0 where nothing pulls."""
    both = pull + penalty
    return pull / xp.where(both > 0, both, xp.ones_like(both))


def canonical(be, U, V, k):
    """Rotate the factors so that those of V are orthogonal, the longest first.

    The sign of each is that of its largest element.
    """
    xp = be.xp
    if k == 0:
        return U, V
    _, W = xp.linalg.eigh(V[:, :k].T @ V[:, :k])
    W = xp.flip(W, axis=1)
    rotated = V[:, :k] @ W
    sign = xp.sign(xp.max(rotated, axis=0) + xp.min(rotated, axis=0))
    W = W * xp.where(sign == 0, xp.ones_like(sign), sign)
    return tuple(xp.concat([A[:, :k] @ W, A[:, k:]], axis=1) for A in (U, V))


def singular_values(be, U, V, k):
    """Singular values of the product of canonical factors, without the biases.

    The factors of V are orthogonal, so that their lengths can be moved to U.
    """
    xp = be.xp
    if k == 0:
        return U[0, :0]
    lengths = xp.sqrt(xp.sum(V[:, :k] * V[:, :k], axis=0))
    values = xp.linalg.svdvals(U[:, :k] * lengths)
    missing = k - values.shape[0]
    return values if missing == 0 else xp.concat([values, xp.zeros_like(U[0, :missing])])


def noise_deviation(problem, entries, U, V, ridge):
    """Residual standard deviation, corrected for the degrees of freedom of the model."""
    be, k = problem.be, problem.n_components
    xp, spent = be.xp, 0.0
    for side, other, factors in (
        (problem.rows, problem.columns, V),
        (problem.columns, problem.rows, U),
    ):
        gram = weighted_gram(xp, factors, other.mass, k)
        spent += freedom_spent(xp, side, gram, float(xp.sum(other.mass)), ridge)
    mass = float(xp.sum(entries.mass(), dtype=xp.float64))
    error = squared_error(be, entries, U, V, problem.pool)
    return float(np.sqrt(error / freedom_left(mass, spent)))


def certificate(problem, U, V, values, ridge, rng):
    """Relative duality gap of the factors, and whether more of them would lower it."""
    values = to_numpy(values)
    gap, norm = duality_gap(problem, U, V, values, ridge, rng)
    # Factors that have vanished are spare ones: the residual is large for another reason.
    full = values.size > 0 and bool(np.all(values > 1e-3 * values.max(initial=0.0)))
    if not full or norm <= ridge * (1 + 1e-3):
        return gap, False
    # At the best factors of this rank the residual is `ridge` times their directions and a part
    # orthogonal to them. Only that part calls for more of them: along the factors, the residual
    # also exceeds the ridge wherever an iteration stops short of its limit.
    left, right = (to_numpy(factors)[:, : problem.n_components] for factors in (U, V))
    weighted, _ = residual_matrix(problem, U, V)
    return gap, spectral_norm_outside(weighted, left, right, rng) > ridge * (1 + 1e-3)
