"""An artifact says itself what it is, in every format, and computes the same as before it did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from convert.conftest import Converted
from fer_convert import metadata
from fer_convert.graph import onnx_graph
from fer_convert.metadata import Meaning
from fer_convert.sources import Source
from fer_convert.sources.reading import Taken
from fer_edge.bundle import Bundle
from fer_edge.runtimes import open_runtime
from support.sources import description


def meaning(bundle: Bundle) -> Meaning:
    manifest = bundle.manifest
    return Meaning(
        name="net", precision="int8", labels=manifest.labels, output_kind="logits", preprocess=manifest.preprocess
    )


def test_weights_that_lie_behind_a_flatbuffer_come_along(tmp_path: Path) -> None:
    """As the quantizer writes them for a net of a megabyte; a tiny one has them inside."""
    from fer_convert.formats import tflite  # noqa: PLC0415 - its tool chain
    from fer_convert.quantize.calibration import Calibration, Plan  # noqa: PLC0415

    bundle = Bundle.open("default")
    spec = bundle.manifest.preprocess
    whole = tmp_path / "net.tflite"
    whole.write_bytes(bundle.read(bundle.pick(("tflite",), "float32"))[0])
    graph = onnx_graph.serialized(onnx_graph.from_tflite(whole, spec.shape))
    source = Source(description(spec), Taken(np.zeros((0, 7), np.float32), graph, whole.read_bytes()), "0" * 64)
    faces = np.random.default_rng(0).normal(size=(3, *spec.shape[1:])).astype(np.float32)
    plain = tflite.quantized(source, "int8", Calibration(faces), Plan())
    told = metadata.embedded("tflite", {"tflite": plain}, meaning(bundle))["tflite"]
    before, after = open_runtime([plain], "tflite"), open_runtime([told], "tflite")
    face = np.random.default_rng(1).integers(-128, 128, before.input.shape).astype(np.int8)
    np.testing.assert_array_equal(before.infer(face)[0], after.infer(face)[0])
    whole.write_bytes(told)
    assert metadata.read(whole, "tflite") == meaning(bundle)


@pytest.mark.parametrize(("suffix", "kind"), [("tflite", "tflite"), ("onnx", "onnx")])
def test_what_is_told_again_replaces_what_was_told(
    converted: Converted, tmp_path: Path, suffix: str, kind: str
) -> None:
    data = (converted.bundle / f"tiny.float32.{suffix}").read_bytes()
    other = meaning(Bundle.open(converted.bundle)).model_copy(update={"name": "other"})
    again = metadata.embedded(kind, {suffix: data}, other)[suffix]
    (tmp_path / "net").write_bytes(again)
    assert metadata.read(tmp_path / "net", kind) == other
    assert metadata.embedded(kind, {suffix: again}, other)[suffix] == again


def test_an_ir_tells_it_too(converted: Converted) -> None:
    assert '"labels":["angry"' in (converted.bundle / "tiny.int8.xml").read_text(encoding="utf-8").replace(
        "&quot;", '"'
    )


@pytest.mark.parametrize("kind", ["tflite", "onnx", "keras"])
@pytest.mark.parametrize("content", [b"", b"rubbish", b"\x00" * 64])
def test_a_file_that_says_nothing_says_nothing(tmp_path: Path, kind: str, content: bytes) -> None:
    (tmp_path / "net").write_bytes(content)
    assert metadata.read(tmp_path / "net", kind) is None
