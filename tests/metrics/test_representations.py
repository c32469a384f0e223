"""Alignment of representations against matrices over pairs of samples, and its invariances."""

import os

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import ortho_group
from sklearn.base import config_context

from skmatrix.metrics import _representations, kernel_alignment, linear_cka


def representations(n=40, p=6, q=4, seed=0):
    """Two representations of the same samples that share some of what they say."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n, p)) * np.arange(1, p + 1) + 3
    return A, np.tanh(A[:, :q]) + 0.3 * rng.standard_normal((n, q))


def hsic(K, L):
    """Hilbert-Schmidt independence criterion of two kernels, by its definition."""
    n = len(K)
    H = np.eye(n) - 1 / n
    return np.trace(K @ H @ L @ H) / (n - 1) ** 2


@pytest.mark.parametrize(("n", "p", "q"), [(40, 6, 4), (15, 30, 50), (2, 1, 3), (90, 1, 1)])
def test_equals_the_definition(n, p, q):
    A, _ = representations(n, p, 1)
    B = A[:, :1] + np.random.default_rng(1).standard_normal((n, q))
    K, L = A @ A.T, B @ B.T
    expected = hsic(K, L) / np.sqrt(hsic(K, K) * hsic(L, L))
    found = linear_cka(A, B)
    assert type(found) is float
    assert found == pytest.approx(expected, rel=1e-12)
    assert linear_cka(B, A) == pytest.approx(found, rel=1e-14)


def test_pieces_of_columns(monkeypatch):
    A, B = representations(15, 30, 20)
    expected = linear_cka(A, B)
    monkeypatch.setattr(_representations, "_CELLS", 70)
    assert linear_cka(A, B) == pytest.approx(expected, rel=1e-13)


def test_one_feature_has_the_squared_correlation():
    A, B = representations(50, 1, 1)
    expected = np.corrcoef(A[:, 0], B[:, 0])[0, 1] ** 2
    assert linear_cka(A, B) == pytest.approx(expected, rel=1e-12)


def test_with_indicators_it_is_the_alignment_with_classes():
    A, _ = representations(60)
    y = np.arange(60) % 3
    expected = kernel_alignment(A @ A.T, y)
    assert linear_cka(A, np.eye(3)[y]) == pytest.approx(expected, rel=1e-12)


def test_same_up_to_rotation_scale_and_shift_is_one():
    A, _ = representations()
    Q = ortho_group.rvs(6, random_state=0)
    for other in (A, A @ Q, -3 * A, A @ Q / 7 + np.arange(6), np.c_[A, np.ones(40)], A[:, ::-1]):
        assert linear_cka(A, other) == pytest.approx(1, abs=1e-14)
        assert linear_cka(A, other) <= 1


def test_other_invertible_maps_count():
    A, _ = representations()
    assert linear_cka(A, A * [1, 5, 1, 1, 1, 1]) < 0.9


@pytest.mark.parametrize("scale", [1e-250, 1e-3, 1e3, 1e250])
def test_scale_rotation_and_shift_do_not_matter(scale):
    A, B = representations()
    expected = linear_cka(A, B)
    assert linear_cka(scale * A, B) == pytest.approx(expected, rel=1e-12)
    assert linear_cka(A @ ortho_group.rvs(6, random_state=1), scale * B) == pytest.approx(
        expected, rel=1e-12
    )
    assert linear_cka(A + 1e6, B) == pytest.approx(expected, rel=1e-8)
    order = np.random.default_rng(0).permutation(40)
    assert linear_cka(A[order], B[order]) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_range(seed):
    A, B = (np.random.default_rng([seed, k]).standard_cauchy((8, 5)) for k in range(2))
    assert 0 <= linear_cka(A, B) <= 1


def test_uncorrelated_features_have_zero():
    A = np.repeat([[1.0], [-1.0]], 2, axis=0)
    B = np.tile([[1.0], [-1.0]], (2, 1))
    assert linear_cka(A, B) == 0


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e300])
def test_constant_features_are_refused(value):
    A, _ = representations(301)
    constant = np.tile(value * np.array([1.0, 0.3]), (301, 1))
    with pytest.raises(ValueError, match="B must differ between samples"):
        linear_cka(A, constant)
    with pytest.raises(ValueError, match="A must differ between samples"):
        linear_cka(constant, A)


def test_bad_input():
    A, B = representations()
    for message, bad in [
        ("inconsistent numbers of samples", B[1:]),
        ("Input B contains NaN", np.where(B > 1, np.nan, B)),
        ("Expected 2D array", B[:, 0]),
        ("minimum of 2 is required", B[:1]),
    ]:
        with pytest.raises(ValueError, match=message):
            linear_cka(A, bad)


def test_input_is_left_alone_and_lists_will_do():
    A, B = representations()
    before = A.copy()
    expected = linear_cka(A, B)
    assert_array_equal(A, before)
    A.setflags(write=False)
    assert linear_cka(A, B) == linear_cka(A.tolist(), B) == expected
    single = linear_cka(A.astype(np.float32), B)
    assert single == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("dispatch", [False, True])
def test_arrays_of_other_libraries(xp_device, dispatch):
    if dispatch and not os.environ.get("SCIPY_ARRAY_API"):
        pytest.skip("SCIPY_ARRAY_API is not set")
    xp, device = xp_device
    A, B = representations()
    there = [xp.asarray(a, device=device) for a in (A, B)]
    with config_context(array_api_dispatch=dispatch):
        assert linear_cka(*there) == pytest.approx(linear_cka(A, B), rel=1e-13)
