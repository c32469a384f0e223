"""Wrong values of constructor parameters."""

import warnings
from itertools import chain
from numbers import Integral

import numpy as np
from sklearn.base import clone

from skmatrix._sklearn import Interval, StrOptions
from tests.instances import training_data
from tests.reliability import judge
from tests.reliability.properties import estimators

# Of any kind; functions are left out, as they may raise what they like.
_ANY: tuple = (
    *("no such", "", b"bytes", True, None, 1j, object()),
    *(np.nan, np.inf, -np.inf, 0, -1, -1.5, 1e300, 1e-300, 10**30, -(10**30)),
    *((), [], {}, {"a": 1}, ["a"], [0.5], [np.nan], (1, 2, 3)),
    *(np.array(["a", "b"]), np.array([1.0, 2.0]), np.full((2, 2), np.nan)),
)


# libsvm goes on for ever where its tolerance is below rounding and iterations are not counted.
_ENDING = {"QuantumKernelSVC": {"max_iter": 100_000}}


def survey(name):
    """Number of values tried for the parameters of an instance, and the findings."""
    estimator = clone(dict(estimators())[name])
    estimator.set_params(**_ENDING.get(type(estimator).__name__, {}))
    n_tried, findings = 0, []
    for parameter in estimator.get_params(deep=False):
        for value in values_of(estimator, parameter):
            n_tried += 1
            for flaw in works_or_is_named(estimator, parameter, value):
                findings.append(f"{parameter}={value!r}: {flaw}")
    return n_tried, findings


def values_of(estimator, parameter):
    """Values that a parameter may not be meant to have."""
    constraints = type(estimator)._parameter_constraints[parameter]
    return list(chain(_ANY, *(_near(one) for one in constraints)))


def _near(constraint):
    """Values at the limits of a constraint."""
    if isinstance(constraint, StrOptions):
        option = min(constraint.options)
        return [option.upper(), f"{option} ", option.encode()]
    if isinstance(constraint, Interval):
        step = 1 if constraint.type is Integral else 1e-9
        limits = [limit for limit in (constraint.left, constraint.right) if limit is not None]
        return [limit + shift for limit in limits for shift in (-step, 0, step)]
    return []


def works_or_is_named(estimator, parameter, value):
    """A fit with this value gives numbers, or an error that names the parameter."""
    estimator = clone(estimator).set_params(**{parameter: value})
    before, data = judge.state(estimator), training_data(estimator)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimator.fit(*data)
        except Exception as error:
            changes = [f"a failed fit changed {n}" for n in judge.changes(before, estimator)]
            return [*_complaints(error, parameter), *changes]
        try:
            answers = judge.outputs(estimator, data[0])
        except Exception as error:
            return _complaints(error, parameter)
    flaws = judge.flaws_of(answers, len(data[0]), trained=True)
    # A density of 1e-300 wide kernels is infinite.
    return [flaw for flaw in flaws if not flaw.endswith("infinite")]


def _complaints(error, parameter):
    """What is wrong with an error; parts of a list may go by the singular of the parameter."""
    if isinstance(error, ImportError) and "pip install" in str(error):
        # The library that would know the value is not here.
        return []
    kinds = (ValueError, TypeError, FloatingPointError)
    if isinstance(error, kinds) and parameter.removesuffix("s") in str(error):
        return []
    return [judge.complaint(error) or f"does not name the parameter: {error}"]
