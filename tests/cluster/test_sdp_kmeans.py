"""SDPKMeans: truth, certificates, large samples, interfaces and bad input."""

import pickle
import re

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmatrix.cluster import SDPKMeans
from tests.cluster.problems import blobs, inertia, partitions

# Truth


@pytest.mark.parametrize("seed", range(3))
def test_partition_is_the_best_of_all(seed):
    X, _ = blobs(9, 3, 2, 3.5, seed)
    best = min(inertia(X, labels) for labels in partitions(9, 3))
    model = SDPKMeans(3, n_init=5, random_state=0).fit(X)
    assert_allclose(model.inertia_, best)
    assert_allclose(model.inertia_, inertia(X, model.labels_))


@pytest.mark.parametrize("solver", ["nlr", "admm"])
def test_far_groups_are_found_and_proven(solver):
    X, truth = blobs(60, 3, 3, 10.0)
    model = SDPKMeans(3, solver=solver, tol=1e-5, certify=True, random_state=0).fit(X)
    assert adjusted_rand_score(truth, model.labels_) == 1
    assert model.certificate_["certified"]
    assert model.certificate_["method"] == "closed form"
    assert_allclose(model.certificate_["primal"] + model.inertia_, np.sum((X - X.mean(0)) ** 2))
    assert_allclose(model.objective_, model.certificate_["primal"], rtol=1e-4)
    assert_allclose(model.memberships_, np.eye(3)[model.labels_], atol=1e-3)


def test_gap_of_close_groups_is_that_of_the_convex_optimum():
    X, _ = blobs(30, 3, 2, 2.0)
    found = SDPKMeans(3, certify=True, n_init=3, random_state=0).fit(X).certificate_
    assert not found["certified"]
    assert found["method"] == "admm"
    assert 0 < found["rel_gap"] < 0.2
    assert_allclose(found["gap"], found["dual_bound"] - found["primal"])


def test_many_features_and_few_points_are_told_apart_where_k_means_fails():
    n, p, K = 400, 1000, 4
    square = 0.8**2 * 4 * np.log(n) * (1 + np.sqrt(1 + K * p / (n * np.log(n))))
    X, truth = blobs(n, K, p, np.sqrt(square), seed=1)
    ours = adjusted_rand_score(truth, SDPKMeans(K, random_state=0).fit(X).labels_)
    peer = adjusted_rand_score(truth, KMeans(K, n_init=10, random_state=0).fit(X).labels_)
    assert ours > 0.94
    assert ours > peer + 0.3


def test_above_the_threshold_recovery_is_exact():
    n, p, K = 200, 300, 4
    square = 1.2**2 * 4 * np.log(n) * (1 + np.sqrt(1 + K * p / (n * np.log(n))))
    X, truth = blobs(n, K, p, np.sqrt(square))
    assert adjusted_rand_score(truth, SDPKMeans(K, random_state=0).fit(X).labels_) == 1


# Invariances


def test_shift_rotation_and_scale_do_not_matter(balls, means):
    X, _ = balls
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    for data in (X + 1e4, X @ turn, 1e-6 * X, 1e6 * X):
        model = SDPKMeans(3, random_state=0).fit(data)
        assert adjusted_rand_score(model.labels_, means.labels_) == 1


def test_training_points_are_predicted_as_they_were_labelled():
    X, _ = blobs(150, 3, 3, 2.5)
    model = SDPKMeans(3, random_state=0)
    assert_array_equal(model.fit_predict(X), model.predict(X))
    assert_allclose(model.score(X), -model.inertia_)
    distances = model.transform(X)
    assert_array_equal(distances.argmin(axis=1), model.labels_)
    expected = np.linalg.norm(X[:, None] - model.cluster_centers_, axis=2)
    assert_allclose(distances, expected, atol=1e-12)
    assert_array_equal(clone(model).fit(X).labels_, model.labels_)


def test_one_group_and_as_many_as_points():
    X, _ = blobs(12, 3, 2, 3.0)
    one = SDPKMeans(1, certify=True).fit(X)
    assert not one.labels_.any()
    assert one.certificate_["certified"]
    assert_allclose(one.inertia_, inertia(X, np.zeros(12)))
    assert_allclose(one.factor_ @ one.factor_.T, np.full((12, 12), 1 / 12))
    all_apart = SDPKMeans(12, certify=True).fit(X)
    assert_array_equal(np.sort(all_apart.labels_), np.arange(12))
    assert all_apart.certificate_["certified"]
    assert_allclose(all_apart.inertia_, 0, atol=1e-20)


def test_a_sample_is_enough_for_many_points():
    X, truth = blobs(5000, 3, 4, 7.0)
    model = SDPKMeans(3, n_subsample=300, certify=True, random_state=0).fit(X)
    assert adjusted_rand_score(truth, model.labels_) > 0.99
    assert model.sketch_indices_.shape == (300,)
    assert model.certificate_["n_used"] == model.factor_.shape[0] == 300
    assert_array_equal(model.predict(X), model.labels_)
    assert SDPKMeans(3, n_subsample="auto", random_state=0).fit(X[:50]).sketch_indices_ is None


def test_duplicates_and_constant_features_are_no_trouble():
    X, truth = blobs(40, 2, 2, 8.0)
    X = np.column_stack([np.repeat(X, 2, axis=0), np.full(80, 3.0)])
    model = SDPKMeans(2, random_state=0).fit(X)
    assert adjusted_rand_score(np.repeat(truth, 2), model.labels_) == 1


