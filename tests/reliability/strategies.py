"""Inputs that an estimator may meet: what hypothesis draws, and the data it stands for.

Hypothesis draws a few words about a table, not its numbers: these come from a seed. A finding
is then a line to read, and shrinking it drops one peculiarity after the other.
"""

import tempfile
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.utils import get_tags

from tests.instances import takes_labels_alone

st = pytest.importorskip("hypothesis.strategies")

DTYPES = ("float64", "float32", "float16", "int64", "int8", "bool")
ORDERS = ("C", "F", "strided", "negative")
FRAMES = tuple(library for library in ("pandas", "polars") if find_spec(library))
CONTAINERS = ("array", "list", "read-only", "memory map", *FRAMES)
FLAWS = ("constant column", "duplicates", "equal rows", "offset", "zero")
HOLES = ("missing", "infinite")
TARGETS = ("plain", "plain", "constant", "text", "missing", "huge")

WRONG_WEIGHTS = ("negative", "missing", "all zero", "too few")
WEIGHTS = ("zero", "zero", "tiny", "huge", "uneven", *WRONG_WEIGHTS)

# Powers of ten that the dtype holds with room for noise.
_RANGE = {"float64": (-150, 150), "float32": (-30, 30), "float16": (-3, 3)}


@dataclass(frozen=True)
class Sample:
    """A table in words.

    Attributes
    ----------
    n_rows, n_columns : int
        Shape.
    n_channels : int
        Channels of each row, for estimators of signals; 0 stands for a plain table.
    dtype, order, container : str
        How the table is stored.
    exponent : int
        Power of ten of its values.
    flaws : tuple of str
        What is peculiar about its values.
    target : str
        What is peculiar about y.
    weights : str
        What is peculiar about the weights of the rows.
    seed : int
        Seed of the numbers.
    """

    n_rows: int = 12
    n_columns: int = 3
    n_channels: int = 0
    dtype: str = "float64"
    order: str = "C"
    container: str = "array"
    exponent: int = 0
    flaws: tuple = ()
    target: str = "plain"
    weights: str = "zero"
    seed: int = 0


def samples(*, hostile):
    """Tables, with missing and infinite values and targets to refuse if `hostile`."""
    return st.builds(
        Sample,
        n_rows=st.integers(1, 24) if hostile else st.integers(8, 24),
        n_columns=st.integers(1, 6) if hostile else st.integers(2, 6),
        n_channels=st.sampled_from((0, 2, 3)),
        dtype=st.sampled_from(DTYPES),
        order=st.sampled_from(ORDERS),
        container=st.sampled_from(CONTAINERS),
        exponent=st.integers(-150, 150) | st.integers(-3, 3),
        flaws=st.lists(st.sampled_from(FLAWS + HOLES if hostile else FLAWS[:2]), max_size=2).map(
            lambda flaws: tuple(sorted(set(flaws)))
        ),
        target=st.sampled_from(TARGETS) if hostile else st.just("plain"),
        weights=st.sampled_from(WEIGHTS),
        seed=st.integers(0, 2**16),
    )


def table(sample, estimator):
    """The values of a table as a C-ordered array."""
    rng = np.random.default_rng(sample.seed)
    tags = get_tags(estimator).input_tags
    if takes_labels_alone(estimator):
        return rng.integers(0, max(2, sample.n_columns), sample.n_rows)
    if not tags.two_d_array:
        return rng.integers(0, 6, (sample.n_rows, 2))
    X = rng.standard_normal((sample.n_rows, sample.n_columns))
    if tags.three_d_array:
        # Signals need some length.
        n_times = 10 + sample.n_columns
        shape = (sample.n_rows, sample.n_channels, n_times)
        X = rng.standard_normal(shape if sample.n_channels else (sample.n_rows, n_times))
    for flaw in sample.flaws:
        if flaw in FLAWS:
            _apply(X, flaw)
    X = _as_dtype(X, sample)
    if X.dtype.kind == "f":
        for flaw in set(sample.flaws).intersection(HOLES):
            X.flat[rng.integers(X.size)] = np.nan if flaw == "missing" else np.inf
    return X


