"""The command `fer-convert`. Nothing heavy is imported before it is known what to do."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_edge import __version__
from fer_edge.command import STDOUT, guarded, prove_writable, tell, write_json
from fer_edge.errors import ExitCode, UsageError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    arguments = _parser().parse_args(argv)
    return guarded("fer-convert", lambda: _convert(arguments), interrupted="interrupted, nothing is written")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fer-convert",
        description="A trained float model becomes a bundle of TFLite, ONNX and OpenVINO artifacts that were measured "
        "on the device's own code path and prove themselves when they are loaded.",
        epilog="examples: fer-convert runs/fernet-s --out bundles/fernet-s --calibrate fer2013:fer2013; "
        "fer-convert net.keras --labels angry,happy,neutral --preprocess color=gray,size=48,range=-1..1 "
        "--calibrate folder:faces/train --evaluate folder:faces/test --out net. "
        "exit codes: 0 ok, 1 gate not met, 2 usage, 69 something needed is not available, 78 model refused",
    )
    kinds = "a run folder of fer-train, a SavedModel folder, or a .keras, .h5, .onnx or float .tflite file"
    parser.add_argument("model", type=Path, metavar="MODEL", help=kinds)
    parser.add_argument("--out", type=Path, required=True, metavar="BUNDLE", help="folder to write")
    parser.add_argument("--force", action="store_true", help="replace a bundle that is there")
    parser.add_argument("--version", action="version", version=f"fer-convert {__version__}")
    parser.add_argument("--to", metavar="F,...", help="tflite,onnx,openvino (default: all)")
    parser.add_argument(
        "--precision", metavar="P,...", help="float32,float16,dynamic,int8,int16x8 (default: float32,int8)"
    )
    parser.add_argument("--leave-out", metavar="F/P,...", help="of these pairs, such as onnx/float32 (default: none)")
    parser.add_argument(
        "--batch", choices=("1", "dynamic"), help="faces that a file takes at once (1, which the device gives it)"
    )
    _add_data(parser)
    _add_gates(parser)
    _add_model(parser)
    again = "do what a bundle's conversion.json says, with this model and these pictures, and compare the bytes"
    parser.add_argument("--recipe", type=Path, metavar="FILE", help=again)
    parser.add_argument("--json", metavar="PATH", help="write the result as JSON; - is standard output")
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    data = parser.add_argument_group("data", "fer2013:PATH, folder:PATH, or a path")
    data.add_argument("--calibrate", metavar="D", help="training pictures that set the ranges of int8")
    data.add_argument("--calibration-n", type=int, metavar="N", help="how many, classes in equal shares (500)")
    data.add_argument("--evaluate", metavar="D", help="pictures to judge by (default: the test split of --calibrate)")


def _add_gates(parser: argparse.ArgumentParser) -> None:
    gates = parser.add_argument_group("gates", "an artifact that misses one is not written")
    gates.add_argument("--max-drop", type=float, metavar="PP", help="top-1 below the source, percentage points (1.0)")
    gates.add_argument("--min-agreement", type=float, metavar="X", help="equal top-1 labels, 0 to 1 (0.97)")
    gates.add_argument("--max-class-drop", type=float, metavar="PP", help="recall of any class, points (not asked)")
    gates.add_argument("--keep-passing", action="store_true", help="write the artifacts that pass when others do not")


def _add_model(parser: argparse.ArgumentParser) -> None:
    model = parser.add_argument_group("model")
    model.add_argument("--name", metavar="NAME", help="of the bundle (default: the recipe's, else the file's)")
    model.add_argument("--labels", metavar="A,B,...", help="in the order of the outputs, for a model without recipe")
    model.add_argument(
        "--preprocess", metavar="K=V,...", help="for a model without recipe: color, size, range or mean and std, layout"
    )
    model.add_argument("--about", type=Path, metavar="FILE", help="labels and preprocessing in a TOML file instead")
    model.add_argument("--crop", type=Path, metavar="FILE", help="crop contracts (default: the run's crop.json)")


def _convert(arguments: argparse.Namespace) -> int:
    from fer_convert import job, report  # noqa: PLC0415 - keeps --help light

    kept = _kept(arguments)
    asked = _job(arguments, kept.recipe.asked() if kept else {})
    prove_writable(arguments.json)
    outcome = job.run(asked, _say, kept)
    if arguments.json is not None:
        write_json(report.as_json(outcome), arguments.json)
    print(report.text(outcome), file=sys.stderr if arguments.json == STDOUT else sys.stdout)
    return int(ExitCode.OK if outcome.passed else ExitCode.GATE_NOT_MET)


SAID_BY_RECIPE = (
    *("to", "precision", "leave_out", "batch", "calibration_n"),
    *("max_drop", "min_agreement", "max_class_drop", "keep_passing"),
    *("name", "labels", "preprocess", "about"),
)
"""Flags that a recipe takes the place of."""


def _kept(arguments: argparse.Namespace) -> Any:  # noqa: ANN401 - see _job
    """The recipe that is to be followed, None without one."""
    from fer_convert import again  # noqa: PLC0415 - pydantic

    if arguments.recipe is None:
        return None
    for flag in SAID_BY_RECIPE:
        if getattr(arguments, flag):
            raise UsageError(f"--recipe says what --{flag.replace('_', '-')} would; give one of the two")
    return again.read(arguments.recipe)


def _job(arguments: argparse.Namespace, recipe: dict[str, Any]) -> Any:  # noqa: ANN401 - a Job, which takes pydantic
    from fer_convert import options  # noqa: PLC0415 - keeps --help light

    given = {
        key: getattr(arguments, key) for key in ("calibrate", "evaluate", "batch", "calibration_n", "name", "crop")
    }
    parsers = {
        "to": ("formats", options.parse_formats),
        "precision": ("precisions", options.parse_precisions),
        "leave_out": ("leave_out", options.parse_artifacts),
        "labels": ("labels", options.parse_labels),
        "preprocess": ("preprocess", options.parse_preprocess),
    }
    for flag, (key, parse) in parsers.items():
        text = getattr(arguments, flag)
        given[key] = None if text is None else parse(text)
    if arguments.about is not None:
        given |= _about(arguments)
    limits = {
        "max_drop_pp": arguments.max_drop,
        "min_agreement": arguments.min_agreement,
        "max_class_drop_pp": arguments.max_class_drop,
    }
    told = {"gates": options.Gates(**_given(limits)), "keep_passing": arguments.keep_passing, **_given(given), **recipe}
    return options.Job(model=arguments.model, out=arguments.out, force=arguments.force, **told)


def _about(arguments: argparse.Namespace) -> dict[str, Any]:
    from fer_convert import about  # noqa: PLC0415 - pydantic

    if arguments.labels or arguments.preprocess:
        raise UsageError("--about says labels and preprocessing; give it, or --labels and --preprocess")
    told = about.read(arguments.about)
    return {"labels": told.labels, "preprocess": told.preprocess}


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _say(line: str) -> None:
    tell("fer-convert", line)
