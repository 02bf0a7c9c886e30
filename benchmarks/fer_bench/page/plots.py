"""The plots of variants: latency against accuracy, samples, threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from fer_bench.latency.rows import ScenarioRow
from fer_bench.page import svg
from fer_bench.page.figure import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Figure,
    Series,
    across_bar,
    horizontal,
    key,
    plane,
    upright_bar,
    vertical,
)
from fer_bench.page.scale import Scale, fitted
from fer_bench.results.rows import AccuracyRow, count
from fer_bench.verdict.threads import sweeps
from fer_bench.verdict.words import ms, number

Looks = Mapping[tuple[str, str], Series]

BINS = 120
LANE, LABEL, BODY = 42.0, 14.0, 20.0
"""Heights of a variant's lane, of its name in it, and of its samples."""
MAX_LANES = 16
SHORT = 6
"""Lanes that are as high as two other plots are more than this."""
NS_PER_MS = 1e6
P50, P99 = 50, 99


def trade(latency: Sequence[ScenarioRow], accuracy: Sequence[AccuracyRow], looks: Looks) -> Figure | None:
    """Accuracy over latency, an artifact and runtime a point with both intervals; None where nothing has both."""
    pairs = [(one.enough, right) for one in sweeps(_timed(latency)) if (right := _judged(one.enough, accuracy))]
    if not pairs:
        return None
    x = fitted([end for row, _ in pairs for end in row.p50_ci95_ms or ()], LEFT, WIDTH - RIGHT)
    y = fitted([100 * end for _, right in pairs for end in right.top1_ci95 or ()], HEIGHT - BOTTOM, TOP + 8, log=False)
    parts = plane(x, y, "p50 of one inference, ms", "top-1, %")
    for row, right in pairs:
        parts.append(svg.group(looks[key(row)].color, _point(row, right, (x, y), looks[key(row)].shape)))
    alt = "; ".join(f"{row.name} {ms(row.p50_ms)} and {100 * (right.top1 or 0.0):.2f} %" for row, right in pairs)
    note = "Up and to the left is better. Bars: 95 % intervals. Beside a point: the threads that are enough for it."
    title = "Latency against accuracy"
    shown = _shown(looks, [row for row, _ in pairs])
    return Figure(title, svg.drawing(WIDTH, HEIGHT, parts, f"{title}: {alt}"), alt, note, shown)


def _point(row: ScenarioRow, right: AccuracyRow, scales: tuple[Scale, Scale], shape: str) -> list[str]:
    x, y = scales
    low, high = right.top1_ci95 or (0.0, 1.0)
    at = (x(row.p50_ms or 0.0), y(100 * (right.top1 or 0.0)))
    said = f"{row.name}: {ms(row.p50_ms)}, {100 * (right.top1 or 0.0):.2f} %"
    return [
        *across_bar(x, at[1], row.p50_ci95_ms or (0.0, 0.0)),
        *upright_bar(at[0], y, (100 * low, 100 * high)),
        svg.marker(at, shape, svg.hint(said)),
        svg.text((at[0] + 7, at[1] - 6), str(row.threads), class_="tick strong"),
    ]


def sweep(latency: Sequence[ScenarioRow], looks: Looks) -> Figure | None:
    """The p50 over the number of threads; None for a single number of threads."""
    rows = _timed(latency)
    numbers = sorted({row.threads for row in rows})
    if len(numbers) < 2:
        return None
    x = Scale(0.0, float(len(numbers) - 1), LEFT + 26, WIDTH - RIGHT - 26)
    ends = [end for row in rows for end in row.p50_ci95_ms or (row.p50_ms or 0.0,)]
    y = fitted(ends, HEIGHT - BOTTOM, TOP + 8, zero=max(ends) <= 8 * min(ends))
    bottom = HEIGHT - BOTTOM
    parts = horizontal(y, "p50, ms" + (", logarithmic" if y.log else ""))
    parts += [svg.text((x(i), bottom + 14), str(n), anchor="middle") for i, n in enumerate(numbers)]
    parts.append(svg.text(((LEFT + WIDTH - RIGHT) / 2, bottom + 32), "threads", anchor="middle", class_="axis"))
    for name, look in looks.items():
        mine = sorted((row for row in rows if key(row) == name), key=lambda row: row.threads)
        parts.append(svg.group(look.color, _swept(mine, numbers, x, y, look)))
    alt = "; ".join(f"{row.name} {ms(row.p50_ms)}" for row in rows)
    note = "Lower is better. Bars: 95 % intervals."
    title = "Threads"
    return Figure(title, svg.drawing(WIDTH, HEIGHT, parts, f"{title}: {alt}"), alt, note, _shown(looks, rows))


