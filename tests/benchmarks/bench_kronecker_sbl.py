"""Sparse Bayesian learning with Kronecker factors beside greedy, convex and dense regressions."""

from dataclasses import dataclass
from functools import partial, reduce

import numpy as np

from ._harness import Case, Contender, register

COUPLED = {"prune": (1e-2, 1e-1, 1e-2)}


def kron(factors):
    """Kronecker product as a matrix."""
    return reduce(np.kron, factors)


def scores(estimates, trials):
    """Errors and support of coefficients, averaged over trials."""
    from skmatrix.linear_model import KroneckerSBL

    pairs = [(x, truth.coef) for x, (_, _, truth) in zip(estimates, trials, strict=True)]
    errors = [KroneckerSBL.nmse(x, x_true) for x, x_true in pairs]
    rates = [KroneckerSBL.support_recovery_rate(x, x_true) for x, x_true in pairs]
    return {
        "nmse": np.mean(errors),
        "median_nmse": np.median(errors),
        "support_recovery": np.mean(rates),
    }


def _sparse_trials(n_trials, snr=25.0, n_rows=8, **sizes):
    """Problems of the paper's first simulation, whose first factor has so many rows."""
    from skmatrix.datasets import make_kronecker_sparse

    sizes = {"n_measurements": (n_rows, 12, 15), "snr": snr} | sizes
    return [make_kronecker_sparse(**sizes, random_state=seed) for seed in range(n_trials)]


def _known_noise(trials, clock, threads, **options):
    """Fits that know the variance of the noise, as the paper's do."""
    from skmatrix.linear_model import KroneckerSBL

    with clock:
        models = [
            KroneckerSBL(noise_variance=truth.noise_variance, random_state=0, **options).fit(A, y)
            for A, y, truth in trials
        ]
    return scores([model.coef_ for model in models], trials)


def _greedy(trials, clock, threads):
    """Pursuits that know how many indices of each factor there are."""
    from skmatrix.linear_model import kronecker_omp

    with clock:
        found = [
            kronecker_omp(A, y, n_nonzero=[indices.size for indices in truth.support])[0]
            for A, y, truth in trials
        ]
    return scores(found, trials)


def _oracle(trials, clock, threads):
    """Least squares on the true support."""
    found = []
    with clock:
        for A, y, truth in trials:
            active = [factor[:, s] for factor, s in zip(A, truth.support, strict=True)]
            tensor = np.zeros([factor.shape[1] for factor in A])
            sizes = [s.size for s in truth.support]
            solution = np.linalg.lstsq(kron(active), y)[0]
            tensor[np.ix_(*truth.support)] = solution.reshape(sizes)
            found.append(tensor.ravel())
    return scores(found, trials)


SOLVERS = ("auto", "svd", "am", "mm")
SIMULATION = [
    *(
        Contender(f"skmatrix KroneckerSBL, {name}", partial(_known_noise, solver=name))
        for name in SOLVERS
    ),
    Contender("skmatrix KroneckerSBL, auto, one start", partial(_known_noise, n_init=1)),
    Contender("skmatrix kronecker_omp", _greedy),
    Contender("least squares on the true support", _oracle),
]
TINY = {"n_trials": 2, "n_features": (6, 5, 5), "n_measurements": (4, 5, 5)}

for argument, values, title in (
    ("snr", (5, 10, 15, 20, 25, 30), "Sparse vectors: growing signal to noise"),
    ("n_rows", (6, 8, 10, 12, 14), "Sparse vectors: growing number of measurements"),
):
    register(
        Case(
            name=f"kronecker_sbl_{argument}",
            title=title,
            make_data=_sparse_trials,
            contenders=SIMULATION,
            workloads={
                "full": [{"n_trials": 100, argument: value} for value in values],
                "tiny": [TINY],
            },
            timed=False,
            memory=False,
            remarks="3375 coefficients, a Kronecker product of three vectors of 15 with 3 normal"
            " non-zeros each; three normal factors, with 8, 12 and 15 rows or as many as n_rows"
            " says in the first; 25 dB where nothing else is said. Means over the trials, and the"
            " median error. The variance of the noise is known, as in the paper, and the pursuit"
            " knows the number of non-zeros. Support: what the true one and that of moduli beyond"
            " 1e-3 of the largest have in common, over all that is in either.",
        )
    )


def _channel_trials(n_trials, snr):
    """Channels over an intelligent reflecting surface."""
    from skmatrix.datasets import make_irs_channel

    return [make_irs_channel(snr, random_state=seed) for seed in range(n_trials)]


