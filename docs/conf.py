"""How Sphinx makes the site of these pages: `make docs`."""

from __future__ import annotations

import re
from typing import Any

from fer_edge import __version__

project = "fer-edge"
version = release = __version__
extensions = ["myst_parser"]
exclude_patterns = ["images/*.py", "how-to/peers"]
myst_heading_anchors = 4
smartquotes = False
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"fer-edge {__version__}"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
pygments_style = "friendly"
nitpicky = True

SECTION = re.compile(r"^##+ (.+)$", re.MULTILINE)
OUTSIDE = re.compile(
    r"\[([^\]\n]+)\]\(((?:\.\./)+(?:README|CONTRIBUTING|SECURITY|CHANGELOG|LICENSE|deploy|edge|tests)[^)\s#]*)\)"
)
PAGE = re.compile(r"\]\(([\w/-]+)\.md\)")


def setup(app: Any) -> None:  # noqa: ANN401 - Sphinx's own class, which the checkers need not know
    """Sphinx calls this once."""
    app.connect("source-read", bring)
    app.connect("source-read", navigate)


def bring(_app: object, _page: str, source: list[str]) -> None:
    """Files of the repository that are not pages come with the site, as they are."""
    source[0] = OUTSIDE.sub(lambda link: f"{{download}}`{link[1].strip('`')} <{link[2]}>`", source[0])


def navigate(_app: object, page: str, source: list[str]) -> None:
    """The site's navigation is what the index links to, section by section; so the index is plain Markdown."""
    if page == "index":
        _, *parts = SECTION.split(source[0])
        source[0] += "".join(
            f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n" + "\n".join(PAGE.findall(text)) + "\n```\n"
            for title, text in zip(parts[::2], parts[1::2], strict=True)
            if PAGE.search(text)
        )
