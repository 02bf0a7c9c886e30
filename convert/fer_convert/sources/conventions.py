"""A stranger's model that guesses: is it fed by another convention than its maker's?

Half of the nets that lie about say nowhere whether they want 0 to 1, -1 to 1 or ImageNet's mean, red or blue first, and
in which order their labels are. Where what the command line says leaves a model at chance, the usual conventions are
tried on some pictures; if one does far better, that is the error, by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from fer_convert.sources.description import Description
from fer_edge.errors import UsageError
from fer_edge.labels import SETS
from fer_edge.preprocess import PreprocessSpec
from fer_edge.types import Array
from fer_train.data import Dataset

AT_CHANCE = 0.08
"""A model that has no more than this above the commonest class's share right is taken to guess."""
FAR_BETTER = 0.12
"""Above chance and above what it had: less may be luck."""
PICTURES = 700
IMAGENET_MEAN: tuple[float, ...] = (0.485, 0.456, 0.406)
IMAGENET_STD: tuple[float, ...] = (0.229, 0.224, 0.225)
GREY_MEAN: tuple[float, ...] = (0.449,)
GREY_STD: tuple[float, ...] = (0.226,)
RANGES = {"0..1": (0.0, 1.0), "-1..1": (0.5, 0.5), "0..255": (0.0, 1 / 255)}
"""By the word of `--preprocess range`: mean and std."""
Answer = Callable[[Dataset, Sequence[PreprocessSpec]], list[Array]]
"""What the model says of the pictures under each specification: float32 (N, labels)."""


def check(known: Description, top1: float, pictures: Dataset, answer: Answer) -> None:
    """Raise UsageError where the model guesses as it is fed, and would not by a convention that is known.

    top1: share of `pictures` that it has right. Only for models described on the command line.
    """
    chance = max(pictures.counts().values()) / len(pictures)
    if not known.from_flags or top1 > chance + AT_CHANCE:
        return
    few = pictures.stratified(min(PICTURES, len(pictures)), seed=0)
    specs = dict(specifications(known.preprocess))
    tried: list[tuple[float, str]] = []
    for words, outputs in zip(specs, answer(few, list(specs.values())), strict=True):
        for order, labels in label_orders(known.labels):
            told = " ".join(part for part in (f"--preprocess {words}", order) if part)
            tried.append((_right(outputs, labels, few), told))
    best, told = max(tried)
    if best > max(top1, chance) + FAR_BETTER:
        raise UsageError(
            f"{known.file} has {top1:.1%} of the pictures right, which is chance ({chance:.1%} are of one class); "
            f"with {told} it has {best:.1%}"
        )


def specifications(spec: PreprocessSpec) -> Iterator[tuple[str, PreprocessSpec]]:
    """Usual ways to feed a model of this input, in the words of `--preprocess`."""
    three = spec.channels == 3
    for color in ("rgb", "bgr") if three else ("gray",):
        start = f"color={color},size={spec.size}"
        for words, (mean, std) in RANGES.items():
            change = {"color": color, "mean": (mean,) * spec.channels, "std": (std,) * spec.channels}
            yield f"{start},range={words}", spec.model_copy(update=change)
        centre, spread = (IMAGENET_MEAN, IMAGENET_STD) if three else (GREY_MEAN, GREY_STD)
        if color == "bgr":
            centre, spread = centre[::-1], spread[::-1]
        words = f"mean={'/'.join(map(str, centre))},std={'/'.join(map(str, spread))}"
        yield f"{start},{words}", spec.model_copy(update={"color": color, "mean": centre, "std": spread})


def label_orders(labels: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Known orders of the same labels, in the words of `--labels`; the given one first, and without words."""
    yield "", labels
    orders = {tuple(sorted(labels)), *(order for order in SETS.values() if set(order) == set(labels))}
    for order in sorted(orders - {labels}):
        yield f"--labels {','.join(order)}", order


def _right(outputs: Array, labels: tuple[str, ...], pictures: Dataset) -> float:
    """Share of pictures whose largest output, read in this order, is their label."""
    places = np.array([labels.index(label) for label in pictures.labels])
    return float((outputs.argmax(axis=1) == places[pictures.targets]).mean())
