"""The display of a tensor's structure shows what does not depend on how it is written."""

from copy import deepcopy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

from skmatrix.datasets import make_functional_tensor
from skmatrix.decomposition import FunBaT
from skmatrix.inspection import TensorStructureDisplay

# A display is true of a poor fit too.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The fit has collapsed"),
]

show = TensorStructureDisplay.from_estimator


def on_grid(model):
    """The tensor less its intercept at all distinct training coordinates."""
    grid = np.stack(np.meshgrid(*model.indices_, indexing="ij"), axis=-1)
    values = model.predict(grid.reshape(-1, grid.shape[-1])) - model.intercept_
    return values.reshape(grid.shape[:-1])


@pytest.fixture(scope="module")
def data():
    X, y, _ = make_functional_tensor(400, random_state=0)
    return np.round(X, 2), 5 * y


@pytest.fixture(scope="module")
def cp(data):
    return FunBaT(3, decomposition="cp", kernel="matern32", max_iter=25, random_state=0).fit(*data)


@pytest.fixture(scope="module")
def tucker(data):
    ranks = (3, 2, 2)
    return FunBaT(ranks, kernel="matern32", max_iter=25, random_state=0).fit(*data)


class TestLengthScales:
    def test_bars_end_at_the_length_scales(self, pyplot, tucker):
        display = show(tucker)
        ends = [bar.get_x() + bar.get_width() for bar in display.bars_]
        assert_allclose(ends, tucker.length_scale_)
        assert display.ax_[0].get_xscale() == "log"
        assert [line.get_xdata()[0] for line in display.bounds_] == [1e-3, 10]
        # The first mode is above.
        assert display.ax_[0].get_ylim()[0] > display.ax_[0].get_ylim()[1]
        names = [label.get_text() for label in display.ax_[0].get_yticklabels()]
        assert names == ["Coordinate 0", "Coordinate 1", "Coordinate 2"]
        assert display.figure_.get_suptitle() == "FunBaT"
        display.figure_.canvas.draw()

    def test_share_that_varies_is_that_of_the_tensor(self, pyplot, cp, tucker):
        for model in (cp, tucker):
            display = show(model)
            tensor = on_grid(model)
            for k, share in enumerate(display.data["varying"]):
                about = tensor - tensor.mean(axis=k, keepdims=True)
                assert share == pytest.approx(np.mean(about**2) / np.mean(tensor**2))
                text = display.remarks_[k].get_text()
                assert text == f"{model.length_scale_[k]:.2g}; {100 * share:.0f} % of energy varies"
            assert display.data["total"] == pytest.approx(np.sqrt(np.mean(tensor**2)))

    def test_mode_that_does_not_matter_is_marked(self, pyplot, data):
        X, y = data
        noise = np.random.default_rng(0).uniform(size=len(X))
        model = FunBaT((2, 2, 2, 1), kernel="matern32", fit_intercept=False, random_state=0)
        model.fit(np.column_stack([X, noise]), y)
        assert model.length_scale_[3] > 9.5
        display = show(model)
        assert display.data["at_bound"].tolist() == [False, False, False, True]
        assert display.remarks_[3].get_text().endswith("does not matter")
        assert all("matter" not in text.get_text() for text in display.remarks_[:3])
        colors = [bar.get_facecolor() for bar in display.bars_]
        assert colors[0] == colors[1] != colors[3]

    def test_mode_at_the_bound_along_which_the_tensor_varies(self, pyplot, data):
        model = FunBaT(2, length_scale_bounds=(1e-3, 0.05), length_scale=0.05, random_state=0)
        display = show(model.fit(*data))
        assert display.data["at_bound"].any()
        for k in np.flatnonzero(display.data["at_bound"]):
            assert display.remarks_[k].get_text().endswith("varies, though at the upper bound")

    def test_modes_without_a_length_scale(self, pyplot, data):
        X, y = data
        X = np.column_stack([X[:, 0], np.round(4 * X[:, 1]), np.ones(len(X))])
        kernel = ["matern12", "iid", "matern12"]
        display = show(FunBaT(1, kernel=kernel, max_iter=12, random_state=0).fit(X, y))
        assert np.isnan(display.data["length_scale"]).tolist() == [False, True, True]
        assert [bar.get_width() for bar in display.bars_][1:] == [0, 0]
        assert display.remarks_[1].get_text().startswith("no order (iid); ")
        assert display.remarks_[2].get_text() == "one coordinate"
        assert not display.data["at_bound"].any()
        display.figure_.canvas.draw()

    def test_bounds_are_those_of_a_search(self, pyplot, data):
        settings = {"optimize_length_scale": False, "max_iter": 12, "random_state": 0}
        display = show(FunBaT(1, length_scale=20, **settings).fit(*data))
        assert display.bounds_ == []
        assert not display.data["at_bound"].any()
        assert display.ax_[0].get_xlabel() == "Length scale"


