"""The ways to solve a regression: exactly on its rows, or on what a sketch says of them."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, eigvalsh, lapack, solve_triangular
from scipy.stats import t as student

from ._sketched_regression_triangle import (
    column_condition,
    factorise,
    residual_norms,
    triangularise,
)

# Below this condition number of the equilibrated sketch, the Gram matrix of the columns
# themselves is good enough a start for the refinement.
_PLAIN_GRAM = 1e5
# Reciprocal condition number of a whitened Gram matrix below which it is whitened once more.
_POOR_GRAM = 1e-4
# The same for a Gram matrix of the columns themselves.
_POOR_PLAIN_GRAM = 1e-12
# A fit by such a Gram matrix can be gone on from up to this condition number.
_CONTINUED = 100.0
_WHITENINGS = 3
# Norms of columns outside of this range ask for other units: their products would overflow.
_RANGE = (1e-100, 1e100)
# Condition, of scaled columns, from which conjugate gradients take a stage more.
_NEARLY_DEPENDENT = 1e8
# Share of its gradient that a restarted stage of conjugate gradients has to remove.
_LATER_STAGE = 1e-6


@dataclass
class Solution:
    """What a solver found for targets of one penalty.

    Attributes
    ----------
    parameters : ndarray of shape (n_parameters, n_targets)
        Intercept and coefficients, for the rows as they were passed.
    whitener : ndarray of shape (n_parameters, rank)
        W with orthonormal ``[1 | A] W``, up to the distortion of the sketch unless `exact`.
    rank : int
        Numerical rank.
    condition : float
        Condition number of the features without their means.
    residual_norm : ndarray of shape (n_targets,)
        Norms of the residuals.
    triangle : ndarray or None
        Triangle of all rows, with the solution in its right-hand side, if the solver has it.
    exact : bool
        Whether `whitener` is that of the rows and not of their sketch.
    std : ndarray of shape (n_features, n_targets) or None
        Standard error that sketching gives to the coefficients.
    freedom : int or None
        Degrees of freedom of `std`.
    distortion : float
        Distortion of the sketch: expected, or measured.
    spectrum : ndarray or None
        Singular values of the preconditioned rows, if they were asked for.
    n_iter : int
        Solves: the first one and the refinements, or conjugate gradient steps.
    """

    parameters: np.ndarray
    whitener: np.ndarray
    rank: int
    condition: float
    residual_norm: np.ndarray
    triangle: np.ndarray | None = None
    exact: bool = True
    std: np.ndarray | None = None
    freedom: int | None = None
    distortion: float = 0.0
    spectrum: np.ndarray | None = None
    n_iter: int = 1


@dataclass(frozen=True)
class Rules:
    """Parameters of a solver.

    Attributes
    ----------
    alpha : float
        Penalty.
    rank_tol : float
        Cut for the numerical rank.
    unit : ndarray of shape (n_features,) or None
        What the features were multiplied by.
    tol, max_iter : float, int
        Of the conjugate gradients.
    refine : int
        Steps, or stages, of refinement.
    measure : bool
        Whether to measure the sketch.
    """

    alpha: float
    rank_tol: float
    unit: np.ndarray | None
    tol: float
    max_iter: int
    refine: int
    measure: bool


def solve_triangle(R, layout, rules):
    """Solution from the triangle of the rows, to machine precision."""
    factor = factorise(R, layout, rules.alpha, rules.rank_tol, rules.unit)
    return Solution(
        parameters=factor.parameters,
        whitener=factor.whitener,
        rank=factor.rank,
        condition=column_condition(R, layout),
        residual_norm=residual_norms(R, layout, factor.parameters),
        triangle=R,
    )


def solve_sketch(sketched, layout, rules):
    """Sketch-and-solve: x' = argmin |S A x - S b|, and the law of its error.

    Given S A, for Gaussian S exactly and for the others in the limit,
    ``x'_j - x*_j = sigma_j t_{m - p}`` with
    ``sigma_j^2 = |S b - S A x'|^2 / (m - p) [(A^T S^T S A)^-1]_jj``. With a penalty, the sandwich
    estimator takes its place.
    """
    R = triangularise(sketched, layout.n_parameters)
    factor = factorise(R, layout, rules.alpha, rules.rank_tol, rules.unit)
    W, p, m = factor.whitener, layout.n_parameters, sketched.shape[0]
    freedom = max(m - W.shape[1], 1)
    misfit = sketched[:, p:] - sketched[:, :p] @ factor.parameters
    norm = np.linalg.norm(misfit, axis=0)
    if rules.alpha == 0:
        spread = np.linalg.norm(W[layout.penalised], axis=1)
        std = spread[:, None] * norm / math.sqrt(freedom)
    else:
        std = _sandwich(sketched[:, :p] @ W, misfit, W[layout.penalised])
        std *= math.sqrt(m / freedom)
    return Solution(
        parameters=factor.parameters,
        whitener=W,
        rank=factor.rank,
        condition=column_condition(R, layout),
        # A sketch fits a part of its own noise.
        residual_norm=norm * math.sqrt(m / freedom),
        exact=False,
        std=std,
        freedom=freedom,
        distortion=math.sqrt(p / m),
    )


def _sandwich(whitened, misfit, W):
    """Standard errors of penalised coefficients, the rows of the sketch taken as draws."""
    std = np.empty((W.shape[0], misfit.shape[1]))
    for t in range(misfit.shape[1]):
        scores = whitened * misfit[:, t : t + 1]
        # Norms of columns: the diagonal of W scores^T scores W^T without its square.
        std[:, t] = np.linalg.norm((scores - scores.mean(axis=0)) @ W.T, axis=0)
    return std


def solve_direct(rows, sketched, rules, n_components):
    """Sketch-preconditioned Gram matrix, and refinement on the true residual.

    1. W from the sketch, so that ``T W``, with ``T = [1 | A]``, is nearly orthonormal.
    2. ``G = W^T T^T T W + alpha W^T W`` in one pass, and its Cholesky factor C.
    3. ``x = W C^-1 C^-T W^T T^T b``.
    4. ``x += W C^-1 C^-T W^T (T^T (b - T x) - alpha x)``, the residual from another pass.

    Where the columns are not far from independent, W is diagonal: half the work, one more step.
    """
    layout, alpha = rows.layout, rules.alpha
    R = triangularise(sketched, layout.n_parameters)
    factor = factorise(R, layout, alpha, rules.rank_tol, rules.unit)
    if _has_lost_directions(rows, R, factor, rules):
        return solve_triangle(rows.triangle(), layout, rules)
    full = factor.whitener.shape[1] == layout.n_parameters
    plain = full and _plain_condition(R, factor, layout) < _PLAIN_GRAM
    W = np.diag(1 / factor.scale) if plain else factor.whitener
    gram, lower = _gram(rows, W, plain, alpha)
    if plain and (lower is None or _reciprocal_condition(lower) < _POOR_PLAIN_GRAM):
        plain, W = False, factor.whitener
        gram, lower = _gram(rows, W, plain, alpha)
    spectrum = None
    if rules.measure and lower is not None:
        change = factor.whitener * factor.scale[:, None] if plain else np.eye(W.shape[1])
        spectrum = np.sqrt(np.maximum(eigvalsh(change.T @ (lower @ lower.T) @ change), 0))
    for _ in range(_WHITENINGS):
        if lower is None or plain or _reciprocal_condition(lower) > _POOR_GRAM:
            break
        # The sketch was a poor one: what it has led to is a better one.
        W = solve_triangular(lower, W.T, lower=True, check_finite=False).T
        gram, lower = _gram(rows, W, False, alpha)
    if lower is None:
        # The sketch has all but lost a direction: by Householder's reflections, then.
        return solve_triangle(rows.triangle(), layout, rules)
    r = W.shape[1]
    x, norm = W @ cho_solve((lower, True), gram[:r, r:], check_finite=False), None
    steps = rules.refine + int(plain and rules.refine > 0)
    for _ in range(steps):
        slope, norm = penalised_gradient(rows, x, alpha)
        x = x + W @ cho_solve((lower, True), W.T @ slope, check_finite=False)
    if norm is None:
        _, norm = penalised_gradient(rows, x, alpha)
    continues = full and alpha == 0 and (not plain or factor.scaled_condition < _CONTINUED)
    return Solution(
        parameters=x,
        whitener=solve_triangular(lower, W.T, lower=True, check_finite=False).T,
        rank=factor.rank,
        condition=column_condition(R, layout),
        residual_norm=norm,
        triangle=_triangle(lower, W, x, norm) if continues else None,
        distortion=_distortion(spectrum, layout, n_components),
        spectrum=spectrum,
        n_iter=1 + steps,
    )


def _plain_condition(R, factor, layout):
    """Condition number of ``[1 | A]`` with columns of unit length, about.

    The ones are not eliminated by a diagonal W: the level of a column counts.
    """
    if not layout.intercept:
        return factor.scaled_condition
    levels = R[0, layout.penalised] / factor.scale[1:]
    return factor.scaled_condition * math.hypot(1.0, float(np.linalg.norm(levels)))


def _has_lost_directions(rows, R, factor, rules):
    """Whether the rows see a direction that their sketch does not.

    A sparse sketch can lose one: two columns with a single entry each may meet in one row of it.
    """
    layout = rows.layout
    if factor.null is None:
        return False
    (product,) = rows.total("normal", factor.null)
    seen = np.sqrt(np.maximum(np.sum(factor.null * product, axis=0), 0))
    # What rounding, and the cut for the rank, leave of columns of this size.
    size = np.linalg.norm(R[:, : layout.n_parameters], axis=0) @ np.abs(factor.null)
    cut = max(rules.rank_tol, 10 * layout.n_features * np.finfo(np.float64).eps)
    return bool(np.any(seen > 10 * cut * math.sqrt(layout.n_features) * size))


def _gram(rows, W, plain, alpha):
    """Gram matrix of ``[T W | B]``, and the factor of its first block with the penalty."""
    (gram,) = rows.total("gram", None if plain else W)
    if plain:
        scale = np.ones(gram.shape[1])
        scale[: W.shape[1]] = np.diagonal(W)
        gram = scale[: W.shape[1], None] * gram * scale
    r, penalised = W.shape[1], W[rows.layout.penalised]
    try:
        lower = np.linalg.cholesky(gram[:r, :r] + alpha * (penalised.T @ penalised))
    except np.linalg.LinAlgError:
        return gram, None
    return gram, lower if np.isfinite(lower).all() else None


def _reciprocal_condition(lower):
    """Estimated reciprocal condition number of the matrix with this Cholesky factor."""
    if not lower.size:
        return 1.0
    norm = np.abs(lower @ lower.T).sum(axis=0).max()
    return float(lapack.dpocon(lower, norm, uplo="L")[0])


def _triangle(lower, W, x, norm):
    """Triangle of all rows: C^T W^-1, with the right-hand side that x solves."""
    left = solve_triangular(W, lower, trans="T", check_finite=False).T
    last = np.concatenate([np.zeros(left.shape[1]), norm])
    return np.concatenate([np.concatenate([left, left @ x], axis=1), last[None, :]])


def _distortion(spectrum, layout, n_components):
    """Distortion of the sketch: measured if it can be, else what is expected."""
    if spectrum is None or not spectrum.size:
        return math.sqrt(layout.n_parameters / n_components)
    # The sketch sees lengths as 1 where the rows have these.
    return float(max(np.max(1 / spectrum) - 1, 1 - np.min(1 / spectrum)))


def penalised_gradient(rows, x, alpha):
    """``T^T (B - T x) - alpha x`` without the intercept's penalty, and the residual norms."""
    slope, squares = rows.total("gradient", x)
    slope[rows.layout.penalised] -= alpha * x[rows.layout.penalised]
    return slope, np.sqrt(squares)


