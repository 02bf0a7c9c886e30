"""What would end the daemon ends a child: the next best artifact runs, and the board is not asked twice."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from fer_edge import assembly
from fer_edge.bundle import Bundle
from fer_edge.classifier import choices
from fer_edge.config import Settings
from fer_edge.errors import BundleRefused, RuntimeRefused, RuntimeUnavailable
from fer_edge.runtimes import ENGINES
from fer_edge.system.board import Board
from fer_edge.trial import choosing
from fer_edge.trial.choosing import first_that_runs, tried
from fer_edge.trial.verdicts import DIED, MAX_BYTES, MAX_VERDICTS, RUNS, Verdict, Verdicts, key_of, state_folder
from support.boards import lay
from support.tiny import read_manifest, tiny_bundle, write_manifest

LITERT = "ai_edge_litert"
# The library as it is, but what it does with a quantized model is up to a test.
AROUND = """
import importlib.util, os, signal, sys
__path__ = {places!r}
def _interpreter():
    spec = importlib.util.spec_from_file_location("ai_edge_litert.interpreter", {file!r})
    module = importlib.util.module_from_spec(spec)
    sys.modules["ai_edge_litert.interpreter"] = module
    spec.loader.exec_module(module)
    kept = module.Interpreter.allocate_tensors
    def allocate(self):
        kept(self)
        if self.get_input_details()[0]["dtype"].__name__ == "int8":
            {act}
    module.Interpreter.allocate_tensors = allocate
