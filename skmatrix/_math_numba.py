"""Elementary functions for compiled loops that the compiler can turn into vector instructions."""

import numpy as np
from numba import njit, types
from numba.extending import intrinsic, overload

_LOG2_E = 1.4426950408889634
# ln 2 in two parts: a multiple of the first is exact.
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
# Adding it rounds to an integer, which then lies in the lowest bits.
_ROUND = 6755399441055744.0
_ONE_BITS = 4607182418800017408

_LN2_HIGH_32 = np.float32(0.693359375)
_LN2_LOW_32 = np.float32(-2.12194440e-4)
_ROUND_32 = np.float32(12582912.0)
_ONE_BITS_32 = np.int32(1065353216)


@intrinsic
def _as_bits(_, x):
    """The bits of a float as an integer of its size."""
    integer = types.int64 if x == types.float64 else types.int32

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return integer(x), generate


@intrinsic
def _from_bits(_, x):
    """The float with the bits of an integer."""
    real = types.float64 if x == types.int64 else types.float32

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

    return real(x), generate


def exp_below(x):
    """exp(x) for x below 0 in the precision of x; below -700, or -87, that of this bound."""
    return np.exp(max(x, -700.0))


@overload(exp_below, inline="always")
def _exp_below(x):
    """Compiled form of :func:`exp_below`."""
    if x == types.float32:
        return lambda x: _exp_single(max(x, np.float32(-87.0)))
    return lambda x: _exp_double(max(x, -700.0))


@njit(inline="always")
def _exp_double(x):
    """exp(x) for -708 < x < 708, to 2 units in the last place.

    2^k comes out of the exponent's bits, and exp of the rest, at most ln(2) / 2 in size, from its
    Taylor polynomial. Compile the caller without leave to reorder sums: the rounding would go.
    """
    t = x * _LOG2_E + _ROUND
    k = t - _ROUND
    f = (x - k * _LN2_HIGH) - k * _LN2_LOW
    p = 1 / 6227020800.0
    p = p * f + 1 / 479001600.0
    p = p * f + 1 / 39916800.0
    p = p * f + 1 / 3628800.0
    p = p * f + 1 / 362880.0
    p = p * f + 1 / 40320.0
    p = p * f + 1 / 5040.0
    p = p * f + 1 / 720.0
    p = p * f + 1 / 120.0
    p = p * f + 1 / 24.0
    p = p * f + 1 / 6.0
    p = p * f + 0.5
    p = p * f + 1.0
    p = p * f + 1.0
    return p * _from_bits((_as_bits(t) << 52) + _ONE_BITS)


@njit(inline="always")
def _exp_single(x):
    """exp(x) in single precision for -87 < x < 87; see `_exp_double`."""
    t = x * np.float32(_LOG2_E) + _ROUND_32
    k = t - _ROUND_32
    f = (x - k * _LN2_HIGH_32) - k * _LN2_LOW_32
    p = np.float32(1 / 5040.0)
    p = p * f + np.float32(1 / 720.0)
    p = p * f + np.float32(1 / 120.0)
    p = p * f + np.float32(1 / 24.0)
    p = p * f + np.float32(1 / 6.0)
    p = p * f + np.float32(0.5)
    p = p * f + np.float32(1.0)
    p = p * f + np.float32(1.0)
    bits = np.int32(_as_bits(t) << np.int32(23)) + _ONE_BITS_32
    return p * _from_bits(np.int32(bits))
