"""The generator behind the sketches, against its published values and in plain integers."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import stats

from skmatrix.random_projection._hashing import (
    OUTPUTS,
    PICKS,
    PLACES,
    ROWS,
    below,
    draw_seed,
    hashes,
    row_signs,
    signs,
    sparse_sign_columns,
    srht_draws,
    srht_places,
    stream_key,
)
from skmatrix.random_projection._sketch import Sketch

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15
# Indices of samples that no 32-bit integer holds, and a few that it does.
INDICES = [0, 1, 1023, 2**31 - 1, 2**31, 2**32 + 5, 2**40 + 77, 2**53 + 1, 2**62]


def mix(z):
    """splitmix64's output function in Python's integers."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def hash_of(key, index):
    return mix((key + index * GOLDEN) & MASK)


def key_of(seed, stream):
    return mix((mix((seed + GOLDEN) & MASK) + (stream + 1) * GOLDEN) & MASK)


@pytest.mark.parametrize(
    ("seed", "published"),
    [
        (0, [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]),
        (1234567, [6457827717110365317, 3203168211198807973, 9817491932198370423]),
    ],
)
def test_hashes_are_the_published_outputs_of_splitmix64(seed, published):
    outputs = hashes(np.uint64(seed), np.arange(1, 4))
    assert outputs.dtype == np.uint64
    assert outputs.tolist() == published


@pytest.mark.parametrize("seed", [0, 1, 2**31 - 2, MASK])
@pytest.mark.parametrize("stream", [ROWS, PICKS, OUTPUTS, PLACES])
def test_keys_and_hashes_in_plain_integers(seed, stream):
    key = key_of(seed, stream)
    assert int(stream_key(seed, stream)) == key
    expected = [hash_of(key, i) for i in INDICES]
    assert hashes(stream_key(seed, stream), INDICES).tolist() == expected


def test_sparse_sign_columns_in_plain_integers():
    targets, values = sparse_sign_columns(7, INDICES, 20, 3)
    for i, index in enumerate(INDICES):
        key = hash_of(key_of(7, ROWS), index)
        for t, (low, high) in enumerate([(0, 6), (6, 13), (13, 20)]):
            h = hash_of(key, t + 1)
            assert targets[i, t] == low + ((h >> 32) * (high - low) >> 32)
            assert values[i, t] == (1 if h % 2 else -1) / np.sqrt(3)


@pytest.mark.parametrize("block_index", [0, 1, 2**31, 2**45])
def test_srht_draws_and_signs_in_plain_integers(block_index):
    picks, values = srht_draws(7, block_index, 50, 128)
    for stream, drawn in [(PICKS, picks), (OUTPUTS, values)]:
        key = hash_of(key_of(7, stream), block_index)
        h = [hash_of(key, c) for c in range(50)]
        expected = [x >> 57 for x in h] if stream == PICKS else [1 if x % 2 else -1 for x in h]
        assert drawn.tolist() == expected
    key = key_of(7, ROWS)
    assert row_signs(7, INDICES).tolist() == [1 if hash_of(key, i) % 2 else -1 for i in INDICES]


def place_of(i, key, low_bits, high_bits):
    """Where a row of a block goes, in plain integers."""
    high, low = i >> low_bits, i % 2**low_bits
    for t in (0, 2):
        high ^= hash_of(hash_of(key, t), low) % 2**high_bits
        low ^= hash_of(hash_of(key, t + 1), high) % 2**low_bits
    return (high << low_bits) + low


@pytest.mark.parametrize("order", [*range(12), 16])
def test_places_are_a_permutation(order):
    block = 2**order
    places = srht_places(7, 3, block)
    assert_array_equal(np.sort(places), np.arange(block))
    key = hash_of(key_of(7, PLACES), 3)
    checked = np.unique(np.linspace(0, block - 1, 200).astype(int)).tolist()
    halves = order // 2, order - order // 2
    assert places[checked].tolist() == [place_of(i, key, *halves) for i in checked]
    if order > 3:
        assert (srht_places(7, 4, block) != places).any()


