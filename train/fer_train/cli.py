"""The command `fer-train`. Keras is imported only by the commands that compute."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_edge import __version__
from fer_edge.command import STDOUT, guarded, prove_writable, write_json
from fer_edge.errors import ExitCode, InputError, OutputError, RuntimeUnavailable, UsageError
from fer_train import recipe as recipes
from fer_train.progress import Say, telling

if TYPE_CHECKING:
    from fer_edge.detectors import FaceDetector
    from fer_train.data import Dataset
    from fer_train.recipe import Recipe

WHOLE_FOLDER = "all"
"""The split that takes a folder as it is."""
DETECTORS = ("yunet", "haar")
DEFAULT_RECIPE = "fernet-s"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    arguments = _parser().parse_args(argv)
    hint = "; the same command with --resume goes on" if arguments.command is _run else ""
    return guarded("fer-train", lambda: arguments.command(arguments), interrupted=f"interrupted{hint}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fer-train",
        description="Train a facial-expression model from a recipe, and say honestly what it is worth.",
        epilog="exit codes: 0 ok, 2 usage, 69 something needed is not available, 78 recipe or model refused, "
        "130 interrupted",
    )
    parser.add_argument("--version", action="version", version=f"fer-train {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="the recipes that ship")
    listing.set_defaults(command=_list)
    show = commands.add_parser("show", help="a recipe, every key as --set takes it")
    show.add_argument("recipe", metavar="RECIPE", help="name or .toml file")
    _add_set(show)
    show.set_defaults(command=_show)
    _add_run(commands)
    _add_evaluate(commands)
    _add_crop(commands)
    _add_report(commands)
    return parser


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the recipe, e.g. fit.seed=2"
    )


def _add_data(parser: argparse.ArgumentParser, split: str | None) -> None:
    parser.add_argument(
        "--data", required=True, metavar="D", help="fer2013:PATH, folder:PATH, a folder of class folders, or a .csv"
    )
    if split is not None:
        parser.add_argument(
            "--split",
            default=split,
            metavar="NAME",
            help=f"train, test, private, or all for a folder without splits (default {split})",
        )


def _add_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--detector-weights",
        "--weights",
        type=Path,
        metavar="FILE",
        help="YuNet's .onnx file (default: looked for in the model folders)",
    )


def _add_run(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    run = commands.add_parser(
        "run",
        help="train, evaluate, report",
        epilog="example: fer-train run fernet-s --data fer2013:/data/fer2013 --out runs/fernet-s",
    )
    run.add_argument("recipe", metavar="RECIPE", help="name or .toml file")
    _add_data(run, None)
    run.add_argument("--out", required=True, type=Path, metavar="RUN", help="folder of the run")
    run.add_argument("--epochs", type=_positive, metavar="N", help="instead of the recipe's")
    run.add_argument(
        "--limit", type=_positive, metavar="N", help="use N pictures of each split, classes in equal shares"
    )
    _add_set(run)
    run.add_argument("--resume", action="store_true", help="go on with the run that is in the folder")
    _add_weights(run)
    run.set_defaults(command=_run)


def _add_evaluate(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    evaluate = commands.add_parser("evaluate", help="accuracy of a trained model, float32")
    evaluate.add_argument("model", type=Path, metavar="MODEL", help="run folder or .keras file")
    _add_data(evaluate, "test")
    evaluate.add_argument("--recipe", type=Path, metavar="FILE", help="of a .keras file without recipe.json beside it")
    evaluate.add_argument("--limit", type=_positive, metavar="N", help="use N pictures, classes in equal shares")
    evaluate.add_argument("--json", metavar="PATH", help="write the figures as JSON; - prints them")
    evaluate.set_defaults(command=_evaluate)


def _add_crop(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    crop = commands.add_parser("crop", help="fit how a detector's box must be cut for a model of these pictures")
    _add_data(crop, "train")
    crop.add_argument("--out", required=True, type=Path, metavar="FILE", help="crop.json, best in the run's folder")
    crop.add_argument("--detector", choices=DETECTORS, help="only this one (default: all that are there)")
    crop.add_argument("--recipe", default=DEFAULT_RECIPE, metavar="RECIPE", help=f"labels and size ({DEFAULT_RECIPE})")
    crop.add_argument("--sample", type=_positive, metavar="N", help="how many pictures to look at (default 1000)")
    _add_weights(crop)
    crop.set_defaults(command=_crop)


def _add_report(commands: Any) -> None:  # noqa: ANN401 - argparse keeps this class private
    report = commands.add_parser("report", help="make figures, plots and card of a run again")
    report.add_argument("run", type=Path, metavar="RUN")
    _add_data(report, "test")
    report.set_defaults(command=_report)


def _positive(text: str) -> int:
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 up is needed, found {text!r}")
    return value


def _list(_: argparse.Namespace) -> int:
    for name in recipes.names():
        recipe = recipes.load(name)
        print(f"{name:16} {recipe.title}")
        if recipe.reported:
            print(f"{'':16} reported: {recipe.reported.accuracy:.1%} ({recipe.reported.source})")
    return ExitCode.OK


def _show(arguments: argparse.Namespace) -> int:
    recipe = recipes.load(arguments.recipe, arguments.set)
    for key, value in _flat(recipe.model_dump(mode="json", exclude_none=True)):
        print(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return ExitCode.OK


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif value != {}:
            yield prefix + key, value


def _run(arguments: argparse.Namespace) -> int:
    changes = [*arguments.set, *([f"fit.epochs={arguments.epochs}"] if arguments.epochs else [])]
    recipe = recipes.load(arguments.recipe, changes)
    with telling() as say:
        detectors = _detectors(None, arguments.detector_weights, say)
        train = _load(arguments, recipe, "train", say)
        test = _load(arguments, recipe, "test", say)
        return _train(arguments, recipe, (train, test), detectors, say)


def _train(
    arguments: argparse.Namespace,
    recipe: Recipe,
    data: tuple[Dataset, Dataset],
    detectors: list[FaceDetector],
    say: Say,
) -> int:
    _require_keras(say)
    from fer_edge.clock import SystemClock  # noqa: PLC0415 - only for training
    from fer_train import crop, fit, provenance  # noqa: PLC0415 - Keras

    train, test = data
    out: Path = arguments.out
    if _will_start(recipe, out, resume=arguments.resume):
        provenance.note(out, train, test, SystemClock())
    result = fit.run(recipe, train, test, out, resume=arguments.resume, say=say)
    say(f"kept epoch {result.epoch}: {result.val_accuracy:.2%} on test; model in {out / fit.MODEL}")
    if detectors:
        say(f"fitting the crop of {', '.join(detector.name for detector in detectors)} to the training pictures")
        crop.write(out / crop.FILE, crop.fit_all(detectors, train, recipe.preprocess.color, say))
    return _write_report(out, test, "test")


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


def _evaluate(arguments: argparse.Namespace) -> int:
    prove_writable(arguments.json)
    with telling() as say:
        _require_keras(say)
        from fer_train import report  # noqa: PLC0415 - Keras
        from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras

        trained = open_trained(arguments.model, arguments.recipe)
        found = evaluate(trained, _load(arguments, trained.recipe, arguments.split, say))
    if arguments.json:
        write_json(report.as_json(trained, found, arguments.split), arguments.json)
    if arguments.json != STDOUT:
        print(report.table(found.scores))
    return ExitCode.OK


def _crop(arguments: argparse.Namespace) -> int:
    from fer_train import crop  # noqa: PLC0415 - OpenCV

    with telling() as say:
        recipe = recipes.load(arguments.recipe)
        detectors = _detectors(arguments.detector, arguments.detector_weights, say)
        if not detectors:
            raise RuntimeUnavailable("there is no detector to fit a crop for: name YuNet's weights with --weights")
        data = _load(arguments, recipe, arguments.split, say)
        found = crop.fit_all(detectors, data, recipe.preprocess.color, say, arguments.sample or crop.SAMPLE)
    if not found.detectors:
        raise InputError(f"no detector found enough faces in {arguments.data} to fit a crop; nothing was written")
    crop.write(arguments.out, found)
    return ExitCode.OK


def _report(arguments: argparse.Namespace) -> int:
    with telling() as say:
        _require_keras(say)
        from fer_train import fit  # noqa: PLC0415 - Keras
        from fer_train.evaluate import read_recipe  # noqa: PLC0415 - Keras

        data = _load(arguments, read_recipe(arguments.run / fit.RECIPE), arguments.split, say)
        return _write_report(arguments.run, data, arguments.split)


def _write_report(run: Path, data: Dataset, split: str) -> int:
    from fer_train import report  # noqa: PLC0415 - Keras
    from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras

    trained = open_trained(run)
    found = evaluate(trained, data)
    written = report.write(run, trained, found, split)
    print(report.table(found.scores))
    print(f"in {run}: {', '.join(path.name for path in written)}")
    return ExitCode.OK


def _load(arguments: argparse.Namespace, recipe: Recipe, split: str, say: Say) -> Dataset:
    from fer_train import data  # noqa: PLC0415 - OpenCV

    where = None if split == WHOLE_FOLDER else split
    found = data.load(arguments.data, recipe.labels, recipe.preprocess, where, getattr(arguments, "limit", None))
    counts = ", ".join(f"{name} {count}" for name, count in found.counts().items())
    say(f"{split}: {len(found)} pictures ({counts})")
    if found.skipped:
        say(f"{split}: {len(found.skipped)} could not be used, the first: {found.skipped[0]}")
    return found


def _detectors(name: str | None, weights: Path | None, say: Say) -> list[FaceDetector]:
    """The one that is named, or all that are there; `say` tells why one is not."""
    from fer_edge.detectors.opening import open_detector  # noqa: PLC0415 - OpenCV

    if name == "haar" and weights is not None:
        raise UsageError("--weights are YuNet's; --detector haar takes none")
    found = []
    for each in DETECTORS if name is None else (name,):
        try:
            found.append(open_detector(each, weights=weights if each == "yunet" else None))
        except RuntimeUnavailable as error:
            if name is not None:
                raise
            say(f"no crop contract will be fitted for {each}: {error}")
    return found


def _require_keras(say: Say) -> None:
    from fer_train import backend  # noqa: PLC0415 - Keras

    say("starting Keras")
    backend.require_keras()
