"""Support vectors with quantum kernels: agreement with the solver, shots, and input."""

import pickle
import re
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, load_wine
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import get_tags

from skmatrix._backend import get_backend
from skmatrix.metrics._kernels import kernel_alignment
from skmatrix.svm import QuantumKernelSVC
from skmatrix.svm._quantum_bandwidth import CANDIDATES, bandwidth_grid
from skmatrix.svm._quantum_encoding import make_encoding
from skmatrix.svm._quantum_kernel_matrix import QuantumKernel

X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_IRIS = StandardScaler().fit_transform(X_IRIS)
TWO = Y_IRIS > 0
X_TWO, Y_TWO = X_IRIS[TWO], Y_IRIS[TWO]


def fidelities(X, Z=None, bandwidth=1.0, **options):
    """Exact kernel."""
    encoding = make_encoding(X.shape[1], **options)
    kernel = QuantumKernel(encoding, bandwidth, "complex128", 1024)
    return kernel.fidelity(get_backend("numpy", X), X, Z)


@pytest.mark.parametrize("decision_function_shape", ["ovr", "ovo"])
@pytest.mark.parametrize("options", [{}, {"feature_map": "z"}, {"C": 100, "reps": 1}])
def test_decisions_are_those_of_the_solver_on_the_kernel(options, decision_function_shape):
    train, test = np.arange(0, 150, 2), np.arange(1, 150, 2)
    model = QuantumKernelSVC(
        bandwidth=0.25, decision_function_shape=decision_function_shape, **options
    ).fit(X_IRIS[train], Y_IRIS[train])
    C = options.pop("C", 1.0)
    K = fidelities(X_IRIS[train], bandwidth=0.25, **options)
    T = fidelities(X_IRIS[test], X_IRIS[train], bandwidth=0.25, **options)
    svc = SVC(kernel="precomputed", C=C, decision_function_shape=decision_function_shape)
    svc.fit(K, Y_IRIS[train])
    decision = model.decision_function(X_IRIS[test])
    assert_allclose(decision, svc.decision_function(T), rtol=0, atol=1e-12)
    assert_array_equal(model.predict(X_IRIS[test]), svc.predict(T))
    assert_array_equal(model.support_, svc.support_)
    assert_array_equal(model.support_vectors_, X_IRIS[train][svc.support_])
    assert_allclose(model.dual_coef_, svc.dual_coef_)
    assert_allclose(model.intercept_, svc.intercept_)
    assert_array_equal(model.n_support_, svc.n_support_)


@pytest.mark.parametrize("kernel", ["fidelity", "projected"])
def test_all_samples_may_be_support_vectors_in_any_order(kernel):
    X, y = X_IRIS[::10], Y_IRIS[::10]
    order = np.random.default_rng(0).permutation(15)
    assert np.any(np.diff(y[order]) < 0)
    model = QuantumKernelSVC(bandwidth=1.0, C=0.1, kernel=kernel).fit(X[order], y[order])
    assert model.support_.size == 15
    expected = SVC(kernel="precomputed", C=0.1).fit(model.kernel_matrix(X[order]), y[order])
    T = model.kernel_matrix(X_IRIS, X[order])
    assert_allclose(
        model.decision_function(X_IRIS), expected.decision_function(T), rtol=0, atol=1e-12
    )


