"""Our side of a talk with a peer's process: requests and pictures go in, lines of JSON come out, each in its time."""

from __future__ import annotations

import io
import json
import os
import select
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from fer_bench.peers.adapter import Peer
from fer_bench.processes.children import ChildFailed, Json, death, last_line
from fer_edge.clock import SystemClock
from fer_edge.types import Image

RUNNER = Path(__file__).with_name("runner.py")
MAX_LINE_BYTES = 64 << 20
"""Of one answer: 200,000 samples, or the faces of a long clip, are a few MB."""
CHUNK_BYTES = 1 << 16
VERSION_S = 60.0
"""A version command may have to import a large library."""
MAX_VERSION_CHARS = 40


class Talk:
    """A peer's process, from its start to its end; every answer may take `timeout_s`.

    All that goes wrong is a ChildFailed with its reason.
    """

    def __init__(self, peer: Peer, timeout_s: float) -> None:
        """Nothing is started yet."""
        self._peer, self._timeout_s, self._clock = peer, timeout_s, SystemClock()
        self._buffer = b""
        self.begun_s = 0.0
        self.loaded: Json = {}

    def __enter__(self) -> Talk:  # noqa: PYI034 - typing.Self came with Python 3.11
        """Start it and let it load."""
        snippet = self._peer.snippet()
        command = [self._peer.python(), str(RUNNER), str(Path(snippet).parent)]
        self._complaints: IO[bytes] = tempfile.TemporaryFile()
        self.begun_s = self._clock.monotonic_s()
        try:
            self._process = started(self._peer, command, self._complaints)
        except ChildFailed:
            self._complaints.close()
            raise
        try:
            self.loaded = self.ask({"do": "load", "snippet": snippet, "options": self._peer.adapter.options})
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Whatever it is doing, and whatever it has started, ends."""
        self._end()

    def ask(self, request: Mapping[str, object], picture: Image | None = None) -> Json:
        """One request and its answer."""
        packed = b"" if picture is None else _npy(picture)
        self._send(json.dumps({**request, "bytes": len(packed)}).encode() + b"\n" + packed)
        return self.hear()

    def hear(self) -> Json:
        """The next line."""
        line = self._line(self._clock.monotonic_s() + self._timeout_s)
        try:
            answer: Json = json.loads(line)
        except ValueError:
            raise ChildFailed(f"answered what is not JSON: {line[:60]!r}") from None
        if "error" in answer:
            raise ChildFailed(str(answer["error"]))
        return answer

    def _send(self, data: bytes) -> None:
        """All of it, though the pipe holds less than a picture: a peer that does not read is not waited for."""
        stream = _pipe(self._process.stdin)
        deadline_s = self._clock.monotonic_s() + self._timeout_s
        left = memoryview(data)
        while left:
            ready = select.select([], [stream], [], max(0.0, deadline_s - self._clock.monotonic_s()))[1]
            if not ready:
                raise ChildFailed(self._late())
            try:
                left = left[os.write(stream, left[:CHUNK_BYTES]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise ChildFailed(self._dead()) from None

    def _line(self, deadline_s: float) -> bytes:
        stream = _pipe(self._process.stdout)
        while b"\n" not in self._buffer:
            if not select.select([stream], [], [], max(0.0, deadline_s - self._clock.monotonic_s()))[0]:
                raise ChildFailed(self._late())
            part = os.read(stream, CHUNK_BYTES)
            if not part:
                raise ChildFailed(self._dead())
            self._buffer += part
            if len(self._buffer) > MAX_LINE_BYTES:
                raise ChildFailed(f"answered with more than {MAX_LINE_BYTES >> 20} MiB")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _late(self) -> str:
        return f"gave no answer within {self._timeout_s:g} s and was stopped"

    def _dead(self) -> str:
        status = self._process.wait()
        self._complaints.seek(0)
        said = self._complaints.read()
        return death(status, said) if status else f"ended without an answer{last_line(said)}"

    def _end(self) -> None:
        stop(self._process)
        self._complaints.close()


def started(peer: Peer, command: Sequence[str], complaints: IO[bytes]) -> subprocess.Popen[bytes]:
    """A process of the peer, in a group of its own: Ctrl-C reaches us alone. ChildFailed when it does not start."""
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(  # noqa: S603 - what the user's adapter names
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=complaints,
            env=peer.environment(),
            start_new_session=True,
            bufsize=0,
        )
    except OSError as error:
        raise ChildFailed(f"{command[0]} cannot be started: {error.strerror}") from None
    os.set_blocking(_pipe(process.stdin), False)
    return process


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it has started, and close what leads to it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def version(peer: Peer) -> str | None:
    """What its version command prints, None without one; ChildFailed when that fails."""
    if not peer.adapter.version:
        return None
    command = peer.filled(peer.adapter.version)
    try:
        done = subprocess.run(  # noqa: S603 - what the user's adapter names
            command, capture_output=True, timeout=VERSION_S, check=False, env=peer.environment()
        )
    except OSError as error:
        raise ChildFailed(f"{command[0]} cannot be started: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"its version command took more than {VERSION_S:g} s") from None
    if done.returncode:
        raise ChildFailed(f"its version command {death(done.returncode, done.stderr)}")
    lines = done.stdout.decode(errors="replace").split("\n")
    told = [line.strip() for line in lines if line.strip()]
    return told[-1][:MAX_VERSION_CHARS] if told else None


def _npy(picture: Image) -> bytes:
    out = io.BytesIO()
    np.save(out, picture, allow_pickle=False)
    return out.getvalue()


def _pipe(stream: IO[bytes] | None) -> int:
    if stream is None:
        raise AssertionError("both ends are pipes")
    return stream.fileno()
