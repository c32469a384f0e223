"""Twenty thousand words as classes: whose misspelling is it?"""

from functools import partial

import numpy as np

from ._harness import Case, Contender, on_torch_threads, register

LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Features of a word, and classes whose scores are held at once.
WIDTH, ROWS = 1024, 512


def _words(n_classes):
    """The most frequent English words of three letters or more, as pyspellchecker ships them."""
    import gzip
    import json
    from importlib.util import find_spec
    from pathlib import Path

    path = Path(find_spec("spellchecker").origin).parent / "resources" / "en.json.gz"
    counts = json.loads(gzip.decompress(path.read_bytes()))
    words = [word for word in counts if word.isalpha() and word.isascii() and len(word) >= 3]
    return sorted(words, key=lambda word: -counts[word])[:n_classes]


def _misspellings(words, n_test):
    """Misspellings that people have made, as codespell ships them, and what was meant."""
    from importlib.util import find_spec
    from pathlib import Path

    path = Path(find_spec("codespell_lib").origin).parent / "data" / "dictionary.txt"
    lines = path.read_text(encoding="utf-8").lower().splitlines()
    pairs = [line.split("->") for line in lines if "->" in line]
    known = set(words)
    kept = [
        (wrong, right)
        for wrong, right in pairs
        if right in known and wrong not in known and wrong.isalpha() and wrong.isascii()
    ]
    chosen = np.random.default_rng(1).permutation(len(kept))[:n_test]
    return [kept[i] for i in chosen]


def _typo(word, rng):
    """A letter left out, put in, replaced, or changed with the next."""
    i, letter = rng.integers(len(word)), LETTERS[rng.integers(26)]
    before, after = word[:i], word[i + 1 :]
    return (
        before + after,
        before + letter + word[i:],
        before + letter + after,
        before + after[:1] + word[i] + after[1:],
    )[rng.integers(4)]


def _spelling(n_classes, max_epochs, n_typos, n_test):
    """Words with random typos to train on, and real misspellings."""
    from sklearn.feature_extraction.text import HashingVectorizer

    words = _words(n_classes)
    rng = np.random.default_rng(0)
    texts = [text for word in words for text in [word, *(_typo(word, rng) for _ in range(n_typos))]]
    y = np.repeat(np.arange(len(words)), n_typos + 1)
    test = _misspellings(words, n_test)
    place = {word: i for i, word in enumerate(words)}
    vectorizer = HashingVectorizer(
        analyzer="char_wb", ngram_range=(1, 3), n_features=WIDTH, dtype=np.float32
    )
    return {
        "words": words,
        "wrong": [wrong for wrong, _ in test],
        "X": vectorizer.transform(texts),
        "y": y,
        "X_test": vectorizer.transform([wrong for wrong, _ in test]),
        "y_test": np.array([place[right] for _, right in test]),
        "max_epochs": max_epochs,
    }


def _shares(top, y):
    """Accuracies."""
    right = top == y[:, None]
    return {"accuracy": right[:, 0].mean(), "among_five": right.any(axis=1).mean()}


@on_torch_threads
def _ebv(data, clock, threads, *, hidden):
    """Our classifier."""

    from skmatrix.neural_network import EBVClassifier, MLPBackbone

    model = EBVClassifier(
        MLPBackbone(hidden),
        max_epochs=data["max_epochs"],
        lr=2e-3,
        batch_size=256,
        standardize=False,
        random_state=0,
    )
    with clock:
        model.fit(data["X"], data["y"])
    top = model.predict_topk(data["X_test"])[0]
    return _shares(top, data["y_test"])


@on_torch_threads
def _softmax(data, clock, threads, *, hidden, share):
    """A layer of weights for each class, for a share of the epochs."""
    import torch
    from skorch import NeuralNet
    from skorch.callbacks import LRScheduler
    from torch import nn
    from torch.optim.lr_scheduler import CosineAnnealingLR
    from torch.utils.data import DataLoader, Subset

    X, y = data["X"], data["y"]
    max_epochs = max(1, round(share * data["max_epochs"]))

    def collate(rows):
        """A batch, made dense at once."""
        return torch.from_numpy(X[rows].toarray()), torch.from_numpy(y[rows])

    torch.manual_seed(0)
    layers = [nn.Linear(WIDTH, hidden), nn.ReLU(), nn.Linear(hidden, len(data["words"]))]
    net = NeuralNet(
        nn.Sequential(*layers),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.AdamW,
        optimizer__weight_decay=1e-4,
        optimizer__fused=True,
        lr=2e-3,
        max_epochs=max_epochs,
        batch_size=256,
        iterator_train=DataLoader,
        iterator_train__shuffle=True,
        iterator_train__collate_fn=collate,
        train_split=None,
        callbacks=[LRScheduler(CosineAnnealingLR, T_max=max_epochs)],
        verbose=0,
    )
    with clock:
        net.fit(Subset(range(len(y)), range(len(y))))
    X_test = data["X_test"]
    top = [
        net.module_(torch.from_numpy(X_test[i : i + ROWS].toarray())).topk(5)[1].numpy()
        for i in range(0, X_test.shape[0], ROWS)
    ]
    return _shares(np.concatenate(top), data["y_test"])


def _neighbours(data, clock, threads):
    """The nearest words by their letters, weighted by how rare they are."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.neighbors import NearestNeighbors

    with clock:
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3))
        index = NearestNeighbors(n_neighbors=5, metric="cosine")
        index.fit(vectorizer.fit_transform(data["words"]))
    top = index.kneighbors(vectorizer.transform(data["wrong"]), return_distance=False)
    return _shares(top, data["y_test"])


register(
    Case(
        name="ebv_spelling",
        title="Which of 20,000 words is misspelt?",
        make_data=_spelling,
        contenders=[
            Contender("EBVClassifier, 2,048 hidden", partial(_ebv, hidden=(2048,))),
            Contender(
                "skorch, weights for each class, 512 hidden, half of the epochs",
                partial(_softmax, hidden=512, share=0.5),
            ),
            Contender("scikit-learn, neighbours by letters (nothing learnt)", _neighbours),
        ],
        workloads={
            "full": [{"n_classes": 20_000, "max_epochs": 8, "n_typos": 3, "n_test": 5000}],
            "tiny": [{"n_classes": 50, "max_epochs": 2, "n_typos": 1, "n_test": 20}],
        },
        requires=("torch", "skorch", "codespell_lib", "spellchecker"),
        max_rounds=1,
        remarks="The most frequent English words of pyspellchecker, each with three random typos,"
        " are trained on; misspellings by people, from codespell, are the test. Networks"
        " get 1,024 hashed letters, pairs and triples. The layer with weights for each class gets"
        " half of the epochs, so that times are about the same.",
    )
)
