"""Ranks, minimum norms, few rows, and columns of any size."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LinearRegression, Ridge

from skmatrix.datasets import make_tall_regression
from skmatrix.linear_model import SketchedRegression
from skmatrix.linear_model import _sketched_regression_solvers as solvers
from skmatrix.linear_model._sketched_regression_rows import DenseRows, LocalRows, SparseRows
from tests.linear_model.reference import EXACT, backward_error, fitted, solve

every_way = pytest.mark.parametrize("way", EXACT)
both_intercepts = pytest.mark.parametrize("fit_intercept", [True, False])


def shortest(X, y, rank, fit_intercept=True):
    """The minimum norm solution from the singular vectors, for a rank that is known."""
    means = (X.mean(axis=0), y.mean()) if fit_intercept else (np.zeros(X.shape[1]), 0.0)
    U, values, Vt = np.linalg.svd(X - means[0], full_matrices=False)
    assert rank == len(values) or values[rank] < 1e-9 * values[rank - 1]
    coef = Vt[:rank].T @ ((U[:, :rank].T @ (y - means[1])) / values[:rank])
    return coef, means[1] - means[0] @ coef


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((3000, 3)) + 1
    return Z, Z @ [1, 2, 3] + rng.standard_normal(3000) + 4


@every_way
@both_intercepts
def test_rank_deficient_rows_give_the_shortest_solution(way, fit_intercept):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 9)) @ rng.standard_normal((9, 12)) + 2 * fit_intercept
    Y = X @ rng.standard_normal((12, 2)) + rng.standard_normal((2000, 2))
    model = fitted(way, X, Y, fit_intercept=fit_intercept)
    assert model.rank_ == 9
    for t in range(2):
        coef, intercept = shortest(X, Y[:, t], 9, fit_intercept)
        assert_allclose(model.coef_[t], coef, rtol=1e-10, atol=1e-11)
        assert_allclose(model.intercept_[t], intercept, rtol=1e-10, atol=1e-10)


@every_way
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-9, 1e-30, 1e-150, 1e30])
@both_intercepts
def test_column_given_twice_shares_its_coefficient(way, fit_intercept, scale, rows):
    Z, y = rows
    X = np.column_stack([Z, scale * Z[:, 0]])
    model = fitted(way, X, y, fit_intercept=fit_intercept)
    coef, intercept = solve(Z, y, fit_intercept=fit_intercept)
    # The shortest of all pairs with the same product.
    pair = np.array([1, scale]) / (1 + scale**2) * coef[0]
    assert model.rank_ == 3
    assert_allclose(model.coef_, [pair[0], *coef[1:], pair[1]], rtol=1e-11, atol=1e-13)
    assert_allclose(model.intercept_, intercept, rtol=1e-11)
    assert_allclose(model.predict(X), X @ model.coef_ + intercept, rtol=1e-11)
    assert model.condition_ > 1e13


@every_way
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_columns_without_variation_have_no_coefficient(way, form, rows):
    Z, y = rows
    X = np.column_stack([Z[:, 0], np.full(3000, 1e6), Z[:, 1], np.zeros(3000), Z[:, 2],
                         np.full(3000, 0.1)])  # fmt: skip
    coef, intercept = solve(Z, y)
    model = fitted(way, form(X), y)
    assert model.rank_ == 3
    assert_allclose(model.coef_[[0, 2, 4]], coef, rtol=1e-9)
    assert_allclose(model.coef_[[1, 3, 5]], 0, atol=1e-9)
    assert_allclose(model.predict(X), Z @ coef + intercept, rtol=1e-9, atol=1e-8)
    # Without an intercept two of them are columns as any others, and the same one.
    model = fitted(way, form(X), y, fit_intercept=False)
    assert model.rank_ == 4
    pair = np.array([1e6, 0.1]) / (1e12 + 0.01) * intercept
    assert_allclose(model.coef_[[0, 2, 4]], coef, rtol=1e-9)
    assert_allclose(model.coef_[[1, 5]], pair, rtol=1e-8, atol=1e-14)
    assert model.coef_[3] == 0


@every_way
def test_no_column_that_varies(way):
    y = np.random.default_rng(0).standard_normal(3000)
    model = fitted(way, np.full((3000, 3), [1.0, 0.0, -7.3]), y)
    assert model.rank_ == 0
    assert_array_equal(model.coef_, 0)
    assert model.intercept_ == pytest.approx(y.mean(), rel=1e-12)
    assert model.residual_norm_ == pytest.approx(np.linalg.norm(y - y.mean()), rel=1e-12)


@every_way
def test_penalty_makes_any_rank_full(way, rows):
    Z, y = rows
    X = np.column_stack([Z, Z, np.ones(3000), np.zeros(3000)])
    model = fitted(way, X, y, alpha=2.0)
    peer = Ridge(2.0, solver="svd").fit(X, y)
    assert model.rank_ == 8
    assert_allclose(model.coef_, peer.coef_, rtol=1e-11, atol=1e-12)


@every_way
def test_rank_does_not_hang_on_the_sizes_of_columns(way, rows):
    Z, y = rows
    scale = np.array([1e-40, 1.0, 1e40])
    model = fitted(way, Z * scale, y)
    assert model.rank_ == 3
    assert_allclose(model.coef_ * scale, solve(Z, y)[0], rtol=1e-12)


@every_way
@pytest.mark.parametrize("rank_tol", [1e-6, 0.01, 0.2])
def test_cut_for_the_rank_is_that_of_the_user(way, rank_tol):
    X, y, _ = make_tall_regression(3000, 6, condition=None, random_state=0)
    for size, rank in ((rank_tol / 3, 6), (3 * rank_tol, 7)):
        # Two columns of unit length with singular values sqrt(2) and about `size` of it.
        joined = np.column_stack(
            [X, X[:, 0] + 2 * size * np.random.default_rng(1).standard_normal(3000)]
        )
        model = fitted(way, joined, y, rank_tol=rank_tol, fit_intercept=False, alpha=0)
        assert model.rank_ == rank
    # A level is no reason to drop a column, if the user's cut is coarse.
    model = fitted(way, X + 50 * np.eye(6)[5], y, rank_tol=rank_tol)
    assert model.rank_ == 6
    assert_allclose(model.coef_, solve(X, y)[0], rtol=1e-8)


@pytest.mark.parametrize("way", ["direct", "lapack", "stream"])
def test_full_rank_near_the_cut_is_continued(way):
    X, y, _ = make_tall_regression(4000, 10, condition=5e5, random_state=0)
    model = fitted(way, X[:3000], y[:3000], rank_tol=1e-6, fit_intercept=False)
    assert model.rank_ == 10
    model.partial_fit(X[3000:], y[3000:])
    # "direct" knows the first rows by a Gram matrix.
    limit = 1e-15 * (5e5 if way == "direct" else 1)
    assert backward_error(X, y, model.coef_) < limit


# Sketches that lose a direction


class Blind:
    """A sketch that sees little of one direction of the parameters."""

    def __init__(self, sketch, by):
        self.sketch, self.by = sketch, by

    def __call__(self, rows, *args):
        (sketched,) = self.sketch(rows, *args)
        p = rows.layout.n_parameters
        direction = np.ones(p) / np.sqrt(p)
        seen = sketched[:, :p] @ direction
        sketched[:, :p] -= (1 - self.by) * seen[:, None] * direction
        return (sketched,)


@pytest.mark.parametrize("way", ["direct", "iterative"])
@pytest.mark.parametrize("form", ["dense", "sparse"])
@pytest.mark.parametrize("by", [0.0, 1e-7])
def test_direction_that_the_sketch_loses_is_found_again(way, form, by, rows, monkeypatch):
    Z, y = rows
    cls = DenseRows if form == "dense" else SparseRows
    blind = Blind(cls.sketch, by)
    monkeypatch.setattr(cls, "sketch", lambda *args: blind(*args))
    model = fitted(way, Z if form == "dense" else sp.csr_array(Z), y)
    assert model.rank_ == 3
    assert_allclose(model.coef_, solve(Z, y)[0], rtol=1e-10)


@pytest.mark.parametrize(
    ("rank", "by", "expected"),
    [
        (10, 1.0, ["gram"]),
        (10, 1e-3, ["gram", "gram"]),
        (10, 1e-10, ["triangle"]),
        (10, 0.0, ["triangle"]),
        (9, 1.0, ["gram"]),
        (9, 0.0, ["triangle"]),
    ],
)
def test_poor_sketch_is_made_up_for(rank, by, expected, monkeypatch):
    """Whitened once more if it is a poor one, and left for reflections if it is worse."""
    X, y, _ = make_tall_regression(3000, 10, condition=1e6, residual_norm=1e-3, random_state=0)
    if rank == 9:
        X[:, 0] = X[:, 1]
    blind, calls = Blind(DenseRows.sketch, by), []

    def noted(cls, name):
        method = getattr(cls, name)

        def call(*args):
            calls.append(name)
            return method(*args)

        monkeypatch.setattr(cls, name, call)

    monkeypatch.setattr(DenseRows, "sketch", lambda *args: blind(*args))
    noted(DenseRows, "gram")
    noted(LocalRows, "triangle")
    model = fitted("direct", X, y, fit_intercept=False)
    assert backward_error(X, y, model.coef_) < 1e-15
    assert calls == expected
    assert model.rank_ == rank


def test_gram_matrix_that_is_not_one_is_left_for_reflections(rows, monkeypatch):
    Z, y = rows
    gram = solvers._gram
    monkeypatch.setattr(solvers, "_gram", lambda *args: (gram(*args)[0], None))
    model = fitted("direct", Z, y, certify=True)
    assert_allclose(model.coef_, solve(Z, y)[0], rtol=1e-12)
    assert (model.n_iter_, model.effective_distortion_) == (1, 0)


@pytest.mark.parametrize("way", ["direct", "iterative"])
@pytest.mark.parametrize("sketch", ["countsketch", "uniform"])
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array])
def test_rare_categories_are_no_worse_for_a_sparse_sketch(form, sketch, way):
    rng = np.random.default_rng(0)
    X = np.zeros((3000, 103))
    X[:, :3] = rng.standard_normal((3000, 3))
    X[10 * np.arange(100), 3 + np.arange(100)] = 1
    y = X @ rng.standard_normal(103) + rng.standard_normal(3000)
    model = fitted(way, form(X), y, sketch=sketch)
    assert model.rank_ == 103
    assert_allclose(model.coef_, solve(X, y)[0], rtol=1e-10, atol=1e-11)


def test_lost_directions_are_looked_for_only_if_the_rank_is_not_full(rows, monkeypatch):
    Z, y = rows
    asked = []
    check = solvers._has_lost_directions

    def counted(*args):
        asked.append(check(*args))
        return asked[-1]

    monkeypatch.setattr(solvers, "_has_lost_directions", counted)
    fitted("direct", np.column_stack([Z, Z]), y)
    fitted("iterative", np.column_stack([Z, Z]), y)
    assert asked == [False, False]


# Few rows


@pytest.mark.parametrize(("n", "d"), [(1, 1), (1, 4), (2, 1), (2, 5), (5, 5), (6, 5), (7, 30)])
@pytest.mark.parametrize("n_targets", [1, 2])
@both_intercepts
def test_few_rows_are_those_of_linear_regression(n, d, n_targets, fit_intercept):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((n, d)) + 1, rng.standard_normal((n, n_targets))
    y = Y[:, 0] if n_targets == 1 else Y
    peer = LinearRegression(fit_intercept=fit_intercept).fit(X, y)
    for form in (np.asarray, sp.csr_array):
        for model in (
            SketchedRegression(fit_intercept=fit_intercept).fit(form(X), y),
            SketchedRegression(fit_intercept=fit_intercept).partial_fit(form(X), y),
        ):
            assert_allclose(model.coef_, peer.coef_, rtol=1e-10, atol=1e-12)
            assert_allclose(model.intercept_, peer.intercept_, rtol=1e-10, atol=1e-12)
            assert model.rank_ == min(n - fit_intercept, d)


@pytest.mark.parametrize("alpha", [1e-6, 1.0, 100.0])
@both_intercepts
def test_few_rows_with_a_penalty_are_those_of_ridge(alpha, fit_intercept):
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((6, 9)), rng.standard_normal((6, 2))
    X[5] = X[4]
    model = SketchedRegression(alpha=alpha, fit_intercept=fit_intercept).fit(X, Y)
    peer = Ridge(alpha, fit_intercept=fit_intercept, solver="svd").fit(X, Y)
    assert_allclose(model.coef_, peer.coef_, rtol=1e-9)
    assert_allclose(model.intercept_, peer.intercept_, rtol=1e-9, atol=1e-12)
    assert model.rank_ == 9


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e-20, 1e20, 1e-200])
@both_intercepts
def test_wide_solution_is_shortest_whatever_the_sizes_of_columns(scale, fit_intercept):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((6, 8)), rng.standard_normal(6)
    X[5], y[5] = X[4], y[4]
    X[:, 3:] *= scale
    model = SketchedRegression(fit_intercept=fit_intercept).fit(X, y)
    assert model.rank_ == 5 - fit_intercept
    assert_allclose(model.predict(X), y, rtol=1e-12)
    # Orthogonal to every change that leaves the predictions alone, one column after the other.
    unit = np.where(np.arange(8) < 3, 1.0, scale)
    A = X / unit - fit_intercept * (X / unit).mean(axis=0)
    null = np.linalg.svd(A)[2][model.rank_ :].T / unit[:, None]
    null /= np.abs(null).max(axis=0)
    assert np.abs(null.T @ (model.coef_ / np.abs(model.coef_).max())).max() < 1e-12


# Sizes at which squares overflow or vanish


@pytest.mark.parametrize("way", [*EXACT, "sketch"])
@pytest.mark.parametrize("alpha", [0.0, 10.0])
@pytest.mark.parametrize(
    ("x", "y"), [(-200, 0), (200, 0), (0, -200), (0, 200), (150, 150), (-150, -150), (-120, 120)]
)
def test_extreme_units_change_nothing_but_the_units(way, alpha, x, y, rows):
    Z, target = rows
    # Powers of two, so that the sketch is the same to the last bit.
    unit, target_unit = 2.0 ** np.round(np.log2(10) * np.array([x, y]))
    options = {"certify": way != "stream", "sketch_size": 100}
    if alpha and abs(x) <= 150:
        options["alpha"] = alpha
    elif alpha:
        # alpha unit^2 is no number: no penalty at all, or nothing but it.
        options["alpha"] = 1e-300 if x > 0 else 1e300
    base = {**options, "alpha": 0.0 if abs(x) > 150 and x > 0 else options.get("alpha", 0.0)}
    if abs(x) <= 150 and alpha:
        options["alpha"] = alpha * unit**2
    expected = fitted(way, Z, target, **base)
    model = fitted(way, unit * Z, target_unit * target, **options)
    ratio = target_unit / unit
    if options.get("alpha", 0) == 1e300:
        assert_array_equal(model.coef_, 0)
        return
    assert_allclose(model.coef_, expected.coef_ * ratio, rtol=1e-11)
    assert model.intercept_ == pytest.approx(expected.intercept_ * target_unit, rel=1e-11)
    assert model.residual_norm_ == pytest.approx(expected.residual_norm_ * target_unit, rel=1e-11)
    assert model.condition_ == pytest.approx(expected.condition_, rel=1e-9)
    assert model.rank_ == 3
    assert_allclose(model.leverage_scores(unit * Z), expected.leverage_scores(Z), rtol=1e-9)
    if way == "sketch":
        assert_allclose(model.coef_sketch_std_, expected.coef_sketch_std_ * ratio, rtol=1e-10)
    if way != "stream":
        ours, theirs = model.certificate(), expected.certificate()
        assert np.isfinite([v for v in ours.values() if np.ndim(v) == 0]).all()
        if way == "sketch":
            bound = theirs["prediction_error_bound"] * target_unit
            assert ours["prediction_error_bound"] == pytest.approx(bound, rel=1e-9)


@every_way
@both_intercepts
def test_columns_of_extreme_and_unlike_sizes(way, fit_intercept, rows):
    Z, y = rows
    scale = np.array([1e-200, 1.0, 1e200])
    model = fitted(way, Z * scale, y * 1e-100, fit_intercept=fit_intercept)
    coef, intercept = solve(Z, y, fit_intercept=fit_intercept)
    assert model.rank_ == 3
    assert model.condition_ > 1e300
    assert_allclose(model.coef_ * scale, coef * 1e-100, rtol=1e-11)
    assert model.intercept_ == pytest.approx(intercept * 1e-100, rel=1e-11)


@pytest.mark.parametrize("way", ["direct", "iterative"])
def test_units_of_targets_are_their_own(way, rows):
    Z, y = rows
    Y = np.column_stack([y, 1e180 * y, 1e-180 * y])
    model = fitted(way, Z, Y, alpha=(1.0, 1.0, 2.0))
    for t, (unit, alpha) in enumerate(((1, 1), (1e180, 1), (1e-180, 2))):
        assert_allclose(model.coef_[t], solve(Z, y, alpha=alpha)[0] * unit, rtol=1e-11)


@pytest.mark.parametrize("way", ["direct", "iterative", "sketch"])
def test_sums_that_overflow_are_an_error(way, rows):
    Z, y = rows
    with pytest.raises(ValueError, match=r"X or y has values so large that sums overflow"):
        SketchedRegression(solver=way, random_state=0).fit(Z * 3e307, y)
