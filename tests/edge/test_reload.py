"""A configuration that is read again changes what can change, and a bad one nothing."""

from __future__ import annotations

import logging

import pytest

from fer_edge.config import Settings, load
from fer_edge.daemon.reload import Reloading, changed
from fer_edge.errors import ConfigError
from fer_edge.health import Health


class Asked:
    """What would be read, and what was applied."""

    def __init__(self, *assignments: str) -> None:
        self.now = load(None, {}, [])
        self.next: Settings | ConfigError = load(None, {}, list(assignments))
        self.applied: list[tuple[str, Settings]] = []
        self.health = Health()
        names = ("camera", "source", "events.rate")
        apply = {name: lambda fresh, name=name: self.applied.append((name, fresh)) for name in names}
        self.subject = Reloading(self.now, self.read, apply, self.health)

    def read(self) -> Settings:
        if isinstance(self.next, ConfigError):
            raise self.next
        return self.next

    def again(self) -> list[str]:
        self.subject.request()
        self.subject.tick()
        return [name for name, _ in self.applied]


def test_nothing_is_read_until_it_is_asked_for() -> None:
    asked = Asked("camera.fps=5")
    asked.subject.tick()
    assert asked.applied == []


def test_each_change_goes_to_the_one_who_can_make_it_and_once() -> None:
    asked = Asked("camera.fps=5", "camera.width_px=320", "events.rate=all")
    assert asked.again() == ["camera", "events.rate"]
    assert asked.applied[0][1].camera.fps == 5.0
    assert asked.again() == ["camera", "events.rate"]


def test_what_needs_a_restart_is_named(caplog: pytest.LogCaptureFixture) -> None:
    asked = Asked("model=other", "threads=2", "source=demo")
    with caplog.at_level(logging.INFO):
        assert asked.again() == ["source"]
    assert "these keys change only with a restart: model, threads" in caplog.text
    assert "changed: source" in caplog.text


def test_a_bad_file_changes_nothing_and_is_told_until_a_good_one_comes() -> None:
    asked = Asked()
    asked.next = ConfigError("configuration edge.toml: line 3: modle is not a known key")
    assert asked.again() == []
    assert "line 3: modle" in asked.health.status().reasons["configuration"]
    asked.next = load(None, {}, ["camera.fps=5"])
    assert asked.again() == ["camera"]
    assert asked.health.status().reasons == {}


def test_keys_are_told_apart_by_their_whole_name() -> None:
    before, after = load(None, {}, []), load(None, {}, ["pipeline.search.full_px=640", "max_frames=3"])
    assert changed(before, after) == {"pipeline.search.full_px", "max_frames"}
