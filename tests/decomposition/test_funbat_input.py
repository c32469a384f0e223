"""FunBaT: containers, odd data, warnings, and bad input."""

import copy
import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import r2_score, root_mean_squared_error

from skmatrix.datasets import make_functional_tensor
from skmatrix.decomposition import FunBaT
from skmatrix.decomposition._funbat_prior import N_BLOCKS
from tests.decomposition.funbat_problem import QUERIES, TRUTH, X, Y, funbat

# Containers and types


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def frame(array):
    return pytest.importorskip("pandas").DataFrame(array, columns=["a", "b", "c"])


def polars_frame(array):
    return pytest.importorskip("polars").DataFrame(array, schema=["a", "b", "c"])


CONTAINERS = {
    "list": lambda a: a.tolist(),
    "fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(np.repeat(a, 2, axis=0), 3, axis=1)[::2, ::3],
    "object": lambda a: a.astype(object),
    "big-endian": lambda a: a.astype(">f8"),
    "read-only": read_only,
    "pandas": frame,
    "polars": polars_frame,
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_container_does_not_change_the_result(container, fitted):
    held, queries = CONTAINERS[container](X), CONTAINERS[container](QUERIES)
    model = funbat().fit(held, Y)
    assert_array_equal(model.predict(queries), fitted.predict(QUERIES))
    assert_array_equal(model.sample_y(queries, 2), fitted.sample_y(QUERIES, 2))
    if container in ("pandas", "polars"):
        assert list(model.feature_names_in_) == ["a", "b", "c"]


@pytest.mark.parametrize("dtype", [np.int64, np.uint8])
def test_integers_become_double_precision(dtype):
    data = np.argwhere(np.ones((6, 5))).astype(dtype)
    values = (data[:, 0] + 1) * (data[:, 1] + 2)
    model = funbat().fit(data, values, np.ones(30, dtype=int))
    expected = funbat().fit(data.astype(float), values.astype(float))
    assert model.predict(data).dtype == np.float64
    assert_array_equal(model.predict(data), expected.predict(data.astype(float)))


def test_series_are_vectors_of_coordinates(fitted):
    pd = pytest.importorskip("pandas")
    expected = fitted.predict_factors(0, X[:5, 0])
    assert_array_equal(fitted.predict_factors(0, pd.Series(X[:5, 0])), expected)
    with pytest.raises(TypeError, match="t holds dates or durations"):
        fitted.predict_factors(0, pd.Series(DATES))
    with pytest.raises(ValueError, match=r"Expected (a 2-dimensional|2D)"):
        fitted.predict(pd.Series(X[:5, 0]))


def test_single_precision_stays_and_is_computed_in_double(fitted):
    single = X.astype(np.float32)
    model = funbat().fit(single, Y.astype(np.float32))
    mean, std = model.predict(single, return_std=True)
    assert mean.dtype == std.dtype == model.sample_y(single).dtype == np.float32
    for name in ("core_", "core_cov_", "length_scale_", "objective_history_"):
        assert getattr(model, name).dtype == np.float32
    for name in ("indices_", "factor_mean_", "factor_cov_"):
        assert {a.dtype for a in getattr(model, name)} == {np.dtype(np.float32)}
    assert_allclose(mean, fitted.predict(X), atol=1e-3)
    # A fit of single precision answers queries in double.
    assert model.predict(X).dtype == np.float64


@pytest.mark.parametrize("fitted_in", [np.float32, np.float64])
@pytest.mark.parametrize("asked_in", [np.float32, np.float64])
def test_labels_that_single_precision_has_rounded_are_found(fitted_in, asked_in):
    model = funbat(kernel=["iid", "matern12", "iid"]).fit(X.astype(fitted_in), Y)
    expected = funbat(kernel=["iid", "matern12", "iid"]).fit(X, Y)
    queries = X[:40].astype(asked_in)
    assert_allclose(model.predict(queries), expected.predict(X[:40]), atol=1e-4)
    assert_allclose(model.sample_y(queries, 2), expected.sample_y(X[:40], 2), atol=1e-4)
    found = model.predict_factors(0, queries[:, 0])
    assert_allclose(found, expected.predict_factors(0, X[:40, 0]), atol=1e-4)
    # Labels that were not seen stay so, next to the others as well.
    assert_array_equal(model.predict_factors(0, queries[:, 0] + asked_in(1e-3)), 0)


def test_labels_that_only_double_precision_tells_apart_stay_apart():
    labels, places = np.unique(X[:, 0], return_inverse=True)
    data = np.column_stack([2.0**24 + places, X[:, 1:]])
    model = funbat(kernel="iid").fit(data, Y)
    assert model.factor_mean_[0].shape == (labels.size, 2)
    even = model.indices_[0][::2].astype(np.float32)
    assert_array_equal(model.predict_factors(0, even), model.factor_mean_[0][::2])
    assert_allclose(model.predict(data), funbat(kernel="iid").fit(X, Y).predict(X), rtol=1e-9)


def test_input_is_left_alone():
    data, values, weight = X.copy(), Y.copy(), np.ones(Y.size)
    funbat().fit(data, values, weight).predict(data)
    assert_array_equal(data, X)
    assert_array_equal(values, Y)
    assert np.all(weight == 1)


# Odd data


def test_constant_column_has_one_scalar_factor():
    data = X.copy()
    data[:, 1] = 3.0
    model = funbat(fit_intercept=True).fit(data, TRUTH(data))
    assert model.indices_[1].tolist() == [3.0]
    assert model.factor_mean_[1].shape == (1, 2)
    assert model.score(data, TRUTH(data)) > 0.95


@pytest.mark.parametrize("value", [0.0, 0.1, -3.3, 1e200, 1e-200])
def test_constant_values_are_predicted_with_certainty(value):
    weight = np.random.default_rng(0).uniform(0.1, 2, Y.size)
    for w in (None, weight):
        model = funbat(fit_intercept=True).fit(X, np.full(Y.size, value), w)
        mean, std = model.predict(X, return_std=True)
        assert_allclose(mean, value, rtol=1e-14)
        assert model.y_scale_ == 1.0
        assert np.all(std < 0.02)


def test_zeros_are_predicted_without_an_intercept():
    model = funbat().fit(X, np.zeros(Y.size))
    assert_array_equal(model.predict(QUERIES), 0)


@pytest.mark.parametrize("decomposition", ["tucker", "cp"])
def test_one_row_is_enough(decomposition):
    model = funbat(decomposition=decomposition, fit_intercept=True).fit(X[:1], Y[:1])
    mean, std = model.predict(QUERIES, return_std=True)
    assert_allclose(mean, Y[0])
    assert np.isfinite(std).all()


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(("decomposition", "rank"), [("tucker", 1), ("tucker", 2), ("cp", 3)])
def test_one_column_is_a_curve(decomposition, rank, backend):
    x = np.linspace(0, 1, 80)[:, None]
    y = np.sin(6 * x[:, 0])
    model = funbat(rank, decomposition=decomposition, kernel="matern32", backend=backend).fit(x, y)
    between = np.linspace(0.1, 0.9, 41)[:, None]
    assert_allclose(model.predict(between), np.sin(6 * between[:, 0]), atol=0.02)


def test_rank_may_exceed_the_number_of_coordinates():
    data = np.round(X)
    for decomposition in ("tucker", "cp"):
        model = funbat(5, decomposition=decomposition).fit(data, TRUTH(data))
        assert model.factor_mean_[0].shape == (2, 5)
        assert model.score(data, TRUTH(data)) > 0.95


def test_coordinates_may_all_be_distinct():
    data, values, truth = make_functional_tensor(400, (None, None), noise=0.05, random_state=0)
    model = funbat(kernel="matern32").fit(data, values)
    assert [axis.size for axis in model.indices_] == [400, 400]
    assert root_mean_squared_error(truth(data), model.predict(data)) < 0.05


@pytest.mark.parametrize("kernel", N_BLOCKS)
def test_near_equal_coordinates_are_harmless(kernel):
    data = np.repeat(X[:150], 2, axis=0)
    data[1::2] += 1e-12
    values = np.repeat(Y[:150], 2)
    model = funbat(kernel=kernel).fit(data, values)
    mean, std = model.predict(data, return_std=True)
    assert np.isfinite(std).all()
    assert r2_score(values, mean) > 0.8
    if kernel != "iid":
        assert_allclose(mean[::2], mean[1::2], rtol=1e-3, atol=1e-4)


# The sum that validation takes first.
@pytest.mark.filterwarnings("ignore:(invalid|overflow).* value encountered in reduce")
@pytest.mark.parametrize("kernel", N_BLOCKS)
def test_axis_may_be_as_long_as_numbers_go(kernel):
    data = 1.7e308 * (2 * (X - X.min(axis=0)) / np.ptp(X, axis=0) - 1)
    expected = funbat(kernel=kernel).fit(X, Y).predict(X)
    assert_allclose(funbat(kernel=kernel).fit(data, Y).predict(data), expected, rtol=1e-6)


def test_label_far_away_does_not_merge_the_others():
    labels = np.unique(X[:, 0], return_inverse=True)[1].astype(float)
    data = np.column_stack([labels, X[:, 1:]])
    expected = funbat(kernel=["iid", "matern12", "matern12"]).fit(data, Y)
    moved = data.copy()
    moved[labels == 0, 0] = -1e20
    model = funbat(kernel=["iid", "matern12", "matern12"]).fit(moved, Y)
    assert_allclose(model.predict(moved), expected.predict(data), rtol=1e-7, atol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("decomposition", ["tucker", "cp"])
@pytest.mark.parametrize("kernel", N_BLOCKS)
@pytest.mark.parametrize("weight", [1e5, 1e12])
def test_weight_of_many_exact_values_ends_in_rounding_errors_alone(decomposition, kernel, weight):
    model = funbat(4, decomposition=decomposition, kernel=kernel)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        model.fit(X, TRUTH(X), np.full(Y.size, weight))
        mean, std = model.predict(X, return_std=True)
    assert_allclose(mean, TRUTH(X), atol=5e-3)
    assert 0 < model.noise_std_ < 1e-3
    assert np.all(std < 1e-2)


@pytest.mark.parametrize("kernel", N_BLOCKS)
def test_far_queries_tend_to_the_intercept_and_the_prior(kernel):
    model = funbat(kernel=kernel, fit_intercept=True, tol=0.1).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean, std = model.predict([[1e6] * 3, [-1e6] * 3], return_std=True, include_noise=False)
    assert_allclose(mean, model.intercept_, rtol=1e-12)
    second = np.diag(model.core_cov_).sum() + np.sum(model.core_**2)
    assert_allclose(std, model.y_scale_ * np.sqrt(second), rtol=1e-9)


# Warnings


@pytest.mark.parametrize("n_init", [1, 2])
def test_unfinished_fits_warn_and_name_the_largest_of_the_last_gains(n_init):
    with pytest.warns(ConvergenceWarning, match="FunBaT did not converge") as record:
        model = funbat(max_iter=15, tol=0, n_init=n_init).fit(X, Y)
    assert model.n_iter_ == 15
    assert not model.converged_
    assert funbat(tol=1e-2, n_init=n_init).fit(X, Y).converged_
    text = str(record[0].message)
    found = re.search(
        r"after max_iter=15 .*?([\d.e-]+)( per unit of weight)?, above tol=0\. Inc", text
    )
    gains = np.diff(model.objective_history_) / Y.size
    assert float(found[1]) == pytest.approx(gains[-3:].max(), rel=5e-3)


def test_gains_that_are_too_few_are_not_said_to_be_large():
    with pytest.warns(ConvergenceWarning, match=r"after max_iter=13 iterations\. Increase"):
        funbat(max_iter=13, tol=1e9).fit(X, Y)
    assert funbat(max_iter=14, tol=1e9).fit(X, Y).n_iter_ == 14


def test_fit_may_end_in_its_warmup():
    with pytest.warns(ConvergenceWarning, match=r"after max_iter=3 iterations\. Increase"):
        model = funbat(max_iter=3).fit(X, Y)
    assert model.n_iter_ == 3
    assert model.objective_history_.shape == (0,)
    assert np.isfinite(model.predict(QUERIES)).all()


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_collapse_warns(fit_intercept):
    noise = np.random.default_rng(0).standard_normal(Y.size)
    share = "variance" if fit_intercept else "mean square"
    with pytest.warns(UserWarning, match=f"collapsed .* 100.0 % of the {share} of y. Raise n_warm"):
        funbat(fit_intercept=fit_intercept, tol=1e-3).fit(X, noise)


# Bad input: the message, and the estimator as it was


DATES = np.datetime64("2020-01-01") + np.arange(Y.size).astype("timedelta64[D]")
TRIPLE = np.stack([DATES] * 3, axis=1)


def dated_frame():
    pd = pytest.importorskip("pandas")
    return pd.DataFrame({"day": DATES, "b": X[:, 1], "c": X[:, 2]})


def dated_polars():
    pl = pytest.importorskip("polars")
    return pl.DataFrame({"day": DATES, "b": X[:, 1], "c": X[:, 2]})


def spoiled(array, value):
    array = array.copy()
    array[3] = value
    return array


BAD_DATA = {
    "nan": (lambda: (spoiled(X, np.nan), Y), ValueError, "Input X contains NaN"),
    "inf": (lambda: (spoiled(X, np.inf), Y), ValueError, "Input X contains infinity"),
    "nan-y": (lambda: (X, spoiled(Y, np.nan)), ValueError, "Input y contains NaN"),
    "inf-y": (lambda: (X, spoiled(Y, -np.inf)), ValueError, "Input y contains infinity"),
    "no-y": (lambda: (X, None), ValueError, "requires y to be passed"),
    "two-y": (lambda: (X, np.stack([Y, Y], axis=1)), ValueError, "y should be a 1d array"),
    "strings": (lambda: (X.astype(str).astype(object)[:, :1] + "a", Y), ValueError, "could not"),
    "short-y": (lambda: (X, Y[1:]), ValueError, "inconsistent numbers of samples"),
    "complex": (lambda: (X * 1j, Y), ValueError, "Complex data not supported"),
    "vector": (lambda: (X[:, 0], Y), ValueError, "Expected 2D array, got 1D array instead"),
    "sparse": (lambda: (sp.csr_array(X), Y), TypeError, "X is sparse.*tensor_to_entries"),
    "cube": (lambda: (X[:, :, None], Y), ValueError, "with dim 3.*tensor_to_entries"),
    "no-rows": (lambda: (X[:0], Y[:0]), ValueError, r"Found array with 0 sample\(s\)"),
    "dates": (lambda: (TRIPLE, Y), TypeError, "X holds dates or durations. Convert them to fl"),
    "durations": (lambda: (TRIPLE - DATES[0], Y), TypeError, "X holds dates or durations"),
    "dates-object": (lambda: (TRIPLE.astype(object), Y), TypeError, "X holds dates or durations"),
    "dates-list": (lambda: (TRIPLE.tolist(), Y), TypeError, "X holds dates or durations"),
    "dates-pandas": (lambda: (dated_frame(), Y), TypeError, "X holds dates or durations"),
    "dates-mixed": (
        lambda: (dated_frame().astype(object), Y), TypeError, "X holds dates or durations",
    ),
    "dates-polars": (lambda: (dated_polars(), Y), TypeError, "X holds dates or durations"),
    "negative": (lambda: (X, Y, spoiled(np.ones(300), -1.0)), ValueError, "Negative values in"),
    "no-weight": (lambda: (X, Y, np.zeros(300)), ValueError, "at least one non-zero number"),
    "nan-weight": (
        lambda: (X, Y, np.full(300, np.nan)), ValueError, "Input sample_weight contains NaN",
    ),
    "weight-size": (lambda: (X, Y, np.ones(5)), ValueError, r"sample_weight.shape == \(5,\)"),
}  # fmt: skip


def state(model):
    """Copies of all that a fit may change."""
    return copy.deepcopy({k: v for k, v in vars(model).items() if k != "_posterior"})


def assert_unchanged(model, before, predictions):
    assert set(vars(model)) == {*before, "_posterior"}
    for name, value in before.items():
        np.testing.assert_equal(getattr(model, name), value)
    assert_array_equal(model.predict(QUERIES), predictions)


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_are_refused_and_change_nothing(case, fitted, capsys):
    make, error, message = BAD_DATA[case]
    model = copy.deepcopy(fitted).set_params(verbose=1)
    before = state(model)
    with pytest.raises(error, match=message):
        model.fit(*make())
    assert capsys.readouterr().out == ""  # before any work is done
    assert_unchanged(model, before, fitted.predict(QUERIES))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rank": (2, 2)}, r"rank must be one value, or one for each of the 3 .* Got \(2, 2\)"),
        ({"rank": (2, 0, 1)}, r"rank must be integers of at least 1. Got \(2, 0, 1\)"),
        ({"rank": (2, 2.5, 1)}, r"rank must be integers of at least 1. Got \(2, 2.5, 1\)"),
        (
            {"rank": (2, 2, 3), "decomposition": "cp"},
            r"decomposition='cp' has one rank for all modes. Got rank=\(2, 2, 3\)",
        ),
        (
            {"rank": (9, 9, 8)},
            "'cp' has one rank for all modes, and a core of 648 > max_core_size=512 leaves no oth",
        ),
        (
            {"rank": 9, "decomposition": "tucker"},
            "rank=9 on 3 modes needs a core of 729 > max_core_size=512; use decomposition='cp' or",
        ),
        ({"kernel": ["iid"]}, r"kernel must be one value, or one for .* Got \['iid'\]"),
        ({"kernel": ["iid", "rbf", "iid"]}, r"kernel must be among \['iid', 'matern12', 'matern"),
        ({"kernel": [[1], [2], [3]]}, r"kernel must be among .* Got \[\[1\], \[2\], \[3\]\]"),
        ({"length_scale": (1, 1)}, r"length_scale must be one value, or one for .* Got \(1, 1\)"),
        ({"length_scale": (1, -1, 1)}, r"length_scale must be positive numbers. Got \(1, -1, 1\)"),
        ({"variance": (1, 0, 1)}, r"variance must be positive numbers. Got \(1, 0, 1\)"),
        ({"variance": (1, np.inf, 1)}, "variance must be positive numbers"),
        ({"length_scale": 1e-100}, "length_scale must be between 1e-60 and 1e"),
        ({"length_scale": [10**400, 1, 1]}, "length_scale must be positive numbers"),
        ({"length_scale_bounds": (1e-100, 1)}, "length_scale_bounds must be between 1e-60 and 1e"),
        ({"rank": [True, 2, 2]}, "rank must be integers of at least 1"),
        ({"damping": [False, 0, 0]}, "damping must be one number"),
        ({"length_scale_bounds": (1, 0.1)}, r"a lower and an upper bound. Got \(1, 0.1\)"),
        ({"length_scale_bounds": (0, 1)}, r"length_scale_bounds must be two positive .* \(0, 1\)"),
        ({"length_scale_bounds": (1, 2, 3)}, "length_scale_bounds must be two positive numbers"),
        ({"damping": (0.5, 0.5)}, r"damping must be one number .* or three.* Got \(0.5, 0.5\)"),
        ({"damping": (0, 1, 0)}, r"damping must be one number of at least 0 .* Got \(0, 1, 0\)"),
        ({"noise_prior": (0, 1)}, r"noise_prior must be two positive numbers. Got \(0, 1\)"),
        ({"noise_prior": (1,)}, r"noise_prior must be two positive numbers. Got \(1,\)"),
    ],
    ids=str,
)
def test_parameters_that_do_not_fit_are_refused(parameters, message, fitted, capsys):
    model = copy.deepcopy(fitted).set_params(verbose=1, **parameters)
    before = state(model)
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y)
    assert capsys.readouterr().out == ""
    assert_unchanged(model, before, fitted.predict(QUERIES))


