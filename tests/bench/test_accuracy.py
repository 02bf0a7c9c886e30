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

from fer_bench.accuracy import trials, width
from fer_bench.accuracy.run import Plan, _described, run, text
from fer_bench.cli import main
from fer_bench.results.report import Report, exit_code
from fer_bench.results.rows import AccuracyRow
from fer_bench.variants import Choice
from fer_edge import classifier
from fer_edge.bundle import Artifact, Bundle
from fer_edge.errors import BundleRefused, ExitCode, InputError, UsageError
from fer_edge.labels import FER2013
from fer_edge.preprocess import PreprocessSpec
from fer_train import data, metrics
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

    monkeypatch.setattr(trials, "load", load)


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

    monkeypatch.setattr(trials, "load", refuse_int8)
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

    monkeypatch.setattr(trials, "load", interrupted_at_int8)
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


def test_confusion_counts_what_each_class_was_taken_for(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_made(monkeypatch, {"float32": range(42), "int8": range(4, 42)})  # four of the angry are called disgust
    report = run(plan(bundle, pictures), quiet)
    int8 = rows_of(report)["int8"]
    assert int8.confusion[0] == (2, 4, 0, 0, 0, 0, 0)
    assert [sum(line) for line in int8.confusion] == list(int8.support.values())
    line = next(line for line in text(report, confusion=True).splitlines() if line.split()[:3] == ["angry", "6", "2"])
    assert line.split() == ["angry", "6", "2", "4", "0", "0", "0", "0", "0"]
    assert "taken for" not in text(report)


def test_recall_has_an_interval_of_its_own_class(bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_made(monkeypatch, {"float32": range(42), "int8": range(4, 42)})
    report = run(plan(bundle, pictures), quiet)
    assert rows_of(report)["int8"].recall_ci95["angry"] == metrics.wilson(2, PER_CLASS)
    low, high = metrics.wilson(2, PER_CLASS)
    assert f"{100 * low:.1f}..{100 * high:.1f}" in text(report)


def test_the_json_tells_what_was_said_of_every_picture(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand_made(monkeypatch, {"float32": range(42), "int8": range(4, 42)})
    document = json.loads(json.dumps(run(plan(bundle, pictures), quiet).as_json()))
    targets = document["data"]["targets"]
    labels = document["data"]["labels"]
    assert [labels[i] for i in targets] == [label for label in sorted(FER2013) for _ in range(PER_CLASS)]
    said = {row["precision"]: row["predictions"] for row in document["rows"]}
    assert said["float32"] == targets
    assert [a == b for a, b in zip(said["int8"], targets, strict=True)] == [False] * 4 + [True] * 38
    assert document["rows"][0]["confidences"] == [0.7] * 42


def test_confidences_have_four_digits(bundle: Path, pictures: Path) -> None:
    for row in rows_of(run(plan(bundle, pictures), quiet)).values():
        assert len(row.confidences) == row.n
        assert all(value == round(value, 4) and 1 / 7 <= value <= 1.0 for value in row.confidences)


def test_the_same_pictures_are_known_again_under_another_preprocessing(pictures: Path) -> None:
    asked = Plan("any", f"folder:{pictures}")
    specs = [PreprocessSpec(color="gray", size=size, mean=(0.5,), std=(0.25,)) for size in (48, 32)]
    same = [_described(asked, data.load(asked.data, FER2013, spec, "test")) for spec in specs]
    assert same[0]["originals_sha256"] == same[1]["originals_sha256"]
    assert same[0]["sha256"] != same[1]["sha256"]
    cv2.imwrite(str(pictures / "test" / "happy" / "1.png"), shape("happy", seed=6))
    changed = _described(asked, data.load(asked.data, FER2013, specs[0], "test"))
    assert changed["originals_sha256"] != same[0]["originals_sha256"]


def test_outputs_that_are_no_numbers_are_a_row(bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(_: Bundle, artifact: Artifact, **__: object) -> SimpleNamespace:
        value = np.nan if artifact.precision == "int8" else 0.1
        runtime = SimpleNamespace(version="0", effective_precision=artifact.precision)
        return SimpleNamespace(probabilities=lambda images: np.full((len(images), 7), value), runtime=runtime)

    monkeypatch.setattr(trials, "load", load)
    rows = rows_of(run(plan(bundle, pictures), quiet))
    assert "gives no probabilities" in str(rows["int8"].error)
    assert rows["float32"].top1 == pytest.approx(1 / 7)


@pytest.mark.parametrize("n", [2, 10, 384, 700, 3590])
def test_the_widest_interval_is_that_of_one_half(n: int) -> None:
    widths = [100 * (high - low) for high, low in ((b, a) for a, b in (metrics.wilson(k, n) for k in range(n + 1)))]
    assert max(widths) == pytest.approx(width.widest_pp(n))


@pytest.mark.parametrize("asked_pp", [1.0, 2.0, 7.5, 60.0])
def test_the_number_needed_is_the_least_that_keeps_the_promise(asked_pp: float) -> None:
    n = width.needed(asked_pp)
    assert width.widest_pp(n) <= asked_pp < width.widest_pp(n - 1)


def test_two_points_need_9600_pictures() -> None:
    assert width.needed(2.0) == 9600  # (2 * 1.96 / 0.02)**2 * 0.25, less 1.96**2


def test_too_few_pictures_for_the_interval_are_refused_with_the_number(bundle: Path, pictures: Path) -> None:
    told: list[str] = []
    with pytest.raises(
        UsageError, match=r"20 points wide needs 93 pictures and folder:\S+ has 42, which allow 29 points"
    ):
        run(plan(bundle, pictures, interval_width_pp=20.0), told.append)
    assert told == []


def test_enough_pictures_for_the_interval_are_measured(bundle: Path, pictures: Path) -> None:
    for row in run(plan(bundle, pictures, interval_width_pp=29.0), quiet).rows:
        assert 100 * (row.top1_ci95[1] - row.top1_ci95[0]) <= 29.0


def test_a_limit_is_named_where_it_makes_the_pictures_too_few(bundle: Path, pictures: Path) -> None:
    with pytest.raises(UsageError, match="with --limit 14 has 14"):
        run(plan(bundle, pictures, interval_width_pp=30.0, limit=14), quiet)


@pytest.mark.parametrize("value", ["0", "-3", "101", "nan", "wide"])
def test_a_width_that_is_no_share_of_100_points_ends_with_status_2(value: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["accuracy", "x", "--data", "y", "--interval-width", value])
    assert ended.value.code == 2


def test_the_confusion_is_shown_where_it_was_asked_for(
    bundle: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["accuracy", str(bundle), "--data", f"folder:{pictures}", "--confusion"])
    assert "tflite/int8 with litert on 1 thread: what the pictures of each class were taken for" in (
        capsys.readouterr().out
    )
