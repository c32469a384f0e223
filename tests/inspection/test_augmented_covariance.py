"""The displays of augmented covariances show what the estimators have found."""

import builtins

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

from skmatrix.covariance import (
    AugmentedCovariance,
    AugmentedCovarianceClassifier,
    Embedding,
    select_embedding,
    var_coefficients,
)
from skmatrix.datasets import make_var_process
from skmatrix.inspection import (
    AugmentedCovarianceDisplay,
    EmbeddingDisplay,
    EmbeddingGridDisplay,
)

pytest.importorskip("pyriemann")

A = np.array([[[0.6, 0.2], [-0.3, 0.5]], [[-0.3, 0.0], [0.1, -0.2]]])
POWER = 4.0  # of the second class
show_embedding = EmbeddingDisplay.from_estimator
show_grid = EmbeddingGridDisplay.from_estimator
show = AugmentedCovarianceDisplay.from_estimator


@pytest.fixture(scope="module")
def trials():
    slow, _ = make_var_process(30, A, 120, random_state=0)
    fast, _ = make_var_process(30, -A[:1], 120, random_state=1)
    return np.concatenate([slow, np.sqrt(POWER) * fast]), np.repeat(["slow", "fast"], 30)


@pytest.fixture(scope="module")
def grid(trials):
    X, y = trials
    model = AugmentedCovarianceClassifier(
        "grid", "grid", orders=[1, 2, 4, 50], lags=[3, 1], classifier="svc", random_state=0
    )
    return model.fit(X[:, :, :60], y)


def labels(lines):
    return [line.get_label() for line in lines]


