"""SketchedRegression of dask arrays: the local answer, whatever the chunks and the scheduler."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skmatrix.linear_model import SketchedRegression
from tests.callbacks import Watcher

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")

pytestmark = [
    pytest.mark.dask,
    pytest.mark.xdist_group("dask"),
    # Old versions warn of a scheduler that was chosen on purpose while a cluster is there.
    pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler"),
]

N, D = 9000, 6


def regression(**parameters):
    return SketchedRegression(**{"random_state": 0, **parameters})


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D)) * np.geomspace(0.1, 10, D) + 5
    Y = X @ rng.standard_normal((D, 2)) + rng.standard_normal((N, 2)) * [1, 10]
    return X, Y, rng.uniform(0, 2, N)


@pytest.fixture
def local_scheduler():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def cluster():
    """Four worker processes."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=4,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            memory_limit="1GiB",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def lazy(a, rows=1700):
    """The array in blocks that end nowhere in particular."""
    return da.from_array(a, chunks=(rows, *a.shape[1:]))


def sparse_blocks(S, rows=1700):
    """A sparse matrix as a dask array of sparse blocks."""
    blocks = [
        da.from_delayed(
            dask.delayed(S[i : i + rows]),
            (min(rows, S.shape[0] - i), S.shape[1]),
            meta=sp.csr_array((0, 0)),
            dtype=S.dtype,
        )
        for i in range(0, S.shape[0], rows)
    ]
    return da.concatenate(blocks)


def assert_same_fit(ours, local):
    """Fitted attributes equal up to the rounding of sums taken in another order."""
    assert type(ours.coef_) is np.ndarray
    for name in ("coef_", "intercept_", "residual_norm_", "condition_", "coef_sketch_std_"):
        expected = getattr(local, name)
        if expected is None:
            assert getattr(ours, name) is None
            continue
        scale = np.abs(expected).max()
        assert_allclose(getattr(ours, name), expected, rtol=1e-12, atol=1e-12 * scale, err_msg=name)
    for name in ("solver_", "sketch_", "sketch_size_", "rank_", "n_samples_seen_"):
        assert getattr(ours, name) == getattr(local, name), name
    assert abs(ours.n_iter_ - local.n_iter_) <= 1


CASES = [
    {},
    {"solver": "sketch", "sketch_size": 300},
    {"solver": "sketch", "sketch_size": 300, "sketch": "gaussian", "alpha": 5.0},
    {"solver": "sketch", "sketch_size": 1100, "sketch": "srht"},
    {"solver": "sketch", "sketch_size": 300, "sketch": "sparse_sign"},
    {"solver": "sketch", "sketch_size": 300, "sketch": "countsketch"},
    {"solver": "sketch", "sketch_size": 300, "sketch": "uniform"},
    {"solver": "direct", "alpha": 50.0, "certify": True},
    {"solver": "direct", "sketch": "srht", "fit_intercept": False},
    {"solver": "iterative"},
    {"solver": "iterative", "alpha": (1.0, 300.0)},
    {"solver": "lapack"},
    {"solver": "lapack", "alpha": (0.0, 3.0), "fit_intercept": False},
]