def test_class_weight_and_sample_weight_reach_the_solver():
    weight = np.random.default_rng(0).uniform(0.5, 2, len(X_TWO))
    model = QuantumKernelSVC(bandwidth=0.25, class_weight={1: 3.0, 2: 1.0})
    model.fit(X_TWO, Y_TWO, sample_weight=weight)
    svc = SVC(kernel="precomputed", class_weight={1: 3.0, 2: 1.0})
    svc.fit(fidelities(X_TWO, bandwidth=0.25), Y_TWO, sample_weight=weight)
    assert_allclose(model.dual_coef_, svc.dual_coef_)
    assert not np.array_equal(
        model.dual_coef_, QuantumKernelSVC(bandwidth=0.25).fit(X_TWO, Y_TWO).dual_coef_
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"kernel": "projected"}, {"feature_map": "z"}, {"noise": 0.2, "mitigate": "average"}],
)
def test_weights_are_repetitions(options):
    rng = np.random.default_rng(0)
    X, T = rng.standard_normal((80, 3)), rng.standard_normal((20, 3))
    y, weight = (X[:, 0] * X[:, 1] > 0).astype(int), rng.integers(0, 4, 80)
    rows = rng.permutation(np.repeat(np.arange(80), weight))
    weighted = QuantumKernelSVC(tol=1e-9, **options).fit(X, y, sample_weight=weight)
    repeated = QuantumKernelSVC(tol=1e-9, **options).fit(X[rows], y[rows])
    assert weighted.bandwidth_ == repeated.bandwidth_
    assert weighted.kernel_alignment_ == pytest.approx(repeated.kernel_alignment_, rel=1e-12)
    assert_allclose(weighted.decision_function(T), repeated.decision_function(T), rtol=0, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"shots": 100, "random_state": 0, "psd": "clip"}])
def test_samples_without_weight_are_as_if_they_were_not_there(options):
    options = {"bandwidth": 0.5, "store_kernel": True, **options}
    used = np.random.default_rng(0).random(150) < 0.6
    used &= Y_IRIS != 1
    model = QuantumKernelSVC(**options).fit(X_IRIS, Y_IRIS, sample_weight=used.astype(float))
    removed = QuantumKernelSVC(**options).fit(X_IRIS[used], Y_IRIS[used])
    assert_array_equal(model.classes_, [0, 2])
    assert_array_equal(model.support_, np.flatnonzero(used)[removed.support_])
    assert_array_equal(model.support_vectors_, X_IRIS[model.support_])
    assert_array_equal(model.kernel_matrix_, removed.kernel_matrix_)
    assert_array_equal(model.decision_function(X_IRIS), removed.decision_function(X_IRIS))
    assert_array_equal(model.predict(X_IRIS), removed.predict(X_IRIS))


def test_projected_kernel_is_an_rbf_of_bloch_vectors():
    model = QuantumKernelSVC(kernel="projected", bandwidth=0.25, store_kernel=True)
    model.fit(X_TWO, Y_TWO)
    kernel = QuantumKernel(make_encoding(4), 0.25, "complex128", 1024)
    r = kernel.bloch(get_backend("numpy", X_TWO), X_TWO)
    assert model.gamma_ == pytest.approx(2 / (12 * r.var()), rel=1e-12)
    distance = np.sum((r[:, None] - r) ** 2, axis=2) / 2
    assert_allclose(model.kernel_matrix_, np.exp(-model.gamma_ * distance), rtol=0, atol=1e-12)
    assert_allclose(model.kernel_matrix(X_TWO), model.kernel_matrix_, rtol=0, atol=1e-12)
    svc = SVC(kernel="precomputed").fit(model.kernel_matrix_, Y_TWO)
    assert_allclose(
        model.decision_function(X_TWO), svc.decision_function(model.kernel_matrix_), atol=1e-12
    )


def test_projected_kernel_with_a_given_gamma():
    model = QuantumKernelSVC(kernel="projected", bandwidth=0.25, gamma=0.5, store_kernel=True)
    model.fit(X_TWO, Y_TWO)
    assert model.gamma_ == 0.5
    assert not hasattr(model.set_params(kernel="fidelity").fit(X_TWO, Y_TWO), "gamma_")


def test_default_bandwidth_has_the_largest_alignment():
    model = QuantumKernelSVC(store_kernel=True).fit(X_IRIS, Y_IRIS)
    scores = {
        c: kernel_alignment(fidelities(X_IRIS, bandwidth=c), Y_IRIS) for c in CANDIDATES.tolist()
    }
    assert model.bandwidth_ == max(scores, key=scores.get)
    assert model.kernel_alignment_ == pytest.approx(max(scores.values()), rel=1e-12)


