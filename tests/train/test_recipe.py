"""Recipes: a closed set of keys, mistakes that name the right one, overrides in TOML's own syntax."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.errors import ConfigError, InputError, UsageError
from fer_train import recipe as recipes

SMALL = """
name = "small"
title = "Small"
labels = ["happy", "sad"]
model = {architecture = "fernet"}
preprocess = {color = "gray", size = 48, mean = [0.5], std = [0.25]}
fit = {epochs = 2, batch = 8, learning_rate = 0.1}
"""


def parse(text: str = SMALL, *overrides: str) -> recipes.Recipe:
    return recipes.parse(text, "small.toml", list(overrides))


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_that_ships_is_right_and_carries_its_own_name(name: str) -> None:
    assert recipes.load(name).name == name


def test_an_unknown_recipe_is_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"no recipe 'fernet-z'; did you mean fernet-s\?"):
        recipes.load("fernet-z")


def test_an_unknown_recipe_like_no_other_is_answered_with_the_list() -> None:
    with pytest.raises(UsageError, match=r"there are .*fernet-s"):
        recipes.load("zzz")


def test_an_unknown_key_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"fit\.epoch is not a known key; did you mean epochs\?"):
        parse(SMALL.replace("epochs = 2", "epochs = 2, epoch = 3"))


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"fit\.epochs: .*fit\.batch: "):
        parse(SMALL.replace("epochs = 2, batch = 8", "epochs = 0, batch = 0"))


def test_a_missing_key_is_named() -> None:
    with pytest.raises(ConfigError, match=r"fit\.learning_rate is missing"):
        parse(SMALL.replace(", learning_rate = 0.1", ""))


def test_text_that_is_not_toml_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"recipe small\.toml is not TOML"):
        parse("name = = 3")


def test_a_recipe_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.toml cannot be read"):
        recipes.load(str(tmp_path / "gone.toml"))


def test_a_recipe_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    assert recipes.load(str(path)) == parse()


def test_overrides_reach_into_tables() -> None:
    assert parse(SMALL, "fit.epochs=7", "augmentation.flip=0.5").fit.epochs == 7


def test_an_override_that_is_not_toml_is_taken_as_text() -> None:
    assert parse(SMALL, "fit.optimizer=adam").fit.optimizer == "adam"


def test_an_override_without_a_value_is_refused() -> None:
    with pytest.raises(UsageError, match=r"--set takes key=value, found 'fit\.epochs'"):
        parse(SMALL, "fit.epochs")


def test_an_override_below_a_value_is_refused() -> None:
    with pytest.raises(UsageError, match="name holds a value, not a table"):
        parse(SMALL, "name.first=3")


def test_an_override_of_an_unknown_key_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"augmentation\.flop is not a known key; did you mean flip\?"):
        parse(SMALL, "augmentation.flop=0.5")


def test_an_override_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"fit\.epochs: "):
        parse(SMALL, "fit.epochs=many")


@pytest.mark.parametrize("change", ["augmentation.flip=0.5", 'distill.teachers=["runs/large"]'])
def test_what_a_support_vector_machine_would_ignore_is_refused(change: str) -> None:
    with pytest.raises(ConfigError, match="would change nothing"):
        recipes.load("uaslp-resnet50-svm", [change])
