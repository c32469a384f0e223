"""Triangles of rows: what they know, and how they take in further rows."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skmatrix.linear_model import _sketched_regression_triangle as triangle
from skmatrix.linear_model._sketched_regression_triangle import Layout


def gram_error(R, M):
    """Largest error of ``R^T R`` in the coordinates in which that of the rows is the identity."""
    T = np.linalg.qr(M, mode="r")
    change = R[:-1] @ np.linalg.inv(T)
    return np.abs(change.T @ change - np.eye(len(T))).max()


@pytest.fixture
def rows():
    return np.random.default_rng(0).standard_normal((300, 6)) * np.geomspace(1, 100, 6)


@pytest.fixture
def taken(monkeypatch):
    """Notes each triangle that is made by reflections."""
    calls = []
    triangularise = triangle.triangularise

    def counted(M, n_parameters):
        calls.append(M.shape)
        return triangularise(M, n_parameters)

    monkeypatch.setattr(triangle, "triangularise", counted)
    return calls


def test_rows_like_those_before_are_taken_in_by_a_gram_matrix(rows, taken):
    R = triangle.triangularise(rows[:200], 6)
    taken.clear()
    updated = triangle.update_triangle(R, rows[200:], 6)
    assert taken == []
    assert gram_error(updated, rows) < 1e-13
    assert_allclose(np.tril(updated, -1), 0, atol=1e-13)


@pytest.mark.parametrize("other", ["large", "few before", "new column", "singular before"])
def test_rows_of_another_kind_are_taken_in_by_reflections(other, rows, taken):
    first, further = rows[:200], rows[200:]
    if other == "large":
        further = further * 1e9
    elif other == "few before":
        first = first[:4]
    elif other == "new column":
        first = first * [1, 1, 1, 1, 1, 0]
    else:
        first = first.copy()
        first[:, 5] = first[:, 4]
        further = further * 1e-3
    R = triangle.triangularise(first, 6)
    taken.clear()
    updated = triangle.update_triangle(R, further, 6)
    assert len(taken) == 1
    assert gram_error(updated, np.concatenate([first, further])) < 1e-12


@pytest.mark.parametrize("scale", [1e-150, 1.0, 1e150])
def test_updates_have_no_favourite_unit(scale, rows):
    R = triangle.triangularise(scale * rows[:200], 6)
    R = triangle.update_triangle(R, scale * rows[200:], 6)
    assert gram_error(R / scale, rows) < 1e-13


def test_many_updates_lose_no_digits():
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((8, 8)))[0] * np.geomspace(1, 1e-12, 8)[:, None]
    M = rng.standard_normal((20_000, 8)) @ rotation
    R = triangle.triangularise(M[:100], 8)
    for begin in range(100, 20_000, 100):
        R = triangle.update_triangle(R, M[begin : begin + 100], 8)
    R = R[:-1]
    expected = np.linalg.qr(M, mode="r")
    expected *= np.sign(np.diagonal(R) * np.diagonal(expected))[:, None]
    assert np.abs(R - expected).max() < 1e-14 * np.abs(expected).max()


@pytest.mark.parametrize("d", [1, 2, 40, 256, 300])
@pytest.mark.parametrize("condition", [1.0, 30.0, 1e10])
def test_condition_number(d, condition):
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2))
    R = np.linalg.qr(U @ np.diag(np.geomspace(1, 1 / condition, d)) @ V, mode="r")
    exact = np.linalg.cond(R)
    found = triangle.condition_number(R)
    if d <= 256:
        assert found == pytest.approx(exact, rel=1e-6)
    else:
        # An estimate from below, by power steps.
        assert 0.8 * exact < found <= exact * (1 + 1e-6)
    assert triangle.condition_number(1e-200 * R) == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize("d", [3, 300])
def test_condition_number_of_singular_triangles(d):
    R = np.triu(np.random.default_rng(0).standard_normal((d, d)))
    R[d // 2, d // 2] = 0
    assert triangle.condition_number(R) > 1e15
    assert triangle.condition_number(np.zeros((d, d))) == np.inf
    assert triangle.condition_number(np.zeros((0, d))) == 1


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 4.0])
@pytest.mark.parametrize("rank", [6, 4])
def test_factor_of_a_triangle(fit_intercept, alpha, rank):
    """The whitener whitens, the null space is one, and the solution has no gradient."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 6)) * np.geomspace(1, 1e4, 6) + 1
    if rank == 4:
        X[:, 4:] = X[:, :2] @ rng.standard_normal((2, 2))
    y = rng.standard_normal((200, 2))
    T = np.column_stack([np.ones(200), X]) if fit_intercept else X
    layout = Layout(fit_intercept, 6, 2)
    R = triangle.triangularise(np.column_stack([T, y]), layout.n_parameters)
    factor = triangle.factorise(R, layout, alpha, 1e-12)
    W, penalised = factor.whitener, factor.whitener[layout.penalised]
    n = (6 if alpha else rank) + fit_intercept
    assert W.shape == (6 + fit_intercept, n)
    assert factor.rank == n - fit_intercept
    gram = W.T @ (T.T @ T) @ W + alpha * penalised.T @ penalised
    assert_allclose(gram, np.eye(n), atol=1e-9)
    gradient = T.T @ (y - T @ factor.parameters)
    gradient[layout.penalised] -= alpha * factor.parameters[layout.penalised]
    assert np.all(np.abs(gradient) < 1e-9 * np.linalg.norm(T, axis=0)[:, None] * 15)
    if rank == 4 and alpha == 0:
        assert factor.null.shape == (6 + fit_intercept, 2)
        assert_allclose(T @ factor.null, 0, atol=1e-9)
        # The shortest solution, and all that W can add to it, have no part in the null space.
        null, _ = np.linalg.qr(factor.null[layout.penalised])
        assert_allclose(null.T @ factor.parameters[layout.penalised], 0, atol=1e-12)
        assert_allclose(null.T @ penalised, 0, atol=1e-12)
    else:
        assert factor.null is None
    norms = triangle.residual_norms(R, layout, factor.parameters)
    assert_allclose(norms, np.linalg.norm(y - T @ factor.parameters, axis=0), rtol=1e-12)


def test_units_undone_decide_what_is_shortest():
    rng = np.random.default_rng(0)
    Z, y = rng.standard_normal((100, 1)), rng.standard_normal((100, 1))
    X, unit = np.column_stack([Z, Z]), np.array([2.0, 0.5])
    R = triangle.triangularise(np.column_stack([X * unit, y]), 2)
    factor = triangle.factorise(R, Layout(False, 2, 1), 0.0, 1e-12, unit)
    coef = factor.parameters[:, 0] * unit
    assert coef[0] == pytest.approx(coef[1], rel=1e-12)
    assert coef.sum() == pytest.approx(np.linalg.lstsq(Z, y)[0].item(), rel=1e-12)
