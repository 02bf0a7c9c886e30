"""The whole daemon as people run it: what it tells, and what it takes while it runs."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from fer_edge.bundle import MANIFEST, shipped
from fer_edge.cli import main
from fer_edge.detectors.haar import haar_installed
from support.brokers import PATIENCE_S, until
from support.processes import running
from support.shared import yunet


@pytest.fixture
def detecting() -> list[str]:
    """What lets any OpenCV find the demo's face: the fifth has no cascades."""
    return [] if haar_installed() else ["--set", f"detector.weights={yunet('2026may')}"]


def events_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def test_where_only_groups_are_counted_nothing_is_told_of_anybody(tmp_path: Path, detecting: list[str]) -> None:
    path = tmp_path / "events.jsonl"
    flags = ["--source", "demo", "--no-pace", "--max-frames", "700", "--events", str(path), *detecting]
    assert main(["run", *flags, "--set", "privacy.mode=aggregate", "--set", "privacy.window_s=20"]) == 0
    told = events_of(path)
    assert {event["type"] for event in told} == {"started", "counts", "statistics", "stopped"}
    assert told[0]["privacy"] == "aggregate"
    assert all(event["people"] is None for event in told if event["type"] == "counts")
    assert not {"track", "box", "faces", "searches", "confidence"} & {key for event in told for key in event}


@pytest.mark.timeout(180)
def test_hangup_reads_the_configuration_again_and_a_bad_one_changes_nothing(
    tmp_path: Path, detecting: list[str]
) -> None:
    pytest.importorskip("aiohttp", reason="the extra web is not installed")
    chosen = tmp_path / "edge.toml"
    chosen.write_text("[governor]\nhot_c = 90.0\n", encoding="utf-8")
    with running(tmp_path, "demo", more=["--config", str(chosen), *detecting]) as (process, _, path):

        def states() -> list[dict[str, Any]]:
            return [event for event in events_of(path) if event["type"] == "state_changed"]

        chosen.write_text("[governor]\nhotc = 90.0\n", encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        until(lambda: len(states()) == 1, "the bad file is told of", 2 * PATIENCE_S)
        assert (
            "line 2: governor.hotc is not a known key; did you mean hot_c?" in states()[0]["reasons"]["configuration"]
        )
        chosen.write_text("[governor]\nhot_c = 95.0\n", encoding="utf-8")
        process.send_signal(signal.SIGHUP)
        until(lambda: len(states()) == 2, "the good file is taken", 2 * PATIENCE_S)
        assert (states()[1]["state"], states()[1]["reasons"]) == ("running", {})
        assert process.poll() is None


@pytest.mark.timeout(180)
def test_a_bundle_that_is_replaced_takes_over_and_a_broken_one_does_not(tmp_path: Path, detecting: list[str]) -> None:
    pytest.importorskip("aiohttp", reason="the extra web is not installed")
    model = Path(shutil.copytree(shipped() / "fernet-s", tmp_path / "model"))

    def replace(temperature: float, *, whole: bool) -> None:
        other = Path(shutil.copytree(model, tmp_path / "other"))
        document = json.loads((other / MANIFEST).read_text(encoding="utf-8"))
        for artifact in document["artifacts"]:
            artifact["temperature"] = temperature
        (other / MANIFEST).write_text(json.dumps(document), encoding="utf-8")
        for path in () if whole else other.glob("*.tflite"):
            path.write_bytes(path.read_bytes()[:-1])
        shutil.rmtree(model)
        other.rename(model)

    flags = [
        "--model",
        str(model),
        "--set",
        "hot_swap=true",
        "--set",
        "pipeline.turns.every_s=0",
        "--set",
        "pipeline.turns.changed=0",
    ]
    with running(tmp_path, "demo", more=[*flags, *detecting]) as (process, _, path):

        def kinds() -> list[str]:
            return [event["type"] for event in events_of(path) if event["type"].startswith("model")]

        replace(2.0, whole=True)
        until(lambda: kinds() == ["model_changed"], "the new model takes over", 3 * PATIENCE_S)
        replace(3.0, whole=False)
        until(lambda: kinds() == ["model_changed", "model_refused"], "the broken one is refused", 3 * PATIENCE_S)
        assert process.poll() is None
