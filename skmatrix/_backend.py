"""Engines: where the arithmetic of an estimator runs, and the way there and back.

Every public method asks :func:`get_backend` for a :class:`Backend` before it validates
its input. The backend knows two places: the *engine*, in which the kernels compute, and
the *home* of X, in which results are handed back. ``load`` and ``unload`` are the only
passages between the two.
"""

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, update_wrapper
from typing import Any

import array_api_compat
import array_api_compat.numpy as host
import numpy as np
from sklearn import get_config

from ._sklearn import StrOptions
from .distributed._blocks import is_dask

ENGINES = ("auto", "numpy", "numba", "cupy", "torch")
CONSTRAINT = [StrOptions(set(ENGINES))]
KERNELS: dict[str, "Kernel"] = {}

# DLPack's codes of memory that the CPU reads (plain and page-locked) and of CUDA memory.
_HOST_MEMORY = (1, 3)
_CUDA = 2

# Kinds of dtype that other array libraries share with NumPy.
_NUMERIC_KINDS = "biufc"


@dataclass(frozen=True)
class Backend:
    """An engine, and the home of the data that it works on.

    Attributes
    ----------
    name : str
        "numpy", "numba", "cupy", "torch", the name of another array library, or "auto":
        the host, where each kernel picks its twin by the size of its arrays.
    xp : module
        Array namespace of the engine.
    device : object
        Device of the engine, None for the engine's current one.
    home : module
        Array namespace of X, and so of fitted attributes and results.
    home_device : object
        Device of X.
    """

    name: str
    xp: Any
    device: Any
    home: Any
    home_device: Any

    @property
    def float_dtypes(self):
        """The dtypes that survive validation, for ``validate_data(dtype=...)``."""
        return [self.home.float64, self.home.float32]

    def load(self, *arrays):
        """Bring arrays from X's home, or from the host, to the engine.

        None passes. One argument gives one array, several give a tuple.
        """
        return _unpack(_move(a, self.xp, self.device) for a in arrays)

    def unload(self, *arrays):
        """Bring arrays from the engine, or from the host, to X's home.

        None passes. One argument gives one array, several give a tuple.
        """
        return _unpack(_move(a, self.home, self.home_device) for a in arrays)

    def unload_as(self, array, dtype):
        """Bring a result to X's home in a dtype of it, with its elements next to each other."""
        if isinstance(array, np.ndarray) and array.ndim:
            array = np.ascontiguousarray(array)
        return self.home.astype(self.unload(array), dtype, copy=False)

    def follow(self, *arrays):
        """Bring an array-API target or weight to X's home before validation.

        None, lists, data frames, sparse matrices and arrays of strings pass as they are:
        scikit-learn's validation deals with them.
        """
        return _unpack(self._follow(a) for a in arrays)

    def _follow(self, array):
        """One array of :meth:`follow`."""
        if not array_api_compat.is_array_api_obj(array):
            return array
        if not get_config()["array_api_dispatch"]:
            _refuse_device_memory(array, "An array passed with X")
            return array
        if isinstance(array, np.ndarray) and array.dtype.kind not in _NUMERIC_KINDS:
            return array
        return _move(array, self.home, self.home_device)

    def labels(self, classes, index):
        """Class labels for an array of positions.

        Parameters
        ----------
        classes : ndarray of shape (n_classes,)
            The labels, always a NumPy array.
        index : array of shape (n_samples,)
            Positions in `classes`, on the engine or at X's home.

        Returns
        -------
        labels : array of shape (n_samples,)
            In X's library for numeric labels, else a NumPy array: other libraries know
            no strings.
        """
        chosen = classes[to_numpy(index)]
        return chosen if classes.dtype.kind not in _NUMERIC_KINDS else self.unload(chosen)

    def check_home(self, estimator, attribute, method):
        """Refuse data from another library or device than the estimator was fitted on.

        Parameters
        ----------
        estimator : estimator
            The fitted estimator.
        attribute : str
            Name of a fitted array.
        method : str
            Name of the calling method, for the message.
        """
        fitted = getattr(estimator, attribute)
        library, device = _home_of(fitted)
        if library is self.home and device == self.home_device:
            return
        name = type(estimator).__name__
        raise ValueError(
            f"Inputs passed to {name}.{method}() must use the same namespace and the same device"
            f" as those passed to {name}.fit(): X is in {_short(self.home)} on"
            f" {self.home_device}, `{attribute}` in {_short(library)} on {device}. Convert X, or"
            " fit again on data of its kind."
        )


