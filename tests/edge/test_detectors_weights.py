"""Weights are told by their hash, never by their name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fer_edge.detectors import weights as module
from fer_edge.detectors.weights import KNOWN, find_weights, read_weights
from fer_edge.errors import InputError
from support.shared import yunet


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only model folder there is."""
    monkeypatch.setattr(module, "model_folders", lambda: [tmp_path / "missing", tmp_path])
    return tmp_path


def test_in_an_empty_folder_there_are_none(folder: Path) -> None:
    assert find_weights() is None


@pytest.mark.parametrize("version", ["2026may", "2023mar"])
def test_known_weights_are_found_under_any_name(folder: Path, version: str) -> None:
    shutil.copy(yunet(version), folder / "whatever.bin")
    found = find_weights()
    assert found is not None
    assert (found.version, found.path, found.data) == (
        version,
        folder / "whatever.bin",
        yunet(version).read_bytes(),
    )


def test_the_newest_weights_are_preferred(folder: Path) -> None:
    shutil.copy(yunet("2023mar"), folder / "a.onnx")
    shutil.copy(yunet("2026may"), folder / "b.onnx")
    found = find_weights()
    assert found is not None
    assert found.version == "2026may"


def test_weights_with_one_byte_changed_are_not_found(folder: Path) -> None:
    data = bytearray(yunet().read_bytes())
    data[100_000] ^= 1
    (folder / "face_detection_yunet_2026may.onnx").write_bytes(data)
    assert find_weights() is None


def test_files_of_another_length_are_not_even_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "huge.tflite").write_bytes(b"x" * 1000)
    (folder / "same.onnx").write_bytes(b"x" * KNOWN[0].size_bytes)
    read: list[str] = []

    def note(path: Path) -> bytes:
        read.append(path.name)
        return b""

    monkeypatch.setattr(Path, "read_bytes", note)
    find_weights()
    assert read == ["same.onnx"]


def test_a_file_that_cannot_be_read_counts_as_absent(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(yunet(), folder / "a.onnx")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert find_weights() is None


def test_weights_that_are_named_tell_their_version() -> None:
    assert read_weights(yunet("2023mar")).version == "2023mar"


def test_unknown_weights_that_are_named_are_taken_as_unknown(tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(b"mine")
    assert read_weights(path).version == "unknown"


def test_weights_that_are_missing_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.onnx cannot be read: No such file"):
        read_weights(tmp_path / "nowhere.onnx")


def test_a_folder_is_no_weights(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_weights(tmp_path)


def test_a_file_that_is_far_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    path = tmp_path / "huge.onnx"
    path.write_bytes(b"x" * 11)
    with pytest.raises(InputError, match="more than 10 bytes"):
        read_weights(path)
