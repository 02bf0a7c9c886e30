"""Row 23: only bundles that are allowed by hash run, and formats that can carry code or files are not read at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fer_edge.bundle import Bundle
from fer_edge.cli import main
from fer_edge.errors import BundleRefused, ExitCode
from fer_edge.runtimes import open_runtime
from support.tiny import read_manifest, tiny_bundle, write_manifest


def run(bundle: Path, *allowed: str) -> int:
    flags = ["--model", str(bundle), "--set", f"model_sha256={json.dumps(allowed)}", "--max-frames", "1"]
    return main(["run", "--source", "demo", *flags, "--events", str(bundle.parent / "events.jsonl")])


def test_a_bundle_that_is_not_allowed_is_refused_and_one_that_is_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tiny_bundle(tmp_path)
    right = Bundle.open(bundle).sha256
    assert run(bundle, "0" * 64) == ExitCode.REFUSED
    assert f"has SHA-256 {right}, which is not among model_sha256" in capsys.readouterr().err
    assert run(bundle, "0" * 64, right) == ExitCode.OK


@pytest.mark.parametrize("format_", ["keras", "h5", "savedmodel", "pickle"])
def test_formats_that_can_carry_code_are_no_formats(tmp_path: Path, format_: str) -> None:
    bundle = tiny_bundle(tmp_path)
    manifest = read_manifest(bundle)
    manifest["artifacts"][0]["format"] = format_
    write_manifest(bundle, manifest)
    with pytest.raises(BundleRefused, match=r"artifacts\.0\.format"):
        Bundle.open(bundle)


@pytest.mark.parametrize("name", ["../weights.tflite", "/etc/passwd", "a/b", "..", ""])
def test_names_that_lead_elsewhere_are_no_names(tmp_path: Path, name: str) -> None:
    bundle = tiny_bundle(tmp_path)
    manifest = read_manifest(bundle)
    manifest["artifacts"][0]["files"][0]["name"] = name
    write_manifest(bundle, manifest)
    with pytest.raises(BundleRefused, match=r"files\.0\.name"):
        Bundle.open(bundle)


def test_onnx_weights_in_a_file_beside_it_are_not_read(tmp_path: Path) -> None:
    """A model whose weights lie in `../secret`: given as bytes, it has no place that this could lead from."""
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    (tmp_path / "secret").write_bytes(b"\0" * 400)
    weights = onnx.TensorProto(name="w", data_type=onnx.TensorProto.FLOAT, dims=[10, 10])
    weights.data_location = onnx.TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../secret")
    node = onnx.helper.make_node("MatMul", ["x", "w"], ["y"])
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 10]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([node], "g", ends[:1], ends[1:], [weights])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(BundleRefused, match="onnxruntime does not take this model"):
        open_runtime([model.SerializeToString()], "onnx")
