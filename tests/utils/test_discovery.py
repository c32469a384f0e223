"""Tests of the lists of public names."""

import inspect
from abc import ABC, abstractmethod

import pytest
from sklearn.base import BaseEstimator, TransformerMixin

import skmatrix
from skmatrix.utils import discovery, show_versions
from skmatrix.utils.discovery import all_displays, all_estimators, all_functions
from tests.toys import ToyCentroids, ToyRidge, ToyScaler


class Module:
    """Stands for a public module; holds names that are not in its ``__all__`` too."""

    __all__ = ["Abstract", "PlotDisplay", "ToyCentroids", "ToyRidge", "ToyScaler", "measure"]
    ToyCentroids = ToyCentroids
    ToyRidge = ToyRidge
    ToyScaler = ToyScaler
    BaseEstimator = BaseEstimator

    class PlotDisplay:
        """A display."""

    @staticmethod
    def measure():
        """Return nothing."""

    class Abstract(BaseEstimator, ABC):
        """An estimator that cannot be made."""

        @abstractmethod
        def fit(self, X):
            """Fit nothing."""


@pytest.fixture
def one_module(monkeypatch):
    """Let the stand-in be the only public module."""
    monkeypatch.setattr(discovery, "_public_modules", lambda: [Module])


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (None, ["ToyCentroids", "ToyRidge", "ToyScaler"]),
        ("classifier", ["ToyCentroids"]),
        ("regressor", ["ToyRidge"]),
        ("transformer", ["ToyScaler"]),
        ("cluster", []),
        ("density", []),
        (["regressor", "transformer"], ["ToyRidge", "ToyScaler"]),
    ],
)
def test_all_estimators_lists_the_asked_kinds(one_module, kind, names):
    assert [name for name, _ in all_estimators(kind)] == names


@pytest.mark.parametrize("kind", ["tree", ["regressor", "tree"]])
def test_all_estimators_refuses_unknown_kinds(kind):
    with pytest.raises(ValueError, match=r"type_filter=.*tree.* must be None or among"):
        all_estimators(kind)


def test_displays_and_functions_are_told_apart(one_module):
    assert [name for name, _ in all_displays()] == ["PlotDisplay"]
    assert [name for name, _ in all_functions()] == ["measure"]


def test_lists_hold_public_objects_of_the_package():
    estimators = dict(all_estimators())
    listed = [*estimators.items(), *all_displays(), *all_functions()]
    assert listed == sorted(estimators.items()) + all_displays() + all_functions()
    for name, item in listed:
        assert not name.startswith("_")
        assert item.__module__.startswith("skmatrix.")
    assert all(issubclass(item, TransformerMixin) for _, item in all_estimators("transformer"))
    assert all(inspect.isfunction(item) for _, item in all_functions())


def test_show_versions_names_packages_and_engines(capsys):
    show_versions()
    printed = capsys.readouterr().out
    assert f"skmatrix: {skmatrix.__version__}" in printed
    assert "numba: available, on cpu" in printed
    for title in ("System", "Packages", "Engines", "Thread pools"):
        assert f"\n{title}:" in printed


def test_show_versions_says_why_an_engine_cannot_run(capsys, monkeypatch):
    from skmatrix.utils import _show_versions

    def engine(name):
        raise RuntimeError("no usable CUDA device")

    monkeypatch.setattr(_show_versions, "_engine", engine)
    monkeypatch.setattr(_show_versions, "_DEPENDENCIES", ("no-such-distribution",))
    show_versions()
    printed = capsys.readouterr().out
    assert "cupy: not available: no usable CUDA device" in printed
    assert "no-such-distribution: not installed" in printed
