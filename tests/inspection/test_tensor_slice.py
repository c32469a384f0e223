"""The display of a slice shows predictions, and the samples that are near it."""

import os

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import BayesianRidge, LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmatrix.datasets import make_functional_tensor
from skmatrix.decomposition import FunBaT
from skmatrix.inspection import TensorSliceDisplay

# A display is true of a poor fit too.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The fit has collapsed"),
]

show = TensorSliceDisplay.from_estimator


@pytest.fixture(scope="module")
def data():
    X, y, _ = make_functional_tensor(300, random_state=0)
    return X * [1, 10, 100], y


@pytest.fixture(scope="module")
def model(data):
    return FunBaT(2, kernel="matern32", max_iter=15, random_state=0).fit(*data)


def test_maps_are_the_predictions(pyplot, model):
    display = show(model, (2, 0), fixed={1: 4.0}, grid=7)
    x, y = display.data["x"], display.data["y"]
    assert_array_equal([x[0], x[-1]], model.indices_[2][[0, -1]])
    assert_array_equal([y[0], y[-1]], model.indices_[0][[0, -1]])
    assert_allclose(np.diff(x, 2), 0, atol=1e-10)
    for i, j in ((0, 0), (3, 5), (6, 1)):
        mean, std = model.predict([[y[i], 4.0, x[j]]], return_std=True)
        assert display.mean_.get_array()[i, j] == pytest.approx(mean[0])
        assert display.std_.get_array()[i, j] == pytest.approx(std[0])
    # Cells are about their coordinates.
    corners = display.mean_.get_coordinates()
    assert_allclose((corners[0, :-1, 0] + corners[0, 1:, 0]) / 2, x)
    assert_allclose((corners[:-1, 0, 1] + corners[1:, 0, 1]) / 2, y)
    assert display.ax_[0].get_xlabel() == display.ax_[1].get_xlabel() == "Coordinate 2"
    assert display.ax_[0].get_ylabel() == "Coordinate 0"
    assert display.ax_[0].get_title() == "Mean\nCoordinate 1 = 4"
    assert display.points_ == []
    assert display.figure_.get_suptitle() == "FunBaT"
    display.figure_.canvas.draw()


def test_other_columns_take_a_training_coordinate_in_the_middle(pyplot, model, data):
    value = show(model, grid=3).data["fixed"]["Coordinate 2"]
    column = np.unique(data[0][:, 2])
    assert value in column
    below, above = np.sum(column < value), np.sum(column > value)
    assert above - below in (0, 1)  # of two in the middle the lower


def test_given_grid(pyplot, model):
    display = show(model, grid=([0.1, 0.2, 0.5], [1.0, 3.0]), fixed={2: 50})
    assert display.data["mean"].shape == (2, 3)
    expected, std = model.predict([[0.5, 1.0, 50]], return_std=True)
    assert display.data["mean"][0, 2] == pytest.approx(expected[0])
    assert display.data["std"][0, 2] == pytest.approx(std[0])


def test_standard_deviations_without_noise(pyplot, model):
    with_noise = show(model, grid=4).data["std"]
    without = show(model, grid=4, predict_params={"include_noise": False}).data["std"]
    assert_allclose(with_noise**2 - without**2, model.noise_std_**2)


def test_points_are_those_in_the_slab(pyplot, model, data):
    X, y = data
    display = show(model, (0, 1), fixed={2: 30.0}, X=X, y=y, width=0.1, grid=5)
    near = np.abs(X[:, 2] - 30) <= 0.05 * np.ptp(X[:, 2])
    assert 10 < near.sum() < 60
    above, beside = display.points_
    assert_array_equal(above.get_offsets(), X[near, :2])
    assert_array_equal(beside.get_offsets(), X[near, :2])
    assert_array_equal(above.get_array(), y[near])
    # The same value has the same colour on the map.
    assert above.norm is display.mean_.norm
    assert above.cmap is display.mean_.cmap
    mean = display.data["mean"]
    assert display.mean_.get_clim() == (mean.min(), mean.max())
    assert f"{near.sum()} observed values nearby" in display.ax_[0].get_title()
    assert len(show(model, X=X, y=y, width=2).data["points"]) == 300
    on = show(model, X=X, y=y, width=0)
    assert len(on.data["points"]) == np.sum(X[:, 2] == on.data["fixed"]["Coordinate 2"]) > 0
    display.figure_.canvas.draw()


