"""The adapter file of a peer: what it may say, and what is said of one that is wrong."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from bench.peer_files import peer, write
from fer_bench.latency import scenarios
from fer_bench.peers import runner
from fer_bench.peers.adapter import MAX_ADAPTER_BYTES, read, read_all
from fer_bench.peers.report import told
from fer_bench.peers.talking import RUNNER
from fer_edge.errors import ConfigError, InputError, UsageError
from fer_edge.labels import FER2013
from support.tree import ROOT

EXAMPLES = sorted((ROOT / "docs/how-to/peers").glob("*.toml"))


def refused(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read(str(path))
    return str(caught.value)


def test_labels_are_mapped_by_name_in_our_spelling(tmp_path: Path) -> None:
    found = peer(tmp_path, labels={"Anger": "anger", "JOY": "Happy", "nobody": "none"})
    assert found.adapter.labels == {"Anger": "angry", "JOY": "happy", "nobody": "none"}


def test_an_unknown_label_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    said = refused(write(tmp_path, labels={"Joy": "hapy", "Rage": "angry"}))
    assert "Joy is mapped to 'hapy', which is none of neutral, happy" in said
    assert "did you mean happy?" in said
    assert "Rage" not in said.split("(found")[0]


def test_an_unknown_key_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    assert "did you mean python?" in refused(write(tmp_path, head='pyton = "x"'))


def test_a_peer_that_classifies_needs_an_interpreter_and_a_snippet(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('name = "a"\ndoes = ["classify"]\n[labels]\nhappy = "happy"\n')
    assert "needs the keys python and snippet" in refused(path)


def test_a_peer_that_takes_clips_needs_a_command(tmp_path: Path) -> None:
    assert "needs the key command" in refused(write(tmp_path, does=["pipeline"]))


def test_two_ways_to_the_same_row_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, does=["detect+classify", "pipeline"], head='command = ["them"]')
    assert "name one in does" in refused(path)


def test_a_file_that_is_not_toml_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"name = \xff")
    assert "is not TOML" in refused(path)


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("#" * (MAX_ADAPTER_BYTES + 1))
    assert "is larger than" in refused(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml cannot be read"):
        read(str(tmp_path / "none.toml"))


def test_a_peer_that_cannot_do_what_is_asked_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"them does classify; here it needs one that does detect\+classify or pipel"):
        read_all([str(write(tmp_path))], "detect+classify", "pipeline")


def test_two_peers_of_one_name_are_refused(tmp_path: Path) -> None:
    path = str(write(tmp_path))
    with pytest.raises(UsageError, match="two peers are called 'them'"):
        read_all([path, path], "classify")


def test_paths_are_told_from_the_adapters_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/elsewhere")
    monkeypatch.setenv("PLACE", "/there")
    assert peer(tmp_path, python="bin/python").python() == str(tmp_path / "bin/python")
    assert peer(tmp_path, python="~/bin/python").python() == "/elsewhere/bin/python"
    assert peer(tmp_path, python="$PLACE/python").python() == "/there/python"
    assert peer(tmp_path).snippet() == str(tmp_path / "snippet.py")


def test_a_link_to_an_interpreter_is_left_a_link(tmp_path: Path) -> None:
    (tmp_path / "python").symlink_to(sys.executable)
    assert peer(tmp_path, python="./python").python() == str(tmp_path / "python")


def test_another_interpreter_does_not_get_our_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "ours")
    found = peer(tmp_path, python="bin/python", tail='[env]\nTHREADS = "1"').environment()
    assert "PYTHONPATH" not in found
    assert found["THREADS"] == "1"


def test_values_of_the_environment_do_not_reach_the_result(tmp_path: Path) -> None:
    found = told(peer(tmp_path, tail='[env]\nTOKEN = "hidden"'))
    assert found["env"] == ["TOKEN"]
    assert "hidden" not in str(found)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_a_good_adapter(path: Path) -> None:
    found = read(str(path))
    assert set(FER2013) <= set(found.adapter.labels.values())
    tree = ast.parse(Path(found.snippet()).read_text(encoding="utf-8"), feature_version=(3, 8))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    wanted = {"classify": "classify", "detect+classify": "faces"}
    assert {"load", *(wanted[each] for each in found.adapter.does)} <= functions


def test_there_are_examples_of_the_three_libraries_that_makers_use() -> None:
    assert [path.stem for path in EXAMPLES] == ["deepface", "emotiefflib", "fer"]


def test_the_runner_is_readable_to_an_old_interpreter_and_needs_nothing_of_ours() -> None:
    tree = ast.parse(RUNNER.read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    foreign = {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names}
    assert foreign == {"numpy", "cv2"}


class Ticks:
    """A clock that moves one step per reading."""

    def __init__(self, step_s: float) -> None:
        self.now_s, self.step_s = 0.0, step_s

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


@pytest.mark.parametrize(
    ("count", "seconds", "step"), [(50, 0.1, 1.0), (5, 100.0, 0.5), (3, 0.0, 0.25), (1, 1e9, 1e-6)]
)
def test_the_runner_times_as_our_own_worker_does(count: int, seconds: float, step: float) -> None:
    ours = scenarios.sample(lambda: None, count, seconds, Ticks(step))
    assert runner.sample(lambda: None, count, seconds, Ticks(step)) == ours
    assert (runner.WARMUP_RUNS, runner.WARMUP_S) == (scenarios.WARMUP_RUNS, scenarios.WARMUP_S)
    assert runner.MAX_SAMPLES == scenarios.MAX_SAMPLES