def _channels(trials, clock, threads, **options):
    """Errors of the channels; the time is that of one trial."""
    from skmatrix.linear_model import KroneckerSBL

    clock.extrapolate(1 / len(trials))
    with clock:
        models = [
            KroneckerSBL(noise_variance=truth.noise_variance, random_state=0, **options).fit(A, y)
            for A, y, truth in trials
        ]
    errors = [truth.nmse(model.coef_) for model, (_, _, truth) in zip(models, trials, strict=True)]
    return {"nmse": np.mean(errors), "median_nmse": np.median(errors)}


CHANNELS = {
    "auto": {},
    "svd": {"solver": "svd"},
    "am": {"solver": "am", "prune": (1e-2, 1e-1, 1e-3)},
    "coupled by 0.8": {"coupling": (0.8, None, 0.8), **COUPLED},
    "coupled by 0.5": {"coupling": (0.5, None, 0.5), **COUPLED},
}

register(
    Case(
        name="kronecker_sbl_channel",
        title="Channels over an intelligent reflecting surface",
        make_data=_channel_trials,
        contenders=[
            Contender(f"skmatrix KroneckerSBL, {name}", partial(_channels, **options))
            for name, options in CHANNELS.items()
        ],
        workloads={
            "full": [{"n_trials": 50, "snr": snr} for snr in (4, 8, 12, 16, 20)],
            "tiny": [{"n_trials": 1, "snr": 20}],
        },
        memory=False,
        max_rounds=1,
        remarks="5832 complex coefficients, 288 measurements; seconds are of one trial. Averages of"
        " the authors' files, of 50 trials of theirs at 4, 8, 12, 16 and 20 dB, of the errors of"
        " single patterns, which are large where a pattern extinguishes the signal; ours are those"
        " of all patterns together: svd 0.609, 0.305, 0.194, 0.123, 0.105; am 0.714, 0.321, 0.197,"
        " 0.139, 0.070; coupled by 0.8 0.312, 0.132, 0.049, 0.0089, 0.0029; coupled by 0.5 0.324,"
        " 0.142, 0.061, 0.0112, 0.0060; without Kronecker structure 0.953, 0.724, 0.463, 0.228,"
        " 0.144. Their program took 6 to 44 s a trial, on a machine of theirs.",
    )
)


def _cube(n):
    """One problem with n columns in each of three factors, and two thirds as many rows."""
    from skmatrix.datasets import make_kronecker_sparse

    rows, nonzero = round(0.66 * n), 2 + n // 10
    return make_kronecker_sparse((n,) * 3, (rows,) * 3, n_nonzero=nonzero, random_state=0)


def _whole_fit(data, clock, threads, **options):
    from skmatrix.linear_model import KroneckerSBL

    A, y, _ = data
    with clock:
        model = KroneckerSBL(random_state=0, **options).fit(A, y)
    found = scores([model.coef_], [data])
    return {"nmse": found["nmse"], "iterations": model.n_iter_}


FITS = [
    Contender("skmatrix KroneckerSBL, auto", _whole_fit),
    Contender("skmatrix KroneckerSBL, auto, one start", partial(_whole_fit, n_init=1)),
    *(
        Contender(f"skmatrix KroneckerSBL, {name}", partial(_whole_fit, solver=name))
        for name in ("svd", "mm")
    ),
]
CUBES = {
    "full": [{"n": n} for n in (15, 32, 64, 100)],
    "tiny": [{"n": n} for n in (5, 6, 7)],
}

register(
    Case(
        name="kronecker_sbl_size",
        title="Whole fits, up to a million coefficients",
        make_data=_cube,
        contenders=FITS,
        workloads=CUBES,
        max_rounds=3,
        remarks="n^3 coefficients, 0.29 times as many measurements; 2 + n // 10 non-zeros in each"
        " factor, 25 dB; the noise is learnt. With a million coefficients the Kronecker product has"
        " 2.9e11 entries, 2.3 TB: nothing that needs it can begin.",
    )
)
register(
    Case(
        name="kronecker_sbl_growth",
        title="Whole fits: growth with the number of columns of each of three factors",
        make_data=_cube,
        contenders=FITS,
        workloads=CUBES,
        growth="n",
        memory=False,
        max_rounds=3,
        remarks="The number of coefficients is the cube.",
    )
)


@dataclass
class Dense:
    """A problem, and the penalty of the Lasso with the smallest error."""

    factors: tuple
    y: np.ndarray
    truth: object
    alpha: float

    @property
    def trial(self):
        """Factors, measurements and truth."""
        return self.factors, self.y, self.truth