def _apply(X, flaw):
    """Give a table one of the peculiarities, in place."""
    if flaw == "constant column":
        X[..., 0] = 1.5
    elif flaw == "duplicates":
        X[len(X) // 2 :] = X[: len(X) - len(X) // 2]
    elif flaw == "equal rows":
        X[:] = X[:1].copy()
    elif flaw == "offset":
        X += 1e6
    elif flaw == "zero":
        X[:] = 0.0


def _as_dtype(X, sample):
    """The table at the scale of the sample, as far as its dtype holds it."""
    if sample.dtype == "bool":
        return X > 0
    if sample.dtype.startswith("int"):
        limit = np.iinfo(sample.dtype).max // 2
        with np.errstate(over="ignore"):
            scaled = np.rint(X * 10.0 ** np.clip(sample.exponent, 0, 15))
        return np.clip(scaled, -limit, limit).astype(sample.dtype)
    low, high = _RANGE[sample.dtype]
    limit = np.finfo(sample.dtype).max / 4
    scaled = X * 10.0 ** np.clip(sample.exponent, low, high)
    return np.clip(scaled, -limit, limit).astype(sample.dtype)


def target(sample, estimator):
    """A target for the table, None for estimators that take none."""
    if takes_labels_alone(estimator):
        return None
    rng = np.random.default_rng(sample.seed + 1)
    if is_classifier(estimator):
        y = np.arange(sample.n_rows) % 2 if sample.n_rows > 1 else np.zeros(1, dtype=int)
        y = rng.permutation(y)
        if sample.target == "text":
            return np.array(["no", "yes"])[y]
        if sample.target == "constant":
            return np.zeros_like(y)
        return np.where(y, np.nan, 0.0) if sample.target == "missing" else y
    y = rng.standard_normal(sample.n_rows)
    if sample.target == "missing":
        y[-1] = np.nan
    return {"constant": np.full_like(y, 2.0), "huge": y * 1e150}.get(sample.target, y)


def weights(sample):
    """Weights for the rows of the table; every third one is zero."""
    rng = np.random.default_rng(sample.seed + 2)
    w = rng.integers(1, 4, sample.n_rows).astype(float)
    w[2::3] = 0.0
    if sample.weights == "uneven":
        w[0] = 1e12
    elif sample.weights == "negative":
        w[0] = -1.0
    elif sample.weights == "missing":
        w[0] = np.nan
    elif sample.weights == "too few":
        return w[1:]
    # Weights become of the precision of the table.
    far = 1e200 if sample.dtype == "float64" else 1e30
    return w * {"tiny": 1 / far, "huge": far, "all zero": 0.0}.get(sample.weights, 1.0)


def laid_out(X, sample):
    """The same values in the layout and the container of the sample."""
    return _contained(_ordered(X, sample.order), sample.container)


def _ordered(X, order):
    """The same values in another memory order."""
    if order == "F":
        return np.asfortranarray(X)
    if order == "strided":
        wide = np.zeros((*X.shape[:-1], 2 * X.shape[-1]), dtype=X.dtype)
        wide[..., ::2] = X
        return wide[..., ::2]
    if order == "negative":
        return X[::-1, ..., ::-1].copy()[::-1, ..., ::-1] if X.ndim > 1 else X[::-1].copy()[::-1]
    return X.copy()


def _contained(X, container):
    """The same values in another container; frames hold tables alone."""
    if container == "list":
        return X.tolist()
    if container == "read-only":
        X.flags.writeable = False
        return X
    if container == "memory map":
        return _mapped(X)
    if container in FRAMES and X.ndim == 2:
        frames = import_module(container)
        columns = [f"column {j}" for j in range(X.shape[1])]
        if container == "pandas":
            return frames.DataFrame(X, columns=columns)
        return frames.DataFrame({c: X[:, j].copy() for j, c in enumerate(columns)})
    return X


def _mapped(X):
    """A read-only memory map of the values; its file goes with it."""
    with tempfile.NamedTemporaryFile() as file:
        np.ascontiguousarray(X).tofile(file)
        file.flush()
        return np.memmap(file.name, dtype=X.dtype, mode="r", shape=X.shape)
