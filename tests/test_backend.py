"""Tests of the backend layer."""

import pickle
import sys
from types import SimpleNamespace

import array_api_compat
import array_api_compat.numpy as host
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from skmatrix import _backend
from skmatrix._backend import KERNELS, get_backend, kernel, to_numpy
from tests.toys import ToyRidge, ToyScaler, descend

X = np.arange(12.0).reshape(4, 3)


@pytest.fixture
def dispatch():
    """scikit-learn's array-API dispatch, switched on as far as this package looks at it."""
    # Past the check of the environment variable, which only scikit-learn's own code needs.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_backend, "get_config", lambda: {"array_api_dispatch": True})
        yield


def frames():
    """Host containers other than arrays; the last ones only where their library is there."""
    yield X.tolist()
    yield sp.csr_array(X)
    yield sp.csr_matrix(X)
    for library in ("pandas", "polars"):
        try:
            module = __import__(library)
        except ImportError:
            continue
        yield module.DataFrame(X)


@pytest.mark.parametrize("container", frames(), ids=lambda c: type(c).__module__)
def test_host_containers_are_at_home_on_the_host(container, engine):
    be = get_backend(engine, container)
    assert be.home is host
    assert be.home_device == "cpu"
    assert be.name == engine
    assert be.float_dtypes == [np.float64, np.float32]


@pytest.mark.parametrize("container", frames(), ids=lambda c: type(c).__module__)
def test_host_containers_are_at_home_on_the_host_with_dispatch(container, dispatch):
    assert get_backend("auto", container).home is host


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.int32, np.bool_])
def test_unload_undoes_load(engine, dtype):
    be = get_backend(engine, X)
    array = (X > 3).astype(dtype)
    loaded = be.load(array)
    assert array_api_compat.array_namespace(loaded) is be.xp
    result = be.unload(loaded)
    assert isinstance(result, np.ndarray)
    assert result.dtype == dtype
    assert_array_equal(result, array)


def test_load_keeps_count_and_passes_none(engine):
    be = get_backend(engine, X)
    first, nothing, second = be.load(X, None, X[0])
    assert nothing is None
    assert_array_equal(be.unload(first), X)
    assert_array_equal(be.unload(second), X[0])
    assert be.load(None) is None


def test_load_on_the_host_copies_nothing():
    be = get_backend("numba", X)
    assert be.load(X) is X
    assert be.unload(X) is X


def test_load_to_torch_shares_writable_memory_and_copies_the_rest():
    torch = pytest.importorskip("torch")
    be = get_backend("torch", X)
    if be.device.type == "cpu":
        assert be.load(X).data_ptr() == X.ctypes.data
    frozen = X.copy()
    frozen.setflags(write=False)
    for array in (frozen, X[::-1], X[:, ::-1], X.T):
        loaded = be.load(array)
        assert isinstance(loaded, torch.Tensor)
        assert_array_equal(to_numpy(loaded), array)


def test_load_detaches_tensors(dispatch):
    torch = pytest.importorskip("torch")
    leaf = torch.ones(3, requires_grad=True)
    be = get_backend("auto", leaf)
    assert be.name == "torch"
    assert not be.load(leaf).requires_grad
    assert_array_equal(to_numpy(leaf), np.ones(3))


def test_results_go_home_to_the_library_of_X(xp_device, engine, dispatch):
    xp, device = xp_device
    data = xp.asarray(X, device=device)
    be = get_backend(engine, data)
    loaded = be.load(data)
    assert array_api_compat.array_namespace(loaded) is be.xp
    result = be.unload(loaded)
    assert array_api_compat.array_namespace(result) is array_api_compat.array_namespace(data)
    assert array_api_compat.device(result) == array_api_compat.device(data)
    assert_array_equal(to_numpy(result), X)
    # What is drawn on the host goes to the same places.
    assert array_api_compat.array_namespace(be.load(X)) is be.xp
    assert array_api_compat.device(be.unload(X)) == array_api_compat.device(data)


def test_auto_computes_where_X_is(xp_device, dispatch):
    xp, device = xp_device
    data = xp.asarray(X, device=device)
    be = get_backend("auto", data)
    assert be.load(data) is data or array_api_compat.is_torch_array(data)
    assert be.device == array_api_compat.device(data)


