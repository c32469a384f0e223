"""Small problems for every kernel of the package, by sub-package.

Adding a kernel means adding its cases: `test_kernels.py` fails without them.
"""

import numpy as np

from tests.checks import KernelCase


def all_cases():
    """Path of each kernel -> its cases."""
    return {**_toy_cases(), **_impute_cases()}


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
