"""What several verbs share: arguments of one meaning, reading of data, and what is said while it happens."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_train.progress import Say

if TYPE_CHECKING:
    from fer_train.data import Dataset
    from fer_train.recipe import Recipe

Commands = Any
"""What `add_subparsers` returns; argparse keeps this class private."""
WHOLE_FOLDER = "all"
"""The split that takes a folder as it is."""
DATA = "fer2013:PATH, affectnet:PATH, rafdb:PATH, folder:PATH, or a path whose layout is recognised"


def add_set(parser: argparse.ArgumentParser) -> None:
    """--set, as often as one likes."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the recipe, e.g. fit.seed=2"
    )


def add_data(parser: argparse.ArgumentParser, split: str | None) -> None:
    """--data, and --split with this default unless it is None."""
    parser.add_argument("--data", required=True, metavar="D", help=DATA)
    if split is not None:
        parser.add_argument(
            "--split",
            default=split,
            metavar="NAME",
            help=f"train, test, private, or all for a folder without splits (default {split})",
        )


def add_detector_weights(parser: argparse.ArgumentParser) -> None:
    """--detector-weights."""
    parser.add_argument(
        "--detector-weights",
        type=Path,
        metavar="FILE",
        help="YuNet's .onnx file (default: looked for in the model folders)",
    )


def positive(text: str) -> int:
    """An argument that counts something."""
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 up is needed, found {text!r}")
    return value


def load(arguments: argparse.Namespace, recipe: Recipe, split: str, say: Say) -> Dataset:
    """The pictures of --data, cut as the recipe says, with --limit where the verb has it."""
    from fer_train import data  # noqa: PLC0415 - OpenCV

    where = None if split == WHOLE_FOLDER else split
    limit = getattr(arguments, "limit", None)
    found = data.load(arguments.data, recipe.labels, recipe.preprocess, where, limit, say)
    tell(split, found, say)
    return found


def tell(split: str, found: Dataset, say: Say) -> None:
    """How many pictures there are, and whether some could not be used."""
    counts = ", ".join(f"{name} {count}" for name, count in found.counts().items())
    say(f"{split}: {len(found)} pictures ({counts})")
    if found.skipped:
        say(f"{split}: {len(found.skipped)} could not be used, the first: {found.skipped[0]}")
    for remark in found.remarks:
        say(f"{split}: {remark}")


def require_keras(say: Say) -> None:
    """Start Keras, which takes seconds, and say so."""
    from fer_train import backend  # noqa: PLC0415 - Keras

    say("starting Keras")
    backend.require_keras()
