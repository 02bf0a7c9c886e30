"""Detectors by name; each is imported only when it is asked for."""

from __future__ import annotations

from pathlib import Path

from fer_edge.bundle import model_folders
from fer_edge.detectors import FaceDetector
from fer_edge.errors import RuntimeUnavailable, UsageError

NAMES = ("auto", "yunet", "haar", "whole")


def open_detector(name: str = "auto", *, weights: Path | None = None, threads: int = 1) -> FaceDetector:
    """Load a detector.

    name: one of `NAMES`; `auto` is YuNet when weights are named or found, else Haar when OpenCV has it.
    weights: YuNet's, by path; otherwise they are found by their hash in the model folders.
    threads: for one detection in ONNX Runtime; OpenCV's are the process' own matter (`cv2.setNumThreads`).

    Raises UsageError for a name that does not exist or takes no weights, InputError or BundleRefused for weights that
    cannot be read or are not YuNet's, RuntimeUnavailable when there is nothing to detect with.
    """
    if name not in NAMES:
        raise UsageError(f"there is no detector {name!r}; there are {', '.join(NAMES)}")
    if name in {"auto", "yunet"}:
        return _yunet(weights, threads) or _instead_of_yunet(name)
    if weights is not None:
        raise UsageError(f"the detector {name} takes no weights, but {weights} was named")
    return _whole() if name == "whole" else _haar()


def _yunet(weights: Path | None, threads: int) -> FaceDetector | None:
    """YuNet, or None when there are no weights."""
    from fer_edge.detectors.weights import find_weights, read_weights  # noqa: PLC0415 - hashing is not always needed
    from fer_edge.detectors.yunet import open_yunet  # noqa: PLC0415 - only what is asked for

    found = find_weights() if weights is None else read_weights(weights)
    return None if found is None else open_yunet(found, threads=threads)


def _instead_of_yunet(name: str) -> FaceDetector:
    """Haar for `auto` where there is one; otherwise say what to do."""
    import cv2  # noqa: PLC0415 - for its version

    from fer_edge.detectors.haar import haar_installed  # noqa: PLC0415 - only what is asked for
    from fer_edge.detectors.weights import KNOWN  # noqa: PLC0415 - only what is asked for

    if name == "auto" and haar_installed():
        return _haar()
    folders = ", ".join(str(folder) for folder in model_folders())
    ways = [f"put face_detection_yunet_{KNOWN[0].version}.onnx of OpenCV Zoo into one of {folders}"]
    if name == "auto":
        ways.append(f"install 'opencv-python-headless<5' for its Haar cascade, which OpenCV {cv2.__version__} lacks")
    raise RuntimeUnavailable(f"there are no YuNet weights to detect faces with: {', or '.join(ways)}")


def _haar() -> FaceDetector:
    from fer_edge.detectors.haar import open_haar  # noqa: PLC0415 - only what is asked for

    return open_haar()


def _whole() -> FaceDetector:
    from fer_edge.detectors.whole import Whole  # noqa: PLC0415 - only what is asked for

    return Whole()
