"""FunBaT of dask arrays: the local answer, whatever the chunks and the scheduler."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from skmatrix.decomposition import FunBaT

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")

pytestmark = [
    pytest.mark.dask,
    pytest.mark.xdist_group("dask"),
    # Old versions warn of a scheduler that was chosen on purpose while a cluster is there.
    pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler"),
    pytest.mark.filterwarnings("ignore:FunBaT did not converge"),
]

N = 700


def regression(**parameters):
    # Searches for a length scale stop where the evidence is flat, which enlarges rounding errors.
    fixed = {"optimize_length_scale": False, "max_iter": 12, "n_warmup": 3, "random_state": 0}
    return FunBaT(**{**fixed, "rank": 2, **parameters})


@pytest.fixture(scope="module")
def data():
    """Three axes, one of them with many and one with few coordinates, and a weight of 0 to 2."""
    rng = np.random.default_rng(0)
    X = np.column_stack(
        [
            rng.choice(np.linspace(3, 9, 20), N),
            rng.uniform(-1, 1, N),
            rng.integers(0, 7, N),
        ]
    )
    y = 5 + np.sin(X[:, 0]) * np.cos(2 * X[:, 1]) * (1 + X[:, 2]) + 0.1 * rng.standard_normal(N)
    return X, y, rng.integers(0, 3, N).astype(float)


@pytest.fixture
def local_scheduler():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture(scope="module")
def cluster():
    """Two worker processes."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            memory_limit="1GiB",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def lazy(a, rows=130):
    """The array in blocks that end nowhere in particular."""
    return da.from_array(a, chunks=(rows, *a.shape[1:]))


def assert_same_fit(ours, local, rtol=1e-9):
    """Fitted attributes equal up to the rounding of sums taken in another order."""
    for name in ("core_", "core_cov_", "factor_mean_", "factor_cov_", "length_scale_", "indices_"):
        expected, found = getattr(local, name), getattr(ours, name)
        if expected is None:
            assert found is None
            continue
        if not isinstance(expected, list):
            expected, found = [expected], [found]
        for a, b in zip(found, expected, strict=True):
            assert type(a) is np.ndarray
            assert a.dtype == b.dtype
            assert_allclose(a, b, rtol=rtol, atol=rtol * np.abs(b).max(), err_msg=name)
    for name in ("intercept_", "y_scale_", "noise_std_", "objective_history_"):
        assert_allclose(getattr(ours, name), getattr(local, name), rtol=rtol, err_msg=name)
    for name in ("decomposition_", "n_iter_", "n_features_in_"):
        assert getattr(ours, name) == getattr(local, name), name


CASES = [
    {},
    {"decomposition": "cp", "rank": 3},
    {"rank": (2, 3, 1), "kernel": ["matern32", "matern12", "iid"], "fit_intercept": False},
    {"n_init": 2, "kernel": "matern52", "normalize_index": False},
    {"backend": "numpy", "max_iter": 5},
]


@pytest.mark.parametrize("parameters", CASES, ids=str)
@pytest.mark.parametrize("rows", [N, 130])
@pytest.mark.usefixtures("local_scheduler")
def test_fit_equals_local_fit(parameters, rows, data):
    X, y, weight = data
    model = regression(**parameters)
    local = clone(model).fit(X, y, weight)
    cut = da.from_array(X, chunks=(rows, 2))
    ours = clone(model).fit(cut, lazy(y, 99), lazy(weight, 211))
    assert_same_fit(ours, local)
    mean = ours.predict(cut)
    assert isinstance(mean, da.Array)
    assert mean.dtype == np.float64
    assert_allclose(mean.compute(), local.predict(X), rtol=1e-9)
    score = ours.score(cut, lazy(y), lazy(weight))
    assert score == pytest.approx(local.score(X, y, weight), rel=1e-9)


@pytest.mark.usefixtures("local_scheduler")
def test_length_scales_are_searched_on_the_client(data):
    X, y, _ = data
    model = regression(optimize_length_scale=True)
    local, ours = clone(model).fit(X, y), clone(model).fit(lazy(X), y)
    assert not np.allclose(local.length_scale_, 0.1)
    assert_allclose(ours.length_scale_, local.length_scale_, rtol=1e-3)
    assert_allclose(ours.predict(X), local.predict(X), atol=1e-3)