@pytest.mark.parametrize("parameters", CASES, ids=str)
@pytest.mark.parametrize("rows", [N, 1700, 400])
@pytest.mark.usefixtures("local_scheduler")
def test_fit_equals_local_fit(parameters, rows, data):
    X, Y, weight = data
    model = regression(**parameters)
    local = clone(model).fit(X, Y, weight)
    ours = clone(model).fit(lazy(X, rows), lazy(Y, 1300), lazy(weight, 999))
    assert_same_fit(ours, local)
    predicted = ours.predict(lazy(X, rows))
    assert isinstance(predicted, da.Array)
    assert_allclose(predicted.compute(), local.predict(X), rtol=1e-12, atol=1e-11)
    score = ours.score(lazy(X, rows), lazy(Y), lazy(weight))
    assert score == pytest.approx(local.score(X, Y, weight), rel=1e-12)
    if model.certify:
        for name, value in local.certificate().items():
            assert_allclose(ours.certificate()[name], value, rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.usefixtures("local_scheduler")
def test_one_target_in_memory_beside_lazy_rows(data):
    X, Y, weight = data
    local = regression().fit(X, Y[:, 0], weight)
    ours = regression().fit(lazy(X), Y[:, 0], weight)
    assert_same_fit(ours, local)
    assert isinstance(ours.intercept_, float)
    assert ours.coef_.shape == (D,)
    assert ours.predict(lazy(X)).shape == (N,)
    for y in (Y[:, 0], Y[:, :1], lazy(Y[:, :1])):
        assert ours.score(lazy(X), y) == pytest.approx(local.score(X, Y[:, 0]), rel=1e-12)
    column = regression().fit(lazy(X), lazy(Y[:, :1]), weight)
    assert column.coef_.shape == (1, D)
    assert column.predict(lazy(X)).shape == (N, 1)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"solver": "direct", "alpha": 2.0},
        {"solver": "lapack"},
        {"solver": "sketch", "sketch_size": 300},
        {"solver": "sketch", "sketch_size": 300, "sketch": "srht"},
    ],
    ids=str,
)
@pytest.mark.usefixtures("local_scheduler")
def test_sparse_blocks_equal_local_fit(parameters, data):
    _, Y, weight = data
    S = sp.random_array((N, 30), density=0.1, format="csr", random_state=np.random.default_rng(0))
    local = regression(**parameters).fit(S, Y, weight)
    ours = regression(**parameters).fit(sparse_blocks(S), Y, weight)
    assert_same_fit(ours, local)
    assert_allclose(ours.predict(sparse_blocks(S)).compute(), local.predict(S), rtol=1e-11)
    score = ours.score(sparse_blocks(S), Y)
    assert score == pytest.approx(local.score(S, Y), rel=1e-11)


@pytest.mark.usefixtures("local_scheduler")
def test_float32_and_integers(data):
    X, Y, _ = data
    single = X.astype(np.float32)
    ours = regression().fit(lazy(single), lazy(Y.astype(np.float32)))
    local = regression().fit(single, Y.astype(np.float32))
    assert ours.coef_.dtype == np.float32
    assert ours.predict(lazy(single)).dtype == ours.predict(lazy(single)).compute().dtype
    assert_allclose(ours.coef_, local.coef_, rtol=1e-6)
    whole = (10 * X).astype(int)
    assert_same_fit(regression().fit(lazy(whole), lazy(Y)), regression().fit(whole, Y))


@pytest.mark.usefixtures("local_scheduler")
def test_unknown_and_empty_chunks_equal_known_ones(data):
    X, Y, weight = data
    chosen = np.repeat([True, False, True, True, False, True], 1500)
    mask = da.from_array(chosen, chunks=1500)
    parts = [lazy(a, 1500)[mask] for a in (X, Y, weight)]
    assert all(np.isnan(part.chunks[0]).all() for part in parts)
    local = regression().fit(X[chosen], Y[chosen], weight[chosen])
    assert_same_fit(regression().fit(*parts), local)
    predicted = local.predict(parts[0])
    assert np.isnan(predicted.shape[0])
    assert_allclose(predicted.compute(), local.predict(X[chosen]), rtol=1e-13, atol=1e-13)
    score = local.score(parts[0], parts[1])
    assert score == pytest.approx(local.score(X[chosen], Y[chosen]), rel=1e-12)


@pytest.mark.usefixtures("local_scheduler")
def test_few_rows_go_to_lapack(data):
    X, Y, _ = (a[:40] for a in data)
    for n in (1, 3, 40):
        local = regression().fit(X[:n], Y[:n])
        assert_same_fit(regression().fit(lazy(X[:n], 7), lazy(Y[:n], 7)), local)
    with pytest.warns(UserWarning, match="an exact solver takes the place"):
        model = regression(solver="sketch").fit(lazy(X, 7), lazy(Y, 7))
    assert model.solver_ == "lapack"


@pytest.mark.usefixtures("local_scheduler")
def test_what_stands_in_rows_without_weight_does_not_matter(data):
    X, Y, weight = (a.copy() for a in data)
    for gone in (slice(0, 50), slice(0, 4000)):
        weight[gone] = 0
        clean = regression().fit(X[weight > 0], Y[weight > 0], weight[weight > 0])
        X[gone], Y[gone] = 1e15, -1e15
        for solver in ("direct", "lapack", "iterative"):
            model = regression(solver=solver).fit(lazy(X), lazy(Y), lazy(weight))
            assert_allclose(model.coef_, clean.coef_, rtol=1e-10)
            assert_allclose(model.intercept_, clean.intercept_, rtol=1e-9)


