"""fer-edge on an emulated Raspberry Pi 4 and 5, installed as its page says, against what it does on this machine.

    python tests/arm64/check.py                                          the shipped model in LiteRT on Bookworm
    python tests/arm64/check.py --release bookworm,trixie --runtimes litert,onnxruntime,openvino --bundle bundles/mine

Needs root, `apt install qemu-user-static mmdebstrap`, and a network the first time; everything is kept in --work. A
step's seconds and memory are the emulator's: they tell one run from another, and nothing of a board.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from fer_edge.bundle import DEFAULT, Bundle
from fer_edge.cameras.demo import DemoCamera
from fer_edge.clock import SystemClock

sys.path.insert(0, str(Path(__file__).parents[1]))
from arm64.root import BOARDS, RELEASES, STATE, Board, Missing, Ran, Root, listed, waited

HOME = Path(__file__).parents[2]
SHIPPED = HOME / "edge" / "fer_edge" / "bundles" / DEFAULT
EXTRAS = {"litert": "", "onnxruntime": "onnx", "openvino": "openvino"}
FORMATS = {"litert": "tflite", "onnxruntime": "onnx", "openvino": "openvino"}
VENV = "/opt/fer-edge"
STEP_S = 600.0
INSTALL_S = 1800.0
FRAMES = 40
FACES, FACE = 12, np.s_[95:365, 185:455]
"""Pictures of the demo, one every two seconds, and where its face is in them."""
MAX_STEPS = 1.0
"""int8 outputs may differ by one quantization step: kernels round ties each in its own way."""
MAX_FLOAT = 1e-4
"""How far float outputs may differ; 3e-6 was seen. int8 whose outputs are float, as OpenVINO's, may differ by what the
bundle's manifest allows its golden outputs."""
REFUSED = {("pi4", "openvino", "int8"): "object is not initialized"}
"""What a runtime says where it cannot run an artifact, seen so far; the automatic choice has to get around it."""
TOOLS = ("pip", "setuptools", "pkg_resources", "wheel", "_distutils_hack")
"""What a virtual environment brings with it."""


@dataclass(frozen=True)
class Step:
    """One thing that was tried: where, what came of it, and the emulator's time and memory."""

    where: str
    name: str
    outcome: str
    good: bool
    ran: Ran | None = None

    def __str__(self) -> str:
        cost = f"{self.ran.seconds:6.1f} s {self.ran.peak_bytes / 2**20:6.0f} MiB" if self.ran else " " * 19
        return f"{self.where:18} {self.name:28} {cost}  {self.outcome}{'' if self.good else '   <- does not hold'}"


@dataclass(frozen=True)
class Subject:
    """What is carried into the root: a wheel, a bundle, pictures of faces, and perhaps a clip."""

    wheel: Path
    bundle: Path
    pictures: Path
    clip: Path | None
    weights: Path | None


def main() -> int:
    """Print a line per step; 1 where one did not hold, 69 where this machine cannot emulate."""
    arguments = _arguments()
    arguments.work.mkdir(parents=True, exist_ok=True)
    subject = Subject(
        _wheel(), arguments.bundle, _pictures(arguments.work / "faces"), arguments.clip, arguments.weights
    )
    began_s, good = SystemClock().monotonic_s(), True
    try:
        for release in arguments.release:
            root = Root(arguments.work / release, release)
            root.make(_say)
            for step in checked(root, subject, arguments.boards, arguments.runtimes):
                sys.stdout.write(f"{step}\n")
                sys.stdout.flush()
                good = good and step.good
    except Missing as reason:
        sys.stderr.write(f"{reason}\n")
        return 69
    sys.stdout.write(f"{'all held' if good else 'not all held'}, {SystemClock().monotonic_s() - began_s:.0f} s\n")
    return int(not good)


def checked(root: Root, subject: Subject, boards: Sequence[str], runtimes: Sequence[str]) -> Iterator[Step]:
    """Install once, then everything on every board."""
    yield from installed(root, subject, runtimes)
    for name in boards:
        board = BOARDS[name]
        where = f"{root.release} {name}"
        root.run(["rm", "-rf", STATE], board, timeout_s=STEP_S)  # what another board could not run
        yield doctor(root, board, where)
        for runtime in runtimes:
            known = precisions(subject.bundle, runtime)
            if not known:
                yield Step(where, runtime, f"{subject.bundle.name} has no {FORMATS[runtime]} artifact", good=True)
                continue
            for precision in known:
                yield answers(root, board, where, subject, (runtime, precision))
            yield predicts(root, board, where, subject, runtime)
            yield runs(root, board, where, subject, runtime)


