"""`fer-train evaluate` and `fer-train report`: what a trained model is worth, and its run folder's pages made again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fer_edge.command import STDOUT, prove_writable, write_json
from fer_edge.errors import ExitCode
from fer_train.commands.common import Commands, add_data, load, positive, require_keras, tell
from fer_train.progress import Say, telling

if TYPE_CHECKING:
    from fer_train.data import Dataset
    from fer_train.recipe import Recipe

TEST = "test"


def add(commands: Commands) -> None:
    """Declare both verbs."""
    evaluate = commands.add_parser("evaluate", help="accuracy of a trained model, float32")
    evaluate.add_argument("model", type=Path, metavar="MODEL", help="run folder or .keras file")
    add_data(evaluate, TEST)
    evaluate.add_argument("--recipe", type=Path, metavar="FILE", help="of a .keras file without recipe.json beside it")
    evaluate.add_argument("--limit", type=positive, metavar="N", help="use N pictures, classes in equal shares")
    evaluate.add_argument("--json", metavar="PATH", help="write the figures as JSON; - prints them")
    evaluate.add_argument("--predictions", type=Path, metavar="FILE.csv", help="write a row per picture")
    evaluate.set_defaults(command=run_evaluate)
    report = commands.add_parser("report", help="make figures, plots, card and page of a run again")
    report.add_argument("run", type=Path, metavar="RUN")
    add_data(report, TEST)
    report.set_defaults(command=run_report)


def run_evaluate(arguments: argparse.Namespace) -> int:
    """Count on a data set; nothing is written into the run."""
    prove_writable(arguments.json)
    prove_writable(arguments.predictions and str(arguments.predictions))
    with telling() as say:
        require_keras(say)
        from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras
        from fer_train.reporting import predictions, summary  # noqa: PLC0415 - Keras

        trained = open_trained(arguments.model, arguments.recipe)
        found = evaluate(trained, wanted(arguments, trained.recipe, say))
    if arguments.json:
        write_json(summary.document(trained, found, arguments.split).model_dump(mode="json"), arguments.json)
    if arguments.predictions:
        predictions.write(arguments.predictions, found)
    if arguments.json != STDOUT:
        print(summary.table(found.scores))
    return ExitCode.OK


def run_report(arguments: argparse.Namespace) -> int:
    """Evaluate and write everything that the run folder says of its model."""
    with telling() as say:
        require_keras(say)
        from fer_train import folder  # noqa: PLC0415 - only here
        from fer_train.evaluate import read_recipe  # noqa: PLC0415 - Keras
        from fer_train.reporting import document, epochs  # noqa: PLC0415 - only here

        recipe = read_recipe(arguments.run / folder.RECIPE)
        epochs.read(arguments.run)  # what would stop the report in its last minute stops it in its first second
        prove_writable(str(arguments.run / document.FILE))
        data = wanted(arguments, recipe, say)
        return write_report(arguments.run, data, arguments.split)


def wanted(arguments: argparse.Namespace, recipe: Recipe, say: Say) -> Dataset:
    """The pictures of --data and --split; `test` of a recipe that deals the pictures itself is the share it set aside.

    Without this, such a model would be judged by pictures that it was trained on.
    """
    if arguments.split != TEST or recipe.data.split != "random":
        return load(arguments, recipe, arguments.split, say)
    from fer_train import parts  # noqa: PLC0415 - OpenCV

    dealt = recipe.data
    say(f"{TEST} is the share that the recipe sets aside: {dealt.test:.0%} of all, drawn by seed {dealt.seed}")
    found = parts.dealt(arguments.data, recipe, getattr(arguments, "limit", None), say).test
    tell(TEST, found, say)
    return found


def write_report(run: Path, data: Dataset, split: str) -> int:
    """Evaluate the run's model on `data`, write its pages and print the table."""
    from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras
    from fer_train.reporting import report, summary  # noqa: PLC0415 - Keras

    trained = open_trained(run)
    found = evaluate(trained, data)
    written = report.write(run, trained, found, split)
    print(summary.table(found.scores))
    print(f"in {run}: {', '.join(path.name for path in written)}")
    return ExitCode.OK
