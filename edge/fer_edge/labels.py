"""Label sets and the orders in which data sets number them. Labels map by name, never by index."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fer_edge.errors import UsageError

FER2013 = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The order of the original `fer2013.csv` (Goodfellow et al. 2013): emotion 0 to 6."""

AFFECTNET8 = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry", "contempt")
"""The order of AffectNet's annotations (Mollahosseini et al. 2017): expression 0 to 7."""

RAFDB = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
"""The order of RAF-DB's basic labels (Li et al. 2017), which count from 1 to 7."""

AFFECTNET7 = AFFECTNET8[:7]
"""AffectNet without contempt, as most papers use it."""

OPTIONAL = frozenset(AFFECTNET8[7:])
"""Classes of AffectNet that its models need not have: they are then trained and judged on the other pictures."""

SETS = {"fer2013": FER2013, "affectnet7": AFFECTNET7, "affectnet8": AFFECTNET8, "rafdb": RAFDB}
"""The orders by name."""

_ALIASES = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "afraid": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "surprised": "surprise",
}


def label_set(labels: object) -> object:
    """The labels of a known order for its name; anything else as it is. Raises ValueError for an unknown name."""
    if not isinstance(labels, str):
        return labels
    if labels not in SETS:
        raise ValueError(f"there is no label set {labels!r}: name one of {', '.join(SETS)}, or list the labels")
    return SETS[labels]


def set_of(names: Iterable[str]) -> str | None:
    """The first label set of exactly these names in any order; None when there is none."""
    wanted = {canonical(name) for name in names}
    return next((key for key, labels in SETS.items() if set(labels) == wanted), None)


def canonical(name: str) -> str:
    """The name this project uses for a label: lower case, and `angry` for `anger` and the like."""
    plain = name.strip().lower()
    return _ALIASES.get(plain, plain)


def index_map(source: Sequence[str], target: Sequence[str]) -> list[int]:
    """For each label of `source`, its index in `target`.

    Raises UsageError when a source label does not exist in the target.
    """
    order = {canonical(name): i for i, name in enumerate(target)}
    missing = [name for name in source if canonical(name) not in order]
    if missing:
        raise UsageError(f"labels {', '.join(missing)} do not exist among {', '.join(target)}")
    return [order[canonical(name)] for name in source]
