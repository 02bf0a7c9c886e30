"""How much work a hot or badly fed board is given: one level down at a time, and back up once it stays cool.

Pure: it is told readings and the time, and answers with what may be done. Nothing is measured or changed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, model_validator

from fer_edge.strict import StrictModel
from fer_edge.system.board import Readings

LEVELS = 4
"""full, slower face search, lower frame rate, lighter precision; each keeps what the ones before it took away."""
WORDS = ("searching for faces less often", "at a lower frame rate", "in a lighter precision")
"""What levels 1 to 3 mean, for people."""


class GovernorSettings(StrictModel):
    """When work is taken away, and how much.

    every_s: between two looks at the board. hot_c: from this temperature on, or under throttling, one level is taken
    after the other, step_s apart. cool_c: a board that stays at or below it, and is not throttled, for recover_s gets
    one level back. search_factor: level 1 searches the whole picture this much less often. max_fps: of level 2.
    precision: of level 3, "" for none.
    """

    enabled: bool = True
    every_s: Annotated[float, Field(ge=1.0, le=60.0)] = 5.0
    hot_c: Annotated[float, Field(ge=30.0, le=110.0)] = 80.0
    cool_c: Annotated[float, Field(ge=20.0, le=105.0)] = 75.0
    step_s: Annotated[float, Field(ge=1.0, le=3600.0)] = 15.0
    recover_s: Annotated[float, Field(ge=1.0, le=86400.0)] = 60.0
    search_factor: Annotated[float, Field(ge=1.0, le=100.0)] = 3.0
    max_fps: Annotated[float, Field(gt=0.0, le=1000.0)] = 8.0
    precision: str = "int8"

    @model_validator(mode="after")
    def _cool_below_hot(self) -> GovernorSettings:
        if self.cool_c >= self.hot_c:
            raise ValueError(f"cool_c ({self.cool_c:g}) must be below hot_c ({self.hot_c:g})")
        return self


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be done: full searches so much rarer, frames per second, the model's precision; None: as configured."""

    search_factor: float = 1.0
    max_fps: float | None = None
    precision: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """level: 0 (full) to 3. why: in one sentence, "" at full speed. changed: the level is another than before."""

    level: int
    limits: Limits
    why: str
    changed: bool


class Governor:
    """Remembers the level, when it was last changed, and since when the board is cool."""

    def __init__(self, settings: GovernorSettings | None = None) -> None:
        """At full speed."""
        self.settings = settings or GovernorSettings()
        self.level = 0
        self._cause = ""
        self._lowered_s: float | None = None
        self._cool_since_s: float | None = None

    def decide(self, readings: Readings, now_s: float) -> Decision:
        """What may be done from now on; now_s: monotonic seconds."""
        before = self.level
        hot = self._hot(readings) if self.settings.enabled else ""
        if hot:
            self._cause, self._cool_since_s = hot, None
            self._lower(now_s)
        elif not self._cool(readings):
            self._cool_since_s = None  # neither hot nor known to be cool: nothing changes
        elif self._cool_since_s is None:
            self._cool_since_s = now_s
        elif now_s - self._cool_since_s >= self.settings.recover_s and self.level:
            self.level -= 1
            self._cool_since_s = now_s
        return Decision(self.level, self.limits(), self._why(bool(hot)), self.level != before)

    def limits(self) -> Limits:
        """What the present level means."""
        settings = self.settings
        return Limits(
            search_factor=settings.search_factor if self.level >= 1 else 1.0,
            max_fps=settings.max_fps if self.level >= 2 else None,
            precision=(settings.precision or None) if self.level >= 3 else None,
        )

    def _lower(self, now_s: float) -> None:
        recent = self._lowered_s is not None and now_s - self._lowered_s < self.settings.step_s
        if self.level < LEVELS - 1 and not recent:
            self.level += 1
            self._lowered_s = now_s

    def _hot(self, readings: Readings) -> str:
        """Why the board should be spared, "" when nothing says so."""
        causes = list(readings.throttling.now) if readings.throttling else []
        if readings.temperature_c is not None and readings.temperature_c >= self.settings.hot_c:
            causes.append(f"{readings.temperature_c:.0f} °C, limit {self.settings.hot_c:g} °C")
        return ", ".join(causes)

    def _cool(self, readings: Readings) -> bool:
        """Whether something says that the board is cool; a board that says nothing is not believed to be."""
        if readings.temperature_c is None:
            return readings.throttling is not None
        return readings.temperature_c <= self.settings.cool_c

    def _why(self, hot: bool) -> str:
        if not self.level:
            return ""
        held = f"the board {'is' if hot else 'was'} held back ({self._cause})"
        return f"throttled, {', '.join(WORDS[: self.level])}: {held}"
