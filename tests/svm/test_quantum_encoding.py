"""Feature maps: their circuits, angles, and the messages about what does not fit."""

import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix._backend import get_backend
from skmatrix.svm._quantum_drawing import draw_circuit
from skmatrix.svm._quantum_encoding import (
    MAX_QUBITS,
    check_memory,
    entangled_qubits,
    make_encoding,
)
from tests.svm.quantum_reference import as_complex, dense_states

ENGINES = ["numpy", "numba"]
STRINGS = [
    ("Z", "ZZ"),
    ("Z", "Y", "ZZ"),
    ("X", "YZ"),
    ("Z", "XX", "YZ"),
    ("Z", "ZZZ"),
    ("YYY", "Z", "Z", "XY"),
]


def engine(name):
    """Back end of a name."""
    return get_backend(name, np.empty(0))


def data(n_features, n_samples=11, seed=0):
    """Samples, more than a group of the compiled form has."""
    return np.random.default_rng(seed).uniform(0, 2 * np.pi, (n_samples, n_features))


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("entanglement", ["full", "linear", "circular", "pairwise", [(0, 2)]])
@pytest.mark.parametrize("reps", [1, 2, 3])
@pytest.mark.parametrize("n_qubits", [3, 4, 5])
def test_zz_states_equal_those_of_gate_matrices(n_qubits, reps, entanglement, backend):
    encoding = make_encoding(n_qubits, reps=reps, entanglement=entanglement)
    X = data(n_qubits)
    states = as_complex(encoding.states(engine(backend), X))
    assert_allclose(states, dense_states(encoding, X), rtol=0, atol=1e-13)


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("paulis", STRINGS)
@pytest.mark.parametrize("n_features", [3, 4, 5])
@pytest.mark.parametrize("reps", [1, 2])
@pytest.mark.parametrize("entanglement", ["full", "linear", "circular"])
def test_pauli_states_equal_those_of_gate_matrices(entanglement, reps, n_features, paulis, backend):
    encoding = make_encoding(
        n_features,
        feature_map="pauli",
        paulis=paulis,
        reps=reps,
        entanglement=entanglement,
        n_qubits=3,
    )
    X = data(n_features)
    states = as_complex(encoding.states(engine(backend), X))
    assert_allclose(states, dense_states(encoding, X), rtol=0, atol=1e-13)


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("n_qubits", [1, 2, 4, 9])
def test_reuploaded_states_equal_those_of_gate_matrices(n_qubits, backend):
    encoding = make_encoding(7, n_qubits=n_qubits, max_qubits=3)
    assert encoding.n_blocks == -(-7 // n_qubits)
    X = data(7, 3)
    states = as_complex(encoding.states(engine(backend), X))
    assert_allclose(states, dense_states(encoding, X), rtol=0, atol=1e-13)


@pytest.mark.parametrize("n_qubits", [1, 2, 5, 8, 12, 15])
@pytest.mark.parametrize("dtype", ["complex128", "complex64"])
def test_states_have_norm_one_and_agree_between_engines(n_qubits, dtype):
    encoding = make_encoding(n_qubits, n_qubits=n_qubits)
    X = data(n_qubits, 10)
    reference, compiled = (encoding.states(engine(name), X, dtype) for name in ENGINES)
    real, atol = (np.float64, 1e-13) if dtype == "complex128" else (np.float32, 1e-5)
    assert reference.dtype == compiled.dtype == real
    assert_allclose(np.sum(compiled.astype(float) ** 2, axis=1), 1, rtol=0, atol=atol)
    assert_allclose(compiled, reference, rtol=0, atol=atol)


def test_states_of_no_samples_are_an_empty_array():
    encoding = make_encoding(3)
    for name in ENGINES:
        assert encoding.states(engine(name), np.empty((0, 3))).shape == (0, 16)


def test_one_block_is_the_plain_circuit():
    one = make_encoding(4, n_qubits=4)
    assert one.n_blocks == 1
    assert one.blocks == make_encoding(4).blocks


def test_a_short_last_block_acts_on_its_own_qubits():
    encoding = make_encoding(5, n_qubits=3, entanglement="circular")
    first, last = encoding.blocks
    assert {term.qubits for term in first} == {(0,), (1,), (2,), (2, 0), (0, 1), (1, 2)}
    assert {term.qubits for term in last} == {(0,), (1,), (0, 1)}
    assert {term.features for term in last} == {(3,), (4,), (3, 4)}


def test_angles_are_those_of_the_paper():
    encoding = make_encoding(2)
    angles = encoding.angles(np.array([[0.5, 2.0]]))
    assert_allclose(angles, [[0.5, 2.0, (np.pi - 0.5) * (np.pi - 2.0)]])
    product = make_encoding(2, data_map="product").angles(np.array([[0.5, 2.0]]))
    assert_allclose(product, [[0.5, 2.0, 1.0]])


def test_callable_data_map_gives_every_angle():
    def doubled(X, features):
        return 2 * X[:, list(features)].sum(axis=1)

    angles = make_encoding(2, data_map=doubled).angles(np.array([[0.5, 2.0]]))
    assert_allclose(angles, [[1.0, 4.0, 5.0]])


def test_signs_of_angles_conjugate_states_of_z_strings():
    """The sign of the angles of "pauli" is that of Qiskit; kernels of Z strings do not see it."""
    X = data(3)
    paper = as_complex(make_encoding(3).states(engine("numpy"), X))
    qiskit = as_complex(make_encoding(3, feature_map="pauli").states(engine("numpy"), X))
    assert_allclose(paper, qiskit.conj(), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("entanglement", "size", "expected"),
    [
        ("full", 2, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]),
        ("linear", 2, [(0, 1), (1, 2), (2, 3)]),
        ("circular", 2, [(3, 0), (0, 1), (1, 2), (2, 3)]),
        ("pairwise", 2, [(0, 1), (2, 3), (1, 2)]),
        ("linear", 3, [(0, 1, 2), (1, 2, 3)]),
        ("full", 1, [(0,), (1,), (2,), (3,)]),
        ([(2, 0), [1, 3]], 2, [(2, 0), (1, 3)]),
    ],
)
def test_entanglement_patterns(entanglement, size, expected):
    assert entangled_qubits(entanglement, 4, size) == expected


