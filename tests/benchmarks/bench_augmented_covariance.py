"""Augmented covariances beside pyRiemann and GridSearchCV, and what they gain on real signals."""

import importlib
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ._harness import Case, Contender, Unavailable, register

OURS = "skmatrix AugmentedCovariance"
CLASSIFIER = "skmatrix AugmentedCovarianceClassifier"


@dataclass
class Trials:
    """Trials with labels, and a delay embedding."""

    X: np.ndarray
    y: np.ndarray
    order: int = 1
    lag: int = 1
    exact: Any = None
    shared: dict = field(default_factory=dict)

    @property
    def embedded(self):
        """The delayed copies, one below the other."""
        length = self.X.shape[2] - (self.order - 1) * self.lag
        copies = [self.X[:, :, i * self.lag : i * self.lag + length] for i in range(self.order)]
        return np.concatenate(copies, axis=1)


def _noise(n, n_channels, n_times, order, lag):
    X = np.random.default_rng(0).standard_normal((n, n_channels, n_times))
    data = Trials(X, np.arange(n) % 2, order, lag)
    data.exact = np.array([np.cov(Z) for Z in data.embedded[:2]])
    return data


def _matrices(data, clock, threads, **options):
    from skmatrix.covariance import AugmentedCovariance

    model = AugmentedCovariance(data.order, data.lag, reg=0, n_jobs=threads, **options)
    with clock:
        G = model.fit_transform(data.X)
    error = np.abs(G[:2] - data.exact).max() / np.abs(data.exact).max()
    return {} if options else {"relative_error": error}


def _by_pyriemann(data, clock, threads):
    from pyriemann.geometry.covariance import covariances

    with clock:
        G = covariances(data.embedded, estimator="cov")
    return {"relative_error": np.abs(G[:2] - data.exact).max() / np.abs(data.exact).max()}


_MATRICES = [
    Contender(OURS, _matrices),
    Contender(OURS + ", toeplitz", partial(_matrices, toeplitz=True)),
    Contender("pyRiemann, covariance of the embedding", _by_pyriemann, requires=("pyriemann",)),
]

register(
    Case(
        name="augmented_covariance_speed",
        title="Augmented covariances: 100 trials of 22 channels and 1000 times",
        make_data=partial(_noise, 100, 22, 1000),
        contenders=_MATRICES,
        workloads={
            "full": [{"order": order, "lag": 5} for order in (10, 5, 2)],
            "tiny": [{"order": 2, "lag": 5}],
        },
        packages=("pyriemann",),
        remarks="Time of pyRiemann is that of making the copies and of their covariance.",
    )
)
register(
    Case(
        name="augmented_covariance_growth",
        title="Augmented covariances: growth with the order",
        make_data=partial(_noise, 30, 22, 2000, lag=2),
        contenders=[_MATRICES[0], _MATRICES[2]],
        workloads={
            "full": [{"order": order} for order in (4, 8, 16)],
            "tiny": [{"order": order} for order in (2, 3, 4)],
        },
        growth="order",
        memory=False,
        packages=("pyriemann",),
        remarks="The sums grow linearly for us; the matrices that they end in have order² blocks.",
    )
)


def _two_classes(n, n_channels, n_times, seed=0):
    """Two VAR processes with equal covariance: x(t) = A x(t - 1) + e(t) and the same with -A."""
    rng = np.random.default_rng(seed)
    A = np.linalg.qr(rng.standard_normal((n_channels, n_channels)))[0]
    A = 0.5 * (A + np.diag(rng.uniform(-0.5, 0.5, n_channels)))
    y = np.arange(n) % 2
    x, signal = np.zeros((n, n_channels)), []
    for _ in range(n_times + 100):
        x = np.where(y[:, None], 1, -1) * (x @ A.T) + rng.standard_normal(x.shape)
        signal.append(x)
    return np.stack(signal[100:], axis=2), y


def _grid_data(n, n_channels, n_times):
    X, y = _two_classes(n, n_channels, n_times)
    # Noise beside which scores are neither 0 nor 1.
    return Trials(X + 12 * np.random.default_rng(1).standard_normal(X.shape), y)


_GRID = {"orders": (1, 2, 4), "lags": (1, 2)}


def _shared_grid(data, clock, threads):
    from sklearn.model_selection import StratifiedKFold

    from skmatrix.covariance import AugmentedCovarianceClassifier

    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    model = AugmentedCovarianceClassifier(
        "grid", "grid", classifier="svc", cv=folds, n_jobs=threads, **_GRID
    )
    with clock:
        model.fit(data.X, data.y)
    table = model.cv_results_
    ours = {
        tuple(p[name] for name in ("order", "lag", "C", "kernel")): score
        for p, score in zip(table["params"], table["mean_test_score"], strict=True)
    }
    data.shared["ours"] = ours
    return {"settings": len(ours), "best_score": model.best_score_}