class Descent:
    """Conjugate gradients on the sketch-preconditioned normal equations.

    In the coordinates of W the normal matrix is close to the identity, so that the error falls
    by ``sqrt(p / m)`` a step. Further stages start from the true residual, which makes up for
    the digits that the normal equations lose.

    Parameters
    ----------
    rows : LocalRows or the like
        The rows.
    R : ndarray of shape (k, width)
        Triangle of their sketch.
    factor : Factor
        What it knows.
    rules : Rules
        Parameters.
    """

    def __init__(self, rows, R, factor, rules):
        self.rows, self.R, self.factor, self.rules = rows, R, factor, rules
        # Of nearly dependent columns, the first stage leaves too few digits for one more.
        extra = int(rules.refine > 0 and factor.scaled_condition > _NEARLY_DEPENDENT)
        self.x, self.n_later, self.finished = factor.parameters, rules.refine + extra, False
        self._begin_stage()
        self.first = self.stage.size
        self.goal = rules.tol * self.first

    def _begin_stage(self):
        """Start from the true residual."""
        slope, self.norm = penalised_gradient(self.rows, self.x, self.rules.alpha)
        self.stage = _Stage(self.factor.whitener.T @ slope)

    def _normal(self, z):
        """Product with the normal matrix in the coordinates of W."""
        W, penalised = self.factor.whitener, self.rows.layout.penalised
        u = W @ z
        (product,) = self.rows.total("normal", u)
        product[penalised] += self.rules.alpha * u[penalised]
        return W.T @ product

    def step(self):
        """One step, after which a stage may end; returns the share of the gradient that is left."""
        size = self.stage.step(self._normal, self.goal)
        if np.all(size <= self.goal):
            if self.n_later == 0:
                self.finished = True
            else:
                self.x, self.n_later = self.parameters, self.n_later - 1
                self._begin_stage()
                self.goal = _LATER_STAGE * self.stage.size
        return float(np.max(size / np.where(self.first > 0, self.first, 1.0), initial=0.0))

    @property
    def parameters(self):
        """Parameters so far."""
        return self.x + self.factor.whitener @ self.stage.z

    def solution(self, n_components, n_iter):
        """What was found with a sketch of this length after this many steps."""
        x, layout = self.parameters, self.rows.layout
        before, after = self.x[layout.penalised], x[layout.penalised]
        penalty = self.rules.alpha * np.sum((after - before) * (after + before), axis=0)
        square = self.norm**2 - self.stage.gain - penalty
        return Solution(
            parameters=x,
            whitener=self.factor.whitener,
            rank=self.factor.rank,
            condition=column_condition(self.R, layout),
            residual_norm=np.sqrt(np.maximum(square, 0)),
            exact=False,
            distortion=math.sqrt(layout.n_parameters / n_components),
            n_iter=n_iter,
        )


