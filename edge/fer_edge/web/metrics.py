"""Everything countable for Prometheus, made from what `Live` holds at the moment of asking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from fer_edge.health import State
from fer_edge.live import Live

PREFIX = "fer_edge_"
_COUNTS = {
    "frames": "Frames that were thought about.",
    "faces": "Faces in all of these frames.",
    "dropped_frames": "Frames that a live camera delivered while the daemon was busy.",
    "lost_events": "Events that a sink could not deliver.",
    "camera_losses": "Times that the camera was lost.",
}
_INFO = ("fer_edge", "model", "artifact", "runtime", "effective_precision", "threads", "detector")
_QUANTILES = {"p50": "0.5", "p95": "0.95"}


class Metrics:
    """A registry of our own, so that nothing of other libraries gets in."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, live: Live, web: Callable[[], dict[str, Any]]) -> None:
        """web: the server's own numbers, see `fer_edge.web.routes.Site.numbers`."""
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Readings(live, web))
        ProcessCollector(namespace="fer_edge", registry=self._registry)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)


class _Readings(Collector):
    """Turns a snapshot into families of metrics."""

    def __init__(self, live: Live, web: Callable[[], dict[str, Any]]) -> None:
        self._live, self._web = live, web

    def describe(self) -> list[Metric]:
        """Nothing: registering must not ask for readings."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families."""
        snapshot, totals = self._live.snapshot(timeline=False), self._live.totals()
        yield from _counts(snapshot, totals)
        yield from _speed(snapshot, totals)
        yield from _condition(snapshot)
        yield from _board(snapshot["board"] or {})
        if snapshot["faces"] is not None:
            yield from _faces(snapshot)
        yield from _web(self._web())


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(PREFIX + name, text, value=value)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, text, value=value)


def _labelled(family: Metric, label: str, values: dict[str, float]) -> Metric:
    suffix = "_total" if family.type == "counter" else ""
    for key, value in values.items():
        family.add_sample(family.name + suffix, {label: key}, value)
    return family


def _counts(snapshot: dict[str, Any], totals: dict[str, Any]) -> Iterator[Metric]:
    for name, text in _COUNTS.items():
        if snapshot["counts"][name] is not None:
            yield _counter(name, text, snapshot["counts"][name])
    yield _labelled(CounterMetricFamily(PREFIX + "events", "Events, by type."), "type", totals["events"])


def _speed(snapshot: dict[str, Any], totals: dict[str, Any]) -> Iterator[Metric]:
    yield _gauge("frames_per_second", "Frames per second, over the last seconds.", snapshot["fps"])
    age_s = snapshot["frame"]["age_s"] if snapshot["frame"] else None
    if age_s is not None:
        yield _gauge("frame_age_seconds", "Since the last frame was thought about.", age_s)
    family = Metric(PREFIX + "stage_seconds", "Time that a frame spends in a stage.", "summary")
    for stage, (frames, total_s) in totals["stages"].items():
        for key, quantile in _QUANTILES.items():
            if stage in snapshot["stages_ms"]:
                value_s = snapshot["stages_ms"][stage][key] / 1000.0
                family.add_sample(family.name, {"stage": stage, "quantile": quantile}, value_s)
        family.add_sample(family.name + "_sum", {"stage": stage}, total_s)
        family.add_sample(family.name + "_count", {"stage": stage}, frames)
    yield family


def _condition(snapshot: dict[str, Any]) -> Iterator[Metric]:
    states = {state: float(state == snapshot["state"]) for state in get_args(State)}
    yield _labelled(GaugeMetricFamily(PREFIX + "state", "1 for the state that it is in."), "state", states)
    yield _gauge("ready", "1 while expressions can be told of.", float(snapshot["ready"]))
    parts = dict.fromkeys(snapshot["reasons"], 1.0)
    yield _labelled(GaugeMetricFamily(PREFIX + "trouble", "1 for each part that is in trouble."), "part", parts)
    yield _gauge("up_seconds", "Since the daemon began.", snapshot["up_s"])
    who = {key: str(snapshot["who"][key]) for key in _INFO if key in snapshot["who"]}
    yield InfoMetricFamily(PREFIX.rstrip("_"), "What runs: model, runtime, precision.", value=who)


def _board(board: dict[str, Any]) -> Iterator[Metric]:
    if board.get("temperature_c") is not None:
        yield _gauge("temperature_celsius", "The board's own temperature.", board["temperature_c"])
    if board.get("memory_available_bytes") is not None:
        yield _gauge("memory_available_bytes", "Memory that the board has left.", board["memory_available_bytes"])
    if board.get("throttled") is not None:
        family = GaugeMetricFamily(PREFIX + "throttled", "1 for each thing that holds the board back.")
        yield _labelled(family, "reason", dict.fromkeys(board["throttled"], 1.0))


def _faces(snapshot: dict[str, Any]) -> Iterator[Metric]:
    counts = dict.fromkeys((*snapshot["labels"], "uncertain"), 0.0)
    for face in snapshot["faces"]:
        counts[face["label"]] = counts.get(face["label"], 0.0) + 1.0
    yield _gauge("faces_seen", "Faces to be seen now.", len(snapshot["faces"]))
    yield _labelled(
        GaugeMetricFamily(PREFIX + "expressions_seen", "Faces to be seen now, by expression."), "label", counts
    )


def _web(numbers: dict[str, Any]) -> Iterator[Metric]:
    yield _gauge("web_connections", "Connections that are held.", numbers["open"])
    yield _gauge("web_event_readers", "Clients that read events along.", numbers["readers"])
    yield _gauge("web_picture_watchers", "Clients that watch the picture.", numbers["watchers"])
    yield _counter("web_refused_connections", "Connections for which there was no place.", numbers["refused"])
    yield _counter("web_cut_connections", "Clients that took nothing and were cut off.", numbers["cut"])
    yield _counter("web_malformed_requests", "Requests that could not be read.", numbers["malformed"])
    family = CounterMetricFamily(PREFIX + "web_answers", "Answers, by status.")
    yield _labelled(family, "status", numbers["answers"])
