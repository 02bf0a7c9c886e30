"""Row 8: of a camera that is faster than the model the newest frame wins; the others are counted, none is old."""

from __future__ import annotations

import threading

from fer_edge.types import Frame
from support.daemons import PATIENCE_S, OneFace, ScriptedCamera, daemon

FRAMES, TIMES_FASTER = 500, 50


class Fast(ScriptedCamera):
    """Fifty frames for each that is thought about."""

    def __init__(self) -> None:
        super().__init__(range(FRAMES), live=True)
        self.given, self.taken = -1, 0
        self.changed = threading.Condition()

    def read(self, timeout_s: float) -> Frame | None:
        with self.changed:
            following = self.given + 1
            if following and following % TIMES_FASTER == 0:
                self.changed.wait_for(lambda: self.taken >= following // TIMES_FASTER, PATIENCE_S)
            frame = super().read(timeout_s)
            self.given = FRAMES if frame is None else frame.seq
            self.changed.notify_all()
            return frame


def test_frames_are_dropped_and_never_old() -> None:
    camera = Fast()
    ages: list[int] = []

    def think(frame: Frame) -> None:
        with camera.changed:
            ages.append(camera.given - frame.seq)
            camera.taken += 1
            camera.changed.notify_all()
            wanted = min(camera.taken * TIMES_FASTER, FRAMES - 1)
            camera.changed.wait_for(lambda: camera.given >= wanted, PATIENCE_S)

    subject, sink = daemon([camera], OneFace(also=think))
    subject.run()
    counted = next(event for event in sink.events if event["type"] == "statistics")
    assert counted["frames"] == len(ages)
    assert counted["dropped_frames"] == FRAMES - len(ages)
    assert len(ages) <= FRAMES // TIMES_FASTER + 2
    assert max(ages[1:]) < 2 * TIMES_FASTER
