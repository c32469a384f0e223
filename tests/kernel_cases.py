"""Small problems for every kernel of the package, by sub-package.

Adding a kernel means adding its cases: `test_kernels.py` fails without them.
"""

import numpy as np
import scipy.sparse as sp
from scipy.special import logsumexp

from skmatrix.decomposition._funbat_prior import Prior
from skmatrix.neighbors._kde_profiles import KERNELS as KERNELS_OF_DENSITIES
from skmatrix.neural_network._basis import HadamardBasis
from skmatrix.svm._quantum_encoding import make_encoding
from tests.checks import KernelCase


def all_cases():
    """Path of each kernel -> its cases."""
    return {
        **_toy_cases(),
        **_impute_cases(),
        **_sketch_cases(),
        **_sparse_regression_cases(),
        **_density_cases(),
        **_embedding_cases(),
        **_augmented_covariance_cases(),
        **_quantum_cases(),
        **_circuit_cases(),
        **_functional_cases(),
        **_kronecker_cases(),
        **_clustering_cases(),
        **_neural_cases(),
    }


def _toy_cases():
    """Cases of the kernels that the toy estimators use."""
    rng = np.random.default_rng(0)
    X, y, weight = rng.standard_normal((12, 3)), rng.standard_normal(12), rng.uniform(0, 2, 12)
    descents = [
        KernelCase((X, y, weight, coef), {"alpha": alpha})
        for coef in (rng.standard_normal(3), np.zeros(3))
        for alpha in (0.0, 1.5)
    ]
    codes = np.arange(12) % 4
    means = KernelCase((X, weight, codes), {"n_classes": 4})
    sparse = (rng.standard_normal(6), np.array([0, 2, 2, 1, 0, 2]), np.array([0, 2, 3, 3, 6]))
    return {
        "tests.toys:descend": descents,
        "tests.toys:class_means": [means],
        "tests.toys:nearest": [KernelCase((X, X[:4]))],
        "tests.toys:column_mean_squares": [KernelCase(sparse, {"n_columns": 4})],
    }


def _impute_cases():
    """Cases of alternating minimisation: each preconditioner, with and without weights."""
    rng = np.random.default_rng(0)
    n_rows, n_columns, k = 7, 15, 2
    # Rows of 8 to 14 entries, and one without.
    counts = rng.integers(8, 15, n_rows)
    counts[3] = 0
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices = np.concatenate([rng.permutation(n_columns)[:count] for count in counts])
    values = rng.standard_normal(indptr[-1])
    free = np.array([1.0, 1.0, 1.0, 0.0])
    column = rng.standard_normal(n_columns)
    fixed = np.column_stack([rng.standard_normal((n_columns, k)), np.ones(n_columns), column])
    warm = np.column_stack([rng.standard_normal((n_rows, k + 1)), np.ones(n_rows)])
    cold = warm * (1 - free)
    n_sketch = 8 * int(free.sum())
    buckets = np.stack([rng.permutation(n_sketch)[:4] for _ in range(n_columns)])
    signs = rng.choice([-0.5, 0.5], buckets.shape)
    cases = []
    for method in ("pcg", "cholesky", "sketch"):
        for weights, start in ((values[:0], warm), (rng.uniform(0.5, 2, len(values)), cold)):
            entry_mass = weights if weights.size else np.ones(len(values))
            mass = np.array([m.sum() for m in np.split(entry_mass, indptr[1:-1])])
            arrays = (indptr, indices, values, weights, start, fixed, 0.1 * mass, mass)
            arrays += (np.mean(fixed * fixed, axis=0), free, buckets, signs)
            # No tolerance, and no step that only rounding asks for: all engines then count
            # the same steps.
            steps = {"method": method, "direct_from": 9, "inner_tol": 0.0}
            steps["inner_max_iter"] = 1 if method == "cholesky" else 2
            cases.append(KernelCase(arrays, steps, rtol=1e-9, rtol_float32=2e-3))
    return {"skmatrix.impute._matrix_completion_kernels:half_step": cases}


