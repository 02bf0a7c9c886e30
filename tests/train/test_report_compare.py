"""Runs side by side: their order, and what is said of their differences."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fer_edge.errors import ConfigError, ExitCode, UsageError
from fer_train import cli
from fer_train.metrics import mcnemar, paired_drop
from fer_train.provenance import Pictures
from fer_train.reporting import compare, document, predictions
from fer_train.reporting.compare import Entry
from fer_train.reporting.compare_page import page
from fer_train.reporting.document import Seen
from fer_train.reporting.predictions import Predictions
from support.reports import document_of, row_of, shares

LABELS = ("angry", "happy")
N = 200
TARGETS = np.arange(N) % 2
FACES = Pictures(name="faces", n=N, skipped=0, sha256="a" * 64, list_sha256="1" * 64)
OTHERS = Pictures(name="others", n=N, skipped=0, sha256="b" * 64, list_sha256="2" * 64)


def wrong_at(rows: range) -> NDArray[np.int64]:
    """Predictions that miss the labels of these rows."""
    return np.where(np.isin(np.arange(N), list(rows)), 1 - TARGETS, TARGETS)


def entry(
    name: str,
    wrong: range,
    data: Pictures = FACES,
    *,
    seen: Seen | None = "unseen",
    reported: float | None = None,
) -> Entry:
    said = wrong_at(wrong)
    found = Predictions(
        {f"{i}.png": LABELS[label] for i, label in enumerate(TARGETS)},
        {f"{i}.png": LABELS[label] for i, label in enumerate(said)},
    )
    return Entry(name, document_of(row_of(shares(said, 2), TARGETS, LABELS), data, seen=seen, reported=reported), found)


def stored(folder: Path, found: Entry) -> Path:
    """The entry as a run folder."""
    folder.mkdir()
    (folder / document.FILE).write_text(found.document.model_dump_json(), encoding="utf-8")
    if found.predictions is not None:
        rows = [
            f"{name},{label},{found.predictions.predicted[name]},0.9" for name, label in found.predictions.true.items()
        ]
        (folder / predictions.FILE).write_text(
            "\n".join([",".join(predictions.COLUMNS), *rows]) + "\n", encoding="utf-8"
        )
    return folder


def told(*entries: Entry) -> str:
    return compare.text(compare.compare(entries))


def test_the_best_run_comes_first() -> None:
    lines = told(entry("b", range(60)), entry("a", range(20)), entry("c", range(90))).splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["a", "b", "c"]


def test_the_table_tells_accuracy_cost_time_and_what_is_reported() -> None:
    heading, line, *_ = told(entry("a", range(20), reported=0.95)).splitlines()
    assert heading.split()[:4] == ["run", "recipe", "n", "accuracy"]
    for cell in ("fernet-s", "200", "90.00%", "85.1% to 93.4%", "3 minutes", "1.23 k", "5.6 M", "95.0%", "-5.0 points"):
        assert cell in line


def test_a_clear_difference_is_called_significant_with_its_interval() -> None:
    first, second = (wrong_at(range(n)) == TARGETS for n in (20, 60))
    _, (low, high) = paired_drop(first, second)
    wanted = (
        f"a is 20.0 points better than b on the same 200 pictures (95% interval {low:+.1f} to {high:+.1f}, McNemar p"
    )
    text = told(entry("a", range(20)), entry("b", range(60)))
    assert wanted in text
    assert "p < 0.001): significant." in text


def test_a_difference_that_may_be_chance_is_called_not_significant() -> None:
    first, second = (wrong_at(rows) == TARGETS for rows in (range(20), range(10, 34)))
    text = told(entry("a", range(20)), entry("b", range(10, 34)))
    assert "a and b differ by 2.0 points" in text
    assert f"p = {mcnemar(first, second):.3f}): not significant." in text


def test_several_pairs_are_said_to_be_several() -> None:
    text = told(entry("a", range(20)), entry("b", range(60)), entry("c", range(90)))
    assert "Each p is of its pair alone; 2 were looked at." in text


def test_runs_on_other_pictures_are_not_compared() -> None:
    found = compare.compare([entry("a", range(20)), entry("b", range(60), OTHERS)])
    assert found.pairs == ()
    assert found.notes[0].startswith(
        "Not comparable, for the pictures differ: a on 200 of faces, split test, SHA-256 aaaa"
    )


def test_runs_whose_models_see_the_same_pictures_in_other_sizes_are_compared() -> None:
    larger = FACES.model_copy(update={"sha256": "c" * 64})
    assert len(compare.compare([entry("a", range(20)), entry("b", range(60), larger)]).pairs) == 1


def test_without_stored_predictions_there_is_no_paired_test() -> None:
    silent = entry("b", range(60))
    text = told(entry("a", range(20)), Entry("b", silent.document, None))
    assert "No paired test of a and b: no predictions.csv of b." in text


def test_predictions_of_other_labels_are_not_paired() -> None:
    other = entry("b", range(60))
    assert other.predictions is not None
    changed = Predictions({**other.predictions.true, "0.png": "happy"}, other.predictions.predicted)
    text = told(entry("a", range(20)), Entry("b", other.document, changed))
    assert "their predictions.csv name other pictures" in text


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ("chosen_on", "Judged by pictures that chose the epoch, so leaning a little to the good side: a."),
        ("partly_chosen_on", "Judged by pictures that chose the epoch, so leaning a little to the good side: a."),
        ("trained_on", "Judged by the very pictures it was trained on: a."),
    ],
)
def test_pictures_that_had_a_say_in_the_training_are_told(seen: Seen, words: str) -> None:
    assert told(entry("a", range(20), seen=seen)).endswith(words)


def test_a_single_run_with_nothing_to_say_is_a_table_alone() -> None:
    assert len(told(entry("a", range(20))).splitlines()) == 2


def test_run_folders_are_compared_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(stored(tmp_path / name, entry(name, range(n)))) for name, n in (("b", 60), ("a", 20))]
    assert cli.main(["compare", *runs, "--json", "-", "--html", str(tmp_path / "page.html")]) == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert [(row["run"], row["top1"], row["precision"]) for row in found["rows"]] == [
        ("a", 0.9, "float32"),
        ("b", 0.7, "float32"),
    ]
    assert found["pairs"][0]["difference_pp"] == pytest.approx(20.0)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "a is 20.0 points better than b" in text
    assert text.count("<svg role") == 2


def test_a_comparison_needs_no_keras(tmp_path: Path) -> None:
    run = stored(tmp_path / "a", entry("a", range(20)))
    code = (
        "import sys; from fer_train.cli import main\n"
        f"main(['compare', {str(run)!r}])\n"
        "print([name for name in ('keras', 'tensorflow', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_page_of_one_run_is_a_page_too() -> None:
    text = page(compare.compare([entry("a", range(20), reported=0.95)]))
    assert "<h1>Run a</h1>" in text
    assert "http" not in text


def test_predictions_that_do_not_fit_the_figures_are_refused(tmp_path: Path) -> None:
    run = stored(tmp_path / "a", entry("a", range(20)))
    found = (run / predictions.FILE).read_text(encoding="utf-8").replace("angry,angry", "angry,happy", 1)
    (run / predictions.FILE).write_text(found, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"has 179 right of 200 and does not fit metrics\.json beside it"):
        compare.read([run])


def test_a_folder_without_figures_says_how_to_get_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", str(tmp_path)]) == ExitCode.UNAVAILABLE
    assert f"fer-train report {tmp_path} --data D writes it" in capsys.readouterr().err


def test_the_same_run_twice_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is named twice"):
        compare.names([tmp_path, tmp_path / ".." / tmp_path.name])


def test_runs_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    runs = [tmp_path / "x" / "run", tmp_path / "y" / "run", tmp_path / "z"]
    assert compare.names(runs) == [str(runs[0]), str(runs[1]), "z"]


def test_a_limit_without_data_is_a_usage_error(tmp_path: Path) -> None:
    assert cli.main(["compare", str(tmp_path), "--limit", "9"]) == ExitCode.USAGE


@pytest.mark.parametrize("option", ["--json", "--html"])
def test_a_result_that_could_not_be_written_ends_before_the_work(
    tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = stored(tmp_path / "a", entry("a", range(20)))
    assert cli.main(["compare", str(run), option, str(tmp_path / "gone" / "x")]) == ExitCode.UNAVAILABLE
    assert "the result cannot be written" in capsys.readouterr().err


def test_runs_are_evaluated_anew_on_data(trained_run: Path, shapes: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compare", str(trained_run), "--data", str(shapes), "--json", "-"]) == ExitCode.OK
    row = json.loads(capsys.readouterr().out)["rows"][0]
    assert (row["run"], row["n"]) == (trained_run.name, 28)
