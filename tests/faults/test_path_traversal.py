"""Fault 29: paths that try to leave the page for the files around it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import fer_edge.web
from support.http import serving

PACKAGE = Path(fer_edge.web.__file__).parent
PATHS = (
    *("/../etc/passwd", "/..", "/../", "/./page.css", "/page/../page.css", "/page.css/..", "/page/../../live.py"),
    *("/%2e%2e/etc/passwd", "/%2e%2e%2fetc%2fpasswd", "/..%2f..%2fetc/passwd", "/..%5c..%5cetc", "/%252e%252e/x"),
    *(
        "/..;/etc/passwd",
        "/....//etc/passwd",
        "//etc/passwd",
        "//page.css",
        "/page.css/",
        "/page.css%00",
        "/page.css%20",
    ),
    *("/\\..\\..\\etc\\passwd", "/page.css\\", "/%c0%ae%c0%ae/etc/passwd", "/%u002e%u002e/", "/file:///etc/passwd"),
    *("/page/index.html", "/index.html", "/page/page.js", "/server.py", "/__init__.py", "/web/page/page.css"),
    *("/PAGE.CSS", "/Page.js", "/%70age.css", "/page%2ecss", "/page.css;x", "/api/state/", "/api/../api/state"),
    *("/api/openapi.json/../../page.css", "/.git/config", "/token", "/proc/self/environ", "/dev/zero", "/~root"),
)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_is_not_in_the_table_is_not_found(path: str) -> None:
    with serving() as served:
        found = served.ask(path)
        assert found.status == 404, found
        assert b"root:" not in found.body


@pytest.mark.parametrize("path", ["/page.css\0", "/a b", "/\x7f", "/ü"])
def test_a_path_with_bytes_that_no_path_has_is_refused_or_not_found(path: str) -> None:
    with serving() as served:
        assert served.ask(path).status in {400, 404}


def test_a_link_beside_the_page_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.symlink("/etc/passwd", tmp_path / "page.txt")  # noqa: PTH211 - the plain call says what is meant
    with serving() as served:
        assert served.ask("/page.txt").status == 404


def test_no_file_is_opened_for_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as served:

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("a file is opened")

        monkeypatch.setattr("builtins.open", refuse)
        monkeypatch.setattr("pathlib.Path.open", refuse)
        monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
        for path in ("/", "/page.css", "/page.js", "/charts.js", "/icon.svg"):
            assert served.ask(path).status == 200


def test_every_file_of_the_page_is_served_and_nothing_else_of_the_package() -> None:
    with serving() as served:
        assert served.server.site is not None
        assets = {"index.html" if path == "/" else path[1:] for path in served.server.site._assets}
    assert assets == {path.name for path in (PACKAGE / "page").iterdir()}
