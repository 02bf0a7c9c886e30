"""The one row of a soak: the machine cold and hot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fer_bench.results.rows import Row


@dataclass(frozen=True, kw_only=True)
class SoakRow(Row):
    """One artifact under load. cold, hot: of the first and the last `compare_s` seconds; ratio: hot p50 to cold.

    load: what was done, and so what the milliseconds are of: inferences, or the time from a frame's capture to its
    event. valid: the board was never held back; if it was, by what and after how many seconds first. steady: None when
    nobody can know. significant: the intervals of the two p50 do not overlap. cold_ns, hot_ns: raw, one list a second.
    """

    load: str
    seconds: float = 0.0
    valid: bool = True
    held_back: str | None = None
    held_back_after_s: float | None = None
    steady: bool | None = None
    slope_c_per_min: float | None = None
    temperature_before_c: float | None = None
    temperature_cold_c: float | None = None
    temperature_hot_c: float | None = None
    temperature_max_c: float | None = None
    compare_s: float | None = None
    cold_p50_ms: float | None = None
    cold_p50_ci95_ms: tuple[float, float] | None = None
    cold_p95_ms: float | None = None
    hot_p50_ms: float | None = None
    hot_p50_ci95_ms: tuple[float, float] | None = None
    hot_p95_ms: float | None = None
    ratio: float | None = None
    significant: bool | None = None
    clock_cold_mhz: float | None = None
    clock_hot_mhz: float | None = None
    growth_bytes: int | None = None
    energy: dict[str, Any] | None = None
    cold_ns: tuple[tuple[int, ...], ...] = ()
    hot_ns: tuple[tuple[int, ...], ...] = ()
