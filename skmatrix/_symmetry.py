"""Whether matrices of users are symmetric."""

import numpy as np


def refuse_asymmetric(matrix, name, tol=1e-6):
    """Raise if a square matrix is not symmetric, but for rounding.

    Parameters
    ----------
    matrix : ndarray of shape (n, n)
        The matrix, finite.
    name : str
        What it is, for the message.
    tol : float, default=1e-6
        Share of the largest entry by which rounding may set two entries apart.
    """
    gap, size = np.abs(matrix - matrix.T).max(), np.abs(matrix).max()
    if gap > tol * size:
        raise ValueError(
            f"{name} must be symmetric. Entries differ from their mirror images by up to {gap:.3g},"
            f" where the largest is {size:.3g}."
        )
