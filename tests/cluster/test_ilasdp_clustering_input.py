"""ILASDPClustering: interfaces, odd data, warnings and bad input."""

import pickle
import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmatrix.cluster import ILASDPClustering
from tests.cluster.problems import blobs, ellipsoids

# Interfaces


def test_pickle_predicts_the_same(shapes, fitted):
    X, _ = shapes
    copy = pickle.loads(pickle.dumps(fitted))
    assert_array_equal(copy.predict_proba(X), fitted.predict_proba(X))
    assert_array_equal(fitted.labels_, clone(fitted).fit_predict(X))


def test_pipeline_and_search(shapes):
    X, truth = shapes
    pipeline = make_pipeline(StandardScaler(), ILASDPClustering(3, n_init=2, random_state=0))
    assert adjusted_rand_score(truth, pipeline.fit_predict(X)) > 0.95
    grid = {"n_clusters": [1, 3], "covariance_type": ["spherical", "full"]}
    model = ILASDPClustering(n_init=2, random_state=0)
    search = GridSearchCV(model, grid, cv=3).fit(np.random.default_rng(0).permutation(X))
    assert search.best_params_ == {"n_clusters": 3, "covariance_type": "full"}


def test_data_frame_keeps_its_names(shapes, fitted):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(shapes[0], columns=["a", "b", "c"])
    model = clone(fitted).set_output(transform="pandas").fit(frame)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    columns = model.transform(frame).columns
    assert list(columns) == [f"ilasdpclustering{k}" for k in range(3)]
    assert_array_equal(model.labels_, fitted.labels_)


def test_single_precision_stays_and_is_computed_in_double(shapes, fitted):
    single = shapes[0].astype(np.float32)
    model = clone(fitted).fit(single)
    for name in ("means_", "covariances_", "precisions_cholesky_", "weights_", "memberships_"):
        assert getattr(model, name).dtype == np.float32
    assert model.predict_proba(single).dtype == model.transform(single).dtype == np.float32
    assert adjusted_rand_score(model.labels_, fitted.labels_) > 0.98


def test_input_is_left_alone(shapes):
    X = shapes[0].copy()
    ILASDPClustering(3, n_init=1, random_state=0).fit(X).predict(X)
    assert_array_equal(X, shapes[0])


def test_starts_are_told_when_asked(shapes, fitted, capsys):
    clone(fitted).set_params(verbose=1).fit(shapes[0])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("[ILASDPClustering] start 1 from peng-wei: log_likelihood=")


# Odd data


def test_as_many_groups_as_points():
    X, _ = blobs(6, 3, 2, 5.0)
    with pytest.warns(UserWarning, match="A group has 1 points"):
        model = ILASDPClustering(6, min_cluster_size=1).fit(X)
    assert_array_equal(np.sort(model.labels_), np.arange(6))


def test_duplicated_rows_are_held_by_the_ridge():
    X, truth = blobs(12, 3, 2, 8.0)
    X, truth = np.repeat(X, 5, axis=0), np.repeat(truth, 5)
    model = ILASDPClustering(3, covariance_type="spherical", random_state=0).fit(X)
    assert adjusted_rand_score(truth, model.labels_) == 1
    assert np.isfinite(model.covariances_).all()


def test_constant_feature_is_held_by_the_ridge(shapes):
    X, truth = shapes
    X = np.column_stack([X, np.full(len(X), 5.0)])
    model = ILASDPClustering(3, n_init=2, random_state=0).fit(X)
    assert adjusted_rand_score(truth, model.labels_) > 0.95
    assert_allclose(model.means_[:, 3], 5)


def test_equal_rows_are_one_group_with_a_warning():
    with pytest.warns(UserWarning, match="All rows of X are equal"):
        model = ILASDPClustering(1).fit(np.full((9, 2), 1.7))
    assert not model.labels_.any()


# Warnings


