"""What one core of this machine can do: products, exponentials, streams and scattered reads."""

import time
from dataclasses import dataclass, field

import numpy as np
from numba import njit

# Seconds that a rate is measured for.
_DURATION = 0.1
_LINE = 64


@dataclass(frozen=True)
class Work:
    """Operations that an algorithm cannot do without, and the bytes that it has to see.

    Attributes
    ----------
    products : float
        Additions and multiplications.
    exponentials : float
        Exponential functions.
    precision : str
        Of both: "float64" or "float32".
    streams : list of tuple of float
        Pairs: bytes that are read one after the other, and of these how many are different ones, on
        which it hangs whether they come from memory or from a cache.
    reads : list of tuple of float
        Triples: rows that are read in no order, the bytes of a row, and those of the table.
    """

    products: float = 0.0
    exponentials: float = 0.0
    precision: str = "float64"
    streams: list = field(default_factory=list)
    reads: list = field(default_factory=list)

    def seconds(self):
        """Least times of the three kinds of work, measured now.

        Returns
        -------
        seconds : dict of str to float
            "arithmetic", "streams", "scattered_reads".
        """
        arithmetic = self.products * _seconds_of_a_product(self.precision)
        if self.exponentials:
            arithmetic += self.exponentials * _seconds_of_an_exponential(self.precision)
        return {
            "arithmetic": arithmetic,
            "streams": sum(size * _seconds_of_a_byte(within) for size, within in self.streams),
            "scattered_reads": sum(
                count * max(1, row / _LINE) * _seconds_of_a_line(table)
                for count, row, table in self.reads
            ),
        }


def _seconds(call):
    """Least time of some calls."""
    call()
    least, end = float("inf"), time.perf_counter() + _DURATION
    while time.perf_counter() < end:
        begin = time.perf_counter()
        call()
        least = min(least, time.perf_counter() - begin)
    return least


def _seconds_of_a_product(precision):
    """Of an addition or a multiplication in a product of matrices by BLAS."""
    n = 768
    A = np.full((n, n), 0.5, dtype=precision)
    C = np.empty_like(A)
    return _seconds(lambda: np.matmul(A, A, out=C)) / (2 * n**3)


def _seconds_of_an_exponential(precision):
    """Of NumPy's vectorised function, on numbers that are in the first-level cache."""
    x = np.linspace(-20, 0, 1024).astype(precision)
    out = np.empty_like(x)

    def call():
        for _ in range(100):
            np.exp(x, out=out)

    return _seconds(call) / (100 * x.size)


def _seconds_of_a_byte(working_set):
    """Of reading by BLAS, over and over, arrays that take so many bytes together."""
    n = max(int(min(working_set, 2**28)) // 16, 1024)
    x, y = np.ones(n), np.ones(n)
    repeats = max(1, 2**22 // n)

    def call():
        for _ in range(repeats):
            np.dot(x, y)

    return _seconds(call) / (16 * n * repeats)


def _seconds_of_a_line(table_size):
    """Of reading one number of a cache line anywhere in a table of so many bytes."""
    lines = max(int(table_size) // _LINE, 16)
    table = np.ones((lines, _LINE // 8))
    places = np.random.default_rng(0).integers(lines, size=2**18)
    return _seconds(lambda: _read(table, places)) / places.size


@njit(cache=True, nogil=True)
def _read(table, places):
    """Sum of one number of each line; four sums, so that the reads and not the sums are timed."""
    a = b = c = d = 0.0
    for e in range(0, places.size - 3, 4):
        a += table[places[e], 0]
        b += table[places[e + 1], 0]
        c += table[places[e + 2], 0]
        d += table[places[e + 3], 0]
    return a + b + c + d
