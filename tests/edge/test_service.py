"""The service is written whole, for this board, and taken away again; systemd's own tools agree with it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fer_edge.errors import FerEdgeError, InputError, OutputError, RuntimeUnavailable, UsageError
from fer_edge.system.service import (
    UNIT,
    UNIT_FOLDER,
    Options,
    ServiceStatus,
    System,
    find_executable,
    install,
    plan,
    plan_text,
    python_folders,
    status,
    uninstall,
    unit_files,
)
from support.boards import lay, program

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PROGRAM = Path("/opt/fer-edge/bin/fer-edge")
TOKEN = Path("/etc/fer-edge/token")
MAX_EXPOSURE = 30
"""Tenths: what `systemd-analyze security` may give at most."""
TIME_LIMIT_S = 60.0
UNKNOWN_BEFORE_254 = ("RestartSteps", "RestartMaxDelaySec")

needs_analyze = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")


def options(**more: object) -> Options:
    return Options(**{"executable": PROGRAM, "config_text": 'source = "auto"\n', **more})  # type: ignore[arg-type]


def machine(tmp_path: Path, script: str = "", user_id: int = 0) -> System:
    """A root that systemd has started, with a systemctl that writes down what it is asked."""
    lay(tmp_path, {"run/systemd/system/.keep": "", "etc/group": "root:x:0:\nvideo:x:44:pi\nrender:x:109:\n"})
    systemctl = program(tmp_path, "bin/systemctl", f'echo "$@" >> {tmp_path}/asked\n{script}')
    return System(tmp_path, str(systemctl), user_id)


def asked(tmp_path: Path) -> list[str]:
    path = tmp_path / "asked"
    return [line.removeprefix("--no-pager ") for line in path.read_text().splitlines()] if path.exists() else []


def drop_ins(files: dict[Path, str]) -> dict[str, str]:
    return {path.name: text for path, text in files.items() if path.suffix == ".conf"}


def test_what_lies_in_deploy_is_what_is_installed() -> None:
    folders = (Path("/home/pi/fer-edge"),)
    credentials = {"token": TOKEN, "mqtt-password": Path("/etc/fer-edge/mqtt-password")}
    everything = options(
        kind="raspberry-pi", broker="192.0.2.10", lan="192.168.1.0/24", credentials=credentials, folders=folders
    )
    wanted = {**unit_files(everything), **unit_files(options(kind="jetson"))}
    shipped = [*DEPLOY.glob("*"), *(DEPLOY / "fer-edge.service.d").iterdir()]
    found = {UNIT_FOLDER / path.relative_to(DEPLOY): path.read_text() for path in shipped if path.is_file()}
    assert found.pop(UNIT_FOLDER / "README.md")
    assert found == wanted


@needs_analyze
@pytest.mark.parametrize("kind", ["other", "raspberry-pi", "jetson"])
def test_systemd_finds_nothing_wrong_with_the_unit_and_its_drop_ins(tmp_path: Path, kind: str) -> None:
    done = analyze(tmp_path, kind, "verify")
    complaints = [line for line in done.stderr.splitlines() if not any(key in line for key in UNKNOWN_BEFORE_254)]
    assert (done.returncode, complaints) == (0, [])


@needs_analyze
@pytest.mark.parametrize(
    ("right", "wrong", "words"),
    [
        ("Type=notify", "Type=notifi", "Failed to parse service type"),
        ("char-media rw", "char-media of mine", "Invalid device rights"),  # in a drop-in, so these are read too
    ],
)
def test_systemd_does_find_what_is_wrong(tmp_path: Path, right: str, wrong: str, words: str) -> None:
    assert words in analyze(tmp_path, "raspberry-pi", "verify", replace=(right, wrong)).stderr


@needs_analyze
@pytest.mark.parametrize("kind", ["other", "raspberry-pi", "jetson"])
def test_systemd_scores_the_units_exposure_at_three_or_less(tmp_path: Path, kind: str) -> None:
    done = analyze(tmp_path, kind, "security", "--offline=yes", f"--threshold={MAX_EXPOSURE}")
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot judge a file")
    assert "Overall exposure level" in done.stdout
    assert done.returncode == 0, done.stdout


@needs_analyze
def test_an_open_unit_scores_too_high(tmp_path: Path) -> None:
    done = analyze(tmp_path, "other", "security", "--offline=yes", "--threshold=10")
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot judge a file")
    assert done.returncode != 0


def analyze(
    tmp_path: Path, kind: str, *arguments: str, replace: tuple[str, str] = ("", "")
) -> subprocess.CompletedProcess[str]:
    """Let systemd judge what would be installed, with a program that exists."""
    binary = program(tmp_path, "fer-edge", "exit 0")
    files = unit_files(options(kind=kind, broker="192.0.2.10", lan="192.0.2.0/24", credentials={"token": TOKEN}))
    for path, text in files.items():
        right = text.replace(str(PROGRAM), str(binary)).replace(*replace)
        lay(tmp_path, {str(path.relative_to(UNIT_FOLDER)): right})
    command = ["systemd-analyze", *arguments, str(tmp_path / UNIT)]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)


def test_installing_writes_unit_and_configuration_and_starts_it(tmp_path: Path) -> None:
    said = install(options(), machine(tmp_path))
    unit = tmp_path / UNIT_FOLDER / UNIT
    assert f"ExecStart={PROGRAM} run --config /etc/fer-edge/fer-edge.toml\n" in unit.read_text()
    assert (tmp_path / "etc/fer-edge/fer-edge.toml").read_text() == 'source = "auto"\n'
    assert oct(unit.stat().st_mode & 0o777) == "0o644"
    assert asked(tmp_path) == ["daemon-reload", "enable --now fer-edge.service"]
    assert said == [
        f"wrote /etc/systemd/system/{UNIT}",
        "wrote /etc/fer-edge/fer-edge.toml",
        "started; watch it with: journalctl -u fer-edge -f",
    ]
    assert sorted(path.name for path in unit.parent.iterdir()) == [UNIT]


def test_installing_again_keeps_the_configuration_and_restarts(tmp_path: Path) -> None:
    system = machine(tmp_path)
    install(options(), system)
    (tmp_path / "etc/fer-edge/fer-edge.toml").write_text("mine")
    said = install(options(), system)
    assert (tmp_path / "etc/fer-edge/fer-edge.toml").read_text() == "mine"
    assert "kept /etc/fer-edge/fer-edge.toml as it is" in said
    assert asked(tmp_path)[2:] == ["daemon-reload", "enable --now fer-edge.service", "try-restart fer-edge.service"]


def test_a_network_that_is_no_longer_let_in_loses_its_drop_in_and_the_operators_own_stay(tmp_path: Path) -> None:
    system = machine(tmp_path)
    lay(tmp_path, {"etc/fer-edge/token": "x", f"{UNIT_FOLDER}/{UNIT}.d/override.conf": "[Service]\n"})
    install(options(lan="192.0.2.0/24", credentials={"token": TOKEN}), system)
    said = install(options(), system)
    assert sorted(path.name for path in (tmp_path / UNIT_FOLDER / f"{UNIT}.d").iterdir()) == ["override.conf"]
    assert "removed lan.conf, which nothing asks for any more" in said


def test_for_an_image_only_files_are_written(tmp_path: Path) -> None:
    said = install(options(), System(tmp_path, None, 0))
    assert (tmp_path / UNIT_FOLDER / UNIT).is_file()
    assert said == [f"wrote /etc/systemd/system/{UNIT}", "wrote /etc/fer-edge/fer-edge.toml"]


def test_a_dry_run_prints_every_file_and_writes_none(tmp_path: Path) -> None:
    system = machine(tmp_path)
    text = plan_text(plan(options(broker="192.0.2.10"), system))
    heads = [line for line in text.splitlines() if line.startswith("# == ")]
    assert heads == [
        "# == /etc/systemd/system/fer-edge.service",
        "# == /etc/systemd/system/fer-edge.service.d/broker.conf",
        "# == /etc/fer-edge/fer-edge.toml",
    ]
    assert not (tmp_path / UNIT_FOLDER).exists()
    assert asked(tmp_path) == []


def test_uninstalling_takes_away_what_was_written_and_keeps_what_was_stored(tmp_path: Path) -> None:
    system = machine(tmp_path)
    install(options(kind="raspberry-pi"), system)
    assert uninstall(system) == ["removed fer-edge.service", "kept /etc/fer-edge and /var/lib/fer-edge"]
    assert list((tmp_path / UNIT_FOLDER).iterdir()) == []
    assert (tmp_path / "etc/fer-edge/fer-edge.toml").exists()
    assert asked(tmp_path)[2:] == ["disable --now fer-edge.service", "daemon-reload"]


def test_uninstalling_what_is_not_there_says_so(tmp_path: Path) -> None:
    assert uninstall(machine(tmp_path)) == ["the service is not installed"]
    assert asked(tmp_path) == []


@pytest.mark.parametrize("verb", [lambda system: install(options(), system), uninstall])
def test_without_root_one_sentence_says_what_to_run(tmp_path: Path, verb: object) -> None:
    with pytest.raises(OutputError, match=r"^only root may do that: sudo /\S+/fer-edge service (un)?install$"):
        verb(machine(tmp_path, user_id=1000))  # type: ignore[operator]
    assert not (tmp_path / UNIT_FOLDER).exists()


def test_without_systemd_one_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(RuntimeUnavailable, match="this machine was not started by systemd"):
        install(options(), System(tmp_path, "systemctl", 0))


def test_a_systemctl_that_fails_is_quoted(tmp_path: Path) -> None:
    system = machine(tmp_path, 'echo "Failed to connect to bus" >&2; exit 1')
    with pytest.raises(FerEdgeError, match=r"^systemctl daemon-reload failed: Failed to connect to bus$"):
        install(options(), system)


def test_a_systemctl_that_is_missing_is_said(tmp_path: Path) -> None:
    machine(tmp_path)
    with pytest.raises(FerEdgeError, match=r"systemctl daemon-reload came to no end: .*No such file"):
        install(options(), System(tmp_path, str(tmp_path / "nowhere"), 0))


def test_where_nothing_can_be_written_the_sentence_names_the_file(tmp_path: Path) -> None:
    system = machine(tmp_path)
    lay(tmp_path, {"etc/systemd": "a file where a folder should be"})
    with pytest.raises(OutputError, match=r"fer-edge\.service cannot be written: Not a directory"):
        install(options(), system)


def test_an_old_unit_survives_a_write_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = machine(tmp_path)
    lay(tmp_path, {f"{UNIT_FOLDER}/{UNIT}": "old"})

    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("fer_edge.system.service.os.fsync", full)
    with pytest.raises(OutputError, match="No space left on device"):
        install(options(), system)
    assert [path.read_text() for path in (tmp_path / UNIT_FOLDER).iterdir()] == ["old"]


def test_a_raspberry_pi_gets_its_cameras_drop_in_and_a_pc_gets_none() -> None:
    found = drop_ins(unit_files(options(kind="raspberry-pi")))
    assert set(found) == {"libcamera.conf"}
    assert "DeviceAllow=char-dma_heap rw\n" in found["libcamera.conf"]
    assert drop_ins(unit_files(options())) == {}


def test_a_jetson_gets_its_own_devices_but_never_its_disk(tmp_path: Path) -> None:
    names = ("nvmap", "nvhost-ctrl", "nvgpu/igpu0/ctrl", "nvme0", "nvme0n1", "nvram")
    system = machine(lay(tmp_path, {f"dev/{name}": "" for name in names}))
    text = drop_ins(plan(options(kind="jetson"), system))["jetson.conf"]
    allowed = [line.removeprefix("DeviceAllow=") for line in text.splitlines() if line.startswith("DeviceAllow=")]
    assert allowed == ["/dev/nvgpu/igpu0/ctrl rw", "/dev/nvhost-ctrl rw", "/dev/nvmap rw"]
    assert "SupplementaryGroups=render\n" in text


def test_a_program_in_a_home_is_shown_to_the_service_and_nothing_else_of_the_home() -> None:
    executable = Path("/home/pi/fer-edge/.venv/bin/fer-edge")
    folders = (Path("/home/pi/fer-edge/.venv"), Path("/usr"), Path("/home/pi/fer-edge/.venv/lib/x"))
    text = drop_ins(unit_files(options(executable=executable, folders=folders)))["home.conf"]
    assert text.splitlines()[2:] == ["ProtectHome=tmpfs", "BindReadOnlyPaths=/home/pi/fer-edge/.venv"]


def test_credentials_are_loaded_only_where_they_are_configured(tmp_path: Path) -> None:
    assert "LoadCredential" not in "".join(unit_files(options()).values())
    system = machine(lay(tmp_path, {"etc/fer-edge/token": "secret of the operator"}))
    install(options(credentials={"token": TOKEN}), system)
    text = (tmp_path / UNIT_FOLDER / f"{UNIT}.d/credentials.conf").read_text()
    assert text.splitlines()[-1] == "LoadCredential=token:/etc/fer-edge/token"
    assert "secret of the operator" not in text


def test_a_credential_that_is_missing_is_said_before_anything_is_written(tmp_path: Path) -> None:
    system = machine(tmp_path)
    with pytest.raises(InputError, match="the credential token is to be read from /etc/fer-edge/token"):
        install(options(credentials={"token": TOKEN}), system)
    assert not (tmp_path / UNIT_FOLDER).exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"broker": "broker.local"}, r"the MQTT broker is 'broker\.local'; the firewall needs an address"),
        ({"lan": "192.0.2.0/24"}, "a network is let in only together with a token"),
        ({"lan": "home", "credentials": {"token": TOKEN}}, "the network is 'home'"),
        ({"credentials": {"to:ken": TOKEN}}, "'to:ken' cannot be the name of a credential"),
        ({"executable": Path("/tmp/venv/bin/fer-edge")}, "lies where the service sees a folder of its own"),  # noqa: S108
        ({"executable": Path("/opt/a\nExecStartPre=/bin/evil")}, "cannot stand in a unit file"),
        ({"config": Path("etc/fer-edge.toml")}, "must be absolute"),
    ],
)
def test_what_cannot_be_is_refused_with_a_reason(more: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        unit_files(options(**more))


def test_spaces_and_percent_signs_of_a_path_mean_nothing_to_systemd() -> None:
    unit = unit_files(options(executable=Path("/opt/my 100% fer/fer-edge")))[UNIT_FOLDER / UNIT]
    assert 'ExecStart="/opt/my 100%% fer/fer-edge" run' in unit


@pytest.mark.parametrize(
    ("answer", "found", "words"),
    [
        (
            "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nNRestarts=2\nStatusText=running, 15 fps",
            ServiceStatus(True, "active", True, "", 0, 2, "running, 15 fps"),  # noqa: FBT003 - installed, enabled
            "the service is active, restarted 2 times: running, 15 fps",
        ),
        (
            "LoadState=loaded\nActiveState=failed\nUnitFileState=disabled\nResult=exit-code\nExecMainStatus=78",
            ServiceStatus(True, "failed", False, "exit-code", 78),  # noqa: FBT003 - installed, not enabled
            "the service is failed, will not start at boot, ended with status 78 (exit-code)",
        ),
        ("LoadState=not-found", ServiceStatus(installed=False), "the service is not installed"),
    ],
)
def test_the_state_is_what_systemd_says(tmp_path: Path, answer: str, found: ServiceStatus, words: str) -> None:
    state = status(machine(tmp_path, f"cat <<'END'\n{answer}\nEND"))
    assert state == found
    assert state.words == words


def test_a_machine_without_systemd_has_no_service(tmp_path: Path) -> None:
    assert status(System(tmp_path)) == ServiceStatus(installed=False)


def test_the_program_found_is_absolute_and_beside_this_python() -> None:
    assert find_executable() == Path(sys.executable).with_name("fer-edge")


def test_a_missing_program_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="there is no command fer-edge"):
        find_executable()
    beside = program(tmp_path, "elsewhere/fer-edge", "exit 0")
    monkeypatch.setenv("PATH", str(beside.parent))
    assert find_executable() == beside


def test_this_python_and_this_package_are_among_the_folders_it_needs() -> None:
    assert all(folder.is_dir() for folder in python_folders())
    assert Path(sys.prefix) in python_folders()
