"""What a training run stood on: machine, versions, pictures; noted when it starts, for it cannot be told afterwards."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path, PurePath
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import ValidationError, model_validator

from fer_edge import __version__
from fer_edge.clock import Clock
from fer_edge.errors import ConfigError, InputError, OutputError
from fer_edge.strict import StrictModel, loads_json, problems
from fer_train import backend, processor
from fer_train.data import Dataset

FILE = "provenance.json"


class Pictures(StrictModel):
    """A data set as it was used: its name without the machine's own folders, its size and SHA-256.

    sha256: of the pictures as the model sees them, so it differs with size and colour; list_sha256: of their names and
    labels, so it does not. counts: pictures per class. Records of older runs lack the last two.
    """

    name: str
    n: int
    skipped: int
    sha256: str
    list_sha256: str = ""
    counts: dict[str, int] = {}

    def same_as(self, other: Pictures) -> bool:
        """Whether both are the same pictures with the same labels, also when models see them in different ways."""
        if self.sha256 == other.sha256:
            return True
        return self.name == other.name and bool(self.list_sha256) and self.list_sha256 == other.list_sha256


class Start(StrictModel):
    """One start of a run; a resumed run has several. began: ISO 8601, UTC.

    validation: what the epoch is chosen on, which may be `test` itself. precision: the dtype policy that was really
    computed in. The last two are None in the records of older runs.
    """

    began: str
    train: Pictures
    validation: Pictures
    test: Pictures | None = None
    cpu: str
    cpu_count: int
    accelerators: list[str]
    precision: str | None = None
    versions: dict[str, str]


class Provenance(StrictModel):
    """`provenance.json`, schema 2. Schema 1, which is read too, called what the epoch is chosen on `test`."""

    schema_version: Literal[2] = 2
    starts: list[Start] = []

    @model_validator(mode="before")
    @classmethod
    def _from_schema_1(cls, found: Any) -> Any:  # noqa: ANN401 - whatever was in the file
        if not isinstance(found, dict) or found.get("schema_version") != 1 or not isinstance(found.get("starts"), list):
            return found
        starts = [
            {("validation" if key == "test" else key): value for key, value in start.items()}
            if isinstance(start, dict)
            else start
            for start in found["starts"]
        ]
        return {**found, "schema_version": 2, "starts": starts}


def note(
    run: Path,
    train: Dataset,
    validation: Dataset,
    clock: Clock,
    test: Dataset | None = None,
    precision: str | None = None,
) -> None:
    """Add this start to the run folder's list; Keras must have been imported. Raises OutputError."""
    began = clock.wall().isoformat(timespec="seconds")
    start = Start(
        began=began,
        train=pictures(train),
        validation=pictures(validation),
        test=None if test is None else pictures(test),
        cpu=processor.name(),
        precision=precision,
        cpu_count=os.cpu_count() or 1,
        accelerators=backend.accelerators(),
        versions=_versions(),
    )
    found = Provenance(starts=[*read(run).starts, start])
    try:
        run.mkdir(parents=True, exist_ok=True)
        (run / FILE).write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{run / FILE} cannot be written: {error.strerror}") from None


def read(run: Path) -> Provenance:
    """The run folder's list, empty when nothing was noted; raises ConfigError when the file is not right."""
    path = run / FILE
    if not path.exists():
        return Provenance()
    try:
        return Provenance.model_validate(loads_json(path.read_bytes()))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise ConfigError(f"{path}: " + "; ".join(problems(error))) from None
    except ValueError as error:
        raise ConfigError(f"{path} is not valid JSON: {error}") from None


def pictures(data: Dataset) -> Pictures:
    """What to say of a data set."""
    listed = sorted(f"{name}\t{data.labels[target]}" for name, target in zip(data.names, data.targets, strict=True))
    return Pictures(
        name=data_name(data.source),
        n=len(data),
        skipped=len(data.skipped),
        sha256=data.digest(),
        list_sha256=hashlib.sha256("\n".join(listed).encode()).hexdigest(),
        counts=data.counts(),
    )


def data_name(source: str) -> str:
    """`fer2013:/home/me/fer2013` as `fer2013`: reports travel, and the folders of a machine are nobody's business."""
    path = source.partition(":")[2] or source
    return PurePath(path).name or source


def _versions() -> dict[str, str]:
    own = {
        "fer-edge": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }
    return {**own, **backend.versions()}