def test_points_beyond_the_map_do_not_change_it(pyplot, model, data):
    X, y = data
    display = show(model, grid=(np.linspace(0.4, 0.6, 5), np.linspace(4, 6, 5)), X=X, y=100 * y)
    assert display.ax_[0].get_xlim() == pytest.approx((0.375, 0.625))
    assert display.ax_[1].get_ylim() == pytest.approx((3.75, 6.25))
    assert np.abs(display.mean_.get_clim()).max() < np.abs(100 * y).max()
    assert display.mean_.colorbar.extend == "both"
    assert show(model, X=X, y=0 * y + model.intercept_).mean_.colorbar.extend == "neither"


def test_samples_without_values(pyplot, model, data):
    display = show(model, X=data[0])
    assert display.points_[0].get_array() is None
    assert "samples nearby" in display.ax_[0].get_title()
    empty = show(model, fixed={2: 1e6}, X=data[0], y=data[1])
    assert "0 observed values" in empty.ax_[0].get_title()
    empty.figure_.canvas.draw()


def test_modes_without_order(pyplot, data):
    X, y = data
    X = np.column_stack([X[:, 0], np.round(X[:, 1] / 2), np.round(X[:, 2] / 20)])
    kernel = ["matern12", "iid", "iid"]
    model = FunBaT(1, kernel=kernel, max_iter=12, random_state=0).fit(X, y)
    display = show(model, grid=5, X=X, width=1)
    assert_array_equal(display.data["y"], np.arange(6))
    assert_array_equal(display.ax_[0].get_yticks(), np.arange(6))
    assert display.data["x"].size == 5
    assert len(display.data["points"]) == np.sum(X[:, 2] == display.data["fixed"]["Coordinate 2"])


def test_two_columns(pyplot, data):
    X, y = data
    model = FunBaT(1, max_iter=12, random_state=0).fit(X[:, :2], y)
    display = show(model, X=X[:, :2], y=y)
    assert display.data["fixed"] == {}
    assert display.ax_[0].get_title() == "Mean, 300 observed values"


def test_names_of_columns(pyplot, data):
    pd = pytest.importorskip("pandas")
    X, y = data
    frame = pd.DataFrame(X, columns=["day", "depth", "place"])
    model = FunBaT(1, max_iter=12, random_state=0).fit(frame, y)
    display = show(model, ("place", 0), fixed={"depth": 3.0}, X=frame, y=pd.Series(y), grid=3)
    assert display.data["names"] == ["place", "day"]
    assert display.ax_[0].get_title().endswith("\ndepth = 3")
    at = pd.DataFrame([[display.data["y"][2], 3.0, display.data["x"][1]]], columns=list(frame))
    assert display.data["mean"][2, 1] == pytest.approx(model.predict(at)[0])
    # The pipeline has the names of its first step.
    pipeline = make_pipeline(StandardScaler(), BayesianRidge()).fit(frame, y)
    assert show(pipeline, X=frame, grid=3).data["names"] == ["day", "depth"]


