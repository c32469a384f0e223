"""KroneckerSBL: the forms of X and y, and what is refused."""

import math
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skmatrix.datasets import make_kronecker_sparse
from skmatrix.linear_model import KroneckerSBL
from skmatrix.linear_model import _kronecker_sbl_forms as forms
from tests.linear_model.kronecker_reference import kron

FACTORS, Y, TRUTH = make_kronecker_sparse((6, 5, 4), (4, 5, 3), n_nonzero=2, random_state=0)
ROWS = (4, 5, 3)
X_MATRIX = np.random.default_rng(0).standard_normal((20, 5))
Y_MATRIX = X_MATRIX[:, 0] + 0.1 * np.random.default_rng(1).standard_normal(20)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def with_value(array, value):
    """A copy whose first entry is another."""
    array = np.array(array)
    array.flat[0] = value
    return array


# Forms


def test_first_factor_beside_the_others_is_the_tuple():
    whole = KroneckerSBL(n_init=2, random_state=0).fit(FACTORS, Y)
    rows = KroneckerSBL(FACTORS[1:], n_init=2, random_state=0).fit(FACTORS[0], Y.reshape(4, 15))
    assert_array_equal(rows.coef_, whole.coef_)
    assert whole.n_features_in_ == 120
    assert rows.n_features_in_ == 6
    assert_array_equal(rows.predict(FACTORS[0]).ravel(), whole.predict(FACTORS))
    assert rows.predict(FACTORS[0][:2]).shape == (2, 15)


def test_y_has_the_layouts_of_tensors():
    flat = KroneckerSBL(n_init=2, random_state=0).fit(FACTORS, Y)
    tensor = KroneckerSBL(n_init=2, random_state=0).fit(FACTORS, Y.reshape(ROWS))
    assert_array_equal(tensor.coef_, flat.coef_)
    assert tensor.predict(FACTORS).shape == ROWS
    assert flat.predict(FACTORS).shape == (60,)
    assert_array_equal(tensor.predict(FACTORS).ravel(), flat.predict(FACTORS))
    beside = KroneckerSBL(FACTORS[1:], n_init=2, random_state=0).fit(FACTORS[0], Y.reshape(ROWS))
    assert beside.predict(FACTORS[0][:2]).shape == (2, 5, 3)
    columns = np.column_stack([Y, -2 * Y])
    several = KroneckerSBL(n_init=2, random_state=0).fit(FACTORS, columns)
    tensors = KroneckerSBL(n_init=2, random_state=0).fit(FACTORS, columns.reshape(*ROWS, 2))
    assert several.predict(FACTORS).shape == (60, 2)
    assert tensors.predict(FACTORS).shape == (*ROWS, 2)
    assert several.coef_.shape == tensors.coef_.shape == (2, 120)
    assert_array_equal(several.coef_, tensors.coef_)
    assert several.coef_tensor_.shape == (2, 6, 5, 4)
    assert flat.coef_tensor_.shape == flat.posterior_variance().shape == (6, 5, 4)
    mean, std = several.predict(FACTORS, return_std=True)
    assert mean.shape == std.shape


def test_predictions_are_products_with_other_rows():
    rng = np.random.default_rng(0)
    others = tuple(rng.standard_normal((m, n)) for m, n in ((2, 6), (7, 5), (1, 4)))
    model = KroneckerSBL(fit_intercept=True, n_init=2, random_state=0).fit(FACTORS, Y + 3)
    expected = kron(others) @ model.coef_ + model.intercept_
    assert_allclose(model.predict(others), expected, rtol=1e-12)


def test_one_factor_in_a_tuple_is_the_matrix():
    matrix = KroneckerSBL().fit(X_MATRIX, Y_MATRIX)
    factor = KroneckerSBL(fit_intercept=True, random_state=0).fit((X_MATRIX,), Y_MATRIX)
    assert_array_equal(factor.coef_, matrix.coef_)
    assert factor.intercept_ == matrix.intercept_
    assert matrix.solver_ == "mm"
    # Without an intercept unless it is asked for.
    assert KroneckerSBL().fit((X_MATRIX,), Y_MATRIX).intercept_ == 0


def test_complex_target_of_real_factors_has_complex_coefficients():
    y = Y + 1j * np.random.default_rng(0).permutation(Y)
    model = KroneckerSBL(n_init=2, random_state=0).fit(FACTORS, y)
    assert model.coef_.dtype == np.complex128
    assert model.predict(FACTORS).dtype == np.complex128
    assert model.gamma_[0].dtype == model.sigma_diag_.dtype == np.float64
    assert 0 < model.score(FACTORS, y) < 1
    beside = KroneckerSBL(FACTORS[1:], fit_intercept=True).fit(1j * FACTORS[0], y.reshape(4, 15))
    assert isinstance(beside.intercept_, complex)


