"""Matrix completion of dask arrays: the local answer, whatever the chunks and the scheduler."""

import os
import signal
import time

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skmatrix.datasets import make_low_rank_matrix_completion
from skmatrix.impute import MatrixCompletion

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")

pytestmark = [pytest.mark.dask, pytest.mark.xdist_group("dask")]

FITTED = ("components_", "embedding_", "column_bias_", "row_bias_", "singular_values_")
SCALARS = ("offset_", "unit_", "alpha_", "noise_std_", "n_observed_", "n_iter_", "n_empty_rows_")


@pytest.fixture
def X():
    """A matrix with holes, an empty row and an empty column."""
    X, _ = make_low_rank_matrix_completion(
        150, 40, rank=3, n_observed=0.4, noise=0.1, random_state=0
    )
    X[5] = np.nan
    X[:, 7] = np.nan
    return X


def completion(**parameters):
    """An estimator whose local fit runs the same lockstep as the blocks do."""
    return MatrixCompletion(**{"backend": "numpy", "random_state": 0, **parameters})


def assert_same_fit(ours, local):
    """Fitted attributes equal up to the rounding of sums taken in another order."""
    for name in FITTED:
        np.testing.assert_allclose(
            getattr(ours, name), getattr(local, name), rtol=1e-9, atol=1e-10, err_msg=name
        )
        assert isinstance(getattr(ours, name), np.ndarray)
    for name in SCALARS:
        assert getattr(ours, name) == pytest.approx(getattr(local, name), rel=1e-10), name
    np.testing.assert_allclose(ours.objective_history_, local.objective_history_, rtol=1e-10)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_components": 3},
        {"n_components": 3, "solver": "cholesky"},
        {"n_components": 10},
        {"n_components": 0},
        {"n_components": 3, "solver": "pcg", "bias": "row"},
        {"n_components": 3, "bias": "none", "alpha": 1e-5},
        {"n_components": 3, "scale": "columns", "bias": "column", "clip": (-2, 2)},
    ],
    ids=str,
)
@pytest.mark.parametrize("chunks", [(150, 40), (40, 15)])
def test_fit_equals_local_fit(X, parameters, chunks):
    local = completion(**parameters).fit(X)
    lazy = da.from_array(X, chunks=chunks)
    with dask.config.set(scheduler="synchronous"):
        ours = completion(**parameters).fit(lazy)
        filled, score = ours.transform(lazy), ours.score(lazy)
        assert_same_fit(ours, local)
        assert isinstance(filled, da.Array)
        np.testing.assert_allclose(filled.compute(), local.transform(X), rtol=1e-9, atol=1e-12)
    assert score == pytest.approx(local.score(X), rel=1e-9)


def test_weights_equal_local_fit(X):
    weight = np.random.default_rng(0).uniform(0, 2, X.shape)
    weight[weight < 0.2] = 0
    local = completion(n_components=3).fit(X, entry_weight=weight)
    lazy, lazy_weight = (da.from_array(a, chunks=(70, 40)) for a in (X, weight))
    with dask.config.set(scheduler="synchronous"):
        ours = completion(n_components=3).fit(lazy, entry_weight=lazy_weight)
    assert_same_fit(ours, local)


def test_sparse_blocks_equal_local_fit(X):
    observed = ~np.isnan(X)
    S = sp.csr_array((X[observed], np.nonzero(observed)), shape=X.shape)
    parts = [
        da.from_delayed(
            dask.delayed(S[i : i + 50]), (50, 40), meta=sp.csr_array((0, 0)), dtype=S.dtype
        )
        for i in (0, 50, 100)
    ]
    with dask.config.set(scheduler="synchronous"):
        ours = completion(n_components=3).fit(da.concatenate(parts))
        filled = ours.transform(da.concatenate(parts)).compute()
    local = completion(n_components=3).fit(S)
    assert_same_fit(ours, local)
    np.testing.assert_allclose(filled, local.transform(S), rtol=1e-9)