def _dense(random_state, n_alphas=20, **sizes):
    """A problem; the truth chooses the penalty of the Lasso."""
    from sklearn.linear_model import lasso_path

    from skmatrix.datasets import make_kronecker_sparse

    factors, y, truth = make_kronecker_sparse(**sizes, random_state=random_state)
    alphas, paths, _ = lasso_path(kron(factors), y, eps=1e-4, alphas=n_alphas)
    errors = np.sum((paths.T - truth.coef) ** 2, axis=1)
    return Dense(factors, y, truth, float(alphas[np.argmin(errors)]))


def _accuracy(coef, data):
    found = scores([coef], [data.trial])
    return {key: found[key] for key in ("nmse", "support_recovery")}


def _structured(data, clock, threads, **options):
    from skmatrix.linear_model import KroneckerSBL

    with clock:
        model = KroneckerSBL(random_state=0, **options).fit(data.factors, data.y)
    return _accuracy(model.coef_, data)


def _structured_pursuit(data, clock, threads):
    return _greedy([data.trial], clock, threads)


def _peer(make, data, clock, threads):
    with clock:
        model = make(data).fit(kron(data.factors), data.y)
    return _accuracy(model.coef_, data)


def _ard(data):
    from sklearn.linear_model import ARDRegression

    return ARDRegression(max_iter=25, fit_intercept=False)


def _lasso(data):
    from sklearn.linear_model import Lasso

    return Lasso(data.alpha, fit_intercept=False)


def _celer(data):
    from celer import Lasso

    return Lasso(data.alpha, fit_intercept=False)


def _omp(data):
    from sklearn.linear_model import OrthogonalMatchingPursuit

    n_nonzero = int((data.truth.coef != 0).sum())
    return OrthogonalMatchingPursuit(n_nonzero_coefs=n_nonzero, fit_intercept=False)


register(
    Case(
        name="kronecker_sbl_dense",
        title="3375 coefficients, beside regressions on the Kronecker product as a matrix",
        make_data=_dense,
        contenders=[
            Contender("skmatrix KroneckerSBL, auto", _structured),
            Contender("skmatrix KroneckerSBL, svd", partial(_structured, solver="svd")),
            Contender("skmatrix KroneckerSBL, mm", partial(_structured, solver="mm")),
            Contender("skmatrix kronecker_omp", _structured_pursuit),
            Contender("ARDRegression, 25 iterations", partial(_peer, _ard), max_rounds=1),
            Contender("Lasso", partial(_peer, _lasso)),
            Contender("celer Lasso", partial(_peer, _celer), requires=("celer",)),
            Contender("OrthogonalMatchingPursuit", partial(_peer, _omp)),
        ],
        workloads={
            "full": [{"random_state": seed} for seed in (0, 1, 2)],
            "tiny": [
                {
                    "random_state": 0,
                    "n_features": (5, 4, 4),
                    "n_measurements": (3, 4, 4),
                    "n_nonzero": 2,
                    "n_alphas": 5,
                }
            ],
        },
        max_rounds=3,
        packages=("celer",),
        remarks="1440 measurements of 27 non-zeros at 25 dB, three draws. Ours learn the variance"
        " of the noise; the penalty of the Lasso is that of twenty with the smallest error, chosen"
        " by the truth and not timed, and both pursuits know the number of non-zeros. The peers"
        " have to form the product, which is timed. ARDRegression goes on for hundreds of"
        " iterations; its error hardly changes after the tenth.",
    )
)


@dataclass
class Photograph:
    """Grey values, and separable measurements of their cosine transform."""

    pixels: np.ndarray
    factors: tuple
    cosines: np.ndarray
    y: np.ndarray

    def psnr(self, coef):
        """Peak signal-to-noise ratio of the picture of coefficients, in decibel."""
        shape = self.pixels.shape
        found = self.cosines @ np.reshape(coef, shape) @ self.cosines.T
        return -10 * np.log10(np.mean((found - self.pixels) ** 2))


def _photograph(side, n_rows):
    """The corner of a photograph, of which random sums of rows and columns are measured."""
    from scipy.fft import idct
    from sklearn.datasets import load_sample_image

    pixels = load_sample_image("china.jpg")[:side, :side].mean(axis=2) / 255
    cosines = idct(np.eye(side), norm="ortho", axis=0)
    rng = np.random.default_rng(0)
    sums = [rng.standard_normal((n_rows, side)) / np.sqrt(n_rows) for _ in range(2)]
    y = sums[0] @ pixels @ sums[1].T
    y = y + 0.002 * rng.standard_normal(y.shape)
    return Photograph(pixels, tuple(A @ cosines for A in sums), cosines, y)


