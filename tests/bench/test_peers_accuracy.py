"""Peers on the pictures that our artifacts were judged on: what they are given, and what is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bench.peer_files import HAPPY, SEVEN, peer
from fer_bench.accuracy import run as accuracy
from fer_bench.accuracy.run import Plan
from fer_bench.peers import accuracy as peers
from fer_bench.peers.accuracy import PeerAccuracyRow, pictures
from fer_bench.peers.adapter import Peer
from fer_bench.peers.report import exit_code
from fer_bench.results.report import Report
from fer_bench.variants import Choice
from fer_edge.bundle import Bundle
from fer_edge.errors import ExitCode, InputError
from fer_edge.labels import FER2013
from fer_train import data
from support.shapes import shape
from support.tiny import tiny_bundle

PER_CLASS = 4
N = PER_CLASS * len(FER2013)
SAYS_BY_CORNER = (
    f"LABELS = {SEVEN!r}\ndef load(): pass\n"
    "def classify(crop):\n    said = crop[0, 0, 0] % 8\n"
    "    return {n: 0.01 + (i == said) for i, n in enumerate(LABELS)}\n"
)
"""A peer that reads the answer out of the first pixel, so that a test decides what it says."""


def quiet(_: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Drawings as files whose first pixel names the class, but for the first picture of each, which says `angry`."""
    for i, label in enumerate(SEVEN):
        place = tmp_path / "data" / "test" / label
        place.mkdir(parents=True)
        for number in range(PER_CLASS):
            picture = shape(label, seed=9000 + number)
            picture[0, 0] = i if number else 0
            cv2.imwrite(str(place / f"{number}.png"), picture)
    return tmp_path / "data"


def judged(bundle: Path, folder: Path, *found: Peer) -> Report:
    plan = Plan(str(bundle), f"folder:{folder}", choice=Choice(runtimes=("litert",)))
    return peers.add(accuracy.run(plan, quiet), plan, found, quiet)


def row_of(report: Report) -> PeerAccuracyRow:
    (row,) = report.extra["peers"]
    return PeerAccuracyRow(**row)


def test_a_peer_is_judged_on_the_same_pictures(bundle: Path, folder: Path, tmp_path: Path) -> None:
    report = judged(bundle, folder, peer(tmp_path, SAYS_BY_CORNER))
    row = row_of(report)
    wrong = len(SEVEN) - 1  # of the first pictures, those of `angry` are right
    assert row.n == N
    assert row.top1 == pytest.approx((N - wrong) / N)
    assert row.top1_ci95 is not None
    assert row.top1_ci95[0] < (N - wrong) / N < row.top1_ci95[1]
    assert row.recall["angry"] == 1.0
    assert row.recall["happy"] == pytest.approx(1 - 1 / PER_CLASS)
    assert sum(map(sum, row.confusion)) == N
    assert exit_code(report, ExitCode.OK) == ExitCode.OK


def test_agreement_and_drop_are_against_our_float32(bundle: Path, folder: Path, tmp_path: Path) -> None:
    report = judged(bundle, folder, peer(tmp_path, SAYS_BY_CORNER))
    row = row_of(report)
    float32 = next(each for each in report.rows if each.precision == "float32")
    assert row.reference == float32.name == "tflite/float32 with litert on 1 thread"
    same = np.asarray(float32.predictions) == np.asarray(row.predictions)
    assert row.agreement == pytest.approx(same.mean())
    assert row.drop_pp == pytest.approx(100 * (float32.top1 - (row.top1 or 0.0)))
    assert row.mcnemar_p is not None


