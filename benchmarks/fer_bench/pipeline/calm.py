"""How often a face's label changes as the model says it, and as it is shown after smoothing, and how late that is."""

from __future__ import annotations

from dataclasses import dataclass, field

from fer_bench.processes.children import Json
from fer_edge.types import Observation


@dataclass
class _Face:
    """What was last said of a track, since when, and what was last shown of it."""

    said: str | None
    since_s: float
    shown: str | None


@dataclass
class Calm:
    """Of every track: changes of the label, `uncertain` being one, in single classifications and after smoothing.

    The delay of a change is from the first of the classifications in a row that said the new label to the frame that
    shows it. A change to what the last classification did not say has none: it is the average that moved.
    """

    said: int = 0
    shown: int = 0
    face_s: float = 0.0
    delays_s: list[float] = field(default_factory=list)
    _faces: dict[int, _Face] = field(default_factory=dict)
    _last_s: float | None = None

    def see(self, observation: Observation) -> None:
        """The next frame's."""
        now_s = observation.captured_s
        step_s = 0.0 if self._last_s is None else max(0.0, now_s - self._last_s)
        self._last_s = now_s
        for track_id in observation.left:
            self._faces.pop(track_id, None)
        for face in observation.faces:
            shown = face.expression.label
            known = self._faces.get(face.track_id)
            if known is None:
                self._faces[face.track_id] = _Face(face.raw.label if face.raw else shown, now_s, shown)
                continue
            self.face_s += step_s
            if face.raw is not None and face.raw.label != known.said:
                self.said += 1
                known.said, known.since_s = face.raw.label, now_s
            if shown != known.shown:
                self.shown += 1
                known.shown = shown
                if shown == known.said:
                    self.delays_s.append(now_s - known.since_s)

    def answer(self) -> Json:
        """As it goes into a result."""
        return {"said": self.said, "shown": self.shown, "face_s": self.face_s, "delays_s": self.delays_s}


def sentence(answer: Json) -> str:
    """For people."""
    minutes = answer["face_s"] / 60.0
    if not minutes:
        return "no face stayed for two frames, so there are no changes of labels to count"
    delays = sorted(answer["delays_s"])
    late = f", {delays[len(delays) // 2]:.2f} s later in the median (of {len(delays)})" if delays else ""
    return (
        f"labels change {answer['said'] / minutes:.0f} times per minute and face in single classifications, "
        f"{answer['shown'] / minutes:.0f} times after smoothing{late}"
    )
