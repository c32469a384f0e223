"""Quantum kernels beside circuit simulators, their growth, and how well they classify."""

from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np

from ._harness import Case, Contender, register

OURS = "skmatrix quantum_kernel"
REPS = 2
CHECKED = 12  # samples whose fidelities are compared


@dataclass
class Points:
    """Samples of angles, and the fidelities of the first of them."""

    X: np.ndarray
    exact: np.ndarray | None = None

    @classmethod
    def uniform(cls, n_qubits, n_samples):
        """Uniform points of (0, 2 pi]^n."""
        X = 2 * np.pi * (1 - np.random.default_rng(0).random((n_samples, n_qubits)))
        states = _butterfly_states(X[:CHECKED])
        return cls(X, np.abs(states.conj() @ states.T) ** 2)

    def difference(self, K):
        """Largest difference of a kernel from the fidelities that are known."""
        rows = len(self.exact)
        return {"largest_difference": np.abs(K[:rows, :rows] - self.exact).max()}


def _butterfly_states(X):
    """The plainest fast form: phases summed term by term, Hadamard gates qubit by qubit."""
    n = X.shape[1]
    signs = 1 - 2 * (np.arange(2**n)[None, :] >> np.arange(n)[:, None] & 1)
    phases = X @ signs
    for i, j in combinations(range(n), 2):
        angle = (np.pi - X[:, i]) * (np.pi - X[:, j])
        phases = phases + angle[:, None] * (signs[i] * signs[j])
    states = np.zeros((len(X), 2**n), dtype=complex)
    states[:, 0] = 1
    for _ in range(REPS):
        for q in range(n):
            pairs = states.reshape(len(X), -1, 2, 2**q)
            low, high = pairs[:, :, 0], pairs[:, :, 1]
            pairs[:, :, 0], pairs[:, :, 1] = low + high, low - high
        states = states * np.exp(1j * phases) / 2 ** (n / 2)
    return states


def _ours(data, clock, threads, **options):
    from skmatrix.metrics.pairwise import quantum_kernel

    with clock:
        K = quantum_kernel(data.X, n_qubits=data.X.shape[1], **options)
    return data.difference(K)


def _qiskit(data, clock, threads):
    from qiskit.circuit.library import zz_feature_map
    from qiskit_machine_learning.kernels import FidelityStatevectorKernel

    circuit = zz_feature_map(data.X.shape[1], reps=REPS)
    with clock:
        kernel = FidelityStatevectorKernel(feature_map=circuit)
        K = kernel.evaluate(data.X)
    return data.difference(K)


def _pennylane_circuit(x, n):
    import pennylane as qml

    for _ in range(REPS):
        for q in range(n):
            qml.Hadamard(q)
        for q in range(n):
            qml.RZ(-2 * x[..., q], wires=q)
        for i, j in combinations(range(n), 2):
            qml.IsingZZ(-2 * (np.pi - x[..., i]) * (np.pi - x[..., j]), wires=[i, j])
    return qml.state()


def _pennylane(data, clock, threads, device, batched):
    import pennylane as qml

    n = data.X.shape[1]
    circuit = qml.QNode(_pennylane_circuit, qml.device(device, wires=n))
    with clock:
        states = circuit(data.X, n) if batched else np.array([circuit(x, n) for x in data.X])
        K = np.abs(states.conj() @ states.T) ** 2
    return data.difference(K)


def _qulacs_state(x):
    from qulacs import QuantumCircuit, QuantumState

    n = len(x)
    circuit = QuantumCircuit(n)
    for _ in range(REPS):
        for q in range(n):
            circuit.add_H_gate(q)
        for q in range(n):
            circuit.add_RZ_gate(q, 2 * x[q])
        for i, j in combinations(range(n), 2):
            circuit.add_CNOT_gate(i, j)
            circuit.add_RZ_gate(j, 2 * (np.pi - x[i]) * (np.pi - x[j]))
            circuit.add_CNOT_gate(i, j)
    state = QuantumState(n)
    circuit.update_quantum_state(state)
    return state.get_vector()


def _qulacs(data, clock, threads):
    with clock:
        states = np.array([_qulacs_state(x) for x in data.X])
        K = np.abs(states.conj() @ states.T) ** 2
    return data.difference(K)


_SIMULATORS = [
    Contender(
        "PennyLane default.qubit, samples in one batch",
        partial(_pennylane, device="default.qubit", batched=True),
        requires=("pennylane",),
        max_rounds=1,
    ),
    Contender(
        "PennyLane lightning.qubit, sample by sample",
        partial(_pennylane, device="lightning.qubit", batched=False),
        requires=("pennylane", "pennylane_lightning"),
        max_rounds=1,
    ),
    Contender("qulacs, sample by sample", _qulacs, requires=("qulacs",), max_rounds=2),
]

