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
    # A leak grows each time. What else goes on in this process, such as an import, does not.
    memory, objects = zip(*_growths(dict(estimators())[name], n_fits), strict=True)
    assert min(memory) < _MEMORY
    assert min(objects) < n_fits


def _growths(estimator, n_fits):
    """Growths until one is small, or there are five."""
    for _ in range(5):
        memory, objects = leaks.growth(estimator, n_fits)
        yield memory, objects
        if memory < _MEMORY and objects < n_fits:
            return


def test_a_leak_is_found(monkeypatch):
    """The measure is not blind."""
    kept = []
    _, estimator = estimators()[0]
    fit = type(estimator).fit

    def leaky(self, *data):
        # So many that what else the process lets go of meanwhile is little beside them.
        kept.extend({"data": list(data)} for _ in range(10_000))
        return fit(self, *data)

    monkeypatch.setattr(type(estimator), "fit", leaky)
    assert all(objects >= 4 for _, objects in _growths(estimator, 4))
