"""Batches: the same answer for any way of cutting the rows, and what a stream refuses."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import Ridge

from skmatrix.datasets import make_tall_regression
from skmatrix.linear_model import SketchedRegression
from skmatrix.linear_model import _sketched_regression_stream as stream_module
from tests.linear_model.reference import backward_error, fitted, solve

SKETCHES = ("srht", "gaussian", "sparse_sign", "countsketch")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 5)) * np.geomspace(0.1, 10, 5) + 100
    Y = X @ rng.standard_normal((5, 2)) + rng.standard_normal((20_000, 2)) * [1, 10] + 1000
    return X, Y, rng.uniform(0, 2, 20_000)


def sketch(kind="srht", m=300, **parameters):
    return SketchedRegression(
        solver="sketch", sketch=kind, **{"sketch_size": m, "random_state": 0, **parameters}
    )


def streamed(model, cuts, X, y, weight=None):
    """The model after the batches between the cuts."""
    for part in np.split(np.arange(len(y)), cuts):
        model.partial_fit(X[part], y[part], None if weight is None else weight[part])
    return model


def assert_same_bits(one, other):
    for name in ("coef_", "intercept_", "residual_norm_", "coef_sketch_std_", "linf_error_bound_"):
        assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.condition_ == other.condition_
    assert one.n_samples_seen_ == other.n_samples_seen_


# Blocks of 2,048 rows and groups of 16,384, single rows, and ends that meet neither.
CUTS = [
    [64],
    [64, 65, 66, 100, 19_999],
    [2048, 16_384],
    [2047, 2049, 4095, 16_383, 16_385],
    np.arange(1000, 20_000, 1000),
]


@pytest.mark.parametrize("cuts", CUTS, ids=len)
@pytest.mark.parametrize("kind", SKETCHES)
def test_sketch_of_batches_is_that_of_all_rows_to_the_last_bit(kind, cuts, data):
    X, Y, weight = data
    whole = sketch(kind).fit(X, Y, weight)
    parts = streamed(sketch(kind), cuts, X, Y, weight)
    assert (parts.solver_, parts.sketch_, parts.sketch_size_) == ("sketch", kind, 300)
    assert_same_bits(parts, whole)


def test_sketch_in_blocks_longer_than_a_group(data, monkeypatch):
    X, Y, _ = data
    whole = sketch(m=2500).fit(X, Y)
    assert_same_bits(streamed(sketch(m=2500), [100, 9000, 9001], X, Y), whole)


@pytest.mark.parametrize("cuts", CUTS, ids=len)
def test_triangle_of_batches_is_the_same_for_all_cuts(cuts, data):
    X, Y, weight = data
    whole = SketchedRegression().partial_fit(X, Y, weight)
    parts = streamed(SketchedRegression(), cuts, X, Y, weight)
    assert parts.solver_ == "stream"
    assert_same_bits(parts, whole)
    fit = SketchedRegression(random_state=0).fit(X, Y, weight)
    assert fit.solver_ == "direct"
    for name in ("coef_", "intercept_", "residual_norm_"):
        assert_allclose(getattr(parts, name), getattr(fit, name), rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("form", [sp.csr_array, sp.csr_matrix])
@pytest.mark.parametrize("solver", ["auto", "sketch"])
def test_sparse_batches(solver, form, data):
    _, Y, weight = data
    S = form(sp.random_array((20_000, 8), density=0.2, random_state=np.random.default_rng(0)))
    model = SketchedRegression(solver=solver, sketch="sparse_sign", random_state=0)
    whole = clone(model).fit(S, Y, weight)
    parts = streamed(clone(model), [64, 3000, 15_000], S, Y, weight)
    assert_allclose(parts.coef_, whole.coef_, rtol=1e-11, atol=1e-11)
    # Dense and sparse batches in one stream.
    mixed = clone(model).partial_fit(S[:5000], Y[:5000], weight[:5000])
    mixed.partial_fit(S[5000:].toarray(), Y[5000:], weight[5000:])
    assert_allclose(mixed.coef_, whole.coef_, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("condition", [1e3, 1e8, 1e13])
def test_stream_is_exact_whatever_the_condition(condition):
    X, y, _ = make_tall_regression(9000, 20, condition=condition, random_state=0)
    options = {"fit_intercept": False, "rank_tol": 0}
    model = streamed(SketchedRegression(**options), range(100, 9000, 700), X, y)
    assert backward_error(X, y, model.coef_) < 1e-15


def test_stream_follows_rows_that_change_their_size():
    """Rows that are not like those before them go by way of reflections."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((12_000, 4)) * np.repeat([1e-6, 1.0, 1e6], 4000)[:, None]
    X[:4000, 3] = X[:4000, 2]
    y = X @ [1, 2, 3, 4] + rng.standard_normal(12_000)
    model = streamed(SketchedRegression(fit_intercept=False), [100, 5000], X, y)
    assert backward_error(X, y, model.coef_) < 1e-15
    assert_allclose(model.coef_, solve(X, y, fit_intercept=False)[0], rtol=1e-9)


