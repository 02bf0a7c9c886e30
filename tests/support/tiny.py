"""A real bundle of a few kilobytes, made where a test wants it: no TensorFlow, nothing faked.

The weights lie in `tests/support/models` (made by `make_tiny_models.py`); they tell the drawings of `shapes.py` apart.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_edge.labels import FER2013
from fer_edge.postprocess import dequantize
from fer_edge.preprocess import CropContract, Preprocess, PreprocessSpec
from fer_edge.runtimes import open_runtime
from fer_edge.types import TensorSpec
from support.shapes import shape

MODELS = Path(__file__).parent / "models"
SPEC = PreprocessSpec(color="gray", size=48, mean=(0.5,), std=(0.25,))
GOLDEN_LABELS = ("happy", "sad", "neutral")
TOLERANCE_STEPS = 2
"""How many steps of an 8-bit output two correct kernels may differ by."""
TOLERANCE_FLOAT = 1e-3


def tiny_bundle(
    folder: Path,
    *,
    name: str = "tiny",
    precisions: Sequence[str] = ("float32", "int8"),
    with_onnx: bool = False,
    crop: Mapping[str, CropContract] | None = None,
    uncertain_below: float = 0.0,
) -> Path:
    """Write the bundle `folder/name` and return its path; golden outputs come from the runtime that is installed.

    precisions: of "float32" and "int8". with_onnx: the same precisions as ONNX too (needs ONNX Runtime).
    """
    target = folder / name
    target.mkdir(parents=True)
    spec = SPEC.model_copy(update={"crop": dict(crop or {})})
    formats = ("tflite", "onnx") if with_onnx else ("tflite",)
    artifacts = [_artifact(target, format_, precision) for format_ in formats for precision in precisions]
    for artifact in artifacts:
        artifact["uncertain_below"] = uncertain_below
    write_manifest(target, _manifest(name, spec, artifacts))
    return target


def model_bytes(precision: str = "float32", format_: str = "tflite") -> bytes:
    """The tiny model itself."""
    return (MODELS / f"tiny-{precision}.{format_}").read_bytes()


def read_manifest(bundle: Path) -> dict[str, Any]:
    """A bundle's manifest as plain values, for a test to change."""
    found: dict[str, Any] = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))
    return found


def write_manifest(bundle: Path, manifest: Mapping[str, Any]) -> None:
    """Put a manifest, right or wrong, into a bundle."""
    (bundle / "bundle.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _artifact(target: Path, format_: str, precision: str) -> dict[str, Any]:
    source = MODELS / f"tiny-{precision}.{format_}"
    shutil.copyfile(source, target / source.name)
    data = source.read_bytes()
    runtime = open_runtime([data], format_)
    preprocess = Preprocess(SPEC, runtime.input)
    step = runtime.outputs[0].scale
    golden = []
    for label in GOLDEN_LABELS:
        picture = shape(label, seed=1)
        output = dequantize(runtime.infer(preprocess.tensor(picture[None]))[0], runtime.outputs[0])[0]
        golden.append({"pixels": base64.b64encode(picture.tobytes()).decode(), "output": output.tolist()})
    return {
        "format": format_,
        "precision": precision,
        "files": [{"name": source.name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}],
        "input": _tensor(runtime.input),
        "output": _tensor(runtime.outputs[0]),
        "output_kind": "logits",
        "golden": golden,
        "tolerance": TOLERANCE_STEPS * step if step else TOLERANCE_FLOAT,
    }


def _tensor(spec: TensorSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "dtype": spec.dtype,
        "shape": list(spec.shape),
        "scale": spec.scale,
        "zero_point": spec.zero_point,
    }


def _manifest(name: str, spec: PreprocessSpec, artifacts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "name": name,
        "task": "expression",
        "labels": list(FER2013),
        "preprocess": spec.model_dump(mode="json"),
        "artifacts": list(artifacts),
        "provenance": {
            "source_sha256": "0" * 64,
            "recipe": "tests/support/make_tiny_models.py",
            "training_data": "drawn shapes",
            "calibration_data": "drawn shapes",
            "calibration_n": 140,
            "tools": {},
            "git_revision": "",
        },
        "card": {
            "summary": "Tells seven drawn shapes apart.",
            "data_terms": "Drawn by the tests; free.",
            "intended_use": "Tests.",
            "limits": "It has never seen a face.",
        },
    }
