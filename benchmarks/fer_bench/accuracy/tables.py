"""The result for people: artifacts, classes, confusion, and a curve per corruption."""

from __future__ import annotations

from collections.abc import Sequence

from fer_bench.accuracy.corruptions import BY_NAME, SEVERITIES
from fer_bench.accuracy.verdict import against_reference, endurance
from fer_bench.results.report import Report
from fer_bench.results.rows import AccuracyRow, CorruptionRow
from fer_bench.table import MISSING, figure, percent, render, span

HEAD = ("artifact", "computes", "runtime", "n", "top-1 %", "95 % interval", "macro recall %", "ECE", "KiB")
HEAD_DROP = ("drop points", "95 % interval", "McNemar p", "agreement %")
CURVES = (
    "top-1 % with its 95 % interval under what a camera does, from mild to harsh;\n"
    "drops are points below the same artifact on the clean pictures, paired; positive is worse"
)


def text(report: Report, *, confusion: bool = False) -> str:
    """The table, the recall of each class, the curves and what they say, and every reason why something failed."""
    rows = [row for row in report.rows if isinstance(row, AccuracyRow)]
    measured = [row for row in rows if row.n]
    parts = []
    if measured:
        parts.append(render((*HEAD, *HEAD_DROP), [_cells(row) for row in measured]))
        parts.append(_recalls(measured))
    if confusion:
        parts += [_confusion(row) for row in measured]
    parts += _curves([row for row in measured if row.corruptions])
    parts += [f"failed: {row.name}: {row.error}" for row in rows if row.error]
    return "\n\n".join(parts)


def _cells(row: AccuracyRow) -> tuple[str, ...]:
    return (
        _id(row),
        row.effective_precision or MISSING,
        f"{row.runtime} {row.runtime_version}",
        str(row.n),
        percent(row.top1),
        span(row.top1_ci95, 1, 100.0),
        percent(row.macro_recall),
        figure(row.ece, 4),
        figure(row.size_bytes / 1024, 0),
        MISSING if row.drop_pp is None else f"{row.drop_pp:+.2f}",
        span(row.drop_pp_ci95),
        figure(row.mcnemar_p, 4),
        percent(row.agreement),
    )


def _recalls(rows: Sequence[AccuracyRow]) -> str:
    names = [_id(row) if _alone(row, rows) else f"{_id(row)} {row.runtime}" for row in rows]
    head = ["recall %", "n", *[cell for name in names for cell in (name, "95 % interval")]]
    lines = [
        [label, str(n), *[cell for row in rows for cell in _recall(row, label)]] for label, n in rows[0].support.items()
    ]
    return render(head, lines)


def _recall(row: AccuracyRow, label: str) -> tuple[str, str]:
    return percent(row.recall[label], 1), span(row.recall_ci95[label], 1, 100.0)


def _confusion(row: AccuracyRow) -> str:
    """Pictures, a line per true class."""
    labels = list(row.support)
    lines = [
        [label, str(row.support[label]), *map(str, line)] for label, line in zip(labels, row.confusion, strict=True)
    ]
    return f"{row.name}: what the pictures of each class were taken for\n" + render(["class", "n", *labels], lines)


def _curves(rows: Sequence[AccuracyRow]) -> list[str]:
    if not rows:
        return []
    names = list(dict.fromkeys(step.corruption for row in rows for step in row.corruptions))
    sentences = [endurance(row) for row in rows] + [said for row in rows if (said := against_reference(row))]
    return [CURVES, *[_curve(name, rows) for name in names], "\n".join(sentences)]


def _curve(name: str, rows: Sequence[AccuracyRow]) -> str:
    kind = BY_NAME[name]
    head = [f"{name}: {kind.unit}", "runtime", "n", "clean", *[f"{level:g}" for level in kind.levels]]
    return render(head, [line for row in rows for line in _steps(row, name)])


def _steps(row: AccuracyRow, name: str) -> list[list[str]]:
    found = {step.severity: step for step in row.corruptions if step.corruption == name}
    steps = [found.get(severity) for severity in SEVERITIES]
    clean = f"{percent(row.top1, 1)} ({span(row.top1_ci95, 1, 100.0)})"
    return [
        [_id(row), row.runtime, str(row.n), clean, *[_share(step) for step in steps]],
        ["  drop", "", "", "", *[_drop(step) for step in steps]],
    ]


def _share(step: CorruptionRow | None) -> str:
    return MISSING if step is None else f"{percent(step.top1, 1)} ({span(step.top1_ci95, 1, 100.0)})"


def _drop(step: CorruptionRow | None) -> str:
    if step is None:
        return MISSING
    return f"{step.drop_from_clean_pp:+.1f} ({span(step.drop_from_clean_pp_ci95, 1)})"


def _alone(row: AccuracyRow, rows: Sequence[AccuracyRow]) -> bool:
    """Whether no other row is of the same artifact."""
    return sum(_id(other) == _id(row) for other in rows) == 1


def _id(row: AccuracyRow) -> str:
    return f"{row.format}/{row.precision}"
