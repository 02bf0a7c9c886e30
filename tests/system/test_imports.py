"""The device needs nothing of the workstation: it runs without, a contract forbids it, and no source asks for it."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.tiny import tiny_bundle
from support.tree import PACKAGES, ROOT, name
from support.without_workstation import REFUSED

ALLOWED = {"fer_edge", "numpy", "cv2", "pydantic", "tomli", "simplejpeg"}
OPTIONAL = {
    *("ai_edge_litert", "tflite_runtime", "onnxruntime", "openvino"),
    *("paho", "aiohttp", "prometheus_client", "picamera2", "libcamera"),
}
"""May be imported, but only inside a function, when a person asked for them."""
ROOMS = {"web": {"aiohttp", "prometheus_client", "multidict", "yarl"}}
"""Folders that are imported as a whole only when a person asked for them, and what they import at once."""
TIME_LIMIT_S = 120.0


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )


def test_the_device_runs_where_the_workstations_libraries_cannot_be_imported(tmp_path: Path) -> None:
    done = run("-m", "support.without_workstation", str(tiny_bundle(tmp_path)))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["label"] == "surprise"
    sources = {path.relative_to(PACKAGES["fer_edge"]) for path in PACKAGES["fer_edge"].rglob("*.py")}
    modules = {str(path.with_suffix("")).replace("/", ".").removesuffix(".__init__") for path in sources}
    assert {module.removeprefix("fer_edge.") for module in found["modules"]} == modules - {"__init__", "__main__"}


def test_a_process_that_goes_online_is_caught() -> None:
    hook = "import socket, sys; from support.without_workstation import stay_at_home; sys.addaudithook(stay_at_home)"
    done = run("-c", f"{hook}; socket.create_connection(('127.0.0.1', 9))")
    assert done.returncode == 1
    assert "the device went online: socket.getaddrinfo" in done.stderr


@pytest.mark.parametrize("module", sorted(REFUSED))
def test_the_refuser_does_refuse(module: str) -> None:
    refuse = "import sys; from support.without_workstation import Refuser; sys.meta_path.insert(0, Refuser())"
    done = run("-c", f"{refuse}; import {module}")
    assert done.returncode == 1
    assert f"{module} is refused on the device" in done.stderr


def test_the_import_contracts_are_kept() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kept, 0 broken" in done.stdout


def test_help_is_printed_without_loading_numpy_or_opencv() -> None:
    code = (
        "import sys\n"
        "from fer_edge.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "print('loaded:', sorted({'numpy', 'cv2'} & set(sys.modules)))"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert "usage: fer-edge" in done.stdout
    assert done.stdout.rstrip().endswith("loaded: []")


def _imports(path: Path) -> Iterator[tuple[str, bool, int]]:
    """Top-level package, whether at module level, line; of every import in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {id(node) for outer in ast.walk(tree) if isinstance(outer, ast.FunctionDef) for node in ast.walk(outer)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], id(node) not in inner, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}:{node.lineno} imports relatively"
            yield str(node.module).partition(".")[0], id(node) not in inner, node.lineno


def test_device_sources_import_only_what_the_base_install_brings() -> None:
    wrong = []
    for path in sorted(PACKAGES["fer_edge"].rglob("*.py")):
        for package, outside, line in _imports(path):
            room = ROOMS.get(path.parent.name, set())
            fits = package in ALLOWED or package in sys.stdlib_module_names or package in room
            fits = fits or (package in OPTIONAL and not outside)
            if not fits and package != "tomllib":  # of the standard library since 3.11
                wrong.append(f"{name(path)}:{line} imports {package}")
    assert not wrong
