"""Augmented covariances against numpy.cov of stacked delays, and what must be invariant."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix._backend import get_backend
from skmatrix.covariance import _augmented_covariance_kernels as kernels
from skmatrix.covariance import augmented_covariance


def trials(n=4, n_channels=3, n_times=60, seed=0):
    return np.random.default_rng(seed).standard_normal((n, n_channels, n_times))


def embedded(trial, delays):
    """Rows of the delayed copies, over the samples that all have."""
    length = trial.shape[1] - delays[-1]
    return np.concatenate([trial[:, d : d + length] for d in delays])


def reference(X, delays, center=True):
    """The definition."""
    matrices = []
    for trial in X:
        Z = embedded(trial, delays)
        matrices.append(np.atleast_2d(np.cov(Z)) if center else Z @ Z.T / Z.shape[1])
    return np.array(matrices)


@settings(max_examples=80, deadline=None)
@given(
    n=st.integers(1, 3),
    n_channels=st.integers(1, 4),
    n_times=st.integers(4, 60),
    order=st.integers(1, 6),
    lag=st.integers(1, 20),
    offset=st.sampled_from([0.0, 1e4]),
    center=st.booleans(),
)
def test_equals_the_covariance_of_stacked_delays(
    n, n_channels, n_times, order, lag, offset, center
):
    n_times += (order - 1) * lag
    X = trials(n, n_channels, n_times) + offset
    ours = augmented_covariance(X, order, lag, center=center)
    expected = reference(X, tuple(range(0, order * lag, lag)), center)
    # Of second moments the offsets are a part, and their rounding is.
    assert_allclose(ours, expected, rtol=0, atol=1e-12 * np.abs(expected).max() + 1e-12)
    assert_array_equal(ours, np.swapaxes(ours, 1, 2))


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("delays", [(1,), (1, 2, 7), (3, 20, 40), (5, 10, 15)])
def test_given_delays(delays, center):
    X = trials()
    ours = augmented_covariance(X, len(delays) + 1, delays, center=center)
    assert_allclose(ours, reference(X, (0, *delays), center), atol=1e-13)


def test_windows_that_slide_equal_those_that_are_summed_anew():
    signal = trials(3, 2, 400)
    delays = tuple(range(0, 40, 4))
    length = 400 - delays[-1]
    even = kernels._even_sums(np, signal, delays, length)
    plain = kernels._plain_sums(np, signal, delays, length)
    assert even.keys() == plain.keys()
    for place, block in even.items():
        assert_allclose(block, plain[place], atol=1e-11)
    # Where the ends are as long as the windows, nothing is gained.
    assert kernels._even_sums(np, signal, (0, 150), 250) is None
    assert kernels._even_sums(np, signal, (0, 1, 3), 397) is None


def test_the_authors_drop_one_lag_more():
    X, order, lag = trials(), 3, 5
    theirs = []
    for trial in X:
        stop = trial.shape[1] - order * lag
        theirs.append(
            np.cov(np.concatenate([trial[:, i * lag : i * lag + stop] for i in range(3)]))
        )
    assert_allclose(augmented_covariance(X[..., :-lag], order, lag), theirs, atol=1e-13)


class TestToeplitz:
    @settings(max_examples=40, deadline=None)
    @given(
        n_channels=st.integers(1, 3),
        n_times=st.integers(2, 40),
        order=st.integers(1, 6),
        lag=st.integers(1, 9),
    )
    def test_is_block_toeplitz_and_positive(self, n_channels, n_times, order, lag):
        if (order - 1) * lag > n_times - 2:
            return
        X = trials(2, n_channels, n_times)
        G = augmented_covariance(X, order, lag, toeplitz=True)
        blocks = G.reshape(2, order, n_channels, order, n_channels).swapaxes(2, 3)
        for i in range(order):
            for j in range(order):
                first = blocks[:, i - min(i, j), j - min(i, j)]
                assert_array_equal(blocks[:, i, j], first)
        largest = np.abs(G).max()
        assert np.linalg.eigvalsh(G).min() > -1e-13 * largest

    def test_equals_the_definition(self):
        X = trials(2, 3, 50)
        centred = X - X.mean(axis=2, keepdims=True)
        G = augmented_covariance(X, 3, 4, toeplitz=True)
        for k in range(3):
            gamma = np.zeros((2, 3, 3))
            for t in range(50 - 4 * k):
                gamma += centred[:, :, t + 4 * k, None] * centred[:, None, :, t] / 50
            assert_allclose(G[:, 3 * k : 3 * k + 3, :3], gamma, atol=1e-14)

    def test_tends_to_the_other_form_as_trials_grow(self):
        gaps = []
        for n_times in (1000, 4000, 16_000):
            X = trials(20, 2, n_times)
            gap = augmented_covariance(X, 3, 2, toeplitz=True) - augmented_covariance(X, 3, 2)
            gaps.append(np.sqrt(np.mean(gap**2)))
        rate = np.polyfit(np.log([1000, 4000, 16_000]), np.log(gaps), 1)[0]
        assert rate == pytest.approx(-1, abs=0.15)

    def test_white_noise_has_blocks_on_the_diagonal_alone(self):
        G = augmented_covariance(trials(50, 2, 4000), 3, 1, toeplitz=True).mean(axis=0)
        assert_allclose(G, np.eye(6), atol=0.02)

    def test_keeps_the_mean_if_asked_to(self):
        X = trials(2, 2, 50) + 3
        G = augmented_covariance(X, 2, 1, toeplitz=True, center=False)
        assert_allclose(G[:, :2, :2], X @ X.swapaxes(1, 2) / 50, rtol=1e-12)


class TestInvariance:
    def test_channels_in_another_order_permute_the_blocks(self):
        X, order = trials(), [2, 0, 1]
        rows = np.concatenate([np.array(order) + 3 * i for i in range(4)])
        G = augmented_covariance(X, 4, 2)
        assert_allclose(augmented_covariance(X[:, order], 4, 2), G[:, rows][:, :, rows], atol=1e-13)

    @pytest.mark.parametrize("toeplitz", [False, True])
    def test_mixed_channels_are_a_congruence(self, toeplitz):
        X, W = trials(), np.random.default_rng(1).standard_normal((3, 3))
        mixing = np.kron(np.eye(4), W)
        G = augmented_covariance(X, 4, 2, toeplitz=toeplitz)
        mixed = augmented_covariance(W @ X, 4, 2, toeplitz=toeplitz)
        assert_allclose(mixed, mixing @ G @ mixing.T, atol=1e-12)

    def test_time_that_runs_backwards_reverses_the_blocks(self):
        X = trials()
        flip = np.kron(np.eye(4)[::-1], np.eye(3))
        G = augmented_covariance(X, 4, 3)
        assert_allclose(augmented_covariance(X[..., ::-1], 4, 3), flip @ G @ flip, atol=1e-13)

    @pytest.mark.parametrize("scale", [1e-13, 1e100])
    def test_scale(self, scale):
        X = trials()
        G = augmented_covariance(X, 3, 2)
        assert_allclose(augmented_covariance(scale * X, 3, 2) / scale**2, G, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("reg", [0.0, 1e-6, 0.5])
def test_ridge_is_a_share_of_the_mean_eigenvalue(reg):
    G = augmented_covariance(trials(), 2, 3)
    be = get_backend("numpy", G)
    mean = np.trace(G, axis1=1, axis2=2) / 6
    expected = G + reg * mean[:, None, None] * np.eye(6)
    assert_allclose(kernels.add_ridge(be, G, reg=reg), expected, rtol=1e-14)
