"""The system's ssh, with the user's configuration and agent: one connection, never a question, every word quoted."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import IO, Any

from fer_bench.remote.address import Address
from fer_bench.remote.wire import Closed, Silence, Wire
from fer_edge import __version__
from fer_edge.errors import InputError, RuntimeUnavailable

CONNECT_S = 15
ALIVE_S = 15
ALIVE_COUNT = 4
"""An ssh that hears nothing for a minute ends."""
LINGER_S = 30
"""The shared connection outlives its last use by this, in case this process is killed."""
PROBE_S = 60.0
END_S = 15.0
MAX_LINE_CHARS = 2000
LAST_LINES = 20
MAX_SAID_BYTES = 64 * 1024
OPTIONS = {
    "BatchMode": "yes",
    "ConnectTimeout": str(CONNECT_S),
    "ServerAliveInterval": str(ALIVE_S),
    "ServerAliveCountMax": str(ALIVE_COUNT),
    "ControlMaster": "auto",
    "ControlPersist": str(LINGER_S),
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "ForwardX11": "no",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "RequestTTY": "no",
}
"""What a measurement needs whatever the user's configuration says of interactive sessions."""
SSH_FAILED = 255
NOT_FOUND = 127
PATHS = "import sys; sys.path[:] = filter(None, sys.path); "
"""No module is taken from the folder in which the shell over there begins."""
PROBE = (
    PATHS + "import json, importlib.util as u; print(json.dumps({"
    '"python": sys.version.split()[0], '
    '"version": __import__("fer_edge").__version__ if u.find_spec("fer_edge") else None, '
    '"whole": bool(u.find_spec("fer_bench") and u.find_spec("fer_bench.remote"))}))'
)
SERVE = PATHS + "from fer_bench.remote.there import main; sys.exit(main())"

Say = Callable[[str], None]


