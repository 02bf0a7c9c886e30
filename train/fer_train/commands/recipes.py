"""`fer-train list` and `fer-train show`: the recipes that ship, and one of them key by key or layer by layer."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from fer_edge.errors import ExitCode
from fer_train import recipe as recipes
from fer_train.commands.common import Commands, add_set, require_keras
from fer_train.progress import telling
from fer_train.recipe import Recipe, Reported

LISTED = ("recipe", "data", "input", "epochs", "batch", "optimizer", "reported", "title")
LAYERS = ("layer", "kind", "output", "weights", "MACs")
NUMBERS = {"epochs", "batch", "weights", "MACs"}
"""Columns that end, not begin, at the same place."""


def add(commands: Commands) -> None:
    """Declare both verbs."""
    listing = commands.add_parser("list", help="the recipes that ship")
    listing.set_defaults(command=run_list)
    show = commands.add_parser("show", help="a recipe, every key as --set takes it")
    show.add_argument("recipe", metavar="RECIPE", help="name or .toml file")
    show.add_argument(
        "--layers", action="store_true", help="the net's layers, weights and multiply-accumulates instead"
    )
    add_set(show)
    show.set_defaults(command=run_show)


def run_list(_: argparse.Namespace) -> int:
    """A table with a recipe a line."""
    print(table(LISTED, [_listed(recipes.load(name)) for name in recipes.names()]))
    return ExitCode.OK


def run_show(arguments: argparse.Namespace) -> int:
    """Every key with its value; what people want to know of it goes where it is no part of the keys."""
    recipe = recipes.load(arguments.recipe, arguments.set)
    if arguments.layers:
        return _show_layers(recipe)
    for line in _comments(recipe):
        print(f"# {line}", file=sys.stderr)
    for key, value in _flat(recipe.model_dump(mode="json", exclude_none=True)):
        print(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return ExitCode.OK


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text in columns as wide as their widest cell, under a head in capitals."""
    lines = [[name.upper() for name in columns], *map(list, rows)]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    aligned = [">" if name in NUMBERS else "<" for name in columns]
    forms = [f"{{:{side}{width}}}" for side, width in zip(aligned, widths, strict=True)]
    return "\n".join("  ".join(forms).format(*cells).rstrip() for cells in lines)


def _listed(recipe: Recipe) -> tuple[str, ...]:
    fit, size = recipe.fit, recipe.preprocess.size
    return (
        recipe.name,
        f"{recipe.data.set}, {len(recipe.labels)} classes",
        f"{size}x{size} {recipe.preprocess.color}",
        "-" if recipe.svm else str(fit.epochs),
        str(fit.batch),
        "svm" if recipe.svm else f"{fit.optimizer} {fit.learning_rate:g}",
        f"{recipe.reported.accuracy:.1%}" if recipe.reported else "-",
        recipe.title,
    )


def _comments(recipe: Recipe) -> Iterator[str]:
    yield recipe.title
    if recipe.reported:
        yield f"reported: {_figures(recipe.reported)}"
        yield f"source: {recipe.reported.source}"
        for choice in recipe.reported.ours:
            yield f"ours: {choice}"


def _figures(reported: Reported) -> str:
    found = [f"accuracy {reported.accuracy:.1%}"]
    found += [f"macro F1 {reported.macro_f1:.2f}"] if reported.macro_f1 is not None else []
    found += [f"loss {reported.loss:g}"] if reported.loss is not None else []
    return ", ".join(found)


def _show_layers(recipe: Recipe) -> int:
    with telling() as say:
        require_keras(say)
        from fer_train.learning import network  # noqa: PLC0415 - Keras
        from fer_train.zoo import cost  # noqa: PLC0415 - Keras

        model = network.fresh_model(recipe)
        rows = [
            (
                layer.name,
                type(layer).__name__,
                " x ".join(str(side) for side in layer.output.shape[1:]),
                f"{layer.count_params():,}",
                f"{cost.macs(layer):,}",
            )
            for layer in cost.leaves(model)
        ]
    whole = cost.count(model)
    print(table(LAYERS, [*rows, (model.name, "all", "", f"{whole.weights:,}", f"{whole.macs:,}")]))
    return ExitCode.OK


def _flat(keys: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in keys.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif value != {}:
            yield prefix + key, value
