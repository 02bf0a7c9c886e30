"""The interface is as its own description says, whatever is asked of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.http import LABELS, TOKEN, Answer, Served, face, request, serving, started, token_file

jsonschema = pytest.importorskip("jsonschema")

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "QUERY")
STREAMS = {"text/event-stream", "multipart/x-mixed-replace"}
EXAMPLES = 150
VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30)
VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=60)
HEADERS = (
    *("Accept", "Origin", "Sec-Fetch-Site", "Sec-Fetch-Mode", "Last-Event-ID", "Cookie", "Authorization", "Range"),
    *("If-None-Match", "X-Forwarded-For", "X-HTTP-Method-Override", "Accept-Encoding", "Upgrade", "Content-Type"),
)
NAME = st.sampled_from(HEADERS)
ADDRESSES = (f"127.0.2.{number}" for number in itertools.cycle(range(1, 250)))
"""Of this machine; one alone may not have so many connections, of which some linger."""
BODY = st.one_of(st.just(b""), st.binary(max_size=200), VISIBLE.map(lambda text: f"token={text}".encode()))


@pytest.fixture(scope="module", params=["open", "closed"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """With everything on: pictures, and once with a token."""
    closed = request.param == "closed"
    token = token_file(tmp_path_factory.mktemp("token")) if closed else None
    with serving(pictures=True, token_file=token) as found:
        started(found.live)
        for _ in range(3):
            found.step(face(1), face(2, "sad"))
        yield found


def description(served: Served) -> dict[str, Any]:
    document = json.loads(served.ask("/api/openapi.json", Authorization=f"Bearer {TOKEN}").body)
    assert isinstance(document, dict)
    return document


@pytest.fixture(scope="module")
def described(served: Served) -> dict[str, Any]:
    return description(served)


def exchange(served: Served, method: str, target: str, headers: dict[str, str], body: bytes) -> Answer:
    """Send and read, of a stream only its head."""
    with served.connect(next(ADDRESSES)) as client:
        client.sendall(request(method, target, {"Host": "localhost", **headers}) + body)
        response = HTTPResponse(client, method=method)
        served.held.append(response)
        response.begin()
        found = {name.lower(): value for name, value in response.getheaders()}
        stream = found.get("content-type", "").split(";")[0] in STREAMS
        return Answer(response.status, found, b"" if stream else response.read())


def operation(described: dict[str, Any], path: str, method: str) -> dict[str, Any] | None:
    name = "get" if method == "HEAD" else method.lower()
    found = described["paths"].get(path, {}).get(name)
    assert found is None or isinstance(found, dict)
    return found


def judge(described: dict[str, Any], path: str, method: str, answer: Answer) -> None:
    """Status, type and body are among those described."""
    assert answer.status != 500
    assert answer.body != b'{"error": "too many connections"}'
    named = operation(described, path, method)
    if named is None:
        assert answer.status in {400, 401, 403, 404, 405, 413, 421, 429, 431}, (path, method, answer)
        return
    if (answer.status, method) == (405, "HEAD"):
        return
    assert str(answer.status) in named["responses"], (path, method, answer)
    content = named["responses"][str(answer.status)]["content"]
    kind = answer.headers["content-type"].split(";")[0]
    assert kind in content, (path, method, answer.status, kind)
    if kind == "application/json" and answer.body:
        schema = {**content[kind]["schema"], "components": described["components"]}
        jsonschema.validate(json.loads(answer.body), schema)


def test_every_route_is_described_and_every_description_is_a_route(served: Served, described: dict[str, Any]) -> None:
    assert served.server.site is not None
    routes = {path: {m for m in route.methods if m != "HEAD"} for path, route in served.server.site.routes.items()}
    assert {path: {m.upper() for m in methods} for path, methods in described["paths"].items()} == routes


def test_the_description_is_openapi_and_its_schemas_are_schemas(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    for schema in described["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_path_answers_as_described(served: Served, described: dict[str, Any]) -> None:
    for path in described["paths"]:
        for method in METHODS:
            for token in ({}, {"Authorization": f"Bearer {TOKEN}"}):
                headers = {"Origin": "http://localhost", **token}
                judge(described, path, method, exchange(served, method, path, headers, b""))


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_asked_is_answered_as_described(
    served: Served, described: dict[str, Any], data: st.DataObject
) -> None:
    path = data.draw(st.one_of(st.sampled_from(sorted(described["paths"])), VISIBLE.map(lambda text: f"/{text}")))
    method = data.draw(st.sampled_from(METHODS))
    query = data.draw(st.one_of(st.just(""), st.just("?state=1"), VISIBLE.map(lambda text: f"?{text}")))
    headers = data.draw(st.dictionaries(NAME, VALUE, max_size=4))
    body = data.draw(BODY)
    if data.draw(st.booleans()):
        headers |= {"Authorization": f"Bearer {TOKEN}"}
    if body or method == "POST":
        headers |= {"Content-Length": str(len(body)), "Origin": "http://localhost"}
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    served.server.site._guard._failures._times.clear()  # type: ignore[union-attr]
    judge(described, path.partition("?")[0], method, exchange(served, method, path + query, headers, body))


def test_the_server_is_still_well_after_all_that(served: Served) -> None:
    served.step(face())
    state = json.loads(served.ask("/api/state", Authorization=f"Bearer {TOKEN}").body)
    assert state["labels"] == list(LABELS)


def test_the_description_page_lists_every_path(described: dict[str, Any]) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "http.md").read_text(encoding="utf-8")
    assert [path for path in described["paths"] if f"`{path}`" not in page] == []
