"""Variational quantum circuits: time of a gradient and of a fit, and accuracy against depth."""

from dataclasses import dataclass
from functools import partial, reduce
from itertools import combinations

import numpy as np

from ._harness import Case, Contender, register

OURS = "skmatrix VariationalQuantumClassifier"
STEPS = 20  # gradients that are timed together
PACKAGES = ("qiskit-machine-learning", "qiskit", "pennylane")


@dataclass
class Split:
    """Training and test data, and the number of layers of the circuit."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    n_layers: int

    @classmethod
    def ad_hoc(cls, n_qubits, n_each, n_layers, seed=0, gap=0.1):
        """One set of make_ad_hoc."""
        from skmatrix.datasets import make_ad_hoc

        data = make_ad_hoc(n_each, n_each, n_qubits, gap=gap, random_state=seed)
        return cls(*data, n_layers)

    def accuracies(self, model):
        """On the training and on the test data."""
        return {
            "train_accuracy": model.score(self.X, self.y),
            "test_accuracy": model.score(self.X_test, self.y_test),
        }


def _classifier(data, **options):
    from skmatrix.svm import VariationalQuantumClassifier

    settings = {"n_layers": data.n_layers, "bandwidth": 1.0, "random_state": 0}
    return VariationalQuantumClassifier(**settings | options)


def _gradients(data, clock, threads, **options):
    """Full-batch steps of Adam, each of which takes one gradient."""
    model = _classifier(data, optimizer="adam", max_iter=STEPS, n_init=1, **options)
    with clock:
        model.fit(data.X, data.y)
    clock.extrapolate(1 / model.n_iter_)
    return {}


def _pennylane_gradients(data, clock, threads):
    import pennylane as qml
    from pennylane import numpy as autograd_numpy

    from skmatrix.svm import QuantumFeatureMap

    n = data.X.shape[1]
    parts = QuantumFeatureMap(output="state", bandwidth=1.0).fit_transform(data.X)
    states = parts[:, : 2**n] + 1j * parts[:, 2**n :]
    signs = np.where(data.y > 0, 1.0, -1.0)

    @qml.qnode(qml.device("default.qubit", wires=n), diff_method="backprop")
    def parity(theta):
        qml.StatePrep(states, wires=range(n)[::-1], validate_norm=False)
        for layer in range(data.n_layers + 1):
            if layer:
                for pair in combinations(range(n), 2):
                    qml.CZ(wires=pair)
            for q in range(n):
                qml.RY(theta[layer, q, 0], wires=q)
                qml.RZ(theta[layer, q, 1], wires=q)
        return qml.expval(reduce(lambda a, b: a @ b, map(qml.Z, range(n))))

    def loss(theta):
        return autograd_numpy.mean((1 - signs * parity(theta)) / 2)

    gradient = qml.grad(loss)
    rng = np.random.default_rng(0)
    theta = autograd_numpy.array(rng.uniform(-np.pi, np.pi, (data.n_layers + 1, n, 2)))
    with clock:
        for _ in range(STEPS):
            theta = theta - 0.05 * gradient(theta)
    clock.extrapolate(1 / STEPS)
    return {}


def _vqc(data, optimizer):
    """The classifier of qiskit-machine-learning, with the same circuit."""
    from qiskit.circuit.library import n_local, zz_feature_map
    from qiskit_machine_learning.algorithms import VQC
    from qiskit_machine_learning.utils import algorithm_globals

    algorithm_globals.random_seed = 0
    n = data.X.shape[1]
    ansatz = n_local(n, ["ry", "rz"], "cz", reps=data.n_layers)
    return VQC(feature_map=zz_feature_map(n, reps=2), ansatz=ansatz, optimizer=optimizer)


def _vqc_values(data, clock, threads, n_values=2):
    from qiskit_machine_learning.optimizers import OptimizerResult

    def minimise(fun, x0, jac=None, bounds=None):
        with clock:
            values = [fun(x0) for _ in range(n_values)]
        clock.extrapolate(1 / n_values)
        result = OptimizerResult()
        result.x, result.fun = x0, values[-1]
        return result

    _vqc(data, minimise).fit(data.X, data.y)
    return {}


register(
    Case(
        name="variational_classifier_gradient",
        title="Loss of a variational circuit, with the gradient of all angles",
        make_data=Split.ad_hoc,
        contenders=[
            Contender(OURS, partial(_gradients, backend="numba"), compiled=True),
            Contender(OURS + ", backend='numpy'", partial(_gradients, backend="numpy")),
            Contender(
                "PennyLane default.qubit, backpropagation",
                _pennylane_gradients,
                requires=("pennylane",),
                max_rounds=2,
            ),
            Contender(
                "qiskit-machine-learning VQC, without a gradient",
                _vqc_values,
                requires=("qiskit_machine_learning",),
                max_rounds=1,
            ),
        ],
        workloads={
            "full": [
                {"n_qubits": 2, "n_each": 20, "n_layers": 3},
                {"n_qubits": 8, "n_each": 100, "n_layers": 3, "gap": 0.0},
            ],
            "tiny": [{"n_qubits": 2, "n_each": 4, "n_layers": 1}],
        },
        memory=False,
        packages=PACKAGES,
        remarks=f"Mean over {STEPS} gradients, or 2 values; n_each is half of the samples."
        " Ours are steps of Adam, the states of the samples included, which PennyLane is given.",
    )
)


def _fit(data, clock, threads, **options):
    model = _classifier(data, **options)
    with clock:
        model.fit(data.X, data.y)
    return data.accuracies(model)


def _vqc_fit(data, clock, threads):
    from qiskit_machine_learning.optimizers import COBYLA

    model = _vqc(data, COBYLA(maxiter=100))
    with clock:
        model.fit(data.X, data.y)
    return data.accuracies(model)


register(
    Case(
        name="variational_classifier_fit",
        title="Fit of a variational circuit of 2 qubits to 40 samples",
        make_data=partial(Split.ad_hoc, 2, gap=0.3),
        contenders=[
            Contender(OURS + ", 4 starts of L-BFGS", _fit, compiled=True),
            Contender(OURS + ", 1 of SPSA", partial(_fit, optimizer="spsa", n_init=1)),
            Contender(
                "qiskit-machine-learning VQC, 100 values for COBYLA",
                _vqc_fit,
                requires=("qiskit_machine_learning",),
                max_rounds=1,
            ),
        ],
        workloads={
            "full": [{"n_each": 20, "n_layers": 3}],
            "tiny": [{"n_each": 3, "n_layers": 1}],
        },
        memory=False,
        packages=PACKAGES,
    )
)


def _ad_hoc_sets(n_sets, n_each, settings):
    """Sets with a measurement of their own, and what is given to each fit."""
    sets = [Split.ad_hoc(2, n_each, 0, seed=seed, gap=0.3) for seed in range(n_sets)]
    return sets, settings


def _depth(n_layers, optimizer, data, clock, threads):
    """Mean accuracies over the sets."""
    sets, settings = data
    options = {"n_layers": n_layers, "optimizer": optimizer, "bandwidth": 1.0}
    if optimizer == "spsa":
        options |= {"max_iter": 250, "shots": 2000}
    with clock:
        found = [
            split.accuracies(_classifier(split, **options | settings).fit(split.X, split.y))
            for split in sets
        ]
    return {f"{name}": np.mean([accuracies[name] for accuracies in found]) for name in found[0]} | {
        "lowest_test_accuracy": min(accuracies["test_accuracy"] for accuracies in found)
    }


register(
    Case(
        name="variational_classifier_depth",
        title="Accuracy of variational circuits against their depth",
        make_data=_ad_hoc_sets,
        contenders=[
            Contender(f"{label}, depth {n_layers}", partial(_depth, n_layers, optimizer))
            for label, optimizer in (("L-BFGS", "lbfgs"), ("SPSA, 2000 shots", "spsa"))
            for n_layers in range(5)
        ],
        workloads={
            "full": [{"n_sets": 8, "n_each": 20, "settings": {}}],
            "tiny": [{"n_sets": 1, "n_each": 3, "settings": {"max_iter": 3, "n_init": 1}}],
        },
        timed=False,
        memory=False,
        remarks="Means over 8 sets of make_ad_hoc of 2 qubits, 20 + 20 samples per class. The"
        " authors of the method report accuracies that rise with the depth, to nearly 100 % from 2"
        " layers on.",
    )
)


def _iris_splits(n_splits, step, settings):
    """Shuffled splits of iris, scaled to the unit interval, and what is given to each fit."""
    from sklearn.datasets import load_iris
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import MinMaxScaler

    X, y = load_iris(return_X_y=True)
    splits = []
    for seed in range(n_splits):
        X_train, X_test, y_train, y_test = train_test_split(
            X[::step], y[::step], test_size=0.2, stratify=y[::step], random_state=seed
        )
        scaler = MinMaxScaler().fit(X_train)
        splits.append(
            Split(scaler.transform(X_train), y_train, scaler.transform(X_test), y_test, 3)
        )
    return splits, settings


def _iris(data, clock, threads, **options):
    splits, settings = data
    models = [_classifier(split, **options | settings) for split in splits]
    return _mean_of_splits(models, splits, clock)


def _iris_rbf(data, clock, threads):
    from sklearn.svm import SVC

    return _mean_of_splits([SVC() for _ in data[0]], data[0], clock)


def _mean_of_splits(models, splits, clock):
    """Mean accuracies, and the mean time of a fit."""
    with clock:
        for model, split in zip(models, splits, strict=True):
            model.fit(split.X, split.y)
    clock.extrapolate(1 / len(models))
    found = [split.accuracies(model) for model, split in zip(models, splits, strict=True)]
    return {name: np.mean([accuracies[name] for accuracies in found]) for name in found[0]}


register(
    Case(
        name="variational_classifier_iris",
        title="Three classes of iris, four qubits, three layers",
        make_data=_iris_splits,
        contenders=[
            Contender(OURS + ", product map", partial(_iris, data_map="product"), compiled=True),
            Contender(
                OURS + ", product map, bandwidth by alignment",
                partial(_iris, data_map="product", bandwidth="auto"),
            ),
            Contender(OURS + ", default map", _iris),
            Contender("SVC, RBF kernel", _iris_rbf),
        ],
        workloads={
            "full": [{"n_splits": 5, "step": 1, "settings": {}}],
            "tiny": [{"n_splits": 1, "step": 5, "settings": {"max_iter": 3, "n_init": 1}}],
        },
        memory=False,
        max_rounds=2,
        remarks="Means over shuffled splits, 80 % for training, features scaled to the unit"
        " interval. The time is that of one fit. A tutorial of qiskit-machine-learning reports 0.64"
        " on the test data after 160 seconds.",
    )
)
