"""The page: what is on it, that it is one file that asks for nothing, and that nothing in a result becomes markup."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from bench.told_rows import daemon, environment, everything, judged, pipeline, result, timed
from fer_bench.page.document import page
from fer_bench.results.rows import CorruptionRow
from fer_bench.soak.rows import SoakRow

EVIL = "<script>alert(1)</script>"
ASKING = {"src", "href", "srcset", "action", "data", "poster", "style"}
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Reader(HTMLParser):
    """Tags with their attributes, the text, and whether every element was closed in its turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.said: list[str] = []
        self.broken: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.broken.append(tag)

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.said).split())


def full(**more: Any) -> dict[str, Any]:
    """A result of everything."""
    rows = [timed(p, t / n, n) for p, t in (("float32", 2.0), ("int8", 0.5)) for n in (1, 2)]
    return {
        **everything(
            latency=result("latency", rows, ["the machine was busy"]),
            accuracy=result("accuracy", [judged("float32", None), judged("int8", 0.2)]),
            pipeline=pipeline(daemon(), daemon(name="bare loop, OpenCV", ratio_to_bare=1.0, stages_ms=None)),
        ),
        **more,
    }


@pytest.fixture(scope="module")
def read() -> Reader:
    return Reader(page(full()))


def test_every_element_is_closed_in_its_turn(read: Reader) -> None:
    assert read.broken == []
    assert read.open == []


