"""Trained circuits: gradients, unitarity, optimisers, and the interface."""

import pickle
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import expm
from sklearn.callback import ProgressBar
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils import get_tags

from skmatrix._backend import get_backend
from skmatrix.datasets import make_ad_hoc
from skmatrix.svm import QuantumKernelSVC, VariationalQuantumClassifier
from skmatrix.svm._quantum_encoding import entangled_qubits
from skmatrix.svm._variational_kernels import evolve, gradient
from skmatrix.svm._variational_loss import class_readout, empirical_risk
from skmatrix.svm._variational_training import Circuit, Objective, train
from tests.svm.quantum_reference import PAULI, dense_states, on_qubits

X_IRIS, Y_IRIS = load_iris(return_X_y=True)
X_IRIS = MinMaxScaler().fit_transform(X_IRIS)
AD_HOC = make_ad_hoc(random_state=0)
ENGINES = ["numpy", "numba"]


def engine(name):
    """Back end of a name."""
    return get_backend(name, np.empty(0))


def entangler_signs(n_qubits, pattern="full"):
    """Diagonal of the product of controlled-Z gates, gate by gate."""
    signs = np.ones(2**n_qubits)
    for i, j in entangled_qubits(pattern, n_qubits, 2) if n_qubits > 1 else ():
        for b in range(2**n_qubits):
            signs[b] *= -1 if b >> i & 1 and b >> j & 1 else 1
    return signs


def dense_circuit(theta, signs):
    """Matrix of the trained circuit, from exponentials of its generators."""
    n_qubits = theta.shape[1]
    W = np.eye(2**n_qubits)
    for layer in range(theta.shape[0]):
        if layer:
            W = signs[:, None] * W
        for q in range(n_qubits):
            for k, letter in enumerate("YZ"):
                W = expm(0.5j * theta[layer, q, k] * on_qubits({q: PAULI[letter]}, n_qubits)) @ W
    return W


def random_problem(n_qubits, n_layers, n_samples=5, seed=0):
    """States, angles, and the entangler."""
    rng = np.random.default_rng(seed)
    psi = rng.standard_normal((2, 2**n_qubits, n_samples))
    psi /= np.sqrt(np.sum(psi**2, axis=(0, 1)))
    theta = rng.uniform(-np.pi, np.pi, (n_layers + 1, n_qubits, 2))
    return psi, theta, entangler_signs(n_qubits)


