"""Scores of kernels against plain formulas, repetitions, scales and bad input."""

import os

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import linalg, sparse
from sklearn.base import config_context
from sklearn.datasets import load_iris
from sklearn.metrics.pairwise import rbf_kernel

from skmatrix.metrics import geometric_difference, kernel_alignment, kernel_concentration

X_IRIS, Y_IRIS = load_iris(return_X_y=True)
K_IRIS = rbf_kernel(X_IRIS, gamma=0.3)


def plain_alignment(K, y, weight):
    """Equation by equation, with the ideal kernel."""
    y = np.asarray(y)
    n_classes = np.unique(y).size
    Y = np.where(y[:, None] == y, 1.0, -1 / (n_classes - 1))
    share = weight / weight.sum()
    H = np.eye(len(y)) - np.outer(np.ones(len(y)), share)
    K, Y = H @ K @ H.T, H @ Y @ H.T
    W = np.outer(share, share)
    return np.sum(W * K * Y) / np.sqrt(np.sum(W * K * K) * np.sum(W * Y * Y))


class TestAlignment:
    @pytest.mark.parametrize("n_classes", [2, 3])
    @pytest.mark.parametrize("weighted", [False, True])
    def test_equals_the_plain_formula(self, n_classes, weighted):
        use = np.isin(Y_IRIS, range(n_classes))
        K, y = K_IRIS[np.ix_(use, use)], Y_IRIS[use]
        weight = np.random.default_rng(0).uniform(0.1, 3, y.size)
        if not weighted:
            weight = np.ones(y.size)
        found = kernel_alignment(K, y, sample_weight=weight if weighted else None)
        assert type(found) is float
        assert found == pytest.approx(plain_alignment(K, y, weight), rel=1e-12)

    def test_weights_are_repetitions(self):
        weight = np.random.default_rng(0).integers(0, 4, 150)
        rows = np.repeat(np.arange(150), weight)
        repeated = kernel_alignment(K_IRIS[np.ix_(rows, rows)], Y_IRIS[rows])
        weighted = kernel_alignment(K_IRIS, Y_IRIS, sample_weight=weight)
        assert weighted == pytest.approx(repeated, rel=1e-12)
        assert abs(weighted - kernel_alignment(K_IRIS, Y_IRIS)) > 1e-4

    def test_a_class_without_weight_is_as_if_it_were_not_there(self):
        use = Y_IRIS < 2
        expected = kernel_alignment(K_IRIS[np.ix_(use, use)], Y_IRIS[use])
        found = kernel_alignment(K_IRIS, Y_IRIS, sample_weight=use.astype(float))
        assert found == pytest.approx(expected, rel=1e-12)

    @pytest.mark.parametrize("scale", [1e-200, 1e-3, 1e3, 1e200])
    def test_scale_of_kernel_and_weights_does_not_matter(self, scale):
        expected = kernel_alignment(K_IRIS, Y_IRIS)
        assert kernel_alignment(scale * K_IRIS, Y_IRIS) == pytest.approx(expected, rel=1e-12)
        weighted = kernel_alignment(K_IRIS, Y_IRIS, sample_weight=np.full(150, scale))
        assert weighted == pytest.approx(expected, rel=1e-12)

    def test_constant_added_does_not_matter(self):
        expected = kernel_alignment(K_IRIS, Y_IRIS)
        assert kernel_alignment(K_IRIS + 10, Y_IRIS) == pytest.approx(expected, rel=1e-12)

    def test_names_and_order_of_classes_do_not_matter(self):
        order = np.random.default_rng(0).permutation(150)
        names = np.array(["c", "a", "b"])[Y_IRIS]
        found = kernel_alignment(K_IRIS[np.ix_(order, order)], names[order])
        assert found == pytest.approx(kernel_alignment(K_IRIS, Y_IRIS), rel=1e-12)

    @pytest.mark.parametrize("n_classes", [2, 3, 5])
    def test_ideal_kernel_has_one_and_its_negative_minus_one(self, n_classes):
        y = np.random.default_rng(0).integers(0, n_classes, 40)
        Y = np.where(y[:, None] == y, 1.0, -1 / (n_classes - 1))
        assert kernel_alignment(Y, y) == pytest.approx(1, rel=1e-12)
        assert kernel_alignment(1 - Y, y) == pytest.approx(-1, rel=1e-12)

    @pytest.mark.parametrize("value", [0.0, 1.0, 0.3, 1e200])
    def test_constant_kernel_has_zero(self, value):
        K = np.full((301, 301), value)
        y, weight = np.arange(301) % 3, np.linspace(0.1, 2, 301)
        assert kernel_alignment(K, y) == 0.0
        assert kernel_alignment(K, y, sample_weight=weight) == 0.0

    def test_nearly_constant_kernel_keeps_its_alignment(self):
        K = 1 - 1e-6 * (1 - K_IRIS)
        assert kernel_alignment(K, Y_IRIS) == pytest.approx(
            kernel_alignment(K_IRIS, Y_IRIS), rel=1e-8
        )

    def test_input_is_left_alone(self):
        K, weight = K_IRIS.copy(), np.ones(150)
        K.setflags(write=False)
        weight.setflags(write=False)
        kernel_alignment(K, Y_IRIS, sample_weight=weight)

    @pytest.mark.parametrize(
        ("y", "weight", "message"),
        [
            ([1, 1, 1], None, r"y must have at least two classes.*class"),
            ([1, 1, 2], [1.0, 1.0, 0.0], r"y must have at least two classes.*class"),
            ([0, 1], None, "inconsistent numbers of samples"),
            ([0.1, 0.5, 0.7], None, "continuous"),
            ([[0, 1], [1, 0], [1, 1]], None, r"y should be a 1d array"),
            ([0, 1, 1], [0.0, 0.0, 0.0], r"[Ss]ample weights.*zero"),
            ([0, 1, 1], [1.0, -1.0, 1.0], "[Nn]egative"),
            ([0, 1, 1], [1.0, 1.0], r"sample_weight\.shape"),
        ],
    )
    def test_bad_labels_and_weights_are_refused(self, y, weight, message):
        with pytest.raises(ValueError, match=message):
            kernel_alignment(np.eye(3), y, sample_weight=weight)


