"""What the curves say in sentences, and that one small p among many tests is not taken for a difference."""

from __future__ import annotations

from fer_bench.accuracy.corruptions import BY_NAME
from fer_bench.accuracy.verdict import against_reference, endurance, holm
from fer_bench.results.rows import AccuracyRow, CorruptionRow


def step(corruption: str, severity: int, low: float, p: float | None = None) -> CorruptionRow:
    return CorruptionRow(
        corruption=corruption,
        severity=severity,
        level=BY_NAME[corruption].levels[severity - 1],
        n=100,
        top1=0.5,
        top1_ci95=(0.4, 0.6),
        drop_from_clean_pp=low + 5,
        drop_from_clean_pp_ci95=(low, low + 10),
        drop_pp=3.0,
        mcnemar_p=p,
    )


def row(*steps: CorruptionRow) -> AccuracyRow:
    return AccuracyRow(
        format="tflite",
        precision="int8",
        runtime="litert",
        threads=1,
        size_bytes=1,
        reference="tflite/float32 with litert on 1 thread",
        corruptions=steps,
    )


def test_a_loss_begins_where_its_interval_leaves_zero() -> None:
    said = endurance(row(step("blur", 1, -1.0), step("blur", 2, 0.5), step("blur", 3, 9.0), step("jpeg", 1, -2.0)))
    assert said == (
        "tflite/int8 with litert on 1 thread: the drop's interval lies above 0 first at blur 1; nowhere under jpeg"
    )


def test_an_artifact_that_bears_everything_is_told_so() -> None:
    assert endurance(row(step("jpeg", 1, -2.0))).endswith("lies above 0 nowhere under jpeg")


def test_one_small_p_among_many_steps_is_no_difference() -> None:
    steps = [step("blur", severity, 0.0, 0.03 if severity == 2 else 0.6) for severity in range(1, 6)]
    assert "not significant at any step (McNemar, 5 steps, Holm's correction)" in str(against_reference(row(*steps)))


def test_a_very_small_p_among_many_steps_is_one() -> None:
    steps = [step("blur", severity, 0.0, 0.001 if severity == 2 else 0.6) for severity in range(1, 6)]
    assert "drops blur 1 (+3.00 points) are significant" in str(against_reference(row(*steps)))


def test_holm_stops_at_the_first_that_is_chance() -> None:
    assert holm([0.024, 0.01, 0.02, 0.9]) == [
        False,
        True,
        False,
        False,
    ]  # 0.0125; 0.0167 < 0.02; 0.025 is no more asked
    assert holm([0.01, 0.02, 0.03, 0.04], 0.2) == [True] * 4
    assert holm([]) == []
