"""Row 21: one changed byte is enough to be refused, and the bytes that were hashed are the bytes that run."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from fer_edge.bundle import Bundle
from fer_edge.classifier import open_classifier
from fer_edge.errors import BundleRefused, ExitCode
from support.daemons import PATIENCE_S
from support.tiny import tiny_bundle

POSITIONS = 200


def test_a_byte_changed_anywhere_is_refused(tmp_path: Path) -> None:
    bundle = Bundle.open(tiny_bundle(tmp_path, precisions=("int8",)))
    artifact = bundle.manifest.artifacts[0]
    path = bundle.path / artifact.files[0].name
    data = bytearray(path.read_bytes())
    for position in random.Random(0).sample(range(len(data)), POSITIONS):  # noqa: S311 - any positions will do
        data[position] ^= 1
        path.write_bytes(data)
        with pytest.raises(BundleRefused, match="the file was changed or damaged") as refused:
            bundle.read(artifact)
        assert refused.value.exit_code == ExitCode.REFUSED
        data[position] ^= 1


def test_a_file_that_is_swapped_all_the_time_is_refused_or_is_the_right_one(tmp_path: Path) -> None:
    folder = tiny_bundle(tmp_path, precisions=("int8",))
    artifact = Bundle.open(folder).manifest.artifacts[0]
    path, other = folder / artifact.files[0].name, tmp_path / "other"
    right = path.read_bytes()
    wrong = right[:-1] + bytes([right[-1] ^ 1])
    over, swapped = threading.Event(), threading.Event()

    def swap() -> None:
        while not over.is_set():
            for data in (wrong, right):
                other.write_bytes(data)
                other.replace(path)
            swapped.set()

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        assert swapped.wait(PATIENCE_S)
        refused = 0
        for _ in range(40):
            try:
                classifier = open_classifier(Bundle.open(folder))
            except BundleRefused:
                refused += 1
            else:
                assert classifier.artifact == artifact
    finally:
        over.set()
        thread.join(PATIENCE_S)
    assert refused < 40
