"""An aarch64 Debian in a folder, and what runs in it as a Raspberry Pi 4 or 5, in QEMU's user mode.

The kernel starts foreign programs by `binfmt_misc`, so that Python's child processes work as they do on a board. A
Pi's /proc/cpuinfo is bound over this machine's, for runtimes read it to choose their kernels: with an x86 one LiteRT
dies, and with a Pi 5's on an emulated Pi 4 OpenVINO meets instructions that are not there.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_edge.clock import SystemClock

RELEASES = {"bookworm": "3.11", "trixie": "3.13"}
"""Debian as Raspberry Pi OS has it, and its Python."""
PACKAGES = ("python3", "python3-venv", "python3-pip", "ca-certificates")
BOOTED = ("systemd", "systemd-sysv", "dbus", "udev", "kmod", "iproute2", "procps")
"""What a machine that boots needs besides."""
STATE = "/tmp/state"  # noqa: S108 - inside the root
"""Where verdicts about artifacts are remembered in there."""
BINFMT = Path("/proc/sys/fs/binfmt_misc")
BINFMT_RULE = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
APT = "apt install qemu-user-static mmdebstrap"
CORES = 4

Say = Callable[[str], None]


class Missing(Exception):  # noqa: N818 - a state of this machine
    """Something on this machine that emulation needs; the message says what to do."""


def listed(known: Sequence[str]) -> Callable[[str], list[str]]:
    """For argparse: some of the known words, with commas between them."""

    def parsed(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: not one of {', '.join(known)}")
        return chosen

    return parsed


@dataclass(frozen=True)
class Board:
    """A processor as QEMU and /proc/cpuinfo call it."""

    name: str
    cpu: str
    features: str
    numbers: tuple[str, str, int]

    def sysfs(self) -> dict[str, str]:
        """What OpenVINO asks the kernel about the processor, by file below /sys/devices/system/cpu."""
        variant, part, revision = self.numbers
        identity = 0x41 << 24 | int(variant, 16) << 20 | 0xF << 16 | int(part, 16) << 4 | revision
        everyone = dict.fromkeys(("possible", "present", "online"), f"0-{CORES - 1}\n")
        for core in range(CORES):
            everyone |= {
                f"cpu{core}/regs/identification/midr_el1": f"{identity:#018x}\n",
                f"cpu{core}/topology/core_id": f"{core}\n",
                f"cpu{core}/topology/physical_package_id": "0\n",
                f"cpu{core}/topology/core_cpus": f"{1 << core:x}\n",
                f"cpu{core}/topology/thread_siblings": f"{1 << core:x}\n",
                f"cpu{core}/topology/core_siblings": f"{(1 << CORES) - 1:x}\n",
                f"cpu{core}/topology/package_cpus": f"{(1 << CORES) - 1:x}\n",
            }
        return everyone

    def told(self, work: Path) -> tuple[Path, Path]:
        """Files to bind over /proc/cpuinfo and over /sys, written into this folder."""
        cpuinfo, sysfs = work / f"cpuinfo.{self.name}", work / f"sys.{self.name}"
        cpuinfo.write_text(self.cpuinfo(), encoding="ascii")
        for name, text in self.sysfs().items():
            path = sysfs / "devices" / "system" / "cpu" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="ascii")
        return cpuinfo, sysfs

    def cpuinfo(self) -> str:
        """As the kernel of the board tells it."""
        variant, part, revision = self.numbers
        lines = (
            "BogoMIPS\t: 108.00",
            f"Features\t: {self.features}",
            "CPU implementer\t: 0x41",
            "CPU architecture: 8",
            f"CPU variant\t: {variant}",
            f"CPU part\t: {part}",
            f"CPU revision\t: {revision}",
        )
        return "".join("\n".join((f"processor\t: {core}", *lines)) + "\n\n" for core in range(CORES))


BOARDS = {
    "pi4": Board("pi4", "cortex-a72", "fp asimd evtstrm crc32 cpuid", ("0x0", "0xd08", 3)),
    "pi5": Board(
        "pi5",
        "cortex-a76",
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp",
        ("0x4", "0xd0b", 1),
    ),
}


@dataclass(frozen=True)
class Ran:
    """One command. peak_bytes: of the largest of its processes, the emulator's own memory included."""

    code: int
    out: str
    err: str
    seconds: float
    peak_bytes: int

    @property
    def last_words(self) -> str:
        """What it said at the end, for whoever looks into why it failed."""
        return " | ".join((self.err.strip() or self.out.strip()).splitlines()[-3:])


