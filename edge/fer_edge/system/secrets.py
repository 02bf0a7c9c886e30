"""Passwords and tokens: read from a file or from systemd's credentials, and masked wherever they might be printed."""

from __future__ import annotations

import hmac
import os
import re
import stat
from pathlib import Path
from typing import NoReturn

from fer_edge.errors import ConfigError

MAX_SECRET_BYTES = 4096
"""A larger file is not a secret but a mistake."""
CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what `LoadCredential=` names; see systemd.exec(5)."""
MASK = "********"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Secret:
    """A text that shows itself only when asked by `reveal`, not when it is printed, logged or put into a message."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """The text itself."""
        self._value = value

    def reveal(self) -> str:
        """The text, for the one place that needs it."""
        return self._value

    def matches(self, other: str) -> bool:
        """Whether it is the same text, in a time that does not tell how much of it is right."""
        return hmac.compare_digest(self._value.encode(), other.encode("utf-8", "surrogatepass"))

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.matches(other._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        """No copy of it leaves the process."""
        raise TypeError("a secret is not written down")


def read_secret(source: str, what: str) -> Secret:
    """The first and only line of a file, or of the systemd credential of this name where `source` has no slash.

    what: "the password for MQTT", as the message shall call it. Raises ConfigError, which never shows what was read.
    """
    path = _path(source, what)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe in its place must not hang the start
    except OSError as error:
        raise ConfigError(f"{what} cannot be read from {path}: {error.strerror}") from None
    try:
        _prove_private(os.fstat(fd), path, what)  # of what is open, so that what is judged is what is read
        raw = os.read(fd, MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{what} cannot be read from {path}: {error.strerror}") from None
    finally:
        os.close(fd)
    return Secret(_text(raw, path, what))


def _path(source: str, what: str) -> Path:
    if "/" in source:
        return Path(source)
    if not _NAME.fullmatch(source):
        raise ConfigError(f"{what} is neither a path nor the name of a credential: {source!r}")
    folder = os.environ.get(CREDENTIALS)
    if not folder:
        raise ConfigError(
            f"{what} is to be the systemd credential {source!r}, but {CREDENTIALS} is not set: "
            f"give the service LoadCredential={source}:/etc/fer-edge/{source}, or name a file by a path with a slash"
        )
    return Path(folder, source)


def _prove_private(found: os.stat_result, path: Path, what: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{what} is to be read from {path}, which is not a file")
    if found.st_mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ConfigError(
            f"{what} in {path} is open to every user of this machine (mode {stat.S_IMODE(found.st_mode):04o}): "
            f"chmod 0640 {path}"
        )


def _text(raw: bytes, path: Path, what: str) -> str:
    if len(raw) > MAX_SECRET_BYTES:
        raise ConfigError(f"{what} in {path} is longer than {MAX_SECRET_BYTES} bytes")
    try:
        text = raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise ConfigError(f"{what} in {path} is not UTF-8 text") from None
    if not text:
        raise ConfigError(f"{what} in {path} is empty")
    if not text.isprintable():
        raise ConfigError(f"{what} in {path} is more than one line, or has characters that cannot be printed")
    return text
