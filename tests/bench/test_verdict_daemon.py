"""What the verdict says of the whole daemon, of heat and of a result as its file has it."""

from __future__ import annotations

from typing import Any

import pytest

from bench.told_rows import daemon, everything, facts, judged, pipeline, result, stages, timed
from fer_bench.accuracy.verdict import endurance
from fer_bench.results.rows import CorruptionRow
from fer_bench.soak import words as soak
from fer_bench.soak.rows import SoakRow
from fer_bench.verdict import frames, rooms
from fer_bench.verdict.facts import parts_of, typed
from fer_bench.verdict.run import MAX_DROP_PP, judge, limit_of, text


def claims(*rows: object, **more: Any) -> list[str]:
    return [sentence.claim for sentence in frames.sentences(facts(*rows, **more))]


def test_a_classifier_that_takes_little_of_a_frame_sends_to_what_takes_much() -> None:
    (sentence,) = frames.share_of_classifier(daemon(stages_ms=stages(detect=8.9, classify=0.6, track=0.5)))
    assert sentence.claim == (
        "the classifier is 6 % of a frame in which every stage is slow: work on detection, which is 89 %"
    )
    assert sentence.figures == "0.600 ms of 10.0 ms, p95 of the stages, fer-edge run"
    assert sentence.tone == "advice"


def test_means_of_stages_add_up_to_a_frame_and_are_taken_where_there_are_any() -> None:
    means = {"detect": {"mean": 3.0, "p95": 1.0}, "classify": {"mean": 1.0, "p95": 9.0}}
    (sentence,) = frames.share_of_classifier(daemon(stages_ms=means))
    assert sentence.claim == "the classifier is 25 % of a frame"


def test_a_classifier_that_takes_most_of_a_frame_is_worth_a_faster_artifact() -> None:
    (sentence,) = frames.share_of_classifier(daemon(stages_ms=stages(detect=1.0, classify=9.0)))
    assert sentence.claim.endswith("a faster artifact pays")


@pytest.mark.parametrize("found", [None, stages(classify=1.0), stages(detect=1.0, track=1.0)])
def test_without_stages_to_compare_nothing_is_said_of_the_classifier(found: object) -> None:
    assert frames.share_of_classifier(daemon(stages_ms=found)) == []


def test_on_a_busy_machine_slow_stages_are_somebody_elses_and_means_are_still_told() -> None:
    busy = {"pipeline": ["the machine was busy before the run"]}
    assert not [claim for claim in claims(daemon(), notes=busy) if "classifier" in claim]
    means = {"detect": {"mean": 3.0}, "classify": {"mean": 1.0}}
    assert [claim for claim in claims(daemon(stages_ms=means), notes=busy) if "classifier" in claim]


def test_the_stages_of_one_contender_are_told_the_one_at_the_sources_own_pace() -> None:
    paced = daemon(name="fer-edge run, at 25 frames per second", stages_ms=stages(detect=1.0, classify=9.0))
    said = [claim for claim in claims(daemon(), paced) if "classifier" in claim]
    assert said == ["the classifier is 90 % of a frame in which every stage is slow: a faster artifact pays"]


def test_how_late_an_event_is_comes_with_its_interval_and_count() -> None:
    late = daemon(latency_n=500, latency_p50_ms=6.1, latency_p50_ci95_ms=(5.9, 6.3), latency_p95_ms=14.0)
    (sentence,) = frames.lateness(late)
    assert sentence.claim == "fer-edge run: an event comes 6.10 ms after its frame was captured"
    assert sentence.figures == "median, 95 % 5.90 to 6.30; p95 14.0 ms; n = 500 frames with a face"
    assert frames.lateness(daemon()) == []


def test_dropped_frames_are_a_warning_and_none_are_not_told() -> None:
    assert frames.dropped(daemon(dropped_frames=12))[0].tone == "warning"
    assert frames.dropped(daemon(dropped_frames=0)) == []


