"""The pictures a conversion stands on: training faces that set the ranges, and test faces that judge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_convert.options import MIN_CALIBRATION_N, Job
from fer_convert.progress import Say
from fer_convert.sources.description import Description
from fer_edge.errors import InputError, UsageError
from fer_edge.types import Image
from fer_train import data
from fer_train.data import Dataset

CALIBRATION_SEED = 0
HALVES_SEED = 1
MIN_EVALUATION_N = 100
"""Below this a single picture weighs more than a point, which is what the gate is about."""
BLANK = 2.0
"""Standard deviation of a picture's values, 0-255; of FER2013's 28,709 training pictures 11 have less."""
MOST_BLANK = 0.1
"""As a share: blank pictures make no activations, so ranges are set by those that are left."""


@dataclass(frozen=True)
class Pictures:
    """What was read.

    calibration: seeded sample of the training split `pool`, None where nothing is quantized. training: SHA-256 of that
    split, "" without one. evaluation: every picture of the test split.
    """

    calibration: Dataset | None
    training: str
    evaluation: Dataset
    pool: Dataset | None = None


def require(job: Job) -> None:
    """Refuse, before minutes are spent, data that is not there or cannot judge.

    Raises InputError when a path does not exist, UsageError when only training pictures are given.
    """
    for where in (job.calibrate, job.evaluate):
        if where is not None:
            data.root_of(where)
    if job.evaluate is None and not data.has_split(str(job.calibrate), "test"):
        raise UsageError(f"{job.calibrate} has no test split, and training pictures cannot judge: --evaluate DATA")


def load(job: Job, description: Description, say: Say) -> Pictures:
    """Read what the job names.

    Raises InputError when there is nothing usable or too little, UsageError when the classes are not the labels.
    """
    calibration, training, pool = None, "", None
    if job.calibrate is not None:
        pool = _read(job.calibrate, "train", description, say)
        calibration, training = _sample(pool, job.calibration_n, say), pool.digest()
    evaluation = _read(str(job.evaluate or job.calibrate), "test", description, say)
    if len(evaluation) < MIN_EVALUATION_N:
        raise InputError(f"{evaluation.source} has {len(evaluation)} pictures to judge by, at least {MIN_EVALUATION_N}")
    return Pictures(calibration, training, evaluation, pool)


def pinned(images: Image) -> Image:
    """A copy in which one pixel is black and one is white, so that the quantized input covers every pixel value.

    images: uint8 (N, S, S) or (N, S, S, 3). Corner pixels of the first picture; whole black and white pictures would do
    the same but are inputs that no face makes, and their activations would count.
    """
    out: Image = images.copy()
    out[0, 0, 0], out[0, -1, -1] = 0, 255
    return out


def halves(targets: NDArray[np.int64], seed: int = HALVES_SEED) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of two halves with the classes in equal shares, sorted; the first takes what is odd."""
    rng = np.random.default_rng(seed)
    first: list[NDArray[np.int64]] = []
    second: list[NDArray[np.int64]] = []
    for target in np.unique(targets):
        rows = rng.permutation(np.flatnonzero(targets == target))
        middle = (len(rows) + 1) // 2
        first.append(rows[:middle])
        second.append(rows[middle:])
    return np.sort(np.concatenate(first)), np.sort(np.concatenate(second))


def _sample(pool: Dataset, count: int, say: Say) -> Dataset:
    if len(pool) < MIN_CALIBRATION_N:
        raise InputError(
            f"{pool.source} has {len(pool)} pictures to calibrate with, at least {MIN_CALIBRATION_N} are needed"
        )
    faces = pool.stratified(count, CALIBRATION_SEED)
    blank = int((faces.images.reshape(len(faces), -1).std(axis=1) < BLANK).sum())
    if blank > len(faces) * MOST_BLANK:
        raise InputError(
            f"{blank} of {len(faces)} pictures of {pool.source} to calibrate with are blank, of one colour"
        )
    if len(pool) < count:
        say(f"calibrating with all {len(pool)} pictures of {pool.source}; {count} were asked for")
    return faces


def _read(where: str, split: str, description: Description, say: Say) -> Dataset:
    """A split where the data has splits, else all of it; every label must occur and no other."""
    part = split if data.has_split(where, split) else None
    found = data.load(where, description.labels, description.preprocess, part)
    if found.misfit:
        raise UsageError(f"{where} does not fit the labels {', '.join(description.labels)}: {found.misfit}")
    if found.skipped:
        say(f"{len(found.skipped)} files of {where} could not be used, the first: {found.skipped[0]}")
    return found
