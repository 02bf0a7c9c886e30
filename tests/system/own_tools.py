"""The p50 of `fer-bench latency` beside that of each runtime's own tool on the same file, and what the harness takes.

    python tests/system/own_tools.py BUNDLE [ROUNDS] [SECONDS] [RUNTIME]

OpenVINO's tool is its `benchmark_app`, LiteRT's its `litert-benchmark`. ONNX Runtime brings none in its wheel, so a
bare loop stands for it, and one for LiteRT's interpreter, which the device uses and `litert-benchmark` does not. Every
round is one fresh process of each kind, one right after the other, so that what else the machine does falls on both.
Told are the median over the rounds of the p50s' ratio, and the ratio of the shortest samples of all rounds. On a quiet
machine the former is judged; on a busy one, where most samples have somebody else's turn in them, the latter is. Exit
status 1 when what is judged lies beyond 10 %.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import numpy as np

from fer_bench.latency.run import WORKER
from fer_bench.latency.worker import Job
from fer_bench.machine.environment import conditions, describe
from fer_bench.machine.stability import BUSY_SHARE
from fer_bench.processes.children import ask
from fer_bench.table import render
from fer_edge.bundle import Artifact, Bundle
from fer_edge.clock import perf_s
from fer_edge.runtimes import engines_for
from fer_edge.runtimes.ov import library

BAR = 0.10
TIMEOUT_S = 600.0
WARMUP_S = 0.5
BIN = Path(sys.executable).parent
HEAD = ("artifact", "runtime", "own tool", "own p50", "our p50", "ratio", "of rounds")
HEAD_LEAST = ("own min", "our min", "ratio", "harness ns", "of p50", "of min")

Figures = tuple[float, float]
"""p50 and the shortest sample, milliseconds."""
Tool = Callable[[Path, float], Figures]


@dataclass
class Pair:
    """One artifact in one runtime against one tool; one entry per round."""

    artifact: Artifact
    runtime: str
    tool: str
    own: list[Figures] = field(default_factory=list)
    ours: list[Figures] = field(default_factory=list)
    overhead_ns: list[int] = field(default_factory=list)

    @property
    def ratios(self) -> list[float]:
        """Our p50 to theirs, round by round."""
        return [ours[0] / own[0] for ours, own in zip(self.ours, self.own, strict=True)]

    def least(self, pairs: Sequence[Pair]) -> Figures:
        """The shortest sample of all rounds, theirs and ours; ours is one measurement beside every tool."""
        same = [each for each in pairs if (each.artifact.id, each.runtime) == (self.artifact.id, self.runtime)]
        return min(own for _, own in self.own), min(ours for pair in same for _, ours in pair.ours)


def main() -> int:
    """Print a table; 1 when a ratio lies beyond the bar."""
    bundle = Bundle.open(sys.argv[1] if len(sys.argv) > 1 else "default")
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 3.0
    pairs = list(_pairs(bundle, sys.argv[4] if len(sys.argv) > 4 else None))
    busy = (conditions().load_1min or 0.0) > BUSY_SHARE * max(describe().cpu_count, 1)
    for number in range(rounds):
        for pair in pairs:
            _round(pair, bundle, seconds, ours_first=number % 2 == 0)
            sys.stderr.write(f"round {number + 1} of {rounds}: {pair.artifact.id} {pair.tool}: {pair.ratios[-1]:.3f}\n")
    sys.stdout.write(render((*HEAD, *HEAD_LEAST), [_cells(pair, pair.least(pairs)) for pair in pairs]) + "\n")
    least = [ours / own for own, ours in (pair.least(pairs) for pair in pairs)]
    judged = least if busy else [median(pair.ratios) for pair in pairs]
    what = "the shortest samples, for the machine is busy" if busy else "the p50s"
    sys.stdout.write(f"judged by {what}: {min(judged):.3f} to {max(judged):.3f}\n")
    return int(any(abs(ratio - 1) > BAR for ratio in judged))


def _pairs(bundle: Bundle, runtime: str | None) -> Iterator[Pair]:
    for artifact in bundle.manifest.artifacts:
        for engine in engines_for(runtime):
            if engine.format == artifact.format:
                yield from (Pair(artifact, engine.name, tool) for tool in TOOLS.get(engine.name, ()))


def _round(pair: Pair, bundle: Bundle, seconds: float, *, ours_first: bool) -> None:
    artifact = pair.artifact
    job = Job(str(bundle.path), artifact.format, artifact.precision, pair.runtime, 1, seconds, 50)
    file = bundle.path / artifact.files[0].name

    def ours() -> None:
        answer = ask(WORKER, asdict(job), TIMEOUT_S)
        pair.ours.append((median(answer["samples_ns"]) / 1e6, min(answer["samples_ns"]) / 1e6))
        pair.overhead_ns.append(answer["harness_overhead_ns"])

    if ours_first:
        ours()
    pair.own.append(TOOLS[pair.runtime][pair.tool](file, seconds))
    if not ours_first:
        ours()


def _cells(pair: Pair, least: Figures) -> tuple[str, ...]:
    own, ours = median(each[0] for each in pair.own), median(each[0] for each in pair.ours)
    least_own, least_ours = least
    overhead = median(pair.overhead_ns)
    return (
        pair.artifact.id,
        pair.runtime,
        pair.tool,
        f"{own:.3f}",
        f"{ours:.3f}",
        f"{median(pair.ratios):.3f}",
        f"{min(pair.ratios):.3f}..{max(pair.ratios):.3f}",
        f"{least_own:.3f}",
        f"{least_ours:.3f}",
        f"{least_ours / least_own:.3f}",
        f"{overhead:.0f}",
        f"{1e-4 * overhead / ours:.4f} %",
        f"{1e-4 * overhead / least_ours:.4f} %",
    )


def _benchmark_app(file: Path, seconds: float) -> Figures:
    """In the precision that the device asks for; else it takes short floats where the processor has them."""
    plain = ("-hint", "none", "-nstreams", "1", "-nthreads", "1", "-api", "sync", "-infer_precision", "f32")
    said = _said([str(BIN / "benchmark_app"), "-m", str(file), *plain, "-t", str(max(1, round(seconds)))])
    found = [re.search(rf"{name}:\s+([0-9.]+) ms", said) for name in ("Median", "Min")]
    middle, least = (float(each[1]) for each in found if each is not None)
    return middle, least


def _litert_benchmark(file: Path, seconds: float) -> Figures:
    """It counts runs, not seconds, so a few tell how many fit."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        command = [str(BIN / "litert-benchmark"), "--model", str(file), "--num_threads", "1"]
        command += ["--result_json", str(result), "--warmup_runs", "20", "--num_runs"]

        def told(runs: int) -> dict[str, float]:
            _said([*command, str(runs)])
            found: dict[str, float] = json.loads(result.read_text(encoding="utf-8"))["latency"]
            return found

        found = told(max(50, round(seconds * 1e3 / told(50)["median_ms"])))
        return found["median_ms"], found["min_ms"]


