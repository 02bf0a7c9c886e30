"""`fer-train grid`: pictures without labels in a grid, with the predicted label and its confidence over each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from fer_edge.command import prove_writable
from fer_edge.errors import ExitCode, InputError, UsageError
from fer_train.commands.common import Commands, add_detector_weights, positive, require_keras
from fer_train.progress import Say, telling

if TYPE_CHECKING:
    from fer_edge.preprocess import PreprocessSpec
    from fer_edge.types import Frame
    from fer_train.recipe import Recipe

DETECTORS = ("whole", "yunet", "haar")
SIDE = 3


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser(
        "grid",
        help="pictures with the predicted label over each",
        epilog="example: fer-train grid runs/fernet-s holiday/ --detector yunet --out holiday.png",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="run folder or .keras file")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="pictures and folders of pictures")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.png", help="the grid")
    parser.add_argument("--rows", type=positive, default=SIDE, metavar="N", help=f"default {SIDE}")
    parser.add_argument("--columns", type=positive, default=SIDE, metavar="N", help=f"default {SIDE}")
    parser.add_argument("--recipe", type=Path, metavar="FILE", help="of a .keras file without recipe.json beside it")
    parser.add_argument(
        "--detector",
        choices=DETECTORS,
        default=DETECTORS[0],
        help="how faces are found in a picture (default whole: the picture is the face)",
    )
    add_detector_weights(parser)
    parser.set_defaults(command=grid)


def grid(arguments: argparse.Namespace) -> int:
    """Take the first faces in the order of the paths, ask the model, draw."""
    if arguments.detector != "yunet" and arguments.detector_weights is not None:
        raise UsageError(f"--detector-weights are YuNet's; --detector {arguments.detector} takes none")
    prove_writable(str(arguments.out))
    with telling() as say:
        from fer_edge.annotate import grid as draw  # noqa: PLC0415 - OpenCV
        from fer_edge.annotate import write_picture  # noqa: PLC0415 - OpenCV
        from fer_edge.detectors.opening import open_detector  # noqa: PLC0415 - OpenCV

        detector = open_detector(arguments.detector, weights=arguments.detector_weights)
        require_keras(say)
        from fer_train.evaluate import open_trained  # noqa: PLC0415 - Keras
        from fer_train.reporting import grids  # noqa: PLC0415 - Keras

        trained = open_trained(arguments.model, arguments.recipe)
        spec = _with_crops(trained.recipe, trained.path.parent)
        if detector.name not in {*spec.crop, DETECTORS[0]}:
            say(f"no crop contract for {detector.name} in {trained.path.parent}: its boxes are cut as they are")
        faces = grids.faces_of(_frames(arguments.paths, say), detector, spec, say)
        cells = grids.predicted(trained, list(islice(faces, arguments.rows * arguments.columns)))
    if not cells:
        raise InputError(f"{detector.name} found no face in these pictures; nothing was written")
    write_picture(arguments.out, draw(cells, arguments.rows, arguments.columns))
    print(f"{arguments.out}: {len(cells)} faces")
    return ExitCode.OK


def _frames(paths: Sequence[Path], say: Say) -> Iterator[Frame]:
    """Pictures in the order of the paths, those of a folder in natural order; what is not one is told."""
    from fer_edge.cameras.files import open_folder, open_picture  # noqa: PLC0415 - OpenCV
    from fer_edge.clock import SystemClock  # noqa: PLC0415 - only here

    for path in paths:
        opener = open_folder if path.is_dir() else open_picture
        with closing(opener(path, SystemClock())) as source:
            while (frame := source.read(0.0)) is not None:
                yield frame
            for reason in source.skipped:
                say(f"skipped: {reason}")


def _with_crops(recipe: Recipe, run: Path) -> PreprocessSpec:
    """The recipe's preprocessing with the crop contracts that were fitted for the run."""
    from fer_train import crop  # noqa: PLC0415 - OpenCV

    known = run / crop.FILE
    return recipe.preprocess.model_copy(update={"crop": crop.contracts(known)}) if known.exists() else recipe.preprocess
