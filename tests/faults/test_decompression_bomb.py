"""Fault 7: a few hundred bytes whose header promises 65,500 x 65,500 pixels, 12.9 GB once decoded."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.cameras.checked import CorruptFrame, decode_jpeg
from fer_edge.cameras.files import read_picture
from fer_edge.errors import InputError

SIDE_PX = 65_500
"""libjpeg's own limit."""
MAX_GROWTH_KIB = 16 * 1024

MEASURE = """
import resource, sys
from fer_edge.cameras.checked import CorruptFrame, decode_jpeg
import numpy, cv2
cv2.imencode('.jpg', numpy.zeros((64, 64, 3), numpy.uint8))
decode_jpeg(cv2.imencode('.jpg', numpy.zeros((64, 64, 3), numpy.uint8))[1].tobytes())
data = open(sys.argv[1], 'rb').read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode_jpeg(data)
except CorruptFrame as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def bomb() -> bytes:
    """A small picture whose start of frame states another size; everything else is in order."""
    data = bytearray(cv2.imencode(".jpg", np.full((64, 64, 3), 90, np.uint8))[1].tobytes())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", SIDE_PX, SIDE_PX)
    return bytes(data)


def test_the_header_alone_refuses_it() -> None:
    with pytest.raises(
        CorruptFrame, match="its header promises 65500 x 65500 pixels, more than the limit of 33 million"
    ):
        decode_jpeg(bomb())


def test_no_memory_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "bomb.jpg"
    path.write_bytes(bomb())
    done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], check=True, capture_output=True, text=True)
    reason, growth_kib = done.stdout.splitlines()
    assert "65500 x 65500" in reason
    assert int(growth_kib) < MAX_GROWTH_KIB


def test_the_header_with_nothing_behind_it_is_refused_as_well() -> None:
    data = bomb()
    with pytest.raises(CorruptFrame):
        decode_jpeg(data[: data.index(b"\xff\xda")])


def test_a_file_is_refused_in_the_same_way(tmp_path: Path) -> None:
    path = tmp_path / "bomb.jpg"
    path.write_bytes(bomb())
    with pytest.raises(InputError, match="has 65500 x 65500 pixels, more than the limit"):
        read_picture(path)


def test_the_largest_picture_of_a_camera_is_let_through() -> None:
    data = bytes(cv2.imencode(".jpg", np.full((4320, 7680, 3), 90, np.uint8))[1].tobytes())
    assert decode_jpeg(data).shape == (4320, 7680, 3)
