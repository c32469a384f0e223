"""The displays of kernel densities show what the estimator and the theory compute."""

import builtins
import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.exceptions import NotFittedError

from skmatrix.inspection import KDEDisplay
from skmatrix.inspection._kde import _path, poisson_dirichlet
from skmatrix.neighbors import KDE, KDEClassifier, KDEOutlierDetector

show = KDEDisplay.from_estimator


@pytest.fixture(scope="module")
def X():
    return np.random.default_rng(0).standard_normal((400, 8)) * np.linspace(0.5, 2, 8)


@pytest.fixture(scope="module")
def queries():
    return np.random.default_rng(1).standard_normal((60, 8)) * np.linspace(0.5, 2, 8)


@pytest.fixture(scope="module")
def density(X):
    return KDE(random_state=0).fit(X)


def labels(display):
    """Labels of the artists in the order of the legend."""
    return [line.get_label() for line in display.lines_]


def test_path_draws_the_likelihood_and_the_named_bandwidths(pyplot, density):
    display = show(density)
    curve, *marks = display.lines_
    h, values = density.bandwidth_path()
    np.testing.assert_allclose(curve.get_xdata(), h)
    np.testing.assert_allclose(curve.get_ydata(), values)
    theory = density.thresholds()
    nearest = np.partition(
        ((density.X_fit_[:, None] - density.X_fit_[None]) ** 2).sum(axis=2), 1, axis=1
    )[:, 1]
    expected = [
        density.bandwidth_,
        math.sqrt(nearest.mean() / 8),
        theory["h_opt"],
        theory["h_g"],
        theory["h_clt"],
    ]
    np.testing.assert_allclose([mark.get_xdata()[0] for mark in marks], expected, rtol=1e-10)
    assert [text.get_text() for text in display.ax_.texts] == ["extreme", "stable", "clt"]
    assert display.ax_.figure.get_suptitle() == "KDE"


def test_path_is_at_its_top_at_the_fitted_bandwidth(density):
    grid = density.bandwidth_ * np.geomspace(0.5, 2, 21)
    data = _path(density, grid[::-1])
    np.testing.assert_allclose(data["bandwidths"], grid)
    assert data["log_likelihood"].argmax() == 10
    assert data["log_likelihood"][10] == pytest.approx(density.loo_log_likelihood_, abs=1e-8)


def test_path_goes_on_where_the_best_bandwidth_is_many_times_that_of_neighbours(pyplot):
    X = np.random.default_rng(0).standard_normal((2000, 1))
    density = KDE(random_state=0).fit(X)
    h = show(density).data["bandwidths"]
    assert np.all(np.diff(h) > 0)
    assert h[0] < density.bandwidth_ / 10
    assert h[-1] > 2 * density.bandwidth_


def test_path_of_other_kernels_has_no_thresholds(pyplot, X):
    display = show(KDE(2.0, kernel="student").fit(X))
    assert [display.data[key] for key in ("h_opt", "h_g", "h_clt")] == [None] * 3
    assert len(display.lines_) == 3
    assert not display.ax_.texts


def test_path_of_bandwidths_per_feature_marks_no_single_one(pyplot, X):
    display = show(KDE(np.ones(8)).fit(X))
    assert display.data["bandwidth"] is None
    assert labels(display)[1].startswith("$h_{nn}$")


def test_diagnostics_counts_the_queries(pyplot, density, queries):
    display = show(density, queries, kind="diagnostics")
    found = density.query_diagnostics(queries)
    for ax, values in zip(display.ax_, (found.n_effective, found.stable_index), strict=True):
        median = next(line for line in ax.lines if line.get_label().startswith("Median"))
        assert median.get_xdata()[0] == pytest.approx(np.median(values))
    counts = [sum(bar.get_height() for bar in group) for group in display.lines_[::2]]
    assert counts == [60, 60]


def test_diagnostics_says_how_many_are_out_of_reach(pyplot, X, queries):
    far = np.concatenate([queries[:5] + 100, X[:5]])
    display = show(KDE(1.0, kernel="tophat").fit(X), far, kind="diagnostics")
    texts = [text.get_text() for text in display.ax_[0].get_legend().get_texts()]
    assert "5 queries at 0 or infinity" in texts


