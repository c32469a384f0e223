"""Autoregressions behind augmented covariances, and the choice of their order."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import solve_discrete_lyapunov

from skmatrix._backend import get_backend
from skmatrix.covariance import augmented_covariance, select_embedding, var_coefficients
from skmatrix.covariance._embedding_criteria import information_criteria
from tests.covariance import embedding_reference as reference

A = np.array([[[0.5, 0.3], [-0.2, 0.4]], [[-0.4, 0.1], [0.2, -0.3]]])
NOISE = np.array([[1.0, 0.3], [0.3, 0.5]])


def companion(coefficients):
    """Transition of the state ``(x(t), x(t - 1), ...)``."""
    order, n_channels = coefficients.shape[:2]
    matrix = np.eye(order * n_channels, k=-n_channels)
    matrix[:n_channels] = np.concatenate(coefficients, axis=1)
    return matrix


def true_lagged(coefficients, noise, n_lags):
    """``E x(t + k) x(t)^T`` of an autoregression."""
    transition, n_channels = companion(coefficients), noise.shape[0]
    source = np.zeros(transition.shape)
    source[:n_channels, :n_channels] = noise
    state = solve_discrete_lyapunov(transition, source)
    powers = [np.linalg.matrix_power(transition, k) @ state for k in range(n_lags)]
    return np.array([power[:n_channels, :n_channels] for power in powers])


def true_covariance(coefficients, noise, order):
    """Covariance of ``(x(t), ..., x(t + order - 1))``."""
    lagged = true_lagged(coefficients, noise, order)
    rows = [
        [lagged[i - j] if i >= j else lagged[j - i].T for j in range(order)] for i in range(order)
    ]
    return np.block(rows)


def pooled(X, order, lag=1):
    return augmented_covariance(X, order, lag, toeplitz=True).mean(axis=0)


def test_coefficients_of_the_true_covariance_are_exact():
    coefficients, innovation = var_coefficients(true_covariance(A, NOISE, 3), 2)
    assert_allclose(coefficients, A, atol=1e-12)
    assert_allclose(innovation, NOISE, atol=1e-12)


def test_a_larger_order_has_coefficients_of_zero():
    coefficients, innovation = var_coefficients(true_covariance(A, NOISE, 5), 4)
    assert_allclose(coefficients, [*A, 0 * A[0], 0 * A[0]], atol=1e-11)
    assert_allclose(innovation, NOISE, atol=1e-11)


def test_a_smaller_order_is_the_best_linear_predictor():
    G = true_covariance(A, NOISE, 2)
    (coefficient,), innovation = var_coefficients(G, 1)
    assert_allclose(coefficient, G[2:, :2] @ np.linalg.inv(G[:2, :2]), rtol=1e-12)
    assert_allclose(innovation, G[2:, 2:] - coefficient @ G[:2, 2:], rtol=1e-12)
    assert np.linalg.eigvalsh(innovation - NOISE).min() > 0


def test_coefficients_of_a_sample_are_least_squares():
    X = reference.autoregression(A, 1, 80)
    G = augmented_covariance(X, 3, 2, center=False)[0]
    coefficients, innovation = var_coefficients(G, 2)
    present, past = X[0, :, 4:], np.concatenate([X[0, :, 2:-2], X[0, :, :-4]])
    fitted = np.linalg.lstsq(past.T, present.T, rcond=None)[0].T
    assert_allclose(np.concatenate(coefficients, axis=1), fitted, rtol=1e-9)
    residual = present - fitted @ past
    assert_allclose(innovation, residual @ residual.T / residual.shape[1], rtol=1e-9)


def test_error_of_the_coefficients_falls_like_the_root_of_the_samples():
    errors = []
    for n_times in (400, 6400):
        X = reference.autoregression(A, 40, n_times)
        found = [var_coefficients(G, 2)[0] for G in augmented_covariance(X, 3, toeplitz=True)]
        errors.append(np.sqrt(np.mean((np.array(found) - A) ** 2)) * np.sqrt(n_times))
    # Asymptotically sqrt(sigma^2 [Gamma^-1]_jj), which is below 1 for every coefficient here.
    assert 0.5 < errors[1] < 1
    assert errors[0] == pytest.approx(errors[1], rel=0.1)


def test_the_toeplitz_form_gives_a_stable_autoregression():
    rng = np.random.default_rng(0)
    for order, lag, n_times in [(1, 1, 8), (3, 2, 18), (4, 1, 40), (2, 9, 28)]:
        X = np.cumsum(rng.standard_normal((1, 3, n_times)), axis=2)
        G = pooled(X, order + 1, lag) + 1e-9 * np.eye(3 * order + 3)
        radius = np.abs(np.linalg.eigvals(companion(var_coefficients(G, order)[0]))).max()
        assert radius < 1


def test_coefficients_are_at_multiples_of_the_lag():
    slow = np.zeros((6, 2, 2))
    slow[2], slow[5] = A
    X = reference.autoregression(slow, 10, 3000)
    coefficients, _ = var_coefficients(pooled(X, 3, lag=3), 2)
    assert_allclose(coefficients, A, atol=0.03)


def test_criteria_are_log_determinants_of_innovations():
    X = reference.autoregression(A, 5, 200)
    be, n_samples = get_backend("auto", X), 970
    G = pooled(X, 7)
    lagged = G[:, :2].reshape(7, 2, 2)
    criteria = information_criteria(be, lagged, n_samples)
    n = np.arange(7) * 4 / n_samples
    levels = criteria["aic"] - 2 * n
    assert_allclose(criteria["bic"], levels + np.log(n_samples) * n, rtol=1e-12)
    assert_allclose(criteria["hq"], levels + 2 * np.log(np.log(n_samples)) * n, rtol=1e-12)
    innovations = [G[:2, :2]]
    innovations += [var_coefficients(pooled(X, k + 1), k)[1] for k in range(1, 7)]
    # The ridge of 1e-9 is in the criteria.
    assert_allclose(levels, np.linalg.slogdet(innovations)[1], atol=1e-7)
    assert (np.diff(levels) < 0).all()


def test_samples_are_those_behind_the_largest_delay():
    X = reference.autoregression(A, 5, 100)
    curves = select_embedding(X, order="bic", lag=3, max_order=6).curves
    n_samples = 5 * (100 - 6 * 3)
    excess = (np.log(n_samples) - 2) * np.arange(7) * 4 / n_samples
    assert_allclose(curves["bic"] - curves["aic"], excess, atol=1e-12)


def test_criteria_of_the_true_covariance_are_flat_from_the_true_order_on():
    lagged = true_lagged(A, NOISE, 6)
    criteria = information_criteria(get_backend("auto", lagged), lagged, 10**9)
    levels = criteria["aic"] - 2 * np.arange(6) * 4 / 10**9
    assert_allclose(levels[2:], np.log(np.linalg.det(NOISE)), atol=1e-7)
    assert levels[1] - levels[2] > 0.1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("rule", ["bic", "hq"])
def test_order_of_an_autoregression_is_found(rule, seed):
    X = reference.autoregression(A, 10, 300, seed=seed)
    found = select_embedding(X, order=rule, lag=1)
    assert found.order == 2
    assert_array_equal(found.curves["orders"], np.arange(11))
    assert np.argmin(found.curves[rule]) == 2


def test_order_is_counted_in_lags():
    slow = np.zeros((6, 2, 2))
    slow[2], slow[5] = A
    X = reference.autoregression(slow, 10, 300)
    assert select_embedding(X, order="bic", lag=3).order == 2
    assert select_embedding(X, order="bic", lag=1).order == 6


def test_criteria_penalise_in_their_order():
    X = reference.autoregression(A, 2, 100)
    orders = [select_embedding(X, order=rule, lag=1).order for rule in ("bic", "hq", "aic")]
    assert orders == sorted(orders)
    noise = np.random.default_rng(0).standard_normal((4, 3, 200))
    assert select_embedding(noise, order="bic", lag=1).order == 1


def test_dependent_channels_leave_the_order_as_it_is():
    X = reference.autoregression(A, 10, 300)
    average = np.concatenate([X, -X.sum(axis=1, keepdims=True)], axis=1)
    assert select_embedding(average, order="bic", lag=1).order == 2
    twice = np.concatenate([X, X], axis=1)
    assert select_embedding(twice, order="bic", lag=1).order == 2


G = true_covariance(A, NOISE, 3)


@pytest.mark.parametrize(
    ("matrix", "order", "message"),
    [
        (G[:4], 2, r"G of shape \(4, 6\) cannot be cut into order \+ 1 = 3"),
        (G, 3, r"G of shape \(6, 6\) cannot be cut into order \+ 1 = 4 .* order=3"),
        (G + np.eye(6, k=1), 2, "G must be symmetric"),
        (np.ones((6, 6)), 2, "G is not positive definite"),
        (G * np.nan, 2, "Input G contains NaN"),
        (G[None], 2, "Found array with dim 3"),
        (G, 0, "The 'order' parameter of var_coefficients must be"),
        (G, 2.0, "The 'order' parameter of var_coefficients must be"),
    ],
)
def test_matrices_that_are_no_augmented_covariance(matrix, order, message):
    with pytest.raises(ValueError, match=message):
        var_coefficients(matrix, order)


def test_coefficients_leave_the_matrix_alone():
    kept = G.copy()
    var_coefficients(G, 2)
    assert_array_equal(G, kept)
