"""Tensors with holes as entries, and back."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from skmatrix.decomposition import FunBaT, entries_to_tensor, tensor_to_entries

AXES = [np.array([250.0, 300.0, 310.5]), np.array([-1.0, 0.5]), np.array([0.0, 2.0, 4.0, 9.0])]


def holed(dtype=np.float64):
    """A tensor of shape (3, 2, 4) with holes, a zero, and a whole slice that is missing."""
    T = np.arange(24, dtype=dtype).reshape(3, 2, 4)
    T[0, 1, 2] = T[2, 0, :3] = T[:, :, 3] = np.nan
    return T


def triplets(T):
    seen = ~np.isnan(T)
    return T[seen], np.nonzero(seen)


def foreign(T):
    """A sparse array of a library that is not SciPy."""
    values, indices = triplets(T)
    return SimpleNamespace(data=values, coords=np.stack(indices), shape=T.shape)


def stored(T):
    """A sparse array of SciPy, which has them of three modes since 1.15."""
    pytest.importorskip("scipy", minversion="1.15")
    return sp.coo_array(triplets(T), shape=T.shape)


FORMS = {
    "dense": lambda T: T,
    "list": lambda T: T.tolist(),
    "masked": lambda T: np.ma.masked_invalid(T),
    "fortran": np.asfortranarray,
    "pair": triplets,
    "foreign": foreign,
    "coo": stored,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_same_entries(form):
    T = holed()
    X, y = tensor_to_entries(FORMS[form](T), AXES)
    places = np.nonzero(~np.isnan(T))
    assert_array_equal(y, T[places])
    assert_array_equal(X, np.stack([a[i] for a, i in zip(AXES, places, strict=True)], axis=1))
    assert X.dtype == y.dtype == np.float64
    assert X.flags.c_contiguous


@pytest.mark.parametrize("form", FORMS)
def test_coordinates_count_from_zero_by_default(form):
    T = holed()[:, :, :3]
    X, _ = tensor_to_entries(FORMS[form](T))
    assert_array_equal(X, np.argwhere(~np.isnan(T)))
    partly, _ = tensor_to_entries(FORMS[form](T), [None, AXES[1], None])
    assert_array_equal(partly, np.stack([X[:, 0], AXES[1][X[:, 1].astype(int)], X[:, 2]], axis=1))


@pytest.mark.parametrize("form", ["csr_array", "csc_matrix", "lil_array", "dok_array"])
def test_stored_zeros_of_a_sparse_matrix_are_entries_and_stored_nan_is_none(form):
    S = sp.coo_array(([0.0, 2.0, np.nan], ([0, 1, 2], [1, 0, 1])), shape=(3, 2))
    X, y = tensor_to_entries(getattr(sp, form)(S), [AXES[0], AXES[1]])
    order = np.argsort(y)
    assert_array_equal(y[order], [0.0, 2.0])
    assert_array_equal(X[order], [[250.0, 0.5], [300.0, -1.0]])


@pytest.mark.parametrize("form", FORMS)
def test_mask_chooses_among_what_is_not_missing(form):
    T = holed()
    mask = np.random.default_rng(0).uniform(size=T.shape) < 0.5
    given = mask[~np.isnan(T)] if form in ("pair", "foreign", "coo") else mask
    X, y = tensor_to_entries(FORMS[form](T), AXES, given)
    expected = tensor_to_entries(np.where(mask, T, np.nan), AXES)
    assert_array_equal(X, expected[0])
    assert_array_equal(y, expected[1])
    assert 0 < y.size < np.count_nonzero(~np.isnan(T))


def test_masked_integers_are_missing():
    T = np.ma.array([[1, 2], [3, 4]], mask=[[False, True], [False, False]])
    X, y = tensor_to_entries(T)
    assert_array_equal(y, [1.0, 3.0, 4.0])
    assert_array_equal(X, [[0, 0], [1, 0], [1, 1]])


def test_places_of_a_pair_may_occur_repeatedly():
    X, y = tensor_to_entries(([1.0, 2.0, 5.0], [[0, 0, 2], [1, 1, 0]]))
    assert_array_equal(y, [1.0, 2.0, 5.0])
    assert_array_equal(X, [[0, 1], [0, 1], [2, 0]])


def test_single_precision_stays_unless_coordinates_need_more():
    T = holed(np.float32)
    for coords, dtype in (
        (None, np.float32),
        ([a.astype(np.float32) for a in AXES], np.float32),
        (AXES, np.float64),
        ([np.arange(3), None, None], np.float64),
    ):
        X, y = tensor_to_entries(T, coords)
        assert y.dtype == np.float32
        assert X.dtype == dtype
    assert tensor_to_entries(holed(), [a.astype(np.float32) for a in AXES])[0].dtype == np.float32


def test_input_is_left_alone():
    T, mask = holed(), np.ones((3, 2, 4), dtype=bool)
    X, y = tensor_to_entries(T, AXES, mask)
    X[:], y[:] = 7, 7
    assert_array_equal(T, holed())
    assert mask.all()
    assert AXES[0][0] == 250.0


def test_arrays_of_other_libraries_are_read():
    torch = pytest.importorskip("torch")
    X, y = tensor_to_entries(torch.asarray(holed()), [torch.asarray(a) for a in AXES])
    expected = tensor_to_entries(holed(), AXES)
    assert_array_equal(X, expected[0])
    assert_array_equal(y, expected[1])


PAIR = (np.ones(3), np.zeros((2, 3), dtype=int))
BAD_TENSORS = {
    "number": ((3.0,), "T must have one mode at least"),
    "complex": ((holed() * 1j,), "T must hold real numbers. Got complex128"),
    "strings": ((np.array(["a", "b"]),), "T must hold real numbers. Got <U1"),
    "nothing": ((np.full((2, 2), np.nan),), "T has no observed entries"),
    "empty": ((np.ones((2, 0)),), "T has no observed entries"),
    "nothing-stored": ((sp.csr_array((3, 4)),), "T has no observed entries"),
    "masked-out": ((holed(), None, np.zeros((3, 2, 4), dtype=bool)), "T has no observed entries"),
    "mask-shape": ((holed(), None, np.ones((3, 2), dtype=bool)),
                   r"mask must have the shape \(3, 2, 4\) of the values. Got \(3, 2\)"),
    "mask-shape-pair": ((PAIR, None, np.ones(4, dtype=bool)),
                        r"mask must have the shape \(3,\) of the values. Got \(4,\)"),
    "mask-dtype": ((holed(), None, np.ones((3, 2, 4))), "mask must be of bool.*Got float64"),
    "coords-number": ((holed(), AXES[:2]), "one vector for each of the 3 modes. Got 2"),
    "coords-size": ((holed(), [AXES[0], AXES[1], AXES[1]]),
                    r"coords\[2\] must have 4 elements. Got 2"),
    "coords-nan": ((holed(), [[1.0, np.nan, 2.0], None, None]),
                   r"coords\[0\] must be a vector of finite numbers. Got float64 of shape \(3,"),
    "coords-matrix": ((holed(), [None, np.ones((2, 1)), None]), r"coords\[1\] must be a vector"),
    "coords-dates": ((holed(), [np.array(["2020-01-01"] * 3, dtype="datetime64[D]"), None, None]),
                     r"coords\[0\] must be a vector of finite numbers. Got datetime64"),
    "coords-pair": (((np.ones(2), [[0, 3], [0, 1]]), [AXES[0], None]),
                    r"coords\[0\] must have more than 3 elements. Got 3"),
    "tuple": (((1.0, 2.0, 3.0),), r"must be a pair \(values, indices\). Got 3 elements"),
    "values": (((np.ones((2, 2)), PAIR[1]),), r"values must be a vector. Got .* \(2, 2\)"),
    "rows": (((np.ones(3), np.zeros((3, 2), dtype=int)),),
             r"one vector of 3 integers for each mode. Got 3 of shapes .*transpose"),
    "no-mode": (((np.ones(3), []),), "one vector of 3 integers for each mode. Got 0"),
    "real": (((np.ones(3), np.full((2, 3), 0.5)),), "indices must be integers from 0. Real"),
    "negative": (((np.ones(3), -np.ones((2, 3), dtype=int)),), "indices must be integers from 0"),
    "twice": ((sp.coo_array(([1.0, 2.0, 3.0], ([0, 0, 1], [1, 1, 0])), shape=(3, 2)),),
              r"T stores 1 entries at places that it stores already. Call T.sum_duplicates\(\)"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TENSORS)
def test_bad_tensors_are_refused(case):
    arguments, message = BAD_TENSORS[case]
    with pytest.raises(ValueError, match=message):
        tensor_to_entries(*arguments)


# And back


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_entries_give_the_tensor_back(dtype):
    T = holed(dtype)
    for coords in (AXES, None, [a[::-1] for a in AXES]):
        X, y = tensor_to_entries(T, coords)
        back, axes = entries_to_tensor(X, y, coords or [np.arange(n) for n in T.shape])
        assert_array_equal(back, T)
        assert back.dtype == dtype
        for axis, given in zip(axes, coords or map(np.arange, T.shape), strict=True):
            assert_array_equal(axis, given)


def test_grid_is_of_the_sorted_coordinates_that_occur():
    X, y = tensor_to_entries(holed(), AXES)
    order = np.random.default_rng(0).permutation(y.size)
    T, axes = entries_to_tensor(X[order], y[order])
    assert_array_equal(T, holed()[:, :, :3])
    assert_array_equal(axes[2], AXES[2][:3])
    mixed, axes = entries_to_tensor(X, y, [None, None, AXES[2]])
    assert_array_equal(mixed, holed())
    assert_array_equal(axes[0], AXES[0])


def test_values_of_the_same_place_are_averaged():
    T, _ = entries_to_tensor([[0, 1], [0, 1], [2, 1]], [1, 4, 5], fill_value=-1)
    assert_array_equal(T, [[2.5], [5.0]])
    T, _ = entries_to_tensor([[0, 0], [1, 1]], [1.0, 2.0], fill_value=-1)
    assert_array_equal(T, [[1.0, -1.0], [-1.0, 2.0]])


def test_coordinates_that_single_precision_has_rounded_are_found():
    axis = np.array([0.1, 0.2, 0.3])
    T, axes = entries_to_tensor(np.float32([[0.2], [0.3]]), [1.0, 2.0], [axis])
    assert_array_equal(T, [np.nan, 1.0, 2.0])
    assert_array_equal(axes[0], axis)


def test_coordinates_that_single_precision_does_not_tell_apart_are_refused():
    axis = [1e9, 1e9 + 1, 2e9]
    with pytest.raises(ValueError, match=r"several of coords\[0\] round to 1e\+09. Pass X in dou"):
        entries_to_tensor(np.float32([[1e9], [2e9]]), [1.0, 2.0], [axis])
    T, _ = entries_to_tensor(np.float32([[2e9]]), [2.0], [axis])
    assert_array_equal(T, [np.nan, np.nan, 2.0])


def test_predictions_fill_the_tensor():
    rng = np.random.default_rng(0)
    full = np.outer(np.sin(np.arange(12) / 3), np.cos(np.arange(9) / 4))
    T = np.where(rng.uniform(size=full.shape) < 0.5, full, np.nan)
    X, y = tensor_to_entries(T)
    model = FunBaT(1, kernel="matern32", fit_intercept=False, tol=0.01, random_state=0).fit(X, y)
    grid = tensor_to_entries(np.zeros(full.shape))[0]
    filled, _ = entries_to_tensor(grid, model.predict(grid))
    assert np.abs(filled - full).max() < 0.01


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones(3), np.ones(3)), "Expected 2D array, got 1D array"),
        ((np.ones((3, 2)), np.ones(4)), "inconsistent numbers of samples"),
        ((np.ones((3, 2)), np.ones((3, 2))), "y should be a 1d array"),
        (([[0, np.nan]], [1.0]), "Input X contains NaN"),
        ((np.ones((3, 2)), np.ones(3), [None]), "each of the 2 columns of X. Got 1"),
        (([[0.0, 5.0]], [1.0], [None, [1.0, 4.0]]),
         r"Column 1 of X has 1 coordinates that are not in coords\[1\], such as 5"),
        (([[0.0, -5.0]], [1.0], [None, [1.0, 4.0]]), "Column 1 of X has 1 .* such as -5"),
        (([[0.0]], [1.0], [[0.0, 1.0, 0.0]]), r"coords\[0\] must be a vector of distinct numbers"),
        (([[0.0]], [1.0], [[[0.0]]]), r"coords\[0\] must be a vector .* of shape \(1, 1\)"),
        (([[0.0]], [1.0], [[]]), r"coords\[0\] must be a vector .* of shape \(0,\)"),
    ],
)  # fmt: skip
def test_bad_entries_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        entries_to_tensor(*arguments)


def test_grid_that_would_be_too_large_is_refused():
    X = np.random.default_rng(0).uniform(size=(1000, 4))
    with pytest.raises(ValueError, match=r"\(1000, 1000, 1000, 1000\) has 1e\+12 elements > max_s"):
        entries_to_tensor(X, X[:, 0])
    with pytest.raises(ValueError, match=r"has 4 elements > max_size=3"):
        entries_to_tensor(X[:2, :2], X[:2, 0], max_size=3)
    with pytest.raises(ValueError, match="max_size == 0, must be >= 1"):
        entries_to_tensor(X[:2, :2], X[:2, 0], max_size=0)
