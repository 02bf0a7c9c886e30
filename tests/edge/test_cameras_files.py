"""Pictures: one, a folder of them, and everything that is none."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.cameras import files
from fer_edge.cameras.files import open_folder, open_picture, read_picture
from fer_edge.cameras.header import read_header
from fer_edge.errors import ExitCode, InputError
from fer_edge.types import Image
from support.clocks import StillClock
from support.shared import media

SUFFIXES = (".jpg", ".png", ".webp", ".bmp", ".ppm")
EXIF_TURNED = (
    b"\xff\xe1\x00\x22Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"
    + bytes(4)
)
"""An APP1 segment that says orientation 6: turn a quarter clockwise to view."""


def drawn(width: int = 40, height: int = 30, tone: int = 120) -> Image:
    picture = np.full((height, width, 3), tone, np.uint8)
    picture[:, : width // 4] = (200, 60, 20)
    return picture


def saved(path: Path, picture: Image | None = None) -> Path:
    assert cv2.imwrite(str(path), drawn() if picture is None else picture)
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_picture_is_read_in_blue_green_red(tmp_path: Path, suffix: str) -> None:
    found = read_picture(saved(tmp_path / f"a{suffix}"))
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - drawn()).mean() < 3


def test_a_grey_picture_is_read_with_three_channels(tmp_path: Path) -> None:
    assert read_picture(saved(tmp_path / "a.pgm", drawn()[..., 0])).shape == (30, 40, 3)


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".pgm"])
def test_the_header_tells_the_size_before_decoding(tmp_path: Path, suffix: str) -> None:
    picture = drawn()[..., 0] if suffix == ".pgm" else drawn()
    header = read_header(saved(tmp_path / f"a{suffix}", picture).read_bytes())
    assert header is not None
    assert (header.width_px, header.height_px, header.whole) == (40, 30, True)


@pytest.mark.parametrize(
    ("options", "name"), [([cv2.IMWRITE_WEBP_QUALITY, 50], "lossy"), ([cv2.IMWRITE_WEBP_QUALITY, 101], "lossless")]
)
def test_the_header_of_both_kinds_of_webp_is_read(options: list[int], name: str) -> None:
    header = read_header(cv2.imencode(".webp", drawn(41, 33), options)[1].tobytes())
    assert header is not None
    assert (header.width_px, header.height_px) == (41, 33), name


@pytest.mark.parametrize(
    "name", ["obama-480p.jpg", "biden.jpg", "obama_and_biden.jpg", "two_people.jpg", "obama_partial_face2.jpg"]
)
def test_a_real_photograph_is_read_as_opencv_reads_it(name: str) -> None:
    assert (read_picture(media(name)) == cv2.imread(str(media(name)))).all()


def test_a_picture_is_turned_as_its_exif_data_say(tmp_path: Path) -> None:
    jpeg = saved(tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(jpeg[:2] + EXIF_TURNED + jpeg[2:])
    found = read_picture(tmp_path / "a.jpg")
    assert found.shape == (40, 30, 3)
    assert found[2, 15, 0] > found[30, 15, 0]  # what was left is now on top


def test_a_missing_picture_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^no such file: .*gone\.jpg$") as error:
        read_picture(tmp_path / "gone.jpg")
    assert error.value.exit_code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize(
    "content",
    [b"", b"hello, world", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"P6 x", b"RIFF\x00\x00\x00\x00WEBP"],
)
def test_what_is_no_picture_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.jpg is not a picture \(JPEG, PNG, WebP, BMP, PGM or PPM\)$"):
        read_picture(tmp_path / "a.jpg")


def test_a_folder_is_not_a_picture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder, not a picture"):
        read_picture(tmp_path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("share", [0.6, 0.99])
def test_a_picture_that_is_cut_off_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    path = saved(tmp_path / f"a{suffix}", noise)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(InputError, match="picture that is cut off"):
        read_picture(path)


def test_a_real_photograph_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    data = media("obama-480p.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="JPEG picture that is cut off"):
        read_picture(tmp_path / "half.jpg")


def test_a_picture_whose_inside_is_damaged_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png")
    data = bytearray(path.read_bytes())
    start = data.index(b"IDAT") + 4
    data[start : start + 20] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(InputError, match="PNG picture that cannot be decoded; the file is damaged"):
        read_picture(path)


def test_a_file_of_too_many_bytes_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.truncate(files.MAX_PICTURE_BYTES + 1)
    with pytest.raises(InputError, match="more than the limit of 64 MiB for a picture"):
        read_picture(path)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(InputError, match="30000 x 30000 pixels, more than the limit of 100 million"):
        read_picture(tmp_path / "bomb.png")


def test_a_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    for name in ("img10.png", "img2.png", "IMG1.png", "a.png"):
        saved(tmp_path / name)
    with open_folder(tmp_path, StillClock()) as camera:
        assert [Path(camera.read(1.0).origin).name for _ in range(4)] == ["a.png", "IMG1.png", "img2.png", "img10.png"]  # type: ignore[union-attr]
        assert camera.read(1.0) is None


def test_frames_of_a_folder_count_and_are_a_second_apart(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "3.png"):
        saved(tmp_path / name)
    with open_folder(tmp_path, StillClock()) as camera:
        frames = [frame for frame in (camera.read(1.0) for _ in range(3)) if frame]
    assert [(frame.seq, frame.captured_s) for frame in frames] == [(0, 0.0), (1, 1.0), (2, 2.0)]
    assert not camera.live


def test_what_is_no_picture_in_a_folder_is_skipped_and_told(tmp_path: Path) -> None:
    saved(tmp_path / "1.png")
    (tmp_path / "2.png").write_bytes(b"no picture")
    saved(tmp_path / "3.png")
    (tmp_path / "clip.mp4").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "inside").mkdir()
    with open_folder(tmp_path, StillClock()) as camera:
        origins = [frame.origin for frame in iter(lambda: camera.read(1.0), None)]
    assert origins == [str(tmp_path / "1.png"), str(tmp_path / "3.png")]
    assert camera.skipped == [
        f"{tmp_path / 'clip.mp4'} is a clip; name it as the source itself",
        f"{tmp_path / 'inside'} is a folder; only the pictures directly in a folder are read",
        f"{tmp_path / 'notes.txt'} is not a picture (by its suffix)",
        f"{tmp_path / '2.png'} is not a picture (JPEG, PNG, WebP, BMP, PGM or PPM)",
    ]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no picture"):
        open_folder(tmp_path, StillClock())


def test_a_folder_of_other_things_says_what_it_found(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    with pytest.raises(InputError, match=r"holds no picture .* it holds 1 other things, the first of them happy"):
        open_folder(tmp_path, StillClock())


def test_a_folder_in_which_no_picture_can_be_read_is_refused_at_its_end(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(b"no picture")
    with open_folder(tmp_path, StillClock()) as camera, pytest.raises(InputError, match="none of the 2 pictures"):
        camera.read(1.0)


def test_a_single_file_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with open_picture(tmp_path / "a.jpg", StillClock()) as camera, pytest.raises(InputError, match="is not a picture"):
        camera.read(1.0)


def test_a_single_picture_is_one_frame_and_then_the_end(tmp_path: Path) -> None:
    with open_picture(saved(tmp_path / "a.jpg"), StillClock()) as camera:
        frame = camera.read(1.0)
        assert frame is not None
        assert frame.origin == str(tmp_path / "a.jpg")
        assert camera.read(1.0) is None


def test_a_closed_folder_gives_no_more_pictures(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        saved(tmp_path / name)
    camera = open_folder(tmp_path, StillClock())
    camera.read(1.0)
    camera.close()
    camera.close()
    assert camera.read(1.0) is None


def test_a_folder_shows_a_picture_per_second_when_it_is_paced(tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "3.png"):
        saved(tmp_path / name)
    clock = StillClock()
    with open_folder(tmp_path, clock, pace=True) as camera:
        while camera.read(1.0):
            pass
    assert clock.slept == [0.0, 1.0, 1.0]
