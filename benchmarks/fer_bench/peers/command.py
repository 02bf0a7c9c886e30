"""A foreign command that gets a clip and writes a line of JSON for every frame, measured from outside."""

from __future__ import annotations

import json
import os
import select
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from fer_bench.peers.adapter import Peer
from fer_bench.peers.talking import started, stop
from fer_bench.pipeline.loops import Job
from fer_bench.pipeline.plan import Plan
from fer_bench.processes.children import ChildFailed, Json, death, last_line
from fer_edge.clock import SystemClock

ALL_FRAMES = 2**31 - 1
"""What {max_frames} is where the whole clip is asked for."""
MAX_OUTPUT_BYTES = 256 << 20
CHUNK_BYTES = 1 << 20
MIN_FRAMES = 10
"""Less tells nothing: the kernel counts a process's CPU in steps of 10 ms."""
BLOCK_LINES = 16
"""More lines at a time than this, on average, and the command keeps its lines back in a buffer."""
KIB = 1024


@dataclass
class Watched:
    """What was seen of the process: its lines, when the first and the last came, and what it had used by then."""

    text: bytearray = field(default_factory=bytearray)
    arrivals: int = 0
    first: tuple[float, float] | None = None
    last: tuple[float, float] = (0.0, 0.0)
    first_face_s: float | None = None
    peak_rss_bytes: int | None = None


def clip(peer: Peer, plan: Plan, job: Job) -> Json:
    """Run the command on the clip.

    CPU and frames per second are from the first line to the last, so that the start-up, with the first frame, stays
    out; `cpu_s` is of all of it. A process that it starts itself counts once it has ended.
    """
    limit = job.max_frames or ALL_FRAMES
    argv = peer.filled(peer.adapter.command, clip=job.source, max_frames=str(limit))
    with tempfile.TemporaryFile() as complaints:
        seen, status = _watch(peer, argv, complaints, plan.timeout_s)
        complaints.seek(0)
        said = complaints.read()
    if status:
        raise ChildFailed(death(status, said))
    frames = _frames(bytes(seen.text), said)
    if len(frames) < MIN_FRAMES or seen.first is None:
        raise ChildFailed(f"told of {len(frames)} frames, and {MIN_FRAMES} are needed at least{last_line(said)}")
    if len(frames) > BLOCK_LINES * (seen.arrivals - 1):
        raise ChildFailed("wrote its lines in blocks, so its work cannot be told from its start: flush after each line")
    cpu_s, seconds = seen.last[0] - seen.first[0], seen.last[1] - seen.first[1]
    found: Json = {
        "frames": len(frames),
        "seconds": seconds,
        "fps": (len(frames) - 1) / seconds,
        "cpu_ms_per_frame": 1e3 * cpu_s / (len(frames) - 1),
        "cpu_s": seen.last[0],
        "peak_rss_bytes": seen.peak_rss_bytes,
        "found": frames,
    }
    return found | ({} if seen.first_face_s is None else {"first_face_s": seen.first_face_s})


def _watch(peer: Peer, argv: list[str], complaints: IO[bytes], timeout_s: float) -> tuple[Watched, int]:
    """Read what it writes as it comes, to its end."""
    clock, seen = SystemClock(), Watched()
    begun_s = clock.monotonic_s()
    process = started(peer, argv, complaints)
    try:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("both ends are pipes")
        process.stdin.close()
        stream = process.stdout.fileno()
        while True:
            left_s = begun_s + timeout_s - clock.monotonic_s()
            if left_s <= 0 or not select.select([stream], [], [], left_s)[0]:
                raise ChildFailed(f"did not end within {timeout_s:g} s and was stopped")
            part = os.read(stream, CHUNK_BYTES)
            if not part:
                break
            _note(seen, part, clock.monotonic_s() - begun_s, process.pid)
        return seen, process.wait()
    finally:
        stop(process)


def _note(seen: Watched, part: bytes, now_s: float, pid: int) -> None:
    line_begins = seen.text.rfind(b"\n") + 1  # a line may come in pieces, its end alone as the last of them
    seen.text += part
    if len(seen.text) > MAX_OUTPUT_BYTES:
        raise ChildFailed(f"wrote more than {MAX_OUTPUT_BYTES >> 20} MiB")
    if b"\n" not in part:
        return
    seen.arrivals += 1
    seen.last = (_cpu_s(pid) or seen.last[0], now_s)
    seen.first = seen.first or seen.last
    seen.peak_rss_bytes = _peak_rss_bytes(pid) or seen.peak_rss_bytes
    if seen.first_face_s is None and b'"box"' in seen.text[line_begins:]:
        seen.first_face_s = now_s


def _frames(text: bytes, said: bytes) -> dict[str, list[object]]:
    """{frame number: faces} from lines of {"frame": 0, "faces": [...]}."""
    found: dict[str, list[object]] = {}
    for line in text.splitlines():
        try:
            told = json.loads(line)
            found[str(int(told["frame"]))] = list(told["faces"])
        except (ValueError, TypeError, KeyError):
            raise ChildFailed(
                f'wrote {line[:60]!r} where a line as {{"frame": 0, "faces": [...]}} was expected{last_line(said)}'
            ) from None
    return found


def _cpu_s(pid: int) -> float | None:
    """CPU seconds of a process and of those it started and waited for."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return sum(int(ticks) for ticks in text.rpartition(")")[2].split()[11:15]) / os.sysconf("SC_CLK_TCK")


def _peak_rss_bytes(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return next((int(line.split()[1]) * KIB for line in text.splitlines() if line.startswith("VmHWM:")), None)
