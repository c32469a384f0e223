"""MatrixCompletion beside cmfrec on the same problem."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from skmatrix.datasets import make_ratings
from skmatrix.impute import MatrixCompletion
from tests.impute.reference import penalties

pytestmark = [
    pytest.mark.peer,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def _objective(X, U, V, ridge, penalty):
    """Half the squared error and half the penalty, in units of the data."""
    seen = ~np.isnan(X)
    residual = np.where(seen, X - U @ V.T, 0.0)
    rows = penalties(seen.astype(float), penalty) @ np.sum(U**2, axis=1)
    columns = penalties(seen.T.astype(float), penalty) @ np.sum(V**2, axis=1)
    return (np.sum(residual**2) + ridge * (rows + columns)) / 2


K = 20  # enough for the problem to have no other local minimum
ALPHA = {"count": 0.1, "constant": 0.4}


@pytest.fixture(scope="module")
def triplets():
    rows, columns, values = make_ratings(80, 60, 1800, rank=3, random_state=0)
    return rows, columns, values - values.mean()


@pytest.fixture(scope="module", params=["count", "constant"])
def problem(request, triplets):
    """Matrix, penalty, its ridge in units of the data, and the objective that cmfrec reaches."""
    cmfrec = pytest.importorskip("cmfrec")
    penalty = request.param
    rows, columns, values = triplets
    X = np.full((80, 60), np.nan)
    X[rows, columns] = values
    unit = np.sqrt(np.mean(values**2))
    ridge = ALPHA[penalty] * unit
    if penalty == "constant":
        ridge = ALPHA[penalty] * np.linalg.norm(np.nan_to_num(X), 2)
    peer = cmfrec.CMF(
        k=K, lambda_=ridge, scale_lam=penalty == "count", method="als", use_cg=False, niter=200,
        user_bias=False, item_bias=False, center=False, use_float=False,
        precompute_for_predictions=False, nthreads=1, verbose=False, random_state=1,
    )  # fmt: skip
    peer.fit(sp.coo_matrix((values, (rows, columns)), shape=X.shape))
    theirs = _objective(X, peer.A_, peer.B_, ridge, penalty)
    assert np.isfinite(theirs)
    return X, penalty, ridge, theirs


@pytest.mark.parametrize("solver", ["pcg", "cholesky", "sketch"])
def test_objective_ends_where_exact_alternation_of_cmfrec_does(problem, solver):
    X, penalty, ridge, theirs = problem
    model = MatrixCompletion(
        K, alpha=ALPHA[penalty], penalty=penalty, bias="none", solver=solver, tol=1e-9,
        max_iter=1000, inner_tol=1e-3, random_state=0,
    ).fit(X)  # fmt: skip
    assert_allclose(model.alpha_, ridge, rtol=1e-6)
    ours = _objective(X, model.embedding_, model.components_.T, ridge, penalty)
    assert_allclose(ours, theirs, rtol=1e-4)
