"""`fer-train data`: what a data set holds, before anything is trained on it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_edge.command import STDOUT, prove_writable, write_json
from fer_edge.errors import ExitCode, OutputError, UsageError
from fer_edge.labels import SETS
from fer_train import recipe as recipes
from fer_train.commands.common import Commands, add_data
from fer_train.progress import telling

if TYPE_CHECKING:
    from fer_train.data.survey import Survey

SCHEMA_VERSION = 1
SHOWN_NAMES = 3
"""Names of faulty pictures that are printed per reason."""
MAX_NAMES = 1000
"""Names of faulty pictures per reason in the JSON."""
SHOWN_SIZES, MAX_SIZES = 5, 1000
"""Sizes of pictures that are printed, and that are in the JSON, the most frequent first."""


def add(commands: Commands) -> None:
    """Declare the verb."""
    parser = commands.add_parser("data", help="count classes and parts, find faulty and repeated pictures")
    add_data(parser, None)
    parser.add_argument(
        "--labels",
        metavar="L",
        help=f"{', '.join(SETS)}, or a recipe's (default: the data's own classes)",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw the classes as bars")
    parser.add_argument("--json", metavar="PATH", help="write the figures as JSON; - prints them")
    parser.set_defaults(command=data)


def data(arguments: argparse.Namespace) -> int:
    """Look at every picture; write the plot and the figures."""
    labels, size_px = _wanted(arguments.labels)
    prove_writable(arguments.json)
    prove_writable(None if arguments.plot is None else str(arguments.plot))
    from fer_train.data.survey import survey  # noqa: PLC0415 - OpenCV
    from fer_train.reporting import plots  # noqa: PLC0415 - OpenCV

    with telling() as say:
        found = survey(arguments.data, labels, say)
    if arguments.plot is not None:
        _write(arguments.plot, plots.class_bars({part.name: part.counts for part in found.parts}, found.labels).png())
    if arguments.json:
        write_json(as_json(found, arguments.data, size_px), arguments.json)
    if arguments.json != STDOUT:
        print("\n".join(lines(found, size_px)))
    return ExitCode.OK


def _wanted(text: str | None) -> tuple[tuple[str, ...] | None, int | None]:
    """Labels, and the side of a recipe's input in pixels."""
    if text is None:
        return None, None
    if text in SETS:
        return SETS[text], None
    if text not in recipes.names() and not text.endswith(".toml"):
        raise UsageError(f"--labels {text!r} is no label set ({', '.join(SETS)}) and no recipe (fer-train list)")
    recipe = recipes.load(text)
    return recipe.labels, recipe.preprocess.size


def lines(found: Survey, size_px: int | None) -> Iterator[str]:
    """The survey for people."""
    yield found.title
    yield from _table(found)
    yield "sizes: " + _sizes(found)
    if found.uneven:
        yield f"not square, of which the central square is taken: {found.uneven}"
    if size_px is not None and found.smaller_than(size_px):
        yield f"smaller than the input of {size_px} px, to which they are enlarged: {found.smaller_than(size_px)}"
    for label, count in found.left_out.items():
        yield f"left out, for it is no label: {count} of {label}"
    yield from _repeated(found)
    yield f"cannot be used: {len(found.problems)}"
    for reason, names in found.by_reason.items():
        more = ", ..." if len(names) > SHOWN_NAMES else ""
        yield f"  {len(names)}: {reason}: {', '.join(names[:SHOWN_NAMES])}{more}"


def _repeated(found: Survey) -> Iterator[str]:
    for part in found.parts:
        again = part.repeats
        if again.groups:
            yield (
                f"more than once in {part.name}: {again.groups}, with {again.surplus} copies too many; "
                f"under different labels: {again.conflicting}"
            )
    for (here, there), shared in found.shared.items():
        yield f"of {here} also in {there}: {shared.count}, such as {shared.words}"


def _table(found: Survey) -> Iterator[str]:
    """Classes down, parts across; every share is of its part."""
    width = max(len(label) for label in (*found.labels, "class"))
    yield f"{'class':{width}}" + "".join(f"{part.name:>18}" for part in found.parts)
    for label in found.labels:
        cells = (f"{p.counts[label]:>11}{p.counts[label] / max(p.total, 1):>7.1%}" for p in found.parts)
        yield f"{label:{width}}" + "".join(cells)
    yield f"{'all':{width}}" + "".join(f"{part.total:>11}{'':7}" for part in found.parts).rstrip()


def _sizes(found: Survey) -> str:
    """The most frequent ones, width before height."""
    sides = list(found.sizes.items())
    named = [f"{width} x {height} px ({count})" for (height, width), count in sides[:SHOWN_SIZES]]
    rest = sum(count for _, count in sides[SHOWN_SIZES:])
    return ", ".join(named or ["none"]) + (f", and {rest} of {len(sides) - SHOWN_SIZES} other sizes" if rest else "")


def as_json(found: Survey, where: str, size_px: int | None) -> dict[str, Any]:
    """The survey for programs, schema 1; no folder of the machine is in it but names inside the data."""
    from fer_train.provenance import data_name  # noqa: PLC0415 - OpenCV

    return {
        "schema_version": SCHEMA_VERSION,
        "data": data_name(where),
        "layout": found.title,
        "labels": list(found.labels),
        "parts": [
            {
                "name": part.name,
                "n": part.total,
                "counts": part.counts,
                "repeated": {
                    "pictures": part.repeats.groups,
                    "surplus": part.repeats.surplus,
                    "conflicting": part.repeats.conflicting,
                    "examples": [list(group) for group in part.repeats.examples],
                },
            }
            for part in found.parts
        ],
        "shared": [
            {"part": here, "with": there, "n": shared.count, "examples": [list(pair) for pair in shared.examples]}
            for (here, there), shared in found.shared.items()
        ],
        "left_out": found.left_out,
        "problems": [
            {"reason": reason, "n": len(names), "names": list(names[:MAX_NAMES])}
            for reason, names in found.by_reason.items()
        ],
        "sizes": [
            {"width": width, "height": height, "n": n} for (height, width), n in list(found.sizes.items())[:MAX_SIZES]
        ],
        "not_square": found.uneven,
        "smaller_than_input": None if size_px is None else found.smaller_than(size_px),
    }


def _write(path: Path, png: bytes) -> None:
    try:
        path.write_bytes(png)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
