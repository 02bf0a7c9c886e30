"""Batches: a model whose first side is open takes several pictures at once, in each format, and answers the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from fer_bench.latency.opening import open_wide
from fer_bench.latency.rows import ScenarioRow
from fer_bench.latency.run import Plan, run
from fer_bench.latency.scenarios import OFFLINE
from fer_bench.latency.verdicts import of_batch
from fer_bench.variants import Choice
from fer_edge.bundle import Bundle
from fer_edge.errors import BundleRefused
from fer_edge.runtimes import open_runtime, ov
from support.tiny import model_bytes

BATCH = 5
RUNTIMES = {"onnxruntime": "onnx", "openvino": "openvino", "litert": "tflite"}


def open_onnx() -> bytes:
    """The tiny net with its first side left open under the name `n`."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(model_bytes("float32", "onnx"))
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    del model.graph.value_info[:]
    return bytes(model.SerializeToString())


def open_openvino(folder: Path) -> Sequence[bytes]:
    pytest.importorskip("openvino")
    openvino = ov.library()
    source = folder / "open.onnx"
    source.write_bytes(open_onnx())
    target = folder / "open.xml"
    openvino.save_model(openvino.Core().read_model(source), target, compress_to_fp16=False)
    return target.read_bytes(), target.with_suffix(".bin").read_bytes()


def open_model(runtime: str, folder: Path) -> Sequence[bytes]:
    if runtime == "openvino":
        return open_openvino(folder)
    # the TFLite converter leaves the first side open, and says so in the shape's signature
    return (open_onnx(),) if runtime == "onnxruntime" else (model_bytes("float32"),)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_open_side_takes_a_batch_and_every_answer_is_that_of_one_picture(runtime: str, tmp_path: Path) -> None:
    data = open_model(runtime, tmp_path)
    wide, batch = open_wide(data, RUNTIMES[runtime], runtime, 1, BATCH)
    assert batch == BATCH
    pictures = np.random.default_rng(1).normal(size=(BATCH, 48, 48, 1)).astype(np.float32)
    narrow = open_runtime([model_bytes("float32")], "tflite")
    alone = np.concatenate([narrow.infer(picture[None])[0] for picture in pictures])
    np.testing.assert_allclose(wide.infer(pictures)[0], alone, atol=1e-3)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("runtime", ["onnxruntime", "litert"])
def test_a_closed_side_keeps_its_one_picture(runtime: str, precision: str) -> None:
    if runtime == "onnxruntime":
        pytest.importorskip("onnxruntime")
        data: Sequence[bytes] = [model_bytes(precision, "onnx")]
    else:
        bundle = Bundle.open("default")
        data = bundle.read(bundle.pick(("tflite",), precision))
    wide, batch = open_wide(data, RUNTIMES[runtime], runtime, 1, BATCH)
    assert batch == 1
    assert wide.effective_precision == open_runtime(data, RUNTIMES[runtime], runtime=runtime).effective_precision


def test_a_batch_that_the_model_does_not_take_is_told() -> None:
    row = ScenarioRow(
        format="tflite", precision="int8", runtime="litert", threads=1, size_bytes=1, n=9, scenario=OFFLINE
    )
    (note,) = of_batch(row, BATCH)
    assert note.endswith("the model takes 1 picture at a time, so there were no batches of 5")
    assert of_batch(row, 1) == []


def test_what_the_library_does_not_take_is_refused_in_a_sentence() -> None:
    with pytest.raises(BundleRefused, match="litert does not take this model at a batch of 5"):
        open_wide([b"nonsense"], "tflite", "litert", 1, BATCH)


def test_offline_counts_pictures_where_the_model_takes_batches(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "open.onnx").write_bytes(open_onnx())
    plan = Plan(
        str(tmp_path / "open.onnx"),
        Choice(runtimes=("onnxruntime",)),
        rounds=1,
        min_seconds=0.02,
        min_runs=10,
        scenarios=(OFFLINE,),
        batch=BATCH,
    )
    (row,) = run(plan, lambda _: None).rows
    assert row.error is None
    assert (row.batch, row.n) == (BATCH, BATCH * len(row.samples_ns[0]))
    assert row.name.endswith("offline (1 stream, batches of 5)")
