"""Sphinx configuration; no network is needed, and warnings are errors (``sphinx-build -W``)."""

from pathlib import Path

import polytene

HERE = Path(__file__).parent

project = "polytene"
author = "The polytene developers"
copyright = "The polytene developers"
release = version = polytene.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_click",
]
exclude_patterns = ["_build", "_figures"]
templates_path = ["_templates"]

html_theme = "furo"
html_title = f"polytene {version}"
html_static_path = ["_static"]
html_css_files = ["polytene.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False

pygments_style = "friendly"
pygments_dark_style = "native"

autosummary_generate = True
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False
python_maximum_signature_line_length = 80
numpydoc_show_class_members = False

nb_execution_mode = "force"
nb_execution_timeout = 60  # the first count compiles its kernels
nb_execution_raise_on_error = True
nb_merge_streams = True

myst_enable_extensions = ["substitution", "deflist"]
myst_heading_anchors = 3
# Figures that tests/benchmarks writes; the pages say so where there are none.
_none = "*No figures are stored with this version: run the benchmark above.*"
_tables = {
    name: HERE / "_figures" / f"{name}.md"
    for name in (
        "annotation",
        "codons",
        "engine",
        "genome",
        "lightcurves",
        "metadata",
        "overheads",
        "page",
        "rnaseq",
    )
}
myst_substitutions = {
    f"{name}_figures": path.read_text(encoding="utf-8") if path.exists() else _none
    for name, path in _tables.items()
}
