"""Starts that must not lose, and sizes at the ends of the range of numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from skmatrix.datasets import make_irs_channel, make_kronecker_sparse
from skmatrix.linear_model import KroneckerSBL, kron_matvec, kronecker_omp

FACTORS, Y, TRUTH = make_kronecker_sparse((8, 7), (5, 6), n_nonzero=2, snr=40, random_state=0)
MATRIX = np.kron(*FACTORS)

unfinished = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def criterion(model):
    """Akaike's criterion of a fit, up to a constant."""
    penalty = sum(indices.size for indices in model.support_)
    return -model.log_evidence() + penalty / (2 if np.iscomplexobj(model.coef_) else 1)


@unfinished
@pytest.mark.parametrize(
    "make",
    [
        lambda seed: make_irs_channel(10, random_state=seed),
        lambda seed: make_kronecker_sparse(
            (9, 8, 7), (5, 5, 5), values="general", snr=15, random_state=seed
        ),
        lambda seed: make_kronecker_sparse((10, 10), (4, 8), random_state=seed),
    ],
)
def test_further_starts_never_lose(make):
    for seed in (0, 13):
        factors, y, _ = make(seed)
        rule = {"random_state": 0, "tol": 1e-3, "max_iter": 500}
        one = KroneckerSBL(n_init=1, **rule).fit(factors, y)
        for n_init in (2, 12):
            several = KroneckerSBL(n_init=n_init, **rule).fit(factors, y)
            assert criterion(several) <= criterion(one) + 0.1


@unfinished
def test_further_starts_need_something_to_start_from():
    flat = (np.ones((5, 3)), np.ones((6, 2)))
    model = KroneckerSBL(fit_intercept=True, random_state=0).fit(flat, Y)
    assert_allclose(model.coef_, 0, atol=1e-12)
    assert model.intercept_ == pytest.approx(Y.mean())
    blind = FACTORS[0].copy()
    blind[0] = 0
    impulse = np.zeros((5, 6))
    impulse[0, 0] = 1
    model = KroneckerSBL(random_state=0).fit((blind, FACTORS[1]), impulse)
    assert_allclose(model.coef_, 0, atol=1e-12)


@unfinished
@pytest.mark.parametrize("unit", [1e-300, 1e-150, 1e150, 1e300])
def test_known_noise_may_be_far_from_the_data(unit):
    model = KroneckerSBL(noise_variance=1.0, random_state=0).fit(FACTORS, Y * unit)
    assert model.noise_variance_ == 1
    assert np.isfinite(model.coef_).all()
    if unit < 1:
        assert_array_equal(model.coef_, 0)
    else:
        exact = KroneckerSBL(noise_variance=1e-30 * np.mean(Y**2), random_state=0).fit(FACTORS, Y)
        assert KroneckerSBL.nmse(model.coef_ / unit, exact.coef_) < 1e-2


def test_hopeless_noise_ends_soon():
    # The expectations of the other solvers shrink like one over the number of iterations.
    noise = 100 * np.mean(Y**2)
    model = KroneckerSBL(solver="mm", noise_variance=noise, max_iter=1000).fit(FACTORS, Y)
    assert model.converged_
    assert np.abs(model.coef_).max() < 1e-10 * np.abs(TRUTH.coef).max()


@unfinished
@pytest.mark.parametrize(
    ("first", "second", "unit"),
    [
        (1e-150, 1e-200, 1e-300),
        (1e-300, 1e-300, 1e-300),
        (1e300, 1e300, 1e300),
        (1e200, 1e-200, 1.0),
        (1e-320, 1.0, 1e-100),
    ],
)
def test_products_of_units_may_leave_the_range(first, second, unit):
    factors = (FACTORS[0] * first, FACTORS[1] * second)
    model = KroneckerSBL(random_state=0).fit(factors, Y * unit)
    scale = 10.0 ** (np.log10(unit) - np.log10(first) - np.log10(second))
    # Subnormal numbers have few digits.
    tolerance = 0.05 if first < 1e-310 else 1e-6
    plain = KroneckerSBL(random_state=0).fit(FACTORS, Y)
    assert np.linalg.norm(model.coef_ / scale - plain.coef_) < tolerance * np.linalg.norm(
        plain.coef_
    )


def test_coefficients_out_of_range_are_an_error():
    with pytest.raises(ValueError, match="beyond double precision"):
        KroneckerSBL().fit((FACTORS[0] * 1e-300, FACTORS[1] * 1e-300), Y)
    with pytest.raises(ValueError, match="beyond single precision"):
        KroneckerSBL().fit(MATRIX.astype(np.float32), Y * 1e100)
    # Features that tell nothing leave an intercept alone.
    with pytest.raises(ValueError, match="beyond single precision"):
        KroneckerSBL().fit(np.ones(MATRIX.shape, dtype=np.float32), 1e100 * (1 + Y))