class TestGeometricDifference:
    def test_equals_the_plain_formula(self):
        K = rbf_kernel(X_IRIS[::3], gamma=1.0)
        other = rbf_kernel(X_IRIS[::3], gamma=0.2)
        reg, n = 1e-3, 50
        root = linalg.sqrtm(K * n / np.trace(K)).real
        inverse = np.linalg.inv(other * n / np.trace(other) + reg * np.eye(n))
        expected = np.sqrt(np.linalg.norm(root @ inverse @ root, 2))
        found = geometric_difference(K, other, reg=reg)
        assert type(found) is float
        assert found == pytest.approx(expected, rel=1e-8)

    def test_of_a_kernel_with_itself_is_one(self):
        assert geometric_difference(K_IRIS, K_IRIS) == pytest.approx(1, abs=1e-4)

    def test_of_diagonal_kernels_has_a_closed_form(self):
        """Of traces 2: diag(1, 1) against diag(1/2, 3/2)."""
        first, second = np.eye(2), np.diag([1.0, 3.0])
        assert geometric_difference(first, second) == pytest.approx(2**0.5, rel=1e-6)
        assert geometric_difference(second, first) == pytest.approx(1.5**0.5, rel=1e-6)

    def test_scale_does_not_matter(self):
        K, other = K_IRIS[::5, ::5], rbf_kernel(X_IRIS[::5], gamma=2.0)
        expected = geometric_difference(K, other, reg=1e-3)
        found = geometric_difference(1e5 * K, 1e-5 * other, reg=1e-3)
        assert found == pytest.approx(expected, rel=1e-8)

    def test_more_regularisation_makes_it_smaller(self):
        other = rbf_kernel(X_IRIS, gamma=2.0)
        values = [geometric_difference(other, K_IRIS, reg=reg) for reg in (1e-5, 1e-3, 1e-1)]
        assert values[0] > 1.1 * values[1] > 1.1**2 * values[2]

    def test_input_is_left_alone(self):
        K, other = np.eye(3), np.diag([1.0, 2.0, 3.0])
        for matrix in (K, other):
            matrix.setflags(write=False)
        geometric_difference(K, other)

    @pytest.mark.parametrize(
        ("quantum", "classical", "reg", "message"),
        [
            (np.eye(2), np.eye(3), 1e-7, r"same shape.*\(2, 2\) and \(3, 3\)"),
            (-np.eye(2), np.eye(2), 1e-7, "K_quantum must have a positive trace"),
            (np.eye(2), np.zeros((2, 2)), 1e-7, "K_classical must have a positive trace"),
            (np.eye(2), np.diag([3.0, -1.0]), 0.1, r"K_classical.*eigenvalue -1.*reg=0\.1"),
            (np.eye(2), np.eye(2), 0, "'reg' parameter"),
            (np.eye(2), np.eye(2), -1.0, "'reg' parameter"),
            ([[1.0, 0.0], [1.0, 1.0]], np.eye(2), 1e-7, "K_quantum must be symmetric"),
            (np.eye(2), [[1.0, 0.0], [1.0, 1.0]], 1e-7, "K_classical must be symmetric"),
        ],
    )
    def test_bad_input_is_refused(self, quantum, classical, reg, message):
        with pytest.raises(ValueError, match=message):
            geometric_difference(quantum, classical, reg=reg)


