"""The displays of quantum kernels and circuits show what the estimators have computed."""

import builtins

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from skmatrix.inspection import (
    BandwidthDisplay,
    QuantumKernelDisplay,
    VariationalTrainingDisplay,
)
from skmatrix.metrics import kernel_alignment
from skmatrix.svm import QuantumFeatureMap, QuantumKernelSVC, VariationalQuantumClassifier

show = QuantumKernelDisplay.from_estimator
show_kernel = QuantumKernelDisplay.from_kernel
show_bandwidth = BandwidthDisplay.from_estimator
show_training = VariationalTrainingDisplay.from_estimator
show_curves = VariationalTrainingDisplay.from_curves

SMALL = np.array([[1, 0.2, 0.6, 0.1], [0.2, 1, 0.3, 0.7], [0.6, 0.3, 1, 0.4], [0.1, 0.7, 0.4, 1]])
CLASSES = ["b", "a", "b", "a"]
CURVES = [[0.5, 0.4, 0.35], [0.6, 0.3, 0.2, 0.19], [0.2, 0.3]]


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return scale(X)[::3], load_iris().target_names[y][::3]


@pytest.fixture(scope="module")
def exact(iris):
    return QuantumKernelSVC(bandwidth=0.125).fit(*iris)


@pytest.fixture(scope="module")
def measured(iris):
    return noisy(store_kernel=True).fit(*iris)


def noisy(**options):
    """An estimator on a device."""
    options = {"bandwidth": 0.125, "shots": 100, "noise": 0.1, "random_state": 0, **options}
    return QuantumKernelSVC(**options)


def labels(artists):
    return [artist.get_label() for artist in artists]


def texts(artists):
    return [artist.get_text() for artist in artists]


def legend(display):
    return texts(display.ax_.get_legend().get_texts())


class TestMatrix:
    def test_rows_are_sorted_by_class(self, pyplot):
        display = show_kernel(SMALL, CLASSES)
        order = [1, 3, 0, 2]
        np.testing.assert_array_equal(display.image_.get_array(), SMALL[np.ix_(order, order)])
        assert texts(display.ax_.get_xticklabels()) == ["a", "b"]
        assert texts(display.ax_.get_yticklabels()) == ["a", "b"]
        np.testing.assert_array_equal(display.ax_.get_yticks(), [0.5, 2.5])
        across, along = display.ax_.lines
        assert list(across.get_ydata()) == list(along.get_xdata()) == [1.5, 1.5]
        assert display.image_.get_clim() == (0, 1)
        assert display.colorbar_.ax.get_ylabel() == "Kernel"
        assert display.colorbar_.extend == "neither"
        assert display.ax_.get_xlabel() == "Samples, by class"
        assert display.ax_.figure.get_suptitle() == ""
        assert display.lines_ == display.bars_ == []
        display.figure_.canvas.draw()

    def test_without_classes_order_is_kept(self, pyplot):
        display = show_kernel(SMALL.tolist())
        np.testing.assert_array_equal(display.image_.get_array(), SMALL)
        assert display.ax_.get_xlabel() == "Sample"
        assert not display.ax_.lines

    def test_estimator_shows_its_exact_kernel(self, pyplot, iris, measured):
        X, y = iris
        display = show(measured, X, y)
        np.testing.assert_allclose(display.data["kernel"], measured.kernel_matrix(X), atol=1e-15)
        assert display.data["labels"] == ["setosa", "versicolor", "virginica"]
        np.testing.assert_array_equal(display.data["sizes"], np.unique(y, return_counts=True)[1])
        assert display.ax_.figure.get_suptitle() == "QuantumKernelSVC"

    @pytest.mark.parametrize(
        ("scale", "shift", "extend"),
        [(1.5, 0, "max"), (1, -0.5, "min"), (2, -0.5, "both"), (0.5, 0, "neither")],
    )
    def test_values_beyond_the_scale_are_announced(self, pyplot, scale, shift, extend):
        assert show_kernel(scale * SMALL + shift).colorbar_.extend == extend

    def test_long_names_are_slanted(self, pyplot):
        K = np.eye(6)
        short = show_kernel(K, np.arange(6)).ax_.get_xticklabels()
        long = show_kernel(K, [f"category {i}" for i in range(6)]).ax_.get_xticklabels()
        assert {label.get_rotation() for label in short} == {0}
        assert {label.get_rotation() for label in long} == {40}

    def test_axes_and_keywords(self, pyplot, iris, exact):
        figure, ax = pyplot.subplots()
        display = show(exact, *iris, ax=ax, name="Iris", image_kwargs={"cmap": "magma", "vmax": 2})
        assert display.ax_ is ax
        assert display.figure_ is figure
        assert ax.figure.get_suptitle() == "Iris"
        assert display.image_.get_cmap().name == "magma"
        assert display.image_.get_clim() == (0, 2)
        assert display.plot(name="again") is display
        assert display.ax_ is not ax
        assert display.ax_.figure.get_suptitle() == "again"


