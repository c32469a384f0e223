"""The display of convergence shows the objectives that estimators have kept."""

import builtins

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

from skmatrix.datasets import make_functional_tensor, make_low_rank_matrix_completion
from skmatrix.decomposition import FunBaT
from skmatrix.impute import MatrixCompletion, MatrixCompletionRegressor
from skmatrix.inspection import ConvergenceDisplay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

show = ConvergenceDisplay.from_estimator


class Descent(BaseEstimator):
    """Has been fitted, with the given objectives."""

    def __init__(self, objectives=(), n_without=0):
        self.objectives = objectives
        self.n_without = n_without
        self.objective_history_ = np.array(objectives, dtype=float)
        self.n_iter_ = len(objectives) + n_without

    def fit(self, X):
        """Nothing is left to do."""
        return self


@pytest.fixture(scope="module")
def starts():
    X, y, _ = make_functional_tensor(200, random_state=0)
    return [FunBaT(rank=1, max_iter=25, random_state=seed).fit(X, y) for seed in range(2)]


def test_bound_of_each_sweep_with_the_warm_up_shaded(pyplot, starts):
    model = starts[0]
    display = show(model)
    (line,) = display.lines_
    assert_array_equal(line.get_ydata(), model.objective_history_)
    assert_array_equal(line.get_xdata(), np.arange(11, model.n_iter_ + 1))
    span = display.span_.get_extents().transformed(display.ax_.transData.inverted())
    assert (span.x0, span.x1) == pytest.approx((0.5, 10.5))
    assert display.span_.get_label() == "Warm-up, no objective"
    assert line.get_label() == f"Last: {model.objective_history_[-1]:.6g}"
    assert display.ax_.get_title() + display.figure_.get_suptitle() == "FunBaT"
    assert display.ax_.get_ylabel() == "Objective"
    display.figure_.canvas.draw()


def test_every_epoch_of_a_completion_has_an_objective(pyplot):
    X, _ = make_low_rank_matrix_completion(30, 20, noise=0.1, random_state=0)
    model = MatrixCompletion(2, random_state=0).fit(X)
    display = show(model)
    assert_array_equal(display.lines_[0].get_xdata(), np.arange(1, model.n_iter_ + 1))
    assert_array_equal(display.lines_[0].get_ydata(), model.objective_history_)
    assert display.span_ is None
    rows, columns = np.nonzero(np.isfinite(X))
    regressor = MatrixCompletionRegressor(2, random_state=0)
    regressor.fit(np.column_stack([rows, columns]), X[rows, columns])
    expected = regressor.completion_.objective_history_
    assert_array_equal(show(regressor).lines_[0].get_ydata(), expected)


def test_several_starts_are_named(pyplot, starts):
    display = show(starts)
    for i, (line, model) in enumerate(zip(display.lines_, starts, strict=True)):
        assert_array_equal(line.get_ydata(), model.objective_history_)
        assert line.get_label() == f"Start {i + 1}: {model.objective_history_[-1]:.6g}"
    labels = [line.get_label() for line in show({"a": starts[1], 2: starts[0]}).lines_]
    assert [label.partition(":")[0] for label in labels] == ["a", "2"]
    assert display.figure_.get_suptitle() == "FunBaT"
    mixed = show([starts[0], Descent([3, 2])], name=None)
    assert mixed.figure_.get_suptitle() == "FunBaT, Descent"


def test_shade_ends_where_the_first_curve_begins(pyplot):
    display = show([Descent([3, 2, 1], 4), Descent([3, 2, 1], 2)])
    assert [line.get_xdata()[0] for line in display.lines_] == [5, 3]
    span = display.span_.get_extents().transformed(display.ax_.transData.inverted())
    assert span.x1 == pytest.approx(2.5)
    assert show([Descent([2, 1], 3), Descent([2, 1])]).span_ is None


