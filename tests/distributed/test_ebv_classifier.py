"""EBVClassifier on dask arrays: the fit in memory, and its answers, whatever the chunks."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from skmatrix.neural_network import EBVClassifier
from skmatrix.neural_network._held_out import weighted_scaling

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")
cloudpickle = pytest.importorskip("cloudpickle")

pytestmark = [pytest.mark.dask, pytest.mark.xdist_group("dask")]

CHUNKS = [(7, 2), (120, 4), (50, 1)]
METHODS = [
    *("predict", "transform", "similarity", "decision_function"),
    *("predict_proba", "predict_log_proba"),
]


@pytest.fixture(autouse=True)
def torch_on_one_thread():
    """Rounding depends on the number of threads."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("skorch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def samples(n_classes=4):
    rng = np.random.default_rng(0)
    y = rng.permutation(np.arange(120) % n_classes)
    X = 3 * np.eye(4)[y] + rng.standard_normal((120, 4)) + [0, 5, 0, 0]
    return X, np.array(["ant", "bee", "cat", "dog"])[y]


def model(**parameters):
    return EBVClassifier(
        **{"max_epochs": 3, "lr": 1e-2, "batch_size": 32, "random_state": 0, **parameters}
    )


def weights(classifier):
    return [w.numpy() for w in classifier.module_.state_dict().values()]


def assert_same_weights(ours, local, rtol=0.0, atol=0.0):
    for a, b in zip(weights(ours), weights(local), strict=True):
        assert_allclose(a, b, rtol=rtol, atol=atol)


def refuse(dsk, keys, **kwargs):
    raise AssertionError("computed too early")


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"batch_size": 17},  # the last sample joins the batch before
        {"batch_size": 119, "early_stopping": True},
        {"early_stopping": True, "class_weight": "balanced"},
        {"standardize": False, "lr_schedule": "warmup_cosine", "optimizer": "sgd"},
    ],
    ids=str,
)
def test_one_block_is_the_fit_in_memory(parameters):
    X, y = samples()
    local, ours = model(**parameters).fit(X, y), model(**parameters)
    ours.fit(da.from_array(X, chunks=(120, 3)), y)
    assert_same_weights(ours, local)
    for key in local.history_[-1].keys() - {"seconds"}:
        found, expected = ([epoch[key] for epoch in m.history_] for m in (ours, local))
        assert_array_equal(found, expected)


@pytest.mark.parametrize("chunks", CHUNKS)
def test_full_batches_are_those_of_the_fit_in_memory(chunks):
    X, y = samples()
    weight = np.random.default_rng(1).integers(0, 3, 120)
    parameters = {"batch_size": -1, "dtype": "float64", "early_stopping": True}
    local = model(**parameters).fit(X, y, weight)
    ours = model(**parameters)
    ours.fit(*(da.from_array(a, chunks=c) for a, c in ((X, chunks), (y, 11), (weight, 40))))
    assert_allclose(ours.mean_, local.mean_, rtol=1e-13, atol=1e-15)
    assert_allclose(ours.scale_, local.scale_, rtol=1e-13)
    assert_same_weights(ours, local, atol=1e-12)
    assert_array_equal(ours.classes_, local.classes_)


def test_batches_cross_blocks_and_each_sample_is_met_once():
    from skmatrix.distributed._neural_rows import BlockRows

    torch = pytest.importorskip("torch")
    from skmatrix.neural_network._batches_torch import Batches

    X = np.arange(83.0)[:, None]
    rows = BlockRows.of(da.from_array(X, chunks=((10, 40, 33), 1)), "Someone")
    kept = rows[np.arange(83) != 12]
    y = np.delete(np.arange(83), 12)
    as_net = {"shape": (1,), "dtype": torch.float64}
    read = kept.samples(y, np.ones(82), (None, None), "float64", as_net)
    rng = np.random.RandomState(0)
    orders = []
    for _ in range(2):
        batches = list(Batches(read, 27, rng))
        assert [len(x) for x, _ in batches] == [27, 27, 28]
        orders.append(np.concatenate([x.numpy().ravel() for x, _ in batches]))
        targets = np.concatenate([position.numpy() for _, (position, _) in batches])
        assert_array_equal(orders[-1], targets)
        assert_array_equal(np.sort(targets), y)
        # The samples of a block come one after the other.
        block = np.searchsorted([10, 50], targets, side="right")
        assert np.count_nonzero(np.diff(block)) == 2
    assert not np.array_equal(*orders)
    in_order = np.concatenate([x.numpy().ravel() for x, _ in Batches(read, 27)])
    assert_array_equal(in_order, y)


