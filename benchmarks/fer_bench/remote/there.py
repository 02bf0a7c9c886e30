"""The board's side of `fer-bench remote`: takes files, runs one verb, sends back what it gave, leaves nothing behind.

Whatever happens to the connection, the verb and all that it started end, and the folder goes.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from threading import Event, Thread
from typing import Any

from fer_bench.remote.wire import Closed, Frame, Silence, Wire
from fer_edge import __version__

SILENCE_S = 90.0
"""The other side says something every 15 s; after this long it is gone, whatever TCP believes."""
GRACE_S = 10.0
"""A verb that was interrupted has this long to put together what it measured."""
SPARE_BYTES = 64 * 1024 * 1024
"""Left free beyond what is carried."""
OWNED = ".fer-bench-remote"
"""Marks a folder that `--keep` left."""
CHILD = (
    "import signal, sys; sys.path[:] = filter(None, sys.path); "
    "signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from fer_bench.cli import main; sys.exit(main())"
)
"""The command as on a terminal: heeds Ctrl-C whatever started this, and takes no module from the current folder."""
SIGNALLED = 128
"""And the signal's number: how shells tell of a command that a signal ended."""
PR_SET_CHILD_SUBREAPER = 36
"""Of linux/prctl.h: whoever loses its parent becomes a child of this process, which can then end it."""


class Refused(Exception):  # noqa: N818 - read as a sentence
    """What was asked for cannot be done here."""


def main() -> int:
    """Serve one run on standard input and output."""
    channel = os.dup(1)
    os.dup2(2, 1)  # what libraries print must not stand between frames
    wire = Wire(0, channel)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    signal.signal(signal.SIGINT, lambda *_: None)  # not SIG_IGN, which the verb would inherit
    try:
        wire.mark()
        _serve(wire)
    except (Closed, Silence):
        return 1
    except (Refused, OSError) as reason:
        with contextlib.suppress(Closed):
            wire.send({"kind": "failed", "why": str(reason)})
        return 1
    return 0


def _serve(wire: Wire) -> None:
    hello = _expect(wire, "hello")
    with _folder(hello) as folder:
        blobs = folder / "blobs"
        blobs.mkdir(exist_ok=True)
        sizes: dict[str, int] = hello["files"]
        missing = [sha for sha, size in sizes.items() if not _has(blobs / sha, size)]
        _space(folder, sum(sizes[sha] for sha in missing))
        wire.send({"kind": "ready", "folder": str(folder), "missing": missing, **_about()})
        for sha in missing:
            frame = _expect(wire, "file")
            if frame["sha256"] != sha:
                raise Closed("another file came than was asked for")
            _store(wire, blobs, sha, frame["bytes"])
        job = _expect(wire, "run")
        trees = [_place(folder, number, tree) for number, tree in enumerate(job["trees"])]
        (folder / "out").mkdir()
        argv = [_word(word, trees, folder / "out") for word in job["argv"]]
        status = _run(wire, folder, argv)
        _send_file(wire, {"kind": "table"}, folder / "table")
        _send_file(wire, {"kind": "result"}, folder / "out" / job["result"])
    wire.send({"kind": "end", "status": status})


def _expect(wire: Wire, kind: str) -> Frame:
    """The next frame, which is of this kind; signs of life are passed over."""
    while True:
        frame = wire.receive(SILENCE_S)
        if frame is None or frame.get("kind") not in {kind, "ping"}:
            raise Closed(f"{kind} was expected")
        if frame["kind"] == kind:
            return frame


@contextlib.contextmanager
def _folder(hello: Frame) -> Iterator[Path]:
    """A private folder that goes in the end, or stays, or is one that stayed."""
    kept = hello.get("into")
    if kept is not None:
        folder = _own(Path(kept))
        for name in ("trees", "out"):
            shutil.rmtree(folder / name, ignore_errors=True)
        yield folder
        return
    folder = Path(tempfile.mkdtemp(prefix="fer-bench-"))
    try:
        (folder / OWNED).touch()
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if not hello.get("keep"):
        shutil.rmtree(folder, ignore_errors=True)


