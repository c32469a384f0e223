"""Displays of sparse Bayesian learning show what was fitted, and where it is wrong."""

from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import ARDRegression, BayesianRidge, Lasso, LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from skmatrix.datasets import make_kronecker_sparse
from skmatrix.inspection import ConvergenceDisplay, KroneckerSpectrumDisplay, SupportDisplay
from skmatrix.linear_model import KroneckerSBL

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SIZES = {"n_features": (7, 5, 4), "n_measurements": (5, 5, 3), "n_nonzero": 2}
FACTORS, Y, TRUTH = make_kronecker_sparse(**SIZES, random_state=0)


@pytest.fixture(scope="module")
def model():
    return KroneckerSBL(compute_score=True).fit(FACTORS, Y)


@pytest.fixture(scope="module")
def matrix():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4))
    y = X @ [1.0, 0, 0, 2] + 0.1 * rng.standard_normal(30)
    return X, y


class TestConvergence:
    def test_log_evidence_of_each_iteration(self, pyplot, model):
        display = ConvergenceDisplay.from_estimator(model)
        (line,) = display.lines_
        assert_array_equal(line.get_ydata(), model.scores_)
        assert_array_equal(line.get_xdata(), np.arange(1, model.n_iter_ + 1))
        assert line.get_ydata()[-1] == pytest.approx(model.log_evidence())
        assert display.span_ is None

    @pytest.mark.parametrize("kind", [ARDRegression, BayesianRidge])
    def test_bayesian_regressions_of_scikit_learn(self, pyplot, matrix, kind):
        fitted = kind(compute_score=True).fit(*matrix)
        display = ConvergenceDisplay.from_estimator(fitted)
        assert_allclose(display.lines_[0].get_ydata(), fitted.scores_)

    def test_without_scores_the_remedy_is_named(self, pyplot, matrix):
        with pytest.raises(TypeError, match="Got a KroneckerSBL; fit it with compute_score=True"):
            ConvergenceDisplay.from_estimator(KroneckerSBL().fit(*matrix))
        with pytest.raises(TypeError, match="Got a BayesianRidge; fit it with compute_score=True"):
            ConvergenceDisplay.from_estimator(BayesianRidge().fit(*matrix))
        parts = KroneckerSBL(solver="decompose", compute_score=True).fit(FACTORS, Y)
        with pytest.raises(ValueError, match="fit of the KroneckerSBL has no objective"):
            ConvergenceDisplay.from_estimator(parts)


class TestNoise:
    @pytest.mark.parametrize("scale", ["linear", "log"])
    def test_noise_of_each_iteration(self, pyplot, model, scale):
        display = ConvergenceDisplay.from_estimator(model, kind="noise", scale=scale)
        values = display.lines_[0].get_ydata()
        assert_array_equal(values, model.noise_history_)
        assert values.size == model.n_iter_
        assert values[-1] == pytest.approx(model.noise_variance_)
        assert np.ptp(values) > 0
        assert display.ax_.get_ylabel() == "Noise variance"
        assert display.ax_.get_yscale() == scale

    def test_known_noise_is_constant(self, pyplot):
        model = KroneckerSBL(noise_variance=0.2, compute_score=True).fit(FACTORS, Y)
        display = ConvergenceDisplay.from_estimator(model, kind="noise")
        assert_array_equal(display.lines_[0].get_ydata(), 0.2)

    def test_what_is_not_kept_is_not_drawn(self, pyplot, matrix):
        with pytest.raises(TypeError, match="for kind='noise', noise_history_"):
            ConvergenceDisplay.from_estimator(KroneckerSBL().fit(*matrix), kind="noise")
        fitted = ARDRegression(compute_score=True).fit(*matrix)
        with pytest.raises(TypeError, match="Got a ARDRegression"):
            ConvergenceDisplay.from_estimator(fitted, kind="noise")
        with pytest.raises(ValueError, match="kind must be 'objective' or 'noise'"):
            ConvergenceDisplay.from_estimator(fitted, kind="noises")


def spectrum(estimator, **options):
    return KroneckerSpectrumDisplay.from_estimator(estimator, **options)


