"""Threads of a fit: a pool for blocks of rows, and BLAS held to one thread inside it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any

from joblib import effective_n_jobs
from threadpoolctl import ThreadpoolController


@contextmanager
def thread_pool(be, n_jobs):
    """Threads for compiled kernels and BLAS, held for a whole fit; None where one would do."""
    n_threads = effective_n_jobs(n_jobs)
    if n_threads == 1 or be.name not in ("auto", "numba"):
        yield None
        return
    with ThreadPoolExecutor(n_threads) as pool:
        yield pool


class _SingleThreadedBlas:
    """Holds BLAS to one thread while any fit runs.

    The limit belongs to the process: were each of several overlapping fits to restore what it
    found, the last to leave would restore the limit of another.
    """

    def __init__(self):
        self._lock = Lock()
        self._n_fits = 0
        self._controller: Any = None
        self._limits: Any = None

    def __enter__(self):
        with self._lock:
            if self._controller is None:  # finding the libraries takes milliseconds
                self._controller = ThreadpoolController()
            if self._n_fits == 0:
                self._limits = self._controller.limit(limits=1, user_api="blas")
            self._n_fits += 1

    def __exit__(self, *error):
        with self._lock:
            self._n_fits -= 1
            if self._n_fits == 0:
                self._limits.restore_original_limits()


single_threaded_blas = _SingleThreadedBlas()


@contextmanager
def fit_threads(be, n_jobs):
    """The pool, with BLAS held to one thread: its products are too small to share."""
    with thread_pool(be, n_jobs) as pool:
        if be.name in ("auto", "numba", "numpy"):
            with single_threaded_blas:
                yield pool
        else:
            yield pool
