"""The fit of a sketched regression: from rows to solutions, and from these to attributes."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..random_projection._sketch import Sketch
from ._sketched_regression_solvers import (
    Rules,
    Solution,
    begin_descent,
    certify,
    descend,
    error_quantile,
    extreme_units,
    refuse_overflow,
    solve_direct,
    solve_sketch,
    solve_triangle,
)
from ._sketched_regression_stream import TriangleStream
from ._sketched_regression_triangle import Layout, column_condition, triangularise

# Parameters that a stream cannot change.
_STREAM_PARAMETERS = ("solver", "sketch", "sketch_size", "fit_intercept", "n_nonzero")


@dataclass
class Found:
    """What a fit found.

    Attributes
    ----------
    solution : Solution
        For all targets.
    solver : str
        The solver that ran.
    matrix : Sketch or None
        The sketching matrix.
    certificate : dict or None
        Bounds on the error, if they were asked for.
    history : list of float
        Share of the gradient after each step of "iterative".
    stream : TriangleStream or None
        What `partial_fit` goes on from.
    converged : bool
        Whether "iterative", if it ran, has reached its tolerance.
    """

    solution: Solution
    solver: str
    matrix: Sketch | None = None
    certificate: dict | None = None
    history: tuple = ()
    stream: Any = None
    converged: bool = True


@dataclass(frozen=True)
class Settings:
    """Parameters of the estimator that the solution of a stream hangs on, as of its last batch.

    Attributes
    ----------
    penalties : ndarray of shape (n_targets,)
        Penalties.
    delta, rank_tol, tol, max_iter, refine : float, int or None
        The parameters of these names.
    """

    penalties: np.ndarray
    delta: float
    rank_tol: float | None
    tol: float
    max_iter: int
    refine: int
    certify: bool = False

    @classmethod
    def of(cls, estimator, penalties):
        """Settings of an estimator as it is now."""
        names = ("delta", "rank_tol", "tol", "max_iter", "refine")
        return cls(penalties, **{name: getattr(estimator, name) for name in names})


@dataclass(frozen=True)
class Kept:
    """What the methods of a fitted estimator need beside its attributes.

    Attributes
    ----------
    whitener : ndarray of shape (n_parameters, rank)
        Whitens rows less the shifts of their origin.
    freedom : int or None
        Degrees of freedom of the standard errors.
    certificate : dict or None
        Bounds on the error.
    """

    whitener: np.ndarray
    freedom: int | None
    certificate: dict | None


@dataclass(frozen=True)
class Origin:
    """Where the parameters of a fit count from, and what its data were.

    Attributes
    ----------
    layout : Layout
        Columns of the rows.
    shift, target_shift : ndarray or None
        What was subtracted from features and targets.
    dtype : str
        Name of the dtype of the features.
    single : bool
        Whether y had one dimension.
    parameters : tuple
        The estimator's parameters that a stream cannot change.
    """

    layout: Layout
    shift: np.ndarray | None
    target_shift: np.ndarray | None
    dtype: str
    single: bool
    parameters: tuple

    @classmethod
    def of(cls, estimator, rows, X, y):
        """Origin of a fit to validated data."""
        parameters = tuple(getattr(estimator, name) for name in _STREAM_PARAMETERS)
        dtype = "float32" if "float32" in str(X.dtype) else "float64"
        return cls(rows.layout, rows.shift, rows.target_shift, dtype, y.ndim == 1, parameters)

    def check_batch(self, estimator, X, y):
        """Refuse a batch that does not belong to the stream."""
        shape = () if self.single else (self.layout.n_targets,)
        if tuple(y.shape[1:]) != shape:
            raise ValueError(
                f"y has shape {tuple(y.shape)}, but the first batch had a y of shape"
                f" {('n_samples', *shape)}."
            )
        if self.dtype not in str(X.dtype):
            raise ValueError(f"X has dtype {X.dtype}, but the first batch had {self.dtype}.")
        for name, before in zip(_STREAM_PARAMETERS, self.parameters, strict=True):
            if getattr(estimator, name) != before:
                raise ValueError(
                    f"{name} was {before!r} for the first batch and is now"
                    f" {getattr(estimator, name)!r}. Start anew with clone(estimator)."
                )

    def place(self, rows):
        """Further rows, shifted as the first ones were."""
        return replace(rows, shift=self.shift, target_shift=self.target_shift)

    def coefficients(self, parameters):
        """Coefficients and intercept, for rows without shifts."""
        coef = parameters[self.layout.penalised]
        intercept = np.zeros(self.layout.n_targets)
        if self.layout.intercept:
            intercept = parameters[0] + self.target_shift
            intercept = intercept if self.shift is None else intercept - self.shift @ coef
        return {
            "coef_": self._per_coefficient(coef),
            "intercept_": self._per_target(intercept),
        }

    def describe(self, found, delta):
        """Fitted attributes."""
        solution, std, bound = found.solution, found.solution.std, None
        if std is not None:
            quantile = error_quantile(1 - delta, solution.freedom, self.layout.n_features)
            bound = self._per_target(quantile * std.max(axis=0, initial=0.0))
        return {
            **self.coefficients(solution.parameters),
            "rank_": solution.rank,
            "condition_": solution.condition,
            "residual_norm_": self._per_target(solution.residual_norm),
            "coef_sketch_std_": None if std is None else self._per_coefficient(std),
            "linf_error_bound_": bound,
            "effective_distortion_": solution.distortion,
            "preconditioned_singular_values_": solution.spectrum,
            "gradient_history_": np.asarray(found.history, dtype=np.float64),
            "n_iter_": solution.n_iter,
            "converged_": found.converged,
            "solver_": found.solver,
            "sketch_": None if found.matrix is None else found.matrix.kind,
            "sketch_size_": None if found.matrix is None else found.matrix.n_components,
            "_kept": Kept(solution.whitener, solution.freedom, self._described_certificate(found)),
        }

    def _described_certificate(self, found):
        """The certificate as the user sees it."""
        if found.certificate is None:
            return None
        certificate = {
            name: self._per_coefficient(value)
            if name == "coef_correction"
            else self._per_target(value)
            for name, value in found.certificate.items()
        }
        certificate["rigorous"] = found.solution.exact
        certificate["distortion"] = found.solution.distortion
        certificate["condition"] = found.solution.condition
        return certificate

    def _per_coefficient(self, values):
        """Array of the shape of `coef_`, in the dtype of the features."""
        values = np.ascontiguousarray(values.T, dtype=self.dtype)
        return values[0] if self.single else values

    def _per_target(self, values):
        """A number for a single target, else an array in the dtype of the features."""
        return float(values[0]) if self.single else np.asarray(values, dtype=self.dtype)

    def row_whitener(self, whitener):
        """W and w with ``|a W + w|`` the root leverage of a row a, for rows without shifts."""
        W = whitener[self.layout.penalised]
        constant = whitener[0] if self.layout.intercept else np.zeros(W.shape[1])
        return W, constant if self.shift is None else constant - self.shift @ W


def fit_rows(estimator, rows, penalties, plan, *, make_loop, describe):
    """Solve for all targets, those of one penalty together.

    Parameters
    ----------
    estimator : SketchedRegression
        Its parameters.
    rows : LocalRows or the like
        The rows.
    penalties : ndarray of shape (n_targets,)
        Penalty of each target.
    plan : tuple
        The solver and its sketching matrix.
    make_loop : callable
        Makes the outer loop of "iterative".
    describe : callable
        Makes fitted attributes of parameters, for callbacks.

    Returns
    -------
    found : Found
        Solution and what belongs to it.
    """
    layout, groups = rows.layout, _group(penalties)
    fits = [
        (
            chosen,
            _Fit(estimator, rows.of_targets(chosen) if len(groups) > 1 else rows, penalty, plan),
        )
        for penalty, chosen in groups
    ]
    descents = [fit.descent for _, fit in fits if fit.descent is not None]
    n_iter, history, converged = 1, (), True
    if descents:

        def state():
            return describe(_gathered(fits, layout, _Fit.parameters))

        n_iter, history, converged = descend(descents, make_loop(), state)
    found = _join([(chosen, fit.finish(n_iter, history)) for chosen, fit in fits], layout)
    found.converged = converged
    return found


def solve_stream(settings, be, stream, layout):
    """The same for what a stream has kept of its rows.

    Parameters
    ----------
    settings : Settings
        Parameters of the solvers.
    be : Backend
        The host.
    stream : TriangleStream or SketchStream
        The stream.
    layout : Layout
        Columns of the rows.

    Returns
    -------
    found : Found
        Solution and what belongs to it.
    """
    current = stream.current(be)
    refuse_overflow(current)
    exact = stream.exact
    if layout.intercept and not current[:, 0].any():
        raise ValueError("All sample weights so far are zero: there is nothing to solve.")
    found = []
    for penalty, chosen in _group(settings.penalties):
        own = replace(layout, n_targets=len(chosen))
        columns = np.concatenate([np.arange(layout.n_parameters), layout.n_parameters + chosen])
        rules = _rules(settings, own, penalty)
        solve = solve_triangle if exact else solve_sketch
        solution = solve(current[:, columns], own, rules)
        part = Found(solution, "stream" if exact else "sketch", None if exact else stream.matrix)
        found.append((chosen, part))
    return _join(found, layout)


def _group(penalties):
    """Each penalty with the positions of its targets."""
    groups = [(float(p), np.flatnonzero(penalties == p)) for p in np.unique(penalties)]
    # The target that comes first gives what the targets have in common.
    return sorted(groups, key=lambda group: group[1][0])


def _join(found, layout):
    """What was found for the targets of each penalty, put together."""
    if len(found) == 1:
        return found[0][1]
    whole = replace(found[0][1], stream=None)
    whole.solution = replace(whole.solution)
    for name in ("parameters", "residual_norm", "std"):
        setattr(
            whole.solution, name, _gathered(found, layout, lambda f, n=name: getattr(f.solution, n))
        )
    whole.solution.n_iter = max(part.solution.n_iter for _, part in found)
    if whole.certificate is not None:
        whole.certificate = {
            name: _gathered(found, layout, lambda f, n=name: f.certificate[n])
            for name in whole.certificate
        }
    return whole


def _gathered(found, layout, read):
    """An array whose last axis are the targets, out of its parts."""
    first = read(found[0][1])
    if first is None:
        return None
    whole = np.empty((*first.shape[:-1], layout.n_targets))
    for chosen, part in found:
        whole[..., chosen] = read(part)
    return whole


def _rules(estimator, layout, penalty):
    """Parameters of the solvers."""
    tol = estimator.rank_tol
    return Rules(
        alpha=penalty,
        rank_tol=10 * layout.n_features * np.finfo(np.float64).eps if tol is None else tol,
        unit=None,
        tol=estimator.tol,
        max_iter=estimator.max_iter,
        refine=estimator.refine,
        measure=estimator.certify,
    )


class _Fit:
    """The fit of the targets of one penalty, ready for its descent if it is "iterative".

    Parameters
    ----------
    estimator : SketchedRegression
        Its parameters.
    rows : LocalRows or the like
        The rows, with these targets.
    penalty : float
        The penalty.
    plan : tuple
        The solver and its sketching matrix.
    """

    def __init__(self, estimator, rows, penalty, plan):
        self.estimator, self.layout = estimator, rows.layout
        self.solver, self.matrix = plan
        self.descent = self.solution = None
        rules = _rules(estimator, rows.layout, penalty)
        # Sums that overflow are found out, and are an error.
        with np.errstate(over="ignore", invalid="ignore"):
            if self.solver == "lapack":
                reduced = rows.triangle()
            else:
                (reduced,) = rows.total("sketch", self.matrix)
        self.unit, self.target_unit = extreme_units(reduced, rows.layout, penalty)
        self.condition = None
        if self.unit is not None:
            self.condition = column_condition(
                triangularise(reduced, rows.layout.n_parameters), rows.layout
            )
        if self.unit is not None or self.target_unit is not None:
            rows, reduced, rules = _rescaled(rows, reduced, rules, self.unit, self.target_unit)
        self.rows, self.reduced, self.rules = rows, reduced, rules
        if self.solver == "iterative":
            self.descent = begin_descent(rows, reduced, rules)
            if self.descent is None:
                self.solution = solve_triangle(rows.triangle(), self.layout, rules)

    def parameters(self):
        """Parameters that the descent has come to."""
        found: Any = self.solution if self.descent is None else self.descent
        return found.parameters * _unit_factors(self.layout, self.unit, self.target_unit)

    def finish(self, n_iter, history):
        """The solution, after the descent of all penalties."""
        rows, reduced, rules = self.rows, self.reduced, self.rules
        if self.solver == "lapack":
            solution = solve_triangle(reduced, self.layout, rules)
        elif self.solver == "sketch":
            solution = solve_sketch(reduced, self.layout, rules)
        elif self.solver == "direct":
            solution = solve_direct(rows, reduced, rules, self.matrix.n_components)
        elif self.descent is not None:
            solution = self.descent.solution(self.matrix.n_components, n_iter)
        else:
            solution = self.solution
        certificate = None
        if self.estimator.certify:
            certificate = certify(rows, solution, rules.alpha, self.estimator.delta)
        _restore_units(solution, certificate, self.layout, self.unit, self.target_unit)
        if self.condition is not None:
            solution.condition = self.condition
        stream = None
        if solution.triangle is not None:
            stream = TriangleStream(self.layout, solution.triangle)
        return Found(solution, self.solver, self.matrix, certificate, history, stream)


def _rescaled(rows, sketched, rules, unit, target_unit):
    """Rows, sketch and penalty in units in which nothing overflows."""
    layout = rows.layout
    factors = np.ones(layout.width)
    if unit is not None:
        factors[layout.penalised] = unit
        # With a penalty there is one unit for all features.
        alpha = rules.alpha * float(unit[0]) ** 2 if rules.alpha else 0.0
        rules = replace(rules, alpha=alpha, unit=unit)
    if target_unit is not None:
        factors[layout.n_parameters :] = target_unit
    return rows.changed(unit=unit, target_unit=target_unit), sketched * factors, rules


def _unit_factors(layout, unit, target_unit):
    """Factors that bring parameters back to the units of the data."""
    features = np.ones((layout.n_parameters, 1))
    if unit is not None:
        features[layout.penalised, 0] = unit
    return features / (np.ones(layout.n_targets) if target_unit is None else target_unit)


def _restore_units(solution, certificate, layout, unit, target_unit):
    """The solution for the features and targets as they were."""
    if unit is None and target_unit is None:
        return
    factors = _unit_factors(layout, unit, target_unit)
    features = _unit_factors(layout, unit, np.ones(1))
    targets = factors[:1] / features[:1]
    solution.parameters = solution.parameters * factors
    solution.whitener = solution.whitener * features
    solution.residual_norm = solution.residual_norm * targets[0]
    if solution.std is not None:
        solution.std = solution.std * factors[layout.penalised]
    if solution.triangle is not None:
        columns = np.concatenate([1 / features[:, 0], targets[0]])
        solution.triangle = solution.triangle * columns
    if certificate is not None:
        for name in ("prediction_error_bound", "prediction_error_lower_bound"):
            certificate[name] = certificate[name] * targets[0]
        correction = certificate["coef_correction"] * factors[layout.penalised]
        certificate["coef_correction"] = correction
