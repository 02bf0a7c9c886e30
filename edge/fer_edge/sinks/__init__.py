"""Where events go, behind one protocol."""

from __future__ import annotations

from typing import Protocol

from fer_edge.events import Event


class Sink(Protocol):
    """Takes events. `emit` never raises: what cannot be delivered is counted in `lost` and said in the log."""

    lost: int

    @property
    def reader_gone(self) -> bool:
        """Whether nobody can ever read what is emitted from now on, so that the run has lost its purpose."""

    def emit(self, event: Event) -> None:
        """Deliver one event, or count it as lost."""

    def close(self) -> None:
        """Finish what was begun; may be called twice."""
