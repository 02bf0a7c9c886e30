"""The plots of the whole daemon: where the time of a frame goes, and what a frame costs."""

from __future__ import annotations

from collections.abc import Sequence

from fer_bench.page import svg
from fer_bench.page.figure import BOTTOM, RIGHT, TOP, WIDTH, Figure, across_bar, vertical
from fer_bench.page.scale import Scale, fitted
from fer_bench.pipeline.plan import PipelineRow
from fer_bench.verdict.frames import staged
from fer_bench.verdict.words import ms, number

LANE, NAME, BAR = 34.0, 13.0, 11.0
"""Heights of a lane, of its name in it, and of its bar."""
PERCENTILES = ("p50", "p95", "p99")


def stages(rows: Sequence[PipelineRow]) -> Figure | None:
    """Time of each stage: the bar is the p50, then lighter the p95 and the p99; None where no row has stages."""
    found = staged(rows)
    if not found or not found[0].stages_ms:
        return None
    times = found[0].stages_ms
    values = [value for each in times.values() for key, value in each.items() if key in PERCENTILES]
    x = fitted(values, 10.0, WIDTH - RIGHT, zero=True)
    bottom = TOP + LANE * len(times)
    parts = vertical(x, "one frame, ms", bottom)
    for i, (name, each) in enumerate(times.items()):
        parts.append(svg.group("s0", _stage(name, each, x, TOP + LANE * i)))
    alt = "; ".join(f"{name} {_told(each)}" for name, each in times.items())
    title = f"Stages of a frame, {found[0].name}"
    note = "From strong to faint: p50, p95, p99. A stage rests in many frames, so its p50 may be near nothing."
    return Figure(title, svg.drawing(WIDTH, bottom + BOTTOM, parts, f"{title}: {alt}"), alt, note)


def costs(rows: Sequence[PipelineRow]) -> Figure | None:
    """CPU of a frame per contender, with the reach of the rounds; None where nobody was measured."""
    found = [row for row in rows if row.cpu_ms_per_frame is not None]
    if not found:
        return None
    rounds = [value for row in found for value in row.cpu_ms_per_frame_rounds or (row.cpu_ms_per_frame or 0.0,)]
    x = fitted(rounds, 10.0, WIDTH - RIGHT, zero=True)
    bottom = TOP + LANE * len(found)
    parts = vertical(x, "CPU of one frame, ms", bottom)
    for i, row in enumerate(found):
        parts.append(svg.group(f"s{i}", _cost(row, x, TOP + LANE * i)))
    alt = "; ".join(f"{row.name} {ms(row.cpu_ms_per_frame)}" for row in found)
    title = "What a frame costs"
    note = (
        "All threads, start-up left out; medians of the rounds, the whisker from the lowest to the highest. "
        "In brackets: to the bare loop of the same round."
    )
    return Figure(title, svg.drawing(WIDTH, bottom + BOTTOM, parts, f"{title}: {alt}"), alt, note)


def _stage(name: str, times: dict[str, float], x: Scale, top: float) -> list[str]:
    said = f"{name}: {_told(times)}"
    parts = [_named(x, top, name, _told(times))]
    for percentile, shade in zip(reversed(PERCENTILES), ("faint", "half", "bar"), strict=True):
        if percentile in times:
            parts.append(_bar(x, top, times[percentile], shade, said))
    return parts


def _cost(row: PipelineRow, x: Scale, top: float) -> list[str]:
    value = row.cpu_ms_per_frame or 0.0
    ratio = "" if row.ratio_to_bare is None else f" ({row.ratio_to_bare:.2f})"
    parts = [
        _named(x, top, row.name, f"{ms(value)}{ratio}"),
        _bar(x, top, value, "bar", f"{row.name}: {ms(value)}{ratio}"),
    ]
    if len(row.cpu_ms_per_frame_rounds) > 1:
        ends = (min(row.cpu_ms_per_frame_rounds), max(row.cpu_ms_per_frame_rounds))
        parts += across_bar(x, top + NAME + BAR / 2, ends)
    return parts


def _named(x: Scale, top: float, name: str, figures: str) -> str:
    at = top + NAME - 3
    return svg.text((x.start, at), svg.clipped(name), class_="lane") + svg.text(
        (WIDTH - RIGHT, at), figures, anchor="end"
    )


def _bar(x: Scale, top: float, value: float, shade: str, said: str) -> str:
    return svg.rect((x.start, top + NAME), x(value) - x.start, BAR, shade, svg.hint(said))


def _told(times: dict[str, float]) -> str:
    return ", ".join(f"{name} {number(times[name])}" for name in PERCENTILES if name in times)
