"""A run's folder after its report: every file is there, and the page says what `metrics.json` says."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.errors import ConfigError, InputError, OutputError, RuntimeUnavailable
from fer_edge.postprocess import Calibration, probabilities
from fer_train import metrics, processor, provenance
from fer_train.data import Dataset
from fer_train.recipe import Reported
from fer_train.reporting import document, drawing, predictions
from support.clocks import StillClock

VOID = {"meta", "img", "br", "path", "use", "rect", "image", "line"}
SOURCES = {"src", "href", "xlink:href", "srcset", "data", "action", "poster"}


@dataclass
class Page(HTMLParser):
    """Elements, text, and every address a browser would ask for."""

    def __post_init__(self) -> None:
        super().__init__()

    open: list[str] = field(default_factory=list)
    seen: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self.open and self.open[-1] in {"td", "th"}:
            self.rows[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]

    def row(self, first: str) -> list[str]:
        return next(row for row in self.rows if row[0] == first)


def parsed(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    return page


def evaluation_of(trained: Any, data: Dataset, wrong: int = 9) -> Any:
    """An evaluation with right and wrong answers for certain: the first `wrong` pictures get the next label."""
    from fer_train.evaluate import Evaluation  # noqa: PLC0415 - Keras

    said = data.targets.copy()
    said[:wrong] = (said[:wrong] + 1) % len(data.labels)
    logits = np.random.default_rng(1).normal(0.0, 0.5, (len(data), len(data.labels)))
    logits[np.arange(len(data)), said] += 4.0
    found = probabilities(logits, Calibration())
    return Evaluation(data, metrics.score(found, data.targets, data.labels), logits, found)


@pytest.fixture(scope="session")
def reported(trained_run: Path, drawings: tuple[Dataset, Dataset], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the trained run with its report, and a figure to stand beside."""
    from fer_train.evaluate import Trained, open_trained  # noqa: PLC0415 - Keras
    from fer_train.reporting import report  # noqa: PLC0415 - Keras

    run = tmp_path_factory.mktemp("reported") / "run"
    shutil.copytree(trained_run, run)
    train, test = drawings
    provenance.note(run, train, test, StillClock())
    found = open_trained(run)
    recipe = found.recipe.model_copy(update={"reported": Reported(accuracy=0.6, loss=0.9, source="A & B <2024>")})
    trained = Trained(found.model, recipe, found.path, found.kind)
    report.write(run, trained, evaluation_of(trained, test), "test")
    return run


@pytest.fixture(scope="session")
def page(reported: Path) -> Page:
    return parsed(reported / "report.html")


@pytest.fixture(scope="session")
def figures(reported: Path) -> Any:
    """`metrics.json` as anyone reads it."""
    return json.loads((reported / document.FILE).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "name",
    [
        *("metrics.json", "predictions.csv", "report.txt", "card.md", "report.html"),
        *("curves.png", "confusion.png", "recall.png", "heatmap.png", "reliability.png", "classes.png"),
        *("right.png", "wrong.png"),
    ],
)
def test_a_report_has_every_file(reported: Path, name: str) -> None:
    assert (reported / name).stat().st_size > 100
    if name.endswith(".png"):
        drawn = cv2.imread(str(reported / name))
        assert drawn is not None
        assert len(np.unique(drawn)) > 20


def test_the_figures_are_those_of_the_evaluation(figures: Any, drawings: tuple[Dataset, Dataset]) -> None:
    row, test = figures["rows"][0], drawings[1]
    assert (row["n"], row["top1"]) == (28, 19 / 28)
    assert figures["data"]["sha256"] == test.digest()
    assert figures["data"]["counts"] == test.counts()


def test_the_precision_of_the_artifact_and_that_of_the_labels_have_keys_of_their_own(figures: Any) -> None:
    row = figures["rows"][0]
    assert row["precision"] == "float32"
    assert set(row["class_precision"]) == set(figures["labels"])


