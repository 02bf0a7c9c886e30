"""Row 2: unplugged while it runs, the camera's last picture is withdrawn; plugged in again, all goes on by itself."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from itertools import groupby
from pathlib import Path

import pytest

from support.brokers import PATIENCE_S, until
from support.processes import running

pytest.importorskip("aiohttp", reason="the extra web is not installed")


def status(port: int, path: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE_S) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)


def test_the_picture_is_withdrawn_and_comes_back(tmp_path: Path) -> None:
    with running(tmp_path, "fault:demo?lost@6s*3") as (process, port, events):
        until(lambda: status(port, "/snapshot.jpg") == 200, "there is a picture")
        assert status(port, "/readyz") == 200
        until(lambda: status(port, "/snapshot.jpg") == 503, "the picture is withdrawn", 2 * PATIENCE_S)
        assert (status(port, "/readyz"), status(port, "/healthz")) == (503, 200)
        until(lambda: status(port, "/snapshot.jpg") == 200, "there is a picture again", 2 * PATIENCE_S)
        assert status(port, "/readyz") == 200
        assert process.poll() is None
        told = [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    states = [event["state"] for event in told if event["type"] == "state_changed"]
    assert [state for state, _ in groupby(states)] == ["camera_lost", "running"]
    kinds = [event["type"] for event in told if event["type"].startswith("camera")]
    assert kinds == ["camera_lost", "camera_back"]
