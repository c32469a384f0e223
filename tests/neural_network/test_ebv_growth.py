"""Unit vectors beside others: more of them, enrolled ones, and what they cost."""

import copy
import tracemalloc
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix.neural_network import EBVEncoder, coherence, make_ebv
from skmatrix.neural_network import _ebv_bases as bases
from skmatrix.neural_network._ebv_classes import new_table
from skmatrix.neural_network._ebv_growth import bound_beside, filling
from skmatrix.neural_network._ebv_optimise import separated
from skmatrix.neural_network._unit_vectors import largest_cosine, unit_rows

# Growth


def table(n_classes, dim, basis, alpha="auto"):
    """A table of the first integers."""
    rng = np.random.RandomState(0)
    return new_table(np.arange(n_classes), dim, basis, alpha=alpha, backend="numpy", rng=rng)


def grown(start, n_classes, seed=1):
    """A table with the next integers."""
    new = np.arange(start.classes.size, n_classes)
    return start.grown(new, "numpy", np.random.RandomState(seed))


@pytest.mark.parametrize("basis", ["orthogonal", "optimize", "simplex"])
def test_new_vectors_are_perpendicular_while_there_is_room(basis):
    start = table(10, 50, basis)
    end = grown(grown(start, 13), 50)
    V = end.made.basis.dense()
    assert_array_equal(V[:10], start.made.basis.dense())
    assert_allclose(V[10:] @ V[10:].T, np.eye(40), atol=1e-12)
    assert np.abs(V[:10] @ V[10:].T).max() < 1e-12
    assert end.made.coherence == pytest.approx(start.made.coherence, abs=1e-12)
    assert end.made.n_iter == start.made.n_iter
    assert end.made.alpha == start.made.alpha