def _bare(kind: str) -> Tool:
    def tool(file: Path, seconds: float) -> Figures:
        middle, least = _said([sys.executable, __file__, "--bare", kind, str(file), str(seconds)]).split()[-2:]
        return float(middle), float(least)

    return tool


def _said(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with status {done.returncode}: {(done.stderr or done.stdout)[-300:]}")
    return done.stdout


TOOLS: dict[str, dict[str, Tool]] = {
    "litert": {"bare loop": _bare("litert"), "litert-benchmark": _litert_benchmark},
    "onnxruntime": {"bare loop": _bare("onnxruntime")},
    "openvino": {"benchmark_app": _benchmark_app, "bare loop": _bare("openvino")},
}


def bare(kind: str, file: Path, seconds: float) -> Figures:
    """A loop without any of this project's measuring or runtime code in it."""
    run = {"litert": _bare_litert, "onnxruntime": _bare_onnxruntime, "openvino": _bare_openvino}[kind](file)
    end = perf_s() + WARMUP_S
    while perf_s() < end:
        run()
    samples: list[float] = []
    end = perf_s() + seconds
    while perf_s() < end or len(samples) < 50:
        start = perf_s()
        run()
        samples.append(perf_s() - start)
    return 1e3 * median(samples), 1e3 * min(samples)


def _bare_litert(file: Path) -> Callable[[], object]:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - of one kind of process

    interpreter = Interpreter(model_path=str(file), num_threads=1)
    interpreter.allocate_tensors()
    entry, exit_ = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    tensor = np.zeros(entry["shape"], entry["dtype"])

    def run() -> object:
        interpreter.set_tensor(entry["index"], tensor)
        interpreter.invoke()
        return interpreter.get_tensor(exit_["index"])

    return run


def _bare_onnxruntime(file: Path) -> Callable[[], object]:
    import onnxruntime  # noqa: PLC0415 - of one kind of process

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    tensor = np.zeros([size if isinstance(size, int) else 1 for size in entry.shape], np.float32)
    return lambda: session.run(None, {entry.name: tensor})


def _bare_openvino(file: Path) -> Callable[[], object]:
    config = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    request = library().Core().compile_model(str(file), "CPU", config).create_infer_request()
    request.get_input_tensor().data[...] = 0

    def run() -> object:
        return request.infer()

    return run


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        middle, least = bare(sys.argv[2], Path(sys.argv[3]), float(sys.argv[4]))
        sys.stdout.write(f"{middle} {least}\n")
        sys.exit(0)
    sys.exit(main())
