"""Read-out and losses: probabilities, derivatives, and the binomial tail that the paper means."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom

from skmatrix.svm._variational_loss import (
    binary_cross_entropy,
    binary_probability,
    class_readout,
    cross_entropy,
    depolarised,
    drawn,
    empirical_risk,
    log_scores,
)


def problem(n_classes, seed=0, n_samples=7):
    """Probabilities away from the limits, classes, and weights."""
    rng = np.random.default_rng(seed)
    probability = rng.dirichlet(np.full(n_classes, 3.0), n_samples)
    codes = rng.integers(0, n_classes, n_samples)
    return probability, codes, rng.dirichlet(np.ones(n_samples))


def test_two_classes_are_told_by_the_parity_of_all_bits():
    assert_array_equal(class_readout(2, 2)[:, 1], [1, 0, 0, 1])
    assert_array_equal(class_readout(3, 2)[:, 1], [1, 0, 0, 1, 0, 1, 1, 0])


def test_more_classes_are_told_by_the_remainder():
    assert_array_equal(class_readout(3, 3).argmax(axis=1), [0, 1, 2, 0, 1, 2, 0, 1])
    assert_array_equal(class_readout(3, 3).sum(axis=1), np.ones(8))


@pytest.mark.parametrize(
    ("loss", "n_classes", "bias"),
    [
        (empirical_risk, 2, 0.1),
        (binary_cross_entropy, 2, -0.2),
        (cross_entropy, 3, np.array([0.3, -0.1, 0.0])),
        (cross_entropy, 5, np.zeros(5)),
    ],
)
def test_derivatives_of_losses_are_those_of_differences(loss, n_classes, bias):
    probability, codes, share = problem(n_classes)
    value, cotangent, slope = loss(probability, bias, codes, share, 50)
    step = 1e-6
    assert np.isfinite(value)
    for i, c in np.ndindex(*probability.shape):
        moved = np.zeros_like(probability)
        moved[i, c] = step
        above, below = (
            loss(probability + sign * moved, bias, codes, share, 50)[0] for sign in (1, -1)
        )
        assert (above - below) / (2 * step) == pytest.approx(cotangent[i, c], rel=1e-5, abs=1e-8)
    for k in range(np.size(bias)):
        moved = np.zeros(np.shape(bias))
        moved[(k,) * np.ndim(bias)] = step
        above, below = (
            loss(probability, bias + sign * moved, codes, share, 50)[0] for sign in (1, -1)
        )
        expected = np.ravel(slope)[k]
        assert (above - below) / (2 * step) == pytest.approx(expected, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("bias", [0.0, 0.2])
def test_empirical_risk_follows_the_probability_of_a_wrong_majority(bias):
    """With R shots, the label is wrong if too few of them show it; the logistic function of the
    paper is flatter than the normal distribution of their number.
    """
    R, grid = 50, np.linspace(0.01, 0.99, 99)
    codes, share = np.ones(1, dtype=int), np.ones(1)
    threshold = R * (1 - bias) / 2
    risks, wrong = [], []
    for p in grid:
        risks.append(empirical_risk(np.array([[1 - p, p]]), bias, codes, share, R)[0])
        wrong.append(binom.cdf(threshold - 1, R, p) + binom.pmf(threshold, R, p) / 2)
    assert np.all(np.diff(risks) < 0)
    assert_allclose(risks, wrong, rtol=0, atol=0.2)
    even = np.argmin(np.abs(grid - (1 - bias) / 2))
    assert risks[even] == pytest.approx(0.5, abs=1e-12)
    assert wrong[even] == pytest.approx(0.5, abs=0.01)
    assert_allclose([risks[0], risks[-1]], [1, 0], atol=1e-3)


def test_empirical_risk_treats_classes_alike():
    probability, codes, share = problem(2)
    risk, cotangent, slope = empirical_risk(probability, 0.3, codes, share, 50)
    swapped = empirical_risk(probability[:, ::-1], -0.3, 1 - codes, share, 50)
    assert swapped[0] == pytest.approx(risk, rel=1e-14)
    assert_allclose(swapped[1], cotangent[:, ::-1], rtol=1e-13)
    assert swapped[2] == pytest.approx(-slope, rel=1e-13)


def test_losses_are_finite_where_probabilities_are_zero_or_one():
    for codes in (np.array([0, 1]), np.array([1, 0])):
        for loss in (empirical_risk, binary_cross_entropy):
            value, cotangent, slope = loss(np.eye(2), 0.0, codes, np.full(2, 0.5), 50)
            assert np.isfinite(value)
            assert np.isfinite(slope)
            assert np.all(np.isfinite(cotangent))
        value, cotangent, slope = cross_entropy(np.eye(3)[:2], np.zeros(3), codes, np.full(2, 0.5))
        assert np.isfinite(value)
        assert np.all(np.isfinite(slope))
        assert np.all(np.isfinite(cotangent))


@pytest.mark.parametrize("loss", [empirical_risk, binary_cross_entropy])
def test_losses_are_flat_where_probabilities_are_clipped(loss):
    """The derivative is that of the clipped loss, zero, and not that of the formula, which is not
    zero for one shot; for 50 it would be too small for a number.
    """
    codes, share, step = np.array([1, 0]), np.full(2, 0.5), 1e-5
    probability = np.array([[0.9995, 0.0005], [0.0005, 0.9995]])
    value, cotangent, _ = loss(probability, 0.0, codes, share, 1)
    assert loss(probability + step * np.array([-1, 1]), 0.0, codes, share, 1)[0] == value
    assert_array_equal(cotangent, np.zeros((2, 2)))


def test_probability_of_the_second_class_is_clipped():
    probability = np.array([[1.0, 0.0], [0.5, 0.5], [0.1, 0.9]])
    assert_allclose(binary_probability(probability, 0.4), [0.2, 0.7, 1.0])


def test_scores_without_bias_are_the_probabilities():
    probability, _, _ = problem(4)
    assert_allclose(np.exp(log_scores(probability, np.zeros(4))), probability, rtol=1e-12)


def test_depolarised_outcomes_come_from_the_mixed_state():
    readout = class_readout(3, 3)
    found = depolarised(np.array([[1.0, 0.0, 0.0]]), 0.2, readout)
    assert_allclose(found, [[0.8 + 0.2 * 3 / 8, 0.2 * 3 / 8, 0.2 * 2 / 8]])


def test_drawn_frequencies_have_the_mean_and_variance_of_counts():
    probability = np.tile([0.2, 0.3, 0.5], (20000, 1))
    found = drawn(probability, 40, np.random.default_rng(0))
    assert_allclose(found.sum(axis=1), 1)
    variance = probability[0] * (1 - probability[0]) / 40
    assert np.all(np.abs(found.mean(axis=0) - probability[0]) < 4 * np.sqrt(variance / 20000))
    assert_allclose(found.var(axis=0), variance, rtol=0.05)
