"""Damaged files are taken or refused in a sentence: a few hundred here, and in `make fuzz` as many as time allows."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz import run, targets

QUICK = {"manifest": 300, "zip": 60, "recipe": 300, "about": 100}
"""What is read in Python alone; where native code could crash, each file would need a process, as in `make fuzz`."""


@pytest.mark.parametrize("name", QUICK)
def test_damage_ends_in_a_sentence(name: str) -> None:
    refused = sum(bool(run.feed(name, run.one(name, seed))) for seed in range(QUICK[name]))
    assert refused > 0.5 * QUICK[name]


@pytest.mark.parametrize("name", targets.TARGETS)
def test_the_corpus_is_whole(name: str) -> None:
    for data in run.corpus(name):
        assert run.feed(name, data) == ""


@pytest.mark.parametrize("path", sorted(run.MENDED.iterdir()), ids=lambda path: path.name)
def test_what_was_found_once_stays_mended(path: Path) -> None:
    assert run.feed(path.name.rpartition("-")[0], path.read_bytes())


def test_a_seed_gives_the_same_damage_twice() -> None:
    assert run.one("manifest", 7) == run.one("manifest", 7) != run.one("manifest", 8)


def test_what_is_no_sentence_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_: bytes, __: Path) -> None:
        raise KeyError("artifacts")

    monkeypatch.setitem(targets.TARGETS, "manifest", crash)
    with pytest.raises(KeyError):
        run.feed("manifest", b"{}")
