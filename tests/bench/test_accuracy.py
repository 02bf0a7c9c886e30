"""Accuracy through the device's own code, and drops worked out by hand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from fer_bench.accuracy import run as accuracy
from fer_bench.accuracy.run import Plan, run, text
from fer_bench.results.report import Report, exit_code
from fer_bench.results.rows import AccuracyRow
from fer_bench.variants import Choice
from fer_edge import classifier
from fer_edge.bundle import Artifact, Bundle
from fer_edge.errors import BundleRefused, ExitCode, InputError, UsageError
from fer_edge.labels import FER2013
from support.shapes import shape
from support.tiny import tiny_bundle

PER_CLASS = 6


def quiet(_: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Drawings as files: PATH/test/<class>/*.png."""
    for label in FER2013:
        folder = tmp_path / "test" / label
        folder.mkdir(parents=True)
        for seed in range(PER_CLASS):
            cv2.imwrite(str(folder / f"{seed}.png"), shape(label, seed=9000 + seed))
    return tmp_path


def plan(bundle: Path, pictures: Path, **more: Any) -> Plan:
    return Plan(str(bundle), f"folder:{pictures}", choice=Choice(runtimes=("litert",)), **more)


def rows_of(report: Report) -> dict[str, AccuracyRow]:
    return {row.precision: row for row in report.rows if isinstance(row, AccuracyRow)}


def hand_made(monkeypatch: pytest.MonkeyPatch, right: dict[str, Sequence[int]]) -> None:
    """Let each precision be right on the pictures with these numbers, and say the next label on the others."""

    def load(_: Bundle, artifact: Artifact, **__: object) -> SimpleNamespace:
        def probabilities(images: Sequence[object]) -> np.ndarray[Any, np.dtype[np.float64]]:
            targets = np.repeat([FER2013.index(name) for name in sorted(FER2013)], PER_CLASS)  # as folders are read
            said = (targets + 1) % len(FER2013)
            chosen = list(right[artifact.precision])
            said[chosen] = targets[chosen]
            rows = np.full((len(images), len(FER2013)), 0.05)
            rows[np.arange(len(images)), said] = 0.7
            return rows

        runtime = SimpleNamespace(version="0", effective_precision=artifact.precision)
        return SimpleNamespace(probabilities=probabilities, runtime=runtime)

    monkeypatch.setattr(accuracy, "load", load)


def test_a_real_bundle_is_measured_on_real_files_through_the_device_path(bundle: Path, pictures: Path) -> None:
    report = run(plan(bundle, pictures), quiet)
    for row in rows_of(report).values():
        assert row.n == 7 * PER_CLASS
        assert row.top1 is not None
        assert row.top1 > 0.9
        assert row.top1_ci95 is not None
        assert row.top1_ci95[0] < row.top1
        assert row.effective_precision == row.precision
        assert set(row.recall) == set(FER2013)
        assert row.ece is not None
    assert exit_code(report) == ExitCode.OK


