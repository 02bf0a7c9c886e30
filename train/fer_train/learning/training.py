"""A run between two of its epochs: the networks, the curves so far, and the files that hold both."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

from fer_edge.clock import perf_s
from fer_edge.errors import InputError
from fer_edge.preprocess import Preprocess
from fer_train import history, processor
from fer_train.data import Dataset
from fer_train.folder import BEST, CHECKPOINT, HISTORY, LOGS, SAID, STEPS, replace
from fer_train.history import COLUMNS, Row, best_epoch, stopped
from fer_train.learning import checkpoint, distill, ema, fused, losses, optimizers
from fer_train.learning.batches import Batches, predicted, steps_per_epoch
from fer_train.learning.network import draw_weights, fresh_model, reseed
from fer_train.learning.parallel import Devices
from fer_train.learning.watch import Board, Diverged, Pace, Steps
from fer_train.progress import Say, clock
from fer_train.recipe import Recipe


@dataclass(frozen=True)
class Options:
    """What does not change what is learned.

    devices: train on so many; None takes all accelerators that are visible. tensorboard: event files in `logs`.
    steps: every batch's loss in `steps.csv`.
    """

    devices: int | None = None
    tensorboard: bool = False
    steps: bool = False


class Training:
    """Three networks of one architecture: the student trains, the trainee is it with its teachers, the judge validates.

    Without teachers the trainee is the student. The judge gets the weights that are measured and kept: those of the
    student, or their running mean.
    """

    def __init__(
        self, recipe: Recipe, data: tuple[Dataset, Dataset], out: Path, rows: list[Row], where: tuple[Devices, Say]
    ) -> None:
        """Begun anew, or restored to where `rows` end. data: to train on, and to choose the epoch by.

        Raises InputError for fewer pictures than devices.
        """
        self._recipe, self._fit, self._out, self._rows = recipe, recipe.fit, out, rows
        self._train, self._validation = data
        self._devices, self._say = where
        self._steps = steps_per_epoch(len(self._train), self._fit.batch, self._devices.count)
        if not self._steps:
            raise InputError(f"{len(self._train)} pictures are too few for {self._devices.count} devices")
        keras.utils.set_random_seed(self._fit.seed)
        self._said = distill.said_once(recipe, self._train, out / SAID, say=self._say)
        with self._devices.scope():
            self._student = self._network()
            self._trainee = distill.with_teachers(self._student, recipe)
        with self._devices.judging():
            self._judge = self._network()
        self._devices.synchronise(self._student)
        if rows:
            self._restore()
        else:
            self._start()

    def run(self, options: Options) -> None:
        """All epochs that are left; adds their rows to those that were given."""
        over = f" over {self._devices.count} devices" if self._devices.count > 1 else ""
        size = f"{self._student.count_params():,} weights, {len(self._train)} pictures, {self._steps} steps per epoch"
        self._say(f"{self._recipe.name}: {size}{over}")
        if processor.precision(self._fit.precision) != self._fit.precision:
            self._say(f"this processor has no instructions for {self._fit.precision}: training in float32, faster here")
        steps = Steps(self._out / STEPS, len(self._rows)) if options.steps else None
        board = Board(self._out / LOGS) if options.tensorboard else None
        while len(self._rows) < self._fit.epochs and not stopped(self._rows, self._fit):
            self._epoch(steps)
            if board:
                board.add(self._rows[-1])
        if len(self._rows) < self._fit.epochs:
            self._say(f"stopping: no better epoch for {self._fit.stop_patience} epochs")
        if board:
            board.close()

    def _network(self) -> keras.Model:
        from fer_train.zoo import freezing  # noqa: PLC0415 - see fer_train.zoo

        model = fresh_model(self._recipe, processor.precision(self._fit.precision))
        freezing.freeze(model, self._recipe.model)
        fused.fuse(model)
        return model

    def _start(self) -> None:
        from fer_train.zoo import pretrained  # noqa: PLC0415 - see fer_train.zoo

        draw_weights(self._student, self._fit.seed)
        pretrained.start(self._student, self._recipe.model)
        self._compile(0)

    def _restore(self) -> None:
        done = len(self._rows)
        self._say(f"resuming after epoch {done} of {self._fit.epochs}")
        self._compile(done - 1)
        checkpoint.restore(self._out / CHECKPOINT, self._student, self._trainee.optimizer)
        if best_epoch(self._rows, self._fit) == done:  # the kill may have come before this epoch was kept
            self._put_before_the_judge(done - 1)
            self._keep()

    def _compile(self, epoch: int) -> None:
        """Make the optimizer of an epoch, counted from 0."""
        self._plan = optimizers.plan(self._fit, epoch, self._rows)
        self._schedule = optimizers.Schedule(self._fit, self._plan, self._steps)
        weights = losses.class_weights(self._train, self._fit.class_weight)
        with self._devices.scope():
            self._trainee.compile(
                optimizer=optimizers.optimizer(self._fit, self._plan, self._schedule),
                loss=losses.TrainingLoss(self._recipe, weights),
                metrics=[losses.accuracy(len(self._recipe.labels))],
            )
            self._trainee.optimizer.build(self._trainee.trainable_variables)

    def _follow_plan(self, epoch: int) -> None:
        """Another optimizer, or the same at another rate, where the recipe wants one from this epoch on."""
        before, wanted = self._plan, optimizers.plan(self._fit, epoch, self._rows)
        if wanted == before:
            return
        state = checkpoint.values(self._trainee.optimizer.variables)
        self._compile(epoch)
        if wanted.continues(before):
            checkpoint.assign(self._trainee.optimizer.variables, state)

    def _epoch(self, steps: Steps | None) -> None:
        began, epoch = perf_s(), len(self._rows)
        self._follow_plan(epoch)
        reseed(self._student, self._fit.seed, epoch)
        loss, accuracy = self._fitted(epoch, steps)
        self._put_before_the_judge(epoch)
        with self._devices.judging():
            logits = predicted(
                self._judge, self._validation.images, Preprocess(self._recipe.preprocess), self._devices.judges
            )
        val_loss, val_accuracy = losses.judged(logits, self._validation.targets)
        if not math.isfinite(val_loss):
            raise Diverged(f"training stopped after epoch {epoch + 1}: the validation loss is not a number")
        numbers = (epoch + 1, loss, accuracy, val_loss, val_accuracy, perf_s() - began)
        row = dict(zip(COLUMNS, map(float, numbers), strict=True))
        self._rows.append({**row, history.RATE: self._schedule.last_of(epoch)})
        self._write()
        self._tell()

    def _fitted(self, epoch: int, steps: Steps | None) -> tuple[float, float]:
        """Train one epoch; its mean loss and accuracy."""
        batches = Batches(self._train, self._recipe, epoch, self._devices.share, self._said)
        moving = _Moving(self._student)
        watchers: list[Any] = [Pace(epoch, self._fit.epochs, self._steps, self._say)]
        if steps:
            steps.sizes = [len(batches.rows(i)) for i in range(len(batches))]
            watchers.append(steps)
        with self._devices.scope():
            logs = self._trainee.fit(
                batches,
                epochs=epoch + 1,
                initial_epoch=epoch,
                shuffle=False,  # Keras would shuffle the batches once more, from a state that a resumed run lacks
                callbacks=[*watchers, *([moving] if self._fit.ema else [])],
                verbose=0,
            ).history
        if self._fit.ema:
            checkpoint.assign(self._student.trainable_variables, moving.values)
        return logs["loss"][0], logs["accuracy"][0]

    def _put_before_the_judge(self, epoch: int) -> None:
        """Give it the weights to be measured: with `ema` the running means, and batch statistics of their own."""
        weights = self._student.trainable_variables
        moving = checkpoint.values(weights)
        self._trainee.optimizer.finalize_variable_values(weights)  # puts the means in place, where it has any
        checkpoint.assign(self._judge.weights, checkpoint.values(self._student.weights))
        checkpoint.assign(weights, moving)
        if self._fit.ema:
            reseed(self._judge, self._fit.seed, epoch)
            ema.settle(self._judge, Batches(self._train, self._recipe, epoch))

    def _write(self) -> None:
        """In this order: rows beyond the checkpoint are dropped on resume, and an unkept best epoch is kept then."""
        history.write(self._out / HISTORY, self._rows)
        checkpoint.save(self._out / CHECKPOINT, self._student, self._trainee.optimizer, len(self._rows))
        if best_epoch(self._rows, self._fit) == len(self._rows):
            self._keep()

    def _keep(self) -> None:
        replace(self._out / BEST, self._judge.save_weights)

    def _tell(self) -> None:
        row, epochs = self._rows[-1], self._fit.epochs
        left = row["seconds"] * (epochs - len(self._rows))
        self._say(
            f"epoch {len(self._rows)}/{epochs}: loss {row['loss']:.4f}, accuracy {row['accuracy']:.4f}, "
            f"validation loss {row['val_loss']:.4f}, accuracy {row['val_accuracy']:.4f}, {row['seconds']:.0f} s; "
            f"{clock(left)} left"
        )


class _Moving(keras.callbacks.Callback):  # type: ignore[misc]
    """The weights as they are at the end of an epoch: Keras then overwrites them with their running means."""

    def __init__(self, student: keras.Model) -> None:
        super().__init__()
        self._student = student
        self.values: list[NDArray[Any]] = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ANN401, ARG002 - Keras' signature
        """Copy them."""
        self.values = checkpoint.values(self._student.trainable_variables)
