"""What the web server answers, what it says of itself, and how it ends."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import threading
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import pytest

from fer_edge.clock import SystemClock
from fer_edge.errors import ConfigError, ExitCode, RuntimeUnavailable
from fer_edge.health import Health
from fer_edge.live import Live
from fer_edge.privacy import PrivacySettings
from fer_edge.web import open_web
from fer_edge.web.limits import CLOSE_S, KEEP_ALIVE_S
from fer_edge.web.settings import HttpSettings
from support.clocks import StillClock
from support.http import LABELS, TOKEN, Served, face, request, serving, started, token_file

jsonschema = pytest.importorskip("jsonschema")
pytest.importorskip("aiohttp", reason="needs fer-edge[web]")

HEADERS = {
    "server": "fer-edge",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}
TIME_LIMIT_S = 20.0


def test_the_page_and_its_parts_are_there() -> None:
    with serving() as served:
        page = served.ask("/")
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        for path in ("/page.js", "/charts.js", "/page.css", "/icon.svg"):
            part = served.ask(path)
            assert part.status == 200
            assert path.encode() in page.body + served.ask("/page.js").body.replace(b"./", b"/")


def test_the_page_holds_no_script_and_no_style_of_its_own() -> None:
    with serving() as served:
        page = served.ask("/").body.decode()
    assert "<style" not in page
    assert page.count("<script") == page.count('<script type="module" src=') == 1
    assert " on" not in " ".join(part.split(">")[0] for part in page.split("<")[1:]).replace(" one", "")
    assert "http://" not in page
    assert "https://" not in page


@pytest.mark.parametrize(
    "path", ["/", "/page.js", "/api/state", "/healthz", "/metrics", "/nothing", "/api/openapi.json"]
)
def test_every_answer_carries_the_headers_that_protect(path: str) -> None:
    with serving() as served:
        headers = served.ask(path).headers
    assert {name: headers.get(name) for name in HEADERS} == HEADERS
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] in {"no-store", "no-cache"}
    assert not [name for name in headers if name.startswith("access-control")]


def test_a_request_that_cannot_be_read_gets_the_same_headers_and_nothing_of_itself_back() -> None:
    with serving() as served, served.connect() as client:
        client.sendall(b"RUBBISH <script>\r\n\r\n")
        found = client.recv(10_000)
    assert found.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert b"<script>" not in found
    assert b"X-Content-Type-Options: nosniff" in found


def test_it_is_alive_before_it_is_ready_and_says_why_it_is_not() -> None:
    with serving() as served:
        assert served.ask("/healthz").status == 200
        served.health.camera_lost("there is no /dev/video0")
        ready = served.ask("/readyz")
        assert ready.status == 503
        assert json.loads(ready.body)["reasons"] == {"camera": "there is no /dev/video0"}
        served.health.camera_lost(None)
        served.step()
        assert served.ask("/readyz").status == 200
        served.health.stopping()
        assert served.ask("/healthz").status == 503


def described(served: Served, name: str) -> dict[str, Any]:
    """A schema of the server's own description."""
    description = json.loads(served.ask("/api/openapi.json").body)
    return {"$ref": f"#/components/schemas/{name}", "components": description["components"]}


@pytest.mark.parametrize("mode", ["events", "aggregate"])
def test_the_state_is_as_its_schema_says(mode: Any) -> None:
    with serving(PrivacySettings(mode=mode)) as served:
        schema = described(served, "State")
        jsonschema.validate(json.loads(served.ask("/api/state").body), schema)
        started(served.live)
        for _ in range(3):
            served.step(face(1), face(2, "sad"))
        served.live.board(temperature_c=50.0, throttled=["under-voltage"])
        counts = {"type": "counts", "since": "x", "time": "y", "people": None, "labels": {"happy": None, "sad": 6}}
        served.live.emit(counts)
        state = json.loads(served.ask("/api/state").body)
        jsonschema.validate(state, schema)
        assert (state["faces"] is None) == (mode == "aggregate")
        state["surprise"] = 1
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(state, schema)


def test_the_state_says_whether_pictures_are_on() -> None:
    with serving(pictures=True) as served:
        assert json.loads(served.ask("/api/state").body)["privacy"]["pictures"] is True
    with serving() as served:
        assert json.loads(served.ask("/api/state").body)["privacy"]["pictures"] is False


