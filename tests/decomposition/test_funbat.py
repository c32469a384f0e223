"""FunBaT: against Gaussian processes, on known functions, and what leaves it unchanged."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_regression
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern
from sklearn.metrics import root_mean_squared_error

from skmatrix.datasets import make_functional_tensor
from skmatrix.decomposition import FunBaT
from skmatrix.decomposition._funbat_queries import predicted
from tests.decomposition.funbat_problem import QUERIES, X, Y, funbat

# Against Gaussian processes


NU = {"matern12": 0.5, "matern32": 1.5, "matern52": 2.5}


@pytest.fixture(scope="module")
def curve():
    """Points of one mode, values, weights and queries outside, between and on points."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-3, 5, (60, 1))
    y = np.sin(x[:, 0]) + 0.2 * rng.standard_normal(60) + 3
    return x, y, rng.uniform(0.3, 3, 60), np.vstack([np.linspace(-6, 8, 101)[:, None], x[:5]])


def one_function(kernel, sweeps, **parameters):
    """One function of one mode, its noise held for all sweeps."""
    return FunBaT(
        1,
        decomposition="cp",
        kernel=kernel,
        variance=1.7,
        normalize_index=False,
        max_iter=sweeps,
        n_warmup=sweeps,
        warmup_precision=20.0,
        **parameters,
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("kernel", NU)
def test_one_function_of_one_mode_is_a_gaussian_process(kernel, backend, curve):
    x, y, weight, queries = curve
    rule = {"length_scale": 0.4, "optimize_length_scale": False, "backend": backend}
    model = one_function(kernel, 2, **rule).fit(x, y, weight)
    peer = GaussianProcessRegressor(
        ConstantKernel(1.7) * Matern(0.4, nu=NU[kernel]), alpha=1 / (20 * weight), optimizer=None
    ).fit(x, (y - model.intercept_) / model.y_scale_)
    mean, std = model.predict(queries, return_std=True, include_noise=False)
    expected_mean, expected_std = peer.predict(queries, return_std=True)
    assert_allclose((mean - model.intercept_) / model.y_scale_, expected_mean, atol=1e-10)
    assert_allclose(std / model.y_scale_, expected_std, atol=1e-10)
    noisy = model.predict(queries, return_std=True)[1]
    assert_allclose(noisy**2, std**2 + model.noise_std_**2, rtol=1e-10)
    assert model.noise_std_ == pytest.approx(model.y_scale_ / 20**0.5)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kernel", NU)
def test_length_scale_maximises_the_evidence_of_the_gaussian_process(kernel, curve):
    x, y, weight, _ = curve
    model = one_function(kernel, 60, length_scale=0.2).fit(x, y, weight)
    peer = GaussianProcessRegressor(
        ConstantKernel(1.7, "fixed") * Matern(1.0, (1e-3, 10), nu=NU[kernel]),
        alpha=1 / (20 * weight),
    ).fit(x, (y - model.intercept_) / model.y_scale_)
    assert_allclose(model.length_scale_, np.exp(peer.kernel_.theta), rtol=1e-3)


# Truth


@pytest.mark.parametrize("seed", range(10))
def test_functions_are_recovered_from_any_start(seed):
    data, values, truth = make_functional_tensor(4000, random_state=seed)
    model = FunBaT(
        2, kernel="matern32", length_scale=0.3, fit_intercept=False, tol=1e-3, random_state=seed
    ).fit(data[:2000], values[:2000])
    mean, std = model.predict(data[2000:], return_std=True)
    # The noise alone leaves 0.1.
    assert root_mean_squared_error(truth(data[2000:]), mean) < 0.03
    assert root_mean_squared_error(values[2000:], mean) < 0.107
    assert model.noise_std_ == pytest.approx(0.1, rel=0.05)
    coverage = np.mean(np.abs(values[2000:] - mean) < 1.96 * std)
    assert 0.92 < coverage < 0.98
    mean, std = model.predict(data[2000:], return_std=True, include_noise=False)
    assert 0.85 < np.mean(np.abs(truth(data[2000:]) - mean) < 1.96 * std) < 1


def test_predictions_at_training_coordinates_are_products_of_the_factors(fitted):
    places = [np.searchsorted(axis, x) for axis, x in zip(fitted.indices_, X.T, strict=True)]
    a, b, c = (mean[place] for mean, place in zip(fitted.factor_mean_, places, strict=True))
    expected = np.einsum("na,nb,nc,abc->n", a, b, c, fitted.core_)
    assert_allclose(fitted.predict(X), fitted.y_scale_ * expected, rtol=1e-9, atol=1e-12)
    second = [
        (cov + mean[:, :, None] * mean[:, None, :])[place]
        for mean, cov, place in zip(fitted.factor_mean_, fitted.factor_cov_, places, strict=True)
    ]
    weights = fitted.core_cov_ + np.outer(fitted.core_, fitted.core_)
    square = np.einsum("nad,nbe,ncf,abcdef->n", *second, weights.reshape((2,) * 6))
    std = fitted.predict(X, return_std=True, include_noise=False)[1]
    assert_allclose(std, fitted.y_scale_ * np.sqrt(square - expected**2), rtol=1e-6)


def test_products_of_cp_are_elementwise():
    model = funbat(3, decomposition="cp").fit(X, Y)
    assert model.core_ is None
    assert model.core_cov_ is None
    assert model.decomposition_ == "cp"
    factors = [model.predict_factors(mode, x) for mode, x in enumerate(QUERIES.T)]
    expected = model.y_scale_ * np.prod(factors, axis=0).sum(axis=1)
    assert_allclose(model.predict(QUERIES), expected, rtol=1e-9, atol=1e-12)


def test_functions_of_a_mode_at_its_coordinates_are_the_fitted_ones(fitted):
    for mode in range(3):
        mean, cov = fitted.predict_factors(mode, fitted.indices_[mode], return_cov=True)
        assert_allclose(mean, fitted.factor_mean_[mode], rtol=1e-9, atol=1e-12)
        assert_allclose(cov, fitted.factor_cov_[mode], rtol=1e-7, atol=1e-12)
    far, cov = fitted.predict_factors(1, [1e9, -1e9], return_cov=True)
    assert_allclose(far, 0, atol=1e-12)
    assert_allclose(cov, np.broadcast_to(np.eye(2), (2, 2, 2)), atol=1e-12)


@pytest.mark.parametrize("rank", [2, 3])
@pytest.mark.parametrize("decomposition", ["tucker", "cp"])
def test_draws_have_the_predicted_moments(decomposition, rank):
    model = funbat(rank, decomposition=decomposition, fit_intercept=True).fit(X, Y)
    draws = model.sample_y(QUERIES, 20_000, random_state=0)
    mean, std = model.predict(QUERIES, return_std=True, include_noise=False)
    assert draws.shape == (40, 20_000)
    assert np.abs((draws.mean(axis=1) - mean) / std).max() < 5 / 20_000**0.5
    assert_allclose(draws.std(axis=1), std, rtol=0.1)


def test_draws_at_one_place_are_the_same_and_follow_the_seed(fitted):
    twice = np.repeat(QUERIES[:3], 2, axis=0)
    draws = fitted.sample_y(twice, 4, random_state=1)
    assert_array_equal(draws[::2], draws[1::2])
    assert_array_equal(fitted.sample_y(twice, 4, random_state=1), draws)
    assert not np.array_equal(fitted.sample_y(twice, 4, random_state=2), draws)
    assert fitted.sample_y(twice).shape == (6, 1)


@pytest.mark.parametrize(("decomposition", "rank"), [("tucker", 1), ("tucker", 3), ("cp", 2)])
def test_no_start_collapses(decomposition, rank):
    for seed in range(10):
        data, values, _ = make_functional_tensor(2000, random_state=seed)
        # A collapse would warn, which here is an error.
        model = funbat(rank, decomposition=decomposition, random_state=seed).fit(data, values)
        assert model.score(data, values) > (0.7 if rank == 1 else 0.9)


@pytest.mark.parametrize("seed", range(3))
def test_ten_columns_are_fitted_by_cp(seed):
    data, values = make_regression(200, 10, n_informative=1, noise=20, bias=5, random_state=42)
    model = FunBaT(2, random_state=seed, tol=1e-3).fit(data, values)
    assert model.decomposition_ == "cp"
    assert model.score(data, values) > 0.5


def test_bound_rises_until_three_gains_in_a_row_are_small():
    model = funbat(tol=1e-3).fit(X, Y)
    history = model.objective_history_
    assert history.shape == (model.n_iter_ - 10,)
    gains = np.diff(history) / Y.size
    assert gains.min() > -1e-8 * np.abs(history).max()
    small = gains <= 1e-3
    assert small[-3:].all()
    assert not (small[:-3] & small[1:-2] & small[2:-1]).any()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("decomposition", ["tucker", "cp"])
def test_optimum_hardly_moves_in_damped_sweeps(decomposition, monkeypatch):
    runs = []
    monkeypatch.setattr(FunBaT, "_set_fitted", lambda self, be, X, run: runs.append(run))
    funbat(tol=1e-7, max_iter=600, decomposition=decomposition).fit(X, Y)
    belief = runs[0].belief
    before = predicted(belief.posterior(), X, variance=False)[0]
    belief.damping = (0.6, 0.8, 0.5)
    for _ in range(50):
        belief.sweep(held=False)
    assert_allclose(predicted(belief.posterior(), X, variance=False)[0], before, atol=2e-3)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("damping", [0.8, (0.8, 0, 0), (0, 0.8, 0)])
def test_damping_slows_the_ascent_to_the_same_values(damping):
    rule = {"tol": 0, "max_iter": 200}
    plain, damped = (funbat(damping=share, **rule).fit(X, Y) for share in (0, damping))
    assert damped.objective_history_[-1] < plain.objective_history_[-1]
    assert_allclose(damped.predict(X), plain.predict(X), atol=0.1)
    assert damped.noise_std_ == pytest.approx(plain.noise_std_, rel=0.05)


@pytest.mark.parametrize("decomposition", ["tucker", "cp"])
def test_sums_made_piece_by_piece_are_the_same(decomposition, monkeypatch):
    expected = funbat(decomposition=decomposition, optimize_length_scale=False).fit(X, Y)
    monkeypatch.setattr("skmatrix.decomposition._funbat_state._BUDGET", 20)
    model = funbat(decomposition=decomposition, optimize_length_scale=False).fit(X, Y)
    assert_allclose(model.objective_history_, expected.objective_history_, rtol=1e-10)
    assert_allclose(model.predict(QUERIES), expected.predict(QUERIES), rtol=1e-8, atol=1e-10)


@pytest.mark.filterwarnings("ignore:The fit has collapsed")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_best_of_several_starts_is_kept():
    # Of these starts most end in a poor optimum.
    few = {"rank": 1, "kernel": "matern32", "tol": 1e-3}
    data, values, truth = make_functional_tensor(1000, rank=1, random_state=1)
    fits = [(1, np.random.RandomState(0))] * 5 + [(5, np.random.RandomState(0))]
    models = [
        funbat(**few, n_init=n, random_state=rng).fit(data[:200], values[:200]) for n, rng in fits
    ]
    bounds = np.array([model.objective_history_[-1] for model in models])
    assert bounds[-1] > np.median(bounds[:-1])
    errors = [root_mean_squared_error(truth(data), model.predict(data)) for model in models]
    assert errors[-1] < 0.1 < 0.5 < np.mean(errors[:-1])


@pytest.mark.parametrize("decomposition", ["tucker", "cp"])
def test_starts_that_are_given_up_take_no_memory(decomposition, monkeypatch):
    ascend, kept = FunBaT._ascend, []

    def watched(self, be, X, y, runs, sample_weight):
        assert len(runs) == 4
        best = ascend(self, be, X, y, runs, sample_weight)
        kept.extend(runs)
        return best

    monkeypatch.setattr(FunBaT, "_ascend", watched)
    model = funbat(kernel="matern52", n_init=4, decomposition=decomposition).fit(X, Y)
    assert len(kept) == 1
    # Nor do the states of filters before there is something to predict.
    assert all(factor.states == () for factor in kept[0].belief.factors)
    assert all(factor.sent == () for factor in model._posterior.factors)


@pytest.mark.parametrize("max_iter", [1, 2, 12])
def test_starts_have_no_more_sweeps_than_are_allowed(max_iter):
    with pytest.warns(ConvergenceWarning, match=f"after max_iter={max_iter} iterations"):
        model = funbat(n_init=3, max_iter=max_iter, tol=0).fit(X, Y)
    assert model.n_iter_ == max_iter


# Weights, order, transposition


@pytest.mark.parametrize("decomposition", ["tucker", "cp"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_weights_are_repetitions(decomposition, fit_intercept):
    weight = np.random.default_rng(0).integers(0, 4, Y.size)
    rule = partial(funbat, decomposition=decomposition, fit_intercept=fit_intercept)
    # Searches for a length scale stop where the evidence is flat, which enlarges rounding errors.
    rule = partial(rule, optimize_length_scale=False)
    weighted = rule().fit(X, Y, weight)
    repeated = rule().fit(np.repeat(X, weight, axis=0), np.repeat(Y, weight))
    for a, b in zip(
        weighted.predict(QUERIES, return_std=True),
        repeated.predict(QUERIES, return_std=True),
        strict=True,
    ):
        assert_allclose(a, b, rtol=1e-7, atol=1e-9)
    assert weighted.n_iter_ == repeated.n_iter_
    assert_allclose(weighted.objective_history_, repeated.objective_history_, rtol=1e-9)


def test_length_scales_do_not_tell_weights_from_repetitions():
    weight = np.random.default_rng(0).integers(0, 4, Y.size)
    weighted = funbat().fit(X, Y, weight)
    repeated = funbat().fit(np.repeat(X, weight, axis=0), np.repeat(Y, weight))
    assert_allclose(weighted.length_scale_, repeated.length_scale_, rtol=1e-4)
    assert_allclose(weighted.predict(QUERIES), repeated.predict(QUERIES), rtol=1e-4, atol=1e-5)


def test_weight_zero_is_absence():
    outside = np.array([[50.0, -50.0, 7.0]])
    data, values = np.vstack([X, outside]), np.append(Y, 1e6)
    weight = np.append(np.ones(Y.size), 0.0)
    model, expected = funbat().fit(data, values, weight), funbat().fit(X, Y)
    assert_array_equal(model.predict(QUERIES), expected.predict(QUERIES))
    assert [axis.size for axis in model.indices_] == [8, 9, 10]


def test_order_of_the_rows_does_not_matter(fitted):
    order = np.random.default_rng(0).permutation(Y.size)
    model = funbat().fit(X[order], Y[order])
    assert_allclose(model.predict(QUERIES), fitted.predict(QUERIES), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("order", [(2, 0, 1), (1, 0, 2), (2, 1, 0)])
def test_order_of_the_modes_does_not_matter(order):
    # With unequal ranks and a tight end, so that the starts, which differ, are forgotten.
    data, values, truth = make_functional_tensor(
        600, (8, 9, 10), rank=(1, 2, 2), noise=0.01, random_state=3
    )
    rule = partial(funbat, kernel="matern32", tol=1e-3, max_iter=400)
    straight = rule((1, 2, 2)).fit(data, values)
    turned = rule([(1, 2, 2)[k] for k in order]).fit(data[:, order], values)
    for model, columns in ((straight, [0, 1, 2]), (turned, list(order))):
        assert root_mean_squared_error(truth(data), model.predict(data[:, columns])) < 0.01
    assert turned.core_.shape == tuple((1, 2, 2)[k] for k in order)
    assert straight.objective_history_[-1] == pytest.approx(turned.objective_history_[-1], rel=0.05)


@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_huge_and_tiny_units_do_not_overflow(factor, fitted):
    model = funbat().fit(X * factor, Y * factor)
    mean, std = model.predict(QUERIES * factor, return_std=True)
    expected, expected_std = fitted.predict(QUERIES, return_std=True)
    assert_allclose(mean / factor, expected, rtol=1e-6, atol=1e-8)
    assert_allclose(std / factor, expected_std, rtol=1e-6)


def test_length_scales_count_in_units_of_the_scaled_axis(fitted):
    moved = X * [10.0, 0.1, 3.0] + [5.0, -2.0, 100.0]
    model = funbat().fit(moved, Y)
    assert_allclose(model.length_scale_, fitted.length_scale_, rtol=1e-6)
    raw = funbat(normalize_index=False, optimize_length_scale=False, length_scale=[1, 0.01, 0.3])
    spans = np.ptp(moved, axis=0)
    lengths = np.array([1, 0.01, 0.3]) / spans
    scaled = funbat(optimize_length_scale=False, length_scale=lengths)
    assert_allclose(
        raw.fit(moved, Y).predict(moved), scaled.fit(moved, Y).predict(moved), rtol=1e-6
    )
    assert_array_equal(raw.length_scale_, [1, 0.01, 0.3])


def test_kernels_may_differ_between_modes():
    kernels = ["matern52", "iid", "matern32"]
    model = funbat(kernel=kernels, variance=[2.0, 1.0, 0.5]).fit(X, Y)
    assert model.length_scale_[1] == 0.1  # without order there is nothing to search
    mean, cov = model.predict_factors(1, [0.123456], return_cov=True)
    assert_array_equal(mean, np.zeros((1, 2)))
    assert_array_equal(cov, np.eye(2)[None])
    assert model.score(X, Y) > 0.95


@pytest.mark.parametrize(("start", "bounds"), [(0.01, (0.5, 10)), (5.0, (0.01, 0.4))])
def test_length_scales_keep_to_their_bounds(start, bounds):
    rule = {"length_scale": start, "length_scale_bounds": bounds}
    model = funbat(kernel=["matern12", "iid", "matern32"], **rule).fit(X, Y)
    assert bounds[0] <= model.length_scale_[[0, 2]].min()
    assert model.length_scale_[[0, 2]].max() <= bounds[1]
    assert model.length_scale_[1] == start  # without order there is nothing to search
    fixed = funbat(optimize_length_scale=False, **rule).fit(X, Y)
    assert_array_equal(fixed.length_scale_, start)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_length_scale_of_a_mode_that_does_not_matter_goes_to_the_upper_bound():
    rng = np.random.default_rng(0)
    data = rng.uniform(size=(400, 2))
    values = np.sin(7 * data[:, 0]) + 0.05 * rng.standard_normal(400)
    model = FunBaT(1, kernel="matern32", max_iter=30, tol=0, random_state=0).fit(data, values)
    assert model.length_scale_[1] > 5 > 1 > model.length_scale_[0]
