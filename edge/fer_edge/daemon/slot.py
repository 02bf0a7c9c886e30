"""The only thing between two threads: a mailbox with one place, where the newest wins, or the writer waits."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Slot(Generic[T]):
    """One-element mailbox.

    A `patient` writer waits until its item was taken, so that nothing is lost (clips, pictures). Any other replaces
    what was not taken in time, and the loss is counted (live cameras: latency stays bounded).
    """

    def __init__(self, *, patient: bool = False) -> None:
        """An empty, open slot."""
        self._patient = patient
        self._changed = threading.Condition()
        self._item: T | None = None
        self._closed = False
        self.dropped = 0

    def be_patient(self, patient: bool) -> None:
        """Whether a writer waits from now on."""
        with self._changed:
            self._patient = patient

    def put(self, item: T) -> bool:
        """Leave an item; False when the slot is closed and the item was not taken over."""
        with self._changed:
            if self._patient:
                self._changed.wait_for(lambda: self._item is None or self._closed)
            elif self._item is not None:
                self.dropped += 1
            if self._closed:
                return False
            self._item = item
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float | None = None) -> T | None:
        """The item, or None when none came in time or the slot is closed and empty."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout_s)
            item, self._item = self._item, None
            self._changed.notify_all()
            return item

    def close(self) -> None:
        """Let waiting readers and writers go; what lies in the slot may still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def finished(self) -> bool:
        """Whether it is closed and nothing is left to take."""
        with self._changed:
            return self._closed and self._item is None