def begin_descent(rows, sketched, rules):
    """A descent preconditioned by a sketch; None if the sketch has lost a direction."""
    R = triangularise(sketched, rows.layout.n_parameters)
    factor = factorise(R, rows.layout, rules.alpha, rules.rank_tol, rules.unit)
    if _has_lost_directions(rows, R, factor, rules):
        return None
    return Descent(rows, R, factor, rules)


def descend(descents, loop, state):
    """Take descents step by step, until the last one has reached its goal.

    Parameters
    ----------
    descents : list of Descent
        The descents.
    loop : Iterations
        The outer loop.
    state : callable
        Makes fitted attributes, for callbacks.

    Returns
    -------
    n_iter : int
        Number of steps.
    history : tuple of float
        Largest share of the gradient that was left after each.
    converged : bool
        Whether all descents have reached their goals, or the tolerance.
    """
    history = []
    for _ in loop:
        share = max(descent.step() for descent in descents)
        history.append(float(share))
        loop.update(share, state=state, allow_stop=False)
        if all(descent.finished for descent in descents):
            loop.stop("the last stage has reached its goal")
        last = loop.n_iter == loop.max_iter and all(d.n_later == 0 for d in descents)
        if last and share <= loop.tol:
            # A later stage asks for more than the tolerance does.
            loop.stop("the tolerance is reached")
    return loop.n_iter, tuple(history), loop.converged


