"""KroneckerSBL: error bars, draws, engines, memory, and the tools of scikit-learn."""

import pickle
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skmatrix._backend import to_numpy
from skmatrix.datasets import make_kronecker_sparse
from skmatrix.linear_model import KroneckerSBL
from tests.linear_model.kronecker_reference import DensePosterior, kron, random_factors

SIZES = {"n_features": (6, 5, 4), "n_measurements": (4, 5, 3), "n_nonzero": 2}
FACTORS, Y, TRUTH = make_kronecker_sparse(**SIZES, random_state=0)
X_MATRIX = np.random.default_rng(0).standard_normal((40, 6)) + 2
Y_MATRIX = X_MATRIX @ [1.0, 0, 0, 2, 0, 0] + 0.3 * np.random.default_rng(1).standard_normal(40)
unfinished = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
both_kinds = pytest.mark.parametrize("is_complex", [False, True])
pytestmark = unfinished


def problem(is_complex, n_snapshots=1):
    """Factors, y, and rows to predict at."""
    options = {"is_complex": is_complex, "n_snapshots": n_snapshots, "random_state": 0}
    factors, y, _ = make_kronecker_sparse(**SIZES, **options)
    rng = np.random.default_rng(1)
    rows = tuple(random_factors(rng, (3, 2, 4), SIZES["n_features"], is_complex))
    return factors, y, rows


# Error bars


@both_kinds
@pytest.mark.parametrize("intercept", [False, True])
def test_error_bars_are_those_of_dense_algebra(is_complex, intercept):
    factors, y, rows = problem(is_complex)
    y = y + 5 * intercept
    model = KroneckerSBL(fit_intercept=intercept, random_state=0).fit(factors, y)
    H, B, noise = kron(factors), kron(rows), model.noise_variance_
    gamma = kron(model.gamma_)
    centred = (y - y.mean() * intercept)[:, None]
    dense = DensePosterior(H, centred, gamma, noise, intercept)
    variance = np.sum((B @ dense.cov) * B.conj(), axis=1).real
    if intercept:
        inverse = np.linalg.inv(noise * np.eye(len(y)) + (H * gamma) @ H.conj().T)
        w = inverse.sum(axis=1)
        a = w.sum().real
        h = gamma * (H.conj().T @ w)
        # Dense covariances leave out that the intercept and the coefficients go together.
        joint = gamma[:, None] * np.eye(gamma.size) - (gamma[:, None] * H.conj().T) @ inverse @ (
            H * gamma
        )
        variance = np.sum((B @ joint) * B.conj(), axis=1).real + np.abs(1 - B @ h) ** 2 / a
    mean, std = model.predict(rows, return_std=True)
    assert_array_equal(mean, model.predict(rows))
    assert_allclose(std, np.sqrt(variance + noise), rtol=1e-9)


def test_error_bars_of_a_matrix_are_those_of_bayesian_regression_with_a_flat_intercept():
    model = KroneckerSBL().fit(X_MATRIX, Y_MATRIX)
    T = np.column_stack([np.ones(40), X_MATRIX])
    with np.errstate(divide="ignore"):
        precision = np.append(0, 1 / model.gamma_[0])
    active = np.isfinite(precision)
    T, precision = T[:, active], precision[active]
    cov = np.linalg.inv(T.T @ T / model.noise_variance_ + np.diag(precision))
    std = model.predict(X_MATRIX, return_std=True)[1]
    expected = np.sqrt(np.sum((T @ cov) * T, axis=1) + model.noise_variance_)
    assert_allclose(std, expected, rtol=1e-10)
    variance = np.zeros(6)
    variance[active[1:]] = np.diag(cov)[1:]
    assert_allclose(model.sigma_diag_, variance, rtol=1e-10)


