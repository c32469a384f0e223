"""ILASDPClustering: likelihoods, the iteration, prediction, criteria and invariances."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from skmatrix._backend import get_backend
from skmatrix.cluster import ILASDPClustering, SDPKMeans
from skmatrix.cluster._gaussian_groups import Gaussians, Structure, indicator_factor
from skmatrix.cluster._ilasdp_run import Data
from tests.cluster.problems import blobs, cigars, dense_likelihood, ellipsoids, indicator

BE = get_backend("auto", np.empty(0))
KINDS = ["full", "tied", "diag", "spherical"]


def problem(kind="full", ridge=0.0, n=40):
    """Data, a partition, its groups, row sums and scatters."""
    X, truth = ellipsoids(n, 3, 2, 4.0)
    data = Data(BE, X - X.mean(axis=0), 3, Structure(kind, ridge))
    row_sums, means, scatters = data.moments(indicator_factor(truth, 3))
    return (
        data,
        truth,
        Gaussians.of_moments(data.structure, row_sums, means, scatters),
        row_sums,
        scatters,
    )


def as_matrices(groups):
    """Covariances as full matrices."""
    c = groups.covariances
    return c if c.ndim == 3 else np.stack([np.diag(row) for row in c])


# Likelihoods


@pytest.mark.parametrize("kind", KINDS)
def test_objective_is_twice_the_classification_likelihood(kind):
    data, truth, groups, row_sums, scatters = problem(kind)
    covariances = as_matrices(groups)
    expected = sum(
        multivariate_normal(m, c).logpdf(data.X[truth == k]).sum()
        for k, (m, c) in enumerate(zip(groups.means, covariances, strict=True))
    )
    assert_allclose(groups.log_likelihood(row_sums, scatters), expected, rtol=1e-10)
    constant = data.X.size * np.log(2 * np.pi)
    assert_allclose(groups.objective(row_sums, scatters), 2 * expected + constant, rtol=1e-10)
    dense = np.sum(dense_likelihood(data.X, covariances) * indicator(truth))
    assert_allclose(groups.objective(row_sums, scatters), dense, rtol=1e-10)


@pytest.mark.parametrize("kind", ["full", "diag"])
def test_scatters_of_a_partition_are_its_covariances(kind):
    data, truth, groups, _, _ = problem(kind)
    for k, found in enumerate(as_matrices(groups)):
        expected = np.cov(data.X[truth == k].T, bias=True)
        expected = expected if kind == "full" else np.diag(np.diag(expected))
        assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_scatters_of_any_factor_are_those_of_pairs():
    data, *_ = problem(n=12)
    U = np.random.default_rng(0).uniform(size=(3, 12, 2))
    row_sums, _, scatters = data.moments(U)
    Z = U @ U.transpose(0, 2, 1)
    gaps = data.X[:, None] - data.X
    assert_allclose(row_sums, Z.sum(axis=2))
    assert_allclose(scatters, np.einsum("kij,ijp,ijq->kpq", Z, gaps, gaps) / 2)


@pytest.mark.parametrize("kind", KINDS)
def test_covariance_step_is_the_best_there_is(kind):
    data, _, groups, row_sums, scatters = problem(kind, ridge=0.05)
    best = groups.objective(row_sums, scatters)
    rng = np.random.default_rng(0)
    for _ in range(20):
        factor = np.exp(0.1 * rng.standard_normal())
        change = {"full": (3, 1, 1), "tied": (), "diag": (3, 2), "spherical": (3, 1)}[kind]
        scaled = groups.covariances * factor * np.exp(0.1 * rng.standard_normal(change))
        other = Gaussians.of(data.structure, groups.sizes, groups.means, scaled)
        assert other.objective(row_sums, scatters) < best


# The iteration


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("init", ["random", "kmeans"])
def test_objective_never_falls(kind, init):
    X, _ = ellipsoids(150, 3, 3, 3.0, seed=2)
    model = ILASDPClustering(
        3, covariance_type=kind, init=init, n_init=1, tol=1e-6, random_state=1
    ).fit(X)
    history = model.objective_history_
    assert len(history) >= 3
    # The first step leaves the partition of the start.
    slack = 1e-5 * abs(history[-1])
    assert all(later >= earlier - slack for earlier, later in pairwise(history[1:]))


def test_many_points_begin_with_rough_solutions_and_end_with_exact_ones():
    X, truth = ellipsoids(1200, 3, 3, 6.0)
    model = ILASDPClustering(3, init="random", n_init=1, random_state=0).fit(X)
    assert model.converged_
    assert model.feasibility_ < 1e-4
    assert len(model.objective_history_) < model.n_iter_ + 1
    assert adjusted_rand_score(truth, model.labels_) > 0.97
    history = model.objective_history_[1:]
    slack = 1e-5 * abs(history[-1])
    assert all(later >= earlier - slack for earlier, later in pairwise(history))
    with pytest.warns(ConvergenceWarning, match="did not converge: after max_iter=1 iterations"):
        model.set_params(max_iter=1).fit(X)
    assert model.feasibility_ < 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_groups_of_its_kind_are_found(kind):
    X, truth = blobs(150, 3, 3, 7.0)
    if kind == "full":
        X, truth = ellipsoids(180, 3, 3, 6.0)
    model = ILASDPClustering(3, covariance_type=kind, n_init=3, random_state=0).fit(X)
    assert adjusted_rand_score(truth, model.labels_) > 0.95
    assert_allclose(model.memberships_.sum(axis=1), 1)
    assert model.converged_


@pytest.mark.parametrize("seed", range(2))
def test_parallel_cigars_are_told_apart(seed):
    X, truth = cigars(seed)
    ours = ILASDPClustering(3, max_iter=200, random_state=0).fit(X)
    assert adjusted_rand_score(truth, ours.labels_) > 0.85
    # The program of K-means, whose solution one of the starts takes, cannot know.
    for peer in (GaussianMixture(3, random_state=0), SDPKMeans(3, random_state=0)):
        assert adjusted_rand_score(truth, peer.fit_predict(X)) < 0.5


def test_one_random_start_beats_random_starts_of_a_mixture():
    ours, peer = [], []
    for seed in range(4):
        X, truth = ellipsoids(400, 4, 5, 4.0, seed)
        model = ILASDPClustering(4, init="random", n_init=1, random_state=0).fit(X)
        ours.append(adjusted_rand_score(truth, model.labels_))
        mixture = GaussianMixture(4, init_params="random_from_data", random_state=0)
        peer.append(adjusted_rand_score(truth, mixture.fit_predict(X)))
    assert np.mean(ours) > 0.94
    assert np.mean(ours) > np.mean(peer) + 0.03


def test_tied_covariances_find_stretched_groups_that_k_means_does_not():
    X, truth = blobs(200, 2, 2, 6.0)
    X = X @ np.array([[1.0, 0.0], [0.0, 1.0]]) + np.random.default_rng(0).normal(
        0, 12, (200, 1)
    ) * [1, 1]
    ours = ILASDPClustering(2, covariance_type="tied", random_state=0).fit(X)
    assert adjusted_rand_score(truth, ours.labels_) > 0.95
    assert adjusted_rand_score(truth, SDPKMeans(2, random_state=0).fit(X).labels_) < 0.2
    assert len(ours.factor_) == 1


def test_starts_agree_with_their_table(fitted):
    table = fitted.init_results_
    assert table["init"] == ["peng-wei", "random", "random"]
    assert table["ari"].max() == 1
    kept = np.where(table["discarded"], -np.inf, table["log_likelihood"])
    assert kept.max() == fitted.log_likelihood_
    assert table["n_iter"].shape == (3,)


@pytest.mark.parametrize("init", ["peng-wei", "ward", "kmeans", "labels", "covariances"])
def test_every_start_gets_there(init, shapes):
    X, truth = shapes
    given = {
        "labels": np.array([7, 2, 5])[truth],
        "covariances": np.stack([np.cov(X[truth == k].T) for k in range(3)]),
    }.get(init, init)
    model = ILASDPClustering(3, init=given, n_init=1, random_state=0).fit(X)
    assert adjusted_rand_score(truth, model.labels_) > 0.95
    assert model.init_results_["init"] == [init]


@pytest.mark.parametrize("rounding", ["membership", "spectral"])
def test_roundings_agree_where_groups_are_clear(rounding, shapes, fitted):
    model = clone(fitted).set_params(rounding=rounding).fit(shapes[0])
    assert adjusted_rand_score(model.labels_, fitted.labels_) > 0.95


def test_convex_solver_agrees():
    X, truth = ellipsoids(30, 2, 2, 8.0)
    options = {"init": "peng-wei", "n_init": 1, "max_iter": 3, "tol": 1e-3}
    exact = ILASDPClustering(2, solver="admm", **options).fit(X)
    assert adjusted_rand_score(truth, exact.labels_) == 1
    ours = ILASDPClustering(2, random_state=0, **options).fit(X)
    assert_allclose(ours.log_likelihood_, exact.log_likelihood_)


def test_threads_do_not_change_the_result(shapes, fitted):
    model = clone(fitted).set_params(n_jobs=2).fit(shapes[0])
    assert_array_equal(model.labels_, fitted.labels_)
    assert_array_equal(model.objective_history_, fitted.objective_history_)
    assert_array_equal(clone(fitted).fit(shapes[0]).covariances_, fitted.covariances_)


@pytest.mark.parametrize("shrinkage", [0.5, 1.0, "auto"])
def test_shrinkage_draws_covariances_together(shrinkage, shapes, fitted):
    model = clone(fitted).set_params(shrinkage=shrinkage, init="kmeans").fit(shapes[0])

    def spread(covariances):
        return np.linalg.norm(covariances - covariances.mean(axis=0))

    assert spread(model.covariances_) < spread(fitted.covariances_)
    if shrinkage == 1.0:
        assert_allclose(model.covariances_[0], model.covariances_[1])


# Prediction and criteria


@pytest.mark.parametrize("kind", KINDS)
def test_mixture_is_that_of_scikit_learn(kind, shapes):
    X, _ = shapes
    model = ILASDPClustering(3, covariance_type=kind, n_init=1, random_state=0).fit(X)
    peer = GaussianMixture(3, covariance_type=kind)
    peer.weights_, peer.means_ = model.weights_, model.means_
    peer.covariances_, peer.precisions_cholesky_ = model.covariances_, model.precisions_cholesky_
    assert_allclose(model.score_samples(X), peer.score_samples(X))
    assert_allclose(model.predict_proba(X), peer.predict_proba(X), atol=1e-12)
    assert_allclose(model.score(X), peer.score(X))
    assert_allclose(model.bic(X), peer.bic(X))
    assert_allclose(model.aic(X), peer.aic(X))
    assert_allclose(model.bic_, model.bic(X))
    assert_allclose(model.icl_, model.icl(X))
    probabilities = peer.predict_proba(X)
    entropy = -np.sum(probabilities * np.log(np.maximum(probabilities, 1e-300)))
    assert_allclose(model.icl(X), model.bic(X) + 2 * entropy)


def test_discriminants_are_those_of_gaussians(shapes, fitted):
    X, _ = shapes
    p = X.shape[1]
    for k in range(3):
        density = multivariate_normal(fitted.means_[k], fitted.covariances_[k])
        expected = -2 * density.logpdf(X) - p * np.log(2 * np.pi)
        assert_allclose(fitted.transform(X)[:, k], expected)
    assert_array_equal(fitted.predict(X), fitted.transform(X).argmin(axis=1))
    assert np.mean(fitted.predict(X) == fitted.labels_) > 0.97


def test_draws_have_the_moments_of_the_mixture(fitted):
    points, labels = fitted.sample(30000, random_state=0)
    assert_allclose(np.bincount(labels) / 30000, fitted.weights_, atol=0.02)
    for k in range(3):
        scale = np.sqrt(np.diag(fitted.covariances_[k]).max())
        assert_allclose(points[labels == k].mean(axis=0), fitted.means_[k], atol=0.05 * scale)
        found = np.cov(points[labels == k].T)
        assert_allclose(found, fitted.covariances_[k], atol=0.1 * scale**2)


@pytest.mark.parametrize("criterion", ["bic", "icl"])
def test_number_of_groups_is_found(criterion):
    X, truth = ellipsoids(210, 3, 2, 8.0)
    model = ILASDPClustering(
        "auto", criterion=criterion, max_clusters=5, n_init=2, random_state=0
    ).fit(X)
    assert model.n_clusters_ == 3
    assert adjusted_rand_score(truth, model.labels_) > 0.98
    assert model.criterion_path_.argmin() == 2
    assert_allclose(model.criterion_path_[2], getattr(model, f"{criterion}_"))


def test_one_group_is_a_gaussian(shapes):
    X, _ = shapes
    model = ILASDPClustering(1, reg_covar=0.0, certify=True).fit(X)
    assert_allclose(model.covariances_[0], np.cov(X.T, bias=True))
    assert_allclose(
        model.score(X), multivariate_normal(X.mean(0), np.cov(X.T, bias=True)).logpdf(X).mean()
    )
    assert model.certificate_["certified"]


# Certificates


@pytest.mark.parametrize("kind", ["full", "tied"])
def test_clear_partition_is_proven(kind):
    X, truth = blobs(60, 3, 2, 12.0)
    model = ILASDPClustering(3, covariance_type=kind, n_init=2, certify=True, random_state=0).fit(X)
    found = model.certificate_
    assert adjusted_rand_score(truth, model.labels_) == 1
    assert found["rel_gap"] < 1e-5
    assert found["dual_bound"] >= found["primal"] * (1 - np.sign(found["primal"]) * 1e-9)
    assert found["n_used"] == 60
    if kind == "full":
        A = dense_likelihood(X, model.covariances_, ridge=1e-6 * X.var(axis=0).mean())
        order = np.sum(A[:, None] * indicator(model.labels_)[None], axis=(2, 3))
        assert_allclose(found["primal"], np.trace(order), rtol=1e-8)


def test_certificate_of_many_points_is_that_of_a_sample(monkeypatch):
    monkeypatch.setattr("skmatrix.cluster._ilasdp_fit.SMALL", 40)
    X, _ = ellipsoids(150, 3, 2, 9.0)
    model = ILASDPClustering(3, n_init=1, certify=True, random_state=0).fit(X)
    assert model.certificate_["n_used"] == 40
    assert model.certificate_["rel_gap"] < 0.05


# Invariances


def same(first, second):
    return adjusted_rand_score(first, second) == 1


def test_shift_rotation_and_scale_do_not_matter(shapes):
    X, truth = shapes
    options = {"init": truth, "random_state": 0, "reg_covar": 0.0}
    expected = ILASDPClustering(3, **options).fit(X).labels_
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    for data in (X + 1e3, X @ turn, 1e-5 * X, X * [1e-3, 1.0, 1e3]):
        assert same(ILASDPClustering(3, **options).fit(data).labels_, expected)


def test_order_of_points_does_not_matter(shapes):
    X, truth = shapes
    order = np.random.default_rng(0).permutation(len(X))
    expected = ILASDPClustering(3, init=truth, random_state=0).fit(X).labels_
    found = ILASDPClustering(3, init=truth[order], random_state=0).fit(X[order]).labels_
    assert same(found, expected[order])


def test_a_sample_is_enough_for_many_points():
    X, truth = ellipsoids(6000, 3, 3, 9.0)
    model = ILASDPClustering(3, n_subsample=300, n_init=2, random_state=0).fit(X)
    assert adjusted_rand_score(truth, model.labels_) > 0.99
    assert model.sketch_indices_.shape == (300,)
    assert model.memberships_.shape == (6000, 3)
    assert_allclose(model.weights_, 1 / 3, atol=0.01)
    assert_allclose(model.bic_, model.bic(X))


@pytest.mark.parametrize("backend", ["numpy", "numba", "torch", "cupy"])
def test_every_engine_finds_the_same(backend, shapes, fitted, simulated_gpu, monkeypatch):
    if backend == "torch":
        pytest.importorskip("torch")
    monkeypatch.setattr("skmatrix.cluster._clustering_parameters._LARGE_ENOUGH", 0)
    model = ILASDPClustering(3, init="kmeans", n_init=1, backend=backend, random_state=0)
    model.fit(shapes[0])
    assert adjusted_rand_score(model.labels_, fitted.labels_) > 0.97
    assert_allclose(model.log_likelihood_, fitted.log_likelihood_, rtol=1e-2)
    assert_allclose(model.transform(shapes[0]).min(axis=1).shape, 180)
