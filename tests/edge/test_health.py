"""One state follows from what the parts say of themselves."""

from __future__ import annotations

from fer_edge.health import Health, Status


def test_it_starts_and_runs_with_the_first_frame() -> None:
    health = Health()
    assert health.status() == Status("starting", {})
    health.running()
    assert health.status() == Status("running", {})
    assert health.status().ready


def test_a_part_in_trouble_degrades_it_until_the_trouble_ends() -> None:
    health = Health()
    health.running()
    health.report("mqtt", "the broker refuses the password")
    assert health.status() == Status("degraded", {"mqtt": "the broker refuses the password"})
    assert health.status().ready
    health.report("mqtt", None)
    assert health.status() == Status("running", {})


def test_a_lost_camera_is_a_state_of_its_own_and_keeps_the_other_reasons() -> None:
    health = Health()
    health.running()
    health.report("events", "the disk is full")
    health.camera_lost("no frame for 2 s")
    status = health.status()
    assert status == Status("camera_lost", {"events": "the disk is full", "camera": "no frame for 2 s"})
    assert status.alive
    assert not status.ready
    health.camera_lost(None)
    assert health.status().state == "degraded"


def test_a_camera_that_never_came_is_lost_and_not_starting() -> None:
    health = Health()
    health.camera_lost("there is no /dev/video0")
    assert health.status().state == "camera_lost"


def test_trouble_while_starting_does_not_make_it_run() -> None:
    health = Health()
    health.report("mqtt", "no broker answers")
    assert health.status() == Status("starting", {"mqtt": "no broker answers"})


def test_stopping_is_the_last_state() -> None:
    health = Health()
    health.stopping()
    health.running()
    health.camera_lost("gone")
    assert health.status().state == "stopping"
    assert not health.status().alive
