"""A stranger's model file, read in a process of its own, with a limit of time and memory.

What comes back is data alone: an ONNX graph, a .tflite file, numbers, or one sentence. A file that never ends, eats all
memory or breaks the reader costs that process, and a sentence.
"""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from fer_convert.sources.reading import ModelRefused, Taken, Wanted, take
from fer_edge.errors import ExitCode, FerEdgeError, RuntimeUnavailable, UsageError
from fer_edge.preprocess import PreprocessSpec
from fer_edge.types import Image

TIME_S = 900.0
"""Of reading, running on all pictures and converting once; ResNet-50 at 224 pixels on 3589 pictures takes a third."""
MEMORY_BYTES = 12 * 1024**3
"""Of addresses, of which TensorFlow alone takes three gigabytes."""
REQUEST, ANSWER, FACES = "request.json", "answer.json", "faces.npy"
GRAPH, TFLITE, OUTPUTS = "graph.onnx", "model.tflite", "outputs.npy"


def take_apart(wanted: Wanted, faces: Image, time_s: float = TIME_S, memory_bytes: int = MEMORY_BYTES) -> Taken:
    """What `reading.take` gives, from another process; raises what it raises, and ModelRefused beyond a limit."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        np.save(folder / FACES, faces, allow_pickle=False)
        request = {
            "file": str(wanted.file),
            "kind": wanted.kind,
            "preprocess": wanted.preprocess.model_dump(mode="json"),
            "labels": list(wanted.labels),
            "from_flags": wanted.from_flags,
            "memory_bytes": memory_bytes,
        }
        (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
        _run(wanted, folder, time_s)
        return _answer(folder)


def _run(wanted: Wanted, folder: Path, time_s: float) -> None:
    command = [sys.executable, "-m", "fer_convert.sources.apart", str(folder)]
    try:
        ended = subprocess.run(  # noqa: S603 - this module
            command, capture_output=True, text=True, errors="replace", timeout=time_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise ModelRefused(f"{wanted.file} was not read within {time_s:g} s") from None
    if not (folder / ANSWER).exists():
        raise ModelRefused(f"{wanted.file} cannot be read: its reader {_end(ended.returncode, ended.stderr)}")


def _end(code: int, told: str) -> str:
    if "MemoryError" in told or "std::bad_alloc" in told:
        return "ran out of the memory that it is allowed"
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with {code}"


def _answer(folder: Path) -> Taken:
    answer = json.loads((folder / ANSWER).read_text(encoding="utf-8"))
    if "error" in answer:
        kinds: dict[int, type[FerEdgeError]] = {
            int(ExitCode.USAGE): UsageError,
            int(ExitCode.UNAVAILABLE): RuntimeUnavailable,
        }
        raise kinds.get(answer["exit_code"], ModelRefused)(answer["error"])
    return Taken(
        np.load(folder / OUTPUTS, allow_pickle=False),
        (folder / GRAPH).read_bytes(),
        (folder / TFLITE).read_bytes(),
        answer["graph_reason"],
        answer["tflite_reason"],
    )


def main(folder: Path) -> int:
    """The other process: answer the request that lies in the folder."""
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    resource.setrlimit(resource.RLIMIT_AS, (request["memory_bytes"], request["memory_bytes"]))
    wanted = Wanted(
        file=Path(request["file"]),
        kind=request["kind"],
        preprocess=PreprocessSpec.model_validate(request["preprocess"]),
        labels=tuple(request["labels"]),
        from_flags=request["from_flags"],
    )
    answer: dict[str, Any]
    try:
        taken = take(wanted, np.load(folder / FACES, allow_pickle=False))
    except FerEdgeError as error:
        answer = {"error": str(error), "exit_code": int(error.exit_code)}
    else:
        np.save(folder / OUTPUTS, taken.outputs, allow_pickle=False)
        (folder / GRAPH).write_bytes(taken.graph)
        (folder / TFLITE).write_bytes(taken.tflite)
        answer = {"graph_reason": taken.graph_reason, "tflite_reason": taken.tflite_reason}
    (folder / ANSWER).write_text(json.dumps(answer), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
