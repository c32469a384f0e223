"""Any value of any parameter works, or gives an error that names it."""

import pytest

pytest.importorskip("hypothesis")

from tests.reliability.parameters import survey, works_or_is_named
from tests.reliability.properties import estimators


@pytest.mark.parametrize("name", [name for name, _ in estimators() if name.endswith("-0")])
def test_wrong_values_are_refused_by_name(name):
    n_tried, findings = survey(name)
    assert n_tried > 100
    assert findings == []


def test_an_error_that_does_not_name_the_parameter_is_found(monkeypatch):
    estimator = dict(estimators())["KDE-0"]
    assert works_or_is_named(estimator, "bandwidth", -1) == []

    def careless(self, X, y=None):
        self.bandwidth_ = self.bandwidth
        raise ValueError("math domain error")

    monkeypatch.setattr(type(estimator), "fit", careless)
    found = works_or_is_named(estimator, "bandwidth", -1)
    assert "math domain error" in found[0]
    assert found[1:] == ["a failed fit changed bandwidth_"]
