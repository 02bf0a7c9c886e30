"""What every test finds, whatever ran before it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from hypothesis import settings

from fer_edge.system.journal import LimitedHandler

settings.register_profile("patient", deadline=None)  # a machine that is busy with other things is not a failure
settings.load_profile("patient")


@pytest.fixture(autouse=True, scope="session")
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a test's daemons find out about this machine is not left in the user's folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.delenv("STATE_DIRECTORY", raising=False)
        yield


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """The root logger as it was: a command that a test calls sends its log to a stream that ends with the test."""
    root = logging.getLogger()
    level = root.level
    yield
    for handler in [each for each in root.handlers if isinstance(each, LimitedHandler)]:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