def test_cpu_tensor_is_taken_as_host_data_without_dispatch():
    torch = pytest.importorskip("torch")
    assert get_backend("auto", torch.ones(2)).home is host


def test_device_memory_without_dispatch_is_refused():
    on_gpu = SimpleNamespace(__dlpack_device__=lambda: (2, 0), device="cuda:0")
    with pytest.raises(TypeError, match=r"X is on cuda:0 but scikit-learn's array_api_dispatch"):
        get_backend("auto", on_gpu)


def test_dask_collection_is_refused():
    da = pytest.importorskip("dask.array")
    with pytest.raises(TypeError, match=r"no dask path. Pass X.compute\(\)"):
        get_backend("auto", da.ones((4, 3)))


def test_unknown_engine_is_refused():
    with pytest.raises(ValueError, match=r"The 'backend' parameter must be .* Got 'jax' instead."):
        get_backend("jax", X)
    with pytest.raises(ValueError, match=r"The 'backend' parameter of ToyRidge must be a str"):
        ToyRidge(backend="jax").fit(X, X[:, 0])


@pytest.mark.parametrize("library", ["cupy", "torch"])
def test_missing_library_is_named_with_the_remedy(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    message = rf"backend='{library}' needs {library}, which is not installed. Install it with `pip"
    with pytest.raises(ImportError, match=message):
        get_backend(library, X)


def fake_cupy(count):
    """A CuPy that finds so many devices, or raises what CUDA says."""

    class CUDARuntimeError(RuntimeError):
        pass

    def get_device_count():
        if count is None:
            raise CUDARuntimeError("cudaErrorInsufficientDriver: driver too old")
        return count

    runtime = SimpleNamespace(getDeviceCount=get_device_count, CUDARuntimeError=CUDARuntimeError)
    return SimpleNamespace(cuda=SimpleNamespace(runtime=runtime))


@pytest.mark.parametrize(
    ("count", "reason"), [(0, "no device is visible"), (None, "cudaErrorInsufficientDriver")]
)
def test_missing_device_is_named_with_the_reason(count, reason, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(count))
    message = rf"backend='cupy' found no usable CUDA device \({reason}.*\). Use backend='auto'"
    with pytest.raises(RuntimeError, match=message):
        get_backend("cupy", X)


def test_follow_brings_targets_to_the_home_of_X(xp_device, dispatch):
    xp, device = xp_device
    data = xp.asarray(X, device=device)
    be = get_backend("auto", data)
    y, weight, nothing = be.follow(np.arange(4), xp.asarray(X[:, 0], device=device), None)
    assert nothing is None
    for moved in (y, weight):
        assert array_api_compat.array_namespace(moved) is be.home
        assert array_api_compat.device(moved) == be.home_device


def test_follow_passes_what_validation_deals_with(dispatch):
    torch = pytest.importorskip("torch")
    be = get_backend("auto", torch.ones(3))
    text = np.asarray(["a", "b", "a"])
    assert be.follow(text) is text
    listed = [1, 2, 3]
    assert be.follow(listed) is listed


def test_follow_refuses_device_memory_without_dispatch(monkeypatch):
    on_gpu = SimpleNamespace(__dlpack_device__=lambda: (2, 0), device="cuda:0")
    monkeypatch.setattr(_backend.array_api_compat, "is_array_api_obj", lambda a: True)
    with pytest.raises(TypeError, match=r"An array passed with X is on cuda:0"):
        get_backend("auto", X).follow(on_gpu)


def test_labels_are_in_the_library_of_X_when_they_are_numbers(xp_device, dispatch):
    xp, device = xp_device
    data = xp.asarray(X, device=device)
    be = get_backend("auto", data)
    index = xp.asarray(np.array([1, 0, 1]), device=device)
    numbers = be.labels(np.array([10, 20]), index)
    assert array_api_compat.array_namespace(numbers) is be.home
    assert_array_equal(to_numpy(numbers), [20, 10, 20])
    words = be.labels(np.array(["no", "yes"]), index)
    assert_array_equal(words, ["yes", "no", "yes"])


def test_check_home_refuses_another_library(dispatch):
    torch = pytest.importorskip("torch")
    fitted = ToyScaler()
    fitted.scale_ = np.ones(3)
    get_backend("auto", X).check_home(fitted, "scale_", "transform")
    message = r"ToyScaler.transform\(\) must use the same namespace and the same device .*`scale_`"
    with pytest.raises(ValueError, match=message):
        get_backend("auto", torch.ones(3)).check_home(fitted, "scale_", "transform")


def test_check_home_refuses_a_device_model_when_dispatch_is_off():
    torch = pytest.importorskip("torch")
    fitted = ToyScaler()
    fitted.scale_ = torch.ones(3)
    with pytest.raises(ValueError, match=r"X is in numpy on cpu, `scale_` in torch on cpu"):
        get_backend("auto", X).check_home(fitted, "scale_", "transform")


def test_simulated_gpu_refuses_touches_from_the_host(simulated_gpu):
    be = get_backend("cupy", X)
    loaded = be.load(X)
    with pytest.raises(RuntimeError, match="Can't convert array"):
        np.asarray(loaded)
    assert_array_equal(be.unload(loaded), X)

    class Forgetful(ToyScaler):
        def fit(self, X, y=None):
            super().fit(X)
            # A fitted array left on the device, as a missing `unload` leaves it.
            self.scale_ = get_backend(self.backend, X).load(self.scale_)
            return self

    with pytest.raises(ValueError, match="must use the same namespace"):
        Forgetful(backend="cupy").fit(X).transform(X)


def test_backend_may_change_between_fit_and_predict(engine):
    y = X.sum(axis=1)
    model = ToyRidge(random_state=0).fit(X, y)
    expected = model.predict(X)
    np.testing.assert_allclose(model.set_params(backend=engine).predict(X), expected)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_engines_agree_and_keep_the_dtype(engine, dtype):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((30, 4)).astype(dtype)
    b = rng.standard_normal(30).astype(dtype)
    expected = ToyRidge(random_state=0, backend="numpy").fit(A, b)
    model = ToyRidge(random_state=0, backend=engine).fit(A, b)
    assert model.coef_.dtype == model.predict(A).dtype == dtype
    rtol = 1e-8 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=rtol)


