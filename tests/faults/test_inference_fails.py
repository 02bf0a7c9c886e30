"""Row 9: a frame that the model cannot answer is told as failed, never as an expression; ten in a row end the run."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from fer_edge.bundle import Bundle
from fer_edge.classifier import Classifier, open_classifier
from fer_edge.daemon import supervisor
from fer_edge.daemon.capturing import Wedged
from fer_edge.errors import BundleRefused, ExitCode, InferenceFailed
from fer_edge.types import Box, Frame
from support.clocks import StillClock
from support.daemons import PATIENCE_S, OneFace, ScriptedCamera, daemon
from support.tiny import tiny_bundle


def failing(*frames: int) -> OneFace:
    def fail(frame: Frame) -> None:
        if frame.seq in frames:
            raise InferenceFailed("no numbers")

    return OneFace(also=fail)


def test_a_failed_frame_has_its_own_event_and_no_expression() -> None:
    subject, sink = daemon([ScriptedCamera(range(6))], failing(2, 3))
    assert subject.run() == ExitCode.OK
    told = [event for event in sink.events if event["type"] == "frame_failed"]
    assert [(event["frame"], event["reason"]) for event in told] == [(2, "no numbers")]
    assert [event["frame"] for event in sink.events if event["type"] == "expression"] == [0, 1, 4, 5]
    counted = next(event for event in sink.events if event["type"] == "statistics")
    assert (counted["frames"], counted["failed_frames"]) == (4, 2)


def test_ten_in_a_row_end_it_with_the_status_that_asks_for_another_try() -> None:
    subject, sink = daemon([ScriptedCamera(range(50))], failing(*range(5, 50)))
    with pytest.raises(InferenceFailed, match="10 frames in a row") as caught:
        subject.run()
    assert caught.value.exit_code == ExitCode.TRY_AGAIN
    assert sink.kinds()[-2:] == ["statistics", "stopped"]
    assert "10 frames in a row" in sink.events[-1]["reason"]


def test_nine_in_a_row_again_and_again_do_not() -> None:
    bad = [seq for seq in range(40) if seq % 10]
    subject, _ = daemon([ScriptedCamera(range(40))], failing(*bad))
    assert subject.run() == ExitCode.OK


def test_a_runtime_that_refuses_a_frame_is_such_a_failure_too() -> None:
    def refuse(frame: Frame) -> None:
        if frame.seq == 1:
            raise BundleRefused("the runtime cannot run this model")

    subject, sink = daemon([ScriptedCamera(range(3))], OneFace(also=refuse))
    assert subject.run() == ExitCode.OK
    assert sink.kinds().count("frame_failed") == 1


@pytest.mark.parametrize(
    "outputs", [np.full((1, 7), np.nan), np.full((1, 7), np.inf), np.zeros((1, 6)), np.zeros((2, 7))]
)
def test_outputs_that_are_no_numbers_or_of_another_shape_are_no_expression(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> None:
    classifier = open_classifier(Bundle.open(tiny_bundle(tmp_path)), precision="float32")
    monkeypatch.setattr(Classifier, "outputs", lambda *_: outputs)
    with np.errstate(invalid="ignore"), pytest.raises(InferenceFailed, match="gives no probabilities for a face"):
        classifier.classify(np.zeros((64, 64, 3), np.uint8), [Box(0, 0, 40, 40)])


def test_a_frame_that_is_thought_about_for_too_long_needs_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, over = StillClock(), threading.Event()
    monkeypatch.setattr(supervisor, "STOP_DEADLINE_S", 0.1)

    def hang(_: Frame) -> None:
        clock.now_s += supervisor.INFERENCE_LIMIT_S + 1.0
        over.wait(PATIENCE_S)

    subject, sink = daemon([ScriptedCamera(range(5))], OneFace(also=hang), clock)
    with pytest.raises(Wedged, match="thought about for more than 10 s") as caught:
        subject.run()
    over.set()
    assert caught.value.exit_code == ExitCode.TRY_AGAIN
    assert "thought about" in sink.events[-1]["reason"]