def _grid_search(data, clock, threads):
    from pyriemann.tangentspace import TangentSpace
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC

    from skmatrix.covariance import AugmentedCovariance

    # Order 1 once, as in ours.
    svc = {"svc__C": [0.5, 1.0, 1.5], "svc__kernel": ["rbf", "linear"]}
    name = "augmentedcovariance__"
    grid = [
        {name + "order": [order], name + "lag": list(_GRID["lags"][: 1 if order == 1 else None])}
        | svc
        for order in _GRID["orders"]
    ]
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    pipeline = make_pipeline(AugmentedCovariance(1, 1), TangentSpace(), SVC())
    search = GridSearchCV(pipeline, grid, cv=folds, n_jobs=threads)
    with clock:
        search.fit(data.X, data.y)
    table = search.cv_results_
    found = {"settings": len(table["params"]), "best_score": search.best_score_}
    if "ours" in data.shared:
        keys = [
            (p[name + "order"], p[name + "lag"], p["svc__C"], p["svc__kernel"])
            for p in table["params"]
        ]
        scores = np.array([data.shared["ours"][key] for key in keys])
        found["largest_difference"] = np.abs(scores - table["mean_test_score"]).max()
    return found


register(
    Case(
        name="augmented_covariance_grid",
        title="Order, lag and support vectors by cross-validation: 30 settings, 3 folds",
        make_data=_grid_data,
        contenders=[
            Contender(CLASSIFIER, _shared_grid),
            Contender("GridSearchCV over the pipeline", _grid_search, max_rounds=2),
        ],
        workloads={
            "full": [{"n": 90, "n_channels": 12, "n_times": 500}],
            "tiny": [{"n": 24, "n_channels": 2, "n_times": 80}],
        },
        requires=("pyriemann",),
        memory=False,
        packages=("pyriemann",),
        remarks="largest_difference is that of a mean score between the two.",
    )
)


def _walks(n, n_channels, n_times):
    """Smooth signals."""
    rng = np.random.default_rng(0)
    X = np.cumsum(rng.standard_normal((n, n_channels, n_times)), axis=2)
    return Trials(X + np.sin(np.arange(n_times) / 9) * 5, np.arange(n) % 2)


def _rule(order, lag, data, clock, threads, **options):
    from skmatrix.covariance import AugmentedCovariance

    model = AugmentedCovariance(order, lag, n_jobs=threads, random_state=0, **options)
    with clock:
        model.fit(data.X)
    return {"order": model.order_, "lag": model.lag_}


register(
    Case(
        name="augmented_covariance_mdop",
        title="MDOP, 100 trials of 22 channels and 1000 times, of which it looks at 30",
        make_data=_walks,
        contenders=[Contender(OURS, partial(_rule, "mdop", "mdop"), compiled=True, max_rounds=2)],
        workloads={
            "full": [{"n": 100, "n_channels": 22, "n_times": 1000}],
            "tiny": [{"n": 4, "n_channels": 2, "n_times": 120}],
        },
        memory=False,
        remarks="The authors report 183 to 1050 seconds a fold, in Julia on another machine.",
    )
)
register(
    Case(
        name="augmented_covariance_rules",
        title="False neighbours and mutual information, 16 trials of 6 channels and 896 times",
        make_data=_walks,
        contenders=[
            Contender(OURS, partial(_rule, "fnn", "mi"), compiled=True),
            Contender("information criterion", partial(_rule, "bic", "acf"), compiled=True),
        ],
        workloads={
            "full": [{"n": 16, "n_channels": 6, "n_times": 896}],
            "tiny": [{"n": 4, "n_channels": 2, "n_times": 120}],
        },
        memory=False,
    )
)


@dataclass
class Recording:
    """A set with its own split, and how it is cross-validated instead of that."""

    train: tuple
    test: tuple
    largest: int = 10
    n_folds: int = 5


def _recording(name, as_filed=False, step=1, n_channels=None, **options):
    """The set's own split; `as_filed` gives the overlapping windows that the files hold."""
    signals = importlib.import_module("skmatrix.datasets._signals")
    try:
        if as_filed:
            data = (signals._read_trials(path) for path in signals._files(name))
            return Recording(*data, **options)
        eeg = signals.load_eeg(name)
    except ImportError as error:
        raise Unavailable(str(error)) from error
    parts = [np.flatnonzero(part)[::step] for part in (eeg.train, ~eeg.train)]
    data = [(eeg.data[rows, :n_channels], eeg.target[rows]) for rows in parts]
    return Recording(*data, **options)


