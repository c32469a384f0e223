"""KDE beside scikit-learn's KernelDensity and SciPy's gaussian_kde, and its theory."""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp

from ._harness import Case, Contender, register

OURS = "skmatrix KDE"
PEER = "scikit-learn KernelDensity"
SCIPY = "scipy gaussian_kde"


@dataclass
class Queries:
    """Normal points and queries, a bandwidth, and the exact log-density of some queries."""

    points: np.ndarray
    queries: np.ndarray
    bandwidth: float
    exact: np.ndarray

    @classmethod
    def make(cls, n, m, d, bandwidth, n_exact=200):
        """Points and queries from N(0, I)."""
        rng = np.random.default_rng(0)
        points, queries = rng.standard_normal((n, d)), rng.standard_normal((m, d))
        exact = log_density(points, queries[:n_exact], bandwidth)
        return cls(points, queries, bandwidth, exact)

    def error(self, found):
        """Largest error in nats."""
        return {"max_error": np.max(np.abs(found[: self.exact.size] - self.exact))}


def log_density(points, queries, h):
    """The definition: squared distances, and the logarithm of a sum of exponentials."""
    n, d = points.shape
    exponents = -0.5 * cdist(queries, points, "sqeuclidean") / h**2
    return logsumexp(exponents, axis=1) - math.log(n) - d * math.log(h * math.sqrt(2 * math.pi))


def _ours(data, clock, threads, precision="auto"):
    from skmatrix.neighbors import KDE

    with clock:
        model = KDE(data.bandwidth, precision=precision, n_jobs=threads).fit(data.points)
        found = model.score_samples(data.queries)
    return data.error(found)


def _fit_alone(data, clock, threads):
    from skmatrix.neighbors import KDE

    with clock:
        model = KDE(data.bandwidth, n_jobs=threads).fit(data.points)
    return {"points": model.n_distinct_}


def _kernel_density(data, clock, threads, share=1.0, one_leaf=False):
    """Some of the queries where all would take minutes, the time extrapolated."""
    from sklearn.neighbors import KernelDensity

    n = max(1, round(share * len(data.queries)))
    leaf_size = len(data.points) if one_leaf else 40
    clock.extrapolate(len(data.queries) / n)
    with clock:
        model = KernelDensity(bandwidth=data.bandwidth, leaf_size=leaf_size).fit(data.points)
        found = model.score_samples(data.queries[:n])
    exact = data.exact[: found.size]
    return {"max_error": np.max(np.abs(found[: exact.size] - exact))}


_one_leaf = partial(_kernel_density, one_leaf=True)


def _gaussian_kde(data, clock, threads, share=1.0):
    """SciPy scales the covariance of the data: here it is made to be the bandwidth's."""
    from scipy.stats import gaussian_kde

    n = max(1, round(share * len(data.queries)))
    clock.extrapolate(len(data.queries) / n)
    # A factor for which the covariance of the points comes out; the work is the same.
    with clock:
        model = gaussian_kde(data.points.T, bw_method=data.bandwidth)
        found = model.logpdf(data.queries[:n].T)
    return {"log_density_mean": np.mean(found)}


CONTENDERS = [
    Contender(OURS, _ours, compiled=True),
    Contender(OURS + ", float32", partial(_ours, precision="float32"), compiled=True),
]


def _speed_case(name, title, workload, tiny, shares, remarks=""):
    register(
        Case(
            name=name,
            title=title,
            make_data=Queries.make,
            contenders=[
                *CONTENDERS,
                Contender(PEER, partial(_kernel_density, share=shares[0]), max_rounds=1),
                Contender(
                    PEER + ", one leaf",
                    partial(_kernel_density, share=shares[0], one_leaf=True),
                    max_rounds=1,
                ),
                Contender(SCIPY, partial(_gaussian_kde, share=shares[1]), max_rounds=1),
            ],
            workloads={"full": [workload], "tiny": [tiny]},
            memory=False,
            remarks=remarks,
        )
    )


