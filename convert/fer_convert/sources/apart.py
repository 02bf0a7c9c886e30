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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fer_convert.sources import reading
from fer_convert.sources.reading import ModelRefused, Taken, Wanted
from fer_edge.errors import ExitCode, FerEdgeError, RuntimeUnavailable, UsageError
from fer_edge.preprocess import PreprocessSpec
from fer_edge.types import Array, Image

TIME_S = 900.0
"""Of reading, running on all pictures and converting once; ResNet-50 at 224 pixels on 3589 pictures takes a third."""
MEMORY_BYTES = 12 * 1024**3
"""Of addresses, of which TensorFlow alone takes three gigabytes."""
REQUEST, ANSWER, FACES = "request.json", "answer.json", "faces.npy"
GRAPH, TFLITE, OUTPUTS = "graph.onnx", "model.tflite", "outputs.npy"


def take_apart(wanted: Wanted, faces: Image, time_s: float = TIME_S, memory_bytes: int = MEMORY_BYTES) -> Taken:
    """What `reading.take` gives, from another process; raises what it raises, and ModelRefused beyond a limit."""
    with _asked(wanted, faces, (), (time_s, memory_bytes)) as (folder, answer):
        return Taken(
            _array(folder / OUTPUTS),
            (folder / GRAPH).read_bytes(),
            (folder / TFLITE).read_bytes(),
            answer["graph_reason"],
            answer["tflite_reason"],
        )


def answers(wanted: Wanted, faces: Image, specs: Sequence[PreprocessSpec]) -> list[Array]:
    """What `reading.answers` gives, from another process."""
    with _asked(wanted, faces, specs, (TIME_S, MEMORY_BYTES)) as (folder, _):
        return list(_array(folder / OUTPUTS))


@contextmanager
def _asked(
    wanted: Wanted, faces: Image, specs: Sequence[PreprocessSpec], limits: tuple[float, int]
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The folder of a question that was answered, and the answer."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        np.save(folder / FACES, faces, allow_pickle=False)
        request = {
            "file": str(wanted.file),
            "kind": wanted.kind,
            "preprocess": wanted.preprocess.model_dump(mode="json"),
            "labels": list(wanted.labels),
            "from_flags": wanted.from_flags,
            "specs": [spec.model_dump(mode="json") for spec in specs],
            "memory_bytes": limits[1],
        }
        (folder / REQUEST).write_text(json.dumps(request), encoding="utf-8")
        _run(wanted, folder, limits[0])
        yield folder, _answer(folder)


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


def _answer(folder: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads((folder / ANSWER).read_text(encoding="utf-8"))
    if "error" in answer:
        kinds: dict[int, type[FerEdgeError]] = {
            int(ExitCode.USAGE): UsageError,
            int(ExitCode.UNAVAILABLE): RuntimeUnavailable,
        }
        raise kinds.get(answer["exit_code"], ModelRefused)(answer["error"])
    return answer


def _array(path: Path) -> Array:
    return np.asarray(np.load(path, allow_pickle=False))


def main(folder: Path) -> int:
    """The other process: answer the question that lies in the folder."""
    request = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    resource.setrlimit(resource.RLIMIT_AS, (request["memory_bytes"], request["memory_bytes"]))
    wanted = Wanted(
        file=Path(request["file"]),
        kind=request["kind"],
        preprocess=PreprocessSpec.model_validate(request["preprocess"]),
        labels=tuple(request["labels"]),
        from_flags=request["from_flags"],
    )
    specs = [PreprocessSpec.model_validate(spec) for spec in request["specs"]]
    try:
        answer = _done(wanted, _array(folder / FACES), specs, folder)
    except FerEdgeError as error:
        answer = {"error": str(error), "exit_code": int(error.exit_code)}
    (folder / ANSWER).write_text(json.dumps(answer), encoding="utf-8")
    return 0


def _done(wanted: Wanted, faces: Image, specs: list[PreprocessSpec], folder: Path) -> dict[str, Any]:
    if specs:
        np.save(folder / OUTPUTS, np.stack(reading.answers(wanted, faces, specs)), allow_pickle=False)
        return {}
    taken = reading.take(wanted, faces)
    np.save(folder / OUTPUTS, taken.outputs, allow_pickle=False)
    (folder / GRAPH).write_bytes(taken.graph)
    (folder / TFLITE).write_bytes(taken.tflite)
    return {"graph_reason": taken.graph_reason, "tflite_reason": taken.tflite_reason}


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
