"""Functional tensor regression beside regressions and CP on a grid; its time, and its failures.

The files of the authors' repository, of which no copy belongs here, are read from the folder that
the environment variable SKMATRIX_FUNBAT_DATA names.
"""

import os
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from ._harness import Case, Contender, Unavailable, register

VARIABLE = "SKMATRIX_FUNBAT_DATA"
FILES = {
    "PM2.5": "beijing_PM2.5_DISCT_428x501x1461_no_agg.npy",
    "PM10": "beijing_PM10_DISCT_428x501x1461_no_agg.npy",
    "SO2": "beijing_SO2_DISCT_428x501x1461_no_agg.npy",
    "US temperature": "us_temp_DISCT_15x95x267.npy",
    "curves": "synthetic_simulation_r1.npy",
}
COVERAGE = 1.959963984540054  # standard deviations of an interval of 95 %


@dataclass
class Split:
    """Entries to fit, and entries that are hidden."""

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray

    @classmethod
    def halves(cls, X, y, n_train):
        """The first rows for the fit, the others hidden."""
        return cls(X[:n_train], y[:n_train], X[n_train:], y[n_train:])

    def errors(self, mean, std=None):
        """Errors on the hidden entries, and how many of them the intervals hold."""
        gap = np.abs(mean - self.y_test)
        found = {"rmse": np.sqrt(np.mean(gap**2)), "mae": np.mean(gap)}
        if std is not None:
            found["coverage_of_95_%"] = np.mean(gap <= COVERAGE * std)
        return found


def read(name):
    """One of the files: a dict of NumPy arrays."""
    folder = os.environ.get(VARIABLE)
    path = Path(folder or ".") / FILES[name]
    if not folder or not path.is_file():
        raise Unavailable(f"{VARIABLE} names no folder with {FILES[name]}")
    return np.load(path, allow_pickle=True).item()


def _folds(name, n_folds):
    """Folds of a file, its bins as coordinates of (0, 1); or of generated data."""
    if name == "generated":
        from skmatrix.datasets import make_functional_tensor

        draws = [make_functional_tensor(200, (8, 9, 10), random_state=i) for i in range(n_folds)]
        return [Split.halves(X, y, 160) for X, y, _ in draws]
    stored = read(name)
    sizes = np.asarray(stored["ndims"])
    return [
        Split(
            (fold["tr_ind"] + 0.5) / sizes,
            np.ravel(fold["tr_y"]),
            (fold["te_ind"] + 0.5) / sizes,
            np.ravel(fold["te_y"]),
        )
        for fold in stored["data"][:n_folds]
    ]


def _accuracy_data(name, n_folds, n_seeds):
    return _folds(name, n_folds), range(n_seeds)


def _mean_errors(runs):
    """Means over folds and seeds, and the extremes of the first."""
    found = {key: np.mean([run[key] for run in runs]) for key in runs[0]}
    errors = [run["rmse"] for run in runs]
    return {"rmse": found.pop("rmse"), "lowest": min(errors), "highest": max(errors)} | found


def _ours(data, clock, threads, **options):
    from skmatrix.decomposition import FunBaT

    folds, seeds = data
    with clock:
        runs = []
        for fold, seed in product(folds, seeds):
            model = FunBaT(random_state=seed, **options).fit(fold.X, fold.y)
            runs.append(fold.errors(*model.predict(fold.X_test, return_std=True)))
    return _mean_errors(runs)


def _regressor(make, data, clock, threads):
    """A regressor with its defaults, once per fold."""
    with clock:
        runs = [
            fold.errors(make(threads).fit(fold.X, fold.y).predict(fold.X_test)) for fold in data
        ]
    return _mean_errors(runs)


def _peer(make, data, clock, threads):
    return _regressor(make, data[0], clock, threads)


def _extra_trees(threads):
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(300, n_jobs=threads, random_state=0)


def _boosting(threads):
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(max_iter=500, random_state=0)


def _neighbours(threads):
    from sklearn.neighbors import KNeighborsRegressor

    return KNeighborsRegressor(3, n_jobs=threads)