@pytest.mark.parametrize("dim", [4, 10, 64, 300])
def test_a_vector_beside_an_orthonormal_basis_is_as_far_as_can_be(dim):
    """Its squared cosines with them add up to 1."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = grown(table(dim, dim, "orthogonal"), dim + 1).made
    assert dim**-0.5 <= made.coherence <= made.alpha + 1e-4
    assert made.alpha < 1.2 * dim**-0.5
    assert made.n_iter < 500


@pytest.mark.parametrize(
    ("n_classes", "dim", "basis", "n_more"),
    [(10, 10, "simplex", 13), (10, 12, "orthogonal", 30), (60, 20, "optimize", 90)],
)
def test_growth_beyond_the_dimension_reaches_what_it_says(n_classes, dim, basis, n_more):
    start = table(n_classes, dim, basis)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = grown(start, n_more).made
    V = made.basis.dense()
    assert made.coherence == pytest.approx(coherence(V).max)
    assert made.coherence <= max(1.01 * made.alpha, start.made.coherence)
    raw = np.random.RandomState(0).standard_normal((n_more - n_classes, dim))
    raw = np.concatenate([V[:n_classes], raw])
    assert made.coherence < 0.8 * coherence(raw).max


def test_growth_warns_of_vectors_that_are_too_near(monkeypatch):
    monkeypatch.setattr("skmatrix.neural_network._ebv_classes._MAX_ITER", 4)
    start = table(10, 10, "orthogonal")
    with pytest.warns(UserWarning, match=r"New vectors have cosines up to 0\.\d+, far above"):
        made = grown(start, 40).made
    assert not made.converged


@pytest.mark.parametrize(("basis", "dim"), [("kerdock", 16), ("gold", 32)])
def test_coherence_of_a_closed_form_is_that_of_the_vectors_in_use(basis, dim):
    start = table(10, dim, basis)
    assert start.made.coherence == 0
    for n in (dim, dim + 1, 3 * dim):
        made = grown(start, n).made
        assert made.coherence == pytest.approx(coherence(made.basis.rows(0, n)).max, abs=1e-12)


def test_random_vectors_stay_random():
    start = table(10, 20, "random")
    made = grown(start, 15).made
    assert made.basis.kind == "random"
    assert made.alpha is None
    assert made.coherence == pytest.approx(coherence(made.basis.dense()).max)


def test_no_new_vectors_beat_the_bound():
    rng = np.random.default_rng(0)
    for n_old, dim, n_new in ((5, 5, 1), (7, 4, 3), (3, 6, 5), (40, 3, 30), (2, 9, 20)):
        old, _ = unit_rows(rng.standard_normal((n_old, dim)))
        taken = np.linalg.eigvalsh(old.T @ old)
        weights = filling(taken, n_new)
        bound = bound_beside(taken, weights, n_old, n_new)
        start = unit_rows(rng.standard_normal((n_new, dim)))[0]
        limits = {"max_iter": 300, "tol": 0, "backend": "numpy"}
        assert separated(start, old, bound, **limits).coherence >= bound
        # No other weights of this sum make the whole as even.
        assert weights.sum() == pytest.approx(n_new)
        for _ in range(20):
            other = rng.dirichlet(np.ones(dim)) * n_new
            assert np.square(taken + other).sum() >= np.square(taken + weights).sum()


def test_a_bound_beside_orthonormal_vectors_is_known():
    ones = np.ones(16)
    assert bound_beside(ones, filling(ones, 1), 16, 1) == pytest.approx(0.25)
    # Two orthonormal bases whose vectors have only such cosines.
    assert bound_beside(ones, filling(ones, 16), 16, 16) == pytest.approx(0.25)


def test_added_classes_are_told_of():
    pytest.importorskip("torch")
    pytest.importorskip("skorch")
    from tests.neural_network.digits import X, Y, classifier

    model = classifier(max_epochs=1, dim=16, basis="kerdock").fit(X, Y)
    assert model.coherence_ == 0
    assert model.add_classes(np.arange(10, 30)).coherence_ == 0.25
    model = classifier(max_epochs=1).fit(X, Y)
    assert model.alpha_ is None
    model.add_classes([10])
    assert 10**-0.5 <= model.coherence_ <= model.alpha_ + 1e-4


# Work


def test_growth_that_would_take_hours_is_refused():
    with pytest.raises(ValueError, match=r"the 20000 that.*Fit again with dim=256 or larger"):
        grown(table(10, 100, "auto"), 20_000)


def test_growth_beyond_all_closed_forms_has_another_remedy():
    start = table(10, 16, "kerdock")
    with pytest.raises(ValueError, match="Fit again with basis='random'"):
        start._refuse(10**10)
    with pytest.raises(ValueError, match=r"optimise\. Pass 'random'"):
        make_ebv(10**10, 16)


def test_auto_pads_a_closed_form_where_the_descent_costs_too_much():
    with pytest.warns(UserWarning, match="dim=1000 is no order of 'gold': 512 of its"):
        V, info = make_ebv(4000, 1000, return_info=True)
    assert info["method"] == "gold"
    assert coherence(V[::8]).max <= info["coherence"] == 0.0625


def test_coherence_of_many_vectors_is_found_in_pieces():
    V = np.random.default_rng(0).standard_normal((6000, 8))
    tracemalloc.start()
    coherence(V)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6


def test_an_orthonormal_optimum_is_not_searched():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        V, info = make_ebv(5, 8, method="optimize", tol=0, random_state=0, return_info=True)
    assert_allclose(V @ V.T, np.eye(5), atol=1e-14)
    assert info["n_iter"] == 0
    assert info["converged"]


def test_largest_cosine_is_that_of_the_product():
    rng = np.random.default_rng(0)
    A, B = (unit_rows(rng.standard_normal((n, 3)))[0] for n in (1500, 1100))
    for others, C in ((None, np.triu(A @ A.T, 1)), (B, A @ B.T)):
        for signed in (False, True):
            found = largest_cosine(A, others, signed=signed)
            S = C if signed else np.abs(C)
            assert found.value == pytest.approx(S.max(), rel=1e-15)
            assert S[found.first, found.second] == found.value
    assert largest_cosine(A[:1]).value == 0


# Edges


def test_a_simplex_of_one_vertex_is_a_vector():
    V = make_ebv(1, 5, method="simplex")
    assert np.linalg.norm(V) == 1
    assert EBVEncoder(basis="simplex").fit([0, 0]).coherence_ == 0


@pytest.mark.parametrize("scale", [1e200, 1e-200, 1e-300, 1e308])
def test_given_vectors_of_any_scale_are_scaled(scale):
    V = make_ebv(4, 6, random_state=0)
    with pytest.warns(UserWarning, match="are scaled to 1"):
        made = bases.given_basis(scale * V, 4, None)
    assert_allclose(made.basis.dense(), V, rtol=1e-14)


# Enrolment


@pytest.fixture
def linear():
    """A classifier whose embeddings change sign with the samples."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("skorch")
    from tests.neural_network.digits import X, Y, classifier

    settings = {"standardize": False, "max_epochs": 1}
    return classifier(backbone=torch.nn.Linear(64, 10, bias=False), **settings).fit(X, Y)


def test_enrolled_samples_must_have_a_mean_direction(linear):
    x = np.arange(64.0)
    for scale in (-1, -3.3, -0.7):
        with pytest.raises(ValueError, match="The embeddings of 77 add up to zero"):
            linear.enroll(np.stack([x, scale * x, x, scale * x]), [77] * 4)
    assert 77 not in linear.classes_


def test_enrolled_classes_must_differ(linear):
    x = np.random.default_rng(0).standard_normal((1, 64))
    with pytest.raises(ValueError, match="77 and 78 have the same vector"):
        linear.enroll(np.concatenate([x, x]), [77, 78])
    linear.enroll(x, [77])
    with pytest.raises(ValueError, match="78 and 77 have the same vector"):
        linear.enroll(x, [78])
    # Opposite directions are as far apart as two can be.
    linear.enroll(-x, [78])
    assert linear.enrolled_coherence_ == pytest.approx(1)
    assert_array_equal(linear.predict(np.concatenate([x, -x])), [77, 78])


def test_enrolment_warns_of_one_class_under_two_labels(of_eight):
    from tests.neural_network.digits import X, Y

    nines = X[Y == 9]
    model = copy.deepcopy(of_eight).enroll(nines[::2], [9] * len(nines[::2]))
    with pytest.warns(UserWarning, match=r"vector of 99 has cosine 0\.9\d+ with that of 9:"):
        model.enroll(nines[1::2], [99] * len(nines[1::2]))
    assert 99 in model.classes_