def test_the_page_asks_for_nothing_and_runs_nothing(read: Reader) -> None:
    names = {name for name, _ in read.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    attributes = {key for _, given in read.tags for key in given}
    assert not attributes & ASKING
    assert not [key for key in attributes if key.startswith("on")]


def test_nothing_but_the_pages_own_style_is_allowed_and_the_style_is_the_one_that_is_allowed() -> None:
    text = page(full())
    policies = [given["content"] for given in Reader(text).all("meta") if given.get("http-equiv")]
    style = text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policies == [f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"]
    assert "url(" not in style
    assert "@import" not in style


def test_the_verdict_stands_before_any_figure() -> None:
    text = page(full())
    assert text.index("Use tflite/int8 with litert on 2 threads") < text.index("<figure")
    assert text.index("<figure") < text.index("<table")


def test_every_plot_is_there_and_tells_what_can_be_read_off_it(read: Reader) -> None:
    labels = [str(given["aria-label"]) for given in read.all("svg") if given.get("role") == "img"]
    titles = [label.split(":")[0] for label in labels]
    assert titles == [
        "Latency against accuracy",
        "Threads",
        "Samples",
        "Accuracy",
        "Recall of each class, %",
        "Stages of a frame, fer-edge run",
        "What a frame costs",
    ]
    assert "tflite/int8 with litert on 2 threads 0.250 ms and 66.00 %" in labels[0]
    assert "detect p50 0.890, p95 8.90, p99 17.8" in labels[5]


def test_drawings_without_a_role_are_hidden_from_readers(read: Reader) -> None:
    for given in read.all("svg"):
        assert given.get("role") == "img" or given.get("aria-hidden") == "true"


def test_tables_have_captions_and_heads_with_a_scope(read: Reader) -> None:
    assert len(read.all("caption")) == len(read.all("table")) >= 6
    assert all(given.get("scope") in {"col", "row"} for given in read.all("th"))


def test_figures_where_it_was_measured_and_notes_are_on_the_page(read: Reader) -> None:
    for words in (
        "0.250",
        "the machine was busy",
        "Raspberry Pi 4 Model B Rev 1.5",
        "SHA-256",
        "temperature, °C",
        "2 lists of 500, 500 values",
    ):
        assert words in read.text


def test_a_fold_holds_every_figure_of_every_row(read: Reader) -> None:
    for name in ("peak_rss_bytes", "mcnemar_p", "cpu_ms_per_frame_rounds"):
        assert name in read.text


def poisoned() -> dict[str, Any]:
    """A result in which every text is an element."""
    row = timed("int8", 0.5, label=EVIL, runtime_version=EVIL, effective_precision=EVIL, fed=EVIL)
    failed = timed("float32", 2.0, n=0, error=EVIL)
    right = judged("int8", 0.1, recall={EVIL: 0.5}, support={EVIL: 5}, reference=EVIL)
    slow = daemon(name=f"fer-edge {EVIL}", stages_ms={EVIL: {"p50": 1.0}}, error=EVIL)
    machine = environment(board=EVIL, cpu=EVIL, kernel=EVIL, packages={EVIL: EVIL}, fer_edge=EVIL)
    more = {"bundle": {"name": EVIL, "path": EVIL, "sha256": EVIL}, "environment": machine, "time": EVIL}
    more |= {"options": {EVIL: EVIL}}
    document = everything(
        latency={**result("latency", [row, failed, replace(row, threads=2)], [EVIL]), **more},
        accuracy={**result("accuracy", [right], [f"INVALID {EVIL}"]), **more},
        pipeline={**pipeline(slow), **more},
    )
    lacking = [{"part": EVIL, "n": 0, "status": 0, "why": EVIL, "error": None}]
    return {**document, **more, "rows": lacking}


def test_no_text_of_a_result_becomes_markup() -> None:
    text = page(poisoned())
    read = Reader(text)
    assert "<script" not in text
    assert read.broken == []
    assert "alert(1)" in read.text


@pytest.mark.parametrize("where", ["bundle", "board", "row"])
def test_a_quote_does_not_end_an_attribute(where: str) -> None:
    evil = '" onload="alert(1)'
    document = result("latency", [timed("int8", 0.5, label=evil if where == "row" else "")])
    document["bundle"]["name"] = evil if where == "bundle" else "tiny"
    document["environment"]["board"] = evil if where == "board" else None
    attributes = {key for _, given in Reader(page(document)).tags for key in given}
    assert "onload" not in attributes


@pytest.mark.parametrize("kind", ["latency", "accuracy", "pipeline", "soak"])
def test_a_result_of_nothing_is_a_page_that_says_so(kind: str) -> None:
    read = Reader(page(pipeline() if kind == "pipeline" else result(kind, ())))
    assert read.broken == []
    assert "These figures carry no sentence" in read.text
    assert read.all("svg") == []


def test_each_kind_alone_has_its_plots() -> None:
    latency = Reader(page(result("latency", [timed("float32", 2.0), timed("float32", 1.0, 2)])))
    titles = [str(given["aria-label"]).split(":")[0] for given in latency.all("svg") if given.get("role")]
    assert titles == ["Threads", "Samples"]


def test_a_board_that_was_held_back_is_called_invalid_at_the_top() -> None:
    document = result("latency", [timed("float32", 2.0)], ["INVALID: the board was held back during the run"])
    read = Reader(page(document))
    assert [given["data-tone"] for given in read.all("p") if given.get("class") == "pill"] == ["bad"]
    assert "complete" not in read.text.split("Verdict")[0]


def test_an_interrupted_part_is_told_at_the_top() -> None:
    document = full()
    document["parts"]["latency"]["complete"] = False
    read = Reader(page(document))
    assert [given["data-tone"] for given in read.all("p") if given.get("class") == "pill"] == ["warn"]


def test_a_part_that_was_not_run_is_told_with_the_reason() -> None:
    read = Reader(page(everything(latency=result("latency", [timed("int8", 0.5)]))))
    assert "no accuracy was asked for" in read.text


def test_corruptions_are_drawn_as_curves_with_their_unit() -> None:
    steps = tuple(
        CorruptionRow(
            corruption="blur",
            severity=number,
            level=0.5 * number,
            n=100,
            top1=0.6 - 0.1 * number,
            top1_ci95=(0.3, 0.7),
            drop_from_clean_pp=10.0 * number,
            drop_from_clean_pp_ci95=(5.0, 20.0),
        )
        for number in (1, 2, 3)
    )
    kinds = {"blur": {"unit": "sigma, px", "levels": [0.5, 1.0, 1.5]}}
    document = result("accuracy", [judged("int8", None, corruptions=steps)], corruptions={"kinds": kinds})
    read = Reader(page(document))
    labels = [str(given["aria-label"]) for given in read.all("svg") if given.get("role")]
    assert any(label.startswith("Under blur: tflite/int8 66.00 % clean, then 50.0 at 0.5") for label in labels)
    assert "sigma, px" in read.text


def test_a_soak_is_drawn_over_its_minutes_with_what_the_machine_tells() -> None:
    row = SoakRow(format="tflite", precision="int8", runtime="litert", threads=1, size_bytes=1, n=9, load="inferences")
    curve = [
        {
            "t_s": 60.0 * i,
            "p50_ms": 1.0 + i,
            "temperature_c": 40.0 + i,
            "clock_mhz": None,
            "held_back": "hot" if i else None,
        }
        for i in range(3)
    ]
    read = Reader(page(result("soak", [row], curve=curve)))
    labels = [str(given["aria-label"]) for given in read.all("svg") if given.get("role")]
    assert labels == [
        "Time under load: from 1.00 to 3.00 p50, ms, at least 1.00, at most 3.00",
        "Temperature: from 40.0 to 42.0 °C, at least 40.0, at most 42.0",
    ]
    assert "Marks at the bottom" in read.text


def test_many_variants_are_drawn_in_part_and_the_page_says_how_many_are_left_out() -> None:
    rows = [timed("int8", 0.5 + 0.01 * n, n) for n in range(1, 21)]
    assert "The 4 slowest variants of 20 are left out" in Reader(page(result("latency", rows))).text


def test_a_plot_as_high_as_two_stands_beside_two() -> None:
    rows = [timed(p, t / n, n) for p, t in (("float32", 2.0), ("int8", 0.5)) for n in (1, 2, 3, 4)]
    text = page(everything(latency=result("latency", rows), accuracy=result("accuracy", [judged("int8", 0.1)])))
    plots = re.findall(r'<figure class="([^"]*)">\n<figcaption>([^<]*)<', text)[:3]
    assert plots == [("card", "Latency against accuracy"), ("card tall", "Samples"), ("card", "Threads")]


def test_an_odd_plot_has_the_whole_width() -> None:
    text = page(full())
    plots = re.findall(r'<figure class="([^"]*)">\n<figcaption>([^<]*)<', text)[:3]
    assert plots == [("card", "Latency against accuracy"), ("card", "Threads"), ("card whole", "Samples")]


def test_a_name_that_is_too_long_for_its_lane_is_cut_there_and_whole_in_the_table() -> None:
    name = "a-very-long-name-of-a-single-file-that-somebody-gave.tflite"
    text = page(result("latency", [timed("int8", 0.5, label=name)]))
    lanes = re.findall(r'class="lane">([^<]*)<', text)
    assert lanes == [f"{name[:49]}…"]
    assert f'<th scope="row">{name} with litert on 1 thread</th>' in text


def test_no_coordinate_is_beside_the_drawing() -> None:
    """Every x of an element lies in the width of its drawing, whatever the figures are."""
    rows = [timed(p, t, n, width=0.5 * t) for p, t in (("float32", 900.0), ("int8", 0.001)) for n in (1, 64)]
    text = page(everything(latency=result("latency", rows), accuracy=result("accuracy", [judged("int8", 99.0)])))
    places = [float(x) for x in re.findall(r' c?x="(-?[\d.]+)"', text)]
    assert places
    assert all(0 <= x <= 440 for x in places)
