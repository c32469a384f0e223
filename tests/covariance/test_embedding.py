"""The choice of order and lag: known systems, invariances, and what cannot be chosen from."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import lfilter

from skmatrix._backend import get_backend
from skmatrix.covariance import Embedding, select_embedding
from skmatrix.covariance._embedding import choose_embedding, first_minimum
from skmatrix.covariance._embedding_curves import standardized
from skmatrix.covariance._embedding_kernels import delay_neighbors
from tests.covariance import embedding_reference as reference

RULES = [("fnn", "mi"), ("cao", "mi_e"), ("bic", "acf"), ("mdop", "mdop"), ("auto", "auto")]
every_rule = pytest.mark.parametrize(("order", "lag"), RULES)


def lorenz():
    return reference.lorenz()[None]


def sine(n_times=2000):
    return np.sin(2 * np.pi * np.arange(n_times) / 50.37)[None]


def noise(n_trials=4, n_channels=3, n_times=200, seed=0):
    return np.random.default_rng(seed).standard_normal((n_trials, n_channels, n_times))


def with_value(X, value):
    """A copy with another value in the third trial."""
    X = X.copy()
    X[2, 1, 5] = value
    return X


def assert_same_curves(one, other, rtol=0.0):
    assert one.keys() == other.keys()
    for name, curve in one.items():
        assert_allclose(curve, other[name], rtol=rtol, atol=rtol)


class TestKnownSystems:
    def test_lag_of_lorenz_is_the_first_minimum_of_the_information(self):
        found = select_embedding(lorenz(), order=3, lag="mi")
        assert found.lag == 4
        assert found.curves["mi_has_minimum"] is True
        information = found.curves["mutual_information"]
        assert (np.diff(information[:5]) < 0).all()
        assert information[5] > information[4]
        assert information[0] == pytest.approx(np.log(20))  # sqrt(2000 / 5) bins

    def test_false_neighbors_of_lorenz(self):
        found = select_embedding(lorenz(), order="fnn", lag=4)
        assert found.order == 3
        # The shares are those of another orbit.
        assert_allclose(found.curves["fnn"][:3], [0.955, 0.078, 0.0], atol=0.015)
        assert_array_equal(found.delays, [0, 4, 8])

    def test_cao_of_lorenz(self):
        found = select_embedding(lorenz(), order="cao", lag=4)
        assert found.order == 4
        e1 = found.curves["cao_e1"]
        assert (e1[:3] < 0.9).all()
        assert e1[3] > 0.9
        first = found.curves["cao_first_max"]
        assert e1[first - 1] > max(e1[first - 2], e1[first])
        assert (np.diff(e1[:first]) > 0).all()
        # Deterministic: what comes next is not the same whatever the dimension.
        assert np.abs(found.curves["cao_e2"] - 1).max() > 0.5

    def test_sine_needs_two_dimensions(self):
        found = select_embedding(sine(), order="fnn", lag=12)
        assert found.order == 2
        assert found.curves["fnn"][0] > 0.5
        assert_array_equal(found.curves["fnn"][1:], 0)

    @pytest.mark.parametrize("n_times", [500, 2000])
    def test_noise_has_false_neighbors_in_every_dimension(self, n_times):
        x = noise(3, 1, n_times)[:, 0]
        found = select_embedding(x, order="fnn", lag=1)
        assert found.curves["fnn"].min() > 0.05
        assert found.order == np.argmin(found.curves["fnn"]) + 1

    def test_noise_has_an_e2_of_one(self):
        found = select_embedding(noise(3, 1, 2000)[:, 0], order="cao", lag=1)
        assert np.abs(found.curves["cao_e2"] - 1).max() < 0.05

    def test_autocorrelation_of_an_autoregression(self):
        x = lfilter([1.0], [1.0, -0.9], noise(20, 1, 3000)[:, 0])[:, 500:]
        found = select_embedding(x, order=2, lag="acf")
        assert_allclose(found.curves["autocorrelation"][:15], 0.9 ** np.arange(15), atol=0.03)
        assert found.lag == 10  # 0.9^9 > 1 / e > 0.9^10
        assert "mutual_information" not in found.curves


class TestCurvesEqualLoops:
    X = reference.oscillations(2, 2, 90)

    def mean(self, curve):
        return np.mean([[curve(x) for x in trial] for trial in self.X], axis=(0, 1))

    def test_mutual_information(self):
        found = select_embedding(self.X, order=1, lag="mi_e")
        expected = self.mean(
            lambda x: [reference.mutual_information(x, k, n_bins=4) for k in range(23)]
        )
        assert_allclose(found.curves["mutual_information"], expected, rtol=1e-12)
        assert_array_equal(found.curves["lags"], np.arange(23))
        assert found.lag == np.argmax(expected < expected[0] / np.e)

    def test_autocorrelation(self):
        found = select_embedding(self.X, order=1, lag="acf")
        expected = self.mean(
            lambda x: [np.sum((z := reference.zscore(x))[k:] * z[: 90 - k]) / 90 for k in range(23)]
        )
        assert_allclose(found.curves["autocorrelation"], expected, rtol=1e-12)

    @pytest.mark.parametrize("lag", [1, 4])
    def test_false_neighbors(self, lag):
        found = select_embedding(self.X, order="fnn", lag=lag, max_order=3)
        expected = self.mean(
            lambda x: [reference.false_fraction(x, d, lag, lag) for d in range(1, 6)]
        )
        assert_allclose(found.curves["fnn"], expected, rtol=1e-12)
        assert_array_equal(found.curves["dimensions"], np.arange(1, 6))

    @pytest.mark.parametrize("lag", [1, 4])
    def test_cao(self, lag):
        found = select_embedding(self.X, order="cao", lag=lag, max_order=3)
        expected = self.mean(lambda x: reference.cao(x, 5, lag, lag))
        assert_allclose(found.curves["cao_e1"], expected[0], rtol=1e-12)
        assert_allclose(found.curves["cao_e2"], expected[1], rtol=1e-12)
        assert_array_equal(found.curves["dimensions"], np.arange(1, 5))


class TestWhatIsComputed:
    @pytest.mark.parametrize(
        ("order", "lag", "names"),
        [
            (2, "mi", {"lags", "autocorrelation", "mutual_information", "mi_has_minimum"}),
            (2, "acf", {"lags", "autocorrelation"}),
            ("fnn", 2, {"dimensions", "fnn"}),
            ("cao", 2, {"dimensions", "cao_e1", "cao_e2", "cao_first_max"}),
            ("hq", 2, {"orders", "aic", "hq", "bic"}),
            ("mdop", 2, {"mdop_delays", "mdop_beta", "mdop_orders", "mdop_lags"}),
            (3, 2, set()),
        ],
    )
    def test_curves_of_the_rules_asked_for(self, order, lag, names):
        found = select_embedding(reference.oscillations(), order=order, lag=lag)
        assert set(found.curves) == names
        assert isinstance(found, Embedding)
        assert type(found.order) is type(found.lag) is int
        assert order in (found.order, "fnn", "cao", "hq", "mdop")
        assert lag in (found.lag, "mi", "acf")

    def test_auto_is_fnn_at_the_lag_of_mi(self):
        X = reference.oscillations()
        found = select_embedding(X)
        assert found.lag == select_embedding(X, order=1, lag="mi").lag
        assert found.order == select_embedding(X, order="fnn", lag=found.lag).order
        assert_array_equal(found.delays, found.lag * np.arange(found.order))

    def test_a_result_can_be_pickled_and_not_changed(self):
        found = select_embedding(reference.oscillations())
        copy = pickle.loads(pickle.dumps(found))
        assert (copy.order, copy.lag) == (found.order, found.lag)
        assert_same_curves(copy.curves, found.curves)
        with pytest.raises(AttributeError):
            found.order = 3

    def test_largest_order_and_lag_are_kept(self):
        X = reference.oscillations(n_times=400)
        for rule in ("fnn", "cao", "mdop", "aic"):
            assert select_embedding(noise(), order=rule, lag=1, max_order=2).order <= 2
        slow = np.cumsum(X, axis=2)
        for rule in ("mi", "mi_e", "acf", "mdop"):
            found = select_embedding(slow, order=2, lag=rule, max_lag=5)
            assert 1 <= found.lag <= 5
        assert select_embedding(slow, order=2, lag="acf", max_lag=1).lag == 1

    def test_without_a_minimum_the_lag_is_that_of_the_least(self):
        ramp = np.tile(np.linspace(0, 1, 200) ** 2, (3, 1))
        found = select_embedding(ramp, order=1, lag="mi", max_lag=8)
        assert found.curves["mi_has_minimum"] is False
        assert found.lag == 1 + np.argmin(found.curves["mutual_information"][1:])

    @pytest.mark.parametrize(
        ("curve", "expected"),
        [
            ([3, 2, 1, 2, 0], (2, True)),
            ([3, 2, 2, 2, 3], (3, True)),
            ([3, 2, 1, 0.5], (3, False)),
            ([0, 1, 2, 3], (1, False)),
            ([1, 2], (1, False)),
        ],
    )
    def test_first_minimum(self, curve, expected):
        assert first_minimum(np.array(curve, dtype=float)) == expected


class TestAdmissible:
    @pytest.mark.parametrize("rule", ["fnn", "cao", "aic", "mdop"])
    @pytest.mark.parametrize(("n_channels", "lag"), [(8, 1), (14, 3), (3, 11), (40, 2), (70, 1)])
    def test_rules_leave_as_many_samples_as_rows(self, rule, n_channels, lag):
        found = select_embedding(noise(3, n_channels, 64), order=rule, lag=lag)
        order = found.order
        assert order == 1 or order * n_channels <= 64 - (order - 1) * lag

    def test_order_is_lowered_no_further_than_needed(self):
        X = np.repeat(noise(3, 1, 120), 20, axis=1)  # the same curve as of one channel
        alone = select_embedding(X[:, :1], order="cao", lag=1)
        together = select_embedding(X, order="cao", lag=1)
        assert_same_curves(alone.curves, together.curves, rtol=1e-12)
        assert alone.order > together.order
        more = together.order + 1
        assert more * 20 > 120 - (more - 1)

    def test_as_many_samples_as_rows_are_enough(self):
        X = np.repeat(noise(3, 1, 104), 20, axis=1)
        assert select_embedding(X, order="cao", lag=1).order == 5  # 100 rows, 100 samples

    def test_lag_is_lowered_for_a_given_order(self):
        slow = np.cumsum(noise(3, 4, 100), axis=2)
        free = select_embedding(slow, order=2, lag="acf")
        bound = select_embedding(slow, order=9, lag="acf")
        assert free.lag > bound.lag == (100 - 36) // 8
        # Nothing fits: the smallest.
        assert select_embedding(slow, order=30, lag="acf").lag == 1

    @pytest.mark.parametrize("lag", [31, 40, 60])
    @pytest.mark.parametrize("rule", ["fnn", "cao", "bic", "mdop"])
    def test_lags_of_half_a_trial_and_more(self, rule, lag):
        found = select_embedding(noise(3, 2, 64), order=rule, lag=lag)
        assert found.order * 2 <= 64 - (found.order - 1) * lag


class TestInvariance:
    X = reference.oscillations(5, 3, 160)

    @every_rule
    def test_units_do_not_matter(self, order, lag):
        plain = select_embedding(self.X, order=order, lag=lag)
        # A power of two changes no digit.
        for unit in (2.0**-45, 2.0**900, 2.0**-900):
            scaled = select_embedding(unit * self.X, order=order, lag=lag)
            assert_same_curves(plain.curves, scaled.curves)
        for unit in (1e-13, np.array([1e-13, 1.0, 1e6])[:, None]):
            scaled = select_embedding(unit * self.X + 3 * unit, order=order, lag=lag)
            assert (scaled.order, scaled.lag) == (plain.order, plain.lag)
            assert_same_curves(plain.curves, scaled.curves, rtol=1e-7)

    @every_rule
    def test_units_of_digital_signals_do_not_matter(self, order, lag):
        """They have many equal distances, whose rounding hangs on the unit."""
        digital = np.round(2 * self.X)
        plain = select_embedding(digital, order=order, lag=lag)
        for unit, offset in ((1e-13, 0.0), (0.3, 4300.0), (1 / 7, -50.0)):
            scaled = select_embedding(unit * (digital + offset), order=order, lag=lag)
            assert (scaled.order, scaled.lag) == (plain.order, plain.lag)
            assert_same_curves(plain.curves, scaled.curves, rtol=1e-7)

    @every_rule
    def test_order_of_trials_and_channels_does_not_matter(self, order, lag):
        plain = select_embedding(self.X, order=order, lag=lag)
        moved = select_embedding(self.X[[3, 0, 4, 1, 2]][:, [2, 0, 1]], order=order, lag=lag)
        assert (moved.order, moved.lag) == (plain.order, plain.lag)
        for name in plain.curves.keys() - {"mdop_orders", "mdop_lags"}:
            assert_allclose(moved.curves[name], plain.curves[name], rtol=1e-10, atol=1e-12)

    @every_rule
    def test_single_precision_is_that_of_the_data_alone(self, order, lag):
        single = self.X.astype(np.float32)
        found = select_embedding(single, order=order, lag=lag)
        expected = select_embedding(single.astype(np.float64), order=order, lag=lag)
        assert (found.order, found.lag) == (expected.order, expected.lag)
        assert_same_curves(found.curves, expected.curves)

    @every_rule
    def test_flat_channels_are_left_out(self, order, lag):
        flat = np.concatenate([self.X, np.full((5, 1, 160), 4321.1)], axis=1)
        plain = select_embedding(self.X, order=order, lag=lag)
        found = select_embedding(flat, order=order, lag=lag)
        assert (found.order, found.lag) == (plain.order, plain.lag)
        assert_same_curves(found.curves, plain.curves, rtol=1e-7)

    def test_channels_that_are_flat_in_some_trials(self):
        X = self.X.copy()
        X[0, 1] = 7.0
        series = [x[None] for trial in X for x in trial if x.any() and np.ptp(x)]
        for order, lag in RULES[:2]:
            found = select_embedding(X, order=order, lag=lag)
            alone = [select_embedding(x, order=order, lag=found.lag).curves for x in series]
            for name in {"fnn", "cao_e1", "cao_e2"} & found.curves.keys():
                mean = np.mean([curves[name] for curves in alone], axis=0)
                assert_allclose(found.curves[name], mean, rtol=1e-12)

    def test_flat_trials_are_left_out(self):
        flat = np.concatenate([self.X, np.zeros((2, 3, 160))])
        for order, lag in RULES:
            found = select_embedding(flat, order=order, lag=lag)
            plain = select_embedding(self.X, order=order, lag=lag)
            assert_same_curves(found.curves, plain.curves, rtol=1e-12)

    @every_rule
    def test_duplicates_and_few_values(self, order, lag):
        for X in (np.tile(self.X, (1, 1, 2)), np.sign(self.X), np.round(self.X / 3)):
            found = select_embedding(X, order=order, lag=lag)
            assert 1 <= found.order <= 10
            assert 1 <= found.lag <= 50
            assert not np.isnan(found.curves.get("fnn", np.zeros(2))[0])

    def test_data_are_left_alone(self):
        X = self.X.copy()
        X.flags.writeable = False
        select_embedding(X, order="mdop")
        assert_array_equal(X, self.X)


class TestDraw:
    X = reference.oscillations(12, 2, 120)

    def test_a_seed_gives_one_choice(self):
        def draw(seed):
            return select_embedding(self.X, n_selection_trials=4, random_state=seed).curves

        assert_same_curves(draw(0), draw(0))
        assert not np.array_equal(draw(0)["fnn"], draw(1)["fnn"])

    def test_only_the_drawn_trials_are_looked_at(self):
        drawn = np.random.RandomState(7).choice(12, 4, replace=False)
        X = np.full_like(self.X, 1e3)
        X[drawn] = self.X[drawn]
        for order, lag in RULES:
            settings = {"order": order, "lag": lag}
            few = select_embedding(X, n_selection_trials=4, random_state=7, **settings)
            assert_same_curves(few.curves, select_embedding(X[np.sort(drawn)], **settings).curves)

    def test_all_trials_need_no_draw(self):
        one, other = (select_embedding(self.X, random_state=seed) for seed in (0, 1))
        assert_same_curves(one.curves, other.curves)

    def test_a_random_state_goes_on(self):
        source = np.random.RandomState(3)
        one, other = (
            select_embedding(self.X, n_selection_trials=4, random_state=source) for _ in range(2)
        )
        assert not np.array_equal(one.curves["fnn"], other.curves["fnn"])
        again = select_embedding(self.X, n_selection_trials=4, random_state=3)
        assert_same_curves(one.curves, again.curves)


class TestGivingUp:
    @pytest.mark.parametrize("order", ["auto", "fnn", "cao", "mdop", "bic"])
    @pytest.mark.parametrize("lag", ["auto", "mi", "mdop"])
    def test_short_trials(self, order, lag):
        with pytest.warns(UserWarning, match="X has 19 times per trial and 20 are needed"):
            found = select_embedding(noise(n_times=19), order=order, lag=lag)
        assert (found.order, found.lag, found.curves) == (1, 1, {})
        assert_array_equal(found.delays, [0])

    @every_rule
    def test_the_shortest_trials(self, order, lag):
        for X in (noise(3, 1, 20), noise(3, 2, 21), noise(3, 25, 20)):
            found = select_embedding(X, order=order, lag=lag)
            assert 1 <= found.order <= 10
            assert 1 <= found.lag <= 6

    def test_numbers_are_kept(self):
        with pytest.warns(UserWarning, match="'auto' cannot choose, and 1 is taken instead"):
            found = select_embedding(noise(n_times=19), order=3)
        assert (found.order, found.lag) == (3, 1)
        with pytest.warns(UserWarning, match="'fnn' cannot choose"):
            found = select_embedding(noise(n_times=19), order="fnn", lag=4)
        assert (found.order, found.lag) == (1, 4)

    @pytest.mark.parametrize("value", [0.0, 0.1, -4300.7])
    @every_rule
    def test_series_that_do_not_vary(self, order, lag, value):
        with pytest.warns(UserWarning, match=r"X does not vary\."):
            found = select_embedding(np.full((3, 2, 50), value), order=order, lag=lag)
        assert (found.order, found.lag) == (1, 1)

    def test_a_single_trial_and_auto(self):
        with pytest.warns(UserWarning, match="X has a single trial. 'auto' cannot choose"):
            found = select_embedding(noise(1))
        assert (found.order, found.lag, found.curves) == (1, 1, {})
        with pytest.warns(UserWarning, match="X has a single trial. 'auto' cannot choose"):
            found = select_embedding(noise(1), order="bic")
        assert found.lag == 1
        assert "bic" in found.curves

    def test_a_single_trial_and_named_rules(self):
        for order, lag in RULES[:-1]:
            assert select_embedding(lorenz()[None, :, :300], order=order, lag=lag).curves

    def test_two_dimensions_give_up_in_silence(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for X in (noise()[0, :, :15], np.zeros((4, 50)), noise(1)[0, :1]):
                assert select_embedding(X).order == 1

    def test_the_caller_says_whether_to_warn(self):
        X = np.zeros((3, 1, 50))
        settings = {"max_order": 5, "max_lag": None, "n_trials": 9, "rng": None}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = choose_embedding(X, order="auto", lag="auto", warn=False, **settings)
        assert (found.order, found.lag) == (1, 1)
        with pytest.warns(UserWarning, match="X does not vary"):
            choose_embedding(X, order="auto", lag="auto", **settings)


class TestInput:
    X = noise(4, 3, 128)

    def test_two_dimensions(self):
        channel = self.X[:, 0]
        one = select_embedding(channel)
        assert_same_curves(one.curves, select_embedding(channel[:, None]).curves)
        flat = select_embedding(self.X.reshape(4, -1), n_channels=3)
        assert_same_curves(flat.curves, select_embedding(self.X).curves)
        assert_same_curves(flat.curves, select_embedding(self.X.tolist(), n_channels=3).curves)

    @pytest.mark.parametrize(
        ("parameters", "kind", "message"),
        [
            ({"order": 0}, ValueError, "'order' parameter of select_embedding must be .* Got 0"),
            ({"order": 2.0}, ValueError, "'order' parameter .* Got 2.0"),
            ({"order": True}, TypeError, "'order' parameter .* Got True"),
            ({"order": "grid"}, ValueError, "'order' parameter .* Got 'grid'"),
            ({"order": "mi"}, ValueError, "'order' parameter .* Got 'mi'"),
            ({"lag": 0}, ValueError, "'lag' parameter of select_embedding must be .* Got 0"),
            ({"lag": False}, (TypeError, ValueError), "lag"),
            ({"lag": "fnn"}, ValueError, "'lag' parameter .* Got 'fnn'"),
            ({"lag": [1, 2]}, ValueError, r"'lag' parameter .* Got \[1, 2\]"),
            ({"max_order": 0}, ValueError, "'max_order' parameter .* Got 0"),
            ({"max_lag": 0}, ValueError, "'max_lag' parameter .* Got 0"),
            ({"max_lag": 65}, ValueError, "max_lag=65 needs at least 130 samples .* X has 128"),
            ({"max_lag": 200, "order": "mdop", "lag": 1}, ValueError, "max_lag=200 needs at least"),
            ({"n_selection_trials": 0}, ValueError, "'n_selection_trials' parameter .* Got 0"),
            ({"random_state": "a"}, ValueError, "'random_state' parameter .* Got 'a'"),
            ({"n_channels": 4}, ValueError, "n_channels=4, but X has 3 channels"),
            (
                {"order": 8, "lag": 20},
                ValueError,
                "order=8, lag=20 need at least 142 samples per trial, X has 128; lower",
            ),
            ({"order": 128, "lag": "mi"}, ValueError, "order=128, lag=1 need at least 129 samples"),
        ],
    )
    def test_parameters(self, parameters, kind, message):
        with pytest.raises(kind, match=message):
            select_embedding(self.X, **parameters)

    @pytest.mark.parametrize(
        ("X", "kind", "message"),
        [
            (X[0, 0], ValueError, "Expected 2D array, got 1D array"),
            (X[None], ValueError, r"shape \(n_trials, n_channels, n_times\). Got \(1, 4, 3, 128\)"),
            (with_value(X, np.nan), ValueError, "Input X contains NaN, in trial 2; impute or drop"),
            (with_value(X, -np.inf), ValueError, "Input X contains infinity, in trial 2; impute"),
            (X + 1j, ValueError, "Complex data not supported"),
            ([["a", "b"]], ValueError, "could not convert string to float"),
            (X[:0], ValueError, r"Found array with 0 sample\(s\)"),
        ],
    )
    def test_data(self, X, kind, message):
        with pytest.raises(kind, match=message):
            select_embedding(X)

    def test_channels_that_cannot_be_cut(self):
        with pytest.raises(ValueError, match="n_channels=5 must divide the number of columns of X"):
            select_embedding(self.X[:, 0], n_channels=5)


def test_standardized_series():
    X = 5 * noise() - 7
    X[1, 2] = 0.1
    scaled, varies = standardized(X)
    assert_array_equal(np.argwhere(~varies), [[1, 2]])
    assert_allclose(scaled[varies].mean(axis=1), 0, atol=1e-14)
    assert_allclose(scaled[varies].std(axis=1), 1, rtol=1e-12)
    assert_array_equal(scaled[1, 2], 0)


def test_the_extremes_of_what_varies():
    ladder = np.where(np.arange(40) % 2, 1 / 3, np.nextafter(1 / 3, 1))
    for series in (ladder, 5e-324 * (np.arange(40) % 2), 1.7e308 * np.sign(ladder - 1 / 3)):
        scaled, varies = standardized(series.reshape(1, 1, -1))
        assert varies.all()
        assert_allclose(scaled.std(), 1, rtol=1e-12)
    assert_array_equal(standardized(np.full((1, 1, 40), 1.7e308))[0], 0)


def test_long_series_are_searched_from_some_points():
    """From at most 2000 of them, evenly spaced."""
    x = reference.lorenz(4100)[None]
    found = select_embedding(x, order="fnn", lag=4, max_order=2).curves["fnn"]
    scaled = standardized(x[None])[0][0]
    settings = {"n_dimensions": 4, "lag": 4, "window": 4, "metric": "euclidean"}
    for stride, same in ((1, False), (3, True)):
        be = get_backend("auto", x)
        r, e = (part[0] for part in delay_neighbors(be, scaled, stride=stride, **settings))
        false = ((e > 15 * r) | (np.hypot(r, e) > 2)) & np.isfinite(r)
        expected = false.sum(axis=1) / np.isfinite(r).sum(axis=1)
        assert np.allclose(found, expected, rtol=1e-12) == same
        assert_allclose(found, expected, atol=0.02)