@pytest.mark.usefixtures("local_scheduler")
def test_fit_is_continued_in_memory(data):
    X, Y, _ = data
    model = regression().fit(lazy(X[:8000]), lazy(Y[:8000])).partial_fit(X[8000:], Y[8000:])
    assert_allclose(model.coef_, regression().fit(X, Y).coef_, rtol=1e-10)
    again = pickle.loads(pickle.dumps(model))
    assert_allclose(again.predict(lazy(X)).compute(), model.predict(X), rtol=1e-13)


@pytest.mark.parametrize("alpha", [0.0, (1.0, 300.0)])
@pytest.mark.usefixtures("local_scheduler")
def test_callbacks_and_warnings_are_those_of_the_local_fit(alpha, data):
    X, Y, _ = data
    recorder = Watcher(lambda X, y, now: now.score(X, y))
    model = regression(solver="iterative", sketch_size=20, alpha=alpha).set_callbacks(recorder)
    model.fit(lazy(X), lazy(Y))
    assert len(recorder.seen) == model.n_iter_ > 5
    assert recorder.seen[0] < recorder.seen[-1]
    assert recorder.seen[-1] == pytest.approx(model.score(X, Y), rel=1e-10)
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        regression(solver="iterative", max_iter=1).fit(lazy(X), lazy(Y))


# A cluster of processes


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"solver": "sketch", "sketch_size": 300, "sketch": "srht"},
        {"solver": "iterative", "alpha": 40.0, "refine": 0},
        {"solver": "lapack"},
    ],
    ids=str,
)
def test_cluster_equals_local_fit(parameters, data, cluster):
    X, Y, weight = data
    model = regression(**parameters)
    local = clone(model).fit(X, Y, weight)
    ours = clone(model).fit(lazy(X), lazy(Y, 1300), lazy(weight, 999))
    assert_same_fit(ours, local)
    assert_allclose(ours.predict(lazy(X)).compute(), local.predict(X), rtol=1e-12, atol=1e-11)
    score = ours.score(lazy(X), lazy(Y), lazy(weight))
    assert score == pytest.approx(local.score(X, Y, weight), rel=1e-12)
    if model.solver == "sketch":
        # The same bits, whichever worker is the first.
        again = clone(model).fit(lazy(X), lazy(Y, 1300), lazy(weight, 999))
        np.testing.assert_array_equal(again.coef_, ours.coef_)


def test_cluster_equals_local_fit_on_sparse_blocks(data, cluster):
    _, Y, weight = data
    S = sp.random_array((N, 30), density=0.1, format="csr", random_state=np.random.default_rng(0))
    local = regression().fit(S, Y, weight)
    assert local.solver_ == "iterative"
    rows = sparse_blocks(S, 3000).persist()
    ours = regression().fit(rows, lazy(Y), lazy(weight))
    assert_same_fit(ours, local)
    assert_allclose(ours.predict(rows).compute(), local.predict(S), rtol=1e-11)


def test_cluster_makes_its_own_data(cluster):
    """Rows that are never in one place."""
    state = da.random.default_rng(0)
    X = state.standard_normal((60_000, 8), chunks=(7000, 8))
    y = X.sum(axis=1) + 0.1 * state.standard_normal(60_000, chunks=7000)
    local = regression().fit(X.compute(), y.compute())
    assert local.solver_ == "direct"
    assert_same_fit(regression().fit(X, y), local)


def test_error_in_a_block_reaches_the_caller(data, cluster):
    X, Y, _ = data
    X = X.copy()
    X[7000, 2] = np.nan
    model = regression().fit(lazy(X[:6000]), lazy(Y[:6000]))
    coef = model.coef_
    with pytest.raises(ValueError, match="Input contains NaN"):
        model.fit(lazy(X), lazy(Y))
    assert model.coef_ is coef
    assert model.n_samples_seen_ == 6000


# What is refused


@pytest.fixture(scope="module")
def fitted(data):
    return regression().fit(*data)


