"""Examples in docstrings leave no figures behind."""

import sys

import pytest


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item):
    """Close the figures of an example; tests have a fixture for theirs."""
    if isinstance(item, pytest.DoctestItem) and "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
