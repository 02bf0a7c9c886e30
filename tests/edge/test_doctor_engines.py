"""A runtime that kills its process is a finding, and the doctor lives to tell it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fer_edge.doctor.engines import engine_finding, engine_findings, library_findings
from fer_edge.doctor.finding import Finding
from fer_edge.runtimes import ENGINES
from fer_edge.trial.process import probe
from support.boards import lay
from support.tiny import read_manifest, tiny_bundle, write_manifest

LITERT = ENGINES[0]
TIME_LIMIT_S = 120.0


def shadowed(tmp_path: Path, module: str, code: str) -> dict[str, str]:
    """An environment in which a library is replaced by this code."""
    return {**os.environ, "PYTHONPATH": str(lay(tmp_path / "shadow", {f"{module}.py": code}))}


def tried(tmp_path: Path, code: str, timeout_s: float = TIME_LIMIT_S) -> Finding:
    environment = shadowed(tmp_path, LITERT.module, code)
    return engine_finding(LITERT, "default", environment, timeout_s, others=["tflite-runtime"])


def test_a_runtime_that_works_runs_the_bundle_and_tells_how_fast(tmp_path: Path) -> None:
    bundle = str(tiny_bundle(tmp_path))
    finding = engine_finding(LITERT, bundle, None, TIME_LIMIT_S, others=[])
    assert finding.level == "ok"
    assert f"runs tflite/int8 of {bundle} in int8, " in finding.found
    assert finding.found.endswith(" ms a face")


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        ("SIGILL", "its import failed: it was ended by SIGILL (an illegal instruction: it was built for another CPU)"),
        ("SIGSEGV", "its import failed: it was ended by SIGSEGV (a crash inside it)"),
        ("SIGUSR1", "its import failed: it was ended by SIGUSR1"),
    ],
)
def test_a_runtime_that_dies_when_imported_is_a_finding(tmp_path: Path, signal: str, words: str) -> None:
    finding = tried(tmp_path, f"import os, signal\nos.kill(os.getpid(), signal.{signal})\n")
    assert (finding.level, finding.found) == ("warning", words)
    assert finding.fix.startswith('set runtime = "tflite-runtime", or ')


def test_a_runtime_that_dies_while_it_runs_the_bundle_is_told_apart(tmp_path: Path) -> None:
    code = (
        "import os, sys, types\n__version__ = '9.9'\n__path__ = []\n"
        "class Crashing(types.ModuleType):\n"
        "    def __getattr__(self, name):\n        os.abort()\n"
        f"sys.modules['{LITERT.module}.interpreter'] = Crashing('interpreter')\n"
    )
    finding = tried(tmp_path, code)
    assert finding.found == (
        "running tflite/int8 of default failed: it was ended by SIGABRT (it gave up); "
        "running tflite/float32 of default failed: it was ended by SIGABRT (it gave up)"
    )


def test_a_runtime_that_hangs_is_ended(tmp_path: Path) -> None:
    finding = tried(tmp_path, "import threading\nthreading.Event().wait()\n", timeout_s=3.0)
    assert finding.found == "its import failed: it did not end within 3 s"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("raise ImportError('libfoo.so.1: cannot open shared object file')", "ImportError: libfoo.so.1: cannot open"),
        ("raise SystemExit(3)", "it ended with status 3"),
        ("import os; os.write(2, b'terminate called\\n'); os._exit(6)", "it ended with status 6: terminate called"),
        ("import os; os._exit(0)", "it ended with status 0"),
    ],
)
def test_a_runtime_that_cannot_be_imported_says_why(tmp_path: Path, code: str, words: str) -> None:
    finding = tried(tmp_path, code)
    assert finding.level == "warning"
    assert words in finding.found


def test_what_a_library_prints_does_not_disturb_the_answer(tmp_path: Path) -> None:
    environment = shadowed(tmp_path, "chatty", "print('{\"version\": \"wrong\"}', flush=True)\n__version__ = '1.2'\n")
    assert probe(("library", "chatty"), environment, TIME_LIMIT_S) == ([{"version": "1.2"}], None)


def test_a_bundle_that_lies_is_refused_and_told(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path)
    manifest = read_manifest(bundle)
    for artifact in manifest["artifacts"]:
        artifact["files"][0]["sha256"] = "0" * 64
    write_manifest(bundle, manifest)
    finding = engine_finding(LITERT, str(bundle), None, TIME_LIMIT_S, others=[])
    assert finding.level == "warning"
    assert "SHA-256" in finding.found


needs_another = pytest.mark.skipif(
    not any(engine.installed for engine in ENGINES[1:] if engine.format == LITERT.format),
    reason="LiteRT is the only runtime here for TFLite",
)


@needs_another
def test_any_runtime_will_do(tmp_path: Path) -> None:
    bundle = str(tiny_bundle(tmp_path))
    one = shadowed(tmp_path / "one", LITERT.module, "raise ImportError('broken')")
    found = {each.name: each.level for each in engine_findings(bundle, one, TIME_LIMIT_S)}
    assert found["litert"] == "warning"
    assert "problem" not in found.values()


def test_one_runtime_must_work(tmp_path: Path) -> None:
    bundle = str(tiny_bundle(tmp_path))
    code = "raise ImportError('broken')\n"
    modules = {f"{engine.module}.py": code for engine in ENGINES}
    none = {**os.environ, "PYTHONPATH": str(lay(tmp_path / "none", modules))}
    found = {each.name: each.level for each in engine_findings(bundle, none, TIME_LIMIT_S)}
    assert found["litert"] == "problem"


def test_a_runtime_that_is_not_installed_is_a_note_and_one_must_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fer_edge.runtimes.importlib.util.find_spec", lambda _: None)
    found = engine_findings("default", None, TIME_LIMIT_S)
    assert [each.level for each in found] == ["note"] * len(ENGINES) + ["problem"]
    assert found[-1].fix == "pip install fer-edge"


def test_numpy_and_opencv_are_tried_first(tmp_path: Path) -> None:
    environment = shadowed(tmp_path, "cv2", "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n")
    numpy, cv2 = library_findings(environment, TIME_LIMIT_S)
    assert numpy.level == "ok"
    assert numpy.found[0].isdigit()
    assert cv2.level == "problem"
    assert "illegal instruction" in cv2.found
    assert cv2.fix.endswith("-m pip install --force-reinstall opencv-python-headless")