def test_alignment_of_a_given_bandwidth_is_kept():
    model = QuantumKernelSVC(bandwidth=0.5).fit(X_IRIS, Y_IRIS)
    expected = kernel_alignment(fidelities(X_IRIS, bandwidth=0.5), Y_IRIS)
    assert model.kernel_alignment_ == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e-6, 3.0, 1e6, 1e200])
def test_default_bandwidth_follows_the_scale_of_the_data(scale):
    """Powers of two move with the data; what is left of the scale is below a factor of two."""
    grid = bandwidth_grid(scale * X_IRIS, np.ones(150))
    spread = np.sqrt(np.mean((scale * grid[-1] * X_IRIS) ** 2)) if scale < 1e100 else None
    if scale == 3.0:
        assert_array_equal(grid, CANDIDATES)
    elif spread is not None:
        assert 1.81 / 2**0.5 - 0.01 <= spread <= 1.81 * 2**0.5 + 0.01
    model = QuantumKernelSVC(C=10).fit(scale * X_IRIS, Y_IRIS)
    assert model.score(scale * X_IRIS, Y_IRIS) > 0.95


@pytest.mark.filterwarnings("ignore:The kernel is concentrated")
def test_data_near_the_smallest_numbers_have_a_finite_bandwidth():
    model = QuantumKernelSVC().fit(1e-310 * X_IRIS, Y_IRIS)
    assert np.isfinite(model.bandwidth_)


def test_many_samples_choose_the_bandwidth_on_some():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1300, 2))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    models = [QuantumKernelSVC(random_state=0, C=10).fit(X, y) for _ in range(2)]
    assert models[0].bandwidth_ == models[1].bandwidth_
    assert models[0].score(X, y) > 0.85


@pytest.mark.parametrize("psd", ["auto", "clip", "shift", "flip", "nearest"])
def test_measured_kernels_are_positive_after_repair(psd):
    model = QuantumKernelSVC(bandwidth=0.5, shots=100, psd=psd, store_kernel=True, random_state=0)
    K = model.fit(X_TWO, Y_TWO).kernel_matrix_
    assert model.n_negative_eigenvalues_ > 0
    assert (model.psd_shift_ > 0) == (psd == "shift")
    assert_array_equal(K, K.T)
    assert np.linalg.eigvalsh(K)[0] >= -1e-12
    assert model.score(X_TWO, Y_TWO) > 0.8


