"""Where a board is: `[USER@]HOST[:PORT]`, of which nothing can become an option or a command."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fer_edge.errors import UsageError

_NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_ADDRESS = re.compile(
    rf"(?:(?P<user>{_NAME})@)?(?:(?P<host>{_NAME})|\[(?P<six>[0-9A-Fa-f:.]+(?:%[A-Za-z0-9_.-]+)?)\])(?::(?P<port>[0-9]{{1,5}}))?"
)
MAX_PORT = 65535
MAX_CHARS = 300


@dataclass(frozen=True)
class Address:
    """As it was given; user and port are None where ssh's own configuration is to say."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        """As sentences speak of it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (f"{self.user}@" if self.user else "") + host + (f":{self.port}" if self.port else "")


def address(text: str) -> Address:
    """Raises UsageError for what is none: letters, digits, `.`, `-` and `_` make a name, and none begins with `-`."""
    found = _ADDRESS.fullmatch(text) if len(text) <= MAX_CHARS else None
    if found is None:
        raise UsageError(f"a board is [USER@]HOST[:PORT], or [USER@][IPV6][:PORT], found {text[:MAX_CHARS]!r}")
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port <= MAX_PORT:
        raise UsageError(f"a port is 1 to {MAX_PORT}, found {port}")
    return Address(found["host"] or found["six"], found["user"], port)
