"""Runs a peer's snippet in the peer's own interpreter: standard library and numpy, OpenCV for clips; Python 3.8 on.

Started as a script by `talking`. On standard input come lines of JSON, each followed by as many bytes of a picture
(.npy) as its `bytes` says; each is answered by a line of JSON on standard output.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

WARMUP_RUNS = 20
WARMUP_S = 0.2
MAX_SAMPLES = 200_000
NS_PER_S = 1e9
MAX_SHOWN_CHARS = 80


class Failed(Exception):  # noqa: N818 - read as a sentence
    """The peer gave nothing that can be used; the message is the reason."""


def sample(infer: Callable[[], object], min_runs: int, min_seconds: float, clock: Callable[[], float]) -> list[int]:
    """Nanoseconds of each call, until time and count are both reached, or MAX_SAMPLES."""
    samples: list[int] = []
    begin = clock()
    while True:
        start = clock()
        infer()
        end = clock()
        samples.append(round((end - start) * NS_PER_S))
        enough = len(samples) >= min_runs and end - begin >= min_seconds
        if enough or len(samples) >= MAX_SAMPLES:
            return samples


class Snippet:
    """The adapter's file, run once, and its functions."""

    def __init__(self, path: str, options: dict[str, Any]) -> None:
        """Run it, then its `load()`; how long that took is `load_ms`."""
        begin = _clock()
        self._module = types.ModuleType("peer")
        self._module.__file__ = path
        try:
            code = compile(Path(path).read_bytes(), path, "exec")
        except (OSError, SyntaxError, ValueError) as error:
            raise Failed(f"the snippet cannot be read: {_told(error)}") from error
        self._guarded("the snippet", lambda: exec(code, self._module.__dict__))  # noqa: S102 - no import: that would write a __pycache__ beside it
        self._call("load", **options)
        self.load_ms = (_clock() - begin) * 1e3

    def classify(self, crop: Any) -> dict[str, float]:  # noqa: ANN401 - an array
        """{label: probability} of one face."""
        return _shares(self._call("classify", crop), "classify()")

    def faces(self, frame: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - an array
        """Boxes and probabilities of the faces in a frame."""
        found = self._call("faces", frame)
        try:
            return [_face(box, shares) for box, shares in found]
        except (TypeError, ValueError):
            raise Failed(f"faces() gave {_shown(found)} where a list of (box, probabilities) was expected") from None

    def _call(self, name: str, *arguments: object, **options: object) -> Any:  # noqa: ANN401 - whatever it gives
        function = getattr(self._module, name, None)
        if not callable(function):
            raise Failed(f"the snippet has no function {name}()")
        return self._guarded(f"{name}()", lambda: function(*arguments, **options))

    @staticmethod
    def _guarded(what: str, work: Callable[[], object]) -> object:
        try:
            return work()
        except (Exception, SystemExit) as error:
            raise Failed(f"{what} failed: {_told(error)}") from error


def timed(snippet: Snippet, request: dict[str, Any], crop: Any) -> dict[str, Any]:  # noqa: ANN401 - an array
    """First call, warm-up, steady calls; cpu_s and wall_s of the steady calls tell how many cores were at work."""
    answers: list[dict[str, float]] = [{}]

    def infer() -> None:
        answers[0] = snippet.classify(crop)

    first_ns = sample(infer, 1, 0.0, _clock)[0]
    warmup_ns = sample(infer, WARMUP_RUNS, WARMUP_S, _clock)
    cpu_s, begin = time.process_time(), _clock()
    samples_ns = sample(infer, request["min_runs"], request["min_seconds"], _clock)
    return {
        "first_ms": first_ns / 1e6,
        "warmup_ns": warmup_ns,
        "samples_ns": samples_ns,
        "cpu_s": time.process_time() - cpu_s,
        "wall_s": _clock() - begin,
        "peak_rss_bytes": peak_rss_bytes(),
        "answer": answers[0],
    }


def played(snippet: Snippet, request: dict[str, Any], tell: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Every frame of a clip: decode, find, classify; timed from after a first try on, as our own loops are."""
    import numpy as np  # noqa: PLC0415 - only here: what a peer imports may depend on the order

    snippet.faces(np.zeros_like(next(_frames(request["source"]))))
    cpu_s, begin = time.process_time(), _clock()
    found: dict[int, list[dict[str, Any]]] = {}
    number, told = 0, False
    for frame in _frames(request["source"]):
        if number == request["max_frames"]:
            break
        found[number] = snippet.faces(frame)
        number += 1
        if found[number - 1] and not told:
            told = True
            tell({"told": "first face"})
    cpu_s, seconds = time.process_time() - cpu_s, _clock() - begin
    return {
        "frames": number,
        "seconds": seconds,
        "fps": number / seconds,
        "cpu_ms_per_frame": 1e3 * cpu_s / number,
        "cpu_s": time.process_time(),
        "peak_rss_bytes": peak_rss_bytes(),
        "found": found,
    }


def peak_rss_bytes() -> int | None:
    """The most memory that this process ever held; None where /proc does not tell."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), None)


class Runner:
    """Answers requests, the first of which is `load`."""

    def __init__(self, tell: Callable[[dict[str, Any]], None]) -> None:
        """tell: for what is said before the answer."""
        self._tell = tell
        self._snippet: Snippet | None = None

    def answer(self, request: dict[str, Any], picture: bytes) -> dict[str, Any]:
        """One request."""
        if request["do"] == "load":
            self._snippet = Snippet(request["snippet"], request["options"])
            return {"load_ms": self._snippet.load_ms, "python": sys.version.split()[0]}
        if self._snippet is None:
            raise Failed("nothing was loaded")
        if request["do"] == "time":
            return timed(self._snippet, request, _array(picture))
        if request["do"] == "classify":
            return {"answer": self._snippet.classify(_array(picture))}
        return played(self._snippet, request, self._tell)


def main(given: IO[bytes], said: IO[str]) -> None:
    """Until standard input ends."""

    def tell(message: dict[str, Any]) -> None:
        said.write(json.dumps(message) + "\n")
        said.flush()

    runner = Runner(tell)
    for line in iter(given.readline, b""):
        request = json.loads(line)
        try:
            tell(runner.answer(request, given.read(request.get("bytes", 0))))
        except Failed as reason:
            tell({"error": str(reason)})


def _clock() -> float:
    return time.perf_counter()  # noqa: TID251 - fer_edge.clock is not installed where this runs


def _array(picture: bytes) -> Any:  # noqa: ANN401 - an array, of a numpy that mypy does not know
    import numpy as np  # noqa: PLC0415 - only where it is needed

    return np.load(io.BytesIO(picture), allow_pickle=False)


def _frames(source: str) -> Any:  # noqa: ANN401 - an iterator of arrays
    try:
        import cv2  # noqa: PLC0415 - only for clips
    except ImportError as error:
        raise Failed(f"clips are read with OpenCV, which the peer's interpreter lacks: {_told(error)}") from error
    capture = cv2.VideoCapture(source)
    good, frame = capture.read()
    if not good:
        raise Failed(f"the peer's OpenCV reads no frame of {source}")
    while good:
        yield frame
        good, frame = capture.read()
    capture.release()


def _face(box: Any, shares: object) -> dict[str, Any]:  # noqa: ANN401 - whatever the snippet gives
    sides = [float(value) for value in box]
    if len(sides) != 4:
        raise ValueError("a box has four numbers")
    return {"box": sides, "probabilities": _shares(shares, "faces()")}


def _shares(found: Any, what: str) -> dict[str, float]:  # noqa: ANN401 - whatever the snippet gives
    """Plain numbers from any kind of number: numpy's are not JSON's."""
    try:
        return {str(label): float(share) for label, share in found.items()}
    except (AttributeError, TypeError, ValueError):
        raise Failed(f"{what} gave {_shown(found)} where {{label: probability}} was expected") from None


def _told(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _shown(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= MAX_SHOWN_CHARS else text[: MAX_SHOWN_CHARS - 3] + "..."


if __name__ == "__main__":
    # What libraries print must not get among the answers, and they have no business with what is asked.
    answers, requests = os.dup(1), os.dup(0)
    os.dup2(2, 1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.path[0] = sys.argv[1]  # the snippet's folder, and not this one, whose modules may have a library's names
    with os.fdopen(requests, "rb") as asked, os.fdopen(answers, "w", encoding="utf-8") as out:
        main(asked, out)
