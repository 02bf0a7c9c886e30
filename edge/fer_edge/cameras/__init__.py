"""Where frames come from, behind one protocol."""

from __future__ import annotations

from typing import Protocol

from fer_edge.types import Frame


class Camera(Protocol):
    """An opened source; a context manager whose exit releases it.

    name: how a person would call it. live: a live source goes on while nobody reads, so old frames may be dropped; the
    others (clips, pictures) wait, and every frame counts. fps: frames per second as the source states it, 0.0 when
    unknown.
    """

    name: str
    live: bool
    fps: float

    def read(self, timeout_s: float) -> Frame | None:
        """The next frame, or None when the source has come to its end.

        Raises CameraLost when it broke off (opening it again may help) and CameraBroken when it cannot work as asked.
        """

    def close(self) -> None:
        """Release it; may be called twice."""

    def hanging(self) -> bool:
        """Whether a call into a driver has not come back, though the camera was closed."""

    def __enter__(self) -> Camera:  # noqa: PYI034 - typing.Self came with Python 3.11
        """Itself."""

    def __exit__(self, *exc: object) -> None:
        """Close."""
