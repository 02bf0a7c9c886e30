"""What a training run stood on: machine, versions, pictures; noted when it starts, for it cannot be told afterwards."""

from __future__ import annotations

import os
import platform
from pathlib import Path, PurePath
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import ValidationError

from fer_edge import __version__
from fer_edge.clock import Clock
from fer_edge.errors import ConfigError
from fer_edge.strict import StrictModel, loads_json, problems
from fer_train import backend
from fer_train.data import Dataset

FILE = "provenance.json"
CPU_INFO = Path("/proc/cpuinfo")


class Pictures(StrictModel):
    """A data set as it was used: its name without the machine's own folders, its size and SHA-256."""

    name: str
    n: int
    skipped: int
    sha256: str


class Start(StrictModel):
    """One start of a run; a resumed run has several. began: ISO 8601, UTC."""

    began: str
    train: Pictures
    test: Pictures
    cpu: str
    cpu_count: int
    accelerators: list[str]
    versions: dict[str, str]


class Provenance(StrictModel):
    """`provenance.json`, schema 1."""

    schema_version: Literal[1] = 1
    starts: list[Start] = []


def note(run: Path, train: Dataset, test: Dataset, clock: Clock) -> None:
    """Add this start to the run folder's list; Keras must have been imported."""
    began = clock.wall().isoformat(timespec="seconds")
    start = Start(
        began=began,
        train=pictures(train),
        test=pictures(test),
        cpu=cpu_name(),
        cpu_count=os.cpu_count() or 1,
        accelerators=_accelerators(),
        versions=_versions(),
    )
    found = Provenance(starts=[*read(run).starts, start])
    run.mkdir(parents=True, exist_ok=True)
    (run / FILE).write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read(run: Path) -> Provenance:
    """The run folder's list, empty when nothing was noted; raises ConfigError when the file is not right."""
    path = run / FILE
    if not path.exists():
        return Provenance()
    try:
        return Provenance.model_validate(loads_json(path.read_bytes()))
    except ValidationError as error:
        raise ConfigError(f"{path}: " + "; ".join(problems(error))) from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON: {error}") from None


def pictures(data: Dataset) -> Pictures:
    """What to say of a data set."""
    return Pictures(name=data_name(data.source), n=len(data), skipped=len(data.skipped), sha256=data.digest())


def data_name(source: str) -> str:
    """`fer2013:/home/me/fer2013` as `fer2013`: reports travel, and the folders of a machine are nobody's business."""
    path = source.partition(":")[2] or source
    return PurePath(path).name or source


def cpu_name() -> str:
    """As the kernel names it, else the architecture."""
    try:
        lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _versions() -> dict[str, str]:
    own = {
        "fer-edge": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }
    return {**own, **backend.versions()}


def _accelerators() -> list[str]:
    """GPUs and the like that the backend sees, by name."""
    import keras  # noqa: PLC0415 - see backend

    if keras.backend.backend() != "tensorflow":
        return []
    import tensorflow as tf  # noqa: PLC0415 - see backend

    return [_device(tf, device) for device in tf.config.list_physical_devices("GPU")]


def _device(tf: Any, device: Any) -> str:  # noqa: ANN401 - TensorFlow is not typed
    details = tf.config.experimental.get_device_details(device)
    return str(details.get("device_name", device.name))
