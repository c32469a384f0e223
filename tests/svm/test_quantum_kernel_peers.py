"""Fidelities beside those that Qiskit computed, kept in a file by ``make_qiskit_kernels.py``."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmatrix._backend import get_backend
from skmatrix.svm._quantum_encoding import make_encoding
from skmatrix.svm._quantum_kernel_matrix import fidelity_matrix

GOLDEN = json.loads(Path(__file__).with_name("qiskit_kernels.json").read_text())


def name_of(case):
    """A case in a few letters."""
    values = (case.get("paulis", case["feature_map"]), case.get("entanglement", "full"))
    return "-".join(["".join(values[0]), str(values[1]), f"{case['n_qubits']}x{case['reps']}"])


@pytest.mark.parametrize("backend", ["numpy", "numba"])
@pytest.mark.parametrize("case", GOLDEN["cases"], ids=name_of)
def test_fidelities_are_those_of_qiskit(case, backend):
    options = dict(case)
    expected = options.pop("kernel")
    X = np.array(GOLDEN["samples"][str(options["n_qubits"])])
    encoding = make_encoding(X.shape[1], **options)
    K = fidelity_matrix(encoding.states(get_backend(backend, X), X))
    assert_allclose(K[np.triu_indices(len(X), k=1)], expected, rtol=0, atol=1e-10)


def test_file_has_every_feature_map():
    kinds = {tuple(case.get("paulis", [case["feature_map"]])) for case in GOLDEN["cases"]}
    assert len(kinds) == 6
    assert all(0 <= value <= 1 + 1e-12 for case in GOLDEN["cases"] for value in case["kernel"])
