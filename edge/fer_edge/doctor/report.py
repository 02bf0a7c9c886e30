"""Findings as text for people, as a document for programs, and as an exit status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from fer_edge.doctor.finding import Finding
from fer_edge.errors import ExitCode

SCHEMA_VERSION = 1


def text(findings: Sequence[Finding]) -> str:
    """One line each, aligned; a fix stands indented below what it mends."""
    width = max((len(each.name) for each in findings), default=0)
    lines = []
    for each in findings:
        lines.append(f"{each.level:<7}  {each.name:<{width}}  {each.found}")
        if each.fix:
            lines.append(f"{'':<7}  {'':<{width}}  fix: {each.fix}")
    problems, warnings = (sum(each.level == level for each in findings) for level in ("problem", "warning"))
    return "\n".join([*lines, f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}"])


def document(findings: Sequence[Finding]) -> dict[str, Any]:
    """For `--json`; rows in the order of the text."""
    return {
        "schema_version": SCHEMA_VERSION,
        "problems": sum(each.level == "problem" for each in findings),
        "warnings": sum(each.level == "warning" for each in findings),
        "rows": [asdict(each) for each in findings],
    }


def exit_code(findings: Sequence[Finding]) -> ExitCode:
    """69 when something will not work, else 0."""
    return ExitCode.UNAVAILABLE if any(each.level == "problem" for each in findings) else ExitCode.OK


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
