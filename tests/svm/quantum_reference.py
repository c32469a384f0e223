"""The plainest form of quantum feature maps: matrices of whole circuits."""

from functools import reduce

import numpy as np

PAULI = {
    "I": np.eye(2),
    "X": np.array([[0, 1], [1, 0]]),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1, -1]),
}
HADAMARD = np.array([[1, 1], [1, -1]]) / np.sqrt(2)


def on_qubits(matrices, n_qubits):
    """Kronecker product of matrices, given by qubit; qubit 0 is the lowest bit."""
    factors = [matrices.get(q, PAULI["I"]) for q in reversed(range(n_qubits))]
    return reduce(np.kron, factors)


def dense_states(encoding, X):
    """Complex states, gate by gate."""
    n = encoding.n_qubits
    angles = encoding.angles(X)
    columns = encoding._columns
    hadamards = on_qubits(dict.fromkeys(range(n), HADAMARD), n)
    states = []
    for row in angles:
        state = np.zeros(2**n, dtype=complex)
        state[0] = 1
        for _ in range(encoding.reps):
            for block in encoding.blocks:
                state = hadamards @ state
                for term in block:
                    letters = zip(term.qubits, term.letters, strict=True)
                    P = on_qubits({q: PAULI[letter] for q, letter in letters}, n)
                    phi = row[columns[term.features]]
                    state = np.cos(phi) * state + 1j * np.sin(phi) * (P @ state)
        states.append(state)
    return np.array(states)


def as_complex(states):
    """Complex states from their real and imaginary parts."""
    half = states.shape[1] // 2
    return states[:, :half] + 1j * states[:, half:]
