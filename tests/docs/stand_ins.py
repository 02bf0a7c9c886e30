"""What stands in for what this machine lacks: a camera, other hosts, the system's folders, data and models."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

import cv2
import pytest

from docs import nets
from docs.pages import ROOT
from fer_edge import config
from fer_edge.labels import FER2013
from support import shared, sshd
from support.brokers import Mosquitto, free_port
from support.commands import demo_clip
from support.mjpeg import serving
from support.shapes import shape_bgr

PLACES = (
    (r"\bsudo (?!apt|systemctl)", ""),
    (r"(?<![\w.])/etc/", "{folder}/etc/"),
    (r"-o mosquitto ", ""),
    (r"-m 644 fer-edge\.toml ca\.pem", "-m 644 fleet/devices/hall/fer-edge.toml fleet/ca.pem"),
    (r"-m 600 mqtt-password token", "-m 600 fleet/devices/hall/mqtt-password fleet/devices/hall/token"),
    (r"--source (?:0|auto)(?!\S)", "--source demo"),
    (r"rtsp://camera\.local/stream", "{stream}"),
    (r"127\.0\.0\.1:8080", "127.0.0.1:{page}"),
    (r"mqtt\.host=broker\.local", "mqtt.host=127.0.0.1 --set mqtt.port={broker}"),
    (r"remote (?:--python \S+ )?(?:pi@)?board(?::2222)?", "remote --python {python} {board}"),
    (r"for k in 1 2 3 4 5 6 7 8 9 10;", "for k in 1 2 3;"),
    (r"^make demo$", "make demo DEMO_FRAMES=150"),
)
"""What is written, and what is run in its place: the only differences between a page and what the tests run."""


TOOLS = {"openssl ": "openssl", "curl ": "curl", "deploy/fleet/enrol": "mosquitto_passwd"}
"""Programs of the system that a command calls; without them its page is skipped, saying so."""


class Sandbox:
    """The folder in which one page's commands run. real: with the data and clips beside the checkout."""

    def __init__(self, folder: Path, stack: ExitStack, *, real: bool) -> None:
        self.folder, self.real = folder, real
        self._stack = stack
        self._linked = False
        (folder / "home").mkdir(parents=True)

    def link(self) -> None:
        """The repository's files, and an environment that is complete: the one that runs the tests."""
        for path in ROOT.iterdir():
            if not path.name.startswith(".") and path.name not in {"build", "dist", "runs", "data"}:
                (self.folder / path.name).symlink_to(path)
        self._linked = True
        (self.folder / "etc" / "mosquitto" / "conf.d").mkdir(parents=True)
        environment = self.folder / ".venv"
        environment.mkdir()
        for path in Path(sys.prefix).iterdir():
            (environment / path.name).symlink_to(path)
        for stamp in (".made", ".base", ".dev"):
            (environment / stamp).unlink(missing_ok=True)
            (environment / stamp).touch()

    def local(self, command: str) -> str:
        """The command with its stand-ins."""
        for pattern, instead in PLACES:
            if re.search(pattern, command, re.MULTILINE):
                told = self._told(instead)
                command = re.sub(pattern, told.replace("\\", r"\\"), command, flags=re.MULTILINE)
        return command

    def prepare(self, command: str) -> None:
        """Make what the command reads and no command before it made."""
        inputs = re.sub(r"--(?:out|json|html|events|annotate|grid|plot) \S+|> \S+|config init \S+", "", command)
        for word, program in TOOLS.items():
            if word in command:
                _need(program)
        if self.real and "fer-edge" not in inputs and "--source clip.mp4" in inputs:
            self._put_weights()
        for name, make in INPUTS.items():
            target = self.folder / name
            if re.search(rf"(?<![\w./-]){re.escape(name)}(?![\w.-])", inputs) and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                make(self, target)

    def _put_weights(self) -> None:
        """YuNet's, where the README puts them; a clip is measured against it."""
        place = self.folder / "home" / "data" / "fer-edge" / "models"
        place.mkdir(parents=True, exist_ok=True)
        if not any(place.iterdir()):
            (place / "face_detection_yunet_2026may.onnx").symlink_to(shared.yunet())

    def _told(self, text: str) -> str:
        return re.sub(r"\{(\w+)\}", lambda name: str(getattr(self, name[1])), text)

    @cached_property
    def python(self) -> str:
        return sys.executable

    @cached_property
    def page(self) -> int:
        return free_port()

    @cached_property
    def stream(self) -> str:
        return self._stack.enter_context(serving())

    @cached_property
    def broker(self) -> int:
        _need("mosquitto")
        place = self.folder / "home" / "broker"
        place.mkdir()
        return self._stack.enter_context(Mosquitto(place)).port

    @cached_property
    def board(self) -> str:
        """An sshd on loopback, known as `board` to the ssh that is found first."""
        _need("sshd")
        place = self.folder / "home" / "board"
        place.mkdir()
        self._stack.enter_context(sshd.board(place))
        return "board"

    def environment(self) -> dict[str, str]:
        """As of a user who has nothing set; make must not tell of the make that runs the tests."""
        home = self.folder / "home"
        kept = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
        first = [str(self.folder / ".venv" / "bin")] if self._linked else []
        path = os.pathsep.join([*first, str(home / "board" / "bin"), kept["PATH"]])
        fonts = os.environ.get("MPLCONFIGDIR", str(Path.home() / ".cache" / "matplotlib"))
        own = {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "FER_EDGE_MODELS": "", "MPLCONFIGDIR": fonts}
        return {**kept, **own, "PATH": path}