class TestSpectrum:
    def test_before_and_after_the_repair(self, pyplot, iris, measured):
        X, y = iris
        display = show(measured, X, kind="spectrum")
        unrepaired = noisy(psd=None, store_kernel=True).fit(X, y)
        before, after = display.lines_
        expected = np.linalg.eigvalsh(unrepaired.kernel_matrix_)[::-1]
        np.testing.assert_allclose(before.get_ydata(), expected, atol=1e-12)
        expected = np.linalg.eigvalsh(measured.kernel_matrix_)[::-1]
        np.testing.assert_allclose(after.get_ydata(), expected, atol=1e-12)
        np.testing.assert_array_equal(after.get_xdata(), np.arange(1, 51))
        count = measured.n_negative_eigenvalues_
        assert count > 5
        names = [f"Before the repair: {count} negative", "After the repair: none negative"]
        assert labels(display.lines_) == names
        assert display.image_ is None
        assert display.colorbar_ is None
        display.figure_.canvas.draw()

    def test_negative_eigenvalues_have_room(self, pyplot, iris, measured):
        display = show(measured, iris[0], kind="spectrum")
        ax = display.ax_
        lowest, zero = ax.transData.transform([[1, display.data["before"][-1]], [1, 0]])[:, 1]
        bottom, top = ax.transAxes.transform([[0, 0], [0, 1]])[:, 1]
        assert zero - lowest > 0.1 * (top - bottom)
        assert ax.get_yscale() == "symlog"

    @pytest.mark.parametrize("options", [{"psd": None}, {"shots": None, "noise": 0.0}])
    def test_nothing_repaired_is_one_curve(self, pyplot, iris, options):
        model = noisy(store_kernel=True, **options).fit(*iris)
        display = show(model, iris[0], kind="spectrum")
        (line,) = display.lines_
        expected = np.linalg.eigvalsh(model.kernel_matrix_)[::-1]
        np.testing.assert_allclose(line.get_ydata(), expected, atol=1e-12)
        count = np.sum(expected < -1e-10 * expected[0])
        assert line.get_label() == f"Eigenvalues: {count or 'none'} negative"
        assert (count > 0) == (model.shots is not None)

    @pytest.mark.parametrize("shots", [None, 100])
    def test_projected_kernel_is_one_curve(self, pyplot, iris, shots):
        model = noisy(kernel="projected", shots=shots, store_kernel=True).fit(*iris)
        display = show(model, iris[0], kind="spectrum")
        (line,) = display.lines_
        expected = np.linalg.eigvalsh(model.kernel_matrix_)[::-1]
        np.testing.assert_allclose(line.get_ydata(), expected, atol=1e-12)

    def test_predictions_stay_as_they_were(self, pyplot, iris):
        X, y = iris
        model = noisy(mitigate="split", shots=1000).fit(X, y)
        diagonal = model._measurement._diagonal.copy()
        decision = model.decision_function(X)
        show(model, X, kind="spectrum")
        np.testing.assert_array_equal(model._measurement._diagonal, diagonal)
        np.testing.assert_array_equal(model.decision_function(X), decision)

    def test_given_kernels(self, pyplot):
        K = SMALL - np.eye(4)
        display = show_kernel(K, kind="spectrum", repaired=SMALL, line_kwargs={"lw": 3})
        before, after = display.lines_
        np.testing.assert_allclose(before.get_ydata() + 1, after.get_ydata())
        assert before.get_linewidth() == 3
        assert labels(display.lines_)[0].startswith("Before the repair: ")

    @pytest.mark.parametrize(
        ("lowest", "linear"), [(0.04, 0.1), (1e-12, 1e-5), (-1e-12, 1e-5), (-0.3, 0.1), (-9, 1)]
    )
    def test_scale_is_linear_below_what_matters(self, pyplot, lowest, linear):
        scale = show_kernel(np.diag([lowest, 1, 9]), kind="spectrum").ax_.yaxis.get_transform()
        assert scale.linthresh == pytest.approx(linear)

    def test_scale_of_equal_eigenvalues_is_linear(self, pyplot):
        assert show_kernel(SMALL, kind="spectrum").ax_.get_yscale() == "linear"

    def test_matrix_without_positive_eigenvalues(self, pyplot):
        display = show_kernel(-np.eye(3), kind="spectrum")
        assert display.ax_.get_yscale() == "linear"
        assert labels(display.lines_) == ["Eigenvalues: 3 negative"]

    def test_samples_without_weight_are_left_out(self, pyplot, iris):
        X, y = iris
        weight = np.arange(50) % 3
        model = noisy(psd=None, store_kernel=True).fit(X, y, sample_weight=weight)
        (line,) = show(model, X, kind="spectrum").lines_
        expected = np.linalg.eigvalsh(model.kernel_matrix_)[::-1]
        np.testing.assert_allclose(line.get_ydata(), expected, atol=1e-12)

    def test_other_samples_are_refused(self, pyplot, iris, measured):
        X, _ = iris
        for other in (X[:-1], X + 1e-9):
            with pytest.raises(ValueError, match=r"kind='spectrum' needs the X that the estimator"):
                show(measured, other, kind="spectrum")