def _gaussian_process(fold, n_kernel=1000, n_fit=4000):
    """A kernel with a length per coordinate from some of the entries, then a fit to more."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    order = np.random.default_rng(0).permutation(len(fold.y))
    lengths = np.full(fold.X.shape[1], 0.3)
    kernel = ConstantKernel() * Matern(lengths, (1e-3, 1e3), nu=0.5) + WhiteKernel(0.1)
    rows = order[:n_kernel]
    model = GaussianProcessRegressor(kernel, normalize_y=True).fit(fold.X[rows], fold.y[rows])
    model = GaussianProcessRegressor(model.kernel_, normalize_y=True, optimizer=None)
    rows = order[:n_fit]
    return model.fit(fold.X[rows], fold.y[rows])


def _gpr(data, clock, threads):
    with clock:
        runs = [
            fold.errors(*_gaussian_process(fold).predict(fold.X_test, return_std=True))
            for fold in data[0]
        ]
    return _mean_errors(runs)


def _completed(T, seen, rank, n_iter=100):
    """CP of the observed elements of a tensor, by alternating least squares, laid out."""
    import tensorly as tl
    from tensorly.decomposition import parafac

    found = parafac(
        T, rank, n_iter_max=n_iter, init="random", mask=seen, random_state=0, normalize_factors=True
    )
    return tl.cp_to_tensor(found)


def _on_a_grid(data, clock, threads, ranks=(2, 5), shape=(50, 50, 150)):
    """Entries averaged in the cells of a grid; of the ranks that with the smallest error counts."""
    with clock:
        runs = []
        for fold in data[0]:
            sizes = [min(n, len(np.unique(x))) for n, x in zip(shape, fold.X.T, strict=True)]
            low, span = fold.X.min(axis=0), np.ptp(fold.X, axis=0)

            def cells(X, sizes=sizes, low=low, span=span):
                scaled = (X - low) / span * sizes
                return tuple(np.clip(scaled, 0, np.subtract(sizes, 1)).astype(int).T)

            total, count = np.zeros(sizes), np.zeros(sizes)
            centre = fold.y.mean()
            np.add.at(total, cells(fold.X), fold.y - centre)
            np.add.at(count, cells(fold.X), 1)
            T = total / np.maximum(count, 1)
            fits = [_completed(T, count > 0, rank) for rank in ranks]
            errors = [fold.errors(centre + fit[cells(fold.X_test)]) for fit in fits]
            runs.append(min(errors, key=lambda error: error["rmse"]))
    return _mean_errors(runs)


MODELS = {
    "Tucker, rank 3": {"rank": 3},
    "Tucker, rank 5": {"rank": 5},
    "CP, rank 5": {"rank": 5, "decomposition": "cp"},
    "CP, rank 10": {"rank": 10, "decomposition": "cp"},
    "CP, rank 10, without intercept": {
        "rank": 10,
        "decomposition": "cp",
        "fit_intercept": False,
    },
    "CP, rank 5, kernel='iid'": {"rank": 5, "decomposition": "cp", "kernel": "iid"},
}

register(
    Case(
        name="funbat_accuracy",
        title="Air quality in Beijing and temperatures of US cities",
        make_data=_accuracy_data,
        contenders=[
            *(
                Contender(f"skmatrix FunBaT, {name}", partial(_ours, **options))
                for name, options in MODELS.items()
            ),
            Contender("GaussianProcessRegressor, 4000 entries", _gpr),
            Contender("ExtraTreesRegressor, 300 trees", partial(_peer, _extra_trees)),
            Contender("HistGradientBoostingRegressor, 500 trees", partial(_peer, _boosting)),
            Contender("KNeighborsRegressor, 3 neighbours", partial(_peer, _neighbours)),
            Contender(
                "tensorly masked CP on a grid, best of ranks 2 and 5",
                _on_a_grid,
                requires=("tensorly",),
            ),
        ],
        workloads={
            "full": [
                {"name": name, "n_folds": 5, "n_seeds": 2}
                for name in ("PM2.5", "PM10", "SO2", "US temperature")
            ],
            "tiny": [{"name": "generated", "n_folds": 2, "n_seeds": 1}],
        },
        timed=False,
        memory=False,
        packages=("tensorly",),
        remarks="The folds are those of the authors' files; ours are fitted with several seeds in"
        " each. Coordinates are the codes of bins that these files have, and not the continuous"
        " ones of the paper, whose figures are therefore others. lowest and highest are of single"
        " fits. Concentrations over temperature, pressure and day are standardised; temperatures"
        " over latitude, longitude and year are in degrees Fahrenheit. The Gaussian process has"
        " Matern-1/2 kernels with lengths from 1000 of its entries. Nothing was tuned, but that"
        " the rank of the masked CP is the better one on the hidden entries, and its grid of 50 x"
        " 50 x 150 cells or fewer is what it can hold.",
    )
)


def _one_fold(name):
    """The first fold."""
    return _folds(name, 1)[0]


def _whole_fit(data, clock, threads, **options):
    from skmatrix.decomposition import FunBaT

    with clock:
        model = FunBaT(random_state=0, **options).fit(data.X, data.y)
    return {"rmse": data.errors(model.predict(data.X_test))["rmse"], "sweeps": model.n_iter_}


def _peer_fit(make, data, clock, threads):
    with clock:
        model = make(threads).fit(data.X, data.y)
    return {"rmse": data.errors(model.predict(data.X_test))["rmse"]}


def _gpr_fit(data, clock, threads):
    with clock:
        model = _gaussian_process(data)
    return {"rmse": data.errors(model.predict(data.X_test))["rmse"]}


register(
    Case(
        name="funbat_fit",
        title="Whole fits with length scales",
        make_data=_one_fold,
        contenders=[
            Contender("skmatrix FunBaT, CP, rank 5", partial(_whole_fit, **MODELS["CP, rank 5"])),
            Contender(
                "skmatrix FunBaT, Tucker, rank 3", partial(_whole_fit, **MODELS["Tucker, rank 3"])
            ),
            Contender(
                "ExtraTreesRegressor, 300 trees", partial(_peer_fit, _extra_trees), max_rounds=1
            ),
            Contender("GaussianProcessRegressor, 4000 entries", _gpr_fit, max_rounds=1),
        ],
        workloads={
            "full": [{"name": "PM2.5"}, {"name": "US temperature"}],
            "tiny": [{"name": "generated"}],
        },
        max_rounds=3,
        remarks="The first fold; 150 sweeps at most, and up to 110 of the starts that are given up."
        " The time of the Gaussian process has the search for its kernel in it.",
    )
)


def _sweeps(data, clock, threads, n_sweeps=30, **options):
    """Time of one sweep, the preparation of the entries shared out over all of them."""
    from skmatrix.decomposition import FunBaT

    options = {"optimize_length_scale": False, "n_init": 1, "random_state": 0, "tol": 0} | options
    clock.extrapolate(1 / n_sweeps)
    with clock:
        model = FunBaT(max_iter=n_sweeps, **options).fit(data.X, data.y)
    return {"rmse": data.errors(model.predict(data.X_test))["rmse"]}


register(
    Case(
        name="funbat_sweep",
        title="Seconds for a sweep",
        make_data=_one_fold,
        contenders=[
            *(
                Contender(f"skmatrix FunBaT, {name}", partial(_sweeps, **options), compiled=True)
                for name, options in (
                    ("Tucker, rank 3", {"rank": 3}),
                    ("Tucker, rank 5", {"rank": 5}),
                    ("CP, rank 2", {"rank": 2, "decomposition": "cp"}),
                )
            ),
            Contender(
                "skmatrix FunBaT, Tucker, rank 3, backend='numpy'",
                partial(_sweeps, n_sweeps=12, rank=3, backend="numpy"),
                max_rounds=1,
            ),
        ],
        workloads={
            "full": [{"name": "PM2.5"}, {"name": "US temperature"}],
            "tiny": [{"name": "generated"}],
        },
        remarks="Of thirty sweeps with fixed length scales; the error is that of such a short fit."
        " The authors' program, which is no package, took 1.5 s (Tucker, rank 3), 22 s (rank 5) and"
        " 0.87 s (CP, rank 2) for a sweep of PM2.5 with one thread, and 1.4 s (Tucker, rank 3) for"
        " one of the temperatures, in another run on such a machine.",
    )
)


def _growing(n_entries, n_points=1000):
    """Entries of a tensor of rank 2."""
    from skmatrix.datasets import make_functional_tensor

    n_test = 100
    X, y, _ = make_functional_tensor(n_entries + n_test, (n_points,) * 3, random_state=0)
    return Split.halves(X, y, n_entries)


register(
    Case(
        name="funbat_growth",
        title="A sweep with Tucker of rank 5: growth with the number of entries",
        make_data=_growing,
        contenders=[Contender("skmatrix FunBaT", partial(_sweeps, n_sweeps=12, rank=5))],
        workloads={
            "full": [{"n_entries": n} for n in (100_000, 200_000, 400_000)],
            "tiny": [{"n_entries": n, "n_points": 20} for n in (200, 400, 800)],
        },
        growth="n_entries",
        memory=False,
        max_rounds=3,
        remarks="1000 coordinates of each of three modes, whose share of the time does not grow.",
    )
)


def curves(t, s):
    """The two functions of the authors' synthetic data."""
    first = np.sin(2 * np.pi * t) ** 2 * np.cos(2 * np.pi * t)
    return first, np.exp(-2 * s) * np.sin(1.5 * np.pi * s)


