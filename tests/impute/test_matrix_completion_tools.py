"""MatrixCompletion with scikit-learn's tools, and the parameters that shape its result."""

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
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmatrix.impute import MatrixCompletion
from tests.callbacks import Watcher
from tests.impute.test_matrix_completion import ratings


def stored(X, form=sp.csr_array):
    seen = ~np.isnan(X)
    return form(sp.coo_array((X[seen], np.nonzero(seen)), shape=X.shape))


def completion(n_components=2, **parameters):
    return MatrixCompletion(n_components, **{"random_state": 0, **parameters})


# scikit-learn's tools


def test_clone_and_parameters_are_untouched_by_fit():
    model = completion(3, init=(np.ones((40, 3)), np.ones((30, 3))), clip=(0, 5))
    before = {name: id(value) for name, value in model.get_params().items()}
    model.fit(ratings())
    assert {name: id(value) for name, value in model.get_params().items()} == before
    copied = clone(model)
    assert not hasattr(copied, "components_")
    assert_array_equal(copied.fit_transform(ratings()), model.transform(ratings()))


def test_fits_again_give_the_same_bits():
    X = ratings()
    for backend in ("numpy", "numba"):
        model = completion(3, backend=backend)
        first = model.fit_transform(X)
        model.fit(ratings(seed=1))
        assert_array_equal(model.fit_transform(X), first)


def test_pickle_works_in_a_fresh_process(tmp_path):
    X = ratings()
    model = completion(clip="observed", add_indicator=True).fit(X)
    (tmp_path / "model").write_bytes(pickle.dumps((model, X)))
    code = (
        "import pickle, sys, numpy; "
        "model, X = pickle.load(open(sys.argv[1], 'rb')); "
        "numpy.save(sys.argv[2], model.transform(X)); "
        "model.partial_fit(X); model.top_k(k=2); model.score(X)"
    )
    result = tmp_path / "result.npy"
    subprocess.run([sys.executable, "-c", code, tmp_path / "model", result], check=True)
    assert_array_equal(np.load(result), model.transform(X))


def test_pickle_is_as_small_as_its_arrays():
    X = ratings(400, 300, 12_000)
    model = completion(5).fit(X)
    arrays = 8 * (5 + 1) * (400 + 300)
    pattern = 12_000 * 5 + 401 * 4
    assert len(pickle.dumps(model)) < 1.1 * (arrays + pattern) + 5000


def test_skops_stores_and_loads():
    io = pytest.importorskip("skops.io")
    X = ratings()
    model = completion(clip="observed", scale="columns").fit(X)
    stored_model = io.dumps(model)
    unknown = io.get_untrusted_types(data=stored_model)
    assert all(name.startswith(("skmatrix.", "scipy.sparse.")) for name in unknown)
    loaded = io.loads(stored_model, trusted=unknown)
    assert_array_equal(loaded.transform(X), model.transform(X))
    assert_array_equal(loaded.top_k(k=3)[0], model.top_k(k=3)[0])


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("add_indicator", [False, True])
@pytest.mark.parametrize("output", ["imputed", "factors"])
def test_frames_come_out_with_names(output, add_indicator, library):
    pd = pytest.importorskip("pandas")
    frames = pytest.importorskip(library)
    X = ratings(n_ratings=900)
    X[:, 4] = np.arange(40) % 3  # without holes: no column of the indicator
    names = [f"film{j}" for j in range(30)]
    frame = pd.DataFrame(X, columns=names, index=np.arange(40) + 100)
    model = completion(output=output, add_indicator=add_indicator).set_output(transform=library)
    result = model.fit_transform(frame)
    assert isinstance(result, frames.DataFrame)
    expected = names if output == "imputed" else ["matrixcompletion0", "matrixcompletion1"]
    if add_indicator:
        with_holes = np.isnan(X).any(axis=0)
        assert not with_holes[4]
        expected = expected + [f"missingindicator_{name}" for name in np.array(names)[with_holes]]
    assert list(result.columns) == expected
    assert_array_equal(model.get_feature_names_out(), expected)
    if library == "pandas":
        assert_array_equal(result.index, frame.index)
    plain = completion(output=output, add_indicator=add_indicator).fit_transform(X)
    assert_array_equal(result.to_numpy(), plain)
    if add_indicator:
        assert_array_equal(plain[:, -with_holes.sum() :], np.isnan(X[:, with_holes]))
    assert_array_equal(model.feature_names_in_, names)


def test_names_of_unnamed_columns():
    X = ratings()
    model = completion().fit(X)
    assert_array_equal(model.get_feature_names_out(), [f"x{j}" for j in range(30)])
    names = [f"n{j}" for j in range(30)]
    assert_array_equal(model.get_feature_names_out(names), names)
    assert not hasattr(model, "feature_names_in_")


def test_pipeline_imputes_before_a_regression():
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 12))
    y = Z @ rng.standard_normal(12)
    X = np.where(rng.uniform(size=Z.shape) < 0.3, np.nan, Z)
    imputer = completion(3, alpha=0.01, max_iter=500)
    model = make_pipeline(imputer, StandardScaler(), Ridge(1e-3))
    assert np.mean(cross_val_score(model, X, y, cv=3)) > 0.9
    search = GridSearchCV(model, {"matrixcompletion__n_components": [0, 3]}, cv=3).fit(X, y)
    assert search.best_params_ == {"matrixcompletion__n_components": 3}