class TestComponents:
    def test_strengths_are_root_mean_squares_of_the_components(self, pyplot, cp):
        display = show(cp)
        found = []
        for r in range(3):
            alone = np.einsum("i,j,k->ijk", *(mean[:, r] for mean in cp.factor_mean_))
            found.append(cp.y_scale_ * np.sqrt(np.mean(alone**2)))
        assert_allclose([bar.get_height() for bar in display.strengths_], np.sort(found)[::-1])
        labels = [label.get_text() for label in display.ax_[1].get_xticklabels()]
        assert labels == [str(r + 1) for r in np.argsort(found)[::-1]]
        assert display.core_ is None

    def test_strengths_do_not_depend_on_where_the_factors_are(self, pyplot, cp):
        expected = show(cp).data
        moved = deepcopy(cp)
        rng = np.random.default_rng(0)
        first, second = np.exp(rng.standard_normal((2, 3))) * rng.choice([-1, 1], (2, 3))
        order = rng.permutation(3)
        factors = (first, second, 1 / (first * second))
        for mean, factor in zip(moved.factor_mean_, factors, strict=True):
            mean *= factor
            mean[:] = mean[:, order]
        found = show(moved).data
        assert_allclose(found["strengths"], expected["strengths"])
        assert_array_equal(order[found["components"]], expected["components"])
        assert_allclose(found["varying"], expected["varying"])
        assert found["total"] == pytest.approx(expected["total"])


class TestCore:
    def test_heat_map_does_not_depend_on_the_basis(self, pyplot, tucker):
        expected = show(tucker).data["core"]
        mixed = deepcopy(tucker)
        rng = np.random.default_rng(0)
        core = mixed.core_
        for k, mean in enumerate(mixed.factor_mean_):
            mix = rng.standard_normal((mean.shape[1],) * 2)
            mean[:] = mean @ mix
            core = np.moveaxis(np.tensordot(np.linalg.inv(mix), core, (1, k)), 0, k)
        assert not np.allclose(np.abs(core), np.abs(tucker.core_), rtol=0.1)
        mixed.core_ = core
        assert_allclose(show(mixed).data["core"], expected, atol=1e-10)

    def test_rows_are_singular_values_of_the_tensor(self, pyplot, tucker):
        display = show(tucker)
        tensor = on_grid(tucker)
        matrix = display.core_.get_array()
        assert matrix.shape == (3, 4)
        for k in range(3):
            unfolded = np.moveaxis(tensor, k, 0).reshape(tensor.shape[k], -1)
            rank = tucker.core_.shape[k]
            expected = np.linalg.svd(unfolded, compute_uv=False)[:rank] / np.sqrt(tensor.size)
            others = tuple(i for i in range(3) if i != k)
            strengths = np.sqrt(np.sum(display.data["core"] ** 2, axis=others))
            assert_allclose(strengths, expected, rtol=1e-8)
        assert_allclose(matrix, display.data["core"].reshape(3, 4))
        assert display.strengths_ is None

    def test_labels_and_texts_have_the_shares(self, pyplot, tucker):
        ax = show(tucker).ax_[1]
        share = 100 * show(tucker).data["core"].reshape(3, 4) ** 2
        share /= share.sum()
        rows = [text.get_text() for text in ax.get_yticklabels()]
        assert rows[0] == f"1 ({100 * share[0].sum():.0f} %)"
        columns = [text.get_text() for text in ax.get_xticklabels()]
        assert columns == ["1,1", "1,2", "2,1", "2,2"]
        texts = {text.get_position(): text.get_text() for text in ax.texts}
        assert texts[0, 0] == f"{100 * share[0, 0]:.0f} %"
        assert len(texts) == np.sum(100 * share >= 0.5)
        assert ax.get_xlabel() == "Function of Coordinate 1, Coordinate 2"

    def test_two_modes_give_a_diagonal(self, pyplot, data):
        X, y = data
        model = FunBaT((2, 3), max_iter=12, random_state=0).fit(X[:, :2], y)
        core = show(model).data["core"]
        assert core.shape == (2, 2)  # the third function has no partner
        assert_allclose(core[~np.eye(2, dtype=bool)], 0, atol=1e-12 * core.max())

    def test_large_core_has_the_functions_of_one_mode_as_labels(self, pyplot, data):
        X, y = data
        display = show(FunBaT((2, 5, 5), max_iter=2, random_state=0).fit(X, y))
        labels = [text.get_text() for text in display.ax_[1].get_xticklabels()]
        assert labels == ["1", "2", "3", "4", "5"]
        assert_allclose(display.ax_[1].get_xticks(), [2, 7, 12, 17, 22])
        assert display.ax_[1].get_xlabel().endswith("1, each with those of Coordinate 2")
        display.figure_.canvas.draw()

    def test_single_mode_and_fewer_coordinates_than_functions(self, pyplot, data):
        X, y = data
        alone = show(FunBaT(2, max_iter=2, random_state=0).fit(X[:, :1], y))
        assert alone.core_.get_array().shape == (1, 1)
        X = np.column_stack([X[:, 0], X[:, 1] > 0.5])
        few = show(FunBaT(3, max_iter=2, random_state=0).fit(X, y))
        assert few.data["core"].shape == (2, 2)
        few.figure_.canvas.draw()


