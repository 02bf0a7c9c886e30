"""Which artifact to use, whether a precision pays, how many threads are enough: said where figures carry it."""

from __future__ import annotations

import pytest

from bench.told_rows import facts, judged, timed
from fer_bench.results.rows import LatencyRow
from fer_bench.verdict import choice, precision, quality, threads, trust
from fer_bench.verdict.facts import Facts, Sentence
from fer_bench.verdict.words import ms, number, pays

FLOAT, INT8 = timed("float32", 2.0), timed("int8", 0.5)


def said(sentences: list[Sentence]) -> str:
    return "\n".join(sentence.text for sentence in sentences)


def chosen(found: Facts) -> str:
    first = choice.sentences(found)[0]
    assert first.tone == "advice"
    return first.claim


def test_the_fastest_artifact_that_keeps_the_accuracy_is_advised() -> None:
    found = facts(FLOAT, INT8, judged("float32", None), judged("int8", 0.2))
    (sentence,) = choice.sentences(found)
    assert sentence.claim == "use tflite/int8 with litert on 1 thread"
    assert "p50 0.500 ms, 95 % 0.495 to 0.505, n = 1,000" in sentence.figures
    assert "the fastest of 2" in sentence.figures
    assert "it loses 0.2 points, drop -0.30 to 0.70, n = 1,000" in sentence.figures


def test_a_faster_artifact_that_loses_too_much_is_not_advised_and_that_is_told() -> None:
    found = facts(FLOAT, INT8, judged("float32", None), judged("int8", 3.1))
    assert chosen(found) == "use tflite/float32 with litert on 1 thread"
    assert choice.sentences(found)[1].claim == (
        "tflite/int8 with litert is faster but loses 3.1 points, more than 1 point"
    )


def test_a_larger_drop_is_allowed_when_it_was_asked_for() -> None:
    found = facts(FLOAT, INT8, judged("float32", None), judged("int8", 3.1), max_drop_pp=4.0)
    assert chosen(found) == "use tflite/int8 with litert on 1 thread"


def test_an_artifact_without_a_known_drop_is_not_advised_beside_one_with() -> None:
    found = facts(FLOAT, INT8, judged("float32", None))
    assert chosen(found) == "use tflite/float32 with litert on 1 thread"
    assert "has no known drop" in said(choice.sentences(found))


def test_when_nothing_keeps_the_accuracy_that_is_told_with_the_smallest_drop() -> None:
    found = facts(timed("int8", 0.5), timed("int8", 0.4, threads=2), judged("int8", 3.1))
    (sentence,) = choice.sentences(found)
    assert sentence.tone == "warning"
    assert "known to lose at most 1 point" in sentence.claim
    assert sentence.figures == "the smallest drop is 3.1 points"


def test_without_accuracy_speed_alone_decides_and_says_so() -> None:
    found = facts(FLOAT, INT8)
    assert chosen(found) == "use tflite/int8 with litert on 1 thread"
    assert "speed alone decides" in said(choice.sentences(found))


def test_a_drop_of_the_same_artifact_in_another_runtime_counts_and_says_in_which() -> None:
    other = timed("int8", 0.4, runtime="litert")
    right = judged("int8", 0.2, runtime="tensorflow", format="tflite")
    found = facts(FLOAT, other, judged("float32", None), right)
    assert choice.drop_of(other, found.accuracy) == choice.Drop(0.2, (-0.3, 0.7), 1000, "tensorflow")
    assert "it loses 0.2 points with tensorflow" in said(choice.sentences(found))


def test_of_several_runtimes_the_drop_in_the_same_one_counts() -> None:
    rows = [judged("int8", 9.0, runtime="tensorflow", format="tflite"), judged("int8", 0.2)]
    assert choice.drop_of(INT8, rows) == choice.Drop(0.2, (-0.3, 0.7), 1000, "litert")


def test_of_variants_that_cannot_be_told_apart_the_one_on_fewer_threads_is_taken() -> None:
    a = timed("float32", 1.00, width=0.1)
    b = timed("float32", 0.95, threads=2, width=0.1, runtime="onnxruntime")
    found = facts(a, b)
    assert chosen(found) == "use tflite/float32 with litert on 1 thread"
    assert "not significantly different: fewer threads decide" in said(choice.sentences(found))


def test_of_variants_on_as_many_threads_the_smaller_file_is_taken() -> None:
    found = facts(timed("float32", 0.95, width=0.1), timed("int8", 1.0, width=0.1))
    assert chosen(found) == "use tflite/int8 with litert on 1 thread"
    assert "the smaller file decides" in said(choice.sentences(found))


