"""Fault 32: somebody tries tokens, or looks for the right one where it should not be."""

from __future__ import annotations

import hmac
import logging
from pathlib import Path
from urllib.parse import quote

import pytest

from fer_edge.system.secrets import Secret
from fer_edge.web.guard import Asked, Guard
from fer_edge.web.limits import FAILURES_S, MAX_FAILURES
from support.clocks import StillClock
from support.http import TOKEN, Answer, Served, answer, face, request, serving, token_file

FORM = {"Origin": "http://localhost", "Content_Type": "application/x-www-form-urlencoded"}
RIGHT = f"Bearer {TOKEN}"


def sign_in(served: Served, token: str) -> Answer:
    return served.ask("/login", "POST", f"token={quote(token)}".encode(), **FORM)


def state(served: Served, source: str = "127.0.0.1", authorization: str = RIGHT) -> Answer:
    with served.connect(source) as client:
        client.sendall(request("GET", "/api/state", {"Host": "localhost", "Authorization": authorization}))
        return answer(client)


@pytest.mark.parametrize("way", ["header", "form"])
def test_after_five_wrong_tokens_even_the_right_one_waits_a_minute(tmp_path: Path, way: str) -> None:
    clock = StillClock()
    with serving(clock=clock, token_file=token_file(tmp_path)) as served:
        for number in range(MAX_FAILURES):
            wrong = f"wrong-{number}"
            found = sign_in(served, wrong) if way == "form" else state(served, authorization=f"Bearer {wrong}")
            assert found.status == 401
        for found in (state(served), sign_in(served, TOKEN)):
            assert found.status == 429
            assert found.headers["retry-after"] == "60"
            assert "set-cookie" not in found.headers
        clock.now_s += FAILURES_S
        assert state(served).status == 200
        assert sign_in(served, TOKEN).status == 303


def test_another_address_is_not_punished(tmp_path: Path) -> None:
    with serving(clock=StillClock(), token_file=token_file(tmp_path)) as served:
        for _ in range(MAX_FAILURES + 1):
            state(served, "127.0.0.9", "Bearer wrong")
        assert state(served, "127.0.0.9").status == 429
        assert state(served).status == 200


def test_a_browser_that_is_signed_in_stays_so_while_its_address_waits(tmp_path: Path) -> None:
    with serving(clock=StillClock(), token_file=token_file(tmp_path)) as served:
        cookie = sign_in(served, TOKEN).headers["set-cookie"].split(";")[0]
        for _ in range(MAX_FAILURES + 1):
            state(served, authorization="Bearer wrong")
        assert served.ask("/api/state", Cookie=f"other=1; {cookie}").status == 200


def test_a_health_check_needs_no_token_and_is_never_punished(tmp_path: Path) -> None:
    with serving(clock=StillClock(), token_file=token_file(tmp_path)) as served:
        for _ in range(MAX_FAILURES + 1):
            state(served, authorization="Bearer wrong")
        assert served.ask("/healthz").status == 200


def test_tokens_are_compared_in_a_time_that_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return one == other

    monkeypatch.setattr("fer_edge.system.secrets.hmac.compare_digest", compare)
    guard = Guard((), Secret(TOKEN), StillClock())
    for given in ("", "c", TOKEN[:-1], TOKEN):
        asked = Asked("GET", "/", ["localhost"], "127.0.0.1", authorizations=[f"Bearer {given}"])
        guard.refusal(asked)
    pairs = {(TOKEN.encode(), given.encode()) for given in ("", "c", TOKEN[:-1], TOKEN)}
    assert pairs <= set(compared)
    assert hmac.compare_digest is compare


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(tmp_path: Path) -> None:
    with serving(token_file=token_file(tmp_path)) as served:
        cookie = sign_in(served, TOKEN).headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert TOKEN not in cookie


def test_signing_out_takes_the_cookie_back(tmp_path: Path) -> None:
    with serving(token_file=token_file(tmp_path)) as served:
        cookie = sign_in(served, TOKEN).headers["set-cookie"].split(";")[0]
        found = served.ask("/logout", "POST", Origin="http://localhost", Cookie=cookie, Content_Length="0")
        assert (found.status, "Max-Age=0" in found.headers["set-cookie"]) == (303, True)


@pytest.mark.parametrize("name", ["token", "access_token", "auth", "key"])
def test_a_token_in_a_url_opens_nothing(tmp_path: Path, name: str) -> None:
    with serving(token_file=token_file(tmp_path)) as served:
        assert served.ask(f"/api/state?{name}={TOKEN}").status == 401
        assert served.ask(f"/{TOKEN}").status == 401


def test_the_token_is_in_no_log_and_in_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(token_file=token_file(tmp_path)) as served:
        served.step(face())
        cookie = sign_in(served, TOKEN).headers["set-cookie"].split(";")[0]
        assert served.server.site is not None
        answers = [state(served), sign_in(served, TOKEN), sign_in(served, TOKEN + "x")]
        for path, route in served.server.site.routes.items():
            if "HEAD" in route.methods:
                answers.append(served.ask(path, Cookie=cookie))
                answers.append(served.ask(f"{path}?token={TOKEN}", Authorization=RIGHT))
    assert {found.status for found in answers} >= {200, 303, 401}
    for found in answers:
        assert TOKEN.encode() not in found.body
        assert TOKEN not in str(found.headers)
    assert "GET /api/state 200" in caplog.text
    assert TOKEN not in caplog.text
    assert cookie.partition("=")[2] not in caplog.text
