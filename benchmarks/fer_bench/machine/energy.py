"""What the machine takes from its supply, by the meter it has; None where it has none, never a guess.

Every path is taken under `root`, so that a test can lay out a board. Meters cover different things (the CPU package,
the rails of a power chip, the whole board), so each says what, and figures of two that differ there cannot be compared.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fer_bench.machine.environment import ROOT

MICRO, MILLI = 1e-6, 1e-3
RAPL = "sys/class/powercap"
WHOLE_BOARD_LABELS = ("VDD_IN", "POM_5V_IN")
"""The supply's own channel of a Jetson's INA3221: Orin Nano, NX and Xavier NX; the first Nano."""
NOT_THE_BOARD = ("amdgpu", "nouveau", "i915", "xe", "nvme", "nvidia", "iwlwifi")
"""Chips under hwmon whose power is that of a device the benchmark does not use."""
SOCKET_LABEL = "Esocket"
"""Of `amd_energy`, which also has a counter per core that is contained in the socket's."""
PROGRAM_FOLDERS = ("usr/bin", "opt/vc/bin", "bin")
ASK_TIMEOUT_S = 2.0
PMIC_LINE = re.compile(r"\s*(?P<rail>\S+)_[AV]\s+(?P<kind>current|volt)\(\d+\)=(?P<value>[0-9.]+)[AV]\s*", re.ASCII)


@dataclass(frozen=True)
class Energy:
    """What was taken between two moments, in joules; watts is the mean. covers: what the meter sees."""

    meter: str
    covers: str
    joules: float
    seconds: float
    watts: float
    samples: int


@dataclass(frozen=True)
class Power:
    """A meter of watts at the moment; read gives None when it cannot be read."""

    name: str
    covers: str
    read: Callable[[], float | None]


@dataclass(frozen=True)
class Counters:
    """A meter that counts up. files: each with the microjoules at which it starts again from 0 (None: never)."""

    name: str
    covers: str
    files: tuple[tuple[Path, int | None], ...]

    def read(self) -> tuple[int, ...] | None:
        """Microjoules of each; None when one cannot be read."""
        found = tuple(_whole(path) for path, _ in self.files)
        return tuple(value for value in found if value is not None) if None not in found else None

    def between(self, before: Sequence[int], after: Sequence[int]) -> float | None:
        """Joules; a counter that went back has begun again once. None where nobody said at what it does."""
        taken = 0
        for (_, limit), old, new in zip(self.files, before, after, strict=True):
            if new < old and limit is None:
                return None
            taken += new - old + (limit or 0 if new < old else 0)
        return taken * MICRO


Meter = Power | Counters


@dataclass(frozen=True)
class Found:
    """A meter, or the reason why there is none, as a sentence that says what to do where something can be done."""

    meter: Meter | None
    why: str = ""


class Recorder:
    """Adds up what a meter shows. `sample` it at least twice, at every moment in between for a meter of watts."""

    def __init__(self, meter: Meter) -> None:
        self._meter, self.name = meter, meter.name
        self._first_s = self._last_s = 0.0
        self._joules, self._samples, self._broken = 0.0, 0, False
        self._watts: float = 0.0
        self._counts: tuple[int, ...] = ()

    def sample(self, now_s: float) -> None:
        """Look at the meter; now_s: a steady clock."""
        if self._broken:
            return
        taken = self._power(now_s) if isinstance(self._meter, Power) else self._counted()
        if taken is None:
            self._broken = True
            return
        if not self._samples:
            self._first_s = now_s
        else:
            self._joules += taken
        self._last_s = now_s
        self._samples += 1

    def result(self) -> Energy | None:
        """None when the meter could not be read, was looked at once only, or stood still."""
        seconds = self._last_s - self._first_s
        if self._broken or seconds <= 0 or self._joules <= 0:
            return None
        watts = self._joules / seconds
        return Energy(self._meter.name, self._meter.covers, self._joules, seconds, watts, self._samples)

    def _power(self, now_s: float) -> float | None:
        """Between two looks the mean of both holds."""
        watts = self._meter.read() if isinstance(self._meter, Power) else None
        if watts is None:
            return None
        before, self._watts = self._watts, watts
        return (before + watts) / 2 * (now_s - self._last_s)

    def _counted(self) -> float | None:
        if not isinstance(self._meter, Counters):
            return None
        counts, before = self._meter.read(), self._counts
        if counts is None:
            return None
        self._counts = counts
        return self._meter.between(before, counts) if before else 0.0


def find(root: Path = ROOT) -> Found:
    """The meter that sees most of this machine and can be read."""
    reasons = []
    for look in (_jetson, _pmic, _rapl, _hwmon, _battery):
        found = look(root)
        if found.meter is not None:
            return found
        if found.why:
            reasons.append(found.why)
    return Found(None, "; ".join(reasons) or "this machine has no meter of its power")


def pmic_watts(text: str) -> float | None:
    """The sum of current times voltage over the rails that `vcgencmd pmic_read_adc` gives both of; None without any."""
    values: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        match = PMIC_LINE.fullmatch(line)
        if match:
            values.setdefault(match["rail"], {})[match["kind"]] = float(match["value"])
    pairs = [rail["current"] * rail["volt"] for rail in values.values() if len(rail) == 2]
    return sum(pairs) if pairs else None


