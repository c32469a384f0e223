"""SketchedRegression where levels are high, batches fail, targets are many."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.linear_model import LinearRegression

from skmatrix._backend import get_backend
from skmatrix.datasets import make_tall_regression
from skmatrix.linear_model import SketchedRegression
from skmatrix.linear_model import _sketched_regression_stream as streams
from skmatrix.linear_model._sketched_regression_kernels import row_gradient
from skmatrix.linear_model._sketched_regression_triangle import triangularise, update_triangle


def make_levelled(level, n=9000):
    """Rows of which the first 64 do not count and do not tell the level of the first feature."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(n)
    X[:, 0] += level
    X[:64] = 0
    return X, y


@pytest.mark.parametrize("level", [1e6, 1e8])
@pytest.mark.parametrize("form", ["tiny weights", "sparse"])
def test_high_levels_cost_no_digits_where_they_are_not_taken_out(level, form):
    X, y = make_levelled(level)
    expected = LinearRegression(tol=1e-15).fit(X[64:], y[64:]).coef_
    weight = np.ones(len(y))
    weight[:64] = 1e-30 if form == "tiny weights" else 0
    data = sp.csr_array(X) if form == "sparse" else X
    model = SketchedRegression(solver="direct", random_state=0).fit(data, y, weight)
    # The data themselves are known to this share of the level.
    np.testing.assert_allclose(model.coef_, expected, atol=1e-17 * level + 1e-12)


@pytest.mark.parametrize("solver", ["auto", "sketch"])
def test_interrupted_batch_leaves_the_stream_as_it_was(solver, monkeypatch):
    X, y, _ = make_tall_regression(12_000, 4, random_state=0)
    whole = SketchedRegression(solver=solver, random_state=0).partial_fit(X[:1000], y[:1000])
    broken = SketchedRegression(solver=solver, random_state=0).partial_fit(X[:1000], y[:1000])
    whole.partial_fit(X[1000:], y[1000:])

    merge, calls = streams._Blocks.add, []

    def interrupted(self, rows):
        for block in merge(self, rows):
            yield block
            calls.append(1)
            if len(calls) == 2:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(streams._Blocks, "add", interrupted)
        with pytest.raises(KeyboardInterrupt):
            broken.partial_fit(X[1000:], y[1000:])
    assert broken.n_samples_seen_ == 1000
    broken.partial_fit(X[1000:], y[1000:])
    np.testing.assert_array_equal(broken.coef_, whole.coef_)


@pytest.mark.parametrize("solver", ["auto", "sketch"])
def test_batch_that_overflows_is_refused_and_forgotten(solver):
    X, y, _ = make_tall_regression(6000, 4, random_state=0)
    model = SketchedRegression(solver=solver, sketch_size=50, random_state=0).partial_fit(X, y)
    expected = model.coef_.copy()
    with (
        np.errstate(over="ignore", invalid="ignore"),
        pytest.raises(ValueError, match="so large that sums overflow"),
    ):
        model.partial_fit(np.full((5000, 4), 1.7e308), np.ones(5000))
    np.testing.assert_array_equal(model.coef_, expected)
    assert model.n_samples_seen_ == 6000


def test_batch_without_weight_changes_nothing():
    X, y, _ = make_tall_regression(3000, 4, random_state=0)
    model = SketchedRegression().partial_fit(X, y)
    expected = model.coef_.copy()
    model.partial_fit(X[:1], y[:1] + 1, [0.0])
    np.testing.assert_allclose(model.coef_, expected, rtol=1e-13)


def test_stream_without_any_weight_cannot_be_solved():
    model = SketchedRegression().partial_fit([[1.0], [2.0]], [1.0, 2.0], [0.0, 0.0])
    with pytest.raises(ValueError, match="All sample weights so far are zero"):
        model.predict([[1.0]])


def test_stream_is_solved_with_the_parameters_of_its_last_batch():
    X, y, _ = make_tall_regression(3000, 4, random_state=0)
    seen = SketchedRegression().partial_fit(X, y)
    unseen = SketchedRegression().partial_fit(X, y)
    expected = seen.coef_.copy()
    np.testing.assert_array_equal(unseen.set_params(alpha=1e6).coef_, expected)


@pytest.mark.parametrize("solver", ["direct", "lapack", "stream", "iterative"])
def test_many_targets(solver):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((6000, 3))
    Y = X @ rng.standard_normal((3, 40)) + rng.standard_normal((6000, 40))
    if solver == "stream":
        model = SketchedRegression().partial_fit(X[:2500], Y[:2500]).partial_fit(X[2500:], Y[2500:])
    else:
        model = SketchedRegression(solver=solver, random_state=0).fit(X, Y)
    reference = LinearRegression().fit(X, Y)
    np.testing.assert_allclose(model.coef_, reference.coef_, rtol=1e-10, atol=1e-12)
    left = np.linalg.norm(Y - reference.predict(X), axis=0)
    np.testing.assert_allclose(model.residual_norm_, left, rtol=1e-10)