@both_kinds
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("n_snapshots", [1, 2])
def test_draws_have_the_moments_of_the_posterior(is_complex, intercept, n_snapshots):
    factors, y, _ = problem(is_complex, n_snapshots)
    model = KroneckerSBL(fit_intercept=intercept, random_state=0).fit(factors, y)
    n = 20_000
    draws = model.sample_posterior(n, random_state=0).reshape(n, n_snapshots, -1)
    columns = y.reshape(-1, n_snapshots)
    columns = columns - columns.mean(axis=0) * intercept
    gamma = kron(model.gamma_)
    dense = DensePosterior(kron(factors), columns, gamma, model.noise_variance_, intercept)
    active = gamma > 0
    std = np.sqrt(dense.variance[active])
    for snapshot in range(n_snapshots):
        deviation = draws[:, snapshot] - dense.mean[:, snapshot]
        assert not deviation[:, ~active].any()
        deviation = deviation[:, active] / std
        assert np.abs(deviation.mean(axis=0)).max() < 5 / np.sqrt(n)
        correlation = dense.cov[np.ix_(active, active)] / np.outer(std, std)
        found = deviation.T @ deviation.conj() / n
        assert np.abs(found - correlation).max() < 5 * np.sqrt(2 / n)
    if n_snapshots == 2:
        across = (draws[:, 0] - dense.mean[:, 0]).T @ (draws[:, 1] - dense.mean[:, 1]).conj() / n
        assert np.abs(across[np.ix_(active, active)] / np.outer(std, std)).max() < 0.05


def test_draws_of_a_matrix_have_the_moments_of_the_posterior():
    model = KroneckerSBL().fit(X_MATRIX, Y_MATRIX)
    draws = model.sample_posterior(20_000, random_state=0)
    active = model.support_[0]
    assert_allclose(draws.mean(axis=0), model.coef_, atol=0.04 * model.sigma_diag_.max() ** 0.5)
    assert_allclose(draws.var(axis=0)[active], model.sigma_diag_[active], rtol=0.06)
    assert_array_equal(draws, model.sample_posterior(20_000, random_state=0))


def test_draws_and_error_bars_of_decomposed_coefficients_agree():
    model = KroneckerSBL(solver="decompose").fit(FACTORS, Y)
    draws = model.sample_posterior(20_000, random_state=0)
    std = np.sqrt(model.sigma_diag_)
    assert_allclose(draws.mean(axis=0), model.coef_, atol=0.05 * std.max())
    assert_allclose(draws.std(axis=0), std, atol=0.05 * std.max())
    mean, spread = model.predict(FACTORS, return_std=True)
    signal = draws @ kron(FACTORS).T
    assert_allclose(signal.mean(axis=0), mean, atol=0.05 * signal.std(axis=0).max())
    noisy = np.sqrt(signal.var(axis=0) + model.noise_variance_)
    assert_allclose(noisy, spread, rtol=0.05)


def test_error_bars_cover():
    """Half of all predictions are within 0.67 standard deviations of new measurements."""
    hits = []
    for seed in range(2, 8):
        factors, y, truth = make_kronecker_sparse(random_state=seed)
        model = KroneckerSBL(random_state=0).fit(factors, y)
        rng = np.random.default_rng(seed)
        rows = tuple(random_factors(rng, (6, 6, 6), (15, 15, 15), False))
        mean, std = model.predict(rows, return_std=True)
        noise = np.sqrt(truth.noise_variance) * rng.standard_normal(mean.size)
        hits.append(np.abs(kron(rows) @ truth.coef + noise - mean) < 0.6745 * std)
    assert 0.42 < np.mean(hits) < 0.58


# Scores


@both_kinds
def test_score_is_r_squared(is_complex):
    factors, y, _ = problem(is_complex, 2)
    model = KroneckerSBL(random_state=0).fit(factors, y)
    missed = np.sum(np.abs(y - model.predict(factors)) ** 2, axis=0)
    spread = np.sum(np.abs(y - y.mean(axis=0)) ** 2, axis=0)
    assert model.score(factors, y) == pytest.approx(np.mean(1 - missed / spread))
    if not is_complex:
        weight = np.random.default_rng(0).uniform(size=len(y))
        expected = r2_score(y, model.predict(factors), sample_weight=weight)
        assert model.score(factors, y, weight) == pytest.approx(expected)
        tensor = y.reshape(4, 5, 3, 2)
        assert model.score(factors, tensor) == pytest.approx(model.score(factors, y))


def test_score_beside_factors_is_that_of_columns():
    y = Y.reshape(4, 15)
    model = KroneckerSBL(FACTORS[1:], random_state=0).fit(FACTORS[0], y)
    expected = r2_score(y, model.predict(FACTORS[0]))
    assert model.score(FACTORS[0], y) == pytest.approx(expected)
    assert isinstance(model.score(FACTORS[0], y), float)
    constant = np.ones((4, 15))
    assert model.score(FACTORS[0], constant) == r2_score(constant, model.predict(FACTORS[0]))


