"""KroneckerSBL of dask arrays of snapshots: the local answer, whatever the chunks."""

import os
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.exceptions import ConvergenceWarning

from skmatrix.datasets import make_kronecker_sparse
from skmatrix.linear_model import KroneckerSBL

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")

pytestmark = [
    pytest.mark.dask,
    pytest.mark.xdist_group("dask"),
    # Old versions warn of a scheduler that was chosen on purpose while a cluster is there.
    pytest.mark.filterwarnings("ignore:Running on a single-machine scheduler"),
    pytest.mark.filterwarnings("ignore:KroneckerSBL did not converge"),
]

ROWS, L = (5, 4, 3), 11
locally = pytest.mark.usefixtures("local_scheduler")


def problem(is_complex=False, n_measurements=ROWS):
    """Factors and snapshots, which are not centred."""
    sizes = {"n_features": (6, 5, 4), "n_measurements": n_measurements, "n_nonzero": 2}
    factors, y, _ = make_kronecker_sparse(
        **sizes, n_snapshots=L, is_complex=is_complex, random_state=0
    )
    return factors, y + 3


FACTORS, Y = problem()


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


def cut(y, chunks=(4, 0, 7)):
    """Snapshots in blocks, one of which is empty, and cut along the measurements too."""
    return da.from_array(y, chunks=(-(-y.shape[0] // 2), *y.shape[1:-1], chunks))


def regression(**parameters):
    return KroneckerSBL(**{"max_iter": 6, "n_init": 3, "random_state": 0, **parameters})


def assert_same_fit(ours, local, rtol=1e-9):
    """Fitted attributes equal up to the rounding of sums taken in another order."""
    for name in ("coef_", "coef_tensor_", "sigma_diag_", "intercept_"):
        expected, found = getattr(local, name), getattr(ours, name)
        assert type(found) is np.ndarray
        assert found.dtype == expected.dtype
        assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max())
    for name in ("gamma_", "support_"):
        for found, expected in zip(getattr(ours, name), getattr(local, name), strict=True):
            assert found.dtype == expected.dtype
            assert_allclose(found, expected, rtol=rtol)
    assert ours.noise_variance_ == pytest.approx(local.noise_variance_, rel=rtol)
    assert ours.log_evidence() == pytest.approx(local.log_evidence(), rel=rtol)
    for name in ("solver_", "n_iter_", "converged_", "n_features_in_"):
        assert getattr(ours, name) == getattr(local, name), name


CASES = [
    {},
    {"solver": "mm", "compute_score": True},
    {"solver": "am", "fit_intercept": True},
    {"solver": "svd", "noise_variance": 0.1},
    {"solver": "mm", "fit_intercept": True, "tol": 0.1},
    {"coupling": [0.5, None, None], "prune": [1e-3, 1e-2, 0]},
    {"n_init": 2, "max_iter": 4, "solver": "am"},
]


@pytest.mark.parametrize("parameters", CASES, ids=str)
@pytest.mark.parametrize("is_complex", [False, True])
@locally
def test_fit_equals_local_fit(parameters, is_complex):
    factors, y = problem(is_complex)
    local = regression(**parameters).fit(factors, y)
    ours = regression(**parameters).fit(factors, cut(y))
    assert_same_fit(ours, local)
    if "compute_score" in parameters:
        assert_allclose(ours.scores_, local.scores_, rtol=1e-9)
    mean, std = ours.predict(factors, return_std=True)
    assert_allclose((mean, std), local.predict(factors, return_std=True), rtol=1e-8)
    draws = [model.sample_posterior(2, random_state=0) for model in (ours, local)]
    assert_allclose(*draws, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("chunks", [(L,), (1,) * L, (0, 0, 10, 1)], ids=str)
@locally
def test_chunks_do_not_matter(chunks):
    assert_same_fit(regression().fit(FACTORS, cut(Y, chunks)), regression().fit(FACTORS, Y))


@pytest.mark.parametrize("intercept", [False, True])
@locally
def test_tall_factors_and_tensors_of_snapshots(intercept):
    factors, y = problem(n_measurements=(8, 4, 3))
    y = y.reshape(8, 4, 3, L)
    model = regression(solver="mm", fit_intercept=intercept)
    local, ours = clone(model).fit(factors, y), clone(model).fit(factors, cut(y))
    assert_same_fit(ours, local)
    assert_allclose(ours.predict(factors), local.predict(factors), rtol=1e-8)
    rows = clone(model).set_params(factors=factors[1:])
    assert_same_fit(clone(rows).fit(factors[0], cut(y)), rows.fit(factors[0], y))


@pytest.mark.parametrize("shape", [(30, 5), (6, 9)])
@pytest.mark.parametrize("intercept", ["auto", False])
@locally
def test_many_targets_of_a_matrix(shape, intercept):
    rng = np.random.default_rng(0)
    X = rng.standard_normal(shape) + 1
    X[:, 1] = 0
    coef = rng.standard_normal((shape[1], L)) * (np.arange(shape[1]) % 2)[:, None]
    y = X @ coef + 5 + 0.1 * rng.standard_normal((shape[0], L))
    local = regression(fit_intercept=intercept).fit(X, y)
    assert_same_fit(regression(fit_intercept=intercept).fit(X, cut(y)), local, rtol=1e-8)


@locally
def test_blocks_of_very_different_size_and_of_zeros():
    y = Y.copy()
    y[:, :4], y[:, 6:] = 0, 1e150 * y[:, 6:]
    assert_same_fit(regression().fit(FACTORS, cut(y, (4, 0, 2, 5))), regression().fit(FACTORS, y))


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("noise", ["estimate", 0.5])
@locally
def test_nothing_to_explain(intercept, noise):
    y = np.full_like(Y, 2.0 * intercept)
    model = regression(fit_intercept=intercept, noise_variance=noise)
    local, ours = clone(model).fit(FACTORS, y), clone(model).fit(FACTORS, cut(y))
    assert_same_fit(ours, local)
    assert not ours.coef_.any()
    assert_allclose(ours.intercept_, 2.0 * intercept)
    X = np.ones((4, 2))
    constant = clone(model).fit(X, da.from_array(Y[:4], chunks=(4, 3))) if intercept else None
    if intercept:
        assert_same_fit(constant, clone(model).fit(X, Y[:4]))


@locally
def test_single_precision_integers_and_unknown_lengths():
    single = tuple(factor.astype(np.float32) for factor in FACTORS)
    y = Y.astype(np.float32)
    ours = regression().fit(single, cut(y))
    assert ours.coef_.dtype == np.float32
    assert_same_fit(ours, regression().fit(single, y), rtol=1e-5)
    whole = np.round(Y).astype(int)
    assert_same_fit(regression().fit(FACTORS, cut(whole)), regression().fit(FACTORS, whole))
    some = np.arange(L) % 3 > 0
    kept = da.moveaxis(da.moveaxis(cut(Y), -1, 0)[da.from_array(some, chunks=4)], 0, -1)
    assert np.isnan(kept.shape[-1])
    assert_same_fit(regression().fit(FACTORS, kept), regression().fit(FACTORS, Y[:, some]))


@locally
def test_callbacks_see_the_estimator_so_far():
    def keep(model, X, y):
        seen.append(model.coef_)
        return {"kept": len(seen)}

    both = []
    for y in (Y, cut(Y)):
        seen: list = []
        model = regression(solver="mm").set_callbacks(ScoringMonitor(scoring=keep))
        model.fit(FACTORS, y)
        both.append(seen)
    assert len(both[0]) > 1
    for local, ours in zip(*both, strict=True):
        assert_allclose(ours, local, rtol=1e-9, atol=1e-12)


@locally
def test_noise_at_its_floor_and_no_convergence_are_said():
    factors, y, _ = make_kronecker_sparse((4, 3), (4, 3), snr=None, n_snapshots=3, n_nonzero=1)
    y = da.from_array(y, chunks=(12, 2))
    with pytest.warns(ConvergenceWarning, match="noise variance has reached its floor"):
        regression(solver="mm", max_iter=300).fit(factors, y)
    for solver in ("mm", "auto"):
        with pytest.warns(ConvergenceWarning, match="KroneckerSBL did not converge"):
            regression(solver=solver, max_iter=2).fit(FACTORS, cut(Y))


# Predictions


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("kind", ["vector", "columns", "tensor", "snapshots", "rows"])
@locally
def test_rows_of_the_first_factor_are_predicted_lazily(kind, is_complex):
    factors, y = problem(is_complex)
    shape = {
        "vector": (60,),
        "columns": (60, L),
        "tensor": ROWS,
        "snapshots": (*ROWS, L),
        "rows": (5, 12),
    }[kind]
    y = (y if kind in ("columns", "snapshots") else y[:, 0]).reshape(shape)
    model = regression(factors=factors[1:] if kind == "rows" else None)
    model.fit(factors[0] if kind == "rows" else factors, y)
    rows = np.concatenate([factors[0], 0 * factors[0][:3], 2 * factors[0]])
    lazy = da.from_array(rows, chunks=((2, 0, 4, 7), 4))

    def asked(first):
        return first if kind == "rows" else (first, *factors[1:])

    expected = model.predict(asked(rows), return_std=True)
    found = model.predict(asked(lazy), return_std=True)
    for ours, local in zip(found, expected, strict=True):
        assert isinstance(ours, da.Array)
        assert ours.shape == local.shape
        assert ours.dtype == ours.compute().dtype == local.dtype
        assert_allclose(ours.compute(), local, rtol=1e-10)
    mean = model.predict(asked(lazy))
    model.fit(asked(factors[0]), -y)
    assert_allclose(mean.compute(), expected[0], rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, int])
@locally
def test_rows_of_a_matrix_are_predicted_lazily(dtype):
    X = (10 * np.random.default_rng(0).standard_normal((20, 4))).astype(dtype)
    for y in (X[:, 0] * 1.0, X[:, :2] * 1.0):
        model = regression().fit(X, y + np.arange(len(y)).reshape(-1, *(1,) * (y.ndim - 1)))
        lazy = da.from_array(X, chunks=(6, 3))
        for rows in (lazy, lazy[da.from_array(np.ones(20, bool), chunks=6)]):
            found = dask.compute(*model.predict(rows, return_std=True))
            expected = model.predict(X, return_std=True)
            assert found[0].dtype == expected[0].dtype
            assert_allclose(found, expected, rtol=1e-5 if dtype == np.float32 else 1e-10)


@locally
def test_data_frames_are_predicted():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    dd = pytest.importorskip("dask.dataframe")
    X = np.random.default_rng(0).standard_normal((20, 3))
    model = regression().fit(X, X[:, 0])
    frame = dd.from_pandas(pd.DataFrame(X, columns=list("abc")), npartitions=3)
    assert_allclose(model.predict(frame).compute(), model.predict(X), rtol=1e-10)


@locally
def test_score_of_snapshots_in_blocks():
    model = regression().fit(FACTORS, cut(Y))
    assert model.score(FACTORS, cut(Y)) == pytest.approx(model.score(FACTORS, Y))


# Processes


@pytest.mark.parametrize("solver", ["auto", "am"])
def test_processes_give_the_answer_of_one(solver, cluster):
    factors, y = problem(is_complex=True)
    model = regression(solver=solver, fit_intercept=True, max_iter=6)
    there = clone(model).fit(factors, cut(y))
    with dask.config.set(scheduler="synchronous"):
        here = clone(model).fit(factors, cut(y))
    assert_same_fit(there, here, rtol=1e-12)
    assert_same_fit(there, clone(model).fit(factors, y))
    rows = da.from_array(factors[0], chunks=(2, 6))
    mean, std = dask.compute(*there.predict((rows, *factors[1:]), return_std=True))
    assert_allclose((mean, std), here.predict(factors, return_std=True), rtol=1e-10)


@pytest.mark.parametrize(
    ("value", "message"), [(np.nan, "missing measurements are not"), (np.inf, "y contains inf")]
)
def test_error_in_a_block_reaches_the_caller(value, message, cluster):
    model = regression().fit(FACTORS, cut(Y))
    before = dict(vars(model))
    y = Y.copy()
    y[3, 9] = value
    with pytest.raises(ValueError, match=message):
        model.fit(FACTORS, cut(y))
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[key] is found for key, found in before.items())


# What is refused


@locally
def test_designs_in_blocks_are_refused():
    lazy = da.from_array(FACTORS[0], chunks=2)
    X = np.ones((5, 6))
    for design, y in (
        ((lazy, *FACTORS[1:]), cut(Y)),
        ((FACTORS[0], da.from_array(FACTORS[1], chunks=2), FACTORS[2]), Y),
        (lazy, np.ones(5)),
    ):
        with pytest.raises(TypeError, match=r"a fit needs the whole .* Pass X in memory \(compute"):
            regression().fit(design, y)
    model = regression().fit(FACTORS, Y)
    with pytest.raises(TypeError, match=r"Only the first factor of X can be a dask array\. Pass"):
        model.predict((FACTORS[0], da.from_array(FACTORS[1], chunks=2), FACTORS[2]))
    with pytest.raises(ValueError, match="factor 0 has 5 columns, but 6 in fit"):
        model.predict((lazy[:, :5], *FACTORS[1:]))
    with pytest.raises(ValueError, match="X must be a tuple of 3 factors, as in fit"):
        model.predict(lazy)
    with pytest.raises(TypeError, match="X must be a dask array or data frame"):
        model.predict((dask.delayed(FACTORS[0]), *FACTORS[1:]))
    matrix = regression().fit(X + np.eye(5, 6), np.arange(5.0))
    with pytest.raises(ValueError, match="X has 4 features, but KroneckerSBL is expecting 6"):
        matrix.predict(lazy[:, :4])
    with pytest.raises(ValueError, match="X contains NaN or infinity"):
        matrix.predict(da.full((5, 6), np.nan)).compute()


def unreadable(shape, dtype=np.float64):
    """A dask array that cannot be computed."""

    def fail():
        raise AssertionError("read")

    return da.from_delayed(dask.delayed(fail)(), shape, dtype=dtype)


REFUSED = {
    "one snapshot": ({}, (60,), r"\(60, L\) or \(5, 4, 3, L\). Got shape \(60,\); pass one"),
    "one tensor": ({}, ROWS, r"Got shape \(5, 4, 3\)"),
    "number of measurements": ({}, (59, L), r"Got shape \(59, 11\)"),
    "no snapshots": ({}, (60, 0), r"y has no snapshots: its shape is \(60, 0\)"),
    "torch": ({"backend": "torch"}, (60, L), "backend='torch' has no dask path"),
    "decompose": ({"solver": "decompose"}, (60, 1), r"has no dask path\. Pass y\.compute\(\)"),
    "prune": ({"prune": [0.1]}, (60, L), "prune must be one number, or one for each of the 3"),
    "coupling": ({"coupling": [1]}, (60, L), "coupling must have an item for each of the 3"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_bad_arguments_are_refused_before_any_block_is_read(name):
    parameters, shape, message = REFUSED[name]
    model = regression(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(FACTORS, unreadable(shape))
    assert not [key for key in vars(model) if key.endswith("_") and not key.startswith("_")]


@locally
def test_other_forms_of_the_target_are_refused():
    with pytest.raises(TypeError, match=r"y must be a dask array\. Got a dask Delayed"):
        regression().fit(FACTORS, dask.delayed(Y))
    with pytest.raises(ValueError, match=r"in the shape \(5, 4, 3, L\)\. Got shape \(60, 11\)"):
        regression(factors=FACTORS[1:]).fit(FACTORS[0], unreadable((60, L)))
    with pytest.raises(ValueError, match="Complex data not supported"):
        regression().fit(np.eye(4), unreadable((4, L), np.complex128))
    with pytest.raises(ValueError, match="Complex data not supported"):
        regression().fit(1j * np.eye(4), unreadable((4, L)))
    hidden = da.from_delayed(dask.delayed(1j * Y), Y.shape, dtype=np.float64)
    with pytest.raises(ValueError, match=r"A block of y is complex, but y\.dtype is real"):
        regression().fit(FACTORS, hidden)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        texts = da.from_array(np.full((4, 2), "a"), chunks=2)
        with pytest.raises(ValueError, match="y must hold numbers"):
            regression().fit((np.eye(4),), texts)


@pytest.mark.skipif(
    os.environ.get("SCIPY_ARRAY_API") != "1",
    reason="array-API dispatch needs SCIPY_ARRAY_API=1",
)
@locally
def test_arrays_of_other_libraries_are_refused():
    torch = pytest.importorskip("torch")
    factors = tuple(map(torch.asarray, FACTORS))
    with (
        config_context(array_api_dispatch=True),
        pytest.raises(TypeError, match="X must hold NumPy arrays where y is a dask array"),
    ):
        regression().fit(factors, cut(Y))


@locally
def test_the_target_is_read_once():
    n_reads = []

    def read(block):
        n_reads.append(1)
        return block

    y = cut(Y, (4, 7)).rechunk((-1, (4, 7))).map_blocks(read, meta=np.empty((0, 0)))
    regression(solver="am").fit(FACTORS, y)
    assert len(n_reads) == 2
    assert_array_equal(y.compute(), Y)