class _Stage:
    """Conjugate gradients from zero, all targets in step, each frozen at its goal."""

    def __init__(self, residual):
        self.z = np.zeros_like(residual)
        self.residual = residual
        self.direction = residual
        self.energy = np.sum(residual * residual, axis=0)
        # What the objective, a sum of squares, has fallen by.
        self.gain = np.zeros_like(self.energy)

    @property
    def size(self):
        """Norms of the residuals."""
        return np.sqrt(self.energy)

    def step(self, normal, goal):
        """One step of the targets that are above their goal; returns the norms after it."""
        active = self.size > goal
        if active.any():
            product = normal(self.direction)
            curvature = np.sum(self.direction * product, axis=0)
            length = np.where(
                active & (curvature > 0), self.energy / np.where(curvature > 0, curvature, 1), 0
            )
            self.gain = self.gain + length * self.energy
            self.z = self.z + length * self.direction
            self.residual = self.residual - length * product
            before, self.energy = self.energy, np.sum(self.residual * self.residual, axis=0)
            growth = self.energy / np.where(before > 0, before, 1)
            self.direction = self.residual + growth * self.direction
        return self.size


def refuse_overflow(sums):
    """Refuse sums that are not finite."""
    if not np.isfinite(sums).all():
        raise ValueError(
            "X or y has values so large that sums overflow. Divide them by a power of ten first."
        )


