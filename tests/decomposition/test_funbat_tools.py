"""FunBaT with the tools of scikit-learn."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skmatrix.datasets import make_functional_tensor
from tests.callbacks import Watcher
from tests.decomposition.funbat_problem import QUERIES, X, Y, funbat

# Tools of scikit-learn


def test_pickle_and_clone(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    for a, b in zip(
        again.predict(QUERIES, return_std=True),
        fitted.predict(QUERIES, return_std=True),
        strict=True,
    ):
        assert_array_equal(a, b)
    assert_array_equal(again.sample_y(QUERIES, 3), fitted.sample_y(QUERIES, 3))
    fresh = clone(fitted)
    assert not hasattr(fresh, "core_")
    assert_array_equal(fresh.fit(X, Y).predict(QUERIES), fitted.predict(QUERIES))


def test_pickle_does_not_hold_the_data():
    # As many bytes, though there are seven times as many entries at the same coordinates.
    sizes = [
        len(pickle.dumps(funbat(max_iter=60).fit(np.tile(X, (n, 1)), np.tile(Y, n))._posterior))
        for n in (1, 7)
    ]
    assert sizes[1] < 1.1 * sizes[0]


def test_second_fit_forgets_the_first(fitted):
    data, values, _ = make_functional_tensor(60, (8, 9), random_state=0)
    model = funbat(decomposition="cp").fit(data, values).set_params(decomposition="tucker")
    assert model.core_ is None
    assert model.fit(X, Y).n_features_in_ == 3
    assert_array_equal(model.predict(QUERIES), fitted.predict(QUERIES))


def test_grid_search_chooses_the_rank():
    search = GridSearchCV(funbat(n_init=3), {"rank": [1, 2]}, cv=3).fit(X, Y)
    assert search.best_params_ == {"rank": 2}
    assert search.best_score_ > 0.8


def test_pipeline_and_cross_validation():
    pipe = make_pipeline(FunctionTransformer(lambda X: X[:, ::-1]), funbat(kernel="matern32"))
    assert cross_val_score(pipe, X, Y, cv=3).min() > 0.8
    pipe.fit(X, Y, funbat__sample_weight=np.ones(Y.size))
    mean, std = pipe.predict(X, return_std=True)
    assert mean.shape == std.shape == Y.shape


def test_logarithms_of_positive_values_by_a_transformed_target():
    model = TransformedTargetRegressor(
        funbat(kernel="matern32", fit_intercept=True), func=np.log, inverse_func=np.exp
    ).fit(X, np.exp(Y))
    assert r2_score(Y, np.log(model.predict(X))) > 0.95


def test_score_is_r_squared_with_weights(fitted):
    weight = np.random.default_rng(0).uniform(0.1, 2, Y.size)
    assert fitted.score(X, Y) == pytest.approx(r2_score(Y, fitted.predict(X)))
    expected = r2_score(Y, fitted.predict(X), sample_weight=weight)
    assert fitted.score(X, Y, weight) == pytest.approx(expected)


def test_same_seed_gives_the_same_fit(fitted):
    assert_array_equal(funbat().fit(X, Y).predict(QUERIES), fitted.predict(QUERIES))
    other = funbat(random_state=1).fit(X, Y)
    assert not np.array_equal(other.predict(QUERIES), fitted.predict(QUERIES))


# Callbacks


def test_callbacks_see_the_estimator_after_each_sweep():
    recorder = Watcher(lambda X, y, now: (now.predict(X), now))
    model = funbat().set_callbacks(recorder).fit(X, Y)
    assert len(recorder.seen) == model.n_iter_ > 10
    assert_array_equal(recorder.seen[-1][0], model.predict(X))
    errors = [root_mean_squared_error(Y, mean) for mean, _ in recorder.seen]
    assert errors[-1] < errors[0]
    # Later sweeps do not change what was seen.
    for mean, estimator in recorder.seen[::5]:
        assert_array_equal(estimator.predict(X), mean)
        assert estimator.n_iter_ <= model.n_iter_


def test_monitor_and_progress_bar_run_beside_the_fit(capsys):
    pytest.importorskip("rich")
    monitor = ScoringMonitor(scoring="r2")
    model = funbat().set_callbacks(monitor, ProgressBar()).fit(X, Y)
    scores = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    assert len(scores) == model.n_iter_
    assert "FunBaT" in capsys.readouterr().out


def test_verbose_prints_each_sweep(capsys):
    model = funbat(verbose=1).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_
    assert lines[-1].startswith(f"[FunBaT] iteration {model.n_iter_}/150: objective=")