def _sketch_cases():
    """Cases of the Hadamard transform and of the sketches, which sum in double precision."""
    rng = np.random.default_rng(0)

    def case(arrays, seed, start, n_components, **scalars):
        scalars = {"seed": seed, "start": start, "n_components": n_components, **scalars}
        return KernelCase(arrays, scalars, rtol_float32=1e-6, upcasts=True)

    def sparse(n_rows, k, density):
        X = sp.random_array((n_rows, k), density=density, format="csr", random_state=rng)
        return X.data, X.indices, X.indptr, rng.uniform(0.5, 2, n_rows)

    shapes = [(1, 3), (2, 1), (8, 5), (64, 37), (512, 33), (4096, 1)]
    return {
        "skmatrix.random_projection._kernels:fwht": [
            KernelCase((rng.standard_normal(shape),)) for shape in shapes
        ],
        # Blocks that are full and one that is not, up to that of one row; no rows at all.
        "skmatrix.random_projection._kernels:srht": [
            case((rng.standard_normal((n_rows, k)),), seed, start, m, block=block)
            for n_rows, k, seed, start, m, block in [
                (70, 1, 0, 0, 5, 16),
                (65, 37, 7, 2**33, 20, 64),
                (128, 37, 2**31 - 2, 384, 200, 128),
                (3, 2, 1, 0, 4, 1),
                (0, 3, 1, 0, 4, 8),
            ]
        ],
        "skmatrix.random_projection._kernels:sparse_sign": [
            case((rng.standard_normal((n_rows, k)),), seed, start, m, n_nonzero=n_nonzero)
            for n_rows, k, seed, start, m, n_nonzero in [
                (50, 1, 0, 0, 20, 1),
                (50, 37, 7, 2**33, 20, 8),
                (200, 37, 2**31 - 2, 11, 8, 8),
                (1, 1, 3, 5, 1, 1),
                (0, 3, 1, 0, 4, 2),
            ]
        ],
        "skmatrix.random_projection._kernels:sparse_sign_csr": [
            case(sparse(n_rows, k, density), seed, start, m, n_nonzero=n_nonzero, n_features=k)
            for n_rows, k, density, seed, start, m, n_nonzero in [
                (50, 1, 0.5, 0, 0, 20, 1),
                (50, 37, 0.2, 7, 2**33, 20, 8),
                (2000, 600, 0.002, 2**31 - 2, 11, 30, 3),
                (0, 3, 0.5, 1, 0, 4, 2),
            ]
        ],
    }


def _density_cases():
    """Cases of the sums of a density: every kernel, weights, points left out, several tiles."""
    rng = np.random.default_rng(0)

    def problem(m, n, d, weighted, leaves_out):
        """Queries, data, logarithms of weights, and the point that each query leaves out."""
        # Distances of about one bandwidth: compact kernels reach some of the points.
        data = 0.6 * rng.standard_normal((n, d)) / np.sqrt(d)
        queries = data[:m] if leaves_out else 0.6 * rng.standard_normal((m, d)) / np.sqrt(d)
        queries[0] += 4 / np.sqrt(d) * (not leaves_out)
        log_weight = np.log(rng.uniform(0.1, 5, n if weighted else 0))
        own = np.where(np.arange(m) % 3, np.arange(m), -1) if leaves_out else np.empty(0, int)
        return queries, data, log_weight, own

    def case(arrays, **scalars):
        return KernelCase(arrays, scalars, upcasts=True)

    # Dimensions that are and are not a multiple of four, below and above that of the boxes.
    shapes = [(7, 30, 1), (9, 40, 2), (3, 1100, 5), (6, 50, 17)]
    problems = [
        problem(*shape, weighted, leaves_out)
        for shape in shapes
        for weighted, leaves_out in ((False, False), (True, True))
    ]
    sums = [
        case(arrays, profile=profile, df=2.5, moments=moments)
        for profile in KERNELS_OF_DENSITIES
        for moments, some in ((True, problems[::3]), (False, problems[1::3]))
        for arrays in some
    ]
    alone = (np.zeros((2, 3)), np.zeros((1, 3)), np.empty(0), np.array([-1, 0]))
    sums += [case(alone, profile=profile, df=1.0, moments=True) for profile in KERNELS_OF_DENSITIES]
    nearest = [
        case((queries, data, own), k=k) for queries, data, _, own in problems for k in (1, 6)
    ]
    nearest.append(case((alone[0], alone[1], alone[3]), k=1))
    halvings, moments = [], []
    for queries, data, log_weight, own in problems:
        squares = np.sum((queries[:, None] - data) ** 2, axis=2)
        if own.size:
            squares[own >= 0, own[own >= 0]] = np.inf
        halvings.append(case((queries, data, log_weight, own, squares.min(axis=1)), n_bandwidths=6))
        log_total = logsumexp(-0.5 * squares + (log_weight if log_weight.size else 0), axis=1)
        moments.append(case((queries, data, log_weight, own, log_total)))
    home = "skmatrix.neighbors._kde_kernels"
    return {
        f"{home}:density_sums": sums,
        f"{home}:nearest_squares": nearest,
        f"{home}:halving_sums": halvings,
        f"{home}:coordinate_moments": moments,
    }


