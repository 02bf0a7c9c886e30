"""Reading labelled pictures: which layouts, what is skipped and counted, what is refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.errors import InputError, UsageError
from fer_edge.labels import FER2013
from fer_edge.preprocess import PreprocessSpec
from fer_train import data
from support import shared

GRAY = PreprocessSpec(color="gray", size=8, mean=(0.5,), std=(0.25,))


def picture(path: Path, level: int = 100) -> None:
    """A flat grey picture, 8 x 8."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((8, 8), level, dtype=np.uint8))


def table(path: Path, *rows: str) -> str:
    """A file in the form of `fer2013.csv`."""
    path.write_text("emotion,pixels,Usage\n" + "\n".join(rows) + "\n", encoding="ascii")
    return str(path)


def row(label: str, usage: str = "Training", count: int = 64) -> str:
    return f"{label},{' '.join(['7'] * count)},{usage}"


def load(where: Path | str, split: str | None = None, limit: int | None = None) -> data.Dataset:
    return data.load(str(where), FER2013, GRAY, split, limit)


def test_a_folder_with_splits_is_read_by_split(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "happy" / "a.png", 10)
    picture(tmp_path / "test" / "sad" / "b.png", 20)
    found = load(tmp_path, "test")
    assert (found.names, found.targets.tolist()) == (("test/sad/b.png",), [FER2013.index("sad")])


def test_a_folder_of_class_folders_is_read_whole(tmp_path: Path) -> None:
    picture(tmp_path / "happy" / "a.png")
    picture(tmp_path / "fear" / "b.png")
    assert load(f"folder:{tmp_path}").counts() == {**dict.fromkeys(FER2013, 0), "happy": 1, "fear": 1}


def test_class_folders_are_known_by_their_other_names(tmp_path: Path) -> None:
    picture(tmp_path / "Anger" / "a.png")
    assert load(tmp_path).targets.tolist() == [FER2013.index("angry")]


def test_pixels_arrive_unchanged(tmp_path: Path) -> None:
    picture(tmp_path / "happy" / "a.png", 123)
    found = load(tmp_path)
    assert (found.images.shape, found.images.dtype.name) == ((1, 8, 8), "uint8")
    assert np.unique(found.images).tolist() == [123]


def test_a_corrupt_picture_is_skipped_and_named(tmp_path: Path) -> None:
    picture(tmp_path / "happy" / "a.png")
    (tmp_path / "happy" / "b.jpg").write_bytes(b"not a picture")
    found = load(tmp_path)
    assert (len(found), found.skipped) == (1, ("happy/b.jpg: not a readable picture",))


def test_a_class_folder_that_is_not_a_label_is_skipped_and_named(tmp_path: Path) -> None:
    picture(tmp_path / "happy" / "a.png")
    picture(tmp_path / "bored" / "b.png")
    assert load(tmp_path).skipped == ("bored/b.png: unknown class 'bored'",)


def test_files_that_are_not_pictures_are_no_data(tmp_path: Path) -> None:
    picture(tmp_path / "happy" / "a.png")
    (tmp_path / "happy" / "notes.txt").write_text("x", encoding="utf-8")
    assert (len(load(tmp_path)), load(tmp_path).skipped) == (1, ())


def test_the_original_table_is_read_by_usage(tmp_path: Path) -> None:
    where = table(tmp_path / "fer2013.csv", row("3"), row("4", "PublicTest"), row("0", "PrivateTest"))
    found = [load(where, split).targets.tolist() for split in ("train", "test", "private")]
    assert found == [[3], [4], [0]]


def test_a_folder_with_the_original_table_in_it_is_read_as_that(tmp_path: Path) -> None:
    table(tmp_path / "fer2013.csv", row("3"))
    assert load(tmp_path, "train").names == ("line 2",)


def test_a_short_row_of_the_table_is_skipped_and_named(tmp_path: Path) -> None:
    where = table(tmp_path / "f.csv", row("3"), row("3", count=63))
    assert load(where).skipped == ("line 3: its pixels are not a square (a short row)",)


def test_a_label_beyond_the_table_is_skipped_and_named(tmp_path: Path) -> None:
    where = table(tmp_path / "f.csv", row("7"), row("3"))
    assert load(where).skipped == ("line 2: the label '7' is not one of 0 to 6",)


def test_a_pixel_above_255_is_no_picture(tmp_path: Path) -> None:
    where = table(tmp_path / "f.csv", row("3"), "3," + " ".join(["256"] * 64) + ",Training")
    assert load(where).skipped == ("line 3: a pixel is above 255",)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere does not exist"):
        load(tmp_path / "nowhere")


def test_a_missing_split_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "happy" / "a.png")
    with pytest.raises(InputError, match=r"no split 'test' \(looked for test, publictest.*; it has train"):
        load(tmp_path, "test")


