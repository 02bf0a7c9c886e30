"""A peer's process: what it answers, and every way in which it may not."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from bench.peer_files import peer
from fer_bench.peers import answers
from fer_bench.peers.answers import probabilities, remarks
from fer_bench.peers.talking import Talk, version
from fer_bench.processes.children import ChildFailed, Json

TIMEOUT_S = 30.0
CROP = np.arange(48 * 48 * 3, dtype=np.uint8).reshape(48, 48, 3)
CLASSIFY = {"do": "classify"}
LABELS = {"joy": "happy", "rage": "angry", "scorn": "contempt", "nobody": "none"}
OURS = ("angry", "happy", "sad")


def asked(folder: Path, snippet: str, timeout_s: float = TIMEOUT_S, **more: object) -> Json:
    with Talk(peer(folder, snippet, **more), timeout_s) as talk:
        return talk.ask(CLASSIFY, CROP)


def reason(folder: Path, snippet: str, timeout_s: float = TIMEOUT_S, **more: object) -> str:
    with pytest.raises(ChildFailed) as caught:
        asked(folder, snippet, timeout_s, **more)
    return str(caught.value)


def classifying(body: str) -> str:
    return f"import os, signal, sys, time\nimport numpy as np\ndef load(): pass\ndef classify(crop):\n    {body}\n"


def test_a_picture_arrives_as_it_was_sent(tmp_path: Path) -> None:
    body = "return {f'{crop.shape} {crop.dtype}': crop.astype(int).sum()}"
    assert asked(tmp_path, classifying(body)) == {"answer": {"(48, 48, 3) uint8": float(CROP.astype(int).sum())}}


def test_a_picture_larger_than_a_pipe_arrives(tmp_path: Path) -> None:
    large = np.full((1200, 1600, 3), 7, dtype=np.uint8)
    with Talk(peer(tmp_path, classifying("return {'mean': crop.mean()}")), TIMEOUT_S) as talk:
        assert talk.ask(CLASSIFY, large) == {"answer": {"mean": 7.0}}


def test_options_reach_load(tmp_path: Path) -> None:
    snippet = "def load(model, size): globals().update(said={f'{model}{size}': 1})\ndef classify(crop): return said\n"
    assert asked(tmp_path, snippet, tail='[options]\nmodel = "b"\nsize = 2') == {"answer": {"b2": 1.0}}


def test_the_snippet_may_import_its_neighbours_and_not_ours(tmp_path: Path) -> None:
    (tmp_path / "answers.py").write_text("SAID = {'neighbour': 1}\n")
    assert asked(tmp_path, "import answers\ndef load(): pass\ndef classify(crop): return answers.SAID\n") == {
        "answer": {"neighbour": 1.0}
    }


def test_no_folder_of_bytecode_is_left_beside_the_snippet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    asked(tmp_path, classifying("return {'x': 1}"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["snippet.py", "them.toml"]


def test_what_a_library_prints_does_not_spoil_the_answer(tmp_path: Path) -> None:
    body = "print('1/1 [====]'); os.write(1, b'{}'); return {'x': np.float32(1)}"
    assert asked(tmp_path, classifying(body)) == {"answer": {"x": 1.0}}


def test_a_missing_interpreter_is_a_reason(tmp_path: Path) -> None:
    said = reason(tmp_path, "", python="./bin/python")
    assert said == f"{tmp_path}/bin/python cannot be started: No such file or directory"


def test_a_missing_library_is_a_reason(tmp_path: Path) -> None:
    said = reason(tmp_path, "def load(): import no_such_library\n")
    assert said == "load() failed: ModuleNotFoundError: No module named 'no_such_library'"


def test_a_missing_snippet_is_a_reason(tmp_path: Path) -> None:
    found = peer(tmp_path)
    (tmp_path / "snippet.py").unlink()
    with pytest.raises(ChildFailed, match="the snippet cannot be read: FileNotFoundError"), Talk(found, TIMEOUT_S):
        pass


def test_a_snippet_with_a_mistake_in_it_is_a_reason(tmp_path: Path) -> None:
    assert reason(tmp_path, "def load(:\n").startswith("the snippet cannot be read: SyntaxError")


def test_a_snippet_without_the_function_is_a_reason(tmp_path: Path) -> None:
    assert reason(tmp_path, "def load(): pass\n") == "the snippet has no function classify()"


def test_an_error_in_the_snippet_is_a_reason(tmp_path: Path) -> None:
    assert reason(tmp_path, classifying("return {}['x']")) == "classify() failed: KeyError: 'x'"


def test_a_snippet_that_leaves_is_a_reason(tmp_path: Path) -> None:
    assert reason(tmp_path, classifying("sys.exit('enough')")) == "classify() failed: SystemExit: enough"


def test_a_crash_is_a_reason(tmp_path: Path) -> None:
    assert "SIGSEGV (a crash inside a library)" in reason(tmp_path, classifying("os.kill(os.getpid(), signal.SIGSEGV)"))


def test_a_process_that_ends_quietly_is_a_reason(tmp_path: Path) -> None:
    said = reason(tmp_path, classifying("os.write(2, b'out of licence'); os._exit(0)"))
    assert said == "ended without an answer: out of licence"


def test_a_process_that_hangs_is_stopped(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    body = f"open({str(told)!r}, 'w').write(str(os.getpid())); signal.pause()"
    assert reason(tmp_path, classifying(body), 3.0) == "gave no answer within 3 s and was stopped"
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text()), 0)


def test_a_process_that_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    with Talk(peer(tmp_path, classifying("signal.pause()")), TIMEOUT_S) as talk:
        talk._timeout_s = 0.5
        with pytest.raises(ChildFailed, match="gave no answer within"):
            talk.ask(CLASSIFY, CROP)
        with pytest.raises(ChildFailed, match="gave no answer within"):
            talk.ask(CLASSIFY, np.zeros((1000, 1000, 3), dtype=np.uint8))


@pytest.mark.parametrize("said", ["'happy'", "[0.1, 0.9]", "None", "{'happy': 'much'}"])
def test_an_answer_of_the_wrong_shape_is_a_reason(tmp_path: Path, said: str) -> None:
    assert "where {label: probability} was expected" in reason(tmp_path, classifying(f"return {said}"))


def test_a_version_is_the_last_that_its_command_prints(tmp_path: Path) -> None:
    found = peer(tmp_path, head='version = ["{python}", "-c", "print(\'INFO: hello\'); print(\'1.2.3\')"]')
    assert version(found) == "1.2.3"


def test_a_version_command_that_fails_is_a_reason(tmp_path: Path) -> None:
    found = peer(tmp_path, head='version = ["{python}", "-c", "import no_such_library"]')
    with pytest.raises(ChildFailed, match="its version command ended with status 1: ModuleNotFoundError"):
        version(found)


def test_without_a_version_command_there_is_no_version(tmp_path: Path) -> None:
    assert version(peer(tmp_path)) is None


def test_shares_of_labels_that_we_do_not_have_are_left_out() -> None:
    found = probabilities({"joy": 30.0, "rage": 10.0, "scorn": 50.0, "nobody": 10.0}, LABELS, OURS)
    assert found.tolist() == [0.25, 0.75, 0.0]


def test_what_the_labels_cannot_tell_is_said() -> None:
    assert remarks("them", LABELS, OURS) == [
        "them also tells scorn, nobody: left out, the rest counts as the whole",
        "them does not know sad: it is wrong on every such picture",
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"Joy": 1.0}, "label 'Joy', which the adapter does not map; did you mean joy?"),
        ({}, "where {label: probability} was expected"),
        ([0.5], "where {label: probability} was expected"),
        ({"joy": float("nan")}, "answered nan as the probability of 'joy'"),
        ({"joy": -0.1}, "answered -0.1 as the probability of 'joy'"),
        ({"joy": 0.0}, "gave no probability to any of angry, happy, sad"),
        ({"scorn": 1.0}, "gave no probability to any of angry, happy, sad"),
    ],
)
def test_a_wrong_answer_is_a_reason(answer: object, said: str) -> None:
    with pytest.raises(ChildFailed) as caught:
        probabilities(answer, LABELS, OURS)
    assert said in str(caught.value)


@pytest.mark.parametrize("faces", [3, "abcd", [{"box": [1, 2, 3]}], [{"box": [1, 2, 3, "4"]}], [7]])
def test_faces_of_the_wrong_shape_are_a_reason(faces: object) -> None:
    with pytest.raises(ChildFailed, match="was expected"):
        answers.checked(faces)