_interpreter()
"""
DIES = "os.kill(os.getpid(), signal.SIGILL)"
REFUSES = "raise RuntimeError('object is not initialized')"


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle.open(str(tiny_bundle(tmp_path)))


@pytest.fixture
def memory(tmp_path: Path) -> Verdicts:
    return Verdicts(tmp_path / "state" / "trials.json")


def litert_that(folder: Path, act: str) -> dict[str, str]:
    """An environment in which LiteRT does this with int8."""
    import ai_edge_litert.interpreter as real  # noqa: PLC0415 - a runtime, which is not everywhere

    file = str(real.__file__)
    code = AROUND.format(places=[str(Path(file).parent)], file=file, act=act)
    return {**os.environ, "PYTHONPATH": str(lay(folder / "shadow", {f"{LITERT}.py": code}))}


def litert_only(bundle: Bundle) -> Any:
    return choices(bundle, runtime="litert")


def chosen(bundle: Bundle, memory: Verdicts, environment: dict[str, str] | None = None) -> str:
    engine, artifact = first_that_runs(bundle, litert_only(bundle), 1, verdicts=memory, environment=environment)
    return f"{artifact.id} in {engine.name}"


def no_child(*_: Any, **__: Any) -> Any:
    raise AssertionError("a child was started")


def test_the_best_that_runs_is_taken_and_remembered(
    bundle: Bundle, memory: Verdicts, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chosen(bundle, memory) == "tflite/int8 in litert"
    monkeypatch.setattr(choosing, "probe", no_child)
    assert chosen(bundle, memory) == "tflite/int8 in litert"


def test_what_ends_its_process_is_left_out_and_not_tried_again(
    tmp_path: Path,
    bundle: Bundle,
    memory: Verdicts,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert chosen(bundle, memory, litert_that(tmp_path, DIES)) == "tflite/float32 in litert"
    assert "left out on this board: tflite/int8 in litert: it was ended by SIGILL (an illegal" in caplog.text
    monkeypatch.setattr(choosing, "probe", no_child)
    assert chosen(bundle, memory) == "tflite/float32 in litert"


def test_what_a_runtime_refuses_makes_place_for_the_next(tmp_path: Path, bundle: Bundle, memory: Verdicts) -> None:
    assert chosen(bundle, memory, litert_that(tmp_path, REFUSES)) == "tflite/float32 in litert"


def test_where_everything_dies_the_sentence_names_it_all(tmp_path: Path, bundle: Bundle, memory: Verdicts) -> None:
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n"
    dying = {**os.environ, "PYTHONPATH": str(lay(tmp_path / "dying", {f"{LITERT}.py": code}))}
    with pytest.raises(RuntimeUnavailable) as caught:
        chosen(bundle, memory, dying)
    assert "tflite/int8 in litert: it was ended by SIGSEGV (a crash inside it); tflite/float32" in str(caught.value)


def test_what_is_refused_everywhere_is_given_back_so_that_loading_says_why(tmp_path: Path, memory: Verdicts) -> None:
    path = tiny_bundle(tmp_path)
    manifest = read_manifest(path)
    for artifact in manifest["artifacts"]:
        for golden in artifact["golden"]:
            golden["output"] = [value + 100.0 for value in golden["output"]]
    write_manifest(path, manifest)
    assert chosen(Bundle.open(str(path)), memory) == "tflite/int8 in litert"
    with pytest.raises(RuntimeRefused, match="golden output is off"):
        assembly.make_classifier(Settings(model=str(path)))


def test_what_one_runtime_computes_wrongly_is_not_asked_of_its_twin_and_other_artifacts_come_first(
    bundle: Bundle, memory: Verdicts, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def refusing(arguments: tuple[str, ...], *_: Any) -> Any:
        asked.append((arguments[3], arguments[1]))
        return [{"error": "a golden output is off", "kind": "RuntimeRefused"}], None

    litert, twin = ENGINES[:2]
    artifacts = bundle.choices(("tflite",))
    monkeypatch.setattr(choosing, "probe", refusing)
    monkeypatch.setattr("fer_edge.classifier.engines_for", lambda _=None: (litert, twin))
    monkeypatch.setattr(choosing, "key_of", lambda *parts: f"{parts[0].name} {parts[2].id}")
    wanted = choices(bundle)
    assert [engine.name for engine, _ in wanted] == ["litert"] * len(artifacts) + ["tflite-runtime"] * len(artifacts)
    assert first_that_runs(bundle, wanted, 1, verdicts=memory) == wanted[0]
    assert asked == [(artifact.id, "litert") for artifact in artifacts]


def test_a_damaged_file_is_refused_and_no_other_takes_its_place(tmp_path: Path, memory: Verdicts) -> None:
    path = tiny_bundle(tmp_path)
    manifest = read_manifest(path)
    wanted = next(each for each in manifest["artifacts"] if each["precision"] == "int8")
    wanted["files"][0]["sha256"] = "0" * 64
    write_manifest(path, manifest)
    with pytest.raises(BundleRefused, match="SHA-256"):
        chosen(Bundle.open(str(path)), memory)


def test_a_manifest_that_lies_about_a_tensor_is_refused_and_no_other_takes_its_place(
    tmp_path: Path, memory: Verdicts
) -> None:
    path = tiny_bundle(tmp_path)
    manifest = read_manifest(path)
    wanted = next(each for each in manifest["artifacts"] if each["precision"] == "int8")
    wanted["input"]["zero_point"] += 1
    write_manifest(path, manifest)
    assert chosen(Bundle.open(str(path)), memory) == "tflite/int8 in litert"
    with pytest.raises(BundleRefused, match="where the manifest says"):
        assembly.make_classifier(Settings(model=str(path)))


@pytest.mark.parametrize(
    ("death", "lasts"),
    [
        ("it was ended by SIGILL (an illegal instruction)", True),
        ("it was ended by SIGKILL (most often the kernel, when memory runs out)", False),
        ("it did not end within 60 s", False),
    ],
)
def test_what_the_moment_may_have_caused_is_not_remembered(
    death: str, lasts: bool, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "probe", lambda *_: ([], death))
    verdict, lasting = tried(bundle, litert_only(bundle)[0], 1)
    assert (verdict.outcome, lasting) == (DIED, lasts)


def test_the_daemon_runs_what_is_left(bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "service"))
    settings = Settings(model=str(bundle.path), runtime="litert")
    monkeypatch.setenv("PYTHONPATH", litert_that(tmp_path, DIES)["PYTHONPATH"])  # which only a child takes notice of
    assert assembly.make_classifier(settings).artifact.id == "tflite/float32"
    assert (tmp_path / "service" / "trials.json").exists()
    assert assembly.make_classifier(settings.model_copy(update={"trial": False})).artifact.id == "tflite/int8"
    with pytest.raises(RuntimeUnavailable, match="nothing can run tiny on this board"):
        assembly.make_classifier(settings.model_copy(update={"precision": "int8"}))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b'{"schema_version": 2, "verdicts": {}}',
        b'{"schema_version": 1}',
        b'{"schema_version": 1, "verdicts": []}',
        b'{"schema_version": 1, "verdicts": {"k": {"what": "w", "outcome": "perhaps"}}}',
        b'{"schema_version": 1, "verdicts": {"k": {"what": 1, "outcome": "runs"}}}',
        b'{"schema_version": 1, "verdicts": {"k": {"outcome": "runs"}}}',
        b'{"schema_version": 1, "verdicts": {"k": {"what": "w", "outcome": "runs", "why": "", "more": 1}}}',
        b" " * (MAX_BYTES + 1),
    ],
)
def test_a_file_that_is_not_ours_is_as_none_and_is_replaced(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "trials.json"
    path.write_bytes(raw)
    memory = Verdicts(path)
    assert memory.get("k") is None
    memory.put("k", Verdict("w", RUNS))
    assert Verdicts(path).get("k") == Verdict("w", RUNS)


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    memory = Verdicts(tmp_path / "trials.json")
    for k in range(MAX_VERDICTS + 3):
        memory.put(str(k), Verdict("w", RUNS, "x" * 600))
    kept = json.loads((tmp_path / "trials.json").read_text())["verdicts"]
    assert next(iter(kept)) == "3"
    assert len(kept) == MAX_VERDICTS
    assert (tmp_path / "trials.json").stat().st_size < MAX_BYTES


def test_a_folder_that_cannot_be_written_forgets_and_fails_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = Verdicts(tmp_path / "file" / "trials.json")
    memory.put("k", Verdict("w", RUNS))
    assert memory.get("k") is None


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"STATE_DIRECTORY": "/var/lib/fer-edge"}, "/var/lib/fer-edge"),
        ({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, "/var/lib/a"),
        ({"XDG_STATE_HOME": "/home/pi/state"}, "/home/pi/state/fer-edge"),
    ],
)
def test_where_it_is_kept(environment: dict[str, str], folder: str) -> None:
    assert state_folder(environment) == Path(folder)


def test_another_board_version_file_or_number_of_threads_is_another_question(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (engine, artifact), *_ = litert_only(bundle)
    other = Bundle(bundle.path, bundle.manifest, "0" * 64)
    pi = Board(lay(tmp_path / "pi", {"proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\nCPU part\t: 0xd08\n"}))
    keys = {
        key_of(engine, bundle, artifact, 1, Board()),
        key_of(engine, bundle, artifact, 2, Board()),
        key_of(engine, other, artifact, 1, Board()),
        key_of(engine, bundle, artifact, 1, pi),
    }
    monkeypatch.setattr("importlib.metadata.version", lambda _: "9.9")
    keys.add(key_of(engine, bundle, artifact, 1, Board()))
    assert len(keys) == 5
