"""An interrupted fit leaves the estimator as it was, wherever the interrupt falls."""

import copy

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from sklearn.base import clone

from tests.instances import training_data
from tests.reliability import judge
from tests.reliability.interrupts import interrupted
from tests.reliability.properties import estimators, fitted

METHODS = [
    pytest.param(name, method, id=f"{name}-{method}")
    for name, estimator in estimators()
    for method in ("fit", "partial_fit")
    if hasattr(estimator, method)
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "method"), METHODS)
def test_interrupt_leaves_the_estimator_as_it_was(name, method):
    estimator = fitted(name)
    data = training_data(estimator)
    with interrupted() as count:
        getattr(estimator, method)(*data)
    for at in np.unique(np.linspace(1, count[0], 6).astype(int)):
        estimator = fitted(name)
        before = judge.state(estimator)
        with pytest.raises(KeyboardInterrupt), interrupted(at):
            getattr(estimator, method)(*data)
        assert judge.changes(before, estimator) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name, _ in estimators()])
def test_interrupt_of_a_first_fit_leaves_nothing(name):
    estimator = clone(fitted(name))
    data = training_data(estimator)
    with interrupted() as count:
        copy.deepcopy(estimator).fit(*data)
    before = judge.state(estimator)
    with pytest.raises(KeyboardInterrupt), interrupted(max(1, count[0] // 2)):
        estimator.fit(*data)
    assert judge.changes(before, estimator) == []
    # And it can be fitted as if nothing had happened.
    expected = judge.outputs(clone(estimator).fit(*data), data[0])
    assert judge.differences(judge.outputs(estimator.fit(*data), data[0]), expected) == []