class TestEmbedding:
    def test_panels_are_those_of_the_rules(self, pyplot, trials):
        X, _ = trials
        model = AugmentedCovariance(order="fnn", lag="mi", random_state=0).fit(X)
        display = show_embedding(model)
        curves = model.embedding_.curves
        information, correlation, neighbours = display.ax_
        np.testing.assert_array_equal(
            information.lines[0].get_ydata(), curves["mutual_information"][1:]
        )
        np.testing.assert_array_equal(information.lines[0].get_xdata(), curves["lags"][1:])
        np.testing.assert_array_equal(correlation.lines[0].get_ydata(), curves["autocorrelation"])
        np.testing.assert_array_equal(neighbours.lines[0].get_ydata(), curves["fnn"])
        np.testing.assert_array_equal(neighbours.lines[0].get_xdata(), curves["dimensions"])
        assert information.lines[2].get_xdata()[0] == model.lag_
        assert neighbours.lines[2].get_xdata()[0] == model.order_
        assert display.figure_.get_suptitle() == "AugmentedCovariance"
        assert f"Chosen order: {model.order_}" in labels(display.lines_)

    @pytest.mark.parametrize(
        ("rules", "n_panels", "label"),
        [
            ({"order": 2, "lag": "acf"}, 1, "Autocorrelation"),
            ({"order": "cao", "lag": 2}, 1, "E2, 1 for noise"),
            ({"order": "bic", "lag": 1}, 1, "BIC"),
            ({"order": "mdop", "lag": "mdop"}, 1, "Best channels"),
            ({"order": "hq", "lag": "mi_e"}, 3, "HQ"),
        ],
    )
    def test_each_rule_has_its_panel(self, pyplot, trials, rules, n_panels, label):
        display = show_embedding(AugmentedCovariance(**rules).fit(trials[0]))
        assert display.ax_.shape == (n_panels,)
        assert label in labels(display.lines_)
        display.figure_.canvas.draw()

    def test_least_criterion_is_marked(self, pyplot, trials):
        embedding = select_embedding(trials[0][:30], order="bic", lag=1)
        display = EmbeddingDisplay.from_embedding(embedding)
        dots = [line for line in display.ax_[0].lines if line.get_marker() == "o"]
        assert [dot.get_xdata()[0] for dot in dots] == [
            np.argmin(embedding.curves[key]) for key in ("aic", "hq", "bic")
        ]
        assert dots[2].get_xdata()[0] == 2
        assert display.figure_.get_suptitle() == ""

    def test_curves_of_several_rules_go_together(self, pyplot, trials):
        found = [
            select_embedding(trials[0], order=rule, lag="mi") for rule in ("fnn", "cao", "bic")
        ]
        curves = found[0].curves | found[1].curves | found[2].curves
        merged = Embedding(3, found[0].lag, np.arange(3), curves)
        display = EmbeddingDisplay.from_embedding(merged, name="All rules")
        assert len(display.ax_) == 5
        assert len(display.figure_.axes) == 5
        np.testing.assert_array_equal(
            display.ax_[2].lines[0].get_xdata(), found[0].curves["dimensions"]
        )

    def test_no_minimum_is_said(self, pyplot):
        curves = {
            "lags": np.arange(4),
            "mutual_information": np.array([2.0, 1.5, 1.2, 1.0]),
            "autocorrelation": np.array([1.0, 0.9, 0.8, 0.7]),
            "mi_has_minimum": False,
        }
        display = EmbeddingDisplay.from_embedding(Embedding(2, 3, np.array([0, 3]), curves))
        assert "Chosen lag: 3 (no minimum)" in labels(display.lines_)

    def test_classifier_shows_the_rule_that_won(self, pyplot, trials):
        model = AugmentedCovarianceClassifier("bic", "mi", random_state=0).fit(*trials)
        assert len(show_embedding(model).ax_) == 3

    def test_nothing_chosen_says_what_to_do(self, pyplot, trials, grid):
        given = AugmentedCovariance(2, 3).fit(trials[0])
        match = r"order=2 and lag=3 were given, or judged .* pass select_embedding\(X\)"
        with pytest.raises(ValueError, match=match):
            show_embedding(given)
        with pytest.raises(ValueError, match="There are no curves"):
            show_embedding(grid)
        with pytest.raises(ValueError, match="lag=None"):
            show_embedding(AugmentedCovariance(lag=[1, 4]).fit(trials[0]))
        with pytest.raises(NotFittedError):
            show_embedding(AugmentedCovariance())

    def test_axes_and_keywords(self, pyplot, trials):
        model = AugmentedCovariance("fnn", "mi").fit(trials[0])
        figure, axes = pyplot.subplots(3, 2)
        display = show_embedding(model, ax=axes[:, 0], name="EEG", line_kwargs={"color": "red"})
        assert display.figure_ is figure
        assert list(display.ax_) == list(axes[:, 0])
        assert axes[0, 0].get_title() == "EEG"
        assert display.lines_[0].get_color() == "red"
        assert display.plot(name="again") is display
        assert display.figure_.get_suptitle() == "again"
        match = r"ax must have 3 axes, for mutual_information, autocorrelation, fnn\. Got 6"
        with pytest.raises(ValueError, match=match):
            display.plot(axes)


