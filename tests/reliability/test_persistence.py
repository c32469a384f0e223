"""Fitted estimators go to another process and into files that hold no code."""

import doctest
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("hypothesis")

from tests.instances import training_data
from tests.reliability import judge
from tests.reliability.properties import estimators, fitted

NAMES = [name for name, _ in estimators()]
pytestmark = pytest.mark.filterwarnings("ignore")

_LOAD = """
import json, pickle, sys
from pathlib import Path
import numpy as np

folder = Path(sys.argv[1])
wrong = {}
for path in sorted(folder.iterdir()):
    estimator, X, expected = pickle.loads(path.read_bytes())
    wrong[path.name] = [
        method
        for method, answer in expected.items()
        if not np.array_equal(np.asarray(getattr(estimator, method)(X)), answer)
    ]
print(json.dumps(wrong))
"""


def test_pickles_load_in_a_fresh_process(tmp_path):
    for name in NAMES:
        estimator = fitted(name)
        X = training_data(estimator)[0]
        stored = pickle.dumps((estimator, X, judge.outputs(estimator, X)))
        (tmp_path / name).write_bytes(stored)
    answer = subprocess.run(
        [sys.executable, "-c", _LOAD, tmp_path], check=True, capture_output=True, text=True
    )
    assert json.loads(answer.stdout) == {name: [] for name in NAMES}


# What skops asks its caller to trust, besides the estimator and what skops knows by itself.
# The neural tier and the classifiers of pyRiemann keep objects of the libraries that they are of.
OURS = ("skmatrix.", "scipy.sparse.")
OTHERS = {
    "AugmentedCovarianceClassifier": ("pyriemann.classification.",),
    "EBVClassifier": ("functools.partial", "skorch.", "torch."),
}


@pytest.mark.parametrize("name", NAMES)
def test_skops_stores_and_loads_what_is_known(name):
    io = pytest.importorskip("skops.io")
    estimator = fitted(name)
    stored = io.dumps(estimator)
    asked = io.get_untrusted_types(data=stored)
    assert all(one.startswith(OURS + OTHERS.get(type(estimator).__name__, ())) for one in asked)
    loaded = io.loads(stored, trusted=asked)
    X = training_data(estimator)[0]
    assert judge.differences(judge.outputs(loaded, X), judge.outputs(estimator, X)) == []


def test_the_page_on_storing_tells_the_same():
    pytest.importorskip("skops.io")
    page = Path(__file__).parents[2] / "doc" / "storing.rst"
    table = re.findall(r"[*] - :class:`~[\w.]+\.(\w+)`.*\n +- (.*)", page.read_text())
    assert {name for name, _ in table} == OTHERS.keys()
    for name, types in table:
        assert all(library.rstrip(".") in types for library in OTHERS[name])
    assert doctest.testfile(str(page), module_relative=False).failed == 0