def _curve_data(source, n_entries=None):
    """Products of two curves without noise: from the authors' file, or drawn; whether drawn."""
    if source == "file":
        fold = read("curves")["data"][0]
        keys = ("tr_ind_CONTI", "tr_y", "te_ind_CONTI", "te_y")
        X, y, X_test, y_test = (np.asarray(fold[key], dtype=float) for key in keys)
        return Split(X, y.ravel(), X_test, y_test.ravel()), False
    X = np.random.default_rng(0).uniform(size=(2 * n_entries, 2))
    return Split.halves(X, np.prod(curves(*X.T), axis=0), n_entries), True


def _curve_fit(data, clock, threads, **options):
    """Errors on hidden entries, and of the two curves up to their scale."""
    from skmatrix.decomposition import FunBaT

    fold, drawn = data
    options = {"decomposition": "cp", "kernel": "matern32", "random_state": 0} | options
    with clock:
        model = FunBaT(**options).fit(fold.X, fold.y)
    found = fold.errors(*model.predict(fold.X_test, return_std=True))
    # The values in the file were computed before their coordinates were binned.
    if drawn and options["rank"] == 1:
        gaps = []
        for mode in range(2):
            t = model.indices_[mode]
            curve = curves(t, t)[mode]
            function = model.predict_factors(mode, t)[:, 0]
            function = function * (function @ curve) / (function @ function)
            gaps.append(np.linalg.norm(function - curve) / np.linalg.norm(curve))
        found["error_of_a_curve"] = max(gaps)
    return found


