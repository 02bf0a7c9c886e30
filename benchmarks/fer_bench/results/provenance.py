"""What two results were measured on and with, and which differences make their times incomparable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from fer_bench.machine import stability
from fer_bench.results.reading import Result

MACHINE = {
    "board": "board",
    "cpu": "CPU",
    "cpu_count": "number of CPUs",
    "cpu_features": "CPU features",
    "machine": "architecture",
    "governors": "clock governor",
    "cpus_usable": "CPUs that may be used",
    "clock_limits_mhz": "highest clock (MHz)",
    "boost": "clock boost",
}
"""With another of these, times are of another machine."""
SOFTWARE = {
    "kernel": "kernel",
    "os": "system",
    "container": "container",
    "virtual": "virtual machine",
    "libc": "C library",
    "memory_bytes": "memory (bytes)",
    "python": "Python",
    "fer_edge": "fer-edge",
    "git_revision": "git revision",
}
"""What may be just the change that is to be measured; told, and no more."""
TABLES = {"packages": "", "switches": "$"}
"""Name to value, told one by one; with what stands before the name."""
HOW_LONG = frozenset(
    {"bundle", "model", "rounds", "timeout_s", "worker", "weights", "source", "data", "min_runs", "min_seconds"}
)
"""Options that say where things lie or how much was measured; the things themselves are compared by their hashes."""
SHOWN = 60


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same. blocks: times are then not to be compared."""

    what: str
    base: str
    new: str
    blocks: bool = False

    def __str__(self) -> str:
        """As a sentence's part."""
        return f"{self.what}: {self.base} against {self.new}"


def differences(base: Result, new: Result) -> list[Difference]:
    """Everything that is known to differ, what blocks first."""
    found = [*_machine(base, new), *_software(base, new), *_options(base, new), *_bundle(base, new)]
    return sorted(found, key=lambda each: not each.blocks)


def held_back(result: Result) -> str | None:
    """What slowed the board down while this was measured, in words; None when nothing is known to have."""
    return stability.held_back(result.environment.before, result.environment.after)


def _machine(base: Result, new: Result) -> Iterator[Difference]:
    for name, what in MACHINE.items():
        yield from _unlike(what, getattr(base.environment, name), getattr(new.environment, name), blocks=True)


def _software(base: Result, new: Result) -> Iterator[Difference]:
    for name, what in SOFTWARE.items():
        yield from _unlike(what, getattr(base.environment, name), getattr(new.environment, name))
    for name, mark in TABLES.items():
        a, b = getattr(base.environment, name), getattr(new.environment, name)
        for each in sorted({*a, *b}):
            yield from _unlike(mark + each, a.get(each), b.get(each))


def _options(base: Result, new: Result) -> Iterator[Difference]:
    a, b = _flat(base.options), _flat(new.options)
    for name in sorted({*a, *b} - HOW_LONG):
        yield from _unlike(f"option {name}", a.get(name), b.get(name))


def _bundle(base: Result, new: Result) -> Iterator[Difference]:
    yield from _unlike(
        "bundle", f"{base.bundle.name} {base.bundle.sha256[:12]}", f"{new.bundle.name} {new.bundle.sha256[:12]}"
    )


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with those of `choice` beside the others; which rows there are is seen in the rows."""
    return {name: value for name, value in options.items() if name != "choice"}


def _unlike(what: str, a: Any, b: Any, *, blocks: bool = False) -> Iterator[Difference]:  # noqa: ANN401 - values of JSON
    if a != b:
        yield Difference(what, _word(a), _word(b), blocks)


def _word(value: Any) -> str:  # noqa: ANN401 - a value of JSON
    if value is None:
        return "not known"
    text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def as_json(found: list[Difference]) -> list[dict[str, Any]]:
    """For a result."""
    return [asdict(each) for each in found]
