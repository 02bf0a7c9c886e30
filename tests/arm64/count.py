"""Counts instructions on an emulated Raspberry Pi 4 and 5: per inference, and per frame of the whole pipeline.

    python tests/arm64/count.py                                   the shipped bundle: nets, and frames of the demo
    python tests/arm64/count.py --bundle bundles/mine --clip clip.mp4 --frames 275
    python tests/arm64/count.py --models a.tflite b.onnx c.xml    nets alone

Instructions are a cost that repeats, on one thread; they are not time, and memory is not in them. Needs root and
`apt install qemu-user gcc`; the root file system that check.py made is used where there is one, and otherwise Debian
and wheels are unpacked into --work, which needs mmdebstrap, and a network once.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from arm64.counted import HERE, HOME, Counted, Counter, NotCounted, found_place, require
from arm64.counts import FrameCount, NetCount, frames_table, millions, nets_table, per_frame, per_inference, whole
from arm64.marks import NET
from arm64.root import BOARDS, RELEASES, Missing, listed
from fer_edge.bundle import DEFAULT, Bundle
from fer_edge.detectors.weights import find_weights
from fer_edge.errors import FerEdgeError

SHIPPED = HOME / "edge" / "fer_edge" / "bundles" / DEFAULT
RUNTIMES = {".tflite": "litert", ".onnx": "onnxruntime", ".xml": "openvino"}
"""Which runtime takes a file, by its suffix."""
FRAMES = 60


@dataclass(frozen=True)
class Net:
    """A model file and its runtime. precision: which of a bundle it is, "" for a file on its own."""

    name: str
    path: Path
    runtime: str
    precision: str = ""


@dataclass(frozen=True)
class Film:
    """What the pipeline looks at, and with which weights."""

    source: str
    frames: int
    weights: Path | None


def main() -> int:
    """Print tables; 1 where something could not be counted, 69 where this machine cannot count."""
    arguments = _arguments()
    nets: list[NetCount] = []
    frames: list[FrameCount] = []
    try:
        wanted = subjects(arguments.models, arguments.bundle, arguments.runtimes)
        require()
        place = found_place(arguments.work, arguments.release, sorted({net.runtime for net in wanted}), _say)
        counter = Counter(place, arguments.work)
        if arguments.only != "frames":
            nets = [count_net(counter, net, board, arguments.rounds) for net in wanted for board in arguments.boards]
        if arguments.only != "nets" and not arguments.models:
            film = Film(
                str(arguments.clip.resolve()) if arguments.clip else "demo", arguments.frames, _weights(arguments)
            )
            run = [(net, board) for net in wanted if net.runtime == wanted[0].runtime for board in arguments.boards]
            frames = [count_frames(counter, arguments, net, board, film) for net, board in run]
    except (Missing, FerEdgeError) as reason:
        sys.stderr.write(f"{reason}\n")
        return 69
    tell(arguments, nets, frames)
    return int(any([*(each.failed for each in nets), *(each.failed for each in frames)]))


def subjects(models: Sequence[Path], bundle: Path, runtimes: Sequence[str]) -> list[Net]:
    """The models, or else the bundle's artifacts, that these runtimes take. Raises FerEdgeError or Missing."""
    nets = [Net(path.name, path.resolve(), RUNTIMES[path.suffix]) for path in models] or _artifacts(bundle)
    chosen = [net for net in nets if net.runtime in runtimes]
    if not chosen:
        raise Missing(f"nothing to count: of {', '.join(net.name for net in nets)} none is for {', '.join(runtimes)}")
    return sorted(chosen, key=lambda net: runtimes.index(net.runtime))


def _artifacts(path: Path) -> list[Net]:
    opened = Bundle.open(path)
    if not path.is_dir():
        raise Missing(f"{path}: files are counted where they lie, so unzip the bundle first")
    files = [(each, path.resolve() / file.name) for each in opened.manifest.artifacts for file in each.files]
    return [
        Net(f"{opened.manifest.name} {each.id}", file, RUNTIMES[file.suffix], each.precision)
        for each, file in files
        if file.suffix in RUNTIMES
    ]


