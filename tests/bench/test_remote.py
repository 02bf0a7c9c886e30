"""A board over a real ssh: what comes back, what is refused, and that nothing is left over there."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import pytest

from fer_bench.cli import main
from fer_bench.remote.wire import Wire
from fer_edge import __version__
from fer_edge.labels import FER2013
from support.brokers import free_port, until
from support.shapes import shape
from support.sshd import Board, board, needs_sshd
from support.tiny import tiny_bundle

pytestmark = needs_sshd
SHORT = ("--runtime", "litert", "--min-seconds", "0.02", "--min-runs", "10", "--rounds", "1")
PATIENCE_S = 120.0
ODD = 'it\'s; touch pwned "x"\n-rf $(touch pwned) ü'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    with board(tmp_path_factory.mktemp("sshd")) as found:
        yield found


@pytest.fixture
def there(running: Board, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    """The board, reached by the `ssh` that the path names; nothing may be left on it."""
    monkeypatch.setenv("PATH", running.path)
    yield running
    until(lambda: not running.processes(), "nothing runs over there any more", PATIENCE_S)
    assert list(running.there.iterdir()) == []


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle") / ODD.replace("/", ""))


def remote(*words: str, python: str = sys.executable, host: str = "board", more: Sequence[str] = ()) -> int:
    return main(["remote", "--python", python, *more, host, *words])


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def test_latency_of_the_shipped_bundle_comes_back_with_where_it_was_measured(
    there: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "result.json"
    assert remote("latency", "default", *SHORT, "--json", str(target)) == 0
    streams = capsys.readouterr()
    assert "tflite/int8" in streams.out
    assert "fer-bench: board: round 1 of 1: tflite/float32 with litert on 1 thread: p50" in streams.err
    document = json.loads(target.read_text())
    assert [row["precision"] for row in document["rows"]] == ["float32", "int8"]
    assert document["environment"]["remote"]["host"] == "board"
    assert document["environment"]["remote"]["hostname"]
    assert document["environment"]["remote"]["fer_edge"] == __version__
    assert document["environment"]["cpu_count"] > 0


def test_bundle_and_data_of_odd_names_are_carried_and_named_as_here(
    there: Board, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in FER2013:
        (tmp_path / ODD / label).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / ODD / label / "1.png"), shape(label, seed=77))
    words = (str(bundle), "--data", f"folder:{tmp_path / ODD}", "--split", "none", "--json", "-")
    assert remote("accuracy", *words) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["data"]["n"] == len(FER2013)
    assert sorted(document["environment"]["remote"]["carried"].values()) == sorted([str(bundle), str(tmp_path / ODD)])
    assert not Path("pwned").exists()
    assert not Path("~/pwned").expanduser().exists()


def test_a_report_is_made_here_of_what_came(
    there: Board, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert remote("all", str(bundle), *SHORT, "--threads", "1", "--out", str(tmp_path / "report")) == 0
    assert "not measured: no clip was given" in capsys.readouterr().out
    document = json.loads((tmp_path / "report" / "result.json").read_text())
    assert document["environment"]["remote"]["host"] == "board"
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"result.json", "report.txt", "report.html"}


def test_an_end_of_the_verb_over_there_is_the_end_here(
    there: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny_bundle(tmp_path)
    (path / "bundle.json").write_text("{}")
    assert remote("latency", str(path), *SHORT) == 78
    assert f"board: {path}: the manifest is not right" in capsys.readouterr().err.replace("\n", " ")


def test_what_was_kept_is_not_carried_again(
    running: Board, monkeypatch: pytest.MonkeyPatch, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", running.path)
    assert remote("latency", str(bundle), *SHORT, more=("--keep",)) == 0
    assert "3 files of 3 to carry" in capsys.readouterr().err
    (folder,) = running.there.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert remote("latency", str(bundle), *SHORT, more=("--into", str(folder))) == 0
    assert "0 files of 3 to carry" in capsys.readouterr().err
    subprocess.run(["rm", "-r", str(folder)], check=True)


def test_a_folder_that_was_not_kept_is_not_used(
    there: Board, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert remote("latency", str(bundle), *SHORT, more=("--into", str(tmp_path))) == 69
    assert "no folder that --keep left" in capsys.readouterr().err


def test_a_host_that_refuses_is_told(there: Board, capsys: pytest.CaptureFixture[str]) -> None:
    assert remote("latency", "default", host=f"127.0.0.1:{free_port()}") == 69
    assert "cannot be reached: ssh: connect to host 127.0.0.1" in capsys.readouterr().err


def test_a_key_that_is_not_let_in_is_told(there: Board, capsys: pytest.CaptureFixture[str]) -> None:
    allowed = there.folder / "allowed"
    mine = allowed.read_text()
    try:
        allowed.write_text("")
        assert remote("latency", "default") == 69
    finally:
        allowed.write_text(mine)
    assert "does not let this user in without a password" in capsys.readouterr().err


def test_a_host_key_that_changed_is_told_and_nothing_is_sent(
    there: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = there.folder / "known"
    right = known.read_text()
    try:
        there.know(there.key("another"))
        assert remote("latency", "default") == 69
        assert "shows another host key than the one that is known" in capsys.readouterr().err
        known.write_text("")
        assert remote("latency", "default") == 69
        assert "connect once by hand" in capsys.readouterr().err
    finally:
        known.write_text(right)


def test_a_missing_fer_edge_is_told_with_what_to_do(
    there: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    python = script(tmp_path / "my 'own' python; touch pwned", f'exec {sys.executable} -I -S "$@"')
    assert remote("latency", "default", python=python) == 69
    told = capsys.readouterr().err
    assert "fer-edge is not installed for" in told
    assert f"{shlex.quote(python)} -m pip install 'fer-edge[bench]=={__version__}'" in told
    assert not Path("~/pwned").expanduser().exists()


def test_another_version_is_told(there: Board, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fer_edge").mkdir()
    (tmp_path / "fer_edge" / "__init__.py").write_text("__version__ = '0.0.0'\n")
    python = script(tmp_path / "python", f'PYTHONPATH={tmp_path} exec {sys.executable} -S "$@"')
    assert remote("latency", "default", python=python) == 69
    assert f"has fer-edge 0.0.0 and this machine {__version__}" in capsys.readouterr().err


def test_a_python_that_is_not_there_is_told(there: Board, capsys: pytest.CaptureFixture[str]) -> None:
    assert remote("latency", "default", python="/no/such/python") == 69
    assert (
        "does not run the Python /no/such/python: there is none; name another with --python" in capsys.readouterr().err
    )


@contextmanager
def endless(bundle: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A run that does not end by itself, once its first round is told of."""
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; import sys; from fer_bench.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["latency", str(bundle), *SHORT[:-2], "--rounds", "100000", *more]
    command = [sys.executable, "-c", code, "remote", "--python", sys.executable, "board", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "round 1 of" in line:
                    break
            yield process
        finally:
            process.kill()


def test_ctrl_c_ends_the_verb_over_there_and_brings_what_it_measured(
    there: Board, bundle: Path, tmp_path: Path
) -> None:
    target = tmp_path / "result.json"
    with endless(bundle, "--json", str(target)) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert "board is told to stop" in err
    assert "tflite/float32" in out
    document: dict[str, Any] = json.loads(target.read_text())
    assert document["complete"] is False
    assert document["rows"][0]["n"] >= 10
    assert document["environment"]["remote"]["host"] == "board"


def test_a_connection_that_breaks_leaves_nothing_over_there(there: Board, bundle: Path) -> None:
    with endless(bundle) as process:
        assert there.processes()
        process.kill()


def test_a_name_that_leads_out_of_the_folder_is_refused_over_there() -> None:
    code = "from fer_bench.remote.there import main; import sys; sys.exit(main())"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        wire = Wire(process.stdout.fileno(), process.stdin.fileno())
        wire.find_mark(PATIENCE_S)
        wire.send({"kind": "hello", "files": {}})
        ready = wire.receive(PATIENCE_S)
        assert ready is not None
        tree = {"name": "../../evil", "folder": True, "files": []}
        wire.send({"kind": "run", "trees": [tree], "result": "result.json", "argv": []})
        answer = wire.receive(PATIENCE_S)
    assert answer is not None
    assert answer["kind"] == "failed"
    assert "no name of a file" in answer["why"]
    assert not Path(ready["folder"]).exists()


def test_a_file_that_changes_on_its_way_is_refused_over_there() -> None:
    code = "from fer_bench.remote.there import main; import sys; sys.exit(main())"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        wire = Wire(process.stdout.fileno(), process.stdin.fileno())
        wire.find_mark(PATIENCE_S)
        wire.send({"kind": "hello", "files": {"0" * 64: 3}})
        assert wire.receive(PATIENCE_S)
        wire.send({"kind": "file", "sha256": "0" * 64}, b"abc")
        answer = wire.receive(PATIENCE_S)
    assert answer is not None
    assert "changed on its way" in answer["why"]
