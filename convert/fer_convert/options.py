"""What a conversion is asked to do, and the words in which the command line says it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import ValidationError

from fer_edge.bundle import Format, Precision
from fer_edge.errors import UsageError
from fer_edge.labels import canonical
from fer_edge.preprocess import PreprocessSpec
from fer_edge.strict import problems

FORMATS: tuple[Format, ...] = get_args(Format)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DEFAULT_PRECISIONS: tuple[Precision, ...] = ("float32", "int8")
CALIBRATED: tuple[Precision, ...] = ("int8", "int16x8")
"""Those that need calibration pictures."""
KNOWN: dict[Format, tuple[Precision, ...]] = {
    "tflite": ("float32", "float16", "dynamic", "int8", "int16x8"),
    "onnx": ("float32", "float16", "dynamic", "int8"),
    "openvino": ("float32", "float16", "int8"),
}
"""Which precisions each format has."""

CALIBRATION_N = 500
MIN_CALIBRATION_N = 300
"""Fewer pictures leave the ranges of some channels to chance."""
Batch = Literal["1", "dynamic"]
OPEN: Batch = "dynamic"
BETWEEN_CHANNELS = "/"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True)
class Gates:
    """Limits that an artifact must keep to be written; all against the float32 source on the same pictures.

    max_drop_pp: top-1, percentage points (the figure itself, not the end of its interval). min_agreement: share of
    equal top-1 labels, 0 to 1. max_class_drop_pp: recall of any one class, points; None asks nothing.
    """

    max_drop_pp: float = 1.0
    min_agreement: float = 0.97
    max_class_drop_pp: float | None = None

    def __post_init__(self) -> None:
        """Refuse limits that no artifact can mean."""
        if not 0.0 <= self.min_agreement <= 1.0:
            raise UsageError(f"--min-agreement is a share from 0 to 1, found {self.min_agreement:g}")
        for flag, value in (("--max-drop", self.max_drop_pp), ("--max-class-drop", self.max_class_drop_pp)):
            if value is not None and not 0.0 <= value <= 100.0:
                raise UsageError(f"{flag} is in percentage points from 0 to 100, found {value:g}")


@dataclass(frozen=True)
class Job:
    """One conversion.

    model: run folder, SavedModel folder or model file. out: the bundle's folder. formats, precisions: all pairs of
    these that exist are made, but for those in `leave_out` ("onnx/float32"). batch: faces that a file takes at once;
    "dynamic" is any number of them. calibrate, evaluate: data as `fer_train.data.load` names it; without `evaluate` the
    test split of `calibrate`. labels, preprocess: for a model without a recipe. crop: a file of crop contracts; None
    takes the run folder's. force: replace a bundle that is there. keep_passing: write a bundle without the artifacts
    that miss a gate.
    """

    model: Path
    out: Path
    calibrate: str | None = None
    evaluate: str | None = None
    formats: tuple[Format, ...] = FORMATS
    precisions: tuple[Precision, ...] = DEFAULT_PRECISIONS
    leave_out: tuple[str, ...] = ()
    batch: Batch = "1"
    gates: Gates = Gates()
    calibration_n: int = CALIBRATION_N
    name: str | None = None
    labels: tuple[str, ...] | None = None
    preprocess: PreprocessSpec | None = None
    crop: Path | None = None
    force: bool = False
    keep_passing: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be done before anything is read."""
        if self.calibration_n < MIN_CALIBRATION_N:
            raise UsageError(f"--calibration-n {self.calibration_n} is too few, {MIN_CALIBRATION_N} is the least")
        if self.name is not None and not NAME.fullmatch(self.name):
            raise UsageError(f"--name {self.name!r} must be of a-z, 0-9, '.', '_' and '-', 64 at most")
        for name in self.precisions:
            if not any(name in KNOWN[format_] for format_ in self.formats):
                raise UsageError(f"{' and '.join(self.formats)} have no {name}: " + _known(self.formats))
        made = [f"{format_}/{name}" for format_, name in self._pairs()]
        unknown = [name for name in self.leave_out if name not in made]
        if unknown:
            raise UsageError(f"--leave-out {unknown[0]} is none of what would be made: {', '.join(made)}")
        if not self.wanted:
            raise UsageError("--leave-out leaves nothing to be made")
        needing = [name for _, name in self.wanted if name in CALIBRATED]
        if needing and self.calibrate is None:
            raise UsageError(f"{needing[0]} needs training pictures to calibrate with: --calibrate DATA")
        if self.calibrate is None and self.evaluate is None:
            raise UsageError("a conversion is measured before it is written: --evaluate DATA (or --calibrate DATA)")

    @property
    def wanted(self) -> tuple[tuple[Format, Precision], ...]:
        """The artifacts to be made, in order."""
        return tuple((format_, name) for format_, name in self._pairs() if f"{format_}/{name}" not in self.leave_out)

    def _pairs(self) -> list[tuple[Format, Precision]]:
        return [(format_, name) for format_ in self.formats for name in self.precisions if name in KNOWN[format_]]


