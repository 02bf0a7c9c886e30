"""Which layout a path has: what is recognised, what must be said, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.errors import InputError, UsageError
from fer_edge.labels import FER2013
from fer_edge.preprocess import PreprocessSpec
from fer_train import data
from support.layouts import affectnet, class_folders, fer2013_row, fer2013_table, picture, rafdb

GRAY = PreprocessSpec(color="gray", size=8, mean=(0.5,), std=(0.25,))


def load(where: Path | str, split: str | None = None) -> data.Dataset:
    return data.load(str(where), FER2013, GRAY, split)


def test_parts_are_pooled_when_none_is_asked_for(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {"happy": 2})
    class_folders(tmp_path / "test", {"sad": 1})
    assert load(tmp_path).names == ("train/happy/0.png", "train/happy/1.png", "test/sad/0.png")


def test_the_validation_part_stands_for_a_test_part_that_is_not_there(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {"happy": 1})
    class_folders(tmp_path / "val", {"sad": 1})
    assert load(tmp_path, "test").names == ("val/sad/0.png",)
    assert not data.has_split(str(tmp_path), "validation")


def test_beside_a_test_part_the_validation_part_is_its_own(tmp_path: Path) -> None:
    for name in ("train", "val", "test"):
        class_folders(tmp_path / name, {"sad": 1})
    assert load(tmp_path, "test").names == ("test/sad/0.png",)
    assert load(tmp_path, "validation").names == ("val/sad/0.png",)


def test_a_split_of_no_meaning_is_a_usage_error(tmp_path: Path) -> None:
    class_folders(tmp_path, {"sad": 1})
    with pytest.raises(UsageError, match="no split 'tset', only train, test, validation, private"):
        data.has_split(str(tmp_path), "tset")


def test_hidden_files_and_folders_are_no_data(tmp_path: Path) -> None:
    class_folders(tmp_path, {"happy": 1, ".thumbnails": 1})
    (tmp_path / "happy" / "._0.png").write_bytes(b"of another system")
    assert (len(load(tmp_path)), load(tmp_path).skipped) == (1, ())


def test_parts_and_classes_side_by_side_are_refused(tmp_path: Path) -> None:
    class_folders(tmp_path, {"happy": 1})
    class_folders(tmp_path / "train", {"happy": 1})
    with pytest.raises(InputError, match=r"has parts \(train\) and class folders \(happy\) side by side"):
        load(tmp_path)


def test_two_data_sets_in_one_folder_are_refused(tmp_path: Path) -> None:
    affectnet(tmp_path, {"1": "1"})
    rafdb(tmp_path, ["train_00001.jpg 5"])
    with pytest.raises(
        InputError, match=r"holds AffectNet's images .* and RAF-DB's list_patition_label\.txt: say which"
    ):
        load(tmp_path)
    assert load(f"rafdb:{tmp_path}").counts()["sad"] == 1
    assert load(f"affectnet:{tmp_path}").counts()["happy"] == 1


def test_what_is_nothing_says_all_that_was_looked_for(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    with pytest.raises(InputError) as refused:
        load(tmp_path)
    for wanted in ("angry, disgust", "found none", "fer2013.csv", "images and annotations", "list_patition_label.txt"):
        assert wanted in str(refused.value)


def test_a_kind_that_is_said_looks_for_nothing_else(tmp_path: Path) -> None:
    fer2013_table(tmp_path / "fer2013.csv", [fer2013_row("3")])
    with pytest.raises(InputError, match=r"found none; looked also for AffectNet's images and annotations$"):
        load(f"affectnet:{tmp_path}")


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a\.png is a file: only FER2013's table, a \.csv file"):
        load(tmp_path / "a.png")


def test_a_path_with_a_colon_is_a_path_when_it_is_there(tmp_path: Path) -> None:
    class_folders(tmp_path / "my:faces", {"happy": 1})
    assert len(load(tmp_path / "my:faces")) == 1


def test_numbers_are_names_where_it_is_said_that_it_is_a_folder(tmp_path: Path) -> None:
    class_folders(tmp_path, {str(i): 1 for i in range(8)})
    with pytest.raises(InputError, match=r"no class folders: expected some of angry, .* found 0, 1"):
        load(f"folder:{tmp_path}")


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(folder: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", forbidden)
    with pytest.raises(InputError, match=r"data .* cannot be listed: Permission denied"):
        load(tmp_path)