class Kernel:
    """A function of arrays with optional engine-specific twins.

    Made by :func:`kernel`; called as ``k(be, *arrays, **scalars)``.

    Attributes
    ----------
    reference : callable
        The array-API form, called as ``reference(xp, *arrays, **scalars)``.
    numba, cupy : str or None
        Where the twins are, as ``"package.module:name"``. A twin takes the same arrays
        and scalars as the reference, without `xp`.
    min_size : int
        Number of elements from which ``backend="auto"`` takes the Numba twin.
    size_of : int
        Position of the array whose elements are counted.
    """

    def __init__(self, reference, numba, cupy, min_size, size_of):
        self.reference = reference
        self.numba = numba
        self.cupy = cupy
        self.min_size = min_size
        self.size_of = size_of
        update_wrapper(self, reference)

    def __call__(self, be, *arrays, **scalars):
        twin = self._twin_for(be, arrays)
        if twin is not None:
            return _resolve(twin)(*arrays, **scalars)
        return self.reference(be.xp, *arrays, **scalars)

    def __reduce__(self):
        # Pickled by name, as a function is: the kernel itself hides its reference.
        return self.reference.__qualname__

    def _twin_for(self, be, arrays):
        """Path of the twin that runs for this engine and these arrays, else None."""
        if be.name == "numba":
            return self.numba
        if be.name == "auto" and self.numba is not None:
            return self.numba if math.prod(arrays[self.size_of].shape) >= self.min_size else None
        # Asked of the namespace, not of the name: a stand-in for CuPy cannot run its twins.
        if self.cupy is not None and array_api_compat.is_cupy_namespace(be.xp):
            return self.cupy
        return None


def kernel(*, numba=None, cupy=None, min_size=10_000, size_of=0):
    """Register a function ``f(xp, *arrays, **scalars)`` as a kernel.

    Parameters
    ----------
    numba, cupy : str, default=None
        Twins as ``"package.module:name"``, imported when they first run.
    min_size : int, default=10_000
        Elements from which ``backend="auto"`` takes the Numba twin.
    size_of : int, default=0
        Position of the array whose elements are counted.

    Returns
    -------
    decorator : callable
        Turns the function into a :class:`Kernel` and enters it in ``KERNELS``.
    """

    def register(reference: Callable) -> Kernel:
        entry = Kernel(reference, numba, cupy, min_size, size_of)
        KERNELS[f"{reference.__module__}:{reference.__qualname__}"] = entry
        return entry

    return register


def get_backend(backend, X):
    """The engine that `backend` names, and the home of X.

    Parameters
    ----------
    backend : {"auto", "numpy", "numba", "cupy", "torch"}
        What the user chose.
    X : array-like, sparse matrix or array, data frame
        Data as passed by the user, not validated yet.

    Returns
    -------
    be : Backend
        The passage between the two.

    Raises
    ------
    ImportError
        If the library of the engine is not installed.
    RuntimeError
        If the engine finds no device.
    TypeError
        If X is a dask collection, or lies in device memory while scikit-learn's
        ``array_api_dispatch`` is off.
    """
    if is_dask(X):
        raise TypeError(
            "X is a dask collection and this method has no dask path. Pass X.compute(), if it"
            " fits in memory."
        )
    if get_config()["array_api_dispatch"]:
        home, home_device = _home_of(X)
    else:
        _refuse_device_memory(X, "X")
        home, home_device = host, "cpu"
    if backend == "auto":
        name = "auto" if home is host else _short(home)
        return Backend(name, home, home_device, home, home_device)
    xp, device = _engine(backend)
    # Data that already lies on a device of the engine's library stays there.
    if xp is home and _short(home) in ("torch", "cupy"):
        device = home_device
    return Backend(backend, xp, device, home, home_device)


