"""FER2013's table: which rows are pictures, which are counted as faulty, and what is no such table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.errors import InputError
from fer_edge.labels import FER2013
from fer_edge.preprocess import PreprocessSpec
from fer_train import data
from fer_train.data.entries import Unusable
from fer_train.data.fer2013 import MAX_ROW_CHARS, picture
from support.layouts import class_folders, fer2013_row, fer2013_table

GRAY = PreprocessSpec(color="gray", size=8, mean=(0.5,), std=(0.25,))


def load(where: Path | str, split: str | None = None) -> data.Dataset:
    return data.load(str(where), FER2013, GRAY, split)


def test_pixels_come_out_as_they_are_written(tmp_path: Path) -> None:
    where = fer2013_table(tmp_path / "fer2013.csv", [fer2013_row("3", pixels=range(64))])
    assert load(where).images.tolist() == [np.arange(64).reshape(8, 8).tolist()]


def test_every_label_is_the_class_of_its_number(tmp_path: Path) -> None:
    where = fer2013_table(tmp_path / "fer2013.csv", [fer2013_row(str(i)) for i in range(7)])
    affectnet = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "angry")
    found = data.load(str(where), affectnet, GRAY)
    assert [affectnet[i] for i in found.targets] == list(FER2013)


def test_a_table_without_usage_has_no_parts(tmp_path: Path) -> None:
    where = fer2013_table(tmp_path / "t.csv", ["3," + " ".join(["1"] * 64)], head="emotion,pixels")
    assert not data.has_split(str(where), "train")
    with pytest.raises(InputError, match=r"no split 'train' .*; it is not divided"):
        load(where, "train")
    assert len(load(where)) == 1


def test_the_other_published_head_with_blanks_is_read(tmp_path: Path) -> None:
    row = "3,Training," + " ".join(["1"] * 64)
    where = fer2013_table(tmp_path / "icml_face_data.csv", [row], head="emotion, Usage, pixels")
    assert load(where, "train").counts()["happy"] == 1


def test_a_table_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    where = fer2013_table(tmp_path / "t.csv", [fer2013_row("3")], head="\ufeffemotion,pixels,Usage")
    assert len(load(where)) == 1


def test_a_row_of_an_unknown_usage_is_of_no_part(tmp_path: Path) -> None:
    where = fer2013_table(tmp_path / "t.csv", [fer2013_row("3", "Mine"), fer2013_row("4")])
    assert [len(load(where, split)) for split in (None, "train")] == [2, 1]


def test_a_table_of_something_else_is_refused_with_its_columns(tmp_path: Path) -> None:
    where = fer2013_table(tmp_path / "t.csv", ["1,2"], head="age,height")
    with pytest.raises(InputError, match=r"t\.csv is not FER2013's table: .* emotion and pixels, found age, height"):
        load(where)


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"")
    with pytest.raises(InputError, match="found nothing"):
        load(tmp_path / "t.csv")


def test_a_row_that_ends_before_its_pixels_is_counted(tmp_path: Path) -> None:
    where = fer2013_table(tmp_path / "t.csv", ["3", fer2013_row("4")])
    assert load(where).skipped == ("line 2: its pixels are not a square (a short row)",)


@pytest.mark.parametrize("label", ["-1", "7", "10", "happy", "3.0", "", "²"])
def test_a_label_that_is_no_number_of_a_class_is_counted(tmp_path: Path, label: str) -> None:
    where = fer2013_table(tmp_path / "t.csv", [fer2013_row(label), fer2013_row("4")])
    assert load(where).skipped == (f"line 2: the label {label!r} is not one of 0 to 6",)
    assert load(where).strangers == ()


def test_a_field_of_the_longest_length_is_read_and_a_longer_one_is_not(tmp_path: Path) -> None:
    longest = [*["1"] * 63, "1" + " " * (MAX_ROW_CHARS - 127)]
    assert len(load(fer2013_table(tmp_path / "a.csv", [fer2013_row("3", pixels=longest)]))) == 1
    longest[-1] += " "
    with pytest.raises(InputError, match=r"b\.csv, line 2: not a row of a table of faces"):
        load(fer2013_table(tmp_path / "b.csv", [fer2013_row("3", pixels=longest)]))


def test_the_table_beside_class_folders_must_be_named(tmp_path: Path) -> None:
    fer2013_table(tmp_path / "fer2013.csv", [fer2013_row("3")])
    class_folders(tmp_path / "train", {"sad": 1})
    with pytest.raises(InputError, match=r"holds the table fer2013\.csv and class folders: say which is meant"):
        load(tmp_path)
    assert load(f"fer2013:{tmp_path}").counts()["happy"] == 1
    assert load(f"folder:{tmp_path}").counts()["sad"] == 1


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 12).flatmap(lambda side: st.lists(st.integers(0, 255), min_size=side**2, max_size=side**2)))
def test_every_square_of_bytes_is_a_picture_of_those_pixels(pixels: list[int]) -> None:
    found = picture(" ".join(map(str, pixels)))
    assert found.dtype == np.uint8
    assert found.shape[0] == found.shape[1]
    assert found.ravel().tolist() == pixels


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=60))
def test_any_other_text_is_a_picture_or_a_reason_and_nothing_else(text: str) -> None:
    reasons = {"its pixels are not a square (a short row)", "a pixel is not a whole number", "a pixel is above 255"}
    try:
        found = picture(text).ravel().tolist()
    except Unusable as problem:
        reasons.remove(str(problem))
    else:
        assert found == [int(part) for part in text.split()]


@settings(max_examples=50, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from(["0", "6", "7", "x", ""]), st.integers(60, 66)), max_size=6))
def test_every_row_is_a_picture_or_a_problem(
    rows: list[tuple[str, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [fer2013_row(label, pixels=[9] * size) for label, size in rows]
    where = fer2013_table(tmp_path_factory.mktemp("tables") / "t.csv", [*lines, fer2013_row("3")])
    found = load(where)
    good = sum(label in {"0", "6"} and size == 64 for label, size in rows)
    assert (len(found), len(found.problems)) == (good + 1, len(rows) - good)
