"""The displays of functional tensor regression show what the estimator believes."""

import builtins

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmatrix.decomposition import FunBaT
from skmatrix.inspection import (
    FactorFunctionDisplay,
    IntervalCalibrationDisplay,
    VariationalTrainingDisplay,
)

pytestmark = pytest.mark.filterwarnings("ignore:FunBaT did not converge")

show = FactorFunctionDisplay.from_estimator
calibrate = IntervalCalibrationDisplay.from_estimator
predictions = IntervalCalibrationDisplay.from_predictions


def first(t):
    return np.stack([np.sin(6 * t / 10), np.cos(9 * t / 10)], axis=1)


def second(t):
    return np.stack([np.sin(5 * t + 1), t**2], axis=1)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, [10, 1], (500, 2))
    y = np.sum(first(X[:, 0]) * second(X[:, 1]), axis=1) + 0.05 * rng.standard_normal(500)
    return X, y


def fitted(data, **parameters):
    parameters = {"rank": 2, "kernel": "matern32", "max_iter": 40, **parameters}
    return FunBaT(fit_intercept=False, random_state=0, **parameters).fit(*data)


@pytest.fixture(scope="module")
def tucker(data):
    return fitted(data)


@pytest.fixture(scope="module")
def cp(data):
    # Rank 3, of which one function is too many.
    return fitted(data, rank=3, decomposition="cp", n_init=2)


