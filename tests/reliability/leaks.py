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


def growth(estimator, n_fits):
    """Growth of memory in bytes, and of the number of objects, over the later part of many fits.

    Parameters
    ----------
    estimator : estimator
        What is cloned, fitted and asked each time.
    n_fits : int
        Number of fits that count; a tenth as many come before, and fill what caches there are.
    """
    data = training_data(estimator)

    def repeat(times):
        for _ in range(times):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                judge.outputs(clone(estimator).fit(*data), data[0])
        return resident_memory(), len(gc.get_objects())

    memory, objects = repeat(5 + n_fits // 10)
    memory_after, objects_after = repeat(n_fits)
    return memory_after - memory, objects_after - objects


def main():
    """Print the growth for each estimator."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability.leaks", description=__doc__)
    parser.add_argument("--fits", type=int, default=10_000, help="fits of each estimator")
    parser.add_argument("--only", default="", help="names of estimators that begin with this")
    options = parser.parse_args()
    for name, estimator in estimators():
        if name.startswith(options.only):
            begin = time.perf_counter()
            memory, objects = growth(estimator, options.fits)
            seconds = time.perf_counter() - begin
            print(
                f"{name:36s} {options.fits} fits: {memory / 1024:+9.0f} KiB {objects:+6d} objects"
                f" {seconds:8.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