class Root:
    """A root file system; `run` starts programs in it."""

    def __init__(self, folder: Path, release: str) -> None:
        """folder: made when it is first needed, and kept."""
        self.folder, self.release = folder.resolve(), release

    def make(self, say: Say) -> None:
        """Unpack and configure Debian, unless it was done before. Raises Missing."""
        require()
        if (self.folder / ".made").exists():
            return
        say(f"{self.release}: unpacking Debian for arm64 into {self.folder}, some minutes")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        wanted = f"--include={','.join((*PACKAGES, *BOOTED))}"
        asked = ["mmdebstrap", "--mode=root", "--variant=minbase", "--architectures=arm64", wanted]
        subprocess.run([*asked, self.release, str(self.folder)], check=True, stderr=subprocess.DEVNULL)
        for name in ("etc/resolv.conf", "etc/hosts"):
            shutil.copy(f"/{name}", self.folder / name)
        if CERTIFICATES.exists():  # this machine may know one more authority, where a proxy speaks for the world
            shutil.copy(CERTIFICATES, self.folder / CERTIFICATES.relative_to("/"))
        (self.folder / ".made").touch()

    def put(self, path: Path) -> str:
        """Copy a file or folder to /opt/in; its name there."""
        target = self.folder / "opt" / "in" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            shutil.copy(path, target)
        return f"/opt/in/{path.name}"

    def run(
        self, command: Sequence[str], board: Board, *, timeout_s: float, env: Mapping[str, str] | None = None
    ) -> Ran:
        """One command as root inside, on this board; code -9 when it took too long."""
        cpuinfo, sysfs = board.told(self.folder.parent)
        known = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/opt", "LANG": "C.UTF-8", "XDG_STATE_HOME": STATE}
        known["QEMU_CPU"] = board.cpu
        known |= {key: value for key, value in os.environ.items() if key.startswith("PIP_")} | dict(env or {})
        mounts = (
            "mount --make-rprivate / && mount -t proc proc {0}/proc && mount --bind {1} {0}/proc/cpuinfo && "
            "mount --bind {2} {0}/sys && mount --rbind /dev {0}/dev && exec chroot {0} env -i {3} "
        ).format(self.folder, cpuinfo, sysfs, " ".join(f"'{key}={value}'" for key, value in known.items()))
        return waited(["unshare", "-m", "sh", "-c", f'{mounts} "$@"', "run", *command], timeout_s)


def require() -> None:
    """Make the kernel start aarch64 programs. Raises Missing."""
    if os.geteuid() != 0:
        raise Missing("an emulated board needs root, to unpack a root file system and to mount: sudo make ...")
    if shutil.which("mmdebstrap") is None or not BINFMT_RULE.exists():
        raise Missing(f"an emulated board needs QEMU and a tool that unpacks Debian: {APT}")
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "none", str(BINFMT)], check=True)
    if not (BINFMT / "qemu-aarch64").exists():
        (BINFMT / "register").write_bytes(BINFMT_RULE.read_bytes().strip())


def waited(command: Sequence[str], timeout_s: float) -> Ran:
    """A command in a group of its own, measured."""
    clock = SystemClock()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began_s = clock.monotonic_s()
        process = subprocess.Popen(list(command), stdout=out, stderr=err, start_new_session=True)
        timer = threading.Timer(timeout_s, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = clock.monotonic_s() - began_s
        out.seek(0)
        err.seek(0)
        said, told = (file.read().decode(errors="replace") for file in (out, err))
    return Ran(process.returncode, said, told, seconds, usage.ru_maxrss * 1024)
