"""Solvers of KroneckerSBL: what they never do, what they find, and what changes nothing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ARDRegression

from skmatrix._backend import get_backend
from skmatrix.datasets import make_irs_channel, make_kronecker_sparse
from skmatrix.linear_model import KroneckerSBL
from skmatrix.linear_model._kronecker_sbl_fit import _modes_to_redraw, start_run
from skmatrix.linear_model._kronecker_sbl_problem import pose
from tests.linear_model.kronecker_reference import DensePosterior, kron

SMALL = {"n_features": (6, 5, 7), "n_measurements": (4, 5, 5), "n_nonzero": 2}
unfinished = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def descent(factors, y, *, n_iter, intercept=False, **parameters):
    """Costs at the beginning of all iterations of a run that prunes nothing."""
    be = get_backend("numpy", np.zeros(1))
    dtype = np.result_type(*factors, y)
    factors = [np.asarray(factor, dtype=dtype) for factor in factors]
    data = np.asarray(y, dtype=dtype).T.reshape(-1, *(len(factor) for factor in factors))
    estimator = KroneckerSBL(prune=0.0, **parameters)
    problem, units = pose(be, factors, data, intercept)
    known = parameters.get("noise_variance")
    noise = None if known is None else known / units.data**2
    run = start_run(estimator, parameters["solver"], problem, noise)
    for _ in range(n_iter):
        run.step()
    return np.array(run.costs)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("solver", ["am", "mm"])
def test_cost_never_rises(solver, known, is_complex, intercept):
    for seed in range(4):
        options = {"n_snapshots": 1 + seed % 2, "is_complex": is_complex, "snr": 10 + 10 * seed}
        factors, y, truth = make_kronecker_sparse(**SMALL, **options, random_state=seed)
        rule = {"noise_variance": truth.noise_variance} if known else {}
        if solver == "am" and seed % 2:
            rule["inner_max_iter"] = 1
        y = y + 3 * intercept
        costs = descent(factors, y, n_iter=60, intercept=intercept, solver=solver, **rule)
        assert (np.diff(costs) <= 1e-10 * np.abs(costs[1:])).all()
        assert costs[-1] < costs[0]


@pytest.mark.parametrize("solver", ["am", "svd", "mm"])
def test_cost_of_one_factor_never_rises_with_any_solver(solver):
    factors, y, _ = make_kronecker_sparse((12,), (9,), random_state=0)
    costs = descent(factors, y, n_iter=80, solver=solver)
    assert (np.diff(costs) <= 1e-10 * np.abs(costs[1:])).all()


def test_cost_never_rises_with_coupled_multiplicative_steps():
    factors, y, truth = make_irs_channel(15, random_state=0)
    rule = {"coupling": (0.5, None, 0.8), "coupling_solver": "mm", "init_scale": 10.0}
    costs = descent(factors, y, n_iter=40, solver="am", noise_variance=truth.noise_variance, **rule)
    assert (np.diff(costs) <= 1e-10 * np.abs(costs[1:])).all()


@unfinished
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("solver", ["am", "svd", "mm"])
@pytest.mark.parametrize("is_complex", [False, True])
def test_coefficients_are_the_posterior_mean_of_dense_algebra(solver, is_complex, intercept):
    options = {"is_complex": is_complex, "n_snapshots": 2, "random_state": 0}
    factors, y, _ = make_kronecker_sparse(**SMALL, **options)
    y = y + (2 - 3j if is_complex else 5) * intercept
    model = KroneckerSBL(solver=solver, fit_intercept=intercept).fit(factors, y)
    # The dense intercept wants centred data.
    centre = y.mean(axis=0) if intercept else 0
    gamma = kron(model.gamma_)
    dense = DensePosterior(kron(factors), y - centre, gamma, model.noise_variance_, intercept)
    assert_allclose(model.coef_, dense.mean.T, atol=1e-9 * np.abs(dense.mean).max())
    assert_allclose(model.sigma_diag_, dense.variance, atol=1e-9 * dense.variance.max())
    assert_allclose(model.intercept_, centre + dense.b if intercept else np.zeros(2), rtol=1e-9)
    n = 2 * (len(y) - intercept)
    half = 1 if is_complex else 0.5
    expected = -half * (dense.cost + n * np.log(np.pi / half))
    assert model.log_evidence() == pytest.approx(expected, rel=1e-9)


def test_evidence_is_stationary_in_every_prior_variance():
    factors, y, _ = make_kronecker_sparse(**SMALL, random_state=1)
    model = KroneckerSBL(solver="mm", tol=1e-10, max_iter=20_000).fit(factors, y)
    H, columns = kron(factors), y[:, None]

    def cost(gammas, noise):
        return DensePosterior(H, columns, kron(gammas), noise).cost

    step = 1e-4

    def slope(mode, i):
        costs = []
        for sign in (-1, 1):
            moved = [gamma.copy() for gamma in model.gamma_]
            moved[mode][i] *= np.exp(sign * step)
            costs.append(cost(moved, model.noise_variance_))
        return (costs[1] - costs[0]) / (2 * step)

    slopes = [slope(mode, i) for mode, active in enumerate(model.support_) for i in active]
    # One unit is what a coefficient that the data determine adds to the logarithm.
    assert np.abs(slopes).max() < 1e-4 * len(y)
    noises = [model.noise_variance_ * np.exp(sign * step) for sign in (-1, 1)]
    low, high = (cost(model.gamma_, noise) for noise in noises)
    assert abs(high - low) / (2 * step) < 1e-4 * len(y)


def test_one_factor_is_automatic_relevance_determination():
    X, y = load_diabetes(return_X_y=True)
    X, y = (X - X.mean(axis=0)) / X.std(axis=0), y - y.mean()
    model = KroneckerSBL(tol=1e-8, max_iter=20_000, fit_intercept=False).fit(X, y)
    peer = ARDRegression(tol=1e-8, threshold_lambda=1e8, max_iter=20_000).fit(X, y)
    assert_allclose(model.coef_, peer.coef_, atol=5e-3)
    assert model.noise_variance_ == pytest.approx(1 / peer.alpha_, rel=1e-5)
    costs = [
        DensePosterior(X, y[:, None], gamma, noise).cost
        for gamma, noise in (
            (model.gamma_[0], model.noise_variance_),
            (1 / peer.lambda_, 1 / peer.alpha_),
        )
    ]
    assert costs[0] < costs[1]
    assert model.n_iter_ < peer.n_iter_


@pytest.mark.parametrize("intercept", [False, True])
@unfinished
def test_one_factor_with_intercept_is_centring(intercept):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 6)) + 4
    y = X @ [1.0, 0, 0, -2, 0, 3] + 7 * intercept + 0.1 * rng.standard_normal(30)
    rule = {"noise_variance": 0.01, "tol": 1e-10, "max_iter": 5000, "fit_intercept": intercept}
    model = KroneckerSBL(**rule).fit(X, y)
    rule["fit_intercept"] = False
    centre_X, centre_y = (X.mean(axis=0), y.mean()) if intercept else (0, 0)
    peer = KroneckerSBL(**rule).fit(X - centre_X, y - centre_y)
    assert_allclose(model.coef_, peer.coef_, rtol=1e-7, atol=1e-9)
    assert_allclose(model.intercept_, centre_y - centre_X @ peer.coef_ if intercept else 0)


def test_intercept_of_a_product_is_that_of_a_wide_prior():
    factors, y, truth = make_kronecker_sparse((6, 5), (5, 5), n_nonzero=2, random_state=0)
    y = y + 4
    rule = {"noise_variance": truth.noise_variance, "solver": "mm"}
    model = KroneckerSBL(fit_intercept=True, **rule).fit(factors, y)
    H = np.column_stack([kron(factors), np.ones(len(y))])
    gamma = np.append(kron(model.gamma_), 1e6)
    dense = DensePosterior(H, y[:, None], gamma, truth.noise_variance)
    assert_allclose(model.coef_, dense.mean[:-1, 0], atol=1e-6)
    assert model.intercept_ == pytest.approx(dense.mean[-1, 0], rel=1e-5)
    assert_allclose(model.sigma_diag_, dense.variance[:-1], atol=1e-6 * dense.variance[:-1].max())


# What changes nothing


@pytest.mark.parametrize("solver", ["auto", "am"])
@unfinished
def test_scale_of_the_data_is_that_of_the_coefficients(solver):
    factors, y, _ = make_kronecker_sparse(**SMALL, random_state=0)
    model = KroneckerSBL(solver=solver, random_state=0).fit(factors, y)
    for scale in (3e-9, 7e12):
        other = KroneckerSBL(solver=solver, random_state=0).fit(factors, scale * y)
        size = np.abs(model.coef_).max()
        assert_allclose(other.coef_ / scale, model.coef_, rtol=1e-8, atol=1e-8 * size)
        assert other.noise_variance_ / scale**2 == pytest.approx(model.noise_variance_, rel=1e-8)
        expected = model.log_evidence() - y.size * np.log(scale)
        assert other.log_evidence() == pytest.approx(expected, rel=1e-8)


@unfinished
def test_scale_may_move_between_factors():
    factors, y, _ = make_kronecker_sparse(**SMALL, random_state=0)
    model = KroneckerSBL(random_state=0).fit(factors, y)
    moved = (factors[0] * 3e8, factors[1] / 3e8, factors[2])
    other = KroneckerSBL(random_state=0).fit(moved, y)
    assert_allclose(other.coef_, model.coef_, atol=1e-8 * np.abs(model.coef_).max())


@unfinished
@pytest.mark.parametrize("solver", ["svd", "am", "mm"])
def test_permuted_columns_permute_coefficients(solver):
    rng = np.random.default_rng(0)
    factors, y, _ = make_kronecker_sparse(**SMALL, random_state=0)
    orders = [rng.permutation(factor.shape[1]) for factor in factors]
    permuted = tuple(factor[:, order] for factor, order in zip(factors, orders, strict=True))
    model = KroneckerSBL(solver=solver).fit(factors, y)
    other = KroneckerSBL(solver=solver).fit(permuted, y)
    expected = model.coef_tensor_[np.ix_(*orders)]
    assert_allclose(other.coef_tensor_, expected, atol=1e-8 * np.abs(expected).max())


@unfinished
@pytest.mark.parametrize("is_complex", [False, True])
def test_rotated_rows_change_nothing(is_complex):
    rng = np.random.default_rng(0)
    factors, y, _ = make_kronecker_sparse(**SMALL, is_complex=is_complex, random_state=0)
    rotations = []
    for factor in factors:
        square = rng.standard_normal((len(factor), len(factor)))
        square = square + 1j * is_complex * rng.standard_normal(square.shape)
        rotations.append(np.linalg.qr(square)[0])
    if not is_complex:
        rotations = [rotation.real for rotation in rotations]
    rotated = tuple(Q @ factor for Q, factor in zip(rotations, factors, strict=True))
    model = KroneckerSBL(random_state=0).fit(factors, y)
    other = KroneckerSBL(random_state=0).fit(rotated, kron(rotations) @ y)
    assert_allclose(other.coef_, model.coef_, atol=1e-8 * np.abs(model.coef_).max())


@unfinished
@pytest.mark.parametrize("solver", ["svd", "am", "mm"])
def test_copies_of_a_snapshot_are_one_snapshot(solver):
    factors, y, truth = make_kronecker_sparse(**SMALL, random_state=0)
    rule = {"solver": solver, "noise_variance": truth.noise_variance}
    one = KroneckerSBL(**rule).fit(factors, y)
    four = KroneckerSBL(**rule).fit(factors, np.tile(y[:, None], 4))
    for a, b in zip(one.gamma_, four.gamma_, strict=True):
        assert_allclose(b, a, rtol=1e-8)
    assert four.coef_.shape == (4, one.coef_.size)
    assert_allclose(four.coef_, np.tile(one.coef_, (4, 1)), atol=1e-9)
    assert four.log_evidence() == pytest.approx(4 * one.log_evidence(), rel=1e-9)


# What is found


@unfinished
def test_snapshots_with_one_support_help_each_other():
    errors = {1: [], 4: []}
    for n_snapshots, found in errors.items():
        for seed in range(12):
            factors, y, truth = make_kronecker_sparse(
                n_measurements=(6, 6, 7), snr=15, n_snapshots=n_snapshots, random_state=seed
            )
            model = KroneckerSBL(solver="svd").fit(factors, y)
            found.append(KroneckerSBL.nmse(model.coef_, truth.coef))
    assert np.mean(errors[4]) < 0.5 * np.mean(errors[1])


@unfinished
@pytest.mark.parametrize("snr", [10, 25])
def test_error_is_near_that_of_least_squares_on_the_true_support(snr):
    errors, oracle = [], []
    for seed in (0, 1, 106, 119, 200, *range(2, 7)):
        factors, y, truth = make_kronecker_sparse(snr=snr, random_state=seed)
        model = KroneckerSBL(noise_variance=truth.noise_variance, random_state=0).fit(factors, y)
        errors.append(KroneckerSBL.nmse(model.coef_, truth.coef))
        active = tuple(f[:, s] for f, s in zip(factors, truth.support, strict=True))
        best = np.linalg.lstsq(kron(active), y)[0]
        oracle.append(KroneckerSBL.nmse(best, truth.coef[truth.coef != 0]))
    assert np.mean(errors) < 1.5 * np.mean(oracle)


@unfinished
def test_few_measurements_need_mm():
    sizes = {"n_measurements": (7, 8, 8), "values": "general", "snr": 25}
    errors = {"svd": [], "auto": []}
    for seed in range(8):
        factors, y, truth = make_kronecker_sparse(**sizes, random_state=seed)
        for solver, found in errors.items():
            model = KroneckerSBL(solver=solver, random_state=0).fit(factors, y)
            found.append(KroneckerSBL.nmse(model.coef_, truth.coef))
    assert np.mean(errors["auto"]) < 0.02
    assert np.mean(errors["auto"]) < np.mean(errors["svd"])


@unfinished
def test_auto_keeps_the_solver_of_the_smaller_criterion_of_akaike():
    """With much noise the evidence alone would prefer to explain some of it."""
    chosen, by_evidence = [], []
    for seed in range(4, 10):
        factors, y, truth = make_kronecker_sparse(snr=5, random_state=seed)
        rule = {"noise_variance": truth.noise_variance}
        models = [KroneckerSBL(solver=solver, **rule).fit(factors, y) for solver in ("svd", "mm")]
        evidences = [model.log_evidence() for model in models]
        sizes = [sum(map(len, model.support_)) for model in models]
        best = models[int(np.argmax(np.subtract(evidences, sizes)))]
        auto = KroneckerSBL(n_init=1, **rule).fit(factors, y)
        assert auto.solver_ == best.solver_
        # The best goes on by an iteration at least.
        assert KroneckerSBL.nmse(auto.coef_, best.coef_) < 1e-6
        chosen.append(best.solver_)
        by_evidence.append(models[int(np.argmax(evidences))].solver_)
    assert chosen != by_evidence


@unfinished
@pytest.mark.parametrize(("rule", "seed"), [({}, 1), ({"solver": "svd", "n_init": 2}, 200)])
def test_other_starts_leave_a_local_minimum(rule, seed):
    factors, y, truth = make_kronecker_sparse(random_state=seed)
    one = KroneckerSBL(**rule | {"n_init": 1}).fit(factors, y)
    several = KroneckerSBL(**rule, random_state=0).fit(factors, y)
    assert KroneckerSBL.nmse(one.coef_, truth.coef) > 0.5
    assert KroneckerSBL.nmse(several.coef_, truth.coef) < 1e-3
    assert several.log_evidence() > one.log_evidence()


@unfinished
def test_starts_are_spent_on_factors_with_few_rows():
    rows = [np.ones((m, 12)) for m in (12, 6, 4, 20)]
    found = _modes_to_redraw(rows, 30)
    assert np.bincount(found, minlength=4).tolist() == [0, 6, 24, 0]
    assert np.bincount(_modes_to_redraw(rows[::3], 6)).tolist() == [3, 3]
    assert _modes_to_redraw(rows, 0).size == 0


@unfinished
def test_factors_are_exploited():
    """The same model without the pattern errs ten times more."""
    sizes = ((7, 6, 7), (5, 5, 5))
    structured, plain = [], []
    for seed in range(3):
        factors, y, truth = make_kronecker_sparse(
            *sizes, values="general", n_nonzero=2, snr=30, random_state=seed
        )
        model = KroneckerSBL(prune=0.0, solver="mm").fit(factors, y)
        structured.append(KroneckerSBL.nmse(model.coef_, truth.coef))
        model = KroneckerSBL(prune=0.0).fit((kron(factors),), y)
        plain.append(KroneckerSBL.nmse(model.coef_, truth.coef))
    assert np.mean(plain) > 10 * np.mean(structured)


@unfinished
@pytest.mark.parametrize(("snr", "bound"), [(4, 0.1), (12, 0.015), (20, 0.003)])
def test_channel_is_found_as_well_as_in_the_paper(snr, bound):
    errors = []
    for seed in range(5):
        factors, y, truth = make_irs_channel(snr, random_state=seed)
        model = KroneckerSBL(noise_variance=truth.noise_variance, random_state=0).fit(factors, y)
        errors.append(truth.nmse(model.coef_))
    assert np.mean(errors) < bound


@unfinished
@pytest.mark.parametrize("coupling_solver", ["nnls", "mm"])
def test_coupling_finds_blocks(coupling_solver):
    errors = []
    for seed in range(4):
        factors, y, truth = make_irs_channel(20, random_state=seed)
        model = KroneckerSBL(
            noise_variance=truth.noise_variance,
            coupling=(0.5, None, 0.5),
            coupling_solver=coupling_solver,
            prune=(1e-2, 1e-1, 1e-2),
        ).fit(factors, y)
        assert model.solver_ == "am"
        errors.append(truth.nmse(model.coef_))
    assert np.mean(errors) < 0.03


@unfinished
def test_coupling_without_weight_is_none():
    factors, y, _ = make_kronecker_sparse(**SMALL, random_state=0)
    rule = {"solver": "am", "init_scale": 1.0}
    alone = KroneckerSBL(**rule).fit(factors, y)
    weightless = KroneckerSBL(coupling=(0.0, None, 0), **rule).fit(factors, y)
    assert_array_equal(weightless.coef_, alone.coef_)
    # With a matrix of ones on its diagonal, floors and the end of inner passes differ.
    units = tuple(np.eye(factor.shape[1]) for factor in factors)
    identity = KroneckerSBL(coupling=units, **rule).fit(factors, y)
    assert KroneckerSBL.nmse(identity.coef_, alone.coef_) < 1e-2


def test_decompose_recovers_a_product_in_milliseconds():
    for seed, snr, bound in ((2, 15, 0.01), (3, 25, 1e-3)):
        factors, y, truth = make_kronecker_sparse(snr=snr, random_state=seed)
        for rule in ({}, {"noise_variance": truth.noise_variance}):
            model = KroneckerSBL(solver="decompose", **rule).fit(factors, y)
            assert KroneckerSBL.nmse(model.coef_, truth.coef) < bound
            assert model.noise_variance_ == pytest.approx(truth.noise_variance, rel=0.2)


def test_decompose_prunes_each_factor_by_its_own_share():
    factors, y, truth = make_kronecker_sparse(random_state=2)
    assert all(indices.size == 3 for indices in truth.support)
    fits = [
        KroneckerSBL(solver="decompose", prune=prune).fit(factors, y)
        for prune in (None, 1e-4, (1e-4, 0.0, 1e-4))
    ]
    for first, second in zip(fits[0].support_, fits[1].support_, strict=True):
        assert_array_equal(first, second)
    sizes = [indices.size for indices in fits[2].support_]
    assert sizes[1] == 15
    assert max(sizes[0], sizes[2]) < 15


def test_decompose_warns_where_the_data_are_no_product():
    factors, y, _ = make_kronecker_sparse(values="general", random_state=0)
    with pytest.warns(UserWarning, match="do not look like a Kronecker product"):
        KroneckerSBL(solver="decompose").fit(factors, y)


@unfinished
def test_scores_are_the_log_evidence_after_each_iteration():
    factors, y, _ = make_kronecker_sparse(**SMALL, random_state=0)
    for solver in ("am", "mm", "auto"):
        model = KroneckerSBL(solver=solver, compute_score=True, prune=0.0, random_state=0).fit(
            factors, y
        )
        assert model.scores_.shape == (model.n_iter_,)
        assert model.scores_[-1] == pytest.approx(model.log_evidence(), rel=1e-14)
        if model.solver_ != "svd":
            assert (np.diff(model.scores_) >= -1e-10 * np.abs(model.scores_[1:])).all()