def test_pictures_are_given_whole_and_in_colour(bundle: Path, folder: Path) -> None:
    wide = np.zeros((40, 60, 3), dtype=np.uint8)
    wide[:, 10:50] = (10, 20, 30)
    cv2.imwrite(str(folder / "test" / "happy" / "zzz.png"), wide)
    plan = Plan(str(bundle), f"folder:{folder}")
    dataset = accuracy.read(plan, Bundle.open(str(bundle)), [])
    found = dict(zip(dataset.names, pictures(plan, dataset), strict=True))
    seen = found["test/happy/zzz.png"]
    assert seen.shape == (40, 40, 3)
    assert (seen == (10, 20, 30)).all()


def test_labels_are_mapped_by_name_and_strangers_left_out(bundle: Path, folder: Path, tmp_path: Path) -> None:
    snippet = "def load(): pass\ndef classify(crop): return {'scorn': 80, 'JOY': 20}\n"
    report = judged(bundle, folder, peer(tmp_path, snippet, labels={"scorn": "contempt", "JOY": "happy"}))
    row = row_of(report)
    assert row.top1 == pytest.approx(1 / 7)
    assert row.recall["happy"] == 1.0
    assert any("them also tells scorn: left out" in note for note in report.notes)
    assert any("them does not know angry, disgust" in note for note in report.notes)


def test_the_table_shows_the_peer_after_ours(bundle: Path, folder: Path, tmp_path: Path) -> None:
    report = judged(bundle, folder, peer(tmp_path, SAYS_BY_CORNER))
    shown = peers.beside(accuracy.text)(report)
    assert shown.startswith(accuracy.text(report))
    assert "below ours, points" in shown
    assert "against tflite/float32 with litert on 1 thread" in shown


def test_the_result_is_json(bundle: Path, folder: Path, tmp_path: Path) -> None:
    document = json.loads(json.dumps(judged(bundle, folder, peer(tmp_path)).as_json(), allow_nan=False))
    assert document["peers"][0]["name"] == "them"
    assert len(document["peers"][0]["predictions"]) == N


def test_a_peer_that_breaks_off_is_a_row_that_names_the_picture(bundle: Path, folder: Path, tmp_path: Path) -> None:
    snippet = "left = [2]\ndef load(): pass\ndef classify(crop):\n    left[0] -= 1\n    return {'happy': 1 / left[0]}\n"
    report = judged(bundle, folder, peer(tmp_path, snippet))
    row = row_of(report)
    assert row.n == 0
    assert row.error is not None
    assert row.error.startswith("at picture ")
    assert "classify() failed: ZeroDivisionError" in row.error
    assert exit_code(report, ExitCode.OK) == ExitCode.GATE_NOT_MET
    assert "failed: them: at picture" in peers.beside(accuracy.text)(report)


def test_pictures_that_changed_meanwhile_are_refused(
    bundle: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = data.load

    def another(*arguments: Any, **more: Any) -> data.Dataset:
        cv2.imwrite(str(folder / "test" / "happy" / "1.png"), shape("sad", seed=5))
        return real(*arguments, **more)

    plan = Plan(str(bundle), f"folder:{folder}", choice=Choice(runtimes=("litert",)))
    report = accuracy.run(plan, quiet)
    monkeypatch.setattr(data, "load", another)
    with pytest.raises(InputError, match="was changed while it was in use"):
        peers.add(report, plan, [peer(tmp_path)], quiet)


def test_ctrl_c_keeps_the_peers_that_have_seen_everything(bundle: Path, folder: Path, tmp_path: Path) -> None:
    plan = Plan(str(bundle), f"folder:{folder}", choice=Choice(runtimes=("litert",)))
    report = accuracy.run(plan, quiet)
    (tmp_path / "next").mkdir()
    first, second = peer(tmp_path), peer(tmp_path / "next", HAPPY)

    def interrupt_second(line: str) -> None:
        if line.startswith("other"):
            raise KeyboardInterrupt

    other = Peer(second.adapter.model_copy(update={"name": "other"}), second.folder)
    found = peers.add(report, plan, [first, other], interrupt_second)
    assert not found.complete
    assert [row["name"] for row in found.extra["peers"]] == ["them"]
