"""EBVClassifier: queries of extreme values, ties, labels and class weights."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix.neural_network import EBVClassifier
from tests.neural_network.digits import QUERIES, X, Y, classifier

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")

from skmatrix.neural_network._basis import HadamardBasis  # noqa: E402
from skmatrix.neural_network._ebv_net_torch import (  # noqa: E402
    Embedding,
    best_classes,
    margins,
    top_classes,
)
from skmatrix.neural_network._ebv_targets import Targets  # noqa: E402
from skmatrix.neural_network._ebv_targets_torch import TorchTargets  # noqa: E402
from skmatrix.neural_network._held_out import held_out_rows  # noqa: E402

METHODS = ("predict", "transform", "similarity", "decision_function", "predict_proba")


class Zero(torch.nn.Linear):
    """A network that has nothing to say."""

    def forward(self, x):
        return 0 * super().forward(x)


def unlike_any():
    """A classifier with no direction for any sample."""
    return EBVClassifier(Zero(64, 8), dim=8, max_epochs=1).fit(X, 5 + Y % 4)


# The vectors


@pytest.mark.parametrize(("order", "n"), [(16, 11), (16, 16), (16, 100), (16, 140), (8, 70)])
def test_mean_of_a_closed_form_is_that_of_its_rows(order, n):
    basis = HadamardBasis("kerdock" if order == 16 else "gold", order, order + 2)
    enrolled = np.eye(order + 2)[-2:]
    expected = np.concatenate([basis.rows(0, n), enrolled]).mean(axis=0)
    assert_allclose(Targets(basis, n, enrolled).mean(), expected, atol=1e-14)


def test_queries_make_no_vectors_but_those_they_need(monkeypatch):
    """A mean of all vectors, or the vectors for an embedding, would cost more than the answer."""
    model = classifier(dim=256, basis="kerdock", max_epochs=1).partial_fit(X, Y, np.arange(5000))

    def refuse(*args, **kwargs):
        raise AssertionError("not needed")

    monkeypatch.setattr(Targets, "mean", refuse)
    for method in ("predict", "similarity", "predict_topk"):
        getattr(model, method)(QUERIES[:3])
    model.partial_fit(X, Y)
    monkeypatch.setattr(TorchTargets, "__init__", refuse)
    model.transform(QUERIES[:3])


def test_stored_vectors_are_laid_out_once(monkeypatch):
    model = classifier(max_epochs=1).fit(X, Y)
    size = len(pickle.dumps(model))
    expected = model.predict(QUERIES)
    before = dict(vars(model))
    made = []
    build = TorchTargets.__init__
    monkeypatch.setattr(
        TorchTargets, "__init__", lambda self, *args: (made.append(args), build(self, *args))[0]
    )
    other = copy.deepcopy(model)
    for _ in range(3):
        assert_array_equal(other.predict(QUERIES), expected)
    assert len(made) == 1
    assert len(pickle.dumps(other)) == size
    assert vars(model) == before
    # New vectors, another piece and another precision are new layouts.
    other.add_classes([10]).predict(QUERIES)
    other.set_params(class_chunk=3).predict(QUERIES)
    assert len(made) == 3


# Extreme values


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("size", "weight"), [(1e300, 1.0), (1e36, 1e4)])
def test_samples_too_large_for_the_network_are_refused(fitted, method, size, weight):
    model = copy.deepcopy(fitted)
    with torch.no_grad():
        model.module_.backbone[0].weight.mul_(weight)
    queries = QUERIES.copy()
    queries[70] *= size
    with pytest.raises(ValueError, match="Sample 70 of X is too large for dtype='float32'"):
        getattr(model, method)(queries)


def test_large_outputs_have_a_direction(fitted):
    model = copy.deepcopy(fitted)
    last = model.module_.backbone[-1]
    before = model.transform(QUERIES)
    with torch.no_grad():
        last.weight.mul_(2.0**80)
        last.bias.mul_(2.0**80)
    assert_array_equal(model.transform(QUERIES), before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scaling_to_unit_length_is_that_of_torch_and_so_is_its_gradient(dtype):
    sizes = torch.tensor([1e-30, 1e-13, 1e-12, 1e-6, 1.0, 3.7, 1e6, 1e15], dtype=dtype)
    generator = torch.Generator().manual_seed(0)
    x = sizes[:, None] * torch.randn(8, 5, dtype=dtype, generator=generator)
    x = torch.cat([x, torch.zeros(1, 5, dtype=dtype)])
    upstream = torch.randn(9, 5, dtype=dtype, generator=generator)

    def run(function):
        z = x.clone().requires_grad_()
        out = function(z)
        out.backward(upstream)
        return out.detach(), z.grad

    ours = run(Embedding(torch.nn.Identity()))
    plain = run(lambda z: torch.nn.functional.normalize(z, eps=1e-12))
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_a_tiny_temperature_leaves_the_nearest_class(fitted):
    model = copy.deepcopy(fitted)
    best = fitted.predict(QUERIES)
    for temperature in (1e-39, 1e-300):
        model.set_params(temperature=temperature)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            P, logarithms = model.predict_proba(QUERIES), model.predict_log_proba(QUERIES)
            decision = model.decision_function(QUERIES)
        assert_array_equal(P, np.eye(10)[best])
        assert_array_equal(logarithms.max(axis=1), 0)
        assert not np.isnan(logarithms).any()
        assert np.isfinite(decision).all()


def test_decisions_have_the_precision_of_the_network(fitted):
    model = copy.deepcopy(fitted)
    expected = model.decision_function(QUERIES)
    model.set_params(temperature=np.float64(0.07))
    found = model.decision_function(QUERIES)
    assert found.dtype == expected.dtype == np.float32
    assert_array_equal(found, expected)


# Ties


def test_of_equal_cosines_the_first_class_counts():
    """Classes that came later may be the first in order."""
    model = unlike_any().add_classes([2, 0, 30])
    assert_array_equal(model.classes_, [0, 2, 5, 6, 7, 8, 30])
    assert_array_equal(model.predict(QUERIES), np.zeros(300))
    assert_array_equal(model.predict_proba(QUERIES).argmax(axis=1), np.zeros(300))
    for k in (1, 3, 7):
        labels, cosines = model.predict_topk(QUERIES, k)
        assert_array_equal(labels, np.tile(model.classes_[:k], (300, 1)))
        assert not cosines.any()


@pytest.mark.parametrize("chunk", [3, 16, 1000])
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("stored", [False, True])
def test_ties_of_all_methods_are_those_of_a_stable_sort(chunk, shuffled, stored, monkeypatch):
    if not stored:
        monkeypatch.setattr("skmatrix.neural_network._ebv_targets._STORED", 0)
    monkeypatch.setattr("skmatrix.neural_network._ebv_net_torch._COMPILED", 50)
    rng = np.random.default_rng(0)
    targets = Targets(HadamardBasis("kerdock", 16, 16), 100, np.eye(16)[:3])
    codes = rng.permutation(103) if shuffled else np.arange(103)
    ours = TorchTargets(targets, chunk, torch.float64, "cpu", np.argsort(codes))
    # Small whole numbers: products are exact, and many are the same.
    z = rng.integers(-1, 2, (40, 16)).astype(np.float64)
    cosines = np.empty((40, 103))
    cosines[:, codes] = z @ targets.rows(0, 103).T
    order = np.argsort(-cosines, axis=1, kind="stable")
    z = torch.from_numpy(z)
    top, code = best_classes(z, ours)
    assert_array_equal(code, order[:, 0])
    assert_array_equal(top, np.take_along_axis(cosines, order[:, :1], 1)[:, 0])
    for k in (1, 4, 20, 103):
        values, code = top_classes(z, ours, k)
        assert_array_equal(code, order[:, :k])
        assert_array_equal(values, np.take_along_axis(cosines, order[:, :k], 1))
    position = torch.from_numpy(rng.integers(0, 103, 40))
    place = torch.from_numpy(np.argsort(codes)[order[:, 0]])
    assert margins(z, ours, place)[1].all()
    assert_array_equal(margins(z, ours, position)[1], position == place)


# Several of the nearest


def test_any_number_of_the_nearest_classes_can_be_asked_for(fitted):
    labels, cosines = fitted.predict_topk(QUERIES, np.int64(3))
    assert labels.shape == cosines.shape == (300, 3)
    everything = fitted.predict_topk(QUERIES, 50)[0]
    assert_array_equal(np.sort(everything, axis=1), np.tile(np.arange(10), (300, 1)))
    few = classifier(max_epochs=1).fit(X, Y % 3)
    assert few.predict_topk(QUERIES)[0].shape == (300, 3)
    with pytest.raises(ValueError, match="k == 0, must be >= 1"):
        fitted.predict_topk(QUERIES, 0)
    with pytest.raises(TypeError, match="k must be an instance of"):
        fitted.predict_topk(QUERIES, 2.0)


# Labels


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        ([np.nan], "contains NaN"),
        ([10, 1.5], "Unknown label type: continuous"),
        (["a"], "classes_ has int64"),
        ([True], "classes_ has int64"),
    ],
)
def test_labels_that_are_to_come_are_checked(fitted, labels, match):
    model = copy.deepcopy(fitted)
    with pytest.raises(ValueError, match=match):
        model.add_classes(labels)
    match = match.replace("classes_", "y")
    with pytest.raises(ValueError, match=match):
        model.partial_fit(X, Y, classes=labels)
    assert_array_equal(model.classes_, np.arange(10))
    with pytest.raises(ValueError, match=match):
        classifier().partial_fit(X, Y, classes=labels)


def test_truth_values_are_no_numbers():
    model = classifier(max_epochs=1).fit(X, Y > 4)
    with pytest.raises(ValueError, match="New labels have type int64, but classes_ has bool"):
        model.add_classes([7])
    with pytest.raises(ValueError, match="New labels have type int64, but classes_ has bool"):
        model.partial_fit(X, Y)
    assert model.add_classes([True]).classes_.tolist() == [False, True]


@pytest.mark.parametrize("kind", [str, int])
def test_no_labels_are_no_new_classes(kind):
    model = classifier(max_epochs=1).fit(X, Y.astype(kind))
    known = model.classes_
    model.add_classes([]).partial_fit(X, Y.astype(kind), classes=[])
    assert_array_equal(model.classes_, known, strict=True)


# Weights of classes


def test_weights_of_absent_classes_do_not_matter():
    few = Y < 8
    settings = {"max_epochs": 2, "warm_start": True}
    model = classifier(**settings, class_weight={8: 5.0, 0: 2.0}).fit(X, Y)
    other = classifier(**settings, class_weight={8: 5.0, 0: 2.0}).fit(X, Y)
    model.partial_fit(X[few], Y[few])
    other.set_params(class_weight={0: 2.0}).partial_fit(X[few], Y[few])
    assert_array_equal(model.transform(QUERIES), other.transform(QUERIES))


@pytest.mark.parametrize("value", [-5.0, np.nan, np.inf, "5", None])
def test_weights_of_classes_must_be_numbers_that_are_not_negative(value):
    for method in ("fit", "partial_fit"):
        model = classifier(max_epochs=1, class_weight={8: value})
        with pytest.raises(ValueError, match=r"class_weight\[8\]=.* must be a finite number"):
            getattr(model, method)(X, Y)
        assert not hasattr(model, "classes_")


def test_some_weight_must_be_left():
    model = classifier(max_epochs=1, class_weight=dict.fromkeys(range(10), 0))
    with pytest.raises(ValueError, match="class_weight leaves no sample with a positive weight"):
        model.fit(X, Y)


def test_weights_of_classes_that_no_fit_knows_are_refused():
    model = classifier(max_epochs=1, class_weight={8: 2.0, 88: 1.0})
    with pytest.raises(ValueError, match=r"class_weight has labels that are no classes: \[88\]"):
        model.fit(X, Y)
    # They may come later.
    model.partial_fit(X, Y)


# Samples kept apart


def test_some_of_each_class_are_trained_on():
    rng = np.random.RandomState(0)
    for fraction in (0.01, 0.1, 0.5, 0.9, 0.99):
        for counts in ([2, 1], [1, 1, 5], [2, 1000], [2, 2, 2, 50], [1] * 30 + [2] * 30):
            codes = rng.permutation(np.repeat(np.arange(len(counts)), counts))
            kept, held = held_out_rows(codes, fraction, rng)
            assert_array_equal(np.unique(codes[kept]), np.arange(len(counts)))
            assert held.size
            assert_array_equal(np.sort(np.append(kept, held)), np.arange(codes.size))
    with pytest.raises(ValueError, match="needs a class with at least 2 samples"):
        held_out_rows(np.arange(5), 0.1, rng)


# Size of what is looked at together


def test_a_query_of_a_large_image_is_not_that_of_many():
    """Samples are filled up to a number that falls with their size."""
    from skmatrix.neural_network._ebv_net_torch import rows_together

    assert rows_together((64,), "cpu") == rows_together((3, 16, 16), "cpu") == 64
    assert rows_together((3, 224, 224), "cpu") == 4
    assert rows_together((3, 224, 224), "cuda") == 64


@pytest.mark.parametrize("labels", [8, "eight", [[8, 9]]])
def test_new_classes_that_are_no_list_are_refused(labels):
    model = classifier(max_epochs=1, dim=12).fit(X, Y)
    with pytest.raises(ValueError, match="new classes must be a list"):
        model.add_classes(labels)
