"""Curves: the same damaged pictures for every artifact, drops worked out by hand, and nothing lost on the way."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from fer_bench.accuracy import curves, trials
from fer_bench.accuracy.corruptions import ALL, BY_NAME, Corruption
from fer_bench.accuracy.curves import Pictures, chosen, originals
from fer_bench.accuracy.run import Plan, run, text
from fer_bench.cli import main
from fer_bench.results.report import Report, exit_code
from fer_bench.results.rows import AccuracyRow
from fer_bench.variants import Choice
from fer_edge.bundle import Artifact, Bundle
from fer_edge.errors import ExitCode, InferenceFailed, UsageError
from fer_edge.labels import FER2013
from fer_edge.preprocess import Preprocess
from fer_edge.types import Image
from fer_train import data, metrics
from support.shapes import shape
from support.tiny import SPEC, tiny_bundle

PER_CLASS = 4
N = 7 * PER_CLASS
CLEAN = 1
"""The first time that an artifact is asked, it is on the clean pictures."""

Answer = Callable[[int, Image], Sequence[int]]


def quiet(_: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for label in FER2013:
        folder = tmp_path / "data" / label
        folder.mkdir(parents=True)
        for seed in range(PER_CLASS):
            cv2.imwrite(str(folder / f"{seed}.png"), shape(label, seed=9100 + seed))
    return tmp_path / "data"


def plan(bundle: Path, pictures: Path, *corruptions: str, **more: Any) -> Plan:
    choice = Choice(runtimes=("litert",))
    return Plan(str(bundle), f"folder:{pictures}", split=None, choice=choice, corruptions=corruptions, **more)


def rows_of(report: Report) -> dict[str, AccuracyRow]:
    return {row.precision: row for row in report.rows if isinstance(row, AccuracyRow)}


def scripted(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Answer]) -> dict[str, list[Image]]:
    """Let each precision be right on the pictures that its function names, given how often it was asked and the crops.

    Returns all crops that were seen, by precision.
    """
    targets = np.repeat([FER2013.index(name) for name in sorted(FER2013)], PER_CLASS)  # as folders are read
    seen: dict[str, list[Image]] = {name: [] for name in answers}

    def load(_: Bundle, artifact: Artifact, **__: object) -> SimpleNamespace:
        def probabilities(crops: Image) -> np.ndarray[Any, np.dtype[np.float64]]:
            seen[artifact.precision].append(crops)
            hits = list(answers[artifact.precision](len(seen[artifact.precision]), crops))
            said = (targets + 1) % len(FER2013)
            said[hits] = targets[hits]
            return np.asarray(np.eye(len(FER2013))[said])

        runtime = SimpleNamespace(version="0", effective_precision=artifact.precision)
        return SimpleNamespace(probabilities=probabilities, runtime=runtime)

    monkeypatch.setattr(trials, "load", load)
    return seen


def always(hits: Sequence[int]) -> Answer:
    return lambda _asked, _crops: hits


def test_every_artifact_sees_the_same_damaged_pictures(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = scripted(monkeypatch, {"float32": always(range(N)), "int8": always(range(N))})
    run(plan(bundle, pictures, "noise", "box-jitter"), quiet)
    assert len(seen["float32"]) == CLEAN + 2 * 5
    for ours, theirs in zip(seen["float32"], seen["int8"], strict=True):
        assert np.array_equal(ours, theirs)
    assert not any(np.array_equal(seen["int8"][0], damaged) for damaged in seen["int8"][1:])


def test_undamaged_they_are_the_pictures_that_were_judged(pictures: Path) -> None:
    dataset = data.load(str(pictures), FER2013, SPEC, limit=21)
    nothing = Corruption("nothing", "", (0.0,) * 5, lambda face, _level, _rng: face)
    files = originals(str(pictures), None, dataset, Preprocess(SPEC))
    assert np.array_equal(files.block(range(21), nothing, 1), dataset.images)


def test_a_picture_is_damaged_alike_in_whatever_company(pictures: Path) -> None:
    def damaged(limit: int | None) -> dict[str, bytes]:
        dataset = data.load(str(pictures), FER2013, SPEC, limit=limit)
        files = originals(str(pictures), None, dataset, Preprocess(SPEC))
        crops = files.block(range(len(dataset)), BY_NAME["noise"], 3)
        return {name: crop.tobytes() for name, crop in zip(dataset.names, crops, strict=True)}

    few, many = damaged(7), damaged(None)
    assert len(few) == 7
    assert few.items() <= many.items()


def test_a_drop_is_from_the_same_artifact_on_the_clean_pictures(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    float32: Answer = lambda asked, _: range(20) if asked == CLEAN else range(18)  # noqa: E731 - one line of a script
    int8: Answer = lambda asked, _: range(22) if asked == CLEAN else [*range(10), 27]  # noqa: E731 - the same
    scripted(monkeypatch, {"float32": float32, "int8": int8})
    step = rows_of(run(plan(bundle, pictures, "blur"), quiet))["int8"].corruptions[2]
    clean, now, reference = (np.isin(range(N), list(hits)) for hits in (range(22), [*range(10), 27], range(18)))
    assert (step.corruption, step.severity, step.level, step.n) == ("blur", 3, 1.5, N)
    assert step.top1 == pytest.approx(11 / N)
    assert step.top1_ci95 == metrics.wilson(11, N)
    assert step.drop_from_clean_pp == pytest.approx(100 * 11 / N)
    assert step.drop_from_clean_pp_ci95 == metrics.paired_drop(clean, now)[1]
    assert step.drop_pp == pytest.approx(100 * 7 / N)
    assert step.mcnemar_p == metrics.mcnemar(reference, now)
    bits = np.unpackbits(np.frombuffer(base64.b64decode(step.right), dtype=np.uint8), count=N).astype(bool)
    assert np.array_equal(bits, now)


def test_the_reference_has_no_drop_against_itself(bundle: Path, pictures: Path) -> None:
    row = rows_of(run(plan(bundle, pictures, "jpeg"), quiet))["float32"]
    assert len(row.corruptions) == 5
    assert {(step.drop_pp, step.mcnemar_p) for step in row.corruptions} == {(None, None)}


def test_a_real_model_loses_when_the_pictures_are_dark(bundle: Path, pictures: Path) -> None:
    for row in rows_of(run(plan(bundle, pictures, "low-light"), quiet)).values():
        assert row.top1 is not None
        assert row.top1 > 0.9
        assert row.corruptions[-1].top1 < 0.6


def test_ctrl_c_in_the_middle_of_a_curve_keeps_the_finished_steps(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def impatient(asked: int, _: Image) -> Sequence[int]:
        if asked == CLEAN + 7:  # the second step of the second corruption, when float32 is through with it
            raise KeyboardInterrupt
        return range(N)

    scripted(monkeypatch, {"float32": always(range(N)), "int8": impatient})
    report = run(plan(bundle, pictures, "blur", "jpeg"), quiet)
    assert not report.complete
    for row in rows_of(report).values():
        assert [(step.corruption, step.severity) for step in row.corruptions] == [
            *[("blur", severity) for severity in range(1, 6)],
            ("jpeg", 1),
        ]
        assert row.top1 == 1.0
    assert list(report.extra["corruptions"]["sha256"]) == [*[f"blur/{i}" for i in range(1, 6)], "jpeg/1"]
    assert "jpeg: JPEG quality" in text(report)


def test_an_artifact_that_fails_in_a_curve_keeps_what_it_has_and_the_others_go_on(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(asked: int, _: Image) -> Sequence[int]:
        if asked == CLEAN + 3:
            raise InferenceFailed("int8 fell over")
        return range(N)

    seen = scripted(monkeypatch, {"float32": always(range(N)), "int8": fails})
    report = run(plan(bundle, pictures, "blur"), quiet)
    rows = rows_of(report)
    assert len(rows["int8"].corruptions) == 2
    assert len(rows["float32"].corruptions) == 5
    assert len(seen["int8"]) == CLEAN + 3
    assert "failed: tflite/int8 with litert on 1 thread: int8 fell over" in text(report)
    assert exit_code(report) == ExitCode.GATE_NOT_MET


def test_a_reference_that_fails_in_a_curve_is_compared_with_no_longer(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(asked: int, _: Image) -> Sequence[int]:
        if asked == CLEAN + 3:
            raise InferenceFailed("float32 fell over")
        return range(N)

    scripted(monkeypatch, {"float32": fails, "int8": always(range(20))})
    steps = rows_of(run(plan(bundle, pictures, "blur"), quiet))["int8"].corruptions
    assert [step.drop_pp is None for step in steps] == [False, False, True, True, True]


def test_pictures_that_vanish_end_the_curves_and_nothing_else(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wipes(asked: int, _: Image) -> Sequence[int]:
        if asked == CLEAN + 2:
            for file in (pictures / "happy").iterdir():
                file.unlink()
        return range(N)

    scripted(monkeypatch, {"float32": always(range(N)), "int8": wipes})
    report = run(plan(bundle, pictures, "blur"), quiet)
    for row in rows_of(report).values():
        assert len(row.corruptions) == 2
        assert "could be read a moment ago and now not" in str(row.error)
    assert exit_code(report) == ExitCode.GATE_NOT_MET


def test_the_first_reason_stays_when_the_pictures_vanish_later(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wipes(asked: int, _: Image) -> Sequence[int]:
        if asked == CLEAN + 3:
            for file in (pictures / "happy").iterdir():
                file.unlink()
        return range(N)

    def fails(asked: int, _: Image) -> Sequence[int]:
        if asked == CLEAN + 2:
            raise InferenceFailed("int8 fell over")
        return range(N)

    scripted(monkeypatch, {"float32": wipes, "int8": fails})
    rows = rows_of(run(plan(bundle, pictures, "blur"), quiet))
    assert rows["int8"].error == "int8 fell over"
    assert "could be read a moment ago" in str(rows["float32"].error)


def test_pictures_in_several_blocks_are_one_step(bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = rows_of(run(plan(bundle, pictures, "noise"), quiet))
    for module in (curves, trials):
        monkeypatch.setattr(module, "BLOCK", 10)
    parts = rows_of(run(plan(bundle, pictures, "noise"), quiet))
    assert {name: row.corruptions for name, row in parts.items()} == {
        name: row.corruptions for name, row in whole.items()
    }
    assert [step.n for step in parts["int8"].corruptions] == [N] * 5


def test_an_artifact_that_failed_is_not_asked_for_the_other_blocks(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def load(_: Bundle, artifact: Artifact, **__: object) -> SimpleNamespace:
        def probabilities(crops: Image) -> np.ndarray[Any, np.dtype[np.float64]]:
            nonlocal asked
            if artifact.precision == "int8" and len(crops) < N:
                asked += 1
                raise InferenceFailed("int8 fell over")
            return np.eye(len(FER2013))[np.zeros(len(crops), dtype=np.int64)]

        runtime = SimpleNamespace(version="0", effective_precision=artifact.precision)
        return SimpleNamespace(probabilities=probabilities, runtime=runtime)

    monkeypatch.setattr(trials, "load", load)
    monkeypatch.setattr(curves, "BLOCK", 10)
    run(plan(bundle, pictures, "blur"), quiet)
    assert asked == 1


def test_the_json_tells_what_the_steps_mean(bundle: Path, pictures: Path) -> None:
    report = run(plan(bundle, pictures, "noise"), quiet)
    document = json.loads(json.dumps(report.as_json()))
    assert document["corruptions"]["kinds"] == {
        "noise": {"unit": "gain in dim light", "levels": [8.0, 16.0, 32.0, 64.0, 128.0]}
    }
    again = run(plan(bundle, pictures, "noise"), quiet)
    assert document["corruptions"]["sha256"] == again.extra["corruptions"]["sha256"]
    assert len(set(document["corruptions"]["sha256"].values())) == 5
    assert {"corruption", "severity", "level", "n", "top1", "top1_ci95"} <= document["rows"][1]["corruptions"][0].keys()


def test_without_corruptions_there_is_nothing_of_them(bundle: Path, pictures: Path) -> None:
    report = run(plan(bundle, pictures), quiet)
    assert "corruptions" not in report.extra
    assert "clean" not in text(report)


def test_the_table_shows_level_share_drop_and_intervals(
    bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worse: Answer = lambda asked, _: range(N - 4 * (asked - CLEAN))  # noqa: E731 - one line of a script
    scripted(monkeypatch, {"float32": worse, "int8": worse})
    report = run(plan(bundle, pictures, "motion-blur"), quiet)
    lines = text(report).splitlines()
    head = next(line for line in lines if line.startswith("motion-blur: path, px of a 48 px face"))
    assert head.split()[-6:] == ["clean", "2", "4", "6", "9", "12"]
    shares, drops = lines[lines.index(head) + 2 :][:2]
    hits = [28, 24, 20, 16, 12, 8]
    spans = [tuple(100 * end for end in metrics.wilson(count, N)) for count in hits]
    expected = [f"{100 * k / N:.1f} ({low:.1f}..{high:.1f})" for k, (low, high) in zip(hits, spans, strict=True)]
    assert shares.split() == ["tflite/float32", "litert", str(N), *" ".join(expected).split()]
    spans = [metrics.paired_drop(np.ones(N, dtype=bool), np.arange(N) < count)[1] for count in hits[1:]]
    expected = [
        f"{100 - 100 * k / N:+.1f} ({low:.1f}..{high:.1f})" for k, (low, high) in zip(hits[1:], spans, strict=True)
    ]
    assert drops.split() == ["drop", *" ".join(expected).split()]


def test_a_square_picture_has_nothing_around_the_face_and_that_is_told(bundle: Path, pictures: Path) -> None:
    report = run(plan(bundle, pictures, "box-jitter"), quiet)
    assert any(f"{N} of {N} pictures show nothing around the face" in note for note in report.notes)


def test_pictures_that_are_small_already_are_told_of(bundle: Path, pictures: Path) -> None:
    cv2.imwrite(str(pictures / "sad" / "0.png"), cv2.resize(shape("sad"), (20, 20)))
    report = run(plan(bundle, pictures, "small-face"), quiet)
    assert any("1 picture of less than 32 px cannot be made as small as asked" in note for note in report.notes)


def test_a_corruption_that_there_is_not_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no corruption 'fog'; there are blur, motion-blur, .*, box-jitter, all"):
        run(Plan(str(tmp_path / "none"), "nowhere", corruptions=("blur", "fog")), quiet)


def test_all_are_all_and_each_is_measured_once() -> None:
    assert chosen(("jpeg", "all")) == ALL
    assert [one.name for one in chosen(("jpeg", "blur"))] == ["blur", "jpeg"]


def test_the_help_names_every_corruption(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["accuracy", "--help"])
    shown = " ".join(capsys.readouterr().out.replace("-\n", "-").split())
    assert all(name in shown.replace("- ", "-") for name in BY_NAME)


def test_the_command_draws_curves(bundle: Path, pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["accuracy", str(bundle), "--data", str(pictures), "--split", "none", "--corruptions", "jpeg,blur"])
    streams = capsys.readouterr()
    assert status == 0
    assert "jpeg: JPEG quality" in streams.out
    assert streams.err.count("fer-bench: jpeg") == 5


def test_pictures_keep_the_order_of_the_data(pictures: Path) -> None:
    dataset = data.load(str(pictures), FER2013, SPEC).subset([20, 3, 11])
    found = originals(str(pictures), None, dataset, Preprocess(SPEC))
    assert isinstance(found, Pictures)
    assert found.names == dataset.names
    assert [str(source).rsplit("/", 2)[1:] for source in found.sources] == [name.split("/") for name in found.names]