# Interfaces


def test_pickle_pipeline_search_and_single_precision(balls, means):
    X, truth = balls
    assert_array_equal(pickle.loads(pickle.dumps(means)).predict(X), means.labels_)
    pipeline = make_pipeline(StandardScaler(), SDPKMeans(3, random_state=0))
    assert adjusted_rand_score(truth, pipeline.fit_predict(X)) == 1
    search = GridSearchCV(SDPKMeans(random_state=0), {"n_clusters": [1, 3]}, cv=3).fit(X)
    assert search.best_params_ == {"n_clusters": 3}
    single = SDPKMeans(3, random_state=0).fit(X.astype(np.float32))
    assert single.cluster_centers_.dtype == single.transform(X[:2].astype(np.float32)).dtype
    assert single.cluster_centers_.dtype == single.factor_.dtype == np.float32
    assert adjusted_rand_score(single.labels_, means.labels_) == 1


def test_data_frame_keeps_its_names(balls, means):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(balls[0], columns=["a", "b", "c"])
    model = SDPKMeans(3, random_state=0).set_output(transform="pandas").fit(frame)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    assert list(model.transform(frame).columns) == [f"sdpkmeans{k}" for k in range(3)]
    assert_array_equal(model.labels_, means.labels_)


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch"])
def test_every_engine_finds_the_same_partition(backend, balls, means, monkeypatch):
    if backend == "torch":
        pytest.importorskip("torch")
    monkeypatch.setattr("skmatrix.cluster._clustering_parameters._LARGE_ENOUGH", 0)
    model = SDPKMeans(3, backend=backend, certify=True, random_state=0).fit(balls[0])
    assert_array_equal(model.labels_, means.labels_)
    assert_allclose(model.objective_, means.objective_, rtol=1e-5)


def test_device_is_given_all_it_needs(balls, means, simulated_gpu, monkeypatch):
    monkeypatch.setattr("skmatrix.cluster._clustering_parameters._LARGE_ENOUGH", 0)
    model = SDPKMeans(3, backend="cupy", random_state=0).fit(balls[0])
    assert_array_equal(model.labels_, means.labels_)


# Bad input

X = blobs(20, 3, 2, 6.0)[0]
BAD = {
    "too many groups": ({"n_clusters": 21}, X, "n_samples=20 should be >= n_clusters=21"),
    "one point": ({}, X[:1], "n_samples=1 should be >= n_clusters=3"),
    "no group": ({"n_clusters": 0}, X, "'n_clusters' parameter of SDPKMeans"),
    "half a group": ({"n_clusters": 1.5}, X, "'n_clusters' parameter of SDPKMeans"),
    "equal rows": ({}, np.ones((9, 2)), "X has fewer distinct rows than n_clusters=3"),
    "two distinct rows": ({}, X[[0, 1] * 5], "X has fewer distinct rows than n_clusters=3"),
    "sample": ({"n_subsample": 2}, X, "n_subsample=2 should be >= n_clusters=3"),
    "solver": ({"solver": "simplex"}, X, "'solver' parameter of SDPKMeans"),
    "rank": ({"rank": 0}, X, "'rank' parameter of SDPKMeans"),
    "tol": ({"tol": 0.0}, X, "'tol' parameter of SDPKMeans"),
    "nan": ({}, np.where(X > 3, np.nan, X), "contains NaN"),
    "one dimension": ({}, X[:, 0], "Expected 2D array"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_named_and_leaves_the_estimator_alone(what):
    parameters, data, message = BAD[what]
    model = SDPKMeans(3, random_state=0).fit(X)
    before = dict(vars(model))
    model.set_params(**parameters)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(data)
    after = {name: vars(model)[name] for name in before}
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before if name.endswith("_"))


def test_sparse_data_is_refused():
    with pytest.raises(TypeError, match="reduce it with TruncatedSVD"):
        SDPKMeans(3).fit(sp.csr_array(X))


def test_missing_general_solver_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="solver='cvxpy' needs cvxpy, which is not installed"):
        SDPKMeans(3, solver="cvxpy").fit(X)


def test_general_solver_finds_the_same():
    pytest.importorskip("cvxpy")
    pytest.importorskip("scs")
    model = SDPKMeans(3, solver="cvxpy").fit(X)
    assert adjusted_rand_score(model.labels_, SDPKMeans(3, random_state=0).fit(X).labels_) == 1


def test_row_sums_are_not_blamed_where_they_are_met():
    X, _ = make_blobs(60, centers=3, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"after max_iter=50 iterations\. Increase"):
        model = SDPKMeans(3, solver="admm", max_iter=50, random_state=0).fit(X)
    assert model.feasibility_ < 1e-4


def test_too_few_steps_are_told():
    with pytest.warns(ConvergenceWarning, match=r"after max_iter=5 iterations the root mean .* is"):
        model = SDPKMeans(3, max_iter=5, random_state=0).fit(X)
    assert not model.converged_
    assert model.n_iter_ == 5
    assert model.feasibility_ > 1e-4


def test_equal_rows_are_one_group_with_a_warning():
    with pytest.warns(UserWarning, match="All rows of X are equal"):
        model = SDPKMeans(1).fit(np.full((5, 2), 3.3))
    assert not model.labels_.any()


def test_unfitted_estimator_says_so():
    with pytest.raises(NotFittedError):
        SDPKMeans().predict(X)
