"""SketchedRegression with scikit-learn's tools, on each engine and with threads."""

import os
import pickle
import subprocess
import sys
import threading

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmatrix._backend import to_numpy
from skmatrix.linear_model import SketchedRegression
from tests.callbacks import Watcher
from tests.linear_model.reference import EXACT, fitted, solve

WAYS = (*EXACT, "sketch")
every_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5000, 6)) + 3
    Y = X @ rng.standard_normal((6, 2)) + rng.standard_normal((5000, 2))
    return X, Y, rng.uniform(0, 2, 5000)


def fit(way, X, y, sample_weight=None, **parameters):
    """A fit with a sketch of a length that is not that of preconditioners."""
    return fitted(way, X, y, sample_weight, **{"sketch_size": 200, **parameters})


# scikit-learn's tools


def test_clone_and_parameters_are_untouched_by_fit(data):
    X, Y, _ = data
    model = SketchedRegression(alpha=[1.0, 2.0], sketch_size=("suboptimality", 0.05))
    before = {name: id(value) for name, value in model.get_params().items()}
    model.fit(X, Y)
    assert {name: id(value) for name, value in model.get_params().items()} == before
    copied = clone(model)
    assert not hasattr(copied, "coef_")
    assert_allclose(copied.fit(X, Y).coef_, model.coef_, rtol=1e-12)


@every_way
def test_fits_again_give_the_same_bits(way, data):
    X, Y, weight = data
    model = fit(way, X, Y, weight)
    first = model.coef_.copy()
    if way != "stream":
        model.fit(X[:4000], Y[:4000])
        model.fit(X, Y, weight)
    assert_array_equal(model.coef_, first)
    assert_array_equal(fit(way, X, Y, weight).coef_, first)


def test_pickles_work_in_a_fresh_process(data, tmp_path):
    X, Y, weight = data
    models = [fit(way, X, Y, weight, certify=way != "stream") for way in WAYS]
    (tmp_path / "models").write_bytes(pickle.dumps((models, X)))
    code = (
        "import pickle, sys, numpy; "
        "models, X = pickle.load(open(sys.argv[1], 'rb')); "
        "numpy.save(sys.argv[2], [[*m.predict(X).T, m.leverage_scores(X)] for m in models])"
    )
    result = tmp_path / "result.npy"
    subprocess.run([sys.executable, "-c", code, tmp_path / "models", result], check=True)
    expected = [[*model.predict(X).T, model.leverage_scores(X)] for model in models]
    assert_array_equal(np.load(result), expected)
    for way, model in zip(WAYS, models, strict=True):
        # Nothing of the data is kept, but for the end of a stream.
        assert len(pickle.dumps(model)) < (80_000 if way == "stream" else 8_000)


@every_way
def test_skops_stores_and_loads(way, data):
    io = pytest.importorskip("skops.io")
    X, Y, _ = data
    model = fit(way, X, Y)
    stored = io.dumps(model)
    unknown = io.get_untrusted_types(data=stored)
    assert all(name.startswith("skmatrix.") for name in unknown)
    loaded = io.loads(stored, trusted=unknown)
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert_array_equal(loaded.leverage_scores(X), model.leverage_scores(X))
    if way in ("stream", "lapack", "direct"):
        assert_array_equal(loaded.partial_fit(X, Y).coef_, model.partial_fit(X, Y).coef_)


def test_grid_search_over_the_penalty_finds_that_of_ridge():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 40))
    y = X[:, 0] + 5 * rng.standard_normal(300)
    grid = {"alpha": [0.0, 10.0, 1000.0, 1e5]}
    ours = GridSearchCV(SketchedRegression(solver="direct", random_state=0), grid, cv=3).fit(X, y)
    peer = GridSearchCV(Ridge(solver="svd"), grid, cv=3).fit(X, y)
    assert ours.best_params_ == peer.best_params_
    assert_allclose(ours.cv_results_["mean_test_score"], peer.cv_results_["mean_test_score"])


@every_way
def test_pipeline_after_a_scaler(way, data):
    if way == "stream":
        pytest.skip("a pipeline has no partial_fit")
    X, Y, weight = data
    model = make_pipeline(
        StandardScaler(), SketchedRegression(solver=way, sketch_size=2000, random_state=0)
    )
    model.fit(X, Y, sketchedregression__sample_weight=weight)
    peer = LinearRegression().fit(X, Y, weight)
    tolerance = 0.05 if way == "sketch" else 1e-10
    assert_allclose(model.predict(X), peer.predict(X), atol=tolerance * np.abs(Y).max())
    assert np.mean(cross_val_score(model, X, Y, cv=3)) > 0.3