def _need(program: str) -> None:
    if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
        pytest.skip(f"needs {program}")


def _clip(sandbox: Sandbox, target: Path) -> None:
    if sandbox.real:
        target.symlink_to(shared.media("short_hamilton_clip.mp4"))
    else:
        demo_clip(target.with_suffix(".avi"), 60).rename(target)


def _fer2013(sandbox: Sandbox, target: Path) -> None:
    if sandbox.real:
        target.symlink_to(shared.fer2013())
    else:
        _faces(target, FER2013, train=4, test=2)


def _three_classes(_: Sandbox, target: Path) -> None:
    _faces(target, nets.LABELS, train=110, test=110)


def _faces(root: Path, labels: tuple[str, ...], train: int, test: int) -> None:
    for split, first, count in (("train", 0, train), ("test", 5000, test)):
        for label in labels:
            folder = root / split / label
            folder.mkdir(parents=True)
            for seed in range(first, first + count):
                assert cv2.imwrite(str(folder / f"{seed}.png"), shape_bgr(label, seed))


def _pictures(_: Sandbox, target: Path) -> None:
    target.mkdir()
    shutil.copy(ROOT / "docs" / "images" / "demo.jpg", target)


def _bundle(_: Sandbox, target: Path) -> None:
    shutil.copytree(ROOT / "edge" / "fer_edge" / "bundles" / "fernet-s", target)


def _weights(_: Sandbox, target: Path) -> None:
    target.symlink_to(shared.yunet())


SHORT = (
    *("--data", "fer2013", "--source", "clip.mp4", "--runtime", "litert", "--rounds", "1", "--min-seconds", "0.2"),
    *("--limit", "350", "--max-frames", "60"),
)


def _trained(sandbox: Sandbox, target: Path) -> None:
    """A run of some seconds, whose net has learnt little."""
    sandbox.prepare("fer2013")
    words = ["run", "buffalo-cnn", "--data", "fer2013", "--out", str(target), "--limit", "3500", "--epochs", "2"]
    program = str(Path(sys.executable).with_name("fer-train"))
    subprocess.run([program, *words], cwd=sandbox.folder, env=sandbox.environment(), check=True, capture_output=True)


def _measured(*words: str) -> Callable[[Sandbox, Path], None]:
    """What fer-bench writes, of a short run; `OUT` stands for its place."""

    def measure(sandbox: Sandbox, target: Path) -> None:
        sandbox.prepare(" ".join(words))
        program = str(Path(sys.executable).with_name("fer-bench"))
        told = [str(target) if word == "OUT" else word for word in words]
        subprocess.run([program, *told], cwd=sandbox.folder, env=sandbox.environment(), check=True, capture_output=True)

    return measure


def _model(name: str) -> Callable[[Sandbox, Path], object]:
    return lambda _, target: shutil.copy(ROOT / "tests" / "support" / "models" / name, target)


INPUTS: dict[str, Callable[[Sandbox, Path], object]] = {
    "clip.mp4": _clip,
    "fer2013": _fer2013,
    "faces": _three_classes,
    "pictures": _pictures,
    "bundles/mine": _bundle,
    "bundles/old": _bundle,
    "first": _bundle,
    "bundles/new": _bundle,
    "mine": _bundle,
    "yunet.onnx": _weights,
    "face_detection_yunet_2026may.onnx": _weights,
    "net.tflite": _model("tiny-float32.tflite"),
    "other.onnx": _model("tiny-float32.onnx"),
    "net.xml": lambda _, target: nets.openvino(ROOT / "tests" / "support" / "models" / "tiny-float32.onnx", target),
    "net.onnx": lambda sandbox, target: nets.colour(sandbox.folder / "faces" / "train", target),
    "latency.json": _measured("latency", "default", "--rounds", "1", "--min-seconds", "0.2", "--json", "OUT"),
    "accuracy-before.json": _measured("accuracy", "default", "--data", "fer2013", "--limit", "350", "--json", "OUT"),
    "accuracy-after.json": _measured("accuracy", "default", "--data", "fer2013", "--limit", "350", "--json", "OUT"),
    "report-of-may": _measured("all", "default", *SHORT, "--out", "OUT"),
    "report-of-june": _measured("all", "default", *SHORT, "--out", "OUT"),
    "runs/buffalo-cnn": _trained,
    "fer-edge.toml": lambda _, target: target.write_text(config.reference(), encoding="utf-8"),
}
"""What commands read that no command before them makes."""
