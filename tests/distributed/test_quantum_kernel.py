"""Quantum kernels and features of dask arrays: the local answer, whatever the chunks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn import config_context
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import SGDClassifier

from skmatrix.svm import QuantumFeatureMap, QuantumKernelSVC

da = pytest.importorskip("dask.array")
dask = pytest.importorskip("dask")
cloudpickle = pytest.importorskip("cloudpickle")

pytestmark = [pytest.mark.dask, pytest.mark.xdist_group("dask")]

CHUNKS = [(7, 2), (60, 3), (59, 1)]


def samples():
    X = np.random.default_rng(0).standard_normal((60, 3))
    return X, np.where(X[:, 0] * X[:, 1] > 0, "ant", "beetle")


def three():
    X, _ = samples()
    return X, np.array(["ant", "bee", "caterpillar"])[np.digitize(X[:, 0], [-0.5, 0.5])]


def refuse(dsk, keys, **kwargs):
    raise AssertionError("computed too early")


def with_empty_block(X):
    """The array with chunks of unknown sizes, of which the second is empty."""
    X = np.concatenate([X[:20], X[:20], X[20:]])
    kept = (np.arange(len(X)) < 20) | (np.arange(len(X)) >= 40)
    return da.from_array(X, chunks=(20, 3))[da.from_array(kept, chunks=20)]


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("kernel", ["fidelity", "projected"])
@pytest.mark.parametrize("feature_map", ["zz", "z"])
def test_kernel_of_all_pairs_is_that_of_one_machine(feature_map, kernel, chunks):
    X, y = samples()
    model = QuantumKernelSVC(feature_map, kernel=kernel).fit(X, y)
    K = model.kernel_matrix(da.from_array(X, chunks=chunks))
    assert isinstance(K, da.Array)
    assert K.shape == (60, 60)
    assert len(K.chunks[1]) == 1
    found = K.compute()
    assert_allclose(found, model.kernel_matrix(X), rtol=0, atol=1e-14)
    assert_array_equal(np.diag(found), 1.0)
    # RBF kernels are symmetric up to rounding on one machine, too.
    assert_allclose(found, found.T, rtol=0, atol=0 if kernel == "fidelity" else 1e-15)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
def test_kernel_with_other_samples_is_that_of_one_machine(backend):
    X, y = samples()
    Z = X[::2] + 0.1
    model = QuantumKernelSVC(backend=backend).fit(X, y)
    expected = model.kernel_matrix(X, Z)
    lazy, others = da.from_array(X, chunks=(25, 2)), da.from_array(Z, chunks=(11, 2))
    for right in (Z, Z.tolist(), others, with_empty_block(Z)):
        K = model.kernel_matrix(lazy, right)
        assert isinstance(K, da.Array)
        assert_allclose(K.compute(), expected, rtol=0, atol=1e-14)
    assert model.kernel_matrix(lazy, others).shape == (60, 30)
    in_memory = model.kernel_matrix(X, others)
    assert isinstance(in_memory, np.ndarray)
    assert_array_equal(in_memory, expected)


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"kernel": "projected"},
        {"noise": 0.1, "mitigate": "split"},
        {"decision_function_shape": "ovo"},
        {"break_ties": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("data", [samples, three])
def test_predictions_are_those_of_one_machine(data, parameters, chunks):
    X, y = data()
    model = QuantumKernelSVC(C=3.0, **parameters).fit(X, y)
    lazy = da.from_array(X, chunks=chunks)
    for method in ("predict", "decision_function"):
        expected, result = getattr(model, method)(X), getattr(model, method)(lazy)
        assert isinstance(result, da.Array)
        assert result.shape == expected.shape
        assert result.dtype == result.compute().dtype == expected.dtype
        if method == "predict":
            assert_array_equal(result.compute(), expected)
        else:
            assert_allclose(result.compute(), expected, rtol=0, atol=1e-11)


def test_columns_of_one_against_one():
    X, y = np.random.default_rng(1).standard_normal((80, 2)), np.arange(80) % 4
    model = QuantumKernelSVC(decision_function_shape="ovo", bandwidth=0.5).fit(X, y)
    model.set_params(decision_function_shape="ovr")  # what was fitted stays
    decision = model.decision_function(da.from_array(X, chunks=30))
    assert decision.shape == (80, 6)
    assert_allclose(decision.compute(), model.decision_function(X), rtol=0, atol=1e-11)
    labels = model.predict(da.from_array(X, chunks=30))
    assert labels.dtype == y.dtype
    assert_array_equal(labels.compute(), model.predict(X))


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("output", ["bloch", "pauli", "state"])
def test_features_are_those_of_one_machine(output, chunks):
    X, y = samples()
    transformer = QuantumFeatureMap(output=output).fit(X, y)
    expected = transformer.transform(X)
    result = transformer.transform(da.from_array(X, chunks=chunks))
    assert isinstance(result, da.Array)
    assert result.shape == expected.shape
    assert_allclose(result.compute(), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("given", "kept"), [(np.float32, np.float32), (np.float16, np.float64), (int, np.float64)]
)
def test_dtypes_are_those_of_one_machine(given, kept):
    X, y = samples()
    X = (3 * X).astype(given)
    lazy = da.from_array(X, chunks=(25, 2))
    model, transformer = QuantumKernelSVC().fit(X, y), QuantumFeatureMap().fit(X, y)
    results = [
        (model.kernel_matrix, (lazy,), (X,)),
        (model.kernel_matrix, (lazy, X[:9].astype(float)), (X, X[:9].astype(float))),
        (model.decision_function, (lazy,), (X,)),
        (transformer.transform, (lazy,), (X,)),
    ]
    for method, lazily, at_once in results:
        result, expected = method(*lazily), method(*at_once)
        assert result.dtype == result.compute().dtype == expected.dtype == kept
        assert_allclose(result.compute(), expected, rtol=0, atol=1e-6)


def test_nothing_is_computed_before_it_is_asked_for():
    X, y = samples()
    model, transformer = QuantumKernelSVC().fit(X, y), QuantumFeatureMap().fit(X, y)
    known = da.from_array(X, chunks=(25, 2))
    with dask.config.set(scheduler=refuse):
        with pytest.raises(AssertionError, match="computed too early"):
            known.compute()
        for lazy in (known, known[known[:, 0] > 0]):
            results = [
                model.predict(lazy),
                model.decision_function(lazy),
                model.kernel_matrix(lazy),
                model.kernel_matrix(lazy, X),
                model.kernel_matrix(lazy, lazy[:, :3]),
                transformer.transform(lazy),
            ]
    kept = X[:, 0] > 0
    assert_array_equal(results[0].compute(), model.predict(X[kept]))
    assert_allclose(results[4].compute(), model.kernel_matrix(X[kept]), rtol=0, atol=1e-14)


def test_unknown_and_empty_blocks():
    X, y = samples()
    model, transformer = QuantumKernelSVC().fit(X, y), QuantumFeatureMap().fit(X, y)
    unknown = with_empty_block(X)
    assert np.isnan(unknown.shape[0])
    assert 0 in [len(block) for block in dask.compute(*unknown.to_delayed().ravel())]
    for lazy in (unknown, da.concatenate([da.empty((0, 3)), da.from_array(X, chunks=(40, 3))])):
        K = model.kernel_matrix(lazy).compute()
        assert_allclose(K, model.kernel_matrix(X), rtol=0, atol=1e-14)
        assert_array_equal(np.diag(K), 1.0)
        decision = model.decision_function(lazy).compute()
        assert_allclose(decision, model.decision_function(X), rtol=0, atol=1e-11)
        assert_array_equal(model.predict(lazy).compute(), model.predict(X))
        features = transformer.transform(lazy).compute()
        assert_allclose(features, transformer.transform(X), rtol=0, atol=1e-14)


def test_on_a_cluster_of_processes(dask_client):
    X, y = samples()
    model, transformer = QuantumKernelSVC().fit(X, y), QuantumFeatureMap().fit(X, y)
    lazy = da.from_array(X, chunks=(16, 3)).persist()
    K = model.kernel_matrix(lazy).compute()
    assert_allclose(K, model.kernel_matrix(X), rtol=0, atol=1e-14)
    assert_array_equal(np.diag(K), 1.0)
    assert_array_equal(K, K.T)
    cross = model.kernel_matrix(lazy, lazy[:9]).compute()
    assert_allclose(cross, model.kernel_matrix(X, X[:9]), rtol=0, atol=1e-14)
    assert_array_equal(model.predict(lazy).compute(), model.predict(X))
    decision = model.decision_function(lazy).compute()
    assert_allclose(decision, model.decision_function(X), rtol=0, atol=1e-11)
    features = transformer.transform(lazy).compute()
    assert_allclose(features, transformer.transform(X), rtol=0, atol=1e-14)


def test_blocks_of_features_train_a_linear_model():
    X, y = three()
    transformer = QuantumFeatureMap(output="pauli").fit(X[:30], y[:30])
    features = transformer.transform(da.from_array(X, chunks=(20, 3)))
    ours, local = SGDClassifier(random_state=0), SGDClassifier(random_state=0)
    for i in range(3):
        rows = slice(20 * i, 20 * (i + 1))
        ours.partial_fit(features.blocks[i].compute(), y[rows], classes=np.unique(y))
        local.partial_fit(transformer.transform(X[rows]), y[rows], classes=np.unique(y))
    assert_allclose(ours.coef_, local.coef_, rtol=1e-10, atol=1e-12)


def test_tables_and_their_names():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")  # dask needs it for data frames
    dd = pytest.importorskip("dask.dataframe")
    X, y = samples()
    table = pd.DataFrame(X, columns=["a", "b", "c"])
    model, transformer = QuantumKernelSVC().fit(table, y), QuantumFeatureMap().fit(table, y)
    lazy = dd.from_pandas(table, npartitions=3)
    expected = model.kernel_matrix(table)
    for result in (model.kernel_matrix(lazy), model.kernel_matrix(lazy, table)):
        assert_allclose(result.compute(), expected, rtol=0, atol=1e-14)
    assert_allclose(model.kernel_matrix(lazy, lazy).compute(), expected, rtol=0, atol=1e-14)
    assert_array_equal(model.kernel_matrix(table, lazy), model.kernel_matrix(table, table))
    assert_array_equal(model.predict(lazy).compute(), model.predict(table))
    features = transformer.transform(lazy).compute()
    assert_allclose(features, transformer.transform(table), rtol=0, atol=1e-14)
    assert model.feature_names_in_.tolist() == ["a", "b", "c"]  # blocks have them no more
    for call in (model.predict, model.kernel_matrix, transformer.transform):
        with pytest.raises(ValueError, match="feature names should match"):
            call(lazy.rename(columns={"a": "z"}))
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            call(da.from_array(X, chunks=30))


def test_stored_kernel_does_not_travel():
    X, y = samples()
    X = X.astype(np.float32)
    model = QuantumKernelSVC(store_kernel=True).fit(X, y)
    labels = model.predict(da.from_array(X, chunks=(20, 3)))
    sent = cloudpickle.dumps(dict(labels.__dask_graph__()))
    assert model._machine.known.tobytes() in sent
    assert model.kernel_matrix_.tobytes() not in sent
    assert_array_equal(labels.compute(), model.predict(X))


@pytest.mark.parametrize("everywhere", [False, True])
def test_tables_as_output_are_in_memory(everywhere):
    pd = pytest.importorskip("pandas")
    X, y = samples()
    transformer = QuantumFeatureMap().fit(X, y)
    expected = transformer.transform(X)
    if not everywhere:
        transformer.set_output(transform="pandas")
    with config_context(transform_output="pandas" if everywhere else "default"):
        result = transformer.transform(da.from_array(X, chunks=(25, 3)))
    assert isinstance(result, pd.DataFrame)
    assert result.columns.tolist() == transformer.get_feature_names_out().tolist()
    assert_allclose(result, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("method", ["predict", "decision_function"])
@pytest.mark.parametrize("kernel", ["fidelity", "projected"])
def test_shots_have_no_lazy_draws(kernel, method):
    X, y = samples()
    lazy = da.from_array(X, chunks=(25, 3))
    model = QuantumKernelSVC(kernel=kernel, shots=100, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=f"{method} of a dask array has no draws for shots=100"):
        getattr(model, method)(lazy)
    if kernel == "fidelity":  # which keeps the device that it was fitted with
        with pytest.raises(ValueError, match="no draws for shots=100"):
            getattr(model.set_params(shots=None), method)(lazy)
    exact = model.kernel_matrix(lazy).compute()  # there is nothing to draw
    assert_allclose(exact, model.kernel_matrix(X), rtol=0, atol=1e-14)


@pytest.mark.parametrize("estimator", [QuantumKernelSVC(), QuantumFeatureMap()], ids=str)
def test_fit_is_for_data_in_memory(estimator):
    X, y = samples()
    lazy = da.from_array(X, chunks=(25, 3))
    with pytest.raises(TypeError, match="X is a dask collection and this method has no dask path"):
        estimator.fit(lazy, y)
    assert not [name for name in vars(estimator) if name.endswith("_")]


def test_bad_data():
    X, y = samples()
    model, transformer = QuantumKernelSVC().fit(X, y), QuantumFeatureMap().fit(X, y)
    lazy = da.from_array(X, chunks=(25, 3))
    for call in (
        model.predict,
        model.decision_function,
        model.kernel_matrix,
        transformer.transform,
    ):
        with pytest.raises(ValueError, match=r"X has 2 features, but Quantum.* is expecting 3"):
            call(lazy[:, :2])
        with pytest.raises(ValueError, match="X must have two dimensions"):
            call(lazy[:, 0])
        with pytest.raises(TypeError, match=r"array or data frame\. Got a dask Delayed"):
            call(dask.delayed(X))
        with pytest.raises(ValueError, match="contains NaN"):
            call(da.where(lazy > 1, np.nan, lazy)).compute()
    for Z in (X[:, :2], lazy[:, :2]):
        with pytest.raises(ValueError, match="X has 2 features, but QuantumKernelSVC is expecting"):
            model.kernel_matrix(lazy, Z)
    for call in (
        QuantumKernelSVC().predict,
        QuantumKernelSVC().decision_function,
        QuantumKernelSVC().kernel_matrix,
        QuantumFeatureMap().transform,
    ):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            call(lazy)


def test_model_of_another_library_takes_no_blocks():
    torch = pytest.importorskip("torch")
    X, y = samples()
    model = QuantumKernelSVC().fit(X, y)
    model.support_vectors_ = torch.asarray(model.support_vectors_)
    for method in ("predict", "decision_function", "kernel_matrix"):
        with pytest.raises(ValueError, match=rf"passed to QuantumKernelSVC\.{method}\(\) must use"):
            getattr(model, method)(da.from_array(X, chunks=(25, 3)))
    transformer = QuantumFeatureMap().fit(X, y)
    transformer._place = torch.asarray(transformer._place)
    with pytest.raises(ValueError, match=r"passed to QuantumFeatureMap\.transform\(\) must use"):
        transformer.transform(da.from_array(X, chunks=(25, 3)))
