"""Sockets to listen with, bounded in what one dead client can hold."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from fer_edge.errors import OutputError
from fer_edge.web.limits import BACKLOG, RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES, USER_TIMEOUT_MS
from fer_edge.web.settings import Listen

SOCKET_MODE = 0o660
"""Owner and group may connect: a proxy joins the group."""
_NO_IPV6 = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


def listening(listen: Listen) -> list[socket.socket]:
    """One socket per address, or the Unix socket; raises OutputError in one sentence when it cannot be had.

    `localhost` goes without ::1 on a machine that has no IPv6.
    """
    if listen.path:
        return [_unix(listen.path)]
    found: list[socket.socket] = []
    port = listen.port
    for host in listen.hosts:
        try:
            found.append(_tcp(host, port))
        except OSError as error:
            if found and error.errno in _NO_IPV6:
                continue
            for each in found:
                each.close()
            raise OutputError(f"the page cannot listen at {where(host, port)}: {error.strerror}") from None
        port = int(found[0].getsockname()[1])
    return found


def where(host: str, port: int) -> str:
    """As in a URL."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tcp(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a restart need not wait for old connections
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        made.bind((host, port))
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def _unix(path: str) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _clear(path)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        made.bind(path)
        os.chmod(path, SOCKET_MODE)  # noqa: PTH101 - before anybody can connect, which needs `listen`
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise OutputError(f"the page cannot listen at unix:{path}: {error.strerror}") from None
    except OutputError:
        made.close()
        raise
    return made


def _clear(path: str) -> None:
    """Remove the socket of a process that died; whatever else is there stays, and is an error."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OutputError(f"the page cannot listen at unix:{path}: something is there that is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        try:
            knock.connect(path)
        except OSError:
            Path(path).unlink(missing_ok=True)
            return
    raise OutputError(f"the page cannot listen at unix:{path}: another process listens there")


def remove(path: str) -> None:
    """Take the Unix socket away; nothing happens when it is gone already."""
    Path(path).unlink(missing_ok=True)
