"""The Hadamard transform, against products with the matrix."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import hadamard

from skmatrix import _backend
from skmatrix._backend import get_backend, to_numpy
from skmatrix.random_projection import _kernels as kernels
from skmatrix.random_projection import fwht

RNG = np.random.default_rng(0)
FORMS = [np.float64, np.float32]
EPS = {np.float64: 1e-13, np.float32: 1e-5}


@pytest.mark.parametrize("order", range(15))
@pytest.mark.parametrize("dtype", FORMS)
def test_every_size_is_the_product_with_the_matrix(order, dtype):
    n = 2**order
    # Integers below 2**8 keep their sums exact in either precision.
    X = RNG.integers(-256, 256, (n, 3)).astype(dtype)
    # Some rows of the matrix, all where there are few, by the parity of the shared bits.
    rows = RNG.choice(n, min(n, 200), replace=False)
    H = 1.0 - 2.0 * (np.bitwise_count(rows[:, None] & np.arange(n)) % 2)
    if n <= 512:
        assert_array_equal(H, hadamard(n)[rows])
    for run in (fwht, lambda X: twin(X), lambda X: array_code(X)):
        transformed = run(X)
        assert transformed.dtype == dtype
        assert transformed.shape == X.shape
        assert_array_equal(transformed[rows], H @ X.astype(float))


def twin(X):
    return kernels.fwht(get_backend("numba", X), X)


def array_code(X):
    return kernels.fwht(get_backend("numpy", X), X)


@pytest.mark.parametrize("order", [0, 1, 5, 9, 11, 14])
@pytest.mark.parametrize("dtype", FORMS)
@pytest.mark.parametrize("k", [1, 5, 32, 33])
def test_twice_is_a_multiple_of_the_identity(order, dtype, k):
    n = 2**order
    X = RNG.standard_normal((n, k)).astype(dtype)
    for run in (fwht, twin, array_code):
        assert_allclose(run(run(X)) / n, X, rtol=0, atol=20 * EPS[dtype])
        norms = np.linalg.norm(run(X), axis=0), np.sqrt(n) * np.linalg.norm(X, axis=0)
        assert_allclose(*norms, rtol=20 * EPS[dtype])


def test_sizes_of_all_cut_points_of_the_cache():
    """Widths that change how many levels run within a chunk, even and odd."""
    for k in (1, 2, 3, 31, 64, 200):
        for n in (2, 32, 128, 256):
            X = RNG.integers(-9, 9, (n, k)).astype(float)
            assert_array_equal(twin(X), hadamard(n) @ X)


def test_long_and_wide_twin_agrees_with_array_code():
    X = RNG.standard_normal((2**15, 7))
    assert_allclose(twin(X), array_code(X), rtol=0, atol=1e-10)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("shape", [(8, 4, 16), (1, 2, 64)])
def test_axis_of_three_dimensions(axis, shape):
    X = RNG.integers(-9, 9, shape).astype(float)
    expected = np.moveaxis(
        np.tensordot(hadamard(shape[axis]), np.moveaxis(X, axis, 0), axes=1), 0, axis
    )
    assert_array_equal(fwht(X, axis=axis), expected)


def test_one_dimension_and_lists():
    x = RNG.integers(-9, 9, 32).astype(float)
    assert_array_equal(fwht(x), hadamard(32) @ x)
    assert_array_equal(fwht(x.tolist()), hadamard(32) @ x)
    assert_array_equal(fwht([5]), [5.0])


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint8, bool, np.float16, ">f8", object])
def test_other_dtypes_become_double(dtype):
    x = RNG.integers(0, 2, (16, 2)).astype(dtype)
    transformed = fwht(x)
    assert transformed.dtype == np.float64
    assert_array_equal(transformed, hadamard(16) @ x.astype(float))


def test_memory_layouts():
    X = RNG.integers(-9, 9, (64, 8)).astype(float)
    expected = hadamard(64) @ X
    read_only = X.copy()
    read_only.setflags(write=False)
    for other in (np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2], X[::-1][::-1], read_only):
        kept = other.copy()
        assert_array_equal(fwht(other), expected)
        assert_array_equal(other, kept)
    assert_array_equal(fwht(X[::-1]), hadamard(64) @ X[::-1])


@pytest.mark.parametrize("shape", [(4, 0), (0, 4), (2, 0, 3)])
def test_nothing_along_the_other_axes(shape):
    axis = int(shape[0] == 0)
    assert fwht(np.zeros(shape), axis=axis).shape == shape
    assert twin(np.zeros((4, 0))).shape == array_code(np.zeros((4, 0))).shape == (4, 0)


@settings(max_examples=30, deadline=None)
@given(order=st.integers(0, 9), k=st.integers(1, 40), seed=st.integers(0, 2**32 - 1))
def test_rows_in_any_order_of_bits(order, k, seed):
    """The transform of an xor-shift is the transform times a row of the matrix."""
    rng = np.random.default_rng(seed)
    n = 2**order
    X, shift = rng.integers(-9, 9, (n, k)).astype(float), rng.integers(n)
    assert_array_equal(fwht(X[np.arange(n) ^ shift]), hadamard(n)[shift][:, None] * fwht(X))


def test_libraries_and_devices(xp_device, monkeypatch):
    xp, device = xp_device
    monkeypatch.setattr(_backend, "get_config", lambda: {"array_api_dispatch": True})
    X = RNG.integers(-9, 9, (2, 16, 3)).astype(np.float32)
    transformed = fwht(xp.asarray(X, device=device), axis=1)
    assert transformed.dtype == xp.float32
    assert type(transformed) is type(xp.asarray(X, device=device))
    assert_array_equal(to_numpy(transformed), np.einsum("ij,ajb->aib", hadamard(16), X))


@pytest.mark.parametrize("n", [0, 3, 6, 1000])
def test_length_that_is_no_power_of_two(n):
    with pytest.raises(ValueError, match=rf"along axis=0 must be a power of two. Got {n}: pad"):
        fwht(np.zeros(n))
    with pytest.raises(ValueError, match=rf"along axis=-1 must be a power of two. Got {n}: pad"):
        fwht(np.zeros((4, n)), axis=-1)


@pytest.mark.parametrize(("shape", "axis"), [((4,), 1), ((4, 4), -3), ((), 0)])
def test_axis_out_of_range(shape, axis):
    message = rf"axis={axis} is out of range for X with {len(shape)} dimensions"
    with pytest.raises(ValueError, match=message):
        fwht(np.zeros(shape), axis=axis)


def test_other_bad_arguments():
    with pytest.raises(ValueError, match=r"X must be real\. Got dtype complex128: pass X\.real"):
        fwht(np.ones(4) + 1j)
    with pytest.raises(ValueError, match="The 'axis' parameter of fwht must be"):
        fwht(np.ones(4), axis=0.5)
    with pytest.raises(TypeError, match="X is sparse"):
        fwht(sp.csr_array(np.ones((4, 4))))
