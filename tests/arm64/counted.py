"""Counts the instructions of a Python program on an emulated Raspberry Pi 4 or 5, between its marks.

The program runs under QEMU's user mode with the root file system as its library path: without chroot, so that the
plugin, which is one of this machine's, can be loaded. Python and packages are those that check.py installed, or else
an unpacked Debian with unpacked wheels, which takes half a minute and can do nothing but this.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from arm64.marks import EMPTY, OUTSIDE
from arm64.root import RELEASES, Board, Missing, Ran, Say, waited

HERE = Path(__file__).parent
HOME = HERE.parents[1]
SOURCE = HERE / "count.c"
MODULES = {"litert": "ai_edge_litert", "onnxruntime": "onnxruntime", "openvino": "openvino"}
WHEELS = {"litert": "ai-edge-litert", "onnxruntime": "onnxruntime", "openvino": "openvino"}
BASE = ("numpy", "opencv-python-headless", "pydantic", "simplejpeg")
"""What the device package needs besides a runtime."""
DEBIAN = ("python3", "libstdc++6", "libgcc-s1", "libatomic1")
GLIBC = (17, 24, 26, 27, 28, 31, 34, 35, 36)
"""Wheels are built for a glibc 2.N or newer; Bookworm has 2.36."""
QEMU = "qemu-aarch64"
APT = "apt install qemu-user gcc mmdebstrap"
NEW_API = 9
LIMIT_S = 1800.0

Marks = list[tuple[int, int]]
"""Stages in the order in which they began, and how many instructions had run by then."""


class NotCounted(Exception):  # noqa: N818 - an outcome of a program
    """The program failed on the board, or said nothing; the message is its last words."""


@dataclass(frozen=True)
class Place:
    """Where an aarch64 Python and its packages lie."""

    folder: Path
    python: str
    site: Path

    def has(self, runtime: str) -> bool:
        """Whether it is installed there."""
        return (self.site / MODULES[runtime]).is_dir()


@dataclass(frozen=True)
class Counted:
    """What a program did between its marks, by stage, and what it wrote to standard output."""

    stages: Mapping[int, Sequence[int]]
    out: str


class Counter:
    """QEMU with the plugin. Raises Missing."""

    def __init__(self, place: Place, work: Path) -> None:
        """work: for the plugin and for compiled Python."""
        require()
        self.place, self.work = place, work.resolve()
        self.plugin = built(self.work)

    def count(self, script: Path, arguments: Sequence[str], board: Board) -> Counted:
        """Run a script. Raises NotCounted."""
        with tempfile.TemporaryDirectory() as folder:
            marks = Path(folder) / "marks"
            ran = self._run(script, arguments, board, marks)
            if ran.code:
                raise NotCounted(ran.last_words or f"ended with {ran.code}")
            return Counted(stages(parsed(marks.read_text(encoding="ascii"))), ran.out)

    def _run(self, script: Path, arguments: Sequence[str], board: Board, marks: Path) -> Ran:
        place = self.place
        cpuinfo, sysfs = board.told(self.work)
        env = {
            "PATH": "/usr/bin:/bin",
            "HOME": "/tmp",  # noqa: S108 - nothing is kept there
            "LANG": "C.UTF-8",
            "QEMU_CPU": board.cpu,
            "PYTHONHOME": str(place.folder / "usr"),
            "PYTHONPATH": f"{HERE.parent}:{HOME / 'edge'}:{place.site}",
            "PYTHONPYCACHEPREFIX": str(self.work / f"bytecode.{place.python}"),
            "PYTHONHASHSEED": "0",
            **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
        }
        emulator = [QEMU, "-L", str(place.folder), "-plugin", f"{self.plugin},out={marks}"]
        python = str(place.folder / "usr" / "bin" / f"python{place.python}")
        variables = [f"{name}={value}" for name, value in env.items()]
        mounts = 'mount --make-rprivate / && mount --bind "$1" /proc/cpuinfo && mount --bind "$2" /sys && shift 2'
        inside = ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "run", str(cpuinfo), str(sysfs)]
        command = [*inside, "env", "-i", *variables, "setarch", "-R", *emulator, python, str(script), *arguments]
        return waited(command, LIMIT_S)


def parsed(text: str) -> Marks:
    """The plugin's lines. Raises NotCounted."""
    try:
        found = [(int(stage), int(total)) for stage, total in (line.split() for line in text.splitlines())]
    except ValueError:
        raise NotCounted(f"the plugin wrote what is no mark: {text[:80]!r}") from None
    if not found:
        raise NotCounted("the program set no mark")
    return found