def test_float32_is_kept(X):
    lazy = da.from_array(X.astype(np.float32), chunks=(50, 40))
    with dask.config.set(scheduler="synchronous"):
        ours = completion(n_components=3).fit(lazy)
        filled = ours.transform(lazy)
        assert filled.dtype == filled.compute().dtype == np.float32
    assert ours.components_.dtype == ours.embedding_.dtype == np.float32


def test_unknown_chunk_sizes_equal_known_ones(X):
    lazy = da.from_array(X, chunks=(50, 40))
    lost = lazy[da.from_array(np.arange(150) >= 0, chunks=50)]
    assert np.isnan(lost.chunks[0]).all()
    with dask.config.set(scheduler="synchronous"):
        assert_same_fit(completion(n_components=3).fit(lost), completion(n_components=3).fit(lazy))


@pytest.mark.parametrize("known", [True, False])
def test_empty_chunks_change_nothing(X, known):
    chosen = np.repeat([False, True, False, True, False], 30)
    weight = np.full(X.shape, 2.0)[chosen]
    gappy = da.from_array(X, chunks=(30, 40))[da.from_array(chosen, chunks=30)]
    lazy = da.from_array(X[chosen], chunks=(30, 40))
    if known:
        gappy.compute_chunk_sizes()
        assert gappy.chunks[0] == (0, 30, 0, 30, 0)
    with dask.config.set(scheduler="synchronous"):
        ours = completion(n_components=3).fit(gappy, entry_weight=weight)
        expected = completion(n_components=3).fit(lazy, entry_weight=weight)
        assert_same_fit(ours, expected)
        filled = ours.transform(gappy).compute()
        np.testing.assert_allclose(filled, expected.transform(lazy).compute(), rtol=1e-9)
        assert ours.score(gappy) == pytest.approx(expected.score(lazy), rel=1e-9)


def test_no_rows_at_all_is_an_error(X):
    lazy = da.from_array(X, chunks=(50, 40))
    lost = lazy[da.from_array(np.zeros(150, dtype=bool), chunks=50)]
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.raises(ValueError, match=r"Found array with 0 sample\(s\).*by MatrixCompletion"),
    ):
        completion(n_components=3).fit(lost)


def test_another_number_of_columns_is_an_error_at_once(X):
    local = completion(n_components=3).fit(X)
    narrow = da.zeros((20, 5), chunks=(10, 5))
    message = "X has 5 features, but MatrixCompletion is expecting 40 features as input"
    for method in (local.transform, local.score):
        with pytest.raises(ValueError, match=message):
            method(narrow)


def test_other_collections_are_an_error_that_says_what_is_needed(X):
    bag = pytest.importorskip("dask.bag").from_sequence([1, 2])
    lazy = da.from_array(X, chunks=(50, 40))
    local = completion(n_components=3).fit(X)
    for method in (completion().fit, local.transform, local.score):
        for other in (bag, dask.delayed(X)):
            with pytest.raises(TypeError, match="X must be a dask array or data frame"):
                method(other)
        with pytest.raises(ValueError, match="X must have two dimensions"):
            method(lazy[:, 0])
    with pytest.raises(TypeError, match="entry_weight must be a dask array or data frame"):
        completion().fit(lazy, entry_weight=bag)


@pytest.mark.parametrize("clip", [(5, 1), (1, 2, 3)])
def test_wrong_bounds_are_an_error(X, clip):
    with pytest.raises(ValueError, match="clip must be a pair"):
        completion(clip=clip).fit(da.from_array(X, chunks=(50, 40)))


def test_cluster_equals_local_fit(X, dask_client):
    lazy = da.from_array(X, chunks=(40, 40))
    estimator = completion(n_components=3, backend="auto")
    ours = clone(estimator).fit(lazy)
    local = clone(estimator).fit(X)
    assert_same_fit(ours, local)
    np.testing.assert_allclose(ours.transform(lazy).compute(), local.transform(X), rtol=1e-9)
    assert ours.score(lazy) == pytest.approx(local.score(X), rel=1e-9)