def test_diagnostics_on_given_axes(pyplot, density, queries):
    figure, axes = pyplot.subplots(2, 1)
    display = show(density, queries, kind="diagnostics", ax=axes)
    assert list(display.ax_) == list(axes)
    assert display.figure_ is figure
    with pytest.raises(ValueError, match="needs ax with two axes"):
        display.plot(ax=axes[0])


def test_phase_puts_the_estimator_among_the_curves(pyplot, density, X):
    display = show(density, kind="phase")
    clt, glass, likeliest, point, spacings = display.lines_
    theory, spread = density.thresholds(), math.sqrt(X.var(axis=0).mean())
    alpha = math.log(400) / 8
    assert theory["alpha"] == pytest.approx(alpha)
    np.testing.assert_allclose(point.get_xydata(), [[alpha, density.bandwidth_ / spread]])
    np.testing.assert_allclose(spacings.get_xydata(), [[alpha, density.h_g_ / spread]])
    np.testing.assert_allclose(clt.get_ydata(), math.sqrt(2) * glass.get_ydata())
    at = np.interp(alpha, glass.get_xdata(), glass.get_ydata())
    assert at == pytest.approx(theory["h_g_gaussian"] / spread, rel=1e-2)
    at = np.interp(alpha, likeliest.get_xdata(), likeliest.get_ydata())
    assert at == pytest.approx(theory["h_opt"] / spread, rel=1e-2)


def test_weights_are_those_of_the_kernels(pyplot, density, X, queries):
    display = show(density, queries[:1], kind="weights")
    logs = norm.logpdf((queries[:1] - X) / density.bandwidth_).sum(axis=1)
    expected = np.exp(logs - logs.max())
    expected = np.sort(expected / expected.sum())[::-1]
    curve, law = display.lines_
    np.testing.assert_allclose(curve.get_ydata(), expected[:30], rtol=1e-9)
    mu = (density.bandwidth_ / density.h_g_) ** 2
    assert mu < 1
    np.testing.assert_array_equal(law.get_ydata(), poisson_dirichlet(mu, 30))


def test_weights_of_several_queries_are_averaged_by_rank(pyplot, density, queries):
    display = show(density, queries, kind="weights")
    single = show(density, queries[7:8], kind="weights").data["weights"]
    np.testing.assert_allclose(display.data["weights"][7:8], single)
    np.testing.assert_allclose(
        display.lines_[0].get_ydata(), display.data["weights"].mean(axis=0), rtol=1e-12
    )
    assert labels(display)[1] == "80 % of the queries"


def test_weights_above_the_threshold_have_no_law(pyplot, X, queries):
    display = show(KDE(20.0).fit(X), queries[:1], kind="weights")
    assert display.data["expected"] is None
    assert "no limit law" in labels(display)[-1]


@pytest.mark.parametrize("mu", [0.05, 0.3, 0.5, 0.8])
def test_law_of_poisson_and_dirichlet(mu):
    weights = poisson_dirichlet(mu, 400)
    assert np.all(np.diff(weights) <= 0)
    assert weights.sum() <= 1 + 1e-12
    if mu <= 0.5:
        assert weights.sum() == pytest.approx(1, abs=0.01)  # the others hold next to nothing

    # Pitman and Yor: the inverse of the largest has the transform e^-t / psi(t).
    def psi(t):
        return 1 + mu * quad(lambda x: -np.expm1(-t * x) * x ** (-mu - 1), 0, 1)[0]

    largest = quad(lambda t: np.exp(-t) / psi(t), 0, 40)[0]
    assert weights[0] == pytest.approx(largest, abs=0.015)