def _as_published(data, clock, threads):
    """The authors' priors, which are of values that nobody has standardised."""
    power = np.mean(data[0].y ** 2)
    return _curve_fit(
        data,
        clock,
        threads,
        rank=1,
        fit_intercept=False,
        optimize_length_scale=False,
        length_scale=0.1,
        variance=0.5 / np.sqrt(power),
        noise_prior=(1.0, 1.0 / power),
        max_iter=100,
        tol=0,
    )


register(
    Case(
        name="funbat_curves",
        title="Two curves from 675 products of theirs",
        make_data=_curve_data,
        contenders=[
            Contender(
                "CP, rank 1, without intercept",
                partial(_curve_fit, rank=1, fit_intercept=False),
            ),
            Contender(
                "the same, 150 sweeps", partial(_curve_fit, rank=1, fit_intercept=False, tol=0)
            ),
            Contender("the same with the authors' settings", _as_published),
            Contender("Tucker, rank 2", partial(_curve_fit, rank=2, decomposition="tucker")),
        ],
        workloads={
            "full": [{"source": "file"}, {"source": "formula", "n_entries": 675}],
            "tiny": [{"source": "formula", "n_entries": 60}],
        },
        timed=False,
        memory=False,
        remarks="Without noise; in the file 90 x 90 coordinates, by the formula all distinct."
        " error_of_a_curve is that of the worse of the two, up to its scale. The authors report an"
        " RMSE of 0.004 and an MAE of 0.002 for the file: their Gamma(1, 1) prior of the noise"
        " precision, of values whose mean square is 0.004, keeps the noise from vanishing.",
    )
)


@dataclass
class Kinetic:
    """A fluorescence tensor with coordinates, and which of its elements are observed."""

    tensor: np.ndarray
    coords: list
    seen: np.ndarray
    hidden: np.ndarray

    @classmethod
    def load(cls, share, step=1):
        """A share of the elements observed, the others hidden; measured ones alone."""
        from tensorly.datasets import load_kinetic

        found = load_kinetic()
        T = np.where(found.missing_values_position, np.nan, found.tensor)
        T = T[(slice(None, None, step),) * T.ndim]
        coords = [np.asarray(tick, dtype=float)[::step] for tick in found.ticks]
        measured = np.isfinite(T)
        seen = measured & (np.random.default_rng(0).random(T.shape) < share)
        return cls(T, coords, seen, measured & ~seen)

    def errors(self, values, std=None):
        """Root mean squared error on the hidden elements, in units of their root mean square."""
        gap = (values - self.tensor)[self.hidden]
        error = np.sqrt(np.mean(gap**2) / np.mean(self.tensor[self.hidden] ** 2))
        found = {"relative_rmse": error, "observed": self.seen.sum()}
        if std is not None:
            found["coverage_of_95_%"] = np.mean(np.abs(gap) <= COVERAGE * std[self.hidden])
        return found


