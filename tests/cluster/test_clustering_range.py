"""Sizes at the ends of the range of numbers, units, and objectives that must not fall."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from skmatrix.cluster import ILASDPClustering, SDPKMeans

X, Y = make_blobs(90, centers=[[0, 0], [6, 0], [0, 6]], random_state=0)
BOTH = pytest.mark.parametrize(
    "estimator", [SDPKMeans(3, random_state=0), ILASDPClustering(3, n_init=2, random_state=0)]
)


@BOTH
@pytest.mark.parametrize("scale", [1e-60, 1e-20, 1e20, 1e60])
def test_scales_do_not_matter(estimator, scale):
    model = estimator.fit(X * scale)
    assert adjusted_rand_score(Y, model.labels_) > 0.9
    assert_array_equal(model.predict(X * scale), model.labels_)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
@pytest.mark.parametrize("exponent", [-30, -10, 10, 30])
def test_iterations_end_where_they_do_in_other_units(covariance_type, exponent):
    """Random points, on which nothing but the tolerance ends the iterations."""
    points = np.random.default_rng(0).standard_normal((25, 2))
    rule = {"covariance_type": covariance_type, "n_init": 1, "random_state": 0}
    expected = ILASDPClustering(2, **rule).fit(points)
    found = ILASDPClustering(2, **rule).fit(2.0**exponent * points)
    assert found.n_iter_ == expected.n_iter_
    assert_array_equal(found.labels_, expected.labels_)
    shift = points.size * exponent * np.log(2)
    assert_allclose(found.log_likelihood_ + shift, expected.log_likelihood_, rtol=1e-9)


@BOTH
@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e-75, 1e75, 1e155, 1e300, [1.0, 1e150]])
def test_scales_beyond_fourth_powers_are_refused(estimator, scale):
    model = estimator.fit(X)
    before = dict(vars(model))
    with pytest.raises(ValueError, match="Rescale X"):
        model.fit(X * scale)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())


def test_gap_is_never_more_than_the_inertia():
    rng = np.random.default_rng(0)
    for distance in (1e4, 1e9):
        far = rng.standard_normal((60, 2))
        far[:20, 0] += distance
        model = SDPKMeans(3, certify=True, random_state=0).fit(far)
        found = model.certificate_
        assert 0 <= found["gap"] <= model.inertia_ * (1 + 1e-9)
        assert 0 <= found["rel_gap"] <= 2
    points = np.repeat([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], 20, axis=0)
    found = SDPKMeans(3, certify=True, random_state=0).fit(points).certificate_
    assert found["rel_gap"] == 0
    assert found["certified"]


def test_one_group_of_each_point_is_the_only_partition():
    found = ILASDPClustering(5, certify=True, reg_covar=0.1, covariance_type="spherical")
    with pytest.warns(ConvergenceWarning):
        found.fit(X[:5])
    assert found.certificate_["certified"]


@BOTH
def test_sample_must_hold_as_many_distinct_rows_as_groups(estimator):
    twice = np.concatenate([np.zeros((1000, 2)), np.eye(2)])
    with pytest.raises(ValueError, match="n_subsample has drawn hold fewer than n_clusters=3"):
        estimator.__class__(3, n_subsample=20, random_state=0).fit(twice)


def test_rank_below_the_number_of_groups_is_refused():
    with pytest.raises(ValueError, match="rank=2 should be >= n_clusters=3"):
        SDPKMeans(3, rank=2).fit(X)


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag"])
def test_features_as_small_as_the_ridge_are_named(covariance_type):
    iris = load_iris().data
    units = np.array([1, 100, 0.01, 5])
    model = ILASDPClustering(
        3, covariance_type=covariance_type, init="random", n_init=2, random_state=0
    )
    with pytest.warns(UserWarning, match="reg_covar adds .* 1 features have a variance of"):
        model.fit(iris * units)
    model.set_params(reg_covar=1e-12).fit(iris * units)
    likelihood = model.log_likelihood_ + len(iris) * np.log(units).sum()
    plain = model.fit(iris).log_likelihood_
    assert likelihood == pytest.approx(plain, rel=0.05)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("init", ["ward", "kmeans", "random"])
@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_objective_never_falls_from_any_start(init, covariance_type):
    for seed in (3, 22):
        for p in (1, 2):
            points = np.random.default_rng(seed).standard_normal((40, p))
            model = ILASDPClustering(
                3, init=init, n_init=1, covariance_type=covariance_type, random_state=seed
            ).fit(points)
            history = model.objective_history_
            assert (np.diff(history) >= -1e-6 * (1 + np.abs(history[1:]))).all()


def test_far_queries_have_probabilities():
    model = ILASDPClustering(3, n_init=2, random_state=0).fit(X)
    for far in (1e160, 1e200, 1e300):
        rays = far * np.array([[1.0, 0.2], [-1.0, 0.3], [0.1, -1.0]])
        probabilities = model.predict_proba(rays)
        assert_allclose(probabilities.sum(axis=1), 1)
        assert_array_equal(probabilities.argmax(axis=1), model.predict(rays))
        assert_array_equal(model.predict(rays), model.predict(rays / far * 1e50))


def test_matrices_of_all_pairs_are_not_begun_where_they_do_not_fit():
    large = np.random.default_rng(0).standard_normal((20_000, 2))
    with pytest.raises(ValueError, match=r"solver='admm' needs about .* GB for n_samples=20000"):
        SDPKMeans(3, solver="admm").fit(large)


@pytest.mark.parametrize("tol", [np.inf, 0, np.nan, "a"])
def test_tolerance_of_the_solver_is_a_positive_number(tol):
    with pytest.raises(ValueError, match="must be positive and finite"):
        ILASDPClustering(3, solver_options={"tol": tol}).fit(X)