class TestGrid:
    def test_scores_are_the_best_over_the_other_settings(self, pyplot, grid):
        display = show_grid(grid)
        results = grid.cv_results_
        best = {}
        for params, score in zip(results["params"], results["mean_test_score"], strict=True):
            pair = params["order"], params["lag"]
            best[pair] = max(score, best.get(pair, 0))
        assert display.data["orders"].tolist() == [1, 2, 4, 50]
        assert display.data["lags"].tolist() == [1, 3]
        one = next(score for (order, _), score in best.items() if order == 1)
        expected = [
            [one, one],
            [best[2, 1], best[2, 3]],
            [best[4, 1], best[4, 3]],
            [np.nan, np.nan],
        ]
        np.testing.assert_array_equal(display.data["scores"], expected)
        np.testing.assert_array_equal(display.image_.get_array().filled(np.nan), expected)
        assert np.nanmax(display.data["scores"]) == grid.best_score_

    def test_choice_is_marked(self, pyplot, grid):
        display = show_grid(grid)
        (x,), (y,) = display.choice_.get_data()
        assert display.data["orders"][y] == grid.order_
        assert display.data["lags"][x] == grid.lag_
        assert f"order {grid.order_}, lag {grid.lag_}" in display.choice_.get_label()
        assert display.ax_.get_title() == "AugmentedCovarianceClassifier"
        assert display.colorbar_.ax.get_ylabel() == "Mean accuracy of folds"
        display.figure_.canvas.draw()

    def test_frontier_is_where_rows_outnumber_samples(self, pyplot):
        orders, lags = np.arange(1, 11), np.arange(1, 11)
        data = {
            "orders": orders,
            "lags": lags,
            "scores": np.full((10, 10), 0.5),
            "order": 1,
            "lag": 1,
            "n_channels": 14,
            "n_times": 128,
            "scoring": None,
        }
        display = EmbeddingGridDisplay(data=data).plot()
        heights = display.frontier_.get_data().values
        # p C <= T - (p - 1) lag means p <= (T + lag) / (C + lag).
        largest = np.floor((128 + lags) / (14 + lags))
        np.testing.assert_array_equal(heights, largest - 0.5)
        assert display.colorbar_.ax.get_ylabel() == "Mean score of folds"
        inside = EmbeddingGridDisplay(data={**data, "n_channels": 1}).plot()
        assert inside.frontier_ is None

    def test_scores_are_printed_where_there_is_room(self, pyplot, grid):
        display = show_grid(grid)
        texts = [text.get_text() for text in display.ax_.texts]
        scores = display.data["scores"]
        assert len(texts) == 6
        assert texts[0] == f"{scores[0, 0]:.2f}".removeprefix("0")
        many = np.linspace(-20, 20, 13 * 13).reshape(13, 13)
        orders = np.arange(1, 14)
        data = {**display.data, "orders": orders, "lags": orders, "scores": many}
        assert not EmbeddingGridDisplay(data=data).plot().ax_.texts
        few = {**data, "scores": np.full((13, 11), -10.25), "lags": orders[:11]}
        assert EmbeddingGridDisplay(data=few).plot().ax_.texts[0].get_text() == "-10.25"

    def test_candidates_of_auto(self, pyplot, trials):
        model = AugmentedCovarianceClassifier(random_state=0, scoring="balanced_accuracy")
        display = show_grid(model.fit(*trials))
        judged = {(c.order, c.lag) for c in model.candidates_}
        for order, lag in judged - {(1, 1)}:
            row = display.data["orders"].tolist().index(order)
            column = display.data["lags"].tolist().index(lag)
            assert np.isfinite(display.data["scores"][row, column])
        assert display.colorbar_.ax.get_ylabel() == "Mean balanced_accuracy of folds"

    def test_one_of_the_two_is_a_grid(self, pyplot, trials):
        model = AugmentedCovarianceClassifier("grid", 2, orders=[2, 3]).fit(*trials)
        assert show_grid(model).data["scores"].shape == (2, 1)

    def test_scorer_without_a_name(self, pyplot, trials):
        model = AugmentedCovarianceClassifier(
            "grid", 2, orders=[2, 3], scoring=lambda model, X, y: model.score(X, y)
        )
        assert show_grid(model.fit(*trials)).data["scoring"] is None

    def test_axes_and_keywords(self, pyplot, grid):
        _, ax = pyplot.subplots()
        display = show_grid(grid, ax=ax, name="Grid", image_kwargs={"cmap": "magma"})
        assert display.ax_ is ax
        assert display.image_.get_cmap().name == "magma"
        assert ax.get_title() == "Grid"
        assert display.plot(name="again") is display
        assert display.ax_.get_title() == "again"

    def test_nothing_judged_says_what_to_do(self, pyplot, trials):
        match = r"There are no scores .* with order='grid' and lag='grid', or with 'auto'"
        with pytest.raises(ValueError, match=match):
            show_grid(AugmentedCovarianceClassifier(2, 1).fit(*trials))
        with pytest.raises(ValueError, match=match):
            show_grid(AugmentedCovariance(2, 1).fit(trials[0]))
        delays = AugmentedCovarianceClassifier(lag=[1, 4], classifier="svc").fit(*trials)
        with pytest.raises(ValueError, match=match):
            show_grid(delays)
        with pytest.raises(NotFittedError):
            show_grid(AugmentedCovarianceClassifier())


