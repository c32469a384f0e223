"""Small and fast instances of every public estimator, for the common tests.

Adding an estimator means adding its entry: the common tests fail without it.
"""

from importlib.util import find_spec

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import get_tags

# Class name -> the constructor arguments of each instance to check.
INSTANCES: dict[str, list[dict]] = {
    "AugmentedCovariance": [{}, {"toeplitz": True, "center": False}],
    "AugmentedCovarianceClassifier": [{}, {"classifier": "mdm"}],
    "EBVClassifier": [
        {"max_epochs": 20, "lr": 1e-2, "dtype": "float64"},
        {"max_epochs": 20, "lr": 1e-2},
    ],
    "EBVEncoder": [{}, {"dim": 2, "basis": "optimize"}],
    "FunBaT": [
        {"rank": 2, "max_iter": 25, "tol": 1e-3, "n_init": 1},
        {"rank": 2, "decomposition": "cp", "kernel": "matern32", "max_iter": 25, "n_init": 1},
    ],
    "ILASDPClustering": [
        {"n_clusters": 2, "n_init": 2},
        {"n_clusters": 2, "covariance_type": "tied", "n_init": 1},
    ],
    "KDE": [{}, {"bandwidth": "silverman", "kernel": "student", "whiten": 0.5}],
    "KDEClassifier": [{}],
    "KDEOutlierDetector": [{}],
    "KroneckerSBL": [{}, {"solver": "svd", "compute_score": True}],
    "MatrixCompletion": [{"n_components": 2, "max_iter": 8}],
    "MatrixCompletionRegressor": [{"n_components": 2, "max_iter": 8}],
    "QuantumFeatureMap": [{}, {"output": "pauli", "max_qubits": 4}],
    # With the default tolerance libsvm, as in scikit-learn's own SVC, does not make repetitions and
    # weights the same to all digits.
    "QuantumKernelSVC": [
        {"max_qubits": 4, "tol": 1e-10},
        {"kernel": "projected", "max_qubits": 4, "tol": 1e-10},
    ],
    "SDPKMeans": [{"n_clusters": 2}],
    "SketchProjection": [
        {"n_components": 3, "sketch": sketch}
        for sketch in ("srht", "gaussian", "sparse_sign", "uniform")
    ],
    "SketchedRegression": [{}, {"solver": "lapack", "alpha": 1e-3}],
    "VariationalQuantumClassifier": [{"max_qubits": 4, "n_init": 2}],
}

# Optional packages without which an estimator cannot be fitted.
NEEDED = {"AugmentedCovarianceClassifier": "pyriemann", "EBVClassifier": "skorch"}

# Checks that compare at a relative 1e-7, which single precision does not hold.
EXACT_CHECKS = [
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
]


def instance(cls, arguments):
    """An instance whose fits are the same each time."""
    estimator = cls(**arguments)
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=0)
    return estimator


def is_installed(name):
    """Whether the estimator of this name can be fitted here."""
    return name not in NEEDED or find_spec(NEEDED[name]) is not None


def expected_failures(estimator):
    """Name of each check that an instance cannot pass -> the reason."""
    if getattr(estimator, "dtype", None) != "float32":
        return {}
    return dict.fromkeys(EXACT_CHECKS, "compares at 1e-7 what was computed in single precision")


def takes_labels_alone(estimator):
    """Whether `fit` takes y and no X."""
    tags = get_tags(estimator)
    return tags.target_tags.one_d_labels and not tags.input_tags.two_d_array


def training_data(estimator):
    """What an instance can be fitted on: X with 30 rows, and y of its kind; or labels alone."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4))
    y = X[:, 0] + 0.1 * rng.standard_normal(30)
    if takes_labels_alone(estimator):
        return (np.arange(30) % 5,)
    if not get_tags(estimator).input_tags.two_d_array:
        # Pairs of identifiers, each of six rows with each of five columns.
        X = np.column_stack([np.repeat(np.arange(6), 5), np.tile(np.arange(5), 6)])
    return X, (y > 0).astype(int) if is_classifier(estimator) else y