def refused(X, Y, weight):
    """Name -> arguments and the message."""
    nan, inf, negative = X.copy(), Y.copy(), weight.copy()
    nan[0, 0], inf[8000, 0], negative[8000] = np.nan, np.inf, -1
    return {
        "nan in the first rows": ((lazy(nan), lazy(Y)), "Input X contains NaN"),
        "inf in y": ((lazy(X), lazy(inf)), "Input y contains infinity"),
        "negative weight": ((lazy(X), lazy(Y), lazy(negative)), "Negative values in data passed"),
        "zero weights": ((lazy(X), lazy(Y), lazy(0 * weight)), "at least one non-zero number"),
        "zero weights in memory": ((lazy(X), Y, 0 * weight), "at least one non-zero number"),
        "2d weights": ((lazy(X), lazy(Y), lazy(Y)), r"sample_weight must have one dimension. Got"),
        "one dimension": (
            (lazy(X[:, 0]), lazy(Y)),
            r"X must have two dimensions. Got shape \(9000",
        ),
        "three in y": ((lazy(X), lazy(Y[:, :, None])), "Found array with dim 3"),
        "length of y": ((lazy(X), lazy(Y[:-1])), "X has 9000 rows but a column passed with it has"),
        "weights": ((lazy(X), lazy(Y), weight[:-1]), "X has 9000 rows but a column passed with it"),
        "no rows": ((lazy(X)[:0], lazy(Y)[:0]), r"Found array with 0 sample\(s\)"),
    }


@pytest.mark.parametrize("name", list(refused(*(np.zeros((9000, 2)),) * 2, np.zeros(9000))))
@pytest.mark.usefixtures("local_scheduler")
def test_bad_data_are_refused_and_the_fit_before_is_kept(name, data):
    arguments, message = refused(*data)[name]
    model = regression().fit(*data)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        model.fit(*arguments)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[key] is value for key, value in before.items())


@pytest.mark.parametrize("backend", ["torch", "cupy"])
def test_backend_without_a_dask_path_is_named(backend, data):
    with pytest.raises(ValueError, match=f"backend='{backend}' has no dask path"):
        regression(backend=backend).fit(lazy(data[0]), lazy(data[1]))


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.usefixtures("local_scheduler")
def test_backends_with_a_dask_path(backend, data):
    X, Y, _ = data
    model = regression(backend=backend)
    assert_same_fit(clone(model).fit(lazy(X), lazy(Y)), clone(model).fit(X, Y))


def test_other_collections_are_an_error_that_says_what_is_needed(data, fitted):
    X, Y, _ = data
    bag = pytest.importorskip("dask.bag").from_sequence([1, 2])
    for other in (bag, dask.delayed(X)):
        for method in (regression().fit, fitted.score):
            with pytest.raises(TypeError, match="X must be a dask array or data frame"):
                method(other, Y)
        with pytest.raises(TypeError, match="X must be a dask array or data frame"):
            fitted.predict(other)


@pytest.mark.usefixtures("local_scheduler")
def test_another_number_of_columns_is_an_error_at_once(data, fitted):
    X, Y, _ = data
    message = "X has 5 features, but SketchedRegression is expecting 6 features as input"
    with pytest.raises(ValueError, match=message):
        fitted.predict(lazy(X[:, :5]))
    with pytest.raises(ValueError, match=message):
        fitted.score(lazy(X[:, :5]), lazy(Y))


def test_methods_without_a_dask_path_say_so(data, fitted):
    X, Y, _ = data
    with pytest.raises(TypeError, match="X is a dask collection: pass it to fit"):
        regression().partial_fit(lazy(X), lazy(Y))
    with pytest.raises(TypeError, match="X is a dask collection: pass it to fit"):
        clone(fitted).fit(X, Y).partial_fit(lazy(X), lazy(Y))
    with pytest.raises(TypeError, match=r"no dask path. Pass X.compute\(\)"):
        fitted.leverage_scores(lazy(X))


@pytest.mark.usefixtures("local_scheduler")
def test_data_frames(data):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    dd = pytest.importorskip("dask.dataframe")
    X, Y, weight = data
    names = [f"width{j}" for j in range(D)]
    frame = dd.from_pandas(
        pd.DataFrame(X, columns=names).assign(y=Y[:, 0], w=weight), npartitions=5
    )
    ours = regression().fit(frame[names], frame["y"], frame["w"])
    assert_same_fit(ours, regression().fit(X, Y[:, 0], weight))
    assert_allclose(ours.predict(frame[names]).compute(), ours.predict(X), rtol=1e-13)
