"""From a recipe and two data sets to a run folder with weights, curves and everything needed to go on after a kill."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.clock import perf_s
from fer_edge.errors import FerEdgeError, InputError
from fer_edge.preprocess import Preprocess
from fer_train import zoo
from fer_train.augment import augment, mix
from fer_train.data import Dataset
from fer_train.recipe import Fit, Recipe

CHECKPOINT = "checkpoint.keras"
BEST = "best.weights.h5"
MODEL = "model.keras"
HISTORY = "history.csv"
RECIPE = "recipe.json"
COLUMNS = ("epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")

Say = Callable[[str], None]


class Diverged(FerEdgeError):  # noqa: N818 - what happened to the run
    """The loss is no longer a number; the last good checkpoint is kept."""


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of one epoch, drawn from (seed, epoch, batch) alone, so that a resumed run sees the same pictures.

    One object serves one epoch: Keras asks for batches ahead in a thread of its own, and an object that moved on at the
    end of an epoch would hand that thread a few batches of the next one.
    """

    def __init__(self, data: Dataset, recipe: Recipe, epoch: int) -> None:
        """Of `epoch`, counted from 0."""
        super().__init__()
        self._data, self._recipe, self._epoch = data, recipe, epoch
        self._preprocess = Preprocess(recipe.preprocess)
        self._hot = one_hot(data.targets, len(recipe.labels))
        self._order = np.random.default_rng((recipe.fit.seed, epoch)).permutation(len(data))

    def __len__(self) -> int:
        """Batches per epoch; a last smaller one is kept."""
        return steps_per_epoch(len(self._data), self._recipe.fit.batch)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Augmented batch: tensor float32 (N, ...) and one-hot targets (N, classes)."""
        rng = np.random.default_rng((self._recipe.fit.seed, self._epoch, index))
        batch = self._recipe.fit.batch
        rows = self._order[index * batch : (index + 1) * batch]
        pictures = augment(self._data.images[rows], self._recipe.augmentation, rng)
        tensor = self._preprocess.tensor(pictures)
        return mix(tensor, self._hot[rows], self._recipe.augmentation.mixup, rng)


@dataclass(frozen=True)
class Result:
    """What a run ended with. epoch counts from 1 and is the one whose weights were kept."""

    model: keras.Model
    epoch: int
    val_accuracy: float
    history: tuple[dict[str, float], ...]


def run(recipe: Recipe, train: Dataset, test: Dataset, out: Path, *, resume: bool = False, say: Say = print) -> Result:
    """Train and choose the epoch with the best accuracy on `test`.

    Writes into `out`: recipe.json, history.csv, checkpoint.keras (resumable), best.weights.h5, model.keras (float32,
    the chosen epoch). Raises InputError when `out` holds another run, Diverged on a loss that is not a number.
    """
    _open_run(recipe, out, resume)
    keras.utils.set_random_seed(recipe.fit.seed)
    model, done = _start(recipe, len(train), out, resume)
    history = _read_history(out / HISTORY)[:done]
    steps = steps_per_epoch(len(train), recipe.fit.batch)
    if done:
        say(f"resuming after epoch {done} of {recipe.fit.epochs}")
    say(f"{recipe.name}: {model.count_params():,} weights, {len(train)} pictures, {steps} steps per epoch")
    tensor = Preprocess(recipe.preprocess).tensor(test.images)
    keeper = _Keeper(out, history, recipe, steps, (tensor, one_hot(test.targets, len(recipe.labels))), say)
    for epoch in range(done, recipe.fit.epochs):
        _reseed(model, recipe.fit.seed, epoch)
        model.fit(
            Batches(train, recipe, epoch),
            epochs=epoch + 1,
            initial_epoch=epoch,
            shuffle=False,  # Keras would shuffle the batches once more, from a state that a resumed run does not have
            class_weight=_class_weight(train, recipe.fit),
            callbacks=[keeper, keras.callbacks.TerminateOnNaN()],
            verbose=0,
        )
        if stopped(history, recipe.fit):
            say(f"stopping: no better epoch for {recipe.fit.stop_patience} epochs")
            break
        if not math.isfinite(history[-1]["loss"]):
            kept = f"the weights of epoch {epoch} are in {out / CHECKPOINT}" if epoch else "no epoch was finished"
            raise Diverged(f"training stopped in epoch {epoch + 1}: the loss is not a number; {kept}")
    return _finish(recipe, out, history)


def one_hot(targets: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """int64 (N,) to float32 (N, classes)."""
    return np.eye(classes, dtype=np.float32)[targets]


def steps_per_epoch(count: int, batch: int) -> int:
    """Batches that hold `count` samples, the last one perhaps smaller."""
    return math.ceil(count / batch)


def input_shape(recipe: Recipe) -> tuple[int, int, int]:
    """(H, W, C) or (C, H, W) as the recipe's layout says."""
    return recipe.preprocess.shape[1:]


