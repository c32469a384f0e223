"""The displays of matrix completion show what the estimator computed."""

import builtins

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import root_mean_squared_error

from skmatrix.datasets import make_low_rank_matrix_completion
from skmatrix.impute import MatrixCompletion, MatrixCompletionRegressor
from skmatrix.inspection import MatrixCompletionDisplay


@pytest.fixture(scope="module")
def X():
    return make_low_rank_matrix_completion(noise=0.1, random_state=0)[0]


@pytest.fixture(scope="module")
def completion(X):
    return MatrixCompletion(5, random_state=0).fit(X[:70])


@pytest.mark.parametrize("x", ["epoch", "seconds"])
def test_path_draws_the_histories(pyplot, completion, x):
    display = MatrixCompletionDisplay.from_estimator(completion, x=x)
    objective, row_steps, column_steps = display.lines_
    np.testing.assert_array_equal(objective.get_ydata(), completion.objective_history_)
    np.testing.assert_array_equal(row_steps.get_ydata(), completion.inner_iter_history_[:, 0])
    np.testing.assert_array_equal(column_steps.get_ydata(), completion.inner_iter_history_[:, 1])
    expected = np.arange(1, completion.n_iter_ + 1) if x == "epoch" else completion.elapsed_history_
    np.testing.assert_array_equal(objective.get_xdata(), expected)
    assert display.ax_.get_title() == "MatrixCompletion"


def test_path_draws_the_held_out_error(pyplot, X):
    fitted = MatrixCompletion(5, validation_fraction=0.2, random_state=0).fit(X)
    display = MatrixCompletionDisplay.from_estimator(fitted, name="Ratings")
    np.testing.assert_array_equal(display.lines_[1].get_ydata(), fitted.validation_history_)
    assert display.ax_.get_title() == "Ratings"


def test_spectrum_draws_singular_values_and_sorted_ranks(pyplot, X):
    fitted = MatrixCompletion("auto", bias="none", random_state=0).fit(X)
    display = MatrixCompletionDisplay.from_estimator(fitted, kind="spectrum")
    values, ranks = display.lines_
    np.testing.assert_array_equal(values.get_ydata(), fitted.singular_values_)
    expected = np.array(sorted(fitted.rank_path_))
    np.testing.assert_array_equal(ranks.get_xydata(), expected)


def test_hidden_error_is_minus_the_score(pyplot, X, completion):
    display = MatrixCompletionDisplay.from_estimator(completion, X[70:], kind="hidden")
    predicted, true = display.lines_[1].get_xydata().T
    error = root_mean_squared_error(true, predicted)
    assert error == pytest.approx(-completion.score(X[70:]), rel=1e-12)


def test_cold_start_groups_pool_to_the_overall_error(pyplot):
    rng = np.random.default_rng(0)
    counts = rng.integers(1, 50, 500)
    error = rng.standard_normal(500) / np.sqrt(counts)
    display = MatrixCompletionDisplay.from_predictions(
        np.zeros(500), error, counts=counts, kind="cold_start"
    )
    curve = display.lines_[0].get_xydata()
    assert len(curve) == 10
    # The error falls with the counts by construction, and groups of about equal size pool.
    assert curve[0, 1] > 2 * curve[-1, 1]
    assert np.sqrt(np.mean(curve[:, 1] ** 2)) == pytest.approx(np.sqrt(np.mean(error**2)), rel=0.05)


def test_cold_start_of_equal_counts_is_one_point(pyplot):
    display = MatrixCompletionDisplay.from_predictions(
        np.zeros(4), np.ones(4), counts=np.full(4, 3), kind="cold_start"
    )
    np.testing.assert_array_equal(display.lines_[0].get_xydata(), [[3, 1]])


def test_axes_and_keywords_are_used(pyplot, completion):
    _, ax = pyplot.subplots()
    display = MatrixCompletionDisplay.from_estimator(
        completion, ax=ax, line_kwargs={"color": "red"}
    )
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.lines_[0].get_color() == "red"
    assert display.plot(name="again") is display
    assert display.ax_.get_title() == "again"


def test_regressor_shows_its_completion(pyplot):
    pairs = np.indices((6, 5)).reshape(2, -1).T
    model = MatrixCompletionRegressor(2, random_state=0).fit(pairs, pairs.sum(axis=1) * 1.0)
    display = MatrixCompletionDisplay.from_estimator(model)
    np.testing.assert_array_equal(
        display.lines_[0].get_ydata(), model.completion_.objective_history_
    )


def test_bad_arguments_are_named(pyplot, completion, X):
    show = MatrixCompletionDisplay.from_estimator
    with pytest.raises(ValueError, match=r"kind must be one of .* Got 'x'"):
        show(completion, kind="x")
    with pytest.raises(ValueError, match="x must be 'epoch' or 'seconds'"):
        show(completion, x="minutes")
    pairs = np.indices((4, 3)).reshape(2, -1).T
    regressor = MatrixCompletionRegressor(1, random_state=0).fit(pairs, pairs.sum(axis=1) * 1.0)
    with pytest.raises(ValueError, match="to from_predictions"):
        show(regressor, pairs, kind="hidden")
    with pytest.raises(ValueError, match="needs X"):
        show(completion, kind="hidden")
    with pytest.raises(NotFittedError):
        show(MatrixCompletion())
    with pytest.raises(ValueError, match="needs counts"):
        MatrixCompletionDisplay.from_predictions([1.0], [1.0], kind="cold_start")
    with pytest.raises(ValueError, match="kind must be 'hidden' or 'cold_start'"):
        MatrixCompletionDisplay.from_predictions([1.0], [1.0], kind="path")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        MatrixCompletionDisplay.from_predictions([1.0], [1.0, 2.0])


def test_missing_matplotlib_says_how_to_get_it(completion, monkeypatch):
    true_import = builtins.__import__

    def without_matplotlib(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return true_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_matplotlib)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        MatrixCompletionDisplay.from_estimator(completion)
