"""Which optimizer an epoch uses and at which rate: worked out from the recipe and the curves so far, nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from fer_train.history import Row, drops
from fer_train.learning.muon import ConvolutionMuon
from fer_train.recipe import Fit

WARM_FROM = 0.01
"""Warm-up begins at this share of the learning rate."""
NOT_DECAYED = ("gamma", "beta", "bias")


Kind = Literal["sgd", "adam", "muon"]


@dataclass(frozen=True)
class Plan:
    """What an optimizer is made of; when two epochs differ in it, a new one is made at the boundary.

    rate: at the beginning of its epochs. begin: its first epoch, from 0. epochs: how many are its own. warmup: epochs
    of rising rate. scale: what a plateau has left of the rate.
    """

    kind: Kind
    rate: float
    begin: int
    epochs: int
    warmup: float
    scale: float = 1.0

    def continues(self, other: Plan) -> bool:
        """Whether this is the same optimizer at another rate, so that momentum and counts are carried over."""
        return (self.kind, self.begin) == (other.kind, other.begin)


def plan(fit: Fit, epoch: int, history: list[Row]) -> Plan:
    """For an epoch, counted from 0, after those of `history`; later rows are not looked at.

    With "adam-then-sgd" either optimizer has the schedule to itself: it spans the optimizer's own epochs.
    """
    switch = min(fit.switch_epoch - 1, fit.epochs) if fit.optimizer == "adam-then-sgd" else fit.epochs
    late = epoch >= switch
    begin, end = (switch, fit.epochs) if late else (0, switch)
    kind: Kind = "sgd" if late else "adam" if fit.optimizer == "adam-then-sgd" else fit.optimizer
    scale = fit.factor ** drops(history[begin:epoch], fit.patience) if fit.schedule == "plateau" else 1.0
    rate = fit.sgd_rate if late else fit.learning_rate
    return Plan(kind, rate, begin, end - begin, 0.0 if late else fit.warmup_epochs, scale)


class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """The rate of each step of a plan, computed with the step, so that it is the same under every backend."""

    def __init__(self, fit: Fit, plan: Plan, steps: int) -> None:
        """steps: per epoch."""
        self._fit, self._plan, self._steps = fit, plan, steps

    def __call__(self, step: Any) -> Any:  # noqa: ANN401 - a tensor of whatever backend, or a number
        """The rate of a step, counted from 0 at the plan's beginning."""
        step = ops.cast(step, "float32")
        warm = round(self._plan.warmup * self._steps)
        share = self._share(step, warm)
        if warm:
            share = ops.where(step < warm, WARM_FROM + (1.0 - WARM_FROM) * step / warm, share)
        return self._plan.rate * self._plan.scale * share

    def _share(self, step: Any, warm: int) -> Any:  # noqa: ANN401 - a tensor of whatever backend
        if self._fit.schedule == "cosine":
            length = max(1, self._plan.epochs * self._steps - warm)
            return 0.5 * (1.0 + ops.cos(np.pi * ops.clip((step - warm) / length, 0.0, 1.0)))
        if self._fit.schedule == "step":
            return self._fit.factor ** ops.floor(step / (self._fit.step_epochs * self._steps))
        return ops.ones_like(step)

    def last_of(self, epoch: int) -> float:
        """The rate of the last step of an epoch, counted from 0."""
        step = (epoch + 1 - self._plan.begin) * self._steps - 1
        return float(ops.convert_to_numpy(self(step)))

    def get_config(self) -> dict[str, Any]:
        """What Keras would store of it; a run folder holds the recipe instead."""
        return {"fit": self._fit.model_dump(), "plan": vars(self._plan), "steps": self._steps}


def optimizer(fit: Fit, plan: Plan, schedule: Schedule) -> keras.optimizers.Optimizer:
    """SGD with momentum, Adam or Muon; decay is decoupled: a step also takes rate * decay * weight off kernels.

    With `ema` it also holds a running mean of the trained weights, updated with every step.
    """
    common: dict[str, Any] = {"learning_rate": schedule, "weight_decay": fit.weight_decay or None}
    if fit.ema:
        common |= {"use_ema": True, "ema_momentum": fit.ema}
    made: keras.optimizers.Optimizer
    if plan.kind == "sgd":
        made = keras.optimizers.SGD(momentum=fit.momentum, nesterov=fit.nesterov, **common)
    elif plan.kind == "adam":
        made = keras.optimizers.Adam(**common)
    else:
        made = ConvolutionMuon(momentum=fit.momentum, nesterov=fit.nesterov, **common)
    if fit.weight_decay:
        made.exclude_from_weight_decay(var_names=list(NOT_DECAYED))
    return made
