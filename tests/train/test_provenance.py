"""What a run stood on: written when it starts, read for as long as there are runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fer_edge.errors import ConfigError, OutputError
from fer_train import provenance
from fer_train.data import Dataset
from fer_train.provenance import Pictures, Provenance
from support.clocks import StillClock

PICTURES: dict[str, Any] = {"name": "faces", "n": 10, "skipped": 0, "sha256": "a" * 64}
CHOSEN: dict[str, Any] = {**PICTURES, "n": 5, "sha256": "b" * 64}
OLD: dict[str, Any] = {
    "schema_version": 1,
    "starts": [
        {
            "began": "2026-01-02T03:04:05+00:00",
            "train": PICTURES,
            "test": CHOSEN,
            "cpu": "Some CPU",
            "cpu_count": 4,
            "accelerators": [],
            "versions": {"keras": "3.0"},
        }
    ],
}


def read(folder: Path, document: object) -> Provenance:
    (folder / provenance.FILE).write_text(json.dumps(document), encoding="utf-8")
    return provenance.read(folder)


def test_what_an_old_record_calls_test_is_what_the_epoch_was_chosen_on(tmp_path: Path) -> None:
    start = read(tmp_path, OLD).starts[0]
    assert (start.validation.n, start.test) == (5, None)


def test_an_old_record_with_an_unknown_key_is_still_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"starts\.0\.colour is not a known key"):
        read(tmp_path, {**OLD, "starts": [{**OLD["starts"][0], "colour": "red"}]})


@pytest.mark.parametrize("starts", [[7], 7])
def test_an_old_record_of_something_else_is_refused(tmp_path: Path, starts: object) -> None:
    with pytest.raises(ConfigError, match="starts"):
        read(tmp_path, {**OLD, "starts": starts})


def test_a_record_of_an_unknown_schema_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="schema_version"):
        read(tmp_path, {"schema_version": 3})


@pytest.mark.usefixtures("keras_ready")
def test_a_start_tells_the_pictures_of_each_class_of_each_part(
    drawings: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    train, test = drawings
    provenance.note(tmp_path / "run", train, test, StillClock(), test)
    start = provenance.read(tmp_path / "run").starts[0]
    assert start.train.counts == dict.fromkeys(train.labels, 12)
    assert start.validation == start.test
    assert start.validation.counts == dict.fromkeys(test.labels, 4)


@pytest.mark.usefixtures("keras_ready")
def test_a_folder_that_cannot_be_made_is_named(drawings: tuple[Dataset, Dataset], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match=r"provenance\.json cannot be written"):
        provenance.note(tmp_path / "file" / "run", *drawings, StillClock())


def test_pictures_are_the_same_however_the_model_sees_them() -> None:
    gray = Pictures(**PICTURES, list_sha256="1" * 64)
    assert gray.same_as(gray.model_copy(update={"sha256": "c" * 64}))


@pytest.mark.parametrize("change", [{"list_sha256": "2" * 64}, {"list_sha256": ""}, {"name": "others"}])
def test_pictures_of_other_names_or_labels_are_others(change: dict[str, str]) -> None:
    known = Pictures(**PICTURES, list_sha256="1" * 64)
    assert not known.same_as(known.model_copy(update={"sha256": "c" * 64, **change}))


def test_two_old_records_without_lists_are_compared_by_their_pixels() -> None:
    first, second = Pictures(**PICTURES), Pictures(**CHOSEN)
    assert first.same_as(first)
    assert not first.same_as(second)


def test_the_list_depends_on_labels(drawings: tuple[Dataset, Dataset]) -> None:
    test = drawings[1]
    turned = replace(test, targets=(test.targets + 1) % len(test.labels))
    assert provenance.pictures(test).list_sha256 != provenance.pictures(turned).list_sha256