def test_weights_are_routed_through_search_and_pipeline():
    X = ratings(60, 30, 900)
    weight = np.random.default_rng(0).uniform(0.1, 3, X.shape)
    with sklearn.config_context(enable_metadata_routing=True):
        model = completion().set_fit_request(entry_weight=True)
        search = GridSearchCV(model, {"alpha": [0.1]}, cv=3).fit(X, entry_weight=weight)
        pipeline = make_pipeline(clone(model).set_params(output="factors"), Ridge())
        pipeline.fit(X, X[:, 0] > 3, entry_weight=weight)
    expected = completion().fit(X, entry_weight=weight)
    assert_array_equal(search.best_estimator_.reconstruct(), expected.reconstruct())
    assert_array_equal(pipeline[0].components_, expected.components_)
    assert np.abs(expected.components_ - completion().fit(X).components_).max() > 1e-3


def test_progress_bar_shows_the_epochs(capsys):
    pytest.importorskip("rich")
    completion().set_callbacks(ProgressBar()).fit(ratings())
    assert "MatrixCompletion" in capsys.readouterr().out


@pytest.mark.parametrize("form", [np.asarray, stored])
def test_callbacks_see_the_estimator_after_each_epoch(form):
    X = form(ratings())
    recorder = Watcher(lambda X, y, now: now.score(X))
    model = completion(clip="observed", scale="columns").set_callbacks(recorder).fit(X)
    assert len(recorder.seen) == model.n_iter_
    assert recorder.seen[-1] > recorder.seen[0]
    assert_allclose(recorder.seen[-1], model.score(X), rtol=1e-9)


def test_scoring_monitor_runs_beside_the_fit():
    # scikit-learn's monitor computes no score without a y.
    monitor = ScoringMonitor(scoring=None)
    model = completion(clip="observed", add_indicator=True).set_callbacks(monitor).fit(ratings())
    epochs = [row for row in monitor.get_logs().data if row["task_name"] == "iteration"]
    assert len(epochs) == model.n_iter_


def test_verbose_prints_a_line_for_each_epoch(capsys):
    model = completion(verbose=1).fit(ratings())
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_
    assert lines[0].startswith("[MatrixCompletion] iteration 1/50: objective=")
    completion().fit(ratings())
    assert capsys.readouterr().out == ""


# Parameters that shape the result


@pytest.mark.parametrize("form", [np.asarray, stored])
def test_clip_bounds_what_is_filled_in(form):
    X = ratings()
    X[2, 3] = 9.0  # what is observed stays as it is
    model = completion(clip=(3, 4)).fit(form(X))
    filled = model.transform(form(X))
    holes = np.isnan(X)
    assert filled[holes].min() == 3
    assert filled[holes].max() == 4
    assert_array_equal(filled[~holes], X[~holes])
    assert model.reconstruct().max() == 4
    assert model.top_k(k=2)[1].max() == 4


def test_observed_range_is_of_columns_if_dense_and_of_all_if_sparse():
    X = ratings()
    X[:, 5] = np.nan
    seen = np.delete(X, 5, axis=1)
    low, high = completion(clip="observed").fit(X).clip_range_
    assert_array_equal(np.delete(low, 5), np.nanmin(seen, axis=0))
    assert_array_equal(np.delete(high, 5), np.nanmax(seen, axis=0))
    assert (low[5], high[5]) == (-np.inf, np.inf)
    model = completion(clip="observed").fit(X)
    assert np.all(np.delete(model.reconstruct(), 5, axis=1) <= np.nanmax(seen, axis=0))
    assert completion(clip="observed").fit(stored(X)).clip_range_ == (np.nanmin(X), np.nanmax(X))


def test_early_stop_keeps_the_best_factors():
    X = ratings(150, 60, 1800)
    rule = {"alpha": 1e-4, "continuation": False, "max_iter": 300, "tol": 0}
    model = completion(6, validation_fraction=0.2, n_iter_no_change=4, **rule).fit(X)
    history = model.validation_history_
    best = int(np.argmin(history))
    assert model.converged_
    assert model.n_iter_ == best + 1 + 4 < 300
    # The same fit that ends at its best epoch has the same factors.
    with pytest.warns(ConvergenceWarning):
        short = completion(
            6, validation_fraction=0.2, n_iter_no_change=400, **{**rule, "max_iter": best + 1}
        ).fit(X)
    assert_array_equal(short.components_, model.components_)
    patient = completion(6, validation_fraction=0.2, n_iter_no_change=8, **rule).fit(X)
    assert patient.n_iter_ > model.n_iter_


def test_validation_error_is_in_units_of_the_data():
    X = ratings(100, 60, 2400)
    model = completion(validation_fraction=0.2).fit(X)
    assert 0.75 < model.validation_history_.min() < 1.2
    scaled = completion(validation_fraction=0.2).fit(100 * X)
    assert_allclose(scaled.validation_history_, 100 * model.validation_history_, rtol=1e-7)


def test_thread_pool_of_fit_ends_with_it():
    before = threading.active_count()
    completion(n_jobs=2, backend="numba").fit(ratings())
    assert threading.active_count() == before


def test_fit_runs_inside_parallel_work():
    X = ratings()
    expected = completion(backend="numba", n_jobs=2).fit_transform(X)
    with joblib.parallel_config("threading", n_jobs=2):
        results = joblib.Parallel()(
            joblib.delayed(lambda: completion(backend="numba", n_jobs=2).fit_transform(X))()
            for _ in range(4)
        )
    for result in results:
        assert_array_equal(result, expected)


def test_random_state_decides_the_start():
    X = ratings(n_ratings=300)
    first, second = (
        completion(5, alpha=0.01, random_state=seed, tol=1e-3, max_iter=500).fit(X).reconstruct()
        for seed in (0, 1)
    )
    assert np.abs(first - second).max() > 1e-3
