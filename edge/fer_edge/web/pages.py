"""The page and its assets, read once from the package: constants, so that no path of a request reaches a file."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from fer_edge.web.replies import CSP

HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Asset:
    """Bytes with their type."""

    data: bytes
    content_type: str


_TYPES = {
    "/": ("index.html", HTML),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
} | {f"/{name}": (name, "text/javascript; charset=utf-8") for name in ("page.js", "charts.js")}


def assets() -> dict[str, Asset]:
    """All there is to serve, by path."""
    folder = files("fer_edge.web") / "page"
    return {path: Asset((folder / name).read_bytes(), kind) for path, (name, kind) in _TYPES.items()}


STYLE = """
:root { color-scheme: light dark; --paper: #f4f5f7; --card: #fff; --ink: #1b1f24; --line: #8b95a1; --go: #0b5cad; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #12161b; --card: #1b2129; --ink: #e8ebef; --line: #5a6673; --go: #7ab8ff; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
form { width: min(24rem, 100%); padding: 2rem; background: var(--card); border-radius: 0.75rem; display: grid;
  gap: 0.75rem; }
h1 { margin: 0; font-size: 1.25rem; }
p { margin: 0; }
input, button { font: inherit; padding: 0.6rem 0.75rem; border-radius: 0.5rem; border: 1px solid var(--line);
  background: transparent; color: inherit; width: 100%; }
button { border-color: var(--go); color: var(--go); font-weight: 600; cursor: pointer; }
:focus-visible { outline: 3px solid var(--go); outline-offset: 2px; }
"""

_LOGIN = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fer-edge: token</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<form method="post" action="/login">
<h1>fer-edge</h1>
<p role="status">{sentence}</p>
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Show the page</button>
</form>
</body>
</html>
"""

_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
LOGIN_HEADERS = {
    "Content-Security-Policy": CSP.replace("style-src 'self'", f"style-src 'sha256-{_HASH}'").replace(
        "img-src 'self'", "img-src data:"
    ),
    "Referrer-Policy": "same-origin",  # under `no-referrer` browsers send `Origin: null` with a form
}


def login(sentence: str) -> bytes:
    """The form in which a browser hands in the token."""
    return _LOGIN.format(style=STYLE, sentence=escape(sentence)).encode()
