"""Secrets are read from where few can read them, and never shown."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fer_edge.errors import ConfigError, ExitCode
from fer_edge.system.secrets import MAX_SECRET_BYTES, Secret, read_secret


def written(path: Path, data: bytes, mode: int = 0o600) -> str:
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("data", [b"hunter2", b"hunter2\n", b"hunter2\r\n"])
def test_a_secret_is_the_line_without_its_end(tmp_path: Path, data: bytes) -> None:
    assert read_secret(written(tmp_path / "s", data), "the password").reveal() == "hunter2"


def test_spaces_belong_to_a_secret(tmp_path: Path) -> None:
    assert read_secret(written(tmp_path / "s", b" a b \n"), "the password").reveal() == " a b "


def test_a_name_is_a_credential_of_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "mqtt-password", b"hunter2\n", 0o400)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret("mqtt-password", "the password").reveal() == "hunter2"


def test_a_credential_outside_of_the_service_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigError, match=r"LoadCredential=token:/etc/fer-edge/token, or name a file by a path"):
        read_secret("token", "the token")


@pytest.mark.parametrize("name", ["..", ".", "", "a b", "-x", "ä"])
def test_a_name_that_is_none_is_refused(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigError, match="neither a path nor the name of a credential"):
        read_secret(name, "the token")


@pytest.mark.parametrize(
    ("mode", "good"), [(0o600, True), (0o640, True), (0o644, False), (0o604, False), (0o602, False)]
)
def test_a_file_that_everybody_can_read_is_refused_with_the_fix(tmp_path: Path, mode: int, good: bool) -> None:
    path = written(tmp_path / "s", b"hunter2", mode)
    if good:
        assert read_secret(path, "the password").reveal() == "hunter2"
        return
    with pytest.raises(ConfigError) as refused:
        read_secret(path, "the password")
    assert f"(mode {mode:04o}): chmod 0640 {path}" in str(refused.value)
    assert "hunter2" not in str(refused.value)
    assert refused.value.exit_code == ExitCode.REFUSED


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"x" * (MAX_SECRET_BYTES + 1), f"longer than {MAX_SECRET_BYTES} bytes"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"one\ntwo\n", "more than one line"),
        (b"a\0b", "cannot be printed"),
    ],
)
def test_what_is_no_secret_is_refused_in_one_sentence(tmp_path: Path, data: bytes, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as refused:
        read_secret(written(tmp_path / "s", data), "the password")
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"the password cannot be read from /no/such: No such file or directory"):
        read_secret("/no/such", "the password")


def test_a_pipe_in_its_place_does_not_hang_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "s", 0o600)
    with pytest.raises(ConfigError, match="which is not a file"):
        read_secret(str(tmp_path / "s"), "the password")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="which is not a file"):
        read_secret(str(tmp_path), "the password")


@given(st.text("abcdefgh0123456789", min_size=12))
def test_a_secret_never_shows_itself(text: str) -> None:
    secret = Secret(text)
    shown = [
        str(secret),
        repr(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret}",
        repr([secret]),
        str({1: secret}),
    ]
    shown += [str(vars(type(secret))), str(Exception(secret)), json.dumps(secret, default=str)]
    assert not [line for line in shown if text in line]


def test_a_secret_is_not_written_down() -> None:
    with pytest.raises(TypeError):
        copy.deepcopy(Secret("x"))
    with pytest.raises(TypeError):
        json.dumps(Secret("x"))


def test_secrets_are_compared_whole() -> None:
    assert Secret("abc").matches("abc")
    assert not Secret("abc").matches("abcd")
    assert not Secret("abc").matches("\udcff")
    assert Secret("ä") == Secret("ä")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1