def test_names_of_columns(pyplot, data):
    pd = pytest.importorskip("pandas")
    X, y = data
    frame = pd.DataFrame(X, columns=["day", "depth", "place"])
    display = show(FunBaT((2, 2, 1), max_iter=2, random_state=0).fit(frame, y), name="Lake")
    assert [text.get_text() for text in display.ax_[0].get_yticklabels()] == list(frame)
    assert display.ax_[1].get_ylabel() == "Function of day"
    # A mode of one function is not among the columns of the core.
    assert display.ax_[1].get_xlabel() == "Function of depth"
    assert display.figure_.get_suptitle() == "Lake"


@pytest.mark.parametrize("decomposition", ["cp", "tucker"])
def test_constant_fit(pyplot, data, decomposition):
    X, y = data
    model = FunBaT(2, decomposition=decomposition, max_iter=30, random_state=0)
    display = show(model.fit(X, np.ones_like(y)))
    assert display.data["total"] < 1e-2
    assert np.isfinite(display.data["varying"]).all()
    for mean in model.factor_mean_:
        mean[:] = 0
    assert_array_equal(show(model).data["varying"], 0)
    show(model).figure_.canvas.draw()


def test_axes_and_keywords(pyplot, cp, tucker):
    figure, axes = pyplot.subplots(2, 2)
    display = show(cp, ax=axes[0], bar_kwargs={"color": "red"})
    assert display.figure_ is figure
    assert display.bars_[0].get_facecolor()[:3] == (1, 0, 0)
    assert display.strengths_[0].get_facecolor()[:3] == (1, 0, 0)
    assert axes[0, 0].get_title() == "FunBaT"
    assert show(tucker, ax=axes[1], image_kwargs={"cmap": "Reds"}).core_.get_cmap().name == "Reds"
    assert display.plot(name="again") is display
    assert display.figure_.get_suptitle() == "again"
    with pytest.raises(ValueError, match=r"ax must have 2 axes, for length scales and .* Got 4"):
        display.plot(axes)


def test_bad_arguments_are_named(pyplot, data):
    with pytest.raises(NotFittedError):
        show(FunBaT())
    with pytest.raises(TypeError, match=r"must be a FunBaT\. Got a LinearRegression"):
        show(LinearRegression().fit(*data))
