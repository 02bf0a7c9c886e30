"""What the curves say, in sentences that hold what chance leaves of them."""

from __future__ import annotations

from collections.abc import Sequence

from fer_bench.results.rows import AccuracyRow, CorruptionRow, count

SIGNIFICANT = 0.05


def endurance(row: AccuracyRow) -> str:
    """The first step of each corruption whose drop from the clean pictures has an interval above 0."""
    first: dict[str, CorruptionRow | None] = {}
    for step in row.corruptions:
        first.setdefault(step.corruption, None)
        if first[step.corruption] is None and step.drop_from_clean_pp_ci95[0] > 0.0:
            first[step.corruption] = step
    hurt = [f"{name} {step.level:g}" for name, step in first.items() if step is not None]
    held = [name for name, step in first.items() if step is None]
    parts = [f"first at {', '.join(hurt)}"] if hurt else []
    parts += [f"nowhere under {', '.join(held)}"] if held else []
    return f"{row.name}: the drop's interval lies above 0 {'; '.join(parts)}"


def against_reference(row: AccuracyRow) -> str | None:
    """Where a lower precision stands worse or better under corruption than float32; None without a reference."""
    steps = [step for step in row.corruptions if step.mcnemar_p is not None]
    if not steps:
        return None
    beyond = holm([step.mcnemar_p or 0.0 for step in steps])
    differ = [
        f"{step.corruption} {step.level:g} ({step.drop_pp or 0.0:+.2f} points)"
        for step, is_beyond in zip(steps, beyond, strict=True)
        if is_beyond
    ]
    where = f"{row.name} against {row.reference} on corrupted pictures"
    how = f"McNemar, {count(len(steps), 'step')}, Holm's correction"
    if not differ:
        return f"{where}: not significant at any step ({how})"
    return f"{where}: drops {', '.join(differ)} are significant ({how})"


def holm(values: Sequence[float], level: float = SIGNIFICANT) -> list[bool]:
    """Which of many p-values are below chance when any false one among them counts (Holm 1979)."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    found = [False] * len(values)
    for rank, i in enumerate(order):
        if values[i] > level / (len(values) - rank):
            break
        found[i] = True
    return found
