"""How Sphinx builds the site: `tox -e docs`."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "pluggable-q"
author = "the authors of pluggable-q"
project_copyright = author
release = version = version_of("pluggable-q")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "docstrings",
    "generated",
    "source_links",
]
exclude_patterns = ["_ext"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_type_aliases: dict[str, str] = {}
python_maximum_signature_line_length = 80
napoleon_custom_sections = [("Description", "params_style")]
add_module_names = False
smartquotes = False  # they would change the prime of s'
default_role = "code"
"""The docstrings mark code as Markdown does."""

copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = "pluggable-q"
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
pygments_style = "friendly"
pygments_dark_style = "monokai"

linkcheck_timeout = 20
linkcheck_retries = 2