class TestMatrices:
    def test_means_by_class_in_units_of_the_channels(self, pyplot, trials):
        X, y = trials
        model = AugmentedCovariance(3, 2).fit(X)
        display = show(model, X, y, channel_names=["C3", "C4"])
        G = model.transform(X)
        means = np.stack([G[y == "fast"].mean(axis=0), G[y == "slow"].mean(axis=0)])
        deviation = np.sqrt(np.diagonal(means.mean(axis=0)).reshape(3, 2).mean(axis=0))
        scale = np.tile(deviation, 3)
        for image, mean in zip(display.images_, means, strict=True):
            np.testing.assert_allclose(image.get_array(), mean / np.outer(scale, scale))
        diagonals = np.diagonal(display.data["matrices"], axis1=1, axis2=2)
        np.testing.assert_allclose(diagonals.mean(axis=0), 1, atol=0.05)
        assert diagonals[0].mean() > 1.5 * diagonals[1].mean()
        assert [ax.get_title() for ax in display.ax_] == ["fast", "slow"]
        ticks = [text.get_text() for text in display.ax_[0].get_yticklabels()]
        assert ticks == ["C3", "C4"] * 3
        ticks = [text.get_text() for text in display.ax_[1].get_xticklabels()]
        assert ticks == ["$t$", "+2", "+4"]
        assert len(display.ax_[0].lines) == 4
        assert display.lines_ == []
        display.figure_.canvas.draw()

    def test_all_trials_together(self, pyplot, trials):
        display = show(AugmentedCovariance(2, 1).fit(trials[0]), trials[0])
        assert display.data["panels"] == ["All trials"]
        assert display.data["channel_names"] == ["0", "1"]
        np.testing.assert_allclose(np.diagonal(display.data["matrices"][0]), 1, atol=0.02)

    def test_classifier_shows_its_covariances(self, pyplot, trials):
        X, y = trials
        model = AugmentedCovarianceClassifier(2, 1).fit(X, y)
        same = show(AugmentedCovariance(2, 1).fit(X), X, y)
        np.testing.assert_allclose(show(model, X, y).data["matrices"], same.data["matrices"])

    def test_given_delays(self, pyplot, trials):
        display = show(AugmentedCovariance(lag=[1, 5]).fit(trials[0]), trials[0])
        ticks = [text.get_text() for text in display.ax_[0].get_xticklabels()]
        assert ticks == ["$t$", "+1", "+5"]

    def test_many_rows_have_no_names(self, pyplot, trials):
        display = show(AugmentedCovariance(33, 1).fit(trials[0]), trials[0])
        assert len(display.ax_[0].get_yticks()) == 33

    def test_differences(self, pyplot, trials):
        X, y = trials
        model = AugmentedCovariance(2, 1).fit(X)
        fast, slow = show(model, X, y).data["matrices"]
        two = show(model, X, y, kind="difference")
        assert two.data["panels"] == ["fast minus slow"]
        np.testing.assert_allclose(two.images_[0].get_array(), fast - slow)
        three = show(model, X, np.arange(60) % 3, kind="difference")
        assert three.data["panels"] == ["0 minus mean", "1 minus mean", "2 minus mean"]
        np.testing.assert_allclose(three.data["matrices"].sum(axis=0), 0, atol=1e-12)
        with pytest.raises(ValueError, match="needs y with 2 classes or more"):
            show(model, X, kind="difference")

    def test_axes_and_keywords(self, pyplot, trials):
        X, y = trials
        model = AugmentedCovariance(2, 1).fit(X)
        figure, axes = pyplot.subplots(2, 2)
        display = show(model, X, y, ax=axes[0], name="EEG", image_kwargs={"vmax": 9})
        assert display.figure_ is figure
        assert axes[0, 0].get_title() == "EEG: fast"
        assert display.images_[0].get_clim()[1] == 9
        assert display.plot() is display
        with pytest.raises(ValueError, match=r"ax must have 2 axes, for fast, slow\. Got 4"):
            display.plot(axes)

    def test_bad_arguments_are_named(self, pyplot, trials):
        X, y = trials
        model = AugmentedCovariance(2, 1).fit(X)
        with pytest.raises(ValueError, match=r"kind must be one of 'matrix', .* Got 'x'"):
            show(model, X, kind="x")
        with pytest.raises(ValueError, match=r"channel_names has 3 entries, but .* on 2 channels"):
            show(model, X, channel_names=["a", "b", "c"])
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            show(model, X, y[:-1])
        with pytest.raises(NotFittedError):
            show(AugmentedCovariance(), X)