class TestFactors:
    def test_curves_are_means_on_the_original_axis(self, pyplot, tucker):
        display = show(tucker)
        assert display.ax_.shape == (2,)
        for k, (lines, bands) in enumerate(zip(display.lines_, display.bands_, strict=True)):
            t = lines[0].get_xdata()
            mean, cov = tucker.predict_factors(k, t, return_cov=True)
            assert np.isin(tucker.indices_[k], t).all()
            assert t[0] == tucker.indices_[k][0]
            assert t[-1] == tucker.indices_[k][-1]
            for r, (line, band) in enumerate(zip(lines, bands, strict=True)):
                assert_allclose(line.get_ydata(), mean[:, r])
                box = band.get_paths()[0].get_extents()
                std = np.sqrt(cov[:, r, r])
                assert box.ymin == pytest.approx(np.min(mean[:, r] - 2 * std))
                assert box.ymax == pytest.approx(np.max(mean[:, r] + 2 * std))
            assert_array_equal(display.rugs_[k].get_xdata(), tucker.indices_[k])
        assert [ax.get_xlabel() for ax in display.ax_] == ["Coordinate 0", "Coordinate 1"]
        assert display.figure_.get_suptitle() == "FunBaT"
        display.figure_.canvas.draw()

    def test_one_mode_and_names_of_columns(self, pyplot, data):
        pd = pytest.importorskip("pandas")
        X, y = data
        model = fitted((pd.DataFrame(X, columns=["day", "depth"]), y), max_iter=12)
        display = show(model, 1, name="Lake")
        assert display.ax_.shape == (1,)
        assert display.ax_[0].get_xlabel() == "depth"
        assert_array_equal(display.rugs_[0].get_xdata(), model.indices_[1])
        assert display.figure_.get_suptitle() == "Lake"

    def test_strongest_functions_are_shown(self, pyplot, cp):
        display = show(cp, n_functions=2)
        power = np.prod([np.mean(mean**2, axis=0) for mean in cp.factor_mean_], axis=0)
        weakest = int(np.argmin(power))
        expected = [f"Function {r + 1}" for r in range(3) if r != weakest]
        for lines in display.lines_:
            assert [line.get_label() for line in lines] == expected
        colors = [[line.get_color() for line in lines] for lines in display.lines_]
        assert colors[0] == colors[1] == [f"C{r}" for r in range(3) if r != weakest]
        assert len(show(cp, n_functions=None).lines_[0]) == 3
        legend = [text.get_text() for text in display.ax_[0].get_legend().get_texts()]
        assert legend == expected

    def test_core_counts_for_the_weights_of_tucker(self, pyplot, data):
        model = fitted(data, max_iter=12)
        model.core_ = np.array([[0.0, 0.0], [0.0, 1.0]])
        assert [c.tolist() for c in show(model, n_functions=1).data["components"]] == [[1], [1]]

    def test_true_curves_of_tucker_span_the_functions(self, pyplot, tucker):
        display = show(tucker, true_curves=[first, second])
        for lines, true in zip(display.lines_, display.true_lines_, strict=True):
            for line, curve in zip(lines, true, strict=True):
                size = np.ptp(line.get_ydata())
                gap = np.sqrt(np.mean((line.get_ydata() - curve.get_ydata()) ** 2))
                assert gap < 0.05 * size
        # Each is a combination of the true curves.
        t = display.true_lines_[0][0].get_xdata()
        drawn = np.stack([line.get_ydata() for line in display.true_lines_[0]], axis=1)
        assert np.linalg.matrix_rank(np.column_stack([first(t), drawn]), tol=1e-8) == 2

    def test_true_curves_of_cp_are_paired_once_for_all_modes(self, pyplot, cp):
        shuffled = [lambda t: -3 * first(t)[:, ::-1], lambda t: second(t)[:, ::-1]]
        display = show(cp, true_curves=shuffled)
        pairs = []
        for k, truth in enumerate(shuffled):
            t = display.data["t"][k]
            curves = truth(t)
            ratio = display.data["true"][k][:, :, None] / curves[:, None, :]
            constant = np.ptp(ratio, axis=0) < 1e-6 * np.abs(ratio).max(axis=0)
            pairs.append(constant)
            assert len(display.true_lines_[k]) == 2
        assert_array_equal(*pairs)
        assert pairs[0].sum() == 2  # the third function has no curve
        assert not show(cp).true_lines_[0]

    def test_pairing_scales_each_curve_to_its_function(self, pyplot, data):
        X, _ = data
        y = np.sin(0.6 * X[:, 0]) * np.exp(X[:, 1])
        model = fitted((X, y), rank=1, decomposition="cp")
        curves = [lambda t: -5 * np.sin(0.6 * t), None]
        display = show(model, true_curves=curves)
        (line,), (true,) = display.lines_[0], display.true_lines_[0]
        assert_allclose(true.get_ydata(), line.get_ydata(), atol=0.03 * np.ptp(line.get_ydata()))
        assert display.true_lines_[1] == []
        alone = show(model, 0, true_curves=curves[0])
        assert_allclose(alone.true_lines_[0][0].get_ydata(), true.get_ydata())

    def test_modes_without_order_have_no_curves_between_coordinates(self, pyplot, data):
        X, y = data
        X = np.column_stack([X[:, 0], np.round(5 * X[:, 1])])
        model = fitted((X, y), kernel=["matern12", "iid"], max_iter=12)
        display = show(model, true_curves=[None, lambda t: t])
        line = display.lines_[1][0]
        assert line.get_linestyle() == "None"
        assert_array_equal(line.get_xdata(), np.arange(6))
        assert_allclose(line.get_ydata(), model.factor_mean_[1][:, 0])
        heights = [np.ptp(path.vertices[:, 1]) for path in display.bands_[1][0].get_paths()]
        assert_allclose(heights, 4 * np.sqrt(model.factor_cov_[1][:, 0, 0]))
        assert display.lines_[0][0].get_linestyle() == "-"
        display.figure_.canvas.draw()

    def test_single_coordinate_and_single_function(self, pyplot, data):
        X, y = data
        model = fitted((np.column_stack([X[:, 0], np.ones(500)]), y), rank=1, max_iter=12)
        display = show(model)
        assert_array_equal(display.lines_[1][0].get_xdata(), [1])
        assert display.ax_[0].get_legend() is None
        display.figure_.canvas.draw()

    def test_axes_and_keywords(self, pyplot, tucker):
        figure, axes = pyplot.subplots(2, 2)
        display = show(tucker, ax=axes[0], line_kwargs={"color": "red"}, band_kwargs={"alpha": 0.1})
        assert display.figure_ is figure
        assert display.lines_[0][0].get_color() == "red"
        assert display.bands_[0][0].get_alpha() == 0.1
        assert axes[0, 0].get_title() == "FunBaT"
        assert show(tucker, 0, ax=axes[1, 0]).ax_[0] is axes[1, 0]
        assert display.plot(name="again") is display
        assert display.figure_.get_suptitle() == "again"
        with pytest.raises(ValueError, match=r"ax must have 2 axes, for Coordinate 0, .* Got 4"):
            display.plot(axes)

    def test_bad_arguments_are_named(self, pyplot, tucker, cp, data):
        with pytest.raises(NotFittedError):
            show(FunBaT())
        with pytest.raises(TypeError, match=r"must be a FunBaT\. Got a LinearRegression"):
            show(LinearRegression().fit(*data))
        for mode in (2, -1, 0.0):
            with pytest.raises(ValueError, match=f"mode={mode} must be an integer from 0 to 1"):
                show(tucker, mode)
        for n in (0, 1.5):
            with pytest.raises(ValueError, match=f"n_functions={n} must be at least 1"):
                show(tucker, n_functions=n)
        with pytest.raises(ValueError, match=r"must be a list of 2, one for each mode\. Got 1"):
            show(tucker, true_curves=[first])
        with pytest.raises(ValueError, match=r"must be a list of 2, one for each mode\. Got one"):
            show(tucker, true_curves=first)
        with pytest.raises(ValueError, match=r"must be a list of 1, one for each mode\. Got 2"):
            show(tucker, 0, true_curves=[first, second])
        with pytest.raises(ValueError, match=r"true_curves\[1\] must return .* Got shape \(3,\)"):
            show(tucker, true_curves=[None, lambda t: np.ones(3)])
        with pytest.raises(ValueError, match=r"as many curves for each mode.* Got 2, 1"):
            show(cp, true_curves=[first, lambda t: t])