class TestSpectrum:
    @pytest.mark.parametrize("scale", ["linear", "log"])
    def test_stems_are_shares_of_the_largest_and_crosses_were_dropped(self, pyplot, model, scale):
        display = spectrum(model, scale=scale)
        assert len(display.ax_) == 3
        for k, ax in enumerate(display.ax_):
            gamma, support = model.gamma_[k], model.support_[k]
            x, heights = display.kept_[k].get_data()
            assert_array_equal(x, support)
            assert_allclose(heights, gamma[support] / gamma.max())
            stems = np.array(display.stems_[k].get_segments())
            assert_allclose(stems[:, 1], np.column_stack([x, heights]))
            assert_allclose(stems[:, 0, 1], ax.get_ylim()[0])
            crosses, base = display.dropped_[k].get_data()
            assert_array_equal(crosses, np.setdiff1d(np.arange(gamma.size), support))
            assert_array_equal(base, ax.get_ylim()[0])
            assert heights.min() > ax.get_ylim()[0]
            assert ax.get_yscale() == scale
            assert ax.get_title() == f"Factor {k}"
            labels = [text.get_text() for text in ax.get_legend().get_texts()]
            assert labels == [f"Kept: {support.size}", f"Dropped: {gamma.size - support.size}"]
        assert sum(crosses.get_xdata().size for crosses in display.dropped_) > 0
        assert display.figure_.get_suptitle() == "KroneckerSBL"
        display.figure_.canvas.draw()

    def test_factors_of_the_variances_do_not_matter(self, pyplot, model):
        moved = deepcopy(model)
        moved.gamma_ = [scale * g for scale, g in zip((3, 0.1, 1e5), model.gamma_, strict=True)]
        for ours, other in zip(spectrum(moved).kept_, spectrum(model).kept_, strict=True):
            assert_allclose(ours.get_ydata(), other.get_ydata())

    def test_coordinates_place_and_label(self, pyplot, model):
        angles, labels = np.linspace(-1, 1, 7), ["a", "b", "c", "d"]
        names = ["Angle", "Index", "Letter"]
        display = spectrum(model, coordinates=[angles, None, labels], factor_names=names)
        assert_allclose(display.kept_[0].get_xdata(), angles[model.support_[0]])
        assert_array_equal(display.kept_[1].get_xdata(), model.support_[1])
        assert [text.get_text() for text in display.ax_[2].get_xticklabels()] == labels
        assert [ax.get_title() for ax in display.ax_] == names
        assert [ax.get_xlabel() for ax in display.ax_] == ["", "Index", ""]

    def test_couplings_are_said(self, pyplot):
        coupling = [0.5, 0, np.eye(4) + 0.1]
        coupled = KroneckerSBL(coupling=coupling, max_iter=5).fit(FACTORS, Y)
        titles = [ax.get_title() for ax in spectrum(coupled).ax_]
        assert titles == [
            "Factor 0, neighbours coupled by 0.5",
            "Factor 1",
            "Factor 2, indices coupled",
        ]

    def test_names_of_the_columns_of_a_matrix(self, pyplot, matrix):
        pd = pytest.importorskip("pandas")
        X, y = matrix
        display = spectrum(KroneckerSBL().fit(pd.DataFrame(X, columns=list("abcd")), y))
        assert [text.get_text() for text in display.ax_[0].get_xticklabels()] == list("abcd")

    @pytest.mark.parametrize("scale", ["linear", "log"])
    def test_nothing_was_kept(self, pyplot, scale):
        display = spectrum(KroneckerSBL().fit(FACTORS, 0 * Y), scale=scale)
        assert display.kept_[0].get_xdata().size == 0
        assert display.dropped_[0].get_xdata().size == 7
        display.figure_.canvas.draw()

    def test_axes_and_keywords(self, pyplot, model):
        figure, axes = pyplot.subplots(1, 4)
        display = spectrum(model, ax=axes[1:], name="Mine", line_kwargs={"color": "red"})
        assert display.figure_ is figure
        assert axes[1].get_title() == "Mine: Factor 0"
        assert display.kept_[0].get_color() == "red"
        assert display.plot(name="again") is display
        with pytest.raises(ValueError, match=r"ax must have 3 axes, for the factors\. Got 4"):
            display.plot(axes)

    def test_bad_arguments_are_named(self, pyplot, model, matrix):
        with pytest.raises(NotFittedError):
            spectrum(KroneckerSBL())
        with pytest.raises(TypeError, match=r"must be a KroneckerSBL\. Got a LinearRegression"):
            spectrum(LinearRegression().fit(*matrix))
        for options, message in (
            ({"scale": "square"}, "scale must be 'linear' or 'log'. Got 'square'"),
            ({"factor_names": "ab"}, "a name for each of the 3 factors. Got 1"),
            ({"coordinates": [None]}, "an item for each of the 3 factors. Got 1"),
            ({"coordinates": [None, [1, 2], None]}, r"factor 1 must be 5 numbers .* shape \(2,\)"),
            ({"coordinates": [np.full(7, np.nan), None, None]}, "factor 0 must be finite"),
            ({"coordinates": [np.full(7, 1j), None, None]}, "factor 0 must be finite"),
        ):
            with pytest.raises(ValueError, match=message):
                spectrum(model, **options)


