"""Noise, shots, mitigation and repair of kernels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix.svm._quantum_measurement import (
    depolarise,
    kernel_concentrated,
    mitigate,
    repair,
    sample_shots,
)

REPAIRS = ["auto", "clip", "shift", "flip", "nearest"]


def fidelities(n, n_qubits, seed=0, m=None):
    """Exact fidelities of random states: of n with themselves, or with m others."""
    rng = np.random.default_rng(seed)
    states = rng.standard_normal((n + (m or 0), 2, 2**n_qubits))
    states = states[:, 0] + 1j * states[:, 1]
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    left, right = states[:n], states[:n] if m is None else states[n:]
    K = np.abs(left @ right.conj().T) ** 2
    if m is None:
        K = (K + K.T) / 2
        np.fill_diagonal(K, 1.0)
    return K


def measured(n, n_qubits=2, shots=50, seed=0):
    """A kernel with negative eigenvalues by shots."""
    K = sample_shots(
        fidelities(n, n_qubits, seed),
        shots,
        np.random.RandomState(seed),
        symmetric=True,
        exact_diagonal=True,
    )
    assert np.linalg.eigvalsh(K)[0] < -1e-3
    return K


class TestDepolarise:
    def test_equals_fidelity_of_mixed_states(self):
        """Trace of the product of (1 - p) |v><v| + p I / 2^n."""
        p, n_qubits = 0.3, 2
        rng = np.random.default_rng(0)
        v = rng.standard_normal((2, 5, 4))
        v = v[0] + 1j * v[1]
        v /= np.linalg.norm(v, axis=1, keepdims=True)
        rho = (1 - p) * v[:, :, None] * v[:, None, :].conj() + p * np.eye(4) / 4
        expected = np.einsum("iab,jba->ij", rho, rho).real
        K = np.abs(v @ v.conj().T) ** 2
        assert_allclose(depolarise(K, p, n_qubits), expected, rtol=0, atol=1e-14)

    def test_without_noise_nothing_changes(self):
        K = fidelities(6, 2)
        assert_array_equal(depolarise(K, 0.0, 2), K)
        assert_array_equal(np.diag(depolarise(K, 0.0, 2)), 1.0)

    def test_input_is_left_alone(self):
        K = fidelities(6, 2)
        before = K.copy()
        depolarise(K, 0.4, 2)
        assert_array_equal(K, before)

    def test_any_number_of_qubits(self):
        """Qubits that are not entangled may be more than a float can count the states of."""
        assert_allclose(depolarise(np.eye(2), 0.5, 2000), 0.25 * np.eye(2))


class TestShots:
    def test_mean_and_variance_are_binomial(self):
        shots, repeats = 40, 4000
        K = fidelities(5, 1, seed=3)
        rng = np.random.RandomState(0)
        rows, columns = np.triu_indices(5, k=1)
        drawn = np.array(
            [
                sample_shots(K, shots, rng, symmetric=True, exact_diagonal=True)[rows, columns]
                for _ in range(repeats)
            ]
        )
        p = K[rows, columns]
        variance = p * (1 - p) / shots
        assert np.all(np.abs(drawn.mean(axis=0) - p) < 4 * np.sqrt(variance / repeats))
        fourth = variance**2 * (3 + (1 - 6 * p * (1 - p)) / (shots * p * (1 - p)))
        error = np.sqrt((fourth - variance**2) / repeats)
        assert np.all(np.abs(drawn.var(axis=0) - variance) < 4 * error)

    def test_pairs_are_independent(self):
        rng = np.random.RandomState(0)
        K = np.full((3, 3), 0.5)
        drawn = np.array(
            [sample_shots(K, 10, rng, symmetric=True)[np.triu_indices(3)] for _ in range(4000)]
        )
        correlation = np.corrcoef(drawn.T) - np.eye(6)
        assert np.abs(correlation).max() < 4 / np.sqrt(4000)

    @pytest.mark.parametrize("exact_diagonal", [True, False])
    def test_symmetric_matrix_is_measured_once_per_pair(self, exact_diagonal):
        K = depolarise(fidelities(30, 2), 0.2, 2)
        drawn = sample_shots(
            K, 32, np.random.RandomState(0), symmetric=True, exact_diagonal=exact_diagonal
        )
        assert_array_equal(drawn, drawn.T)
        assert_array_equal(drawn * 32, np.round(drawn * 32))
        assert np.all(np.diag(drawn) == 1) == exact_diagonal
        assert drawn.min() >= 0
        assert drawn.max() <= 1

    def test_rectangular_matrix_is_measured_entry_by_entry(self):
        drawn = sample_shots(
            np.full((4, 400), 0.25), 100, np.random.RandomState(0), symmetric=False
        )
        assert drawn.shape == (4, 400)
        assert abs(drawn.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 100 / 1600)
        assert not np.array_equal(drawn[0], drawn[1])

    @pytest.mark.parametrize("symmetric", [True, False])
    def test_seed_decides(self, symmetric):
        K = fidelities(20, 2)
        drawn = [
            sample_shots(K, 30, np.random.RandomState(seed), symmetric=symmetric)
            for seed in (0, 0, 1)
        ]
        assert_array_equal(drawn[0], drawn[1])
        assert not np.array_equal(drawn[0], drawn[2])

    @pytest.mark.parametrize("symmetric", [True, False])
    def test_rounding_outside_of_probabilities_is_clipped(self, symmetric):
        K = np.array([[1 + 1e-15, -1e-17], [-1e-17, 1 + 1e-15]])
        drawn = sample_shots(K, 10, np.random.RandomState(0), symmetric=symmetric)
        assert_array_equal(drawn, np.eye(2))
        assert K[0, 0] > 1

    def test_no_queries(self):
        empty = sample_shots(np.empty((0, 3)), 10, np.random.RandomState(0), symmetric=False)
        assert empty.shape == (0, 3)


class TestMitigation:
    @pytest.mark.parametrize("how", ["average", "split"])
    @pytest.mark.parametrize("noise", [0.0, 0.1, 0.6])
    @pytest.mark.parametrize("n_qubits", [1, 3])
    def test_noise_is_undone_exactly(self, how, noise, n_qubits):
        K = fidelities(8, n_qubits)
        noisy = depolarise(K, noise, n_qubits)
        diagonal = np.diag(noisy)
        mitigated = mitigate(noisy, how, n_qubits, diagonal, diagonal)
        assert_allclose(mitigated, K, rtol=0, atol=1e-10)
        assert_array_equal(mitigated, mitigated.T)
        queries = fidelities(5, n_qubits, m=8)
        noisy = depolarise(queries, noise, n_qubits)
        own = np.full(5, diagonal[0])
        mitigated = mitigate(noisy, how, n_qubits, own, diagonal, diagonal)
        assert_allclose(mitigated, queries, rtol=0, atol=1e-10)

    def test_split_undoes_noise_of_each_sample(self):
        """Every state keeps a share of its own, which one factor for all cannot undo."""
        n_qubits, kept = 2, np.linspace(0.5, 0.95, 9)
        K = fidelities(9, n_qubits)
        share = np.outer(kept, kept)
        noisy = share * K + (1 - share) / 4
        diagonal = np.diag(noisy)
        split = mitigate(noisy, "split", n_qubits, diagonal, diagonal)
        assert_allclose(split, K, rtol=0, atol=1e-12)
        rows = slice(0, 4)
        some = mitigate(noisy[rows], "split", n_qubits, diagonal[rows], diagonal, diagonal)
        assert_allclose(some, K[rows], rtol=0, atol=1e-12)
        average = mitigate(noisy, "average", n_qubits, diagonal, diagonal)
        assert np.abs(average - K).max() > 0.01

    def test_average_is_of_the_training_samples(self):
        """Neither the queries nor the samples that have a column decide."""
        train = np.array([0.9, 0.8, 0.7, 0.6])
        K = np.full((2, 2), 0.5)
        factor = (0.75 - 0.25) / 0.75
        expected = (0.5 - 0.25 * (1 - factor)) / factor
        found = mitigate(K, "average", 2, np.array([0.3, 0.3]), train[:2], train)
        assert_allclose(found, expected)

    @pytest.mark.parametrize("how", ["average", "split"])
    def test_nothing_left_of_the_states_is_refused(self, how):
        diagonal = np.full(3, 0.25)
        with pytest.raises(ValueError, match=rf"mitigate='{how}'.*0\.25.*noise.*shots"):
            mitigate(np.full((3, 3), 0.25), how, 2, diagonal, diagonal)

    def test_a_lost_sample_takes_the_mean_of_the_training_samples(self):
        diagonal = np.array([0.9, 0.9, 0.2])
        K = np.full((3, 3), 0.3)
        with pytest.warns(UserWarning, match=r"states of 1 of 3 samples.*mitigate='average'"):
            found = mitigate(K, "split", 2, diagonal, diagonal)
        mean = (diagonal.mean() - 0.25) / 0.75
        kept = np.sqrt(mean * (0.9 - 0.25) / 0.75)
        assert found[0, 2] == found[2, 0] == pytest.approx((0.3 - 0.25 * (1 - kept)) / kept)
        assert np.all(np.isfinite(mitigate(K, "average", 2, diagonal, diagonal)))


class TestRepair:
    @pytest.mark.parametrize("n", [20, 50, 200])
    @pytest.mark.parametrize("how", REPAIRS)
    def test_repaired_matrix_is_positive_and_symmetric(self, how, n):
        K = measured(n)
        before = K.copy()
        repaired = repair(K, how, measured=True)
        assert_array_equal(repaired.matrix, repaired.matrix.T)
        assert np.linalg.eigvalsh(repaired.matrix)[0] >= -1e-12
        assert repaired.n_negative == np.sum(np.linalg.eigvalsh(K) < -1e-9)
        assert_array_equal(K, before)

    def test_clip_is_the_nearest_positive_matrix(self):
        K = measured(40)
        w, V = np.linalg.eigh(K)
        clipped = repair(K, "clip", measured=True).matrix
        assert_allclose(clipped, (V * np.maximum(w, 0)) @ V.T, rtol=0, atol=1e-12)
        assert_allclose(
            np.linalg.norm(clipped - K), np.sqrt(np.sum(np.minimum(w, 0) ** 2)), rtol=1e-10
        )
        assert_array_equal(repair(K, "auto", measured=True).matrix, clipped)

    def test_shift_adds_what_the_smallest_lacks(self):
        K = measured(40)
        lowest = np.linalg.eigvalsh(K)[0]
        shifted = repair(K, "shift", measured=True)
        assert shifted.shift == pytest.approx(-lowest, rel=1e-10)
        assert_allclose(shifted.matrix, K - lowest * np.eye(40), rtol=0, atol=1e-12)
        assert not shifted.needs_all_rows

    def test_flip_takes_absolute_values(self):
        K = measured(40)
        w, V = np.linalg.eigh(K)
        flipped = repair(K, "flip", measured=True)
        assert_allclose(flipped.matrix, (V * np.abs(w)) @ V.T, rtol=0, atol=1e-12)
        assert flipped.shift == 0

    @pytest.mark.parametrize("how", ["clip", "flip"])
    def test_queries_go_through_the_same_eigenvectors(self, how):
        K = measured(40)
        w, V = np.linalg.eigh(K)
        repaired = repair(K, how, measured=True)
        assert repaired.needs_all_rows
        assert_allclose(repaired.project(K), repaired.matrix, rtol=0, atol=1e-12)
        queries = np.random.default_rng(0).random((7, 40))
        factor = (w > 0) if how == "clip" else np.sign(w)
        expected = queries @ (V * factor) @ V.T
        assert_allclose(repaired.project(queries), expected, rtol=0, atol=1e-12)

    @pytest.mark.parametrize("how", ["shift", "nearest", None])
    def test_queries_stay_with_other_repairs(self, how):
        repaired = repair(measured(20), how, measured=True)
        queries = np.random.default_rng(0).random((7, 20))
        assert not repaired.needs_all_rows
        assert repaired.project(queries) is queries

    def test_nearest_is_that_of_the_literature(self):
        """Higham (2002), and the closed form of its two numbers to more digits."""
        K = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
        nearest = repair(K, "nearest", measured=True).matrix
        expected = [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]
        assert_allclose(nearest, expected, rtol=0, atol=1e-4)
        # With (a, 2a^2 - 1) it is singular, and 2 (a - 1)^2 + (2a^2 - 1)^2 is stationary.
        root = np.roots([16, 0, -4, -4])
        a = root[np.isreal(root)].real[0]
        assert_allclose(nearest[0, 1:], [a, 2 * a**2 - 1], rtol=0, atol=1e-8)

    def test_nearest_has_unit_diagonal_and_is_nearer_than_scaled_clip(self):
        K = measured(40)
        nearest = repair(K, "nearest", measured=True).matrix
        clipped = repair(K, "clip", measured=True).matrix
        root = np.sqrt(np.diag(clipped))
        scaled = clipped / np.outer(root, root)
        assert_array_equal(np.diag(nearest), 1.0)
        assert np.linalg.norm(nearest - K) < np.linalg.norm(scaled - K)

    def test_nearest_has_unit_diagonal_without_negative_eigenvalues(self):
        K = depolarise(fidelities(10, 2), 0.2, 2)
        nearest = repair(K, "nearest", measured=True).matrix
        assert_array_equal(np.diag(nearest), 1.0)
        off = ~np.eye(10, dtype=bool)
        assert_allclose(nearest[off], K[off], rtol=0, atol=1e-12)

    def test_auto_leaves_exact_kernels_alone(self):
        K = measured(20)
        for how in ("auto", None):
            repaired = repair(K, how, measured=False)
            assert repaired.matrix is K
            assert (repaired.n_negative, repaired.shift) == (0, 0.0)
            assert not repaired.needs_all_rows

    @pytest.mark.parametrize("how", REPAIRS)
    def test_positive_matrices_stay(self, how):
        """Of rank below their size, so that rounding makes some eigenvalues negative."""
        K = fidelities(60, 2)
        assert np.linalg.eigvalsh(K)[0] < 0
        repaired = repair(K, how, measured=True)
        assert_allclose(repaired.matrix, K, rtol=0, atol=1e-12)
        assert repaired.n_negative == 0
        assert repaired.shift < 1e-12
        assert not repaired.needs_all_rows

    @pytest.mark.parametrize("how", [*REPAIRS, None])
    def test_one_sample(self, how):
        assert_array_equal(repair(np.ones((1, 1)), how, measured=True).matrix, [[1.0]])


class TestConcentration:
    def test_spread_kernels_pass(self):
        assert kernel_concentrated(fidelities(20, 1), None) is None
        assert kernel_concentrated(fidelities(20, 1), 1000) is None

    def test_small_spread_is_told(self):
        K = np.full((5, 5), 0.2) + 0.8 * np.eye(5)
        K[0, 1] = K[1, 0] = 0.201
        assert "standard deviation of 0.0003" in kernel_concentrated(K, None)
        K[0, 1] = K[1, 0] = 0.21
        assert kernel_concentrated(K, None) is None

    @pytest.mark.parametrize("shots", [10, 100, 1000])
    def test_nothing_but_shot_noise_is_told(self, shots):
        constant = np.full((60, 60), 0.2)
        K = sample_shots(
            constant, shots, np.random.RandomState(0), symmetric=True, exact_diagonal=True
        )
        assert f"noise of shots={shots}. Raise shots" in kernel_concentrated(K, shots)
        assert "bandwidth" in kernel_concentrated(K, shots)
        assert kernel_concentrated(K, None) is None

    def test_entries_near_zero_are_told(self):
        K = np.eye(30) + 0.008 * fidelities(30, 1)
        assert "Lower bandwidth, or take fewer qubits" in kernel_concentrated(K, None)
        assert kernel_concentrated(10 * K, None) is None

    def test_entries_near_one_are_told(self):
        assert kernel_concentrated(np.full((5, 5), 0.9999), None).endswith("Raise bandwidth.")

    @pytest.mark.parametrize("n", [1, 2])
    def test_too_few_pairs_tell_nothing(self, n):
        assert kernel_concentrated(np.ones((n, n)), 10) is None
