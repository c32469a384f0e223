"""Properties that hold for every estimator and input; each returns a list of findings."""

import copy
from functools import cache

import numpy as np
from sklearn.base import clone

from skmatrix.utils import all_estimators
from tests.instances import INSTANCES, is_installed, training_data
from tests.reliability import judge
from tests.reliability.strategies import laid_out, table, target

# Fewer iterations of those that take long: how far they come is no matter here.
_BRIEF = {
    "EBVClassifier": {"max_epochs": 2},
    "FunBaT": {"max_iter": 5},
    "VariationalQuantumClassifier": {"max_iter": 3, "n_init": 1},
}
# Large tables are not copied into another order, so that sums differ in their last digits.
_READ_IN_PLACE = ("SketchedRegression", "SketchProjection")
SLOW = ("AugmentedCovarianceClassifier", "EBV", "FunBaT", "ILASDPClustering")


@cache
def estimators():
    """Pairs of a name and an instance."""
    found = []
    for name, cls in all_estimators():
        if not is_installed(name):
            continue
        for number, arguments in enumerate(INSTANCES[name]):
            estimator = cls(**(arguments | _BRIEF.get(name, {})))
            if "random_state" in estimator.get_params():
                estimator.set_params(random_state=0)
            found.append((f"{name}-{number}", estimator))
    return found


@cache
def _fitted(name):
    """An instance fitted on benign data, not to be changed."""
    estimator = clone(dict(estimators())[name])
    with judge.listening([]):
        return estimator.fit(*training_data(estimator))


def fitted(name):
    """A copy of an instance fitted on benign data."""
    return copy.deepcopy(_fitted(name))


def fit(estimator, X, y):
    """Fit on a table with or without a target."""
    return estimator.fit(X) if y is None else estimator.fit(X, y)


def _contents(X):
    """Something that tells whether X was written to."""
    return X if isinstance(X, list) else np.array(X)


def fits_or_refuses(name, sample):
    """A fit gives finite results, or a clear error and the estimator as it was."""
    estimator, findings = fitted(name), []
    values, y = table(sample, estimator), target(sample, estimator)
    X = laid_out(values, sample)
    given, given_y = copy.deepcopy(_contents(X)), copy.deepcopy(y)
    before = judge.state(estimator)
    with judge.listening(findings):
        try:
            fit(estimator, X, y)
        except Exception as error:
            findings += filter(None, [judge.complaint(error)])
            findings += [f"a failed fit changed {n}" for n in judge.changes(before, estimator)]
        else:
            findings += judge.attributes_not_finite(estimator)
            findings += answers_of(estimator, X, len(values), trained=True)
    if not judge.same(_contents(X), given) or (y is not None and not judge.same(y, given_y)):
        findings.append("the input was changed")
    return findings


def answers_or_refuses(name, sample):
    """Every method gives results for new rows or a clear error, and the estimator stays."""
    estimator, findings = fitted(name), []
    values = table(sample, estimator)
    X = laid_out(values, sample)
    given = copy.deepcopy(_contents(X))
    before = judge.state(estimator)
    with judge.listening(findings):
        findings += answers_of(estimator, X, len(values), trained=False)
    public = [n for n in judge.changes(before, estimator) if not n.startswith("_")]
    findings += [f"a query changed {n}" for n in public]
    if not judge.same(_contents(X), given):
        findings.append("the input was changed")
    return findings


def answers_of(estimator, X, n_rows, *, trained):
    """What is wrong with the answers of each method."""
    for method in judge.OUTPUTS:
        if not hasattr(estimator, method):
            continue
        try:
            answer = np.asarray(getattr(estimator, method)(X))
        except Exception as error:
            text = judge.complaint(error)
            if text is None and trained:
                text = f"refuses the rows of its fit: {error}"
            if text is not None:
                yield f"{method}: {text}"
        else:
            yield from judge.flaws_of({method: answer}, n_rows, trained=trained)


def layout_is_no_matter(name, sample):
    """The same values in another order, container or dtype without fraction: the same bits."""
    estimator = clone(dict(estimators())[name])
    values, y = table(sample, estimator), target(sample, estimator)
    plain = values if values.dtype.name in ("float64", "float32") else values.astype(np.float64)
    X = laid_out(values, sample)
    if sample.container in ("list", "polars"):
        # scikit-learn reads them in double precision.
        plain = values.astype(np.float64)
    with judge.listening([]):
        expected = outcome(estimator, plain, y)
        actual = outcome(clone(estimator), X, y)
    agree = judge.close if name.startswith(_READ_IN_PLACE) else judge.same
    return [f"{m} differs" for m in judge.differences(actual, expected, agree)]


def outcome(estimator, X, y, queries=None):
    """Outputs of a fit by the name of the method, or the name of its error."""
    try:
        return judge.outputs(fit(estimator, X, y), X if queries is None else queries)
    except (ValueError, TypeError) as error:
        return {type(error).__name__: np.zeros(0)}


def rows_are_independent(name, sample):
    """Rows in another order, or only some of them, get the answers that they get together."""
    estimator = clone(dict(estimators())[name])
    values, y = table(sample, estimator), target(sample, estimator)
    order = np.random.default_rng(sample.seed).permutation(len(values))[: len(values) // 2 + 1]
    with judge.listening([]):
        try:
            together = judge.outputs(fit(estimator, values, y), values)
        except (ValueError, TypeError):
            return []
        apart = judge.outputs(estimator, values[order])
    expected = {method: answer[order] for method, answer in together.items()}
    return [f"{m} depends on other rows" for m in judge.differences(apart, expected, judge.close)]