def test_errors_and_rates_of_coefficients():
    x, x_true = np.array([1.0, 0, 2, 1e-4]), np.array([1.0, 1, 0, 0])
    assert KroneckerSBL.nmse(x, x_true) == pytest.approx((1 + 4 + 1e-8) / 2)
    assert KroneckerSBL.nmse(1j * x_true, x_true) == pytest.approx(2)
    assert KroneckerSBL.support_recovery_rate(x, x_true) == 1 / 3
    assert KroneckerSBL.support_recovery_rate(x, x_true, delta=1e-5) == 1 / 4
    assert KroneckerSBL.support_recovery_rate(x_true, x_true) == 1


# Engines


@pytest.mark.parametrize("solver", ["svd", "am", "mm", "decompose"])
@both_kinds
def test_engines_agree(solver, is_complex, engine):
    factors, y, rows = problem(is_complex)
    rule = {"solver": solver, "fit_intercept": solver != "decompose", "max_iter": 20}
    expected = KroneckerSBL(backend="numpy", **rule).fit(factors, y)
    model = KroneckerSBL(backend=engine, **rule).fit(factors, y)
    assert isinstance(model.coef_, np.ndarray)
    assert_allclose(model.coef_, expected.coef_, atol=1e-8 * np.abs(expected.coef_).max())
    for found, wanted in zip(
        model.predict(rows, return_std=True), expected.predict(rows, return_std=True), strict=True
    ):
        assert_allclose(found, wanted, rtol=1e-7, atol=1e-8)
    draws = expected.sample_posterior(2, random_state=0)
    assert_allclose(model.sample_posterior(2, random_state=0), draws, rtol=1e-6, atol=1e-8)


@pytest.mark.usefixtures("simulated_gpu")
@pytest.mark.parametrize("rule", [{}, {"coupling": (0.5, None, 0.5)}, {"solver": "decompose"}])
def test_nothing_on_a_gpu_is_touched_from_the_host(rule):
    factors, y, rows = problem(True)
    expected = KroneckerSBL(random_state=0, **rule).fit(factors, y)
    model = KroneckerSBL(backend="cupy", random_state=0, **rule).fit(factors, y)
    assert_allclose(model.coef_, expected.coef_, atol=1e-8 * np.abs(expected.coef_).max())
    assert_allclose(model.predict(rows), expected.predict(rows), rtol=1e-7)
    assert_allclose(model.predict(rows, return_std=True)[1], expected.predict(rows, True)[1])
    model.sample_posterior(2)
    assert model.score(factors, y) == pytest.approx(expected.score(factors, y))
    pickle.dumps(model)


@pytest.mark.parametrize("library", ["array_api_strict", "torch"])
def test_factors_of_another_library_give_results_of_it(library):
    xp = pytest.importorskip(library)
    try:
        with config_context(array_api_dispatch=True):
            factors = tuple(xp.asarray(factor) for factor in FACTORS)
            model = KroneckerSBL(random_state=0).fit(factors, xp.asarray(Y))
            mean, std = model.predict(factors, return_std=True)
            arrays = [model.coef_, model.coef_tensor_, model.sigma_diag_, mean, std]
            arrays += [model.sample_posterior(1), *model.gamma_, *model.support_]
            assert {type(a) for a in arrays} == {type(factors[0])}
            with pytest.raises(ValueError, match="must use the same namespace"):
                model.predict(FACTORS)
            beside = KroneckerSBL(FACTORS[1:], random_state=0).fit(factors[0], Y.reshape(4, 15))
            assert type(beside.coef_) is type(factors[0])
    except RuntimeError as error:
        pytest.skip(str(error))
    expected = KroneckerSBL(random_state=0).fit(FACTORS, Y)
    size = np.abs(expected.coef_).max()
    assert_allclose(to_numpy(model.coef_), expected.coef_, atol=1e-8 * size)


# Memory


def test_nothing_of_the_size_of_the_product_is_made():
    rng = np.random.default_rng(0)
    factors = tuple(rng.standard_normal((32, 64)) for _ in range(3))
    y = rng.standard_normal(32**3)
    KroneckerSBL(max_iter=1).fit(tuple(factor[:2, :3] for factor in factors), y[:8])
    for solver in ("svd", "mm", "am"):
        tracemalloc.start()
        KroneckerSBL(solver=solver, max_iter=2, prune=0.0).fit(factors, y)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # Ten arrays of 64^3 numbers, where the product has 2^33.
        assert peak < 20 * 2**20


# Tools of scikit-learn


