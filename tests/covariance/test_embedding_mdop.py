"""Delays by MDOP, against the method written out."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix._backend import get_backend
from skmatrix.covariance import select_embedding
from skmatrix.covariance._embedding import choose_embedding, first_minimum
from skmatrix.covariance._embedding_curves import standardized
from skmatrix.covariance._embedding_mdop import mdop_delays
from tests.covariance import embedding_reference as reference


def trial(seed=0, n_channels=3, n_times=90):
    X = reference.oscillations(1, n_channels, n_times, seed)
    return standardized(X)[0][0]


def search(channels, engine="auto", **changes):
    settings = {"n_lags": 13, "window": 4, "stride": 1, "max_order": 5, **changes}
    return mdop_delays(get_backend(engine, channels), channels, **settings)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("engine", ["numpy", "numba"])
def test_delays_equal_the_method_written_out(seed, engine):
    channels = trial(seed)
    found = search(channels, engine)
    delays, chosen = reference.mdop(channels, 13, 4, 5)
    assert found.delays == delays
    assert found.channels == chosen
    assert len(found.false_fractions) == len(delays) - 1


def test_the_search_goes_on_with_few_false_neighbors():
    x = reference.zscore(reference.lorenz(130, skip=4000))[None]
    found = search(x)
    assert (found.delays, found.channels) == reference.mdop(x, 13, 4, 5)
    assert 0.05 < found.false_fractions[-2] < 0.15


def test_the_cases_above_stop_in_different_ways():
    found = [search(trial(seed)) for seed in range(5)]
    assert len({len(one.delays) for one in found}) > 1
    assert any(len(set(one.channels)) > 1 for one in found)


def test_embedding_starts_with_the_largest_entry():
    channels = trial(1)
    n = channels.shape[1] - 12
    tables = []
    for c in range(3):
        neighbors = reference.neighbors(channels[c, :n, None], 4)
        tables.append(reference.expansions(channels, neighbors, 13))
        tables[c][c, 0] = -np.inf
    tables = np.array(tables)
    found = search(channels)
    start, c, tau = np.unravel_index(tables.argmax(), tables.shape)
    assert (found.channels[:2], found.delays[:2]) == ([start, c], [0, tau])
    assert_allclose(found.beta, tables.max(axis=(0, 1)), rtol=1e-12)


def test_largest_order_is_kept():
    full = search(trial(0))
    assert len(full.delays) > 2
    for order in range(1, len(full.delays)):
        assert search(trial(0), max_order=order).delays == full.delays[:order]


def test_share_of_false_neighbors_falls_up_to_the_end():
    found = [search(trial(seed, n_times=200), max_order=9) for seed in range(6)]
    found.append(search(reference.zscore(reference.lorenz(800))[None], max_order=9))
    for one in found:
        assert (np.diff(one.false_fractions) <= 0).all()
        assert all(fraction > 0.05 for fraction in one.false_fractions[:-1])
    assert found[-1].false_fractions[-1] <= 0.05


def test_few_near_points_end_the_search():
    noise = np.random.default_rng(0).standard_normal((1, 200))
    noise[0, ::2] *= 1e-3  # every second value is near others
    sparse = 20 * np.arange(30.0)[None] + noise[:, :30]
    assert search(sparse).delays == [0]
    assert len(search(noise).delays) > 1


def test_nothing_to_choose_from():
    found = search(np.zeros((2, 60)))
    assert (found.delays, found.channels, found.false_fractions) == ([0], [0], [])
    assert_array_equal(found.beta, -np.inf)


def test_the_second_channel_is_taken_where_it_tells_more():
    """One coordinate of a fast rotation is told apart by the other, not by itself later on."""
    rng = np.random.default_rng(0)
    phase = 2 * np.pi * np.arange(400) / 23.7
    rotation = np.stack([np.cos(phase), np.sin(phase)]) + 1e-3 * rng.standard_normal((2, 400))
    found = search(standardized(rotation[None])[0][0], n_lags=3, max_order=2)
    assert sorted(found.channels) == [0, 1]


def test_order_and_lag_are_rounded_means_over_trials():
    X = reference.oscillations(3, 2, 90)
    Z = standardized(X)[0]
    orders, lags = [], []
    for channels in Z:
        curves = [[reference.mutual_information(x, k, 4) for k in range(23)] for x in channels]
        window = max(first_minimum(np.array(curve))[0] for curve in curves)
        delays, _ = reference.mdop(channels, 31, window, 10)
        orders.append(len(delays))
        lags.append(np.rint(np.mean(delays)))
    found = select_embedding(X, order="mdop", lag="mdop")
    assert_array_equal(found.curves["mdop_orders"], orders)
    assert_array_equal(found.curves["mdop_lags"], lags)
    assert found.lag == np.rint(np.mean(lags))
    admissible = [p for p in range(1, 11) if 2 * p <= 90 - (p - 1) * found.lag]
    assert found.order == min(np.rint(np.mean(orders)), max(admissible))
    assert_array_equal(found.curves["mdop_delays"], np.arange(31))
    assert found.curves["mdop_beta"].shape == (31,)


def test_one_rule_may_be_mdop_alone():
    X = reference.oscillations(4, 2, 150)
    both = select_embedding(X, order="mdop", lag="mdop")
    assert select_embedding(X, order="mdop").lag == both.lag
    assert select_embedding(X, lag="mdop").order == both.order
    assert select_embedding(X, order=2, lag="mdop").lag == both.lag
    order_alone = select_embedding(X, order="mdop", lag=1)
    assert order_alone.lag == 1
    assert order_alone.order == np.rint(both.curves["mdop_orders"].mean())
    mixed = select_embedding(X, order="fnn", lag="mdop")
    assert (mixed.lag, mixed.order) == (
        both.lag,
        select_embedding(X, order="fnn", lag=both.lag).order,
    )


def test_largest_lag_bounds_the_delays():
    X = reference.oscillations(2, 2, 150)
    found = select_embedding(X, order="mdop", max_lag=3)
    assert found.curves["mdop_beta"].size == 4
    assert 1 <= found.lag <= 3


def test_threads_change_nothing():
    X = reference.oscillations(5, 3, 120)
    settings = {"max_order": 6, "max_lag": None, "n_trials": 30, "rng": None}
    with ThreadPoolExecutor(2) as pool:
        for order, lag in [("mdop", "mdop"), ("fnn", "mi"), ("cao", "mi_e"), ("bic", "acf")]:
            alone = choose_embedding(X, order=order, lag=lag, **settings)
            shared = choose_embedding(X, order=order, lag=lag, pool=pool, **settings)
            assert (shared.order, shared.lag) == (alone.order, alone.lag)
            assert shared.curves.keys() == alone.curves.keys()
            for name, curve in alone.curves.items():
                assert_array_equal(shared.curves[name], curve)
