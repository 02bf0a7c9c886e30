"""Writes the whole files that fuzzing begins with: python tests/support/make_fuzz_corpus.py (from tests/)."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from fer_convert import frameworks
from fer_edge.bundle import MANIFEST
from fer_train import recipe
from fer_train.backend import hushed
from support.tiny import tiny_bundle

HERE = Path(__file__).parent
CORPUS = HERE.parent / "fuzz" / "corpus"
ABOUT = """labels = ["angry", "happy", "neutral"]

[preprocess]
color = "rgb"
size = 64
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
layout = "NCHW"
"""
CONVERSION: dict[str, Any] = {
    "schema_version": 1,
    "kind": "conversion",
    "name": "net",
    "options": {
        "to": ["tflite", "openvino"],
        "precision": ["float32", "int8"],
        "batch": "1",
        "calibration_n": 500,
        "gates": {"max_drop_pp": 1.0, "min_agreement": 0.97, "max_class_drop_pp": None},
        "keep_passing": False,
        "labels": ["angry", "happy"],
        "preprocess": {"color": "gray", "size": 48, "mean": [0.5], "std": [0.25], "layout": "NHWC", "crop": {}},
    },
    "provenance": {
        "source_sha256": "0" * 64,
        "recipe": "",
        "training_data": "",
        "calibration_data": "1" * 64,
        "calibration_n": 500,
        "tools": {"tensorflow": "2.21.0"},
        "git_revision": "",
    },
    "evaluation": {"n": 3589, "sha256": "2" * 64},
    "rows": [
        {"format": "tflite", "precision": "int8", "files": [{"name": "net.int8.tflite", "sha256": "3" * 64}]},
        {"format": "openvino", "precision": "int8"},
    ],
}


def main() -> None:
    """All of them, anew."""
    shutil.rmtree(CORPUS, ignore_errors=True)
    models = HERE / "models"
    for kind in ("float32", "int8"):
        put("tflite", f"{kind}.tflite", (models / f"tiny-{kind}.tflite").read_bytes())
        put("onnx", f"{kind}.onnx", (models / f"tiny-{kind}.onnx").read_bytes())
    put("source-onnx", "float32.onnx", (models / "tiny-float32.onnx").read_bytes())
    with tempfile.TemporaryDirectory() as place:
        folder = tiny_bundle(Path(place))
        put("manifest", "tiny.json", (folder / MANIFEST).read_bytes())
        for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
            path = Path(place, f"{name}.zip")
            with zipfile.ZipFile(path, "w", method) as archive:
                for file in sorted(folder.iterdir()):
                    archive.write(file, file.name)
            put("zip", path.name, path.read_bytes())
        keras_files(Path(place))
    for name in ("fernet-s", "uaslp-resnet50-svm", "tmu-resnet50"):
        put("recipe", f"{name}.toml", (Path(recipe.__file__).parent / "recipes" / f"{name}.toml").read_bytes())
    put("about", "about.toml", ABOUT.encode())
    put("conversion", "conversion.json", json.dumps(CONVERSION, indent=1).encode())


def keras_files(folder: Path) -> None:
    """One net of Keras 3 and one of Keras 2."""
    for library, name, options in (
        (frameworks.keras(), "net.keras", {}),
        (frameworks.tf_keras(), "net.h5", {"save_format": "h5"}),
    ):
        with hushed():
            layers: Any = library.layers
            first = [layers.Input((48, 48, 1)), layers.Conv2D(2, 3, strides=8), layers.BatchNormalization()]
            net = library.Sequential([*first, layers.ReLU(), layers.GlobalAveragePooling2D(), layers.Dense(7)])
            net.save(folder / name, **options)
        put(f"source-{name.partition('.')[2]}", name, (folder / name).read_bytes())


def put(kind: str, name: str, data: bytes) -> None:
    """One file of the corpus."""
    (CORPUS / kind).mkdir(parents=True, exist_ok=True)
    (CORPUS / kind / name).write_bytes(data)
    print(f"{kind}/{name}: {len(data)} bytes")


if __name__ == "__main__":
    main()
