"""`fer-train list` and `fer-train show`: the recipes that ship, and one of them key by key."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from fer_edge.errors import ExitCode
from fer_train import recipe as recipes
from fer_train.commands.common import Commands, add_set


def add(commands: Commands) -> None:
    """Declare both verbs."""
    listing = commands.add_parser("list", help="the recipes that ship")
    listing.set_defaults(command=run_list)
    show = commands.add_parser("show", help="a recipe, every key as --set takes it")
    show.add_argument("recipe", metavar="RECIPE", help="name or .toml file")
    add_set(show)
    show.set_defaults(command=run_show)


def run_list(_: argparse.Namespace) -> int:
    """One recipe a line, with what is reported of it."""
    for name in recipes.names():
        recipe = recipes.load(name)
        print(f"{name:16} {recipe.title}")
        if recipe.reported:
            print(f"{'':16} reported: {recipe.reported.accuracy:.1%} ({recipe.reported.source})")
    return ExitCode.OK


def run_show(arguments: argparse.Namespace) -> int:
    """Every key with its value."""
    recipe = recipes.load(arguments.recipe, arguments.set)
    for key, value in _flat(recipe.model_dump(mode="json", exclude_none=True)):
        print(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return ExitCode.OK


def _flat(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{key}.")
        elif value != {}:
            yield prefix + key, value