def test_the_page_has_one_heading_and_a_title(page: Page) -> None:
    assert len(page.all("h1")) == 1
    assert "fernet-s: 67.9% on " in "".join(page.words)


def test_the_summary_gives_accuracy_with_its_interval(page: Page, figures: Any) -> None:
    low, high = figures["rows"][0]["top1_ci95"]
    wanted = f"67.86% of 28 pictures get their label (95% interval {low:.2%} to {high:.2%})"
    assert wanted in "".join(page.words)


def test_the_table_of_labels_has_the_figures_of_the_document(page: Page, figures: Any) -> None:
    row = figures["rows"][0]
    for label in figures["labels"]:
        wanted = [f"{row[key][label]:.1%}" for key in ("class_precision", "recall", "f1")]
        assert page.row(label)[1:5] == [*wanted, str(row["support"][label])]


@pytest.mark.parametrize("kind", ["macro", "weighted"])
def test_the_averages_are_those_of_the_document(page: Page, figures: Any, kind: str) -> None:
    row = figures["rows"][0]
    recall = row["macro_recall"] if kind == "macro" else row["top1"]
    wanted = [f"{share:.1%}" for share in (row[f"{kind}_precision"], recall, row[f"{kind}_f1"])]
    assert page.row(f"{kind} average")[1:4] == wanted


def test_the_bootstrap_intervals_are_on_the_page(page: Page, figures: Any) -> None:
    words = "".join(page.words)
    for key in ("top1_bootstrap95", "macro_f1_bootstrap95"):
        low, high = figures["rows"][0][key]
        assert f"within {low:.1%} to {high:.1%}" in words


def test_the_reported_figures_stand_beside_the_reached_ones(page: Page, figures: Any) -> None:
    row = figures["rows"][0]
    beside = next(rows for rows in page.rows if rows[:2] == ["accuracy", "60.0%"])
    assert beside[2:] == ["67.9%", "+7.9 points"]
    assert next(rows for rows in page.rows if rows[:2] == ["loss", "0.9000"])[2] == f"{row['loss']:.4f}"
    assert "Reported in: A & B <2024>" in "".join(page.words)


def test_the_page_tells_cost_time_and_machine(page: Page, figures: Any) -> None:
    words = "".join(page.words)
    assert f"{figures['weights']:,}" in words
    assert f"3 epochs, kept: {figures['training']['epoch']}" in words
    assert processor.name() in words
    assert f"keras {figures['versions']['keras']}" in words


def test_the_page_counts_the_pictures_of_each_part(page: Page) -> None:
    assert page.row("all") == ["all", "84", "28"]


def test_the_page_asks_for_nothing_outside_itself(reported: Path, page: Page) -> None:
    asked = [value for _, attributes in page.seen for key, value in attributes.items() if key in SOURCES]
    assert asked
    assert [value for value in asked if not (value or "").startswith(("data:image/png;base64,", "#"))] == []
    text = (reported / "report.html").read_text(encoding="utf-8")
    for word in ("http:", "https:", "//cdn", "url(h", "@import", "<link", "<script", "<iframe"):
        assert word not in text


def test_every_reference_within_the_page_leads_somewhere(page: Page) -> None:
    names = {attributes["id"] for _, attributes in page.seen if "id" in attributes}
    for _, attributes in page.seen:
        target = attributes.get("href") or ""
        assert not target.startswith("#") or target[1:] in names


def test_no_two_elements_have_the_same_name(page: Page) -> None:
    names = [attributes["id"] for _, attributes in page.seen if "id" in attributes]
    assert len(names) == len(set(names))


def test_pictures_and_figures_say_what_they_show(page: Page) -> None:
    assert len(page.all("img")) == 9 + 18
    assert all("labelled" in (picture["alt"] or "") for picture in page.all("img"))
    charts = page.all("svg")
    assert len(charts) >= 8
    assert all(chart["role"] == "img" and len(chart["aria-label"] or "") > 20 for chart in charts)