_TINY = {"n": 600, "m": 50, "d": 3, "bandwidth": 0.5}
_REMARK = (
    "Log-densities of normal queries under normal points; the peers are timed on a share of the"
    " queries and extrapolated. max_error is against the definition, in nats."
    " A tree of one leaf, by ``leaf_size``, has no bounds to subtract, and gives right values."
)
_speed_case(
    "kde_10_features",
    "Log-densities in 10 dimensions",
    {"n": 20_000, "m": 5000, "d": 10, "bandwidth": 0.7},
    _TINY,
    (0.05, 0.2),
    _REMARK,
)
_speed_case(
    "kde_50_features",
    "Log-densities in 50 dimensions",
    {"n": 20_000, "m": 10_000, "d": 50, "bandwidth": 1.0},
    _TINY,
    (0.02, 0.05),
    _REMARK,
)
_speed_case(
    "kde_2_features",
    "Log-densities in 2 dimensions",
    {"n": 20_000, "m": 10_000, "d": 2, "bandwidth": 0.3},
    _TINY,
    (0.05, 0.1),
    _REMARK,
)
_speed_case(
    "kde_small_bandwidth",
    "Log-densities in 2 dimensions, small bandwidth, many points",
    {"n": 100_000, "m": 2000, "d": 2, "bandwidth": 0.05},
    _TINY,
    (0.2, 0.2),
    _REMARK,
)

register(
    Case(
        name="kde_growth",
        title="Growth of the time with the number of points",
        make_data=lambda n: Queries.make(n, 4000, 10, 0.7, n_exact=20),
        contenders=[Contender(OURS, _ours, compiled=True)],
        workloads={
            "full": [{"n": n} for n in (10_000, 20_000, 40_000, 80_000)],
            "tiny": [{"n": n} for n in (200, 400, 800)],
        },
        growth="n",
        memory=False,
    )
)


register(
    Case(
        name="kde_memory",
        title="A million queries: memory beyond data and result",
        make_data=partial(Queries.make, n_exact=5),
        contenders=[
            Contender(OURS, _ours, compiled=True, max_rounds=1),
            Contender(OURS + ", fit alone", _fit_alone, compiled=True, max_rounds=1),
        ],
        workloads={
            "full": [
                {"n": 2000, "m": 1_000_000, "d": 8, "bandwidth": 0.7},
                {"n": 1_000_000, "m": 1_000_000, "d": 2, "bandwidth": 0.002},
            ],
            "tiny": [_TINY],
        },
        remarks="The result, 8 MB, counts as added memory, and what the fit keeps of the points.",
    )
)


def _accuracy_data(dimensions, n=5000, m=200):
    return {d: Queries.make(n, m, d, 0.7, n_exact=m) for d in dimensions}


def _errors(run, data, clock, threads):
    """Largest error by dimension."""
    with clock:
        return {
            f"d={d}": run(queries, _Quiet(), threads)["max_error"] for d, queries in data.items()
        }


