"""Row 20: a model file that was cut is refused with both sizes, before any runtime is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fer_edge.bundle import Bundle
from fer_edge.errors import BundleRefused, ExitCode
from support.tiny import tiny_bundle

PROGRAM = """
import sys
from fer_edge.cli import main
status = main(["run", "--source", "demo", "--model", sys.argv[1]])
print("loaded:", sorted({"ai_edge_litert", "tflite_runtime", "tensorflow", "onnxruntime"} & set(sys.modules)))
sys.exit(status)
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundles"), precisions=("int8",))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.floats(0.0, 1.0, exclude_max=True))
def test_it_is_refused_wherever_it_was_cut(whole: Path, share: float) -> None:
    bundle = Bundle.open(whole)
    artifact = bundle.manifest.artifacts[0]
    path = whole / artifact.files[0].name
    data = path.read_bytes()
    length = int(len(data) * share)
    path.write_bytes(data[:length])
    try:
        with pytest.raises(BundleRefused, match=f"has {length} bytes where the manifest says {len(data)}"):
            bundle.read(artifact)
    finally:
        path.write_bytes(data)


def test_the_daemon_ends_with_78_and_imports_no_runtime(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path)
    for path in bundle.glob("*.tflite"):
        path.write_bytes(path.read_bytes()[:-1])
    command = [sys.executable, "-c", PROGRAM, str(bundle)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == ExitCode.REFUSED, ended.stderr
    assert ended.stdout.splitlines()[-1] == "loaded: []"
    assert "bytes where the manifest says" in ended.stderr