def test_the_page_follows_the_readers_choice_of_dark_or_light(reported: Path) -> None:
    text = (reported / "report.html").read_text(encoding="utf-8")
    assert "prefers-color-scheme: dark" in text
    for color in (drawing.INK, drawing.FAINT, drawing.FIRST, drawing.SECOND, drawing.THIRD):
        assert color not in text.split("</style>", 1)[1]


def test_no_folder_of_the_machine_is_told(reported: Path, drawings: tuple[Dataset, Dataset]) -> None:
    folder = str(Path(drawings[1].source).parent)
    for name in ("report.html", "card.md", "metrics.json", "predictions.csv"):
        assert folder not in (reported / name).read_text(encoding="utf-8")


def test_the_stored_predictions_give_the_same_accuracy(reported: Path, figures: Any) -> None:
    found = predictions.read(reported / predictions.FILE)
    assert sum(found.right.values()) / len(found.right) == figures["rows"][0]["top1"]


def test_the_document_is_read_back_as_it_was_written(reported: Path, figures: Any) -> None:
    assert document.read(reported).model_dump(mode="json") == figures


Again = Callable[[Path], list[Path]]


@pytest.fixture
def again(drawings: tuple[Dataset, Dataset]) -> Again:
    """Write the report of a run folder once more, this time with every answer right."""

    def write(run: Path) -> list[Path]:
        from fer_train.evaluate import open_trained  # noqa: PLC0415 - Keras
        from fer_train.reporting import report  # noqa: PLC0415 - Keras

        trained = open_trained(run)
        return report.write(run, trained, evaluation_of(trained, drawings[1], wrong=0), "test")

    return write


@pytest.fixture
def copy(reported: Path, tmp_path: Path) -> Path:
    return shutil.copytree(reported, tmp_path / "copy")


def test_examples_of_an_earlier_report_do_not_stay(copy: Path, again: Again) -> None:
    assert "wrong.png" not in {path.name for path in again(copy)}
    assert not (copy / "wrong.png").exists()
    assert (copy / "right.png").exists()


def test_a_report_that_cannot_be_written_names_the_file(copy: Path, again: Again) -> None:
    (copy / "report.txt").unlink()
    (copy / "report.txt").mkdir()
    with pytest.raises(OutputError, match=r"report\.txt cannot be written"):
        again(copy)


def test_a_missing_history_is_one_sentence(copy: Path, again: Again) -> None:
    (copy / "history.csv").unlink()
    with pytest.raises(InputError, match=r"history\.csv does not exist"):
        again(copy)


def test_a_missing_matplotlib_is_one_sentence(copy: Path, again: Again, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(RuntimeUnavailable, match=r"drawing needs matplotlib: pip install 'fer-edge\[train\]'"):
        again(copy)


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        (None, InputError, "cannot be read: No such file or directory; fer-train report"),
        ("{", ConfigError, "is not valid JSON"),
        ("[]", ConfigError, "has schema_version None, and 2 is needed"),
        ('{"schema_version": 1}', ConfigError, "has schema_version 1, and 2 is needed: fer-train report"),
        ('{"schema_version": 2}', ConfigError, "recipe is missing"),
    ],
)
def test_figures_that_are_not_figures_are_one_sentence(
    tmp_path: Path, text: str | None, error: type[Exception], words: str
) -> None:
    if text is not None:
        (tmp_path / document.FILE).write_text(text, encoding="utf-8")
    with pytest.raises(error, match=words):
        document.read(tmp_path)


@pytest.mark.parametrize("text", ["", "name,true\na,b\n", "name,true,predicted,confidence\na,b\n"])
def test_predictions_that_are_no_table_are_one_sentence(tmp_path: Path, text: str) -> None:
    path = tmp_path / predictions.FILE
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="is not a table of predictions"):
        predictions.read(path)
