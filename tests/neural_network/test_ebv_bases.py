"""Unit vectors: closed forms, bounds, the descent."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skmatrix._backend import get_backend
from skmatrix.neural_network import coherence, coherence_bounds, make_ebv
from skmatrix.neural_network._basis import DenseBasis, HadamardBasis
from skmatrix.neural_network._binary_fields import logarithms, powers, traces
from skmatrix.neural_network._ebv_bases import (
    Made,
    default_alpha,
    given_basis,
    smallest_dim,
)
from skmatrix.neural_network._ebv_growth import extended
from skmatrix.neural_network._ebv_kernels import hinge_gradient
from skmatrix.neural_network._ebv_scores import nearest


def absolute_cosines(V):
    """Absolute cosines of pairs."""
    return np.abs(V @ V.T)[np.triu_indices(len(V), 1)]


@pytest.mark.parametrize("n_bits", [1, 3, 5, 7, 9, 11, 13])
def test_powers_of_the_generator_are_all_elements(n_bits):
    np.testing.assert_array_equal(np.sort(powers(n_bits)), np.arange(1, 2**n_bits))
    np.testing.assert_array_equal(powers(n_bits)[logarithms(n_bits)], np.arange(1, 2**n_bits))


@pytest.mark.parametrize("n_bits", [1, 3, 5, 7])
def test_trace_is_linear_and_balanced(n_bits):
    trace = np.zeros(2**n_bits, dtype=int)
    trace[powers(n_bits)] = traces(n_bits)
    x = np.arange(2**n_bits)
    np.testing.assert_array_equal(trace[x[:, None] ^ x], trace[:, None] ^ trace)
    assert trace.sum() == 2 ** (n_bits - 1)


@pytest.mark.parametrize("order", [4, 16, 64])
def test_kerdock_is_a_set_of_unbiased_bases_that_meets_the_bound(order):
    V = make_ebv(order * (order // 2 + 1), order, method="kerdock")
    np.testing.assert_allclose(np.linalg.norm(V, axis=1), 1, rtol=1e-12)
    cosines = absolute_cosines(V)
    near = np.isclose(cosines, order**-0.5, rtol=1e-12)
    assert np.all(near | (cosines < 1e-12))
    blocks = V.reshape(-1, order, order)
    np.testing.assert_allclose(
        blocks @ blocks.transpose(0, 2, 1), np.broadcast_to(np.eye(order), blocks.shape), atol=1e-12
    )
    assert coherence_bounds(len(V), order)["levenshtein"] == pytest.approx(order**-0.5, rel=1e-12)


@pytest.mark.parametrize("order", [8, 32])
def test_gold_has_three_cosines(order):
    cosines = absolute_cosines(make_ebv(order * (order + 1), order, method="gold"))
    known = np.array([0, order**-0.5, (2 / order) ** 0.5])
    assert np.abs(cosines[:, None] - known).min(axis=1).max() < 1e-12
    assert set(np.abs(cosines[:, None] - known).argmin(axis=1)) == {0, 1, 2}


@pytest.mark.parametrize(("kind", "order"), [("kerdock", 256), ("kerdock", 1024), ("gold", 128)])
def test_large_closed_forms_keep_their_coherence(kind, order):
    basis = HadamardBasis(kind, order, order)
    index = np.random.default_rng(0).choice(basis.n_max, 1500, replace=False)
    V = basis.take(index)
    assert coherence(V).max == pytest.approx(basis.coherence, rel=1e-12)


@pytest.mark.parametrize(("kind", "order"), [("kerdock", 16), ("gold", 8)])
def test_rows_of_a_closed_form_are_those_of_the_whole(kind, order):
    basis = HadamardBasis(kind, order, order + 3)
    V = basis.dense()
    assert not V[:, order:].any()
    for begin, end in ((0, 5), (order - 1, order + 2), (basis.n_max - 5, basis.n_max + 9)):
        np.testing.assert_array_equal(basis.rows(begin, end), V[begin:end])


def test_simplex_has_equal_cosines():
    K = 7
    V = make_ebv(K, 9, method="simplex")
    expected = (K * np.eye(K) - 1) / (K - 1)
    np.testing.assert_allclose(V @ V.T, expected, atol=1e-13)


def test_orthogonal_is_orthonormal_and_seeded():
    V = make_ebv(6, 11, method="orthogonal", random_state=0)
    np.testing.assert_allclose(V @ V.T, np.eye(6), atol=1e-13)
    np.testing.assert_array_equal(V, make_ebv(6, 11, random_state=0))
    assert np.abs(V - make_ebv(6, 11, random_state=1)).max() > 0.1


@pytest.mark.parametrize(("K", "dim"), [(100, 20), (300, 64), (12, 10), (500, 50)])
def test_descent_reaches_its_aim(K, dim):
    V, info = make_ebv(K, dim, method="optimize", random_state=0, return_info=True)
    bound = coherence_bounds(K, dim)
    assert bound["best"] <= coherence(V).max <= info["alpha"] + 1e-4 + 1e-6
    assert info["converged"]
    assert info["alpha"] >= bound["welch"] * (1 + 0.061 * (K / dim) ** 0.83)
    # Far from what random vectors have.
    assert coherence(V).max < 0.7 * coherence(make_ebv(K, dim, method="random")).max


def test_descent_gives_the_same_on_torch():
    pytest.importorskip("torch")
    arguments = {"method": "optimize", "random_state": 0, "max_iter": 5, "alpha": 0.22}
    with pytest.warns(ConvergenceWarning, match=r"coherence 0\.\d+ after 5 steps"):
        ours = make_ebv(100, 20, **arguments)
    with pytest.warns(ConvergenceWarning):
        theirs = make_ebv(100, 20, backend="torch", **arguments)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_crowded_vectors_relax_the_aim_and_stay_apart():
    V, info = make_ebv(50, 3, random_state=0, return_info=True)
    assert info["alpha"] > default_alpha(50, 3)
    assert coherence(V).max < 0.95


def test_hinge_gradient_is_that_of_finite_differences():
    rng = np.random.default_rng(0)
    V, fixed = rng.standard_normal((6, 4)), rng.standard_normal((3, 4))
    V, fixed = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (V, fixed))

    def loss(W):
        W = W / np.linalg.norm(W, axis=1, keepdims=True)
        cosines = np.concatenate([absolute_cosines(W), np.abs(W @ fixed.T).ravel()])
        return np.square(np.maximum(cosines - 0.3, 0)).sum() / 2

    gradient, value, largest = hinge_gradient(get_backend("numpy", V), V, fixed, alpha=0.3)
    assert value == pytest.approx(loss(V), rel=1e-12)
    assert largest == pytest.approx(max(absolute_cosines(V).max(), np.abs(V @ fixed.T).max()))
    numeric = np.empty_like(V)
    for place in np.ndindex(*V.shape):
        step = np.zeros_like(V)
        step[place] = 1e-6
        numeric[place] = (loss(V + step) - loss(V - step)) / 2e-6
    np.testing.assert_allclose(gradient, numeric, atol=1e-8)


def test_coherence_is_that_of_the_gram_matrix():
    V = np.random.default_rng(0).standard_normal((23, 4)) * 1e200
    unit = V / np.linalg.norm(V / 1e200, axis=1, keepdims=True) / 1e200
    cosines = absolute_cosines(unit)
    for chunk in (1, 7, 100):
        found = coherence(V, chunk=chunk)
        expected = (cosines.max(), cosines.mean(), np.sqrt(np.mean(cosines**2)))
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_bounds_have_the_known_values():
    bounds = coherence_bounds(1000, 100)
    assert bounds["welch"] == pytest.approx(np.sqrt(900 / (100 * 999)))
    assert bounds["orthoplex"] == bounds["levenshtein"] == 0
    # Six diagonals of the icosahedron are equiangular and meet the bound.
    assert coherence_bounds(6, 3)["best"] == pytest.approx(5**-0.5)
    assert coherence_bounds(5, 4)["rankin"] == -0.25
    assert coherence_bounds(8, 4)["rankin"] == 0
    assert coherence_bounds(3, 7)["best"] == 0


@pytest.mark.parametrize(("K", "dim"), [(5, 3), (40, 4), (500, 6), (30, 16)])
def test_no_vectors_beat_the_bounds(K, dim):
    V = np.random.default_rng(0).standard_normal((K, dim))
    unit = V / np.linalg.norm(V, axis=1, keepdims=True)
    assert coherence(V).max >= coherence_bounds(K, dim)["best"]
    assert (unit @ unit.T - 2 * np.eye(K)).max() >= coherence_bounds(K, dim)["rankin"]


@pytest.mark.parametrize(
    ("K", "dim", "kind"),
    [(5, 5, "orthogonal"), (6, 5, "simplex"), (7, 5, "optimize"), (100, 16, "kerdock"),
     (60, 8, "gold"), (200, 16, "optimize")],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_auto_takes_the_first_that_has_room(K, dim, kind):
    _, info = make_ebv(K, dim, max_iter=3, random_state=0, return_info=True)
    assert info["method"] == kind


def test_auto_pads_a_closed_form_for_very_many_vectors():
    with pytest.warns(UserWarning, match="dim=300 is no order of 'kerdock': 256 of its"):
        _, info = make_ebv(20_000, 300, return_info=True)
    assert info["method"] == "kerdock"
    assert info["coherence"] == 0.0625


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"n_vectors": 5000, "dim": 100}, "dim=100 has no closed form.* Pass dim=128 or"),
        ({"n_vectors": 5, "dim": 4, "method": "orthogonal"}, "has 4 vectors.* Pass dim=5"),
        ({"n_vectors": 6, "dim": 4, "method": "simplex"}, "has 5 vectors.* Pass dim=5"),
        ({"n_vectors": 3000, "dim": 64, "method": "kerdock"}, "has 2112 vectors.* dim=256"),
        ({"n_vectors": 73, "dim": 8, "method": "gold"}, "has 72 vectors in dim=8.* dim=32"),
        ({"n_vectors": 3, "dim": 1, "method": "optimize"}, "dim=1 has no 3 vectors"),
        ({"n_vectors": 0, "dim": 1}, "'n_vectors' parameter"),
        ({"n_vectors": 3, "dim": 2, "alpha": 1.5}, "'alpha' parameter"),
    ],
)
def test_what_cannot_be_is_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        make_ebv(**arguments)


def test_alpha_below_the_bound_is_refused_with_the_dim_that_would_do():
    with pytest.raises(ValueError, match=r"alpha=0\.05 is below the bound 0\.09") as caught:
        make_ebv(1000, 100, method="optimize", alpha=0.05)
    enough = int(str(caught.value).partition("or dim=")[2].split()[0])
    assert coherence_bounds(1000, enough)["best"] <= 0.05
    assert coherence_bounds(1000, enough - 1)["best"] > 0.05


@pytest.mark.parametrize(
    ("V", "match"), [([[1.0, 0.0]], "minimum of 2"), ([[1, 0], [0, 0]], "zero vector in row 1")]
)
def test_coherence_refuses_what_has_no_cosines(V, match):
    with pytest.raises(ValueError, match=match):
        coherence(V)


def test_given_vectors_are_checked():
    rng = np.random.default_rng(0)
    V = np.eye(4)
    np.testing.assert_array_equal(given_basis(V, 3, None).basis.dense(), V)
    with pytest.warns(UserWarning, match="norms from 2 to 2 and are scaled"):
        np.testing.assert_array_equal(given_basis(2 * V, 3, 4).basis.dense(), V)
    with pytest.raises(ValueError, match=r"Vectors 1 and 4 of basis are the same"):
        given_basis(np.concatenate([V, V[1:2]]), 3, None)
    with pytest.raises(ValueError, match="basis has 4 vectors, but y has 5 classes"):
        given_basis(V, 5, None)
    with pytest.raises(ValueError, match="length 4 but dim=3"):
        given_basis(V, 2, 3)
    # Antipodal vectors are as far apart as two can be.
    assert given_basis(np.array([[1.0, 0], [-1, 0]]), 2, None).coherence == 1
    large = rng.standard_normal((2000, 12))
    large /= np.linalg.norm(large, axis=1, keepdims=True)
    large[1999] = large[1500]
    with pytest.raises(ValueError, match="Vectors 1500 and 1999"):
        given_basis(large, 2, None)


@pytest.mark.parametrize(("kind", "start", "end"), [("orthogonal", 3, 5), ("orthogonal", 8, 11)])
def test_more_vectors_leave_the_old_ones_alone(kind, start, end):
    rng = np.random.RandomState(0)
    old = Made(DenseBasis(make_ebv(start, 8, random_state=0), kind), 0.0)
    new = extended(old, end, max_iter=500, tol=1e-4, backend="numpy", rng=rng)
    V = new.basis.dense()
    np.testing.assert_array_equal(V[:start], old.basis.dense())
    if end <= 8:
        np.testing.assert_allclose(V @ V.T, np.eye(end), atol=1e-12)
    else:
        # A vector has a cosine of at least 1 / sqrt(8) with one of eight orthonormal ones.
        assert 8**-0.5 <= new.coherence < 0.4


@pytest.mark.parametrize("engine", ["numpy", "numba", "torch"])
@pytest.mark.parametrize(("kind", "order", "n"), [("kerdock", 64, 2000), ("gold", 32, 1056)])
def test_nearest_of_a_closed_form_is_that_of_the_stored_vectors(engine, kind, order, n):
    if engine == "torch":
        pytest.importorskip("torch")
    basis = HadamardBasis(kind, order, order + 2)
    Z = np.random.default_rng(0).standard_normal((50, order + 2))
    cosine, index = nearest(get_backend(engine, Z), Z, basis, n)
    products = Z @ basis.dense()[:n].T
    np.testing.assert_array_equal(index, products.argmax(axis=1))
    np.testing.assert_allclose(cosine, products.max(axis=1), rtol=1e-12)


def test_rules_for_alpha_and_dim():
    assert default_alpha(1000, 100) < 0.135
    assert default_alpha(10_000, 3) < 1
    assert smallest_dim(2112) == 64
    assert smallest_dim(2113) == 128


def test_coherence_of_a_thousand_vectors_is_the_published_one():
    assert coherence(make_ebv(1000, 100, random_state=0)).max <= 0.135


def test_what_nobody_asked_for_is_not_missed_by_a_hair(recwarn):
    _, info = make_ebv(10, 3, random_state=0, return_info=True)
    assert info["alpha"] < info["coherence"] < 1.01 * info["alpha"]
    assert not recwarn
    with pytest.warns(ConvergenceWarning):
        make_ebv(10, 3, alpha=info["alpha"] - 1e-3, random_state=0)


def test_compiled_scores_are_those_of_plain_products():
    pytest.importorskip("numba")
    basis = HadamardBasis("kerdock", 64, 64)
    Z = np.random.default_rng(0).standard_normal((10_000, 64))
    compiled = nearest(get_backend("numba", Z), Z, basis, basis.n_max)
    products = Z @ basis.dense().T
    assert_array_equal(compiled[1], products.argmax(axis=1))
    assert_allclose(compiled[0], products.max(axis=1), rtol=1e-12)
