"""`fer-train run`: train, evaluate, report."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fer_edge.errors import OutputError
from fer_train import recipe as recipes
from fer_train.commands.common import Commands, add_data, add_detector_weights, add_set, positive, require_keras, tell
from fer_train.commands.crop import open_detectors
from fer_train.commands.evaluate import write_report
from fer_train.progress import Say, telling

if TYPE_CHECKING:
    from fer_edge.detectors import FaceDetector
    from fer_train.parts import Parts
    from fer_train.recipe import Recipe


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser(
        "run",
        help="train, evaluate, report",
        epilog="example: fer-train run fernet-s --data fer2013:/data/fer2013 --out runs/fernet-s",
    )
    parser.add_argument("recipe", metavar="RECIPE", help="name or .toml file")
    add_data(parser, None)
    parser.add_argument("--out", required=True, type=Path, metavar="RUN", help="folder of the run")
    parser.add_argument("--epochs", type=positive, metavar="N", help="instead of the recipe's")
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="use N pictures of each part, classes in equal shares"
    )
    parser.add_argument(
        "--weights", metavar="W", help="start from these: none, imagenet or a file (the recipe's model.weights)"
    )
    add_set(parser)
    parser.add_argument("--resume", action="store_true", help="go on with the run that is in the folder")
    parser.add_argument("--devices", type=positive, metavar="N", help="train on N devices (default: all GPUs)")
    parser.add_argument("--tensorboard", action="store_true", help="also write event files into RUN/logs")
    parser.add_argument("--steps-log", action="store_true", help="also write every batch's loss into RUN/steps.csv")
    add_detector_weights(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Read the data, train, fit the crop contract, write the pages."""
    recipe = recipes.load(arguments.recipe, [*arguments.set, *_changes(arguments)])
    with telling() as say:
        from fer_train import parts  # noqa: PLC0415 - OpenCV

        detectors = open_detectors(None, arguments.detector_weights, say)
        found = parts.read(arguments.data, recipe, arguments.limit, say)
        for name, part in (("train", found.train), ("validation", found.validation), ("test", found.test)):
            tell(name, part, say)
        return _train(arguments, recipe, found, detectors, say)


def _changes(arguments: argparse.Namespace) -> list[str]:
    epochs = [f"fit.epochs={arguments.epochs}"] if arguments.epochs else []
    weights = [f"model.weights={arguments.weights!r}"] if arguments.weights else []
    return [*epochs, *weights]


def _train(arguments: argparse.Namespace, recipe: Recipe, data: Parts, detectors: list[FaceDetector], say: Say) -> int:
    require_keras(say)
    from fer_edge.clock import SystemClock  # noqa: PLC0415 - only for training
    from fer_train import crop, fit, processor, provenance  # noqa: PLC0415 - Keras
    from fer_train.learning import parallel  # noqa: PLC0415 - Keras

    out = parallel.own_folder(arguments.out)
    options = fit.Options(arguments.devices, arguments.tensorboard, arguments.steps_log)
    if _will_start(recipe, out, resume=arguments.resume):
        precision = processor.precision(recipe.fit.precision)
        provenance.note(out, data.train, data.validation, SystemClock(), data.test, precision)
    if recipe.svm:
        from fer_train.svm import machine as svm  # noqa: PLC0415 - scikit-learn

        result = svm.run(recipe, data.train, data.validation, out, resume=arguments.resume, say=say)
    else:
        result = fit.run(recipe, data.train, data.validation, out, resume=arguments.resume, say=say, options=options)
    say(f"kept epoch {result.epoch}: {result.val_accuracy:.2%} on validation; model in {out / fit.MODEL}")
    if detectors:
        say(f"fitting the crop of {', '.join(detector.name for detector in detectors)} to the training pictures")
        crop.write(out / crop.FILE, crop.fit_all(detectors, data.train, recipe.preprocess.color, say))
    return write_report(out, data.test, "test")


def _will_start(recipe: Recipe, out: Path, *, resume: bool) -> bool:
    """Whether `fit.run` will train in this folder: it is new, or holds this very run unfinished; also makes it."""
    from fer_train import fit  # noqa: PLC0415 - Keras
    from fer_train.evaluate import read_recipe  # noqa: PLC0415 - Keras

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the run folder {out} cannot be made: {error.strerror}") from None
    stored = out / fit.RECIPE
    if not stored.exists():
        return True
    return resume and read_recipe(stored) == recipe and not (out / fit.MODEL).exists()