def test_a_drop_is_in_points_of_the_same_pictures(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_made(monkeypatch, {"float32": range(40), "int8": [*range(36), 41]})
    rows = rows_of(run(plan(bundle, pictures), quiet))
    int8 = rows["int8"]
    assert int8.drop_pp is not None
    assert rows["float32"].top1 == pytest.approx(40 / 42)
    assert int8.top1 == pytest.approx(37 / 42)
    assert int8.drop_pp == pytest.approx(100 * 3 / 42)
    assert int8.drop_pp_ci95 is not None
    assert int8.drop_pp_ci95[0] < int8.drop_pp < int8.drop_pp_ci95[1]
    # 4 pictures lost and 1 won: 2 * (1 + 5) / 2**5
    assert int8.mcnemar_p == pytest.approx(0.375)
    assert int8.agreement == pytest.approx(37 / 42)
    assert int8.reference == "tflite/float32 with litert on 1 thread"


def test_recall_is_per_class_and_macro_is_their_mean(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_made(monkeypatch, {"float32": range(42), "int8": range(3, 42)})  # the first six are angry
    int8 = rows_of(run(plan(bundle, pictures), quiet))["int8"]
    assert int8.recall["angry"] == 0.5
    assert int8.recall["happy"] == 1.0
    assert int8.macro_recall == pytest.approx(6.5 / 7)


def test_the_reference_is_not_compared_with_itself(bundle: Path, pictures: Path) -> None:
    row = rows_of(run(plan(bundle, pictures), quiet))["float32"]
    assert (row.reference, row.drop_pp, row.agreement, row.mcnemar_p) == (None,) * 4


def test_the_reference_is_measured_when_only_int8_was_asked_for(bundle: Path, pictures: Path) -> None:
    asked = Plan(str(bundle), f"folder:{pictures}", choice=Choice(precisions=("int8",), runtimes=("litert",)))
    assert rows_of(run(asked, quiet))["int8"].drop_pp is not None


def test_without_float32_there_is_no_drop_and_that_is_told(tmp_path: Path, pictures: Path) -> None:
    report = run(plan(tiny_bundle(tmp_path, precisions=("int8",), name="lone"), pictures), quiet)
    row = rows_of(report)["int8"]
    assert (row.drop_pp, row.agreement) == (None, None)
    assert any("lone has no float32 artifact to compare with" in note for note in report.notes)


def test_an_onnx_artifact_is_compared_with_the_float32_of_another_format(tmp_path: Path, pictures: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = tiny_bundle(tmp_path, with_onnx=True)
    manifest = json.loads((path / "bundle.json").read_text())
    manifest["artifacts"] = [a for a in manifest["artifacts"] if (a["format"], a["precision"]) != ("onnx", "float32")]
    (path / "bundle.json").write_text(json.dumps(manifest))
    asked = Plan(str(path), f"folder:{pictures}", choice=Choice(formats=("onnx",)))
    report = run(asked, quiet)
    (row,) = [row for row in report.rows if row.format == "onnx"]
    assert str(row.reference).startswith("tflite/float32 with ")


def test_the_json_has_all_the_published_names(bundle: Path, pictures: Path) -> None:
    document = json.loads(json.dumps(run(plan(bundle, pictures), quiet).as_json()))
    published = "format precision effective_precision runtime threads n top1 top1_ci95 drop_pp agreement ece size_bytes"
    for row in document["rows"]:
        assert {*published.split(), "recall", "macro_recall", "mcnemar_p", "drop_pp_ci95"} <= row.keys()
    assert document["data"]["n"] == 7 * PER_CLASS
    assert len(document["data"]["sha256"]) == 64


def test_the_table_shows_artifacts_and_classes(bundle: Path, pictures: Path) -> None:
    shown = text(run(plan(bundle, pictures), quiet))
    assert all(word in shown for word in ("tflite/float32", "tflite/int8", "drop points", *FER2013))


def test_a_refused_artifact_is_a_row_and_the_others_are_measured(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = classifier.load

    def refuse_int8(opened: Bundle, artifact: Artifact, **options: Any) -> object:
        if artifact.precision == "int8":
            raise BundleRefused("int8 was damaged")
        return real(opened, artifact, **options)

    monkeypatch.setattr(accuracy, "load", refuse_int8)
    report = run(plan(bundle, pictures), quiet)
    assert rows_of(report)["int8"].error == "int8 was damaged"
    assert rows_of(report)["float32"].top1 is not None
    assert exit_code(report) == ExitCode.GATE_NOT_MET
    assert "failed: tflite/int8 with litert on 1 thread: int8 was damaged" in text(report)


def test_ctrl_c_keeps_what_was_measured(bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = classifier.load

    def interrupted_at_int8(opened: Bundle, artifact: Artifact, **options: Any) -> object:
        if artifact.precision == "int8":
            raise KeyboardInterrupt
        return real(opened, artifact, **options)

    monkeypatch.setattr(accuracy, "load", interrupted_at_int8)
    report = run(plan(bundle, pictures), quiet)
    assert not report.complete
    assert rows_of(report).keys() == {"float32"}


def test_a_class_that_the_bundle_does_not_know_is_refused(bundle: Path, pictures: Path) -> None:
    folder = pictures / "test" / "contempt"
    folder.mkdir()
    cv2.imwrite(str(folder / "1.png"), shape("happy"))
    with pytest.raises(UsageError, match="it has contempt, which is not among them"):
        run(plan(bundle, pictures), quiet)


def test_a_class_without_pictures_is_refused(bundle: Path, pictures: Path) -> None:
    for file in (pictures / "test" / "fear").iterdir():
        file.unlink()
    with pytest.raises(UsageError, match="it has no pictures of fear"):
        run(plan(bundle, pictures), quiet)


def test_data_that_does_not_exist_is_told(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere does not exist"):
        run(plan(bundle, tmp_path / "nowhere"), quiet)


def test_a_picture_that_cannot_be_read_is_told_of(bundle: Path, pictures: Path) -> None:
    (pictures / "test" / "happy" / "torn.png").write_bytes(b"not a picture")
    report = run(plan(bundle, pictures), quiet)
    assert any("1 picture could not be read" in note and "torn.png" in note for note in report.notes)


def test_a_limited_set_is_said_to_be_balanced(bundle: Path, pictures: Path) -> None:
    report = run(plan(bundle, pictures, limit=14), quiet)
    assert rows_of(report)["int8"].support == dict.fromkeys(FER2013, 2)
    assert any("14 pictures with the classes in equal shares" in note for note in report.notes)


def test_a_limit_that_leaves_classes_out_is_refused(bundle: Path, pictures: Path) -> None:
    with pytest.raises(UsageError, match="--limit 3 leaves classes out"):
        run(plan(bundle, pictures, limit=3), quiet)