def test_paths_of_pictures_do_not_exist_where_they_are_off() -> None:
    with serving() as served:
        served.step()
        assert [served.ask(path).status for path in ("/snapshot.jpg", "/stream.mjpeg")] == [404, 404]
        assert "/snapshot.jpg" not in json.loads(served.ask("/api/openapi.json").body)["paths"]


@pytest.mark.parametrize("mode", ["aggregate", "no-frames"])
def test_pictures_cannot_be_on_where_privacy_rules_them_out(mode: Any) -> None:
    with (
        pytest.raises(ConfigError, match=f"cannot be on in the privacy mode {mode}"),
        serving(PrivacySettings(mode=mode), pictures=True),
    ):
        pass


def test_pictures_need_something_that_holds_them() -> None:
    health, clock = Health(), SystemClock()
    settings = HttpSettings(listen="127.0.0.1:0", pictures=True)
    with pytest.raises(ConfigError, match="nothing holds pictures") as refused:
        open_web(settings, Live(LABELS, health, clock), health, clock).start()
    assert refused.value.exit_code == ExitCode.REFUSED


def metrics(served: Served) -> dict[str, float]:
    """Sample to value."""
    lines = served.ask("/metrics").body.decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


def fill(served: Served) -> None:
    """Something of everything."""
    started(served.live)
    for _ in range(3):
        served.step(face(1), face(2, "sad"))
    served.live.board(temperature_c=61.5, throttled=["under-voltage", 'a "quoted" one'], memory_available_bytes=7)
    served.live.count(dropped_frames=4, lost_events=1)
    served.health.report("mqtt", "the broker is away")


def test_metrics_tell_what_the_state_tells() -> None:
    with serving() as served:
        fill(served)
        found = metrics(served)
    assert found["fer_edge_frames_total"] == 3
    assert found["fer_edge_faces_total"] == 6
    assert found["fer_edge_dropped_frames_total"] == 4
    assert found["fer_edge_lost_events_total"] == 1
    assert found['fer_edge_state{state="degraded"}'] == 1
    assert found['fer_edge_state{state="running"}'] == 0
    assert found['fer_edge_trouble{part="mqtt"}'] == 1
    assert found['fer_edge_throttled{reason="under-voltage"}'] == 1
    assert found["fer_edge_temperature_celsius"] == 61.5
    assert found['fer_edge_expressions_seen{label="sad"}'] == 1
    assert found['fer_edge_stage_seconds{quantile="0.5",stage="detect"}'] == 0.002
    assert found['fer_edge_stage_seconds_count{stage="detect"}'] == 3
    assert found["fer_edge_web_connections"] == 1
    assert found["fer_edge_process_resident_memory_bytes"] > 0


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
@pytest.mark.parametrize("full", [False, True])
def test_promtool_finds_nothing_wrong_with_the_metrics(full: bool) -> None:
    with serving() as served:
        if full:
            fill(served)
        text = served.ask("/metrics").body
    checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, timeout=60, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_in_aggregate_metrics_tell_of_no_face() -> None:
    with serving(PrivacySettings(mode="aggregate")) as served:
        fill(served)
        assert not [name for name in metrics(served) if "faces" in name or "expression" in name]


def test_answers_are_counted_by_status() -> None:
    with serving() as served:
        served.ask("/nothing")
        served.ask("/nothing")
        assert metrics(served)['fer_edge_web_answers_total{status="404"}'] == 2


def test_a_method_that_a_path_does_not_take_is_refused_with_those_that_it_takes() -> None:
    with serving() as served:
        found = served.ask(
            "/api/state", "DELETE", Origin=f"http://localhost:{served.port}", Host=f"localhost:{served.port}"
        )
        assert (found.status, found.headers["allow"]) == (405, "GET, HEAD")


def test_head_is_answered_like_get_without_the_body() -> None:
    with serving() as served:
        got, head = served.ask("/page.css"), served.ask("/page.css", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]


def test_a_fault_of_ours_is_500_in_one_sentence_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as served:
        assert served.server.site is not None

        def fail() -> dict[str, Any]:
            raise ZeroDivisionError("a bug")

        served.live.snapshot = lambda **_: fail()  # type: ignore[method-assign]
        found = served.ask("/api/state")
    assert (found.status, json.loads(found.body)) == (500, {"error": "something went wrong here"})
    assert "a request failed: /api/state" in caplog.text