class TestHistogram:
    def test_pairs_are_split_by_class(self, pyplot):
        display = show_kernel(SMALL, CLASSES, kind="histogram")
        same, different = display.data["groups"].values()
        assert sorted(same) == [0.6, 0.7]
        assert sorted(different) == [0.1, 0.2, 0.3, 0.4]
        assert legend(display) == ["Same class: 2 pairs", "Different classes: 4 pairs"]
        for bars, values in zip(display.bars_, (same, different), strict=True):
            heights = [bar.get_height() for bar in bars]
            edges = np.linspace(0.1, 0.7, len(bars) + 1)
            np.testing.assert_allclose([bar.get_x() for bar in bars], edges[:-1])
            expected = np.histogram(values, edges)[0] / values.size
            np.testing.assert_allclose(heights, expected)
            assert sum(heights) == pytest.approx(1)
        assert display.band_ is None
        assert display.ax_.get_ylabel() == "Share of the pairs"
        highest = max(bar.get_height() for bars in display.bars_ for bar in bars)
        assert display.ax_.get_ylim()[1] > 1.3 * highest
        display.figure_.canvas.draw()

    def test_without_classes_is_one_group(self, pyplot, iris, exact):
        display = show(exact, iris[0], kind="histogram", bar_kwargs={"color": "red"})
        assert legend(display) == ["All: 1225 pairs"]
        expected = exact.kernel_matrix(iris[0])[np.triu_indices(50, k=1)]
        np.testing.assert_allclose(display.data["groups"]["All"], expected, atol=1e-15)
        assert display.bars_[0][0].get_facecolor()[:3] == (1, 0, 0)

    def test_group_without_pairs_is_left_out(self, pyplot):
        alone = show_kernel(SMALL, [0, 1, 2, 3], kind="histogram")
        assert legend(alone) == ["Different classes: 6 pairs"]
        together = show_kernel(SMALL, [0, 0, 0, 0], kind="histogram")
        assert legend(together) == ["Same class: 6 pairs"]

    def test_band_is_what_shots_resolve(self, pyplot, iris, measured):
        display = show(measured, *iris, kind="histogram")
        mean = measured.kernel_matrix(iris[0])[np.triu_indices(50, k=1)].mean()
        assert display.band_.get_x() == pytest.approx(mean - 0.1)
        assert display.band_.get_width() == pytest.approx(0.2)
        assert "100 shots" in display.band_.get_label()
        assert legend(display)[0] == display.band_.get_label()
        given = show_kernel(SMALL, kind="histogram", shots=400)
        assert given.band_.get_width() == pytest.approx(0.1)

    def test_projected_kernel_has_no_band(self, pyplot, iris):
        model = noisy(kernel="projected").fit(*iris)
        assert show(model, *iris, kind="histogram").band_ is None

    def test_constant_kernel_is_drawn(self, pyplot):
        display = show_kernel(np.full((4, 4), 0.25), kind="histogram")
        assert sum(bar.get_height() for bar in display.bars_[0]) == pytest.approx(1)

    def test_one_sample_is_refused(self, pyplot):
        with pytest.raises(ValueError, match="needs two samples or more"):
            show_kernel([[1.0]], kind="histogram")


