"""How a run's pictures are divided: shares per class, the same for the same seed, no picture on two sides."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from fer_edge.errors import InputError, UsageError
from fer_edge.labels import FER2013
from fer_train import parts, recipe
from fer_train.data import Dataset
from fer_train.parts import Parts
from fer_train.recipe import Recipe
from support.layouts import class_folders, picture

RANDOM = ("data.split=random", "data.test=0.2", "data.validation=0.2")


def wanted(*changes: str) -> Recipe:
    """A recipe of FER2013's labels at 8 px."""
    return recipe.load("fernet-s", ["preprocess.size=8", *changes])


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """Twenty pictures of each class, without parts."""
    return class_folders(tmp_path / "whole", dict.fromkeys(FER2013, 20))


@pytest.fixture
def divided(tmp_path: Path) -> Path:
    """The same with parts: 20 and 5 of each class."""
    class_folders(tmp_path / "divided" / "train", dict.fromkeys(FER2013, 20))
    class_folders(tmp_path / "divided" / "test", dict.fromkeys(FER2013, 5))
    return tmp_path / "divided"


def counts(found: Parts) -> list[set[int]]:
    """How many of each class there are, in train, validation and test."""
    return [set(part.counts().values()) for part in (found.train, found.validation, found.test)]


def test_official_parts_are_the_data_s_own_and_test_chooses_the_epoch(divided: Path) -> None:
    found = parts.read(str(divided), wanted())
    assert counts(found) == [{20}, {5}, {5}]
    assert found.validation is found.test


def test_a_share_of_the_training_pictures_is_set_aside(divided: Path) -> None:
    found = parts.read(str(divided), wanted("data.validation=0.25"))
    assert counts(found) == [{15}, {5}, {5}]
    assert all(name.startswith("train/") for name in found.validation.names)
    assert not set(found.validation.names) & set(found.train.names)


def test_the_data_s_own_validation_part_is_used_when_no_share_is_asked_for(divided: Path) -> None:
    class_folders(divided / "val", dict.fromkeys(FER2013, 3))
    assert counts(parts.read(str(divided), wanted())) == [{20}, {3}, {5}]
    assert counts(parts.read(str(divided), wanted("data.validation=0.25"))) == [{15}, {5}, {5}]


def test_random_parts_take_their_shares_of_every_class_and_leave_none_out(whole: Path) -> None:
    found = parts.read(str(whole), wanted(*RANDOM))
    assert counts(found) == [{12}, {4}, {4}]
    names = [*found.train.names, *found.validation.names, *found.test.names]
    assert len(set(names)) == len(names) == 140


def test_random_parts_pool_what_the_data_has_divided(divided: Path) -> None:
    found = parts.read(str(divided), wanted(*RANDOM))
    assert counts(found) == [{15}, {5}, {5}]
    assert {name.partition("/")[0] for name in found.test.names} == {"train", "test"}


def test_the_seed_alone_decides(whole: Path) -> None:
    names = [parts.read(str(whole), wanted(*RANDOM, f"data.seed={seed}")).test.names for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]


def test_so_many_of_each_class_are_drawn_before_the_split(whole: Path) -> None:
    assert counts(parts.read(str(whole), wanted(*RANDOM, "data.per_class=10"))) == [{6}, {2}, {2}]


def test_a_limit_holds_for_every_part(divided: Path) -> None:
    found = parts.read(str(divided), wanted("data.validation=0.25"), limit=14)
    assert counts(found) == [{2}, {2}, {2}]


def test_a_limit_that_leaves_classes_out_is_a_usage_error(divided: Path) -> None:
    assert len(parts.read(str(divided), wanted(), limit=7).train) == 7
    with pytest.raises(UsageError, match="a limit of 6 leaves classes out: fernet-s has 7 labels"):
        parts.read(str(divided), wanted(), limit=6)


def test_data_without_parts_says_how_to_divide_it(whole: Path) -> None:
    with pytest.raises(InputError) as refused:
        parts.read(str(whole), wanted())
    assert "has no train part of its own" in str(refused.value)
    changes = [word for word in str(refused.value).split() if word.startswith("data.")]
    assert counts(parts.read(str(whole), wanted(*changes))) == [{16}, {2}, {2}]


def test_a_label_without_training_pictures_is_named_with_the_way_out(divided: Path) -> None:
    with pytest.raises(InputError, match=r"no training pictures of contempt, .* with --set labels=fer2013$"):
        parts.read(str(divided), wanted("labels=affectnet8"))
    assert len(parts.read(str(divided), wanted("labels=fer2013")).train) == 140


def test_the_way_out_of_a_set_without_a_name_is_its_list(divided: Path) -> None:
    shutil.rmtree(divided / "train" / "disgust")
    with pytest.raises(InputError) as refused:
        parts.read(str(divided), wanted())
    said = str(refused.value).partition("--set ")[2].replace("'", "")
    found = parts.read(str(divided), wanted(said))
    assert counts(found) == [{20}, {5}, {5}]
    assert found.test.left_out == {"disgust": 5}