class TestConcentration:
    def test_equals_plain_statistics_off_the_diagonal(self):
        values = K_IRIS[~np.eye(150, dtype=bool)]
        found = kernel_concentration(K_IRIS)
        assert found.mean == pytest.approx(values.mean(), rel=1e-12)
        assert found.std == pytest.approx(values.std(), rel=1e-12)
        # Each pair once, so that neighbouring ranks are not the same pair.
        once = K_IRIS[np.tril_indices(150, k=-1)]
        assert list(found.quantiles) == [0.05, 0.25, 0.5, 0.75, 0.95]
        assert_allclose(list(found.quantiles.values()), np.quantile(once, list(found.quantiles)))

    def test_diagonal_does_not_count(self):
        K = K_IRIS + np.diag(np.full(150, 7.0))
        assert kernel_concentration(K) == kernel_concentration(K_IRIS)

    def test_states_of_many_qubits_gather(self):
        """Fidelities of random states have mean 2^-n and about that standard deviation."""
        rng = np.random.default_rng(0)
        for n_qubits in (3, 7):
            states = rng.standard_normal((2, 200, 2**n_qubits))
            states = states[0] + 1j * states[1]
            states /= np.linalg.norm(states, axis=1, keepdims=True)
            found = kernel_concentration(np.abs(states @ states.conj().T) ** 2)
            assert found.mean == pytest.approx(2.0**-n_qubits, rel=0.05)
            assert found.std == pytest.approx(2.0**-n_qubits, rel=0.2)

    def test_one_sample_is_refused(self):
        with pytest.raises(ValueError, match="K must be of at least two samples"):
            kernel_concentration([[1.0]])


SCORES = [
    lambda K: kernel_alignment(K, [0, 1, 1]),
    lambda K: geometric_difference(K, K),
    lambda K: kernel_concentration(K).std,
]
VALID = np.array([[1.0, 0.25, 0.5], [0.25, 1.0, 0.75], [0.5, 0.75, 1.0]])


@pytest.mark.parametrize("score", SCORES)
class TestKernelInput:
    @pytest.mark.parametrize(
        ("K", "error", "message"),
        [
            (np.ones((3, 2)), ValueError, r"K\w* must be square.*\(3, 2\)"),
            (np.ones(3), ValueError, "Expected 2D array"),
            (np.ones((3, 3, 3)), ValueError, "dim 3"),
            (VALID + np.triu(np.ones((3, 3)), 1), ValueError, r"K\w* must be symmetric"),
            (np.where(VALID == 0.5, np.nan, VALID), ValueError, r"K\w* contains NaN"),
            (np.where(VALID == 0.5, np.inf, VALID), ValueError, r"K\w* contains infinity"),
            (VALID * 1j, ValueError, "Complex data not supported"),
            (sparse.csr_array(VALID), TypeError, "[Ss]parse"),
            (np.empty((0, 0)), ValueError, "0 sample"),
        ],
    )
    def test_bad_kernels_are_refused(self, score, K, error, message):
        with pytest.raises(error, match=message):
            score(K)

    @pytest.mark.parametrize(
        "form",
        [
            lambda K: K.tolist(),
            lambda K: K.astype(np.float32),
            np.asfortranarray,
            lambda K: pytest.importorskip("pandas").DataFrame(K),
            lambda K: pytest.importorskip("torch").asarray(K),
            lambda K: _strict(K, "device1"),
        ],
    )
    def test_containers_give_the_same(self, score, form):
        assert score(form(VALID)) == pytest.approx(score(VALID), rel=1e-12)

    def test_rounding_of_single_precision_is_no_asymmetry(self, score):
        K = VALID.astype(np.float32)
        K[0, 1] *= 1 + 4 * np.finfo(np.float32).eps
        assert score(K) == pytest.approx(score(VALID), rel=1e-5)


def _strict(K, device):
    """The array in the strict namespace, on a device that the host cannot read."""
    xp = pytest.importorskip("array_api_strict")
    return xp.asarray(K, device=xp.Device(device))


@pytest.mark.parametrize("dispatch", [False, True])
def test_labels_and_weights_of_other_libraries(dispatch):
    if dispatch and not os.environ.get("SCIPY_ARRAY_API"):
        pytest.skip("SCIPY_ARRAY_API is not set")
    y, weight = np.array([0, 1, 1]), np.array([1.0, 2.0, 3.0])
    expected = kernel_alignment(VALID, y, sample_weight=weight)
    forms = [(VALID, _strict(y, "device1"), _strict(weight, "device1"))]
    torch = pytest.importorskip("torch")
    forms.append((torch.asarray(VALID), torch.asarray(y), torch.asarray(weight)))
    with config_context(array_api_dispatch=dispatch):
        for K, labels, weights in forms:
            found = kernel_alignment(K, labels, sample_weight=weights)
            assert found == pytest.approx(expected, rel=1e-12)