def _picture(data, clock, threads, **options):
    from skmatrix.linear_model import KroneckerSBL

    with clock:
        model = KroneckerSBL(random_state=0, **options).fit(data.factors, data.y)
    return {"psnr": data.psnr(model.coef_), "iterations": model.n_iter_}


def _shrinkage(data, clock, threads, n_penalties=14, n_iter=50):
    """Iterative shrinkage along a path of penalties, each from where the one before has ended."""
    import pylops
    from pylops.optimization.sparsity import fista

    operator = pylops.Kronecker(*(pylops.MatrixMult(A) for A in data.factors))
    y, path, coef = data.y.ravel(), [], None
    with clock:
        largest = 2 * np.abs(operator.H @ y).max()
        for penalty in largest * 0.5 ** np.arange(1, n_penalties + 1):
            coef = fista(operator, y, x0=coef, niter=n_iter, eps=penalty)[0]
            path.append(coef)
    return {"psnr": max(map(data.psnr, path)), "iterations": n_penalties * n_iter}


def _least_norm(data, clock, threads):
    """The solution of the smallest norm."""
    with clock:
        coef = np.linalg.pinv(data.factors[0]) @ data.y @ np.linalg.pinv(data.factors[1]).T
    return {"psnr": data.psnr(coef)}


register(
    Case(
        name="kronecker_sbl_photograph",
        title="A photograph from separable random sums",
        make_data=_photograph,
        contenders=[
            *(
                Contender(f"skmatrix KroneckerSBL, {name}", partial(_picture, solver=name))
                for name in ("auto", "mm", "svd")
            ),
            Contender(
                "pylops FISTA, the best of 14 penalties",
                _shrinkage,
                requires=("pylops",),
                max_rounds=1,
            ),
            Contender("solution of least norm", _least_norm),
        ],
        workloads={
            "full": [{"side": 128, "n_rows": n} for n in (64, 89)],
            "tiny": [{"side": 12, "n_rows": 8}],
        },
        requires=("PIL",),
        max_rounds=3,
        packages=("pylops",),
        remarks="The corner of 128 x 128 grey values of china.jpg, by n_rows sums of its rows and"
        " of its columns with normal weights, and noise of standard deviation 0.002; coefficients"
        " are those of its cosine transform. The truth chooses the penalty of FISTA, which"
        " is given the same factors as an operator, and goes from large penalties to small ones.",
    )
)


@dataclass
class Diabetes:
    """Standardised columns, a centred target, and the coefficients that ARDRegression ends with."""

    X: np.ndarray
    y: np.ndarray
    tol: float
    coef: np.ndarray

    def compared(self, coef, gamma, noise, n_iter):
        """Iterations, distance from ARDRegression, and the cost, of -2 log evidence."""
        C = noise * np.eye(self.y.size) + (self.X * gamma) @ self.X.T
        cost = np.linalg.slogdet(C)[1] + self.y @ np.linalg.solve(C, self.y)
        gap = np.abs(coef - self.coef).max()
        return {"iterations": n_iter, "largest_difference": gap, "cost": cost}


def _ard_to_the_end(X, y, tol):
    from sklearn.linear_model import ARDRegression

    rule = {"tol": tol, "threshold_lambda": 1e8, "max_iter": 20_000, "fit_intercept": False}
    return ARDRegression(**rule).fit(X, y)


def _diabetes(tol):
    from sklearn.datasets import load_diabetes
    from sklearn.preprocessing import StandardScaler

    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    y = y - y.mean()
    return Diabetes(X, y, tol, _ard_to_the_end(X, y, tol).coef_)


def _one_factor(data, clock, threads):
    from skmatrix.linear_model import KroneckerSBL

    with clock:
        model = KroneckerSBL(tol=data.tol, max_iter=20_000, fit_intercept=False)
        model.fit(data.X, data.y)
    return data.compared(model.coef_, model.gamma_[0], model.noise_variance_, model.n_iter_)


def _ard_fit(data, clock, threads):
    with clock:
        model = _ard_to_the_end(data.X, data.y, data.tol)
    return data.compared(model.coef_, 1 / model.lambda_, 1 / model.alpha_, model.n_iter_)


register(
    Case(
        name="kronecker_sbl_one_factor",
        title="One factor: the model of ARDRegression",
        make_data=_diabetes,
        contenders=[
            Contender("skmatrix KroneckerSBL", _one_factor),
            Contender("ARDRegression", _ard_fit),
        ],
        workloads={"full": [{"tol": 1e-8}], "tiny": [{"tol": 1e-4}]},
        memory=False,
        remarks="load_diabetes with standardised columns. Tolerances are not the same measure:"
        " relative change of variances here, change of coefficients there. The cost is minus twice"
        " the log evidence up to a constant.",
    )
)
