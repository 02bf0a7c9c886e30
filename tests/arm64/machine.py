"""An aarch64 machine that boots: systemd, a kernel's own video device, fer-edge as a service, a reboot.

    python tests/arm64/machine.py [--release bookworm]        after check.py has made the root file system

The camera is `vivid`, the kernel's test driver, which drops its buffers and is unplugged when it is told to. Nothing
here is a Raspberry Pi: QEMU's `virt` machine with a Cortex-A72, at a fortieth of its speed or so. Needs root,
`apt install qemu-system-arm kmod cpio e2fsprogs` besides what check.py needs, and minutes.
"""

from __future__ import annotations

import argparse
import gzip
import lzma
import re
import selectors
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fer_edge.clock import SystemClock

sys.path.insert(0, str(Path(__file__).parents[1]))
from arm64.root import BOARDS, RELEASES, Missing, Root, require

HERE = Path(__file__).parent
HOME = HERE.parents[1]
PROGRAMS = ("qemu-system-aarch64", "modprobe", "depmod", "cpio", "mkfs.ext4", "dpkg-deb")
BOOT_MODULES = ("virtio_pci", "virtio_mmio", "virtio_blk", "crc32c_generic", "ext4")
MEMORY_MB, IMAGE_MB, CPUS = 1024, 3000, 2
LIMIT_S = 1500.0
FETCH_S = 900.0
INIT = """\
#!/bin/busybox sh
B=/bin/busybox
$B mount -t devtmpfs dev /dev
while read -r module; do $B insmod "/m/$module"; done < /order
for _ in 1 2 3 4 5 6 7 8 9 10; do $B mount -t ext4 /dev/vda /mnt && break; $B sleep 0.5; done
$B mount --move /dev /mnt/dev
exec $B switch_root /mnt /lib/systemd/systemd
"""
CONFIG = """\
source = "/dev/video0"

[camera]
width_px = 320
height_px = 180
fps = 5.0

[detector]
name = "whole"

[events]
path = "/var/lib/fer-edge/events.jsonl"
rate = "all"
"""
UNIT = """\
[Unit]
Description=What is tried in here
After=dbus.service

[Service]
Type=exec
ExecStart=/bin/bash /opt/in/job.sh

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Told:
    """A line of the job: when it was said, in seconds since the machine's kernel started."""

    name: str
    good: bool
    at_s: float
    what: str

    def __str__(self) -> str:
        return f"{self.at_s:7.1f} s  {self.name:26} {'ok' if self.good else 'FAIL':5} {self.what}"


def main() -> int:
    """Boot, print what the machine says, and 1 where something failed or the end never came."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", choices=list(RELEASES), default="bookworm")
    parser.add_argument("--work", type=Path, default=HOME / "build" / "arm64")
    parser.add_argument("--limit", type=float, default=LIMIT_S, help="seconds for both boots")
    arguments = parser.parse_args()
    root = Root(arguments.work / arguments.release, arguments.release)
    try:
        _require()
        root.make(_say)
        kernel = Kernel.fetched(root)
    except Missing as reason:
        _say(str(reason))
        return 69
    prepare(root, kernel)
    image = arguments.work / f"{arguments.release}.img"
    _say("making the disk")
    image.unlink(missing_ok=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-d", str(root.folder), str(image), f"{IMAGE_MB}M"], check=True)
    told = []
    for line in boot(kernel, image, arguments.work / f"{arguments.release}.console", arguments.limit):
        told.append(line)
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    ended = bool(told) and told[-1].name == "end"
    if not ended:
        _say(f"the machine never came to the end; what it said is in {arguments.work / f'{arguments.release}.console'}")
    return int(not ended or not all(line.good for line in told))


@dataclass(frozen=True)
class Kernel:
    """Debian's kernel for arm64, unpacked: the image, its modules, and a busybox for the first moments."""

    folder: Path
    version: str

    @classmethod
    def fetched(cls, root: Root) -> Kernel:
        """By the root's own apt, once; raises Missing."""
        if not (root.folder / "opt" / "fer-edge").exists():
            raise Missing("fer-edge is not installed in there yet: run check.py first")
        folder = root.folder.parent / f"kernel-{root.release}"
        if not (folder / ".made").exists():
            _say("fetching a kernel")
            ran = root.run(["bash", "-c", _FETCH], BOARDS["pi5"], timeout_s=FETCH_S)
            if ran.code:
                raise Missing(f"no kernel could be fetched: {ran.last_words}")
            for package in (root.folder / "opt" / "kernel").glob("*.deb"):
                subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
            (folder / ".made").touch()
        (image,) = (folder / "boot").glob("vmlinuz-*")
        return cls(folder, image.name.removeprefix("vmlinuz-"))

    @property
    def image(self) -> Path:
        """What QEMU starts."""
        return self.folder / "boot" / f"vmlinuz-{self.version}"

    def modules(self, names: Sequence[str]) -> list[Path]:
        """The files of these modules and of what they need, in the order in which they are loaded."""
        if not (self.base / "lib" / "modules" / self.version / "modules.dep.bin").exists():
            subprocess.run(["depmod", "-b", str(self.base), self.version], check=True)
        found: list[Path] = []
        for name in names:
            asked = ["modprobe", "-S", self.version, "-d", str(self.base), "--show-depends", name]
            said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
            found += [Path(line.split()[1]) for line in said.splitlines() if line.startswith("insmod")]
        return list(dict.fromkeys(found))

    def initramfs(self, target: Path) -> Path:
        """What loads the disk's drivers and hands over to systemd."""
        staging = target.with_suffix(".d")
        shutil.rmtree(staging, ignore_errors=True)
        for name in ("bin", "proc", "sys", "dev", "mnt", "m"):
            (staging / name).mkdir(parents=True)
        (busybox,) = [*self.folder.glob("usr/bin/busybox"), *self.folder.glob("bin/busybox")][:1]
        shutil.copy(busybox, staging / "bin" / "busybox")
        modules = self.modules(BOOT_MODULES)
        names = [module.name.removesuffix(".xz") for module in modules]
        for name, module in zip(names, modules, strict=True):
            data = module.read_bytes()
            (staging / "m" / name).write_bytes(lzma.decompress(data) if module.suffix == ".xz" else data)
        (staging / "order").write_text("".join(f"{name}\n" for name in names), encoding="ascii")
        (staging / "init").write_text(INIT, encoding="ascii")
        (staging / "init").chmod(0o755)
        packed = subprocess.run(
            ["sh", "-c", "find . | cpio -o -H newc --quiet"], cwd=staging, capture_output=True, check=True
        )
        target.write_bytes(gzip.compress(packed.stdout, 1))
        return target

    @property
    def base(self) -> Path:
        """Where `lib/modules` lies."""
        return self.folder / "usr" if (self.folder / "usr" / "lib" / "modules").exists() else self.folder


