"""EBVClassifier: bad input, and fits that fail."""

import copy
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from skmatrix.neural_network import EBVClassifier
from tests.neural_network.digits import QUERIES, X, Y, classifier

MISSING = """
import sys


class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "{name}":
            raise ModuleNotFoundError("no " + name, name=name)


sys.meta_path.insert(0, Absent())
import numpy as np
from sklearn.base import clone
from skmatrix.neural_network import EBVClassifier, EBVEncoder, MLPBackbone, make_ebv
model = clone(EBVClassifier(MLPBackbone((3,)))).set_params(backbone__hidden=(4,))
print(model)
make_ebv(5, 4); EBVEncoder().fit([0, 1])
for method in ("fit", "partial_fit"):
    try:
        getattr(model, method)(np.ones((4, 2)), [0, 1, 0, 1])
    except ImportError as error:
        assert "EBVClassifier." + method + " needs {name}, which is not installed" in str(error)
        assert "pip install torch skorch" in str(error)
    else:
        raise SystemExit(1)
assert not hasattr(model, "classes_")
"""


@pytest.mark.parametrize("name", ["torch", "skorch"])
def test_everything_but_fit_works_without(name):
    if name == "skorch":
        pytest.importorskip("torch")
    run = subprocess.run(
        [sys.executable, "-c", MISSING.format(name=name)], check=False, capture_output=True
    )
    assert run.returncode == 0, run.stderr.decode()


torch = pytest.importorskip("torch")
pytest.importorskip("skorch")


class Flat(torch.nn.Module):
    """No vector for each sample."""

    def forward(self, x):
        return x.sum()


def refused(match, error=ValueError, X=X, y=Y, fit=None, **arguments):
    """Assert that a fit raises, and that nothing is left of it."""
    model = classifier(max_epochs=1, **arguments)
    with pytest.raises(error, match=match):
        model.fit(X, y, **(fit or {}))
    assert not [name for name in vars(model) if name.endswith("_") and name[0] != "_"]


def test_one_class_is_refused():
    needed = r"EBVClassifier needs samples of at least 2 classes; got 1 class \(.*3.*\)"
    refused(needed, y=np.full_like(Y, 3))
    refused(needed.replace("3", "0"), fit={"sample_weight": (Y == 0).astype(float)})


def test_alpha_below_the_bound_is_refused():
    refused("alpha=0.1 is below the bound", dim=5, alpha=0.1, basis="optimize")


def test_vectors_that_are_not_as_asked_for_are_kept_with_a_warning():
    with pytest.warns(ConvergenceWarning, match=r"coherence 0\.\d+ after 2000 steps"):
        model = classifier(dim=5, alpha=0.335, basis="optimize", max_epochs=1).fit(X, Y)
    assert model.coherence_ > model.alpha_ == 0.335


def test_dim_too_small_is_refused():
    refused("'kerdock' has 0 vectors in dim=3.* Pass dim=4", dim=3, basis="kerdock")
    refused("dim=1 must be at least 2", dim=1, y=Y % 2)
    refused("dim=1 must be at least 2", basis=[[1.0], [-1.0]], y=Y % 2)
    refused("has 5 vectors in dim=5.* Pass dim=10", dim=5, basis="orthogonal")


@pytest.mark.parametrize(
    ("basis", "match"),
    [
        (np.eye(4), "basis has 4 vectors, but y has 10 classes"),
        (np.full((12, 12), np.nan), "Input basis contains NaN"),
        (np.eye(12)[[*range(11), 3]], "Vectors 3 and 11 of basis are the same"),
        (np.diag([1.0] * 11 + [0.0]), "zero vector in row 11"),
        ("best", "'basis' parameter"),
    ],
)
def test_vectors_of_the_user_are_checked(basis, match):
    refused(match, basis=basis)


def test_vectors_of_the_user_are_scaled_with_a_warning():
    with pytest.warns(UserWarning, match="norms from 3 to 3 and are scaled to 1"):
        model = classifier(basis=3 * np.eye(12), max_epochs=1).fit(X, Y)
    assert model.dim_ == 12
    assert_array_equal(model.basis_.dense(), np.eye(12))
    refused("length 12 but dim=11", basis=np.eye(12), dim=11)


def test_a_loss_that_is_not_finite_ends_the_fit(fitted):
    match = r"not finite in epoch \d+, batch \d+\. Lower lr=1e\+300 or weight_decay=0\.0001, or"
    refused(match, FloatingPointError, lr=1e300, optimizer="sgd", dtype="float64")
    model = copy.deepcopy(fitted)
    before = model.transform(QUERIES)
    model.net_.optimizer_.param_groups[0]["lr"] = 1e30
    with pytest.raises(FloatingPointError):
        model.partial_fit(np.concatenate([X, X, X]), np.concatenate([Y, Y, Y]))
    assert_array_equal(model.transform(QUERIES), before)
    assert model.n_iter_ == fitted.n_iter_ == len(model.history_) == len(model.net_.history)


