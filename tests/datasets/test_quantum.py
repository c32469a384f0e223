from functools import reduce
from itertools import combinations, pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix.datasets import _quantum, make_ad_hoc

HADAMARD = np.array([[1, 1], [1, -1]]) / np.sqrt(2)


def kron(factors, lowest_first=True):
    """Product of one matrix per qubit; qubit 0 is the lowest bit, or the highest."""
    return reduce(np.kron, list(factors)[:: -1 if lowest_first else 1])


def expectations(X, V, *, reps=2, pairs=None, lowest_first=True):
    """e(x) by matrices of the whole circuit."""
    n = X.shape[1]
    Z = [
        kron((np.diag([1, -1]) if q == i else np.eye(2) for q in range(n)), lowest_first)
        for i in range(n)
    ]
    parity = reduce(np.matmul, Z)
    pairs = list(combinations(range(n), 2)) if pairs is None else pairs
    mixing = kron([HADAMARD] * n)
    values = []
    for x in X:
        phases = sum(x[i] * Z[i] for i in range(n))
        phases = phases + sum((np.pi - x[i]) * (np.pi - x[j]) * Z[i] @ Z[j] for i, j in pairs)
        layer = np.diag(np.exp(1j * np.diag(phases))) @ mixing
        state = V @ np.linalg.matrix_power(layer, reps)[:, 0]
        values.append((state.conj() @ parity @ state).real)
    return np.array(values)


def labels_of(values, gap):
    """Labels by the definition, 0 for a point that has none."""
    return np.where(values >= gap, 1, np.where(values <= -gap, -1, 0))


@pytest.mark.parametrize("unitary", ["haar", "qiskit"])
@pytest.mark.parametrize("sampling", ["uniform", "grid", "sobol"])
@pytest.mark.parametrize(("n_qubits", "gap"), [(1, 0.1), (2, 0.3), (3, 0.2)])
def test_labels_are_signs_of_expectations_beyond_the_gap(n_qubits, gap, sampling, unitary):
    options = {"sampling": sampling, "unitary": unitary, "gap": gap, "random_state": 3}
    *parts, V = make_ad_hoc(15, 10, n_qubits, return_unitary=True, **options)
    assert_allclose(V @ V.conj().T, np.eye(2**n_qubits), atol=1e-13)
    for X, y, n_each in ((*parts[:2], 15), (*parts[2:], 10)):
        assert X.shape == (2 * n_each, n_qubits)
        assert X.min() > 0
        assert X.max() <= 2 * np.pi
        assert np.count_nonzero(y == 1) == np.count_nonzero(y == -1) == n_each
        assert y.dtype.kind == "i"
        assert_array_equal(labels_of(expectations(X, V), gap), y)


@pytest.mark.parametrize(
    ("entanglement", "pairs"),
    [
        ("linear", list(pairwise(range(4)))),
        ("circular", [(3, 0), *pairwise(range(4))]),
        ([(0, 2), (1, 3)], [(0, 2), (1, 3)]),
    ],
)
def test_circuit_has_the_pairs_and_the_repetitions(entanglement, pairs):
    options = {"gap": 0.1, "reps": 3, "entanglement": entanglement, "random_state": 0}
    X, y, *_, V = make_ad_hoc(20, 0, 4, return_unitary=True, **options)
    values = expectations(X, V, reps=3, pairs=pairs)
    assert_array_equal(labels_of(values, 0.1), y)
    assert not np.array_equal(labels_of(expectations(X, V), 0.1), y)


def test_measured_labels_have_the_probability_of_the_expectation():
    X, y, *_, V = make_ad_hoc(
        3000, 0, labels="measurement", gap=0.9, return_unitary=True, random_state=0
    )
    values = expectations(X, V)
    assert np.abs(values).min() < 0.1  # the gap does not count
    # Classes are balanced, which tilts the odds by the ratio of their frequencies.
    share = (1 + expectations(2 * np.pi * np.random.default_rng(0).random((4000, 2)), V).mean()) / 2
    positive = (1 + values) / 2 / share
    positive = positive / (positive + (1 - values) / 2 / (1 - share))
    for low in np.arange(0, 1, 0.2):
        rows = (positive >= low) & (positive < low + 0.2)
        error = np.mean(y[rows] == 1) - positive[rows].mean()
        assert abs(error) < 4 * np.sqrt(0.25 / np.count_nonzero(rows)) + 0.02


def test_unitary_of_qiskit_gives_the_labels_of_qiskit():
    """Its amplitudes have qubit 0 as the highest bit, its observable is V^+ f V."""
    X, y, *_, V = make_ad_hoc(
        20, 0, 3, gap=0.1, unitary="qiskit", return_unitary=True, random_state=1
    )
    bits = np.array([int(f"{b:03b}"[::-1], 2) for b in range(8)])
    values = expectations(X, V[:, bits], lowest_first=False)
    assert_array_equal(labels_of(values, 0.1), y)


