"""Whether matrices of users are symmetric."""

import numpy as np

# Share of the largest entry by which rounding in single precision may set two entries apart.
_ASYMMETRY = 1e-5


def refuse_asymmetric(matrix, name):
    """Raise if a square matrix is not symmetric, but for rounding.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        The matrix, finite.
    name : str
        What it is, for the message.
    """
    gap, size = np.abs(matrix - matrix.T).max(), np.abs(matrix).max()
    if gap > _ASYMMETRY * size:
        raise ValueError(
            f"{name} must be symmetric. Entries differ from their mirror images by up to {gap:.3g},"
            f" where the largest is {size:.3g}."
        )
