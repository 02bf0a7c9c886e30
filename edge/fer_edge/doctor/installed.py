"""Checks of what is set up: rights to devices, the service, and the extras."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from getpass import getuser
from pathlib import Path

from fer_edge.doctor.cameras import device_names
from fer_edge.doctor.finding import Finding
from fer_edge.errors import ExitCode, FerEdgeError
from fer_edge.system.service import CONFIG, ServiceStatus, System, status

EXTRAS = {
    "mqtt": ("paho.mqtt",),
    "web": ("aiohttp", "prometheus_client", "simplejpeg"),
    "onnx": ("onnxruntime",),
    "openvino": ("openvino",),
}
"""Extra, and the modules that it brings."""


def permission_findings(root: Path, access: Callable[[Path, int], bool] = os.access) -> list[Finding]:
    """Whether this user may use what there is; access: as `os.access`."""
    devices = list(device_names(root))
    closed = [path for path in devices if not access(path, os.R_OK | os.W_OK)]
    if not devices:
        return [Finding("permissions", "ok", f"{getuser()}; there is no device that needs any")]
    if not closed:
        return [Finding("permissions", "ok", f"{getuser()} may use all {len(devices)} devices of cameras and firmware")]
    names = ", ".join(f"/{path.relative_to(root)}" for path in closed)
    fix = f"sudo usermod -aG video {getuser()}, then log in again"
    return [Finding("permissions", "warning", f"{getuser()} may not use {names}", fix)]


def service_findings(system: System) -> list[Finding]:
    """How the systemd service is."""
    if not system.booted:
        return [Finding("service", "note", "this machine was not started by systemd, so there is no service")]
    try:
        return [service_finding(status(system))]
    except FerEdgeError as error:
        return [Finding("service", "warning", str(error))]


def service_finding(found: ServiceStatus) -> Finding:
    """What its state means."""
    if not found.installed:
        return Finding("service", "note", found.words, "sudo fer-edge service install")
    if found.active == "active":
        return Finding("service", "ok", found.words)
    if found.exit_status == ExitCode.REFUSED:
        return Finding("service", "problem", found.words, f"fer-edge config check {CONFIG}")
    if found.active == "failed" or (found.active == "activating" and found.restarts):
        return Finding("service", "problem", found.words, "look for the reason: journalctl -u fer-edge -n 50")
    return Finding("service", "warning", found.words, "sudo systemctl start fer-edge")


def extra_findings() -> list[Finding]:
    """Which extras are there, without importing them."""
    found = []
    for extra, modules in EXTRAS.items():
        missing = [module for module in modules if not _there(module)]
        if missing:
            words = f"not installed (it needs {', '.join(missing)})"
            found.append(Finding(f"extra {extra}", "note", words, f"pip install 'fer-edge[{extra}]'"))
        else:
            found.append(Finding(f"extra {extra}", "ok", "installed"))
    return found


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