def _sparse_regression_cases():
    """Cases of rows, and of the gradient of dense and sparse ones: some targets, none, no rows."""
    rng = np.random.default_rng(0)
    rows, gradients = [], []
    for n, p, k, order in [(0, 4, 1, "C"), (1, 4, 2, "C"), (30, 9, 1, "C"), (1100, 19, 1, "F")]:
        values = np.asarray(rng.standard_normal((n, p)), order=order)
        columns, weight = (rng.standard_normal(p), 2.0 ** (np.arange(p) % 4)), rng.uniform(0, 2, n)
        targets, parameters = rng.standard_normal((n, k)), rng.standard_normal((p + 1, k))
        rows.append(KernelCase((values, *columns, weight), upcasts=True))
        for intercept in (False, True):
            x = parameters[0 if intercept else 1 :]
            arrays = (values, targets, *columns, weight, x)
            options = {"rtol_float32": 1e-5, "upcasts": True}
            gradients.append(KernelCase(arrays, {"intercept": intercept}, **options))

    def case(n_rows, n_features, k, density):
        X = sp.random_array((n_rows, n_features), density=density, format="csr", random_state=rng)
        weight, base = rng.uniform(0, 2, n_rows), rng.standard_normal((n_rows, k))
        coef = rng.standard_normal((n_features, k))
        return KernelCase(
            (X.data, X.indices, X.indptr, weight, base, coef), rtol_float32=1e-6, upcasts=True
        )

    shapes = [(30, 5, 1, 0.4), (30, 5, 3, 0.4), (3000, 700, 2, 0.01), (4, 3, 1, 0), (0, 3, 2, 0)]
    home = "skmatrix.linear_model._sketched_regression_kernels"
    return {
        f"{home}:csr_gradient": [case(*shape) for shape in shapes],
        f"{home}:row_gradient": gradients,
        f"{home}:weighted_rows": rows,
    }


def _embedding_cases():
    """Cases of the search for a delay embedding, with ties and duplicates."""
    rng = np.random.default_rng(0)
    home = "skmatrix.covariance._embedding_kernels"

    def series(n_series, n_times, digits):
        walk = np.cumsum(rng.standard_normal((n_series, n_times)), axis=1)
        return np.round(walk * 2.0**digits) / 2.0**digits

    def case(*arrays, **scalars):
        return KernelCase(arrays, scalars, upcasts=True)

    walks = [series(3, 60, 8), series(1, 41, 0), np.zeros((2, 30))]
    information = [case(walk, max_lag=9, n_bins=n_bins) for walk in walks for n_bins in (4, 7)]
    delayed = [
        case(walk, n_dimensions=3, lag=lag, window=window, stride=stride, metric=metric)
        for walk in walks
        for lag, window, stride in [(1, 0, 1), (4, 4, 1), (5, 2, 3), (3, 100, 1)]
        for metric in ("euclidean", "maximum")
    ]
    nearest, tables = [], []
    settings = [(10, 3, 1), (5, 0, 2), (3, 1, 1)]
    for walk, (n_lags, window, stride) in zip(walks, settings, strict=True):
        columns = walk[:, : walk.shape[1] - n_lags + 1]
        nearest.append(case(columns, window=window, stride=stride))
        index = rng.integers(-1, columns.shape[1], columns[:, ::stride].shape[1])
        distance = np.where(index < 0, np.inf, rng.integers(1, 99, index.size) / 64)
        tables.append(case(walk, distance, index, n_lags=n_lags, stride=stride))
    return {
        f"{home}:mutual_information": information,
        f"{home}:delay_neighbors": delayed,
        f"{home}:nearest_points": nearest,
        f"{home}:expansion_table": tables,
    }


