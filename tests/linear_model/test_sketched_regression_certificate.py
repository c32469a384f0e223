"""What a fit says about itself: certificates, leverages, distortions, condition numbers."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.exceptions import ConvergenceWarning

from skmatrix._backend import get_backend
from skmatrix.datasets import make_tall_regression
from skmatrix.linear_model import SketchedRegression
from skmatrix.linear_model import _sketched_regression_solvers as solvers
from skmatrix.linear_model._sketched_regression_rows import DenseRows, LocalRows
from skmatrix.linear_model._sketched_regression_triangle import Layout
from skmatrix.random_projection import SketchOperator
from tests.linear_model.reference import EXACT, fitted, leverages, solve

every_way = pytest.mark.parametrize("way", EXACT)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2500, 6)) * np.geomspace(0.1, 10, 6) + 2
    Y = X @ rng.standard_normal((6, 2)) + rng.standard_normal((2500, 2)) * [1, 10]
    return X, Y, rng.uniform(0, 2, 2500)


def prediction_error(model, X, Y, weight, alpha=0.0):
    """``|X (coef - exact coef)|`` over the weighted rows, intercept included."""
    coef, intercept = solve(X, Y, weight, alpha)
    change = model.predict(X) - (X @ coef.T + intercept)
    return np.linalg.norm(np.sqrt(weight)[:, None] * change, axis=0)


# The bound, on answers that are off by a known amount


@pytest.mark.parametrize("alpha", [0.0, 30.0])
@pytest.mark.parametrize("size", [1e-6, 1.0])
def test_bound_is_the_error_where_the_whitener_is_exact(size, alpha, data):
    X, Y, _ = data
    rows = LocalRows(DenseRows(get_backend("numpy", X), X, Y, None, Layout(True, 6, 2)))
    rules = solvers.Rules(alpha, 1e-13, None, 0, 0, 0, False)
    exact = solvers.solve_triangle(rows.triangle(), rows.layout, rules)
    change = size * np.random.default_rng(1).standard_normal((7, 2))
    moved = solvers.Solution(**{**vars(exact), "parameters": exact.parameters + change})
    found = solvers.certify(rows, moved, alpha, 0.01)
    T = np.column_stack([np.ones(2500), X])
    error = np.linalg.norm(T @ change, axis=0)
    if alpha == 0:
        assert_allclose(found["prediction_error_bound"], error, rtol=1e-6)
        assert_allclose(found["prediction_error_lower_bound"], error, rtol=1e-6)
        best, got = (np.sum((Y - T @ s.parameters) ** 2, axis=0) for s in (exact, moved))
        assert_allclose(
            found["relative_suboptimality_bound"], got / best - 1, rtol=1e-5, atol=1e-12
        )
    else:
        # The penalty is a part of what is bounded.
        penalised = np.sqrt(error**2 + alpha * np.sum(change[1:] ** 2, axis=0))
        assert_allclose(found["prediction_error_bound"], penalised, rtol=1e-6)
    assert_allclose(found["coef_correction"], -change[1:], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("alpha", [0.0, 30.0])
@pytest.mark.parametrize("sketch", ["srht", "gaussian", "sparse_sign"])
def test_bounds_of_a_sketched_answer_hold(sketch, alpha, data):
    X, Y, weight = data
    missed = 0
    for seed in range(40):
        model = SketchedRegression(
            solver="sketch", sketch=sketch, sketch_size=200, certify=True, delta=0.1, alpha=alpha,
            random_state=seed,
        ).fit(X, Y, weight)  # fmt: skip
        certificate = model.certificate()
        error = prediction_error(model, X, Y, weight, alpha)
        if alpha == 0:
            missed += np.sum(error < certificate["prediction_error_lower_bound"])
        missed += np.sum(error > certificate["prediction_error_bound"])
    assert not certificate["rigorous"]
    assert missed <= 8
    # And they are of some use.
    assert np.all(certificate["prediction_error_bound"] < 3 * error + 1e-12)


def test_correction_brings_a_sketched_answer_nearer(data):
    X, Y, weight = data
    model = SketchedRegression(solver="sketch", sketch_size=400, certify=True, random_state=0)
    certificate = model.fit(X, Y, weight).certificate()
    coef, _ = solve(X, Y, weight)
    before = np.abs(model.coef_ - coef).max(axis=1)
    after = np.abs(model.coef_ + certificate["coef_correction"] - coef).max(axis=1)
    assert np.all(after < 0.35 * before)
    assert certificate["coef_correction"].shape == (2, 6)
    assert certificate["relative_suboptimality_bound"].shape == (2,)


@pytest.mark.parametrize("way", ["direct", "lapack", "iterative"])
def test_certificate_of_an_exact_answer(way, data):
    X, Y, weight = data
    model = fitted(way, X, Y[:, 0], weight, certify=True)
    certificate = model.certificate()
    assert certificate["rigorous"] is (way != "iterative")
    assert certificate["prediction_error_bound"] < 1e-11 * np.linalg.norm(Y[:, 0])
    assert certificate["relative_suboptimality_bound"] < 1e-20
    assert certificate["distortion"] == model.effective_distortion_
    assert certificate["condition"] == model.condition_
    assert isinstance(certificate["prediction_error_bound"], float)
    certificate["distortion"] = None
    assert model.certificate()["distortion"] is not None


def test_certificate_of_unfinished_steps_holds(data):
    X, Y, weight = data
    for max_iter in (1, 2, 4):
        with pytest.warns(ConvergenceWarning):
            model = fitted("iterative", X, Y, weight, max_iter=max_iter, certify=True)
        certificate, error = model.certificate(), prediction_error(model, X, Y, weight)
        assert np.all(certificate["prediction_error_lower_bound"] <= error)
        assert np.all(error <= certificate["prediction_error_bound"])
        assert np.all(certificate["prediction_error_bound"] < 4 * error)


def test_certificate_of_targets_with_penalties_of_their_own(data):
    X, Y, weight = data
    options = {"solver": "sketch", "sketch_size": 200, "certify": True, "random_state": 0}
    both = SketchedRegression(alpha=[1.0, 50.0], **options).fit(X, Y, weight).certificate()
    for t, alpha in enumerate((1.0, 50.0)):
        one = SketchedRegression(alpha=alpha, **options).fit(X, Y[:, t], weight).certificate()
        for name in ("prediction_error_bound", "relative_suboptimality_bound", "coef_correction"):
            assert_allclose(both[name][t], one[name], rtol=1e-9)


def test_certificate_has_to_be_asked_for(data):
    X, Y, _ = data
    message = r"There is no certificate.*Fit with certify=True, and by fit rather than partial_fit"
    with pytest.raises(ValueError, match=message):
        fitted("direct", X, Y).certificate()
    with pytest.raises(ValueError, match=message):
        SketchedRegression(certify=True).partial_fit(X, Y).certificate()


def test_certificate_without_full_rank(data):
    X, Y, weight = data
    twice = np.column_stack([X, X[:, :2]])
    model = SketchedRegression(solver="sketch", sketch_size=200, certify=True, random_state=0)
    certificate = model.fit(twice, Y, weight).certificate()
    error = prediction_error(model, twice, Y, weight)
    assert model.rank_ == 6
    assert np.all(certificate["prediction_error_lower_bound"] <= error)
    assert np.all(error <= certificate["prediction_error_bound"])


# Leverages


@pytest.mark.parametrize("way", ["direct", "lapack", "stream"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 100.0])
def test_leverages_are_those_of_the_hat_matrix(way, fit_intercept, alpha, data):
    X, Y, weight = data
    model = fitted(way, X, Y, fit_intercept=fit_intercept, alpha=alpha)
    found = model.leverage_scores(X)
    assert_allclose(found, leverages(X, None, alpha, fit_intercept), rtol=1e-9)
    if alpha == 0:
        assert found.sum() == pytest.approx(model.rank_ + fit_intercept, rel=1e-12)
    assert_allclose(model.leverage_scores(sp.csr_array(X)), found, rtol=1e-10)
    weighted = fitted(way, X, Y, weight, fit_intercept=fit_intercept, alpha=alpha)
    expected = leverages(X, weight, alpha, fit_intercept)
    assert_allclose(weighted.leverage_scores(X), expected, rtol=1e-9)


@pytest.mark.parametrize("way", ["direct", "lapack", "stream"])
def test_leverages_without_full_rank(way, data):
    X, Y, _ = data
    twice = np.column_stack([X, X[:, 0] - X[:, 1], np.ones(2500)])
    model = fitted(way, twice, Y)
    found = model.leverage_scores(twice)
    assert_allclose(found, leverages(X), rtol=1e-8)
    assert found.sum() == pytest.approx(7, rel=1e-10)


@pytest.mark.parametrize(("n", "d"), [(6, 9), (1, 1)])
def test_leverages_of_few_rows_are_one(n, d):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
    assert_allclose(SketchedRegression().fit(X, y).leverage_scores(X), 1, rtol=1e-12)


def whitened_values(sketch, m, X):
    """Singular values of the rows after whitening by their sketch."""
    S = SketchOperator(sketch, m, len(X), random_state=0)
    U, _ = np.linalg.qr(np.column_stack([np.ones(len(X)), X]))
    return 1 / np.linalg.svd(S @ U, compute_uv=False)


@pytest.mark.parametrize("sketch", ["srht", "gaussian", "sparse_sign"])
def test_leverages_of_a_sketch_are_within_its_distortion(sketch, data):
    X, Y, _ = data
    model = SketchedRegression(solver="sketch", sketch=sketch, sketch_size=300, random_state=0)
    ratio = model.fit(X, Y).leverage_scores(X) / leverages(X)
    values = whitened_values(sketch, 300, X)
    assert values.min() ** 2 <= ratio.min() * (1 + 1e-10)
    assert ratio.max() <= values.max() ** 2 * (1 + 1e-10)
    assert model.leverage_scores(X).sum() == pytest.approx(7, rel=0.3)


def test_leverages_keep_float32_and_refuse_what_predict_refuses(data):
    X, Y, _ = (a.astype(np.float32) for a in data)
    model = fitted("direct", X, Y)
    assert model.leverage_scores(X).dtype == np.float32
    assert_allclose(model.leverage_scores(X), leverages(X.astype(np.float64)), rtol=1e-3)
    with pytest.raises(ValueError, match="X has 5 features, but SketchedRegression is expecting 6"):
        model.leverage_scores(X[:, :5])


# The sketch, and the condition of the data


@pytest.mark.parametrize("sketch", ["srht", "gaussian", "sparse_sign"])
@pytest.mark.parametrize("condition", [1.0, 1e8])
def test_spectrum_of_the_preconditioned_rows_is_measured(sketch, condition):
    X, y, _ = make_tall_regression(3000, 20, condition=condition, random_state=0)
    model = fitted("direct", X, y, sketch=sketch, sketch_size=400, certify=True)
    values = whitened_values(sketch, 400, X)
    assert_allclose(np.sort(model.preconditioned_singular_values_), np.sort(values), rtol=1e-6)
    distortion = max(np.max(1 / values) - 1, 1 - np.min(1 / values))
    assert model.effective_distortion_ == pytest.approx(distortion, rel=1e-5)
    # Where random matrices put it: 21 parameters, 400 rows.
    edge = np.sqrt(21 / 400)
    assert values.min() > 0.95 / (1 + edge)
    assert values.max() < 1.08 / (1 - edge)
    assert distortion == pytest.approx(edge, rel=0.3)
    expected = fitted("direct", X, y, sketch=sketch, sketch_size=400)
    assert expected.effective_distortion_ == pytest.approx(edge, rel=1e-12)
    assert expected.preconditioned_singular_values_ is None


def test_distortion_of_the_others(data):
    X, Y, _ = data
    for way in ("lapack", "stream"):
        assert fitted(way, X, Y).effective_distortion_ == 0
    for way in ("iterative", "sketch"):
        model = fitted(way, X, Y, sketch_size=112)
        assert model.effective_distortion_ == pytest.approx(1 / 4)


@every_way
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_condition_number_is_that_of_the_data(way, fit_intercept, data):
    X, Y, weight = data
    model = fitted(way, X, Y, weight, fit_intercept=fit_intercept, sketch_size=500)
    centre = np.average(X, axis=0, weights=weight) if fit_intercept else 0
    condition = np.linalg.cond(np.sqrt(weight)[:, None] * (X - centre))
    sketched = way in ("direct", "iterative")
    assert model.condition_ == pytest.approx(condition, rel=0.25 if sketched else 1e-10)
