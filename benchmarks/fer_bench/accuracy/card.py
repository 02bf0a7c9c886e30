"""A bundle's card, told how right each artifact is and what a camera takes from it: measured on what ships."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from fer_bench.accuracy.corruptions import BY_NAME, SEVERITIES
from fer_bench.accuracy.verdict import endurance
from fer_bench.results.report import Report
from fer_bench.results.rows import AccuracyRow, CorruptionRow
from fer_bench.table import MISSING, percent, span
from fer_edge.bundle import locate
from fer_edge.command import prove_writable
from fer_edge.errors import OutputError, UsageError

FILE = "CARD.md"
HEADING = "## As it ships"
"""The section that is written; one that is there is replaced, the rest of the card stays."""


def place(bundle: str) -> Path:
    """Where the card of a bundle lies; raises UsageError for a packed one, OutputError where nothing can be written."""
    path = locate(bundle)
    if not path.is_dir():
        raise UsageError(f"--card writes {FILE} into a bundle's folder, and {path} is packed: unpack it first")
    prove_writable(str(path / FILE))
    return path / FILE


def write(path: Path, report: Report) -> None:
    """Put the section into the card, whole or not at all; raises OutputError."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        before = path.read_text(encoding="utf-8") if path.exists() else f"# {report.bundle.manifest.name}\n"
        part.write_text(_with(before, section(report)), encoding="utf-8")
        os.replace(part, path)
    except (OSError, UnicodeDecodeError) as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"the card {path} cannot be written: {error}") from None


def section(report: Report) -> str:
    """The section as Markdown, without its heading's neighbours."""
    rows = [row for row in report.rows if isinstance(row, AccuracyRow) and row.n]
    data, count = report.extra["data"], rows[0].n if rows else 0
    some = "" if report.options["limit"] is None else ", classes in equal shares: not the top-1 of the whole set"
    parts = [
        HEADING,
        (
            f"Measured by `fer-bench accuracy` through the device's own code, one pass per picture, split "
            f"`{data['split']}`, n = {count}{some}, SHA-256 of the pictures `{data['sha256'][:16]}…`."
        ),
        *(_tables(rows) if rows else ["No artifact could be measured."]),
    ]
    return "\n\n".join(parts) + "\n"


def _with(card: str, text: str) -> str:
    """The card with the section in the old one's place, or at its end."""
    lines = card.splitlines()
    if HEADING not in lines:
        return card.rstrip("\n") + "\n\n" + text
    start = lines.index(HEADING)
    end = next((i for i in range(start + 1, len(lines)) if lines[i].startswith("## ")), len(lines))
    before, after = "\n".join(lines[:start]).rstrip("\n"), "\n".join(lines[end:])
    return f"{before}\n\n{text}" + (f"\n{after}\n" if after else "")


def _tables(rows: Sequence[AccuracyRow]) -> list[str]:
    parts = [_artifacts(rows), _classes(rows)]
    damaged = [row for row in rows if row.corruptions]
    if damaged:
        parts.append(
            "What a camera does to a face, in five steps from mild to harsh: top-1 %, and by how many points the "
            "harshest falls below the same pictures undamaged (95 % interval):"
        )
        parts += [_curves(row) for row in damaged]
    return parts


def _artifacts(rows: Sequence[AccuracyRow]) -> str:
    head = ("artifact", "runtime", "KiB", "top-1 (95 %)", "drop, points (95 %)", "agreement", "ECE", "worst class")
    return _table(head, [_artifact(row) for row in rows])


def _artifact(row: AccuracyRow) -> tuple[str, ...]:
    present = [label for label, count in row.support.items() if count]
    worst = min(present, key=lambda label: row.recall[label])
    return (
        f"{row.format}/{row.precision}",
        f"{row.runtime} {row.runtime_version}",
        f"{row.size_bytes / 1024:,.0f}",
        f"{percent(row.top1)} % ({span(row.top1_ci95, 1, 100.0)})",
        MISSING if row.drop_pp is None else f"{row.drop_pp:+.2f} ({span(row.drop_pp_ci95)})",
        MISSING if row.agreement is None else f"{percent(row.agreement)} %",
        f"{row.ece:.3f}",
        f"{worst}, {percent(row.recall[worst], 1)} %",
    )


def _classes(rows: Sequence[AccuracyRow]) -> str:
    head = ("recall %", "n", *[f"{row.format}/{row.precision}, {row.runtime}" for row in rows])
    lines = [
        (label, str(count), *[percent(row.recall[label], 1) for row in rows])
        for label, count in rows[0].support.items()
    ]
    return _table(head, lines)


def _curves(row: AccuracyRow) -> str:
    names = list(dict.fromkeys(step.corruption for step in row.corruptions))
    head = (f"{row.name}, clean {percent(row.top1, 1)}", "top-1 %", "drop at the harshest")
    found = {(step.corruption, step.severity): step for step in row.corruptions}
    lines = [_curve(name, [found.get((name, severity)) for severity in SEVERITIES]) for name in names]
    return f"{_table(head, lines)}\n\n{endurance(row)}."


def _curve(name: str, steps: Sequence[CorruptionRow | None]) -> tuple[str, ...]:
    kind = BY_NAME[name]
    levels = " ".join(f"{level:g}" for level in kind.levels)
    told = " ".join(MISSING if step is None else percent(step.top1, 1) for step in steps)
    last = steps[-1]
    drop = MISSING if last is None else f"{last.drop_from_clean_pp:.1f} ({span(last.drop_from_clean_pp_ci95, 1)})"
    return f"{name}: {kind.unit}, {levels}", told, drop


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *lines))
