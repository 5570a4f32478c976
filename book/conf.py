"""Sphinx settings of the HTML book; `make report` runs it on the executed notebooks."""

import shutil
from importlib import metadata
from pathlib import Path

import jupyter_server_mathjax
from docutils import nodes
from sphinx.roles import XRefRole

from wadlib.course.finding import substitutions

project = "Instance Level Object Segmentation in Videos, a companion"
author = "The wadlib developers"
copyright = "The wadlib developers, GPL-3.0-or-later"
release = version = metadata.version("wadlib")
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.mathjax",
    "sphinx.ext.autodoc",  # the reference comes from the docstrings (wadlib.course.api) …
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_codeautolink",  # … and a name in a code cell leads there
]
exclude_patterns = ["_build", "conf.py"]
default_role = "name"  # see _name below
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say shapes and units, which types cannot
autosummary_generate = False
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
codeautolink_concat_default = True  # the cells of a notebook are one program
codeautolink_warn_on_missing_inventory = False

nb_execution_mode = "off"  # wadlib.course.notebooks has run them
nb_mime_priority_overrides = [("html", "text/html", 0)]
nb_ipywidgets_js = {}  # the book needs no network
nb_merge_streams = True
nb_code_prompt_show = "Show the solution"
nb_code_prompt_hide = "Hide the solution"
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "attrs_inline", "substitution"]
myst_substitutions = substitutions()  # the numbers of a_line_that_erased_frames.md
myst_heading_anchors = 3
suppress_warnings = [
    "myst.header",
    "ref.python",  # of several things with a name, the first in the same room is meant
    "codeautolink.match_block",  # a cell whose code stands on the page in another form, such as folded
]

html_theme = "sphinx_book_theme"
html_title = "Instance segmentation in videos"
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = None
html_theme_options = {
    "show_toc_level": 2,
    "home_page_in_toc": True,
    "use_download_button": False,
    "use_fullscreen_button": True,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

# MathJax from the installed package, so that equations need no network either.
mathjax_path = "mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full"
mathjax2_config = {
    "messageStyle": "none",
    "tex2jax": {"ignoreClass": "mathjax_ignore", "processClass": "math|mathjax_process"},
    "HTML-CSS": {"availableFonts": [], "preferredFont": None, "imageFont": None, "webFont": "STIX-Web"},
}


def _name(role, rawtext, text, line, inliner, options=None, content=()):
    """`text` in a docstring: a link where it is the full name of something of ours, else as code."""
    if text.startswith("wadlib."):
        return XRefRole()("py:obj", rawtext, text, line, inliner, options or {}, content)
    return [nodes.literal(rawtext, text)], []


def _copy_mathjax(app, error):
    target = Path(app.outdir) / "_static" / "mathjax"
    if error is None and not target.exists():
        shutil.copytree(Path(jupyter_server_mathjax.__file__).parent / "static", target)


def setup(app):
    """Called by Sphinx."""
    app.add_role("name", _name)
    app.connect("build-finished", _copy_mathjax)
