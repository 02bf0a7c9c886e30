"""A training that takes a second: what makes a recipe so small, and what is left to compare of a run."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TINY = (
    "fit.epochs=3",
    "fit.batch=32",
    "fit.learning_rate=0.05",
    "fit.precision=float32",
    "fit.optimizer=sgd",
    "augmentation.mixup=0.0",
    "model.arguments.stem=[4]",
    "model.arguments.blocks=[]",
    "model.arguments.widths=[4]",
)


def silent(_: str) -> None:
    """Tell nobody."""


def history(run: Path) -> list[dict[str, str]]:
    """`history.csv` to the last digit, without the column of time."""
    with (run / "history.csv").open(newline="", encoding="utf-8") as file:
        return [{name: text for name, text in row.items() if name != "seconds"} for row in csv.DictReader(file)]


TRAIN = """
import os, sys
from pathlib import Path
from fer_train import backend
from fer_train import data as datasets
from fer_train import recipe as recipes
if backend.name() == "tensorflow":
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
backend.require_keras()
from fer_train import evaluate, fit
shapes, out, devices, *changes = sys.argv[1:]
recipe = recipes.load("fernet-s", changes)
parts = [datasets.load(shapes, recipe.labels, recipe.preprocess, split) for split in ("train", "test")]
for count in map(int, devices.split(",")):
    fit.run(recipe, *parts, Path(out) / str(count), options=fit.Options(devices=count, steps=True))
    evaluate.evaluate(evaluate.open_trained(Path(out) / str(count)), parts[1])
"""
"""Train in a process of its own, whose processor passes for two devices, on each of some numbers of devices."""


def train_elsewhere(backend: str, shapes: Path, out: Path, devices: str, changes: Sequence[str]) -> str:
    """Run TRAIN under a backend; returns what it said, fails the test when it failed."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, str(shapes), str(out), devices, *changes],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def step_losses(run: Path) -> list[float]:
    """Every batch's loss, from `steps.csv`."""
    with (run / "steps.csv").open(newline="", encoding="utf-8") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]
