"""Sphinx configuration: ``sphinx-build -W --keep-going -b html docs docs/_build/html``."""

import importlib
import os
import re
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import NumpyDocstring
from sphinx.util import logging

import txpert

project = "txpert"
author = "The txpert developers"
copyright = "2026, The txpert developers"
version = release = txpert.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx-mathjax-offline",  # equations show without a network
    "sphinx_design",
    "sphinxcontrib.bibtex",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]

html_theme = "sphinx_book_theme"
html_title = "txpert"
html_static_path = ["_static"]
html_css_files = ["txpert.css"]
# The sidebar has the search; the theme would put another one into a bar of its own.
html_theme_options = {"show_toc_level": 2, "navbar_persistent": []}

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
bibtex_bibfiles = ["references.bib"]
nb_execution_mode = "off"  # tutorials are stored executed; CI runs them separately

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_type_aliases = {"npt.ArrayLike": "ArrayLike"}
autodoc_typehints_format = "short"
# Own public names are checked; those of other packages are only where their inventories are.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!txpert\.).*"), (r"py:.*", r"txpert\.(.*\.)?_.*")]
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
napoleon_google_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False

# The inventories are fetched from the internet, so local builds go without.
if os.environ.get("READTHEDOCS") or os.environ.get("TXPERT_DOCS_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "anndata": ("https://anndata.readthedocs.io/en/stable/", None),
        "matplotlib": ("https://matplotlib.org/stable/", None),
        "numpy": ("https://numpy.org/doc/stable/", None),
        "pandas": ("https://pandas.pydata.org/docs/", None),
        "python": ("https://docs.python.org/3/", None),
        "scanpy": ("https://scanpy.readthedocs.io/en/stable/", None),
        "scipy": ("https://docs.scipy.org/doc/scipy/", None),
        "scvi-tools": ("https://docs.scvi-tools.org/en/stable/", None),
        "torch": ("https://docs.pytorch.org/docs/stable/", None),
    }


def _returns_as_prose(docstring: NumpyDocstring, section: str) -> list[str]:
    """Read a Returns section as text; its types stand in the signature."""
    lines = docstring._dedent(docstring._consume_to_next_section())
    return docstring._format_block(":returns: ", lines)


NumpyDocstring._parse_returns_section = _returns_as_prose  # type: ignore[method-assign]


def _check_complete(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of public names that the API reference leaves out."""
    documented = set(env.domains["py"].objects)
    package = Path(txpert.__file__).parent
    modules = sorted(path.parent.name for path in package.glob("[!_]*/__init__.py"))
    for module in modules:
        for name in importlib.import_module(f"txpert.{module}").__all__:
            # TxPertModel is documented where users import it from.
            if not {f"txpert.{module}.{name}", f"txpert.{name}"} & documented:
                logging.getLogger(__name__).warning(
                    "txpert.%s.%s is public but on no page of the API reference", module, name
                )


def _check_names(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of pages whose names differ in case only: one would overwrite the other on a Mac."""
    seen: dict[str, str] = {}
    for name in sorted(env.found_docs):
        other = seen.setdefault(name.lower(), name)
        if other != name:
            logging.getLogger(__name__).warning("Pages %s and %s differ in case only", other, name)


_ALIAS = re.compile(r"~?(?:[\w.]+\.)?TypeAliasForwardRef\('(\w+)'\)")
_ARRAY = re.compile(
    r"~?numpy\.ndarray\[tuple\[~?typing\.Any, \.\.\.\], ~?numpy\.dtype\[[^][]*(?:\[[^][]*\])?\]\]"
)


def _name_arrays(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str, returns: str
) -> tuple[str | None, str | None]:
    """Write types of arrays by their names; their shapes stand in the docstring."""
    parts = (signature, returns)
    first, second = (
        text and _ARRAY.sub("~numpy.ndarray", _ALIAS.sub(r"\1", text)) for text in parts
    )
    return first, second


def setup(app: Sphinx) -> None:
    """Connect the checks of completeness and of names, and the names of types."""
    app.connect("autodoc-process-signature", _name_arrays)
    app.connect("env-check-consistency", _check_complete)
    app.connect("env-check-consistency", _check_names)
