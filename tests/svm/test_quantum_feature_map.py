"""Quantum feature maps as transformers: kernels regained, names, and input."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skmatrix.metrics.pairwise import quantum_kernel
from skmatrix.svm import QuantumFeatureMap, QuantumKernelSVC
from skmatrix.svm._quantum_bandwidth import CANDIDATES

# Flips of both qubits vary slowest, signs fastest; the last letter is that of the first qubit.
# fmt: off
PAULI_PAIRS = [
    "II", "IZ", "ZI", "ZZ",
    "IX", "IY", "ZX", "ZY",
    "XI", "XZ", "YI", "YZ",
    "XX", "XY", "YX", "YY",
]
# fmt: on

X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_IRIS = StandardScaler().fit_transform(X_IRIS)


@pytest.mark.parametrize("feature_map", ["zz", "z", "pauli"])
def test_inner_products_of_pauli_features_are_the_kernel(feature_map):
    options = {"feature_map": feature_map, "bandwidth": 0.3}
    features = QuantumFeatureMap(output="pauli", **options).fit_transform(X_IRIS)
    assert features.shape == (150, 256)
    assert_allclose(features @ features.T, quantum_kernel(X_IRIS, **options), rtol=0, atol=1e-13)


def test_state_features_are_amplitudes():
    features = QuantumFeatureMap(output="state", bandwidth=0.3).fit_transform(X_IRIS)
    psi = features[:, :16] + 1j * features[:, 16:]
    K = quantum_kernel(X_IRIS, bandwidth=0.3)
    assert_allclose(np.abs(psi.conj() @ psi.T) ** 2, K, rtol=0, atol=1e-13)


@pytest.mark.parametrize("feature_map", ["zz", "z"])
def test_rbf_kernel_on_bloch_features_is_the_projected_kernel(feature_map):
    options = {"feature_map": feature_map, "bandwidth": 0.3}
    features = QuantumFeatureMap(output="bloch", **options).fit_transform(X_IRIS)
    assert features.shape == (150, 12)
    model = QuantumKernelSVC(kernel="projected", gamma=2.0, **options).fit(X_IRIS, Y_IRIS)
    rbf = SVC(gamma=1.0).fit(features, Y_IRIS)
    assert_allclose(model.decision_function(X_IRIS), rbf.decision_function(features), atol=1e-6)


def test_linear_model_on_pauli_features_is_the_kernel_machine():
    features = QuantumFeatureMap(output="pauli", bandwidth=0.3).fit_transform(X_IRIS)
    linear = SVC(kernel="linear", tol=1e-8).fit(features, Y_IRIS)
    model = QuantumKernelSVC(bandwidth=0.3, tol=1e-8).fit(X_IRIS, Y_IRIS)
    assert_allclose(model.decision_function(X_IRIS), linear.decision_function(features), atol=1e-6)


def test_bandwidth_is_that_of_the_classifier_when_classes_are_known():
    transformer = QuantumFeatureMap().fit(X_IRIS, Y_IRIS)
    assert transformer.bandwidth_ == QuantumKernelSVC().fit(X_IRIS, Y_IRIS).bandwidth_


@pytest.mark.parametrize("y", [None, np.linspace(0, 1, 150)])
def test_bandwidth_without_classes_has_the_largest_spread(y):
    bandwidth = QuantumFeatureMap().fit(X_IRIS, y).bandwidth_
    spreads = {c: quantum_kernel(X_IRIS, bandwidth=c).std() for c in CANDIDATES.tolist()}
    assert bandwidth == max(spreads, key=spreads.get)


def test_pipeline_of_features_and_a_linear_model():
    for output in ("bloch", "pauli", "state"):
        model = make_pipeline(
            StandardScaler(), QuantumFeatureMap(output=output), LogisticRegression(C=100)
        )
        assert cross_val_score(model, X_IRIS, Y_IRIS, cv=3).mean() > 0.9


def test_features_feed_a_stream():
    transformer = QuantumFeatureMap(output="bloch").fit(X_IRIS, Y_IRIS)
    model = SGDClassifier(random_state=0)
    for epoch in range(20):
        rows = np.random.default_rng(epoch).permutation(150)
        for part in np.array_split(rows, 3):
            model.partial_fit(transformer.transform(X_IRIS[part]), Y_IRIS[part], [0, 1, 2])
    assert model.score(transformer.transform(X_IRIS), Y_IRIS) > 0.9


@pytest.mark.parametrize(
    ("output", "names"),
    [
        ("bloch", ["bloch_x0", "bloch_y0", "bloch_z0", "bloch_x1", "bloch_y1", "bloch_z1"]),
        ("state", [f"state_{p}_{b}" for p in ("re", "im") for b in ("00", "01", "10", "11")]),
        (
            "pauli",
            [f"pauli_{pair}" for pair in PAULI_PAIRS],
        ),
    ],
)
def test_features_have_names(output, names):
    transformer = QuantumFeatureMap(output=output, n_qubits=2, bandwidth=0.3)
    transformer.fit(X_IRIS[:, :2])
    assert transformer.get_feature_names_out().tolist() == names
    pytest.importorskip("pandas")
    frame = transformer.set_output(transform="pandas").transform(X_IRIS[:, :2])
    assert list(frame.columns) == names


def test_names_of_pauli_features_are_those_of_their_strings():
    """A state with both qubits turned about Z has expectations that its strings tell."""
    transformer = QuantumFeatureMap("z", output="pauli", reps=1, bandwidth=1.0, n_qubits=2)
    X = np.array([[0.3, 0.8]])
    row = dict(
        zip(
            transformer.fit(X).get_feature_names_out(),
            2 * transformer.transform(X)[0],
            strict=True,
        )
    )
    x, y = np.cos(2 * X[0]), -np.sin(2 * X[0])
    assert row["pauli_II"] == pytest.approx(1)
    assert row["pauli_IX"] == pytest.approx(x[0])
    assert row["pauli_XI"] == pytest.approx(x[1])
    assert row["pauli_IY"] == pytest.approx(y[0])
    assert row["pauli_YX"] == pytest.approx(y[1] * x[0])
    assert row["pauli_ZI"] == pytest.approx(0, abs=1e-15)


def test_circuit_is_drawn():
    text = QuantumFeatureMap(bandwidth=1.0, reps=1).fit(X_IRIS[:, :2]).draw()
    assert "q1: ─H──────Z2──Z3─" in text.splitlines()


def test_single_precision_is_kept():
    X = X_IRIS.astype(np.float32)
    for output in ("bloch", "pauli", "state"):
        transformer = QuantumFeatureMap(output=output, bandwidth=0.3)
        assert transformer.fit_transform(X).dtype == np.float32


def test_small_memory_means_more_tiles_and_the_same_features():
    for output in ("bloch", "pauli", "state"):
        transformer = QuantumFeatureMap(output=output, bandwidth=0.3)
        whole = transformer.fit_transform(X_IRIS)
        transformer.set_params(max_memory=0.01)
        assert_allclose(transformer.transform(X_IRIS), whole, rtol=0, atol=1e-15)


def test_pickle_keeps_the_features():
    transformer = QuantumFeatureMap(data_map="product").fit(X_IRIS, Y_IRIS)
    copy = pickle.loads(pickle.dumps(transformer))
    assert_array_equal(copy.transform(X_IRIS), transformer.transform(X_IRIS))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"output": "density"}, "'output' parameter"),
        ({"output": "pauli", "n_qubits": 7}, "n_qubits=7 must be at most 6"),
        ({"n_qubits": 20, "max_memory": 1}, "0.0336 GB"),
        ({"feature_map": "z", "n_qubits": 40, "output": "state"}, "n_qubits=40 must be at most 20"),
        ({"bandwidth": 0.0}, "'bandwidth' parameter"),
    ],
)
def test_bad_parameters_are_refused_and_the_transformer_stays(options, message):
    transformer = QuantumFeatureMap(bandwidth=0.5).fit(X_IRIS)
    original = transformer.get_params()
    before = transformer.transform(X_IRIS)
    with pytest.raises(ValueError, match=message):
        transformer.set_params(**options).fit(X_IRIS)
    assert_array_equal(transformer.set_params(**original).transform(X_IRIS), before)


def test_labels_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"a label for each of 150 samples\. Got 149"):
        QuantumFeatureMap().fit(X_IRIS, Y_IRIS[:-1])


@pytest.mark.filterwarnings("ignore:3 features share n_qubits=2")
def test_features_that_no_rotation_reads_warn():
    transformer = QuantumFeatureMap("pauli", paulis=("ZZ",), bandwidth=0.3, n_qubits=4)
    with pytest.warns(UserWarning, match=r"No rotation reads the features \[2\]") as caught:
        transformer.set_params(n_qubits=2).fit(X_IRIS[:, :3])
    assert caught[-1].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transformer.set_params(n_qubits=4).fit(X_IRIS)


def test_unfitted_transformer_says_so():
    for ask in (
        lambda t: t.transform(X_IRIS),
        lambda t: t.draw(),
        lambda t: t.get_feature_names_out(),
    ):
        with pytest.raises(NotFittedError):
            ask(QuantumFeatureMap())


def test_kernel_function_refuses_another_width():
    with pytest.raises(ValueError, match=r"Y must have the 4 features of X.*\(150, 3\)"):
        quantum_kernel(X_IRIS, X_IRIS[:, :3])
    with pytest.raises(ValueError, match="'bandwidth' parameter"):
        quantum_kernel(X_IRIS, bandwidth="auto")
    with pytest.raises(ValueError, match="max_memory=1 MB"):
        quantum_kernel(X_IRIS, n_qubits=20, max_memory=1)
