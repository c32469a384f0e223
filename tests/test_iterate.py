"""Tests of the outer loop and of its callbacks."""

import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.callback import CallbackSupportMixin, ProgressBar, ScoringMonitor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmatrix import _iterate
from skmatrix._iterate import Iterations
from skmatrix._sklearn import _fit_context
from skmatrix.impute import MatrixCompletion
from tests.toys import ToyRidge

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 3))
Y = X @ np.array([1.0, -2.0, 0.5])


class Halving(CallbackSupportMixin, BaseEstimator):
    """Fit whose change is 1/2, 1/4, ...; its body can be told what to do at an iteration."""

    _parameter_constraints = {}

    def __init__(self, max_iter=20, tol=0.01, body=None):
        self.max_iter = max_iter
        self.tol = tol
        self.body = body

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        self.loop_ = loop = Iterations(self, X, y, max_iter=self.max_iter, tol=self.tol)
        self.seen_ = []
        for i in loop:
            self.seen_.append(i)
            self.value_ = 0.5 ** (i + 1)
            update = {"objective": 1 + self.value_, "state": lambda: {"value_": self.value_}}
            if self.body is not None:
                update.update(self.body(loop, i) or {})
            loop.update(self.value_, **update)
        return self


class Recorder:
    """Callback that keeps what it is told, and may ask to stop."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.events = []

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata):
        self.events.append(("begin", context.task_name, context.task_id))
        self.data = (X, y, metadata)

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        self.events.append(("end", context.task_name, context.task_id))
        self.fitted = fitted_estimator
        return context.task_name == "iteration" and context.task_id == self.stop_at


def test_loop_ends_when_the_change_reaches_tol():
    model = Halving(tol=0.125).fit(X)
    assert model.seen_ == [0, 1, 2]
    assert model.loop_.n_iter == 3
    assert model.loop_.converged
    assert model.loop_.history == [1.5, 1.25, 1.125]


def test_converging_in_the_last_iteration_does_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Halving(max_iter=3, tol=0.125).fit(X).loop_.converged


def test_max_iter_warns_with_change_and_tolerance():
    message = (
        r"Halving did not converge: after max_iter=4 iterations the change is 0.0625, above"
        r" tol=0.01. Increase max_iter, or accept a larger tol."
    )
    with pytest.warns(ConvergenceWarning, match=message) as caught:
        model = Halving(max_iter=4).fit(X)
    assert not model.loop_.converged
    assert model.loop_.n_iter == 4
    # The warning points to the line that called fit.
    assert caught[0].filename == __file__


@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_warning_points_to_the_caller_of_the_library(method):
    model = MatrixCompletion(2, max_iter=1, random_state=0)
    with pytest.warns(ConvergenceWarning) as caught:
        getattr(model, method)(X)
    assert caught[0].filename == __file__


def test_warning_through_a_pipeline_points_to_its_caller():
    pipeline = make_pipeline(StandardScaler(), MatrixCompletion(2, max_iter=1, random_state=0))
    with pytest.warns(ConvergenceWarning) as caught:
        pipeline.set_output(transform="default").fit(X)
    assert caught[0].filename == __file__


def test_one_iteration_is_counted_as_one():
    with pytest.warns(ConvergenceWarning):
        assert Halving(max_iter=1).fit(X).loop_.n_iter == 1


def test_history_holds_only_given_objectives():
    model = Halving(body=lambda loop, i: {"objective": None} if i % 2 else None).fit(X)
    assert model.loop_.history == [1.5, 1.125, 1.03125, 1.0078125]


def test_allow_stop_false_keeps_a_small_change_from_ending_the_fit():
    model = Halving(tol=0.5, body=lambda loop, i: {"allow_stop": i >= 4}).fit(X)
    assert model.loop_.n_iter == 5
    assert model.loop_.converged


def test_stop_counts_as_converged(capsys):
    def body(loop, i):
        if i == 1:
            loop.stop("held-out error rises")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Halving(tol=0, body=body)
        model.verbose = 1
        model.fit(X)
    assert model.loop_.converged
    assert model.loop_.n_iter == 2
    assert "[Halving] iteration 2/20: stopped: held-out error rises" in capsys.readouterr().out


def test_body_without_update_is_an_error():
    class Silent(Halving):
        @_fit_context(prefer_skip_nested_validation=True)
        def fit(self, X, y=None):
            for _ in Iterations(self, X, y, max_iter=3, tol=0):
                pass

    with pytest.raises(RuntimeError, match="must call update once per iteration"):
        Silent().fit(X)


def test_verbose_prints_a_line_per_iteration(capsys):
    quiet = ToyRidge(random_state=0).fit(X, Y)
    assert capsys.readouterr().out == ""
    ToyRidge(random_state=0, verbose=1).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == quiet.n_iter_
    assert lines[0].startswith("[ToyRidge] iteration 1/2000: objective=")
    assert ", change=" in lines[0]


def test_objective_history_falls_and_has_one_entry_per_iteration():
    model = ToyRidge(random_state=0).fit(X, Y)
    assert len(model.objective_history_) == model.n_iter_
    assert np.all(np.diff(model.objective_history_) <= 1e-12)


def test_callbacks_see_the_fit_and_each_iteration():
    recorder = Recorder()
    Halving(tol=0.25).set_callbacks(recorder).fit(X, Y)
    assert recorder.events == [
        "setup",
        ("begin", "fit", 0),
        ("begin", "iteration", 0),
        ("end", "iteration", 0),
        ("begin", "iteration", 1),
        ("end", "iteration", 1),
        ("end", "fit", 0),
        "teardown",
    ]
    assert recorder.data[0] is X
    assert recorder.data[1] is Y
    assert recorder.data[2] is None
    assert recorder.fitted.value_ == 0.25


def test_metadata_reaches_the_callbacks():
    recorder = Recorder()
    model = Halving(tol=0.5).set_callbacks(recorder)
    loop = Iterations(model, X, Y, max_iter=2, tol=1, sample_weight=Y)
    for _ in loop:
        loop.update(0.0)
    assert recorder.data[2]["sample_weight"] is Y


def test_callback_can_stop_the_fit_without_a_warning():
    recorder = Recorder(stop_at=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = Halving(tol=0).set_callbacks(recorder).fit(X)
    assert model.loop_.n_iter == 3
    assert not model.loop_.converged
    assert recorder.events[-1] == "teardown"


def test_callback_stops_a_fit_that_may_not_converge_yet():
    model = Halving(tol=1, body=lambda loop, i: {"allow_stop": False})
    assert model.set_callbacks(Recorder(stop_at=1)).fit(X).loop_.n_iter == 2


def test_teardown_runs_when_the_body_fails():
    def body(loop, i):
        raise FloatingPointError("no number")

    recorder = Recorder()
    with pytest.raises(FloatingPointError):
        Halving(body=body).set_callbacks(recorder).fit(X)
    assert recorder.events[-1] == "teardown"


def test_state_is_made_only_for_callbacks_that_ask():
    asked = []

    def body(loop, i):
        return {"state": lambda: asked.append(i)}

    Halving(body=body).fit(X)
    assert asked == []


@pytest.mark.parametrize(("max_iter", "n_tasks"), [(10, 10), (30, 10), (35, 12)])
def test_long_loops_are_cut_into_about_a_hundred_tasks(max_iter, n_tasks, monkeypatch):
    monkeypatch.setattr(_iterate, "_TASK_LIMIT", 10)
    monkeypatch.setattr(_iterate, "_TASKS", 10)
    recorder = Recorder()
    with pytest.warns(ConvergenceWarning):
        model = Halving(max_iter=max_iter, tol=0).set_callbacks(recorder).fit(X)
    assert model.loop_.n_iter == max_iter
    begun = [event for event in recorder.events if event[:2] == ("begin", "iteration")]
    ended = [event for event in recorder.events if event[:2] == ("end", "iteration")]
    assert len(begun) == len(ended) == n_tasks


def test_scoring_monitor_logs_a_score_per_iteration():
    monitor = ScoringMonitor(scoring="r2")
    model = ToyRidge(random_state=0).set_callbacks(monitor).fit(X, Y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    assert len(rows) == model.n_iter_
    scores = [row["r2"] for row in rows]
    assert scores[-1] == pytest.approx(model.score(X, Y), abs=1e-9)
    assert scores[-1] > scores[0]


def test_progress_bar_runs(capsys):
    pytest.importorskip("rich")
    ToyRidge(random_state=0).set_callbacks(ProgressBar()).fit(X, Y)
    assert "ToyRidge" in capsys.readouterr().out


def test_callbacks_work_inside_search_and_pipeline(capsys):
    pytest.importorskip("rich")
    monitor = ScoringMonitor(scoring="r2")
    model = ToyRidge(random_state=0).set_callbacks(monitor, Recorder(stop_at=1))
    pipeline = make_pipeline(StandardScaler(), model)
    search = GridSearchCV(pipeline, {"toyridge__alpha": [0.1, 1.0]}, cv=2)
    search.set_callbacks(ProgressBar()).fit(X, Y)
    assert search.best_estimator_[-1].n_iter_ == 2
    # Two values on two folds, and the refit; two iterations each.
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    assert len(rows) == 10
    assert "GridSearchCV" in capsys.readouterr().out


def test_callbacks_survive_clone():
    recorder = Recorder()
    model = clone(Halving().set_callbacks(recorder))
    model.fit(X)
    assert "teardown" in recorder.events
