"""A new bundle is tried beside the old one on live faces, and takes over only when it is worth it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import pytest

from fer_edge.bundle import MANIFEST, Bundle
from fer_edge.classifier import Classifier, open_classifier
from fer_edge.daemon import swap
from fer_edge.detectors.whole import Whole
from fer_edge.errors import InferenceFailed
from fer_edge.events import Event
from fer_edge.health import Health
from fer_edge.pipeline import PipelineOptions, build_pipeline
from fer_edge.turns import TurnOptions
from fer_edge.types import Expression, Frame, Image
from support.clocks import StillClock
from support.daemons import PATIENCE_S
from support.shapes import shape
from support.tiny import tiny_bundle

WALL = datetime(2026, 1, 1, tzinfo=timezone.utc)
LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


class Bench:
    """A pipeline over a tiny bundle that can be replaced, its clock, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.bundle = tiny_bundle(folder)
        self.clock, self.health, self.told = StillClock(), Health(), list[Event]()
        self.opened: list[Classifier] = []
        classifier = open_classifier(Bundle.open(self.bundle))
        pipeline = build_pipeline(classifier, Whole(), PipelineOptions(turns=TurnOptions(every_s=0.0, changed=0.0)))
        self.subject = swap.Swapping(pipeline, self.open_again, self.clock, self.health, self.told.append)
        self._seq = 0

    def open_again(self, precision: str | None) -> Classifier:
        self.opened.append(open_classifier(Bundle.open(self.bundle), precision=precision))
        return self.opened[-1]

    def replace(self, temperature: float) -> str:
        """Another bundle in the same place; its hash."""
        other = self.bundle.with_name("other")
        shutil.copytree(self.bundle, other)
        document = json.loads((other / MANIFEST).read_text(encoding="utf-8"))
        for artifact in document["artifacts"]:
            artifact["temperature"] = temperature
        (other / MANIFEST).write_text(json.dumps(document), encoding="utf-8")
        shutil.rmtree(self.bundle)
        other.rename(self.bundle)
        return Bundle.open(self.bundle).sha256

    def look(self) -> None:
        """Time enough for two looks, and for what they begin."""
        for _ in range(3):
            self.clock.now_s += swap.LOOK_EVERY_S
            self.subject.tick()
        opening = self.subject._opening
        if opening is not None:
            opening.join(PATIENCE_S)

    def frames(self, count: int) -> None:
        for _ in range(count):
            self._seq += 1
            picture = shape(LABELS[self._seq % len(LABELS)], self._seq)
            image: Image = picture[..., None].repeat(3, axis=2)
            self.subject.step(Frame(image, self._seq / 10, WALL, self._seq))

    @property
    def charge(self) -> str:
        return self.subject.classifier.bundle.sha256

    def kinds(self) -> list[str]:
        return [event["type"] for event in self.told]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "SLOWER_MS", 1000.0)  # a noisy machine is not what these tests are about


def test_it_takes_over_after_the_trial_and_tells(bench: Bench) -> None:
    before, new = bench.charge, bench.replace(2.0)
    bench.look()
    bench.frames(swap.TRIAL_FACES - 1)
    assert bench.charge == before
    bench.frames(1)
    assert bench.charge == new
    assert [(event["type"], event["model_sha256"]) for event in bench.told] == [("model_changed", new)]
    assert bench.subject.pipeline.classifier is bench.opened[-1]
    assert len(bench.subject.pipeline.turns) == 0  # what the old model saw says nothing of the new one
    assert bench.health.status().reasons == {}


def test_nothing_happens_while_nothing_changes(bench: Bench) -> None:
    bench.look()
    bench.frames(3)
    assert (bench.opened, bench.told) == ([], [])


def test_a_bundle_that_is_still_being_written_is_not_opened(bench: Bench) -> None:
    bench.replace(2.0)
    bench.clock.now_s += swap.LOOK_EVERY_S
    bench.subject.tick()
    assert bench.subject._opening is None


def test_a_broken_bundle_is_refused_and_the_old_one_stays(bench: Bench) -> None:
    before = bench.charge
    bench.replace(2.0)
    for path in bench.bundle.glob("*.tflite"):
        path.write_bytes(path.read_bytes()[:-1])
    bench.look()
    bench.frames(40)
    assert bench.charge == before
    assert bench.kinds() == ["model_refused"]
    assert "the new model is not used" in bench.health.status().reasons["model"]


def test_a_refused_bundle_is_not_opened_again_until_another_lies_there(bench: Bench) -> None:
    bench.replace(2.0)
    (bench.bundle / MANIFEST).write_text("{}", encoding="utf-8")
    bench.look()
    bench.look()
    assert bench.kinds() == ["model_refused"]
    assert bench.opened == []


def test_a_place_that_is_empty_for_a_while_is_no_new_model(bench: Bench) -> None:
    away = bench.bundle.with_name("away")
    bench.bundle.rename(away)
    bench.look()
    assert (bench.opened, bench.told) == ([], [])


def test_a_model_that_fails_in_its_trial_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    before = bench.charge
    bench.replace(2.0)
    bench.look()
    monkeypatch.setattr(bench.opened[-1], "expressions", failing)
    bench.frames(5)
    assert bench.charge == before
    assert bench.kinds() == ["model_refused"]
    assert bench.told[0]["reason"] == "no numbers"


def test_a_model_that_fails_after_taking_over_is_taken_back_and_no_frame_is_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bench.charge
    bench.replace(2.0)
    bench.look()
    bench.frames(swap.TRIAL_FACES)
    monkeypatch.setattr(bench.opened[-1], "expressions", failing)
    bench.frames(1)
    assert bench.charge == before
    assert bench.kinds() == ["model_changed", "model_refused"]
    assert bench.told[-1]["reason"] == "taken back: no numbers"


def test_after_its_probation_there_is_no_way_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "PROBATION_FRAMES", 3)
    bench.replace(2.0)
    bench.look()
    bench.frames(swap.TRIAL_FACES + 3)
    monkeypatch.setattr(bench.opened[-1], "expressions", failing)
    with pytest.raises(InferenceFailed):
        bench.frames(1)


def test_a_hot_board_gets_a_lighter_precision_of_the_same_model_and_its_own_back(bench: Bench) -> None:
    heavy = open_classifier(Bundle.open(bench.bundle), precision="float32")
    bench.subject.pipeline.classifier = bench.subject._charge = heavy
    for precision, artifact in (("int8", "tflite/int8"), ("float32", "tflite/float32")):
        bench.subject.prefer(precision)
        bench.look()
        bench.frames(1)
        assert bench.subject.classifier.artifact.id == artifact
        assert bench.subject.pipeline.classifier is bench.subject.classifier
    assert bench.told == []


def failing(crops: Sequence[Image]) -> list[Expression]:
    if crops:
        raise InferenceFailed("no numbers")
    return []


def trial(new_ms: float, rows: Sequence[tuple[float, ...]]) -> swap._Trial:
    return swap._Trial(None, [new_ms] * 5, [2.0] * 5, list(rows))  # type: ignore[arg-type]


def test_verdicts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap, "SLOWER_MS", 1.0)
    lively = [(0.9, 0.1), (0.2, 0.8)]
    assert trial(3.9, lively).verdict() is None
    assert "it takes 4.1 ms for a face, the model in charge 2.0 ms" in str(trial(4.1, lively).verdict())
    assert "says the same of 3 different faces" in str(trial(2.0, [(0.5, 0.5)] * 3).verdict())