@pytest.mark.usefixtures("local_scheduler")
def test_standard_deviations_and_the_local_data_of_a_fit(data):
    X, y, _ = data
    model = regression().fit(lazy(X), lazy(y))
    queries = X + 0.01
    for noise in (True, False):
        lazily = model.predict(lazy(queries), return_std=True, include_noise=noise)
        assert all(isinstance(a, da.Array) and a.shape == (N,) for a in lazily)
        expected = model.predict(queries, return_std=True, include_noise=noise)
        assert_allclose(dask.compute(*lazily), expected, rtol=1e-12)
    mean = model.predict(lazy(queries))
    expected = model.predict(queries)
    model.fit(X, -y)
    assert_allclose(mean.compute(), expected, rtol=1e-12)


@pytest.mark.usefixtures("local_scheduler")
def test_one_mode(data):
    X, y, weight = data
    for decomposition, rank in (("tucker", 2), ("cp", 1)):
        model = regression(decomposition=decomposition, rank=rank, kernel="matern32")
        local = clone(model).fit(X[:, 1:2], y, weight)
        assert_same_fit(clone(model).fit(lazy(X[:, 1:2]), y, weight), local, rtol=1e-8)


@pytest.mark.usefixtures("local_scheduler")
def test_blocks_without_weight_count_for_nothing(data):
    X, y, weight = data
    X, y, weight = X.copy(), y.copy(), weight.copy()
    weight[130:390] = 0
    X[130:390], y[200] = 1e3, 1e9
    assert_same_fit(regression().fit(lazy(X), y, weight), regression().fit(X, y, weight))


@pytest.mark.usefixtures("local_scheduler")
def test_constants_and_large_values(data):
    X, y, _ = data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        constant = regression().fit(lazy(X), lazy(np.full(N, 0.1)))
    assert constant.y_scale_ == 1
    assert constant.intercept_ == pytest.approx(0.1, rel=1e-14)
    assert_allclose(constant.predict(X), 0.1, rtol=1e-6)
    whole = regression(fit_intercept=False).fit(lazy(X), lazy(np.full(N, 0.1)))
    assert (whole.intercept_, whole.y_scale_) == (0, pytest.approx(0.1, rel=1e-14))
    large = regression().fit(lazy(X), lazy(1e200 * y))
    assert_allclose(large.predict(X) / 1e200, regression().fit(X, y).predict(X), rtol=1e-6)


@pytest.mark.usefixtures("local_scheduler")
def test_single_precision_integers_and_unknown_lengths(data):
    X, y, _ = data
    single = X.astype(np.float32)
    ours, local = regression().fit(lazy(single), y), regression().fit(single, y)
    assert_same_fit(ours, local, rtol=1e-6)
    assert ours.predict(lazy(single)).dtype == ours.predict(lazy(single)).compute().dtype
    assert ours.predict(lazy(single)).dtype == np.float32
    whole = np.round(10 * X).astype(np.int64)
    ours = regression().fit(lazy(whole), y)
    assert_same_fit(ours, regression().fit(whole, y))
    assert ours.predict(lazy(whole)).dtype == np.float64
    some = X[:, 1] > -2
    some[130:260] = False
    kept = lazy(some)
    ours = regression().fit(lazy(X)[kept], lazy(y)[kept])
    assert_same_fit(ours, regression().fit(X[some], y[some]))
    assert_allclose(ours.predict(lazy(X)[kept]).compute(), ours.predict(X[some]))
    assert len(ours.predict(lazy(X)[kept], return_std=True)[1].compute()) == some.sum()


@pytest.mark.parametrize("parameters", [{}, {"decomposition": "cp"}], ids=str)
def test_processes_give_the_answer_of_one(parameters, data, cluster):
    X, y, weight = data
    with dask.config.set(scheduler="synchronous"):
        here = regression(**parameters).fit(lazy(X), lazy(y), weight)
    there = regression(**parameters).fit(lazy(X), lazy(y), weight)
    for name in ("factor_mean_", "factor_cov_"):
        for a, b in zip(getattr(there, name), getattr(here, name), strict=True):
            assert_array_equal(a, b)
    assert_array_equal(there.objective_history_, here.objective_history_)
    assert_same_fit(there, regression(**parameters).fit(X, y, weight))
    mean, std = dask.compute(*there.predict(lazy(X), return_std=True))
    expected = here.predict(X, return_std=True)
    assert_allclose((mean, std), expected, rtol=1e-12)
    assert there.score(lazy(X), lazy(y)) == pytest.approx(here.score(X, y), rel=1e-12)


def test_error_in_a_block_reaches_the_caller(data, cluster):
    X, y, _ = data
    model = regression().fit(lazy(X), y)
    before = dict(vars(model))
    X = X.copy()
    X[600, 2] = np.nan
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.fit(lazy(X), y)
    assert all(vars(model)[key] is value for key, value in before.items())


