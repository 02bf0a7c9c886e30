"""Where a bundle comes from and what a person must know of it: hashes, versions, revision, card."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from importlib import metadata
from pathlib import Path

import cv2
import numpy as np

from fer_convert import frameworks
from fer_convert.pictures import Pictures
from fer_convert.sources import Source
from fer_convert.sources.description import Description
from fer_edge import __version__
from fer_edge.bundle import Card, Provenance
from fer_train import provenance as training

RUN_CARD = "card.md"
BUNDLE_CARD = "CARD.md"
TOOLS = ("onnx", "tf2onnx", "onnxslim", "onnxruntime", "openvino", "nncf", "ai-edge-quantizer")
GIT_TIMEOUT_S = 10.0
MAX_CARD_BYTES = 256 * 1024

_UNTOLD = "Not told: the run it was converted from has no card. Ask who trained it before it is passed on."
_SECTIONS = {
    "data_terms": "## Data and its terms",
    "intended_use": "## What it is for, and what it is not for",
    "limits": "## Known limits",
}
"""The sections of fer-train's card that travel in the manifest."""


def provenance(source: Source, pictures: Pictures) -> Provenance:
    """Everything needed to make the bundle again; no time and no folder of this machine."""
    return Provenance(
        source_sha256=source.sha256,
        recipe=source.description.recipe,
        training_data=trained_on(source.description) or pictures.training,
        calibration_data=pictures.calibration.digest() if pictures.calibration else "",
        calibration_n=len(pictures.calibration) if pictures.calibration else 0,
        tools=tools(),
        git_revision=git_revision(),
    )


def sha256(file: Path) -> str:
    """Of a file, or of a folder's files and their names in order."""
    if file.is_file():
        return hashlib.sha256(file.read_bytes()).hexdigest()
    whole = hashlib.sha256()
    for part in sorted(path for path in file.rglob("*") if path.is_file()):
        whole.update(f"{part.relative_to(file).as_posix()}\n".encode())
        whole.update(hashlib.sha256(part.read_bytes()).digest())
    return whole.hexdigest()


def trained_on(description: Description) -> str:
    """SHA-256 of the pictures that the run noted when it began, "" when it noted none."""
    starts = training.read(description.folder).starts if description.recipe else []
    return starts[-1].train.sha256 if starts else ""


def card(description: Description) -> Card:
    """The manifest's card: its long texts are sections of the run's `card.md`, or say that nothing is known."""
    text = run_card(description)
    told = {key: _section(text, heading) or _UNTOLD for key, heading in _SECTIONS.items()}
    return Card(summary=description.title, **told)


def run_card(description: Description) -> str:
    """The run's `card.md`, "" when it has none (a bare .keras file has no run)."""
    path = description.folder / RUN_CARD
    if not description.recipe or not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(MAX_CARD_BYTES).decode("utf-8", errors="replace")


def tools() -> dict[str, str]:
    """Name and version of what makes artifacts; TensorFlow must be installed."""
    return {
        "fer-edge": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "keras": str(frameworks.keras().__version__),
        "tensorflow": str(frameworks.tensorflow().__version__),
        **{name: metadata.version(name) for name in TOOLS},
    }


def git_revision(package: Path = Path(__file__).parent) -> str:
    """The commit of the checkout this code runs from, with "+changed" after local changes; "" outside a checkout."""
    root = package.parents[1]
    if not (root / ".git").exists():
        return ""
    command = ["git", "--no-optional-locks", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+changed"]
    try:
        ended = subprocess.run(  # noqa: S603 - a fixed command
            command, cwd=root, capture_output=True, text=True, timeout=GIT_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return ended.stdout.strip()


def _section(text: str, heading: str) -> str:
    """The text under a heading, up to the next, as one paragraph."""
    lines = text.splitlines()
    if heading not in lines:
        return ""
    body: list[str] = []
    for line in lines[lines.index(heading) + 1 :]:
        if line.startswith("## "):
            break
        body.append(line)
    return " ".join(" ".join(body).split())
