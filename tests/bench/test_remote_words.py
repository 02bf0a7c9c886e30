"""What of a command line travels, as what, and what can never become an option or a command."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from fer_bench.cli import main
from fer_bench.commands.remote import VERBS, verb_parser
from fer_bench.remote.address import Address, address
from fer_bench.remote.cargo import CARRIED, OUTPUTS, THERE, Cargo, pack
from fer_bench.remote.ssh import Connection, plain, why_not
from fer_bench.remote.wire import MARK, MAX_NOISE_BYTES, Closed, Silence, Wire
from fer_edge.errors import InputError, UsageError
from support.tiny import tiny_bundle

ODD = 'it\'s; touch $(pwned) "x"\n-rf * `y` ü'


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pi", Address("pi")),
        ("pi@board.local:2222", Address("board.local", "pi", 2222)),
        ("192.0.2.7", Address("192.0.2.7")),
        ("root@[fe80::1%eth0]:22", Address("fe80::1%eth0", "root", 22)),
    ],
)
def test_an_address_is_read_and_told_as_it_was_written(text: str, found: Address) -> None:
    assert address(text) == found
    assert str(found) == text


@pytest.mark.parametrize(
    "text",
    [
        "-oProxyCommand=touch pwned",
        "pi@-oProxyCommand=x",
        "-l@board",
        "a b",
        "a;b",
        "a'b",
        'a"b',
        "a\nb",
        "board\n",
        "$(x)",
        "`x`",
        "",
        "@board",
        "board:",
        "board:0",
        "board:99999",
        "fe80::1",
        "[board]",
        "a" * 400,
    ],
)
def test_what_is_no_address_is_refused_before_ssh_hears_of_it(text: str) -> None:
    with pytest.raises(UsageError):
        address(text)


def packed(verb: str, *words: str) -> Cargo:
    return pack(verb, verb_parser(verb), words)


def test_a_bundle_that_lies_here_is_carried_and_one_that_ships_is_not(tmp_path: Path) -> None:
    mine = packed("latency", str(tiny_bundle(tmp_path)), "--threads", "1,2")
    assert mine.argv == [
        "latency",
        "--threads=1,2",
        {"output": "result.json", "before": "--json="},
        "--",
        {"tree": 0, "before": ""},
    ]
    assert [name for name, *_ in mine.trees[0].files] == ["bundle.json", "tiny-float32.tflite", "tiny-int8.tflite"]
    assert packed("latency", "default").argv[-1] == "default"
    assert packed("latency", "default").trees == []


def test_data_keep_their_scheme_and_their_odd_names(tmp_path: Path) -> None:
    folder = tmp_path / ODD / "happy"
    folder.mkdir(parents=True)
    (folder / ODD).write_bytes(b"picture")
    (folder / "again").symlink_to(folder)  # a link in a circle has an end
    found = packed("accuracy", "default", "--data", f"folder:{tmp_path / ODD}")
    assert {"tree": 0, "before": "--data=folder:"} in found.argv
    assert found.trees[0].name == ODD
    assert [name for name, *_ in found.trees[0].files] == [f"happy/{ODD}"]


def test_a_path_that_is_not_here_goes_as_it_is_and_cannot_become_a_flag() -> None:
    found = packed("accuracy", "--data", "/board/only", "--", "--html")
    assert "--data=/board/only" in found.argv
    assert found.argv[-2:] == ["--", "--html"]
    assert found.trees == []


def test_the_same_bytes_are_carried_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        (tmp_path / "data" / name / "1.png").write_bytes(b"the same")
    assert len(packed("accuracy", "default", "--data", str(tmp_path / "data")).blobs()) == 1


def test_where_the_result_goes_here_is_not_told_there(tmp_path: Path) -> None:
    target = str(tmp_path / "out.json")
    found = packed("latency", "default", "--json", target)
    assert (found.here, found.folder) == (target, False)
    assert target not in str(found.argv)


def test_a_report_goes_into_its_folder_here(tmp_path: Path) -> None:
    found = packed("all", "default", "--out", str(tmp_path / "report"))
    assert (found.here, found.folder) == (str(tmp_path / "report"), True)
    assert found.argv[1] == {"output": "", "before": "--out="}


def test_single_models_are_carried_with_what_lies_beside_them(tmp_path: Path) -> None:
    for name in ("a.tflite", "b.xml", "b.bin"):
        (tmp_path / name).write_bytes(name.encode())
    found = packed("latency", str(tmp_path / "a.tflite"), str(tmp_path / "b.xml"))
    assert found.argv[-2:] == [{"tree": 0, "before": ""}, {"tree": 1, "before": ""}]
    assert [[name for name, *_ in each.files] for each in found.trees] == [["a.tflite"], ["b.xml", "b.bin"]]


def test_flags_without_a_word_and_repeated_ones_come_through() -> None:
    found = packed("soak", "default", "--until-steady", "--set", "a=1", "--set=-b=2")
    assert {"--until-steady", "--set=a=1", "--set=-b=2"} <= {word for word in found.argv if isinstance(word, str)}


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tiny_bundle(tmp_path)

    def refuse(path: Path, *_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match=r"bundle\.json cannot be carried: Permission denied"):
        packed("latency", str(bundle))


@pytest.mark.parametrize("verb", VERBS)
def test_every_flag_that_names_a_file_is_known(verb: str) -> None:
    try:
        parser = verb_parser(verb)
    except UsageError:
        pytest.skip(f"there is no verb {verb} yet")
    words = {"PATH", "FILE", "CLIP", "D", "DIR", "FOLDER", "BUNDLE", "MODEL", "B"}
    named = {action.dest for action in parser._actions if action.metavar in words}
    assert named <= {*CARRIED, *OUTPUTS, *THERE}


def test_every_verb_takes_the_words_that_are_put_together_for_it(tmp_path: Path) -> None:
    found = packed("latency", str(tiny_bundle(tmp_path)), "--rounds", "2")
    words = [word if isinstance(word, str) else f"{word['before']}/there" for word in found.argv[1:]]
    again = verb_parser("latency").parse_args(words)
    assert (again.bundle, again.rounds, again.json) == ("/there", 2, "/there")


def test_a_verb_without_a_bundle_is_read_again_over_there() -> None:
    assert (
        "--" not in packed("pipeline", "--source", "demo").argv
    )  # argparse takes it for a word that nothing asked for


def test_a_flag_that_is_wrong_is_told_here() -> None:
    with pytest.raises(SystemExit):
        verb_parser("latency").parse_args(["default", "--rounds", "none"])


def test_ssh_gets_no_word_that_it_could_take_for_an_option(tmp_path: Path) -> None:
    connection = Connection(Address("board", "pi", 22), ODD, print)
    command = connection._command(connection._words("code"))
    assert command[-3:-1] == ["--", "board"]
    assert command[-1].startswith("exec '")
    assert "BatchMode=yes" in command
    connection.__exit__()


def test_a_shell_gives_back_what_was_quoted(tmp_path: Path) -> None:
    python = tmp_path / ODD.replace("/", "")
    python.write_text('#!/bin/sh\nprintf %s "$2"\n')
    python.chmod(0o755)
    connection = Connection(Address("board"), str(python), print)
    with os.popen(connection._words(ODD)) as shell:  # noqa: S605 - this is what is tried
        assert shell.read() == ODD
    connection.__exit__()
    assert not Path("pwned").exists()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            "@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@\nHost key verification failed.",
            "ssh-keygen -R board",
        ),
        ("No ED25519 host key is known\nHost key verification failed.", "connect once by hand"),
        ("pi@board: Permission denied (publickey).", "ssh-copy-id board"),
        ("ssh: Could not resolve hostname board", "Could not resolve hostname"),
        ("", "ssh gave no reason"),
    ],
)
def test_what_ssh_refuses_is_told_with_what_to_do(said: str, told: str) -> None:
    assert told in why_not(Address("board"), said)


def test_a_board_cannot_steer_the_terminal() -> None:
    assert plain("a\x1b[2Jb\x07ü\n") == "a?[2Jb?ü\n"


class Pair:
    """Two wires, each the other's end."""

    def __init__(self) -> None:
        self.fds = [*os.pipe(), *os.pipe()]
        self.here, self.there = Wire(self.fds[0], self.fds[3]), Wire(self.fds[2], self.fds[1])

    def close(self) -> None:
        for fd in self.fds:
            try:
                os.close(fd)
            except OSError:
                continue


