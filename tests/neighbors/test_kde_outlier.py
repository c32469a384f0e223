"""KDEOutlierDetector: left-out scores by brute force, and a share that is met exactly."""

import pickle

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmatrix.neighbors import KDE, KDEOutlierDetector
from skmatrix.neighbors._kde_outlier import _threshold
from tests.neighbors import reference
from tests.neighbors.reference import COMPACT, KERNELS


def points(n=200, d=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


X = points()


def detector(contamination=0.1, bandwidth=1.0, **settings):
    return KDEOutlierDetector(contamination, bandwidth=bandwidth, **settings)


@pytest.mark.parametrize("kernel", KERNELS)
def test_scores_leave_one_out(kernel):
    h = 4.0 if kernel in COMPACT else 0.6
    model = detector(bandwidth=h, kernel=kernel).fit(X)
    expected = [
        reference.log_density(X[i : i + 1], np.delete(X, i, axis=0), h, kernel)[0]
        for i in range(200)
    ]
    assert_allclose(model.train_scores_, expected, atol=1e-10)
    assert_array_equal(model.score_samples(X), model.train_scores_)
    # New points are scored by all.
    queries = 0.5 * points(20, seed=1)
    assert_allclose(
        model.score_samples(queries), reference.log_density(queries, X, h, kernel), atol=1e-10
    )
    assert_array_equal(
        model.decision_function(queries), model.score_samples(queries) - model.offset_
    )


def test_of_copies_one_is_left_out():
    data = np.concatenate([X, X[:5], X[:2], [[0.0, 0, 0], [-0.0, 0, 0]]])
    model = detector().fit(data)
    expected = [
        reference.log_density(data[i : i + 1], np.delete(data, i, axis=0), 1.0)[0]
        for i in range(len(data))
    ]
    assert_allclose(model.train_scores_, expected, atol=1e-10)
    weight = np.concatenate([[3, 3, 2, 2, 2], np.ones(195), [2]])
    counted = detector().fit(data[[*range(200), 207]], sample_weight=weight)
    assert_allclose(counted.train_scores_[:200], model.train_scores_[:200], atol=1e-10)


def test_a_point_with_a_weight_that_is_no_count_is_left_out_whole():
    weight = np.random.default_rng(1).uniform(0.1, 5, 200)
    model = detector().fit(X, sample_weight=weight)
    expected = [
        reference.log_density(
            X[i : i + 1], np.delete(X, i, axis=0), 1.0, weight=np.delete(weight, i)
        )[0]
        for i in range(200)
    ]
    assert_allclose(model.train_scores_, expected, atol=1e-10)
    shares = detector().fit(X, sample_weight=weight / weight.sum())
    assert_allclose(shares.train_scores_, model.train_scores_, atol=1e-10)
    assert shares.offset_ == pytest.approx(model.offset_, abs=1e-10)


@pytest.mark.parametrize("whiten", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("d", [1, 3, 10])
def test_training_points_are_recognised_alone_and_together(whiten, dtype, d):
    data = (points(700, d) * np.arange(1, d + 1)).astype(dtype)
    model = detector(0.05, "silverman", whiten=whiten).fit(data)
    assert model.train_scores_.dtype == dtype
    for chosen in ([3], [0, 600], range(699, 0, -7)):
        rows = list(chosen)
        assert_array_equal(model.score_samples(data[rows]), model.train_scores_[rows])
    assert_array_equal(model.predict(data), clone(model).fit_predict(data))
    # Others are near them, and not the same: these points count.
    assert np.all(model.score_samples(data * dtype(1 + 1e-5)) > model.train_scores_)


@pytest.mark.parametrize("contamination", [0.005, 0.01, 0.1, 0.25, 1 / 3, 0.5])
@pytest.mark.parametrize("settings", [{}, {"whiten": 0.5}, {"kernel": "student"}], ids=str)
def test_contamination_is_met_exactly(contamination, settings):
    labels = detector(contamination, **settings).fit_predict(X)
    assert set(labels) <= {-1, 1}
    assert np.sum(labels == -1) == int(200 * contamination + 1e-9)


def test_contamination_in_single_precision():
    data = points(20_000, 2).astype(np.float32)
    model = detector(0.1, 0.3).fit(data)
    assert np.sum(model.predict(data) == -1) == 2000


def test_contamination_by_weight():
    weight = np.random.default_rng(0).integers(0, 4, 200)
    model = detector(0.2).fit(X, sample_weight=weight)
    below = weight[model.predict(X) == -1].sum() / weight.sum()
    assert 0.19 < below <= 0.2
    repeated = detector(0.2).fit(np.repeat(X, weight, axis=0))
    assert model.offset_ == pytest.approx(repeated.offset_, abs=1e-10)
    assert detector(0.2).fit(X, sample_weight=2.0).n_features_in_ == 3


def test_threshold():
    scores = np.array([4.0, 1.0, 3.0, 2.0])
    one = np.ones(4)
    assert _threshold(scores, one, 0.25) == 1.5
    assert _threshold(scores, one, 0.5) == 2.5
    assert _threshold(scores, one, 0.2) == 1.0  # none
    assert _threshold(np.array([1.0, 1, 2, 3]), one, 0.25) == 1.0  # equal ones stay together
    assert _threshold(np.array([1.0, 1, 2, 3]), one, 0.5) == 1.5
    assert _threshold(scores, np.array([1.0, 5, 1, 1]), 0.5) == 1.0
    assert _threshold(scores, np.array([1.0, 0, 1, 1]), 0.4) == 2.5
    # Sums of weights are rounded.
    assert _threshold(np.arange(10.0), np.full(10, 0.1), 0.3) == 2.5
    # Between neighbours in floating point there is no middle.
    near = np.array([1, np.nextafter(np.float32(1), np.float32(2)), 2, 3], dtype=np.float32)
    assert np.sum(near < np.float32(_threshold(near, one, 0.25))) == 1
    # It is finite.
    assert _threshold(np.array([-np.inf, 1, 2, 3]), one, 0.25) == 1
    assert _threshold(np.array([-np.inf, -np.inf, 2, 3]), one, 0.25) == 2
    assert np.isfinite(_threshold(np.full(4, -np.inf), one, 0.25))


@pytest.mark.parametrize("kernel", COMPACT)
def test_points_out_of_reach_are_outliers(kernel):
    data = np.concatenate([0.1 * points(90, 2), 50 * points(10, 2)])
    model = detector(0.1, 1.0, kernel=kernel).fit(data)
    lonely = np.isneginf(model.train_scores_)
    assert lonely.sum() >= 8
    assert_array_equal(model.predict(data)[lonely], -1)
    assert np.sum(model.predict(data) == -1) == 10
    assert not np.isnan(model.decision_function(data)).any()
    assert np.isfinite(model.offset_)
    # Also if they are more than there should be.
    few = detector(0.01, 1.0, kernel=kernel).fit(data)
    assert_array_equal(few.predict(data) == -1, lonely)
    assert few.predict([[1e3, 1e3]]) == [-1]


def test_finds_outliers():
    rng = np.random.default_rng(0)
    ring = rng.standard_normal((400, 2))
    ring = 5 * ring / np.sqrt(np.sum(ring**2, axis=1))[:, None] + 0.1 * rng.standard_normal(
        (400, 2)
    )
    inside = 0.5 * rng.standard_normal((20, 2))
    data = np.concatenate([ring, inside * 3])
    truth = np.repeat([1, 0], [400, 20])
    model = KDEOutlierDetector(20 / 420).fit(data)
    assert roc_auc_score(truth, model.decision_function(data)) > 0.97
    # Nor is new data where there was none.
    assert_array_equal(KDEOutlierDetector(0.02).fit(ring).predict([[0.0, 0], [5, 0]]), [-1, 1])


def test_density_is_that_of_kde():
    model = KDEOutlierDetector(whiten="loo", random_state=0).fit(X)
    kde = KDE(whiten="loo", random_state=0).fit(X)
    assert model.density_.bandwidth_ == kde.bandwidth_
    queries = points(10, seed=1)
    assert_array_equal(model.score_samples(queries), kde.score_samples(queries))


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_engines_agree(backend):
    if backend == "torch":
        pytest.importorskip("torch")
    ours = detector(whiten=0.5, backend=backend).fit(X)
    plain = detector(whiten=0.5, n_jobs=2).fit(X)
    assert_allclose(ours.train_scores_, plain.train_scores_, atol=1e-10)
    assert_array_equal(ours.predict(X), plain.predict(X))


@pytest.mark.parametrize("contamination", [0, -0.1, 0.6, "auto"])
def test_bad_contamination(contamination):
    with pytest.raises(ValueError, match="The 'contamination' parameter of KDEOutlierDetector"):
        detector(contamination).fit(X)


def test_one_point_has_no_others():
    for data in (X[:1], np.repeat(X[:1], 4, axis=0)):
        with pytest.raises(ValueError, match="KDEOutlierDetector needs at least 2 distinct"):
            detector().fit(data)
    model = detector().fit(X)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="at least 2 distinct"):
        model.fit(X[:1])
    assert vars(model) == before


def test_tools():
    frames = pytest.importorskip("pandas")
    frame = frames.DataFrame(X, columns=["a", "b", "c"])
    model = detector(whiten=0.5).fit(frame)
    assert_array_equal(model.feature_names_in_, ["a", "b", "c"])
    assert_array_equal(model.score_samples(frame), model.train_scores_)
    copied = pickle.loads(pickle.dumps(model))
    assert_array_equal(copied.predict(frame), model.predict(frame))
    assert not hasattr(model.fit(X), "feature_names_in_")
    message = "X has 2 features, but KDEOutlierDetector is expecting 3 features"
    with pytest.raises(ValueError, match=message):
        model.predict(X[:, :2])
    pipeline = make_pipeline(StandardScaler(), detector(0.05))
    assert np.sum(pipeline.fit_predict(X) == -1) == 10
    weight = np.random.default_rng(0).uniform(0.1, 3, 200)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = make_pipeline(detector().set_fit_request(sample_weight=True))
        routed.fit(X, sample_weight=weight)
    assert routed[0].offset_ == detector().fit(X, sample_weight=weight).offset_


def test_a_point_that_outweighs_all_others():
    """Without it little is left, and the difference to the total would cancel."""
    weight = np.array([1e20, 0.5, 0.5])
    detector = KDEOutlierDetector(bandwidth=1.0).fit([[0.0], [1.0], [3.0]], sample_weight=weight)
    expected = np.log(np.mean(np.exp([-0.5, -4.5])) / np.sqrt(2 * np.pi))
    assert detector.train_scores_[0] == pytest.approx(expected, abs=1e-12)
    assert np.isfinite(detector.offset_)
