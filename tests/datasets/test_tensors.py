"""Tensors of known factor functions."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix.datasets import make_functional_tensor


def test_default_is_three_modes_of_unit_variance_and_a_tenth_of_noise():
    X, y, truth = make_functional_tensor(random_state=0)
    assert X.shape == (2000, 3)
    assert y.shape == (2000,)
    assert truth.core.shape == (2, 2, 2)
    assert [np.unique(x).size for x in X.T] == [30, 40, 50]
    assert np.unique(X, axis=0).shape == X.shape
    assert X.min() >= 0
    assert X.max() <= 1
    assert np.std(truth(X)) == pytest.approx(1.0)
    assert np.std(y - truth(X)) == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize("ranks", [(2, 3), (3, 1, 4), (2, 2, 2, 3)])
def test_values_are_products_of_functions_weighted_by_the_core(ranks):
    X, y, truth = make_functional_tensor(20, [5] * len(ranks), rank=ranks, noise=0, random_state=1)
    functions = [truth.functions(mode, x) for mode, x in enumerate(X.T)]
    expected = np.zeros(20)
    for place in np.ndindex(*ranks):
        product = np.prod([f[:, r] for f, r in zip(functions, place, strict=True)], axis=0)
        expected += truth.core[place] * product
    assert_allclose(y, expected, rtol=1e-12, atol=1e-14)
    assert_array_equal(truth(X), y)


def test_functions_are_the_documented_waves():
    _, _, truth = make_functional_tensor(10, (5, 5, 5), rank=4, random_state=0)
    t = np.linspace(0, 1, 7)
    for k in range(3):
        expected = np.stack(
            [
                np.sin(2 * np.pi * t * (1 + 0.3 * k) + k),
                np.cos(3 * np.pi * t * (1 - 0.2 * k)),
                np.sin(4 * np.pi * t * (1 + 0.3 * k) + k),
                np.cos(6 * np.pi * t * (1 - 0.2 * k)),
            ],
            axis=1,
        )
        assert_allclose(truth.functions(k, t), expected, atol=1e-13)


def test_core_of_cp_is_diagonal():
    X, y, truth = make_functional_tensor(
        40, (6, 7), rank=3, decomposition="cp", noise=0, random_state=0
    )
    assert np.count_nonzero(truth.core) == 3
    assert np.diag(truth.core).all()
    left, right = (truth.functions(mode, x) for mode, x in enumerate(X.T))
    assert_allclose(y, (left * right) @ np.diag(truth.core), rtol=1e-12)


def test_mode_without_points_has_a_coordinate_for_each_entry():
    X, _, _ = make_functional_tensor(200, (None, 5), random_state=0)
    assert np.unique(X[:, 0]).size == 200
    assert np.unique(X[:, 1]).size == 5
    X, _, _ = make_functional_tensor(200, (None, None), random_state=0)
    assert np.unique(X[:, 1]).size == 200


def test_whole_grid_may_be_taken():
    X, _, _ = make_functional_tensor(30, (5, 6), random_state=0)
    assert np.unique(X, axis=0).shape == (30, 2)


def test_order_of_entries_is_random():
    # So that any share of them is a random sample.
    X, _, _ = make_functional_tensor(400, (20, 40), random_state=0)
    assert abs(np.corrcoef(np.arange(400), X[:, 0])[0, 1]) < 0.2


def test_same_seed_gives_the_same_data():
    first, again, other = (make_functional_tensor(50, random_state=seed) for seed in (0, 0, 1))
    assert_array_equal(first[0], again[0])
    assert_array_equal(first[1], again[1])
    assert_array_equal(first[2].core, again[2].core)
    assert not np.array_equal(first[1], other[1])


def test_truth_can_be_pickled():
    X, _, truth = make_functional_tensor(20, random_state=0)
    assert_array_equal(pickle.loads(pickle.dumps(truth))(X), truth(X))


def test_single_entry_is_not_scaled_by_its_missing_spread():
    _, y, _ = make_functional_tensor(1, (1, 1), random_state=0)
    assert np.isfinite(y).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_points": ()}, r"n_points must hold an integer of at least 1, or None.*Got \(\)"),
        ({"n_points": (3, 0)}, r"n_points must hold an integer.*Got \(3, 0\)"),
        ({"n_points": (2**16,) * 4}, r"grid of 1.84e\+19 places, of which none can be drawn"),
        ({"n_points": (3, 2.5)}, r"n_points must hold an integer.*Got \(3, 2.5\)"),
        ({"rank": (2, 2)}, r"rank must hold an integer .* 3 modes. Got \(2, 2\)"),
        ({"rank": (2, 2, 0)}, r"rank must hold an integer .* Got \(2, 2, 0\)"),
        ({"rank": 0}, "The 'rank' parameter of make_functional_tensor must be"),
        ({"rank": (2, 2, 3), "decomposition": "cp"}, r"one rank for all modes. Got rank=\(2, 2, 3"),
        ({"decomposition": "tt"}, "The 'decomposition' parameter of make_functional_tensor must"),
        ({"noise": -1}, "The 'noise' parameter of make_functional_tensor must be"),
        ({"n_entries": 0}, "The 'n_entries' parameter of make_functional_tensor must be"),
        ({"n_points": (3, 4), "n_entries": 13}, "n_entries=13 must be at most 12, the places"),
    ],
    ids=str,
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        make_functional_tensor(**parameters)


def test_truth_refuses_other_numbers_of_columns():
    _, _, truth = make_functional_tensor(10, random_state=0)
    with pytest.raises(ValueError, match="X has 2 columns, but the tensor has 3 modes"):
        truth(np.zeros((4, 2)))
