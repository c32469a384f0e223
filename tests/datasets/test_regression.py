import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import linalg
from sklearn.linear_model import LinearRegression

from skmatrix.datasets import make_tall_regression

KINDS = ["incoherent", "heavy_rows", "heavy_tails"]


def leverages(X):
    return np.sum(np.linalg.qr(X)[0] ** 2, axis=1)


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    @pytest.mark.parametrize("condition", [None, 1.0, 30.0, 1e5])
    @pytest.mark.parametrize(("n_samples", "n_features"), [(300, 7), (13, 7), (8, 7), (2, 1)])
    def test_coef_is_the_least_squares_solution(self, kind, condition, n_samples, n_features):
        X, y, coef = make_tall_regression(
            n_samples, n_features, kind=kind, condition=condition, random_state=0
        )
        assert X.shape == (n_samples, n_features)
        assert y.shape == (n_samples,)
        assert coef.shape == (n_features,)
        assert X.flags.c_contiguous
        rounding = 50 * np.finfo(float).eps * np.linalg.cond(X) ** 2
        assert_allclose(coef, linalg.lstsq(X, y)[0], rtol=0, atol=rounding)

    @pytest.mark.parametrize("residual_norm", [0.0, 1e-3, 1.0, 1e4])
    def test_residual_is_orthogonal_and_of_the_norm(self, kind, residual_norm):
        X, y, coef = make_tall_regression(
            200, 6, kind=kind, condition=1e3, residual_norm=residual_norm, random_state=1
        )
        residual = y - X @ coef
        assert_allclose(np.linalg.norm(residual), residual_norm, rtol=1e-10, atol=1e-14)
        basis = np.linalg.qr(X)[0]
        assert_allclose(basis.T @ residual, 0, atol=1e-14 * max(residual_norm, 1.0))

    @pytest.mark.parametrize("condition", [1.0, 1e2, 1e8])
    def test_singular_values_are_geometric(self, kind, condition):
        X, _, _ = make_tall_regression(100, 5, kind=kind, condition=condition, random_state=2)
        expected = np.geomspace(1.0, 1.0 / condition, 5)
        assert_allclose(np.linalg.svd(X, compute_uv=False), expected, rtol=1e-6)

    def test_the_condition_number_does_not_change_the_column_space(self, kind):
        drawn, turned = (
            make_tall_regression(100, 5, kind=kind, condition=condition, random_state=3)[0]
            for condition in (None, 1e3)
        )
        assert_allclose(leverages(turned), leverages(drawn), rtol=1e-8)
        assert np.linalg.norm(drawn) > 10 * np.linalg.norm(turned)  # as drawn, without a scale

    def test_many_targets(self, kind):
        X, y, coef = make_tall_regression(
            150, 4, kind=kind, n_targets=3, residual_norm=2.0, random_state=4
        )
        assert y.shape == (150, 3)
        assert coef.shape == (3, 4)
        fit = LinearRegression(fit_intercept=False).fit(X, y)
        assert_allclose(fit.coef_, coef, atol=1e-12)
        residual = y - X @ coef.T
        assert_allclose(np.linalg.norm(residual, axis=0), 2.0)
        assert np.linalg.matrix_rank(residual) == 3

    def test_seed(self, kind):
        first, again, other = (
            make_tall_regression(50, 3, kind=kind, random_state=seed) for seed in (0, 0, 1)
        )
        for a, b, c in zip(first, again, other, strict=True):
            assert_array_equal(a, b)
            assert not np.array_equal(a, c)


def test_rows_of_the_incoherent_kind_are_alike():
    X, y, coef = make_tall_regression(4000, 20, random_state=0)
    assert leverages(X).max() < 5 * 20 / 4000
    assert np.max((y - X @ coef) ** 2) < 30 / 4000


@pytest.mark.parametrize("condition", [None, 1.0, 1e4])
@pytest.mark.parametrize(("n_samples", "n_features"), [(4096, 20), (60, 20), (25, 20), (21, 20)])
def test_heavy_rows_and_spikes(n_samples, n_features, condition):
    X, y, coef = make_tall_regression(
        n_samples, n_features, kind="heavy_rows", condition=condition, random_state=0
    )
    heavy = leverages(X)
    assert heavy[:n_features].min() > 0.99
    assert heavy[n_features:].max() < 0.01
    mass = (y - X @ coef) ** 2
    assert mass[n_features : 2 * n_features].sum() > 0.95
    assert mass[:n_features].max() < 0.01


def test_heavy_rows_have_a_direction_each():
    X, _, _ = make_tall_regression(500, 5, kind="heavy_rows", condition=None, random_state=0)
    assert_allclose(X[:5], 30 * np.sqrt(500) * np.eye(5))


def test_heavy_tails_have_leverages_of_every_size():
    X, y, coef = make_tall_regression(4000, 20, kind="heavy_tails", random_state=0)
    ordered = np.sort(leverages(X))
    assert ordered[-1] > 0.5
    assert ordered[2000] < 0.2 * 20 / 4000
    ratios = ordered[-1:-200:-1][:-1] / ordered[-1:-200:-1][1:]
    assert ratios.max() < 3  # no gap between heavy and light rows
    assert np.max((y - X @ coef) ** 2) > 100 / 4000


class TestBadParameters:
    @pytest.mark.parametrize("n_samples", [4, 5])
    def test_too_few_rows(self, n_samples):
        with pytest.raises(ValueError, match=rf"n_samples={n_samples} must exceed n_features=5"):
            make_tall_regression(n_samples, 5)

    @pytest.mark.parametrize(
        "options",
        [
            {"n_samples": 1},
            {"n_features": 0},
            {"kind": "light"},
            {"condition": 0.5},
            {"condition": np.inf},
            {"residual_norm": -1.0},
            {"residual_norm": np.nan},
            {"n_targets": 0},
        ],
    )
    def test_out_of_range(self, options):
        (name,) = options
        with pytest.raises(ValueError, match=f"The '{name}' parameter"):
            make_tall_regression(**options)
