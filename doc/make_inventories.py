"""Write Sphinx inventories of the packages that the documentation links to, without a network.

An inventory tells intersphinx which names another project documents, and where. Projects publish
theirs beside their documentation; a build that fetches them fails when a server does. The names
themselves are all in the installed packages, so this script walks those and writes
``doc/_inv/<project>.inv``. A build with SKMATRIX_DOC_ONLINE=1 takes the published files instead.
"""

import builtins
import importlib
import importlib.metadata
import inspect
import pkgutil
import platform
import re
import sys
import warnings
import zlib
from pathlib import Path

TARGET = Path(__file__).parent / "_inv"

# Private, test and vendored modules, and those that only old code imports.
SKIPPED = re.compile(
    r"(^|\.)(_.*|.*tests?|testing|conftest|f2py|distutils|core|externals|experimental|matlib)$"
)

# Names that the packages document and that no walk over their modules finds.
EXTRA = {
    "numpy": {
        "numpy.typing.ArrayLike": ("py:data", "reference/typing.html#{name}"),
        "numpy.typing.DTypeLike": ("py:data", "reference/typing.html#{name}"),
        "numpy.typing.NDArray": ("py:data", "reference/typing.html#{name}"),
        "numpy.nan": ("py:data", "reference/constants.html#{name}"),
        "numpy.inf": ("py:data", "reference/constants.html#{name}"),
    },
    "python": {
        "None": ("py:data", "library/constants.html#{name}"),
        "True": ("py:data", "library/constants.html#{name}"),
        "False": ("py:data", "library/constants.html#{name}"),
    },
}
STANDARD_LIBRARY = [
    "collections",
    "collections.abc",
    "concurrent.futures",
    "dataclasses",
    "functools",
    "numbers",
    "pathlib",
    "pickle",
    "types",
    "typing",
    "warnings",
]


def modules(name):
    """Yield the public modules at and below a name, those that can be imported here."""
    try:
        module = importlib.import_module(name)
    except Exception:  # an optional dependency that is not installed
        return
    yield module
    for entry in pkgutil.iter_modules(getattr(module, "__path__", ()), f"{name}."):
        if not SKIPPED.search(entry.name):
            yield from modules(entry.name)


def role(thing):
    """The role under which Sphinx documents an object, or None for what is not documented."""
    if inspect.isclass(thing):
        return "py:exception" if issubclass(thing, BaseException) else "py:class"
    return "py:function" if callable(thing) else None


def members(thing):
    """Yield (name, role) of the methods and attributes of a class."""
    for name in dir(thing):
        if not name.startswith("_"):
            # `getattr_static`: descriptors of other packages may do anything when asked.
            value = inspect.getattr_static(thing, name)
            is_method = inspect.isroutine(value) or isinstance(value, classmethod | staticmethod)
            yield name, "py:method" if is_method else "py:attribute"


def names(package):
    """Return {full name: role} of a package, and the text of all docstrings in it."""
    found, texts = {}, []
    for module in modules(package):
        found[module.__name__] = "py:module"
        for name in getattr(module, "__all__", None) or dir(module):
            try:
                thing = getattr(module, name)
            except (AttributeError, ImportError):  # experimental, or not set in this build
                continue
            kind = None if name.startswith("_") else role(thing)
            if kind is None or not str(getattr(thing, "__module__", "")).startswith(package):
                continue
            full = f"{module.__name__}.{name}"
            found[full] = kind
            texts.append(thing.__doc__ or "")
            if inspect.isclass(thing):
                found.update({f"{full}.{member}": what for member, what in members(thing)})
                texts += [str(getattr(thing, member, None).__doc__) for member, _ in members(thing)]
    return found, "\n".join(map(str, texts))


def python_names():
    """Return {name: role} of the built-ins and of a few modules of the standard library."""
    found = {}
    for prefix, module in [("", builtins)] + [
        (f"{name}.", importlib.import_module(name)) for name in STANDARD_LIBRARY
    ]:
        if prefix:
            found[prefix[:-1]] = "py:module"
        for name in dir(module):
            thing = getattr(module, name)
            if not name.startswith("_") and (kind := role(thing)):
                found[prefix + name] = kind
                if inspect.isclass(thing):
                    found |= {f"{prefix}{name}.{member}": what for member, what in members(thing)}
    return found


def write(project, version, entries):
    """Write one inventory; `entries` holds (name, role, address)."""
    head = (
        f"# Sphinx inventory version 2\n# Project: {project}\n# Version: {version}\n"
        "# The remainder of this file is compressed using zlib.\n"
    )
    body = "".join(f"{name} {kind} 1 {uri} -\n" for name, kind, uri in sorted(set(entries)))
    TARGET.mkdir(exist_ok=True)
    data = head.encode() + zlib.compress(body.encode(), 9)
    (TARGET / f"{project}.inv").write_bytes(data)
    print(f"{project}.inv: {body.count(chr(10))} names, {len(data) / 1000:.0f} kB")


def pages(found, pattern):
    """Yield entries whose address is `pattern`; a member is an anchor on the page of its class."""
    for name, kind in found.items():
        page = name
        if kind in {"py:method", "py:attribute"}:
            page = name.rpartition(".")[0]
        yield name, kind, pattern.format(page=page, name=name)


def main():
    warnings.simplefilter("ignore")
    for switch in pkgutil.iter_modules(importlib.import_module("sklearn.experimental").__path__):
        # Puts an experimental class, such as IterativeImputer, among the public names.
        if switch.name.startswith("enable_"):
            importlib.import_module(f"sklearn.experimental.{switch.name}")
    for project, package, pattern in [
        ("numpy", "numpy", "reference/generated/{page}.html#{name}"),
        ("scipy", "scipy", "reference/generated/{page}.html#{name}"),
        ("sklearn", "sklearn", "modules/generated/{page}.html#{name}"),
        ("python", None, "library/functions.html#{name}"),
    ]:
        found, text = names(package) if package else (python_names(), "")
        entries = list(pages(found, pattern))
        for name, (kind, uri) in EXTRA.get(project, {}).items():
            entries.append((name, kind, uri.format(name=name)))
        if project == "sklearn":
            # Docstrings that our classes inherit refer to labels and glossary terms, and ours may:
            # all that scikit-learn's own docstrings refer to is there.
            for kind, content in re.findall(r":(term|ref):`([^`]+)`", text):
                name = re.sub(r"\s+", " ", content.rpartition("<")[2].rstrip(">")).strip()
                term = f"glossary.html#term-{name.replace(' ', '-')}"
                uri = term if kind == "term" else "user_guide.html"
                entries.append((name, {"term": "std:term", "ref": "std:label"}[kind], uri))
        version = (
            importlib.metadata.version({"sklearn": "scikit-learn"}.get(package, package))
            if package
            else platform.python_version()
        )
        write(project, version, entries)


if __name__ == "__main__":
    sys.exit(main())
