"""The displays of sketched regressions show what the estimator computed."""

import builtins

import numpy as np
import pytest
from scipy.integrate import quad
from sklearn.exceptions import NotFittedError

from skmatrix.datasets import make_tall_regression
from skmatrix.inspection import SketchedRegressionDisplay
from skmatrix.inspection._sketched_regression import _expected_density
from skmatrix.linear_model import SketchedRegression

show = SketchedRegressionDisplay.from_estimator


@pytest.fixture(scope="module")
def problem():
    return make_tall_regression(3000, 30, residual_norm=50.0, random_state=0)


@pytest.fixture(scope="module")
def sketched(problem):
    X, y, _ = problem
    return SketchedRegression(solver="sketch", sketch_size=300, random_state=0).fit(X, y)


@pytest.fixture(scope="module")
def exact(problem):
    X, y, _ = problem
    return SketchedRegression(solver="direct", certify=True, random_state=0).fit(X, y)


def labels_of(display):
    """Names on the vertical axis, from top to bottom."""
    bottom, top = display.ax_.get_ylim()
    assert bottom > top
    return [label.get_text() for label in display.ax_.get_yticklabels()]


def ends_of(lines):
    """Left and right ends of horizontal lines."""
    return np.array([segment[:, 0] for segment in lines.get_segments()]).T


def test_coef_draws_the_largest_with_their_intervals(pyplot, sketched):
    display = show(sketched, features=7, level=0.9)
    bars, points = display.lines_
    order = np.argsort(-np.abs(sketched.coef_))[:7]
    np.testing.assert_array_equal(points.get_xdata(), sketched.coef_[order])
    np.testing.assert_array_equal(ends_of(bars), sketched.coef_interval(0.9)[:, order])
    assert labels_of(display) == [f"x{j}" for j in order]
    assert bars.get_label() == "90 % interval"
    assert display.ax_.figure.get_suptitle() == "SketchedRegression"


def test_coef_shows_twenty_unless_asked(pyplot, sketched):
    assert len(labels_of(show(sketched))) == 20
    assert len(labels_of(show(sketched, features=100))) == 30


def test_coef_draws_named_features_in_order(pyplot, sketched):
    names = [f"part {j}" for j in range(30)]
    display = show(sketched, features=["part 4", 9, "part 0"], feature_names=names)
    assert labels_of(display) == ["part 4", "part 9", "part 0"]
    np.testing.assert_array_equal(display.lines_[1].get_xdata(), sketched.coef_[[4, 9, 0]])


def test_coef_takes_the_names_of_a_data_frame(pyplot, problem):
    pd = pytest.importorskip("pandas")
    X, y, _ = problem
    frame = pd.DataFrame(X[:, :3], columns=["a", "b", "c"])
    fitted = SketchedRegression().fit(frame, y)
    assert labels_of(show(fitted, features=["c", "a"])) == ["c", "a"]


def test_simultaneous_intervals_are_those_of_the_estimator(pyplot, sketched):
    bars = show(sketched, features=list(range(30)), simultaneous=True).lines_[0]
    expected = sketched.coef_interval(simultaneous=True)
    np.testing.assert_array_equal(ends_of(bars), expected)


def test_reference_is_drawn_and_counted(pyplot, sketched, exact):
    low, high = sketched.coef_interval()
    inside = int(np.sum((low <= exact.coef_) & (exact.coef_ <= high)))
    assert 25 <= inside < 30
    for reference in (exact, exact.coef_.tolist()):
        display = show(sketched, features=list(range(30)), reference=reference)
        np.testing.assert_array_equal(display.lines_[2].get_xdata(), exact.coef_)
        assert display.lines_[2].get_label() == f"Reference, {inside} of 30 inside"


def test_scale_multiplies_all_and_decides_what_is_large(pyplot, sketched, exact):
    scale = np.zeros(30)
    scale[[3, 8]] = 1e3, 10.0
    display = show(sketched, features=2, scale=scale, reference=exact)
    order = sorted([3, 8], key=lambda j: -abs(sketched.coef_[j] * scale[j]))
    assert labels_of(display) == [f"x{j}" for j in order]
    bars, points, reference = display.lines_
    np.testing.assert_array_equal(points.get_xdata(), (sketched.coef_ * scale)[order])
    np.testing.assert_array_equal(ends_of(bars), (sketched.coef_interval() * scale)[:, order])
    np.testing.assert_array_equal(reference.get_xdata(), (exact.coef_ * scale)[order])
    assert display.ax_.get_xlabel() == "Coefficient times scale"


