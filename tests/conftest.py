"""Fixtures shared by all tests."""

import os

# Several workers that each start as many threads as there are cores get in each other's way.
# The libraries read these variables when they are first imported, hence before all else.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[_variable] = "1"

from collections import namedtuple

import pytest

XpDevice = namedtuple("XpDevice", ["xp", "device"])


@pytest.fixture(
    params=["numpy", "numba", "torch", pytest.param("cupy", marks=pytest.mark.gpu)],
)
def engine(request):
    """Name of an engine that can run here, for ``backend=``."""
    if request.param == "torch":
        pytest.importorskip("torch")
    if request.param == "cupy":
        _skip_without_cuda("cupy")
    return request.param


@pytest.fixture(
    params=[
        "numpy",
        "strict",
        "strict device1",
        "torch",
        pytest.param("torch cuda", marks=pytest.mark.gpu),
        pytest.param("cupy", marks=pytest.mark.gpu),
    ],
)
def xp_device(request):
    """Array namespace and device, to be filled by ``xp.asarray(a, device=device)``."""
    library, _, device = request.param.partition(" ")
    if library == "strict":
        strict = pytest.importorskip("array_api_strict")
        return XpDevice(strict, strict.Device(device or "CPU_DEVICE"))
    if library == "torch":
        torch = pytest.importorskip("torch")
        import array_api_compat.torch as xp

        if device:
            _skip_without_cuda("torch")
        return XpDevice(xp, torch.device(device or "cpu"))
    if library == "cupy":
        _skip_without_cuda("cupy")
        import array_api_compat.cupy as xp

        return XpDevice(xp, None)
    import array_api_compat.numpy as xp

    return XpDevice(xp, "cpu")


@pytest.fixture
def simulated_gpu(monkeypatch):
    """Let ``backend="cupy"`` compute on a device of the strict namespace.

    That device refuses every touch from the host, so that a missing transfer is an error
    as it is on a GPU.
    """
    strict = pytest.importorskip("array_api_strict")
    from skmatrix import _backend

    true_engine = _backend._engine

    def engine(name):
        if name == "cupy":
            return strict, strict.Device("device1")
        return true_engine(name)

    monkeypatch.setattr(_backend, "_engine", engine)


@pytest.fixture
def pyplot():
    """``matplotlib.pyplot`` without a window; figures are closed afterwards."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    pyplot.close("all")
    yield pyplot
    pyplot.close("all")


@pytest.fixture(scope="session")
def dask_cluster():
    """Cluster of two worker processes, one for all tests."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        memory_limit="1GiB",
    ) as cluster:
        yield cluster


@pytest.fixture
def dask_client(dask_cluster):
    """Client of the cluster, and dask's scheduler for the length of one test.

    Tests that ask for it carry the marks ``dask`` and ``xdist_group("dask")``, so that one
    cluster serves them all.
    """
    from distributed import Client

    with Client(dask_cluster) as client:
        yield client


def _skip_without_cuda(library):
    """Skip the test unless the library finds a CUDA device."""
    module = pytest.importorskip(library)
    if not module.cuda.is_available():
        pytest.skip(f"{library} finds no CUDA device")