def test_the_cost_against_the_bare_loop_needs_more_than_one_round() -> None:
    assert frames.cost(daemon())[0].claim == "fer-edge run takes 0.40 of the bare loop's CPU"
    assert frames.cost(daemon(ratio_to_bare_rounds=(0.4,))) == []


def test_rounds_on_both_sides_of_one_do_not_carry_a_ratio() -> None:
    (sentence,) = frames.cost(daemon(ratio_to_bare_rounds=(0.9, 1.2)))
    assert sentence.claim == "fer-edge run takes as much CPU as the bare loop"


def test_the_bare_loop_is_not_compared_with_itself() -> None:
    assert frames.cost(daemon(name="bare loop, OpenCV", ratio_to_bare_rounds=(1.0, 1.0))) == []


def test_a_pipeline_on_a_board_that_was_held_back_says_nothing() -> None:
    assert claims(daemon(), notes={"pipeline": ["INVALID: throttled"]}) == []


def soaked(**more: Any) -> SoakRow:
    return SoakRow(
        format="tflite",
        precision="int8",
        runtime="litert",
        threads=1,
        size_bytes=1,
        n=100,
        load="inferences",
        ratio=1.3,
        significant=True,
        **more,
    )


def test_heat_is_told_in_the_words_of_its_room_and_a_machine_that_is_not_steady_is_a_warning() -> None:
    row = soaked(steady=False, slope_c_per_min=1.0)
    found = rooms.heat(facts(soak=[row]))
    assert [sentence.claim for sentence in found] == soak.verdict(row)
    assert [sentence.tone for sentence in found if "steady" in sentence.claim] == ["warning"]


def test_a_soak_that_was_held_back_is_invalid() -> None:
    held = soaked(valid=False, held_back="throttled", held_back_after_s=60.0)
    assert rooms.heat(facts(soak=[held]))[0].tone == "invalid"


def test_curves_are_told_in_the_words_of_their_room_and_only_where_there_are_any() -> None:
    step = CorruptionRow(
        corruption="blur",
        severity=1,
        level=0.5,
        n=1000,
        top1=0.5,
        top1_ci95=(0.45, 0.55),
        drop_from_clean_pp=16.0,
        drop_from_clean_pp_ci95=(12.0, 20.0),
    )
    row = judged("int8", None, corruptions=(step,))
    (sentence,) = rooms.corruptions(facts(row))
    assert sentence.claim == endurance(row)
    assert rooms.corruptions(facts(judged("int8", None))) == []


def test_a_result_is_judged_as_its_file_has_it_and_all_has_its_parts_within() -> None:
    latency = result("latency", [timed("float32", 2.0), timed("int8", 0.5)])
    accuracy = result("accuracy", [judged("float32", None), judged("int8", 0.2)])
    document = everything(latency=latency, accuracy=accuracy, pipeline=pipeline(daemon()))
    found = [sentence.claim for sentence in judge(document)]
    assert found[0] == "use tflite/int8 with litert on 1 thread"
    assert any("loses 0.2 points" in claim for claim in found)
    assert any("classifier" in claim for claim in found)
    assert [kind for kind, _ in parts_of(document)] == ["latency", "accuracy", "pipeline"]
    assert [kind for kind, _ in parts_of(latency)] == ["latency"]


def test_the_limit_is_what_is_asked_for_now_then_what_the_result_was_asked_for() -> None:
    assert limit_of(result("latency", ())) == MAX_DROP_PP
    assert limit_of({**result("latency", ()), "options": {"max_drop_pp": 0.5}}) == 0.5
    assert limit_of({**result("latency", ()), "options": {"max_drop_pp": 0.5}}, 0.0) == 0.0


def test_a_row_of_a_later_version_is_read_with_the_keys_that_are_known() -> None:
    assert typed(SoakRow, {**soaked().__dict__, "mood": "good"}) == soaked()


def test_a_result_without_rows_has_no_verdict() -> None:
    assert judge(result("latency", ())) == []
    assert text([]) == ""
