"""`fer-train crop`: fit how a detector's box must be cut for a model of these pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fer_edge.errors import ExitCode, InputError, RuntimeUnavailable, UsageError
from fer_train import recipe as recipes
from fer_train.commands.common import Commands, add_data, add_detector_weights, load, positive
from fer_train.progress import Say, telling

if TYPE_CHECKING:
    from fer_edge.detectors import FaceDetector

DETECTORS = ("yunet", "haar")
DEFAULT_RECIPE = "fernet-s"


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("crop", help="fit how a detector's box must be cut for a model of these pictures")
    add_data(parser, "train")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="crop.json, best in the run's folder")
    parser.add_argument("--detector", choices=DETECTORS, help="only this one (default: all that are there)")
    parser.add_argument(
        "--recipe", default=DEFAULT_RECIPE, metavar="RECIPE", help=f"labels and size ({DEFAULT_RECIPE})"
    )
    parser.add_argument("--sample", type=positive, metavar="N", help="how many pictures to look at (default 1000)")
    add_detector_weights(parser)
    parser.set_defaults(command=crop)


def crop(arguments: argparse.Namespace) -> int:
    """Fit and write the contract."""
    from fer_train import crop as contracts  # noqa: PLC0415 - OpenCV

    with telling() as say:
        recipe = recipes.load(arguments.recipe)
        detectors = open_detectors(arguments.detector, arguments.detector_weights, say)
        if not detectors:
            raise RuntimeUnavailable(
                "there is no detector to fit a crop for: name YuNet's weights with --detector-weights"
            )
        data = load(arguments, recipe, arguments.split, say)
        sample = arguments.sample or contracts.SAMPLE
        found = contracts.fit_all(detectors, data, recipe.preprocess.color, say, sample)
    if not found.detectors:
        raise InputError(f"no detector found enough faces in {arguments.data} to fit a crop; nothing was written")
    contracts.write(arguments.out, found)
    return ExitCode.OK


def open_detectors(name: str | None, weights: Path | None, say: Say) -> list[FaceDetector]:
    """The one that is named, or all that are there; `say` tells why one is not."""
    from fer_edge.detectors.opening import open_detector  # noqa: PLC0415 - OpenCV

    if name == "haar" and weights is not None:
        raise UsageError("--detector-weights are YuNet's; --detector haar takes none")
    found = []
    for each in DETECTORS if name is None else (name,):
        try:
            found.append(open_detector(each, weights=weights if each == "yunet" else None))
        except RuntimeUnavailable as error:
            if name is not None:
                raise
            say(f"no crop contract will be fitted for {each}: {error}")
    return found
