"""SIGHUP: the configuration is read again, what can change is changed, and a file with mistakes changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from fer_edge.config import Settings
from fer_edge.errors import FerEdgeError
from fer_edge.health import Health

log = logging.getLogger(__name__)

CONFIGURATION = "configuration"
"""The part of health that speaks of this."""
Apply = Callable[[Settings], None]


class Reloading:
    """Reads the configuration again when it is asked to, and hands it to whoever can take a change.

    Belongs to the main thread; `request` may be called by a signal's handler.
    """

    def __init__(
        self, settings: Settings, read: Callable[[], Settings], apply: Mapping[str, Apply], health: Health
    ) -> None:
        """settings: as they are. apply: by the beginning of keys ("camera", "events.rate"), what makes them so."""
        self._settings, self._read, self._apply, self._health = settings, read, apply, health
        self._asked = False

    def request(self) -> None:
        """At the next `tick`."""
        self._asked = True

    def tick(self) -> None:
        """Do it, if it was asked for."""
        if not self._asked:
            return
        self._asked = False
        try:
            fresh = self._read()
        except FerEdgeError as error:
            log.error("the configuration is refused, the one before stays: %s", error)  # noqa: TRY400 - one sentence
            self._health.report(CONFIGURATION, f"refused, the one before stays: {error}")
            return
        self._health.report(CONFIGURATION, None)
        self._take(fresh)

    def _take(self, fresh: Settings) -> None:
        keys = changed(self._settings, fresh)
        due = {prefix for prefix in self._apply if any(_under(key, prefix) for key in keys)}
        late = sorted(key for key in keys if not any(_under(key, prefix) for prefix in self._apply))
        self._settings = fresh
        for prefix in sorted(due):
            self._apply[prefix](fresh)
        if keys - set(late):
            log.info("the configuration is read again; changed: %s", ", ".join(sorted(keys - set(late))))
        if late:
            log.warning("these keys change only with a restart: %s", ", ".join(late))
        if not keys:
            log.info("the configuration is read again; nothing in it has changed")


def changed(before: Settings, after: Settings) -> set[str]:
    """Dotted names of the keys whose values differ."""
    old, new = _flat(before), _flat(after)
    return {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}


def _flat(model: BaseModel, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _under(key: str, prefix: str) -> bool:
    return key == prefix or key.startswith(f"{prefix}.")
