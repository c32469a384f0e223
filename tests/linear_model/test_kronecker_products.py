"""Products with Kronecker products, and greedy pursuit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn import config_context

from skmatrix._backend import to_numpy
from skmatrix.datasets import make_kronecker_sparse
from skmatrix.linear_model import KroneckerSBL, kron_matvec, kronecker_omp
from tests.linear_model.kronecker_reference import kron, random_factors


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("columns", [None, 1, 3])
def test_product_is_that_of_the_kronecker_product(is_complex, columns):
    rng = np.random.default_rng(0)
    factors = tuple(random_factors(rng, (2, 5, 3), (4, 3, 2), is_complex))
    x = rng.standard_normal(24 if columns is None else (24, columns))
    assert_allclose(kron_matvec(factors, x), kron(factors) @ x, rtol=1e-12)


def test_product_keeps_its_precision_and_takes_complex_vectors():
    factors = (np.ones((2, 2), np.float32), np.eye(3, dtype=np.float32))
    assert kron_matvec(factors, np.ones(6, np.float32)).dtype == np.float32
    assert kron_matvec(factors, np.ones(6)).dtype == np.float64
    x = np.arange(6) * 1j
    assert_allclose(kron_matvec(factors, x), kron(factors) @ x)


def test_product_refuses_other_lengths():
    with pytest.raises(ValueError, match=r"x must have 6 rows.*\(5,\)"):
        kron_matvec((np.ones((2, 2)), np.eye(3)), np.ones(5))
    with pytest.raises(ValueError, match="factors"):
        kron_matvec([np.eye(2)], np.ones(2))
    with pytest.raises(ValueError, match="factors is empty"):
        kron_matvec((), np.ones(2))


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("n_snapshots", [1, 3])
def test_pursuit_is_exact_where_columns_are_orthogonal(is_complex, n_snapshots):
    options = {"values": "general", "is_complex": is_complex, "n_snapshots": n_snapshots}
    factors, _, truth = make_kronecker_sparse(
        (6, 5), (7, 6), n_nonzero=(2, 3), snr=None, **options, random_state=0
    )
    factors = tuple(np.linalg.qr(factor)[0] * 3 for factor in factors)
    y = kron_matvec(factors, truth.coef.T)
    coef, support = kronecker_omp(factors, y, n_nonzero=(2, 3))
    assert_allclose(coef, truth.coef, atol=1e-12)
    for found, true in zip(support, truth.support, strict=True):
        assert found.tolist() == true.tolist()


def test_pursuit_ends_with_its_tolerance_and_its_limits():
    factors, y, _ = make_kronecker_sparse(random_state=2)
    _, support = kronecker_omp(factors, y, n_nonzero=(2, 3, 4))
    assert [len(indices) for indices in support] == [2, 3, 4]
    _, support = kronecker_omp(factors, y, n_nonzero=8, tol=0.9)
    assert max(len(indices) for indices in support) < 8
    coef, support = kronecker_omp(factors, np.zeros(1440), n_nonzero=3)
    assert not coef.any()
    assert all(indices.size == 0 for indices in support)
    with pytest.raises(ValueError, match="one for each of the 3 factors"):
        kronecker_omp(factors, y, n_nonzero=(1, 2))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_pursuit_errs_more_than_learning():
    errors = [], []
    for seed in range(2, 8):
        factors, y, truth = make_kronecker_sparse(random_state=seed)
        greedy, _ = kronecker_omp(factors, y, n_nonzero=3)
        errors[0].append(KroneckerSBL.nmse(greedy, truth.coef))
        errors[1].append(KroneckerSBL.nmse(KroneckerSBL().fit(factors, y).coef_, truth.coef))
    assert np.median(errors[1]) < 0.1 * np.mean(errors[0])


@pytest.mark.parametrize("device", ["CPU_DEVICE", "device1"])
def test_pursuit_stays_on_the_device_of_the_factors(device):
    xp = pytest.importorskip("array_api_strict")
    factors, y, _ = make_kronecker_sparse(random_state=2)
    expected, _ = kronecker_omp(factors, y, n_nonzero=(2, 3, 4))
    device = xp.Device(device)
    try:
        with config_context(array_api_dispatch=True):
            moved = tuple(xp.asarray(factor, device=device) for factor in factors)
            coef, _ = kronecker_omp(moved, xp.asarray(y, device=device), n_nonzero=(2, 3, 4))
    except RuntimeError as error:
        pytest.skip(str(error))
    assert coef.device == device
    assert_allclose(to_numpy(coef), expected, atol=1e-10)