def test_distance_draws_queries_and_the_bound(pyplot, density, X, queries):
    display = show(density, queries, kind="distance")
    points, alone = display.lines_
    distance = np.sqrt(((queries[:, None] - X[None]) ** 2).sum(axis=2)).min(axis=1)
    np.testing.assert_allclose(points.get_xdata(), distance)
    np.testing.assert_allclose(points.get_ydata(), density.score_samples(queries))
    h = density.bandwidth_
    bound = norm.logpdf(0, scale=h) * 8 - 0.5 * (distance / h) ** 2 - math.log(400)
    np.testing.assert_allclose(alone.get_ydata(), bound[np.argsort(distance)])
    assert np.all(display.data["alone"] <= display.data["log_density"])


def test_distance_has_a_rug_of_what_is_out_of_reach(pyplot, X, queries):
    far = np.concatenate([queries[:5] + 100, X[:5]])
    display = show(KDE(1.0, kernel="epanechnikov").fit(X), far, kind="distance")
    rug = display.lines_[-1]
    assert rug.get_label() == "5 out of reach: minus infinity"
    assert rug.get_xdata().min() > 50
    assert len(display.lines_[0].get_xdata()) == 5


def test_distance_of_weighted_points_has_no_bound(pyplot, X, queries):
    weighted = KDE(1.0).fit(X, sample_weight=np.arange(1, 401))
    assert show(weighted, queries, kind="distance").data["alone"] is None


def test_detector_shows_its_density(pyplot, X):
    detector = KDEOutlierDetector(random_state=0).fit(X)
    display = show(detector)
    assert display.data["bandwidth"] == detector.density_.bandwidth_
    assert display.ax_.figure.get_suptitle() == "KDEOutlierDetector"


def test_points_in_dask_arrays(pyplot, X, queries):
    da = pytest.importorskip("dask.array")
    dask = pytest.importorskip("dask")
    with dask.config.set(scheduler="synchronous"):
        density = KDE(random_state=0).fit(da.from_array(X, chunks=(150, 8)))
        for kind in ("path", "phase", "distance", "diagnostics"):
            show(density, queries, kind=kind)
        with pytest.raises(TypeError, match="needs points in memory"):
            show(density, queries, kind="weights")


def test_axes_and_keywords_are_used(pyplot, density):
    _, ax = pyplot.subplots()
    display = show(density, ax=ax, name="Eight features", line_kwargs={"color": "red"})
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.lines_[0].get_color() == "red"
    assert ax.figure.get_suptitle() == "Eight features"
    assert display.plot(name="again") is display
    assert display.ax_.figure.get_suptitle() == "again"


def test_bad_arguments_are_named(pyplot, density, X):
    with pytest.raises(ValueError, match=r"kind must be one of .* Got 'x'"):
        show(density, kind="x")
    for kind in ("diagnostics", "weights", "distance"):
        with pytest.raises(ValueError, match=f"kind='{kind}' needs X"):
            show(density, kind=kind)
    with pytest.raises(ValueError, match="bandwidths must be positive"):
        show(density, bandwidths=[1.0, -1.0])
    with pytest.raises(ValueError, match="needs at least 2 distinct samples"):
        show(KDE(1.0).fit(X[:1]))
    with pytest.raises(ValueError, match="kernel='student'"):
        show(KDE(1.0, kernel="student").fit(X), kind="phase")
    with pytest.raises(ValueError, match="within reach"):
        show(KDE(1.0, kernel="tophat").fit(X), X[:2] + 100, kind="weights")
    with pytest.raises(NotFittedError):
        show(KDE())


def test_missing_matplotlib_says_how_to_get_it(density, monkeypatch):
    true_import = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return true_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        show(density)


def test_other_estimators():
    model = KDEClassifier(1.0).fit([[0.0], [1.0], [2.0]], [0, 0, 1])
    with pytest.raises(TypeError, match=r"must be a KDE or a KDEOutlierDetector. Got a KDEClass"):
        KDEDisplay.from_estimator(model)


@pytest.mark.parametrize("kind", ["path", "phase"])
@pytest.mark.filterwarnings("error")
def test_points_that_are_equally_far_from_each_other(kind, pyplot):
    """Their spacings give no threshold, and an axis of logarithms has no place for 0."""
    kde = KDE().fit(np.eye(10))
    assert kde.h_g_ is None
    KDEDisplay.from_estimator(kde, kind=kind).figure_.canvas.draw()
