"""`fer-edge run`: the daemon."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from fer_edge import __version__
from fer_edge.commands.common import add_model_flags, settings

if TYPE_CHECKING:
    from fer_edge.classifier import Classifier


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """Add the verb."""
    parser = commands.add_parser(
        "run",
        help="watch a source and tell of the expressions seen",
        description="Watch a source and print events as JSON lines.",
        epilog="examples: fer-edge run --source demo; fer-edge run --source 0 --events events.jsonl; "
        "fer-edge run --source clip.mp4 --rate all",
    )
    parser.add_argument(
        "--source",
        metavar="S",
        help="auto, 0, /dev/video0, rtsp://..., http://..., a clip, a folder, a picture, or demo (default auto)",
    )
    add_model_flags(parser)
    parser.add_argument("--max-frames", type=int, metavar="N", help="stop after N frames")
    parser.add_argument("--events", metavar="PATH", help="where JSON lines go; - is standard output (default)")
    parser.add_argument("--rate", metavar="HZ", help="events per face and second, or all, or changes (default 2)")
    parser.add_argument(
        "--pace",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="play clips at their own speed (default: only the demo)",
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Watch until the source ends or a signal comes."""
    from fer_edge import assembly  # noqa: PLC0415 - keeps --help light
    from fer_edge.clock import SystemClock  # noqa: PLC0415
    from fer_edge.events import EventStream  # noqa: PLC0415
    from fer_edge.health import Health  # noqa: PLC0415
    from fer_edge.outputs import Outputs  # noqa: PLC0415
    from fer_edge.sinks.jsonl import JsonLines  # noqa: PLC0415
    from fer_edge.supervisor import Daemon, Parts  # noqa: PLC0415

    chosen = settings(arguments)
    clock = SystemClock()
    assembly.set_process_limits()
    sink = JsonLines(chosen.events.path)
    classifier = assembly.make_classifier(chosen)
    pipeline = assembly.make_pipeline(chosen, classifier)
    health = Health()
    parts = Parts(
        open_camera=assembly.camera_opener(chosen, clock),
        pipeline=pipeline,
        teller=EventStream(classifier.labels, chosen.events.rate_hz),
        outputs=Outputs([sink], health),
        clock=clock,
        health=health,
        max_frames=chosen.max_frames,
        source=chosen.source,
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
