"""Memory that fits leave behind: ``python -m tests.reliability.leaks --fits 10000``."""

import argparse
import gc
import time
import warnings
from pathlib import Path

from sklearn.base import clone

from tests.instances import training_data
from tests.reliability import judge
from tests.reliability.properties import estimators

_PAGES = Path("/proc/self/statm")


def resident_memory():
    """Resident memory in bytes, after a collection of garbage."""
    import resource

    gc.collect()
    return int(_PAGES.read_text().split()[1]) * resource.getpagesize()


def fit_and_ask(estimator, times):
    """Fit clones of an estimator and ask them all that they answer; the seconds taken."""
    data, begin = training_data(estimator), time.perf_counter()
    for _ in range(times):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            judge.outputs(clone(estimator).fit(*data), data[0])
    return time.perf_counter() - begin


def growth(estimator, n_fits):
    """Growth of memory in bytes, and of the number of objects, over the later part of many fits.

    Parameters
    ----------
    estimator : estimator
        What is cloned, fitted and asked each time.
    n_fits : int
        Number of fits that count; a tenth as many come before, and fill what caches there are.
    """

    def repeat(times):
        fit_and_ask(estimator, times)
        return resident_memory(), len(gc.get_objects())

    memory, objects = repeat(5 + n_fits // 10)
    memory_after, objects_after = repeat(n_fits)
    return memory_after - memory, objects_after - objects


def affordable(estimator, n_fits, seconds):
    """The number of fits, or fewer where these would take longer."""
    fit_and_ask(estimator, 3)
    return max(10, min(n_fits, int(seconds / fit_and_ask(estimator, 10) * 10)))


def main():
    """Print the growth for each estimator."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.leaks", description=__doc__)
    parser.add_argument("--fits", type=int, default=10_000, help="fits of each estimator")
    parser.add_argument("--seconds", type=float, default=60.0, help="most seconds of each")
    parser.add_argument("--only", default="", help="names of estimators that begin with this")
    options = parser.parse_args()
    for name, estimator in estimators():
        if name.startswith(options.only):
            n_fits = affordable(estimator, options.fits, options.seconds)
            begin = time.perf_counter()
            memory, objects = growth(estimator, n_fits)
            seconds = time.perf_counter() - begin
            print(
                f"{name:36s} {n_fits:6d} fits {memory / 2**20:+8.2f} MiB {objects:+6d} objects"
                f" {seconds:8.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