def places(display):
    """Rows and columns of the marks of each outcome."""
    found = {}
    for outcome, line in display.marks_.items():
        x, y = line.get_data()
        found[outcome] = {(int(i), int(j)) for i, j in zip(y, x, strict=True)}
    return found


class TestSupport:
    def test_hits_misses_and_false_alarms_of_a_matrix(self, pyplot):
        coef = np.array([[10.0, -5.0, 0.0], [0.009, 0.011, 0.0]])
        truth = np.array([[1.0, 0.0, 0.0], [3.0, 1e-9, 2.0]])
        display = SupportDisplay.from_predictions(coef, truth)
        expected = {"hit": {(0, 0), (1, 1)}, "miss": {(1, 0), (1, 2)}, "false alarm": {(0, 1)}}
        assert places(display) == expected
        labels = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert labels == ["Hits: 2", "Misses: 2", "False alarms: 1"]
        assert display.data["rate"] == KroneckerSBL.support_recovery_rate(coef, truth) == 0.4
        assert display.ax_.get_title() == "Hits among all marks: 40 %"
        assert display.ax_.get_ylim() == (1.5, -0.5)
        assert len({line.get_color() for line in display.marks_.values()}) == 3
        loose = SupportDisplay.from_predictions(coef, truth != 0, threshold=0)
        assert places(loose)["hit"] == {(0, 0), (1, 0), (1, 1)}

    @pytest.mark.parametrize("rows", [None, 0, 1, 2, (2, 0), (1, 0, 2), ()])
    def test_unfolding_of_a_tensor(self, pyplot, rows):
        shape, rng = (3, 4, 2), np.random.default_rng(0)
        coef, truth = (rng.standard_normal(shape) * (rng.random(shape) < 0.5) for _ in range(2))
        display = SupportDisplay.from_predictions(coef.ravel(), truth, shape=shape, rows=rows)
        rows = (0,) if rows is None else (rows,) if isinstance(rows, int) else rows
        columns = tuple(k for k in range(3) if k not in rows)
        expected = set()
        for place in np.argwhere((coef != 0) & (truth != 0)):
            row = np.ravel_multi_index([0, *place[list(rows)]], [1, *np.take(shape, rows)])
            column = np.ravel_multi_index([0, *place[list(columns)]], [1, *np.take(shape, columns)])
            expected.add((int(row), int(column)))
        assert places(display)["hit"] == expected
        display.figure_.canvas.draw()

    def test_labels_of_the_unfolding(self, pyplot):
        coef = np.ones((3, 4, 2))
        ax = SupportDisplay.from_predictions(coef, coef).ax_
        assert_allclose(ax.get_xticks(), [0.5, 2.5, 4.5, 6.5])
        assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "1", "2", "3"]
        assert ax.get_xlabel() == "Index of mode 1, each with those of 2"
        assert_allclose(ax.get_yticks(), [0, 1, 2])
        assert ax.get_ylabel() == "Index of mode 0"

    def test_a_fitted_estimator(self, pyplot, model):
        display = SupportDisplay.from_estimator(model, TRUTH.coef)
        found = np.abs(model.coef_) > 1e-3 * np.abs(model.coef_).max()
        assert_array_equal(display.data["hit"].ravel(), found & (TRUTH.coef != 0))
        assert display.data["shape"] == (7, 5, 4)
        rate = KroneckerSBL.support_recovery_rate(model.coef_, TRUTH.coef)
        assert display.data["rate"] == rate
        assert display.figure_.get_suptitle() == "KroneckerSBL"

    def test_snapshots_share_their_support(self, pyplot):
        factors, y, truth = make_kronecker_sparse(**SIZES, n_snapshots=3, random_state=0)
        fitted = KroneckerSBL().fit(factors, y)
        display = SupportDisplay.from_estimator(fitted, truth.coef)
        size = np.linalg.norm(fitted.coef_, axis=0)
        expected = (size > 1e-3 * size.max()) & (truth.coef[0] != 0)
        assert_array_equal(display.data["hit"].ravel(), expected)
        one = SupportDisplay.from_estimator(fitted, truth.coef[1] != 0)
        assert places(one) == places(display)

    def test_other_linear_models(self, pyplot, matrix):
        lasso = Lasso(alpha=0.1).fit(*matrix)
        display = SupportDisplay.from_estimator(lasso, [1, 0, 0, 2])
        assert places(display)["hit"] == {(0, 0), (0, 3)}
        assert display.figure_.get_suptitle() == "Lasso"

    def test_every_mark_of_a_large_tensor_is_drawn(self, pyplot):
        coef = np.zeros((40, 50, 60))
        coef[7, 8, 9] = 1
        display = SupportDisplay.from_predictions(coef, coef)
        assert places(display)["hit"] == {(7, 8 * 60 + 9)}
        display.figure_.canvas.draw()
        pixels = np.asarray(display.figure_.canvas.buffer_rgba())[..., :3]
        box = display.ax_.get_window_extent()
        inside = pixels[:, : int(box.x1)]
        assert np.sum(np.all(inside == (0x00, 0x72, 0xB2), axis=-1)) >= 4

    def test_nothing_found_and_nothing_true(self, pyplot):
        zeros = np.zeros((2, 3))
        assert SupportDisplay.from_predictions(zeros, zeros).data["rate"] == 0
        missed = SupportDisplay.from_predictions(zeros, zeros + 1)
        assert len(places(missed)["miss"]) == 6

    def test_axes_and_keywords(self, pyplot):
        figure, axes = pyplot.subplots(1, 2)
        options = {"ax": axes[1], "name": "Mine", "line_kwargs": {"markersize": 9}}
        display = SupportDisplay.from_predictions([1.0, 0], [1, 1], **options)
        assert (display.ax_, display.figure_) == (axes[1], figure)
        assert axes[1].get_title().startswith("Mine: Hits among all marks")
        assert display.marks_["miss"].get_markersize() == 9
        assert display.plot() is display

    def test_bad_arguments_are_named(self, pyplot, model):
        def show(coef=(1.0, 2.0), truth=(1, 0), **options):
            return SupportDisplay.from_predictions(coef, truth, **options)

        for threshold in (-0.1, 1, "a"):
            with pytest.raises(ValueError, match=r"threshold must be a number in \[0, 1\)"):
                show(threshold=threshold)
        for rows in (1, -1, (0, 0), (0.5,)):
            with pytest.raises(ValueError, match="rows must be one of the modes from 0 to 0"):
                show(rows=rows)
        with pytest.raises(ValueError, match=r"truth must have the 2 entries .* shape \(3,\)"):
            show(truth=[1, 0, 0])
        with pytest.raises(ValueError, match="coef must have the 3 entries"):
            show(shape=(3,))
        with pytest.raises(ValueError, match="coef must have the 0 entries"):
            show([], [])
        with pytest.raises(ValueError, match="coef contains NaN"):
            show([np.nan, 1])
        with pytest.raises(NotFittedError):
            SupportDisplay.from_estimator(KroneckerSBL(), TRUTH.coef)
        with pytest.raises(ValueError, match="truth must have the 140 entries"):
            SupportDisplay.from_estimator(model, [1, 0])
        neighbours = KNeighborsRegressor().fit([[0.0]], [0.0])
        with pytest.raises(TypeError, match=r"must have coefficients\. Got a KNeighborsRegressor"):
            SupportDisplay.from_estimator(neighbours, [1])
