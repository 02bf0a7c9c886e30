"""Labels map by name, never by index."""

from __future__ import annotations

import pytest

from fer_edge.errors import UsageError
from fer_edge.labels import AFFECTNET8, FER2013, OPTIONAL, RAFDB, SETS, canonical, index_map, set_of


@pytest.mark.parametrize("labels", [FER2013, AFFECTNET8, RAFDB])
def test_every_data_set_uses_the_names_of_this_project_once(labels: tuple[str, ...]) -> None:
    assert tuple(canonical(name) for name in labels) == labels
    assert len(set(labels)) == len(labels)


def test_the_order_of_fer2013_is_that_of_its_csv() -> None:
    assert FER2013 == ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("Anger", "angry"), (" HAPPINESS ", "happy"), ("surprised", "surprise"), ("afraid", "fear"), ("sadness", "sad")],
)
def test_other_words_for_a_label_are_understood(written: str, meant: str) -> None:
    assert canonical(written) == meant


def test_an_unknown_word_stays_as_it_is_in_lower_case() -> None:
    assert canonical("Smug") == "smug"


def test_fer2013_maps_into_affectnet_by_name() -> None:
    mapped = [AFFECTNET8[i] for i in index_map(FER2013, AFFECTNET8)]
    assert mapped == list(FER2013)


def test_aliases_map_as_well() -> None:
    assert index_map(("anger", "happiness"), FER2013) == [0, 3]


def test_a_label_that_the_target_lacks_is_named() -> None:
    with pytest.raises(UsageError, match="labels contempt do not exist among angry"):
        index_map(AFFECTNET8, FER2013)


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (FER2013, "fer2013"),
        (RAFDB[::-1], "fer2013"),
        (AFFECTNET8, "affectnet8"),
        (("Anger", "happiness"), None),
        ((), None),
    ],
)
def test_a_set_is_known_by_its_names_in_any_order(names: tuple[str, ...], known: str | None) -> None:
    assert set_of(names) == known


def test_contempt_is_all_that_sets_differ_by() -> None:
    assert frozenset(AFFECTNET8) - frozenset(FER2013) == OPTIONAL
    assert {frozenset(labels) - OPTIONAL for labels in SETS.values()} == {frozenset(FER2013)}
