"""Generators of measurements by Kronecker products."""

from functools import reduce

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skmatrix.datasets import make_irs_channel, make_kronecker_sparse


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("values", ["kronecker", "general"])
@pytest.mark.parametrize("n_snapshots", [1, 3])
def test_measurements_are_products_with_noise(is_complex, values, n_snapshots):
    factors, y, truth = make_kronecker_sparse(
        (9, 8, 7),
        (6, 7, 8),
        n_nonzero=(2, 3, 1),
        values=values,
        snr=20,
        n_snapshots=n_snapshots,
        is_complex=is_complex,
        random_state=0,
    )
    dtype = np.complex128 if is_complex else np.float64
    assert {a.dtype for a in (*factors, y, truth.coef)} == {np.dtype(dtype)}
    signal = truth.coef @ reduce(np.kron, factors).T
    noise = y.T - signal
    assert truth.noise_variance == pytest.approx(np.mean(np.abs(signal) ** 2) / 100)
    assert np.mean(np.abs(noise) ** 2) == pytest.approx(truth.noise_variance, rel=0.2)
    tensors = truth.coef.reshape(n_snapshots, 9, 8, 7)
    block = tensors[np.ix_(range(n_snapshots), *truth.support)]
    assert block.shape == (n_snapshots, 2, 3, 1)
    assert np.count_nonzero(truth.coef) == block.size == np.count_nonzero(block)
    ranks = {np.linalg.matrix_rank(matrix[:, :, 0]) for matrix in block}
    assert ranks == {1 if values == "kronecker" else 2}


def test_seed_decides_and_noise_can_be_left_out():
    first, again = (make_kronecker_sparse(random_state=3) for _ in range(2))
    assert_array_equal(first[1], again[1])
    factors, y, truth = make_kronecker_sparse((5, 4), (4, 4), snr=None, random_state=0)
    assert truth.noise_variance == 0
    assert_allclose(y, reduce(np.kron, factors) @ truth.coef, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"n_features": (5, 4)}, "an item for each factor. Got 2, 3 and 2"),
        ({"n_nonzero": (1, 2)}, "an item for each factor. Got 3, 3 and 2"),
        ({"n_nonzero": 16}, "at most n_features"),
        ({"n_features": (5, 0, 4)}, "integers of at least 1"),
        ({"n_measurements": (5, 2.5, 4)}, "integers of at least 1"),
        ({"n_nonzero": 0}, "n_nonzero"),
        ({"values": "binary"}, "values"),
        ({"n_snapshots": 0}, "n_snapshots"),
    ],
)
def test_bad_arguments_are_named(arguments, match):
    with pytest.raises(ValueError, match=match):
        make_kronecker_sparse(**arguments)


def test_channel_is_that_of_its_physics():
    """Antennas, surface and paths one by one, and then what the coefficients make of them."""
    factors, y, truth = make_irs_channel(None, random_state=0)
    assert [factor.shape for factor in factors] == [(6, 18), (3, 18), (16, 18)]
    assert_allclose(y, reduce(np.kron, factors) @ truth.coef, atol=1e-12)
    assert [indices.size for indices in truth.support] == [3, 1, 3]
    for indices in (truth.support[0], truth.support[2]):
        assert_array_equal(np.diff(indices), 1)

    def response(n, angle):
        return np.exp(1j * np.pi * np.arange(n) * (2 * angle / 18 - 1)) / np.sqrt(n)

    reflected, mobile, base = truth.responses
    for angle in (0, 5, 17):
        assert_allclose(base[:, angle], response(16, angle), atol=1e-12)
        assert_allclose(mobile[:, angle], response(6, angle).conj(), atol=1e-12)
        # A signal that arrives from the first angle leaves unchanged towards it.
        pattern_free = response(256, 0) * response(256, angle).conj()
        assert np.abs(reflected[:, angle]).max() <= np.abs(pattern_free).sum() / 16 + 1e-12
    channel = truth.channel(truth.coef)
    assert channel.shape == (6, 6, 16)
    pilots = factors[1] @ np.linalg.pinv(mobile)
    assert_allclose(y.reshape(6, 3, 16), np.einsum("ta,pab->ptb", pilots, channel), atol=1e-12)
    assert_allclose(np.abs(pilots), 1 / np.sqrt(6), rtol=1e-9)


def test_errors_of_channels():
    _, _, truth = make_irs_channel(random_state=0)
    assert truth.nmse(truth.coef) == 0
    assert truth.nmse(np.zeros(18**3)) == 1
    assert truth.nmse(1.5 * truth.coef) == pytest.approx(0.25)


def test_noise_of_channels_follows_its_level():
    _, clean, _ = make_irs_channel(None, random_state=0)
    _, noisy, truth = make_irs_channel(10, random_state=0)
    power = np.mean(np.abs(clean) ** 2)
    assert truth.noise_variance == pytest.approx(power / 10)
    assert np.mean(np.abs(noisy - clean) ** 2) == pytest.approx(power / 10, rel=0.2)
