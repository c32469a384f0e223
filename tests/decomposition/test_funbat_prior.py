"""Priors as state-space models: transitions against matrix exponentials."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import expm

from skmatrix.decomposition._funbat_prior import Prior, square_roots

KERNELS = ["matern12", "matern32", "matern52"]
# Drift, and density of the noise in units of the variance, for the rate lambda.
DYNAMICS = {
    "matern12": lambda lam: (np.array([[-lam]]), 2 * lam),
    "matern32": lambda lam: (np.array([[0, 1], [-(lam**2), -2 * lam]]), 4 * lam**3),
    "matern52": lambda lam: (
        np.array([[0, 1, 0], [0, 0, 1], [-(lam**3), -3 * lam**2, -3 * lam]]),
        16 / 3 * lam**5,
    ),
}


def van_loan(drift, density, gap):
    """Transition and covariance over a gap, from one exponential, or over long gaps from two."""
    s = drift.shape[0]
    if gap * np.abs(np.linalg.eigvals(drift)).max() > 2:
        # Growing and falling exponentials cancel.
        A, Q = van_loan(drift, density, gap / 2)
        return A @ A, A @ Q @ A.T + Q
    noise = np.zeros((s, s))
    noise[-1, -1] = density
    whole = expm(gap * np.block([[-drift, noise], [np.zeros((s, s)), drift.T]]))
    A = whole[s:, s:].T
    return A, A @ whole[:s, s:]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scaled", [1e-6, 1e-3, 0.1, 0.299, 0.301, 1.0, 5.0])
def test_transitions_are_matrix_exponentials(kernel, scaled):
    prior = Prior(kernel, 0.4, 1.7)
    drift, density = DYNAMICS[kernel](prior._rate)
    gap = scaled / prior._rate
    A, Q = prior.transitions(np.array([gap]))
    expected_A, expected_Q = van_loan(drift, 1.7 * density, gap)
    assert_allclose(A[0], expected_A, rtol=1e-9, atol=1e-11)
    assert_allclose(Q[0], expected_Q, rtol=1e-6)
    assert np.linalg.eigvalsh(Q[0])[0] >= -1e-15 * np.abs(Q[0]).max()


@pytest.mark.parametrize("kernel", KERNELS)
def test_stationary_covariance_does_not_change(kernel):
    prior = Prior(kernel, 0.4, 1.7)
    P = prior.stationary()
    A, Q = prior.transitions(np.array([0.0, 1e-3, 0.05, 0.3, 4.0]))
    for a, q in zip(A, Q, strict=True):
        assert_allclose(a @ P @ a.T + q, P, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kernel", [*KERNELS, "iid"])
def test_no_gap_changes_nothing(kernel):
    A, Q = Prior(kernel, 0.4, 1.7).transitions(np.zeros(1))
    assert_allclose(A[0], np.eye(A.shape[1]))
    assert_allclose(Q[0], 0, atol=1e-300)


@pytest.mark.parametrize("kernel", KERNELS)
def test_transitions_over_two_gaps_compose(kernel):
    prior = Prior(kernel, 0.4, 1.7)
    A, _ = prior.transitions(np.array([0.03, 0.11, 0.14]))
    assert_allclose(A[1] @ A[0], A[2], rtol=1e-12, atol=1e-12)


def test_unordered_coordinates_know_nothing_of_each_other():
    A, Q = Prior("iid", 0.4, 1.7).transitions(np.array([1e-9, 3.0]))
    assert_allclose(A, 0)
    assert_allclose(Q, 1.7)


def test_square_roots_of_singular_covariances():
    C = np.array([[[1.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]]])
    roots = square_roots(C)
    assert_allclose(roots @ np.swapaxes(roots, 1, 2), C, atol=1e-15)
