"""KDEClassifier: Bayes' rule by hand, priors, shared bandwidths, and odd classes."""

import pickle

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.datasets import load_iris, load_wine
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmatrix.neighbors import KDE, KDEClassifier, _kde, _kde_classifier
from tests.neighbors import reference
from tests.neighbors.reference import COMPACT


def three_classes(n=150, d=2, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    return rng.standard_normal((n, d)) * (1 + y[:, None]) + 2 * y[:, None], y


X, Y = three_classes()
QUERIES, _ = three_classes(40, seed=1)


def by_hand(h, queries, priors=None, weight=None, kernel="gaussian"):
    """Logarithms of the probabilities; `h` is one bandwidth or one per class."""
    weight = np.ones(len(Y)) if weight is None else weight
    h = np.broadcast_to(h, 3)
    joint = np.empty((len(queries), 3))
    for c in range(3):
        prior = weight[c == Y].sum() / weight.sum() if priors is None else priors[c]
        density = reference.log_density(queries, X[c == Y], h[c], kernel, weight[c == Y])
        joint[:, c] = np.log(prior) + density
    return joint - logsumexp(joint, axis=1, keepdims=True)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("priors", [None, [0.2, 0.2, 0.6]])
def test_bayes_rule(weighted, priors):
    weight = np.random.default_rng(2).uniform(0.1, 3, 150) if weighted else None
    model = KDEClassifier(0.7, priors=priors).fit(X, Y, sample_weight=weight)
    expected = by_hand(0.7, QUERIES, priors, weight)
    assert_allclose(model.predict_log_proba(QUERIES), expected, atol=1e-10)
    proba = model.predict_proba(QUERIES)
    assert_allclose(proba, np.exp(expected), rtol=1e-9)
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-14)
    assert_array_equal(model.predict(QUERIES), expected.argmax(axis=1))
    assert_allclose(model.class_prior_, priors if priors else model.class_prior_)
    assert model.class_prior_.sum() == pytest.approx(1)


def test_logarithms_do_not_underflow():
    far = 1e4 * np.array([[1.0, 1.0], [-1.0, 1.0]])
    model = KDEClassifier(0.5).fit(X, Y)
    expected = by_hand(0.5, far)
    assert expected.min() < -1e5
    assert_allclose(model.predict_log_proba(far), expected, rtol=1e-9)
    assert_array_equal(np.exp(expected) == 0, model.predict_proba(far) == 0)


def test_priors_of_zero_and_one():
    model = KDEClassifier(0.7, priors=[0.0, 0.5, 0.5]).fit(X, Y)
    assert_array_equal(model.predict_proba(QUERIES)[:, 0], 0)
    assert np.isneginf(model.predict_log_proba(QUERIES)[:, 0]).all()
    assert 0 not in model.predict(X)
    certain = KDEClassifier(0.7, priors=[0.0, 1.0, 0.0]).fit(X, Y)
    assert_array_equal(certain.predict_proba(QUERIES), np.tile([0, 1, 0], (40, 1)))


@pytest.mark.parametrize(
    "priors",
    [
        ["a", "b", "c"],
        [0.5, 0.5],
        [0.5, 0.6, 0.1],
        [1.5, -0.5, 0.0],
        [np.nan, 0.5, 0.5],
        [[0.2, 0.3, 0.5]],
    ],
)
def test_priors_that_are_none(priors):
    with pytest.raises(ValueError, match="priors must be 3 probabilities that add up to 1"):
        KDEClassifier(0.7, priors=priors).fit(X, Y)


def test_shared_bandwidth_is_the_likeliest_of_all():
    model = KDEClassifier().fit(X, Y)
    h = [density.bandwidth_ for density in model.estimators_]
    assert h[0] == h[1] == h[2]

    def likelihood(h):
        parts = [reference.left_out_likelihood(X[c == Y], h) for c in range(3)]
        return np.average(parts, weights=np.bincount(Y))

    best = likelihood(h[0])
    assert best > max(likelihood(h[0] * factor) for factor in (0.7, 0.97, 1.03, 1.4))
    # It lies between those of the classes alone.
    alone = KDEClassifier(shared_bandwidth=False).fit(X, Y)
    own = [density.bandwidth_ for density in alone.estimators_]
    assert min(own) < h[0] < max(own)
    for c, density in enumerate(alone.estimators_):
        assert density.bandwidth_ == KDE().fit(X[c == Y]).bandwidth_
    assert_allclose(alone.predict_log_proba(QUERIES), by_hand(own, QUERIES), atol=1e-9)
    assert_allclose(model.predict_log_proba(QUERIES), by_hand(h, QUERIES), atol=1e-9)