def test_other_estimators_with_standard_deviations(pyplot, data):
    X, y = data
    process = GaussianProcessRegressor(optimizer=None).fit(X, y)
    display = show(process, (1, 2), X=X, y=y, grid=4, name="GP")
    distinct = np.unique(X[:, 0])
    middle = distinct[(distinct.size - 1) // 2]
    assert display.data["fixed"] == {"Coordinate 0": middle}
    mean, std = process.predict(
        [[middle, display.data["x"][3], display.data["y"][2]]], return_std=True
    )
    assert display.data["mean"][2, 3] == pytest.approx(mean[0])
    assert display.data["std"][2, 3] == pytest.approx(std[0])
    assert display.figure_.get_suptitle() == "GP"
    # Without X all has to be given.
    given = show(process, (1, 2), fixed={0: 0.5}, grid=([1, 2], [1, 2, 3]))
    assert given.data["mean"].shape == (3, 2)
    with pytest.raises(ValueError, match="of Coordinate 0 are not known: pass X, or its value"):
        show(process, (1, 2))
    with pytest.raises(ValueError, match="of Coordinate 1 are not known: pass X, or a pair of"):
        show(process, (1, 2), fixed={0: 0.5})


@pytest.mark.skipif(
    os.environ.get("SCIPY_ARRAY_API") != "1",
    reason="array-API dispatch needs SCIPY_ARRAY_API=1",
)
def test_estimator_fitted_in_another_library(pyplot, data):
    torch = pytest.importorskip("torch")
    X, y = (torch.asarray(a) for a in data)
    with config_context(array_api_dispatch=True):
        model = FunBaT(1, max_iter=12, random_state=0).fit(X, y)
        display = show(model, grid=3, X=X, y=y)
    here = FunBaT(1, max_iter=12, random_state=0).fit(*data)
    assert_allclose(display.data["mean"], show(here, grid=3).data["mean"], rtol=1e-6)


def test_axes_and_keywords(pyplot, model, data):
    figure, axes = pyplot.subplots(1, 3)
    display = show(
        model,
        X=data[0],
        y=data[1],
        ax=axes[1:],
        image_kwargs={"cmap": "Greys"},
        point_kwargs={"marker": "x", "lw": 3, "ec": None},
    )
    assert display.figure_ is figure
    assert display.ax_[0] is axes[1]
    assert display.mean_.get_cmap().name == display.std_.get_cmap().name == "Greys"
    assert display.points_[0].get_linewidth() == [3]
    assert axes[1].get_title().startswith("FunBaT: Mean")
    assert display.plot(name="again") is display
    assert display.figure_.get_suptitle() == "again"
    with pytest.raises(ValueError, match=r"ax must have 2 axes, for mean and standard .* Got 3"):
        display.plot(axes)


def test_bad_arguments_are_named(pyplot, model, data):
    X, y = data
    with pytest.raises(NotFittedError):
        show(FunBaT())
    with pytest.raises(TypeError, match="predict of LinearRegression has no return_std"):
        show(LinearRegression().fit(X, y))
    for modes in (0, (0,), (0, 1, 2), "01", None):
        with pytest.raises(ValueError, match=r"modes must be a pair of columns of X. Got"):
            show(model, modes)
    for modes in ((0, 3), (-1, 0), (0, "depth"), (0, 1.0)):
        with pytest.raises(ValueError, match=r"modes must be columns of X: integers from 0 to 2"):
            show(model, modes)
    with pytest.raises(ValueError, match=r"two different columns of X. Got \(1, 1\)"):
        show(model, (1, 1))
    with pytest.raises(ValueError, match="fixed must be a dict"):
        show(model, fixed=[0.5])
    with pytest.raises(ValueError, match=r"fixed must be columns of X.* Got 3"):
        show(model, fixed={3: 0.5})
    with pytest.raises(ValueError, match="fixed has Coordinate 1, which is one of the two modes"):
        show(model, fixed={1: 0.5})
    for value in (np.nan, "a", None):
        with pytest.raises(ValueError, match=f"fixed must have finite numbers. Got {value!r}"):
            show(model, fixed={2: value})
    for grid in (1, -5):
        with pytest.raises(ValueError, match=f"grid={grid} must be at least 2"):
            show(model, grid=grid)
    for grid in (2.5, None, "auto", ([1, 2],)):
        with pytest.raises(ValueError, match="grid must be an integer, or a pair of arrays"):
            show(model, grid=grid)
    for points in ([1], [2, 1], [1, np.inf], [[1, 2]]):
        with pytest.raises(ValueError, match="two finite, rising coordinates of Coordinate 1"):
            show(model, grid=([0, 1], points))
    for width in (-1, np.nan, "auto"):
        with pytest.raises(ValueError, match=r"width=.* must be a number of at least 0"):
            show(model, width=width)
    with pytest.raises(ValueError, match="y has values of samples, and X is None"):
        show(model, y=y)
    with pytest.raises(ValueError, match=r"X must have 3 columns\. Got 2"):
        show(model, X=X[:, :2])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        show(model, X=X, y=y[:5])
    line = FunBaT(1, max_iter=2).fit(X[:, :1], y)
    with pytest.raises(ValueError, match=r"over two columns of X. FunBaT was fitted to 1"):
        show(line)
    flat = FunBaT(1, max_iter=2).fit(np.column_stack([X[:, 0], np.ones(300)]), y)
    with pytest.raises(ValueError, match="Coordinate 1 has one training coordinate only"):
        show(flat)