def to_numpy(array):
    """View or copy on the host, as a NumPy array, of any array or array-like."""
    if isinstance(array, np.ndarray) or not array_api_compat.is_array_api_obj(array):
        return np.asarray(array)
    if array_api_compat.is_torch_array(array):
        return array.detach().cpu().numpy()
    if array_api_compat.is_cupy_array(array):
        return array.get()
    xp = array_api_compat.array_namespace(array)
    if array_api_compat.is_array_api_strict_namespace(xp):
        array = array.to_device(xp.Device("CPU_DEVICE"))
    return np.asarray(array)


def _engine(name):
    """Namespace and device of a named engine, importing its library."""
    if name in ("numpy", "numba"):
        return host, "cpu"
    if name == "torch":
        torch = _import_engine("torch", "pip install torch")
        import array_api_compat.torch as xp

        return xp, torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cupy":
        cupy = _import_engine(
            "cupy", "pip install cupy-cuda12x[ctk]` or `pip install cupy-cuda13x[ctk]"
        )
        try:
            # The count raises where there is no driver, and says why.
            n_devices, reason = cupy.cuda.runtime.getDeviceCount(), "no device is visible"
        except cupy.cuda.runtime.CUDARuntimeError as error:
            n_devices, reason = 0, str(error)
        if not n_devices:
            raise RuntimeError(
                f"backend='cupy' found no usable CUDA device ({reason}). Use backend='auto' to run"
                " on the CPU."
            )
        import array_api_compat.cupy as xp

        return xp, cupy.cuda.Device()
    options = ", ".join(repr(engine) for engine in sorted(ENGINES))
    raise ValueError(
        f"The 'backend' parameter must be a str among {{{options}}}. Got {name!r} instead."
    )


def _import_engine(name, remedy):
    """Import an optional engine, or say how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"backend={name!r} needs {name}, which is not installed. Install it with `{remedy}`,"
            " or use backend='auto'."
        ) from error


def _home_of(X):
    """Namespace and device of X: the host for all that is not an array-API array."""
    if not array_api_compat.is_array_api_obj(X):
        return host, "cpu"
    return array_api_compat.array_namespace(X), array_api_compat.device(X)


def _refuse_device_memory(array, what):
    """Raise where scikit-learn would try to read device memory from the host."""
    place = getattr(array, "__dlpack_device__", None)
    if place is None or place()[0] in _HOST_MEMORY:
        return
    raise TypeError(
        f"{what} is on {array.device} but scikit-learn's array_api_dispatch is off. Call"
        " sklearn.set_config(array_api_dispatch=True) (with SCIPY_ARRAY_API=1 in the environment"
        " before scipy is imported), or pass a NumPy copy of X."
    )


def _move(array, xp, device):
    """The array in another namespace and on another device, as it is where both agree."""
    if array is None:
        return None
    if xp is host:
        return to_numpy(array)
    library, place = _home_of(array)
    if array_api_compat.is_torch_namespace(xp):
        if library is host:
            # torch shares the memory, and refuses negative strides and read-only arrays.
            import torch

            return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(device)
        if library is xp:
            return array.detach().to(device)
    if library is xp and place == device:
        return array
    if {_short(library), _short(xp)} == {"torch", "cupy"} and array.__dlpack_device__()[0] == _CUDA:
        return array_api_compat.to_device(xp.from_dlpack(array), device)
    if library is xp:
        return array_api_compat.to_device(array, device)
    return xp.asarray(to_numpy(array), device=device)


def _unpack(arrays):
    """One array as itself, several as a tuple."""
    arrays = tuple(arrays)
    return arrays[0] if len(arrays) == 1 else arrays


def _short(xp):
    """Name of the library behind a namespace."""
    return xp.__name__.rpartition("array_api_compat.")[2]


@cache
def _resolve(path):
    """The object behind ``"package.module:name"``."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
