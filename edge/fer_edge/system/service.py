"""The systemd service: its unit, its drop-ins, and putting them in place, taking them away, and asking how it is."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fer_edge.errors import FerEdgeError, InputError, OutputError, RuntimeUnavailable, UsageError, first_line
from fer_edge.system.board import Kind

UNIT = "fer-edge.service"
UNIT_FOLDER = Path("etc/systemd/system")
CONFIG = Path("/etc/fer-edge/fer-edge.toml")
SYSTEMCTL_TIMEOUT_S = 120.0  # longer than the unit's own start and stop timeouts
HIDDEN = ("/home", pwd.getpwuid(0).pw_dir, "/run/user")
"""What ProtectHome= covers."""
PRIVATE = ("/tmp", "/var/tmp")  # noqa: S108 - what PrivateTmp= replaces; nothing is written there
JETSON_DEVICES = ("char-nvhost* rw", "char-nvgpu* rw", "char-nvidia* rw", "/dev/nvmap rw")
"""What a Jetson's camera stack opens, where the devices themselves cannot be listed."""
PROPERTIES = "LoadState,ActiveState,UnitFileState,Result,ExecMainStatus,NRestarts,StatusText"

TEMPLATE = """\
# Written by `fer-edge service install`; changes belong into a drop-in of your own: systemctl edit fer-edge
[Unit]
Description=Facial expressions in front of a camera, as events
After=network.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={executable} run --config {config}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=20
# 2 s after the first failure, a minute after many; older than systemd 254, always 2 s.
Restart=always
RestartSec=2
RestartSteps=5
RestartMaxDelaySec=60
# 78: the configuration or the model was refused, and trying again would not help.
RestartPreventExitStatus=78
TimeoutStopSec=10
KillMode=mixed
DynamicUser=yes
SupplementaryGroups=video
StateDirectory=fer-edge
RuntimeDirectory=fer-edge
Environment=ORT_DISABLE_TELEMETRY=1
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
# A refused call is an error that the libraries can handle, not the end of the process.
SystemCallErrorNumber=EPERM
DevicePolicy=closed
DeviceAllow=char-video4linux rw
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
IPAddressDeny=any
IPAddressAllow=localhost
MemoryMax=60%
OOMPolicy=stop
OOMScoreAdjust=200
LimitNOFILE=1024
# A core dump would be pictures on the disk.
LimitCORE=0
TasksMax=64
UMask=0077

[Install]
WantedBy=multi-user.target
"""
HEAD = "# Written by `fer-edge service install`. {why}\n[Service]\n"
LIBCAMERA = """\
# Written by `fer-edge service install`. The Raspberry Pi's camera, and vcgencmd for its throttling bits.
[Service]
DeviceAllow=char-media rw
DeviceAllow=char-dma_heap rw
DeviceAllow=/dev/vcio rw
DeviceAllow=/dev/vcio_gencmd rw
RestrictAddressFamilies=AF_NETLINK
"""
JETSON = """\
# Written by `fer-edge service install`. The Jetson's camera, which its Argus daemon hands out.
[Unit]
After=nvargus-daemon.service
PartOf=nvargus-daemon.service

[Service]
{devices}
BindPaths=-/tmp/argus_socket
"""
MANAGED = ("broker.conf", "lan.conf", "libcamera.conf", "jetson.conf", "home.conf", "credentials.conf")
"""Drop-ins that are ours to write and to remove; any other is the operator's."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the service is to be.

    executable: of `find_executable`. config_text: for a first configuration. kind: of `fer_edge.system.board.Facts`.
    credentials: name ("token") to a file that only root can read. broker: address of an MQTT broker elsewhere. lan: a
    network whose machines may come in and be reached; needs a token. folders: of `python_folders`, to be seen.
    """

    executable: Path
    config_text: str
    kind: Kind = "other"
    config: Path = CONFIG
    credentials: Mapping[str, Path] = field(default_factory=dict)
    broker: str | None = None
    lan: str | None = None
    folders: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class System:
    """Where it is put, and with what it is started; systemctl None: files only, as for an image that boots later."""

    root: Path = Path("/")
    systemctl: str | None = "systemctl"
    user_id: int = field(default_factory=os.geteuid)

    @property
    def booted(self) -> bool:
        """Whether systemd runs here, as sd_booted(3) finds out."""
        return (self.root / "run/systemd/system").is_dir()

    def at(self, path: Path) -> Path:
        """An absolute path, under the root."""
        return self.root / path.relative_to("/") if path.is_absolute() else self.root / path


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """As systemd sees the service; words: the same in one sentence."""

    installed: bool
    active: str = "inactive"
    enabled: bool = False
    result: str = ""
    exit_status: int = 0
    restarts: int = 0
    status_text: str = ""

    @property
    def failed(self) -> bool:
        """Whether it did not end as it should have, when it ended last."""
        return self.result not in {"", "success"}

    @property
    def words(self) -> str:
        """For a person."""
        if not self.installed:
            return "the service is not installed"
        state = f"the service is {self.active}" + ("" if self.enabled else ", will not start at boot")
        state += f", restarted {self.restarts} times" if self.restarts else ""
        state += f", ended with status {self.exit_status} ({self.result})" if self.failed else ""
        return state + (f": {self.status_text}" if self.status_text else "")


