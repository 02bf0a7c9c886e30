"""The checkout as the guards see it: its root and the files that are or will be committed."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "fer_edge": ROOT / "edge" / "fer_edge",
    "fer_train": ROOT / "train" / "fer_train",
    "fer_convert": ROOT / "convert" / "fer_convert",
    "fer_bench": ROOT / "benchmarks" / "fer_bench",
}


@lru_cache
def files() -> tuple[Path, ...]:
    """Every file that git tracks or would add; skips the test outside a checkout."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return tuple(path for name in sorted(set(listed.split("\0"))) if name and (path := ROOT / name).is_file())


def python_files() -> tuple[Path, ...]:
    """Those of them that are Python."""
    return tuple(path for path in files() if path.suffix == ".py")


def name(path: Path) -> str:
    """As a person would call it."""
    return str(path.relative_to(ROOT))