@pytest.mark.parametrize("rule", ["scott", "silverman", "nn", "kl_gaussian"])
def test_shared_bandwidth_of_rules_is_the_geometric_mean(rule):
    model = KDEClassifier(rule).fit(X, Y)
    own = [KDE(rule).fit(X[c == Y]).bandwidth_ for c in range(3)]
    expected = np.exp(np.average(np.log(own), weights=np.bincount(Y)))
    for density in model.estimators_:
        assert density.bandwidth_ == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("bandwidth", ["loo_per_feature", [0.5, 0.9]])
def test_bandwidths_per_feature(bandwidth):
    model = KDEClassifier(bandwidth).fit(X, Y)
    for c, density in enumerate(model.estimators_):
        assert_array_equal(density.bandwidth_, KDE(bandwidth).fit(X[c == Y]).bandwidth_)


@pytest.mark.parametrize("repeated", [1, 3])
def test_a_class_of_one_point_takes_the_bandwidth_of_the_others(repeated):
    data = np.concatenate([X, np.repeat([[30.0, 30.0]], repeated, axis=0)])
    labels = np.concatenate([Y, np.full(repeated, 3)])
    for bandwidth in ("loo", "scott"):
        model = KDEClassifier(bandwidth).fit(data, labels)
        h = [density.bandwidth_ for density in model.estimators_]
        assert len(set(h)) == 1
        assert model.predict([[29.0, 29.0]]) == [3]
        # Its rest is that of the other classes.
        without = KDEClassifier(bandwidth).fit(X, Y).estimators_[0].bandwidth_
        assert h[0] == pytest.approx(without, rel=1e-3)
    with pytest.raises(ValueError, match="needs at least 2 distinct samples"):
        KDEClassifier(shared_bandwidth=False).fit(data, labels)


def test_classes_of_one_point_each():
    with pytest.raises(ValueError, match="'loo' needs at least 2 distinct samples of a class"):
        KDEClassifier().fit([[0.0], [1.0]], [0, 1])
    model = KDEClassifier(0.3).fit([[0.0], [1.0]], [0, 1])
    assert_array_equal(model.predict([[0.4], [0.6]]), [0, 1])
    assert_allclose(model.predict_proba([[0.5]]), [[0.5, 0.5]])


@pytest.mark.parametrize("kernel", COMPACT)
def test_out_of_reach_the_priors_are_all_there_is(kernel):
    model = KDEClassifier(0.5, kernel=kernel, priors=[0.2, 0.5, 0.3]).fit(X, Y)
    far = np.array([[1e3, 1e3]])
    assert_allclose(model.predict_proba(far), [[0.2, 0.5, 0.3]])
    assert_allclose(model.predict_log_proba(far), np.log([[0.2, 0.5, 0.3]]))
    assert_array_equal(model.predict(far), [1])
    # Where one class is within reach, it is certain.
    lone = X[Y == 2][np.argmax(X[Y == 2][:, 0])][None]
    assert_array_equal(model.predict_proba(lone), [[0, 0, 1]])


@pytest.mark.parametrize("names", [["no", "perhaps", "yes"], [False, True, True], [-5, 0, 7]])
def test_labels(names):
    labels = np.array(names)[Y]
    model = KDEClassifier(0.7).fit(X, labels)
    assert_array_equal(model.classes_, np.unique(names))
    assert_array_equal(model.predict(X[:20]), model.classes_[model.predict_proba(X[:20]).argmax(1)])
    assert model.predict(X).dtype == labels.dtype
    assert model.score(X, labels) > 0.7
    assert KDEClassifier(0.7).fit(X, labels.tolist()).score(X, labels) == model.score(X, labels)


