"""Fault 31: a page of somebody else's makes its visitor's browser ask here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.http import TOKEN, Answer, Served, face, serving, token_file

FORM = "application/x-www-form-urlencoded"
BODY = f"token={TOKEN}".encode()
SITES = ("cross-site", "same-site", "evil", "")
ORIGINS = ("http://evil.example", "https://evil.example", "null", "http://localhost.evil.example", "http://localhost:1")


@pytest.fixture(scope="module", params=["open", "closed"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    token = token_file(tmp_path_factory.mktemp("token")) if request.param == "closed" else None
    with serving(pictures=True, token_file=token) as found:
        found.step(face())
        yield found


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Served]:
    with serving(token_file=token_file(tmp_path)) as found:
        yield found


def paths(served: Served, method: str) -> list[str]:
    """From the table itself, so that a new route cannot be forgotten."""
    assert served.server.site is not None
    return [path for path, route in served.server.site.routes.items() if method in route.methods]


def ask(served: Served, path: str, method: str = "GET", body: bytes = b"", **headers: Any) -> Answer:
    """As a browser that has the token: with the cookie."""
    assert served.server.site is not None
    cookie = {"Cookie": f"fer_edge={served.server.site._guard.cookie}"}
    return served.ask(path, method, body, **{**cookie, **headers})


@pytest.mark.parametrize("site", SITES)
def test_no_part_of_another_sites_page_comes_from_here(served: Served, site: str) -> None:
    for path in paths(served, "GET"):
        for mode in ("no-cors", "cors", "websocket", "nested-navigate"):
            assert ask(served, path, Sec_Fetch_Site=site, Sec_Fetch_Mode=mode).status == 403, (path, mode)


def test_a_link_from_another_site_leads_to_the_page_and_to_nothing_else(served: Served) -> None:
    followed: dict[str, Any] = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    found = {path: ask(served, path, **followed).status for path in paths(served, "GET")}
    assert found.pop("/") == 200
    assert set(found.values()) == {403}


def test_our_own_page_and_programs_are_answered(served: Served) -> None:
    own: list[dict[str, Any]] = [
        {},
        {"Sec_Fetch_Site": "none"},
        {"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "cors"},
    ]
    for headers in own:
        assert ask(served, "/api/state", **headers).status == 200


def test_no_answer_lets_another_site_read(served: Served) -> None:
    for path in paths(served, "HEAD"):
        for origin in ORIGINS:
            found = ask(served, path, "HEAD", Origin=origin)
            assert not [name for name in found.headers if name.startswith("access-control")]
            assert found.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "DELETE", "PATCH", "POST"])
def test_a_preflight_and_every_other_method_get_no_permission(served: Served, method: str) -> None:
    for path in paths(served, "GET"):
        found = ask(
            served, path, method, Origin="http://evil.example", Access_Control_Request_Method="POST", Content_Length="0"
        )
        assert found.status == 403
        assert not [name for name in found.headers if name.startswith("access-control")]


def test_get_changes_nothing(served: Served) -> None:
    before = served.live.totals(), served.live.newest, served.health.status()
    for path in paths(served, "HEAD"):
        ask(served, path)
        ask(served, path, "HEAD")
    assert (served.live.totals(), served.live.newest, served.health.status()) == before
    assert "set-cookie" not in ask(served, "/").headers


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Origin": "http://localhost"}, 303),
        ({"Origin": "HTTP://LOCALHOST"}, 303),
        ({"Origin": "http://localhost", "Sec_Fetch_Site": "same-origin"}, 303),
        ({"Sec_Fetch_Site": "same-origin"}, 303),
        ({}, 403),
        ({"Sec_Fetch_Site": "none"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, 403),
        ({"Origin": "http://localhost", "Sec_Fetch_Site": "cross-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": ""}, 403),
        ({"Origin": "null", "Sec_Fetch_Site": "same-origin"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://localhost:1"}, 403),
        ({"Origin": "http://localhost/"}, 403),
        ({"Origin": "http://user@localhost"}, 403),
        ({"Origin": "ftp://localhost"}, 403),
        ({"Origin": "//localhost"}, 403),
        ({"Origin": "localhost"}, 403),
        ({"Origin": "http://[localhost"}, 403),
    ],
)
def test_a_form_is_taken_from_our_own_page_only(closed: Served, headers: dict[str, Any], expected: int) -> None:
    for path in paths(closed, "POST"):
        found = ask(closed, path, "POST", BODY, Content_Type=FORM, **headers)
        assert found.status == expected, path
        assert ("set-cookie" in found.headers) == (expected == 303)


def test_two_origins_are_one_too_many(closed: Served) -> None:
    found = closed.ask("/login", "POST", BODY, Content_Type=FORM, Origin=["http://localhost", "http://evil.example"])
    assert found.status == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data; boundary=x", ""])
def test_only_a_form_is_a_form(closed: Served, kind: str) -> None:
    found = closed.ask("/login", "POST", BODY, Content_Type=kind, Origin="http://localhost")
    assert found.status == 415


def test_there_is_no_websocket_to_be_hijacked(served: Served) -> None:
    upgrade: dict[str, Any] = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13"}
    for path in paths(served, "HEAD"):
        assert ask(served, path, Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==", **upgrade).status != 101