class TestKernelArguments:
    def test_kind_is_checked(self, pyplot, iris, exact):
        match = r"kind must be one of 'matrix', 'spectrum', 'histogram'\. Got 'heat'"
        with pytest.raises(ValueError, match=match):
            show(exact, *iris, kind="heat")
        with pytest.raises(ValueError, match=match):
            show_kernel(SMALL, kind="heat")

    def test_other_estimators_are_refused(self, pyplot, iris):
        X, y = iris
        with pytest.raises(NotFittedError):
            show(QuantumKernelSVC(), X)
        for model in (
            LogisticRegression().fit(X, y),
            QuantumFeatureMap().fit(X),
            make_pipeline(StandardScaler(), QuantumKernelSVC(bandwidth=0.1)).fit(X, y),
        ):
            with pytest.raises(TypeError, match=r"must be a QuantumKernelSVC.*pass the last step"):
                show(model, X)

    def test_matrices_are_checked(self, pyplot):
        with pytest.raises(ValueError, match="K must be symmetric"):
            show_kernel(np.triu(SMALL))
        with pytest.raises(ValueError, match="repaired must be square"):
            show_kernel(SMALL, kind="spectrum", repaired=SMALL[:2])

    @pytest.mark.parametrize("kind", ["matrix", "histogram"])
    def test_classes_are_checked(self, pyplot, iris, exact, kind):
        X, y = iris
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            show(exact, X, y[:-1], kind=kind)
        with pytest.raises(ValueError, match="Unknown label type"):
            show(exact, X, X[:, 0], kind=kind)

    @pytest.mark.parametrize("kind", ["matrix", "spectrum", "histogram"])
    def test_float32_and_lists(self, pyplot, iris, kind):
        X, y = iris
        X = X.astype(np.float32)
        display = show(noisy().fit(X, y), X, y.tolist(), kind=kind)
        assert display.kind == kind


def test_tensors_are_shown_like_arrays(pyplot, iris):
    torch = pytest.importorskip("torch")
    X, codes = iris[0], np.unique(iris[1], return_inverse=True)[1]
    model, same = noisy().fit(torch.asarray(X), torch.asarray(codes)), noisy().fit(X, codes)
    for kind, key in (("matrix", "kernel"), ("spectrum", "before")):
        display = show(model, torch.asarray(X), torch.asarray(codes), kind=kind)
        expected = show(same, X, codes, kind=kind).data[key]
        np.testing.assert_allclose(display.data[key], expected, atol=1e-12)
    tensors = show_bandwidth(model, torch.asarray(X), torch.asarray(codes), bandwidths=[0.1])
    arrays = show_bandwidth(same, X, codes, bandwidths=[0.1])
    np.testing.assert_allclose(tensors.data["scores"], arrays.data["scores"])


