"""Row 37: no socket is opened to anywhere but what was asked for, whichever runtime is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from support.tiny import tiny_bundle

PROGRAM = """
import json, sys
hosts = []
def hear(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.gethostbyname"}:
        hosts.append(repr(arguments[-1] if event == "socket.connect" else arguments[0]))
sys.addaudithook(hear)
from fer_edge.cli import main
status = main(["run", "--source", "demo", "--no-pace", "--max-frames", "20", *sys.argv[1:]])
import os
print(json.dumps({"status": status, "hosts": hosts, "ort": os.environ.get("ORT_DISABLE_TELEMETRY"),
                  "openvino_telemetry": sys.modules.get("openvino_telemetry", "not imported") is None}))
"""


def run(folder: Path, *flags: str) -> str:
    command = [sys.executable, "-c", PROGRAM, "--events", str(folder / "events.jsonl"), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout.splitlines()[-1]


def test_the_daemon_connects_to_nothing(tmp_path: Path) -> None:
    assert '"status": 0, "hosts": []' in run(tmp_path)


def test_onnx_runtime_is_told_not_to_before_it_is_imported(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    said = run(tmp_path, "--model", str(tiny_bundle(tmp_path, with_onnx=True)), "--runtime", "onnxruntime")
    assert '"status": 0, "hosts": [], "ort": "1"' in said


def test_openvino_finds_no_telemetry_to_import(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    program = (
        "import sys; from fer_edge.runtimes import ov; ov.library(); print(sys.modules['openvino_telemetry'] is None)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert ended.stdout.strip() == "True"