@pytest.mark.parametrize("sign", [1, -1])
def test_linear_convergence_is_a_line_whether_it_rises_or_falls(pyplot, sign):
    rate, n = 0.5, 40
    values = sign * (7 + 3 * rate ** np.arange(n))
    display = show(Descent(values, 5), scale="log")
    x, distance = display.lines_[0].get_data()
    assert_array_equal(x, np.arange(6, 6 + n - 1))  # the last has no distance
    assert display.ax_.get_yscale() == "log"
    # Away from the end, where the best value is not yet the limit.
    slopes = np.diff(np.log(distance[:20]))
    assert_allclose(slopes, np.log(rate), rtol=1e-4)
    assert_allclose(distance, np.abs(values - values[-1])[:-1])
    display.figure_.canvas.draw()


def test_best_value_need_not_be_the_last(pyplot):
    display = show(Descent([0, 5, 3, 4]), scale="log")
    assert_array_equal(display.lines_[0].get_ydata(), [5, np.nan, 2])
    assert_array_equal(display.lines_[0].get_xdata(), [1, 2, 3])
    fallen = show(Descent([9, 1, 3]), scale="log")
    assert_array_equal(fallen.lines_[0].get_ydata(), [8])
    stuck = show(Descent([0, 3, 5, 5, 5]), scale="log")
    assert_array_equal(stuck.lines_[0].get_ydata(), [5, 2])


def test_each_start_has_its_own_best_value(pyplot):
    display = show([Descent([0, 2, 4]), Descent([7, 6, 4])], scale="log")
    assert_array_equal(display.lines_[0].get_ydata(), [4, 2])
    assert_array_equal(display.lines_[1].get_ydata(), [3, 2])


def test_values_that_are_not_finite_leave_gaps(pyplot):
    display = show(Descent([np.inf, 9, np.nan, 5, 1]), scale="log")
    assert_array_equal(display.lines_[0].get_ydata(), [np.nan, 8, np.nan, 4])
    display.figure_.canvas.draw()


def test_history_that_goes_on_from_an_earlier_fit(pyplot):
    model = Descent([3, 2, 1])
    model.n_iter_ = 1
    display = show(model)
    assert_array_equal(display.lines_[0].get_xdata(), [1, 2, 3])
    assert display.span_ is None


def test_axes_names_and_keywords(pyplot, starts):
    figure, axes = pyplot.subplots(1, 2)
    display = show(starts[0], ax=axes[1], name="Mine", line_kwargs={"color": "red"})
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert axes[1].get_title() == "Mine"
    assert display.lines_[0].get_color() == "red"
    assert display.plot(name="again") is display
    assert display.ax_ is not axes[1]
    assert display.figure_.get_suptitle() == "again"


def test_bad_arguments_are_named(pyplot, starts):
    with pytest.raises(NotFittedError):
        show(FunBaT())
    with pytest.raises(NotFittedError):
        show([starts[0], FunBaT()])
    linear = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    with pytest.raises(TypeError, match=r"kept its objective, .* Got a LinearRegression"):
        show({"a": linear})
    for nothing in ([], {}):
        with pytest.raises(ValueError, match=r"or some in a list or dict\. Got none"):
            show(nothing)
    with pytest.raises(ValueError, match=r"scale must be 'linear' or 'log'\. Got 'symlog'"):
        show(starts[0], scale="symlog")
    with pytest.raises(ValueError, match=r"No iteration of the Descent .* all 3 were warm-up"):
        show(Descent([], 3))
    for constant in ([2], [2, 2], [np.nan, np.nan]):
        with pytest.raises(ValueError, match=r"scale='log' draws distances .* no objective has"):
            show(Descent(constant), scale="log")
    assert show([Descent([2]), Descent([2, 1])], scale="log").lines_[0].get_ydata().size == 0


def test_missing_matplotlib_says_how_to_get_it(starts, monkeypatch):
    true_import = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return true_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match=r"ConvergenceDisplay needs matplotlib.*pip install"):
        show(starts[0])