def test_an_empty_class_folder_counts_as_absent(divided: Path) -> None:
    for path in (divided / "train" / "fear").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="no training pictures of fear"):
        parts.read(str(divided), wanted())


def test_pictures_of_one_class_teach_nothing(tmp_path: Path) -> None:
    class_folders(tmp_path / "train", {"happy": 4})
    class_folders(tmp_path / "test", {"happy": 4})
    with pytest.raises(InputError, match=r"all training pictures of .* are happy: there is nothing to tell apart"):
        parts.read(str(tmp_path), wanted())


def test_no_pictures_at_all_are_an_error(tmp_path: Path) -> None:
    for split in ("train", "test"):
        (tmp_path / split / "happy").mkdir(parents=True)
    with pytest.raises(InputError, match="no usable pictures under"):
        parts.read(str(tmp_path), wanted())


def test_parts_can_be_dealt_to_look_at_without_every_label(divided: Path) -> None:
    assert len(parts.dealt(str(divided), wanted("labels=affectnet8")).test) == 35


def test_too_few_pictures_for_a_share_are_an_error(tmp_path: Path) -> None:
    class_folders(tmp_path, dict.fromkeys(FER2013, 2))
    with pytest.raises(
        InputError, match=r"14 pictures of .* are too few to set a share of 0\.2 aside, copies together"
    ):
        parts.read(str(tmp_path), wanted(*RANDOM))


def test_a_picture_in_two_parts_is_a_warning_with_names(divided: Path) -> None:
    shutil.copy(divided / "train" / "fear" / "7.png", divided / "test" / "sad" / "copy.png")
    said: list[str] = []
    parts.read(str(divided), wanted(), say=said.append)
    assert said[-1] == (
        "warning: test pictures that are train pictures too: 1 of 36, such as test/sad/copy.png and train/fear/7.png"
    )


def test_parts_without_a_picture_in_common_are_no_warning(divided: Path) -> None:
    said: list[str] = []
    parts.read(str(divided), wanted("data.validation=0.25"), say=said.append)
    assert [line for line in said if line.startswith("warning")] == []


def test_copies_never_come_into_two_random_parts(whole: Path) -> None:
    for i in range(10):
        shutil.copy(whole / "happy" / f"{i}.png", whole / "happy" / f"copy-{i}.png")
        shutil.copy(whole / "happy" / f"{i}.png", whole / "sad" / f"copy-{i}.png")
    for seed in range(5):
        found = parts.read(str(whole), wanted(*RANDOM, f"data.seed={seed}"))
        assert list(parts.warnings(found)) == []
        assert len(found.train) + len(found.validation) + len(found.test) == 160


def test_copies_of_a_training_picture_are_not_set_aside_without_it(divided: Path) -> None:
    for i in range(10):
        shutil.copy(divided / "train" / "happy" / f"{i}.png", divided / "train" / "happy" / f"copy-{i}.png")
    found = parts.read(str(divided), wanted("data.validation=0.5"))
    assert list(parts.warnings(found)) == []
    assert (found.train.counts()["happy"], found.validation.counts()["happy"]) == (15, 15)


def made(groups: list[tuple[int, int]]) -> Dataset:
    """Flat pictures; groups: (label, level) of each."""
    levels = np.array([level for _, level in groups], dtype=np.uint8)
    targets = np.array([target for target, _ in groups], dtype=np.int64)
    names = tuple(str(i) for i in range(len(groups)))
    return Dataset(np.broadcast_to(levels[:, None, None], (len(groups), 8, 8)), targets, ("a", "b"), names, "here")


@settings(max_examples=50, deadline=None)
@given(
    groups=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 30)), min_size=40, max_size=80),
    share=st.sampled_from([0.1, 0.25, 0.5]),
    seed=st.integers(0, 3),
)
def test_a_division_loses_nothing_and_separates_no_copies(
    groups: list[tuple[int, int]], share: float, seed: int
) -> None:
    try:
        chosen, rest = parts.divide(made(groups), share, seed)
    except InputError:  # as when all pictures are the same one
        reject()
    assert sorted(int(name) for name in (*chosen.names, *rest.names)) == list(range(len(groups)))
    assert not set(chosen.prints().tolist()) & set(rest.prints().tolist())


@settings(max_examples=50, deadline=None)
@given(sizes=st.tuples(st.integers(10, 40), st.integers(10, 40)), share=st.sampled_from([0.1, 0.25, 0.5]))
def test_without_copies_the_shares_are_exact(sizes: tuple[int, int], share: float) -> None:
    groups = [(target, i + 100 * target) for target in (0, 1) for i in range(sizes[target])]
    chosen, _ = parts.divide(made(groups), share, seed=1)
    assert list(chosen.counts().values()) == [round(share * size) for size in sizes]


def test_a_broken_picture_of_a_part_is_not_divided(whole: Path) -> None:
    (whole / "happy" / "0.png").write_bytes(b"x")
    picture(whole / "happy" / "20.png")
    found = parts.read(str(whole), wanted(*RANDOM))
    assert counts(found) == [{12}, {4}, {4}]
    assert found.test.skipped == ("happy/0.png: not a readable picture",)
