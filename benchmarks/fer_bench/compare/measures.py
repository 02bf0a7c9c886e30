"""The figures that can be compared: where a row keeps their rounds, their unit, and which way is worse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Rounds = list[NDArray[np.float64]]


@dataclass(frozen=True)
class Measure:
    """A figure by its name in `--fail-on`.

    words: what to call less and more of it. rounds: a row's samples, one array per process, in `unit`. percentile:
    which one of them is the figure. exact: it has no spread, so any change is one. single: the field with one figure
    for all rounds, where there are no `rounds`. of: whether a row has it. pictures: it stands on right and wrong
    answers, not on rounds.
    """

    name: str
    unit: str
    words: tuple[str, str]
    rounds: Callable[[Any], Rounds] = lambda _: []
    percentile: float = 50.0
    exact: Callable[[Any], float | None] | None = None
    single: str = ""
    of: Callable[[Any], bool] = lambda _: True
    pictures: bool = False


def _samples(field: str, scale: float) -> Callable[[Any], Rounds]:
    """From a list of samples per round."""
    return lambda row: [np.asarray(each, dtype=np.float64) * scale for each in getattr(row, field, ()) if len(each)]


def _values(field: str, scale: float = 1.0) -> Callable[[Any], Rounds]:
    """From one value per round."""
    return lambda row: [np.asarray([each * scale], dtype=np.float64) for each in getattr(row, field, ())]


def _rates(row: Any) -> Rounds:  # noqa: ANN401 - LatencyRow
    """Inferences per second, of each round."""
    batch = getattr(row, "batch", 1)
    return [np.asarray([batch * NS_PER_S / np.mean(each)]) for each in row.samples_ns if len(each)]


def _latency(row: Any) -> bool:  # noqa: ANN401 - LatencyRow
    """Somebody waits for an answer."""
    return not _offline(row)


def _offline(row: Any) -> bool:  # noqa: ANN401 - LatencyRow
    """Nobody waits for an answer, so there is a throughput and no latency."""
    return getattr(row, "scenario", "") == "offline"


NS_PER_S = 1e9
TIME = ("faster", "slower")
SIZE = Measure("size", "bytes", ("smaller", "larger"), exact=lambda row: getattr(row, "size_bytes", None))
MEMORY = Measure("rss", "bytes", ("less", "more"), _values("peak_rss_bytes_rounds"), single="peak_rss_bytes")

MEASURES: dict[str, tuple[Measure, ...]] = {
    "latency": (
        *(Measure(f"p{q}", "ms", TIME, _samples("samples_ns", 1e-6), q, of=_latency) for q in (50, 90, 95, 99)),
        Measure("rate", "/s", ("slower", "faster"), _rates, of=_offline),
        Measure("load", "ms", TIME, _values("load_ms")),
        Measure("first", "ms", TIME, _values("first_ms")),
        MEMORY,
        SIZE,
    ),
    "accuracy": (Measure("top1", "points", ("worse", "better"), pictures=True), SIZE),
    "pipeline": (
        Measure("cpu", "ms/frame", ("less", "more"), _values("cpu_ms_per_frame_rounds")),
        Measure("fps", "frames/s", ("fewer", "more"), _values("fps_rounds")),
        Measure("start", "s", TIME, _values("first_face_s_rounds")),
        Measure("age50", "ms", TIME, _samples("ages_ns", 1e-6), 50),
        Measure("age99", "ms", TIME, _samples("ages_ns", 1e-6), 99),
        Measure("energy", "mJ/frame", ("less", "more"), _values("mj_per_frame_rounds")),
        MEMORY,
    ),
}
"""By kind of result."""
ALWAYS = frozenset({"p50", "rate", "top1", "cpu"})
"""What is compared whether it was asked for or not."""


def measures(kind: str, names: Sequence[str]) -> list[Measure]:
    """Those that are always compared, and those named, in the order of the table."""
    return [each for each in MEASURES[kind] if each.name in ALWAYS or each.name in names]


def names_of(kind: str) -> list[str]:
    """The figures of results of this kind; none of a kind that is not compared."""
    return [each.name for each in MEASURES.get(kind, ())]