@pytest.mark.parametrize("scale", [1.0, 1e200, 1e-200])
def test_scaling_is_that_of_all_rows(scale):
    from skmatrix.distributed._neural_rows import BlockRows

    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 4)) * [1, 1e3, 1, 0] + [1e4, 0, 0, 0.1]
    X[:50, 2] = 0
    weight = rng.uniform(0.1, 2, 60)
    expected = weighted_scaling(scale * X, weight)
    rows = BlockRows.of(da.from_array(scale * X, chunks=(7, 2)), "Someone")
    for found, wanted in zip(rows.scaling(weight), expected, strict=True):
        assert_allclose(found, wanted, rtol=1e-12)


def test_sparse_scaling():
    from skmatrix.distributed._neural_rows import BlockRows

    rng = np.random.default_rng(0)
    weight = rng.uniform(0.1, 2, 60)
    X = rng.standard_normal((60, 5)) * (rng.uniform(size=(60, 5)) < 0.4)
    X[:, 3], X[:, 4] = rng.uniform(), 0
    _, scale = weighted_scaling(X, weight)
    lazy = da.from_array(X, chunks=(13, 5)).map_blocks(sp.csr_array)
    in_blocks = BlockRows.of(lazy, "Someone").scaling(weight)
    for found in (weighted_scaling(sp.csr_array(X), weight), in_blocks):
        assert_array_equal(found[0], 0)
        assert_allclose(found[1], scale, rtol=1e-12)
        assert_array_equal(found[1][3:], 1)


def test_it_learns_in_any_chunks():
    X, y = samples()
    for chunks in CHUNKS:
        ours = model(max_epochs=30).fit(da.from_array(X, chunks=chunks), y)
        assert ours.score(X, y) > 0.9
        assert len(ours.history_) == ours.n_iter_ == 30


def test_partial_fit_meets_new_classes():
    X, y = samples()
    lazy, old = da.from_array(X, chunks=(30, 4)), y < "cat"
    ours, local = model(dim=8), model(dim=8)
    for _ in range(2):
        ours.partial_fit(lazy[old], y[old])
        local.partial_fit(X[old], y[old])
    assert ours.classes_.tolist() == ["ant", "bee"]
    for _ in range(20):
        ours.partial_fit(lazy, da.from_array(y, chunks=30))
    assert ours.classes_.tolist() == ["ant", "bee", "cat", "dog"]
    assert_allclose(ours.mean_, local.mean_, rtol=1e-12)  # of the first call
    assert ours.score(X, y) > 0.8


def test_warm_start_goes_on():
    X, y = samples()
    ours = model(warm_start=True).fit(X, y)
    ours.fit(da.from_array(X, chunks=(120, 4)), y)
    local = model(warm_start=True).fit(X, y).fit(X, y)
    assert ours.n_iter_ == 6
    assert_same_weights(ours, local)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("method", METHODS)
def test_answers_are_those_in_memory(method, n_classes, chunks):
    X, y = samples(n_classes)
    local = model().fit(X, y)
    expected = getattr(local, method)(X)
    result = getattr(local, method)(da.from_array(X, chunks=chunks))
    assert isinstance(result, da.Array)
    assert result.shape == expected.shape
    assert result.dtype == result.compute().dtype == expected.dtype
    assert_array_equal(result.compute(), expected)