register(
    Case(
        name="quantum_kernel_speed",
        title="Exact fidelity kernels",
        make_data=Points.uniform,
        contenders=[
            Contender(OURS, partial(_ours, backend="numba"), compiled=True),
            Contender(OURS + ", backend='numpy'", partial(_ours, backend="numpy")),
            Contender(
                OURS + ", dtype='complex64'", partial(_ours, backend="numba", dtype="complex64")
            ),
            Contender(
                "qiskit-machine-learning FidelityStatevectorKernel",
                _qiskit,
                requires=("qiskit_machine_learning",),
                max_rounds=1,
            ),
            *_SIMULATORS,
        ],
        workloads={
            "full": [
                {"n_qubits": n_qubits, "n_samples": n_samples}
                for n_qubits, n_samples in ((2, 40), (8, 200), (12, 200), (8, 2000), (16, 100))
            ],
            "tiny": [{"n_qubits": 3, "n_samples": 14}],
        },
        packages=(
            "qiskit-machine-learning",
            "qiskit",
            "pennylane",
            "pennylane-lightning",
            "qulacs",
        ),
        remarks="Feature map of two repetitions with all pairs of qubits. The states of PennyLane"
        " and qulacs are multiplied with each other by NumPy. largest_difference is that of an"
        " entry from states computed gate by gate.",
    )
)


def _growing_qubits(n_amplitudes):
    """As many points whatever the number of qubits; the agreement is measured elsewhere."""
    n_qubits = n_amplitudes.bit_length() - 1
    return Points(2 * np.pi * np.random.default_rng(0).random((100, n_qubits)))


def _states(data, clock, threads, **options):
    from skmatrix.svm import QuantumFeatureMap

    settings = {"output": "state", "bandwidth": 1.0, "n_qubits": data.X.shape[1]}
    model = QuantumFeatureMap(**settings, **options).fit(data.X)
    with clock:
        states = model.transform(data.X)
    return {"largest_error_of_a_norm": np.abs((states**2).sum(axis=1) - 1).max()}


def _qulacs_states(data, clock, threads):
    with clock:
        states = np.array([_qulacs_state(x) for x in data.X])
    return {"largest_error_of_a_norm": np.abs((np.abs(states) ** 2).sum(axis=1) - 1).max()}


register(
    Case(
        name="quantum_kernel_growth_qubits",
        title="States of 100 samples: growth with the number of amplitudes",
        make_data=_growing_qubits,
        contenders=[
            Contender("skmatrix QuantumFeatureMap", partial(_states, backend="numba")),
            Contender(
                "skmatrix QuantumFeatureMap, backend='numpy'", partial(_states, backend="numpy")
            ),
            Contender("qulacs", _qulacs_states, requires=("qulacs",), max_rounds=2),
        ],
        workloads={
            "full": [{"n_amplitudes": 2**n} for n in (8, 10, 12, 14)],
            "tiny": [{"n_amplitudes": 2**n} for n in (1, 2, 3)],
        },
        growth="n_amplitudes",
        memory=False,
        packages=("qulacs",),
        remarks="8 to 14 qubits. Time in proportion to the amplitudes has the exponent 1; gates on"
        " all pairs of qubits cost more with each qubit.",
    )
)
register(
    Case(
        name="quantum_kernel_growth_samples",
        title="Kernel matrices of 8 qubits: growth with the number of samples",
        make_data=partial(Points.uniform, 8),
        contenders=[
            Contender(OURS, partial(_ours, backend="numba")),
            Contender("qulacs", _qulacs, requires=("qulacs",), max_rounds=2),
        ],
        workloads={
            "full": [{"n_samples": n_samples} for n_samples in (500, 1000, 2000, 4000)],
            "tiny": [{"n_samples": n_samples} for n_samples in (13, 14, 15)],
        },
        growth="n_samples",
        memory=False,
        packages=("qulacs",),
        remarks="States take linear, and their products quadratic time.",
    )
)


def _ad_hoc_sets(n_qubits, n_sets=40, n_each=20):
    """Training and test of several sets, each with a measurement of its own."""
    from skmatrix.datasets import make_ad_hoc

    return [make_ad_hoc(n_each, n_each, n_qubits, random_state=seed) for seed in range(n_sets)]


def _mean_score(models, data):
    """Accuracy on the test data over the sets."""
    scores = np.array(
        [
            model.fit(X, y).score(X_test, y_test)
            for model, (X, y, X_test, y_test) in zip(models, data, strict=True)
        ]
    )
    error = scores.std(ddof=1) / np.sqrt(len(scores))
    return {"accuracy": scores.mean(), "standard_error": error, "lowest": scores.min()}


def _ad_hoc(data, clock, threads, **options):
    from skmatrix.svm import QuantumKernelSVC

    models = [QuantumKernelSVC(random_state=seed, **options) for seed in range(len(data))]
    with clock:
        found = _mean_score(models, data)
    return found | {"bandwidth_1": np.mean([model.bandwidth_ == 1 for model in models])}


