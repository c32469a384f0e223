"""Thresholds of the theory, read from the spacings of neighbours."""

import math
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._backend import get_backend, to_numpy
from .._threads import thread_pool
from ._kde_diagnostics import named_bandwidths
from ._kde_fit import mean_index, pooled_index
from ._kde_theory import regime_of


class ThresholdsMixin:
    """The regime of a fitted density, computed when it is first asked for: many never do, and with
    a given bandwidth it would be the most of the fit.
    """

    backend: Any
    bandwidth_: Any
    kernel: Any
    n_jobs: Any
    _index: Any
    _metric: Any
    _n_nearest: Any
    _open: Any
    _seed: Any
    _with_engine: Any

    @property
    def regime_(self):
        """In which of the three ranges the bandwidth lies: "extreme", "stable" or "clt"."""
        return regime_of(self._pooled_index() or 0.0)

    @property
    def h_g_(self):
        """Bandwidth below which a few points carry the estimate."""
        index, h = self._pooled_index(), to_numpy(self.bandwidth_)
        if not index or math.isinf(index) or self.kernel != "gaussian" or h.ndim:
            return None
        return float(h) / math.sqrt(index)

    @property
    def h_clt_(self):
        """Bandwidth above which the estimate is a mean of many points."""
        return None if self.h_g_ is None else math.sqrt(2) * self.h_g_

    def _pooled_index(self):
        """Index of the weights over the points; None for fewer than three."""
        check_is_fitted(self)
        if self._index is None:
            be, rng = get_backend(self.backend, np.empty(0)), check_random_state(self._seed)
            with thread_pool(be, self.n_jobs) as pool:
                points = self._with_engine(be, pool)
                # In a tuple, for it may be None.
                self._index = (pooled_index(self, points, to_numpy(self.bandwidth_), rng),)
        return self._index[0]

    def thresholds(self, X=None):
        """Bandwidths that the theory names, and the number of points that it asks for.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), default=None
            Queries whose neighbours give the first two; None takes the points, each left out.

        Returns
        -------
        thresholds : dict
            - "h_g", "h_clt": from the spacings of neighbours;
            - "h_g_gaussian", "h_opt": what Gaussian data of this covariance would have: the
              threshold, and the likeliest bandwidth;
            - "alpha": ``log(n) / n_features``;
            - "n_needed": points from which on Gaussian data of this covariance would be in the
              regime "clt" at `bandwidth_`.

        Raises
        ------
        ValueError
            For other kernels than "gaussian", and for a bandwidth per feature.
        """
        check_is_fitted(self)
        h, points = to_numpy(self.bandwidth_), self._with_engine(get_backend("auto", np.empty(0)))
        if self.kernel != "gaussian" or h.ndim:
            raise ValueError(
                "The theory of the thresholds is for kernel='gaussian' with one bandwidth. Got"
                f" kernel={self.kernel!r} and {h.size} bandwidth(s)."
            )
        h_g = self.h_g_
        if X is not None:
            be, _, Z = self._open(X, "thresholds")
            if self._n_nearest > 1:
                squares = self._with_engine(be).nearest(Z, self._n_nearest, h=h)
                h_g = float(h) / math.sqrt(mean_index(self, squares))
        return named_bandwidths(self._metric.spectrum, points, float(h), h_g)
