"""Smoke test of an installed skmatrix: run it with the interpreter of the environment to test."""

import importlib
import pickle
import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

PUBLIC = [
    "cluster",
    "covariance",
    "datasets",
    "decomposition",
    "impute",
    "inspection",
    "linear_model",
    "metrics",
    "neighbors",
    "neural_network",
    "random_projection",
    "svm",
    "utils",
]
LAZY = {"cupy", "dask", "distributed", "matplotlib", "numba", "pyriemann", "skorch", "torch"}


def main():
    before = set(sys.modules)
    import skmatrix

    folder = Path(skmatrix.__file__).parent
    assert folder.parent.name == "site-packages", f"skmatrix comes from {folder}"
    assert (folder / "py.typed").is_file(), "the wheel has lost its py.typed"
    for name in PUBLIC:
        importlib.import_module(f"skmatrix.{name}")
    loaded = LAZY & (set(sys.modules) - before)
    assert not loaded, f"importing skmatrix loads {sorted(loaded)}"

    from skmatrix.impute import MatrixCompletion

    rng = np.random.default_rng(0)
    factors = rng.standard_normal((120, 2))
    X = factors @ rng.standard_normal((2, 15)) + 0.1 * rng.standard_normal((120, 15))
    y = factors @ [1.0, -2.0]
    X[rng.random(X.shape) < 0.3] = np.nan
    model = make_pipeline(MatrixCompletion(n_components=2, max_iter=500, random_state=0), Ridge())
    search = GridSearchCV(model, {"matrixcompletion__alpha": [0.01, 0.1]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.8, f"R^2 of {search.best_score_:.3f} on nearly noise-free data"
    copy = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(copy.predict(X), search.predict(X))
    version, score = skmatrix.__version__, search.best_score_
    print(f"skmatrix {version} from {folder}: cross-validated R^2 {score:.3f}")


if __name__ == "__main__":
    main()
