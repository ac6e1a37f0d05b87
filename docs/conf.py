"""How the site in docs/ is built: Sphinx with MyST, and no network."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from deploy.docs import pages  # noqa: E402 - it is found once the path is set

# Pages that follow from code are drawn before Sphinx looks for pages, and are not kept in git.
pages.write(HERE / "reference" / "generated")

project = "aitrain"
author = "the aitrain developers"
release = installed("aitrain")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx_copybutton"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]
MERMAID = re.compile(r"^```mermaid\n.*?^```\n", re.M | re.S)

html_theme = "furo"
html_title = "aitrain"
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]
# Two dashes are two dashes: most of them stand before an option.
smartquotes = False
# Sphinx would name the machine's own theme of colours; both of these ship with Pygments.
pygments_style = "friendly"
pygments_dark_style = "monokai"
# The button copies what is typed: without the prompt, and without what the command answers.
copybutton_prompt_text = "$ "
copybutton_line_continuation_character = "\\"


def _plain(app: object, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Docstrings are plain text: a star is a star, and what is indented is an example."""
    old, lines[:] = list(lines), []
    for line in old:
        indented = line.startswith(" ")
        if indented and not any(earlier.startswith(" ") for earlier in lines[-1:]):
            lines += ["", "::", ""]
        elif not indented and line and lines and lines[-1].startswith(" "):
            lines.append("")
        lines.append(line if indented else re.sub(r"(\*|_\b)", r"\\\1", line))


def _without_drawings(app: object, name: str, content: list[str]) -> None:
    """GitHub draws the states; a program to do so here would come from another host. Tables say the same."""
    content[0] = MERMAID.sub("", content[0])


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _without_drawings)
    app.connect("autodoc-process-docstring", _plain)


autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "mixed"
