"""How accurate SketchedRegression is: backward errors, the law of its error, its intervals."""

from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from scipy import linalg
from scipy.stats import t as student

from skmatrix.datasets import make_tall_regression

from ._harness import Case, Contender, register
from ._least_squares import LeastSquares, normal_solution

OURS = "skmatrix SketchedRegression"
# Condition number, and norm of the residual.
PROBLEMS = (*((10.0**k, 1.0) for k in (2, 4, 6, 8, 10)), (1e4, 1e-6), (1e13, 1e-3))
KINDS = ("incoherent", "heavy_rows", "heavy_tails")


def _ill_conditioned(n_samples, n_features):
    """The problem of each condition number and norm of the residual, by a name."""
    named = {}
    for condition, residual_norm in PROBLEMS:
        X, y, coef = make_tall_regression(
            n_samples,
            n_features,
            condition=condition,
            residual_norm=residual_norm,
            random_state=0,
        )
        name = f"condition {_power(condition)}, residual {_power(residual_norm)}"
        triangle = np.linalg.qr(X, mode="r")
        named[name] = LeastSquares.of_triangle(X, y, False, coef, triangle)
    return named


def _power(value):
    return "1" if value == 1 else f"1e{round(np.log10(value))}"


def _backward_errors(solve, data, clock, threads):
    """Backward error per problem; those that `solve` cannot solve are left out."""
    errors = {}
    with clock:
        for name, problem in data.items():
            try:
                coef = solve(problem, threads)
            except linalg.LinAlgError:
                continue
            errors[name] = problem.backward_error(coef)
    return errors


def _sketched(solver, refine, problem, threads):
    from skmatrix.linear_model import SketchedRegression

    model = SketchedRegression(
        solver=solver,
        refine=refine,
        fit_intercept=False,
        rank_tol=0.0,
        n_jobs=threads,
        random_state=0,
    )
    return model.fit(problem.X, problem.y).coef_


def _householder(problem, threads):
    return linalg.lstsq(problem.X, problem.y, lapack_driver="gelsy")[0]


def _normal_equations(problem, threads):
    X = problem.X
    return normal_solution(X.T @ X, X.T @ problem.y)


register(
    Case(
        name="sketched_regression_backward_error",
        title="Sketched regression: backward error",
        make_data=_ill_conditioned,
        contenders=tuple(
            Contender(name, partial(_backward_errors, solve))
            for name, solve in (
                (OURS, partial(_sketched, "direct", 1)),
                ("the same, refine=0", partial(_sketched, "direct", 0)),
                ('the same, solver="iterative"', partial(_sketched, "iterative", 1)),
                ('the same, solver="iterative", refine=0', partial(_sketched, "iterative", 0)),
                ("SciPy lstsq, gelsy", _householder),
                ("normal equations", _normal_equations),
            )
        ),
        workloads={
            "tiny": [{"n_samples": 6000, "n_features": 8}],
            "full": [{"n_samples": 20_000, "n_features": 50}],
        },
        timed=False,
        remarks=(
            "How much the data would have to change, relative to their Frobenius norm, for the "
            "answer to be the exact one: 1e-16 is as good as an answer gets. Columns by condition "
            "number and norm of the residual; an empty cell stands for a Gram matrix that is not "
            "positive definite any more. A step of refinement makes the default as good as "
            "Householder's QR on all of them. ``rank_tol=0``, as the last problem is close to "
            "singular in double precision."
        ),
    )
)


@dataclass(frozen=True)
class Draws:
    """Sketches of tall problems, a new problem and a new sketch each time."""

    n_samples: int
    n_features: int
    n_draws: int
    kind: str = ""
    n_rows: int = 0
    statistic: str = ""

    def answers(self, sketch, kind, n_rows):
        """Errors of all coefficients and their standard errors, a row a draw.

        In units of the norm of the residual times that of the pseudoinverse.
        """
        return _answers(self.n_samples, self.n_features, self.n_draws, sketch, kind, n_rows)


@cache
def _problem(n_samples, n_features, kind, seed):
    """A problem with a residual of norm 1, and the norm of the pseudoinverse.

    The columns stay as they are drawn, so that a heavy row is about one coefficient.
    """
    X, y, coef = make_tall_regression(
        n_samples, n_features, kind=kind, condition=None, random_state=seed
    )
    return X, y, coef, 1 / linalg.svdvals(np.linalg.qr(X, mode="r"))[-1]


@cache
def _answers(n_samples, n_features, n_draws, sketch, kind, n_rows):
    errors, std = np.empty((2, n_draws, n_features))
    for seed in range(n_draws):
        X, y, coef, unit = _problem(n_samples, n_features, kind, seed)
        solve = _one_block if sketch == "one block" else _sketch_and_solve
        answer, spread = solve(X, y, sketch, n_rows, seed)
        errors[seed], std[seed] = (answer - coef) / unit, spread / unit
    return errors, std