def test_nested_lists_are_tables():
    model = KroneckerSBL().fit(X_MATRIX.tolist(), Y_MATRIX.tolist())
    assert_array_equal(model.coef_, KroneckerSBL().fit(X_MATRIX, Y_MATRIX).coef_)
    as_tuples = tuple(map(tuple, X_MATRIX.tolist()))
    assert_array_equal(KroneckerSBL().fit(as_tuples, Y_MATRIX).coef_, model.coef_)


def test_integers_and_lists_are_factors():
    factors = tuple(np.round(3 * factor).astype(int) for factor in FACTORS)
    model = KroneckerSBL(n_init=2, random_state=0).fit(factors, np.round(Y).astype(int))
    expected = KroneckerSBL(n_init=2, random_state=0).fit(
        tuple(map(np.float64, factors)), np.round(Y)
    )
    assert_array_equal(model.coef_, expected.coef_)
    beside = KroneckerSBL((FACTORS[1].tolist(), FACTORS[2]), n_init=2, random_state=0).fit(
        FACTORS[0], Y.reshape(4, 15)
    )
    assert_array_equal(beside.coef_, KroneckerSBL(n_init=2, random_state=0).fit(FACTORS, Y).coef_)


def test_single_precision_stays():
    factors = tuple(factor.astype(np.float32) for factor in FACTORS)
    model = KroneckerSBL(n_init=2, random_state=0).fit(factors, Y.astype(np.float32))
    expected = KroneckerSBL(n_init=2, random_state=0).fit(FACTORS, Y)
    for values in (model.coef_, model.sigma_diag_, *model.gamma_, model.predict(factors)):
        assert values.dtype == np.float32
    assert_allclose(model.coef_, expected.coef_, atol=1e-3 * np.abs(expected.coef_).max())
    mean, std = model.predict(factors, return_std=True)
    assert mean.dtype == std.dtype == np.float32
    assert model.sample_posterior(2, random_state=0).dtype == np.float32
    model = KroneckerSBL(n_init=2, random_state=0).fit(factors, Y.astype(np.complex64))
    assert model.coef_.dtype == np.complex64
    assert model.sigma_diag_.dtype == np.float32


# Nothing to explain


@pytest.mark.parametrize("factors", [FACTORS, (FACTORS[0],)])
def test_zero_target_has_no_coefficients(factors):
    y = np.zeros(math.prod(len(factor) for factor in factors))
    model = KroneckerSBL(n_init=2, random_state=0).fit(factors, y)
    assert not model.coef_.any()
    assert not model.sigma_diag_.any()
    assert model.noise_variance_ == 0
    assert model.n_iter_ == 1
    assert model.converged_
    assert all(indices.size == 0 for indices in model.support_)
    mean, std = model.predict(factors, return_std=True)
    assert not mean.any()
    assert not std.any()
    assert not model.sample_posterior(3, random_state=0).any()
    assert model.log_evidence() == np.inf
    known = KroneckerSBL(noise_variance=2.0).fit(factors, y)
    assert known.noise_variance_ == 2
    assert known.log_evidence() == pytest.approx(-0.5 * y.size * np.log(4 * np.pi))
    assert_allclose(known.predict(factors, return_std=True)[1], np.sqrt(2))


def test_constant_target_is_an_intercept():
    for X, y in ((X_MATRIX, np.full(20, 0.1)), (FACTORS, np.full(60, 1e5))):
        model = KroneckerSBL(fit_intercept=True, n_init=2, random_state=0).fit(X, y)
        assert not model.coef_.any()
        assert model.intercept_ == pytest.approx(y[0], rel=1e-14)
        assert model.noise_variance_ == 0
        assert model.n_iter_ == 1
        assert_allclose(model.predict(X), y, rtol=1e-14)


def test_constant_columns_leave_the_noise():
    model = KroneckerSBL().fit(np.full((20, 2), 0.1), Y_MATRIX)
    assert not model.coef_.any()
    assert model.noise_variance_ == pytest.approx(np.var(Y_MATRIX, ddof=1))
    assert model.predict(np.zeros((1, 2)))[0] == pytest.approx(Y_MATRIX.mean())
    std = model.predict(np.zeros((1, 2)), return_std=True)[1][0]
    assert std == pytest.approx(np.std(Y_MATRIX, ddof=1) * np.sqrt(1 + 1 / 20))


