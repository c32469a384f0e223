"""Fields of 2**n elements, whose elements are the integers with n bits."""

from functools import cache

import numpy as np

# Primitive polynomials as bit masks, by degree: the powers of the element 2 are all elements but 0.
_PRIMITIVE = {
    1: 0b11,
    3: 0b1011,
    5: 0b100101,
    7: 0b10000011,
    9: 0b1000010001,
    11: 0b100000000101,
    13: 0b10000000011011,
}


@cache
def powers(n_bits):
    """The powers of the generator.

    Parameters
    ----------
    n_bits : int
        Odd, up to 13.

    Returns
    -------
    elements : int64 ndarray of shape (2**n_bits - 1,)
        The j-th is the generator to the power j.
    """
    elements = np.empty(2**n_bits - 1, dtype=np.int64)
    value = 1
    for j in range(elements.size):
        elements[j] = value
        value <<= 1
        if value >> n_bits:
            value ^= _PRIMITIVE[n_bits]
    elements.setflags(write=False)
    return elements


def logarithms(n_bits):
    """Exponents of the elements 1, 2, ... to the base of the generator.

    Parameters
    ----------
    n_bits : int
        Odd, up to 13.

    Returns
    -------
    exponents : int64 ndarray of shape (2**n_bits - 1,)
        The j-th belongs to the element j + 1.
    """
    return np.argsort(powers(n_bits))


def traces(n_bits, exponent=1):
    """Absolute traces of a power of every element but 0.

    Parameters
    ----------
    n_bits : int
        Odd, up to 13.
    exponent : int, default=1
        The power.

    Returns
    -------
    bits : int64 ndarray of shape (2**n_bits - 1,)
        ``Tr(g**(j * exponent))`` for the generator g, 0 or 1.
    """
    elements = powers(n_bits)
    places = np.arange(elements.size) * exponent
    total = np.zeros_like(elements)
    for i in range(n_bits):
        total ^= elements[(places << i) % elements.size]
    return total