def test_answer_is_that_of_the_rows_so_far(data):
    X, Y, _ = data
    model = SketchedRegression()
    for end in (1, 2, 5, 40, 3000, 3001):
        begin = getattr(model, "n_samples_seen_", 0)
        model.partial_fit(X[begin:end], Y[begin:end])
        assert model.n_samples_seen_ == end
        coef, intercept = solve(X[:end], Y[:end])
        assert_allclose(model.coef_, coef, rtol=1e-8, atol=1e-9)
        assert_allclose(model.intercept_, intercept, rtol=1e-8)
        assert model.rank_ == min(end - 1, 5)


def test_sketch_of_few_rows_is_these_rows(data):
    X, Y, _ = data
    model = sketch()
    model.partial_fit(X[:200], Y[:200])
    assert (model.solver_, model.sketch_) == ("stream", None)
    assert model.coef_sketch_std_ is None
    assert_allclose(model.coef_, solve(X[:200], Y[:200])[0], rtol=1e-10)
    model.partial_fit(X[200:2000], Y[200:2000])
    assert (model.solver_, model.sketch_) == ("sketch", "srht")
    assert_array_equal(model.coef_, sketch().fit(X[:2000], Y[:2000]).coef_)


def test_solution_is_found_when_it_is_asked_for(data, monkeypatch):
    X, Y, _ = data
    asked = []
    solve_triangle = stream_module.TriangleStream.current

    def counted(self, be):
        asked.append(1)
        return solve_triangle(self, be)

    monkeypatch.setattr(stream_module.TriangleStream, "current", counted)
    model = SketchedRegression().partial_fit(X[:100], Y[:100]).partial_fit(X[100:200], Y[100:200])
    assert (asked, model.n_features_in_, model.n_samples_seen_) == ([], 5, 200)
    model.coef_, model.intercept_, model.rank_, model.predict(X), model.leverage_scores(X)
    assert len(asked) == 1
    model.partial_fit(X[200:300], Y[200:300]).predict(X)
    assert len(asked) == 2
    assert not hasattr(model, "colour_")
    assert not hasattr(SketchedRegression(), "coef_")


def test_penalty_may_change_between_batches(data):
    X, Y, _ = data
    model = SketchedRegression(alpha=5.0).partial_fit(X[:2000], Y[:2000])
    assert_allclose(model.coef_, Ridge(5, solver="svd").fit(X[:2000], Y[:2000]).coef_, rtol=1e-9)
    model.set_params(alpha=700.0).partial_fit(X[2000:], Y[2000:])
    assert_allclose(model.coef_, Ridge(700, solver="svd").fit(X, Y).coef_, rtol=1e-9)
    model.set_params(alpha=[0.0, 700.0]).partial_fit(X[:1], Y[:1], [1e-30])
    assert_allclose(model.coef_[0], solve(X, Y[:, 0])[0], rtol=1e-9)
    assert_allclose(model.coef_[1], solve(X, Y[:, 1], alpha=700)[0], rtol=1e-9)
    several = sketch(alpha=[1.0, 20.0]).partial_fit(X, Y)
    assert_array_equal(several.coef_, sketch(alpha=[1.0, 20.0]).fit(X, Y).coef_)


@pytest.mark.parametrize("way", ["direct", "lapack"])
@pytest.mark.parametrize("n_targets", [1, 2])
def test_fit_is_continued_by_batches(way, n_targets, data):
    X, Y, weight = data
    y = Y[:, 0] if n_targets == 1 else Y
    model = fitted(way, X[:12_000], y[:12_000], weight[:12_000])
    model.partial_fit(X[12_000:], y[12_000:], weight[12_000:])
    coef, intercept = solve(X, y, weight)
    assert (model.solver_, model.n_samples_seen_) == ("stream", 20_000)
    assert_allclose(model.coef_, coef, rtol=1e-10)
    assert_allclose(model.intercept_, intercept, rtol=1e-10)
    residual = np.sqrt(weight if n_targets == 1 else weight[:, None]) * (y - model.predict(X))
    assert_allclose(model.residual_norm_, np.linalg.norm(residual, axis=0), rtol=1e-10)


def test_fit_of_few_rows_with_a_penalty_is_continued(data):
    X, Y, _ = data
    model = SketchedRegression(alpha=3.0).fit(X[:3], Y[:3]).partial_fit(X[3:3000], Y[3:3000])
    assert_allclose(model.coef_, solve(X[:3000], Y[:3000], alpha=3.0)[0], rtol=1e-10)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"solver": "sketch"}, "sketch"),
        ({"solver": "iterative"}, "iterative"),
        ({"solver": "direct", "alpha": 1.0}, "direct"),
        ({"solver": "lapack", "alpha": (1.0, 2.0)}, "lapack"),
    ],
)
def test_fit_that_kept_nothing_cannot_be_continued(parameters, name, data):
    X, Y, _ = data
    model = SketchedRegression(random_state=0, **parameters).fit(X, Y)
    before = model.coef_.copy()
    with pytest.raises(ValueError, match=f"A fit with solver_='{name}' keeps nothing"):
        model.partial_fit(X, Y)
    assert_array_equal(model.coef_, before)
    assert model.n_samples_seen_ == 20_000