def test_outputs_that_are_no_vectors_are_refused():
    refused(r"its output has shape \(\)", backbone=Flat)
    refused("must make a torch.nn.Module", TypeError, backbone=lambda shape, dim: None)


def test_tables_of_scores_that_are_too_large_are_refused(fitted, monkeypatch):
    monkeypatch.setattr("skmatrix.neural_network._ebv_classifier_parameters._MOST", 1000)
    for method in ("predict_proba", "predict_log_proba", "decision_function"):
        with pytest.raises(
            ValueError, match=f"{method} of 300 samples and 10 classes.*predict_topk"
        ):
            getattr(fitted, method)(QUERIES)
    assert fitted.predict_topk(QUERIES, 2)[0].shape == (300, 2)


@pytest.mark.parametrize(
    ("queries", "match"),
    [
        (QUERIES[:, :5], "X has 5 features, but EBVClassifier is expecting 64"),
        (np.where(QUERIES == 0, np.nan, QUERIES), "contains NaN"),
        (QUERIES[:0], "minimum of 1"),
        (QUERIES[0], "Expected 2D array, got 1D"),
    ],
)
def test_bad_samples_are_refused(fitted, queries, match):
    for method in ("predict", "transform", "predict_proba", "similarity"):
        with pytest.raises(ValueError, match=match):
            getattr(fitted, method)(queries)


def test_images_of_another_shape_are_refused():
    refused("Found array with dim 3, while dim <= 2", X=X.reshape(-1, 8, 8), backbone="mlp")
    images = X.reshape(-1, 1, 8, 8)
    model = classifier(backbone="cnn", max_epochs=1).fit(images, Y)
    with pytest.raises(ValueError, match=r"shape \(1, 4, 16\), but EBVClassifier was fitted on"):
        model.predict(X.reshape(-1, 1, 4, 16))
    refused(r"image_shape=\(1, 7, 8\) has 56 pixels, but X has 64", image_shape=(1, 7, 8))
    refused("Pass image_shape, or X with more", backbone="cnn")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused():
    refused("device 'cuda' requested but torch sees no CUDA device", device="cuda")
    refused("device 'cuda:1' requested but", device="cuda:1")
    refused("device='tpu' must be 'auto'", device="tpu")


def test_more_classes_than_vectors_are_refused():
    model = classifier(dim=4, basis="kerdock", max_epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match=r"has 12 vectors of length 4.* 13 .* dim=8 or larger"):
        model.partial_fit(X[:3], [20, 21, 22])
    with pytest.raises(ValueError, match="has 12 vectors"):
        model.add_classes([20, 21, 22])
    assert_array_equal(model.classes_, np.arange(10))
    given = classifier(basis=np.eye(10), max_epochs=1).fit(X, Y)
    with pytest.raises(ValueError, match=r"kind 'given' has 10 vectors.* Pass a basis with more"):
        given.add_classes([10])


def test_bad_weights_are_refused():
    refused(
        "Negative values in data passed to `sample_weight`", fit={"sample_weight": -np.ones(len(Y))}
    )
    refused("weight", fit={"sample_weight": np.zeros(len(Y))})
    refused("shape", fit={"sample_weight": np.ones(3)})


def test_bad_labels_are_refused(fitted):
    refused("Unknown label type: continuous", y=Y + 0.5)
    model = copy.deepcopy(fitted)
    with pytest.raises(ValueError, match="New labels have type <U1, but classes_ has int64"):
        model.partial_fit(X[:2], ["a", "b"])
    with pytest.raises(ValueError, match=r"classes that are known: \[3\]. Use partial_fit"):
        model.enroll(X[:2], [3, 12])


def test_methods_need_a_fit():
    model = EBVClassifier()
    for method in ("predict", "transform", "similarity", "predict_topk", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(model, method)(QUERIES)
    with pytest.raises(NotFittedError):
        model.enroll(X, Y)
    with pytest.raises(NotFittedError):
        model.add_classes([1])


def test_a_failed_fit_leaves_the_classifier_as_it_was(fitted):
    model = copy.deepcopy(fitted)
    before = model.transform(QUERIES)
    with pytest.raises(ValueError, match="alpha"):
        model.set_params(dim=5, alpha=0.01, basis="optimize").fit(X, Y)
    assert_array_equal(model.transform(QUERIES), before)
    assert clone(model).get_params()["alpha"] == 0.01


def test_an_interrupted_fit_leaves_the_classifier_as_it_was(fitted):
    from skorch.callbacks import Callback

    class Interrupt(Callback):
        def on_batch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    model = copy.deepcopy(fitted).set_params(callbacks=[Interrupt()])
    before = model.transform(QUERIES)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y)
    assert_array_equal(model.transform(QUERIES), before)


def test_input_is_left_alone():
    images, labels = X.copy(), Y.copy()
    images.flags.writeable = False
    classifier(max_epochs=1).fit(images, labels)
    assert_array_equal(images, X)