def _augmented_covariance_cases():
    """Cases of augmented covariances: one copy, even and uneven delays, one channel, offsets."""
    rng = np.random.default_rng(0)
    home = "skmatrix.covariance._augmented_covariance_kernels"

    def case(*arrays, **scalars):
        return KernelCase(arrays, scalars, rtol_float32=1e-5, upcasts=True)

    trials = [rng.standard_normal((3, 2, 40)), 5 + rng.standard_normal((1, 1, 25))]
    delays = [(0,), (0, 2, 4, 6), (0, 1, 5), (0, 9, 18), (0, 1, 2, 3, 4, 5, 6), (0, 1, 2, 4, 7, 9)]
    lagged = [rng.standard_normal((2, 3, 2, 2)), rng.standard_normal((1, 1, 3, 3))]
    matrices = [rng.standard_normal((4, 3, 3)), np.ones((2, 1, 1))]
    return {
        f"{home}:delay_covariances": [
            case(X, delays=steps, center=center, reg=reg)
            for X in trials
            for steps in delays
            for center, reg in ((True, 0.0), (False, 0.0), (True, 0.5))
        ],
        f"{home}:lagged_covariances": [
            case(X, n_lags=3, lag=4, center=center) for X in trials for center in (True, False)
        ],
        f"{home}:block_toeplitz": [
            KernelCase((gamma,), {"reg": reg}) for gamma in lagged for reg in (0.0, 0.5)
        ],
        f"{home}:add_ridge": [KernelCase((G,), {"reg": reg}) for G in matrices for reg in (0, 0.1)],
    }


def _quantum_cases():
    """Cases of quantum states: diagonals of few and of many qubits, rotations, several blocks."""
    rng = np.random.default_rng(0)
    home = "skmatrix.svm._quantum_kernels"
    descriptions = [
        (3, {}),
        (1, {"reps": 1}),
        (5, {"n_qubits": 2, "reps": 3, "entanglement": "circular"}),
        (4, {"feature_map": "pauli", "paulis": ("Z", "ZZZ", "XX", "YZ", "Y"), "reps": 2}),
        (11, {"entanglement": "linear", "reps": 1, "n_qubits": 11}),
    ]
    states = []
    for n_features, options in descriptions:
        encoding = make_encoding(n_features, **options)
        angles = encoding.angles(rng.uniform(0, 3, (13, n_features)))
        options = {"program": encoding.program, "reps": encoding.reps}
        states.append(KernelCase((angles,), options | {"n_qubits": encoding.n_qubits}))
    amplitudes = rng.standard_normal((2, 7, 16))
    amplitudes /= np.linalg.norm(amplitudes, axis=2, keepdims=True)
    qubits = rng.standard_normal((2, 6, 3, 4)) / 2
    angles = rng.uniform(0, 6, (5, 4))
    columns = (((0,), (2,)), ((1, 3), ()))
    return {
        f"{home}:encode": states,
        f"{home}:encode_qubits": [KernelCase((angles,), {"columns": columns, "reps": 2})],
        f"{home}:fidelities": [KernelCase((amplitudes[0], amplitudes[1, :4]))],
        f"{home}:own_fidelities": [KernelCase((amplitudes[0],))],
        f"{home}:qubit_fidelities": [KernelCase((qubits[0], qubits[1, :4]))],
        f"{home}:bloch_vectors": [KernelCase((amplitudes[0],), {"n_qubits": 3})],
        f"{home}:bloch_vectors_of_qubits": [KernelCase((qubits[0],))],
        f"{home}:pauli_expectations": [KernelCase((amplitudes[0],), {"n_qubits": 3})],
    }


