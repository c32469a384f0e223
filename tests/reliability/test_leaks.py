"""Many fits leave nothing behind in memory."""

import pytest

pytest.importorskip("hypothesis")

from tests.reliability import leaks
from tests.reliability.properties import SLOW, estimators

# Pages of the allocators come and go; what each fit kept would be an object at
# least. `python -m tests.reliability.leaks` makes 10,000 fits.
_MEMORY = 4 * 2**20


@pytest.mark.skipif(not leaks._PAGES.exists(), reason="reads the memory in use from /proc")
@pytest.mark.parametrize("name", [name for name, _ in estimators()])
def test_fits_leave_nothing_behind(name):
    n_fits = 4 if name.startswith(SLOW) else 30
    memory, objects = leaks.growth(dict(estimators())[name], n_fits)
    assert memory < _MEMORY
    assert objects < n_fits
