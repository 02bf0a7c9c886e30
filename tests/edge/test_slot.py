"""The mailbox between two threads."""

from __future__ import annotations

import threading

from fer_edge.daemon.slot import Slot


def test_the_newest_item_wins_and_the_loss_is_counted() -> None:
    slot: Slot[int] = Slot(patient=False)
    for number in range(5):
        assert slot.put(number)
    assert slot.take(0.0) == 4
    assert slot.dropped == 4


def test_an_empty_slot_gives_nothing_within_the_timeout() -> None:
    slot: Slot[int] = Slot(patient=False)
    assert slot.take(0.001) is None


def test_a_patient_writer_loses_nothing() -> None:
    slot: Slot[int] = Slot(patient=True)
    writer = threading.Thread(target=lambda: [slot.put(number) for number in range(200)])
    writer.start()
    taken = [slot.take(5.0) for _ in range(200)]
    writer.join(5.0)
    assert taken == list(range(200))
    assert slot.dropped == 0


def test_closing_lets_a_waiting_writer_go() -> None:
    slot: Slot[int] = Slot(patient=True)
    slot.put(1)
    results: list[bool] = []
    writer = threading.Thread(target=lambda: results.append(slot.put(2)))
    writer.start()
    slot.close()
    writer.join(5.0)
    assert results == [False]


def test_what_lies_in_a_closed_slot_may_still_be_taken() -> None:
    slot: Slot[int] = Slot(patient=False)
    slot.put(7)
    slot.close()
    assert not slot.finished
    assert slot.take(0.0) == 7
    assert slot.finished


def test_a_closed_slot_takes_nothing_more() -> None:
    slot: Slot[int] = Slot(patient=False)
    slot.close()
    assert not slot.put(1)
    assert slot.take(0.0) is None
