"""Where a figure was measured: board, CPU, kernel, clocks, heat, versions; part of every result.

Every path is taken under `root`, so that a test can lay out a board. What cannot be read is None, never a guess.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

import fer_edge
from fer_edge.system.board import ARM_PARTS, Board

ROOT = Path("/")
X86_FEATURES = ("sse4_1", "avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")
ARM_FEATURES = ("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve")
"""What int8 and float kernels are chosen by, as /proc/cpuinfo names them."""
PACKAGES = (
    "numpy",
    "opencv-python-headless",
    "opencv-python",
    "pydantic",
    "ai-edge-litert",
    "tflite-runtime",
    "tensorflow",
    "tensorflow-cpu",
    "onnxruntime",
    "openvino",
)
GIT_TIMEOUT_S = 5.0
MILLI = 1e-3
THROTTLE_FILES = (
    "sys/devices/platform/soc/soc:firmware/get_throttled",
    "sys/devices/platform/*/*firmware*/get_throttled",
)
THROTTLE_BITS = {
    0: "under-voltage",
    1: "clock capped",
    2: "throttled",
    3: "soft temperature limit",
    16: "under-voltage since boot",
    17: "clock capped since boot",
    18: "throttled since boot",
    19: "soft temperature limit since boot",
}
"""Bits of the Raspberry Pi firmware's `get_throttled`, as its documentation lists them."""
NOW_BITS = 0xF
SWITCHES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "KMP_AFFINITY",
    "TF_ENABLE_ONEDNN_OPTS",
    "ORT_DISABLE_TELEMETRY",
    "GLIBC_TUNABLES",
    "MALLOC_ARENA_MAX",
    "LD_PRELOAD",
)
"""Variables of the process that change how fast libraries compute, on how many threads, or from which memory."""


@dataclass(frozen=True)
class Conditions:
    """What changes while one measures.

    temperature_c: the hottest thermal zone. throttled_bits: as the Raspberry Pi's firmware gives them; throttled: the
    same in words. undervoltage: the supply alarm of newer kernels. clocks_mhz: current, one per CPU. load_1min: tasks
    that want to run, averaged over the last minute. slowed: what holds any board back at this moment, in words.
    throttle_count: how often PC processors slowed down for heat since boot, all cores. stolen_ticks, all_ticks: CPU
    time since boot that a hypervisor gave to others, and all there was, in the kernel's ticks.
    """

    temperature_c: float | None
    throttled_bits: int | None
    throttled: tuple[str, ...] | None
    undervoltage: bool | None
    clocks_mhz: tuple[float, ...] | None
    load_1min: float | None
    slowed: tuple[str, ...] | None = None
    throttle_count: int | None = None
    stolen_ticks: int | None = None
    all_ticks: int | None = None

    @property
    def held_back(self) -> bool:
        """Whether the board is known to run slower than it could at this moment."""
        return bool((self.throttled_bits or 0) & NOW_BITS) or bool(self.undervoltage) or bool(self.slowed)


@dataclass(frozen=True)
class Environment:
    """What stays the same while one measures.

    cpus_usable: what affinity and the quota of a container leave of cpu_count. clock_limits_mhz: the highest that the
    governor may choose, one per kind of core. boost: whether clocks above the nominal one are allowed. virtual: a guest
    of a hypervisor. switches: variables of the process that libraries heed.
    """

    board: str | None
    cpu: str | None
    cpu_count: int
    cpu_features: tuple[str, ...]
    machine: str
    kernel: str | None
    governors: tuple[str, ...] | None
    memory_bytes: int | None
    python: str
    fer_edge: str
    packages: dict[str, str]
    git_revision: str | None
    os: str | None = None
    container: str | None = None
    libc: str | None = None
    virtual: bool | None = None
    cpus_usable: float | None = None
    clock_limits_mhz: tuple[float, ...] | None = None
    boost: bool | None = None
    switches: dict[str, str] = field(default_factory=dict)


def describe(root: Path = ROOT) -> Environment:
    """Read what identifies this machine and this software."""
    cpuinfo = _text(root / "proc/cpuinfo") or ""
    facts = Board(root).facts()
    return Environment(
        board=_text(root / "proc/device-tree/model") or _text(root / "sys/class/dmi/id/product_name"),
        cpu=_cpu(cpuinfo),
        cpu_count=sum(line.startswith("processor") for line in cpuinfo.splitlines()),
        cpu_features=_features(cpuinfo),
        machine=platform.machine(),
        kernel=_text(root / "proc/sys/kernel/osrelease"),
        governors=_distinct(root, "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"),
        memory_bytes=_memory_bytes(root),
        python=platform.python_version(),
        fer_edge=fer_edge.__version__,
        packages=_versions(),
        git_revision=git_revision(),
        os=facts.os,
        container=facts.container,
        libc=" ".join(platform.libc_ver()).strip() or None,
        virtual="hypervisor" in (_cpu_field(cpuinfo, "flags") or "").split() if cpuinfo else None,
        cpus_usable=_cpus_usable(root),
        clock_limits_mhz=_clock_limits_mhz(root),
        boost=_boost(root),
        switches={name: os.environ[name] for name in SWITCHES if name in os.environ},
    )


