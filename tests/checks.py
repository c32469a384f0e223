"""What the common tests and the kernel tests are made of."""

import warnings
from dataclasses import dataclass, field
from unittest import SkipTest

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataDimensionalityWarning

# The only reasons for which one of scikit-learn's checks may skip itself.
ACCEPTED_SKIPS = (
    "is not installed",
    "is not available",
    "requires cuda",
    "no XPU device",
    "SCIPY_ARRAY_API is not set",
    "PYTORCH_ENABLE_MPS_FALLBACK",
)


@dataclass
class KernelCase:
    """Arguments for one kernel, on the host.

    Attributes
    ----------
    arrays : tuple
        Its arrays; floating ones in float64. None stands for an array left out.
    scalars : dict
        Its keyword arguments.
    rtol, rtol_float32 : float
        Agreement asked of other engines, relative to the largest entry of a result.
    upcasts : bool
        Whether the kernel computes in float64, and returns it, whatever it is given.
    """

    arrays: tuple
    scalars: dict = field(default_factory=dict)
    rtol: float = 1e-10
    rtol_float32: float = 1e-4
    upcasts: bool = False

    def cast(self, dtype):
        """Fresh copies of the arrays, the floating ones in another dtype."""
        return tuple(
            a if a is None else a.astype(dtype if a.dtype.kind == "f" else a.dtype, copy=True)
            for a in self.arrays
        )


def engine_variants(estimator):
    """The estimator as it is, and on each engine that it can be told to use."""
    yield estimator
    if "backend" in estimator.get_params():
        for backend in ("numba", "torch", "cupy"):
            yield clone(estimator).set_params(backend=backend)


def prepare_engine(estimator, request):
    """Make the engine of an estimator available to the test, or skip the test."""
    backend = estimator.get_params().get("backend")
    if backend == "torch":
        pytest.importorskip("torch")
    if backend == "cupy":
        request.getfixturevalue("simulated_gpu")


def run_check(check, *args, **kwargs):
    """Run one of scikit-learn's checks; it may skip for a reason we know, and for no other."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", ConvergenceWarning)
            # Some checks have but one feature.
            warnings.simplefilter("ignore", DataDimensionalityWarning)
            # Some checks mix data frames and arrays on purpose.
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            warnings.filterwarnings("ignore", "X has feature names, but")
            # Some checks have more features than an instance has qubits.
            warnings.filterwarnings("ignore", ".* features share n_qubits=")
            # A row of such a check may be constant, as no trial of a signal is.
            warnings.filterwarnings("ignore", ".* trials have channels that do not vary")
            # The values of such a check may be noise, and nothing but their mean be left of them.
            warnings.filterwarnings("ignore", "The fit has collapsed to a constant")
            # Groups of such a check may have fewer points than features.
            warnings.filterwarnings("ignore", "A group has .* points for n_features=")
            warnings.filterwarnings("ignore", "All rows of X are equal")
            check(*args, **kwargs)
    except SkipTest as skipped:
        reason = str(skipped)
        if not any(known in reason for known in ACCEPTED_SKIPS):
            pytest.fail(f"the check was skipped: {reason}")
        pytest.skip(reason)


def assert_results_close(actual, expected, rtol):
    """Compare what a kernel returned, a tuple or one value, with what it should return."""
    if isinstance(expected, (tuple, list)):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected, strict=True):
            assert_results_close(one, other, rtol)
    elif expected is None:
        assert actual is None
    else:
        expected = np.asarray(expected)
        assert np.shape(actual) == expected.shape
        finite = np.abs(expected[np.isfinite(expected)])
        scale = finite.max(initial=0.0) if expected.dtype.kind == "f" else 0
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=rtol * scale)
