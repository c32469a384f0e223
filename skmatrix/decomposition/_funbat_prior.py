"""Gaussian-process priors of factor functions as state-space models.

The state at a coordinate holds a function and its derivatives, s numbers for each of the R
functions of a mode: ``x_j = (A_j (x) I_R) x_{j-1} + q``, with q of covariance ``Q_j (x) I_R``. All
functions of a mode share A and Q, which are s x s.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammainc

# Blocks of the state: a function and its derivatives.
N_BLOCKS = {"iid": 1, "matern12": 1, "matern32": 2, "matern52": 3}

# Scaled gap below which the difference of covariances of "matern52" would lose digits.
_SMALL_GAP = 0.3
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


@dataclass(frozen=True)
class Prior:
    """Prior of the functions of one mode.

    Attributes
    ----------
    kernel : {"matern12", "matern32", "matern52", "iid"}
        Covariance function.
    length_scale : float
        Its length, in units of the coordinates.
    variance : float
        Variance of a function.
    """

    kernel: str
    length_scale: float
    variance: float

    @property
    def n_blocks(self):
        """Numbers per function in the state."""
        return N_BLOCKS[self.kernel]

    def stationary(self):
        """Covariance of the state at a coordinate: ndarray of shape (s, s)."""
        v = self.variance
        if self.n_blocks == 1:
            return np.full((1, 1), v)
        lam = self._rate
        if self.n_blocks == 2:
            return v * np.diag([1.0, lam**2])
        c = lam**2 / 3
        return v * np.array([[1, 0, -c], [0, c, 0], [-c, 0, lam**4]])

    @property
    def _rate(self):
        """The rate lambda of the covariance function."""
        return {"matern12": 1.0, "matern32": 3**0.5, "matern52": 5**0.5}[
            self.kernel
        ] / self.length_scale

    def transitions(self, gaps):
        """Matrices A and Q over gaps between coordinates.

        Parameters
        ----------
        gaps : ndarray of shape (n,)
            Non-negative gaps.

        Returns
        -------
        A, Q : ndarray of shape (n, s, s)
            Transition matrices, and covariances of what is new.
        """
        gaps = np.asarray(gaps, dtype=np.float64)
        if self.kernel == "iid":
            # The same coordinate has the same value; all others know nothing of it.
            A = (gaps == 0).astype(np.float64)[:, None, None]
            return A, self.variance * (1 - A)
        x = self._rate * gaps
        if self.kernel == "matern12":
            A, Q = np.exp(-x), -self.variance * np.expm1(-2 * x)
            return A[:, None, None], Q[:, None, None]
        if self.kernel == "matern32":
            return self._matern32(gaps, x)
        return self._matern52(gaps, x)

    def _matern32(self, d, x):
        """Closed forms without cancellation; Q11 is an incomplete gamma function."""
        lam, v, z = self._rate, self.variance, 2 * x
        decay = np.exp(-x)
        A = np.empty((d.size, 2, 2))
        A[:, 0, 0], A[:, 0, 1] = decay * (1 + x), decay * d
        A[:, 1, 0], A[:, 1, 1] = -decay * lam * x, decay * (1 - x)
        Q = np.empty_like(A)
        Q[:, 0, 0] = v * gammainc(3, z)
        Q[:, 0, 1] = Q[:, 1, 0] = 2 * v * lam * x**2 * np.exp(-z)
        Q[:, 1, 1] = lam**2 * v * (-np.expm1(-z) + z * np.exp(-z) * (1 - z / 2))
        return A, Q

    def _matern52(self, d, x):
        """A from a nilpotent matrix; Q by a difference, or over small gaps by quadrature."""
        lam, v = self._rate, self.variance
        shift = np.array([[lam, 1, 0], [0, lam, 1], [-(lam**3), -3 * lam**2, -2 * lam]])
        square = shift @ shift
        time = d[:, None, None]

        def flow(t, x):
            return np.exp(-x) * (np.eye(3) + shift * t + square * (t**2 / 2))

        A = flow(time, x[:, None, None])
        stationary = self.stationary()
        Q = stationary - A @ stationary @ np.swapaxes(A, 1, 2)
        small = x <= _SMALL_GAP
        if small.any():
            total = np.zeros((np.count_nonzero(small), 3, 3))
            half = d[small] / 2
            for node, weight in zip(_NODES, _WEIGHTS, strict=True):
                t = half * (1 + node)
                g = flow(t[:, None, None], (lam * t)[:, None, None])[:, :, 2]
                total += (weight * half)[:, None, None] * g[:, :, None] * g[:, None, :]
            Q[small] = 16 / 3 * v * lam**5 * total
        return A, Q


def square_roots(covariances):
    """Matrix square roots of covariances that may be singular: (n, s, s) -> (n, s, s)."""
    values, vectors = np.linalg.eigh(covariances)
    return vectors * np.sqrt(np.maximum(values, 0))[:, None, :]
