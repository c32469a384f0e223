"""Equiangular basis vectors beside layers with weights for each class."""

from functools import partial

import numpy as np

from ._harness import Case, Contender, on_torch_threads, register

NEURAL = ("torch", "skorch")
BATCH, WIDTH, NARROW = 128, 512, 128
STEPS = 3


def _batch(n_classes):
    """Features and classes of one batch."""
    import torch

    # What the first step of an optimiser imports belongs to no contender.
    layer = torch.nn.Linear(2, 2)
    torch.optim.AdamW(layer.parameters()).step()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((BATCH, WIDTH), dtype=np.float32)
    return n_classes, x, rng.integers(n_classes, size=BATCH)


@on_torch_threads
def _steps(data, clock, threads, *, make):
    """Steps of a head after a first one; ``make`` returns its loss and its weights."""
    import torch

    n_classes, x, y = data
    x, y = torch.as_tensor(x), torch.as_tensor(y)
    loss, weights = make(n_classes)
    optimizer = torch.optim.AdamW(weights)

    def step():
        optimizer.zero_grad()
        loss(x, y).backward()
        optimizer.step()

    step()
    clock.extrapolate(1 / STEPS)
    with clock:
        for _ in range(STEPS):
            step()
    return {"trained_numbers": sum(weight.numel() for weight in weights)}


def _towards(n_classes, kind):
    """A layer that ends in a unit vector, and the loss of our classifier."""
    import torch

    from skmatrix.neural_network._basis import DenseBasis, HadamardBasis
    from skmatrix.neural_network._ebv_loss_torch import softmax_loss
    from skmatrix.neural_network._ebv_targets import Targets
    from skmatrix.neural_network._ebv_targets_torch import TorchTargets

    if kind == "kerdock":
        small = HadamardBasis("kerdock", 256, 256)
        basis = small if n_classes <= small.n_max else HadamardBasis("kerdock", 1024, 1024)
    else:
        V = np.random.default_rng(0).standard_normal((n_classes, NARROW), dtype=np.float32)
        basis = DenseBasis(V / np.linalg.norm(V, axis=1, keepdims=True), "random")
    layer = torch.nn.Linear(WIDTH, basis.dim)
    targets = TorchTargets(Targets(basis, n_classes), 2048, torch.float32, "cpu")

    def loss(x, y):
        z = torch.nn.functional.normalize(layer(x))
        return softmax_loss(z, y, targets, 0.07, 0.0).mean()

    return loss, list(layer.parameters())


def _linear(n_classes):
    """Weights for each class."""
    import torch

    layer = torch.nn.Linear(WIDTH, n_classes)
    return lambda x, y: torch.nn.functional.cross_entropy(layer(x), y), list(layer.parameters())


def _bottleneck(n_classes):
    """Weights for each class behind a layer as narrow as our vectors."""
    import torch

    layer = torch.nn.Sequential(torch.nn.Linear(WIDTH, NARROW), torch.nn.Linear(NARROW, n_classes))
    return lambda x, y: torch.nn.functional.cross_entropy(layer(x), y), list(layer.parameters())


def _metric(n_classes, name):
    """A loss of pytorch-metric-learning, behind a layer as narrow as our vectors."""
    import torch
    from pytorch_metric_learning import losses

    layer = torch.nn.Linear(WIDTH, NARROW)
    loss = getattr(losses, name)(num_classes=n_classes, embedding_size=NARROW)
    return lambda x, y: loss(layer(x), y), [*layer.parameters(), *loss.parameters()]


