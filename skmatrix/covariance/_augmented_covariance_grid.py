"""Cross-validation of orders, lags and models, with what they share computed once."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from scipy.stats import rankdata
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from ._augmented_covariance_candidates import Candidate
from ._augmented_covariance_geometry import MATRIX_CLASSIFIERS, Geometry

# Difference of mean scores that is rounding.
_EQUAL = 1e-12


@dataclass(frozen=True)
class Models:
    """Classifiers that share their input.

    Attributes
    ----------
    settings : list of dict
        Parameters that tell them apart.
    estimators : list of estimator
        The classifiers.
    geometry : Geometry
        How matrices become tangent vectors.
    of_matrices : bool
        Whether they take the matrices themselves.
    """

    settings: list
    estimators: list
    geometry: Geometry
    of_matrices: bool

    @classmethod
    def of(cls, classifier, geometry):
        """Models that the parameter `classifier` stands for."""
        if isinstance(classifier, str) and classifier in MATRIX_CLASSIFIERS:
            return cls([{}], [geometry.matrix_classifier(classifier)], geometry, True)
        if classifier == "logistic":
            from sklearn.linear_model import LogisticRegression

            return cls([{}], [LogisticRegression(max_iter=1000)], geometry, False)
        if classifier == "svc":
            from sklearn.svm import SVC

            settings = [{"C": C, "kernel": k} for C in (0.5, 1.0, 1.5) for k in ("rbf", "linear")]
            return cls(settings, [SVC(**setting) for setting in settings], geometry, False)
        return cls([{}], [classifier], geometry, False)

    def inputs(self, matrices, train):
        """What the models take for all trials, given the trials of the fit, and the reference."""
        if self.of_matrices:
            return matrices, None
        reference = self.geometry.reference(matrices[train])
        return self.geometry.tangent(matrices, reference), reference


class Search:
    """Scores of all candidates, models and folds, in the layout of ``GridSearchCV``.

    Parameters
    ----------
    models : Models
        The models.
    y : ndarray of shape (n_trials,)
        Labels.
    folds : list of tuple of ndarray
        Indices of the trials to fit and to score.
    scorer : callable
        ``scorer(model, inputs, y)``.
    n_jobs : int or None
        Threads over folds.
    """

    def __init__(self, models, y, folds, scorer, n_jobs):
        self.models, self.y, self.folds = models, y, folds
        self.scorer, self.n_jobs = scorer, n_jobs
        self.candidates: list[Candidate] = []
        self._runs: list[Any] = []

    def judge(self, candidate, matrices):
        """Add the scores of a candidate with these matrices, and return its best mean."""
        width = min(effective_n_jobs(self.n_jobs), len(self.folds))
        parallel = Parallel(n_jobs=width, prefer="threads")
        found = parallel(delayed(self._judge_fold)(matrices, *fold) for fold in self.folds)
        self.candidates.append(candidate)
        self._runs.append(np.stack(found, axis=1))  # models, folds, (score, fit, scoring)
        return float(self._runs[-1][:, :, 0].mean(axis=1).max())

    def _judge_fold(self, matrices, train, test):
        """Score of each model, and the seconds that its fit and its scoring took."""
        start = time.perf_counter()
        inputs, _ = self.models.inputs(matrices, train)
        shared = (time.perf_counter() - start) / len(self.models.estimators)
        found = []
        for model in self.models.estimators:
            start = time.perf_counter()
            fitted = clone(model).fit(inputs[train], self.y[train])
            middle = time.perf_counter()
            score = self.scorer(fitted, inputs[test], self.y[test])
            found.append((score, shared + middle - start, time.perf_counter() - middle))
        return np.array(found, dtype=np.float64)

    def best(self, n_channels):
        """Positions of the best candidate and model: of equal ones that with the smaller matrices,
        then with the smaller lag.
        """
        means = self._means()
        if np.all(np.isneginf(means)):
            raise ValueError(
                "All scores are NaN: scoring must give a number for the trials of each fold of cv."
            )
        sizes = [(c.order * n_channels, c.lag) for c in self.candidates]
        # Means of equal scores may differ in the last digit.
        places = np.argwhere(means >= means.max() - _EQUAL * max(1.0, abs(means.max())))
        place = min(places.tolist(), key=lambda place: (*sizes[place[0]], place[1]))
        return tuple(place)

    @property
    def best_score(self):
        """Mean score of the best over the folds."""
        return float(self._means().max())

    def _means(self):
        """Mean scores of shape (n_candidates, n_models), minus infinity where one is NaN."""
        means = np.array(self._runs)[:, :, :, 0].mean(axis=2)
        return np.where(np.isnan(means), -np.inf, means)

    def results(self):
        """The table of ``cv_results_``."""
        runs = np.array(self._runs).reshape(-1, len(self.folds), 3)
        params = [
            {"order": candidate.order, "lag": candidate.lag, **setting}
            for candidate in self.candidates
            for setting in self.models.settings
        ]
        table = {}
        for column, name in ((1, "fit_time"), (2, "score_time")):
            table[f"mean_{name}"] = runs[:, :, column].mean(axis=1)
            table[f"std_{name}"] = runs[:, :, column].std(axis=1)
        for name in params[0]:
            values = [setting[name] for setting in params]
            table[f"param_{name}"] = np.ma.masked_array(values, mask=False)
        table["params"] = params
        for i in range(len(self.folds)):
            table[f"split{i}_test_score"] = runs[:, i, 0]
        table["mean_test_score"] = runs[:, :, 0].mean(axis=1)
        table["std_test_score"] = runs[:, :, 0].std(axis=1)
        ranks = rankdata(-np.round(self._means().ravel(), 12), method="min")
        table["rank_test_score"] = ranks.astype(np.int32)
        return table