def test_group_of_few_points_names_the_remedies():
    X, _ = blobs(24, 3, 12, 20.0)
    with pytest.warns(UserWarning, match=r"n_features=12, .*'diag' or 'tied', shrinkage='auto'"):
        ILASDPClustering(3, min_cluster_size=2, n_init=1, random_state=0).fit(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ILASDPClustering(3, covariance_type="diag", n_init=1, random_state=0).fit(X)


def test_collapsed_starts_are_discarded_or_told():
    X, _ = blobs(60, 2, 2, 8.0)
    X = np.concatenate([X, [[300.0, 300.0], [300.0, 301.0]]])
    with pytest.warns(ConvergenceWarning, match="All starts have a group of fewer than 25 points"):
        model = ILASDPClustering(
            3, covariance_type="spherical", min_cluster_size=25, n_init=2, random_state=0
        ).fit(X)
    assert model.init_results_["discarded"].all()
    assert model.labels_.shape == (62,)


def test_solver_that_stops_early_is_told(shapes):
    with pytest.warns(ConvergenceWarning, match=r"row sums that are off by .*solver_options"):
        model = ILASDPClustering(
            3, n_init=1, max_iter=2, solver_options={"max_iter": 5}, random_state=0
        ).fit(shapes[0])
    assert model.feasibility_ > 1e-4


def test_iteration_that_stops_early_is_told():
    X, _ = ellipsoids(150, 3, 3, 3.0, seed=2)
    with pytest.warns(ConvergenceWarning, match="did not converge: after max_iter=1 iterations"):
        ILASDPClustering(3, init="random", n_init=1, max_iter=1, random_state=0).fit(X)


# Bad input

X = blobs(20, 3, 2, 6.0)[0]
EYES = np.stack([np.eye(2)] * 3)
BAD = {
    "too many groups": ({"n_clusters": 21}, X, "n_samples=20 should be >= n_clusters=21"),
    "one point": ({}, X[:1], "n_samples=1 should be >= n_clusters=3"),
    "no group": ({"n_clusters": 0}, X, "'n_clusters' parameter of ILASDPClustering"),
    "half a group": ({"n_clusters": 2.5}, X, "'n_clusters' parameter of ILASDPClustering"),
    "kind": ({"covariance_type": "round"}, X, "'covariance_type' parameter"),
    "equal rows": ({}, np.ones((9, 2)), "X has fewer distinct rows than n_clusters=3"),
    "init name": ({"init": "guess"}, X, "'init' parameter of ILASDPClustering"),
    "few labels": ({"init": np.arange(9) % 3}, X, "init as labels must have shape (20,)"),
    "missing group": ({"init": np.arange(20) % 2}, X, "Got 2 different labels"),
    "real labels": ({"init": np.arange(20) % 3 + 0.5}, X, "must hold integers"),
    "covariances": ({"init": EYES[:2]}, X, "init as covariances must have shape (3, 2, 2)"),
    "indefinite": ({"init": -EYES}, X, "init as covariances must be positive definite"),
    "asymmetric": ({"init": EYES + np.eye(2, k=1)}, X, "must be symmetric. Entries differ"),
    "labels of a sample": ({"init": np.arange(20) % 3, "n_subsample": 9}, X, "n_subsample"),
    "labels and auto": ({"init": np.arange(20) % 3, "n_clusters": "auto"}, X, "init must be a str"),
    "sample": ({"n_subsample": 2}, X, "n_subsample=2 should be >= n_clusters=3"),
    "option": ({"solver_options": {"steps": 3}}, X, "Got ['steps']"),
    "option tol": ({"solver_options": {"tol": -1}}, X, "solver_options['tol'] must be positive"),
    "option steps": ({"solver_options": {"max_iter": 0.5}}, X, "must be an integer of at least 1"),
    "shrinkage": ({"shrinkage": 1.5}, X, "'shrinkage' parameter of ILASDPClustering"),
    "ridge": ({"reg_covar": -1.0}, X, "'reg_covar' parameter of ILASDPClustering"),
    "singular": ({"reg_covar": 0.0}, np.column_stack([X, X]), "singular in every start"),
    "nan": ({}, np.where(X > 3, np.nan, X), "contains NaN"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_named_and_leaves_the_estimator_alone(what):
    parameters, data, message = BAD[what]
    model = ILASDPClustering(3, covariance_type="tied", n_init=1, random_state=0).fit(X)
    model.set_params(covariance_type="full")
    before = dict(vars(model))
    model.set_params(**parameters)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(data)
    assert vars(model).keys() == before.keys()
    fitted = [name for name in before if name.endswith("_") or name == "_groups"]
    assert all(vars(model)[name] is before[name] for name in fitted)


def test_sparse_data_is_refused():
    with pytest.raises(TypeError, match="reduce it with TruncatedSVD"):
        ILASDPClustering(3).fit(sp.csr_array(X))


def test_unfitted_estimator_says_so():
    for method in ("predict", "predict_proba", "transform", "score_samples", "score", "bic"):
        with pytest.raises(NotFittedError):
            getattr(ILASDPClustering(), method)(X)
    with pytest.raises(NotFittedError):
        ILASDPClustering().sample()
