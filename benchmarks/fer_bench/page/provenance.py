"""Where and how a part was measured, for whoever doubts it or wants to measure it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fer_bench.page.tables import plain
from fer_bench.table import MISSING
from fer_bench.verdict.facts import Json
from fer_train.reporting import markup

CHANGING = ("before", "after")
WORDS = {
    "temperature_c": "temperature, °C",
    "throttled_bits": "throttling bits",
    "clocks_mhz": "clocks, MHz",
    "load_1min": "load over a minute",
    "cpu": "CPU",
    "cpu_count": "CPUs",
    "cpu_features": "CPU features",
    "memory_bytes": "memory, bytes",
    "git_revision": "git revision",
    "sha256": "SHA-256",
}


def fold(kind: str, part: Json) -> str:
    """Everything but figures, behind a line that opens."""
    return markup.folded(f"Where and how: {kind}", _machine(part) + _changes(part) + _asked(part))


def _machine(part: Json) -> str:
    environment = {key: value for key, value in part.get("environment", {}).items() if key not in CHANGING}
    bundle = {f"bundle {_word(key)}": plain(value) for key, value in part.get("bundle", {}).items()}
    told = {"measured": str(part.get("time", MISSING)), **bundle, **dict(_flat(environment))}
    return markup.facts(told.items())


def _changes(part: Json) -> str:
    """What may change while one measures, before and after."""
    before, after = (part.get("environment", {}).get(when, {}) for when in CHANGING)
    lines = [(_word(key), plain(before.get(key)), plain(after.get(key))) for key in {**before, **after}]
    return markup.table("The machine before and after", ("", "before", "after"), lines) if lines else ""


def _asked(part: Json) -> str:
    options = dict(_flat(part.get("options", {})))
    return markup.table("What was asked for", ("option", "value"), list(options.items())) if options else ""


def _flat(values: Json, prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{prefix}{_word(key)}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{name} ")
        else:
            yield name, plain(value)


def _word(key: str) -> str:
    return WORDS.get(key, key.replace("_", " "))
