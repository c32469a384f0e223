"""The streamed loss against the plain one."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("skorch")
from torch.nn import functional  # noqa: E402

from skmatrix.neural_network import make_ebv  # noqa: E402
from skmatrix.neural_network._basis import DenseBasis, HadamardBasis  # noqa: E402
from skmatrix.neural_network._ebv_loss_torch import (  # noqa: E402
    StreamedSoftmax,
    angular_loss,
    cosine_loss,
    softmax_loss,
)
from skmatrix.neural_network._ebv_net_torch import (  # noqa: E402
    EBVLoss,
    all_cosines,
    best_classes,
    margins,
    top_classes,
)
from skmatrix.neural_network._ebv_targets import Targets  # noqa: E402
from skmatrix.neural_network._ebv_targets_torch import TorchTargets  # noqa: E402

ENROLLED = make_ebv(3, 20, random_state=1)
# Stored vectors; whole matrices; part of one; all with the unit vectors; few enough to be stored.
TARGETS = {
    "stored": Targets(DenseBasis(make_ebv(50, 20, method="random"), "random"), 50, ENROLLED),
    "whole": Targets(HadamardBasis("kerdock", 16, 20), 128),
    "part": Targets(HadamardBasis("kerdock", 16, 20), 117, ENROLLED),
    "all": Targets(HadamardBasis("kerdock", 16, 20), 144, ENROLLED),
    "gold": Targets(HadamardBasis("gold", 8, 20), 70, ENROLLED),
    "few": Targets(HadamardBasis("kerdock", 16, 20), 9),
}
every_target = pytest.mark.parametrize("name", TARGETS)


@pytest.fixture(autouse=True)
def closed_forms_are_not_stored(monkeypatch):
    """Small ones, too, take the way of large ones."""
    monkeypatch.setattr("skmatrix.neural_network._ebv_targets._STORED", 0)


def on_torch(name, chunk=7, dtype=torch.float64):
    """Vectors on torch, and stored ones to compare with."""
    targets = TARGETS[name]
    stored = torch.tensor(targets.rows(0, len(targets)), dtype=dtype)
    return TorchTargets(targets, chunk, dtype, "cpu"), stored


def sample(n_classes, n=9, dtype=torch.float64):
    """Outputs of a network, and positions."""
    rng = torch.Generator().manual_seed(0)
    z = torch.randn(n, 20, generator=rng, dtype=dtype, requires_grad=True)
    return z, torch.randint(n_classes, (n,), generator=rng)


@every_target
@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("smoothing", [0, 0.1])
@pytest.mark.parametrize("temperature", [0.07, 1e-3, 1e3])
def test_streamed_loss_is_cross_entropy(name, chunk, smoothing, temperature):
    targets, V = on_torch(name, chunk)
    x, position = sample(len(V))
    z = functional.normalize(x)
    ours = softmax_loss(z, position, targets, temperature, smoothing)
    theirs = functional.cross_entropy(
        z @ V.T / temperature, position, reduction="none", label_smoothing=smoothing
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    mine, other = (
        torch.autograd.grad(loss.sum(), x, retain_graph=True)[0] for loss in (ours, theirs)
    )
    torch.testing.assert_close(mine, other, rtol=1e-10, atol=1e-10 / min(temperature, 1))


@every_target
def test_backward_is_the_derivative(name):
    targets, V = on_torch(name)
    x, position = sample(len(V), n=3)
    wanted = targets.take(position)
    assert torch.autograd.gradcheck(lambda z: StreamedSoftmax.apply(z, targets, wanted, 0.5), (x,))


@pytest.mark.parametrize("temperature", [0.07, 0.024, 0.005])
def test_loss_is_finite_in_single_precision(temperature):
    V = torch.eye(2)
    targets = TorchTargets(Targets(DenseBasis(np.eye(2), "x"), 2), 1, torch.float32, "cpu")
    z = (-V).requires_grad_()
    loss = softmax_loss(z, torch.tensor([0, 1]), targets, temperature, 0.0)
    loss.sum().backward()
    exact = torch.tensor(1 / temperature, dtype=torch.float64)
    expected = torch.log1p(torch.exp(-exact)) + exact
    torch.testing.assert_close(loss.double(), expected.expand(2), rtol=1e-6, atol=0)
    assert torch.isfinite(z.grad).all()


def test_large_temperature_gives_uniform_probabilities():
    targets, V = on_torch("stored")
    x, position = sample(len(V))
    loss = softmax_loss(functional.normalize(x), position, targets, 1e9, 0.0)
    torch.testing.assert_close(loss, torch.full_like(loss, np.log(len(V))))


def test_simplex_of_two_is_logistic_regression():
    V = make_ebv(2, 1, method="simplex")
    targets = TorchTargets(Targets(DenseBasis(V, "simplex"), 2), 5, torch.float64, "cpu")
    c = torch.linspace(-1, 1, 7, dtype=torch.float64)[:, None]
    position = torch.ones(7, dtype=torch.int64)
    loss = softmax_loss(c * V[1, 0], position, targets, 0.3, 0.0)
    torch.testing.assert_close(loss, functional.softplus(-2 * c[:, 0] / 0.3))


def test_distances_are_those_on_the_sphere():
    targets, V = on_torch("stored")
    x, position = sample(len(V))
    z = functional.normalize(x)
    cosine = (z * V[position]).sum(1)
    torch.testing.assert_close(cosine_loss(z, position, targets, 0, 0), (1 - cosine) ** 2)
    torch.testing.assert_close(angular_loss(z, position, targets, 0, 0), torch.arccos(cosine) ** 2)
    own = V[position].clone().requires_grad_()
    angular_loss(own, position, targets, 0, 0).sum().backward()
    assert torch.isfinite(own.grad).all()


def test_a_batch_has_the_weighted_mean():
    targets, V = on_torch("stored")
    x, position = sample(len(V))
    z = functional.normalize(x.detach())
    loss = EBVLoss("softmax", 0.07, 0.1)
    loss.targets = targets
    weight = torch.arange(9, dtype=torch.float64)
    repeated = torch.repeat_interleave(torch.arange(9), weight.long())
    expected = loss(z[repeated], position[repeated], torch.ones(36, dtype=torch.float64))
    torch.testing.assert_close(loss(z, position, weight), expected)
    torch.testing.assert_close(loss(z, position, 5 * weight), expected)
    assert loss(z, position, 0 * weight) == 0
    own = (z * V[position]).sum(1)
    torch.testing.assert_close(loss.measured()["train_cosine"], float((weight * own).sum() / 36))


@every_target
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_scores_are_those_of_the_stored_vectors(name, chunk):
    targets, V = on_torch(name, chunk)
    x, _ = sample(len(V), n=20)
    z = x.detach()
    products = z @ V.T
    torch.testing.assert_close(all_cosines(z, targets), products)
    top, position = best_classes(z, targets)
    torch.testing.assert_close(top, products.max(1).values)
    assert torch.equal(position, products.argmax(1))
    for k in (1, 3, len(V)):
        values, places = top_classes(z, targets, k)
        torch.testing.assert_close(values, products.topk(k).values)
        torch.testing.assert_close(products.gather(1, places), values)


def test_many_classes_are_scored_by_the_compiled_transform(monkeypatch):
    monkeypatch.setattr("skmatrix.neural_network._ebv_net_torch._COMPILED", 100)
    for name in ("whole", "part", "all"):
        test_scores_are_those_of_the_stored_vectors(name, 7)


def test_no_table_of_samples_by_classes_is_held():
    """Memory of a step: a piece of the cosines, and a few vectors for each sample."""
    n, n_classes = 64, 20_000
    targets = TorchTargets(
        Targets(HadamardBasis("kerdock", 256, 256), n_classes), 512, torch.float32, "cpu"
    )
    z = functional.normalize(torch.randn(n, 256)).requires_grad_()
    position = torch.arange(n)
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        softmax_loss(z, position, targets, 0.07, 0.1).sum().backward()
    largest = max(event.cpu_memory_usage for event in profile.events())
    assert largest < 4 * n * n_classes / 4


@every_target
def test_margins_are_those_of_all_cosines(name):
    targets, stored = on_torch(name)
    z, position = sample(len(stored), n=40)
    z, rows = functional.normalize(z.detach()), torch.arange(40)
    position[20:] = (z[20:] @ stored.T).argmax(1)
    cosines = z @ stored.T
    own = cosines[rows, position]
    cosines[rows, position] = -torch.inf
    margin, is_best = margins(z, targets, position)
    torch.testing.assert_close(margin, own - cosines.amax(1), rtol=0, atol=1e-14)
    assert torch.equal(is_best, best_classes(z, targets)[1] == position)
    assert is_best[20:].all()
    assert not is_best[:20].all()


def test_of_equal_cosines_the_first_counts():
    targets, stored = on_torch("stored")
    z = torch.zeros(3, 20, dtype=torch.float64)
    margin, is_best = margins(z, targets, torch.tensor([0, 1, len(stored) - 1]))
    assert margin.tolist() == [0.0, 0.0, 0.0]
    assert is_best.tolist() == [True, False, False]


def test_small_closed_forms_are_stored(monkeypatch):
    assert on_torch("whole")[0].closed_form is not None
    assert on_torch("few")[0].closed_form is None
    monkeypatch.undo()
    assert on_torch("whole")[0].closed_form is None


def test_mean_of_the_vectors_is_that_of_all():
    for name, targets in TARGETS.items():
        V = targets.rows(0, len(targets))
        np.testing.assert_allclose(targets.mean(), V.mean(axis=0), atol=1e-12, err_msg=name)
        np.testing.assert_array_equal(targets.take(np.arange(len(V))[::-1]), V[::-1])
