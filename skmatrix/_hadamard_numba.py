"""The fast Walsh-Hadamard transform, compiled; shared by sketches and quantum states."""

from numba import njit

_JIT = {"cache": True, "nogil": True}

# Elements of a chunk that is transformed wholly within the first-level cache.
_CHUNK = 8192


@njit(**_JIT)
def hadamard_rows(a, width):
    """Walsh-Hadamard transform in place of rows of a width, stored one after the other."""
    chunk = width
    while chunk < a.shape[0] and 2 * chunk <= _CHUNK:
        chunk *= 2
    for begin in range(0, a.shape[0], chunk):
        _butterflies(a[begin : begin + chunk], width)
    _butterflies(a, chunk)


@njit(**_JIT)
def _butterflies(a, length):
    """The levels of a transform from a distance on; all loops run over neighbours.

    Two levels are made in one go, which halves the traffic.
    """
    size = a.shape[0]
    levels = 0
    while (length << levels) < size:
        levels += 1
    if levels % 2 == 1:
        for p in range(0, size, 2 * length):
            u, v = a[p : p + length], a[p + length : p + 2 * length]
            for j in range(length):
                x, y = u[j], v[j]
                u[j], v[j] = x + y, x - y
        length *= 2
    while length < size:
        for p in range(0, size, 4 * length):
            u0 = a[p : p + length]
            u1 = a[p + length : p + 2 * length]
            u2 = a[p + 2 * length : p + 3 * length]
            u3 = a[p + 3 * length : p + 4 * length]
            for j in range(length):
                x0, x1, x2, x3 = u0[j], u1[j], u2[j], u3[j]
                s0, s1, s2, s3 = x0 + x1, x0 - x1, x2 + x3, x2 - x3
                u0[j], u1[j], u2[j], u3[j] = s0 + s2, s1 + s3, s0 - s2, s1 - s3
        length *= 4