@pytest.fixture
def pair() -> Any:
    found = Pair()
    yield found
    found.close()


def test_frames_and_bytes_come_as_they_went(pair: Pair) -> None:
    data = os.urandom(3_000_000)

    def send() -> None:
        pair.there.send({"kind": "a", "odd": ODD + "\udcff"}, data)
        pair.there.send({})

    sender = Thread(target=send)
    sender.start()
    frame = pair.here.receive(5.0)
    assert frame is not None
    assert frame["odd"] == ODD + "\udcff"
    assert pair.here.body(frame, 5.0, len(data)) == data
    assert pair.here.receive(5.0) == {"bytes": 0}
    sender.join()


def test_what_a_shell_prints_before_is_skipped(pair: Pair) -> None:
    os.write(pair.fds[1], b"Welcome!\n{}\nLast login\n" + MARK + b'{"bytes": 0, "x": 1}\n')
    pair.here.find_mark(5.0)
    assert pair.here.receive(5.0) == {"bytes": 0, "x": 1}


def test_noise_without_end_has_an_end(pair: Pair) -> None:
    Thread(target=os.write, args=(pair.fds[1], b"noise\n" * MAX_NOISE_BYTES), daemon=True).start()
    with pytest.raises(Closed, match="nothing that is understood"):
        pair.here.find_mark(5.0)


@pytest.mark.parametrize("line", [b"hello\n", b"[]\n", b"{}\n", b'{"bytes": -1}\n', b'{"bytes": "1"}\n'])
def test_what_is_no_frame_closes_the_wire(pair: Pair, line: bytes) -> None:
    os.write(pair.fds[1], line)
    with pytest.raises(Closed):
        pair.here.receive(5.0)


def test_silence_is_told_and_nothing_is_lost_by_it(pair: Pair) -> None:
    os.write(pair.fds[1], b'{"by')
    with pytest.raises(Silence):
        pair.here.receive(0.01)
    os.write(pair.fds[1], b'tes": 0}\n')
    assert pair.here.receive(5.0) == {"bytes": 0}


def test_an_end_is_told(pair: Pair) -> None:
    os.close(pair.fds[1])
    with pytest.raises(Closed, match="ended"):
        pair.here.receive(5.0)


def test_more_than_the_limit_is_not_read(pair: Pair) -> None:
    os.write(pair.fds[1], b'{"bytes": 1000}\n')
    frame = pair.here.receive(5.0)
    assert frame is not None
    with pytest.raises(Closed, match="more than the limit"):
        pair.here.body(frame, 5.0, 999)


def test_tune_on_a_board_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remote", "board", "tune", "default"]) == 2
    assert "add --dry-run" in capsys.readouterr().err


def test_python_is_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remote", "--python=-c", "board", "latency", "default"]) == 2
    assert "--python is the path" in capsys.readouterr().err


def test_a_card_on_a_board_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remote", "board", "accuracy", "default", "--data", "d", "--card"]) == 2
    assert "--card would write into a copy of the bundle" in capsys.readouterr().err