def precisions(bundle: Path, runtime: str) -> list[str]:
    """Those of the bundle's artifacts that this runtime takes."""
    return [each.precision for each in Bundle.open(bundle).manifest.artifacts if each.format == FORMATS[runtime]]


def installed(root: Root, subject: Subject, runtimes: Sequence[str]) -> Iterator[Step]:
    """A virtual environment, and in it the wheel as the install page has it; what was there already is kept."""
    wheel, board = root.put(subject.wheel), BOARDS["pi5"]
    pins = root.put(HOME / "constraints.txt")
    pip = [f"{VENV}/bin/python", "-m", "pip", "install", "--only-binary", ":all:", "-c", pins]
    asked = [("venv", ["python3", "-m", "venv", VENV]), ("install", [*pip, wheel])]
    asked += [
        (f"install [{EXTRAS[name]}]", [*pip, f"{wheel}[{EXTRAS[name]}]"]) for name in runtimes if EXTRAS.get(name)
    ]
    where = f"{root.release} {RELEASES[root.release]}"
    for name, command in asked:
        ran = root.run(command, board, timeout_s=INSTALL_S)
        size = f"{_size(root) / 2**20:.0f} MiB" if name.startswith("install") else "made"
        yield Step(where, name, size if ran.code == 0 else ran.last_words, ran.code == 0, ran)
    fresh = root.run([*pip, "--force-reinstall", "--no-deps", wheel], board, timeout_s=INSTALL_S)
    if fresh.code:
        yield Step(where, "the newest wheel", fresh.last_words, good=False, ran=fresh)


def doctor(root: Root, board: Board, where: str) -> Step:
    """Its findings: what is a problem here is one of a chroot's, and no runtime's."""
    ran = root.run([f"{VENV}/bin/fer-edge", "doctor", "--json", "-"], board, timeout_s=STEP_S)
    try:
        rows = json.loads(ran.out)["rows"]
    except (ValueError, KeyError):
        return Step(where, "doctor", ran.last_words, good=False, ran=ran)
    wrong = [f"{each['name']}: {each['found']}" for each in rows if each["level"] == "problem"]
    runtimes = [each for each in rows if each["name"] in EXTRAS and each["level"] == "ok"]
    told = "; ".join(wrong) or f"no problem, {len(runtimes)} runtimes can be used"
    return Step(where, "doctor", told, bool(runtimes), ran)


def answers(root: Root, board: Board, where: str, subject: Subject, which: tuple[str, str]) -> Step:
    """An artifact's outputs against this machine's, in quantization steps or as they are."""
    runtime, precision = which
    script = root.put(Path(__file__).with_name("answers.py"))
    inside = [root.put(subject.bundle), runtime, precision, root.put(subject.pictures)]
    ran = root.run([f"{VENV}/bin/python", script, *inside], board, timeout_s=STEP_S)
    here = _here([str(Path(__file__).with_name("answers.py")), str(subject.bundle), *which, str(subject.pictures)])
    name = f"outputs {runtime} {precision}"
    expected = REFUSED.get((board.name, runtime, precision))
    if expected is not None:
        return Step(where, name, ran.last_words.split(": ")[-1], expected in ran.err, ran)
    if ran.code or here.code:
        return Step(where, name, ran.last_words if ran.code else f"here: {here.last_words}", good=False, ran=ran)
    theirs, ours = json.loads(ran.out), json.loads(here.out)
    found, wanted = np.array(theirs["outputs"]), np.array(ours["outputs"])
    error = float(np.abs(found - wanted).max())
    same = int((found.argmax(axis=1) == wanted.argmax(axis=1)).sum())
    if ours["step"]:
        steps = error / ours["step"]
        told, close = f"differ by {steps:.2g} steps at most", steps <= MAX_STEPS + 1e-6
    else:
        told, close = (
            f"differ by {error:.1e} at most",
            error <= (ours["tolerance"] if precision == "int8" else MAX_FLOAT),
        )
    return Step(where, name, f"{told}, {same} of {len(found)} labels equal", close and same == len(found), ran)


