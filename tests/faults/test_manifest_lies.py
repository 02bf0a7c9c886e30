"""Row 22: what a manifest says of shape, type, scale and labels is held against what the runtime says of the model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_edge.cli import main
from fer_edge.errors import ExitCode
from support.tiny import read_manifest, tiny_bundle, write_manifest

Artifact = dict[str, Any]


def _scale(artifact: Artifact) -> None:
    artifact["input"]["scale"] *= 1.01


def _zero_point(artifact: Artifact) -> None:
    artifact["output"]["zero_point"] += 1


def _type(artifact: Artifact) -> None:
    artifact["input"] |= {"dtype": "uint8"}


def _golden(artifact: Artifact) -> None:
    artifact["golden"][0]["output"] = artifact["golden"][1]["output"]


@pytest.mark.parametrize(
    ("lie", "sentence"),
    [
        (_scale, "input is int8"),
        (_zero_point, "output is int8"),
        (_type, "where the manifest says uint8"),
        (_golden, "a golden output is off by"),
    ],
)
def test_a_lie_of_an_artifact_is_refused(
    tmp_path: Path, lie: Callable[[Artifact], None], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tiny_bundle(tmp_path, precisions=("int8",))
    manifest = read_manifest(bundle)
    lie(manifest["artifacts"][0])
    write_manifest(bundle, manifest)
    assert main(["run", "--source", "demo", "--model", str(bundle)]) == ExitCode.REFUSED
    assert sentence in capsys.readouterr().err


def test_more_labels_than_outputs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = tiny_bundle(tmp_path)
    manifest = read_manifest(bundle)
    manifest["labels"].append("bored")
    write_manifest(bundle, manifest)
    assert main(["run", "--source", "demo", "--model", str(bundle)]) == ExitCode.REFUSED
    assert "8 labels" in capsys.readouterr().err


def test_another_size_than_the_models_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = tiny_bundle(tmp_path)
    manifest = read_manifest(bundle)
    manifest["preprocess"]["size"] = 64
    write_manifest(bundle, manifest)
    assert main(["run", "--source", "demo", "--model", str(bundle)]) == ExitCode.REFUSED
    assert "takes (1, 48, 48, 1), but the preprocessing makes (1, 64, 64, 1)" in capsys.readouterr().err