class TestSpectra:
    def test_spectrum_is_that_of_the_process(self, pyplot):
        X, lagged = make_var_process(200, A, 2000, random_state=0)
        model = AugmentedCovariance(3, 1, toeplitz=True).fit(X)
        display = show(model, X, kind="spectrum", channels=[0, 1])
        f = display.data["frequencies"]
        waves = np.exp(-2j * np.pi * np.outer(f, [1, 2]))
        H = np.linalg.inv(np.eye(2) - np.einsum("fk,kij->fij", waves, A))
        true = 2 * np.sum(np.abs(H) ** 2, axis=2) / np.diagonal(lagged[0])
        np.testing.assert_allclose(display.data["spectra"][0].T, true, rtol=0.05)
        np.testing.assert_allclose(np.trapezoid(true[:, 0], f), 1, rtol=0.01)

    def test_innovation_is_the_floor(self, pyplot, trials):
        X, _ = trials
        model = AugmentedCovariance(4, 1).fit(X)
        display = show(model, X, kind="spectrum")
        matrix = show(model, X).data["matrices"][0]
        coefficients, innovation = var_coefficients(matrix, 3)
        H = np.linalg.inv(np.eye(2) - coefficients.sum(axis=0))
        at_zero = 2 * np.trace(H @ innovation @ H.T) / 2
        assert display.data["spectra"][0, 0, 0] == pytest.approx(at_zero)

    @pytest.mark.parametrize("lag", [1, 3])
    def test_frequencies_and_power_in_hertz(self, pyplot, trials, lag):
        X, y = trials
        model = AugmentedCovariance(4, lag).fit(X)
        display = show(model, X, y, kind="spectrum", sampling_rate=120)
        f = display.data["frequencies"]
        assert f[[0, -1]].tolist() == [0, 60 / lag]
        np.testing.assert_allclose(
            np.trapezoid(display.data["spectra"].mean(axis=0)[0], f), 1, rtol=0.1
        )
        assert display.ax_[0].get_xlabel() == "Frequency (Hz)"
        assert display.ax_[0].get_ylabel() == "Power per Hz"
        assert labels(display.lines_) == ["fast", "slow"]

    def test_channels_by_name_and_place(self, pyplot, trials):
        X, y = trials
        model = AugmentedCovariance(4, 1).fit(X)
        options = {"kind": "spectrum", "channel_names": ["C3", "C4"]}
        display = show(model, X, y, channels=["C4", 0], line_kwargs={"lw": 3}, **options)
        assert [ax.get_title() for ax in display.ax_] == ["C4", "C3"]
        assert display.lines_[0].get_linewidth() == 3
        mean = show(model, X, y, **options)
        assert mean.data["panels"] == ["Mean of 2 channels"]
        np.testing.assert_allclose(mean.data["spectra"][:, 0], display.data["spectra"].mean(axis=1))
        for channel in ("Cz", 2, -1):
            with pytest.raises(ValueError, match=f"channels has {channel!r}, which is neither"):
                show(model, X, y, channels=[channel], **options)

    @pytest.mark.parametrize("options", [{"order": 1, "lag": 1}, {"lag": [1, 4]}])
    def test_embeddings_without_a_spectrum_are_refused(self, pyplot, trials, options):
        model = AugmentedCovariance(**options).fit(trials[0])
        with pytest.raises(ValueError, match=r"kind='spectrum' needs an order of 2 or more"):
            show(model, trials[0], kind="spectrum")


def test_final_model_may_be_any_classifier(pyplot, trials):
    X, y = trials
    model = AugmentedCovarianceClassifier(2, 1, classifier=LogisticRegression(C=0.1)).fit(X, y)
    assert len(show(model, X, y).images_) == 2


@pytest.mark.parametrize("plot", [show_embedding, show_grid, show])
def test_missing_matplotlib_says_how_to_get_it(trials, grid, monkeypatch, plot):
    model = grid
    if plot is show_embedding:
        model = AugmentedCovariance("bic", 1).fit(trials[0])
    arguments = (trials[0],) if plot is show else ()
    true_import = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return true_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=r"Display needs matplotlib.*pip install matplotlib"):
        plot(model, *arguments)
