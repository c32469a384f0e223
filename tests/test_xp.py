"""Tests of the array operations that the standard lacks."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix import _xp
from skmatrix._backend import to_numpy
from skmatrix._xp import csr_matmul, sampled_dot, segment_sum

# Lengths of segments: with empty ones first, last and in a row; odd and even; one long.
LENGTHS = [
    [3, 1, 2],
    [0, 0, 5, 0, 1, 0, 0],
    [4],
    [0],
    [0, 0],
    [1, 1, 1],
    [1000, 0, 7, 64, 1],
]


def problem(lengths, width, dtype=np.float64, n_columns=9):
    """A random CSR matrix with rows of the given lengths, and arrays that go with it."""
    rng = np.random.default_rng(0)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    indices = rng.integers(0, n_columns, indptr[-1])
    shape = () if width is None else (width,)
    data = rng.standard_normal(indptr[-1]).astype(dtype)
    values = rng.standard_normal((indptr[-1], *shape)).astype(dtype)
    dense = rng.standard_normal((n_columns, *shape)).astype(dtype)
    return indptr, indices, data, values, dense


def place(xp_device, *arrays):
    """Host arrays in the namespace and on the device of the test."""
    xp, device = xp_device
    return [xp.asarray(a, device=device) for a in arrays]


@pytest.mark.parametrize("width", [None, 1, 3])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_segment_sum_equals_sums_of_slices(xp_device, lengths, width):
    indptr, _, _, values, _ = problem(lengths, width)
    expected = [values[a:b].sum(axis=0) for a, b in pairwise(indptr)]
    V, bounds = place(xp_device, values, indptr)
    result = to_numpy(segment_sum(xp_device.xp, V, bounds))
    assert result.shape == (len(lengths), *values.shape[1:])
    assert_allclose(result, expected, atol=1e-12)
    assert_array_equal(result[np.asarray(lengths) == 0], 0)


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_segment_sum_keeps_the_dtype(xp_device, index_dtype):
    indptr, _, _, values, _ = problem(LENGTHS[1], 2, np.float32)
    V, bounds = place(xp_device, values, indptr.astype(index_dtype))
    assert to_numpy(segment_sum(xp_device.xp, V, bounds)).dtype == np.float32


@pytest.mark.parametrize("width", [None, 2])
def test_segment_sum_of_many_float32_values_is_accurate(xp_device, width):
    rng = np.random.default_rng(0)
    values = rng.uniform(1, 2, 200_000).astype(np.float32)
    if width is not None:
        values = np.repeat(values[:, None], width, axis=1)
    exact = values.sum(axis=0, dtype=np.float64)
    V, bounds = place(xp_device, values, np.array([0, len(values)]))
    # A running sum, as torch forms it, loses about three digits of seven.
    assert_allclose(to_numpy(segment_sum(xp_device.xp, V, bounds))[0], exact, rtol=5e-5)


def test_segment_sum_by_pairs_is_as_accurate_as_numpy():
    strict = pytest.importorskip("array_api_strict")
    values = np.random.default_rng(0).uniform(1, 2, 200_000).astype(np.float32)
    bounds = np.array([0, len(values)])
    total = segment_sum(strict, strict.asarray(values), strict.asarray(bounds))
    assert_allclose(to_numpy(total)[0], values.sum(dtype=np.float64), rtol=3e-7)


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
@pytest.mark.parametrize("width", [None, 1, 3])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_csr_matmul_equals_scipy(xp_device, lengths, width, index_dtype):
    indptr, indices, data, _, dense = problem(lengths, width)
    matrix = sp.csr_array((data, indices, indptr), shape=(len(lengths), len(dense)))
    indptr, indices = indptr.astype(index_dtype), indices.astype(index_dtype)
    result = csr_matmul(xp_device.xp, *place(xp_device, indptr, indices, data, dense))
    assert_allclose(to_numpy(result), matrix @ dense, atol=1e-12)


@pytest.mark.parametrize("width", [None, 3])
def test_csr_matmul_keeps_the_dtype(xp_device, width):
    indptr, indices, data, _, dense = problem(LENGTHS[1], width, np.float32)
    result = csr_matmul(xp_device.xp, *place(xp_device, indptr, indices, data, dense))
    assert to_numpy(result).dtype == np.float32


def test_csr_matmul_does_not_copy_64_bit_indices(monkeypatch):
    seen = []
    multiply = sp.csr_array.__matmul__

    def watch(matrix, dense):
        seen.append((matrix.data, matrix.indices, matrix.indptr))
        return multiply(matrix, dense)

    monkeypatch.setattr(sp.csr_array, "__matmul__", watch)
    indptr, indices, data, _, dense = problem(LENGTHS[0], 2)
    csr_matmul(np, indptr, indices, data, dense)
    assert seen[0][0] is data
    assert seen[0][1] is indices
    assert seen[0][2] is indptr


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_sampled_dot_picks_entries_of_the_product(xp_device, dtype):
    rng = np.random.default_rng(0)
    A, B = rng.standard_normal((5, 3)).astype(dtype), rng.standard_normal((4, 3)).astype(dtype)
    rows, cols = rng.integers(0, 5, 20), rng.integers(0, 4, 20)
    result = to_numpy(sampled_dot(xp_device.xp, *place(xp_device, A, B, rows, cols)))
    assert result.dtype == dtype
    assert_allclose(result, (A @ B.T)[rows, cols], rtol=1e-5 if dtype == np.float32 else 1e-12)


def test_sampled_dot_of_no_entries_or_no_columns(xp_device):
    none = np.zeros(0, dtype=np.int64)
    A = np.ones((5, 3))
    assert to_numpy(sampled_dot(xp_device.xp, *place(xp_device, A, A, none, none))).shape == (0,)
    empty, some = np.ones((5, 0)), np.array([1, 2])
    result = to_numpy(sampled_dot(xp_device.xp, *place(xp_device, empty, empty, some, some)))
    assert_array_equal(result, [0, 0])


@pytest.mark.parametrize("width", [None, 3])
def test_chunks_do_not_change_the_result(xp_device, width, monkeypatch):
    indptr, indices, data, _, dense = problem(LENGTHS[-1], width)
    arrays = place(xp_device, indptr, indices, data, dense)
    whole = to_numpy(csr_matmul(xp_device.xp, *arrays))
    A, B = place(xp_device, data[:60].reshape(20, 3), data[60:120].reshape(20, 3))
    rows, cols = place(xp_device, indices, indices[::-1].copy())
    entries = to_numpy(sampled_dot(xp_device.xp, A, B, rows, cols))
    monkeypatch.setattr(_xp, "_GATHER", 50)
    monkeypatch.setattr(_xp, "_GATHER_HOST", 50)
    assert_allclose(to_numpy(csr_matmul(xp_device.xp, *arrays)), whole, atol=1e-12)
    assert_allclose(to_numpy(sampled_dot(xp_device.xp, A, B, rows, cols)), entries, atol=1e-14)


def test_gathers_stay_below_the_limit(monkeypatch):
    monkeypatch.setattr(_xp, "_GATHER_HOST", 50)
    sizes = []
    take = np.take

    def watch(a, indices, axis):
        gathered = take(a, indices, axis=axis)
        sizes.append(gathered.size)
        return gathered

    monkeypatch.setattr(np, "take", watch)
    A, rows = np.ones((20, 3)), np.arange(20)
    sampled_dot(np, A, A, rows, rows)
    assert max(sizes) <= 50