def count_net(counter: Counter, net: Net, board: str, rounds: int) -> NetCount:
    """Some inferences in each of some processes."""
    try:
        found = _counted(counter, net, board, rounds, "count_net.py", [net.runtime, str(net.path)])
        took = [each for counted in found for each in counted.stages.get(NET, [])]
        middle, count, spread = per_inference(took)
    except NotCounted as reason:
        return NetCount(net.name, net.runtime, board, failed=str(reason))
    _say(f"    {millions(middle)} M instructions per inference")
    return NetCount(net.name, net.runtime, board, middle, count, spread)


def count_frames(counter: Counter, arguments: argparse.Namespace, net: Net, board: str, film: Film) -> FrameCount:
    """The same frames in each of some processes."""
    wanted = [str(arguments.bundle.resolve()), net.runtime, net.precision, film.source, str(film.frames)]
    wanted += [str(film.weights.resolve())] if film.weights else []
    named = (net.name, net.runtime, board, Path(film.source).name)
    try:
        found = _counted(counter, net, board, arguments.rounds, "count_frames.py", wanted)
    except NotCounted as reason:
        return FrameCount(*named, failed=str(reason))
    seen = json.loads(found[0].out)
    stages = [per_frame(each.stages, seen["frames"]) for each in found]
    totals = [whole(each) for each in stages]
    spread = (max(totals) - min(totals)) / totals[0] if len(totals) > 1 else None
    inferences = len(found[0].stages.get(NET, []))
    _say(f"    {millions(totals[0])} M instructions per frame")
    return FrameCount(*named, seen["detector"], seen["frames"], seen["faces"], inferences, totals[0], stages[0], spread)


def _counted(
    counter: Counter, net: Net, board: str, rounds: int, script: str, arguments: Sequence[str]
) -> list[Counted]:
    """One process per round. Raises NotCounted."""
    if not counter.place.has(net.runtime):
        raise NotCounted(f"not installed in {counter.place.site}")
    found = []
    for number in range(rounds):
        _say(f"{board}: {script} {net.name} in {net.runtime}" + (f", round {number + 1}" if rounds > 1 else ""))
        found.append(counter.count(HERE / script, arguments, BOARDS[board]))
    return found


def tell(arguments: argparse.Namespace, nets: Sequence[NetCount], frames: Sequence[FrameCount]) -> None:
    """Tables, JSON, or both."""
    if arguments.json:
        text = json.dumps(
            {"nets": [asdict(each) for each in nets], "frames": [asdict(each) for each in frames]}, indent=1
        )
        if arguments.json == "-":
            sys.stdout.write(f"{text}\n")
            return
        Path(arguments.json).write_text(f"{text}\n", encoding="utf-8")
    tables = [nets_table(nets, arguments.boards)] if nets else []
    tables += [frames_table(frames)] if frames else []
    sys.stdout.write("\n\n".join(tables) + "\n")


def _weights(arguments: argparse.Namespace) -> Path | None:
    """YuNet's, as named or as found in the model folders; without any the pipeline takes Haar."""
    if arguments.weights:
        return Path(arguments.weights)
    found = find_weights()
    return found.path if found else None


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=_model, nargs="+", default=[], metavar="FILE", help=", ".join(RUNTIMES))
    parser.add_argument("--bundle", type=Path, default=SHIPPED, help="default: the shipped one")
    parser.add_argument("--boards", type=listed(list(BOARDS)), default=list(BOARDS))
    parser.add_argument("--runtimes", type=listed(list(RUNTIMES.values())), default=list(RUNTIMES.values()))
    parser.add_argument("--only", choices=("nets", "frames"), help="default: both; frames in the first runtime alone")
    parser.add_argument("--clip", type=_file, help="frames to look at (default: the built-in demo)")
    parser.add_argument("--frames", type=_positive, default=FRAMES, help=f"at most so many (default: {FRAMES})")
    parser.add_argument("--weights", type=_file, help="YuNet's (default: as found in the model folders, or else Haar)")
    parser.add_argument("--rounds", type=_positive, default=1, help="processes for each figure (default: 1)")
    parser.add_argument("--json", metavar="FILE", help="figures besides the tables; - for standard output, no tables")
    parser.add_argument("--release", choices=list(RELEASES), default="bookworm")
    parser.add_argument("--work", type=Path, default=HOME / "build" / "arm64")
    return parser.parse_args(given)


def _model(text: str) -> Path:
    if Path(text).suffix not in RUNTIMES:
        raise argparse.ArgumentTypeError(f"{text}: a model is one of {', '.join(RUNTIMES)}")
    return _file(text)


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text}: there is no such file")
    return Path(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: not a number from 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
