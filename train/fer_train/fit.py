"""From a recipe and two data sets to a run folder with weights, curves and everything needed to go on after a kill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
from pydantic import ValidationError

from fer_edge.errors import InputError, OutputError
from fer_train import history
from fer_train.data import Dataset
from fer_train.folder import BEST, CHECKPOINT, HISTORY, MODEL, RECIPE, replace
from fer_train.history import COLUMNS, Row, best_epoch, stopped
from fer_train.learning import checkpoint, parallel
from fer_train.learning.network import fresh_model, input_shape
from fer_train.learning.training import Options, Training
from fer_train.learning.watch import Diverged
from fer_train.progress import Say, plain
from fer_train.recipe import Recipe

__all__ = [
    "BEST",
    "CHECKPOINT",
    "COLUMNS",
    "HISTORY",
    "MODEL",
    "RECIPE",
    "Diverged",
    "Options",
    "Result",
    "best_epoch",
    "fresh_model",
    "input_shape",
    "open_run",
    "run",
    "stopped",
]


@dataclass(frozen=True)
class Result:
    """What a run ended with. epoch counts from 1 and is the one whose weights were kept."""

    model: keras.Model
    epoch: int
    val_accuracy: float
    history: tuple[Row, ...]


def run(  # noqa: PLR0913 - what is learned, from what, where to, and three ways to do it
    recipe: Recipe,
    train: Dataset,
    validation: Dataset,
    out: Path,
    *,
    resume: bool = False,
    say: Say = plain,
    options: Options | None = None,
) -> Result:
    """Train, and keep the weights of the epoch that is best on `validation` by `recipe.fit.choose`.

    Writes into `out`: recipe.json, history.csv, checkpoint.npz (resumable), best.weights.h5, model.keras (float32, the
    chosen epoch). Raises InputError when `out` holds another run, Diverged on a loss that is not a number, OutputError
    when a file cannot be written; the files of the last good epoch are then whole, and `resume` goes on from them.
    """
    open_run(recipe, out, resume)
    options = options or Options()
    with _saying_what_is_kept(out):
        rows = history.read(out / HISTORY) if resume else []
        if not (resume and (out / MODEL).exists()):
            rows = rows[: checkpoint.epochs(out / CHECKPOINT) if resume else 0]
            with parallel.over(options.devices) as devices:
                devices.check(recipe.fit.batch)
                Training(recipe, (train, validation), out, rows, (devices, say)).run(options)
        return _finish(recipe, out, rows)


def open_run(recipe: Recipe, out: Path, resume: bool) -> None:
    """Make the folder of a run and write its recipe, or see that it holds the run that is to go on.

    Raises InputError when it holds another one, OutputError when it cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the run folder {out} cannot be made: {error.strerror}") from None
    stored = out / RECIPE
    if stored.exists():
        if not resume:
            raise InputError(f"{out} already holds a run; pass --resume to go on with it, or choose another folder")
        if _stored(stored) != recipe:
            raise InputError(f"{out} holds a run of another recipe; a resumed run needs the same one")
        return
    text = recipe.model_dump_json(indent=2) + "\n"
    replace(stored, lambda where: Path(where).write_text(text, encoding="utf-8"))


def _stored(path: Path) -> Recipe | None:
    try:
        return Recipe.model_validate_json(path.read_text(encoding="utf-8"), strict=False)
    except (OSError, ValidationError):
        return None


@contextmanager
def _saying_what_is_kept(out: Path) -> Iterator[None]:
    """Add to what ended a run where its last good weights are, and how to go on."""
    try:
        yield
    except (Diverged, OutputError) as error:
        done = checkpoint.epochs(out / CHECKPOINT)
        kept = f"the weights of epoch {done} are in {out / CHECKPOINT}" if done else "no epoch was finished"
        hint = "; make room, and the same command with --resume goes on" if isinstance(error, OutputError) else ""
        raise type(error)(f"{error}; {kept}{hint}") from None


def _finish(recipe: Recipe, out: Path, rows: list[Row]) -> Result:
    """The chosen weights in a float32 model, free of the training precision and the optimizer."""
    best = best_epoch(rows, recipe.fit)
    model = fresh_model(recipe)
    model.load_weights(out / BEST)
    replace(out / MODEL, model.save)
    return Result(model, best, rows[best - 1]["val_accuracy"], tuple(rows))
