"""What several verbs share: flags of the configuration, and an answer in words or as JSON."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from fer_edge.command import STDOUT, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from fer_edge.config import Settings

FLAGS = {
    "source": "source",
    "model": "model",
    "runtime": "runtime",
    "format": "format",
    "precision": "precision",
    "threads": "threads",
    "max_frames": "max_frames",
    "detector": "detector.name",
    "detector_weights": "detector.weights",
    "events": "events.path",
    "rate": "events.rate",
    "http": "http.listen",
    "pace": "camera.pace",
}
"""Flag to key."""


def path(text: str) -> Path:
    """A path on the command line; the module is a third of what --help would take."""
    from pathlib import Path  # noqa: PLC0415 - see above

    return Path(text)


def add_model_flags(parser: argparse.ArgumentParser) -> None:
    """Which model runs where, and the configuration."""
    parser.add_argument("--model", metavar="B", help="bundle by path or name (default: the one that ships)")
    parser.add_argument("--runtime", metavar="R", help="litert, tflite-runtime, tensorflow, onnxruntime or openvino")
    parser.add_argument("--format", metavar="F", help="tflite or onnx (default: the first that runs)")
    parser.add_argument("--precision", metavar="P", help="int8, float32, ... (default: the lightest that runs)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of one inference (default 1)")
    parser.add_argument(
        "--detector", metavar="NAME", help="auto, yunet, haar or whole (pictures that are faces already)"
    )
    parser.add_argument("--detector-weights", metavar="FILE", help="YuNet's .onnx file")
    parser.add_argument("--config", type=path, metavar="FILE", help="TOML file with the same keys")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any key of the configuration, e.g. camera.fps=15",
    )


def settings(arguments: argparse.Namespace) -> Settings:
    """The configuration, with the flags that were given laid over it."""
    from fer_edge import config  # noqa: PLC0415 - keeps --help light

    given = {key: getattr(arguments, flag, None) for flag, key in FLAGS.items()}
    return config.load(
        arguments.config, {key: value for key, value in given.items() if value is not None}, arguments.set
    )


def answer(json_to: str | None, document: dict[str, Any], text: str) -> None:
    """Words on standard output, unless JSON is to go there; JSON where it was asked for."""
    if json_to != STDOUT:
        sys.stdout.write(text + "\n")
    if json_to is not None:
        write_json({"schema_version": 1, **document}, json_to)
