"""RAF-DB: as shipped in its archive's own folders, as numbered folders, with lines and pictures that do not match."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.errors import InputError
from fer_edge.labels import FER2013, RAFDB
from fer_edge.preprocess import PreprocessSpec
from fer_train import data
from fer_train.data import rafdb as room
from support.layouts import class_folders, picture, rafdb

RGB = PreprocessSpec(color="rgb", size=8, mean=(0.5,) * 3, std=(0.25,) * 3)
LINES = ("train_00001.jpg 5", "train_00002.jpg 1", "test_0001.jpg 4")


def load(where: Path | str, labels: tuple[str, ...] = RAFDB, split: str | None = None) -> data.Dataset:
    return data.load(str(where), labels, RGB, split)


def classes(found: data.Dataset) -> list[str]:
    return [found.labels[target] for target in found.targets]


@pytest.mark.parametrize(
    ("labels", "faces"),
    [(".", "aligned"), ("EmoLabel", "Image/aligned"), ("basic/EmoLabel", "basic/Image/aligned")],
)
def test_as_shipped_it_is_recognised_at_every_level_of_its_archive(tmp_path: Path, labels: str, faces: str) -> None:
    found = load(rafdb(tmp_path, LINES, labels, faces), split="train")
    assert (found.names, classes(found)) == (("train_00001.jpg", "train_00002.jpg"), ["sad", "surprise"])


def test_labels_count_from_one_and_map_by_name(tmp_path: Path) -> None:
    rafdb(tmp_path, [f"train_{i:05}.jpg {i}" for i in range(1, 8)])
    assert load(tmp_path, split="train").targets.tolist() == list(range(7))
    assert classes(load(tmp_path, FER2013)) == list(RAFDB)


def test_the_test_part_is_that_of_the_names(tmp_path: Path) -> None:
    assert classes(load(rafdb(tmp_path, LINES), split="test")) == ["happy"]
    assert not data.has_split(str(tmp_path), "private")


@pytest.mark.parametrize("label", ["0", "8", "happy", ""])
def test_a_label_out_of_range_is_counted(tmp_path: Path, label: str) -> None:
    rafdb(tmp_path, [*LINES, f"train_00003.jpg {label}"])
    assert load(tmp_path).skipped == (f"train_00003.jpg: the label {label!r} is not one of 1 to 7",)


def test_a_line_without_its_picture_is_counted(tmp_path: Path) -> None:
    rafdb(tmp_path, LINES)
    (tmp_path / "aligned" / "train_00002_aligned.jpg").unlink()
    assert load(tmp_path).skipped == ("train_00002.jpg: there is no picture of that name with _aligned in it",)


def test_a_picture_without_its_line_is_counted_in_its_part(tmp_path: Path) -> None:
    rafdb(tmp_path, LINES)
    picture(tmp_path / "aligned" / "train_00009_aligned.jpg")
    problem = "train_00009_aligned.jpg: it has no line in list_patition_label.txt"
    assert [load(tmp_path, split=split).skipped for split in ("train", "test")] == [(problem,), ()]


def test_a_line_of_no_part_is_counted(tmp_path: Path) -> None:
    rafdb(tmp_path, LINES)
    with (tmp_path / "list_patition_label.txt").open("a") as file:
        file.write("\nface.jpg 3\n")
    assert load(tmp_path).skipped == ("list_patition_label.txt line 5: it does not begin with train_ or test_",)


def test_a_line_cannot_name_a_file_elsewhere(tmp_path: Path) -> None:
    picture(tmp_path / "train_00007_aligned.jpg")
    rafdb(tmp_path / "data", LINES)
    with (tmp_path / "data" / "list_patition_label.txt").open("a") as file:
        file.write("train_/../../../train_00007.jpg 3\n")
    assert len(load(tmp_path / "data")) == 3


def test_the_list_without_faces_says_where_they_were_looked_for(tmp_path: Path) -> None:
    rafdb(tmp_path, LINES)
    (tmp_path / "aligned").rename(tmp_path / "original")
    with pytest.raises(InputError, match=r"no pictures: looked for folders aligned and Image/aligned"):
        load(tmp_path)


def test_a_list_of_the_largest_size_is_read_and_a_larger_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rafdb(tmp_path, LINES)
    monkeypatch.setattr(room, "MAX_LIST_BYTES", (tmp_path / "list_patition_label.txt").stat().st_size)
    assert len(load(tmp_path)) == 3
    monkeypatch.setattr(room, "MAX_LIST_BYTES", room.MAX_LIST_BYTES - 1)
    with pytest.raises(InputError, match=r"list_patition_label\.txt is no list of labels"):
        load(tmp_path)


def test_folders_called_1_to_7_are_recognised(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {str(i): 1 for i in range(1, 8)})
    class_folders(tmp_path / "test", {"4": 2})
    assert classes(load(tmp_path, FER2013, "train")) == list(RAFDB)
    assert classes(load(tmp_path, FER2013, "test")) == ["happy", "happy"]


def test_the_folder_of_the_published_copy_is_entered(tmp_path: Path) -> None:
    class_folders(tmp_path / "DATASET" / "train", {"7": 1})
    assert classes(load(f"rafdb:{tmp_path}", split="train")) == ["neutral"]


def test_folders_by_name_are_read(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {"happiness": 1})
    assert classes(load(f"rafdb:{tmp_path}", split="train")) == ["happy"]