def test_exact_coefficients_have_no_intervals(pyplot, exact):
    display = show(exact, features=[0, 1])
    (points,) = display.lines_
    np.testing.assert_array_equal(points.get_xdata(), exact.coef_[:2])
    assert display.data["interval"] is None


def test_target_chooses_the_coefficients(pyplot):
    X, y, coef = make_tall_regression(2000, 4, n_targets=3, random_state=0)
    fitted = SketchedRegression(solver="sketch", sketch_size=100, random_state=0).fit(X, y)
    bars, points, reference = show(fitted, features=range(4), target=2, reference=coef).lines_
    np.testing.assert_array_equal(points.get_xdata(), fitted.coef_[2])
    np.testing.assert_array_equal(reference.get_xdata(), coef[2])
    np.testing.assert_array_equal(ends_of(bars), fitted.coef_interval()[:, 2])


def test_spectrum_draws_a_density_in_the_expected_range(pyplot, exact):
    display = show(exact, kind="spectrum")
    bars, curve, band = display.lines_
    density, edges, _ = bars.get_data()
    assert np.sum(density * np.diff(edges)) == pytest.approx(1)
    values = exact.preconditioned_singular_values_
    assert (edges[0], edges[-1]) == (values.min(), values.max())
    distortion = np.sqrt(31 / exact.sketch_size_)
    low, high = 1 / (1 + distortion), 1 / (1 - distortion)
    assert band.get_x() == pytest.approx(low)
    assert band.get_x() + band.get_width() == pytest.approx(high)
    inside = int(np.sum((low <= values) & (values <= high)))
    assert f"holds {inside} of 31" in band.get_label()
    assert curve.get_xdata()[[0, -1]] == pytest.approx([low, high])


def test_expected_density_is_the_law_of_gaussian_sketches():
    distortion = 0.5
    ends = 1 / (1 + distortion), 1 / (1 - distortion)

    def mean(power):
        return quad(lambda v: v**power * _expected_density(np.float64(v), distortion), *ends)[0]

    # The squares of the reciprocals have mean 1 and second moment 1 + distortion**2.
    assert mean(0) == pytest.approx(1, rel=1e-6)
    assert mean(-2) == pytest.approx(1, rel=1e-6)
    assert mean(-4) == pytest.approx(1.25, rel=1e-6)
    rng = np.random.default_rng(0)
    drawn = 1 / np.linalg.svd(rng.standard_normal((1600, 400)) / 40, compute_uv=False)
    assert drawn.mean() == pytest.approx(mean(1), rel=1e-2)


def test_convergence_draws_the_history_above_the_rate(pyplot, problem):
    X, y, _ = problem
    fitted = SketchedRegression(solver="iterative", tol=1e-8, refine=0, random_state=0).fit(X, y)
    history, rate, tol = show(fitted, kind="convergence").lines_
    np.testing.assert_array_equal(history.get_ydata(), fitted.gradient_history_)
    np.testing.assert_array_equal(history.get_xdata(), np.arange(1, fitted.n_iter_ + 1))
    ratio = rate.get_ydata()[1:] / rate.get_ydata()[:-1]
    np.testing.assert_allclose(ratio, np.sqrt(31 / fitted.sketch_size_))
    assert tol.get_ydata()[0] == 1e-8
    assert tol.get_label() == "tol = 1e-08"
    # What the sketch promises, up to a constant, is kept.
    assert np.all(history.get_ydata() <= 3 * rate.get_ydata())


def test_leverage_is_sorted_and_has_the_mean_of_the_fit(pyplot, problem, exact):
    X, _, _ = problem
    curve, mean = show(exact, X, kind="leverage").lines_
    expected = np.sort(exact.leverage_scores(X))[::-1]
    places = curve.get_xdata()
    assert (places[0], places[-1]) == (1, 3000)
    np.testing.assert_array_equal(curve.get_ydata(), expected[places - 1])
    assert mean.get_ydata()[0] == pytest.approx(expected.mean(), rel=1e-9)