def _sketch_and_solve(X, y, sketch, n_rows, seed):
    from skmatrix.linear_model import SketchedRegression

    model = SketchedRegression(
        solver="sketch", sketch=sketch, sketch_size=n_rows, fit_intercept=False, random_state=seed
    )
    model.fit(X, y)
    return model.coef_, model.coef_sketch_std_


def _one_block(X, y, sketch, n_rows, seed):
    """The same with one Hadamard transform of all rows, as in the paper."""
    from skmatrix.random_projection import fwht

    rng = np.random.default_rng(seed)
    n, d = X.shape
    padded = np.zeros((1 << (n - 1).bit_length(), d + 1))
    padded[:n] = np.column_stack([X, y]) * rng.choice([-1.0, 1.0], size=(n, 1))
    sketched = fwht(padded)[rng.integers(len(padded), size=n_rows)] / np.sqrt(n_rows)
    R = np.linalg.qr(sketched, mode="r")
    coef = linalg.solve_triangular(R[:d, :d], R[:d, d])
    spread = np.linalg.norm(linalg.solve_triangular(R[:d, :d], np.eye(d)), axis=1)
    return coef, spread * abs(R[d, d]) / np.sqrt(n_rows - d)


def _largest_errors(sketch, data, clock, threads):
    """A quantile of ``sqrt(d) |x' - x|_inf / (|r| |pinv(A)|)``."""
    d = data.n_features
    quantile = {"median": 0.5, "95th percentile": 0.95}[data.statistic]
    found = {}
    with clock:
        for factor in (2, 4, 8, 16, 32, 64):
            errors, _ = data.answers(sketch, data.kind, factor * d)
            largest = np.sqrt(d) * np.abs(errors).max(axis=1)
            found[f"m = {factor} d"] = np.quantile(largest, quantile)
    return found


def _coverage(sketch, data, clock, threads):
    """Share of draws in which the intervals hold all coefficients at once."""
    d = data.n_features
    quantile = student.ppf(1 - 0.05 / (2 * d), data.n_rows - d)
    found = {}
    with clock:
        for kind in KINDS:
            errors, std = data.answers(sketch, kind, data.n_rows)
            found[kind] = np.mean(np.all(np.abs(errors) <= quantile * std, axis=1))
    return found


SKETCHES = {
    "srht": 'sketch="srht", the default',
    "one block": "one Hadamard transform of all rows",
    "gaussian": 'sketch="gaussian"',
    "sparse_sign": 'sketch="sparse_sign"',
    "countsketch": 'sketch="countsketch"',
    "uniform": 'sketch="uniform"',
}
_TINY = {"n_samples": 4096, "n_features": 5, "n_draws": 4}
_FULL = {"n_samples": 4096, "n_features": 20, "n_draws": 400}

register(
    Case(
        name="sketched_regression_largest_error",
        title="Sketched regression: the largest error of a coefficient",
        make_data=Draws,
        contenders=tuple(
            Contender(name, partial(_largest_errors, sketch)) for sketch, name in SKETCHES.items()
        ),
        workloads={
            "tiny": [_TINY | {"kind": "heavy_rows", "statistic": "median"}],
            "full": [
                _FULL | {"n_draws": 200, "kind": kind, "statistic": statistic}
                for kind in ("incoherent", "heavy_rows")
                for statistic in ("median", "95th percentile")
            ],
        },
        timed=False,
        remarks=(
            ":math:`\\sqrt{d} \\, |x' - x^*|_\\infty / (|r^*|_2 |A^+|_2)`, which a dense sketch of "
            ":math:`m` rows keeps near :math:`2 \\sqrt{d / (m - d)}`, whatever the data: the error "
            "is spread evenly over the coefficients. A new problem and a new sketch in each draw. "
            "Where a few rows outweigh the others, a single non-zero per sample, or a sample of "
            "the rows, gives no such bound."
        ),
    )
)

register(
    Case(
        name="sketched_regression_coverage",
        title="Sketched regression: coverage of the intervals",
        make_data=Draws,
        contenders=tuple(
            Contender(name, partial(_coverage, sketch)) for sketch, name in SKETCHES.items()
        ),
        workloads={
            "tiny": [_TINY | {"n_rows": 40}],
            "full": [_FULL | {"n_rows": 160}],
        },
        timed=False,
        remarks=(
            "How often intervals of a level of 95 % by Bonferroni, "
            "``coef_interval(simultaneous=True)``, hold the exact value of all coefficients at "
            "once; a new problem and a new sketch in each draw, so that 400 draws give a standard "
            "error of 0.011. The kinds of data are those of ``make_tall_regression`` with "
            "``condition=None``. A single non-zero per sample fails where a heavy row of the "
            "features and one of the residual meet, and a sample of the rows fails on heavy tails, "
            "which is why ``coef_interval`` warns of both. One transform of all rows is the sketch "
            "of the paper; heavy rows that are neighbours, as here, share most of their signs in "
            "it, and so the default changes the order of the rows of a block first."
        ),
    )
)