@pytest.mark.usefixtures("local_scheduler")
def test_no_convergence_is_said(data):
    X, y, _ = data
    with pytest.warns(ConvergenceWarning, match="FunBaT did not converge"):
        regression(max_iter=4).fit(lazy(X), y)


# What is refused


def refused(X, y, weight):
    """Name -> arguments and the message."""
    infinite, negative = y.copy(), weight.copy()
    infinite[600], negative[600] = np.inf, -1
    return {
        "inf in y": ((lazy(X), lazy(infinite)), "Input y contains infinity"),
        "no y": ((lazy(X), None), "requires y to be passed, but the target y is None"),
        "two columns of y": ((lazy(X), lazy(X)), "y should be a 1d array"),
        "negative weight": ((lazy(X), y, lazy(negative)), "Negative values in data passed"),
        "zero weights": ((lazy(X), y, lazy(0 * weight)), "at least one non-zero number"),
        "2d weights": ((lazy(X), y, lazy(X)), r"sample_weight must have one dimension. Got"),
        "one dimension": ((lazy(y), y), r"X must have two dimensions. Got shape \(700,\)"),
        "three dimensions": ((lazy(X[:, :, None]), y), "X must have two dimensions"),
        "length of y": ((lazy(X), lazy(y[:-1])), "X has 700 rows but a column passed with it"),
        "no rows": ((lazy(X)[:0], lazy(y)[:0]), r"Found array with 0 sample\(s\)"),
    }


@pytest.mark.parametrize("name", list(refused(np.zeros((N, 3)), *np.zeros((2, N)))))
@pytest.mark.usefixtures("local_scheduler")
def test_bad_data_are_refused(name, data):
    arguments, message = refused(*data)[name]
    model = regression()
    with pytest.raises(ValueError, match=message):
        model.fit(*arguments)
    assert not [key for key in vars(model) if key.endswith("_") and not key.startswith("_")]


def test_bad_parameters_are_refused_before_any_block_is_read(data):
    def unreadable():
        raise AssertionError("read")

    _, y, _ = data
    X = da.from_delayed(dask.delayed(unreadable)(), (N, 3), dtype=np.float64)
    for backend in ("torch", "cupy"):
        with pytest.raises(ValueError, match=f"backend='{backend}' has no dask path"):
            regression(backend=backend).fit(X, y)
    with pytest.raises(ValueError, match="rank must be one value, or one for each of the 3"):
        regression(rank=(2, 2)).fit(X, y)
    with pytest.raises(ValueError, match="kernel must be one value, or one for each of the 3"):
        regression(kernel=["iid"]).fit(X, y)


@pytest.mark.usefixtures("local_scheduler")
def test_other_collections_methods_and_columns(data):
    X, y, _ = data
    model = regression().fit(X, y)
    for method in (regression().fit, model.score):
        with pytest.raises(TypeError, match="X must be a dask array or data frame"):
            method(dask.delayed(X), y)
    with pytest.raises(TypeError, match="X must be a dask array or data frame"):
        model.predict(dask.delayed(X))
    with pytest.raises(ValueError, match="X has 2 features, but FunBaT is expecting 3"):
        model.predict(lazy(X[:, :2]))
    with pytest.raises(TypeError, match=r"no dask path. Pass X.compute\(\)"):
        model.sample_y(lazy(X))


@pytest.mark.usefixtures("local_scheduler")
def test_dates_and_sparse_blocks(data):
    X, y, _ = data
    model = regression().fit(X, y)
    dates = lazy(X.astype(np.int64).astype("datetime64[D]"))
    block = dask.delayed(sp.csr_array(X))
    sparse = da.from_delayed(block, (N, 3), meta=sp.csr_array((0, 0)), dtype=np.float64)
    for method in (regression().fit, model.predict, model.score):
        arguments = () if method == model.predict else (y,)
        with pytest.raises(TypeError, match="X holds dates or durations"):
            dask.compute(method(dates, *arguments))
        with pytest.raises(TypeError, match="X is sparse, but FunBaT needs a dense array"):
            dask.compute(method(sparse, *arguments))


@pytest.mark.usefixtures("local_scheduler")
def test_data_frames(data):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    dd = pytest.importorskip("dask.dataframe")
    X, y, weight = data
    frame = dd.from_pandas(
        pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=y, w=weight), npartitions=3
    )
    ours = regression().fit(frame[["a", "b", "c"]], frame["y"], frame["w"])
    assert_same_fit(ours, regression().fit(X, y, weight))
    assert_allclose(ours.predict(frame[["a", "b", "c"]]).compute(), ours.predict(X), rtol=1e-12)
