"""The command `fer-edge`. Nothing heavy is imported before it is known what to do."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_edge import __version__
from fer_edge.command import STDOUT, guarded, write_json
from fer_edge.errors import ExitCode

if TYPE_CHECKING:
    from fer_edge.classifier import Classifier
    from fer_edge.config import Settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="fer-edge: %(message)s")
    return guarded("fer-edge", lambda: arguments.command(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fer-edge",
        description="Faces in front of a camera become expression events, on the device.",
        epilog="exit codes: 0 ok, 1 gate not met, 2 usage, 69 something needed is not available, "
        "75 try again, 78 configuration or model refused",
    )
    parser.add_argument("--version", action="version", version=f"fer-edge {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_predict(commands)
    _add_models(commands)
    return parser


def _add_model_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="B", help="bundle by path or name (default: the one that ships)")
    parser.add_argument("--runtime", metavar="R", help="litert, tflite-runtime, tensorflow, onnxruntime or openvino")
    parser.add_argument("--format", metavar="F", help="tflite or onnx (default: the first that runs)")
    parser.add_argument("--precision", metavar="P", help="int8, float32, ... (default: the lightest that runs)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of one inference (default 1)")
    parser.add_argument(
        "--detector", metavar="NAME", help="auto, yunet, haar or whole (pictures that are faces already)"
    )
    parser.add_argument("--detector-weights", metavar="FILE", help="YuNet's .onnx file")
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file with the same keys")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any key of the configuration, e.g. camera.fps=15",
    )


def _add_run(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    run = commands.add_parser(
        "run",
        help="watch a source and tell of the expressions seen",
        description="Watch a source and print events as JSON lines.",
        epilog="examples: fer-edge run --source demo; fer-edge run --source 0 --events events.jsonl; "
        "fer-edge run --source clip.mp4 --rate all",
    )
    run.add_argument(
        "--source",
        metavar="S",
        help="auto, 0, /dev/video0, rtsp://..., http://..., a clip, a folder, a picture, or demo (default auto)",
    )
    _add_model_flags(run)
    run.add_argument("--max-frames", type=int, metavar="N", help="stop after N frames")
    run.add_argument("--events", metavar="PATH", help="where JSON lines go; - is standard output (default)")
    run.add_argument("--rate", metavar="HZ", help="events per face and second, or all, or changes (default 2)")
    run.add_argument(
        "--pace",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="play clips at their own speed (default: only the demo)",
    )
    run.set_defaults(command=_run)


def _add_predict(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    predict = commands.add_parser(
        "predict",
        help="pictures, folders and clips: which expressions are in them",
        epilog="example: fer-edge predict holiday/ --annotate marked/ --grid grid.png",
    )
    predict.add_argument("paths", nargs="+", metavar="PATH")
    _add_model_flags(predict)
    predict.add_argument("--annotate", type=Path, metavar="DIR", help="write copies with boxes and labels")
    predict.add_argument("--grid", type=Path, metavar="FILE", help="write the first nine faces as a 3 x 3 grid")
    predict.add_argument("--events", metavar="PATH", help="also write JSON lines; - is standard output")
    predict.set_defaults(command=_predict)


def _add_models(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    models = commands.add_parser("models", help="bundles: list, show, verify")
    verbs = models.add_subparsers(required=True, metavar="VERB")
    for name, command, text in (
        ("list", _models_list, "the bundles that can be named"),
        ("show", _models_show, "what a bundle says of itself"),
        ("verify", _models_verify, "hash and run every artifact"),
    ):
        verb = verbs.add_parser(name, help=text)
        if name != "list":
            verb.add_argument("bundle", nargs="?", default="default")
        verb.add_argument("--json", metavar="PATH", help="write JSON; - is standard output")
        verb.set_defaults(command=command)


_FLAGS = {
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
    "pace": "camera.pace",
}
"""Flag to key."""


def _settings(arguments: argparse.Namespace) -> Settings:
    from fer_edge import config  # noqa: PLC0415 - keeps --help light

    given = {key: getattr(arguments, flag, None) for flag, key in _FLAGS.items()}
    return config.load(
        arguments.config, {key: value for key, value in given.items() if value is not None}, arguments.set
    )


def _run(arguments: argparse.Namespace) -> int:
    from fer_edge import assembly  # noqa: PLC0415 - keeps --help light
    from fer_edge.clock import SystemClock  # noqa: PLC0415
    from fer_edge.events import EventStream  # noqa: PLC0415
    from fer_edge.health import Health  # noqa: PLC0415
    from fer_edge.outputs import Outputs  # noqa: PLC0415
    from fer_edge.sinks.jsonl import JsonLines  # noqa: PLC0415
    from fer_edge.supervisor import Daemon, Parts  # noqa: PLC0415

    settings = _settings(arguments)
    clock = SystemClock()
    assembly.set_process_limits()
    sink = JsonLines(settings.events.path)
    classifier = assembly.make_classifier(settings)
    pipeline = assembly.make_pipeline(settings, classifier)
    health = Health()
    parts = Parts(
        open_camera=assembly.camera_opener(settings, clock),
        pipeline=pipeline,
        teller=EventStream(classifier.labels, settings.events.rate_hz),
        outputs=Outputs([sink], health),
        clock=clock,
        health=health,
        max_frames=settings.max_frames,
        source=settings.source,
    )
    return Daemon(parts).run(**_identity(classifier, pipeline.search.detector.name))


def _identity(classifier: Classifier, detector: str) -> dict[str, Any]:
    """What the first event says of the model and what runs it."""
    return {
        "model": classifier.bundle.manifest.name,
        "model_sha256": classifier.bundle.sha256,
        "artifact": classifier.artifact.id,
        "runtime": f"{classifier.runtime.name} {classifier.runtime.version}",
        "effective_precision": classifier.runtime.effective_precision,
        "threads": classifier.runtime.threads,
        "detector": detector,
        "labels": list(classifier.labels),
        "fer_edge": __version__,
    }


def _predict(arguments: argparse.Namespace) -> int:
    from fer_edge import assembly  # noqa: PLC0415 - keeps --help light
    from fer_edge.predict import Predictor  # noqa: PLC0415

    settings = _settings(arguments)
    assembly.set_process_limits()
    classifier = assembly.make_classifier(settings)
    pipeline = assembly.make_pipeline(settings, classifier)
    predictor = Predictor(classifier, pipeline, arguments.annotate, arguments.events)
    return predictor.run(arguments.paths, arguments.grid)


def _models_list(arguments: argparse.Namespace) -> int:
    from fer_edge import models  # noqa: PLC0415 - keeps --help light

    rows = models.listing()
    _answer(arguments.json, {"bundles": rows}, models.listing_text(rows))
    return ExitCode.OK


def _models_show(arguments: argparse.Namespace) -> int:
    from fer_edge import models  # noqa: PLC0415 - keeps --help light
    from fer_edge.bundle import Bundle  # noqa: PLC0415

    bundle = Bundle.open(arguments.bundle)
    _answer(arguments.json, models.shown(bundle), models.shown_text(bundle))
    return ExitCode.OK


def _models_verify(arguments: argparse.Namespace) -> int:
    from fer_edge import models  # noqa: PLC0415 - keeps --help light
    from fer_edge.bundle import Bundle  # noqa: PLC0415

    bundle = Bundle.open(arguments.bundle)
    rows, worst = models.verified(bundle)
    _answer(arguments.json, {"bundle": str(bundle.path), "rows": rows}, models.verified_text(rows))
    return worst


def _answer(json_to: str | None, document: dict[str, Any], text: str) -> None:
    """Words on standard output, unless JSON is to go there; JSON where it was asked for."""
    if json_to != STDOUT:
        print(text)
    if json_to is not None:
        write_json({"schema_version": 1, **document}, json_to)
