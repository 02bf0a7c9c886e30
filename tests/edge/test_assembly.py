"""The parts put together from the settings."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import pytest

from fer_edge.assembly import camera_opener, make_classifier, make_pipeline
from fer_edge.config import load
from fer_edge.preprocess import CropContract
from support.clocks import StillClock
from support.tiny import tiny_bundle

needs_haar = pytest.mark.skipif(not hasattr(cv2, "CascadeClassifier"), reason="OpenCV 5 has no Haar cascades")


def warnings(bundle: Path, detector: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    settings = load(None, {"model": str(bundle), "detector.name": detector}, [])
    with caplog.at_level(logging.WARNING):
        make_pipeline(settings, make_classifier(settings))
    return [record.getMessage() for record in caplog.records]


@needs_haar
def test_a_detector_whose_boxes_the_bundle_does_not_know_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (said,) = warnings(tiny_bundle(tmp_path), "haar", caplog)
    assert said.startswith("bundle tiny has no crop contract for haar")


@needs_haar
def test_a_detector_with_a_contract_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bundle = tiny_bundle(tmp_path, crop={"haar": CropContract(margin=0.1)})
    assert warnings(bundle, "haar", caplog) == []


def test_pictures_that_are_faces_need_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert warnings(tiny_bundle(tmp_path), "whole", caplog) == []


@pytest.mark.parametrize(("asked", "paced"), [({}, True), ({"camera.pace": False}, False)])
def test_the_demo_plays_at_its_own_speed_unless_told_otherwise(asked: dict[str, bool], paced: bool) -> None:
    clock = StillClock()
    with camera_opener(load(None, {"source": "demo", **asked}, []), clock)() as camera:
        for _ in range(4):
            camera.read(1.0)
    assert (sum(clock.slept) > 0.15) is paced