@pytest.mark.parametrize("n_targets", [1, 3, 40])
def test_triangle_keeps_all_products(n_targets):
    rng = np.random.default_rng(0)
    M = rng.standard_normal((3000, 5 + n_targets))
    whole = triangularise(M, 5)
    cut = update_triangle(triangularise(M[:1000], 5), M[1000:], 5)
    for triangle in (whole, cut):
        assert triangle.shape == (6, 5 + n_targets)
        np.testing.assert_allclose(triangle.T[:5] @ triangle, M.T[:5] @ M, rtol=1e-11, atol=1e-10)
        np.testing.assert_allclose(np.linalg.norm(triangle, axis=0), np.linalg.norm(M, axis=0))


def test_certificate_of_a_sparse_sketch_warns():
    X, y, _ = make_tall_regression(20_000, 5, random_state=0)
    model = SketchedRegression(
        solver="sketch", sketch="countsketch", sketch_size=200, certify=True, random_state=0
    ).fit(X, y)
    with pytest.warns(UserWarning, match="too sparse for bounds"):
        model.certificate()


def test_suboptimality_bound_is_about_the_penalised_objective():
    X, y, _ = make_tall_regression(20_000, 10, residual_norm=3.0, random_state=0)
    settings = {"alpha": 0.5, "fit_intercept": False, "random_state": 0}
    exact = SketchedRegression(**settings).fit(X, y)
    model = SketchedRegression(solver="sketch", sketch_size=200, certify=True, **settings).fit(X, y)

    def objective(coef):
        return np.sum((y - X @ coef) ** 2) + 0.5 * np.sum(coef**2)

    excess = objective(model.coef_) / objective(exact.coef_) - 1
    bound = model.certificate()["relative_suboptimality_bound"]
    assert excess <= bound < 100 * excess


def test_leverage_in_blocks_is_that_in_one_piece(monkeypatch):
    X, y, _ = make_tall_regression(5000, 4, random_state=0)
    model = SketchedRegression(random_state=0).fit(X, y)
    expected = model.leverage_scores(X)
    monkeypatch.setattr("skmatrix.linear_model._sketched_regression._LEVERAGE_ROWS", 777)
    np.testing.assert_allclose(model.leverage_scores(X), expected, rtol=1e-13)
    np.testing.assert_allclose(model.leverage_scores(sp.csr_array(X)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "settings", [{"eps": 1e-200}, {"sketch_size": ("suboptimality", 1e-320)}], ids=str
)
def test_accuracy_out_of_reach_makes_for_an_exact_answer(settings):
    X, y, coef = make_tall_regression(5000, 4, random_state=0)
    model = SketchedRegression(solver="sketch", fit_intercept=False, **settings)
    with pytest.warns(UserWarning, match="is not shorter than"):
        model.fit(X, y)
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": ["abc"]}, "alpha must be a number or have one per target"),
        ({"sketch_size": ("suboptimality", True)}, "sketch_size must be"),
    ],
)
def test_nonsense_is_named(settings, message):
    X, y, _ = make_tall_regression(5000, 4, random_state=0)
    with pytest.raises(ValueError, match=message):
        SketchedRegression(solver="sketch", **settings).fit(X, y)


def test_high_levels_cost_no_digits_on_dask():
    dask = pytest.importorskip("dask")
    import dask.array as da

    X, y = make_levelled(1e8)
    expected = LinearRegression(tol=1e-15).fit(X[64:], y[64:]).coef_
    weight = np.ones(len(y))
    weight[:64] = 0
    with dask.config.set(scheduler="synchronous"):
        model = SketchedRegression(random_state=0)
        model.fit(da.from_array(X, chunks=(2000, 3)), y, weight)
    np.testing.assert_allclose(model.coef_, expected, atol=1e-9)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("size", "factor"), [(1e-300, 1e9), (1e300, 1e-20)])
def test_gradient_has_no_product_of_units_and_weights(order, size, factor):
    """Such a product would leave the range of numbers where the rows do not."""
    rng = np.random.default_rng(0)
    values = np.asarray(size * rng.standard_normal((40, 9)), order=order)
    unit = np.full(9, 2.0 ** -np.round(np.log2(size)))
    arrays = (
        values, rng.standard_normal((40, 1)), size * rng.standard_normal(9), unit,
        np.full(40, factor), rng.standard_normal((10, 1)),
    )  # fmt: skip
    expected = row_gradient(get_backend("numpy", values), *arrays, intercept=True)
    found = row_gradient(get_backend("numba", values), *arrays, intercept=True)
    for ours, theirs in zip(found, expected, strict=True):
        assert_allclose(ours, theirs, rtol=1e-10)
