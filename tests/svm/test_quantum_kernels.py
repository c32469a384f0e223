"""Kernels of states: closed forms, invariances, and tiles."""

import tracemalloc
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix._backend import get_backend
from skmatrix.svm._quantum_encoding import make_encoding
from skmatrix.svm._quantum_kernel_matrix import QuantumKernel, fidelity_matrix
from skmatrix.svm._quantum_kernels import (
    bloch_vectors,
    bloch_vectors_of_qubits,
    parities,
    pauli_expectations,
    walsh_hadamard,
)
from tests.svm.quantum_reference import PAULI, as_complex, dense_states, on_qubits

HOST = get_backend("numba", np.empty(0))


def data(n_features, n_samples=9, seed=0):
    """Samples."""
    return np.random.default_rng(seed).uniform(0, 2 * np.pi, (n_samples, n_features))


def states(n_features, **options):
    """States of some samples."""
    return make_encoding(n_features, **options).states(HOST, data(n_features))


def kernel(X, Z=None, bandwidth=1.0, max_memory=1024, dtype="complex128", **options):
    """Fidelities."""
    encoding = make_encoding(X.shape[1], **options)
    return QuantumKernel(encoding, bandwidth, dtype, max_memory).fidelity(HOST, X, Z)


@pytest.mark.parametrize("n_qubits", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("reps", [1, 2, 3])
@pytest.mark.parametrize("entanglement", ["full", "linear", "circular", "pairwise"])
def test_kernel_equals_that_of_gate_matrices(n_qubits, reps, entanglement):
    encoding = make_encoding(n_qubits, reps=reps, entanglement=entanglement)
    X = data(n_qubits)
    dense = dense_states(encoding, X)
    expected = np.abs(dense.conj() @ dense.T) ** 2
    K = QuantumKernel(encoding, 1.0, "complex128", 1024).fidelity(HOST, X)
    assert_allclose(K, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_features", [1, 3, 40])
def test_z_kernel_of_one_repetition_is_a_product_of_cosines(n_features):
    X, Z, c = data(n_features), data(n_features, 5, seed=1), 0.7
    d = c * (X[:, None] - Z)
    K = kernel(X, Z, c, feature_map="z", reps=1, n_qubits=n_features)
    assert_allclose(K, np.prod(np.cos(d) ** 2, axis=2), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("n_features", [1, 3, 40])
def test_z_kernel_of_two_repetitions_has_its_closed_form(n_features):
    X, Z, c = data(n_features), data(n_features, 5, seed=1), 0.7
    d, e = c * (X[:, None] - Z), c * (X[:, None] + Z)
    terms = np.cos(d) ** 4 + np.cos(e) ** 2 * np.sin(d) ** 2
    K = kernel(X, Z, c, feature_map="z", reps=2, n_qubits=n_features)
    assert_allclose(K, np.prod(terms, axis=2), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("reps", [1, 2, 3])
@pytest.mark.parametrize("n_qubits", [2, 4, 5])
def test_z_kernel_by_qubits_equals_that_of_whole_states(reps, n_qubits):
    encoding = make_encoding(5, feature_map="z", reps=reps, n_qubits=n_qubits)
    apart = QuantumKernel(encoding, 0.9, "complex128", 1024)
    X, Z = data(5), data(5, 4, seed=1)
    assert apart.encoding.separable
    assert not apart.joint().encoding.separable
    assert_allclose(
        apart.fidelity(HOST, X, Z), apart.joint().fidelity(HOST, X, Z), rtol=0, atol=1e-14
    )
    assert_allclose(apart.bloch(HOST, X), apart.joint().bloch(HOST, X), rtol=0, atol=1e-14)


@pytest.mark.parametrize("options", [{}, {"feature_map": "z"}, {"data_map": "product", "reps": 3}])
def test_kernel_is_symmetric_bounded_and_positive(options):
    K = kernel(data(4, 300), **options)
    assert_array_equal(K, K.T)
    assert_array_equal(np.diag(K), 1.0)
    assert K.min() >= 0
    assert K.max() <= 1
    assert np.linalg.eigvalsh(K)[0] > -1e-12


def test_z_kernel_has_the_period_of_its_phases():
    X, Z = data(3), data(3, 4, seed=1)
    moved = X + np.pi * np.eye(3)[1]
    K = kernel(X, Z, feature_map="z")
    assert_allclose(kernel(moved, Z, feature_map="z"), K, rtol=0, atol=1e-13)
    assert np.abs(kernel(moved, Z) - kernel(X, Z)).max() > 0.01


def test_kernel_does_not_see_the_common_sign_of_all_angles():
    X = data(3)

    def signed(sign):
        return lambda X, S: sign * np.prod(np.pi - X[:, list(S)], axis=1)

    assert_allclose(
        kernel(X, data_map=signed(1)), kernel(X, data_map=signed(-1)), rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("feature_map", ["zz", "z"])
@pytest.mark.parametrize("tile", [1, 4, 299])
def test_tiles_give_the_same_kernel(feature_map, tile):
    X, Z = data(4, 600), data(4, 310, seed=1)
    encoding = make_encoding(4, feature_map=feature_map)
    whole = QuantumKernel(encoding, 0.5, "complex128", 1024)
    assert whole.bytes_of_a_sample == 8 * (16 + 4 if feature_map == "z" else 32 + 10)
    max_memory = 5 * tile * whole.bytes_of_a_sample / 1e6
    tiled = QuantumKernel(encoding, 0.5, "complex128", max_memory)
    assert tiled.tile() == tile
    if tile == 1:
        X, Z = X[:30], Z[:7]
    assert_allclose(tiled.fidelity(HOST, X), whole.fidelity(HOST, X), rtol=0, atol=4e-15)
    assert_allclose(tiled.fidelity(HOST, X, Z), whole.fidelity(HOST, X, Z), rtol=0, atol=4e-15)
    assert_allclose(tiled.bloch(HOST, X), whole.bloch(HOST, X), rtol=0, atol=4e-15)


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize(("n_features", "n_qubits"), [(8, 8), (32, 8), (300, 2)])
def test_memory_stays_below_its_limit(n_features, n_qubits, backend):
    """However many blocks and angles there are, and whatever is measured."""
    be, X = get_backend(backend, np.empty(0)), 0.1 * data(n_features, 400)
    kernel = QuantumKernel(make_encoding(n_features, n_qubits=n_qubits), 1.0, "complex128", 1)
    kernel.fidelity(be, X[:2])
    measures = [
        (lambda: kernel.fidelity(be, X), 400),
        (lambda: kernel.bloch(be, X), 3 * n_qubits),
        (lambda: kernel.rows(be, X, lambda states: np.repeat(states, 8, 1), 2 ** (n_qubits + 4)),
         2 ** (n_qubits + 4)),
    ]  # fmt: skip
    for measure, width in measures:
        tracemalloc.start()
        try:
            measure()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        # What is asked for takes its own memory, and products of tiles a little.
        assert peak < 8 * 400 * width + 1.3e6


def test_single_precision_is_near():
    X = data(8, 50)
    K = kernel(X, dtype="complex64", n_qubits=8)
    assert_allclose(K, kernel(X, n_qubits=8), rtol=0, atol=2e-6)


def test_bandwidth_multiplies_the_data():
    X = data(3)
    assert_allclose(kernel(X, bandwidth=0.25), kernel(0.25 * X), rtol=0, atol=1e-15)


def test_fidelity_matrix_of_two_sets_is_part_of_that_of_both():
    both = states(3)
    K = fidelity_matrix(both)
    assert_allclose(fidelity_matrix(both[:4], both[4:]), K[:4, 4:], rtol=0, atol=1e-15)


def test_walsh_hadamard_twice_is_a_multiple():
    X = np.random.default_rng(0).standard_normal((3, 32))
    twice = walsh_hadamard(np, walsh_hadamard(np, X))
    assert_allclose(twice, 32 * X, rtol=0, atol=1e-13)


def test_parities_count_shared_bits():
    expected = [(-1) ** bin(b & 0b101).count("1") for b in range(8)]
    assert_array_equal(parities(3, 0b101), expected)


@pytest.mark.parametrize("n_qubits", [1, 2, 3])
def test_bloch_vectors_are_expectations(n_qubits):
    psi = states(n_qubits, reps=3)
    vectors = bloch_vectors(HOST, psi, n_qubits=n_qubits)
    dense = as_complex(psi)
    for q in range(n_qubits):
        for k, letter in enumerate("XYZ"):
            P = on_qubits({q: PAULI[letter]}, n_qubits)
            expected = np.sum(dense.conj() * (dense @ P.T), axis=1)
            assert_allclose(vectors[:, 3 * q + k], expected.real, rtol=0, atol=1e-14)
            assert np.abs(expected.imag).max() < 1e-14


def test_half_the_distance_of_bloch_vectors_is_that_of_density_matrices():
    r = bloch_vectors_of_qubits(
        HOST, make_encoding(1, feature_map="z").qubit_states(HOST, data(1, 2))
    )
    rho = [
        (np.eye(2) + sum(a * PAULI[p] for a, p in zip(row, "XYZ", strict=True))) / 2 for row in r
    ]
    frobenius = np.linalg.norm(rho[0] - rho[1]) ** 2
    assert frobenius == pytest.approx(np.sum((r[0] - r[1]) ** 2) / 2, rel=1e-13)


@pytest.mark.parametrize("n_qubits", [1, 2, 3])
def test_pauli_expectations_are_those_of_matrices(n_qubits):
    psi = states(n_qubits, reps=3)
    features = pauli_expectations(HOST, psi, n_qubits=n_qubits)
    dense, size = as_complex(psi), 2**n_qubits
    letter = {(0, 0): "I", (1, 0): "X", (0, 1): "Z", (1, 1): "Y"}
    for flip, sign in product(range(size), repeat=2):
        letters = {q: PAULI[letter[flip >> q & 1, sign >> q & 1]] for q in range(n_qubits)}
        P = on_qubits(letters, n_qubits)
        expected = np.sum(dense.conj() * (dense @ P.T), axis=1).real / size**0.5
        assert_allclose(features[:, flip * size + sign], expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("n_qubits", [1, 3, 5])
def test_inner_products_of_pauli_features_are_fidelities(n_qubits):
    psi = states(n_qubits)
    features = pauli_expectations(HOST, psi, n_qubits=n_qubits)
    assert_allclose(features @ features.T, fidelity_matrix(psi), rtol=0, atol=1e-14)