class Connection:
    """One board for one run; a context manager. Whatever happens, ssh and what it started over there end."""

    def __init__(self, address: Address, python: str, listen: Say) -> None:
        """python: the interpreter over there. listen: gets every line that comes from there beside the frames."""
        self.address, self._python, self._listen = address, python, listen
        self._folder = Path(tempfile.mkdtemp(prefix="fb-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._reader: Thread | None = None
        self._last: deque[str] = deque(maxlen=LAST_LINES)

    def __enter__(self) -> Connection:  # noqa: PYI034 - Python 3.10 has no Self
        """Nothing happens before `check`."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what is there, the shared connection last."""
        try:
            self._end()
        finally:
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                _quietly(self._command("-O", "exit"))
            shutil.rmtree(self._folder, ignore_errors=True)

    def check(self) -> None:
        """Raise a sentence unless the board lets us in and has the same fer-edge as this machine."""
        if shutil.which("ssh") is None:
            raise RuntimeUnavailable("there is no ssh on this machine: sudo apt install openssh-client")
        status, out, err = _quietly(self._command(self._words(PROBE)))
        if status == SSH_FAILED:
            raise InputError(why_not(self.address, err))
        found = _answer(out)
        if found is None:
            reason = "there is none" if status == NOT_FOUND else _last_line(err) or f"it ended with status {status}"
            raise RuntimeUnavailable(
                f"{self.address} does not run the Python {self._python}: {reason}; name another with --python"
            )
        if found.get("version") != __version__ or not found.get("whole"):
            raise RuntimeUnavailable(self._unlike(found))

    def open(self) -> Wire:
        """Start the other side; its frames, after its mark. Raises InputError."""
        command = self._command(self._words(SERVE))
        # A session of its own: Ctrl-C is for this process, which then says it over the wire.
        self._process = subprocess.Popen(  # noqa: S603 - ssh, and words that were quoted
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        if self._process.stdin is None or self._process.stdout is None or self._process.stderr is None:
            raise AssertionError
        self._reader = Thread(target=self._lines, args=(self._process.stderr,), daemon=True)
        self._reader.start()
        wire = Wire(self._process.stdout.fileno(), self._process.stdin.fileno())
        try:
            wire.find_mark(PROBE_S)
        except (Closed, Silence) as reason:
            raise self.lost(reason) from None
        return wire

    def lost(self, reason: Exception) -> InputError:
        """The error to raise when the wire broke: with the last that was said over there."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(END_S)
        if self._reader is not None:
            self._reader.join(END_S)
        said = f"; the last that it said: {self._last[-1]}" if self._last else ""
        return InputError(f"{self.address} gave no result, {reason}{said}")

    def _words(self, code: str) -> str:
        """One command for the shell over there: fixed code, and an interpreter that is quoted."""
        return f"exec {shlex.quote(self._python)} -c {shlex.quote(code)}"

    def _command(self, *words: str) -> list[str]:
        """Ssh with our options; `words` are a command for over there, or ssh's own `-O exit`."""
        options = {**OPTIONS, "ControlPath": str(self._folder / "c").replace("%", "%%")}
        command = ["ssh", "-T", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]
        if self.address.user is not None:
            command += ["-l", self.address.user]
        if self.address.port is not None:
            command += ["-p", str(self.address.port)]
        if words[0] == "-O":
            return [*command, *words, "--", self.address.host]
        return [*command, "--", self.address.host, *words]

    def _lines(self, stream: IO[bytes]) -> None:
        for raw in stream:
            line = plain(raw.decode("utf-8", "replace").rstrip("\r\n"))[:MAX_LINE_CHARS]
            if line:
                self._last.append(line)
                self._listen(line)

    def _end(self) -> None:
        """The end of its input tells the other side to end; a connection that hangs is cut."""
        process = self._process
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            process.wait(END_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if self._reader is not None:
            self._reader.join(END_S)
        if process.stderr is not None:
            process.stderr.close()

    def _unlike(self, found: dict[str, Any]) -> str:
        """That fer-edge is not there, or another one is, and what to do."""
        install = f"install it there: {shlex.quote(self._python)} -m pip install 'fer-edge[bench]=={__version__}'"
        if found.get("version") is None:
            state = f"fer-edge is not installed for {self._python} ({found.get('python')}) on {self.address}"
        elif found["version"] != __version__:
            state = (
                f"{self.address} has fer-edge {found['version']} and this machine {__version__}, which do not compare"
            )
        else:
            state = f"fer-edge {__version__} on {self.address} is without this part of fer-bench"
        return f"{state}; {install}; or name the Python of its environment with --python"


def why_not(address: Address, stderr: str) -> str:
    """What ssh's refusal means, in one sentence with what to do."""
    if "IDENTIFICATION HAS CHANGED" in stderr:
        return (
            f"{address} shows another host key than the one that is known: if the board was set up anew, "
            f"`ssh-keygen -R {address.host}` and connect once by hand; if not, somebody is in between"
        )
    if "Host key verification failed" in stderr:
        return f"the host key of {address} is not known here: connect once by hand, ssh {address.host}"
    if "Permission denied" in stderr:
        return f"{address} does not let this user in without a password: ssh-copy-id {address.host}"
    return f"{address} cannot be reached: {_last_line(stderr) or 'ssh gave no reason'}"


def plain(text: str) -> str:
    """Without what could steer a terminal: the board may not be whom we take it for."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)


def _quietly(command: list[str]) -> tuple[int, str, str]:
    """Status, output and complaints of a command that asks nothing; files, for a shared connection keeps pipes open."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(  # noqa: S603 - ssh, and words that were quoted
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        try:
            status = process.wait(PROBE_S)
        except subprocess.TimeoutExpired:
            status = SSH_FAILED
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(plain(file.read(MAX_SAID_BYTES).decode("utf-8", "replace")))
    return status, texts[0], texts[1]


def _answer(out: str) -> dict[str, Any] | None:
    """The last line that is JSON: start files of the shell over there may print before it."""
    for line in reversed(out.splitlines()):
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                return found
    return None


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:MAX_LINE_CHARS] if lines else ""