def test_weights_are_repetitions_and_zeros_are_absent():
    weight = np.random.default_rng(0).integers(0, 3, 150)
    weight[Y == 1] = 0
    weighted = KDEClassifier().fit(X, Y, sample_weight=weight)
    repeated = KDEClassifier().fit(np.repeat(X, weight, axis=0), np.repeat(Y, weight))
    assert_array_equal(weighted.classes_, [0, 2])
    assert_allclose(
        weighted.predict_log_proba(QUERIES), repeated.predict_log_proba(QUERIES), atol=1e-9
    )
    assert_allclose(weighted.class_prior_, repeated.class_prior_)


def test_probabilities_are_good():
    """Better than guessing by far, and calibrated enough for a low loss."""
    for load, parameters, accuracy, loss in (
        (load_iris, {}, 0.93, 0.2),
        (load_wine, {"whiten": 0.5}, 0.94, 0.35),
    ):
        data, labels = load(return_X_y=True)
        model = make_pipeline(StandardScaler(), KDEClassifier(**parameters))
        proba = cross_val_predict(model, data, labels, cv=5, method="predict_proba")
        assert np.mean(proba.argmax(axis=1) == labels) > accuracy
        assert log_loss(labels, proba) < loss


def test_single_precision():
    single = KDEClassifier(0.7).fit(X.astype(np.float32), Y)
    double = KDEClassifier(0.7).fit(X, Y)
    queries = QUERIES.astype(np.float32)
    for method in ("predict_proba", "predict_log_proba"):
        found = getattr(single, method)(queries)
        assert found.dtype == np.float32
        assert_allclose(found, getattr(double, method)(QUERIES), rtol=1e-3, atol=1e-5)
    assert single.class_prior_.dtype == np.float32


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_engines_agree(backend):
    if backend == "torch":
        pytest.importorskip("torch")
    ours = KDEClassifier(backend=backend).fit(X, Y)
    plain = KDEClassifier(n_jobs=2).fit(X, Y)
    assert_allclose(
        ours.predict_log_proba(QUERIES), plain.predict_log_proba(QUERIES), rtol=1e-6, atol=1e-8
    )


def test_tools():
    model = KDEClassifier(random_state=0, whiten=0.5).fit(X, Y)
    copied = pickle.loads(pickle.dumps(model))
    assert_array_equal(copied.predict_proba(QUERIES), model.predict_proba(QUERIES))
    assert not hasattr(clone(model), "classes_")
    grid = {"bandwidth": ["loo", 1e-3], "kernel": ["gaussian", "student"]}
    search = GridSearchCV(KDEClassifier(), grid, cv=3, scoring="neg_log_loss").fit(X, Y)
    assert search.best_params_["bandwidth"] == "loo"
    assert cross_val_score(KDEClassifier(), X, Y).mean() > 0.6
    weight = np.random.default_rng(0).uniform(0.1, 3, 150)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = KDEClassifier().set_fit_request(sample_weight=True)
        pipeline = make_pipeline(routed).fit(X, Y, sample_weight=weight)
    expected = KDEClassifier().fit(X, Y, sample_weight=weight)
    assert_array_equal(pipeline.predict_proba(QUERIES), expected.predict_proba(QUERIES))
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        KDEClassifier().fit(X, X[:, 0])
    with pytest.raises(ValueError, match="X has 3 features, but KDEClassifier is expecting 2"):
        model.predict(np.ones((2, 3)))


@pytest.mark.parametrize("kernel", COMPACT)
@pytest.mark.filterwarnings("error")
def test_shared_bandwidth_of_compact_kernels_reaches_every_point(kernel):
    """Below the largest distance of neighbours the likelihood is 0, and no search may go there."""
    data, labels = load_iris(return_X_y=True)
    h = KDEClassifier(kernel=kernel).fit(data, labels).estimators_[0].bandwidth_

    def likelihood(h):
        parts = [reference.left_out_likelihood(data[c == labels], h, kernel) for c in range(3)]
        return np.average(parts, weights=np.bincount(labels))

    best = likelihood(h)
    assert best >= max(likelihood(other) for other in np.geomspace(0.7, 2, 15)) - 5e-3
    # A class whose points are far from each other asks for more than the others would take.
    rng = np.random.default_rng(0)
    data = np.concatenate([0.1 * rng.standard_normal((80, 2)), [[5, 5], [9, 5], [5, 9]]])
    wide = KDEClassifier(kernel=kernel).fit(data, [0] * 80 + [1] * 3)
    assert wide.estimators_[0].bandwidth_ > 4


