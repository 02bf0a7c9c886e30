"""Real pictures, clips, weights and data that lie beside a checkout; tests that need them skip without."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def media(name: str) -> Path:
    """A real picture or clip, by file name."""
    return _need(SHARED / "media" / name)


def yunet(version: str = "2026may") -> Path:
    """YuNet's weights."""
    return _need(SHARED / "models" / f"face_detection_yunet_{version}.onnx")


def fer2013() -> Path:
    """FER2013 as folders, unpacked once per machine outside the project."""
    archive = _need(SHARED / "data" / "fer2013.tar.xz")
    stamp = hashlib.sha256(f"{archive}{archive.stat().st_size}".encode()).hexdigest()[:12]
    target = Path(tempfile.gettempdir()) / f"fer-edge-fer2013-{stamp}"
    if not target.exists():
        fresh = Path(tempfile.mkdtemp(dir=target.parent))
        with tarfile.open(archive) as tar:
            tar.extractall(fresh, filter="data")
        try:
            fresh.rename(target)
        except OSError:  # another run was first
            shutil.rmtree(fresh)
    return target


def _need(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"needs {path.name} in a folder `shared` beside the project")
    return path
