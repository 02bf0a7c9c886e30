"""One verb on a board: carry what it needs, follow it, bring back what it found, with where that was."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_bench.remote.address import Address
from fer_bench.remote.cargo import CHUNK_BYTES, RESULT, Cargo
from fer_bench.remote.ssh import Connection, plain
from fer_bench.remote.wire import Closed, Frame, Silence, Wire
from fer_bench.results.rows import count
from fer_edge import __version__
from fer_edge.errors import InputError

PING_S = 15.0
"""Something is said to the board this often; it ends the verb when it hears nothing for six times as long."""
SETUP_S = 120.0
"""For each answer while files are carried; a card that is slow to write has this long."""
MAX_RESULT_BYTES = 512 * 1024 * 1024

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """Where, with which interpreter, and whether what was carried stays. into: a folder that an earlier run left."""

    address: Address
    python: str = "python3"
    keep: bool = False
    into: str | None = None


@dataclass
class Outcome:
    """What came back.

    document: the verb's JSON with its provenance; None when it wrote none. table: its words. kept: the folder that
    stays over there.
    """

    status: int
    document: dict[str, Any] | None
    table: str
    kept: str | None


class Names:
    """Paths over there as the person here wrote them."""

    def __init__(self) -> None:
        """Nothing is known before the folder is."""
        self.pairs: list[tuple[str, str]] = []
        self.passing: str | None = None
        """Where the verb writes over there: of no interest to anybody, because it comes here."""

    def __call__(self, text: str) -> str:
        """The text, with the names from here."""
        for there, here in self.pairs:
            text = text.replace(there, here)
        return text


def run(plan: Plan, cargo: Cargo, say: Say) -> Outcome:
    """Measure over there. Ctrl-C ends the verb, which tells what it has; a second one lets go at once.

    Raises InputError when the board cannot be reached, refuses, or is lost, and RuntimeUnavailable when it has no or
    another fer-edge.
    """
    names = Names()

    def listen(line: str) -> None:
        if names.passing is None or names.passing not in line:
            say(f"{plan.address}: {names(line.removeprefix('fer-bench: '))}")

    with Connection(plan.address, plan.python, listen) as connection:
        connection.check()
        wire = connection.open()
        try:
            ready = _carry(wire, plan, cargo, say)
            names.pairs, names.passing = _places(ready, cargo), f"{ready['folder']}/out"
            wire.send(
                {
                    "kind": "run",
                    "argv": cargo.argv,
                    "trees": _frames(cargo),
                    "result": RESULT,
                }
            )
            found = _follow(wire, plan, say)
        except (Closed, Silence) as reason:
            raise connection.lost(reason) from None
    return _outcome(plan, ready, found, names)


def _frames(cargo: Cargo) -> list[Frame]:
    return [tree.as_frame() for tree in cargo.trees]


def _carry(wire: Wire, plan: Plan, cargo: Cargo, say: Say) -> Frame:
    """Say what is needed, send what is missing; returns what the other side says of itself."""
    blobs = cargo.blobs()
    sizes = {sha: size for sha, (_, size) in blobs.items()}
    wire.send({"kind": "hello", "version": __version__, "files": sizes, "into": plan.into, "keep": plan.keep})
    ready = _answered(wire, plan, "ready")
    missing: Sequence[str] = [sha for sha in ready["missing"] if sha in blobs]
    total = sum(sizes[sha] for sha in missing)
    if sizes:
        say(f"{plan.address}: {count(len(missing), 'file')} of {len(sizes)} to carry, {total / 1e6:.1f} MB")
    for sha in missing:
        path, size = blobs[sha]
        _send(wire, path, sha, size)
    return {**ready, "sent_bytes": total}


def _send(wire: Wire, path: Path, sha: str, size: int) -> None:
    """One file; the other side checks its hash."""
    wire.announce({"kind": "file", "sha256": sha}, size)
    try:
        with path.open("rb") as file:
            while size > 0:
                piece = file.read(min(size, CHUNK_BYTES))
                if not piece:
                    raise InputError(f"{path} became shorter while it was carried")
                wire.send_bytes(piece)
                size -= len(piece)
    except OSError as error:
        raise InputError(f"{path} cannot be carried: {error.strerror}") from None


def _answered(wire: Wire, plan: Plan, kind: str) -> Frame:
    frame = wire.receive(SETUP_S)
    if frame is None:
        raise Closed("no answer came")
    return _understood(frame, plan, {kind})


def _understood(frame: Frame, plan: Plan, kinds: set[str]) -> Frame:
    if frame.get("kind") == "failed":
        raise InputError(f"{plan.address}: {plain(str(frame.get('why')))}")
    if frame.get("kind") not in kinds:
        raise Closed("it says what is not understood here")
    return frame


def _follow(wire: Wire, plan: Plan, say: Say) -> dict[str, Any]:
    """Until the end: signs of life to the board, Ctrl-C to the verb; returns status, table and result."""
    found: dict[str, Any] = {"table": b"", "result": None}
    with _heeding() as (wake_fd, asked):
        while True:
            try:
                frame = wire.receive(PING_S, wake_fd)
            except Silence:
                wire.send({"kind": "ping"})
                continue
            if frame is None:
                os.read(wake_fd, 1)
                if len(asked) > 1:
                    raise KeyboardInterrupt
                say(f"{plan.address} is told to stop; what it measured comes back (Ctrl-C again: without it)")
                wire.send({"kind": "interrupt"})
                continue
            kind = _understood(frame, plan, {*found, "end"})["kind"]
            if kind == "end":
                return {**found, "status": int(frame["status"])}
            found[kind] = wire.body(frame, SETUP_S, MAX_RESULT_BYTES)


@contextlib.contextmanager
def _heeding() -> Iterator[tuple[int, list[int]]]:
    """Ctrl-C as something to read: an exception in the middle of a frame would lose a part of it."""
    read_fd, write_fd = os.pipe()
    asked: list[int] = []

    def heed(number: int, _: object) -> None:
        asked.append(number)
        os.write(write_fd, b"!")

    before = signal.signal(signal.SIGINT, heed)
    try:
        yield read_fd, asked
    finally:
        signal.signal(signal.SIGINT, before)
        os.close(read_fd)
        os.close(write_fd)


def _places(ready: Frame, cargo: Cargo) -> list[tuple[str, str]]:
    """Where each tree lies over there, and how it is called here."""
    return [(f"{ready['folder']}/trees/{number}/{tree.name}", tree.here) for number, tree in enumerate(cargo.trees)]


def _outcome(plan: Plan, ready: Frame, found: dict[str, Any], names: Names) -> Outcome:
    document = _document(plan, found["result"]) if found["result"] is not None else None
    if document is not None:
        environment = document.get("environment")
        document["environment"] = {
            **(environment if isinstance(environment, dict) else {}),
            "remote": {
                "host": str(plan.address),
                "hostname": plain(str(ready.get("hostname"))),
                "python": plain(str(ready.get("python"))),
                "fer_edge": plain(str(ready.get("version"))),
                "carried": dict(names.pairs),
                "sent_bytes": ready["sent_bytes"],
            },
        }
    kept = plain(str(ready["folder"])) if plan.keep or plan.into else None
    return Outcome(found["status"], document, names(plain(found["table"].decode("utf-8", "replace"))), kept)


def _document(plan: Plan, raw: bytes) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise InputError(f"{plan.address} sent a result that is no JSON object")
    return document
