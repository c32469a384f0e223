"""Random numbers that hang on an index alone: the counter-based generator splitmix64.

Row i of the data always meets the same column of a sketching matrix, whatever the chunks,
threads, back end or machine, and the matrix is never stored.
"""

from functools import lru_cache

import numpy as np
from sklearn.utils import check_random_state

# The increment and the two multipliers of splitmix64.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)

# Independent streams of one seed.
ROWS, PICKS, OUTPUTS, PLACES = range(4)


def draw_seed(random_state):
    """Seed of a matrix, from what scikit-learn takes as `random_state`."""
    return int(check_random_state(random_state).randint(2**31 - 1))


def mix(z):
    """The bijection of splitmix64, which makes neighbouring integers look independent.

    Parameters
    ----------
    z : uint64 array
        Integers.

    Returns
    -------
    h : uint64 array
        Their images.
    """
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))


@lru_cache(1024)
def stream_key(seed, stream):
    """Key of one of the independent streams of a seed, a non-negative int below 2**64."""
    words = np.array([seed], dtype=np.uint64)
    return mix(mix(words + GOLDEN) + np.array([stream + 1], dtype=np.uint64) * GOLDEN)[0]


def hashes(key, index):
    """One 64-bit hash per index.

    Parameters
    ----------
    key : uint64 scalar or array
        Key of the stream, or of each index.
    index : integer array
        Counters.

    Returns
    -------
    h : uint64 array of at least one dimension
        The hashes.
    """
    # Arrays wrap around in silence, as they should here; scalars would warn.
    return mix(key + np.atleast_1d(np.asarray(index, dtype=np.uint64)) * GOLDEN)


def below(h, bound):
    """Integers from 0 to ``bound - 1`` out of the upper halves of hashes."""
    return (((h >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32)).astype(np.int64)


def signs(h):
    """1.0 or -1.0 by the lowest bit of each hash."""
    return 2.0 * (h & np.uint64(1)).astype(np.float64) - 1.0


def sparse_sign_columns(seed, rows, n_components, n_nonzero):
    """The non-zeros of columns of a sparse sign matrix.

    The length of the sketch is cut into `n_nonzero` segments, and each column has one entry
    in each, so that its entries lie in distinct rows.

    Parameters
    ----------
    seed : int
        Seed of the matrix.
    rows : integer array of shape (n,)
        Indices of the columns, that is, of the rows that are sketched.
    n_components : int
        Number of rows of the matrix.
    n_nonzero : int
        Non-zeros per column.

    Returns
    -------
    targets : int64 array of shape (n, n_nonzero)
        Rows of the non-zeros.
    values : float64 array of shape (n, n_nonzero)
        Their values, ``+-1 / sqrt(n_nonzero)``.
    """
    key = hashes(stream_key(seed, ROWS), rows)[:, None]
    h = hashes(key, np.arange(1, n_nonzero + 1))
    bounds = np.arange(n_nonzero + 1) * n_components // n_nonzero
    targets = np.empty(h.shape, dtype=np.int64)
    for t in range(n_nonzero):
        targets[:, t] = bounds[t] + below(h[:, t], bounds[t + 1] - bounds[t])
    return targets, signs(h) / np.sqrt(n_nonzero)


def srht_draws(seed, block_index, n_components, block):
    """What one block of the block SRHT draws for its outputs.

    Parameters
    ----------
    seed : int
        Seed of the matrix.
    block_index : int
        Index of the block.
    n_components : int
        Number of rows of the matrix.
    block : int
        Rows of a block.

    Returns
    -------
    picks : int64 array of shape (n_components,)
        Rows of the transformed block, with replacement.
    values : float64 array of shape (n_components,)
        Their signs.
    """
    outputs = np.arange(n_components)
    picks = below(hashes(hashes(stream_key(seed, PICKS), block_index), outputs), block)
    return picks, signs(hashes(hashes(stream_key(seed, OUTPUTS), block_index), outputs))


def srht_places(seed, block_index, block):
    """Where the rows of one block of the block SRHT go before they are transformed.

    Without it a few heavy rows at neighbouring or evenly spaced positions would share their bits,
    and so meet few of the different rows of a Hadamard matrix, of which a sample misses some.

    Parameters
    ----------
    seed : int
        Seed of the matrix.
    block_index : int
        Index of the block.
    block : int
        Rows of a block.

    Returns
    -------
    places : int64 array of shape (block,)
        A permutation, made by four rounds of a Feistel network on the halves of the bits.
    """
    keys = hashes(hashes(stream_key(seed, PLACES), block_index), np.arange(4))
    bits = np.uint64((block.bit_length() - 1) // 2)
    low_mask = (np.uint64(1) << bits) - np.uint64(1)
    high_mask = np.uint64(block - 1) >> bits
    index = np.arange(block, dtype=np.uint64)
    high, low = index >> bits, index & low_mask
    for first, second in (keys[:2], keys[2:]):
        high ^= hashes(first, low) & high_mask
        low ^= hashes(second, high) & low_mask
    return ((high << bits) | low).astype(np.int64)


def row_signs(seed, rows):
    """The sign of each row, by its index."""
    return signs(hashes(stream_key(seed, ROWS), rows))
