"""Fitted estimators that tests share and leave alone."""

import pytest

from tests.decomposition.funbat_problem import X, Y, funbat


@pytest.fixture(scope="session")
def fitted():
    """A FunBaT fitted to the small tensor."""
    return funbat().fit(X, Y)
