"""What the source paper and the literature report: ad hoc data, and data of every day."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skmatrix.datasets import make_ad_hoc
from skmatrix.svm import QuantumKernelSVC

RBF_GRID = {"svc__C": [1, 10, 100], "svc__gamma": np.logspace(-3, 1, 9)}


def scores(n_qubits, n_sets, **options):
    """Test accuracies on ad hoc data; the bandwidth is chosen."""
    found = []
    for seed in range(n_sets):
        X, y, X_test, y_test = make_ad_hoc(n_qubits=n_qubits, random_state=seed)
        model = QuantumKernelSVC(random_state=seed, **options).fit(X, y)
        assert model.bandwidth_ == 1
        found.append(model.score(X_test, y_test))
    return np.array(found)


@pytest.mark.parametrize(("n_qubits", "least"), [(2, 0.99), (3, 0.94)])
def test_ad_hoc_data_are_told_apart(n_qubits, least):
    assert scores(n_qubits, 40).mean() >= least


@pytest.mark.parametrize("options", [{"shots": 1024}, {"shots": 50_000}, {"noise": 0.05}])
def test_ad_hoc_data_are_told_apart_by_measured_kernels(options):
    assert scores(2, 10, **options).mean() >= 0.98
    assert scores(3, 10, **options).mean() >= 0.92


def test_ad_hoc_data_are_hard_for_other_kernels():
    found = []
    for seed in range(5):
        X, y, X_test, y_test = make_ad_hoc(n_qubits=3, random_state=seed)
        grid = {"C": [1, 10, 100], "gamma": [0.1, 1.0, 10.0]}
        found.append(GridSearchCV(SVC(), grid).fit(X, y).score(X_test, y_test))
    assert np.mean(found) < 0.7


@pytest.mark.slow
@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
@pytest.mark.filterwarnings("ignore:.* features share n_qubits=")
def test_default_bandwidth_comes_near_the_tuned_rbf_kernel(load):
    X, y = load(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    rbf = GridSearchCV(make_pipeline(StandardScaler(), SVC()), RBF_GRID, cv=folds).fit(X, y)
    model = make_pipeline(StandardScaler(), QuantumKernelSVC())
    quantum = GridSearchCV(model, {"quantumkernelsvc__C": [1, 10, 100]}, cv=folds).fit(X, y)
    assert quantum.best_score_ >= rbf.best_score_ - 0.02


@pytest.mark.filterwarnings("ignore:The kernel is concentrated")
def test_bandwidth_one_makes_real_data_noise():
    X, y = load_iris(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    accuracies = {}
    for bandwidth in (1.0, "auto"):
        model = make_pipeline(StandardScaler(), QuantumKernelSVC(bandwidth=bandwidth))
        search = GridSearchCV(model, {"quantumkernelsvc__C": [1, 10, 100]}, cv=folds).fit(X, y)
        accuracies[bandwidth] = search.best_score_
    assert accuracies[1.0] < 0.5
    assert accuracies["auto"] > 0.94