class TestBandwidth:
    def test_curve_holds_the_alignments(self, pyplot, iris):
        X, y = iris
        model = QuantumKernelSVC().fit(X, y)
        display = show_bandwidth(model, X, y)
        grid, scores = display.line_.get_data()
        np.testing.assert_allclose(np.log2(grid), np.arange(-9, 1.25, 0.5))
        for i in (0, 8, 20):
            other = QuantumKernelSVC(bandwidth=grid[i]).fit(X, y)
            assert scores[i] == pytest.approx(kernel_alignment(other.kernel_matrix(X), y))
        assert display.mark_.get_data()[0] == model.bandwidth_
        assert display.mark_.get_data()[1] == pytest.approx(model.kernel_alignment_)
        assert display.mark_.get_label() == f"Chosen: 1/{1 / model.bandwidth_:.0f}"
        tried = np.isin(grid, 2.0 ** np.arange(-7, 1))
        assert tried.sum() == 8
        assert grid[tried][np.argmax(scores[tried])] == model.bandwidth_
        assert display.ax_.get_xscale() == "log"
        assert display.ax_.get_ylabel() == "Centred kernel-target alignment"
        assert display.ax_.figure.get_suptitle() == "QuantumKernelSVC"
        display.figure_.canvas.draw()

    def test_data_of_another_scale_move_the_grid(self, pyplot, iris):
        X, y = iris
        model = QuantumKernelSVC().fit(2.0**10 * X, y)
        moved = show_bandwidth(model, 2.0**10 * X, y).data["bandwidths"]
        assert moved[-1] < 0.01
        assert moved[0] < model.bandwidth_ < moved[-1]

    def test_given_bandwidths_and_that_of_the_estimator(self, pyplot, iris):
        X, y = iris
        model = QuantumFeatureMap(bandwidth=0.3).fit(X, y)
        display = show_bandwidth(model, X, y, bandwidths=[0.5, 0.25, 0.5])
        assert display.data["bandwidths"].tolist() == [0.25, 0.3, 0.5]
        assert display.data["score"] == display.data["scores"][1]
        assert display.mark_.get_label() == "Given: 0.3"

    def test_projected_kernel_has_its_own_path(self, pyplot, iris):
        X, y = iris
        model = QuantumKernelSVC(bandwidth=0.2, kernel="projected").fit(X, y)
        display = show_bandwidth(model, X, y, bandwidths=[0.1])
        assert display.data["score"] == pytest.approx(model.kernel_alignment_)

    def test_without_classes_spread_is_shown(self, pyplot, iris):
        X, _ = iris
        model = QuantumFeatureMap().fit(X)
        display = show_bandwidth(model, X)
        i = np.searchsorted(display.data["bandwidths"], model.bandwidth_)
        kernel = QuantumKernelSVC(bandwidth=model.bandwidth_).fit(X, np.arange(50) % 2)
        assert display.data["scores"][i] == pytest.approx(kernel.kernel_matrix(X).std())
        assert display.ax_.get_ylabel() == "Standard deviation of the kernel"
        assert display.data["score"] == max(display.data["scores"][4:20:2])

    def test_weights_count_as_repetitions(self, pyplot, iris):
        X, y = iris
        model = QuantumKernelSVC(bandwidth=0.2).fit(X, y)
        weight = np.arange(50) % 3
        options = {"bandwidths": [0.1, 0.4]}
        weighted = show_bandwidth(model, X, y, sample_weight=weight, **options).data["scores"]
        repeated = np.repeat(np.arange(50), weight)
        plain = show_bandwidth(model, X[repeated], y[repeated], **options).data["scores"]
        np.testing.assert_allclose(weighted, plain)
        assert not np.allclose(plain, show_bandwidth(model, X, y, **options).data["scores"])

    def test_many_samples_are_sampled(self, pyplot, iris, monkeypatch):
        X, y = iris
        model = QuantumKernelSVC(bandwidth=0.2).fit(X, y)
        everything = show_bandwidth(model, X, y, bandwidths=[0.1]).data["score"]
        monkeypatch.setattr("skmatrix.svm._quantum_bandwidth.MAX_SAMPLES", 30)
        options = {"bandwidths": [0.1], "random_state": 0}
        scores = [show_bandwidth(model, X, y, **options).data["score"] for _ in range(2)]
        assert scores[0] == scores[1] != everything
        assert scores[0] == pytest.approx(everything, abs=0.1)

    def test_axes_and_keywords(self, pyplot, iris):
        model = QuantumKernelSVC(bandwidth=0.2).fit(*iris)
        figure, ax = pyplot.subplots()
        keywords = {"ax": ax, "name": "Iris", "line_kwargs": {"color": "red"}}
        display = show_bandwidth(model, *iris, bandwidths=[0.1], **keywords)
        assert display.ax_ is ax
        assert display.figure_ is figure
        assert ax.figure.get_suptitle() == "Iris"
        assert display.line_.get_color() == "red"
        assert display.plot(name="again") is display
        assert display.ax_.figure.get_suptitle() == "again"

    def test_bad_arguments_are_named(self, pyplot, iris):
        X, y = iris
        model = QuantumKernelSVC(bandwidth=0.2).fit(X, y)
        for bad in ([], [0.1, 0.0], [-1.0], [np.inf], [np.nan]):
            with pytest.raises(ValueError, match="bandwidths must be positive numbers"):
                show_bandwidth(model, X, y, bandwidths=bad)
        with pytest.raises(ValueError, match=r"at least two classes\. Got one: 'setosa'"):
            show_bandwidth(model, X, np.full(50, "setosa"))
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            show_bandwidth(model, X, y[:-1])
        with pytest.raises(ValueError, match="Unknown label type"):
            show_bandwidth(model, X, X[:, 0])

    def test_other_estimators_are_refused(self, pyplot, iris):
        X, y = iris
        with pytest.raises(NotFittedError):
            show_bandwidth(QuantumKernelSVC(), X, y)
        with pytest.raises(TypeError, match=r"QuantumFeatureMap or a Var.*Got a LogisticReg"):
            show_bandwidth(LogisticRegression().fit(X, y), X, y)


