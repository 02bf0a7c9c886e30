"""Writes docs/reference/cli*.md from the four commands' own parsers: `make reference`."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference"
COMMANDS = ("fer-edge", "fer-train", "fer-convert", "fer-bench")
NOTE = "<!-- Written by `make reference` from the command's own parser; a test compares. -->\n\n"


def parser(command: str) -> argparse.ArgumentParser:
    """A fresh parser of one of the four commands."""
    found = importlib.import_module(f"{command.replace('-', '_')}.cli")._parser()
    assert isinstance(found, argparse.ArgumentParser)
    return found


def verbs(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """Its subcommands by name, in the order of --help."""
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def pages() -> dict[str, str]:
    """File name to text of every page."""
    return {"cli.md": _overview()} | {f"cli-{command}.md": _page(command) for command in COMMANDS}


def main() -> None:
    """Write them."""
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
        print("wrote", REFERENCE / name)


def _overview() -> str:
    lines = ["# The commands\n", "What `--help` says, for reading beside the work.\n"]
    for command in COMMANDS:
        of = parser(command)
        lines += [f"## `{command}`\n", f"{of.description} [All of it](cli-{command}.md).\n"]
        rows = [f"| [`{path}`](cli-{command}.md#{_anchor(path)}) | {_cell(about)} |" for path, about in _leaves(of)]
        lines += [*(["| command | does |", "|---|---|", *rows, ""] if rows else [])]
    return NOTE + "\n".join(lines).rstrip() + "\n"


def _leaves(of: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    helps = {
        choice.dest: choice.help or ""
        for action in of._actions
        if isinstance(action, argparse._SubParsersAction)
        for choice in action._choices_actions
    }
    for name, verb in verbs(of).items():
        yield verb.prog, helps.get(name, "")
        yield from _leaves(verb)


def _page(command: str) -> str:
    of = parser(command)
    return NOTE + f"# `{command}`\n\n" + "\n".join(_section(of)).rstrip() + "\n"


def _section(of: argparse.ArgumentParser, depth: int = 2) -> Iterator[str]:
    under = verbs(of)
    shown = [action for action in of._actions if action.dest != "help" and action.help != argparse.SUPPRESS]
    options = [action for action in shown if action.option_strings]
    words = [action for action in shown if not action.option_strings]
    yield f"```text\n{' '.join([of.prog, *(['[OPTIONS]'] * bool(options)), *map(_word, words)])}\n```\n"
    if of.description:
        yield f"{_cell(of.description)}\n"
    yield from _table(
        of, [action for action in words if action.help and not isinstance(action, argparse._SubParsersAction)]
    )
    yield from _table(of, options)
    yield from _epilog(of.epilog or "")
    for verb in under.values():
        yield f"{'#' * depth} `{verb.prog}`\n"
        yield from _section(verb, depth + 1)


def _epilog(text: str) -> Iterator[str]:
    """Examples as commands of their own, the rest as it is."""
    examples = re.match(r"examples?: (.+?)(?:\. (?=exit codes)|$)", text)
    if examples:
        yield "Examples:\n"
        yield "\n".join(f"- `{example}`" for example in examples[1].split("; ")) + "\n"
        text = text[examples.end() :]
    if text:
        yield f"{_cell(text[:1].upper() + text[1:])}\n"


def _table(of: argparse.ArgumentParser, actions: list[argparse.Action]) -> Iterator[str]:
    if actions:
        yield f"| {'option' if actions[0].option_strings else 'argument'} | meaning |\n|---|---|"
        for action in actions:
            text = (action.help or "") % {**vars(action), "prog": of.prog}
            asked = " **needed**" if action.option_strings and action.required else ""
            yield f"| {_name(action)}{asked} | {_cell(text)} |"
        yield ""


def _name(action: argparse.Action) -> str:
    if not action.option_strings:
        return f"`{_word(action)}`"
    value = "" if action.nargs == 0 else f" {_value(action)}"
    return ", ".join(f"`{flag}{value}`" for flag in action.option_strings)


def _value(action: argparse.Action) -> str:
    if action.metavar is not None:
        return action.metavar if isinstance(action.metavar, str) else " ".join(action.metavar)
    if action.choices is not None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper() if action.option_strings else action.dest


def _word(action: argparse.Action) -> str:
    name = _value(action)
    more = {"*": f"[{name} ...]", "+": f"{name} [{name} ...]", "?": f"[{name}]", argparse.REMAINDER: f"{name} ..."}
    return more.get(str(action.nargs), f"{name} ..." if isinstance(action, argparse._SubParsersAction) else name)


def _anchor(path: str) -> str:
    return path.replace(" ", "-")


def _cell(text: str) -> str:
    flat = " ".join(text.split())
    for sign in "|<*_":
        flat = flat.replace(sign, "\\" + sign)
    return flat


if __name__ == "__main__":
    main()
