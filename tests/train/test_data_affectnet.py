"""AffectNet: as shipped, as class folders by name or number, and judged by models of seven classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_edge.errors import InputError
from fer_edge.labels import AFFECTNET7, AFFECTNET8, FER2013
from fer_edge.preprocess import PreprocessSpec
from fer_train import data
from fer_train.data.affectnet import MAX_ANNOTATION_BYTES
from support.layouts import affectnet, annotation, class_folders, picture

RGB = PreprocessSpec(color="rgb", size=8, mean=(0.5,) * 3, std=(0.25,) * 3)
ALL = {str(i): str(i) for i in range(8)}


def load(where: Path | str, labels: tuple[str, ...] = AFFECTNET8, split: str | None = None) -> data.Dataset:
    return data.load(str(where), labels, RGB, split)


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """Both parts, one picture of each class in the first, two pictures in the second."""
    affectnet(tmp_path / "train_set", ALL)
    affectnet(tmp_path / "val_set", {"5": "1", "6": "7"})
    return tmp_path


def classes(found: data.Dataset) -> dict[str, str]:
    return {name: found.labels[target] for name, target in zip(found.names, found.targets, strict=True)}


def test_as_shipped_it_is_recognised_and_read_by_parts(shipped: Path) -> None:
    assert classes(load(shipped, split="train")) == {
        f"train_set/images/{i}.jpg": name for i, name in enumerate(AFFECTNET8)
    }
    assert classes(load(shipped, split="test")) == {
        "val_set/images/5.jpg": "happy",
        "val_set/images/6.jpg": "contempt",
    }


def test_without_parts_it_is_read_whole(tmp_path: Path) -> None:
    affectnet(tmp_path, ALL)
    assert len(load(tmp_path)) == 8
    assert not data.has_split(str(tmp_path), "train")


def test_integers_mean_the_same_as_text(tmp_path: Path) -> None:
    affectnet(tmp_path, {"10": 3, "11": "3"})
    assert load(tmp_path).counts()["surprise"] == 2


def test_labels_map_by_name_into_the_order_of_fer2013(shipped: Path) -> None:
    found = load(shipped, FER2013, "train")
    assert [FER2013[i] for i in found.targets] == list(AFFECTNET7)
    assert found.targets.tolist() == [6, 3, 4, 5, 2, 1, 0]


def test_contempt_is_left_out_for_seven_classes_and_is_no_error(shipped: Path) -> None:
    found = load(shipped, FER2013, "train")
    assert (found.left_out, found.skipped, found.misfit) == ({"contempt": 1}, (), "")
    assert found.remarks[0] == "left out, for it is no label: 1 of contempt"


def test_contempt_elsewhere_does_not_fit_seven_classes(tmp_path: Path) -> None:
    class_folders(tmp_path, dict.fromkeys(AFFECTNET8, 1))
    assert load(tmp_path, FER2013).misfit == "it has contempt, which is not among them"
    assert load(f"affectnet:{tmp_path}", FER2013).misfit == ""
    assert load(tmp_path, FER2013).left_out == {"contempt": 1}


def test_another_class_without_a_label_is_left_out_but_does_not_fit(shipped: Path) -> None:
    found = load(shipped, ("happy", "contempt"), "test")
    assert found.misfit == ""
    found = load(shipped, ("happy", "sad"), "train")
    assert set(found.left_out) == set(AFFECTNET8) - {"happy", "sad"}
    assert set(found.strangers) == set(AFFECTNET7) - {"happy", "sad"}


def test_numbered_folders_are_recognised_when_all_eight_are_there(tmp_path: Path) -> None:
    class_folders(tmp_path, {str(i): 1 for i in range(8)})
    found = load(tmp_path, FER2013)
    assert classes(found)["0/0.png"] == "neutral"
    assert found.left_out == {"contempt": 1}


def test_some_numbered_folders_are_read_only_when_it_is_said_whose_they_are(tmp_path: Path) -> None:
    class_folders(tmp_path, {str(i): 1 for i in range(7)})
    with pytest.raises(InputError, match=r"class folders called 0, 1, .* as in affectnet:"):
        load(tmp_path)
    assert classes(load(f"affectnet:{tmp_path}"))["6/0.png"] == "angry"
    assert classes(load(f"fer2013:{tmp_path}"))["6/0.png"] == "neutral"


def test_class_folders_by_name_are_read(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {"Anger": 2, "contempt": 1})
    assert load(f"affectnet:{tmp_path}", split="train").counts() == {
        **dict.fromkeys(AFFECTNET8, 0),
        "angry": 2,
        "contempt": 1,
    }


def test_a_picture_without_an_annotation_is_counted(tmp_path: Path) -> None:
    affectnet(tmp_path, {"1": "1"})
    picture(tmp_path / "images" / "2.jpg")
    assert load(tmp_path).skipped == ("images/2.jpg: it has no annotation (_exp.npy)",)


def test_an_annotation_without_a_picture_is_counted(tmp_path: Path) -> None:
    affectnet(tmp_path, {"1": "1"})
    annotation(tmp_path, "2", "1")
    assert load(tmp_path).skipped == ("annotations/2_exp.npy: there is no picture of that number",)


@pytest.mark.parametrize("label", ["8", "10", "-1", 8, "happy"])
def test_a_label_out_of_range_is_counted(tmp_path: Path, label: str | int) -> None:
    affectnet(tmp_path, {"1": "1", "2": label})
    assert load(tmp_path).skipped == (f"images/2.jpg: the label {str(label)!r} is not one of 0 to 7",)


@pytest.mark.parametrize(
    "raw",
    [b"", b"6", b"\x93NUMPY", b"PK\x05\x06" + bytes(18)],
    ids=["empty", "text", "cut off", "an empty archive"],
)
def test_an_annotation_that_is_no_array_is_counted(tmp_path: Path, raw: bytes) -> None:
    affectnet(tmp_path, {"1": "1", "2": "2"})
    (tmp_path / "annotations" / "2_exp.npy").write_bytes(raw)
    assert load(tmp_path).skipped == ("images/2.jpg: its annotation is not one number in a .npy file",)


def test_an_annotation_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    affectnet(tmp_path, {"1": "1", "2": "2"})
    np.save(tmp_path / "annotations" / "2_exp.npy", np.array({"a": 1}, dtype=object), allow_pickle=True)
    assert load(tmp_path).skipped == ("images/2.jpg: its annotation is not one number in a .npy file",)


def test_an_annotation_of_the_largest_size_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    affectnet(tmp_path, {"1": "1", "2": "2"})
    path = tmp_path / "annotations" / "2_exp.npy"
    path.write_bytes(path.read_bytes() + bytes(MAX_ANNOTATION_BYTES - path.stat().st_size))
    assert load(tmp_path).problems == ()
    path.write_bytes(path.read_bytes() + bytes(1))
    assert load(tmp_path).skipped == ("images/2.jpg: its annotation is not one number in a .npy file",)


def test_parts_of_two_layouts_are_refused(tmp_path: Path) -> None:
    affectnet(tmp_path / "train_set", ALL)
    class_folders(tmp_path / "val_set", {"3": 1})
    with pytest.raises(InputError, match=r"images and annotations in some parts but not in val_set"):
        load(tmp_path)