def test_repair_can_be_left_out():
    model = QuantumKernelSVC(bandwidth=0.5, shots=100, psd=None, store_kernel=True, random_state=0)
    K = model.fit(X_TWO, Y_TWO).kernel_matrix_
    assert np.linalg.eigvalsh(K)[0] < -1e-3
    assert_array_equal(np.diag(K), 1.0)
    assert_allclose(K * 100, np.round(K * 100), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kernel", ["fidelity", "projected"])
def test_shots_are_reproducible_and_predictions_repeat(kernel):
    models = [
        QuantumKernelSVC(bandwidth=0.5, kernel=kernel, shots=100, random_state=seed).fit(
            X_TWO, Y_TWO
        )
        for seed in (0, 0, 1)
    ]
    decisions = [model.decision_function(X_TWO) for model in models]
    assert_array_equal(decisions[0], decisions[1])
    assert_array_equal(decisions[0], models[0].decision_function(X_TWO))
    assert not np.array_equal(decisions[0], decisions[2])
    assert get_tags(models[0]).non_deterministic
    assert not get_tags(QuantumKernelSVC()).non_deterministic


def test_noise_alone_does_not_change_the_ranks_of_decisions():
    """Depolarisation scales the kernel and adds a constant: a matter of C."""
    p = 0.2
    noisy = QuantumKernelSVC(bandwidth=0.5, noise=p, tol=1e-8).fit(X_TWO, Y_TWO)
    exact = QuantumKernelSVC(bandwidth=0.5, C=(1 - p) ** 2, tol=1e-8).fit(X_TWO, Y_TWO)
    assert_allclose(
        noisy.decision_function(X_TWO), exact.decision_function(X_TWO), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("mitigate", ["average", "split"])
def test_mitigation_without_shots_undoes_noise(mitigate):
    exact = QuantumKernelSVC(bandwidth=0.5, tol=1e-8).fit(X_TWO, Y_TWO)
    mitigated = QuantumKernelSVC(bandwidth=0.5, noise=0.3, mitigate=mitigate, tol=1e-8)
    mitigated.fit(X_TWO, Y_TWO)
    assert_allclose(
        mitigated.decision_function(X_TWO), exact.decision_function(X_TWO), rtol=0, atol=1e-8
    )


@pytest.mark.parametrize("mitigate", ["average", "split"])
def test_mitigation_with_shots_comes_nearer_to_the_exact_kernel(mitigate):
    options = {"bandwidth": 0.5, "noise": 0.3, "shots": 4000, "random_state": 0}
    exact = fidelities(X_TWO, bandwidth=0.5)
    errors = []
    for how in (None, mitigate):
        model = QuantumKernelSVC(mitigate=how, store_kernel=True, **options).fit(X_TWO, Y_TWO)
        errors.append(np.abs(model.kernel_matrix_ - exact).mean())
    assert errors[1] < 0.3 * errors[0]
    assert model.score(X_TWO, Y_TWO) > 0.9


def test_kernel_matrix_is_exact_whatever_is_measured():
    model = QuantumKernelSVC(bandwidth=0.5, shots=100, noise=0.1, random_state=0)
    model.fit(X_TWO, Y_TWO)
    assert_allclose(model.kernel_matrix(X_TWO), fidelities(X_TWO, bandwidth=0.5), atol=1e-14)
    some = model.kernel_matrix(X_TWO[:3], X_TWO[:5].tolist())
    assert_allclose(some, fidelities(X_TWO, bandwidth=0.5)[:3, :5], atol=1e-14)


def test_stored_kernel_goes_away_with_the_parameter():
    model = QuantumKernelSVC(bandwidth=0.5, store_kernel=True).fit(X_TWO, Y_TWO)
    assert model.kernel_matrix_.shape == (100, 100)
    assert not hasattr(model.set_params(store_kernel=False).fit(X_TWO, Y_TWO), "kernel_matrix_")


def test_many_queries_are_predicted_in_parts(monkeypatch):
    model = QuantumKernelSVC(bandwidth=0.5).fit(X_IRIS, Y_IRIS)
    whole = model.decision_function(X_IRIS)
    monkeypatch.setattr("skmatrix.svm._quantum_kernel_svc._QUERIES", 7)
    assert_allclose(model.decision_function(X_IRIS), whole, rtol=0, atol=1e-13)


@pytest.mark.filterwarnings("ignore:13 features share")
def test_real_data_are_classified_by_default():
    X, y = load_wine(return_X_y=True)
    model = make_pipeline(StandardScaler(), QuantumKernelSVC(C=10))
    assert cross_val_score(model, X, y, cv=5).mean() > 0.93


def test_grid_search_and_pipeline():
    model = make_pipeline(StandardScaler(), QuantumKernelSVC())
    grid = {
        "quantumkernelsvc__bandwidth": ["auto", 0.1],
        "quantumkernelsvc__C": [1, 10],
        "quantumkernelsvc__feature_map": ["zz", "z"],
    }
    search = GridSearchCV(model, grid, cv=3).fit(X_IRIS, Y_IRIS)
    assert search.best_score_ > 0.93
    assert_array_equal(pickle.loads(pickle.dumps(search)).predict(X_IRIS), search.predict(X_IRIS))


def test_probabilities_come_from_calibration():
    model = CalibratedClassifierCV(QuantumKernelSVC(bandwidth=0.1, C=10), ensemble=False)
    assert model.fit(X_IRIS, Y_IRIS).predict_proba(X_IRIS).shape == (150, 3)


def test_labels_of_any_kind_come_back():
    names = np.array(["setosa", "versicolor", "virginica"])[Y_IRIS]
    model = QuantumKernelSVC(bandwidth=0.1, C=10)
    plain = model.fit(X_IRIS, Y_IRIS).predict(X_IRIS)
    assert_array_equal(model.fit(X_IRIS, names).predict(X_IRIS), np.unique(names)[plain])


def test_single_precision_is_kept():
    X = X_TWO.astype(np.float32)
    model = QuantumKernelSVC(bandwidth=0.5, dtype="complex64").fit(X, Y_TWO)
    for values in (model.decision_function(X), model.support_vectors_, model.dual_coef_):
        assert values.dtype == np.float32
    assert model.kernel_matrix(X).dtype == np.float32


@pytest.mark.parametrize(
    "form",
    [
        lambda X: X.tolist(),
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: pytest.importorskip("pandas").DataFrame(X, columns=list("abcd")),
        lambda X: pytest.importorskip("polars").DataFrame(X, schema=list("abcd")),
    ],
)
def test_containers_and_layouts_give_the_same(form):
    expected = QuantumKernelSVC(bandwidth=0.5).fit(X_TWO, Y_TWO).decision_function(X_TWO)
    model = QuantumKernelSVC(bandwidth=0.5).fit(form(X_TWO), Y_TWO)
    assert_allclose(model.decision_function(form(X_TWO)), expected, rtol=0, atol=1e-12)


def test_read_only_memory_maps_are_read(tmp_path):
    np.save(tmp_path / "X.npy", X_TWO)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    QuantumKernelSVC(bandwidth=0.5).fit(mapped, Y_TWO).predict(mapped)


def test_integers_duplicates_and_constant_features_are_fine():
    X = np.array([[0, 7], [1, 7], [0, 7], [3, 7], [2, 7], [3, 7]])
    y = [0, 0, 0, 1, 1, 1]
    assert QuantumKernelSVC(C=10).fit(X, y).score(X, y) == 1


def test_equal_samples_warn_of_a_concentrated_kernel():
    X = np.ones((6, 2))
    with pytest.warns(UserWarning, match=r"concentrated.*bandwidth"):
        model = QuantumKernelSVC().fit(X, [0, 0, 0, 1, 1, 1])
    assert model.predict(X).shape == (6,)


def test_large_bandwidth_warns_of_a_concentrated_kernel():
    X = np.random.default_rng(0).standard_normal((40, 14))
    y = (X[:, 0] > 0).astype(int)
    with pytest.warns(UserWarning, match=r"concentrated.*bandwidth"):
        QuantumKernelSVC(bandwidth=50.0, n_qubits=14).fit(X, y)


@pytest.mark.filterwarnings("ignore:30 features share n_qubits=10, in 3 blocks")
@pytest.mark.filterwarnings("ignore:The kernel is concentrated")
def test_thirty_features_are_uploaded_in_blocks():
    X = np.random.default_rng(0).standard_normal((40, 30))
    model = QuantumKernelSVC(bandwidth=0.05).fit(X, (X[:, 29] > 0).astype(int))
    assert (model.n_qubits_, model.n_blocks_) == (10, 3)
    moved = X.copy()
    moved[:, 29] += 1
    assert np.abs(model.decision_function(moved) - model.decision_function(X)).max() > 0.01


def test_features_that_share_qubits_warn_once():
    X = np.random.default_rng(0).standard_normal((20, 7))
    with pytest.warns(UserWarning, match=r"7 features share n_qubits=3, in 3 blocks") as caught:
        model = QuantumKernelSVC(max_qubits=3).fit(X, np.arange(20) % 2)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert (model.n_qubits_, model.n_blocks_) == (3, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.predict(X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bandwidth": 0}, "'bandwidth' parameter"),
        ({"bandwidth": -1.0}, "'bandwidth' parameter"),
        ({"shots": 0}, "'shots' parameter"),
        ({"noise": 1.0}, "'noise' parameter"),
        ({"noise": -0.1}, "'noise' parameter"),
        ({"reps": 0}, "'reps' parameter"),
        ({"backend": "jax"}, "'backend' parameter"),
        ({"n_qubits": 21}, "n_qubits=21 must be at most 20"),
        ({"feature_map": "pauli", "paulis": ("A",)}, "paulis must be strings"),
        ({"feature_map": "pauli", "paulis": []}, "paulis must be strings"),
        ({"feature_map": "pauli", "paulis": ("ZZZZZ",)}, "'ZZZZZ' of 5 letters"),
        ({"entanglement": [(0, 9)]}, "entanglement has the group"),
        ({"data_map": lambda X, S: X}, "data_map must return an array"),
        ({"kernel": "projected", "mitigate": "split"}, "with kernel='projected' it must be None"),
        ({"n_qubits": 20, "max_memory": 1}, r"0.0336 GB.*reduce with PCA or n_qubits"),
    ],
)
def test_bad_parameters_are_refused_and_the_model_stays(options, message):
    model = QuantumKernelSVC(bandwidth=0.5).fit(X_TWO, Y_TWO)
    before = model.decision_function(X_TWO)
    original = model.get_params()
    with pytest.raises(ValueError, match=message):
        model.set_params(**options).fit(X_TWO + 1, Y_TWO)
    assert_array_equal(model.set_params(**original).decision_function(X_TWO), before)


@pytest.mark.parametrize(
    ("X", "y", "weight", "message"),
    [
        ([[0.0], [np.nan]], [0, 1], None, "NaN"),
        ([[0.0], [np.inf]], [0, 1], None, "infinity"),
        (np.empty((0, 2)), [], None, "0 sample"),
        (np.ones((2, 2)) * 1j, [0, 1], None, "Complex data"),
        (np.ones((2, 2, 2)), [0, 1], None, "dim 3"),
        ([[0.0], [1.0]], [1, 1], None, "class"),
        ([[0.0]], [1], None, "class"),
        ([[0.0], [1.0]], [0.5, 0.7], None, "continuous"),
        ([[0.0], [1.0]], [0, 1, 1], None, "inconsistent"),
        ([[0.0], [1.0]], [0, 1], [0, 0], r"[Ss]ample weights.*zero"),
        ([[0.0], [1.0]], [0, 1], [1, -1], r"[Nn]egative"),
        ([[0.0], [1.0]], [0, 1], [1, 0], r"classes .* among the samples with a weight. Got 1"),
    ],
)
def test_bad_data_are_refused(X, y, weight, message):
    with pytest.raises(ValueError, match=message):
        QuantumKernelSVC().fit(X, y, sample_weight=weight)


def test_sparse_data_are_refused():
    sparse = pytest.importorskip("scipy.sparse").csr_array(X_TWO)
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        QuantumKernelSVC().fit(sparse, Y_TWO)


def test_unfitted_model_says_so():
    for method in ("predict", "decision_function", "kernel_matrix"):
        with pytest.raises(NotFittedError):
            getattr(QuantumKernelSVC(), method)(X_TWO)


def test_wrong_width_is_refused():
    model = QuantumKernelSVC(bandwidth=0.5).fit(X_TWO, Y_TWO)
    with pytest.raises(ValueError, match=re.escape("X has 3 features")):
        model.predict(X_TWO[:, :3])


def test_a_clone_is_fitted_to_the_same():
    model = QuantumKernelSVC(entanglement=[(0, 1)], shots=100, random_state=0).fit(X_TWO, Y_TWO)
    other = clone(model).fit(X_TWO, Y_TWO)
    assert_array_equal(other.decision_function(X_TWO), model.decision_function(X_TWO))