def test_a_folder_without_classes_says_what_was_expected(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    with pytest.raises(InputError, match="no class folders: expected some of angry, disgust"):
        load(tmp_path)


def test_a_folder_where_nothing_is_usable_tells_the_first_reason(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    (tmp_path / "happy" / "a.png").write_bytes(b"x")
    with pytest.raises(InputError, match=r"the first of 1 problems: happy/a.png: not a readable picture"):
        load(tmp_path)


def test_a_data_set_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="no data set kind 'imagenet'"):
        load("imagenet:/somewhere")


@pytest.fixture
def uneven() -> data.Dataset:
    """Two labels, 30 and 3 pictures."""
    targets = np.array([0] * 30 + [1] * 3, dtype=np.int64)
    images = np.arange(33, dtype=np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)
    return data.Dataset(images, targets, ("a", "b"), tuple(str(i) for i in range(33)), "here")


def test_a_stratified_sample_takes_equal_shares_as_far_as_they_reach(uneven: data.Dataset) -> None:
    assert [uneven.stratified(count, seed=0).counts() for count in (4, 10)] == [{"a": 2, "b": 2}, {"a": 7, "b": 3}]


def test_the_same_seed_draws_the_same_sample(uneven: data.Dataset) -> None:
    names = [uneven.stratified(8, seed).names for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]


def test_a_limit_keeps_names_and_pictures_together(tmp_path: Path) -> None:
    for i in range(5):
        picture(tmp_path / "happy" / f"{i}.png", 10 * i)
    found = load(tmp_path, limit=3)
    assert [f"happy/{int(image[0, 0]) // 10}.png" for image in found.images] == list(found.names)


def test_one_other_target_gives_another_digest(uneven: data.Dataset) -> None:
    targets = uneven.targets.copy()
    targets[0] = 1
    other = data.Dataset(uneven.images, targets, uneven.labels, uneven.names, uneven.source)
    assert uneven.digest() != other.digest()


def test_data_of_other_classes_says_which(tmp_path: Path) -> None:
    picture(tmp_path / "happy" / "a.png")
    picture(tmp_path / "bored" / "b.png")
    found = load(tmp_path)
    assert found.strangers == ("bored",)
    assert found.misfit.startswith("it has bored, which is not among them; it has no pictures of angry, disgust")


def test_a_sample_remembers_what_was_skipped(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        picture(tmp_path / "happy" / name)
    (tmp_path / "happy" / "c.png").write_bytes(b"no picture")
    assert load(tmp_path, limit=1).skipped == ("happy/c.png: not a readable picture",)


def test_a_row_beyond_the_limit_is_named_with_its_line(tmp_path: Path) -> None:
    where = table(tmp_path / "fer2013.csv", row("3"), row("3", count=data.MAX_ROW_CHARS))
    with pytest.raises(InputError, match=r"fer2013\.csv, line 3"):
        load(where)


def test_splits_are_known_by_folders_or_by_the_table(tmp_path: Path) -> None:
    picture(tmp_path / "faces" / "train" / "happy" / "a.png")
    assert data.has_split(str(tmp_path / "faces"), "train")
    assert not data.has_split(str(tmp_path / "faces"), "test")
    assert data.has_split(table(tmp_path / "fer2013.csv", row("3")), "test")


def test_pictures_of_a_wrong_size_are_used_and_remarked(tmp_path: Path) -> None:
    picture(tmp_path / "happy" / "a.png")
    for name, sides in (("b.png", (20, 30)), ("c.png", (7, 7)), ("d.png", (80, 88))):
        cv2.imwrite(str(tmp_path / "happy" / name), np.zeros(sides, dtype=np.uint8))
    found = load(tmp_path)
    assert (len(found), found.skipped) == (4, ())
    assert found.remarks == (
        "not square, of which the central square is taken: 1, the first happy/b.png",
        "smaller than the input of 8 px, to which they are enlarged: 1, the first happy/c.png",
    )
    assert found.subset([0, 3]).remarks == ()


def test_pictures_made_here_have_nothing_to_remark_but_have_prints(uneven: data.Dataset) -> None:
    assert uneven.remarks == ()
    assert len(set(uneven.prints().tolist())) == 33


def test_faults_are_told_by_entry_and_by_picture(tmp_path: Path) -> None:
    picture(tmp_path / "happy" / "a.png")
    (tmp_path / "happy" / "b.png").write_bytes(b"")
    picture(tmp_path / "bored" / "c.png")
    reasons = {problem.name: problem.reason for problem in load(tmp_path).problems}
    assert reasons == {"happy/b.png": "the file is empty", "bored/c.png": "unknown class 'bored'"}


def test_real_faces_have_the_digest_that_runs_were_recorded_with() -> None:
    gray = PreprocessSpec(color="gray", size=48, mean=(0.5,), std=(0.25,))
    found = data.load(str(shared.fer2013()), FER2013, gray, "test")
    assert found.digest() == "1dec52bf23f173f5bba937577f2064822df5cbacef22dc013640f54d25cc66cf"
