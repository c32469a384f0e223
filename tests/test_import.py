"""Importing the package is cheap and drags in nothing heavy."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skmatrix

PACKAGE = Path(skmatrix.__file__).parent
# Sub-packages that are there: one that is announced before it is written is no error here.
SUBPACKAGES = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
MODULES = ["skmatrix", *(f"skmatrix.{name}" for name in SUBPACKAGES)]
HEAVY = {"cupy", "dask", "distributed", "matplotlib", "numba", "pyriemann", "skorch", "torch"}
# CPU seconds on top of importing scikit-learn, without which there is nothing to do.
BUDGET = 0.2
PRIVATE_HOME = "_sklearn.py"


def cpu_seconds(names):
    """CPU time that a fresh process takes to import modules once scikit-learn is there."""
    code = (
        f"import time, sklearn; start = time.process_time(); import {', '.join(names)};"
        "print(time.process_time() - start)"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(run.stdout)


def keeps_to_the_budget(names, attempts=5):
    """Whether one of several imports is quick enough: a busy machine slows down the others."""
    return any(cpu_seconds(names) <= BUDGET for _ in range(attempts))


def test_every_subpackage_is_announced():
    assert set(SUBPACKAGES) <= set(dir(skmatrix))


@pytest.mark.parametrize("name", SUBPACKAGES)
def test_subpackage_is_imported_at_first_use(name):
    code = (
        f"import sys, skmatrix; assert 'skmatrix.{name}' not in sys.modules;"
        f"skmatrix.{name}; assert 'skmatrix.{name}' in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_unknown_attribute_is_an_error():
    with pytest.raises(AttributeError, match="module 'skmatrix' has no attribute 'nothing'"):
        skmatrix.nothing  # noqa: B018


def test_show_versions_is_at_the_top():
    assert skmatrix.show_versions is skmatrix.utils.show_versions


@pytest.mark.parametrize("name", MODULES)
def test_import_brings_in_nothing_heavy(name):
    code = (
        f"import sys, sklearn.base; before = set(sys.modules); import {name};"
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert not set(run.stdout.split()) & HEAVY


def test_imports_stay_in_the_budget():
    # Usually all of them together take less than each of them may.
    if not keeps_to_the_budget(MODULES, attempts=2):
        assert not [name for name in MODULES if not keeps_to_the_budget([name])]


def imported_names(tree):
    """Pairs of module and name for each import of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def test_private_names_of_sklearn_are_imported_in_one_file_only():
    offenders = []
    for path in PACKAGE.rglob("*.py"):
        if path.name == PRIVATE_HOME:
            continue
        for module, name in imported_names(ast.parse(path.read_text(encoding="utf-8"))):
            parts = [*module.split("."), name]
            private = any(p.startswith("_") and not p.startswith("__") for p in parts)
            if parts[0] == "sklearn" and private:
                offenders.append(f"{path.relative_to(PACKAGE)}: {module}.{name}")
    assert not offenders


@pytest.mark.parametrize("library", ["cupy", "dask", "matplotlib", "numba", "torch"])
def test_heavy_libraries_are_imported_only_in_leaves(library):
    """At the top of a file, only ``*_numba.py``, ``*_torch.py``, ``*_cupy.py`` may do it."""
    offenders = []
    for path in PACKAGE.rglob("*.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        statements = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
        names = imported_names(ast.Module(statements, type_ignores=[]))
        at_top = any(module.partition(".")[0] == library for module, _ in names)
        if at_top and not path.stem.endswith(f"_{library}"):
            offenders.append(str(path.relative_to(PACKAGE)))
    assert not offenders