def test_auto_takes_the_twin_from_min_size_on(monkeypatch):
    calls = []
    monkeypatch.setattr(_backend, "_resolve", lambda path: lambda *arrays: calls.append(path))
    monkeypatch.setattr(_backend, "KERNELS", {})

    @kernel(numba="twin", min_size=12)
    def by_first(xp, a, b):
        calls.append("reference")

    @kernel(numba="twin", min_size=12, size_of=1)
    def by_second(xp, a, b):
        calls.append("reference")

    @kernel()
    def without_twin(xp, a, b):
        calls.append("reference")

    def ran(run, backend, *arrays):
        calls.clear()
        run(get_backend(backend, X), *arrays)
        return calls[0]

    assert ran(by_first, "auto", X, X[0]) == "twin"
    assert ran(by_first, "auto", X[0], X) == "reference"
    assert ran(by_second, "auto", X[0], X) == "twin"
    assert ran(by_first, "numba", X[0], X) == "twin"
    assert ran(by_first, "numpy", X, X) == "reference"
    assert ran(without_twin, "numba", X, X) == "reference"
    assert ran(without_twin, "auto", X, X) == "reference"


def test_cupy_twin_runs_on_cupy_only(monkeypatch, simulated_gpu):
    calls = []
    monkeypatch.setattr(_backend, "_resolve", lambda path: lambda *arrays: calls.append(path))
    monkeypatch.setattr(_backend, "KERNELS", {})

    @kernel(cupy="raw kernel")
    def product(xp, a):
        calls.append("reference")

    product(get_backend("cupy", X), X)
    assert calls == ["reference"]
    monkeypatch.setattr(array_api_compat, "is_cupy_namespace", lambda xp: True)
    product(get_backend("cupy", X), X)
    assert calls == ["reference", "raw kernel"]


def test_kernel_is_registered_under_its_path_and_keeps_its_documentation():
    assert KERNELS["tests.toys:descend"] is descend
    assert descend.__doc__ == descend.reference.__doc__
    assert descend.__name__ == "descend"


def test_kernel_pickles_by_name():
    assert pickle.loads(pickle.dumps(descend)) is descend