def stages(marks: Marks) -> dict[int, list[int]]:
    """Instructions from each mark to the next, by stage, less what a mark costs itself."""
    found: dict[int, list[int]] = {}
    for (stage, began), (_, ended) in itertools.pairwise(marks):
        found.setdefault(stage, []).append(ended - began)
    cost = int(statistics.median(found.get(EMPTY, [0])))
    return {
        stage: [max(0, each - cost) for each in took] for stage, took in found.items() if stage not in {EMPTY, OUTSIDE}
    }


def require() -> None:
    """Raises Missing, which says what to do."""
    if os.geteuid() != 0:
        raise Missing("counting needs root, to give the emulated board its own /proc/cpuinfo: sudo make count-arm64")
    if shutil.which(QEMU) is None:
        raise Missing(f"counting needs QEMU's user mode, dynamically linked: {APT}")
    if "-plugin" not in _said([QEMU, "-help"]):
        raise Missing(f"this {QEMU} takes no plugins, as a statically linked one; Debian 12's qemu-user does")


def built(work: Path) -> Path:
    """The plugin for this QEMU, compiled unless it was before."""
    api = 2 if int(_said([QEMU, "--version"]).split("version ")[1].split(".")[0]) >= NEW_API else 1
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]
    plugin = work / f"count-{api}-{digest}.so"
    if plugin.exists():
        return plugin
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Missing(f"counting compiles a plugin, and there is no C compiler: {APT}")
    work.mkdir(parents=True, exist_ok=True)
    flags = ["-O2", "-fPIC", "-shared", f"-DAPI_VERSION={api}", "-o", str(plugin)]
    ran = waited([compiler, *flags, str(SOURCE)], LIMIT_S)
    if ran.code:
        raise Missing(f"the plugin does not compile: {ran.last_words}")
    return plugin


def _said(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def found_place(work: Path, release: str, runtimes: Sequence[str], say: Say) -> Place:
    """The root that check.py made, where LiteRT is in it; else an unpacked one. Raises Missing."""
    folder, python = work.resolve() / release, RELEASES[release]
    made = Place(folder, python, folder / "opt" / "fer-edge" / "lib" / f"python{python}" / "site-packages")
    if (folder / ".made").exists() and made.has("litert"):
        say(f"{release}: {folder}, with {', '.join(name for name in MODULES if made.has(name))}")
        return made
    return unpacked(work.resolve(), release, runtimes, say)


def unpacked(work: Path, release: str, runtimes: Sequence[str], say: Say) -> Place:
    """Debian and wheels as they are in their archives, nothing configured; kept. Raises Missing."""
    require()
    python = RELEASES[release]
    place = Place(work / f"{release}.unpacked", python, work / f"{release}.wheels")
    if not (place.folder / ".unpacked").exists():
        if shutil.which("mmdebstrap") is None:
            raise Missing(f"there is no prepared root in {work}, and nothing to unpack one: {APT}")
        say(f"{release}: unpacking Debian for arm64 into {place.folder}, half a minute")
        shutil.rmtree(place.folder, ignore_errors=True)
        work.mkdir(parents=True, exist_ok=True)
        asked = ["mmdebstrap", "--mode=root", "--variant=extract", "--architectures=arm64"]
        ran = waited([*asked, f"--include={','.join(DEBIAN)}", release, str(place.folder)], LIMIT_S)
        if ran.code:
            raise Missing(f"Debian could not be unpacked: {ran.last_words}")
        (place.folder / ".unpacked").touch()
    lacking = [name for name in runtimes if not place.has(name)]
    if lacking:
        _fetch(place, [*BASE, *(WHEELS[name] for name in lacking)], say)
    return place


def _fetch(place: Place, names: Sequence[str], say: Say) -> None:
    """Unpack aarch64 wheels by this machine's pip, in the pinned versions. Raises Missing."""
    say(f"fetching wheels for arm64: {', '.join(names)}")
    tag = f"cp{place.python.replace('.', '')}"
    platforms = [f"--platform=manylinux_2_{minor}_aarch64" for minor in reversed(GLIBC)]
    kinds = ["--implementation=cp", f"--python-version={place.python}", *(f"--abi={abi}" for abi in (tag, "abi3"))]
    pip = [sys.executable, "-m", "pip", "install", "-q", "--upgrade", "--only-binary=:all:", "--no-compile"]
    command = [*pip, *kinds, "--abi=none", *platforms, "--platform=manylinux2014_aarch64"]
    ran = waited([*command, "-c", str(HOME / "constraints.txt"), "--target", str(place.site), *names], LIMIT_S)
    if ran.code:
        raise Missing(f"wheels for arm64 could not be fetched: {ran.last_words}")