@pytest.mark.parametrize(
    "parameters",
    [
        {"rank": 0},
        {"rank": 2.5},
        {"rank": "best"},
        {"decomposition": "tt"},
        {"kernel": "rbf"},
        {"length_scale": 0},
        {"length_scale": -0.1},
        {"variance": 0.0},
        {"optimize_length_scale": "yes"},
        {"length_scale_bounds": 5},
        {"normalize_index": "yes"},
        {"fit_intercept": None},
        {"max_iter": 0},
        {"tol": -1},
        {"n_warmup": -1},
        {"warmup_precision": 0},
        {"damping": 1.0},
        {"damping": -0.1},
        {"noise_prior": 1.0},
        {"max_core_size": 0},
        {"n_init": 0},
        {"random_state": "seed"},
        {"verbose": -1},
        {"backend": "jax"},
    ],
    ids=str,
)
def test_unknown_values_of_parameters_are_refused(parameters):
    ((name, _),) = parameters.items()
    with pytest.raises(ValueError, match=rf"The '{name}' parameter of FunBaT must be"):
        FunBaT(**parameters).fit(X, Y)


def test_core_of_ten_modes_is_refused_with_its_size_or_left_out():
    data = np.random.default_rng(0).uniform(size=(30, 10))
    with pytest.raises(ValueError, match="rank=2 on 10 modes needs a core of 1024 > max_core_size"):
        funbat(decomposition="tucker").fit(data, data[:, 0])
    for limit, expected in ((1023, "cp"), (1024, "tucker")):
        model = funbat(max_core_size=limit, max_iter=1, tol=1e9)
        with pytest.warns(ConvergenceWarning, match="max_iter=1"):
            assert model.fit(data, data[:, 0]).decomposition_ == expected