def test_sketch_sizes_draw_errors_below_their_bounds(pyplot, problem):
    X, y, coef = problem
    estimator = SketchedRegression(fit_intercept=False, random_state=0)
    display = SketchedRegressionDisplay.from_sketch_sizes(
        estimator, X, y, [4.0, 240, 480], n_repeats=4
    )
    guarantee, bound, median, single = display.lines_
    np.testing.assert_array_equal(median.get_xdata(), [120, 240, 480])
    errors = single.get_ydata().reshape(3, 4)
    assert np.unique(errors).size == 12
    np.testing.assert_array_equal(median.get_ydata(), np.median(errors, axis=1))
    # X has singular values of 1: no smaller ones, and the formula of the guarantee is plain.
    eps = np.sqrt(2 * 30 * np.log(2 * 30 / 0.01) / (np.array([120, 240, 480]) - 31))
    np.testing.assert_allclose(guarantee.get_ydata(), eps / np.sqrt(30) * 50.0, rtol=1e-8)
    assert np.all(errors < guarantee.get_ydata()[:, None])
    assert np.all(errors < bound.get_ydata()[:, None])
    assert display.ax_.figure.get_suptitle() == "SketchedRegression, sketch='srht'"
    assert not hasattr(estimator, "coef_")

    # Bounds and errors are those of fits by hand, with the seeds that the display draws.
    rng = np.random.RandomState(0)
    fits = [
        SketchedRegression(
            solver="sketch",
            sketch_size=4.0,
            fit_intercept=False,
            random_state=int(rng.randint(2**31 - 1)),
        ).fit(X, y)
        for _ in range(4)
    ]
    by_hand = [np.abs(f.coef_ - coef).max() for f in fits]
    np.testing.assert_allclose(errors[0], by_hand, rtol=1e-9)
    assert bound.get_ydata()[0] == pytest.approx(np.mean([f.linf_error_bound_ for f in fits]))


def test_sketch_sizes_of_ridge_have_no_guarantee(pyplot, problem):
    X, y, _ = problem
    weight = np.linspace(0.1, 1, 3000)
    display = SketchedRegressionDisplay.from_sketch_sizes(
        SketchedRegression(alpha=1.0), X, y, [100, 200], sample_weight=weight, n_repeats=1
    )
    assert display.data["guarantee"] is None
    assert [line.get_label() for line in display.lines_][:2] == [
        "Bound of the sketch, 99 %",
        "Median error",
    ]


def test_axes_and_keywords_are_used(pyplot, sketched, exact):
    _, ax = pyplot.subplots()
    display = show(
        sketched,
        reference=exact,
        ax=ax,
        line_kwargs={"color": "red"},
        reference_kwargs={"label": "exact"},
    )
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.lines_[1].get_color() == "red"
    assert display.lines_[2].get_label() == "exact"
    assert display.plot(name="again") is display
    assert display.ax_ is not ax
    assert display.ax_.figure.get_suptitle() == "again"


def test_many_coefficients_make_a_tall_figure(pyplot, sketched):
    few, many = show(sketched, features=3), show(sketched, features=30)
    assert many.figure_.get_figheight() > few.figure_.get_figheight()


def test_kinds_that_need_another_fit_say_which(pyplot, sketched, exact):
    with pytest.raises(ValueError, match=r'solver="direct" and certify=True.*solver_=\'sketch\''):
        show(sketched, kind="spectrum")
    with pytest.raises(ValueError, match=r'solver="iterative"\. This fit has solver_=\'direct\''):
        show(exact, kind="convergence")
    with pytest.raises(ValueError, match="needs X, the rows"):
        show(exact, kind="leverage")
    with pytest.raises(NotFittedError):
        show(SketchedRegression())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "path"}, r"kind must be one of .* Got 'path'"),
        ({"features": ["x99"]}, "'x99', which is neither the name of a feature"),
        ({"features": [30]}, "30, which is neither"),
        ({"features": 0}, "features must be at least 1"),
        ({"feature_names": ["a"]}, "feature_names has 1 entries, but the estimator has 30"),
        ({"reference": [1.0]}, r"reference has shape \(1,\), but coef_ has shape \(30,\)"),
        ({"scale": [1.0]}, r"scale must be 30 numbers .* shape \(1,\)"),
        ({"scale": -np.ones(30)}, "not negative"),
        ({"target": 1}, "target=1 must be the position of one of the 1 targets"),
        ({"level": 2}, "level must be between 0 and 1"),
    ],
)
def test_bad_arguments_are_named(pyplot, sketched, arguments, message):
    with pytest.raises(ValueError, match=message):
        show(sketched, **arguments)


@pytest.mark.filterwarnings("ignore:A sketch of 3000 rows:UserWarning")
def test_a_sketch_as_long_as_the_data_is_refused(pyplot, problem):
    X, y, _ = problem
    with pytest.raises(ValueError, match="3000, which is no fewer rows than the 3000 of X"):
        SketchedRegressionDisplay.from_sketch_sizes(SketchedRegression(), X, y, [3000])


def test_missing_matplotlib_says_how_to_get_it(sketched, monkeypatch):
    true_import = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return true_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        show(sketched)