def test_grid_search_over_rows():
    y = Y.reshape(4, 15)
    grid = {"solver": ["svd", "mm"], "prune": [None, 1e-3], "coupling": [None]}
    search = GridSearchCV(KroneckerSBL(FACTORS[1:], random_state=0), grid, cv=2).fit(FACTORS[0], y)
    assert search.best_params_["solver"] in ("svd", "mm")
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    factors, y, _ = make_kronecker_sparse((6, 5), (12, 6), n_nonzero=2, random_state=0)
    scores = cross_val_score(KroneckerSBL(factors[1:]), factors[0], y.reshape(12, 6), cv=3)
    assert scores.min() > 0.9


def test_pipeline_of_a_matrix():
    model = make_pipeline(StandardScaler(), KroneckerSBL()).fit(X_MATRIX, Y_MATRIX)
    assert model.score(X_MATRIX, Y_MATRIX) > 0.95
    beside = make_pipeline(FunctionTransformer(), KroneckerSBL(FACTORS[1:], random_state=0))
    assert beside.fit(FACTORS[0], Y.reshape(4, 15)).predict(FACTORS[0]).shape == (4, 15)


def test_clone_and_pickle():
    model = KroneckerSBL(FACTORS[1:], solver="svd", prune=(0.0, 1e-3, 1e-2))
    copied = clone(model)
    assert copied.get_params()["prune"] == (0.0, 1e-3, 1e-2)
    assert_array_equal(copied.factors[0], FACTORS[1])
    model.fit(FACTORS[0], Y.reshape(4, 15))
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.predict(FACTORS[0]), model.predict(FACTORS[0]))
    samples = (m.sample_posterior(1, random_state=0) for m in (loaded, model))
    assert_array_equal(*samples)


def test_fits_and_draws_are_the_same_each_time():
    rule = {"n_init": 3, "random_state": 7}
    models = [KroneckerSBL(**rule).fit(FACTORS, Y) for _ in range(2)]
    assert_array_equal(models[0].coef_, models[1].coef_)


def test_data_frames_and_names():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X_MATRIX, columns=list("abcdef"))
    model = KroneckerSBL().fit(frame, pandas.Series(Y_MATRIX))
    assert list(model.feature_names_in_) == list("abcdef")
    assert_array_equal(model.coef_, KroneckerSBL().fit(X_MATRIX, Y_MATRIX).coef_)
    rows = pandas.DataFrame(FACTORS[0], columns=list("abcdef"))
    beside = KroneckerSBL(FACTORS[1:], random_state=0).fit(rows, pandas.DataFrame(Y.reshape(4, 15)))
    assert list(beside.feature_names_in_) == list("abcdef")
    assert_array_equal(beside.predict(rows), beside.predict(rows[list("abcdef")]))
    with pytest.raises(ValueError, match="feature names should match"):
        beside.predict(rows[list("bacdef")])
    # Factors have no names, and those of an earlier fit go.
    model.fit(FACTORS, Y)
    assert not hasattr(model, "feature_names_in_")


def test_progress_is_printed_and_seen_by_callbacks(capsys):
    monitor = ScoringMonitor(scoring="r2")
    model = KroneckerSBL(verbose=1, solver="mm").set_callbacks(monitor)
    model.fit(X_MATRIX, Y_MATRIX)
    assert capsys.readouterr().out.count("[KroneckerSBL] iteration") == model.n_iter_
    assert monitor.get_logs()


def test_iterations_of_the_last_start_are_printed(capsys):
    for rule in ({}, {"solver": "svd", "n_init": 3}):
        model = KroneckerSBL(verbose=1, random_state=0, **rule).fit(FACTORS, Y)
        lines = capsys.readouterr().out.splitlines()
        assert lines[-1].startswith(f"[KroneckerSBL] iteration {model.n_iter_}/150")
    # With one iteration allowed, none is spent on the search.
    model = KroneckerSBL(max_iter=1, random_state=0).fit(FACTORS, Y)
    assert model.n_iter_ == 1


def test_several_targets_of_a_matrix_share_their_prior():
    y = np.column_stack([Y_MATRIX, 2 * X_MATRIX[:, 0] - 1])
    model = KroneckerSBL().fit(X_MATRIX, y)
    assert model.coef_.shape == (2, 6)
    assert model.intercept_.shape == (2,)
    assert len(model.gamma_) == 1
    assert_allclose(model.coef_[1], [2, 0, 0, 0, 0, 0], atol=0.05)
    column = KroneckerSBL().fit(X_MATRIX, Y_MATRIX[:, None])
    assert column.coef_.shape == (1, 6)
    assert_array_equal(column.coef_[0], KroneckerSBL().fit(X_MATRIX, Y_MATRIX).coef_)
