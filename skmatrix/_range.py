"""Results that leave the range of their dtype are refused rather than turned into infinity or 0."""

import numpy as np


def refuse_range(size, what, dtype, name="X"):
    """Raise if a size is neither 0 nor a normal number of a dtype.

    Parameters
    ----------
    size : float
        Size of a result, in double precision.
    what : str
        What it is the size of, for the message.
    dtype : dtype
        Type of the result, float32 or float64, of any array library.
    name : str, default="X"
        What can be scaled, for the message.
    """
    single = "float32" in str(dtype)
    limits = np.finfo(np.float32 if single else np.float64)
    # In this form NaN, of sums that left the range, is refused too.
    if size == 0 or float(limits.tiny) <= size <= float(limits.max):
        return
    remedy = f"scale {name}, or pass X in double precision" if single else f"scale {name}"
    raise ValueError(f"{what} is {size:.3g}, outside of the range of {limits.dtype}; {remedy}.")