_FETCH = """
set -e
mkdir -p /opt/kernel && cd /opt/kernel && apt-get -qq update
kernel=$(apt-cache depends linux-image-arm64 | awk '/Depends: linux-image/ { print $2; exit }')
apt-get -qq -o APT::Sandbox::User=root download "$kernel" busybox-static v4l-utils
apt-get -qq -y -o DPkg::Lock::Timeout=10 install --no-install-recommends v4l-utils > /dev/null
"""


def prepare(root: Root, kernel: Kernel) -> None:
    """Put the job, its unit, the service's configuration and the camera's modules into the root."""
    root.put(HERE / "job.sh")
    for name, text in {
        "etc/fer-edge/fer-edge.toml": CONFIG,
        "etc/systemd/system/job.service": UNIT,
        "etc/hostname": "emulated\n",
    }.items():
        (root.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (root.folder / name).write_text(text, encoding="ascii")
    wants = root.folder / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "job.service").unlink(missing_ok=True)
    (wants / "job.service").symlink_to("../job.service")
    (root.folder / "var/lib/job-phase").unlink(missing_ok=True)
    getty = root.folder / "etc/systemd/system/serial-getty@ttyAMA0.service"
    getty.unlink(missing_ok=True)
    getty.symlink_to("/dev/null")  # it would hang up the line that the job speaks on
    modules = root.folder / "lib" / "modules" / kernel.version
    shutil.rmtree(modules, ignore_errors=True)
    for module in kernel.modules(["vivid"]):
        target = modules / module.relative_to(kernel.base / "lib" / "modules" / kernel.version)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(module, target)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(kernel.base / "lib" / "modules" / kernel.version / name, modules / name)
    subprocess.run(["depmod", "-b", str(root.folder), kernel.version], check=True)


def boot(kernel: Kernel, image: Path, console: Path, limit_s: float) -> Iterator[Told]:
    """Start the machine and tell what its job says, until it powers off or its time is over."""
    initrd = kernel.initramfs(image.with_suffix(".initrd"))
    command = [
        *("qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "cortex-a72", "-smp", str(CPUS)),
        *("-m", str(MEMORY_MB), "-kernel", str(kernel.image), "-initrd", str(initrd)),
        *("-append", "console=ttyAMA0 root=/dev/vda rw net.ifnames=0 quiet"),
        *("-drive", f"file={image},format=raw,if=virtio", "-display", "none", "-serial", "stdio", "-monitor", "none"),
        *("-nic", "none"),
    ]
    clock = SystemClock()
    end_s = clock.monotonic_s() + limit_s
    with (
        console.open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as machine,
        selectors.DefaultSelector() as selector,
    ):
        assert machine.stdout is not None
        selector.register(machine.stdout, selectors.EVENT_READ)
        rest = b""
        while clock.monotonic_s() < end_s:
            if not selector.select(1.0):
                continue
            if not (data := machine.stdout.read1(65536)):  # type: ignore[attr-defined]
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                text = line.decode(errors="replace").rstrip("\r")
                log.write(f"{text}\n")
                log.flush()
                if (told := _told(text)) is not None:
                    yield told
        machine.kill()


def _told(line: str) -> Told | None:
    found = re.search(r"STEP ([^|]+)\|(ok|FAIL)\|([\d.]+)\|(.*)$", line)
    return Told(found[1], found[2] == "ok", float(found[3]), found[4]) if found else None


def _require() -> None:
    require()
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        packages = "qemu-system-arm kmod cpio e2fsprogs dpkg"
        raise Missing(f"{', '.join(missing)}: not installed, and a machine needs it: apt install {packages}")


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
