"""Sphinx configuration of the skmatrix documentation."""

import json
import os
import re
import warnings
from pathlib import Path

from skmatrix import __version__

HERE = Path(__file__).parent

project = "skmatrix"
author = "The skmatrix developers"
copyright = f"2026, {author}"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.extlinks",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "sphinx_design",
    "sphinx_copybutton",
]
templates_path = ["_templates"]
# The templates are not pages; the tables of the benchmarks are parts of one.
exclude_patterns = ["_build", "_inv", "_templates", "benchmarks"]
default_role = "literal"
nitpicky = True
toc_object_entries_show_parents = "hide"

# -- API reference -------------------------------------------------------------------------------
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_default_options = {"members": True, "inherited-members": True}
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_validation_checks = {"GL08", "PR01", "PR02", "PR04", "RT03", "SS03"}
extlinks = {
    "arxiv": ("https://arxiv.org/abs/%s", "arXiv:%s"),
    "doi": ("https://doi.org/%s", "doi:%s"),
}

# -- Links to other projects; doc/make_inventories.py says where the `_inv` files come from --------
_online = os.environ.get("SKMATRIX_DOC_ONLINE") == "1"
intersphinx_mapping = {
    name: (url, None if _online else f"_inv/{name}.inv")
    for name, url in {
        "python": "https://docs.python.org/3/",
        "numpy": "https://numpy.org/doc/stable/",
        "scipy": "https://docs.scipy.org/doc/scipy/",
        "sklearn": "https://scikit-learn.org/stable/",
    }.items()
}

# -- Examples in docstrings and pages --------------------------------------------------------------
doctest_global_setup = "import numpy as np"
doctest_global_cleanup = """
import sys
if "matplotlib.pyplot" in sys.modules:
    sys.modules["matplotlib.pyplot"].close("all")
"""
doctest_test_doctest_blocks = "default"
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

# -- Gallery ---------------------------------------------------------------------------------------
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"(__init__|quickstart)\.py$",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "doc_module": ("skmatrix",),
    "reference_url": {"skmatrix": None},
    "backreferences_dir": "generated/backreferences",
    "write_computation_times": False,
    "remove_config_comments": True,
    "show_signature": False,
    "matplotlib_animations": False,
}
warnings.filterwarnings("ignore", message=".*Agg, which is a non-GUI backend", category=UserWarning)

# -- HTML ------------------------------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_title = "skmatrix"
html_static_path = ["_static"]
html_css_files = ["skmatrix.css"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "logo": {
        "text": "skmatrix",
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo.svg",
    },
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
# Pages without sub-pages: an empty navigation column would only take their width. Examples need
# that width for figures, and for code of 100 columns.
html_sidebars = {
    page: []
    for page in [
        "index",
        "install",
        "which_estimator",
        "past_one_machine",
        "storing",
        "datasets",
        "benchmarks",
        "whats_new",
        "auto_examples/*/plot_*",
    ]
}

# MathJax comes from its usual server, or from a folder that holds the npm packages `mathjax` and
# `@mathjax/mathjax-newcm-font`, so that the pages can be read without a network.
if _mathjax := os.environ.get("SKMATRIX_MATHJAX"):
    html_static_path.append(_mathjax)
    mathjax_path = "mathjax/tex-svg.js"
    mathjax3_config = {
        "loader": {"paths": {"fonts": "[mathjax]/.."}},
        # An unknown macro is an error then, which can be searched for, and not red text.
        "tex": {"packages": {"[-]": ["noundefined"]}},
    }


def _tables(match):
    """The tables whose names begin as a line `.. tables: kde` says, a subsection for each."""
    text = ""
    for prefix in match[1].split():
        for path in sorted((HERE / "benchmarks").glob(f"{prefix}*.rst")):
            report = path.with_suffix(".json")
            title = path.stem
            if report.is_file():
                title = json.loads(report.read_text(encoding="utf-8")).get("title", title)
            text += f"\n{title}\n{'-' * len(title)}\n\n.. include:: benchmarks/{path.name}\n"
    return text


def _insert_benchmarks(app, docname, source):
    """Put the tables that `python -m tests.benchmarks --write` has made into benchmarks.rst."""
    if docname == "benchmarks":
        source[0] = re.sub(r"^\.\. tables: (.+)$", _tables, source[0], flags=re.MULTILINE)
        for path in (HERE / "benchmarks").glob("*.rst"):
            if f"include:: benchmarks/{path.name}" not in source[0]:
                raise ValueError(f"No line `.. tables:` of doc/benchmarks.rst takes {path.name}.")


def setup(app):
    app.connect("source-read", _insert_benchmarks)
    # New tables do not change the text of the page: read it every time.
    app.connect("env-get-outdated", lambda app, env, added, changed, removed: ["benchmarks"])