def _accuracy(settings, data, clock, threads):
    """Accuracy on the test of the set's own split, with its standard error."""
    from skmatrix.covariance import AugmentedCovarianceClassifier

    model = AugmentedCovarianceClassifier(random_state=0, n_jobs=threads, **settings)
    with clock:
        model.fit(*data.train)
    score = model.score(*data.test)
    error = np.sqrt(score * (1 - score) / len(data.test[1]))
    return {
        "accuracy": score,
        "standard_error": error,
        "order": model.order_,
        "lag": model.lag_,
    }


_SMALL_GRID = {"order": "grid", "lag": "grid", "orders": (1, 2, 3, 4, 5), "lags": (1, 2, 4)}
_WAYS = {
    "logistic, order 1": {"order": 1, "lag": 1},
    "logistic, order by false neighbours, lag by information": {"order": "fnn", "lag": "mi"},
    "logistic, auto": {},
    "MDM, order 1": {"order": 1, "lag": 1, "classifier": "mdm"},
    "MDM, auto": {"classifier": "mdm"},
    "MDM, grid": {**_SMALL_GRID, "classifier": "mdm"},
}

register(
    Case(
        name="augmented_covariance_accuracy",
        title="Accuracy on recordings, by the split of their files",
        make_data=_recording,
        contenders=[
            Contender(name, partial(_accuracy, settings), max_rounds=1)
            for name, settings in _WAYS.items()
        ],
        workloads={
            "full": [
                {"name": "EyesOpenShut"},
                {"name": "SelfRegulationSCP1", "as_filed": True},
                {"name": "SelfRegulationSCP1"},
                {"name": "HandMovementDirection"},
                {"name": "FingerMovements"},
            ],
            "tiny": [{"name": "EyesOpenShut", "step": 2, "n_channels": 2}],
        },
        requires=("pyriemann",),
        timed=False,
        memory=False,
        packages=("pyriemann",),
        remarks="SelfRegulationSCP1 as filed has six windows of one channel, each 6 samples behind"
        " the last; without, the one channel. The last two sets are counter-examples: there is"
        " nothing to gain. Published gains on motor imagery (BNCI2014-001, left and right hand,"
        " area under the curve): MDM .839, tangent space .883, augmented with a grid .917.",
    )
)


def _nested(order, lag, data, clock, threads):
    """Mean accuracy over the outer folds."""
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    from skmatrix.covariance import AugmentedCovarianceClassifier

    X, y = (np.concatenate(pair) for pair in zip(data.train, data.test, strict=True))
    folds = StratifiedKFold(data.n_folds, shuffle=True, random_state=0)
    grid = range(1, data.largest + 1)
    model = AugmentedCovarianceClassifier(
        order,
        lag,
        orders=list(grid),
        lags=list(grid),
        random_state=0,
        n_jobs=threads,
    )
    with clock:
        scores = cross_val_score(model, X, y, cv=folds)
    error = scores.std(ddof=1) / np.sqrt(len(scores))
    return {"accuracy": scores.mean(), "standard_error": error}


register(
    Case(
        name="augmented_covariance_nested",
        title="Nested cross-validation: the few candidates of the rules, and all pairs to order 10",
        make_data=_recording,
        contenders=[
            Contender(CLASSIFIER + ", auto", partial(_nested, "auto", "auto"), max_rounds=1),
            Contender("grid of 10 x 10", partial(_nested, "grid", "grid"), max_rounds=1),
            Contender("order 1", partial(_nested, 1, 1), max_rounds=1),
        ],
        workloads={
            "full": [
                {"name": "EyesOpenShut"},
                {"name": "SelfRegulationSCP1", "as_filed": True, "n_folds": 2},
            ],
            "tiny": [{"name": "EyesOpenShut", "step": 3, "n_channels": 1, "largest": 2}],
        },
        requires=("pyriemann",),
        memory=False,
        max_rounds=1,
        packages=("pyriemann",),
        remarks="Five outer folds (two where it says so), three inner ones, logistic regression on"
        " tangent vectors at the Riemannian mean; SelfRegulationSCP1 with its six windows."
        " Shuffled folds mix neighbouring seconds: the level is too high, the comparison is fair.",
    )
)


def _dynamics(n, n_channels, n_times):
    """Training and test from the same two processes."""
    X, y = _two_classes(2 * n, n_channels, n_times)
    return Recording((X[:n], y[:n]), (X[n:], y[n:]))


register(
    Case(
        name="augmented_covariance_dynamics",
        title="Two processes of equal covariance and opposite dynamics",
        make_data=_dynamics,
        contenders=[
            Contender(
                f"{name}, order {order}", partial(_accuracy, {"order": order, "lag": 1} | extra)
            )
            for name, extra in (("logistic", {}), ("MDM", {"classifier": "mdm"}))
            for order in (1, 2)
        ],
        workloads={
            "full": [{"n": 120, "n_channels": 3, "n_times": 300}],
            "tiny": [{"n": 24, "n_channels": 2, "n_times": 60}],
        },
        requires=("pyriemann",),
        timed=False,
        memory=False,
    )
)