def test_nearest_classes_and_score():
    X, y = samples()
    local = model(dtype="float64").fit(X, y)
    lazy = da.from_array(X, chunks=(25, 2))
    found, expected = local.predict_topk(lazy, 3), local.predict_topk(X, 3)
    for lazily, at_once in zip(found, expected, strict=True):
        assert isinstance(lazily, da.Array)
        assert lazily.dtype == at_once.dtype
        assert_array_equal(lazily.compute(), at_once)
    assert local.score(lazy, da.from_array(y, chunks=40)) == local.score(X, y)
    assert local.predict_topk(lazy, np.int64(5))[0].compute().shape == (120, 4)


def test_callbacks_score_the_samples_that_count():
    callback = pytest.importorskip("sklearn.callback")
    X, y = samples()
    weight = np.arange(120) % 3
    ours, local = (
        model().set_callbacks(callback.ScoringMonitor(scoring="accuracy")) for _ in range(2)
    )
    ours.fit(da.from_array(X, chunks=(120, 4)), y, weight)
    local.fit(X, y, weight)
    assert_same_weights(ours, local)


def test_tables_as_output_are_in_memory():
    pd = pytest.importorskip("pandas")
    X, y = samples()
    ours = model().fit(X, y)
    expected = ours.transform(X)
    result = ours.set_output(transform="pandas").transform(da.from_array(X, chunks=(25, 4)))
    assert isinstance(result, pd.DataFrame)
    assert result.columns.tolist() == ours.get_feature_names_out().tolist()
    assert_array_equal(result, expected)


def test_images():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 2, 6, 5)), np.arange(40) % 3
    ours, local = (model(backbone="cnn", max_epochs=1) for _ in range(2))
    ours.fit(da.from_array(X, chunks=(40, 1, 3, 5)), y)
    local.fit(X, y)
    assert_same_weights(ours, local)
    lazy = da.from_array(X, chunks=(11, 2, 6, 2))
    assert_array_equal(ours.transform(lazy).compute(), local.transform(X))
    with pytest.raises(ValueError, match=r"samples of shape \(2, 6, 4\), but .* \(2, 6, 5\)"):
        ours.predict(lazy[..., :4])
    with pytest.raises(ValueError, match="with backbone='mlp' expects 2"):
        model().fit(lazy, y)


def test_sparse_blocks():
    X, y = samples()
    X = np.where(X > 1, X, 0)
    local = model(dtype="float64", batch_size=-1).fit(sp.csr_array(X), y)
    lazy = da.from_array(X, chunks=(50, 4)).map_blocks(sp.csr_matrix)
    ours = model(dtype="float64", batch_size=-1).fit(lazy, y)
    assert_array_equal(ours.mean_, 0)
    assert_allclose(ours.scale_, local.scale_, rtol=1e-12)
    assert_same_weights(ours, local, atol=1e-12)
    assert_array_equal(ours.predict(lazy).compute(), ours.predict(sp.csr_array(X)))


def test_unknown_and_empty_blocks():
    X, y = samples()
    twice = np.concatenate([X[:40], X])
    kept = np.arange(160) >= 40
    lazy = da.from_array(twice, chunks=(40, 4))[da.from_array(kept, chunks=40)]
    assert np.isnan(lazy.shape[0])
    ours, local = (model(batch_size=-1, dtype="float64") for _ in range(2))
    assert_same_weights(ours.fit(lazy, y), local.fit(X, y), atol=1e-12)
    assert_array_equal(ours.predict(lazy).compute(), ours.predict(X))
    labels, _ = ours.predict_topk(lazy, 2)
    assert labels.compute().shape == (120, 2)


def test_nothing_is_computed_before_it_is_asked_for():
    X, y = samples()
    local = model().fit(X, y)
    lazy = da.from_array(X, chunks=(25, 2))
    with dask.config.set(scheduler=refuse):
        results = [getattr(local, method)(lazy) for method in METHODS]
        results += [*local.predict_topk(lazy, 2), local.predict(lazy[lazy[:, 0] > 0])]
    assert_array_equal(results[-1].compute(), local.predict(X[X[:, 0] > 0]))


def test_later_training_does_not_change_what_is_pending():
    X, y = samples()
    local = model().fit(X, y)
    pending, expected = local.transform(da.from_array(X, chunks=50)), local.transform(X)
    local.partial_fit(X, y)
    assert not np.array_equal(local.transform(X), expected)
    assert_array_equal(pending.compute(), expected)


