"""Every kernel, on every engine that can be had here, against its reference on NumPy."""

import importlib
import pkgutil

import array_api_compat
import array_api_compat.numpy as host
import numpy as np
import pytest

import skmatrix
import tests.toys  # noqa: F401  (registers its kernels)
from skmatrix._backend import KERNELS, get_backend, to_numpy
from tests.checks import assert_results_close
from tests.kernel_cases import all_cases

CASES = all_cases()


def import_everything():
    """Import all modules of the package, so that their kernels are registered."""
    for module in pkgutil.walk_packages(skmatrix.__path__, prefix="skmatrix."):
        try:
            importlib.import_module(module.name)
        except ImportError:
            # Without its library, a leaf of the neural tier cannot be imported.
            if not module.name.endswith("_torch"):
                raise


import_everything()
PARAMETERS = [
    pytest.param(path, case, id=f"{path.partition(':')[2]}-{i}")
    for path, cases in CASES.items()
    for i, case in enumerate(cases)
]
WITH_NUMBA = [p for p in PARAMETERS if KERNELS[p.values[0]].numba is not None]
every_case = pytest.mark.parametrize(("path", "case"), PARAMETERS)
both_dtypes = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def to_host(result):
    """What a kernel returned, with NumPy arrays in the place of the engine's."""
    if isinstance(result, tuple):
        return tuple(to_host(part) for part in result)
    return to_numpy(result) if array_api_compat.is_array_api_obj(result) else result


def reference(path, case, dtype):
    """The reference's answer on NumPy."""
    return KERNELS[path].reference(host, *case.cast(dtype), **case.scalars)


def rtol(case, dtype):
    """Agreement asked for in a dtype."""
    return case.rtol if dtype == np.float64 else case.rtol_float32


def float_dtypes(result):
    """Dtypes of the floating arrays that a kernel returned."""
    parts = result if isinstance(result, tuple) else (result,)
    return {part.dtype for part in parts if isinstance(part, np.ndarray) and part.dtype.kind == "f"}


def test_every_kernel_has_a_case():
    ours = {path for path in KERNELS if path.startswith(("skmatrix.", "tests.toys:"))}
    assert ours == {path for path, cases in CASES.items() if cases}


@every_case
@both_dtypes
def test_reference_agrees_on_every_library(path, case, dtype, xp_device):
    xp, device = xp_device
    arrays = [a if a is None else xp.asarray(a, device=device) for a in case.cast(dtype)]
    result = KERNELS[path].reference(xp, *arrays, **case.scalars)
    assert_results_close(to_host(result), reference(path, case, dtype), rtol(case, dtype))


@every_case
def test_reference_keeps_float32_or_says_that_it_does_not(path, case):
    expected = np.float64 if case.upcasts else np.float32
    assert float_dtypes(reference(path, case, np.float32)) <= {np.dtype(expected)}


@every_case
def test_reference_in_float32_is_near_float64(path, case):
    expected = reference(path, case, np.float64)
    assert_results_close(reference(path, case, np.float32), expected, case.rtol_float32)


@every_case
def test_reference_leaves_its_arguments_alone(path, case):
    arrays = case.cast(np.float64)
    KERNELS[path].reference(host, *arrays, **case.scalars)
    for used, kept in zip(arrays, case.arrays, strict=True):
        np.testing.assert_array_equal(used, kept)


@pytest.mark.parametrize(("path", "case"), WITH_NUMBA)
@both_dtypes
def test_numba_twin_equals_the_reference(path, case, dtype):
    arrays = case.cast(dtype)
    result = KERNELS[path](get_backend("numba", arrays[0]), *arrays, **case.scalars)
    expected = reference(path, case, dtype)
    assert_results_close(result, expected, rtol(case, dtype))
    assert float_dtypes(result) == float_dtypes(expected)
    for used, kept in zip(arrays, case.cast(dtype), strict=True):
        np.testing.assert_array_equal(used, kept)


@every_case
@both_dtypes
def test_engine_equals_the_reference(path, case, dtype, engine):
    arrays = case.cast(dtype)
    be = get_backend(engine, arrays[0])
    result = KERNELS[path](be, *map(be.load, arrays), **case.scalars)
    assert_results_close(to_host(result), reference(path, case, dtype), rtol(case, dtype))