def _rbf_grid():
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import SVC

    return GridSearchCV(SVC(), {"C": np.logspace(-1, 3, 5), "gamma": np.logspace(-2, 2, 9)})


def _ad_hoc_rbf(data, clock, threads):
    with clock:
        return _mean_score([_rbf_grid() for _ in data], data)


# A mixture of the kernel with a tenth of the constant.
_NOISE = 1 - np.sqrt(0.9)

register(
    Case(
        name="quantum_kernel_ad_hoc",
        title="Accuracy on the data of make_ad_hoc, 20 + 20 samples per class",
        make_data=_ad_hoc_sets,
        contenders=[
            Contender("exact, C=1", _ad_hoc),
            Contender("exact, C=1000", partial(_ad_hoc, C=1000)),
            Contender("1024 shots", partial(_ad_hoc, shots=1024)),
            Contender("50 000 shots", partial(_ad_hoc, shots=50_000)),
            Contender("depolarised", partial(_ad_hoc, noise=_NOISE)),
            Contender(
                "depolarised, 1024 shots, mitigated",
                partial(_ad_hoc, noise=_NOISE, shots=1024, mitigate="split"),
            ),
            Contender("projected kernel", partial(_ad_hoc, kernel="projected")),
            Contender("SVC, RBF kernel, C and gamma by cross-validation", _ad_hoc_rbf),
        ],
        workloads={
            "full": [{"n_qubits": 2}, {"n_qubits": 3}],
            "tiny": [{"n_qubits": 2, "n_sets": 2, "n_each": 5}],
        },
        timed=False,
        memory=False,
        remarks="Means over 40 measurements, drawn from the Haar measure. bandwidth_1 is the share"
        " of the sets of which bandwidth='auto' leaves the angles as they are. Depolarised is a"
        " kernel times 0.9 plus a constant. The authors of the method report, of a device with 50"
        " 000 shots and two qubits, 100 % on two sets and 94.75 % on a third.",
    )
)


@dataclass
class Table:
    """Standardised features or their principal components, with labels."""

    X: np.ndarray
    y: np.ndarray
    n_components: int | None = None
    n_folds: int = 5

    @classmethod
    def load(cls, name, step=1, **options):
        """One of scikit-learn's own sets."""
        from sklearn import datasets

        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        return cls(X[::step], y[::step], **options)

    def best_score(self, model, grid):
        """Largest mean accuracy over the folds."""
        from sklearn.decomposition import PCA
        from sklearn.model_selection import GridSearchCV, StratifiedKFold
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        steps = [("scale", StandardScaler()), ("svc", model)]
        if self.n_components is not None:
            steps.insert(1, ("pca", PCA(self.n_components)))
        folds = StratifiedKFold(self.n_folds, shuffle=True, random_state=0)
        grid = {f"svc__{name}": values for name, values in grid.items()}
        search = GridSearchCV(Pipeline(steps), grid, cv=folds).fit(self.X, self.y)
        chosen = {name.removeprefix("svc__"): float(v) for name, v in search.best_params_.items()}
        return {"accuracy": search.best_score_, **chosen}, search.best_estimator_["svc"]


def _rbf(data, clock, threads):
    from sklearn.svm import SVC

    with clock:
        return data.best_score(SVC(), {"C": [1, 10, 100], "gamma": np.logspace(-3, 1, 9)})[0]


def _bandwidth(data_map, bandwidth, data, clock, threads):
    from skmatrix.svm import QuantumKernelSVC

    model = QuantumKernelSVC(data_map=data_map, bandwidth=bandwidth)
    with clock:
        found, best = data.best_score(model, {"C": [1, 10, 100]})
    return found | {"bandwidth": best.bandwidth_}


register(
    Case(
        name="quantum_kernel_bandwidth",
        title="Bandwidths on real data",
        make_data=Table.load,
        contenders=[
            Contender("SVC, RBF kernel", _rbf),
            *(
                Contender(
                    f"data_map={data_map!r}, bandwidth={bandwidth!r}",
                    partial(_bandwidth, data_map, bandwidth),
                )
                for data_map in ("havlicek", "product")
                for bandwidth in (1.0, 0.02, "auto")
            ),
        ],
        workloads={
            "full": [
                {"name": "iris"},
                {"name": "wine", "n_components": 8},
                {"name": "breast_cancer", "n_components": 8},
                {"name": "wine"},
                {"name": "breast_cancer"},
            ],
            "tiny": [{"name": "iris", "step": 4, "n_folds": 2}],
        },
        timed=False,
        memory=False,
        remarks="Mean accuracy over five folds, of the best C of 1, 10 and 100; standardised"
        " features or so many principal components; more than ten features share ten qubits. gamma"
        " of the RBF kernel is chosen too. bandwidth and gamma are those of a fit to all of the"
        " data.",
    )
)