def conditions(root: Path = ROOT) -> Conditions:
    """Read what heat, supply and other work do to this machine at this moment."""
    bits = next((found for found in _hex_values(root) if found is not None), None)
    temperatures = [
        float(text) * MILLI for text in _texts(root, "sys/class/thermal/thermal_zone*/temp") if _number(text)
    ]
    clocks = [float(text) * MILLI for text in _texts(root, _CLOCKS) if _number(text)]
    load = (_text(root / "proc/loadavg") or "").split()
    throttling = Board(root).throttling()
    stolen, ticks = _ticks(root)
    return Conditions(
        temperature_c=max(temperatures) if temperatures else None,
        throttled_bits=bits,
        throttled=None if bits is None else tuple(name for bit, name in THROTTLE_BITS.items() if bits >> bit & 1),
        undervoltage=_supply_alarm(root),
        clocks_mhz=tuple(clocks) or None,
        load_1min=float(load[0]) if load and _number(load[0]) else None,
        slowed=None if throttling is None else throttling.now,
        throttle_count=_throttle_count(root),
        stolen_ticks=stolen,
        all_ticks=ticks,
    )


def git_revision(package: Path | None = None) -> str | None:
    """The commit of the checkout that this code runs from, plus "+changes" if files differ; None outside of one."""
    folder = (package or Path(fer_edge.__file__).parent).resolve()
    top = _git(folder, "rev-parse", "--show-toplevel")
    # An installed copy may lie in somebody else's checkout, whose revision would say nothing.
    if top is None or Path(top).resolve() / "edge" / "fer_edge" != folder:
        return None
    revision = _git(folder, "rev-parse", "HEAD")
    if revision is None:
        return None
    return revision + ("+changes" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")


_CLOCKS = "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq"


def _text(path: Path) -> str | None:
    """A small file's text, stripped of white space and the zero byte that device trees end with."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip("\0 \n\t") or None
    except OSError:
        return None


def _texts(root: Path, pattern: str) -> Iterator[str]:
    for path in sorted(root.glob(pattern)):
        text = _text(path)
        if text is not None:
            yield text


def _distinct(root: Path, pattern: str) -> tuple[str, ...] | None:
    return tuple(sorted(set(_texts(root, pattern)))) or None


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _cpu_field(cpuinfo: str, name: str) -> str | None:
    for line in cpuinfo.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip()
    return None


def _cpu(cpuinfo: str) -> str | None:
    """The processor's name: a PC's own words, an ARM board's part, else what the board calls itself."""
    part = ARM_PARTS.get(_cpu_field(cpuinfo, "CPU part") or "")
    return _cpu_field(cpuinfo, "model name") or part or _cpu_field(cpuinfo, "Model")


def _cpus_usable(root: Path) -> float | None:
    """What affinity and the container's quota (cgroup 2) leave; of another root only its files count."""
    quota, _, period = (_text(root / "sys/fs/cgroup/cpu.max") or "").partition(" ")
    limits = [int(quota) / int(period)] if quota.isdigit() and period.isdigit() and int(period) else []
    if root == ROOT:
        limits.append(float(len(os.sched_getaffinity(0))))
    return min(limits, default=None)


def _clock_limits_mhz(root: Path) -> tuple[float, ...] | None:
    texts = set(_texts(root, "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_max_freq"))
    return tuple(sorted(float(text) * MILLI for text in texts if _number(text))) or None


def _boost(root: Path) -> bool | None:
    """Whether a PC's processor may go above its nominal clock."""
    text = _text(root / "sys/devices/system/cpu/cpufreq/boost")
    if text is not None:
        return text == "1"
    without = _text(root / "sys/devices/system/cpu/intel_pstate/no_turbo")
    return None if without is None else without == "0"


def _throttle_count(root: Path) -> int | None:
    texts = _texts(root, "sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/core_throttle_count")
    counts = [int(text) for text in texts if text.isdigit()]
    return sum(counts) if counts else None


STEAL = 7
"""Place of `steal` among the figures of the first line of /proc/stat, as proc(5) lists them."""
GUEST = 8
"""From here on the figures are parts of those before them."""


def _ticks(root: Path) -> tuple[int | None, int | None]:
    """(stolen by the hypervisor, all) since boot."""
    words = (_text(root / "proc/stat") or "").partition("\n")[0].split()
    figures = [int(word) for word in words[1:] if word.isdigit()]
    if words[:1] != ["cpu"] or len(figures) <= STEAL:
        return None, None
    return figures[STEAL], sum(figures[:GUEST])


def _features(cpuinfo: str) -> tuple[str, ...]:
    words = f"{_cpu_field(cpuinfo, 'flags') or ''} {_cpu_field(cpuinfo, 'Features') or ''}".split()
    return tuple(name for name in (*X86_FEATURES, *ARM_FEATURES) if name in words)


def _memory_bytes(root: Path) -> int | None:
    for line in (_text(root / "proc/meminfo") or "").splitlines():
        parts = line.split()
        if len(parts) >= 2 and parts[0] == "MemTotal:" and parts[1].isdigit():
            return int(parts[1]) * 1024
    return None


def _hex_values(root: Path) -> Iterator[int | None]:
    for pattern in THROTTLE_FILES:
        for text in _texts(root, pattern):
            try:
                yield int(text, 16)
            except ValueError:
                yield None


def _supply_alarm(root: Path) -> bool | None:
    for folder in sorted(root.glob("sys/class/hwmon/hwmon*")):
        if _text(folder / "name") == "rpi_volt":
            alarm = _text(folder / "in0_lcrit_alarm")
            return None if alarm is None else alarm == "1"
    return None


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git(folder: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=False)  # noqa: S603 - a fixed command
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