@unfinished
def test_targets_of_a_single_precision_matrix_keep_their_digits():
    large = KroneckerSBL().fit(MATRIX.astype(np.float32), Y * 1e-60 + 1e-60)
    plain = KroneckerSBL().fit(MATRIX.astype(np.float32), Y + 1)
    assert large.noise_variance_ == pytest.approx(1e-120 * plain.noise_variance_, rel=1e-4)
    small = KroneckerSBL().fit(MATRIX.astype(np.float32), Y * 1e-25)
    assert small.coef_.dtype == np.float32
    assert np.abs(small.coef_).max() > 1e-26


@unfinished
def test_rows_of_zeros_can_be_predicted():
    model = KroneckerSBL(factors=FACTORS[1:], n_init=1).fit(FACTORS[0], Y.reshape(5, 6))
    assert_array_equal(model.predict(np.zeros((1, 8))), np.zeros((1, 6)))
    first = FACTORS[0].copy()
    first[0] = 0
    regressor = KroneckerSBL(factors=FACTORS[1:], n_init=1)
    found = cross_val_predict(regressor, first, Y.reshape(5, 6), cv=LeaveOneOut())
    assert_array_equal(found[0], np.zeros(6))
    assert_array_equal(kron_matvec((0 * FACTORS[0], FACTORS[1]), np.ones(56)), np.zeros(30))


@pytest.mark.parametrize("unit", [1e-300, 1e-170, 1e155, 1e300])
def test_pursuit_does_not_depend_on_units(unit):
    plain, support = kronecker_omp(FACTORS, Y, n_nonzero=2)
    for factors, y, scale in (
        (FACTORS, Y * unit, unit),
        ((FACTORS[0] * unit, FACTORS[1]), Y, 1 / unit),
    ):
        coef, found = kronecker_omp(factors, y, n_nonzero=2)
        assert_allclose(coef, plain * scale, rtol=1e-9)
        for ours, theirs in zip(found, support, strict=True):
            assert_array_equal(ours, theirs)
    coef, found = kronecker_omp(FACTORS, 0 * Y, n_nonzero=2)
    assert FACTORS[0][:, found[0]].shape == (5, 0)
    assert_array_equal(coef, 0)


@unfinished
def test_complex_numbers_of_any_precision_stay_complex():
    y = Y + 1j * Y
    wide = KroneckerSBL(random_state=0).fit(FACTORS, y.astype(np.clongdouble))
    assert_array_equal(wide.coef_, KroneckerSBL(random_state=0).fit(FACTORS, y).coef_)


@unfinished
def test_tuples_of_frames_and_lists_are_factors():
    pl = pytest.importorskip("polars")
    expected = KroneckerSBL(random_state=0).fit(FACTORS, Y).coef_
    for kind in (pl.DataFrame, np.ndarray.tolist):
        model = KroneckerSBL(random_state=0).fit(tuple(map(kind, FACTORS)), Y)
        assert_array_equal(model.coef_, expected)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ((), Y, "X is an empty tuple"),
        (FACTORS, np.ma.masked_greater(Y, 0), "y has masked entries"),
        (FACTORS, Y.astype("datetime64[s]"), "y must hold numbers"),
        (FACTORS, Y.astype(str), "y must hold numbers"),
    ],
)
def test_what_is_no_number_is_refused(X, y, message):
    with pytest.raises(ValueError, match=message):
        KroneckerSBL().fit(X, y)


@unfinished
def test_weights_of_a_score_are_checked():
    model = KroneckerSBL(random_state=0).fit(FACTORS, Y)
    for weight, message in (
        (np.full(30, np.nan), "NaN"),
        (-np.ones(30), "[Nn]egative"),
        (np.zeros(30), "zero"),
        (np.ones(4), "shape"),
    ):
        with pytest.raises(ValueError, match=message):
            model.score(FACTORS, Y, weight)
    score = model.score(FACTORS, Y)
    for unit in (1e-300, 1e300):
        scaled = KroneckerSBL(random_state=0).fit(FACTORS, Y * unit)
        assert scaled.score(FACTORS, Y * unit) == pytest.approx(score, rel=1e-9)


def test_measures_of_error_compare_like_with_like():
    coef = TRUTH.coef
    assert KroneckerSBL.nmse(coef, coef[:, None]) == 0
    assert KroneckerSBL.nmse(coef.reshape(8, 7), coef) == 0
    assert KroneckerSBL.nmse(0 * coef, 0 * coef) == 0
    assert KroneckerSBL.nmse(coef, 0 * coef) == np.inf
    for measure in (KroneckerSBL.nmse, KroneckerSBL.support_recovery_rate):
        with pytest.raises(ValueError, match="same number of entries"):
            measure(coef, coef[:5])
        with pytest.raises(ValueError, match="one at least"):
            measure([], [])


def test_couplings_that_are_no_numbers_are_named():
    with pytest.raises(ValueError, match="coupling of factor 0"):
        KroneckerSBL(coupling=("a", None)).fit(FACTORS, Y)
    with pytest.raises(ValueError, match="coupling of factor 1"):
        KroneckerSBL(coupling=(None, 1j * np.eye(7))).fit(FACTORS, Y)


def test_an_unfinished_fit_still_warns():
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        KroneckerSBL(max_iter=2, random_state=0).fit(FACTORS, Y)