class TestSharedWhitening:
    @staticmethod
    def unlike_classes(n=150):
        rng = np.random.default_rng(0)
        stretched = rng.standard_normal((n, 3)) * [100, 10, 1]
        centers = np.random.default_rng(9).standard_normal((6, 3)) * 200
        clusters = centers[rng.integers(0, 6, n)] + 2 * rng.standard_normal((n, 3))
        return np.concatenate([stretched, clusters]), np.repeat([0, 1], n)

    def test_classes_share_the_exponent(self):
        """Their bandwidths would have unlike units otherwise."""
        data, labels = self.unlike_classes()
        alone = KDEClassifier(whiten="loo", shared_bandwidth=False, random_state=0)
        own = [density.whiten_ for density in alone.fit(data, labels).estimators_]
        assert abs(own[0] - own[1]) > 0.2
        for bandwidth in ("loo", "silverman", 0.5):
            model = KDEClassifier(bandwidth, whiten="loo", random_state=0).fit(data, labels)
            first, second = model.estimators_
            assert first.whiten_ == second.whiten_
            assert first.bandwidth_ == second.bandwidth_

    def test_the_shared_exponent_is_the_likeliest(self):
        data, labels = self.unlike_classes()

        def likelihood(whiten):
            model = KDEClassifier(whiten=whiten, random_state=0).fit(data, labels)
            return sum(
                density.bandwidth_path([density.bandwidth_])[1][0] for density in model.estimators_
            )

        best = likelihood("loo")
        assert best >= max(likelihood(a) for a in (0.0, 0.25, 0.5, 0.75, 1.0)) - 1e-6

    def test_it_is_found_once(self, monkeypatch):
        data, labels = self.unlike_classes(40)
        calls = []
        find = _kde_classifier.likeliest_exponent
        monkeypatch.setattr(
            _kde_classifier, "likeliest_exponent", lambda *a: calls.append(a) or find(*a)
        )
        monkeypatch.setattr(_kde, "likeliest_exponent", lambda *a: calls.append(a) or find(*a))
        KDEClassifier(whiten="loo").fit(data, labels)
        assert len(calls) == 1

    def test_one_point_is_not_enough(self):
        with pytest.raises(ValueError, match="whiten='loo' needs at least 2 distinct samples of a"):
            KDEClassifier(0.3, whiten="loo").fit([[0.0], [1.0]], [0, 1])
        with pytest.raises(ValueError, match=r"of every class .* n_samples=1 of class 'b'"):
            KDEClassifier("nn", shared_bandwidth=False).fit([[0.0], [1.0], [2.0]], list("aab"))


@pytest.mark.parametrize("far", [1e7, 1e9, 1e100])
def test_probabilities_add_up_to_one_far_away(far):
    model = KDEClassifier(1.0).fit([[-1.0, 0.0], [1.0, 0.0]], [0, 1])
    assert_allclose(model.predict_proba([[0.0, far]]), [[0.5, 0.5]], rtol=1e-14)
    assert_allclose(np.exp(model.predict_log_proba([[0.0, -far]])), [[0.5, 0.5]], rtol=1e-14)


@pytest.mark.filterwarnings("error")
def test_constant_features_are_warned_of_once():
    """But not where they are constant in one class, from which others differ."""
    data = np.concatenate([X, np.where(Y == 1, 0.0, X[:, :1].T).T], axis=1)
    KDEClassifier(whiten=0.5).fit(data, Y)
    data[:, 2] = 7.0
    with pytest.warns(UserWarning, match="X has features without variance: whiten=0.5") as seen:
        KDEClassifier(whiten=0.5).fit(data, Y)
    assert len(seen) == 1