def test_fit_begins_anew(data):
    X, Y, _ = data
    model = SketchedRegression().partial_fit(X[:100], Y[:100] + 5)
    model.fit(X[:3000], Y[:3000])
    assert_allclose(model.coef_, solve(X[:3000], Y[:3000])[0], rtol=1e-10)
    assert model.n_samples_seen_ == 3000
    model.set_params(solver="sketch", sketch_size=300).fit(X, Y)
    assert "_stream" not in vars(model)


@pytest.mark.parametrize("solver", ["auto", "sketch"])
def test_stream_survives_a_pickle_to_the_last_bit(solver, data):
    X, Y, weight = data
    batches = [slice(0, 3000), slice(3000, 5001), slice(5001, 20_000)]
    whole = SketchedRegression(solver=solver, random_state=0)
    model = clone(whole)
    for batch in batches:
        whole.partial_fit(X[batch], Y[batch], weight[batch])
        model = pickle.loads(pickle.dumps(model.partial_fit(X[batch], Y[batch], weight[batch])))
    assert_same_bits(model, whole)
    fresh = clone(model)
    assert not vars(fresh).keys() & {"coef_", "_stream", "_origin", "n_samples_seen_"}
    assert not hasattr(fresh, "coef_")


def test_pickle_of_a_stream_leaves_the_empty_buffer_behind(data):
    X, Y, _ = data
    model = SketchedRegression().partial_fit(X[:10], Y[:10])
    assert len(pickle.dumps(model)) < 10_000


# What does not belong to the stream


def wrong_batches(X, Y):
    pair = r"y has shape .*, but the first batch had a y of shape"
    return {
        "features": (X[:, :4], Y, r"X has 4 features, but SketchedRegression is expecting 5"),
        "targets": (X, Y[:, :1], pair),
        "one target": (X, Y[:, 0], pair),
        "dtype": (X.astype(np.float32), Y, "X has dtype float32, but the first batch had float64"),
        "nan": (np.where(X > 101, np.nan, X), Y, "Input X contains NaN"),
        "inf in y": (X, np.where(Y.max() == Y, np.inf, Y), "Input y contains infinity"),
        "rows": (X, Y[:-1], "inconsistent numbers of samples"),
        "none": (X[:0], Y[:0], r"Found array with 0 sample\(s\)"),
    }


@pytest.mark.parametrize("solver", ["auto", "sketch"])
@pytest.mark.parametrize("wrong", list(wrong_batches(np.zeros((1, 5)), np.zeros((1, 2)))))
def test_wrong_batch_is_an_error_that_changes_nothing(wrong, solver, data):
    X, Y, _ = (a[:3000] for a in data)
    model = SketchedRegression(solver=solver, sketch_size=300, random_state=0).partial_fit(X, Y)
    expected = clone(model).partial_fit(X, Y)
    bad_X, bad_Y, message = wrong_batches(X, Y)[wrong]
    with pytest.raises(ValueError, match=message):
        model.partial_fit(bad_X, bad_Y)
    assert_same_bits(model.partial_fit(X, Y), expected.partial_fit(X, Y))


@pytest.mark.parametrize(
    "changed",
    [
        {"solver": "direct"}, {"sketch": "gaussian"}, {"sketch_size": 400},
        {"fit_intercept": False}, {"n_nonzero": 3},
    ],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_changed_parameter_is_named(changed, data):
    X, Y, _ = data
    model = sketch("sparse_sign").partial_fit(X[:500], Y[:500])
    (name,) = changed
    with pytest.raises(ValueError, match=rf"{name} was .* for the first batch and is now"):
        model.set_params(**changed).partial_fit(X[500:], Y[500:])
    assert model.n_samples_seen_ == 500


def test_first_batch_that_fails_leaves_nothing(data):
    X, Y, _ = data
    model = sketch(m=5)
    with pytest.raises(ValueError, match="sketch_size must exceed n_features=5"):
        model.partial_fit(X, Y)
    assert not [name for name in vars(model) if name.endswith("_") or name.startswith("_s")]
    with pytest.raises(ValueError, match=r'sketch="uniform" draws from all rows'):
        sketch("uniform").partial_fit(X, Y)
    # An exact solver needs no sketch of a stream.
    model = SketchedRegression(sketch="uniform").partial_fit(X, Y)
    assert_allclose(model.coef_, solve(X, Y)[0], rtol=1e-11)


def test_float32_batches(data):
    X, Y, _ = (a.astype(np.float32) for a in data)
    model = SketchedRegression().partial_fit(X[:5000], Y[:5000]).partial_fit(X[5000:], Y[5000:])
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    assert_allclose(model.coef_, solve(*(a.astype(np.float64) for a in (X, Y)))[0], rtol=1e-6)
