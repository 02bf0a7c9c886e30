"""When eight bits miss a gate, the ladder is climbed, each step is told, and the first that passes is written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import pytest

from convert import tiny_source
from convert.test_gates import Rotated
from fer_convert import artifact, cli
from fer_edge.bundle import Bundle
from fer_edge.runtimes import open_runtime

LOUD = 3000.0


class HalfDone(Rotated):
    """A runtime that besides computes in sixteen bits, though eight were promised."""

    effective_precision = "int16"


@pytest.fixture(scope="module")
def loud(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run with one channel of its first layer LOUD times as large, and the next layer's as much smaller."""
    model = keras.models.load_model(run / "model.keras", compile=False)
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    normalisations = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    gamma, beta, *rest = normalisations[0].get_weights()
    quiet = int(abs(gamma).argmax())
    gamma[quiet], beta[quiet] = gamma[quiet] * LOUD, beta[quiet] * LOUD
    normalisations[0].set_weights([gamma, beta, *rest])
    kernel, *others = convolutions[1].get_weights()
    kernel[:, :, quiet] /= LOUD
    convolutions[1].set_weights([kernel, *others])
    return tiny_source.write_run(tmp_path_factory.mktemp("loud") / "run", model)


@pytest.mark.parametrize("format_", ["tflite", "onnx"])
def test_a_loud_channel_is_evened_out(
    loud: Path, data: Path, tmp_path: Path, format_: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = tmp_path / "result.json"
    arguments = ["--to", format_, "--calibrate", str(data), "--out", str(tmp_path / "out"), "--json", str(result)]
    assert cli.main([str(loud), *arguments]) == 0
    row = json.loads(result.read_text(encoding="utf-8"))["rows"][1]
    names = [step["name"] for step in row["steps"]]
    assert names[0] == "plain"
    assert names[-1] == "channels evened out"
    assert row["steps"][0]["agreement"] < 0.97 <= row["steps"][-1]["agreement"]
    told = capsys.readouterr().out
    assert f"{format_}/int8, rung by rung:" in told
    assert told.count("passes") == 1
    story: dict[str, Any] = json.loads((tmp_path / "out" / "conversion.json").read_text(encoding="utf-8"))
    assert [step["name"] for step in story["rows"][1]["steps"]] == names
    Bundle.open(tmp_path / "out")


def test_what_no_rung_mends_is_refused_with_all_that_was_tried(
    run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def opened(files: Sequence[bytes], format_: str, *, threads: int) -> Any:
        runtime = open_runtime(files, format_, threads=threads)
        return runtime if runtime.effective_precision == "float32" else Rotated(runtime)

    monkeypatch.setattr(artifact, "open_runtime", opened)
    flags = ["--to", "tflite", "--precision", "int8", "--json", str(tmp_path / "result.json")]
    assert cli.main([str(run), *flags, "--calibrate", str(data), "--out", str(tmp_path / "out")]) == 1
    (row,) = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["rows"]
    names = [step["name"] for step in row["steps"]]
    ranges = ["ranges by percentile", "ranges by mse", "ranges by entropy"]
    assert names == ["plain", *ranges, "channels evened out", "biases corrected", "1 layer in float", "fine-tuned"]
    assert not any(step["passed"] for step in row["steps"])
    assert "tflite/int8 is refused: top-1 drops by" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_a_broken_promise_is_told_at_once_for_no_rung_mends_it(
    run: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def opened(files: Sequence[bytes], format_: str, *, threads: int) -> Any:
        return HalfDone(Rotated(open_runtime(files, format_, threads=threads)))

    monkeypatch.setattr(artifact, "open_runtime", opened)
    flags = ["--to", "tflite", "--precision", "int8", "--json", str(tmp_path / "result.json")]
    assert cli.main([str(run), *flags, "--calibrate", str(data), "--out", str(tmp_path / "out")]) == 1
    (row,) = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["rows"]
    assert "steps" not in row
    out, said = capsys.readouterr()
    assert "tflite/int8 is refused: it computes in int16, not in int8" in out
    assert "trying" not in said