def test_unitary_of_qiskit_has_the_eigenvectors():
    rng = np.random.RandomState(4)
    V = _quantum._qiskit_unitary(3, np.random.RandomState(4))
    A = rng.random_sample((8, 8)) + 1j * rng.random_sample((8, 8))
    product = A.conj().T @ A
    values, vectors = np.linalg.eig(product)
    bits = np.array([int(f"{b:03b}"[::-1], 2) for b in range(8)])
    assert_allclose(V[:, bits], vectors[:, np.argsort(values.real)[::-1]], atol=1e-10)


def test_haar_unitary_has_uniform_phases_and_moments():
    """Traces are nearly complex Gaussian of variance 1, which those of a plain QR are not."""
    rng = np.random.RandomState(0)
    traces = np.array([np.trace(_quantum._haar_unitary(2, rng)) for _ in range(4000)])
    assert abs(traces.mean()) < 4 / np.sqrt(4000)
    assert abs(np.mean(np.abs(traces) ** 2) - 1) < 4 * np.sqrt(1 / 4000)


def test_points_cover_the_cube():
    X = make_ad_hoc(1000, 0, gap=0.0, random_state=0)[0]
    assert_allclose(X.mean(axis=0), np.pi, atol=4 * np.pi / np.sqrt(3 * 2000))
    assert_allclose(X.std(axis=0), np.pi / np.sqrt(3), atol=0.15)


def test_grid_points_are_on_the_grid_and_none_comes_twice():
    X_train, _, X_test, _ = make_ad_hoc(300, 200, sampling="grid", random_state=0)
    places = np.concatenate([X_train, X_test]) * 100 / (2 * np.pi)
    assert_allclose(places, np.round(places), atol=1e-9)
    assert len(np.unique(np.round(places), axis=0)) == 1000


def test_classes_are_mixed():
    _, y, _, z = make_ad_hoc(50, 50, random_state=0)
    for labels in (y, z):
        assert np.count_nonzero(np.diff(labels)) > 20


def test_seed_gives_the_same_data():
    options = {"sampling": "sobol", "labels": "measurement", "return_unitary": True}
    first, again, other = (make_ad_hoc(random_state=seed, **options) for seed in (0, 0, 1))
    for a, b in zip(first, again, strict=True):
        assert_array_equal(a, b)
    for index in (0, 2, 4):
        assert not np.array_equal(first[index], other[index])


def test_many_batches_go_on_where_the_last_ended(monkeypatch):
    options = {"sampling": "grid", "random_state": 0, "gap": 0.1}
    expected = make_ad_hoc(100, 100, **options)
    monkeypatch.setattr(_quantum, "_BATCH", 64)
    for a, b in zip(make_ad_hoc(100, 100, **options), expected, strict=True):
        assert_array_equal(a, b)


class TestErrors:
    @pytest.mark.parametrize("sampling", ["uniform", "sobol"])
    def test_too_many_candidates(self, monkeypatch, sampling):
        monkeypatch.setattr(_quantum, "_MAX_CANDIDATES", 3000)
        message = r"3584 points were drawn for n_qubits=6 and gap=0\.9, and they gave 0 points"
        with pytest.raises(RuntimeError, match=message):
            make_ad_hoc(1, 0, 6, gap=0.9, sampling=sampling, random_state=0)

    def test_what_is_hopeless_is_not_drawn_to_the_end(self):
        message = r"^\d{7} points were drawn for n_qubits=5 and gap=0\.95, and they gave 0 points"
        with pytest.raises(RuntimeError, match=message):
            make_ad_hoc(50, 0, n_qubits=5, gap=0.95, random_state=0)

    def test_limit_is_ten_million(self):
        assert _quantum._MAX_CANDIDATES == 10_000_000

    def test_grid_is_used_up(self):
        message = r"The grid has for n_qubits=3 and gap=0\.3 only \d+ points of a label, of 4000"
        with pytest.raises(ValueError, match=message):
            make_ad_hoc(2000, 2000, 3, sampling="grid", random_state=0)

    def test_grid_of_many_axes(self):
        with pytest.raises(ValueError, match=r"needs at most 3 qubits, got n_qubits=4"):
            make_ad_hoc(n_qubits=4, sampling="grid")

    def test_pair_of_no_qubit(self):
        with pytest.raises(ValueError, match="entanglement has the group"):
            make_ad_hoc(entanglement=[(0, 2)])

    @pytest.mark.parametrize(
        "options",
        [
            {"n_train": 0},
            {"n_test": -1},
            {"n_qubits": 0},
            {"n_qubits": 13},
            {"gap": -0.1},
            {"gap": 1.0},
            {"reps": 0},
            {"entanglement": "star"},
            {"sampling": "hypercube"},
            {"labels": "sign"},
            {"unitary": "eye"},
            {"return_unitary": "yes"},
        ],
    )
    def test_out_of_range(self, options):
        (name,) = options
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            make_ad_hoc(**options)