QUESTIONS = {
    "predict": lambda model, X: model.predict(X),
    "sample_y": lambda model, X: model.sample_y(X),
}


@pytest.mark.parametrize("method", QUESTIONS)
@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: sp.csr_array(X), TypeError, "X is sparse.*tensor_to_entries"),
        (lambda: X[:, :, None], ValueError, "with dim 3.*tensor_to_entries"),
        (lambda: TRIPLE, TypeError, "X holds dates or durations"),
        (lambda: X[:, :2], ValueError, "X has 2 features, but FunBaT is expecting 3"),
        (lambda: spoiled(X, np.nan), ValueError, "Input X contains NaN"),
    ],
)
def test_bad_queries_are_refused(method, make, error, message, fitted):
    with pytest.raises(error, match=message):
        QUESTIONS[method](fitted, make())


def test_bad_questions_are_refused(fitted):
    for mode in (3, -1, 0.5, "a"):
        with pytest.raises(ValueError, match=f"mode={mode!r} must be an integer from 0 to 2"):
            fitted.predict_factors(mode, [0.5])
    for t, got in (([[0.5]], "an array"), (0.5, "an array"), ([np.nan], "NaN or infinity in an")):
        with pytest.raises(ValueError, match=f"t must be a vector of finite .* Got {got}"):
            fitted.predict_factors(0, t)
    for t in (DATES, DATES.tolist(), DATES - DATES[0]):
        with pytest.raises(TypeError, match=r"t holds dates or durations. Convert them to fl"):
            fitted.predict_factors(0, t)
    with pytest.raises(ValueError, match="n_samples == 0, must be >= 1"):
        fitted.sample_y(X, 0)
    with pytest.raises(TypeError, match="n_samples must be an instance of int"):
        fitted.sample_y(X, 1.5)


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: model.predict(X),
        lambda model: model.sample_y(X),
        lambda model: model.predict_factors(0, [0.5]),
        lambda model: model.score(X, Y),
    ],
)
def test_unfitted_estimator_says_so(ask):
    with pytest.raises(NotFittedError, match="This FunBaT instance is not fitted yet"):
        ask(FunBaT())


@pytest.mark.parametrize("size", [1e150, 1e-60])
def test_targets_beyond_the_precision_of_the_coordinates_are_refused(size):
    with pytest.raises(ValueError, match=r"largest absolute value of y is .* range of float32"):
        funbat().fit(X.astype(np.float32), size * Y)
    weight = np.ones(len(Y))
    weight[0] = 0
    model = funbat().fit(X.astype(np.float32), np.append(size, Y[1:]), sample_weight=weight)
    assert np.isfinite(model.predict(X.astype(np.float32))).all()


def test_lengths_that_nothing_has_are_not_looked_at():
    lengths = {"length_scale": 1e-61, "kernel": "iid", "length_scale_bounds": (1e-300, 1e300)}
    model = funbat(optimize_length_scale=False, **lengths).fit(np.round(3 * X), Y)
    assert np.isfinite(model.predict(np.round(3 * X))).all()
