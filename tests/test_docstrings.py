"""Docstrings: their form, their parameters, and the attributes that they promise."""

import importlib
import inspect
import re

import pytest

from skmatrix.utils import all_displays, all_estimators, all_functions
from skmatrix.utils.discovery import _public_modules
from tests.instances import (
    INSTANCES,
    instance,
    is_installed,
    takes_labels_alone,
    training_data,
)

numpydoc_validate = pytest.importorskip("numpydoc.validate")
from numpydoc.docscrape import FunctionDoc  # noqa: E402

# Sections known and in order (GL), a one-line summary (SS), every parameter (PR) and result
# (RT) with its type and description, entries of See Also described (SA).
CHECKED = re.compile("GL0[5-9]|GL10|SS0[12346]|PR0[1-9]|PR10|RT0[1345]|YD01|SA0[234]")
ESTIMATOR_SECTIONS = ["Parameters", "Attributes", "See Also", "Notes", "References", "Examples"]


def home_of(name):
    """The public module that exports a name."""
    return next(
        module.__name__
        for module in sorted(_public_modules(), key=lambda module: module.__name__)
        if name in getattr(module, "__all__", ())
    )


def documented_paths():
    """Dotted paths of all public classes, their own public methods, and functions."""
    for name, item in [*all_estimators(), *all_displays(), *all_functions()]:
        path = f"{home_of(name)}.{name}"
        yield path
        if not inspect.isclass(item):
            continue
        for method in dir(item):
            static = inspect.getattr_static(item, method)
            function = getattr(static, "__func__", getattr(static, "fget", static))
            ours = (getattr(function, "__module__", None) or "").startswith("skmatrix")
            if ours and not method.startswith("_"):
                yield f"{path}.{method}"


def errors_of(path):
    """What numpydoc finds wrong with the docstring of an object."""
    found = numpydoc_validate.validate(path)["errors"]
    return [f"{code}: {text}" for code, text in found if CHECKED.match(code)]


@pytest.mark.parametrize("path", documented_paths())
def test_docstring_is_valid(path):
    assert not errors_of(path)


@pytest.mark.parametrize("module", _public_modules(), ids=lambda module: module.__name__)
def test_module_has_a_docstring(module):
    assert module.__doc__
    assert module.__all__


@pytest.mark.parametrize(("name", "cls"), all_estimators())
def test_estimator_docstring_has_every_section(name, cls):
    doc = FunctionDoc(cls)
    assert not [section for section in ESTIMATOR_SECTIONS if not doc[section]]
    assert any("Read more in the :ref:`User Guide <" in line for line in doc["Extended Summary"])


def test_a_poor_docstring_is_found(monkeypatch):
    """The validation is not blind."""

    def measure(X, alpha):
        """measure

        Parameters
        ----------
        X : array
            The data.
        beta : float
            Not a parameter.
        """
        return X

    module = importlib.import_module("skmatrix.metrics")
    monkeypatch.setattr(module, "measure", measure, raising=False)
    codes = {error[:4] for error in errors_of("skmatrix.metrics.measure")}
    assert {"SS02", "SS03", "PR01", "PR02", "RT01"} <= codes


def fitted_instances():
    """Pairs of a class and the arguments of one of its instances."""
    for name, cls in all_estimators():
        if not is_installed(name):
            continue
        for i, arguments in enumerate(INSTANCES.get(name, ())):
            yield pytest.param(cls, arguments, id=f"{name}-{i}")


@pytest.mark.parametrize(("cls", "arguments"), fitted_instances())
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_documented_attributes_are_those_of_a_fitted_instance(cls, arguments):
    estimator = instance(cls, arguments)
    estimator.fit(*training_data(estimator))
    described = {
        name: " ".join(part.desc)
        for part in FunctionDoc(cls)["Attributes"]
        for name in part.name.split(", ")
    }
    # "Only if ..." marks what some fits do not have.
    promised = {name for name, text in described.items() if "only" not in text.lower()}
    missing = {name for name in promised if not hasattr(estimator, name)}
    assert not missing - {"feature_names_in_"}
    public = {name for name in vars(estimator) if name.endswith("_") and name[0] != "_"}
    assert public <= set(described)


@pytest.mark.parametrize(("cls", "arguments"), fitted_instances())
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_feature_names_of_a_data_frame_are_kept(cls, arguments):
    pandas = pytest.importorskip("pandas")
    estimator = instance(cls, arguments)
    if takes_labels_alone(estimator):
        pytest.skip("takes labels, which have no columns")
    X, y = training_data(estimator)
    frame = pandas.DataFrame(X, columns=[f"column {j}" for j in range(X.shape[1])])
    assert list(estimator.fit(frame, y).feature_names_in_) == list(frame.columns)
