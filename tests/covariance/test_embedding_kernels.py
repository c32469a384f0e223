"""Searches and counts of an embedding, against loops over points."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix._backend import get_backend
from skmatrix.covariance import _embedding_kernels as kernels
from tests.covariance import embedding_reference as reference

both_engines = pytest.mark.parametrize("be", ["numpy", "numba"], indirect=True)


@pytest.fixture
def be(request):
    return get_backend(request.param, None)


def walks(n=2, n_times=90, seed=0, digits=None):
    """Random walks, whose nearest points are nearest in time as well."""
    x = np.cumsum(np.random.default_rng(seed).standard_normal((n, n_times)), axis=1)
    return x if digits is None else np.round(x, digits)


def codes(x, n_bins):
    return kernels.rank_bins(np, np.atleast_2d(x), n_bins)


def test_bins_hold_equally_many_values():
    x = np.random.default_rng(0).standard_normal((3, 100))
    for row in codes(x, 5):
        assert_array_equal(np.bincount(row), 20)
    assert_array_equal(np.unique(codes(x[:, :97], 7)), np.arange(7))


def test_equal_values_share_a_bin_whatever_their_order():
    x = np.random.default_rng(0).integers(0, 4, 60).astype(float)
    found = codes(x, 6)[0]
    assert all(np.unique(found[x == value]).size == 1 for value in np.unique(x))
    assert_array_equal(codes(x[::-1], 6)[0], found[::-1])
    assert_array_equal(codes(np.zeros(9), 4), 2)


@both_engines
@pytest.mark.parametrize("digits", [None, 0])
@pytest.mark.parametrize("n_bins", [4, 9])
def test_mutual_information_equals_a_table_of_frequencies(be, digits, n_bins):
    x = walks(3, 150, digits=digits)
    result = kernels.mutual_information(be, x, max_lag=20, n_bins=n_bins)
    expected = [[reference.mutual_information(s, k, n_bins) for k in range(21)] for s in x]
    assert_allclose(result, expected, rtol=0, atol=1e-12)


@both_engines
def test_mutual_information_of_a_series_with_itself_is_its_entropy(be):
    x = np.random.default_rng(0).standard_normal((2, 120))
    result = kernels.mutual_information(be, x, max_lag=1, n_bins=8)
    assert_allclose(result[:, 0], np.log(8), rtol=1e-12)
    assert (result[:, 1] < 0.5).all()
    # No information in what does not vary, and not less than none.
    assert_array_equal(kernels.mutual_information(be, np.ones((1, 30)), max_lag=2, n_bins=4), 0)


@both_engines
def test_mutual_information_hangs_on_ranks_alone(be):
    x = walks()
    plain = kernels.mutual_information(be, x, max_lag=9, n_bins=5)
    bent = kernels.mutual_information(be, np.exp(x / 3), max_lag=9, n_bins=5)
    assert_array_equal(plain, bent)
    backwards = kernels.mutual_information(be, x[:, ::-1].copy(), max_lag=9, n_bins=5)
    assert_allclose(backwards, plain, rtol=1e-12)


@both_engines
@pytest.mark.parametrize(("metric", "norm"), [("euclidean", None), ("maximum", np.inf)])
@pytest.mark.parametrize(("lag", "window"), [(1, 0), (3, 3), (2, 15)])
@pytest.mark.parametrize("digits", [None, 0])
def test_delay_neighbors_equal_all_pairs(be, metric, norm, lag, window, digits):
    x = walks(2, 60, digits=digits)
    settings = {"n_dimensions": 4, "lag": lag, "window": window, "metric": metric}
    distance, growth = kernels.delay_neighbors(be, x, stride=1, **settings)
    assert distance.shape == growth.shape == (2, 4, 60 - lag)
    for s, d in np.ndindex(2, 4):
        pairs = np.array(reference.delay_pairs(x[s], d + 1, lag, window, norm))
        there = np.isfinite(distance[s, d])
        assert not there[60 - (d + 1) * lag :].any()
        assert_allclose(distance[s, d, there], pairs[:, 0], rtol=1e-12)
        assert_allclose(growth[s, d, there], pairs[:, 1], rtol=1e-12)
        assert_array_equal(growth[s, d, ~there], 0)


@both_engines
@pytest.mark.parametrize("metric", ["euclidean", "maximum"])
def test_stride_leaves_out_queries_and_no_neighbor(be, metric):
    x = walks(2, 70)
    settings = {"n_dimensions": 3, "lag": 2, "window": 1, "metric": metric}
    every = kernels.delay_neighbors(be, x, stride=1, **settings)
    some = kernels.delay_neighbors(be, x, stride=3, **settings)
    for full, thinned in zip(every, some, strict=True):
        assert_array_equal(thinned, full[:, :, ::3])
    every = kernels.nearest_points(be, x, window=4, stride=1)
    some = kernels.nearest_points(be, x, window=4, stride=3)
    for full, thinned in zip(every, some, strict=True):
        assert_array_equal(thinned, full[::3])


@both_engines
@pytest.mark.parametrize("window", [0, 1, 8, 50])
@pytest.mark.parametrize("n_dimensions", [1, 3])
@pytest.mark.parametrize("digits", [None, 0])
def test_nearest_points_equal_all_pairs(be, window, n_dimensions, digits):
    points = walks(n_dimensions, 60, digits=digits)
    distance, index = kernels.nearest_points(be, points, window=window, stride=1)
    expected = reference.neighbors(points.T, window)
    assert_array_equal(index, [j for j, _ in expected])
    assert_allclose(distance, [r for _, r in expected], rtol=1e-12)


@both_engines
def test_theiler_window_is_respected(be):
    x = walks(1, 300)
    _, index = kernels.nearest_points(be, x, window=0, stride=1)
    gap = np.abs(index - np.arange(300))
    assert np.mean(gap <= 5) > 0.05  # without it many neighbours are neighbours in time
    _, index = kernels.nearest_points(be, x, window=5, stride=1)
    assert np.abs(index - np.arange(300)).min() == 6


@both_engines
def test_duplicates_are_no_neighbors(be):
    x = np.tile(walks(1, 30), 3)
    distance, index = kernels.nearest_points(be, x, window=0, stride=1)
    assert (distance > 0).all()
    assert not np.any(x[0, index] == x[0])
    distance, _ = kernels.delay_neighbors(
        be, x, n_dimensions=2, lag=1, window=0, stride=1, metric="euclidean"
    )
    assert distance.min() > 0
    # Nothing but duplicates.
    distance, index = kernels.nearest_points(be, np.zeros((2, 9)), window=0, stride=1)
    assert_array_equal(index, -1)
    assert_array_equal(distance, np.inf)


@both_engines
@pytest.mark.parametrize("digits", [None, 0])
def test_table_of_mdop_equals_a_double_loop(be, digits):
    channels = walks(3, 70, digits=digits)
    found = reference.neighbors(channels[0, :60, None], 4)
    index, distance = (np.array(part) for part in zip(*found, strict=True))
    result = kernels.expansion_table(be, channels, distance, index, n_lags=11, stride=1)
    assert_allclose(result, reference.expansions(channels, found, 11), rtol=0, atol=1e-12)
    # The neighbours are those of the first channel.
    assert result[0, 0] == pytest.approx(0, abs=1e-12)


@both_engines
def test_table_of_mdop_with_no_neighbors(be):
    channels, nowhere = walks(2, 30), np.full(21, -1)
    nothing = kernels.expansion_table(
        be, channels, np.full(21, np.inf), nowhere, n_lags=10, stride=1
    )
    assert_array_equal(nothing, -np.inf)


def test_products_of_ratios_stay_in_range():
    """The twin multiplies ratios before it takes logarithms: the smallest and the largest."""
    index = np.full(71, 79 - 9)
    for unit, size in ((1e-29, 1e2), (1e2, 1e-29)):
        channels = unit * np.arange(80.0)[None]
        arrays = (channels, np.full(71, size), index)
        results = [
            kernels.expansion_table(get_backend(name, None), *arrays, n_lags=10, stride=1)
            for name in ("numpy", "numba")
        ]
        assert np.isfinite(results[0]).all()
        assert_allclose(results[1], results[0], rtol=1e-12)
