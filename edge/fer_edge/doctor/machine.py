"""Checks of the board itself: what it is, Python, memory, disk, clock, heat and supply."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

from fer_edge.doctor.finding import Finding
from fer_edge.system.board import Board, Disk, Facts, Readings, Throttling

MIB = 1024 * 1024
MEMORY_LOW_MIB, MEMORY_SHORT_MIB = 256, 128
"""The daemon holds some 120 MiB with its default model; below the second figure it would push others out."""
DISK_LOW_MIB, DISK_SHORT_MIB = 512, 32
HOT_C, WARM_C = 80.0, 70.0
"""A Raspberry Pi slows down from 80 °C on, a Jetson from 99 °C; hotter than 80 °C nothing lives long."""
UNDER_VOLTAGE = "under-voltage"


def machine_findings(board: Board, state: Path) -> Iterator[Finding]:
    """All of them; state: the folder whose disk matters."""
    facts = board.facts()
    readings = board.readings(state)
    yield board_finding(facts)
    yield python_finding(facts)
    yield memory_finding(readings)
    if (limits := memory_limit_finding(board.root, facts)) is not None:
        yield limits
    yield disk_finding(readings.disk, state)
    yield clock_finding(board.clock_synchronised(ask=True))
    yield temperature_finding(readings)
    yield throttling_finding(readings.throttling)


def board_finding(facts: Facts) -> Finding:
    """Model, CPU, system; 32 bits are the end of it."""
    cpu = f"{facts.cores or '?'} x {facts.cpu or facts.machine}"
    inside = f", in a container ({facts.container})" if facts.container else ""
    found = f"{facts.model or 'unknown model'}, {cpu}, {facts.os or 'unknown system'}{inside}"
    if facts.machine.startswith(("armv6", "armv7")):
        return Finding("board", "problem", f"{found}: a 32-bit system", "install the 64-bit edition of the system")
    return Finding("board", "ok", found)


def python_finding(facts: Facts) -> Finding:
    """Version, width, and the environment it lives in."""
    where = f"environment {sys.prefix}" if sys.prefix != sys.base_prefix else f"the system's, {sys.prefix}"
    found = f"Python {platform.python_version()}, {facts.bits}-bit, {where}"
    if facts.bits != 64:
        return Finding("python", "problem", found, "install a 64-bit Python; the runtimes exist for no other")
    return Finding("python", "ok", found)


def memory_finding(readings: Readings) -> Finding:
    """What is left for the daemon."""
    free = readings.memory_available_bytes
    if free is None or readings.memory_bytes is None:
        return Finding("memory", "note", "the system does not tell how much is free")
    found = f"{free // MIB} of {readings.memory_bytes // MIB} MiB free"
    fix = "stop what else runs here (a desktop takes half a GiB: sudo systemctl set-default multi-user.target)"
    if free < MEMORY_SHORT_MIB * MIB:
        return Finding("memory", "problem", found, fix)
    return Finding("memory", "warning", found, fix) if free < MEMORY_LOW_MIB * MIB else Finding("memory", "ok", found)


def memory_limit_finding(root: Path, facts: Facts) -> Finding | None:
    """Whether the service's MemoryMax= means anything: Raspberry Pi OS switches the memory controller off."""
    try:
        controllers = (root / "sys/fs/cgroup/cgroup.controllers").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    if "memory" in controllers:
        return None
    place = "/boot/firmware/cmdline.txt" if facts.kind == "raspberry-pi" else "the kernel's command line"
    found = "the kernel does not count memory per service, so MemoryMax= of the unit has no effect"
    return Finding("memory limit", "note", found, f"append cgroup_enable=memory to {place} and start again")


def disk_finding(disk: Disk | None, state: Path) -> Finding:
    """Room for events, and whether a worn card has turned read-only."""
    if disk is None:
        return Finding("disk", "note", f"the file system of {state} cannot be looked at")
    found = f"{disk.free_bytes // MIB} of {disk.total_bytes // MIB} MiB free for {state}"
    if disk.read_only:
        fix = "sudo mount -o remount,rw / (a card that turns read-only again is worn out: replace it)"
        return Finding("disk", "problem", f"{found}, and it is read-only", fix)
    if disk.free_bytes < DISK_SHORT_MIB * MIB:
        return Finding("disk", "problem", found, "make room: sudo journalctl --vacuum-size=50M; sudo apt clean")
    if disk.free_bytes < DISK_LOW_MIB * MIB:
        return Finding("disk", "warning", found, "make room: sudo journalctl --vacuum-size=50M; sudo apt clean")
    return Finding("disk", "ok", found)


def clock_finding(synchronised: bool | None) -> Finding:
    """Whether the times in events can be believed."""
    if synchronised is None:
        return Finding("clock", "note", "nothing tells whether the time of day is right")
    if synchronised:
        return Finding("clock", "ok", "synchronised")
    return Finding(
        "clock", "warning", "not synchronised: times in events may be wrong", "sudo timedatectl set-ntp true"
    )


def temperature_finding(readings: Readings) -> Finding:
    """How warm the CPU is now."""
    if readings.temperature_c is None:
        return Finding("temperature", "note", "the board does not tell")
    found = f"{readings.temperature_c:.0f} °C"
    if readings.temperature_c >= HOT_C:
        return Finding("temperature", "warning", found, "fit a heat sink or a fan; the daemon slows down meanwhile")
    return Finding("temperature", "note" if readings.temperature_c >= WARM_C else "ok", found)


def throttling_finding(throttling: Throttling | None) -> Finding:
    """Whether the board is held back, now or earlier."""
    if throttling is None:
        return Finding("throttling", "note", "the board does not tell")
    words = throttling.now or throttling.since_boot
    if not words:
        return Finding("throttling", "ok", "none since the board started")
    supply = any(UNDER_VOLTAGE in word or "over-current" in word for word in words)
    fix = "use the board's own power supply and a short, thick cable" if supply else "fit a heat sink or a fan"
    if throttling.now:
        return Finding("throttling", "warning", f"now: {', '.join(throttling.now)}", fix)
    return Finding("throttling", "note", f"earlier, since the board started: {', '.join(words)}", fix)
