"""`fer-edge predict`: pictures, folders and clips."""

from __future__ import annotations

import argparse
from typing import Any

from fer_edge.commands.common import add_model_flags, path, settings


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    """Add the verb."""
    parser = commands.add_parser(
        "predict",
        help="pictures, folders and clips: which expressions are in them",
        epilog="example: fer-edge predict holiday/ --annotate marked/ --grid grid.png",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH")
    add_model_flags(parser)
    parser.add_argument("--annotate", type=path, metavar="DIR", help="write copies with boxes and labels")
    parser.add_argument("--grid", type=path, metavar="FILE", help="write the first nine faces as a 3 x 3 grid")
    parser.add_argument("--events", metavar="PATH", help="also write JSON lines; - is standard output")
    parser.set_defaults(command=predict)


def predict(arguments: argparse.Namespace) -> int:
    """Say what is in them."""
    from fer_edge import assembly  # noqa: PLC0415 - keeps --help light
    from fer_edge.predict import Predictor  # noqa: PLC0415

    chosen = settings(arguments)
    assembly.set_process_limits()
    classifier = assembly.make_classifier(chosen)
    pipeline = assembly.make_pipeline(chosen, classifier)
    predictor = Predictor(classifier, pipeline, arguments.annotate, arguments.events)
    return predictor.run(arguments.paths, arguments.grid)