def predicts(root: Root, board: Board, where: str, subject: Subject, runtime: str) -> Step:
    """`fer-edge predict` on the pictures: the labels that it tells here."""
    asked = ["predict", root.put(subject.pictures), "--model", root.put(subject.bundle)]
    flags = ["--runtime", runtime, "--detector", "whole", "--events", "-"]
    ran = root.run([f"{VENV}/bin/fer-edge", *asked, *flags], board, timeout_s=STEP_S)
    here = _here(["-m", "fer_edge", "predict", str(subject.pictures), "--model", str(subject.bundle), *flags])
    found, wanted = _labels(ran.out), _labels(here.out)
    same = sum(a == b for a, b in zip(found, wanted, strict=False))
    good = ran.code == 0 and len(found) == len(wanted) == same > 0
    told = f"{same} of {len(wanted)} labels equal" if ran.code == 0 else ran.last_words
    return Step(where, f"predict {runtime}", told, good, ran)


def runs(root: Root, board: Board, where: str, subject: Subject, runtime: str) -> Step:
    """`fer-edge run` on the clip, or on the built-in demo."""
    source = root.put(subject.clip) if subject.clip else "demo"
    flags = ["--source", source, "--model", root.put(subject.bundle), "--runtime", runtime, "--events", "-"]
    if subject.weights:
        flags += ["--detector-weights", root.put(subject.weights)]
    ran = root.run([f"{VENV}/bin/fer-edge", "run", *flags, "--max-frames", str(FRAMES)], board, timeout_s=STEP_S)
    events = [json.loads(line) for line in ran.out.splitlines() if line.startswith("{")]
    faces = sum(each["type"] == "expression" for each in events)
    stopped = any(each["type"] == "stopped" for each in events)
    told = f"{len(events)} events, {faces} expressions" if stopped else ran.last_words
    return Step(where, f"run {runtime}", told, ran.code == 0 and stopped and faces > 0, ran)


def _here(arguments: Sequence[str]) -> Ran:
    return waited([sys.executable, *arguments], STEP_S)


def _labels(lines: str) -> list[tuple[str, str]]:
    events = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    return [(Path(each["file"]).name, each["label"]) for each in events if each["type"] == "expression"]


def _size(root: Root) -> int:
    """What pip installed, byte code included and its own tools left out."""
    (site,) = (root.folder / VENV.lstrip("/") / "lib").glob("python3*/site-packages")
    kept = [each for each in site.iterdir() if each.name.split("-")[0] not in TOOLS]
    return sum(_bytes(each) for each in kept)


def _bytes(path: Path) -> int:
    return path.lstat().st_size if not path.is_dir() else sum(each.lstat().st_size for each in path.rglob("*"))


def _pictures(folder: Path) -> Path:
    """Drawn faces with every expression that the demo knows."""
    if not folder.exists():
        folder.mkdir(parents=True)
        camera = DemoCamera(SystemClock())
        for number in range(FACES):
            cv2.imwrite(str(folder / f"{number:02}.png"), camera.render(number * 30)[FACE])
    return folder


def _wheel() -> Path:
    built = waited([sys.executable, "-m", "build", "--wheel", "--no-isolation", str(HOME)], STEP_S)
    if built.code:
        raise SystemExit(f"the wheel cannot be built: {built.last_words}")
    return max((HOME / "dist").glob("fer_edge-*.whl"), key=lambda path: path.stat().st_mtime)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", type=listed(list(RELEASES)), default=["bookworm"])
    parser.add_argument("--boards", type=listed(list(BOARDS)), default=list(BOARDS))
    parser.add_argument("--runtimes", type=listed(list(EXTRAS)), default=["litert"])
    parser.add_argument("--bundle", type=Path, default=None, help="with artifacts for the runtimes (default: shipped)")
    parser.add_argument("--clip", type=Path, help="for `run` (default: the built-in demo)")
    parser.add_argument("--weights", type=Path, help="YuNet's, for `run` (default: none, which is Haar)")
    parser.add_argument("--work", type=Path, default=HOME / "build" / "arm64")
    found = parser.parse_args()
    found.bundle = found.bundle or SHIPPED
    return found


if __name__ == "__main__":
    sys.exit(main())
