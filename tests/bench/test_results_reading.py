"""Result files read back: whole ones give what was written, damaged ones one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.made_results import BOARD, LABELS, QUIET, accuracy_document, document, latency_row, pipeline_row, put, rounds
from fer_bench.results import reading
from fer_bench.results.reading import read, read_all
from fer_edge.errors import ExitCode, InputError


@pytest.fixture
def whole() -> dict[str, Any]:
    return document([latency_row(rounds(1.0, 3, 1))])


def test_rows_come_back_as_they_were_written(tmp_path: Path, whole: dict[str, Any]) -> None:
    found = read(Path(put(tmp_path / "a.json", whole)))
    (row,) = found.rows
    assert row.samples_ns == rounds(1.0, 3, 1)
    assert json.dumps(asdict(row)) == json.dumps(whole["rows"][0])


def test_provenance_comes_back(tmp_path: Path, whole: dict[str, Any]) -> None:
    found = read(Path(put(tmp_path / "a.json", whole)))
    assert (found.environment.board, found.environment.governors) == (BOARD.board, BOARD.governors)
    assert found.environment.before == found.environment.after == QUIET
    assert found.bundle.labels == tuple(LABELS)
    assert found.sources[0].sha256 != found.bundle.sha256


def test_other_kinds_have_their_own_rows_and_keys(tmp_path: Path) -> None:
    accuracy = read(Path(put(tmp_path / "a.json", accuracy_document([0, 1], [0, 0]))))
    assert accuracy.rows[0].predictions == (0, 0)
    assert accuracy.extra["data"]["targets"] == [0, 1]
    pipeline = read(Path(put(tmp_path / "p.json", document([pipeline_row([1.0, 2.0])], "pipeline"))))
    assert pipeline.rows[0].cpu_ms_per_frame_rounds == (1.0, 2.0)


def test_a_result_of_before_the_newest_provenance_can_be_read(tmp_path: Path, whole: dict[str, Any]) -> None:
    for name in ("os", "libc", "switches", "cpus_usable", "boost"):
        del whole["environment"][name]
    del whole["environment"]["before"]["stolen_ticks"]
    del whole["bundle"]["labels"]
    found = read(Path(put(tmp_path / "a.json", whole)))
    assert (found.environment.libc, found.bundle.labels) == (None, None)


def test_a_key_that_is_new_does_not_matter(tmp_path: Path, whole: dict[str, Any]) -> None:
    whole["weather"] = whole["rows"][0]["weather"] = whole["environment"]["weather"] = "mild"
    assert read(Path(put(tmp_path / "a.json", whole))).extra == {"weather": "mild"}


def change(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda found: found.update(changes)


def of_row(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda found: found["rows"][0].update(changes)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (change(schema_version=2), "has schema version 2, and this fer-bench reads 1"),
        (change(kind="weather"), "of kind 'weather', which is not known here; there are latency"),
        (change(kind="compare"), "of kind 'compare', which cannot be read back"),
        (change(rows={}), "rows"),
        (change(time="yesterday"), "time"),
        (change(time="2026-01-01T00:00:00"), "time"),
        (lambda found: found.pop("kind"), "is not a result of fer-bench"),
        (lambda found: found.pop("bundle"), "bundle is missing"),
        (lambda found: found["environment"].pop("cpu"), "cpu is missing"),
        (of_row(threads="1"), "threads"),
        (of_row(samples_ns=[[1, 2.5]]), "samples_ns"),
        (of_row(samples_ns=[[1, 0]]), "a time of 0 or less"),
        (of_row(samples_ns=[[], [1]]), "a round without samples"),
        (of_row(n=7), "tells of 7 inferences and holds 150 samples"),
    ],
)
def test_a_damaged_file_is_refused_in_one_sentence(
    tmp_path: Path, whole: dict[str, Any], damage: Callable[[dict[str, Any]], Any], sentence: str
) -> None:
    damage(whole)
    path = put(tmp_path / "a.json", whole)
    with pytest.raises(InputError) as caught:
        read(Path(path))
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(path)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[]", "is not a result"),
        ("7", "is not a result"),
        ('{"kind": "latency", "kind": "latency"}', "occurs twice"),
        ('{"schema_version": NaN}', "NaN is not allowed"),
        ("[" * 100_000, "is not JSON"),
        ("\ud800", "is not JSON"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=sentence):
        read(path)


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path, whole: dict[str, Any]) -> None:
    text = json.dumps(whole)
    for part in range(0, len(text) - 1, len(text) // 40):
        (tmp_path / "a.json").write_text(text[:part])
        with pytest.raises(InputError):
            read(tmp_path / "a.json")


@settings(deadline=None)  # a busy machine
@given(noise=st.binary(max_size=300))
def test_random_bytes_are_refused_and_never_crash(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.json"
    path.write_bytes(noise)
    with pytest.raises(InputError):
        read(path)


def test_a_file_above_the_limit_is_not_read(
    tmp_path: Path, whole: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(put(tmp_path / "a.json", whole))
    monkeypatch.setattr(reading, "MAX_RESULT_BYTES", path.stat().st_size)
    assert read(path)
    monkeypatch.setattr(reading, "MAX_RESULT_BYTES", path.stat().st_size - 1)
    with pytest.raises(InputError, match=r"more than \d+ bytes"):
        read(path)


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read(tmp_path / "none.json")


def test_a_folder_gives_its_results_oldest_first(tmp_path: Path) -> None:
    for name, minute in (("a", 5.0), ("b", 1.0), ("c", 3.0)):
        put(tmp_path / f"{name}.json", document([latency_row(rounds(1.0, 1, 1))], minute=minute))
    (tmp_path / "notes.txt").write_text("not a result")
    assert [Path(found.sources[0].path).stem for found in read_all(tmp_path)] == ["b", "c", "a"]


def test_a_folder_without_results_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no results"):
        read_all(tmp_path)