def _own(folder: Path) -> Path:
    """A folder that `--keep` left for this user and nobody else."""
    try:
        found = folder.lstat()
    except OSError as error:
        raise Refused(f"{folder} cannot be used: {error.strerror}") from None
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    if not private or not (folder / OWNED).is_file():
        raise Refused(f"{folder} is no folder that --keep left for this user alone")
    return folder


def _has(path: Path, size: int) -> bool:
    """Whether a file is there already: its name is its hash, which was checked when it came."""
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + SPARE_BYTES > free:
        raise Refused(
            f"{folder.parent} has {free / 1e6:.0f} MB left, and {(needed + SPARE_BYTES) / 1e6:.0f} MB are needed: make "
            "room, or let TMPDIR there name a larger place"
        )


def _about() -> dict[str, Any]:
    return {"hostname": platform.node(), "python": sys.executable, "version": __version__}


def _store(wire: Wire, blobs: Path, sha: str, size: int) -> None:
    """Take a file; it gets its name once its hash is right."""
    part = blobs / ".part"
    digest = hashlib.sha256()
    with part.open("wb") as file:
        for piece in wire.chunks(size, SILENCE_S):
            digest.update(piece)
            file.write(piece)
    if digest.hexdigest() != sha:
        raise Refused("a file changed on its way; measure again when nobody writes to it")
    part.rename(blobs / sha)


def _place(folder: Path, number: int, tree: Frame) -> str:
    """Lay files out under the names that they have over there; the same bytes are there once."""
    above = folder / "trees" / str(number)
    root = above / _inside(tree["name"])
    (root if tree["folder"] else above).mkdir(parents=True)
    for name, sha in tree["files"]:
        target = (root if tree["folder"] else above) / _inside(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(folder / "blobs" / sha, target)
    return str(root)


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise Refused(f"{name!r} is no name of a file in a folder")
    return path


def _word(word: Frame | str, trees: Sequence[str], out: Path) -> str:
    """A word of the command: as it is, or the path of something that was carried, with what stands before it."""
    if isinstance(word, str):
        return word
    place = trees[word["tree"]] if "tree" in word else str(out / word["output"])
    return str(word["before"]) + place


def _run(wire: Wire, folder: Path, argv: Sequence[str]) -> int:
    """The verb to its end; raises Closed when the other side went away meanwhile."""
    gone = Event()
    with (folder / "table").open("wb") as table:
        child = subprocess.Popen(  # noqa: S603 - the project's own command, without a shell
            [sys.executable, "-c", CHILD, *argv], stdin=subprocess.DEVNULL, stdout=table, start_new_session=True
        )
        try:
            Thread(target=_watch, args=(wire, child, gone), daemon=True).start()
            status = child.wait()
        finally:
            _end(child)
            _end_orphans()
    if gone.is_set():
        raise Closed("the other side is gone")
    return status if status >= 0 else SIGNALLED - status


def _watch(wire: Wire, child: subprocess.Popen[bytes], gone: Event) -> None:
    """Ctrl-C over there is Ctrl-C here; an end of the connection is too, and then patience has an end."""
    with contextlib.suppress(Closed, Silence):
        while True:
            frame = wire.receive(SILENCE_S)
            if frame is not None and frame.get("kind") == "interrupt":
                child.send_signal(signal.SIGINT)
    gone.set()
    child.send_signal(signal.SIGINT)
    try:
        child.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _end_orphans() -> None:
    """What the verb started and left: since it ended, that is this process' own children, and theirs after them."""
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == os.getpid():
                found.append(int(entry.name))
    return found


def _send_file(wire: Wire, frame: Frame, path: Path) -> None:
    """A file that the verb wrote; one that it did not is left out."""
    if path.is_file():
        wire.send(frame, path.read_bytes())


if __name__ == "__main__":
    sys.exit(main())
