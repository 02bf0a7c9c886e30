"""All parts as one report: what one part cannot do does not end the others, and what is done is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.told_rows import daemon, judged, timed
from fer_bench.everything.parts import PARTS, Part
from fer_bench.everything.plan import PartRow, Plan, Say, usual_threads
from fer_bench.everything.run import INTERRUPTED, NOT_BEGUN, exit_code, run, text
from fer_bench.machine.environment import conditions, describe
from fer_bench.results.report import Report
from fer_bench.results.report import exit_code as usual_exit_code
from fer_bench.variants import Choice
from fer_edge.bundle import Bundle
from fer_edge.clock import SystemClock
from fer_edge.errors import ExitCode, InputError, RuntimeUnavailable, UsageError
from support.tiny import tiny_bundle

KINDS: Mapping[str, list[Any]] = {
    "latency": [timed("float32", 2.0), timed("int8", 0.5)],
    "accuracy": [judged("float32", None), judged("int8", 0.2)],
    "pipeline": [daemon()],
}
EXTRA = {"pipeline": {"throughput_of_hand": None, "coverage": None, "more": {}, "source": {"clip": True}}}


def quiet(_: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def plan(bundle: Path) -> Plan:
    return Plan(str(bundle), data="pictures", source="clip.mp4")


def measured(plan: Plan, kind: str, **more: Any) -> Report:
    """A report of a part that was never run."""
    report = Report(
        kind=kind,
        options={},
        bundle=Bundle.open(plan.bundle),
        environment=describe(),
        started=SystemClock().wall(),
        before=conditions(),
        after=conditions(),
        rows=KINDS[kind],
        notes=[f"a note on {kind}"],
        complete=True,
        extra=EXTRA.get(kind, {}),
    )
    return replace(report, **more)


def parts(**others: Callable[[Plan, Say], Report]) -> dict[str, Part]:
    """All three, each answering at once, or as is told here."""

    def answer(kind: str) -> Callable[[Plan, Say], Report]:
        return others.get(kind, lambda plan, _: measured(plan, kind))

    return {kind: Part(answer(kind), PARTS[kind].lacks, usual_exit_code) for kind in KINDS}


def fails(error: BaseException) -> Callable[[Plan, Say], Report]:
    def part(_: Plan, __: Say) -> Report:
        raise error

    return part


def rows_of(report: Report) -> dict[str, PartRow]:
    return {row.part: row for row in report.rows}


def test_each_part_is_within_whole_with_where_it_was_measured(plan: Plan) -> None:
    report = run(plan, quiet, parts())
    document = report.as_json()
    assert document["kind"] == "all"
    assert document["complete"] is True
    assert list(document["parts"]) == ["latency", "accuracy", "pipeline"]
    for kind, part in document["parts"].items():
        assert part["kind"] == kind
        assert {"environment", "bundle", "time", "options", "notes", "rows"} <= part.keys()
    assert [row["n"] for row in document["rows"]] == [2, 2, 1]
    assert exit_code(report) == ExitCode.OK


def test_the_verdict_is_over_all_parts_and_in_the_json(plan: Plan) -> None:
    verdict = run(plan, quiet, parts()).as_json()["verdict"]
    assert verdict[0]["claim"] == "use tflite/int8 with litert on 1 thread"
    assert "it loses 0.2 points" in verdict[0]["figures"]
    assert {sentence["tone"] for sentence in verdict} <= {"invalid", "warning", "advice", "fact"}


def test_what_may_be_lost_is_as_asked(plan: Plan) -> None:
    verdict = run(replace(plan, max_drop_pp=0.1), quiet, parts()).as_json()["verdict"]
    assert verdict[0]["claim"] == "use tflite/float32 with litert on 1 thread"


def test_parts_that_nothing_was_given_for_say_what_to_give_and_are_no_error(plan: Plan) -> None:
    said: list[str] = []
    report = run(replace(plan, data=None, source=None), said.append, parts())
    assert list(report.extra["parts"]) == ["latency"]
    assert "--data" in str(rows_of(report)["accuracy"].why)
    assert "--source" in str(rows_of(report)["pipeline"].why)
    assert said == [f"{name}: {rows_of(report)[name].why}" for name in ("accuracy", "pipeline")]
    assert exit_code(report) == ExitCode.OK


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InputError("data pictures does not exist"), "data pictures does not exist"),
        (RuntimeUnavailable("nothing runs it"), "nothing runs it"),
        (ImportError("No module named 'scipy'", name="scipy"), "needs scipy, which is not installed: pip install"),
    ],
)
def test_a_part_that_fails_is_a_row_with_its_reason_and_the_others_are_measured(
    error: Exception, words: str, plan: Plan
) -> None:
    report = run(plan, quiet, parts(accuracy=fails(error)))
    assert list(report.extra["parts"]) == ["latency", "pipeline"]
    assert words in str(rows_of(report)["accuracy"].error)
    assert report.complete
    assert exit_code(report) == ExitCode.GATE_NOT_MET


def test_a_part_with_a_gap_ends_with_1(plan: Plan) -> None:
    gap = [KINDS["latency"][0], timed("int8", 0.5, n=0, error="it crashed")]
    report = run(plan, quiet, parts(latency=lambda plan, _: measured(plan, "latency", rows=gap)))
    assert exit_code(report) == ExitCode.GATE_NOT_MET


def test_when_no_part_gave_figures_the_exit_code_says_unavailable(plan: Plan) -> None:
    lost = fails(RuntimeUnavailable("nothing runs here"))
    report = run(replace(plan, data=None, source=None), quiet, parts(latency=lost))
    assert exit_code(report) == ExitCode.UNAVAILABLE


def test_ctrl_c_within_a_part_keeps_what_it_has_and_begins_no_other(plan: Plan) -> None:
    report = run(plan, quiet, parts(latency=lambda plan, _: measured(plan, "latency", complete=False)))
    assert not report.complete
    assert list(report.extra["parts"]) == ["latency"]
    assert rows_of(report)["accuracy"].why == NOT_BEGUN


def test_ctrl_c_before_a_part_has_anything_keeps_the_parts_before_it(plan: Plan) -> None:
    report = run(plan, quiet, parts(accuracy=fails(KeyboardInterrupt())))
    assert not report.complete
    assert list(report.extra["parts"]) == ["latency"]
    assert rows_of(report)["accuracy"].why == INTERRUPTED
    assert rows_of(report)["pipeline"].why == NOT_BEGUN


def test_the_report_so_far_is_handed_out_after_every_part(plan: Plan) -> None:
    kept: list[list[str]] = []
    run(plan, quiet, parts(), keep=lambda report: kept.append(list(report.extra["parts"])))
    assert kept == [["latency"], ["latency", "accuracy"], ["latency", "accuracy", "pipeline"]]


def test_progress_says_of_which_part_it_is(plan: Plan) -> None:
    said: list[str] = []

    def telling(plan: Plan, say: Say) -> Report:
        say("round 1 of 3")
        return measured(plan, "latency")

    run(plan, said.append, parts(latency=telling))
    assert said == ["latency: round 1 of 3"]


@pytest.mark.parametrize(
    "choice", [Choice(precisions=("int4",)), Choice(formats=("caffe",)), Choice(runtimes=("abacus",))]
)
def test_what_the_bundle_does_not_have_is_told_before_anything_is_measured(choice: Choice, plan: Plan) -> None:
    with pytest.raises(UsageError):
        run(replace(plan, choice=choice), quiet, parts(latency=fails(AssertionError("it was begun"))))


def test_the_text_has_every_part_its_notes_and_the_verdict_at_the_end(plan: Plan) -> None:
    shown = text(run(replace(plan, source=None), quiet, parts()))
    heads = [line for line in shown.splitlines() if line.startswith("== ")]
    assert heads == ["== latency", "== accuracy", "== pipeline", "== verdict"]
    assert "note: a note on latency" in shown
    assert "not measured: no clip was given" in shown
    assert shown.splitlines()[-1].startswith("- ")


def test_what_the_verdict_says_is_not_said_again_beside_the_table(plan: Plan) -> None:
    rows = [timed("float32", 2.0), timed("int8", 0.5, verdict="int8 takes 0.25 of float32's time")]
    report = run(plan, quiet, parts(latency=lambda plan, _: measured(plan, "latency", rows=rows)))
    assert text(report).count("takes 0.25 of float32's time") == 0


def test_the_usual_threads_are_no_more_than_there_are_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2})
    assert usual_threads() == (1, 2)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)))
    assert usual_threads() == (1, 2, 4)