def find_executable() -> Path:
    """The absolute path of the `fer-edge` command: beside this Python, else on the PATH; raises InputError."""
    beside = Path(sys.executable).with_name("fer-edge")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("fer-edge")
    if found is None:
        raise InputError(f"there is no command fer-edge, neither beside {sys.executable} nor on the PATH")
    return Path(found).absolute()


def python_folders() -> tuple[Path, ...]:
    """What this Python needs to run fer-edge: its environment, the Python that made it, and the package itself."""
    return Path(sys.prefix), Path(sys.base_prefix), Path(__file__).absolute().parents[2]


def unit_files(options: Options, devices: Iterable[str] = (), groups: Iterable[str] = ()) -> dict[Path, str]:
    """The unit and its drop-ins, path to text; raises UsageError for what cannot be.

    devices: the board's /dev/nv*, for a Jetson; groups: further ones that own them.
    """
    if any(options.executable.is_relative_to(folder) for folder in PRIVATE):
        raise UsageError(f"{options.executable} lies where the service sees a folder of its own; install it elsewhere")
    folder = UNIT_FOLDER / f"{UNIT}.d"
    unit = TEMPLATE.format(executable=_word(options.executable), config=_word(options.config))
    drop_ins = {
        "libcamera.conf": LIBCAMERA if options.kind == "raspberry-pi" else "",
        "jetson.conf": _jetson(devices, groups) if options.kind == "jetson" else "",
        "broker.conf": _broker(options.broker),
        "lan.conf": _lan(options),
        "credentials.conf": _credentials(options.credentials),
        "home.conf": _home((*options.folders, options.executable.parent, options.config.parent)),
    }
    return {UNIT_FOLDER / UNIT: unit, **{folder / name: text for name, text in drop_ins.items() if text}}


def plan(options: Options, system: System) -> dict[Path, str]:
    """All that would be written: unit, drop-ins, and the configuration if there is none; for `--dry-run` too."""
    groups = system.at(Path("/etc/group"))
    render = groups.is_file() and "\nrender:" in groups.read_text(encoding="utf-8")
    files = unit_files(options, _nvidia_devices(system.root), ["render"] if render else [])
    if not system.at(options.config).exists():
        files[options.config] = options.config_text
    return files


def plan_text(files: Mapping[Path, str]) -> str:
    """What `--dry-run` prints."""
    return "\n".join(f"# == /{str(path).lstrip('/')}\n{text}" for path, text in files.items())


def install(options: Options, system: System | None = None) -> list[str]:
    """Write what is planned and start the service; returns a line for everything that was done.

    Raises UsageError, InputError, OutputError, RuntimeUnavailable without systemd, FerEdgeError when systemd refuses.
    """
    system = system or System()
    files = plan(options, system)
    _prove_possible(system, "install")
    for name, path in options.credentials.items():
        if not system.at(path).is_file():
            raise InputError(f"the credential {name} is to be read from {path}, which is not there: write it first")
    known = system.at(UNIT_FOLDER / UNIT).exists()
    for path, text in files.items():
        _write(system.at(path), text)
    done = [f"wrote /{str(path).lstrip('/')}" for path in files]
    done += [] if options.config in files else [f"kept {options.config} as it is"]
    for path in _managed(system):
        if path.relative_to(system.root) not in files:
            path.unlink()
            done.append(f"removed {path.name}, which nothing asks for any more")
    _systemctl(system, "daemon-reload")
    _systemctl(system, "enable", "--now", UNIT)
    if known:
        _systemctl(system, "try-restart", UNIT)
    return [*done, "started; watch it with: journalctl -u fer-edge -f"] if system.systemctl else done


def uninstall(system: System | None = None) -> list[str]:
    """Stop the service and remove its unit and our drop-ins; the configuration and what it stored are kept."""
    system = system or System()
    _prove_possible(system, "uninstall")
    unit = system.at(UNIT_FOLDER / UNIT)
    if not unit.exists():
        return ["the service is not installed"]
    _systemctl(system, "disable", "--now", UNIT)
    for path in (*_managed(system), unit):
        path.unlink()
    with contextlib.suppress(OSError):  # drop-ins of the operator's stay, and so does their folder
        unit.with_name(f"{UNIT}.d").rmdir()
    _systemctl(system, "daemon-reload")
    return [f"removed {UNIT}", f"kept {CONFIG.parent} and /var/lib/fer-edge"]


