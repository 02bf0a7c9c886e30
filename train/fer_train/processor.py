"""What this machine's processor is called, and which short floats it has instructions for."""

from __future__ import annotations

import platform
from pathlib import Path

from fer_train import backend

INFO = Path("/proc/cpuinfo")
FLAGS = ("flags", "features")
"""What x86 and ARM kernels call the line."""
FLOAT32 = "float32"
INSTRUCTIONS = {
    "mixed_bfloat16": frozenset({"avx512_bf16", "amx_bf16", "bf16"}),
    "mixed_float16": frozenset({"avx512_fp16", "amx_fp16", "fphp", "asimdhp"}),
}
"""By dtype policy; one of them is enough."""


def name() -> str:
    """As the kernel names it, else the architecture."""
    return _lines().get("model name", "").strip() or platform.processor() or platform.machine()


def precision(wanted: str) -> str:
    """The dtype policy to train in: float32 where `wanted` would be emulated, at several times the cost.

    With an accelerator, or a kernel that does not tell what the processor has, it is as wanted.
    """
    if wanted not in INSTRUCTIONS or backend.accelerators():
        return wanted
    lines = _lines()
    found = {flag for key in FLAGS for flag in lines.get(key, "").split()}
    return wanted if not found or found & INSTRUCTIONS[wanted] else FLOAT32


def _lines() -> dict[str, str]:
    """The first processor's entries, by key in lower case."""
    try:
        text = INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    parts = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {key.strip().lower(): value for key, _, value in parts}
