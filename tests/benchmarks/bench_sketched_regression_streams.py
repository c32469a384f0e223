"""SketchedRegression on rows that come in a file, in chunks, or on several machines."""

import atexit
import shutil
import tempfile
import threading
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np

from . import _harness
from ._harness import Case, Contender, Unavailable, register
from ._least_squares import LeastSquares, normal_solution, with_ones
from .bench_sketched_regression import OURS, SKETCHED, make_dense, regression


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
    model = regression(threads, **options)
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
    problem = make_dense(n_samples, n_features)
    whole = {
        name: regression(None, **options).fit(problem.X, problem.y).coef_
        for name, options in STREAMED.items()
    }
    return Stream(problem, n_chunks, whole)


def _fit_whole(name, data, clock, threads):
    model = regression(threads, **STREAMED[name])
    with clock:
        model.fit(data.problem.X, data.problem.y)
    return data.differences(name, model.coef_)


def _fit_in_chunks(name, data, clock, threads):
    """Chunk by chunk; the coefficients, which are computed when asked for, on the clock."""
    X, y = data.problem.X, data.problem.y
    model = regression(threads, **STREAMED[name])
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
    problem = make_dense(n_samples, n_features)
    whole = regression(None).fit(problem.X, problem.y).coef_
    return Distributed(problem, whole, n_blocks, n_workers, processes)


def _fit_here(data, clock, threads):
    model = regression(threads)
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
        regression(None).fit(X, y)
        model = regression(None)
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
