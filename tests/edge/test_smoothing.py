"""Smoothing: calm over time whatever the frame rate, and honest about being uncertain."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer_edge.smoothing import Smoother, SmootherOptions
from fer_edge.types import Expression

LABELS = ("happy", "sad", "neutral")


def raw(happy: float, sad: float) -> Expression:
    return Expression((happy, sad, 1.0 - happy - sad), None)


HAPPY, SAD = raw(0.9, 0.05), raw(0.05, 0.9)


def smoother(uncertain_below: float = 0.0, **options: float) -> Smoother:
    return Smoother(LABELS, uncertain_below, SmootherOptions(**options))


def run(calm: Smoother, shown: list[Expression], step_s: float = 0.1, start_s: float = 0.0) -> list[str | None]:
    return [calm.update(1, each, start_s + i * step_s).label for i, each in enumerate(shown)]


def test_the_first_frame_is_taken_as_it_is() -> None:
    found = smoother().update(1, HAPPY, 0.0)
    assert found.probabilities == pytest.approx(HAPPY.probabilities)
    assert found.label == "happy"


def test_one_odd_frame_does_not_change_the_label() -> None:
    assert run(smoother(), [HAPPY] * 10 + [SAD] + [HAPPY] * 5) == ["happy"] * 16


def test_a_lasting_change_does_within_a_time_constant() -> None:
    calm = smoother(average_s=0.5)
    run(calm, [HAPPY] * 20)
    found = run(calm, [SAD] * 10, start_s=2.0)
    assert found.index("sad") <= 5
    assert found[-1] == "sad"


def test_the_first_frame_does_not_outweigh_those_that_follow() -> None:
    calm = smoother(average_s=0.5, first_s=0.1, dwell_s=0.0)
    assert run(calm, [SAD, HAPPY, HAPPY, HAPPY])[-1] == "happy"


@settings(max_examples=30, deadline=None)
@given(fps=st.integers(5, 60))
def test_the_frame_rate_does_not_matter(fps: int) -> None:
    calm = smoother(average_s=0.5)
    for i in range(2 * fps):
        calm.update(1, HAPPY, i / fps)
    for i in range(fps // 2 + 1):
        found = calm.update(1, SAD, 2.0 + i / fps)
    assert found.probabilities[0] == pytest.approx(0.05 + 0.85 * 0.368, abs=0.85 * 0.368 * (1.3 / (0.5 * fps)) + 0.02)


@settings(max_examples=60, deadline=None)
@given(
    shown=st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)), min_size=1, max_size=40),
    step_s=st.floats(0.0, 2.0),
    average_s=st.floats(0.0, 3.0),
)
def test_smoothed_probabilities_sum_to_one_and_stay_within_what_was_seen(
    shown: list[tuple[float, float]], step_s: float, average_s: float
) -> None:
    calm = smoother(average_s=average_s)
    for i, pair in enumerate(shown):
        found = calm.update(1, raw(*pair), i * step_s)
    assert sum(found.probabilities) == pytest.approx(1.0, abs=1e-6)
    for k, value in enumerate(found.probabilities):
        column = [raw(*pair).probabilities[k] for pair in shown]
        assert min(column) - 1e-9 <= value <= max(column) + 1e-9


def test_without_a_time_constant_every_frame_is_taken_as_it_is() -> None:
    calm = smoother(average_s=0.0)
    assert run(calm, [HAPPY, SAD, HAPPY]) == ["happy", "sad", "happy"]


def test_a_small_lead_has_to_last_before_it_changes_the_label() -> None:
    calm = smoother(average_s=0.0, margin=0.1, dwell_s=0.5)
    slightly_sad = raw(0.40, 0.45)
    assert run(calm, [HAPPY] + [slightly_sad] * 7) == ["happy"] * 6 + ["sad"] * 2


def test_a_lead_that_breaks_off_begins_anew() -> None:
    calm = smoother(average_s=0.0, margin=0.1, dwell_s=0.5)
    slightly_sad, slightly_happy = raw(0.40, 0.45), raw(0.45, 0.40)
    shown = [HAPPY, *[slightly_sad] * 4, slightly_happy, *[slightly_sad] * 5]
    assert run(calm, shown) == ["happy"] * 11


def test_two_rivals_in_turn_do_not_add_up() -> None:
    calm = smoother(average_s=0.0, margin=0.1, dwell_s=0.5)
    slightly_sad, slightly_neutral = raw(0.33, 0.35), raw(0.33, 0.32)
    assert run(calm, [HAPPY] + [slightly_sad, slightly_neutral] * 5) == ["happy"] * 11


def test_a_large_lead_changes_the_label_at_once() -> None:
    assert run(smoother(average_s=0.0), [HAPPY, SAD]) == ["happy", "sad"]


def test_below_the_threshold_a_new_face_is_uncertain() -> None:
    assert run(smoother(uncertain_below=0.6), [raw(0.59, 0.2)]) == [None]
    assert run(smoother(uncertain_below=0.6), [raw(0.60, 0.2)]) == ["happy"]


def test_confidence_about_the_threshold_does_not_flicker() -> None:
    wavering = [raw(0.61, 0.2), raw(0.59, 0.2)] * 5
    assert run(smoother(uncertain_below=0.6, average_s=0.0, band=0.03), wavering) == ["happy"] * 10
    assert run(smoother(uncertain_below=0.6, average_s=0.0, band=0.03), wavering[::-1]) == [None] * 10


def test_a_label_is_given_up_well_below_the_threshold_and_given_again_well_above() -> None:
    calm = smoother(uncertain_below=0.6, average_s=0.0, band=0.03)
    assert run(calm, [raw(0.7, 0.2), raw(0.56, 0.2), raw(0.62, 0.2), raw(0.64, 0.2)]) == ["happy", None, None, "happy"]


def test_a_threshold_near_one_can_still_be_reached() -> None:
    assert run(smoother(uncertain_below=0.99, average_s=0.0), [raw(0.5, 0.2), raw(1.0, 0.0)]) == [None, "happy"]


def test_tracks_do_not_mix() -> None:
    calm = smoother()
    calm.update(1, HAPPY, 0.0)
    assert calm.update(2, SAD, 0.0).label == "sad"
    assert calm.held(1).label == "happy"


def test_what_is_held_is_the_last_result() -> None:
    calm = smoother()
    calm.update(1, HAPPY, 0.0)
    assert calm.update(1, SAD, 0.1) == calm.held(1)


def test_a_track_that_ended_leaves_nothing_behind() -> None:
    calm = smoother()
    calm.update(1, HAPPY, 0.0)
    calm.drop([1, 7])
    with pytest.raises(KeyError):
        calm.held(1)
    assert calm.update(1, SAD, 0.1).label == "sad"


def test_a_clock_that_goes_back_does_no_harm() -> None:
    calm = smoother()
    calm.update(1, HAPPY, 5.0)
    assert calm.update(1, SAD, 1.0).label == "happy"
