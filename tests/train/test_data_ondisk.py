"""Data too large for memory: decoded on access, with the same pictures, digest and errors as from memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_edge.errors import InputError
from fer_edge.labels import FER2013
from fer_edge.preprocess import PreprocessSpec
from fer_train import data
from fer_train.data import memory, threads
from fer_train.data.ondisk import OnDisk, on_disk
from support.layouts import class_folders, fer2013_row, fer2013_table, picture

RGB = PreprocessSpec(color="rgb", size=8, mean=(0.5,) * 3, std=(0.25,) * 3)
PICTURE_BYTES = 8 * 8 * 3
COUNT = 150
"""More than two blocks of a thread."""


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """150 pictures of two classes, of two sizes, one of them broken."""
    class_folders(tmp_path, {"happy": 100, "sad": 48})
    picture(tmp_path / "sad" / "wide.png", height=20, width=30)
    (tmp_path / "sad" / "broken.png").write_bytes(b"x")
    picture(tmp_path / "sad" / "zzz.png", height=30, width=20)
    return tmp_path


@pytest.fixture
def scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory for ten pictures."""
    monkeypatch.setattr(memory, "MAX_IN_MEMORY_BYTES", 10 * PICTURE_BYTES)


@pytest.fixture
def both(faces: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[data.Dataset, data.Dataset]:
    """The same data in memory and on disk."""
    held = load(faces)
    monkeypatch.setattr(memory, "MAX_IN_MEMORY_BYTES", 10 * PICTURE_BYTES)
    return held, load(faces)


def load(where: Path) -> data.Dataset:
    return data.load(str(where), FER2013, RGB)


def test_beyond_the_limit_pictures_stay_on_disk_and_up_to_it_they_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class_folders(tmp_path, {"happy": 10})
    monkeypatch.setattr(memory, "MAX_IN_MEMORY_BYTES", 10 * PICTURE_BYTES)
    assert isinstance(load(tmp_path).images, np.ndarray)
    picture(tmp_path / "happy" / "one more.png")
    assert on_disk(load(tmp_path).images) is not None


def test_both_hold_the_same(both: tuple[data.Dataset, data.Dataset]) -> None:
    held, stored = both
    assert isinstance(held.images, np.ndarray)
    assert on_disk(stored.images) is not None
    assert (stored.images.shape, stored.images.ndim, stored.images.nbytes) == ((COUNT, 8, 8, 3), 4, held.images.nbytes)
    assert len(stored.images) == len(stored) == COUNT
    np.testing.assert_array_equal(stored.images, held.images)
    assert (stored.names, stored.problems) == (held.names, held.problems)
    np.testing.assert_array_equal(stored.prints(), held.prints())


@pytest.mark.parametrize(
    "rows",
    [
        slice(3, 9),
        slice(None, None, 50),
        np.array([7, 0, 149, 7]),
        np.array([], dtype=np.int64),
        [5, 2],
        slice(140, 999),
    ],
    ids=["slice", "steps", "indices", "none", "list", "beyond the end"],
)
def test_rows_are_those_of_the_array(both: tuple[data.Dataset, data.Dataset], rows: slice) -> None:
    held, stored = both
    found = stored.images[rows]
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, held.images[rows])


def test_one_picture_and_all_in_turn(both: tuple[data.Dataset, data.Dataset]) -> None:
    held, stored = both
    np.testing.assert_array_equal(stored.images[-1], held.images[-1])
    np.testing.assert_array_equal(np.stack(list(stored.images)), held.images)
    with pytest.raises(IndexError):
        stored.images[COUNT]


def test_the_digest_is_the_same_from_the_first_pass_and_from_another(both: tuple[data.Dataset, data.Dataset]) -> None:
    held, stored = both
    assert stored.digest() == held.digest()
    rows = np.arange(COUNT)[::-1]
    part = stored.subset(rows)
    assert on_disk(part.images) is not None
    assert part.digest() == held.subset(rows).digest() != held.digest()


def test_the_digest_needs_no_second_pass(
    both: tuple[data.Dataset, data.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    held, stored = both
    monkeypatch.setattr(OnDisk, "__getitem__", lambda *_: pytest.fail("read again"))
    assert stored.digest() == held.digest()


def test_a_part_that_fits_is_read_into_memory(both: tuple[data.Dataset, data.Dataset]) -> None:
    held, stored = both
    chosen = stored.stratified(10, seed=3)
    assert isinstance(chosen.images, np.ndarray)
    np.testing.assert_array_equal(chosen.images, held.stratified(10, seed=3).images)
    assert on_disk(stored.stratified(11, seed=3).images) is not None


def test_a_file_that_changed_since_it_was_read_ends_the_run_with_its_name(faces: Path, scarce: None) -> None:
    stored = load(faces)
    (faces / "happy" / "0.png").write_bytes(b"x")
    with pytest.raises(
        InputError, match=r"happy/0\.png was read before and cannot be any more: not a readable picture"
    ):
        stored.images[:5]


def test_rows_of_pixels_are_refused_and_not_read_from_everything(faces: Path, scarce: None) -> None:
    with pytest.raises(TypeError, match="chosen by number only"):
        load(faces).images[..., ::-1]


def test_a_table_that_is_large_as_it_is_cut_is_cut_on_access(tmp_path: Path, scarce: None) -> None:
    where = fer2013_table(tmp_path / "fer2013.csv", [fer2013_row("3", pixels=[i] * 64) for i in range(11)])
    stored = load(where)
    assert on_disk(stored.images) is not None
    assert stored.images[np.array([10, 4])][:, 0, 0].tolist() == [[10] * 3, [4] * 3]


def test_it_is_said_that_pictures_stay_on_disk_and_how_fast_they_were_read(faces: Path, scarce: None) -> None:
    said: list[str] = []
    data.load(str(faces), FER2013, RGB, say=said.append)
    assert said[0].startswith(f"{COUNT + 1} pictures at 8 px are 0.0 GB, more than the 0.0 GB")
    assert said[-1].startswith(f"{COUNT + 1} pictures read, ")


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("MemTotal: 9 kB\nMemAvailable:    4096 kB\n", 1 << 20),
        ("MemAvailable: 99999999999 kB\n", memory.MAX_IN_MEMORY_BYTES),
        ("MemAvailable: much\n", memory.MAX_IN_MEMORY_BYTES),
        ("", memory.MAX_IN_MEMORY_BYTES),
    ],
)
def test_the_limit_is_a_quarter_of_what_is_available_and_never_more_than_the_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, limit: int
) -> None:
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    assert memory.limit_bytes() == memory.MAX_IN_MEMORY_BYTES
    (tmp_path / "meminfo").write_text(text)
    assert memory.limit_bytes() == limit


def test_blocks_come_in_order_and_few_of_them_wait() -> None:
    begun: list[int] = []

    def work(rows: range) -> int:
        begun.append(rows.start)
        return rows.start

    found = threads.in_blocks(work, 1000 * threads.BLOCK)
    first = [next(found) for _ in range(3)]
    assert first == [0, threads.BLOCK, 2 * threads.BLOCK]
    assert len(begun) <= threads.AHEAD * threads.threads() + 3


def test_no_more_threads_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(100)), raising=False)
    assert threads.threads() == threads.MAX_THREADS