def test_pipeline_after_an_encoder_of_categories():
    """Columns that add up to one for each of the categories: the shortest of many solutions."""
    rng = np.random.default_rng(0)
    table = rng.integers(0, 12, (5000, 3))
    y = table.sum(axis=1) + rng.standard_normal(5000)
    model = make_pipeline(OneHotEncoder(), SketchedRegression(random_state=0)).fit(table, y)
    assert model[-1].solver_ == "iterative"
    assert model[-1].rank_ == 3 * 11
    X = OneHotEncoder(sparse_output=False).fit_transform(table)
    coef, intercept = solve(X, y)
    assert_allclose(model[-1].coef_, coef, rtol=1e-9, atol=1e-10)
    assert model[-1].intercept_ == pytest.approx(intercept, rel=1e-9)


def test_pipeline_after_a_sparse_vectoriser():
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 30, (4200, 6))
    words = [{f"word{w}": float(c) for c, w in enumerate(row)} for row in drawn]
    y = np.array([row.get("word3", 0) - row.get("word5", 0) for row in words])
    model = make_pipeline(DictVectorizer(), SketchedRegression(random_state=0)).fit(words, y)
    names = list(model[0].get_feature_names_out())
    coef = model[-1].coef_
    assert coef[names.index("word3")] == pytest.approx(1, rel=1e-10)
    assert coef[names.index("word5")] == pytest.approx(-1, rel=1e-10)
    assert model.score(words, y) == pytest.approx(1)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("way", ["direct", "stream", "sketch"])
def test_frames_are_arrays_with_names(way, library, data):
    frames = pytest.importorskip(library)
    X, Y, _ = data
    names = [f"width{j}" for j in range(6)]
    frame = frames.DataFrame(dict(zip(names, X.T, strict=True)))
    targets = frames.DataFrame({"one": Y[:, 0], "two": Y[:, 1]})
    one = targets["one"]
    if way == "stream":
        model = SketchedRegression().partial_fit(frame, targets).partial_fit(frame, targets)
        expected = SketchedRegression().partial_fit(X, Y).partial_fit(X, Y)
        single = SketchedRegression().partial_fit(frame, one)
    else:
        model, expected = fit(way, frame, targets), fit(way, X, Y)
        single = fit(way, frame, one)
    assert_array_equal(model.feature_names_in_, names)
    assert_array_equal(model.coef_, expected.coef_)
    assert_array_equal(model.predict(frame), expected.predict(X))
    assert single.coef_.shape == (6,)
    assert model.score(frame, targets) == pytest.approx(expected.score(X, Y), rel=1e-13)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[names[::-1]])
    assert not hasattr(expected, "feature_names_in_")


def test_weights_are_routed_through_search_and_pipeline(data):
    X, Y, weight = data
    with sklearn.config_context(enable_metadata_routing=True):
        model = SketchedRegression(random_state=0).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True).set_partial_fit_request(sample_weight=True)
        search = GridSearchCV(model, {"alpha": [0.1]}, cv=3).fit(X, Y, sample_weight=weight)
        pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        pipeline.fit(X, Y, sample_weight=weight)
    expected = SketchedRegression(alpha=0.1, random_state=0).fit(X, Y, weight)
    assert_array_equal(search.best_estimator_.coef_, expected.coef_)
    weighted, plain = solve(X, Y, weight)[0], solve(X, Y)[0]
    found = pipeline[1].coef_ / pipeline[0].scale_
    assert_allclose(found, weighted, rtol=1e-10)
    assert np.abs(weighted - plain).max() > 1e-3


@every_way
def test_score_is_that_of_scikit_learn(way, data):
    X, Y, weight = data
    model = fit(way, X, Y, weight)
    peer = LinearRegression()
    peer.coef_, peer.intercept_ = model.coef_, model.intercept_
    for w in (None, weight):
        assert model.score(X, Y, w) == pytest.approx(peer.score(X, Y, w), rel=1e-12)
        assert isinstance(model.score(X, Y, w), float)


# Callbacks


@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("alpha", [0.0, (1.0, 2000.0)])
@pytest.mark.parametrize("unit", [1.0, 2.0**500])
def test_callbacks_see_the_estimator_after_each_step(unit, alpha, form, data):
    X, Y, _ = data
    recorder = Watcher(lambda X, y, now: now.score(X, y))
    model = SketchedRegression(
        solver="iterative", alpha=alpha if unit == 1 else 0.0, sketch_size=20, random_state=0
    ).set_callbacks(recorder)
    model.fit(form(unit * X), Y)
    assert len(recorder.seen) == model.n_iter_ == len(model.gradient_history_) > 5
    assert recorder.seen[0] < recorder.seen[-1]
    assert recorder.seen[-1] == pytest.approx(model.score(form(unit * X), Y), rel=1e-12)


@pytest.mark.parametrize("alpha", [0.0, (1.0, 5.0)])
def test_monitor_and_progress_bar_run_beside_the_fit(alpha, data, capsys):
    pytest.importorskip("rich")
    X, Y, weight = data
    monitor = ScoringMonitor(scoring="r2")
    model = SketchedRegression(solver="iterative", alpha=alpha, random_state=0)
    before = set(threading.enumerate())
    model.set_callbacks(monitor, ProgressBar()).fit(X, Y, weight)
    steps = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    assert len(steps) == model.n_iter_
    assert "SketchedRegression" in capsys.readouterr().out
    # A context that is left open would keep the process alive.
    assert all(thread.daemon for thread in set(threading.enumerate()) - before)