def _jetson(root: Path) -> Found:
    for folder in _chips(root):
        for label in sorted(folder.glob("in*_label")):
            number = label.name.removeprefix("in").removesuffix("_label")
            volt, current = folder / f"in{number}_input", folder / f"curr{number}_input"
            name = _text(label)
            if name in WHOLE_BOARD_LABELS and current.exists():
                return _proven(
                    Power(f"INA3221 {name}", "the whole board", partial(_product, volt, current, MILLI * MILLI)),
                    current,
                )
    return Found(None)


def _pmic(root: Path) -> Found:
    model = _text(root / "proc/device-tree/model") or ""
    if not model.strip("\0").startswith("Raspberry Pi"):
        return Found(None)
    program = next((path for folder in PROGRAM_FOLDERS if os.access(path := root / folder / "vcgencmd", os.X_OK)), None)
    if program is None:
        return Found(None, "vcgencmd is not installed, which would tell the power of a Raspberry Pi 5")

    if pmic_watts(_said(program)) is None:
        return Found(
            None,
            f"{program} pmic_read_adc tells no currents: only a Raspberry Pi 5 has such a power chip, "
            "and the user needs the group `video`",
        )
    covers = "the rails of the board's power chip; not what hangs on USB, nor what the chip itself loses"
    return Found(Power("Raspberry Pi power chip", covers, lambda: pmic_watts(_said(program))))


def _rapl(root: Path) -> Found:
    zones = {folder: _text(folder / "name") or "" for folder in sorted((root / RAPL).glob("*"))}
    packages = [folder for folder, name in zones.items() if name.startswith("package-")]
    platform = [folder for folder, name in zones.items() if name == "psys"]
    if not packages:
        return Found(None)
    chosen = platform or packages
    covers = "the platform as its maker wired it (psys)" if platform else "the CPU package only"
    name = "RAPL " + " + ".join(zones[folder] for folder in chosen)
    files = tuple((folder / "energy_uj", _whole(folder / "max_energy_range_uj")) for folder in chosen)
    return _proven(Counters(name, covers, files), chosen[0] / "energy_uj")


def _hwmon(root: Path) -> Found:
    whys = []
    for folder in _chips(root):
        chip = _text(folder / "name") or folder.name
        if chip in NOT_THE_BOARD:
            continue
        found = _counting(folder, chip) or _showing(folder, chip)
        if found is not None and found.meter is not None:
            return found
        whys += [found.why] if found is not None else []
    return Found(None, "; ".join(whys))


def _counting(folder: Path, chip: str) -> Found | None:
    """The first counter of a chip, or all its sockets'."""
    inputs = {path: _label(path) for path in sorted(folder.glob("energy*_input"))}
    sockets = [path for path, label in inputs.items() if label.startswith(SOCKET_LABEL)]
    chosen = sockets or list(inputs)[:1]
    if not chosen:
        return None
    name = " ".join([chip, *(inputs[path] for path in chosen)]).strip()
    covers = "the CPU package only" if sockets else f"what the chip {name} is wired to"
    return _proven(Counters(name, covers, tuple((path, None) for path in chosen)), chosen[0])


def _showing(folder: Path, chip: str) -> Found | None:
    """The first power of a chip."""
    path = next(iter(sorted([*folder.glob("power*_input"), *folder.glob("power*_average")])), None)
    if path is None:
        return None
    name = f"{chip} {_label(path)}".strip()
    covers = "the whole machine" if chip == "power_meter" else f"what the chip {name} is wired to"
    return _proven(Power(name, covers, lambda: _scaled(path, MICRO)), path)


def _battery(root: Path) -> Found:
    for folder in sorted((root / "sys/class/power_supply").glob("*")):
        if _text(folder / "type") != "Battery":
            continue
        if _text(folder / "status") != "Discharging":
            return Found(None, "the battery is not discharging, so it tells nothing: unplug the charger")
        meter = Power(f"battery {folder.name}", "the whole machine, from its battery", partial(_drain, folder))
        return _proven(meter, folder / "power_now")
    return Found(None)


def _drain(folder: Path) -> float | None:
    """Watts of a battery; some tell only volt and ampere."""
    watts = _scaled(folder / "power_now", MICRO)
    return _product(folder / "voltage_now", folder / "current_now", MICRO * MICRO) if watts is None else watts


def _proven(meter: Meter, path: Path) -> Found:
    """The meter if it can be read now, else why not."""
    if meter.read() is not None:
        return Found(meter)
    try:
        path.read_bytes()
    except PermissionError:
        return Found(
            None, f"{meter.name} may not be read: run as root, or `sudo chmod a+r {path}` until the next start"
        )
    except OSError:
        pass
    return Found(None, f"{meter.name} is there and gives no number")


def _chips(root: Path) -> Iterator[Path]:
    yield from sorted((root / "sys/class/hwmon").glob("hwmon*"))


def _label(path: Path) -> str:
    return _text(path.with_name(path.name.rpartition("_")[0] + "_label")) or ""


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or None
    except OSError:
        return None


def _whole(path: Path) -> int | None:
    text = _text(path) or ""
    return int(text) if text.isdecimal() else None


def _scaled(path: Path, scale: float) -> float | None:
    value = _whole(path)
    return None if value is None else value * scale


def _product(volt: Path, current: Path, scale: float) -> float | None:
    """Volt times ampere; the sign of a current only says which way it goes."""
    amount = _whole(volt)
    flow = (_text(current) or "").removeprefix("-")
    return amount * int(flow) * scale if amount is not None and flow.isdecimal() else None


def _said(program: Path) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - a fixed program of the system's
            [program, "pmic_read_adc"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ASK_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
