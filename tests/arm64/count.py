"""Counts instructions on an emulated Raspberry Pi 4 and 5: per inference, and per frame of the whole pipeline.

    python tests/arm64/count.py                                 the shipped bundle, nets and frames
    python tests/arm64/count.py --models a.tflite b.onnx c.xml  nets alone

Instructions are a cost that repeats, on one thread; they are not time, and say nothing of memory. Needs root and
`apt install qemu-user gcc`; the root file system that check.py made is used where there is one, and otherwise Debian
and wheels are unpacked into --work, which needs mmdebstrap and a network once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from arm64.counted import HERE, HOME, Counter, NotCounted, found_place, require
from arm64.marks import NET
from arm64.root import BOARDS, RELEASES, Missing
from fer_bench.table import MISSING, figure, render
from fer_edge.bundle import Bundle
from fer_edge.errors import FerEdgeError

SHIPPED = HOME / "edge" / "fer_edge" / "bundles"
RUNTIMES = {".tflite": "litert", ".onnx": "onnxruntime", ".xml": "openvino"}
"""Which runtime counts a file, by its suffix."""
M = 1e6


@dataclass(frozen=True)
class Net:
    """A model file and its runtime."""

    name: str
    path: Path
    runtime: str


@dataclass(frozen=True)
class NetCount:
    """What an inference takes on a board, the median of all; failed: why there is no figure."""

    net: str
    runtime: str
    board: str
    instructions: int | None = None
    inferences: int = 0
    spread: float | None = None
    failed: str = ""


def main() -> int:
    """Print tables; 1 where something could not be counted, 69 where this machine cannot count."""
    arguments = _arguments()
    try:
        nets = list(subjects(arguments.models, arguments.bundle))
        require()
        place = found_place(arguments.work, arguments.release, sorted({net.runtime for net in nets}), _say)
        counter = Counter(place, arguments.work)
        counts = [count_net(counter, net, board, arguments.rounds) for net in nets for board in arguments.boards]
    except (Missing, FerEdgeError) as reason:
        sys.stderr.write(f"{reason}\n")
        return 69
    if arguments.json:
        sys.stdout.write(json.dumps({"nets": [asdict(each) for each in counts]}, indent=1) + "\n")
    else:
        sys.stdout.write(nets_table(counts, arguments.boards) + "\n")
    return int(any(each.failed for each in counts))


def subjects(models: Sequence[Path], bundle: Path) -> Iterator[Net]:
    """The models, or else the bundle's artifacts. Raises FerEdgeError for what is no bundle."""
    for path in models:
        yield Net(path.name, path.resolve(), RUNTIMES[path.suffix])
    if models:
        return
    opened = Bundle.open(bundle)
    for artifact in opened.manifest.artifacts:
        paths = [bundle.resolve() / file.name for file in artifact.files]
        for path in paths:
            if path.suffix in RUNTIMES:
                yield Net(f"{opened.manifest.name} {artifact.id}", path, RUNTIMES[path.suffix])


def count_net(counter: Counter, net: Net, board: str, rounds: int) -> NetCount:
    """Some inferences in each of some processes."""
    if not counter.place.has(net.runtime):
        return NetCount(net.name, net.runtime, board, failed=f"not installed in {counter.place.site}")
    took: list[int] = []
    for number in range(rounds):
        _say(f"{board}: {net.name} in {net.runtime}" + (f", round {number + 1} of {rounds}" if rounds > 1 else ""))
        try:
            counted = counter.count(HERE / "count_net.py", [net.runtime, str(net.path)], BOARDS[board])
        except NotCounted as reason:
            return NetCount(net.name, net.runtime, board, failed=str(reason))
        took += counted.stages.get(NET, [])
    return summed_up(net, board, took)


def summed_up(net: Net, board: str, took: Sequence[int]) -> NetCount:
    """The median, and by which share of it the largest and the smallest differ."""
    middle = round(statistics.median(took))
    return NetCount(net.name, net.runtime, board, middle, len(took), (max(took) - min(took)) / middle)


def nets_table(counts: Sequence[NetCount], boards: Sequence[str]) -> str:
    """A row per net, a column per board, millions of instructions; what failed is told below."""
    rows = []
    for name, runtime in dict.fromkeys((each.net, each.runtime) for each in counts):
        mine = {each.board: each for each in counts if (each.net, each.runtime) == (name, runtime)}
        figures = [millions(mine[board].instructions) for board in boards]
        spreads = [each.spread for each in mine.values() if each.spread is not None]
        rows.append([name, runtime, *figures, figure(100 * max(spreads), 3) if spreads else MISSING])
    table = render(["M instructions per inference", "runtime", *boards, "spread %"], rows)
    failures = [f"{each.board}: {each.net} in {each.runtime}: {each.failed}" for each in counts if each.failed]
    return "\n".join([table, *failures])


def millions(instructions: float | None) -> str:
    """Three decimals where the figure is small."""
    return figure(None if instructions is None else instructions / M, 3 if (instructions or 0) < 100 * M else 1)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=_model, nargs="+", default=[], metavar="FILE", help=".tflite, .onnx or .xml")
    parser.add_argument("--bundle", type=Path, default=None, help="default: the shipped one")
    parser.add_argument("--boards", type=_listed(list(BOARDS)), default=list(BOARDS))
    parser.add_argument("--release", choices=list(RELEASES), default="bookworm")
    parser.add_argument("--rounds", type=int, default=1, help="processes per net and board (default 1)")
    parser.add_argument("--json", action="store_true", help="instead of tables")
    parser.add_argument("--work", type=Path, default=HOME / "build" / "arm64")
    found = parser.parse_args()
    found.bundle = found.bundle or next(SHIPPED.iterdir())
    return found


def _model(text: str) -> Path:
    path = Path(text)
    if path.suffix not in RUNTIMES:
        raise argparse.ArgumentTypeError(f"{text} is none of {', '.join(RUNTIMES)}")
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"{text} is no file")
    return path


def _listed(known: Sequence[str]) -> Callable[[str], list[str]]:
    def parsed(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {', '.join(known)}")
        return chosen

    return parsed


if __name__ == "__main__":
    sys.exit(main())