def _circuit_cases():
    """Cases of trained circuits: one qubit and several, with and without an entangler."""
    rng = np.random.default_rng(0)
    home = "skmatrix.svm._variational_kernels"
    forwards, backwards = [], []
    for n_qubits, n_layers, n_samples, n_classes in ((1, 1, 3, 2), (3, 3, 21, 3), (4, 2, 9, 2)):
        amplitudes = rng.standard_normal((2, 2**n_qubits, n_samples))
        amplitudes /= np.sqrt(np.sum(amplitudes**2, axis=(0, 1)))
        theta = rng.uniform(-3, 3, (n_layers, n_qubits, 2))
        signs = rng.choice([-1.0, 1.0], 2**n_qubits)
        readout = np.eye(n_classes)[np.arange(2**n_qubits) % n_classes]
        cotangent = rng.standard_normal((n_samples, n_classes))
        forwards.append(KernelCase((amplitudes, theta, signs)))
        backwards.append(KernelCase((amplitudes, theta, signs, readout, cotangent)))
    return {f"{home}:evolve": forwards, f"{home}:gradient": backwards}


def _functional_cases():
    """Cases of functional tensors: sums of one to three other modes, states of all sizes."""
    rng = np.random.default_rng(0)
    home = "skmatrix.decomposition._funbat_kernels"
    sums = []
    # One coordinate has no entries, and one of the second kind a chunk of them and some more.
    bounds = {17: np.array([0, 3, 3, 8, 17]), 200: np.array([0, 30, 30, 35, 200])}
    for n_entries, sizes, elementwise in (
        (17, ((4, 2), (3, 3)), False),
        (200, ((4, 2), (3, 3)), False),
        (200, ((5, 2), (6, 1), (4, 3)), False),
        (17, ((5, 3), (2, 3), (3, 3)), True),
        (17, ((6, 2),), False),
        (200, ((6, 2),), False),
        (17, ((6, 1),), True),
    ):
        places = np.stack([rng.integers(0, n, n_entries) for n, _ in sizes], axis=1)
        tables = (
            rng.standard_normal(sum(n * width for n, width in pairs))
            for pairs in (sizes, [(n, rank * (rank + 1) // 2) for n, rank in sizes])
        )
        values = (rng.uniform(size=n_entries), rng.standard_normal(n_entries))
        arrays = (places, bounds[n_entries], *values, *tables)
        sums.append(KernelCase(arrays, {"sizes": sizes, "elementwise": elementwise}))
    filters = []
    for kernel, rank in (("matern12", 3), ("matern32", 2), ("matern52", 1), ("iid", 2)):
        prior = Prior(kernel, 0.3, 1.2)
        factors = rng.standard_normal((6, rank, 1))
        precision = factors @ np.swapaxes(factors, 1, 2)
        inputs = (*prior.transitions(rng.uniform(size=5)), prior.stationary())
        filters.append(KernelCase((*inputs, precision, rng.standard_normal((6, rank)))))
    return {f"{home}:accumulate": sums, f"{home}:smooth": filters}


def _kronecker_cases():
    """Cases of learning with Kronecker factors: one and several, with and without intercept."""
    rng = np.random.default_rng(0)
    home = "skmatrix.linear_model._kronecker_sbl_kernels"
    products, evidences, marginals, moments, contractions, projections = [], [], [], [], [], []
    # Columns and ranks of the factors, snapshots, and whether there is an intercept.
    for columns, ranks, n_snapshots, intercept in (
        ((5,), (4,), 1, False),
        ((4, 6), (4, 3), 2, True),
        ((3, 4, 5), (3, 4, 2), 1, True),
        ((2, 7, 3), (2, 6, 3), 3, False),
    ):
        sizes = list(zip(columns, ranks, strict=True))
        bases = [np.linalg.qr(rng.standard_normal(size))[0] for size in sizes]
        singular = [np.sort(rng.uniform(0.5, 3, r))[::-1] for r in ranks]
        roots = [rng.uniform(0.3, 1, n) for n in columns]
        rotated = rng.standard_normal((n_snapshots + intercept, *ranks))
        axes = tuple(range(1, rotated.ndim))
        norms = np.sum(rotated**2, axis=axes) + 2
        power = rng.uniform(0.5, 3, ranks)
        weight = 1 / (0.3 + power)
        counts = {"n_snapshots": n_snapshots}
        precision = {"precision": 1.7}
        tensor = rng.standard_normal((2, *columns))
        products.append(KernelCase((tensor, *(basis.T.copy() for basis in bases))))
        products.append(KernelCase((tensor, None, *(basis.T.copy() for basis in bases[1:]))))
        arrays = (rotated, norms, *(s * s for s in singular))
        rows = {"noise": 0.3, "n_rows": rotated[0].size + 5}
        evidences.append(KernelCase(arrays, {**rows, **counts}))
        for mode, basis in enumerate(bases):
            options = {"mode": mode, **counts, **precision}
            marginals.append(KernelCase((rotated, power, weight, basis), options))
            positive = rng.uniform(0.1, 3, columns)
            contractions.append(KernelCase((positive, *roots), {"mode": mode}))
        options = {"noise": 0.3, **counts, **precision}
        moments.append(KernelCase((rotated, weight, *bases, *singular, *roots), options))
        projections.append(KernelCase((rng.uniform(0.1, 3, columns),)))
    return {
        f"{home}:mode_products": products,
        f"{home}:evidence_terms": evidences,
        f"{home}:marginal_moments": marginals,
        f"{home}:posterior_moments": moments,
        f"{home}:contract": contractions,
        f"{home}:rank_one": projections,
    }


def _clustering_cases():
    """Cases of clustering programs: one block and several, a step too long, dense splitting."""
    rng = np.random.default_rng(0)
    programs = "skmatrix.cluster._sdp_kernels"
    groups = "skmatrix.cluster._gaussian_kernels"
    steps, gradients, splits = [], [], []
    for n_blocks, n, p, r in ((1, 9, 3, 4), (3, 11, 2, 2), (2, 5, 7, 1)):
        W, b = rng.standard_normal((n_blocks, n, p)), rng.standard_normal((n_blocks, n))
        U, V = rng.uniform(size=(2, n_blocks, n, r))
        G, before = rng.standard_normal((2, n_blocks, n, r))
        y = rng.standard_normal(n)
        scalars = {"radius": 1.4, "penalty": 0.3}
        steps += [KernelCase((W, b, U, G, y), {"step": step, **scalars}) for step in (0.0, 0.2)]
        steps.append(KernelCase((W, b, U, np.ones_like(U), y), {"step": 5.0, **scalars}))
        M, s, c = W.transpose(0, 2, 1) @ U, U.sum(axis=1), (b[:, None] @ U)[:, 0]
        gradients.append(KernelCase((W, b, U, y, M, s, c, V, before)))
        A, Z, N = (a + a.transpose(0, 2, 1) for a in rng.standard_normal((3, n_blocks, n, n)))
        arrays = (A, Z, abs(N), y, rng.standard_normal(n_blocks))
        splits.append(KernelCase(arrays, {"sigma": 0.5, "trace": 1.0}, rtol=1e-9))
    X, factor = rng.standard_normal((12, 3)), rng.uniform(size=(2, 12, 2))
    triangles, diagonals = rng.standard_normal((2, 3, 3)), rng.uniform(0.5, 2, (2, 3))
    means = rng.standard_normal((2, 3))
    return {
        f"{programs}:advance": steps,
        f"{programs}:gradient": gradients,
        f"{programs}:split": splits,
        f"{groups}:whiten": [KernelCase((X, P)) for P in (triangles, diagonals)],
        f"{groups}:moments": [KernelCase((X, factor), {"diagonal": d}) for d in (False, True)],
        f"{groups}:squared_distances": [KernelCase((X, means, P)) for P in (triangles, diagonals)],
    }


def _neural_cases():
    """Cases of equiangular basis vectors: moving and fixed ones; both closed forms, cut."""
    rng = np.random.default_rng(0)
    V, fixed = rng.standard_normal((9, 5)), rng.standard_normal((4, 5))
    V, fixed = (A / np.linalg.norm(A, axis=1, keepdims=True) for A in (V, fixed))
    hinges = [KernelCase((V, others), {"alpha": 0.3}) for others in (fixed, fixed[:0])]
    scores = []
    for kind, order in (("kerdock", 16), ("gold", 8)):
        basis = HadamardBasis(kind, order, order)
        Z = rng.standard_normal((19, order))
        scores += [
            KernelCase((Z, *basis.tables), {"n_blocks": basis.n_blocks, "n_vectors": n})
            for n in (basis.n_max, basis.n_max - 3, order + 1, 2)
        ]
    home = "skmatrix.neural_network._ebv_kernels"
    return {f"{home}:hinge_gradient": hinges, f"{home}:best_hadamard": scores}