def parse_precisions(text: str) -> tuple[Precision, ...]:
    """`float32,int8` in any order, each once; returned in the order of PRECISIONS."""
    return _chosen("--precision", text, PRECISIONS)


def parse_formats(text: str) -> tuple[Format, ...]:
    """`tflite,onnx` in any order, each once; returned in the order of FORMATS."""
    return _chosen("--to", text, FORMATS)


def parse_artifacts(text: str) -> tuple[str, ...]:
    """`onnx/float32,openvino/float32` in any order, each once; returned in the order in which they are made."""
    return _chosen("--leave-out", text, tuple(f"{format_}/{name}" for format_ in FORMATS for name in KNOWN[format_]))


def _chosen(flag: str, text: str, known: tuple[Any, ...]) -> tuple[Any, ...]:
    asked = [part.strip() for part in text.split(",")]
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise UsageError(f"{flag} {unknown[0]!r} is not known, there are {', '.join(known)}")
    if len(set(asked)) != len(asked):
        raise UsageError(f"{flag} {text} names one twice")
    return tuple(name for name in known if name in asked)


def _known(formats: tuple[Format, ...]) -> str:
    return "; ".join(f"{format_} has {', '.join(KNOWN[format_])}" for format_ in formats)


def parse_labels(text: str) -> tuple[str, ...]:
    """`a,b,c` in the order of the model's outputs, in this project's spelling."""
    found = tuple(canonical(part) for part in text.split(","))
    if not all(found) or len(set(found)) != len(found) or len(found) < 2:
        raise UsageError(f"--labels takes two names or more, each once, separated by commas; found {text!r}")
    return found


def parse_preprocess(text: str) -> PreprocessSpec:
    """`color=gray,size=48,range=-1..1`, or `mean=` and `std=` in place of `range`; see `PreprocessSpec`.

    Values of three channels are separated by slashes (`mean=0.485/0.456/0.406`); one value stands for all. range: what
    pixel 0 and pixel 255 become. Raises UsageError with every mistake.
    """
    pairs = _pairs(text)
    channels = 1 if pairs.get("color") == "gray" else 3
    data: dict[str, Any] = {key: pairs[key] for key in ("color", "layout") if key in pairs}
    if "size" in pairs:
        data["size"] = _number("size", pairs["size"], int)
    if "range" in pairs:
        if "mean" in pairs or "std" in pairs:
            raise UsageError("--preprocess takes range or mean and std, not both")
        data["mean"], data["std"] = _from_range(pairs["range"], channels)
    for key in ("mean", "std"):
        if key in pairs:
            values = [_number(key, part, float) for part in pairs[key].split(BETWEEN_CHANNELS)]
            data[key] = tuple(values * channels if len(values) == 1 else values)
    try:
        return PreprocessSpec.model_validate(data)
    except ValidationError as error:
        raise UsageError("--preprocess: " + "; ".join(problems(error))) from None


def _pairs(text: str) -> dict[str, str]:
    known = ("color", "size", "range", "mean", "std", "layout")
    found: dict[str, str] = {}
    for part in text.split(","):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or key not in known:
            raise UsageError(f"--preprocess takes key=value of {', '.join(known)}; found {part.strip()!r}")
        if key in found:
            raise UsageError(f"--preprocess gives {key} twice")
        found[key] = value
    return found


def _from_range(text: str, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and std that take pixel 0 to the range's start and pixel 255 to its end."""
    first, dots, last = text.partition("..")
    start, end = _number("range", first, float), _number("range", last, float)
    if not dots or end <= start:
        raise UsageError(f"--preprocess range is START..END as in -1..1, found {text!r}")
    std = 1.0 / (end - start)
    return (-start * std + 0.0,) * channels, (std,) * channels


def _number(key: str, text: str, kind: type[int | float]) -> Any:  # noqa: ANN401 - int or float as asked
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"--preprocess {key}: {text!r} is not a number of the right kind") from None