def test_network_travels_once_and_alone():
    X, y = samples()
    local = model(warm_start=True).fit(X, y)
    lazy = da.from_array(np.tile(X, (10, 1)), chunks=(20, 4))
    (big,) = (w for w in weights(local) if w.ndim == 2 and w.shape[1] == 4)
    graph = dict(local.predict(lazy).__dask_graph__())
    sent = cloudpickle.dumps(graph)
    assert sent.count(big.tobytes()) == 1
    assert b"exp_avg" not in sent


def test_on_a_cluster_of_processes(dask_client):
    X, y = samples()
    lazy = da.from_array(X, chunks=(45, 4)).persist()
    there = model(max_epochs=2, early_stopping=True).fit(lazy, y)
    with dask.config.set(scheduler="synchronous"):
        here = model(max_epochs=2, early_stopping=True).fit(da.from_array(X, chunks=(45, 4)), y)
    assert_same_weights(there, here, rtol=1e-6, atol=1e-6)
    again = pickle.loads(pickle.dumps(there))  # nothing of the cluster stays with it
    assert_array_equal(again.predict(lazy).compute(), there.predict(X))
    assert_allclose(again.transform(lazy).compute(), there.transform(X), rtol=0, atol=1e-6)


def test_tasks_in_threads_hold_torch_to_one_thread():
    import torch

    from skmatrix.distributed._torch_threads import one_torch_thread

    torch.set_num_threads(2)
    seen = []

    def look(_):
        with one_torch_thread:
            seen.append(torch.get_num_threads())

    tasks = [dask.delayed(look)(i) for i in range(8)]
    dask.compute(*tasks, scheduler="threads", num_workers=4)
    assert seen == [1] * 8
    assert torch.get_num_threads() == 2
    dask.compute(tasks[0], scheduler="synchronous")
    assert seen[-1] == 2


def test_tables_and_their_names():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")  # dask needs it for data frames
    dd = pytest.importorskip("dask.dataframe")
    X, y = samples()
    table = pd.DataFrame(X, columns=list("abcd"))
    lazy = dd.from_pandas(table, npartitions=3)
    ours = model().fit(lazy, dd.from_pandas(pd.Series(y), npartitions=2))
    assert ours.feature_names_in_.tolist() == list("abcd")
    assert_array_equal(ours.predict(lazy).compute(), ours.predict(table))
    with pytest.raises(ValueError, match="feature names should match"):
        ours.predict(lazy.rename(columns={"a": "z"}))


def test_bad_data():
    X, y = samples()
    lazy = da.from_array(X, chunks=(25, 3))
    fitted = model().fit(X, y)
    before = copy.deepcopy(weights(fitted))
    for fit in (model().fit, model().partial_fit, fitted.fit):
        with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[120, 119\]"):
            fit(lazy, y[1:])
        with pytest.raises(ValueError, match="requires y to be passed"):
            fit(lazy, None)
        with pytest.raises(ValueError, match="contains NaN"):
            fit(da.where(lazy > 4, np.nan, lazy), y)
        with pytest.raises(ValueError, match="Unknown label type: continuous"):
            fit(lazy, X[:, 0])
        with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
            fit(lazy, y, sample_weight=da.from_array(X[:, 0], chunks=9))
        with pytest.raises(ValueError, match="must have two dimensions"):
            fit(lazy[:, 0], y)
        with pytest.raises(ValueError, match=r"Found array with 0 sample\(s\)"):
            fit(lazy[:0], y[:0])
    with pytest.raises(ValueError, match="got 1 class"):
        model().fit(lazy, np.full(120, "ant"))
    for a, b in zip(weights(fitted), before, strict=True):
        assert_array_equal(a, b)
    for method in METHODS:
        with pytest.raises(ValueError, match="X has 3 features, but EBVClassifier is expecting 4"):
            getattr(fitted, method)(lazy[:, :3])
        with pytest.raises(NotFittedError):
            getattr(model(), method)(lazy)
    with pytest.raises(TypeError, match="this method has no dask path"):
        fitted.enroll(lazy, y)
