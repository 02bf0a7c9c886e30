"""One picture from its file: whole, or a reason why not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_train.data import pictures
from fer_train.data.entries import Unusable
from fer_train.data.pictures import decode, fingerprint
from support.layouts import picture


def noise(suffix: str, path: Path) -> bytes:
    """An encoded 32 x 32 picture of grey noise."""
    made = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    assert cv2.imwrite(str(path.with_suffix(suffix)), made)
    return path.with_suffix(suffix).read_bytes()


def reason(path: Path) -> str:
    with pytest.raises(Unusable) as problem:
        decode(str(path))
    return str(problem.value)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".pgm"])
def test_a_file_that_is_cut_off_is_no_picture(tmp_path: Path, suffix: str, share: float) -> None:
    raw = noise(suffix, tmp_path / "a")
    (tmp_path / f"a{suffix}").write_bytes(raw[: int(share * len(raw))])
    assert reason(tmp_path / f"a{suffix}") == ("the file is cut off" if suffix == ".jpg" else "not a readable picture")


def test_a_jpeg_with_something_behind_its_end_is_whole(tmp_path: Path) -> None:
    raw = noise(".jpg", tmp_path / "a")
    (tmp_path / "a.jpg").write_bytes(raw + b"made by a phone" * 1000)
    assert decode(str(tmp_path / "a.jpg")).shape == (32, 32, 3)


def test_the_end_of_a_thumbnail_is_not_the_end_of_the_picture(tmp_path: Path) -> None:
    raw = noise(".jpg", tmp_path / "a")
    thumbnail = b"Exif\0\0" + raw[:200] + b"\xff\xd9"
    held = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    (tmp_path / "a.jpg").write_bytes((raw[:2] + held + raw[2:])[:-100])
    assert reason(tmp_path / "a.jpg") == "the file is cut off"


def test_a_progressive_jpeg_is_whole(tmp_path: Path) -> None:
    made = np.random.default_rng(0).integers(0, 256, (32, 32), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.jpg"), made, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])
    assert decode(str(tmp_path / "a.jpg")).shape == (32, 32, 3)


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"")
    assert reason(tmp_path / "a.jpg") == "the file is empty"


def test_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    assert reason(tmp_path / "a.jpg") == "the file cannot be read (No such file or directory)"


def test_a_folder_called_like_a_picture_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").mkdir()
    assert reason(tmp_path / "a.jpg").startswith("the file cannot be read")


def test_a_file_of_the_largest_size_is_read_and_a_larger_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = picture(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "MAX_PICTURE_BYTES", path.stat().st_size)
    assert decode(str(path)).shape == (8, 8, 3)
    monkeypatch.setattr(pictures, "MAX_PICTURE_BYTES", path.stat().st_size - 1)
    assert reason(path) == "the file has more than 0 MiB"


def test_a_picture_of_more_pixels_than_opencv_takes_is_told(tmp_path: Path) -> None:
    side = 1 << 20
    (tmp_path / "a.pgm").write_bytes(f"P5 {side} {side} 255\n".encode() + bytes(64))
    assert reason(tmp_path / "a.pgm") == "not a readable picture"


def test_the_same_pixels_in_two_formats_have_the_same_print(tmp_path: Path) -> None:
    noise(".png", tmp_path / "a")
    noise(".bmp", tmp_path / "a")
    assert len({fingerprint(decode(str(tmp_path / f"a{suffix}"))) for suffix in (".png", ".bmp")}) == 1


def test_one_other_pixel_or_another_shape_gives_another_print() -> None:
    black = np.zeros((4, 4), dtype=np.uint8)
    other = black.copy()
    other[3, 3] = 1
    prints = {fingerprint(each) for each in (black, other, black.reshape(2, 8), black.reshape(8, 2))}
    assert len(prints) == 4
    assert max(prints) < 1 << 64
