"""Fits that are given the same problem in other words: weights, orders and units."""

from dataclasses import replace

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from tests.instances import takes_labels_alone
from tests.reliability import judge
from tests.reliability.properties import answers_of, estimators, outcome
from tests.reliability.strategies import WRONG_WEIGHTS, table, target, weights

# Random numbers hang on the positions of the rows.
_DRAWN_BY_ROW = ("EBV", "ILASDPClustering", "SDPKMeans")
# Where the iterations of the instance end before its digits are there; and libsvm, which does not
# come to an end for weights that make penalties of 1e30.
_TO_THE_END = {
    "MatrixCompletionRegressor": {"max_iter": 500, "tol": 1e-10},
    "QuantumKernelSVC": {"max_iter": 100_000},
}

# Elsewhere weights are counts of repetitions, beside which a prior, a penalty or a rule stands.
_OF_RELATIVE_WEIGHTS = (
    "EBVClassifier",
    "KDE-0",
    "KDEClassifier",
    "MatrixCompletionRegressor",
    "SketchedRegression-0",
    "VariationalQuantumClassifier",
)


def weights_count(name, sample):
    """Weights of zero take rows away, extreme ones give finite results, and wrong ones an error."""
    estimator, findings = _converging(name), []
    if not has_fit_parameter(estimator, "sample_weight"):
        return findings
    sample = replace(sample, exponent=sample.exponent % 7 - 3)
    values, y, w = table(sample, estimator), target(sample, estimator), weights(sample)
    data, refused = (values,) if y is None else (values, y), False
    with judge.listening(findings):
        try:
            estimator.fit(*data, sample_weight=w)
        except Exception as error:
            refused = True
            findings += filter(None, [judge.complaint(error)])
        else:
            findings += judge.attributes_not_finite(estimator)
            if sample.weights in ("tiny", "huge") and name.startswith(_OF_RELATIVE_WEIGHTS):
                findings += _knows_sizes_of_weights(estimator, sample, data)
            if sample.weights != "zero":
                findings += answers_of(estimator, values, len(values), trained=True)
    if sample.weights in WRONG_WEIGHTS and not refused:
        findings.append(f"takes weights that are {sample.weights}")
    if sample.weights == "zero" and not refused and not name.startswith(_DRAWN_BY_ROW):
        kept = w > 0
        with judge.listening([]):
            fewer = clone(estimator).fit(*(a[kept] for a in data), sample_weight=w[kept])
            answers = (judge.outputs(one, values[kept]) for one in (estimator, fewer))
            differing = _differing(*answers)
        findings += [f"{m} depends on rows without weight" for m in differing]
    return findings


def _knows_sizes_of_weights(fitted, sample, data):
    """What differs from a fit whose weights are all as many times larger or smaller."""
    if data[0].dtype == np.float32:
        # The last digits of the weights of single precision decide where a search ends.
        return
    other = clone(fitted).fit(*data, sample_weight=weights(replace(sample, weights="zero")))
    answers = (judge.outputs(one, data[0]) for one in (fitted, other))
    for method in _differing(*answers):
        yield f"{method} depends on the unit of weights"


def order_is_no_matter(name, sample):
    """A fit on the rows in another order gives the same answers."""
    estimator = _converging(name)
    if name.startswith(_DRAWN_BY_ROW) or takes_labels_alone(estimator):
        return []
    values, y = table(sample, estimator), target(sample, estimator)
    order = np.random.default_rng(sample.seed).permutation(len(values))
    outcomes = []
    with judge.listening([]):
        for rows in (slice(None), order):
            fitting = (values[rows], None if y is None else y[rows])
            outcomes.append(outcome(clone(estimator), *fitting, values))
    differing = _differing(*outcomes)
    if name.startswith("QuantumKernelSVC"):
        # The intercept is not unique where all multipliers are at their bounds.
        differing = [] if "decision_function" in differing else differing
    return [f"{m} depends on the order" for m in differing]


def units_are_no_matter(name, sample):
    """Features in other units, by a power of two, give the answers that the method promises."""
    promise = next((f for n, f in _IN_OTHER_UNITS.items() if name.startswith(n)), None)
    if promise is None:
        return []
    estimator = _converging(name)
    sample = replace(sample, exponent=sample.exponent % 7 - 3, dtype="float64")
    values, y = table(sample, estimator), target(sample, estimator)
    unit = 2.0 ** (sample.seed % 41 - 20)
    with judge.listening([]):
        expected = outcome(estimator, values, y)
        actual = outcome(clone(estimator), unit * values, y)
    if not any(method.endswith("Error") for method in expected):
        size = values.shape[1]
        expected = {m: promise(m, answer, unit, size) for m, answer in expected.items()}
    return [f"{m} depends on units" for m in _differing(actual, expected)]


def _converging(name):
    """An instance whose fits come to an end."""
    estimator = clone(dict(estimators())[name])
    return estimator.set_params(**_TO_THE_END.get(type(estimator).__name__, {}))


def _nearly(actual, expected):
    """Agreement of iterative fits of the same problem."""
    return judge.close(actual, expected, 1e-5)


def _differing(actual, expected):
    """Methods whose answers differ, but for labels of rows between two classes."""
    answers = [dict(one) for one in (actual, expected)]
    decided = _decided(expected)
    if all("predict" in one for one in answers):
        answers = [one | {"predict": one["predict"][decided]} for one in answers]
    return judge.differences(*answers, _nearly)


def _decided(answers):
    """Rows with a label that rounding does not decide."""
    if "predict_proba" in answers:
        ordered = np.sort(answers["predict_proba"], axis=1)
        return ordered[:, -1] - ordered[:, :-1].max(axis=1, initial=0.0) > 1e-5
    if "decision_function" in answers and answers["decision_function"].ndim == 1:
        return np.abs(answers["decision_function"]) > 1e-5
    return slice(None)


def _unchanged(method, answer, unit, n_features):
    """Answers that do not know of units."""
    return answer


def _densities(method, answer, unit, n_features):
    """Densities are divided by the volume of the units."""
    if method == "score_samples":
        return answer - n_features * np.log(unit)
    if method == "predict":
        return answer / unit**n_features
    shift, factor = np.zeros(answer.shape[1]), np.ones(answer.shape[1])
    shift[0], factor[-1] = n_features * np.log(unit), unit
    return answer * factor - shift


def _discriminants(method, answer, unit, n_features):
    """Logarithms of densities, and of determinants, which are squares of volumes."""
    volume = n_features * np.log(unit)
    shifts = {"score_samples": -volume, "transform": 2 * volume}
    return answer + shifts[method] if method in shifts else answer


def _distances(method, answer, unit, n_features):
    """Distances are in the units of the features."""
    return answer * unit if method == "transform" else answer


# What becomes of an answer when all features are multiplied by a power of two. Without tied
# covariances roundings of their determinants decide between starts.
_IN_OTHER_UNITS = {
    "AugmentedCovarianceClassifier": _unchanged,
    "EBVClassifier": _unchanged,
    "ILASDPClustering-1": _discriminants,
    "KDE-": _densities,
    "KDEClassifier": _unchanged,
    "SDPKMeans": _distances,
    "SketchedRegression-0": _unchanged,
}
