"""Boards laid out as files under a root: a Raspberry Pi, a Jetson, a PC, and programs that say what a test wants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PI_MODEL = "Raspberry Pi 4 Model B Rev 1.5"
PI_CPUINFO = """\
processor\t: 0
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU part\t: 0xd08

processor\t: 1
Features\t: fp asimd evtstrm crc32 cpuid
CPU part\t: 0xd08

Model\t\t: Raspberry Pi 4 Model B Rev 1.5
"""
MEMINFO = """\
MemTotal:        3884396 kB
MemFree:          203040 kB
MemAvailable:    2897548 kB
SwapTotal:        102396 kB
SwapFree:         102000 kB
HugePages_Total:       0
"""
ZONE = "sys/class/thermal/thermal_zone0"
THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"


def lay(root: Path, files: Mapping[str, str]) -> Path:
    """Write files, path to text; returns the root."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def program(root: Path, name: str, script: str) -> Path:
    """An executable shell script at `root/name`."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def vcgencmd(root: Path, bits: int) -> Path:
    """The Raspberry Pi's program, which prints these throttling bits."""
    return program(root, "usr/bin/vcgencmd", f'[ "$1" = get_throttled ] && echo throttled=0x{bits:x}')


def raspberry_pi(root: Path, *, temperature_c: float = 48.2, bits: int | None = None) -> Path:
    """A Raspberry Pi 4; bits: what its firmware says through sysfs, None for nothing."""
    lay(
        root,
        {
            "proc/device-tree/model": PI_MODEL + "\0",
            "proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0",
            "proc/cpuinfo": PI_CPUINFO,
            "proc/meminfo": MEMINFO,
            "proc/loadavg": "0.52 0.58 0.59 1/123 4567\n",
            "proc/self/status": "Name:\tpython3\nVmRSS:\t  120000 kB\nSeccomp:\t2\n",
            "proc/sys/kernel/osrelease": "6.6.31+rpt-rpi-v8\n",
            "etc/os-release": 'NAME="Debian"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
            f"{ZONE}/type": "cpu-thermal\n",
            f"{ZONE}/temp": f"{temperature_c * 1000:.0f}\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "ondemand\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "600000\n",
            "sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq": "1800000\n",
            "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1800000\n",
        },
    )
    return root if bits is None else lay(root, {THROTTLED: f"{bits:x}\n"})


def jetson(root: Path, *, alerts: Mapping[str, int] | None = None, over_current: int = 0) -> Path:
    """A Jetson Orin Nano; alerts: state of its cooling devices by name; over_current: OC3 events since boot."""
    lay(
        root,
        {
            "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
            "proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0",
            "sys/class/thermal/thermal_zone0/type": "cv0-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "-256000\n",
            "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone1/temp": "51500\n",
            "sys/class/thermal/thermal_zone2/type": "tj-thermal\n",
            "sys/class/thermal/thermal_zone2/temp": "53000\n",
            "sys/class/hwmon/hwmon3/name": "soctherm_oc\n",
            "sys/class/hwmon/hwmon3/oc1_event_cnt": "0\n",
            "sys/class/hwmon/hwmon3/oc2_event_cnt": "0\n",
            "sys/class/hwmon/hwmon3/oc3_event_cnt": f"{over_current}\n",
        },
    )
    for number, (name, state) in enumerate((alerts or {"cpu-throttle-alert": 0}).items()):
        device = f"sys/class/thermal/cooling_device{number}"
        lay(root, {f"{device}/type": f"{name}\n", f"{device}/cur_state": f"{state}\n"})
    return root