def test_everything_that_decided_is_told() -> None:
    best = timed("int8", 1.0, width=0.1, peak_rss_bytes=80)
    larger = timed("float32", 1.0, width=0.1, peak_rss_bytes=80)
    fatter = timed("int8", 1.0, width=0.1, runtime="openvino", peak_rss_bytes=700)
    found = said(choice.sentences(facts(best, larger, fatter)))
    assert "are not significantly different: the smaller file and less memory decide" in found


def test_a_single_variant_is_no_choice() -> None:
    assert choice.sentences(facts(INT8, judged("int8", 0.1))) == []


def test_models_that_are_not_the_same_are_not_chosen_between() -> None:
    assert choice.sentences(facts(timed("float32", 1.0, model="a"), timed("float32", 2.0, model="b"))) == []


@pytest.mark.parametrize(
    "spoilt",
    [
        facts(FLOAT, INT8, notes={"latency": ["INVALID: the board was held back"]}),
        facts(timed("float32", 2.0, held_back=("throttled",)), timed("int8", 0.5, held_back=("throttled",))),
    ],
)
def test_a_board_that_was_held_back_gets_no_advice_on_speed(spoilt: Facts) -> None:
    assert choice.sentences(spoilt) == precision.sentences(spoilt) == threads.sentences(spoilt) == []
    assert trust.invalid(spoilt)[0].tone == "invalid"
    assert "INVALID: the board was held back" in trust.invalid(spoilt)[0].claim


def test_a_board_that_ran_freely_is_not_called_invalid() -> None:
    assert trust.invalid(facts(FLOAT, INT8, notes={"latency": ["the machine was busy"]})) == []


def test_times_of_another_scenario_are_not_chosen_from() -> None:
    crowd = timed("int8", 0.1, scenario="multi-stream", streams=4)
    assert chosen(facts(FLOAT, INT8, crowd)) == "use tflite/int8 with litert on 1 thread"


def ratioed(*rows: LatencyRow) -> Facts:
    from fer_bench.latency.run import judged as with_ratios  # noqa: PLC0415 - the room's own ratios

    return facts(*with_ratios(rows))  # type: ignore[arg-type]  # they are rows of that room


def test_a_slower_precision_is_told_with_the_advice_and_its_figures() -> None:
    (sentence,) = precision.sentences(ratioed(timed("float32", 1.0), timed("int8", 1.4)))
    assert sentence.claim == "int8 is 1.4 times slower than float32 with litert on 1 thread: use float32"
    assert sentence.figures == "p50 1.40 against 1.00 ms, n = 1,000 or more each"
    assert sentence.tone == "warning"


def test_numbers_of_threads_that_say_the_same_are_one_sentence() -> None:
    rows = [
        timed(name, p50, n)
        for name, p50, n in (("float32", 2.0, 1), ("float32", 1.0, 2), ("int8", 0.5, 1), ("int8", 0.4, 2))
    ]
    (sentence,) = precision.sentences(ratioed(*rows))
    assert sentence.claim == "int8 takes 0.25 to 0.40 of float32's time with litert on 1 and 2 threads"
    assert "p50 0.500, 0.400 against 2.00, 1.00 ms" in sentence.figures


def test_a_precision_that_pays_on_one_number_of_threads_only_is_two_sentences() -> None:
    rows = [
        timed(name, p50, n)
        for name, p50, n in (("float32", 2.0, 1), ("float32", 1.0, 2), ("int8", 0.5, 1), ("int8", 1.4, 2))
    ]
    claims = [sentence.claim for sentence in precision.sentences(ratioed(*rows))]
    assert claims == [
        "int8 takes 0.25 of float32's time with litert on 1 thread",
        "int8 is 1.4 times slower than float32 with litert on 2 threads: use float32",
    ]


def test_intervals_that_overlap_do_not_carry_a_faster_or_slower() -> None:
    (sentence,) = precision.sentences(ratioed(timed("float32", 1.0, width=0.1), timed("int8", 0.95, width=0.1)))
    assert "not significant" in sentence.claim
    assert sentence.tone == "fact"


def test_without_float32_nothing_is_said_of_a_precision() -> None:
    assert precision.sentences(ratioed(timed("int8", 1.0))) == []


def test_the_words_for_a_precision_are_those_of_the_latency_room() -> None:
    row = ratioed(timed("float32", 1.0), timed("int8", 1.4)).latency[1]
    assert row.verdict == pays("int8", [1.4], "with litert on 1 thread", significant=True)


def test_threads_that_gain_little_are_not_needed() -> None:
    found = facts(timed("float32", 2.0), timed("float32", 1.0, 2), timed("float32", 0.97, 4))
    (sentence,) = threads.sentences(found)
    assert sentence.claim == "2 threads are enough for tflite/float32 with litert: 4 gain 3 %"
    assert sentence.figures == "p50 2.00, 1.00, 0.970 ms on 1, 2 and 4"


