"""What can be set of the web server, and what a listening address may look like."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from fer_edge.errors import ConfigError
from fer_edge.strict import StrictModel
from fer_edge.system.secrets import Secret, read_secret
from fer_edge.web.limits import MAX_TOKEN_CHARS, MIN_TOKEN_CHARS

LOOPBACK = ("127.0.0.1", "::1")
MAX_NAMES = 16
MAX_SOCKET_PATH_BYTES = 107
"""Of `sun_path` in Linux, less its closing zero."""
NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
"""A host name as DNS has it, in lower case, without the dot at its end."""
_FORMS = "127.0.0.1:8080, [::1]:8080, localhost:8080, unix:/run/fer-edge/http.sock, 0.0.0.0:8080 (with a token) or off"


@dataclass(frozen=True)
class Listen:
    """Where to listen: at IP addresses and a port (0: any free one), or at the path of a Unix socket, or nowhere."""

    hosts: tuple[str, ...] = ()
    port: int = 0
    path: str = ""

    @property
    def off(self) -> bool:
        """Whether nothing listens."""
        return not self.hosts and not self.path

    @property
    def private(self) -> bool:
        """Whether only this machine can connect."""
        return all(ipaddress.ip_address(host).is_loopback for host in self.hosts)


class HttpSettings(StrictModel):
    """Where the page is, who may see it, and whether pictures are shown.

    listen: see `parse_listen`. names: further host names by which browsers reach this machine, as `pi.local`.
    token_file: a path, or the name of a systemd credential, that holds the token that every request has to bring.
    pictures: show what the camera sees, at most `picture_fps` times per second, as JPEG of `picture_quality`.
    """

    listen: str = "off"
    names: Annotated[tuple[str, ...], Field(strict=False, max_length=MAX_NAMES)] = ()
    token_file: str | None = None
    pictures: bool = False
    picture_fps: Annotated[float, Field(gt=0.0, le=30.0)] = 5.0
    picture_quality: Annotated[int, Field(ge=20, le=95)] = 75

    @field_validator("listen")
    @classmethod
    def _address(cls, value: str) -> str:
        parse_listen(value)
        return value

    @field_validator("names")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not NAME.fullmatch(name) and not _is_ip(name):
                raise ValueError(
                    f"{name!r} is no host name: expected one as in a URL, in lower case and without a port"
                )
        return value

    @model_validator(mode="after")
    def _closed(self) -> HttpSettings:
        if self.token_file is None and not parse_listen(self.listen).private:
            raise ValueError(
                f"listen = {self.listen!r} can be reached from other machines and needs token_file; "
                "without a token only 127.0.0.1, [::1], localhost and unix: are allowed"
            )
        return self


def parse_listen(text: str) -> Listen:
    """`IP:PORT`, `[IPv6]:PORT`, `localhost:PORT` (both loopback addresses), `unix:PATH` or `off`; else ValueError."""
    if text == "off":
        return Listen()
    if text.startswith("unix:"):
        return _unix(text.removeprefix("unix:"))
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError(f"{text!r} is no address to listen at: expected {_FORMS}")
    if host == "localhost":
        return Listen(LOOPBACK, int(port))
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not _is_ip(bare) or (":" in bare) == (bare == host):
        raise ValueError(f"{text!r} is no address to listen at: expected {_FORMS}")
    return Listen((bare,), int(port))


def _unix(path: str) -> Listen:
    if not path.startswith("/") or "\0" in path or len(path.encode()) > MAX_SOCKET_PATH_BYTES:
        raise ValueError(
            f"unix:{path} is no place for a socket: expected an absolute path of at most {MAX_SOCKET_PATH_BYTES} bytes"
        )
    return Listen(path=path)


def _is_ip(text: str) -> bool:
    try:
        return ipaddress.ip_address(text) is not None and "%" not in text
    except ValueError:
        return False


def read_token(source: str) -> Secret:
    """The token in a file, or in systemd's credential of that name; raises ConfigError, which never shows it."""
    token = read_secret(source, "the token of http")
    text = token.reveal()
    good = all("!" <= char <= "~" for char in text)
    if not good or not MIN_TOKEN_CHARS <= len(text) <= MAX_TOKEN_CHARS:
        raise ConfigError(
            f"{source} holds no usable token for http: expected {MIN_TOKEN_CHARS} to {MAX_TOKEN_CHARS} "
            "ASCII characters without spaces, such as `openssl rand -hex 24` prints"
        )
    return token