class _Quiet:
    """A clock that does not tick: the outer one does."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def extrapolate(self, factor):
        """Not timed."""


register(
    Case(
        name="kde_error",
        title="Largest error of a log-density, in nats, against the definition",
        make_data=_accuracy_data,
        contenders=[
            Contender(OURS, partial(_errors, _ours), compiled=True),
            Contender(OURS + ", float32", partial(_errors, partial(_ours, precision="float32"))),
            Contender(PEER, partial(_errors, _kernel_density), max_rounds=1),
            Contender(PEER + ", one leaf", partial(_errors, _one_leaf), max_rounds=1),
        ],
        workloads={
            "full": [{"dimensions": (2, 10, 20, 30, 50, 100)}],
            "tiny": [{"dimensions": (2, 3), "n": 300, "m": 20}],
        },
        memory=False,
        max_rounds=1,
        remarks="5000 normal points, 200 normal queries, h = 0.7.",
    )
)


def _theory_data(n_replicas):
    return n_replicas


def _thresholds(n_replicas, clock, threads):
    """Theory and simulation: participation below the threshold, and the likeliest bandwidth."""
    from skmatrix.neighbors import KDE
    from skmatrix.neighbors._kde_theory import glass_bandwidth, kl_bandwidth

    rng = np.random.default_rng(0)
    found = {}
    with clock:
        for alpha, expected in ((0.1, 1.3708), (0.3, 0.8677), (1.0, 0.3721)):
            h = glass_bandwidth(np.ones(40), math.exp(40 * alpha), corrected=False)
            found[f"h_g error, alpha={alpha}"] = abs(h - expected)
        d, n = 40, round(math.exp(0.25 * 40))
        h_g = glass_bandwidth(np.ones(d), n)
        for mu in (0.25, 0.5, 0.75):
            shares = []
            for _ in range(n_replicas):
                model = KDE(h_g * math.sqrt(mu)).fit(rng.standard_normal((n, d)))
                n_effective = model.query_diagnostics(rng.standard_normal((50, d))).n_effective
                shares.append(np.mean(1 / n_effective))
            found[f"E sum p^2, mu={mu} (theory {1 - mu})"] = np.mean(shares)
        for name, spread, n in (
            ("isotropic", np.ones(60), 403),
            ("anisotropic", np.linspace(0.2, 3, 40), 8000),
        ):
            best = [
                KDE("loo", loo_max_queries=2000, random_state=0)
                .fit(rng.standard_normal((n, spread.size)) * spread)
                .bandwidth_
                for _ in range(n_replicas)
            ]
            ratio = kl_bandwidth(spread**2, n) / np.mean(best)
            found[f"h_opt over empirical, {name}"] = ratio
    return found


register(
    Case(
        name="kde_theory",
        title="The thresholds of the theory against simulation",
        make_data=_theory_data,
        contenders=[Contender(OURS, _thresholds, compiled=True, max_rounds=1)],
        workloads={"full": [{"n_replicas": 8}], "tiny": [{"n_replicas": 1}]},
        memory=False,
        max_rounds=1,
    )
)


def _digits(n_samples=None):
    """Digits on 15 principal components, four fifths for the fit."""
    from sklearn.datasets import load_digits
    from sklearn.decomposition import PCA

    X = PCA(15, svd_solver="full").fit_transform(load_digits().data)
    order = np.random.default_rng(0).permutation(len(X))[:n_samples]
    n_train = len(order) * 4 // 5
    return X[order[:n_train]], X[order[n_train:]]


def _digits_ours(data, clock, threads):
    from skmatrix.neighbors import KDE

    train, test = data
    with clock:
        model = KDE(n_jobs=threads).fit(train)
    return {"h": model.bandwidth_, "held_out": model.mean_log_likelihood(test)}


def _digits_path(data, clock, threads):
    from skmatrix.neighbors import KDE

    train, test = data
    model = KDE(1.0, n_jobs=threads).fit(train)
    with clock:
        bandwidths, likelihood = model.bandwidth_path()
    h = bandwidths[np.argmax(likelihood)]
    return {"h": h, "held_out": log_density(train, test, h).mean()}


def _digits_grid_search(data, clock, threads):
    """scikit-learn's own example: 20 bandwidths, five folds."""
    from sklearn.model_selection import GridSearchCV
    from sklearn.neighbors import KernelDensity

    train, test = data
    search = GridSearchCV(KernelDensity(), {"bandwidth": np.logspace(-1, 1, 20)}, n_jobs=threads)
    with clock:
        search.fit(train)
    h = search.best_params_["bandwidth"]
    return {"h": h, "held_out": log_density(train, test, h).mean()}


register(
    Case(
        name="kde_digits",
        title="Choice of the bandwidth on the digits",
        make_data=_digits,
        contenders=[
            Contender(OURS, _digits_ours, compiled=True),
            Contender(OURS + ", path of 22", _digits_path, compiled=True),
            Contender("KernelDensity, grid of 20 x 5 folds", _digits_grid_search, max_rounds=1),
        ],
        workloads={"full": [{}], "tiny": [{"n_samples": 120}]},
        memory=False,
        remarks="held_out is the mean log-density of the digits that are not in the fit, by the"
        " definition.",
    )
)
