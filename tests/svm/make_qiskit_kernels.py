"""Write ``qiskit_kernels.json``, fidelities that Qiskit computes; run this file to do so.

A case is a feature map, its entanglement and its repetitions; "kernel" has the entries above the
diagonal of the matrix of the samples of as many features, row by row.
"""

import json
from itertools import product
from pathlib import Path

import numpy as np
import qiskit
from qiskit.circuit.library import pauli_feature_map, z_feature_map, zz_feature_map
from qiskit.quantum_info import Statevector

PAULIS = [("Z", "Y", "ZZ"), ("X", "YZ"), ("Z", "XX", "YZ"), ("Z", "ZZZ")]
N_SAMPLES = 6


def circuits():
    """All cases, each with its circuit."""
    for n, reps in product((2, 3, 4), (1, 2, 3)):
        yield {"feature_map": "z", "n_qubits": n, "reps": reps}, z_feature_map(n, reps=reps)
        for entanglement in ("full", "linear", "circular", "pairwise", [(1, 0)]):
            shared = {"n_qubits": n, "reps": reps, "entanglement": entanglement}
            groups = {1: [(q,) for q in range(n)], 2: entanglement}
            listed = not isinstance(entanglement, str)
            chosen = {"reps": reps, "entanglement": groups if listed else entanglement}
            yield {"feature_map": "zz", **shared}, zz_feature_map(n, **chosen)
            longest = min(n, 3 if entanglement in ("full", "linear", "circular") else 2)
            for paulis in PAULIS:
                if max(map(len, paulis)) <= longest:
                    case = {"feature_map": "pauli", "paulis": paulis, **shared}
                    yield case, pauli_feature_map(n, paulis=list(paulis), **chosen)


def fidelities(circuit, X):
    """Entries above the diagonal."""
    states = np.array([Statevector(circuit.assign_parameters(row)).data for row in X])
    return (np.abs(states.conj() @ states.T) ** 2)[np.triu_indices(len(X), k=1)]


def main():
    """Compute and write."""
    rng = np.random.default_rng(0)
    samples = {n: 2 * np.pi * (1 - rng.random((N_SAMPLES, n))) for n in (2, 3, 4)}
    cases = [
        case | {"kernel": fidelities(circuit, samples[case["n_qubits"]]).tolist()}
        for case, circuit in circuits()
    ]
    parts = {
        "qiskit": json.dumps(qiskit.__version__),
        "samples": json.dumps({n: X.tolist() for n, X in samples.items()}),
        "cases": "[\n  " + ",\n  ".join(map(json.dumps, cases)) + "\n ]",
    }
    text = "{\n" + ",\n".join(f' "{name}": {part}' for name, part in parts.items()) + "\n}\n"
    Path(__file__).with_name("qiskit_kernels.json").write_text(text)


if __name__ == "__main__":
    main()