def test_unfinished_steps_warn(data):
    X, Y, _ = data
    for alpha in (0.0, (1.0, 2.0)):
        with pytest.warns(ConvergenceWarning, match="after max_iter=1 iterations the gradient is"):
            model = fit("iterative", X, Y, max_iter=1, alpha=alpha)
        assert model.n_iter_ == 1


# Engines and threads


@every_way
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_engines_agree(way, form, engine, data):
    X, Y, weight = data
    X = form(np.where(X > 3, X, 0))
    base = fit(way, X, Y, weight, backend="auto", certify=way != "stream")
    model = fit(way, X, Y, weight, backend=engine, certify=way != "stream")
    for name in ("coef_", "intercept_", "residual_norm_", "condition_"):
        assert_allclose(getattr(model, name), getattr(base, name), rtol=1e-10, err_msg=name)
        assert isinstance(getattr(model, name), (np.ndarray, float))
    assert model.rank_ == base.rank_
    assert_allclose(model.predict(X), base.predict(X), rtol=1e-10)
    assert_allclose(model.leverage_scores(X), base.leverage_scores(X), rtol=1e-8)
    if way == "sketch":
        assert_allclose(model.coef_sketch_std_, base.coef_sketch_std_, rtol=1e-9)
        assert model.certificate()["distortion"] == base.certificate()["distortion"]


@pytest.mark.parametrize("sketch", ["srht", "gaussian", "sparse_sign", "countsketch", "uniform"])
def test_engines_agree_on_each_sketch(sketch, engine, data):
    X, Y, weight = data
    for form in (np.asarray, sp.csr_array):
        base, model = (
            fit("sketch", form(X), Y, weight, sketch=sketch, backend=backend)
            for backend in ("auto", engine)
        )
        assert_allclose(model.coef_, base.coef_, rtol=1e-10, atol=1e-12)


@pytest.mark.skipif(
    os.environ.get("SCIPY_ARRAY_API") != "1",
    reason="array-API dispatch needs SCIPY_ARRAY_API=1",
)
@every_way
def test_arrays_of_another_library_stay_there(way, xp_device, data):
    X, Y, weight = data
    xp, device = xp_device
    model = fit(way, X, Y, weight)
    lib = [xp.asarray(a, device=device) for a in (X, Y, weight)]
    with sklearn.config_context(array_api_dispatch=True):
        other = fit(way, *lib)
        results = (other.coef_, other.intercept_, other.predict(lib[0]))
        results += (other.leverage_scores(lib[0]), other.residual_norm_)
        if way == "sketch":
            results += (other.coef_sketch_std_, other.linf_error_bound_)
            assert_allclose(other.coef_interval(), model.coef_interval(), rtol=1e-9)
        score = other.score(lib[0], lib[1])
    expected = (model.coef_, model.intercept_, model.predict(X), model.leverage_scores(X))
    expected += (model.residual_norm_, model.coef_sketch_std_, model.linf_error_bound_)
    for one, two in zip(results, expected, strict=False):
        assert type(one) is type(lib[0])
        assert_allclose(to_numpy(one), two, rtol=1e-8)
    assert score == pytest.approx(model.score(X, Y), rel=1e-10)


@pytest.mark.parametrize("way", ["direct", "iterative", "lapack", "sketch"])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_threads_change_no_bit(way, form):
    rng = np.random.default_rng(0)
    n = 150_000 if form is sp.csr_array else 50_000  # several groups of rows
    X = form(np.where(rng.standard_normal((n, 4)) > 1, rng.standard_normal((n, 4)), 0))
    y = rng.standard_normal(n)
    n_threads = threading.active_count()
    kinds = ("auto",)
    if way == "sketch" and form is np.asarray:
        kinds = ("srht", "sparse_sign", "gaussian")
    for sketch in kinds:
        one, two = (
            fit(way, X, y, sketch=sketch, n_jobs=n_jobs, backend="numba") for n_jobs in (1, 2)
        )
        assert_array_equal(one.coef_, two.coef_)
        assert_array_equal(one.gradient_history_, two.gradient_history_)
        assert (one.intercept_, one.residual_norm_) == (two.intercept_, two.residual_norm_)
    assert threading.active_count() == n_threads


def test_fit_runs_inside_parallel_work(data):
    X, Y, _ = data
    expected = fit("direct", X, Y, n_jobs=2).coef_
    with joblib.parallel_config("threading", n_jobs=2):
        results = joblib.Parallel()(
            joblib.delayed(lambda: fit("direct", X, Y, n_jobs=2).coef_)() for _ in range(4)
        )
    for result in results:
        assert_array_equal(result, expected)
