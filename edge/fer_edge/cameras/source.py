"""What every source has in common: it is a context manager that closes itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

S = TypeVar("S", bound="Source")


class Source(ABC):
    """Base of the cameras; the rest of what they promise is in `fer_edge.cameras.Camera`."""

    @abstractmethod
    def close(self) -> None:
        """Release whatever is held; may be called twice."""

    def hanging(self) -> bool:
        """Whether a call into a driver has not come back, though the source was closed."""
        return False

    def __enter__(self: S) -> S:  # noqa: PYI019 - typing.Self came with Python 3.11
        """Itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close."""
        self.close()