def status(system: System | None = None) -> ServiceStatus:
    """How the service is; a machine without systemd has none. Raises FerEdgeError when systemd does not answer."""
    system = system or System()
    if not system.booted:
        return ServiceStatus(installed=False)
    answer = _systemctl(system, "show", UNIT, f"--property={PROPERTIES}")
    found = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
    return ServiceStatus(
        installed=found.get("LoadState") == "loaded",
        active=found.get("ActiveState", "inactive"),
        enabled=found.get("UnitFileState") == "enabled",
        result=found.get("Result", ""),
        exit_status=int(found.get("ExecMainStatus") or 0),
        restarts=int(found.get("NRestarts") or 0),
        status_text=found.get("StatusText", ""),
    )


def _nvidia_devices(root: Path) -> list[str]:
    """/dev/nv* of a Jetson. Disks begin so too, and must not be handed to anybody."""
    found = [path for pattern in ("dev/nv*", "dev/nvgpu/*/*") for path in root.glob(pattern)]
    return sorted(
        f"/{path.relative_to(root)} rw"
        for path in found
        if not path.is_dir() and not path.name.startswith(("nvme", "nvram"))
    )


def _jetson(devices: Iterable[str], groups: Iterable[str]) -> str:
    lines = [f"DeviceAllow={device}" for device in (tuple(devices) or JETSON_DEVICES)]
    return JETSON.format(devices="\n".join([*lines, *(f"SupplementaryGroups={group}" for group in groups)]))


def _broker(address: str | None) -> str:
    if address is None:
        return ""
    head = HEAD.format(why="The MQTT broker; the configuration must give its address too, not a name.")
    return f"{head}IPAddressAllow={_network(address, 'the MQTT broker')}\n"


def _lan(options: Options) -> str:
    if options.lan is None:
        return ""
    if "token" not in options.credentials:
        raise UsageError("a network is let in only together with a token; give the credential `token` as well")
    head = HEAD.format(why="Machines of this network may ask, with the token.")
    return f"{head}IPAddressAllow={_network(options.lan, 'the network')}\n"


def _credentials(credentials: Mapping[str, Path]) -> str:
    for name in credentials:
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
            raise UsageError(f"{name!r} cannot be the name of a credential; use letters, digits, - and _")
    lines = [f"LoadCredential={name}:{_word(path)}\n" for name, path in credentials.items()]
    return HEAD.format(why="Files that root alone can read, shown to the service.") + "".join(lines) if lines else ""


def _home(folders: Iterable[Path]) -> str:
    """Programs under /home are hidden from the service; these folders are shown to it again, and only they."""
    hidden = sorted({path for path in folders if any(path.is_relative_to(home) for home in HIDDEN)})
    kept = [path for path in hidden if not any(path != other and path.is_relative_to(other) for other in hidden)]
    lines = [f"BindReadOnlyPaths={_word(path)}\n" for path in kept]
    why = "The program lies in a home, of which the service sees nothing else."
    return HEAD.format(why=why) + "ProtectHome=tmpfs\n" + "".join(lines) if lines else ""


def _network(text: str, what: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False)).removesuffix("/32").removesuffix("/128")
    except ValueError:
        raise UsageError(f"{what} is {text!r}; the firewall needs an address, as 192.0.2.10 or 192.0.2.0/24") from None


def _word(path: Path) -> str:
    """A path as one word of a unit file; raises UsageError for characters that mean something there."""
    text = str(path)
    if not path.is_absolute() or re.search(r"[\x00-\x1f$\"'\\:]", text):
        raise UsageError(f"{text!r} cannot stand in a unit file: it must be absolute and without quotes, $, \\ and :")
    text = text.replace("%", "%%")
    return f'"{text}"' if " " in text else text


def _managed(system: System) -> list[Path]:
    folder = system.at(UNIT_FOLDER / f"{UNIT}.d")
    return [folder / name for name in MANAGED if (folder / name).is_file()]


def _prove_possible(system: System, verb: str) -> None:
    if system.systemctl is not None and not system.booted:
        raise RuntimeUnavailable("this machine was not started by systemd; run `fer-edge run` from what starts it")
    if system.user_id != 0:
        raise OutputError(f"only root may do that: sudo {find_executable()} service {verb}")


def _systemctl(system: System, *arguments: str) -> str:
    if system.systemctl is None:
        return ""
    command = [system.systemctl, "--no-pager", *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - systemd's own program
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SYSTEMCTL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FerEdgeError(f"systemctl {arguments[0]} came to no end: {first_line(error)}") from None
    if done.returncode != 0:
        raise FerEdgeError(f"systemctl {' '.join(arguments)} failed: {done.stderr.strip() or 'it said nothing'}")
    return done.stdout


def _write(path: Path, text: str) -> None:
    """The whole file or the old one, whatever happens; all may read it, for nothing in it is secret."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
