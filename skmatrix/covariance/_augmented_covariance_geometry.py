"""What pyRiemann does for the classifier: references, tangent vectors, and models of matrices."""

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from .._iterate import warn_caller
from ._augmented_covariance import load_pyriemann

MATRIX_CLASSIFIERS = ("mdm", "fgmdm")
_STEPS = ("mean", "map", "distance")
_MAPS = ("euclid", "logchol", "logeuclid", "riemann", "wasserstein")
# Ridges from here on make matrices of any kind definite, whatever the rounding of their sums.
_SAFE_RIDGE = 1e-9
# How much larger than its tolerance the step that a mean has left may be.
_SLACK = 10.0
_INDEFINITE = (
    "Augmented covariances are not positive definite with reg={reg}: channels are dependent, or"
    " samples too few. Raise reg (1e-6 is the default), or lower order."
)


@dataclass(frozen=True)
class Geometry:
    """Metrics of the mean, of the tangent space and of the distance, and the mean's tolerance.

    Attributes
    ----------
    mean, map, distance : str or callable
        Metrics, as pyRiemann names them.
    tol : float
        Tolerance of iterative means.
    reg : float
        Ridge of the matrices, for messages.
    """

    mean: Any
    map: Any
    distance: Any
    tol: float
    reg: float

    @classmethod
    def of(cls, metric, tol, reg):
        """Geometry that the parameter `metric` describes."""
        given = metric if isinstance(metric, dict) else dict.fromkeys(_STEPS, metric)
        unknown = sorted(set(given) - set(_STEPS))
        if unknown:
            raise ValueError(f"metric may have the keys {list(_STEPS)}. Got {unknown} besides.")
        metrics = {step: given.get(step, "riemann") for step in _STEPS}
        if isinstance(metric, str):
            # Some metrics have a mean, but no tangent space or no distance.
            for step, known in (("map", _MAPS), ("distance", _known_distances())):
                metrics[step] = metric if metric in known else "riemann"
        if isinstance(metrics["map"], str) and metrics["map"] not in _MAPS:
            raise ValueError(f"metric['map'] must be one of {list(_MAPS)}. Got {metrics['map']!r}.")
        for step, known in (("mean", _known_means()), ("distance", _known_distances())):
            if isinstance(metrics[step], str) and metrics[step] not in known:
                raise ValueError(
                    f"metric of the {step} must be one of {sorted(known)}. Got {metrics[step]!r}."
                )
        return cls(**metrics, tol=tol, reg=reg)

    @property
    def mean_function(self):
        """The mean as a function of matrices and weights."""
        if not isinstance(self.mean, str):
            return self.mean
        return _QuietMean(self.mean, self.tol)

    def check(self, matrices):
        """Refuse matrices that are singular up to rounding."""
        if self.reg >= _SAFE_RIDGE:
            return
        values = np.linalg.eigvalsh(matrices)
        least = matrices.shape[1] * np.finfo(np.float64).eps * values[:, -1]
        if np.any(values[:, 0] <= least):
            raise ValueError(_INDEFINITE.format(reg=self.reg))

    def reference(self, matrices):
        """Mean of matrices, at which the tangent space is."""
        with self._naming_reg():
            return self.mean_function(matrices)

    def tangent(self, matrices, reference):
        """Tangent vectors of matrices at a reference, of shape (n, D (D + 1) / 2)."""
        tangent_space = load_pyriemann("pyriemann.geometry.tangentspace").tangent_space
        with self._naming_reg():
            return tangent_space(matrices, reference, metric=self.map)

    def check_class_means(self, model, matrices, y):
        """Warn if a mean of a class, of a classifier by distances, did not converge."""
        if self.mean == "riemann" and hasattr(model, "covmeans_"):
            for label, mean in zip(model.classes_, model.covmeans_, strict=True):
                self.warn_if_short(self.tangent(matrices[y == label], mean))

    def warn_if_short(self, vectors):
        """Warn if a mean is not where its tangent vectors add up to nothing.

        The norm of their mean is the step that the iteration would take next.
        """
        if self.mean == self.map == "riemann":
            step = float(np.linalg.norm(vectors.mean(axis=0)))
            if step > _SLACK * max(self.tol, np.finfo(vectors.dtype).eps * vectors.shape[1] ** 0.5):
                warn_caller(
                    "The mean of the augmented covariances did not converge: it would still move by"
                    f" {step:.2g}, above mean_tol={self.tol:g}. The last one is used. Raise reg or"
                    " mean_tol, or take metric={'mean': 'logeuclid'}.",
                    ConvergenceWarning,
                )

    def matrix_classifier(self, name):
        """Classifier of matrices by the distance to means."""
        module = load_pyriemann("pyriemann.classification")
        metric = {"mean": self.mean_function, "distance": self.distance, "map": self.map}
        if name == "mdm":
            del metric["map"]
            return module.MDM(metric=metric)
        return module.FgMDM(metric=metric)

    @contextmanager
    def _naming_reg(self):
        """Name the parameter that helps, where the matrices are not positive definite."""
        try:
            yield
        except (ValueError, np.linalg.LinAlgError) as error:
            if isinstance(error, np.linalg.LinAlgError) or "positive" in str(error):
                raise ValueError(_INDEFINITE.format(reg=self.reg)) from error
            raise


@dataclass(frozen=True)
class _QuietMean:
    """Mean by pyRiemann, whose warning does not say which parameter to change.

    Attributes
    ----------
    metric : str
        Name of the mean.
    tol : float
        Tolerance of its iterations.
    """

    metric: str
    tol: float

    def __call__(self, matrices, sample_weight=None):
        """The mean of weighted matrices."""
        gmean = load_pyriemann("pyriemann.geometry.mean").gmean
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Convergence not reached")
            return gmean(matrices, metric=self.metric, sample_weight=sample_weight, tol=self.tol)


def _known_means():
    """Names of means that need no further parameter."""
    functions = load_pyriemann("pyriemann.geometry.mean").mean_functions
    return set(functions) - {"power", "poweuclid"}


def _known_distances():
    """Names of distances."""
    return set(load_pyriemann("pyriemann.geometry.distance").distance_functions)