@pytest.mark.parametrize("solver", ["am", "svd", "mm", "auto"])
def test_column_of_zeros_has_no_coefficient(solver):
    factors = (FACTORS[0].copy(), *FACTORS[1:])
    factors[0][:, 2] = 0
    model = KroneckerSBL(solver=solver).fit(factors, Y)
    assert not model.coef_tensor_[2].any()
    assert 2 not in model.support_[0]
    X = X_MATRIX.copy()
    X[:, 3] = 7.0
    assert KroneckerSBL().fit(X, Y_MATRIX).coef_[3] == 0


def test_target_out_of_reach_is_noise():
    A = np.vstack([np.eye(3), np.zeros((3, 3))])
    y = np.array([0, 0, 0, 1.0, -2, 3])
    for solver in ("mm", "svd", "am"):
        model = KroneckerSBL(solver=solver).fit((A, A), np.outer(y, y).ravel())
        assert_allclose(model.coef_, 0, atol=1e-10)
        assert np.isfinite(model.noise_variance_)


def test_data_without_noise_are_fitted_with_a_warning():
    factors, y, truth = make_kronecker_sparse(snr=None, random_state=2)
    with pytest.warns(ConvergenceWarning, match="noise variance has reached its floor"):
        model = KroneckerSBL(solver="mm", max_iter=2000).fit(factors, y)
    assert KroneckerSBL.nmse(model.coef_, truth.coef) < 1e-9


# What is refused


@pytest.mark.parametrize(
    ("X", "y", "error", "match"),
    [
        (FACTORS, Y[:-1], ValueError, r"y has shape \(59,\), that is 59 values.* need 60 values"),
        (FACTORS, np.ones((4, 5, 2)), ValueError, r"40 values.* need 60 values"),
        (FACTORS, np.ones((60, 0)), ValueError, "0 values"),
        ((FACTORS[0], FACTORS[1][0]), Y, ValueError, r"factor 1 must be a matrix.*\(5,\)"),
        ((FACTORS[0], FACTORS[1][:0]), Y, ValueError, "factor 1 is empty"),
        ((FACTORS[0], FACTORS[1][:, :0]), Y, ValueError, "factor 1 is empty"),
        ((FACTORS[0], with_value(FACTORS[1], np.nan)), Y, ValueError, "factor 1 contains NaN"),
        ((with_value(FACTORS[0], -np.inf), FACTORS[1]), Y, ValueError, "factor 0 contains NaN or"),
        ((FACTORS[0], 0 * FACTORS[1]), Y, ValueError, "factor 1 is zero"),
        (FACTORS, with_value(Y, np.nan), ValueError, "missing measurements are not supported"),
        (FACTORS, with_value(Y, np.inf), ValueError, "y contains infinity"),
        (FACTORS, None, ValueError, "y to be passed"),
        (FACTORS, ["a"] * 60, ValueError, "y must hold numbers"),
        (list(FACTORS), Y, TypeError, "Pass a tuple"),
        ((sp.csr_array(FACTORS[0]), FACTORS[1]), Y, TypeError, "factor 0 is sparse"),
        (sp.csr_array(X_MATRIX), Y_MATRIX, TypeError, "Sparse data was passed"),
        (X_MATRIX + 0j, Y_MATRIX, ValueError, "Complex data not supported"),
        (X_MATRIX, Y_MATRIX + 1j, ValueError, "Complex data not supported"),
        (X_MATRIX[:1], Y_MATRIX[:1], ValueError, "1 sample"),
        (X_MATRIX[None], Y_MATRIX, ValueError, "dim 3"),
        (with_value(X_MATRIX, np.nan), Y_MATRIX, ValueError, "contains NaN"),
        (X_MATRIX, Y_MATRIX[:-1], ValueError, "inconsistent numbers of samples"),
    ],
)
def test_bad_data_are_named_and_leave_the_estimator_as_it_was(X, y, error, match):
    model = KroneckerSBL(n_init=2, random_state=0).fit(FACTORS, Y)
    before = dict(vars(model))
    with pytest.raises(error, match=match):
        model.fit(X, y)
    assert vars(model) == before


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"solver": "lasso"}, "solver"),
        ({"noise_variance": 0}, "noise_variance"),
        ({"noise_variance": -1.0}, "noise_variance"),
        ({"noise_variance": "guess"}, "noise_variance"),
        ({"prune": 1.0}, "prune"),
        ({"prune": -0.1}, "prune"),
        ({"prune": (0.1, 0.1)}, "prune must be one number, or one for each of the 3"),
        ({"prune": (0.1, 0.1, 1.0)}, r"prune must hold numbers in \[0, 1\)"),
        ({"init_scale": 0}, "init_scale"),
        ({"tol": -1}, "tol"),
        ({"max_iter": 0}, "max_iter"),
        ({"coupling": (0.5, None)}, "coupling must have an item for each of the 3 factors. Got 2"),
        ({"coupling": (-0.5, None, None)}, "coupling of factor 0 must not be negative"),
        ({"coupling": (None, np.eye(4), None)}, r"factor 1 must be a number or a matrix.*\(5, 5\)"),
        ({"coupling": (None, -np.eye(5), None)}, "factor 1 must be finite and not negative"),
        ({"coupling": (None, np.eye(5, k=1), None)}, "positive diagonal"),
        ({"coupling": (0.5, None, None), "solver": "svd"}, "solver='svd' has no coupling"),
        ({"coupling": (0.5, None, None), "solver": "mm"}, "solver='mm' has no coupling"),
        ({"coupling_solver": "lasso"}, "coupling_solver"),
        ({"solver": "decompose", "fit_intercept": True}, "has no intercept"),
        ({"factors": ()}, "'factors' is empty"),
        ({"factors": FACTORS[1:]}, "'factors' holds factors too"),
        ({"factors": [FACTORS[1]]}, "factors"),
    ],
)
def test_bad_parameters_are_named(parameters, match):
    with pytest.raises(ValueError, match=match):
        KroneckerSBL(**parameters).fit(FACTORS, Y)


