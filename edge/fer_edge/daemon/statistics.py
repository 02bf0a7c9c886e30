"""What is counted of a run, and how long its stages take."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from fer_edge.clock import process_cpu_s
from fer_edge.events import Event
from fer_edge.types import Observation

STAGE_SAMPLES = 4096
"""Newest frames over which stage percentiles are taken."""


@dataclass
class Statistics:
    """Counts of one run; CPU and time run from the first frame to the last."""

    frames: int = 0
    failed: int = 0
    faces: int = 0
    searches: dict[str, int] = field(default_factory=dict)
    first_s: float = 0.0
    last_s: float = 0.0
    cpu_first_s: float = 0.0
    cpu_last_s: float = 0.0
    stages_ms: dict[str, deque[float]] = field(default_factory=dict)

    def add(self, observation: Observation, now_s: float) -> None:
        """Count one processed frame."""
        self.frames += 1
        self.faces += len(observation.faces)
        self.searches[observation.searched] = self.searches.get(observation.searched, 0) + 1
        self.last_s, self.cpu_last_s = now_s, process_cpu_s()
        for name, value in observation.stages_ms.items():
            self.stages_ms.setdefault(name, deque(maxlen=STAGE_SAMPLES)).append(value)

    def begin(self, now_s: float) -> None:
        """Time and CPU run from here."""
        self.first_s, self.cpu_first_s = now_s, process_cpu_s()

    def fps(self) -> float | None:
        """Frames per second since the first; None before the second."""
        seconds = self.last_s - self.first_s
        return self.frames / seconds if seconds > 0 else None

    def fields(self, dropped: int, lost: int) -> Event:
        """For a `statistics` event; times in seconds and milliseconds."""
        seconds = self.last_s - self.first_s
        cpu_ms = (self.cpu_last_s - self.cpu_first_s) * 1000.0
        return {
            "frames": self.frames,
            "failed_frames": self.failed,
            "faces": self.faces,
            "dropped_frames": dropped,
            "lost_events": lost,
            "searches": dict(self.searches),
            "seconds": round(seconds, 3),
            "fps": round(self.frames / seconds, 2) if seconds > 0 else None,
            "cpu_ms_per_frame": round(cpu_ms / self.frames, 3) if self.frames else None,
            "stages_ms": {name: _percentiles(values) for name, values in self.stages_ms.items()},
        }


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {f"p{q}": round(ordered[min(len(ordered) - 1, len(ordered) * q // 100)], 3) for q in (50, 95, 99)}