HEADS = [
    Contender("EBV, random, d=128", partial(_steps, make=partial(_towards, kind="random"))),
    Contender("EBV, Kerdock", partial(_steps, make=partial(_towards, kind="kerdock"))),
    Contender("layer of weights for each class", partial(_steps, make=_linear)),
    Contender("the same behind 128 features", partial(_steps, make=_bottleneck)),
    *(
        Contender(
            f"pytorch-metric-learning {name}",
            partial(_steps, make=partial(_metric, name=name)),
            requires=("pytorch_metric_learning",),
        )
        for name in ("NormalizedSoftmaxLoss", "ArcFaceLoss")
    ),
]
REMARKS = (
    f"Forward pass, backward pass and AdamW, for {BATCH} samples with {WIDTH} features. Random"
    f" vectors have a length of {NARROW}, as the embeddings of pytorch-metric-learning. The"
    " lengths of Kerdock vectors are 256 for up to 33,024 classes and 1,024 above."
)

register(
    Case(
        name="ebv_head",
        title="One step of a head with many classes",
        make_data=_batch,
        contenders=HEADS,
        workloads={
            "full": [{"n_classes": n} for n in (10_000, 100_000)],
            "tiny": [{"n_classes": 50}],
        },
        requires=NEURAL,
        packages=("torch", "pytorch-metric-learning"),
        remarks=REMARKS,
    )
)
register(
    Case(
        name="ebv_head_growth",
        title="One step of a head: growth with the number of classes",
        make_data=_batch,
        contenders=HEADS,
        workloads={
            "full": [{"n_classes": n} for n in (10_000, 32_000, 100_000)],
            "tiny": [{"n_classes": n} for n in (50, 60, 70)],
        },
        requires=NEURAL,
        growth="n_classes",
        memory=False,
        remarks=REMARKS,
    )
)


def _sizes(n_vectors, dim):
    """What is asked for."""
    return n_vectors, dim


def _make(data, clock, threads, *, method):
    """Vectors, and their coherence beside the bound."""
    from skmatrix.neural_network import coherence, coherence_bounds, make_ebv

    with clock:
        V = make_ebv(*data, method=method, random_state=0)
    return {"coherence": coherence(V).max, "bound": coherence_bounds(*data)["best"]}


register(
    Case(
        name="ebv_coherence",
        title="Vectors with small cosines",
        make_data=_sizes,
        contenders=[
            Contender("make_ebv, optimize", partial(_make, method="optimize")),
            Contender("make_ebv, random", partial(_make, method="random")),
        ],
        workloads={
            "full": [{"n_vectors": 1000, "dim": d} for d in (100, 200, 300, 400, 500)],
            "tiny": [{"n_vectors": 20, "dim": 8}],
        },
        memory=False,
        max_rounds=3,
        remarks="The largest absolute cosine, and what no vectors can be below.",
    )
)


def _samples(n_samples, n_classes, dim):
    """Samples, vectors of a closed form, and these as a matrix."""
    from skmatrix.neural_network._basis import HadamardBasis

    basis = HadamardBasis("kerdock", dim, dim)
    Z = np.random.default_rng(0).standard_normal((n_samples, dim), dtype=np.float32)
    return Z, basis, basis.rows(0, n_classes).astype(np.float32)


def _compiled(data, clock, threads):
    """The compiled transform, which holds no vectors."""
    from skmatrix._backend import get_backend
    from skmatrix.neural_network._ebv_scores import nearest

    Z, basis, V = data
    with clock:
        _, index = nearest(get_backend("numba", Z), Z, basis, len(V))
    return {"as_by_products": np.mean(index == (Z @ V.T).argmax(axis=1))}


def _products(data, clock, threads):
    """Products with stored vectors."""
    Z, _, V = data
    with clock:
        (Z @ V.T).argmax(axis=1)
    return {"as_by_products": 1.0}


register(
    Case(
        name="ebv_scoring",
        title="The nearest of many vectors",
        make_data=_samples,
        contenders=[
            Contender("compiled Hadamard transforms", _compiled, compiled=True),
            Contender("matrix product and argmax", _products),
        ],
        workloads={
            "full": [{"n_samples": 1024, "n_classes": 32_768, "dim": 256}],
            "tiny": [{"n_samples": 20, "n_classes": 100, "dim": 16}],
        },
        requires=("numba",),
        remarks="Single precision. The product needs the vectors as a matrix, of 34 MB here.",
    )
)