def test_rubbish_from_strangers_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with serving() as served:
        for _ in range(20):
            with served.connect() as client:
                client.sendall(b"\x16\x03\x01\x02\x00\r\n\r\n")
                client.recv(1000)
        assert metrics(served)["fer_edge_web_malformed_requests_total"] == 20
    assert len(caplog.records) == 1  # where the page is


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_a_connection_without_a_whole_request_is_closed_in_time(sent: bytes) -> None:
    clock = SystemClock()
    with serving() as served, served.connect() as client:
        before_s = clock.monotonic_s()
        client.sendall(sent)
        assert client.recv(1000) == b""
        assert clock.monotonic_s() - before_s < KEEP_ALIVE_S + 3.0


def test_headers_that_drip_do_not_keep_a_connection() -> None:
    clock, ended = SystemClock(), threading.Event()
    with serving() as served, served.connect() as client:
        before_s = clock.monotonic_s()
        client.sendall(b"GET / HTTP/1.1\r\n")

        def drip() -> None:
            try:
                while not ended.wait(0.2):
                    client.sendall(b"A: b\r\n")
            except OSError:
                return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            while client.recv(1000):
                pass
        except ConnectionResetError:
            pass  # it is closed while we write
        finally:
            ended.set()
            thread.join(TIME_LIMIT_S)
        assert clock.monotonic_s() - before_s < KEEP_ALIVE_S + 3.0


def test_it_is_gone_within_two_seconds_whoever_is_connected() -> None:
    clock = SystemClock()
    with serving(pictures=True) as served:
        served.step(face())
        clients = [served.connect() for _ in range(5)]
        clients[0].sendall(request("GET", "/stream.mjpeg", {"Host": "localhost"}))
        clients[1].sendall(request("GET", "/api/events?state=1", {"Host": "localhost"}))
        clients[2].sendall(b"GET / HT")
        assert clients[0].recv(100).startswith(b"HTTP/1.1 200")
        assert clients[1].recv(100).startswith(b"HTTP/1.1 200")
        before_s = clock.monotonic_s()
        served.server.close()
        assert clock.monotonic_s() - before_s < CLOSE_S
        for client in clients:
            client.settimeout(1.0)
            try:
                while client.recv(65536):
                    pass
            except ConnectionResetError:
                pass
            client.close()
        assert not [thread for thread in threading.enumerate() if thread.name == "web"]


def test_a_stream_of_events_ends_cleanly_when_the_server_closes() -> None:
    with serving() as served, served.connect() as client:
        client.sendall(request("GET", "/api/events", {"Host": "localhost"}))
        found = b""
        while b"retry: 2000" not in found:
            found += client.recv(10_000)
        served.server.close()
        while more := client.recv(10_000):
            found += more
        assert found.endswith(b"0\r\n\r\n")  # the last chunk: nothing was cut


def test_it_can_be_closed_twice_and_before_it_was_started() -> None:
    with serving() as served:
        served.server.close()
        served.server.close()
    health = Health()
    live = Live(LABELS, health, StillClock())
    open_web(HttpSettings(), live, health, StillClock()).close()


def test_a_missing_library_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys  # noqa: PLC0415 - to hide a library

    class Hidden:
        def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
            if name == "prometheus_client":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return None

    for name in [name for name in sys.modules if name.startswith(("fer_edge.web.", "prometheus_client"))]:
        if name != "fer_edge.web.settings":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Hidden(), *sys.meta_path])
    health = Health()
    with pytest.raises(RuntimeUnavailable, match=r"needs prometheus_client: pip install 'fer-edge\[web\]'"):
        open_web(HttpSettings(), Live(LABELS, health, StillClock()), health, StillClock())


def test_with_a_token_everything_but_the_health_check_needs_it(tmp_path: Path) -> None:
    with serving(token_file=token_file(tmp_path)) as served:
        assert served.server.site is not None
        for path, route in served.server.site.routes.items():
            if path == "/login":
                continue
            origin: dict[str, Any] = {"Origin": "http://localhost"} if route.methods == ("POST",) else {}
            refused = served.ask(path, route.methods[0], **origin)
            assert refused.status == (200 if path == "/healthz" else 401), path
            if path != "/healthz":
                assert TOKEN.encode() not in refused.body
        assert served.ask("/api/state", Authorization=f"Bearer {TOKEN}").status == 200
