"""Solvers of clustering programs beside a general one, and their time and memory at large sizes."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..cluster.problems import blobs, ellipsoids
from ._harness import Case, Contender, register

# Relative accuracy that all solvers of a convex program are asked for.
ACCURACY = 1e-5


@dataclass
class Problem:
    """A program, and what its objective lacks of that of the data."""

    X: np.ndarray
    covariances: np.ndarray | None
    n_clusters: int

    def program(self):
        """The program as solvers take it, and the shift of its objective."""
        from skmatrix._backend import get_backend
        from skmatrix.cluster._gaussian_groups import Gaussians, Structure
        from skmatrix.cluster._ilasdp_run import Data
        from skmatrix.cluster._sdp_low_rank import Program

        be, (n, p), K = get_backend("auto", np.empty(0)), self.X.shape, self.n_clusters
        if self.covariances is None:
            return Program.of(be, self.X[None], np.zeros((1, n)), float(K)), 0.0
        structure = Structure("full", 0.0)
        groups = Gaussians.of(structure, np.full(K, n / K), np.zeros((K, p)), self.covariances)
        program, shift = Data(be, self.X, K, structure).program(groups)
        return program, shift.sum()


def _k_means_problem(n, distance):
    """Three spherical groups."""
    X, _ = blobs(n, 3, 3, distance)
    return Problem(X - X.mean(axis=0), None, 3)


def _likelihood_problem(n, distance, seed=0):
    """Three groups of different shapes, with their covariances known."""
    X, truth = ellipsoids(n, 3, 3, distance, seed)
    X = X - X.mean(axis=0)
    covariances = np.stack([np.cov(X[truth == k].T, bias=True) for k in range(3)])
    return Problem(X, covariances, 3)


def _bounded(program, found, shift, bound=None):
    """Objective, and how far below its bound it is, relative to the bound and the points."""
    if bound is None:  # one that no feasible matrix exceeds, by the dual of the other solver
        from skmatrix.cluster._sdp_solvers import Tolerance, solve

        tolerance = Tolerance(10 * ACCURACY, 20_000)
        bound = solve(program, None, solver="admm", tolerance=tolerance).bound
    value, bound = found.value - shift, bound - shift
    gap = (bound - value) / (abs(bound) + program.b.shape[1])
    return {"objective": value, "bound": bound, "gap": gap, "residual": found.feasibility}


def _low_rank(problem, clock, threads):
    """The low-rank solver from one random factor; its bound is found outside of the time."""
    from skmatrix.cluster._sdp_low_rank import random_factor, solve_low_rank
    from skmatrix.cluster._sdp_matching import solve_matched

    program, shift = problem.program()
    (n_blocks, n), K = program.b.shape, problem.n_clusters
    rng = np.random.RandomState(0)
    with clock:
        factor = random_factor(rng, n_blocks, n, 2 * K, K)
        if n_blocks == 1:
            found = solve_low_rank(program, factor, tol=1e-4, max_iter=3000)
        else:
            found = solve_matched(program, factor, rng=rng, tol=1e-4, max_iter=3000)
    return _bounded(program, found, shift)


def _convex(problem, clock, threads, solver):
    """A solver of the convex program."""
    from skmatrix.cluster._sdp_solvers import Tolerance, solve

    program, shift = problem.program()
    tolerance = Tolerance(10 * ACCURACY, 20_000)
    with clock:
        found = solve(program, None, solver=solver, tolerance=tolerance)
    return _bounded(program, found, shift, found.bound)


SOLVERS = [
    Contender("skmatrix, low-rank factor", _low_rank),
    Contender("skmatrix, alternating directions", partial(_convex, solver="admm")),
    Contender(
        "cvxpy and SCS",
        partial(_convex, solver="cvxpy"),
        requires=("cvxpy", "scs"),
        max_rounds=1,
    ),
]
REMARKS = (
    " The bound is that of the solver's own dual variables, and no feasible matrix exceeds it; the"
    " low-rank factor, which has none, gets that of alternating directions, and the search for it"
    " is not in its time. The gap is relative to the absolute bound plus the number of points. The"
    " residual is the root mean square of the row sums less one: by so much an objective may lie"
    " above its bound."
)

register(
    Case(
        name="sdp_peng_wei",
        title="The K-means program",
        make_data=_k_means_problem,
        contenders=SOLVERS,
        workloads={
            "full": [{"n": 150, "distance": d} for d in (6.0, 4.0)],
            "tiny": [{"n": 18, "distance": 6.0}],
        },
        memory=False,
        packages=("cvxpy", "scs"),
        remarks="Three spherical groups in three dimensions at this distance in standard"
        " deviations. At 4 the program is not tight: a non-negative factor, like a partition, may"
        " end below it." + REMARKS,
    )
)
register(
    Case(
        name="sdp_likelihood",
        title="The likelihood program",
        make_data=_likelihood_problem,
        contenders=SOLVERS,
        workloads={
            "full": [{"n": 99, "distance": 5.0, "seed": seed} for seed in (0, 1)],
            "tiny": [{"n": 18, "distance": 5.0}],
        },
        memory=False,
        packages=("cvxpy", "scs"),
        remarks="Three groups of different shapes in three dimensions, with their covariances"
        " known." + REMARKS,
    )
)


# Size


def _ellipsoids(n, p=10, n_clusters=5):
    return ellipsoids(n, n_clusters, p, 5.0)


def _blobs(n, p=10, n_clusters=5):
    return blobs(n, n_clusters, p, 6.0)


def _fitted(data, clock, threads, make):
    """A fit, and its agreement with the truth."""
    from sklearn.metrics import adjusted_rand_score

    X, truth = data
    estimator = make(int(truth.max()) + 1)
    with clock:
        labels = estimator.fit_predict(X)
    return {"ari": adjusted_rand_score(truth, labels)}


def _likelihood(n_clusters, **options):
    from skmatrix.cluster import ILASDPClustering

    return ILASDPClustering(n_clusters, random_state=0, **options)


def _k_means(n_clusters, **options):
    from skmatrix.cluster import SDPKMeans

    return SDPKMeans(n_clusters, random_state=0, **options)


def _peer_mixture(n_clusters):
    from sklearn.mixture import GaussianMixture

    return GaussianMixture(n_clusters, n_init=10, random_state=0)


def _peer_k_means(n_clusters):
    from sklearn.cluster import KMeans

    return KMeans(n_clusters, n_init=10, random_state=0)


def _fit(name, make, **options):
    """A contender that fits."""
    return Contender(name, partial(_fitted, make=make), **options)


register(
    Case(
        name="sdp_size",
        title="Groups of different shapes: ten thousand points",
        make_data=_ellipsoids,
        contenders=[
            _fit("skmatrix ILASDPClustering", _likelihood),
            _fit(
                "skmatrix ILASDPClustering, 2,000 of the points",
                partial(_likelihood, n_subsample=2000),
            ),
            _fit("GaussianMixture, 10 starts", _peer_mixture),
        ],
        workloads={"full": [{"n": 10_000}], "tiny": [{"n": 60, "p": 3, "n_clusters": 3}]},
        max_rounds=1,
        remarks="Five groups in ten dimensions; five starts.",
    )
)
register(
    Case(
        name="sdp_size_k_means",
        title="Spherical groups: a hundred thousand points",
        make_data=_blobs,
        contenders=[
            _fit("skmatrix SDPKMeans", _k_means),
            _fit("skmatrix SDPKMeans, 2,000 of the points", partial(_k_means, n_subsample=2000)),
            _fit("KMeans, 10 starts", _peer_k_means),
        ],
        workloads={"full": [{"n": 100_000}], "tiny": [{"n": 60, "p": 3, "n_clusters": 3}]},
        max_rounds=1,
        remarks="Five spherical groups in ten dimensions, six standard deviations apart. A general"
        " solver would need 80 GB for the matrix alone.",
    )
)
TINY_SWEEP = [{"n": n, "p": 2, "n_clusters": 2} for n in (40, 60, 80)]
register(
    Case(
        name="sdp_growth",
        title="Groups of different shapes: growing number of points",
        make_data=_ellipsoids,
        contenders=[
            _fit("skmatrix ILASDPClustering, two starts", partial(_likelihood, n_init=2)),
            _fit(
                "skmatrix ILASDPClustering, 2,000 of the points",
                partial(_likelihood, n_subsample=2000),
            ),
        ],
        workloads={"full": [{"n": n} for n in (4000, 16_000, 64_000)], "tiny": TINY_SWEEP},
        growth="n",
        memory=False,
        max_rounds=1,
        remarks="Five groups in ten dimensions.",
    )
)
register(
    Case(
        name="sdp_growth_k_means",
        title="Spherical groups: growing number of points",
        make_data=_blobs,
        contenders=[
            _fit("skmatrix SDPKMeans", _k_means),
            _fit("skmatrix SDPKMeans, 2,000 of the points", partial(_k_means, n_subsample=2000)),
        ],
        workloads={"full": [{"n": n} for n in (50_000, 100_000, 200_000)], "tiny": TINY_SWEEP},
        growth="n",
        memory=False,
        max_rounds=1,
        remarks="Five spherical groups in ten dimensions. Arrays of 25,000 points and fewer stay in"
        " the caches of a processor, and a step on them takes less for each point.",
    )
)