class TestCalibration:
    def test_counts_intervals_and_probabilities(self, pyplot):
        y = np.array([0.0, 1.9, -1.9, 2.1, 5.0, 7.0, 7.0])
        mean = np.array([0.0, 0.0, 0.0, 0.0, 5.0, 6.9, 7.1])
        std = np.array([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
        display = predictions(y, mean, std, n_bins=2)
        within, outside = display.points_
        assert_array_equal(within.get_ydata(), [0, 1.9, -1.9, 5])
        assert_array_equal(outside.get_xdata(), [0, 6.9, 7.1])
        assert display.data["coverage"] == 4 / 7
        expected = [0.5, norm.cdf(1.9), norm.cdf(-1.9), norm.cdf(2.1), 0.5, 1, 0]
        assert_allclose(display.data["pit"], expected)
        assert "57.1 %" in within.get_label()
        # 0.5 lies in the upper bin.
        assert_allclose([bar.get_height() for bar in display.bars_], [2 * 2 / 7, 2 * 5 / 7])
        segments = display.intervals_.get_segments()
        assert_allclose(segments[0][:, 1], [-norm.ppf(0.975), norm.ppf(0.975)])
        assert display.figure_.get_suptitle() == ""
        display.figure_.canvas.draw()

    def test_level(self, pyplot):
        display = predictions([0.0, 1.0], [0.0, 0.0], [1.0, 1.0], level=0.5)
        assert display.data["inside"].tolist() == [True, False]
        assert display.ax_[0].get_legend().get_title().get_text() == "Intervals of 50 %"

    def test_band_holds_the_bins_of_calibrated_predictions(self, pyplot):
        rng = np.random.default_rng(0)
        mean, std = rng.standard_normal(20_000), rng.uniform(1, 2, 20_000)
        y = mean + std * rng.standard_normal(20_000)
        share = {}
        for factor in (1.0, 1.1):
            display = predictions(y, mean, factor * std, n_bins=100)
            box = display.band_.get_paths()[0].get_extents()
            heights = np.array([bar.get_height() for bar in display.bars_])
            assert heights.mean() == pytest.approx(1)
            share[factor] = np.mean((heights >= box.ymin) & (heights <= box.ymax))
        assert 0.9 <= share[1.0] <= 1
        assert share[1.1] < 0.8
        assert display.intervals_ is None

    def test_estimator(self, pyplot, data, tucker):
        rng = np.random.default_rng(1)
        X = rng.uniform(0, [10, 1], (300, 2))
        y = np.sum(first(X[:, 0]) * second(X[:, 1]), axis=1) + 0.05 * rng.standard_normal(300)
        display = calibrate(tucker, X, y)
        mean, std = tucker.predict(X, return_std=True)
        assert_array_equal(display.data["std"], std)
        expected = np.mean(np.abs(y - mean) <= norm.ppf(0.975) * std)
        assert display.data["coverage"] == expected
        assert 0.9 < expected < 0.99
        assert display.figure_.get_suptitle() == "FunBaT"
        assert len(display.bars_) == 15

    def test_other_estimators_with_standard_deviations(self, pyplot, data):
        X, y = data
        process = GaussianProcessRegressor(RBF() + WhiteKernel(0.1), optimizer=None)
        display = calibrate(process.fit(X[:50], y[:50]), X[50:], y[50:], name="GP")
        assert display.figure_.get_suptitle() == "GP"
        pipeline = make_pipeline(StandardScaler(), process).fit(X[:50], y[:50])
        _, std = pipeline.predict(X[50:], return_std=True)
        assert_array_equal(calibrate(pipeline, X[50:], y[50:]).data["std"], std)

    def test_axes_and_keywords(self, pyplot):
        _, axes = pyplot.subplots(1, 3)
        display = predictions(
            np.arange(5.0),
            np.zeros(5),
            np.ones(5),
            ax=axes[:2],
            point_kwargs={"marker": "x"},
            bar_kwargs={"color": "red"},
            name="Mine",
        )
        assert display.points_[0].get_marker() == "x"
        assert display.bars_[0].get_facecolor()[:3] == (1, 0, 0)
        assert axes[0].get_title() == "Mine"
        with pytest.raises(ValueError, match="ax must have 2 axes, for observed values and"):
            display.plot(axes)

    def test_bad_arguments_are_named(self, pyplot, data):
        with pytest.raises(NotFittedError):
            calibrate(FunBaT(), *data)
        with pytest.raises(TypeError, match="predict of LinearRegression has no return_std"):
            calibrate(LinearRegression().fit(*data), *data)
        one = np.ones(3)
        for level in (0, 1):
            with pytest.raises(ValueError, match=f"level={level} must be between 0 and 1"):
                predictions(one, one, one, level=level)
        with pytest.raises(ValueError, match=r"std must not be negative\. Got -1"):
            predictions(one, one, -one)
        for name in ("y", "mean", "std"):
            arrays = {"y": one, "mean": one, "std": one} | {name: np.array([1, np.nan, 1])}
            with pytest.raises(ValueError, match=f"{name} must have finite values"):
                predictions(**arrays)
        with pytest.raises(ValueError, match="y must have finite values, one at least"):
            predictions([], [], [])
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            predictions(one, one[:2], one)
        for n_bins in (1, 2.5):
            with pytest.raises(ValueError, match=f"n_bins={n_bins} must be an integer of at"):
                predictions(one, one, one, n_bins=n_bins)


def test_evidence_bound_has_its_display(pyplot, tucker):
    display = VariationalTrainingDisplay.from_curves(
        [tucker.objective_history_], loss="Evidence bound"
    )
    assert_array_equal(display.lines_[0].get_ydata(), tucker.objective_history_)
    assert display.ax_.get_ylabel() == "Evidence bound"


@pytest.mark.parametrize("plot", [show, calibrate])
def test_missing_matplotlib_says_how_to_get_it(plot, tucker, data, monkeypatch):
    true_import = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return true_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=r"Display needs matplotlib.*pip install matplotlib"):
        plot(tucker, *(() if plot is show else data))
