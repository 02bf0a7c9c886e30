"""Watches a machine under load second by second: temperature, clock, throttling, and how long the work takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fer_bench.machine import stability
from fer_bench.machine.energy import Recorder
from fer_bench.machine.environment import ROOT, Conditions, conditions
from fer_edge.clock import Clock

PERIOD_S = 1.0
"""Between two looks."""
STEADY_WINDOW_S = 180.0
STEADY_C_PER_MIN = 0.2
"""The slope over STEADY_WINDOW_S from which on the temperature counts as steady. Boards near their end exponentially,
in some minutes: with a time constant of four, less than one degree is missing then."""
MOST_S = 3600.0
"""A machine that is not steady by then has another reason to warm up, such as the sun."""
BLIND_S = 1200.0
"""Where there is no thermometer: small boards are steady after twenty minutes."""
COMPARE_S = 60.0
"""The first and the last so many seconds are compared; of a shorter run its halves."""
TELL_S = 60.0
WHOLE_WINDOW = 0.95
NS_PER_MS = 1e6
S_PER_MIN = 60.0

Say = Callable[[str], None]
Batch = tuple[float, Sequence[int]]
"""When it came, in seconds since the load began, and its samples in nanoseconds."""


class Load(Protocol):
    """What makes the machine warm: a `pipeline.following.Telling`. identity: what it said of itself as it began."""

    identity: dict[str, Any]

    def take(self) -> list[int]:
        """Nanoseconds of what was done since the last call."""

    def memory(self) -> tuple[int | None, int | None]:
        """Bytes held now, and at most."""

    def failed(self) -> str | None:
        """Why it ended, None while it works."""


@dataclass(frozen=True)
class Point:
    """One second of the curve; n and the percentiles are of the work done in it, clock_mhz of the fastest CPU."""

    t_s: float
    n: int
    p50_ms: float | None
    p95_ms: float | None
    temperature_c: float | None
    clock_mhz: float | None
    rss_bytes: int | None
    held_back: str | None


@dataclass
class Soak:
    """What was seen so far. minutes: how long to watch; None is until the temperature is steady."""

    minutes: float | None = None
    root: Path = ROOT
    recorder: Recorder | None = None
    points: list[Point] = field(default_factory=list)
    cold: list[Batch] = field(default_factory=list)
    hot: deque[Batch] = field(default_factory=deque)
    error: str | None = None

    def watch(self, load: Load, clock: Clock, before: Conditions, say: Say) -> None:
        """Look once a second until there is enough; before: the machine without the load."""
        begin_s = clock.monotonic_s()
        told_s = 0.0
        load.take()
        while not self.enough():
            clock.sleep(PERIOD_S)
            t_s = clock.monotonic_s() - begin_s
            self.look(load, t_s, before)
            if self.recorder is not None:
                self.recorder.sample(clock.monotonic_s())
            self.error = load.failed()
            if self.error is not None:
                return
            if t_s - told_s >= TELL_S:
                told_s = t_s
                say(self.progress())

    def look(self, load: Load, t_s: float, before: Conditions) -> None:
        """One point of the curve, and its samples where they will be compared."""
        samples, now = load.take(), conditions(self.root)
        p50, p95 = np.percentile(samples, [50, 95]) / NS_PER_MS if samples else (None, None)
        self.points.append(
            Point(
                t_s=round(t_s, 3),
                n=len(samples),
                p50_ms=None if p50 is None else float(p50),
                p95_ms=None if p95 is None else float(p95),
                temperature_c=now.temperature_c,
                clock_mhz=max(now.clocks_mhz, default=None) if now.clocks_mhz else None,
                rss_bytes=load.memory()[0],
                held_back=stability.held_back(before, now),
            )
        )
        if t_s <= COMPARE_S:
            self.cold.append((t_s, samples))
        self.hot.append((t_s, samples))
        while t_s - self.hot[0][0] >= COMPARE_S:
            self.hot.popleft()

    def enough(self) -> bool:
        """Whether the time is over, or the temperature steady, or there is no sense in waiting for that."""
        t_s = self.points[-1].t_s if self.points else 0.0
        if self.minutes is not None:
            return t_s >= S_PER_MIN * self.minutes
        if self.points and not self.thermometer():
            return t_s >= BLIND_S
        return self.steady() or t_s >= MOST_S

    def thermometer(self) -> bool:
        """Whether the machine tells its temperature."""
        return any(point.temperature_c is not None for point in self.points)

    def slope(self) -> float | None:
        """Degrees per minute over the last STEADY_WINDOW_S, by least squares; None before there are so many."""
        end_s = self.points[-1].t_s if self.points else 0.0
        last = takewhile(lambda point: end_s - point.t_s <= STEADY_WINDOW_S, reversed(self.points))
        known = [(point.t_s, point.temperature_c) for point in last if point.temperature_c is not None]
        if not known or known[0][0] - known[-1][0] < WHOLE_WINDOW * STEADY_WINDOW_S:
            return None
        times, celsius = np.array(known).T
        return float(np.polyfit(times / S_PER_MIN, celsius, 1)[0])

    def steady(self) -> bool:
        """Whether the temperature no longer goes up or down."""
        slope = self.slope()
        return slope is not None and abs(slope) <= STEADY_C_PER_MIN

    def compared(self) -> tuple[list[Sequence[int]], list[Sequence[int]], float]:
        """Samples of the first and of the last seconds, one list per second, and how many seconds those are."""
        end_s = self.points[-1].t_s if self.points else 0.0
        span_s = min(COMPARE_S, end_s / 2)
        cold = [samples for t_s, samples in self.cold if t_s <= span_s and samples]
        hot = [samples for t_s, samples in self.hot if t_s > end_s - span_s and samples]
        return cold, hot, span_s

    def progress(self) -> str:
        """Where it stands, in words."""
        point, slope = self.points[-1], self.slope()
        parts = [f"{point.t_s / S_PER_MIN:.0f} min"]
        if point.temperature_c is not None:
            parts.append(f"{point.temperature_c:.1f} °C" + (f" ({slope:+.2f} a minute)" if slope is not None else ""))
        parts += [f"p50 {point.p50_ms:.3f} ms"] if point.p50_ms is not None else []
        return ", ".join([*parts, *([f"held back: {point.held_back}"] if point.held_back else [])])
