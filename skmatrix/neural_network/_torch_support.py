"""What every neural estimator asks of torch, which is imported when it is first needed."""

import importlib
import threading
from contextlib import contextmanager

_PACKAGES = ("torch", "skorch")
# Held by whoever has torch's random state, of which a process has one.
_RANDOM = threading.RLock()


def require_torch(feature):
    """Say how to get what is missing.

    Parameters
    ----------
    feature : str
        What needs it, such as ``"EBVClassifier.fit"``.

    Raises
    ------
    ImportError
        If torch or skorch cannot be imported.
    """
    for name in _PACKAGES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ImportError(
                f"{feature} needs {name}, which is not installed. Install it with"
                " `pip install torch skorch`."
            ) from error
        except ImportError as error:
            raise ImportError(f"{feature} needs {name}, which does not load: {error}.") from error


def chosen_device(device):
    """The device that a parameter stands for.

    Parameters
    ----------
    device : str
        "auto", "cpu", "cuda" or "cuda:<number>".

    Returns
    -------
    device : str
        "cpu", or a CUDA device that there is.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    import torch

    n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        return "cuda" if n_devices else "cpu"
    kind, _, number = device.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()):
        raise ValueError(f"device={device!r} must be 'auto', 'cpu', 'cuda' or 'cuda:<number>'.")
    if kind == "cuda" and not n_devices:
        raise ValueError(f"device {device!r} requested but torch sees no CUDA device.")
    if number and kind == "cuda" and int(number) >= n_devices:
        raise ValueError(f"device {device!r} requested but torch sees {n_devices} CUDA device(s).")
    return device


@contextmanager
def seeded(seed, device):
    """Torch's random state, set for a while and then put back. Threads take turns.

    Parameters
    ----------
    seed : int
        The seed.
    device : str
        Device whose random state counts besides that of the host.
    """
    import torch

    on_cuda = device.startswith("cuda")
    with _RANDOM, torch.random.fork_rng(devices=[torch.device(device)] if on_cuda else []):
        torch.default_generator.manual_seed(seed)
        if on_cuda:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield
