"""An artifact that misses a gate is told of with its reason and is not written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert import tiny_source
from fer_convert import artifact, cli, verify
from fer_convert.formats import tflite
from fer_convert.options import Gates
from fer_convert.report import Row
from fer_edge.bundle import Bundle
from fer_edge.errors import UsageError
from fer_edge.runtimes import Runtime, open_runtime
from fer_edge.types import Array, TensorSpec
from fer_train.metrics import score


class Rotated:
    """A runtime whose int8 answers are each off by one label: what a broken artifact is to the device."""

    def __init__(self, inner: Runtime) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def infer(self, tensor: Array) -> Sequence[Array]:
        return [np.roll(out, 1, axis=-1) for out in self._inner.infer(tensor)]


@pytest.fixture
def broken_int8(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runtime breaks int8 and leaves float32 alone."""

    def opened(data: Sequence[bytes], format_: str, *, threads: int) -> Any:
        runtime = open_runtime(data, format_, threads=threads)
        return Rotated(runtime) if runtime.effective_precision == "int8" else runtime

    monkeypatch.setattr(artifact, "open_runtime", opened)


@pytest.mark.usefixtures("broken_int8")
def test_a_failing_artifact_ends_with_1_and_nothing_is_written(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(run), "--to", "tflite", "--out", str(tmp_path / "out"), "--calibrate", str(data)]
    assert cli.main([*arguments, "--json", str(tmp_path / "result.json")]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    result = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    good, bad = result["rows"]
    assert (result["passed"], result["bundle"], good["passed"], bad["passed"]) == (False, None, True, False)
    assert bad["top1"] < 0.2
    assert len(bad["reasons"]) == 2
    told = capsys.readouterr().out
    assert "tflite/int8 is refused: top-1 drops by" in told
    assert "no bundle is written; --keep-passing" in told


@pytest.mark.usefixtures("broken_int8")
def test_keep_passing_writes_the_rest_and_still_ends_with_1(run: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert cli.main([str(run), "--to", "tflite", "--out", str(out), "--calibrate", str(data), "--keep-passing"]) == 1
    bundle = Bundle.open(out)
    assert [artifact.id for artifact in bundle.manifest.artifacts] == ["tflite/float32"]
    assert not (out / "tiny.int8.tflite").exists()
    rows = json.loads((out / "conversion.json").read_text(encoding="utf-8"))["rows"]
    assert [row["passed"] for row in rows] == [True, False]


def test_a_model_that_the_converter_does_not_take_is_a_row_with_its_reason(
    run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("Op Strange is not known\nmany\nmore lines")

    monkeypatch.setattr(tflite, "quantized", refuse)
    flags = ["--to", "tflite", "--precision", "int8"]
    assert cli.main([str(run), *flags, "--out", str(tmp_path / "out"), "--calibrate", str(data)]) == 1
    told = capsys.readouterr().out
    assert "cannot be converted to tflite/int8: Op Strange is not known\n" in told
    assert not any(tmp_path.iterdir())


def measured(**changes: Any) -> verify.Measured:
    """An artifact that meets every default gate."""
    scores = score(np.eye(2)[[0, 1, 1, 0]], np.array([0, 1, 1, 0]), ("happy", "sad"))
    whole = verify.Measured(
        scores=scores,
        drop_pp=1.0,
        drop_pp_ci95=(0.0, 2.0),
        class_drop_pp={"happy": -1.0, "sad": 4.0},
        agreement=0.97,
        temperature=1.0,
        uncertain_below=0.5,
        ece=0.01,
        output_error=0.1,
    )
    return replace(whole, **changes)


def test_a_figure_on_the_limit_meets_it() -> None:
    assert verify.failures(measured(), Gates(max_class_drop_pp=4.0)) == []


def test_a_drop_above_the_limit_is_told_with_both_figures() -> None:
    assert verify.failures(measured(drop_pp=1.24), Gates()) == ["top-1 drops by 1.24 points, more than 1"]


def test_an_agreement_below_the_limit_is_told_with_both_figures() -> None:
    (reason,) = verify.failures(measured(agreement=0.9649), Gates())
    assert reason == "agreement with the source is 96.49%, less than 97.00%"


def test_the_class_that_falls_most_is_named() -> None:
    (reason,) = verify.failures(measured(), Gates(max_class_drop_pp=3.0))
    assert reason == "recall of sad drops by 4.00 points, more than 3"


def test_no_class_is_looked_at_unless_asked() -> None:
    assert verify.failures(measured(class_drop_pp={"happy": 60.0}), Gates()) == []


@pytest.mark.parametrize("limits", [{"min_agreement": 97.0}, {"max_drop_pp": -1.0}, {"max_class_drop_pp": 101.0}])
def test_a_limit_in_the_wrong_unit_is_refused(limits: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="0 to 1"):
        Gates(**limits)


class Fixed:
    """A loaded model of which only the tensors matter."""

    def __init__(self, precision: str, tensor: TensorSpec) -> None:
        self.effective_precision, self.input, self.outputs = precision, tensor, (tensor,)


def test_an_artifact_that_computes_in_something_else_breaks_its_promise() -> None:
    tensor = TensorSpec("face", "float32", tiny_source.SPEC.shape)
    broken = artifact.promises(Row("tflite", "int8"), Fixed("dynamic", tensor), tiny_source.SPEC)  # type: ignore[arg-type]
    assert broken == [
        "its input is float32, not int8",
        "its output is float32, not int8",
        "it computes in dynamic, not in int8",
    ]


def test_an_input_that_merges_pixel_values_breaks_its_promise() -> None:
    spec = tiny_source.SPEC.model_copy(update={"mean": (0.5,), "std": (1 / 255,)})
    tensor = TensorSpec("face", "int8", spec.shape, 1.0, -1)
    (reason,) = artifact.promises(Row("tflite", "int8"), Fixed("int8", tensor), spec)  # type: ignore[arg-type]
    assert "of 256 pixel values apart" in reason