def fresh_model(recipe: Recipe, precision: str = "float32") -> keras.Model:
    """The recipe's architecture with new weights, computing in `precision` (a Keras dtype policy)."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        return zoo.build(recipe.model.architecture, input_shape(recipe), len(recipe.labels), recipe.model.arguments)
    finally:
        keras.config.set_dtype_policy(before)


def _open_run(recipe: Recipe, out: Path, resume: bool) -> None:
    out.mkdir(parents=True, exist_ok=True)
    text = recipe.model_dump_json(indent=2)
    stored = out / RECIPE
    if stored.exists():
        if not resume:
            raise InputError(f"{out} already holds a run; pass --resume to go on with it, or choose another folder")
        if Recipe.model_validate_json(stored.read_text(encoding="utf-8"), strict=False) != recipe:
            raise InputError(f"{out} holds a run of another recipe; a resumed run needs the same one")
    stored.write_text(text + "\n", encoding="utf-8")


def _start(recipe: Recipe, count: int, out: Path, resume: bool) -> tuple[keras.Model, int]:
    """A compiled model and how many epochs it already has."""
    steps = steps_per_epoch(count, recipe.fit.batch)
    if resume and (out / CHECKPOINT).exists():
        model = keras.models.load_model(out / CHECKPOINT)
        before = model.optimizer.variables
        _compile(model, recipe, steps)  # a loaded optimizer has forgotten which weights do not decay
        model.optimizer.build(model.trainable_variables)
        for fresh, stored in zip(model.optimizer.variables, before, strict=True):
            fresh.assign(stored)
        return model, int(model.optimizer.iterations) // steps
    model = fresh_model(recipe, recipe.fit.precision)
    _compile(model, recipe, steps)
    return model, 0


def _compile(model: keras.Model, recipe: Recipe, steps: int) -> None:
    model.compile(
        optimizer=_optimizer(recipe.fit, steps),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.fit.label_smoothing),
        metrics=["accuracy"],
    )


def _reseed(model: keras.Model, seed: int, epoch: int) -> None:
    """Let dropout draw from (seed, epoch, step) alone: a checkpoint does not hold the state of its generator."""
    for i, layer in enumerate(model.layers):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign([np.random.default_rng((seed, epoch, i)).integers(2**31), 0])


def _optimizer(fit: Fit, steps: int) -> keras.optimizers.Optimizer:
    """SGD with Nesterov momentum or Adam; decay is decoupled: a step also takes rate * decay * weight off kernels."""
    rate: Any = fit.learning_rate
    warmup = round(fit.warmup_epochs * steps)
    if fit.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(
            fit.learning_rate * (0.01 if warmup else 1.0),
            max(1, fit.epochs * steps - warmup),
            warmup_target=fit.learning_rate if warmup else None,
            warmup_steps=warmup,
        )
    optimizer: keras.optimizers.Optimizer
    if fit.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(rate, fit.momentum, nesterov=True, weight_decay=fit.weight_decay or None)
    else:
        optimizer = keras.optimizers.Adam(rate, weight_decay=fit.weight_decay or None)
    if fit.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _class_weight(data: Dataset, fit: Fit) -> dict[int, float] | None:
    """Balanced: n / (classes * count), as scikit-learn has it."""
    if fit.class_weight == "none":
        return None
    counts = np.bincount(data.targets, minlength=len(data.labels))
    return {i: len(data) / (len(counts) * max(int(c), 1)) for i, c in enumerate(counts)}


class _Keeper(keras.callbacks.Callback):  # type: ignore[misc]
    """After each epoch: measure, say, and put weights and curves on disk, whole or not at all."""

    def __init__(
        self,
        out: Path,
        history: list[dict[str, float]],
        recipe: Recipe,
        steps: int,
        validation: tuple[NDArray[np.float32], NDArray[np.float32]],
        say: Say,
    ) -> None:
        super().__init__()
        self._out, self._history, self._recipe, self._steps, self._say = out, history, recipe, steps, say
        self._validation = validation
        self._began = perf_s()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401, ARG002 - Keras' signature
        self._began = perf_s()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ANN401 - Keras' signature
        share = (batch + 1) / self._steps
        if (batch + 1) % max(1, self._steps // 10) == 0 and share < 1.0:
            left = (perf_s() - self._began) * (1.0 / share - 1.0)
            self._say(
                f"  {share:4.0%} loss {logs['loss']:.4f} accuracy {logs['accuracy']:.4f}, {left:.0f} s left of it"
            )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401 - Keras' signature
        if not math.isfinite(logs["loss"]):
            self._history.append({**dict.fromkeys(COLUMNS, math.nan), "epoch": epoch + 1})
            return
        val_loss, val_accuracy = self.model.evaluate(*self._validation, batch_size=256, verbose=0)
        seconds = perf_s() - self._began
        values = (epoch + 1, logs["loss"], logs["accuracy"], val_loss, val_accuracy, seconds)
        best = max((row["val_accuracy"] for row in self._history), default=-1.0)
        self._history.append(dict(zip(COLUMNS, map(float, values), strict=True)))
        if val_accuracy > best:
            _replace(self._out / BEST, self.model.save_weights)
        _write_history(self._out / HISTORY, self._history)  # first: rows beyond the checkpoint are dropped on resume
        _replace(self._out / CHECKPOINT, self.model.save)
        left = seconds * (self._recipe.fit.epochs - epoch - 1)
        self._say(
            f"epoch {epoch + 1}/{self._recipe.fit.epochs}: loss {logs['loss']:.4f}, accuracy {logs['accuracy']:.4f}, "
            f"test loss {val_loss:.4f}, test accuracy {val_accuracy:.4f}, {seconds:.0f} s; "
            f"about {left / 60:.0f} min left"
        )


def _replace(path: Path, write: Callable[[str], None]) -> None:
    """Write beside and rename, so that a kill leaves the old file or the new one."""
    fresh = path.with_name("new." + path.name)
    write(str(fresh))
    os.replace(fresh, path)


def _write_history(path: Path, history: list[dict[str, float]]) -> None:
    def write(where: str) -> None:
        with Path(where).open("w", newline="", encoding="utf-8") as file:
            rows = csv.DictWriter(file, COLUMNS)
            rows.writeheader()
            rows.writerows({**row, "epoch": int(row["epoch"])} for row in history)

    _replace(path, write)


def _read_history(path: Path) -> list[dict[str, float]]:
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def _finish(recipe: Recipe, out: Path, history: list[dict[str, float]]) -> Result:
    """The chosen weights in a float32 model, free of the training precision and the optimizer."""
    best = max(history, key=lambda row: row["val_accuracy"])
    model = fresh_model(recipe)
    model.load_weights(out / BEST)
    _replace(out / MODEL, model.save)
    return Result(model, int(best["epoch"]), best["val_accuracy"], tuple(history))


def stopped(history: list[dict[str, float]], fit: Fit) -> bool:
    """Whether `stop_patience` epochs have passed without a better one."""
    if not fit.stop_patience or not history:
        return False
    return len(history) - best_epoch(history, fit) >= fit.stop_patience


def best_epoch(history: list[dict[str, float]], fit: Fit) -> int:
    """The number, from 1, of the first epoch that was best by `fit.choose`."""
    sign = 1.0 if fit.choose == "val_accuracy" else -1.0
    return 1 + max(range(len(history)), key=lambda i: (sign * history[i][fit.choose], -i))
