"""The daemon's page, its state as JSON, its events and its metrics over HTTP, for those who may see them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fer_edge.errors import RuntimeUnavailable

if TYPE_CHECKING:
    from fer_edge.clock import Clock
    from fer_edge.health import Health
    from fer_edge.live import Live
    from fer_edge.web.picture import Preview
    from fer_edge.web.server import WebServer
    from fer_edge.web.settings import HttpSettings


def open_web(
    settings: HttpSettings, live: Live, health: Health, clock: Clock, preview: Preview | None = None
) -> WebServer:
    """A server that does not listen yet; raises RuntimeUnavailable where its libraries are missing."""
    try:
        from fer_edge.web.server import WebServer  # noqa: PLC0415 - aiohttp is loaded only when it is used
    except ImportError as error:
        missing = error.name or str(error)
        raise RuntimeUnavailable(f"http needs {missing}: pip install 'fer-edge[web]'") from None
    return WebServer(settings, live, health, clock, preview)