def extreme_units(sketched, layout, alpha):
    """Powers of two for features and targets whose squares would overflow or vanish.

    Returns
    -------
    unit, target_unit : ndarray or None
        None where no other unit is needed. Features have one for all, unless there is no penalty
        and no unit that suits them all.
    """
    refuse_overflow(sketched)
    peak = np.abs(sketched).max(axis=0)
    features = peak[layout.penalised]
    used = features[features > 0]
    targets = peak[layout.n_parameters :]

    def extreme(values):
        return values.size and (values.min() < _RANGE[0] or values.max() > _RANGE[1])

    unit = target_unit = None
    if extreme(used):
        top = np.full_like(features, max(used.max(), math.sqrt(alpha)))
        if alpha == 0 and used.min() < _RANGE[0] * used.max():
            top = features
        unit = _power_of_two(top)
    if extreme(targets[targets > 0]):
        target_unit = _power_of_two(targets)
    return unit, target_unit


def _power_of_two(size):
    """Powers of two that bring sizes to about 1; 1 for zero."""
    _, exponent = np.frexp(np.where(size > 0, size, 1.0))
    return np.ldexp(1.0, np.clip(-exponent, -1000, 1000))


def certify(rows, solution, alpha, delta):
    """How far the answer can be from the exact one, by the gradient at the answer.

    With ``g = T^T (b - T x') - alpha x'`` and ``d = |W^T g|``, ``d^2 / lambda_max <=
    |T (x' - x*)|^2 <= d^2 / lambda_min`` for the eigenvalues of ``W^T T^T T W``: 1 if W is that
    of the rows, else what a sketch leaves with probability ``1 - delta``. ``W W^T g`` is an
    estimate of ``x* - x'``.

    Returns
    -------
    found : dict
        "prediction_error_bound", "prediction_error_lower_bound", "relative_suboptimality_bound"
        and "coef_correction", an entry or a column per target.
    """
    W, layout = solution.whitener, rows.layout
    slope, norm = penalised_gradient(rows, solution.parameters, alpha)
    whitened = W.T @ slope
    size = np.linalg.norm(whitened, axis=0)
    low = high = 1.0
    if not solution.exact:
        m = (layout.n_parameters / solution.distortion**2) if solution.distortion else np.inf
        slack = math.sqrt(layout.n_parameters / m) + math.sqrt(2 * math.log(1 / delta) / m)
        low, high = (1 + slack) ** -2, max(1 - slack, 0.0) ** -2 if slack < 1 else np.inf
    bound = size / math.sqrt(low)
    coef = solution.parameters[layout.penalised]
    optimum = norm**2 + alpha * np.sum(coef**2, axis=0) - bound**2
    with np.errstate(divide="ignore"):
        suboptimality = np.where(optimum > 0, bound**2 / np.where(optimum > 0, optimum, 1), np.inf)
    return {
        "prediction_error_bound": bound,
        "prediction_error_lower_bound": size / math.sqrt(high),
        "relative_suboptimality_bound": suboptimality,
        "coef_correction": (W @ whitened)[layout.penalised],
    }


def error_quantile(level, freedom, n_coefficients=1):
    """Quantile of the t distribution for two-sided intervals, by Bonferroni for several."""
    return float(student.ppf(1 - (1 - level) / (2 * n_coefficients), freedom))