def test_threads_that_cost_time_are_told_by_how_much() -> None:
    (sentence,) = threads.sentences(facts(timed("int8", 1.0), timed("int8", 1.3, 2)))
    assert sentence.claim == "1 thread is enough for tflite/int8 with litert: 2 take 1.30 times as long"


def test_threads_whose_gain_may_be_chance_are_not_needed() -> None:
    (sentence,) = threads.sentences(facts(timed("int8", 1.0, width=0.2), timed("int8", 0.8, 2, width=0.2)))
    assert sentence.claim.endswith("2 are not significantly faster")


def test_threads_that_pay_are_told_to_pay() -> None:
    (sentence,) = threads.sentences(facts(timed("float32", 2.0), timed("float32", 1.0, 2)))
    assert sentence.claim == "tflite/float32 with litert gains from every thread up to 2"


def test_a_single_number_of_threads_says_nothing_of_threads() -> None:
    assert threads.sentences(facts(FLOAT, INT8)) == []


def test_the_advised_number_of_threads_is_the_one_that_is_enough() -> None:
    found = facts(timed("int8", 1.0), timed("int8", 0.97, 2), timed("float32", 4.0), timed("float32", 3.9, 2))
    assert chosen(found) == "use tflite/int8 with litert on 1 thread"


def test_a_drop_within_chance_is_called_not_significant() -> None:
    (sentence,) = quality.sentences(facts(judged("int8", 0.2)))
    assert sentence.claim == "accuracy: tflite/int8 with litert loses 0.2 points against float32: not significant"
    assert sentence.figures == "drop -0.30 to 0.70, McNemar p 0.4, n = 1,000"
    assert sentence.tone == "fact"


def test_a_drop_beyond_chance_and_beyond_what_is_allowed_is_a_warning() -> None:
    (sentence,) = quality.sentences(facts(judged("int8", 3.0, mcnemar_p=0.001)))
    assert sentence.claim.endswith("loses 3 points against float32: significant, and more than 1 point")
    assert sentence.tone == "warning"


def test_too_few_pictures_to_rule_a_drop_out_is_told_with_how_many_would_do() -> None:
    (sentence,) = quality.sentences(facts(judged("int8", 0.0, half=2.0)))
    assert "is as often right as float32: not significant" in sentence.claim
    assert "more than 1 point cannot be ruled out: that would take some 4,000 pictures" in sentence.claim
    assert sentence.tone == "warning"


def test_no_number_of_pictures_rules_out_a_drop_as_large_as_the_limit() -> None:
    assert quality.needed(judged("int8", 1.0, half=0.1), 1.0) is None


def test_a_gain_is_called_a_gain() -> None:
    (sentence,) = quality.sentences(facts(judged("int8", -0.14)))
    assert "gains 0.14 points" in sentence.claim


def test_the_reference_itself_has_no_drop_to_tell() -> None:
    assert quality.sentences(facts(judged("float32", None))) == []


def test_a_busy_machine_is_told_before_what_was_measured_on_it() -> None:
    note = "the machine was busy before the run (load 9.0 on 2 CPUs); measure again on a quiet one"
    (sentence,) = trust.busy(facts(FLOAT, notes={"latency": ["another note", note], "accuracy": []}))
    assert sentence.text == f"latency: {note}"
    assert sentence.tone == "warning"
    assert trust.busy(facts(FLOAT, notes={"latency": ["another note"]})) == []


def test_a_long_tail_is_told_and_a_short_one_is_not() -> None:
    assert trust.tails(facts(FLOAT, INT8)) == []
    (sentence,) = trust.tails(facts(FLOAT, timed("int8", 0.5, p99_ms=2.5)))
    assert sentence.claim == "the p99 is 5.0 times the p50 in 1 of 2 variants: something else runs here"
    assert sentence.figures.startswith("2.50 ms against 0.500 ms, tflite/int8 with litert on 1 thread")


def test_a_tail_of_too_few_samples_carries_nothing() -> None:
    assert trust.tails(facts(timed("int8", 0.5, p99_ms=2.5, n=100))) == []


def test_a_part_that_was_interrupted_says_so_first() -> None:
    assert trust.interrupted(facts(FLOAT)) == []
    assert trust.interrupted(facts(FLOAT, incomplete=["latency"]))[0].claim.startswith("latency: interrupted")


def test_variants_without_figures_are_counted_and_named() -> None:
    failed = timed("int8", 0.5, n=0, error="ended by SIGILL")
    (sentence,) = trust.failures(facts(FLOAT, failed))
    assert sentence.text == "latency: 1 of 2 gave no figures (tflite/int8 with litert on 1 thread)"
    assert trust.failures(facts(FLOAT)) == []


@pytest.mark.parametrize(
    ("value", "text"), [(0.31234, "0.312"), (12.34, "12.3"), (1234.5, "1,234"), (0.0, "0"), (1.0, "1.00")]
)
def test_numbers_have_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text
    assert ms(value) == f"{text} ms"
