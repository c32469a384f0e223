"""scikit-learn's checks of a regressor, with solvers that are kept for large data.

On data as small as those of the checks the estimator hands over to LAPACK; here it may not.
"""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skmatrix.linear_model import SketchedRegression
from skmatrix.linear_model import _sketched_regression_setup as setup
from tests.checks import run_check

# Steps end before rounding decides on how many there are, which differs between libraries.
FORCED = [
    SketchedRegression(solver=solver, sketch=sketch, random_state=0, **parameters)
    for solver, parameters in (
        ("direct", {}),
        ("iterative", {"tol": 1e-7, "refine": 0}),
        ("sketch", {}),
    )
    for sketch in ("sparse_sign", "srht")
]


@pytest.fixture(autouse=True)
def forced(monkeypatch):
    """Let the solver run that was asked for, however few the rows are."""
    ran = []

    def choose_solver(estimator, n_rows, layout, *, sparse):
        ran.append(estimator.solver)
        size = setup.sketch_rows(estimator, layout, sparse=sparse, solver=estimator.solver)
        return estimator.solver, size

    monkeypatch.setattr(setup, "choose_solver", choose_solver)
    return ran


def test_solver_is_forced(forced):
    X, y = [[1.0], [2.0], [4.0]], [1.0, 2.0, 3.0]
    for estimator in FORCED:
        assert estimator.fit(X, y).solver_ == estimator.solver
    assert forced == [estimator.solver for estimator in FORCED]


def expected_failures(estimator):
    """The check calls partial_fit after fit."""
    if estimator.solver == "direct":
        return {}
    return {"check_fit_score_takes_y": "such a fit keeps nothing that partial_fit could continue"}


@parametrize_with_checks(FORCED, expected_failed_checks=expected_failures, xfail_strict=True)
def test_forced_solver_passes_check(estimator, check):
    run_check(check, estimator)
