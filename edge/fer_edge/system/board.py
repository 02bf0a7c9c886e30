"""The board the daemon runs on: what it is, how warm, how fed, how full; what it does not tell is None.

Every path is taken under a root, so that a test can lay out a board of its own.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import os
import platform
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

log = logging.getLogger(__name__)

ROOT = Path("/")
ASK_TIMEOUT_S = 2.0
"""How long `vcgencmd` and `timedatectl` may take; both answer within milliseconds on a healthy board."""
MAX_FILE_BYTES = 256 * 1024
"""More than any file read here holds; /proc/cpuinfo of a large server is the longest."""
PLAUSIBLE_C = (-40.0, 150.0)
"""Zones that are switched off report figures like -274 000."""
CPU_ZONES = ("cpu-thermal", "cpu_thermal", "cpu-therm", "x86_pkg_temp", "soc-thermal", "soc_thermal", "tj-thermal")
"""The CPU's thermal zone, lower case: Raspberry Pi and Jetson Orin, older kernels, Jetson Nano, PCs, others."""
THROTTLE_WORDS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
"""Bits 0 to 3 of the Raspberry Pi firmware's `get_throttled`, as its documentation lists them."""
SINCE_BOOT_SHIFT = 16
"""The same four again from bit 16: whether it has happened since the board started."""
OVER_CURRENT_WORDS = {
    "oc1_event_cnt": "under-voltage",
    "oc2_event_cnt": "average over-current",
    "oc3_event_cnt": "instantaneous over-current",
}
"""Counters of the Jetson Orin's `soctherm_oc`, as its kernel driver names them."""
THROTTLE_ALERT = "-throttle-alert"
"""Jetson's cooling devices that say which part is slowed down; `hot-surface-alert` slows nothing."""
CPU_FEATURES = (
    *("sse4_1", "avx", "avx2", "fma", "f16c", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8"),
    *("asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve"),
)
"""What the kernels of the runtimes are chosen by, as /proc/cpuinfo names them: x86, then ARM."""
ARM_PARTS = {
    "0xd03": "Cortex-A53",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd0b": "Cortex-A76",
    "0xd42": "Cortex-A78AE",
}
"""`CPU part` of /proc/cpuinfo for implementer 0x41, as the linux kernel's cputype.h has them."""
ADJTIMEX_BYTES = 256
"""Room for a `struct timex`, which takes 208 on 64-bit Linux."""
TIME_ERROR = 5
"""`adjtimex` returns this while the kernel's clock is not synchronised."""

Kind = Literal["raspberry-pi", "jetson", "other"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What stays the same while the board is up.

    machine: the kernel's, as "aarch64"; bits: of this Python. container: what kind, None outside of one. os: the
    distribution's own name for itself.
    """

    model: str | None
    kind: Kind
    cpu: str | None
    cores: int | None
    features: tuple[str, ...]
    machine: str
    bits: int
    kernel: str | None
    os: str | None
    container: str | None


@dataclass(frozen=True, slots=True)
class Throttling:
    """What holds the board back, in words; bits: as a Raspberry Pi's firmware gave them, None elsewhere."""

    now: tuple[str, ...]
    since_boot: tuple[str, ...]
    bits: int | None = None

    @classmethod
    def of_bits(cls, bits: int) -> Throttling:
        """Decode the firmware's figure."""
        words = tuple(enumerate(THROTTLE_WORDS))
        now = tuple(word for bit, word in words if bits >> bit & 1)
        since_boot = tuple(word for bit, word in words if bits >> (bit + SINCE_BOOT_SHIFT) & 1)
        return cls(now, since_boot, bits)


@dataclass(frozen=True, slots=True)
class Zone:
    """A place with a thermometer."""

    name: str
    temperature_c: float


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system a path lies on; free is what an ordinary user may take."""

    free_bytes: int
    total_bytes: int
    read_only: bool


@dataclass(frozen=True, slots=True)
class Readings:
    """What changes by the second.

    temperature_c: the CPU's zone, else the hottest. clocks_mhz: one per CPU that tells; max_mhz: the fastest it may go.
    rss_bytes: memory that this process holds.
    """

    temperature_c: float | None = None
    zones: tuple[Zone, ...] = ()
    throttling: Throttling | None = None
    governor: str | None = None
    clocks_mhz: tuple[float, ...] | None = None
    max_mhz: float | None = None
    memory_bytes: int | None = None
    memory_available_bytes: int | None = None
    swap_bytes: int | None = None
    swap_free_bytes: int | None = None
    rss_bytes: int | None = None
    load_1min: float | None = None
    disk: Disk | None = None
    clock_synchronised: bool | None = None


class Board:
    """Asked whenever somebody wants to know; nothing is kept but what turned out to be useless to ask."""

    def __init__(self, root: Path = ROOT, statvfs: Callable[[Path], os.statvfs_result] = os.statvfs) -> None:
        """Nothing is read yet."""
        self.root, self._statvfs = root, statvfs
        self._mute: set[Path] = set()
        self._told = False

    def facts(self) -> Facts:
        """What the board is."""
        cpuinfo = self._text("proc/cpuinfo") or ""
        model = self._text("proc/device-tree/model") or self._text("sys/class/dmi/id/product_name")
        return Facts(
            model=model or _field(cpuinfo, "Model"),
            kind=self._kind(model or ""),
            cpu=_field(cpuinfo, "model name") or ARM_PARTS.get(_field(cpuinfo, "CPU part") or ""),
            cores=sum(line.startswith("processor") for line in cpuinfo.splitlines()) or None,
            features=_features(cpuinfo),
            machine=platform.machine(),
            bits=struct.calcsize("P") * 8,
            kernel=self._text("proc/sys/kernel/osrelease"),
            os=self._os_name(),
            container=self._container(),
        )

    def readings(self, disk: Path = ROOT) -> Readings:
        """How the board is at this moment; disk: the folder whose file system matters."""
        memory = self._memory()
        zones = tuple(self._zones())
        throttling = self.throttling()
        temperature_c = _cpu_temperature(zones)
        self._tell_once(temperature_c, throttling)
        status = self._text("proc/self/status") or ""
        return Readings(
            temperature_c=temperature_c,
            zones=zones,
            throttling=throttling,
            governor=self._text("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            clocks_mhz=self._mhz("scaling_cur_freq"),
            max_mhz=max(self._mhz("cpuinfo_max_freq") or (), default=None),
            memory_bytes=memory.get("MemTotal"),
            memory_available_bytes=memory.get("MemAvailable"),
            swap_bytes=memory.get("SwapTotal"),
            swap_free_bytes=memory.get("SwapFree"),
            rss_bytes=_kib(_field(status, "VmRSS")),
            load_1min=_number((self._text("proc/loadavg") or "").split(" ")[0]),
            disk=self.disk(disk),
            clock_synchronised=self.clock_synchronised(),
        )

    def throttling(self) -> Throttling | None:
        """From a Raspberry Pi's firmware, a Jetson's thermal tree, or the supply's alarm; None where all are silent."""
        return self._firmware_bits() or self._jetson() or self._supply_alarm()

    def disk(self, path: Path) -> Disk | None:
        """The file system that `path` lies on, or would lie on."""
        place = self.root / path.relative_to("/") if path.is_absolute() else path
        for folder in (place, *place.parents):
            try:
                found = self._statvfs(folder)
            except OSError:
                continue
            unit = found.f_frsize
            return Disk(found.f_bavail * unit, found.f_blocks * unit, bool(found.f_flag & os.ST_RDONLY))
        return None

    def clock_synchronised(self, *, ask: bool = False) -> bool | None:
        """Whether the time of day comes from somewhere trustworthy; ask: also start `timedatectl` to find out."""
        if (self.root / "run/systemd/timesync/synchronized").exists():
            return True
        found = self._kernel_clock()
        if found is None and ask:
            answer = self._ask("timedatectl", "show", "--property=NTPSynchronized", "--value")
            found = {"yes": True, "no": False}.get((answer or "").strip())
        return found

    def _kernel_clock(self) -> bool | None:
        """The kernel's own opinion. Not asked under a system call filter, which may end a process that asks."""
        if self.root != ROOT or _field(self._text("proc/self/status") or "", "Seccomp") != "0":
            return None
        try:
            state = _c_library().adjtimex(ctypes.create_string_buffer(ADJTIMEX_BYTES))
        except (OSError, AttributeError):
            return None
        return None if state < 0 else state != TIME_ERROR

    def _kind(self, model: str) -> Kind:
        compatible = self._text("proc/device-tree/compatible") or ""
        if model.startswith("Raspberry Pi") or "raspberrypi," in compatible:
            return "raspberry-pi"
        return "jetson" if "Jetson" in model or "nvidia,tegra" in compatible else "other"

    def _os_name(self) -> str | None:
        for line in (self._text("etc/os-release") or "").splitlines():
            name, _, value = line.partition("=")
            if name == "PRETTY_NAME":
                return value.strip("\"'") or None
        return None

    def _container(self) -> str | None:
        told = self._text("run/systemd/container")
        marks = {".dockerenv": "docker", "run/.containerenv": "podman"}
        return told or next((name for mark, name in marks.items() if (self.root / mark).exists()), None)

    def _memory(self) -> dict[str, int]:
        lines = (line.partition(":") for line in (self._text("proc/meminfo") or "").splitlines())
        found = {name: _kib(value) for name, _, value in lines}
        return {name: value for name, value in found.items() if value is not None}

    def _zones(self) -> Iterator[Zone]:
        for folder in self._glob("sys/class/thermal/thermal_zone*"):
            milli = _number(self._text(folder / "temp"))
            if milli is not None and PLAUSIBLE_C[0] <= milli / 1000 <= PLAUSIBLE_C[1]:
                yield Zone(self._text(folder / "type") or folder.name, milli / 1000)

    def _mhz(self, name: str) -> tuple[float, ...] | None:
        files = self._glob(f"sys/devices/system/cpu/cpu[0-9]*/cpufreq/{name}")
        found = [_number(self._text(path)) for path in files]
        return tuple(khz / 1000 for khz in found if khz is not None) or None

    def _firmware_bits(self) -> Throttling | None:
        for pattern in (
            "sys/devices/platform/soc/soc:firmware/get_throttled",
            "sys/devices/platform/*/*firmware*/get_throttled",
        ):
            for path in self._glob(pattern):
                bits = _hex(self._text(path))
                if bits is not None:
                    return Throttling.of_bits(bits)
        bits = _hex((self._ask("vcgencmd", "get_throttled") or "").strip().removeprefix("throttled="))
        return None if bits is None else Throttling.of_bits(bits)

    def _jetson(self) -> Throttling | None:
        alerts = {
            kind.removesuffix(THROTTLE_ALERT): self._text(folder / "cur_state")
            for folder in self._glob("sys/class/thermal/cooling_device*")
            if (kind := self._text(folder / "type") or "").endswith(THROTTLE_ALERT)
        }
        counters = {
            word: self._text(folder / name)
            for folder in self._glob("sys/class/hwmon/hwmon*")
            if self._text(folder / "name") == "soctherm_oc"
            for name, word in OVER_CURRENT_WORDS.items()
        }
        if not alerts and not counters:
            return None
        now = tuple(f"{part} throttled" for part, state in alerts.items() if _number(state))
        return Throttling(now, tuple(word for word, count in counters.items() if _number(count)))

    def _supply_alarm(self) -> Throttling | None:
        for folder in self._glob("sys/class/hwmon/hwmon*"):
            alarm = self._text(folder / "in0_lcrit_alarm")
            if self._text(folder / "name") == "rpi_volt" and alarm is not None:
                return Throttling((THROTTLE_WORDS[0],) if alarm == "1" else (), ())
        return None

    def _ask(self, program: str, *arguments: str) -> str | None:
        """What a system program prints; one that is missing or fails says nothing, one that hung is not asked again."""
        for folder in ("usr/bin", "opt/vc/bin", "bin"):
            path = self.root / folder / program
            if path in self._mute or not os.access(path, os.X_OK):
                continue
            try:
                done = subprocess.run(  # noqa: S603 - a fixed program of the system's
                    [path, *arguments],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    text=True,
                    errors="replace",
                    timeout=ASK_TIMEOUT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                self._mute.add(path)
                log.warning("%s gave no answer within %g s and is not asked again", program, ASK_TIMEOUT_S)
                return None
            except OSError:
                return None
            return done.stdout if done.returncode == 0 else None
        return None

    def _tell_once(self, temperature_c: float | None, throttling: Throttling | None) -> None:
        if temperature_c is None and throttling is None and not self._told:
            self._told = True
            level = logging.DEBUG if self.facts().kind == "other" else logging.INFO  # no news on a PC
            log.log(level, "this board tells neither its temperature nor whether it is throttled; neither is acted on")

    def _glob(self, pattern: str) -> list[Path]:
        try:
            return sorted(self.root.glob(pattern))
        except OSError:
            return []

    def _text(self, path: str | Path) -> str | None:
        """A small file's text, without white space around it and the zero bytes of device trees."""
        try:
            with (self.root / path).open("rb") as file:
                raw = file.read(MAX_FILE_BYTES)
        except OSError:
            return None
        return raw.decode("utf-8", "replace").strip("\0 \n\t") or None


@functools.cache
def _c_library() -> Any:  # noqa: ANN401 - ctypes is not typed
    """Loaded once: every loading leaves classes behind, and the clock is asked for months."""
    return ctypes.CDLL(None, use_errno=True)


def _cpu_temperature(zones: tuple[Zone, ...]) -> float | None:
    by_name = {zone.name.lower(): zone.temperature_c for zone in zones}
    named = next((by_name[name] for name in CPU_ZONES if name in by_name), None)
    return named if named is not None else max((zone.temperature_c for zone in zones), default=None)


def _field(text: str, name: str) -> str | None:
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon and key.strip() == name:
            return value.strip() or None
    return None


def _features(cpuinfo: str) -> tuple[str, ...]:
    words = f"{_field(cpuinfo, 'flags') or ''} {_field(cpuinfo, 'Features') or ''}".split()
    return tuple(name for name in CPU_FEATURES if name in words)


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _hex(text: str | None) -> int | None:
    try:
        return int(text or "", 16)
    except ValueError:
        return None


def _kib(value: str | None) -> int | None:
    """Bytes of a figure like "8 kB"."""
    number = (value or "").split(" kB")[0].strip()
    return int(number) * 1024 if number.isdigit() else None