def objective(n_qubits=2, n_layers=2, by_shifts=False, shots=None, noise=0.0, seed=0):
    """The paper's loss of a random problem."""
    psi, theta, signs = random_problem(n_qubits, n_layers, 9, seed)
    circuit = Circuit(engine("numba"), signs, class_readout(n_qubits, 2), noise, shots)
    codes = np.arange(9) % 2
    return Objective(
        circuit=circuit,
        amplitudes=psi,
        codes=codes,
        share=np.arange(1, 10) / 45,
        shape=theta.shape,
        loss=empirical_risk,
        loss_shots=10,
        fit_intercept=True,
        by_shifts=by_shifts,
        rng=np.random.default_rng(0),
    ), np.concatenate([theta.ravel(), [0.1]])


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("n_layers", [0, 1, 3])
@pytest.mark.parametrize("n_qubits", [1, 2, 3, 4])
def test_circuit_is_that_of_its_gates(n_qubits, n_layers, backend):
    psi, theta, signs = random_problem(n_qubits, n_layers)
    behind = evolve(engine(backend), psi, theta, signs)
    W = dense_circuit(theta, signs)
    assert_allclose(W @ W.conj().T, np.eye(2**n_qubits), rtol=0, atol=1e-12)
    expected = np.abs(W @ (psi[0] + 1j * psi[1])) ** 2
    assert_allclose(np.sum(behind**2, axis=0), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("backend", ENGINES)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_adjoint_gradient_is_that_of_differences(n_classes, backend):
    be = engine(backend)
    psi, theta, signs = random_problem(3, 2)
    readout = class_readout(3, n_classes)
    cotangent = np.random.default_rng(1).standard_normal((5, n_classes))

    def value(angles):
        return np.sum((np.sum(evolve(be, psi, angles, signs) ** 2, axis=0).T @ readout) * cotangent)

    found = gradient(be, evolve(be, psi, theta, signs), theta, signs, readout, cotangent)
    for place in np.ndindex(*theta.shape):
        step = np.zeros_like(theta)
        step[place] = 1e-5
        expected = (value(theta + step) - value(theta - step)) / 2e-5
        assert found[place] == pytest.approx(expected, rel=1e-7, abs=1e-8)


def test_adjoint_gradient_is_that_of_automatic_differentiation():
    torch = pytest.importorskip("torch")
    import array_api_compat.torch as xp

    psi, theta, signs = random_problem(3, 2)
    readout = class_readout(3, 3)
    cotangent = np.random.default_rng(1).standard_normal((5, 3))
    angles = torch.tensor(theta, requires_grad=True)
    behind = evolve.reference(xp, torch.tensor(psi), angles, torch.tensor(signs))
    probability = torch.sum(behind**2, dim=0).T @ torch.tensor(readout)
    torch.sum(probability * torch.tensor(cotangent)).backward()
    be = engine("numba")
    found = gradient(be, evolve(be, psi, theta, signs), theta, signs, readout, cotangent)
    assert_allclose(found, angles.grad.numpy(), rtol=0, atol=1e-13)


def test_groups_of_samples_give_what_all_at_once_give():
    """The twins work on 8 samples of so many qubits at a time; 19 are three groups, one short."""
    psi, theta, signs = random_problem(10, 1, n_samples=19)
    readout = class_readout(10, 3)
    cotangent = np.random.default_rng(1).standard_normal((19, 3))
    arrays, twins = engine("numpy"), engine("numba")
    behind = evolve(arrays, psi, theta, signs)
    assert_allclose(evolve(twins, psi, theta, signs) ** 2, behind**2, rtol=0, atol=1e-14)
    expected, found = (
        gradient(be, behind, theta, signs, readout, cotangent) for be in (arrays, twins)
    )
    assert_allclose(found, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("pattern", ["full", "linear", "circular", "pairwise", [(0, 2)]])
def test_entangler_is_that_of_its_pairs(pattern):
    X = np.random.default_rng(0).uniform(0, 6, (8, 3))
    model = VariationalQuantumClassifier(
        entangler=pattern, bandwidth=1.0, n_init=1, random_state=0
    ).fit(X, np.arange(8) % 2)
    assert_array_equal(model._circuit(engine("numpy")).signs, entangler_signs(3, pattern))


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_adjoint_gradient_of_the_loss_is_that_of_parameter_shifts(noise):
    adjoint, x = objective(noise=noise)
    shifted, _ = objective(noise=noise, by_shifts=True)
    value, expected = adjoint.value_and_gradient(x)
    assert shifted.value_and_gradient(x)[0] == value == adjoint.value(x)
    assert_allclose(shifted.value_and_gradient(x)[1], expected, rtol=0, atol=1e-12)


def test_gradient_of_the_loss_is_that_of_differences():
    target, x = objective()
    found = target.value_and_gradient(x)[1]
    for k in range(x.size):
        step = np.zeros_like(x)
        step[k] = 1e-6
        expected = (target.value(x + step) - target.value(x - step)) / 2e-6
        assert found[k] == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_gradient_of_rows_is_that_of_the_rows_alone():
    target, x = objective()
    rows = np.array([4, 0, 7])
    alone, _ = objective()
    alone.amplitudes = np.ascontiguousarray(target.amplitudes[:, :, rows])
    alone.codes, alone.share = target.codes[rows], target.share[rows] / target.share[rows].sum()
    value, found = target.value_and_gradient(x, rows)
    expected = alone.value_and_gradient(x)
    assert value == pytest.approx(expected[0], rel=1e-14)
    assert_allclose(found, expected[1], rtol=1e-12, atol=1e-15)


def test_one_qubit_without_layers_reaches_its_optimum():
    """One rotation turns the two states of two classes to where outcomes tell them best."""
    X = np.array([[0.2], [1.0]])
    model = VariationalQuantumClassifier(
        "z", reps=1, n_layers=0, bandwidth=1.0, loss="cross_entropy", fit_intercept=False,
        random_state=0, tol=1e-12,
    ).fit(X, [0, 1])  # fmt: skip
    psi = dense_states(model._encoding, X)
    # Helstrom: the best mean probability of the right outcome.
    difference = np.outer(psi[1], psi[1].conj()) - np.outer(psi[0], psi[0].conj())
    best = 0.5 + 0.25 * np.abs(np.linalg.eigvalsh(difference)).sum()

    # Rotations about Y alone reach measurements in the plane of X and Z.
    def plane(angle):
        P = np.cos(angle) * PAULI["Z"] + np.sin(angle) * PAULI["X"]
        e = np.real(np.sum(psi.conj() * (psi @ P.T), axis=1))
        return (1 + np.array([-e[0], e[1]])) / 2

    angles = np.linspace(0, 2 * np.pi, 20001)
    losses = [-np.mean(np.log(np.maximum(plane(a), 1e-3))) for a in angles]
    assert model.loss_ == pytest.approx(min(losses), abs=1e-6)
    assert model.predict_proba(X)[[0, 1], [0, 1]].mean() <= best + 1e-12


@pytest.mark.parametrize("n_layers", [2, 3])
def test_ad_hoc_data_are_learnt_with_two_layers(n_layers):
    scores = []
    for seed in range(5):
        X, y, X_test, y_test = make_ad_hoc(random_state=seed)
        model = VariationalQuantumClassifier(n_layers=n_layers, bandwidth=1.0, random_state=seed)
        scores.append(model.fit(X, y).score(X_test, y_test))
    assert np.mean(scores) >= 0.97


def test_measured_losses_train_by_spsa():
    X, y, X_test, y_test = AD_HOC
    model = VariationalQuantumClassifier(
        bandwidth=1.0, optimizer="spsa", shots=2000, max_iter=250, random_state=0
    ).fit(X, y)
    assert model.n_iter_ == 250
    assert model.score(X_test, y_test) >= 0.95


@pytest.mark.parametrize("batch_size", [None, 8])
def test_adam_trains(batch_size):
    X, y, X_test, y_test = AD_HOC
    model = VariationalQuantumClassifier(
        bandwidth=1.0, optimizer="adam", batch_size=batch_size, learning_rate=0.1, tol=1e-3,
        max_iter=300, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert model.score(X_test, y_test) >= 0.95


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "spsa"])
def test_bias_that_is_not_trained_stays_zero(optimizer):
    X, y, X_test, y_test = AD_HOC
    model = VariationalQuantumClassifier(
        bandwidth=1.0, optimizer=optimizer, fit_intercept=False, learning_rate=0.1, tol=1e-3,
        max_iter=300, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert model.intercept_ == 0
    assert model.score(X_test, y_test) >= 0.95


def test_spsa_sees_the_bias_that_is_not_trained():
    target, start = objective()
    seen = []

    def loss(probability, bias, *others):
        seen.append(bias)
        return empirical_risk(probability, bias, *others)

    target.loss, target.fit_intercept = loss, False
    run = train(target, start, VariationalQuantumClassifier(optimizer="spsa", max_iter=3), 0, 1, 0)
    assert set(seen) == {run.x[-1]} == {start[-1]}
    assert np.all(run.x[:-1] != start[:-1])


@pytest.mark.parametrize("optimizer", ["lbfgs", "spsa"])
def test_bias_that_is_not_trained_is_kept_by_a_warm_start(optimizer):
    X = AD_HOC[0]
    model = VariationalQuantumClassifier(bandwidth=1.0, n_layers=0, random_state=0)
    bias = model.fit(X, (X[:, 0] > 1).astype(int)).intercept_
    assert abs(bias) > 1e-3
    model.set_params(warm_start=True, fit_intercept=False, optimizer=optimizer)
    assert model.fit(X, (X[:, 0] > 1).astype(int)).intercept_ == bias


def test_last_rotations_about_z_stay_with_exact_gradients_and_are_not_read():
    X, y, X_test, _ = AD_HOC
    options = {"bandwidth": 1.0, "n_init": 1, "random_state": 0}
    lbfgs = VariationalQuantumClassifier(**options).fit(X, y)
    adam = VariationalQuantumClassifier(optimizer="adam", tol=1e-2, **options).fit(X, y)
    assert_array_equal(adam.theta_[-1, :, 1], lbfgs.theta_[-1, :, 1])
    assert np.all(adam.theta_[:-1] != lbfgs.theta_[:-1])
    before = lbfgs.decision_function(X_test)
    lbfgs.theta_[-1, :, 1] += 1
    assert_array_equal(lbfgs.decision_function(X_test), before)


def test_parameter_shifts_train_like_the_adjoint():
    X, y, X_test, _ = AD_HOC
    options = {"bandwidth": 1.0, "n_layers": 1, "n_init": 1, "random_state": 0, "max_iter": 15}
    with pytest.warns(ConvergenceWarning):
        adjoint = VariationalQuantumClassifier(tol=0.0, **options).fit(X, y)
    with pytest.warns(ConvergenceWarning):
        shifted = VariationalQuantumClassifier(tol=0.0, gradient="parameter_shift", **options).fit(
            X, y
        )
    assert_allclose(
        shifted.decision_function(X_test), adjoint.decision_function(X_test), rtol=0, atol=1e-6
    )


def test_the_kernel_machine_is_no_worse():
    """Every decision of a circuit is one of the kernel machine with the same feature map."""
    X, y, X_test, y_test = AD_HOC
    kernel = QuantumKernelSVC(bandwidth=1.0, C=100).fit(X, y).score(X_test, y_test)
    circuit = VariationalQuantumClassifier(bandwidth=1.0, n_layers=0, random_state=0)
    assert circuit.fit(X, y).score(X_test, y_test) <= kernel


def test_three_classes_are_learnt():
    cv = StratifiedShuffleSplit(3, test_size=0.2, random_state=0)
    model = VariationalQuantumClassifier(n_layers=3, data_map="product", random_state=0)
    pipeline = make_pipeline(MinMaxScaler(), model)
    assert cross_val_score(pipeline, X_IRIS, Y_IRIS, cv=cv).mean() >= 0.8


@pytest.mark.parametrize("loss", ["empirical_risk", "cross_entropy"])
def test_probabilities_agree_with_decisions(loss):
    X, y, X_test, _ = AD_HOC
    model = VariationalQuantumClassifier(bandwidth=1.0, loss=loss, random_state=0).fit(X, y)
    decision, proba = model.decision_function(X_test), model.predict_proba(X_test)
    assert_allclose(proba.sum(axis=1), 1)
    assert_allclose(proba[:, 1], np.clip((1 + decision) / 2, 0, 1), rtol=0, atol=1e-14)
    assert_array_equal(model.predict(X_test), np.where(decision > 0, 1, -1))


def test_probabilities_of_three_classes_agree_with_decisions():
    model = VariationalQuantumClassifier(random_state=0, n_init=1, max_iter=500)
    model.fit(X_IRIS, Y_IRIS)
    decision, proba = model.decision_function(X_IRIS), model.predict_proba(X_IRIS)
    assert_allclose(proba, np.exp(decision), rtol=1e-12)
    assert_array_equal(model.predict(X_IRIS), decision.argmax(axis=1))
    assert model.intercept_.shape == (3,)


def test_qubits_are_added_where_classes_need_them():
    X = np.arange(10.0)[:, None]
    model = VariationalQuantumClassifier(random_state=0, n_init=1, max_iter=2000)
    model.fit(X, np.arange(10) // 2)
    assert model.n_qubits_ == 3
    assert model.predict_proba(X).shape == (10, 5)
    with pytest.raises(ValueError, match=r"5 classes need 2\*\*n_qubits outcomes.*at least 3"):
        model.set_params(n_qubits=2).fit(X, np.arange(10) // 2)


def test_loss_curves_end_in_the_smallest_loss():
    X, y, *_ = AD_HOC
    model = VariationalQuantumClassifier(bandwidth=1.0, n_init=3, random_state=0).fit(X, y)
    assert len(model.loss_curves_) == 3
    assert model.loss_curve_ in model.loss_curves_
    assert model.loss_ == min(curve[-1] for curve in model.loss_curves_)
    assert model.n_iter_ == len(model.loss_curve_)
    for curve in model.loss_curves_:
        assert np.all(np.diff(curve) <= 1e-12)


def test_callback_is_told_of_every_iteration():
    X, y, *_ = AD_HOC
    told = []
    model = VariationalQuantumClassifier(
        bandwidth=1.0, n_init=2, random_state=0, callback=lambda **step: told.append(step)
    ).fit(X, y)
    for start, curve in enumerate(model.loss_curves_):
        steps = [step for step in told if step["start"] == start]
        assert [step["loss"] for step in steps] == curve
        assert [step["iteration"] for step in steps] == list(range(1, len(curve) + 1))
        assert all(step["theta"].shape == (3, 2, 2) for step in steps)


def test_progress_is_shown(capsys):
    pytest.importorskip("rich")
    X, y, *_ = AD_HOC
    model = VariationalQuantumClassifier(bandwidth=1.0, random_state=0)
    model.set_callbacks(ProgressBar())
    model.fit(X, y)
    assert "VariationalQuantumClassifier" in capsys.readouterr().out


def test_warm_start_goes_on_from_the_fitted_angles():
    X, y, *_ = AD_HOC
    model = VariationalQuantumClassifier(bandwidth=1.0, random_state=0).fit(X, y)
    loss, theta = model.loss_, model.theta_
    model.set_params(warm_start=True).fit(X, y)
    assert len(model.loss_curves_) == 1
    assert model.loss_ <= loss + 1e-12
    assert np.abs(model.theta_ - theta).max() < 1
    with pytest.raises(ValueError, match=r"warm_start=True.*\(3, 2, 2\).*\(2, 2, 2\)"):
        model.set_params(n_layers=1).fit(X, y)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_too_few_iterations_warn(optimizer):
    X, y, *_ = AD_HOC
    model = VariationalQuantumClassifier(
        bandwidth=1.0, optimizer=optimizer, max_iter=2, random_state=0
    )
    with pytest.warns(ConvergenceWarning, match=r"after max_iter=2 iterations\. Increase"):
        model.fit(X, y)
    assert not model.converged_


def test_weights_are_repetitions():
    X, y, X_test, _ = AD_HOC
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    options = {"random_state": 0, "n_init": 2}
    weighted = VariationalQuantumClassifier(**options).fit(X, y, sample_weight=weight)
    order = np.random.default_rng(1).permutation(weight.sum())
    repeated = VariationalQuantumClassifier(**options).fit(
        np.repeat(X, weight, axis=0)[order], np.repeat(y, weight)[order]
    )
    assert_allclose(
        weighted.decision_function(X_test), repeated.decision_function(X_test), atol=1e-12
    )


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "spsa"])
def test_weights_decide_between_contradictory_labels(optimizer):
    """Weights must count in training, not only when equal samples are merged."""
    X = np.repeat([[1.0], [4.0]], 2, axis=0)
    y = np.array([0, 1, 0, 1])
    for heavy in (0, 1):
        weight = np.where(y == heavy, 20.0, 1.0)
        model = VariationalQuantumClassifier(
            bandwidth=1.0, optimizer=optimizer, loss="cross_entropy", max_iter=300, tol=1e-3,
            random_state=0,
        ).fit(X, y, sample_weight=weight)  # fmt: skip
        assert_array_equal(model.predict(X), np.full(4, heavy))


def test_shots_are_reproducible_and_predictions_repeat():
    X, y, X_test, _ = AD_HOC
    model = VariationalQuantumClassifier(bandwidth=1.0, shots=100, random_state=0).fit(X, y)
    proba = model.predict_proba(X_test)
    assert_array_equal(model.predict_proba(X_test), proba)
    again = VariationalQuantumClassifier(bandwidth=1.0, shots=100, random_state=0).fit(X, y)
    assert_array_equal(again.predict_proba(X_test), proba)
    frequencies = (model.decision_function(X_test) - model.intercept_) * 50 + 50
    assert_allclose(frequencies, np.round(frequencies), rtol=0, atol=1e-10)
    assert get_tags(model).non_deterministic
    assert not get_tags(VariationalQuantumClassifier()).non_deterministic


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_exact_training_ends_in_an_exact_loss(optimizer):
    """Shots are those of predictions: they neither change the loss nor choose the start."""
    X, y, *_ = AD_HOC
    options = {"bandwidth": 1.0, "optimizer": optimizer, "max_iter": 200, "tol": 1e-2}
    exact, measured = (
        VariationalQuantumClassifier(shots=shots, random_state=0, **options).fit(X, y)
        for shots in (None, 10)
    )
    assert measured.loss_ == exact.loss_
    assert_array_equal(measured.theta_, exact.theta_)


@pytest.mark.parametrize("backend", ENGINES)
def test_memory_of_the_fit_stays_below_its_limit(backend):
    X = np.random.default_rng(0).uniform(0, 6, (200, 9))
    y = (X[:, 0] > 3).astype(int)
    copies = 4 if backend == "numba" else 10
    model = VariationalQuantumClassifier(
        bandwidth=0.1, max_memory=copies * 200 * 512 * 16 / 1e6, backend=backend, n_init=1,
        max_iter=1,
    )  # fmt: skip
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    tracemalloc.start()
    try:
        with pytest.warns(ConvergenceWarning):
            model.fit(X, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1e6 * model.max_memory
    with pytest.raises(ValueError, match=f"{copies * 200} states of n_qubits=9 need"):
        model.set_params(max_memory=0.99 * model.max_memory).fit(X, y)


def test_noise_shrinks_expectations():
    X, y, X_test, _ = AD_HOC
    exact = VariationalQuantumClassifier(bandwidth=1.0, random_state=0).fit(X, y)
    before = exact.decision_function(X_test) - exact.intercept_
    after = exact.set_params(noise=0.25).decision_function(X_test) - exact.intercept_
    assert_allclose(after, 0.75 * before, rtol=0, atol=1e-14)


@pytest.mark.parametrize("dtype", ["complex128", "complex64"])
def test_engines_give_the_same(dtype):
    X, y, X_test, _ = AD_HOC
    decisions = [
        VariationalQuantumClassifier(
            bandwidth=1.0, backend=backend, dtype=dtype, random_state=0, n_init=1
        )
        .fit(X, y)
        .decision_function(X_test)
        for backend in ENGINES
    ]
    assert_allclose(decisions[0], decisions[1], atol=1e-8 if dtype == "complex128" else 0.2)


def test_single_precision_is_kept():
    X, y, *_ = AD_HOC
    X = X.astype(np.float32)
    model = VariationalQuantumClassifier(bandwidth=1.0, random_state=0).fit(X, y)
    assert model.theta_.dtype == np.float32
    assert model.decision_function(X).dtype == np.float32
    assert model.predict_proba(X).dtype == np.float32


def test_grid_search_pickle_and_labels():
    X, y, X_test, y_test = AD_HOC
    names = np.where(y > 0, "plus", "minus")
    search = GridSearchCV(
        VariationalQuantumClassifier(bandwidth=1.0, random_state=0), {"n_layers": [0, 2]}, cv=3
    ).fit(X, names)
    assert search.best_params_ == {"n_layers": 2}
    copy = pickle.loads(pickle.dumps(search))
    assert_array_equal(copy.predict(X_test), search.predict(X_test))
    assert np.mean(search.predict(X_test) == np.where(y_test > 0, "plus", "minus")) > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_layers": -1}, "'n_layers' parameter"),
        ({"loss": "hinge"}, "'loss' parameter"),
        ({"optimizer": "cobyla"}, "'optimizer' parameter"),
        ({"shots": 0}, "'shots' parameter"),
        ({"noise": 1.0}, "'noise' parameter"),
        ({"bandwidth": 0.0}, "'bandwidth' parameter"),
        ({"entangler": [(0, 2)]}, r"entangler has the group \(0, 2\)"),
        ({"entangler": [(0, 1, 1)]}, r"entangler has the group"),
        ({"n_qubits": 21}, "n_qubits=21 must be at most 20"),
        ({"feature_map": "z", "n_qubits": 30}, "n_qubits=30 must be at most 20"),
        ({"n_qubits": 16, "max_memory": 10}, r"states of n_qubits=16 need .* GB.*fewer samples"),
    ],
)
def test_bad_parameters_are_refused_and_the_model_stays(options, message):
    X, y, X_test, _ = AD_HOC
    model = VariationalQuantumClassifier(bandwidth=1.0, random_state=0).fit(X, y)
    before, original = model.decision_function(X_test), model.get_params()
    with pytest.raises(ValueError, match=message):
        model.set_params(**options).fit(X, y)
    assert_array_equal(model.set_params(**original).decision_function(X_test), before)


@pytest.mark.parametrize(
    ("X", "y", "weight", "message"),
    [
        ([[0.0], [np.nan]], [0, 1], None, "NaN"),
        ([[0.0], [1.0]], [1, 1], None, "class"),
        ([[0.0], [1.0]], [0.5, 0.7], None, "continuous"),
        ([[0.0], [1.0]], [0, 1], [0, 0], r"[Ss]ample weights.*zero"),
        ([[0.0], [1.0]], [0, 1], [1, 0], r"classes .* among the samples with a weight. Got 1"),
    ],
)
def test_bad_data_are_refused(X, y, weight, message):
    with pytest.raises(ValueError, match=message):
        VariationalQuantumClassifier().fit(X, y, sample_weight=weight)


def test_unfitted_model_says_so():
    for method in ("predict", "predict_proba", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(VariationalQuantumClassifier(), method)([[0.0]])
