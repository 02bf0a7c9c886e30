"""The pipeline's result for people: tables, and a sentence per figure."""

from __future__ import annotations

from collections.abc import Sequence

from fer_bench.pipeline.calm import sentence
from fer_bench.pipeline.contenders import DAEMON
from fer_bench.pipeline.coverage import MIN_IOU, Coverage
from fer_bench.pipeline.loops import REFERENCE_WIDTH_PX, SCORE
from fer_bench.pipeline.plan import PipelineRow
from fer_bench.results.report import Report
from fer_bench.results.rows import count
from fer_bench.table import MISSING, figure, percent, render, span

HEAD = ("", "CPU ms/frame", "/ bare loop", "min..max", "frames/s", "frames", "faces", "covered", "RSS MB", "n")
STAGES_HEAD = ("stage, ms", "p50", "p95", "p99")
MB = 1e6


def text(report: Report) -> str:
    """The table, the stages, then a sentence per figure."""
    rows = [row for row in report.rows if isinstance(row, PipelineRow)]
    cells = [_cells(row) for row in rows if row.cpu_ms_per_frame is not None]
    parts = [render(HEAD, cells)] if cells else []
    parts += [_stages(row) for row in rows if row.stages_ms]
    parts += [_latency(row) for row in rows if row.latency_n]
    parts += [_memory(row) for row in rows if row.growth_bytes is not None]
    parts += [_energy(row, report) for row in rows if row.mj_per_frame is not None]
    parts += [_first(row) for row in rows if row.first_face_s is not None]
    if report.extra["throughput_of_hand"] is not None:
        share = percent(report.extra["throughput_of_hand"], 0)
        parts.append(f"{DAEMON} has {share} % of the throughput of the same stages by hand")
    if report.extra["coverage"] is not None:
        parts.append(_coverage(Coverage(**report.extra["coverage"])))
    if report.extra.get("labels"):
        parts.append(sentence(report.extra["labels"]))
    parts += [f"failed: {row.name}: {row.error}" for row in rows if row.error]
    return "\n".join(parts)


def _cells(row: PipelineRow) -> tuple[str, ...]:
    spread = (min(row.ratio_to_bare_rounds), max(row.ratio_to_bare_rounds)) if row.ratio_to_bare_rounds else None
    share = row.covered / row.reference_faces if row.covered is not None and row.reference_faces else None
    return (
        row.name,
        figure(row.cpu_ms_per_frame),
        figure(row.ratio_to_bare),
        span(spread),
        figure(row.fps, 1),
        MISSING if row.frames is None else str(row.frames),
        MISSING if row.faces is None else str(row.faces),
        MISSING if share is None else f"{percent(share, 1)} %",
        figure(None if row.peak_rss_bytes is None else row.peak_rss_bytes / MB, 0),
        str(row.n),
    )


def _stages(row: PipelineRow) -> str:
    stages = row.stages_ms or {}
    lines = [[name, *(figure(values.get(q), 2) for q in STAGES_HEAD[1:])] for name, values in stages.items()]
    return f"\n{row.name}, per stage (medians over {count(row.n, 'round')}):\n{render(STAGES_HEAD, lines)}\n"


def _latency(row: PipelineRow) -> str:
    dropped = "" if not row.dropped_frames else f"; up to {row.dropped_frames} frames of a round were dropped"
    return (
        f"{row.name}: from capture to event p50 {figure(row.latency_p50_ms, 1)} ms "
        f"({span(row.latency_p50_ci95_ms, 1)}), p95 {figure(row.latency_p95_ms, 1)} ms, "
        f"p99 {figure(row.latency_p99_ms, 1)} ms, of {row.latency_n} frames with a face{dropped}"
    )


def _memory(row: PipelineRow) -> str:
    return (
        f"{row.name}: resident memory grew by {figure((row.growth_bytes or 0) / MB, 1)} MB "
        "from the first quarter of a round to the last, at most"
    )


def _energy(row: PipelineRow, report: Report) -> str:
    meters = [answer["energy"] for answer in report.extra["more"].get(row.name, ()) if answer.get("energy")]
    meter = f"{meters[0]['meter']}, which covers {meters[0]['covers']}" if meters else "its meter"
    return (
        f"{row.name}: {figure(row.mj_per_frame, 1)} mJ per frame ({_spread(row.mj_per_frame_rounds)}), "
        f"{figure(row.watts, 2)} W on average, by {meter}; what the machine takes when idle is in it"
    )


def _first(row: PipelineRow) -> str:
    name = row.name.removesuffix(", first face")
    return (
        f"{name}: first face event {figure(row.first_face_s, 2)} s after the start of the process "
        f"(rounds {', '.join(f'{value:.2f}' for value in row.first_face_s_rounds)})"
    )


def _spread(values: Sequence[float]) -> str:
    return f"rounds {', '.join(f'{value:.1f}' for value in values)}"


def _coverage(found: Coverage) -> str:
    if found.share is None:
        return f"YuNet at {REFERENCE_WIDTH_PX} px finds no face in this clip, so there is no coverage"
    return (
        f"tracks cover {percent(found.share)} % ({span(found.share_ci95, 1, 100.0)}) of the {found.faces} faces that "
        f"YuNet finds at {REFERENCE_WIDTH_PX} px in every frame (score >= {SCORE}, IoU >= {MIN_IOU}); "
        f"{found.unmatched} track boxes are on no such face"
    )