@pytest.mark.slow
def test_killed_worker_does_not_change_the_fit(X):
    distributed = pytest.importorskip("distributed")
    lazy = da.from_array(X, chunks=(40, 40))
    expected = completion(n_components=3).fit(X)

    class KillOnce:
        """A callback that kills a worker in the middle of the fit."""

        def setup(self, estimator, context):
            self.killed = False

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context, **data):
            pass

        def on_fit_task_end(self, estimator, context, **data):
            if context.task_name == "iteration" and not self.killed:
                self.killed = True
                os.kill(self.victim, signal.SIGKILL)
                time.sleep(0.5)

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        callback = KillOnce()
        callback.victim = next(iter(client.run(os.getpid).values()))
        ours = completion(n_components=3).set_callbacks(callback).fit(lazy)
    assert callback.killed
    assert_same_fit(ours, expected)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"penalty": "constant"}, "penalty"),
        ({"solver": "sketch"}, "solver"),
        ({"init": "svd"}, "init"),
        ({"init": (np.zeros((150, 3)), np.zeros((40, 3)))}, "init"),
        ({"warm_start": True}, "warm_start"),
        ({"validation_fraction": 0.1}, "validation_fraction"),
        ({"add_indicator": True}, "add_indicator"),
        ({"n_components": "auto"}, "n_components"),
        ({"clip": "observed"}, "clip"),
        ({"backend": "torch"}, "backend"),
    ],
    ids=lambda value: None if isinstance(value, str) else next(iter(value)),
)
def test_what_has_no_dask_path_is_named(X, parameters, name):
    with pytest.raises(ValueError, match=f"{name}=.* has no dask path"):
        completion(**{"n_components": 3, **parameters}).fit(da.from_array(X, chunks=(50, 40)))


def test_nothing_observed_is_an_error():
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.raises(ValueError, match="no observed entries"),
    ):
        completion().fit(da.full((20, 5), np.nan, chunks=(10, 5)))


def test_infinite_value_is_an_error(X):
    X[0, 0] = np.inf
    with dask.config.set(scheduler="synchronous"), pytest.raises(ValueError, match="infinity"):
        completion().fit(da.from_array(X, chunks=(50, 40)))


def test_unfinished_fit_warns(X):
    with (
        dask.config.set(scheduler="synchronous"),
        pytest.warns(ConvergenceWarning, match="max_iter=1"),
    ):
        completion(n_components=3, max_iter=1).fit(da.from_array(X, chunks=(50, 40)))


def test_what_needs_the_training_places_asks_for_them(X):
    lazy = da.from_array(X, chunks=(50, 40))
    with dask.config.set(scheduler="synchronous"):
        ours = completion(n_components=3).fit(lazy)
    for ask in (
        lambda: ours.top_k(k=2),
        lambda: ours.predict_entries([0], [0], return_std=True),
        lambda: ours.update_rows(X[:1], [0]),
        lambda: ours.partial_fit(X[:1]),
    ):
        with pytest.raises(
            ValueError, match=r"observed places of the training rows.* keep\. [A-Z]"
        ):
            ask()
    local = completion(n_components=3).fit(X)
    np.testing.assert_array_equal(ours.top_k(k=2, X=X)[0], local.top_k(k=2)[0])
    np.testing.assert_allclose(ours.predict_entries([0], [0]), local.predict_entries([0], [0]))


def test_methods_without_a_dask_path_say_so(X):
    lazy = da.from_array(X, chunks=(50, 40))
    local = completion(n_components=3).fit(X)
    for method in (local.reconstruct, local.partial_fit):
        with pytest.raises(TypeError, match="no dask path"):
            method(lazy)