def _swept(rows: Sequence[ScenarioRow], numbers: Sequence[int], x: Scale, y: Scale, look: Series) -> list[str]:
    """A line with its points; series stand a little beside one another, so that their bars can be told apart."""
    if not rows:
        return []
    aside = 5.0 * ((look.number % 5) - 2)
    spots = [(x(numbers.index(row.threads)) + aside, y(row.p50_ms or 0.0)) for row in rows]
    parts = [svg.path(spots, "trace")]
    for row, at in zip(rows, spots, strict=True):
        if row.p50_ci95_ms:
            parts += upright_bar(at[0], y, row.p50_ci95_ms)
        parts.append(svg.marker(at, look.shape, svg.hint(f"{row.name}: {ms(row.p50_ms)}")))
    return parts


def samples(latency: Sequence[ScenarioRow], looks: Looks) -> Figure | None:
    """How the steady samples of each variant are spread, fastest first; None where there are none."""
    rows = sorted((row for row in latency if row.n and row.samples_ns), key=lambda row: row.p50_ms or 0.0)
    if not rows:
        return None
    kept = rows[:MAX_LANES]
    pools = [
        np.concatenate([np.asarray(each, dtype=np.float64) for each in row.samples_ns]) / NS_PER_MS for row in kept
    ]
    ends = [float(end) for pool in pools for end in np.percentile(pool, [0.1, 99.7])]
    x = fitted(ends, 10.0, WIDTH - RIGHT)
    bottom = TOP + LANE * len(kept)
    parts = vertical(x, "one inference, ms", bottom)
    for i, (row, pool) in enumerate(zip(kept, pools, strict=True)):
        parts.append(svg.group(looks[key(row)].color, _lane(row, pool, x, TOP + LANE * i)))
    alt = "; ".join(f"{row.name} p50 {number(row.p50_ms or 0.0)}, p99 {ms(row.p99_ms)}" for row in kept)
    note = "The height is how many samples took so long; the line is the p50, the dotted one the p99."
    if len(rows) > len(kept):
        note += f" The {count(len(rows) - len(kept), 'slowest variant')} of {len(rows)} are left out."
    title = "Samples"
    drawn = svg.drawing(WIDTH, bottom + BOTTOM, parts, f"{title}: {alt}")
    return Figure(title, drawn, alt, note, tall=len(kept) > SHORT)


def _lane(row: ScenarioRow, pool: NDArray[np.float64], x: Scale, top: float) -> list[str]:
    edges = np.linspace(x.start, x.end, BINS + 1)
    places = np.array([x(value) for value in _thinned(pool)])
    heights = np.histogram(places, edges)[0].astype(float)
    heights *= BODY / max(heights.max(), 1.0)
    base = top + LABEL + BODY
    outline = [(float(edges[0]), base)]
    for i, height in enumerate(heights):
        outline += [(float(edges[i]), base - float(height)), (float(edges[i + 1]), base - float(height))]
    said = svg.hint(f"{row.name}: p50 {ms(row.p50_ms)}, p99 {ms(row.p99_ms)}, n = {row.n:,}")
    body = svg.tag("g", said, svg.path([*outline, (float(edges[-1]), base)], "body", closed=True))
    middle, far = x(row.p50_ms or 0.0), x(row.p99_ms or 0.0)
    marks = [
        svg.line((middle, top + LABEL), (middle, base), "median"),
        svg.line((far, top + LABEL), (far, base), "far"),
        svg.text((x.start, top + LABEL - 3), svg.clipped(row.name), class_="lane"),
        svg.text((WIDTH - RIGHT, top + LABEL - 3), f"{ms(row.p50_ms)}", anchor="end", class_="tick strong"),
    ]
    return [body, *marks]


def _thinned(pool: NDArray[np.float64], most: int = 20_000) -> NDArray[np.float64]:
    """Evenly picked in order of size: a silhouette needs no more."""
    ordered = np.sort(pool)
    return ordered if ordered.size <= most else ordered[np.linspace(0, ordered.size - 1, most).astype(int)]


def _judged(row: ScenarioRow, accuracy: Sequence[AccuracyRow]) -> AccuracyRow | None:
    """What is known of its artifact, in the same runtime before any other."""
    found = [each for each in accuracy if each.n and each.top1_ci95 and key(each)[0] == key(row)[0]]
    return next((each for each in found if each.runtime == row.runtime), found[0] if found else None)


def _timed(rows: Sequence[ScenarioRow]) -> list[ScenarioRow]:
    return [row for row in rows if row.p50_ms and row.p50_ci95_ms]


def _shown(looks: Looks, rows: Sequence[ScenarioRow]) -> list[Series]:
    names = {key(row) for row in rows}
    return [look for name, look in looks.items() if name in names]
