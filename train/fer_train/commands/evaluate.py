"""`fer-train evaluate` and `fer-train report`: what a trained model is worth, and its run folder's pages made again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from fer_edge.command import STDOUT, prove_writable, write_json
from fer_edge.errors import ExitCode
from fer_train.commands.common import Commands, add_data, load, positive, require_keras
from fer_train.progress import telling

if TYPE_CHECKING:
    from fer_train.data import Dataset


def add(commands: Commands) -> None:
    """Declare both verbs."""
    evaluate = commands.add_parser("evaluate", help="accuracy of a trained model, float32")
    evaluate.add_argument("model", type=Path, metavar="MODEL", help="run folder or .keras file")
    add_data(evaluate, "test")
    evaluate.add_argument("--recipe", type=Path, metavar="FILE", help="of a .keras file without recipe.json beside it")
    evaluate.add_argument("--limit", type=positive, metavar="N", help="use N pictures, classes in equal shares")
    evaluate.add_argument("--json", metavar="PATH", help="write the figures as JSON; - prints them")
    evaluate.set_defaults(command=run_evaluate)
    report = commands.add_parser("report", help="make figures, plots and card of a run again")
    report.add_argument("run", type=Path, metavar="RUN")
    add_data(report, "test")
    report.set_defaults(command=run_report)


def run_evaluate(arguments: argparse.Namespace) -> int:
    """Count on a data set; nothing is written into the run."""
    prove_writable(arguments.json)
    with telling() as say:
        require_keras(say)
        from fer_train import report  # noqa: PLC0415 - Keras
        from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras

        trained = open_trained(arguments.model, arguments.recipe)
        found = evaluate(trained, load(arguments, trained.recipe, arguments.split, say))
    if arguments.json:
        write_json(report.as_json(trained, found, arguments.split), arguments.json)
    if arguments.json != STDOUT:
        print(report.table(found.scores))
    return ExitCode.OK


def run_report(arguments: argparse.Namespace) -> int:
    """Evaluate and write everything that the run folder says of its model."""
    with telling() as say:
        require_keras(say)
        from fer_train import fit  # noqa: PLC0415 - Keras
        from fer_train.evaluate import read_recipe  # noqa: PLC0415 - Keras

        data = load(arguments, read_recipe(arguments.run / fit.RECIPE), arguments.split, say)
        return write_report(arguments.run, data, arguments.split)


def write_report(run: Path, data: Dataset, split: str) -> int:
    """Evaluate the run's model on `data`, write its pages and print the table."""
    from fer_train import report  # noqa: PLC0415 - Keras
    from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras

    trained = open_trained(run)
    found = evaluate(trained, data)
    written = report.write(run, trained, found, split)
    print(report.table(found.scores))
    print(f"in {run}: {', '.join(path.name for path in written)}")
    return ExitCode.OK
