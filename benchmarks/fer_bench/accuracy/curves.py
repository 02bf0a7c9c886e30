"""Accuracy as a curve: every artifact on the same pictures, damaged step by step before they are cut for the model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fer_bench.accuracy.corruptions import ALL, BY_NAME, SEED, SEVERITIES, Corruption, corrupt
from fer_bench.accuracy.scoring import corrupted
from fer_bench.accuracy.trials import BLOCK, Bools, Probabilities, Say, Trial, fail, probabilities, reference_of, right
from fer_bench.results.rows import count
from fer_edge.classifier import Classifier
from fer_edge.errors import FerEdgeError, InputError, UsageError
from fer_edge.preprocess import Preprocess
from fer_edge.types import Image
from fer_train import data
from fer_train.data import layouts
from fer_train.data.entries import Source, Unusable
from fer_train.data.loading import sort
from fer_train.data.pictures import decode, fingerprint

EVERY = "all"


@dataclass(frozen=True)
class Pictures:
    """The pictures of a data set as they lie on disk, in its order, for a model's preprocessing."""

    sources: tuple[Source, ...]
    names: tuple[str, ...]
    preprocess: Preprocess

    def block(self, rows: range, corruption: Corruption, severity: int) -> Image:
        """Crops, uint8 (N, S, S[, 3]), of damaged pictures; the picture itself is the seed."""
        return np.stack([self.preprocess.pixels(self._damaged(i, corruption, severity)) for i in rows])

    def _damaged(self, i: int, corruption: Corruption, severity: int) -> Image:
        try:
            picture = decode(self.sources[i])
        except Unusable as reason:
            raise InputError(f"picture {self.names[i]} could be read a moment ago and now not: {reason}") from None
        return corrupt(picture, corruption, severity, fingerprint(picture))


@dataclass(frozen=True)
class Subject:
    """An artifact that is asked again. clean: bool (N,), where it was right on the clean pictures."""

    trial: Trial
    classifier: Classifier
    clean: Bools

    @classmethod
    def of(cls, trial: Trial, dataset: data.Dataset) -> Subject | None:
        """None for one that failed on the clean pictures."""
        if trial.classifier is None or trial.probabilities is None:
            return None
        return cls(trial, trial.classifier, right(trial.probabilities, dataset))

    def answers(self, crops: Image, say: Say) -> list[Probabilities]:
        """What it says of a block, in a list; none once it has failed."""
        if self.trial.row.error is not None:
            return []
        try:
            return [probabilities(self.classifier, self.trial, crops)]
        except FerEdgeError as error:
            fail(self.trial, error, say)
            return []


def chosen(names: Sequence[str]) -> tuple[Corruption, ...]:
    """What was asked for, `all` being everything; UsageError for a name that there is not."""
    for name in names:
        if name != EVERY and name not in BY_NAME:
            raise UsageError(f"there is no corruption {name!r}; there are {', '.join([*BY_NAME, EVERY])}")
    return tuple(corruption for corruption in ALL if EVERY in names or corruption.name in names)


def originals(where: str, split: str | None, dataset: data.Dataset, preprocess: Preprocess) -> Pictures:
    """The files behind a loaded data set."""
    listed = sort(layouts.find(where), split, dataset.labels)
    sources = dict(zip(listed.names, listed.sources, strict=True))
    return Pictures(tuple(sources[name] for name in dataset.names), dataset.names, preprocess)


class Curves:
    """The corruptions that were asked for, on a data set; filled step by step, so that Ctrl-C loses one at most."""

    def __init__(self, pictures: Pictures, dataset: data.Dataset, asked: Sequence[Corruption]) -> None:
        """Nothing is measured yet."""
        self.pictures, self.dataset, self.asked = pictures, dataset, tuple(asked)
        self.sha256: dict[str, str] = {}

    def measure(self, trials: Sequence[Trial], say: Say) -> None:
        """Add one step to the curves of all trials at a time: what an interruption leaves is the same for all.

        An artifact that fails keeps what it has and is asked no more; all do when a picture is suddenly gone.
        """
        subjects = [subject for trial in trials if (subject := Subject.of(trial, self.dataset))]
        for corruption in self.asked:
            for severity in SEVERITIES:
                alive = [each for each in subjects if each.trial.row.error is None]
                if not alive:
                    return
                self._step(alive, corruption, severity, say)

    def as_json(self) -> dict[str, object]:
        """What the steps mean; sha256: of the damaged crops of every finished step, by name and severity."""
        kinds = {one.name: {"unit": one.unit, "levels": list(one.levels)} for one in self.asked}
        return {"seed": SEED, "kinds": kinds, "sha256": dict(self.sha256)}

    def remarks(self) -> list[str]:
        """What of the data makes a curve mean less than it seems to."""
        said, names = [], {one.name for one in self.asked}
        sides = None if self.dataset.originals is None else self.dataset.originals.sizes
        if "box-jitter" in names:
            square = len(self.dataset) if sides is None else int((sides[:, 0] == sides[:, 1]).sum())
            said.append(
                f"box-jitter: {square} of {count(len(self.dataset), 'picture')} show nothing around the face; "
                "beyond the edge the border is repeated"
            )
        largest = max(BY_NAME["small-face"].levels)
        if "small-face" in names and sides is not None and (tiny := int((sides.min(axis=1) < largest).sum())):
            said.append(
                f"small-face: {count(tiny, 'picture')} of less than {largest:g} px cannot be made as small as asked"
            )
        return said

    def _step(self, subjects: Sequence[Subject], corruption: Corruption, severity: int, say: Say) -> None:
        said: list[list[Probabilities]] = [[] for _ in subjects]
        hashed = hashlib.sha256()
        for start in range(0, len(self.dataset), BLOCK):
            rows = range(start, min(start + BLOCK, len(self.dataset)))
            try:
                crops = self.pictures.block(rows, corruption, severity)
            except InputError as error:
                for subject in subjects:
                    fail(subject.trial, error, say)
                return
            hashed.update(crops.data)
            for subject, blocks in zip(subjects, said, strict=True):
                blocks.extend(subject.answers(crops, say))
        done = [
            (subject, right(np.concatenate(blocks), self.dataset))
            for subject, blocks in zip(subjects, said, strict=True)
            if subject.trial.row.error is None
        ]
        if done:
            _note(done, (corruption, severity))
            self.sha256[f"{corruption.name}/{severity}"] = hashed.hexdigest()
            told = ", ".join(f"{subject.trial.artifact.id} {hits.sum()} right" for subject, hits in done)
            say(f"{corruption.name} {corruption.levels[severity - 1]:g}: of {len(self.dataset)} {told}")


def _note(done: Sequence[tuple[Subject, Bools]], step: tuple[Corruption, int]) -> None:
    """Put the step into the curve of every artifact that came through it."""
    came_through = [subject.trial for subject, _ in done]
    answers = {id(subject.trial): hits for subject, hits in done}
    for subject, hits in done:
        reference = reference_of(subject.trial, came_through)
        versus = None if reference is None else answers[id(reference)]
        subject.trial.corruptions.append(corrupted(step, subject.clean, hits, versus))
