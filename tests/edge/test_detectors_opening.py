"""A detector by name: what is taken, and what is said when there is none."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import pytest

from fer_edge.detectors import haar, weights
from fer_edge.detectors.opening import open_detector
from fer_edge.errors import ExitCode, InputError, RuntimeUnavailable, UsageError
from support.shared import yunet


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only model folder there is."""
    monkeypatch.setattr(weights, "model_folders", lambda: [tmp_path])
    return tmp_path


def test_a_name_that_does_not_exist_is_told_with_those_that_do() -> None:
    with pytest.raises(UsageError, match="no detector 'mtcnn'; there are auto, yunet, haar, whole"):
        open_detector("mtcnn")


def test_auto_is_yunet_where_its_weights_are_found(folder: Path) -> None:
    shutil.copy(yunet(), folder / "yunet.onnx")
    assert open_detector().name == "yunet"


def test_auto_is_yunet_where_its_weights_are_named(folder: Path) -> None:
    assert open_detector(weights=yunet()).name == "yunet"


@pytest.mark.skipif(not haar.haar_installed(), reason="this OpenCV has no Haar cascade")
def test_auto_is_haar_where_there_are_no_weights(folder: Path) -> None:
    assert open_detector().name == "haar"


def test_auto_says_both_ways_out_where_there_is_neither(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "CascadeClassifier", raising=False)
    with pytest.raises(
        RuntimeUnavailable, match=r"yunet_2026may\.onnx.*, or install 'opencv-python-headless<5'"
    ) as error:
        open_detector()
    assert error.value.exit_code == ExitCode.UNAVAILABLE


def test_yunet_by_name_does_not_become_haar(folder: Path) -> None:
    with pytest.raises(RuntimeUnavailable, match="no YuNet weights"):
        open_detector("yunet")


def test_weights_that_are_named_but_missing_do_not_become_haar(folder: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.onnx"):
        open_detector(weights=folder / "nowhere.onnx")


@pytest.mark.parametrize("name", ["haar", "whole"])
def test_a_detector_without_weights_refuses_them(name: str) -> None:
    with pytest.raises(UsageError, match=f"the detector {name} takes no weights"):
        open_detector(name, weights=Path("yunet.onnx"))


def test_whole_needs_nothing() -> None:
    assert open_detector("whole").name == "whole"
