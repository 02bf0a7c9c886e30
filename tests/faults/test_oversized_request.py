"""Fault 28: requests that are larger than anything that is read here."""

from __future__ import annotations

import contextlib
import json
import resource
from pathlib import Path

import pytest

from fer_edge.web.limits import MAX_BODY_BYTES, MAX_FIELD_BYTES, MAX_HEADER_BYTES, MAX_LINE_BYTES
from support.http import Answer, Served, answer, request, serving, token_file

MEBIBYTE = 1024 * 1024
BODY = 20 * MEBIBYTE
CHUNK = b"x" * 65536
MOST_TAKEN = 4 * MEBIBYTE
"""What the buffers of two kernels on one machine may swallow before anybody reads."""


def push(served: Served, head: bytes, body: int) -> tuple[Answer | None, int]:
    """Send a head and so many bytes, as far as they are taken; the answer, and how many that were."""
    taken = 0
    with served.connect() as client:
        client.settimeout(0.5)
        with contextlib.suppress(OSError):
            client.sendall(head)
            while taken < body:
                taken += client.send(CHUNK)
        client.settimeout(10.0)
        try:
            return answer(client), taken
        except (OSError, ValueError):
            return None, taken


def head(method: str, path: str, **headers: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return request(method, path, {"Host": "localhost", "Origin": "http://localhost", **named})


@pytest.mark.parametrize(("method", "path"), [("POST", "/login"), ("GET", "/api/state"), ("POST", "/nothing")])
def test_a_body_of_twenty_megabytes_is_refused_without_being_read(tmp_path: Path, method: str, path: str) -> None:
    with serving(token_file=token_file(tmp_path)) as served:
        form = "application/x-www-form-urlencoded"
        found, taken = push(served, head(method, path, Content_Length=str(BODY), Content_Type=form), BODY)
        assert taken < MOST_TAKEN
        assert found is not None
        assert found.status == 413
        assert served.ask("/healthz").status == 200


def test_a_body_without_a_length_is_read_up_to_the_limit_and_no_further(tmp_path: Path) -> None:
    with serving(token_file=token_file(tmp_path)) as served:
        form = "application/x-www-form-urlencoded"
        start = head("POST", "/login", Transfer_Encoding="chunked", Content_Type=form) + f"{BODY:x}\r\n".encode()
        found, taken = push(served, start, BODY)
        assert taken < MOST_TAKEN
        assert found is not None
        assert found.status == 413
        assert served.ask("/healthz").status == 200


def test_a_body_at_the_limit_is_read(tmp_path: Path) -> None:
    with serving(token_file=token_file(tmp_path)) as served:
        form = "application/x-www-form-urlencoded"
        body = b"token=" + b"x" * (MAX_BODY_BYTES - 6)
        found = served.ask("/login", "POST", body, Origin="http://localhost", Content_Type=form)
        assert found.status == 401
        found = served.ask("/login", "POST", body + b"x", Origin="http://localhost", Content_Type=form)
        assert found.status == 413


def test_a_length_that_is_a_lie_holds_nobody_for_long(tmp_path: Path) -> None:
    with serving(token_file=token_file(tmp_path)) as served:
        form = "application/x-www-form-urlencoded"
        before_s = served.clock.monotonic_s()
        found, _ = push(served, head("POST", "/login", Content_Length="1000", Content_Type=form), 0)
        assert found is not None
        assert found.status == 408
        assert served.clock.monotonic_s() - before_s < 8.0


@pytest.mark.parametrize(
    ("what", "sent"),
    [
        ("a header of 200 kB", head("GET", "/api/state", X_Large="x" * 200_000)),
        ("a path of 100 kB", head("GET", "/" + "a" * 100_000)),
        ("a query of 100 kB", head("GET", "/api/state?" + "a" * 100_000)),
        ("a method of 100 kB", head("A" * 100_000, "/")),
        ("a name of 100 kB", head("GET", "/", **{"A" * 100_000: "x"})),
        ("a host of 100 kB", request("GET", "/", {"Host": "a" * 100_000})),
        ("10,000 headers", head("GET", "/", **{f"X_{number}": "x" for number in range(10_000)})),
        ("a line just too long", head("GET", "/" + "a" * (MAX_LINE_BYTES + 10))),
        ("a field just too long", head("GET", "/api/state", X_Large="x" * (MAX_FIELD_BYTES + 10))),
    ],
)
def test_a_head_that_is_too_large_is_refused(what: str, sent: bytes) -> None:
    with serving() as served:
        found, _ = push(served, sent, 0)
        assert found is None or found.status in {400, 413, 414, 431}, what
        assert served.ask("/healthz").status == 200


def test_headers_that_are_too_large_together_are_refused_with_the_limit() -> None:
    with serving() as served:
        each = "x" * (MAX_FIELD_BYTES - 100)
        found = served.ask("/api/state", X_1=each, X_2=each, X_3=each)
        assert found.status == 431
        assert str(MAX_HEADER_BYTES) in json.loads(found.body)["error"]


def test_a_hundred_such_requests_leave_the_memory_as_it_was(tmp_path: Path) -> None:
    with serving(token_file=token_file(tmp_path)) as served:
        sent = head("POST", "/login", Content_Length=str(BODY))
        push(served, sent, BODY)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(30):
            push(served, sent, MEBIBYTE)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30 * 1024  # kibibytes