@pytest.mark.parametrize("rows", [(0, 1), (0, 512), (5, 6), (17, 1023)])
def test_places_of_a_pair_of_rows_are_as_if_drawn(rows):
    pairs = np.array([srht_places(seed, 0, 1024)[list(rows)] for seed in range(4000)])
    for i in range(2):
        assert_balanced(np.bincount(pairs[:, i] // 16, minlength=64))
        assert_balanced(np.bincount(pairs[:, i] % 64, minlength=64))
    # What two indices have in common is lost; halves as short as these leave some of it.
    for part in (pairs[:, 0] ^ pairs[:, 1], pairs[:, 0] - pairs[:, 1] + 1023):
        assert np.bincount(part).max() < 0.01 * len(pairs)


def test_uniform_picks_of_a_huge_number_of_samples():
    n_samples = 2**45
    S = Sketch("uniform", 20_000, 3, n_samples=n_samples)
    picks = S._picks()
    assert picks.min() >= 0
    assert picks.max() < n_samples
    assert len(np.unique(picks)) == 20_000
    assert stats.kstest(picks / n_samples, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("bound", [1, 2, 3, 1000, 2**31])
def test_below_reaches_the_whole_range_and_no_more(bound):
    ends = np.array([0, MASK], dtype=np.uint64)
    assert below(ends, bound).tolist() == [0, bound - 1]


def test_signs_are_the_lowest_bit():
    assert signs(np.array([0, 1, 2, MASK], dtype=np.uint64)).tolist() == [-1, 1, -1, 1]


def assert_balanced(counts):
    """Neither too uneven nor too even; the seeds are fixed."""
    p = stats.chisquare(counts).pvalue
    assert 1e-4 < p < 1 - 1e-4


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("first", [0, 2**33])
class TestBalance:
    n = 100_000

    def test_row_signs(self, seed, first):
        s = row_signs(seed, np.arange(first, first + self.n))
        assert_balanced([np.sum(s > 0), np.sum(s < 0)])
        # Runs of eight neighbours, and rows that are a power of two apart.
        words = (s.reshape(-1, 8) > 0) @ (1 << np.arange(8))
        assert_balanced(np.bincount(words, minlength=256))
        for lag in (1, 64, 1024, 65536):
            agreeing = np.sum(s[lag:] == s[:-lag])
            assert_balanced([agreeing, len(s) - lag - agreeing])

    def test_sparse_sign_targets_and_signs(self, seed, first):
        targets, values = sparse_sign_columns(seed, np.arange(first, first + self.n), 40, 4)
        for t in range(4):
            assert_balanced(np.bincount(targets[:, t] - 10 * t, minlength=10))
            # Together with the sign, and with the target next to it.
            joint = 2 * (targets[:, t] - 10 * t) + (values[:, t] > 0)
            assert_balanced(np.bincount(joint, minlength=20))
            pair = 10 * (targets[:, t] - 10 * t) + targets[:, t - 1] - 10 * ((t - 1) % 4)
            assert_balanced(np.bincount(pair, minlength=100))
        for t in range(1, 4):
            agreeing = np.sum(values[:, t] == values[:, 0])
            assert_balanced([agreeing, self.n - agreeing])

    def test_srht_draws(self, seed, first):
        draws = [srht_draws(seed, first + b, 1000, 64) for b in range(100)]
        picks, values = (np.concatenate(part) for part in zip(*draws, strict=True))
        assert_balanced(np.bincount(picks, minlength=64))
        assert_balanced(np.bincount(2 * picks + (values > 0), minlength=128))
        neighbours = 2 * (values[1:] > 0) + (values[:-1] > 0)
        assert_balanced(np.bincount(neighbours, minlength=4))


def test_seeds_next_to_each_other_are_independent():
    s = np.array([row_signs(seed, np.arange(2000)) for seed in range(200)])
    products = (s[1:] * s[:-1]).sum(axis=1) / np.sqrt(2000)
    assert np.abs(products).max() < 5
    assert 0.75 < np.mean(products**2) < 1.3
    assert_balanced([np.sum(s > 0), np.sum(s < 0)])


def test_streams_of_a_seed_are_independent():
    s = np.array([signs(hashes(stream_key(3, j), np.arange(10_000))) for j in range(4)])
    gram = s @ s.T / np.sqrt(10_000)
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 4


def test_draw_seed():
    assert draw_seed(5) == draw_seed(5) == np.random.RandomState(5).randint(2**31 - 1)
    generator = np.random.RandomState(5)
    first, second = draw_seed(generator), draw_seed(generator)
    assert first == draw_seed(5) != second
    assert draw_seed(None) != draw_seed(None)
    assert type(draw_seed(0)) is int