class Circuit(LogisticRegression):
    """What the display reads of a variational classifier."""

    def __init__(self, loss="empirical_risk"):
        super().__init__()
        self.loss = loss

    def fit(self, X, y):
        """Pretend to have had three starts."""
        super().fit(X, y)
        self.loss_curves_ = [np.array(curve) for curve in CURVES]
        self.loss_curve_ = self.loss_curves_[1]
        return self


class TestTraining:
    def test_lines_hold_the_losses(self, pyplot):
        display = show_curves(CURVES, loss="Risk", name="Circuit")
        for line, curve in zip(display.lines_, CURVES, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), curve)
            np.testing.assert_array_equal(line.get_xdata(), np.arange(len(curve)))
        widths = [line.get_linewidth() for line in display.lines_]
        assert widths[1] > widths[0] == widths[2]
        assert legend(display) == ["Other starts", "Best of 3 starts: 0.19"]
        assert display.ax_.get_ylabel() == "Risk"
        assert display.ax_.get_xlabel() == "Iteration"
        assert display.ax_.figure.get_suptitle() == "Circuit"
        display.figure_.canvas.draw()

    @pytest.mark.parametrize(
        ("loss", "n_classes", "label"),
        [
            ("empirical_risk", 2, "Empirical risk"),
            ("cross_entropy", 2, "Cross-entropy"),
            ("empirical_risk", 3, "Cross-entropy"),
        ],
    )
    def test_estimator_names_its_loss(self, pyplot, iris, loss, n_classes, label):
        model = Circuit(loss).fit(iris[0], np.arange(50) % n_classes)
        display = show_training(model)
        assert display.data["best"] == 1
        assert display.ax_.get_ylabel() == label
        assert display.ax_.figure.get_suptitle() == "Circuit"

    def test_losses_are_those_of_the_classifier(self, pyplot, iris):
        X, y = iris
        model = VariationalQuantumClassifier(bandwidth=0.125, n_init=3, random_state=0)
        model.fit(X[:, :2], y == "setosa")
        display = show_training(model)
        for line, curve in zip(display.lines_, model.loss_curves_, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), curve)
        assert model.loss_curves_[display.data["best"]] == model.loss_curve_
        assert f"Best of 3 starts: {model.loss_:.3g}" in legend(display)

    def test_given_best_is_highlighted(self, pyplot):
        assert show_curves(CURVES, best=0).lines_[0].get_label() == "Best of 3 starts: 0.35"

    def test_one_start_is_not_the_best_of_many(self, pyplot):
        display = show_curves(CURVES[:1])
        assert labels(display.lines_) == ["Last: 0.35"]
        assert legend(display) == ["Last: 0.35"]

    def test_axes_and_keywords(self, pyplot):
        _, ax = pyplot.subplots()
        display = show_curves(CURVES, ax=ax, line_kwargs={"color": "red"})
        assert display.ax_ is ax
        assert [line.get_color() for line in display.lines_] == ["0.6", "red", "0.6"]
        assert display.plot(name="again") is display
        assert display.ax_.figure.get_suptitle() == "again"

    def test_bad_curves_are_refused(self, pyplot):
        for bad in ([], [[]], [[[0.1, 0.2]]]):
            with pytest.raises(ValueError, match="curves must be one-dimensional"):
                show_curves(bad)
        for bad in (3, -1):
            with pytest.raises(ValueError, match=rf"best must be a position below 3\. Got {bad}"):
                show_curves(CURVES, best=bad)

    def test_other_estimators_are_refused(self, pyplot, iris, exact):
        with pytest.raises(NotFittedError):
            show_training(QuantumKernelSVC())
        with pytest.raises(TypeError, match=r"must be a Variational.*Got a QuantumKernelSVC"):
            show_training(exact)


@pytest.mark.parametrize("plot", [show_kernel, show_bandwidth, show_curves])
def test_missing_matplotlib_says_how_to_get_it(iris, exact, monkeypatch, plot):
    arguments = {show_kernel: (SMALL,), show_bandwidth: (exact, *iris), show_curves: (CURVES,)}
    true_import = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return true_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=r"Display needs matplotlib.*pip install matplotlib"):
        plot(*arguments[plot])