def _kinetic(data, clock, threads, **options):
    from skmatrix.decomposition import FunBaT, tensor_to_entries

    X, y = tensor_to_entries(data.tensor, data.coords, data.seen)
    every = np.stack([a.ravel() for a in np.meshgrid(*data.coords, indexing="ij")], axis=1)
    with clock:
        model = FunBaT(random_state=0, decomposition="cp", **options).fit(X, y)
        found = model.predict(every, return_std=True)
    return data.errors(*(values.reshape(data.tensor.shape) for values in found))


def _kinetic_peer(data, clock, threads):
    with clock:
        T = np.where(data.seen, data.tensor, 0.0)
        found = [data.errors(_completed(T, data.seen, rank)) for rank in (3, 5)]
    return min(found, key=lambda errors: errors["relative_rmse"])


register(
    Case(
        name="funbat_kinetic",
        title="A fluorescence tensor from few of its elements",
        make_data=Kinetic.load,
        contenders=[
            Contender(
                "skmatrix FunBaT, CP, rank 5, without intercept",
                partial(_kinetic, rank=5, fit_intercept=False),
            ),
            Contender(
                "the same, samples without order",
                partial(_kinetic, rank=5, fit_intercept=False, kernel=("iid", *["matern12"] * 3)),
            ),
            Contender(
                "the same, nothing in order",
                partial(_kinetic, rank=5, fit_intercept=False, kernel="iid"),
            ),
            Contender("tensorly masked CP, best of ranks 3 and 5", _kinetic_peer, max_rounds=1),
        ],
        workloads={
            "full": [{"share": 0.005}, {"share": 0.1}],
            "tiny": [{"share": 0.4, "step": 6}],
        },
        requires=("tensorly",),
        memory=False,
        max_rounds=1,
        packages=("tensorly",),
        remarks="64 samples, 12 emission and 10 excitation wavelengths and 60 times, as"
        " tensorly.datasets.load_kinetic has them; share is what a fit sees, and the time has the"
        " prediction of all elements in it. The rank of the masked CP is the better one on the"
        " hidden elements.",
    )
)


def _starts(rank, decomposition, n_entries=2000, n_seeds=10):
    """A tensor of that rank, a fifth more of its entries hidden, and seeds."""
    from skmatrix.datasets import make_functional_tensor

    X, y, _ = make_functional_tensor(
        n_entries * 6 // 5, rank=rank, decomposition=decomposition, random_state=0
    )
    model = {"rank": rank, "decomposition": decomposition}
    return Split.halves(X, y, n_entries), model, range(n_seeds)


def _failures(data, clock, threads, **options):
    """Errors of several starts in units of the noise, 1 being perfect."""
    from skmatrix.decomposition import FunBaT

    fold, model, seeds = data
    model = {"kernel": "matern32", "length_scale": 0.3, "fit_intercept": False} | model | options
    with clock:
        runs = [
            fold.errors(
                *FunBaT(random_state=seed, **model)
                .fit(fold.X, fold.y)
                .predict(fold.X_test, return_std=True)
            )
            for seed in seeds
        ]
    errors = np.array([run["rmse"] for run in runs]) / 0.1
    return {
        "median_error": np.median(errors),
        "largest_error": errors.max(),
        "failed": np.sum(errors > 1.2),
        "collapsed": np.sum(errors > 0.9 * fold.y_test.std() / 0.1),
        "coverage_of_95_%": np.median([run["coverage_of_95_%"] for run in runs]),
    }


register(
    Case(
        name="funbat_collapse",
        title="Ten starts: which fail",
        make_data=_starts,
        contenders=[
            Contender("default", _failures),
            Contender("n_init=1", partial(_failures, n_init=1)),
            Contender("n_init=1, without a warm-up", partial(_failures, n_init=1, n_warmup=0)),
        ],
        workloads={
            "full": [
                {"rank": 1, "decomposition": "tucker"},
                {"rank": 2, "decomposition": "tucker"},
                {"rank": 3, "decomposition": "tucker"},
                {"rank": 2, "decomposition": "cp"},
                {"rank": 1, "decomposition": "tucker", "n_entries": 400},
                {"rank": 2, "decomposition": "tucker", "n_entries": 400},
            ],
            "tiny": [{"rank": 1, "decomposition": "cp", "n_entries": 100, "n_seeds": 2}],
        },
        timed=False,
        memory=False,
        remarks="Entries of make_functional_tensor, noise 0.1, of which a sixth is hidden; tensors"
        " of the rank that is fitted. Errors are in units of the noise. A start has failed where"
        " the error is more than 1.2, and has collapsed where it is as large as if nothing had been"
        " fitted. The authors' start, of the same size whatever the data, collapses often.",
    )
)
