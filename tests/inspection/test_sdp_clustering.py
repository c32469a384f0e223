"""Displays of semidefinite clustering show what was solved, chosen and proven."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler

from skmatrix.cluster import ILASDPClustering, SDPKMeans
from skmatrix.inspection import (
    CertificateDisplay,
    ClusterEllipsesDisplay,
    ClusteringStartsDisplay,
    ConvergenceDisplay,
    CriterionDisplay,
    MembershipMatrixDisplay,
)

X, Y = make_blobs(60, centers=[[0, 0, 0], [6, 0, 0], [0, 6, 0]], random_state=0)


@pytest.fixture(scope="module")
def model():
    return ILASDPClustering(3, n_init=3, certify=True, random_state=0).fit(X)


@pytest.fixture(scope="module")
def spheres():
    return SDPKMeans(3, certify=True, random_state=0).fit(X)


def texts(display):
    """Labels of the legend."""
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def matrix(estimator, *args, **options):
    return MembershipMatrixDisplay.from_estimator(estimator, *args, **options)


class TestMembershipMatrix:
    def test_cosines_of_the_solution_in_the_order_of_groups(self, pyplot, model):
        display = matrix(model)
        Z = sum(U @ U.T for U in model.factor_)
        order = display.data["points"]
        assert_array_equal(np.sort(order), np.arange(60))
        labels = model.labels_[order]
        assert np.all(np.diff(labels) >= 0)
        scale = np.sqrt(np.diag(Z))
        expected = (Z / scale / scale[:, None])[np.ix_(order, order)]
        assert_allclose(display.image_.get_array(), expected, atol=1e-12)
        assert_array_equal(np.diff(display.data["edges"]), np.bincount(labels))
        own = [Z[i, model.labels_ == model.labels_[i]].sum() / Z[i].sum() for i in range(60)]
        assert display.data["share"] == pytest.approx(np.mean(own))
        for k in range(3):
            assert np.all(np.diff(np.array(own)[order][labels == k]) <= 1e-12)
        display.figure_.canvas.draw()

    def test_a_partition_is_ones_and_zeros(self, pyplot):
        trivial = ILASDPClustering(1).fit(X)
        assert_allclose(matrix(trivial).data["matrix"], 1)
        labels = np.array([0, 1, 1, 0, 1])
        fitted = SDPKMeans(2, random_state=0).fit(X[:5])
        fitted.labels_, fitted.factor_ = labels, np.eye(2)[labels] / np.sqrt([2, 3])
        display = matrix(fitted)
        assert_allclose(display.data["matrix"], np.kron(np.eye(2), np.ones((3, 3)))[1:, 1:])
        assert display.data["share"] == pytest.approx(1)
        assert len(display.lines_) == 2
        assert display.lines_[0].get_ydata()[0] == 2

    def test_true_groups_order_the_points(self, pyplot, spheres):
        names = np.array(["c", "a", "b"])[Y]
        display = matrix(spheres, names)
        assert display.data["names"] == ["a", "b", "c"]
        assert_array_equal(names[display.data["points"]], np.sort(names))
        assert [tick.get_text() for tick in display.ax_.get_xticklabels()] == ["a", "b", "c"]
        wrong = matrix(spheres, np.arange(60) % 3)
        assert wrong.data["share"] < 0.5 < 0.99 < display.data["share"]

    def test_a_sample_of_the_points(self, pyplot):
        sketched = SDPKMeans(3, n_subsample=30, random_state=0).fit(X)
        display = matrix(sketched)
        assert_array_equal(np.sort(display.data["points"]), sketched.sketch_indices_)
        few = matrix(sketched, max_points=7)
        assert few.data["matrix"].shape == (7, 7)
        assert set(few.data["points"]) <= set(sketched.sketch_indices_)
        assert few.data["edges"][-1] == 7
        assert few.data["share"] == display.data["share"]

    def test_axes_and_keywords(self, pyplot, spheres):
        _, axes = pyplot.subplots(1, 2)
        display = matrix(spheres, ax=axes[0], name="Mine", image_kwargs={"cmap": "magma"})
        assert display.ax_ is axes[0]
        assert axes[0].get_title().endswith("% of the weight within groups")
        assert display.image_.get_cmap().name == "magma"
        assert display.plot() is display

    def test_bad_arguments_are_named(self, pyplot, model):
        with pytest.raises(NotFittedError):
            matrix(SDPKMeans())
        with pytest.raises(TypeError, match=r"or an SDPKMeans\. Got a KMeans"):
            matrix(KMeans(2, n_init=1).fit(X))
        with pytest.raises(ValueError, match="a group for each of the 60 samples"):
            matrix(model, [0, 1])
        for points in (0, 2.5, None):
            with pytest.raises(ValueError, match="max_points must be an integer of at least 1"):
                matrix(model, max_points=points)


def ellipses(estimator, points=X, **options):
    return ClusterEllipsesDisplay.from_estimator(estimator, points, **options)


def border(ellipse, n=200):
    """Points of the border of an ellipse."""
    angles = np.linspace(0, 2 * np.pi, n)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    return ellipse.get_patch_transform().transform(circle)


class TestEllipses:
    @pytest.mark.parametrize("kind", ["full", "tied", "diag", "spherical"])
    @pytest.mark.parametrize("mixture", [False, True])
    def test_the_mass_lies_within(self, pyplot, kind, mixture):
        if mixture:
            fitted = GaussianMixture(3, covariance_type=kind, random_state=0).fit(X)
        else:
            options = {"covariance_type": kind, "n_init": 1, "random_state": 0}
            fitted = ILASDPClustering(3, **options).fit(X)
        display = ellipses(fitted, features=(2, 0), mass=0.6)
        for k, ellipse in enumerate(display.ellipses_):
            full = np.asarray(fitted.covariances_)
            full = full if kind == "tied" else full[k]
            full = full * np.eye(3) if kind in ("diag", "spherical") else full
            covariance = full[np.ix_([2, 0], [2, 0])]
            mean = fitted.means_[k][[2, 0]]
            gaps = border(ellipse) - mean
            squares = np.sum(gaps * np.linalg.solve(covariance, gaps.T).T, axis=1)
            assert_allclose(squares, -2 * np.log(0.4), rtol=1e-9)
            draws = multivariate_normal(mean, covariance, seed=0).rvs(4000)
            inside = ellipse.get_patch_transform().inverted().transform(draws)
            assert np.mean(np.sum(inside**2, axis=1) < 1) == pytest.approx(0.6, abs=0.03)

    def test_principal_axes_by_default(self, pyplot, model):
        display = ellipses(model, labels=model.labels_)
        centred = X - X.mean(axis=0)
        values, vectors = np.linalg.eigh(centred.T @ centred)
        scores = centred @ vectors[:, [2, 1]]
        found = np.concatenate([part.get_offsets() for part in display.points_])
        order = np.argsort(model.labels_, kind="stable")
        assert_allclose(np.abs(found), np.abs(scores[order]), atol=1e-9)
        share = 100 * values[2] / values.sum()
        assert display.ax_.get_xlabel() == f"Principal axis 1 ({share:.0f} % of the variance)"
        means = [scores[model.labels_ == k].mean(axis=0) for k in range(3)]
        assert_allclose(np.abs(np.column_stack(display.centers_.get_data())), np.abs(means))
        flipped = ellipses(model, points=X[::-1])
        assert_allclose(flipped.data["points"][::-1], display.data["points"], atol=1e-9)
        display.figure_.canvas.draw()

    def test_points_are_predicted_without_labels(self, pyplot, model):
        new = X + 0.01
        display = ellipses(model, new)
        assert_array_equal(display.data["labels"], model.predict(new))
        assert [len(p.get_offsets()) for p in display.points_] == np.bincount(
            model.predict(new)
        ).tolist()

    @pytest.mark.parametrize("kind", [SDPKMeans, KMeans])
    def test_k_means_has_spheres_of_one_variance(self, pyplot, kind):
        fitted = kind(3, n_init=1, random_state=0).fit(X)
        display = ellipses(fitted, features=[0, 1])
        radius = np.sqrt(-2 * np.log(0.1) * fitted.inertia_ / X.size)
        for ellipse in display.ellipses_:
            assert (ellipse.width, ellipse.height) == pytest.approx((2 * radius, 2 * radius))

    def test_names_of_columns(self, pyplot):
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame(X, columns=["bill", "wing", "mass"])
        fitted = SDPKMeans(3, random_state=0).fit(frame)
        display = ellipses(fitted, frame, features=["mass", "bill"])
        assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("mass", "bill")
        assert_allclose(display.data["points"], frame[["mass", "bill"]])

    def test_two_features_need_no_projection(self, pyplot):
        fitted = SDPKMeans(3, random_state=0).fit(X[:, :2])
        display = ellipses(fitted, X[:, :2])
        assert_array_equal(display.data["points"], X[:, :2])
        assert display.ax_.get_xlabel() == "Feature 0"

    def test_axes_and_keywords(self, pyplot, model):
        _, axes = pyplot.subplots(1, 2)
        options = {"scatter_kwargs": {"s": 3}, "ellipse_kwargs": {"lw": 5}}
        display = ellipses(model, ax=axes[1], name="Mine", **options)
        assert (display.ax_, axes[1].get_title()) == (axes[1], "Mine")
        assert display.ellipses_[0].get_linewidth() == 5
        assert_array_equal(display.points_[0].get_sizes(), [3])
        painted = ellipses(model, colors=["red", "lime", "blue"])
        for k in range(3):
            assert_array_equal(painted.ellipses_[k].get_edgecolor()[:3], np.eye(3)[k])
            assert_array_equal(painted.points_[k].get_facecolor()[0, :3], np.eye(3)[k])
        assert display.plot() is display

    def test_bad_arguments_are_named(self, pyplot, model):
        with pytest.raises(NotFittedError):
            ellipses(SDPKMeans())
        with pytest.raises(TypeError, match=r"means_ and covariances_.* Got a StandardScaler"):
            ellipses(StandardScaler().fit(X))
        with pytest.raises(TypeError, match="Got a DBSCAN"):
            ellipses(DBSCAN().fit(X))
        with pytest.raises(ValueError, match=r"the 3 features of the fit.* Got 2"):
            ellipses(model, X[:, :2])
        with pytest.raises(ValueError, match=r"two at least\. Got 1"):
            ellipses(SDPKMeans(2, random_state=0).fit(X[:, :1]), X[:, :1])
        with pytest.raises(ValueError, match="need two points"):
            ellipses(model, X[:1])
        for features in ((0, 0), (0, 3), (0,), ("a", "b"), (0.0, 1.0)):
            with pytest.raises(ValueError, match="features must be two of the columns"):
                ellipses(model, features=features)
        for labels in ([0, 1], np.full(60, 3), np.full(60, -1), np.zeros(60)):
            with pytest.raises(ValueError, match="labels must be 60 integers from 0 to 2"):
                ellipses(model, labels=labels)
        with pytest.raises(ValueError, match=r"for each of the 3 groups\. Got 1"):
            ellipses(model, colors=["red"])
        for mass in (0, 1, "a"):
            with pytest.raises(ValueError, match="mass must be a number between 0 and 1"):
                ellipses(model, mass=mass)


def criterion(estimator, *args, **options):
    return CriterionDisplay.from_estimator(estimator, *args, **options)


class TestCriterion:
    def test_path_of_an_automatic_number(self, pyplot):
        options = {"max_clusters": 5, "covariance_type": "spherical", "random_state": 0}
        fitted = ILASDPClustering("auto", criterion="bic", **options).fit(X)
        display = criterion(fitted)
        (line,) = display.lines_
        known = np.isfinite(fitted.criterion_path_)
        assert_array_equal(line.get_xdata(), np.arange(1, 6)[known])
        assert_array_equal(line.get_ydata(), fitted.criterion_path_[known])
        assert display.minima_[0].get_xdata() == [fitted.n_clusters_] == [3]
        assert texts(display)[0] == "BIC, least at 3"

    def test_list_of_fits(self, pyplot):
        fits = [ILASDPClustering(k, n_init=1, random_state=0).fit(X) for k in (3, 1, 2)]
        display = criterion(fits)
        assert list(display.data["curves"]) == ["icl", "bic"]
        for line, key in zip(display.lines_, ("icl_", "bic_"), strict=True):
            assert_array_equal(line.get_xdata(), [1, 2, 3])
            assert_allclose(line.get_ydata(), [getattr(fits[i], key) for i in (1, 2, 0)])
        judged = criterion(fits, X[::2], criteria="aic")
        assert_allclose(judged.lines_[0].get_ydata(), [fits[i].aic(X[::2]) for i in (1, 2, 0)])

    def test_mixtures_of_scikit_learn_and_the_best_of_several(self, pyplot):
        fits = [
            GaussianMixture(k, init_params="random_from_data", tol=1, random_state=seed).fit(X)
            for k in (1, 2)
            for seed in range(3)
        ]
        with pytest.raises(ValueError, match=r"has not kept its BIC\. Pass X"):
            criterion(fits)
        (line,) = criterion(fits, X).lines_
        values = np.array([fit.bic(X) for fit in fits])
        assert np.ptp(values[3:]) > 0
        assert_allclose(line.get_ydata(), [values[:3].min(), values[3:].min()])

    def test_collapsed_fits_are_crosses(self, pyplot):
        path = np.array([5.0, 3.0, np.inf, 4.0])
        curves = {"icl": (np.arange(1, 5), path)}
        display = CriterionDisplay(data={"curves": curves}).plot()
        assert_array_equal(display.lines_[0].get_xdata(), [1, 2, 4])
        assert_array_equal(display.collapsed_.get_xdata(), [3])
        assert texts(display) == ["ICL, least at 2", "A group collapses"]
        nothing = {"icl": (np.arange(1, 3), np.full(2, np.inf))}
        empty = CriterionDisplay(data={"curves": nothing}).plot(name="Mine")
        assert empty.minima_ == []
        assert empty.figure_.get_suptitle() == "Mine"

    def test_bad_arguments_are_named(self, pyplot, model):
        with pytest.raises(NotFittedError):
            criterion(ILASDPClustering())
        with pytest.raises(ValueError, match='Fit it with n_clusters="auto", or pass a list'):
            criterion(model)
        with pytest.raises(ValueError, match="Got none"):
            criterion([])
        with pytest.raises(TypeError, match=r"information criteria\. Got a KMeans"):
            criterion([KMeans(2, n_init=1).fit(X)])
        for criteria in ("mdl", []):
            with pytest.raises(ValueError, match="criteria must be among"):
                criterion([model], criteria=criteria)
        mixture = GaussianMixture(2, random_state=0).fit(X)
        with pytest.raises(TypeError, match="GaussianMixture has no ICL"):
            criterion([mixture], X, criteria=["icl"])


class TestStarts:
    def test_starts_by_likelihood(self, pyplot, model):
        display = ClusteringStartsDisplay.from_estimator(model)
        results = model.init_results_
        order = np.argsort(-results["log_likelihood"], kind="stable")
        for source, drawn in display.points_.items():
            places = drawn.get_offsets()
            own = [r for r, i in enumerate(order) if results["init"][i] == source]
            assert_allclose(places[:, 0], np.array(own) + 1)
            assert_allclose(places[:, 1], results["log_likelihood"][order[own]])
            assert_allclose(drawn.get_array(), results["ari"][order[own]])
        assert set(display.points_) == {"peng-wei", "random"}
        assert display.discarded_ is None
        assert sum(display.data["agreements"] == 1) >= 1
        display.figure_.canvas.draw()

    def test_failed_and_discarded_starts(self, pyplot):
        fitted = ILASDPClustering(2, n_init=1, random_state=0).fit(X)
        fitted.init_results_ = {
            "init": ["ward", "random", "random", "random"],
            "log_likelihood": np.array([-3.0, -np.inf, -1.0, -2.0]),
            "ari": np.array([0.3, np.nan, 0.1, 1.0]),
            "n_iter": np.array([3, 0, 3, 3]),
            "discarded": np.array([False, True, True, False]),
        }
        display = ClusteringStartsDisplay.from_estimator(fitted)
        assert display.data["names"] == ["random", "random", "ward"]
        assert_array_equal(display.discarded_.get_data(), [[1], [-1.0]])
        expected = ["From random", "From ward", "A group collapses", "Failed: 1"]
        assert texts(display) == expected

    def test_axes_and_bad_estimators(self, pyplot, model):
        _, axes = pyplot.subplots(1, 2)
        options = {"ax": axes[0], "name": "Mine", "scatter_kwargs": {"s": 5}}
        display = ClusteringStartsDisplay.from_estimator(model, **options)
        assert (display.ax_, axes[0].get_title()) == (axes[0], "Mine")
        assert_array_equal(display.points_["random"].get_sizes(), [5])
        with pytest.raises(TypeError, match=r"must be an ILASDPClustering\. Got a SDPKMeans"):
            ClusteringStartsDisplay.from_estimator(SDPKMeans(2, random_state=0).fit(X))

    def test_objective_of_the_iterations(self, pyplot, model):
        display = ConvergenceDisplay.from_estimator(model)
        assert_array_equal(display.lines_[0].get_ydata(), model.objective_history_)


def certificate(estimator, *args, **options):
    return CertificateDisplay.from_estimator(estimator, *args, **options)


class TestCertificate:
    def test_gaps_medians_and_proofs(self, pyplot, model, spheres):
        worse = SDPKMeans(3, certify=True, random_state=0)
        near = make_blobs(60, centers=[[0, 0], [2, 0], [0, 2]], random_state=0)[0]
        worse.fit(near)
        assert spheres.certificate_["certified"]
        assert not worse.certificate_["certified"]
        display = certificate({"a": [worse, spheres, worse], "b": [model] * 3}, [2, 6, 2])
        gap = worse.certificate_["rel_gap"]
        assert_array_equal(display.open_[0].get_data(), [[2, 2], [gap, gap]])
        x, heights = display.points_[0].get_data()
        assert_array_equal(x, [6])
        assert_allclose(heights, max(spheres.certificate_["rel_gap"], 1e-16))
        assert_allclose(display.lines_[0].get_data(), [[2, 6], [gap, heights[0]]])
        assert texts(display)[0] == "a: 1 of 3 proven"
        assert display.limit_.get_ydata()[0] == 1e-6
        assert display.ax_.get_yscale() == "log"
        display.figure_.canvas.draw()

    def test_one_curve_without_values(self, pyplot, spheres):
        display = certificate([spheres, spheres], line_kwargs={"color": "red"})
        assert_array_equal(display.data["values"][0], [1, 2])
        assert (display.ax_.get_xlabel(), texts(display)[0]) == ("Fit", "2 of 2 proven")
        assert display.lines_[0].get_color() == "red"
        assert display.figure_.get_suptitle() == "SDPKMeans"

    def test_bad_arguments_are_named(self, pyplot, spheres):
        with pytest.raises(NotFittedError):
            certificate([SDPKMeans()])
        with pytest.raises(TypeError, match="The SDPKMeans has no certificate"):
            certificate([SDPKMeans(2, random_state=0).fit(X)])
        with pytest.raises(TypeError, match="The KMeans has no certificate"):
            certificate(KMeans(2, n_init=1).fit(X))
        for none in ([], {}, {"a": []}):
            with pytest.raises(ValueError, match="Got none"):
                certificate(none)
        for values in ([1], [1, np.nan]):
            with pytest.raises(ValueError, match="a finite number for each of the 2 fits"):
                certificate([spheres, spheres], values)
