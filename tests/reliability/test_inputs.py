"""Any input gives the right answer or a clear error."""

import numpy as np
import pytest

pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings

from tests.reliability import judge
from tests.reliability.catalogue import PROPERTIES
from tests.reliability.properties import SLOW, estimators
from tests.reliability.strategies import samples


@pytest.mark.parametrize("name", [name for name, _ in estimators()])
@pytest.mark.parametrize("key", PROPERTIES)
def test_property_holds(key, name):
    check, hostile = PROPERTIES[key]

    @settings(
        max_examples=3 if name.startswith(SLOW) else 8,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(samples(hostile=hostile))
    def holds(sample):
        assert check(name, sample) == []

    holds()


def _error_of(code):
    """The error that a statement raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011
        exec(code, {"np": np})
    return caught.value


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        ("np.zeros(2) + np.zeros(3)", "by another library"),
        ("np.linalg.cholesky(-np.eye(2))", "not a ValueError or TypeError"),
        ("{}['key']", "not a ValueError or TypeError"),
        ("from sklearn.utils import check_array; check_array([[np.nan]])", None),
        ("from skmatrix.neighbors import KDE; KDE(bandwidth=-1).fit([[1.0]])", None),
        ("from skmatrix._xp import logsumexp; logsumexp(np, 'text', axis=0)", "not "),
    ],
)
def test_judge_tells_errors_apart(code, answer):
    found = judge.complaint(_error_of(code))
    assert found is None if answer is None else answer in found


def test_judge_finds_what_is_not_finite():
    answers = {
        "predict": np.zeros(2),
        "transform": np.array([[np.nan, 0.0], [1.0, np.inf]]),
        "score_samples": np.array([0.0, -np.inf]),
        "predict_proba": np.array([[0.5, 0.5], [0.5, 0.4]]),
    }
    found = list(judge.flaws_of(answers, 2, trained=False))
    assert found == [
        "transform is NaN",
        "transform is infinite",
        "predict_proba does not sum to one",
    ]
    assert "score_samples is infinite" in list(judge.flaws_of(answers, 2, trained=True))
    assert "predict has 2 rows for 3" in list(judge.flaws_of(answers, 3, trained=False))