def test_ring_of_two_qubits_has_one_pair():
    assert entangled_qubits("circular", 2, 2) == [(0, 1)]


def test_one_qubit_has_no_pairs():
    one = make_encoding(1)
    assert_array_equal(
        one.states(engine("numba"), data(1)),
        make_encoding(1, feature_map="z").states(engine("numba"), data(1)),
    )


@pytest.mark.parametrize(
    ("n_features", "options", "message"),
    [
        (30, {"n_qubits": 21}, "n_qubits=21 must be at most 20"),
        (30, {"max_qubits": 25}, "n_qubits=25 must be at most 20"),
        (3, {"feature_map": "pauli", "paulis": ()}, "paulis must be strings"),
        (3, {"feature_map": "pauli", "paulis": ("Z", "")}, "paulis must be strings"),
        (3, {"feature_map": "pauli", "paulis": ("Z", "AZ")}, r"X, Y and Z.*'AZ'"),
        (2, {"feature_map": "pauli", "paulis": ("Z", "ZZZ")}, r"'ZZZ' of 3 letters.*n_qubits=2"),
        (1, {"feature_map": "pauli"}, r"'ZZ' of 2 letters.*n_qubits=1"),
        (3, {"entanglement": [(0, 3)]}, r"entanglement has the group \(0, 3\).*= 2"),
        (3, {"entanglement": [(1, 1)]}, r"the group \(1, 1\)"),
        (3, {"entanglement": [(0.5, 1)]}, r"the group \(0.5, 1\)"),
        (3, {"entanglement": [(0, 1, 2)]}, "must have a group of 2 qubits"),
        (
            2,
            {"feature_map": "pauli", "paulis": ("ZZZ",), "n_qubits": 4},
            r"No string of paulis=\('ZZZ',\) .* 2 features: lower n_qubits=4",
        ),
        (
            3,
            {"feature_map": "pauli", "paulis": ("ZZZ",), "entanglement": "pairwise"},
            "'pairwise' is defined for strings of at most two letters",
        ),
    ],
)
def test_what_does_not_fit_is_refused(n_features, options, message):
    with pytest.raises(ValueError, match=message):
        make_encoding(n_features, **options)


def test_z_map_has_any_number_of_qubits():
    encoding = make_encoding(50, feature_map="z", n_qubits=50)
    assert encoding.n_qubits == 50 > MAX_QUBITS
    assert encoding.qubit_states(engine("numpy"), data(50)).shape == (11, 50, 4)


@pytest.mark.parametrize(
    ("data_map", "message"),
    [
        (lambda X, S: X, r"shape \(11,\).*Got the shape \(11, 2\) for the features \(0,\)"),
        (lambda X, S: 1.0, r"Got the shape \(\)"),
        (lambda X, S: np.full(len(X), np.nan), r"not finite for the features \(0,\)"),
    ],
)
def test_bad_data_map_is_refused(data_map, message):
    with pytest.raises(ValueError, match=message):
        make_encoding(2, data_map=data_map).angles(data(2))


def test_angles_that_overflow_are_refused():
    with pytest.raises(ValueError, match="not finite for the features"):
        make_encoding(2).angles(np.full((1, 2), 1e200))


def test_states_that_do_not_fit_are_refused_with_their_size():
    check_memory(2, 10, 1, "complex128")
    message = r"2 states of n_qubits=20 need 0.0336 GB, more than max_memory=30 MB: reduce with PCA"
    with pytest.raises(ValueError, match=re.escape(message)):
        check_memory(2, 20, 30, "complex128")
    check_memory(2, 20, 30, "complex64")


def test_drawing_shows_each_rotation():
    text = draw_circuit(make_encoding(3, entanglement="linear"))
    assert text.splitlines() == [
        "3 qubits, from left to right, 2 times:",
        "q0: ─H──Z1──────────Z4─────",
        "q1: ─H──────Z2──────Z4──Z5─",
        "q2: ─H──────────Z3──────Z5─",
        "1: exp(i x0 Z) on q0",
        "2: exp(i x1 Z) on q1",
        "3: exp(i x2 Z) on q2",
        "4: exp(i (π-x0)(π-x1) ZZ) on q1, q0",
        "5: exp(i (π-x1)(π-x2) ZZ) on q2, q1",
    ]


def test_drawing_of_several_blocks_and_letters():
    encoding = make_encoding(
        3, feature_map="pauli", paulis=("XY",), data_map="product", n_qubits=2, reps=1
    )
    assert draw_circuit(encoding).splitlines() == [
        "2 qubits, from left to right:",
        "q0: ─H──Y1──H─",
        "q1: ─H──X1──H─",
        "1: exp(-i x0 x1 XY) on q1, q0",
    ]
