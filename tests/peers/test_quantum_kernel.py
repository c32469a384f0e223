"""Quantum kernels beside those of circuit simulators, and the data of qiskit-machine-learning."""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skmatrix.datasets import make_ad_hoc
from skmatrix.datasets._quantum import _expectation, _qiskit_unitary
from skmatrix.svm import QuantumFeatureMap, QuantumKernelSVC, VariationalQuantumClassifier

pytestmark = [
    pytest.mark.peer,
    # At bandwidth 1 it is, with several qubits; what is compared are its entries.
    pytest.mark.filterwarnings("ignore:The kernel is concentrated"),
]


def points(n, n_qubits, seed=0):
    return 2 * np.pi * (1 - np.random.default_rng(seed).random((n, n_qubits)))


def fitted(X, **options):
    """A classifier at bandwidth 1; its labels do not matter."""
    return QuantumKernelSVC(bandwidth=1.0, **options).fit(X, np.arange(len(X)) % 2)


@pytest.mark.parametrize("n_qubits", [1, 2, 5, 8])
@pytest.mark.parametrize("entanglement", ["full", "linear"])
def test_kernel_is_that_of_qiskit_machine_learning(n_qubits, entanglement):
    library = pytest.importorskip("qiskit.circuit.library")
    kernels = pytest.importorskip("qiskit_machine_learning.kernels")
    X, Z = points(20, n_qubits), points(15, n_qubits, 1)
    circuit = library.pauli_feature_map(
        n_qubits, reps=2, paulis=["Z", "ZZ"][:n_qubits], entanglement=entanglement
    )
    peer = kernels.FidelityStatevectorKernel(feature_map=circuit)
    model = fitted(X, entanglement=entanglement)
    assert_allclose(model.kernel_matrix(X), peer.evaluate(X), atol=1e-12)
    assert_allclose(model.kernel_matrix(Z, X), peer.evaluate(Z, X), atol=1e-12)


def test_decision_function_is_that_of_qsvc():
    library = pytest.importorskip("qiskit.circuit.library")
    qml = pytest.importorskip("qiskit_machine_learning")
    algorithms = pytest.importorskip("qiskit_machine_learning.algorithms")
    X_train, y_train, X_test, _ = make_ad_hoc(random_state=0)
    circuit = library.zz_feature_map(2, reps=2)
    kernel = qml.kernels.FidelityStatevectorKernel(feature_map=circuit)
    peer = algorithms.QSVC(quantum_kernel=kernel, C=5.0).fit(X_train, y_train)
    model = QuantumKernelSVC(bandwidth=1.0, C=5.0).fit(X_train, y_train)
    assert_array_equal(model.support_, peer.support_)
    assert_allclose(model.decision_function(X_test), peer.decision_function(X_test), atol=1e-9)


def _half_product(X, S):
    """PennyLane's rotations are by half of an angle."""
    return np.prod(X[:, list(S)], axis=1) / 2


@pytest.mark.parametrize("n_qubits", [2, 4])
def test_product_map_is_the_embedding_of_pennylane(n_qubits):
    qml = pytest.importorskip("pennylane")
    X = points(12, n_qubits) / 3
    device = qml.device("default.qubit", wires=n_qubits)

    @qml.qnode(device)
    def states(x):
        qml.IQPEmbedding(x, wires=range(n_qubits), n_repeats=2)
        return qml.state()

    psi = states(X)
    expected = np.abs(psi.conj() @ psi.T) ** 2
    model = fitted(X, data_map=_half_product)
    assert_allclose(model.kernel_matrix(X), expected, atol=1e-12)


def test_kernel_is_that_of_qulacs():
    qulacs = pytest.importorskip("qulacs")
    X = points(10, 6)

    def state_of(x):
        circuit = qulacs.QuantumCircuit(6)
        for _ in range(2):
            for q in range(6):
                circuit.add_H_gate(q)
            for q in range(6):
                circuit.add_RZ_gate(q, 2 * x[q])
            for i, j in combinations(range(6), 2):
                angle = 2 * (np.pi - x[i]) * (np.pi - x[j])
                circuit.add_multi_Pauli_rotation_gate([i, j], [3, 3], angle)
        state = qulacs.QuantumState(6)
        circuit.update_quantum_state(state)
        return state.get_vector()

    psi = np.array([state_of(x) for x in X])
    assert_allclose(fitted(X).kernel_matrix(X), np.abs(psi.conj() @ psi.T) ** 2, atol=1e-12)


@pytest.mark.parametrize("n_qubits", [2, 3])
def test_labels_are_those_of_qiskit_machine_learning(monkeypatch, n_qubits):
    """Its first draws are those of the matrix; amplitudes have qubit 0 as the highest bit."""
    qml = pytest.importorskip("qiskit_machine_learning")
    datasets = pytest.importorskip("qiskit_machine_learning.datasets")

    class Same:
        """The stream of a RandomState, under the name that it has there."""

        def __init__(self):
            self.random = np.random.RandomState(5).random_sample

    V = _qiskit_unitary(n_qubits, np.random.RandomState(5))
    monkeypatch.setattr(qml.utils.algorithm_globals, "_random", Same())
    X, y, *_ = datasets.ad_hoc_data(
        40, 0, n_qubits, gap=0.2, one_hot=False, sampling_method="sobol", class_labels=[1, -1]
    )
    values = _expectation(V, n_qubits, 2, "full")(X)
    assert_array_equal(np.sign(values), y)
    assert np.abs(values).min() > 0.2


@pytest.mark.parametrize("n_qubits", [2, 3])
def test_variational_circuit_is_that_of_pennylane(n_qubits):
    """Its rotations have the opposite sign, and its first wire is the highest bit."""
    qml = pytest.importorskip("pennylane")
    X, y, *_ = make_ad_hoc(10, 0, n_qubits, gap=0.1, random_state=0)
    options = {"n_layers": 2, "bandwidth": 1.0, "n_init": 1, "max_iter": 2}
    with pytest.warns(ConvergenceWarning):
        model = VariationalQuantumClassifier(**options, random_state=0).fit(X, y)
    parts = QuantumFeatureMap(output="state", bandwidth=1.0).fit_transform(X)
    states = parts[:, : 2**n_qubits] + 1j * parts[:, 2**n_qubits :]

    @qml.qnode(qml.device("default.qubit", wires=n_qubits))
    def parity():
        qml.StatePrep(states, wires=range(n_qubits)[::-1])
        for layer, angles in enumerate(model.theta_):
            for pair in combinations(range(n_qubits), 2) if layer else ():
                qml.CZ(wires=pair)
            for q in range(n_qubits):
                qml.RY(-angles[q, 0], wires=q)
                qml.RZ(-angles[q, 1], wires=q)
        return qml.expval(qml.prod(*map(qml.Z, range(n_qubits))))

    assert_allclose(model.decision_function(X) - model.intercept_, parity(), atol=1e-12)