def test_decompose_takes_one_snapshot():
    with pytest.raises(ValueError, match="takes one snapshot"):
        KroneckerSBL(solver="decompose").fit(FACTORS, np.column_stack([Y, Y]))


def test_decompose_has_no_evidence():
    model = KroneckerSBL(solver="decompose").fit(FACTORS, Y)
    with pytest.raises(ValueError, match="no evidence"):
        model.log_evidence()


def test_rows_beside_factors_need_their_shape():
    model = KroneckerSBL(FACTORS[1:], n_init=2, random_state=0)
    with pytest.raises(ValueError, match=r"need shape \(4, 15\)"):
        model.fit(FACTORS[0], Y)
    with pytest.raises(ValueError, match="need shape"):
        model.fit(FACTORS[0], Y.reshape(15, 4))


def test_too_many_numbers_are_a_memory_error(monkeypatch):
    monkeypatch.setattr(forms, "_LIMIT", 119)
    with pytest.raises(ValueError, match="120 coefficients"):
        KroneckerSBL(n_init=2, random_state=0).fit(FACTORS, Y)
    monkeypatch.setattr(forms, "_LIMIT", 149)
    with pytest.raises(ValueError, match="180 values"):
        KroneckerSBL(n_init=2, random_state=0).fit(FACTORS, np.ones((60, 3)))


def test_queries_have_the_form_of_the_fit():
    model = KroneckerSBL(n_init=2, random_state=0).fit(FACTORS, Y)
    with pytest.raises(ValueError, match="factor 1 has 4 columns, but 5 in fit"):
        model.predict((FACTORS[0], FACTORS[1][:, :4], FACTORS[2]))
    with pytest.raises(ValueError, match="2 factors, but 3 in fit"):
        model.predict(FACTORS[:2])
    with pytest.raises(ValueError, match="a tuple of 3 factors, as in fit"):
        model.predict(X_MATRIX)
    with pytest.raises(ValueError, match="snapshots"):
        model.score(FACTORS, np.column_stack([Y, Y]))
    matrix = KroneckerSBL().fit(X_MATRIX, Y_MATRIX)
    with pytest.raises(ValueError, match="a matrix, as in fit"):
        matrix.predict((X_MATRIX,))
    with pytest.raises(ValueError, match="features"):
        matrix.predict(X_MATRIX[:, :3])
    beside = KroneckerSBL(FACTORS[1:], n_init=2, random_state=0).fit(FACTORS[0], Y.reshape(4, 15))
    with pytest.raises(ValueError, match="features"):
        beside.predict(FACTORS[0][:, :3])
    beside.set_params(factors=(FACTORS[1], FACTORS[2][:, :3]))
    with pytest.raises(ValueError, match="factor 2 has 3 columns"):
        beside.predict(FACTORS[0])


def test_queries_need_a_fit():
    model = KroneckerSBL()
    for query in (
        lambda: model.predict(FACTORS),
        lambda: model.score(FACTORS, Y),
        lambda: model.posterior_variance(),
        lambda: model.sample_posterior(),
        lambda: model.log_evidence(),
        lambda: model.coef_tensor_,
    ):
        with pytest.raises(NotFittedError):
            query()


def test_a_fit_does_not_warn_without_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        KroneckerSBL(max_iter=2000, n_init=2, random_state=0).fit(FACTORS, Y)
        KroneckerSBL(max_iter=2000, n_init=2, random_state=0).fit(X_MATRIX, Y_MATRIX)
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        KroneckerSBL(max_iter=2).fit(FACTORS, Y)
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        KroneckerSBL(max_iter=2, solver="mm").fit(FACTORS, Y)
