"""What can be said of a command without running it: options, targets, extras and files that do not exist."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import shlex
from collections.abc import Iterator, Sequence
from functools import lru_cache

from docs.pages import ROOT
from fer_edge import toml
from support.make_reference import COMMANDS, parser, verbs

TOP = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")} - {"build", "dist", "runs", "data"}
PLACEHOLDER = re.compile(r"…|\.\.\.|^[A-Z][A-Z_]*$")


def complaints(command: str, *, whole: bool = True) -> list[str]:
    """What is wrong with it. whole: nothing may be left out, as it may in prose (`fer-bench accuracy --limit`)."""
    text = command if whole else re.sub(r"[\[\]](?![\w,-]+\])", " ", command)
    return [found for words in _simple(text) for found in _of_one(words, whole=whole)]


def program(command: str) -> str:
    """What is called first, without sudo, variables and the environment's folder."""
    words = _bare(command.split())
    return words[0] if words else ""


def _simple(command: str) -> Iterator[list[str]]:
    """The words of each simple command in a line of bash."""
    plain = re.sub(r"^for [^\n]*; do$|^done$", "", command.replace("\\\n", " "), flags=re.MULTILINE)
    for line in plain.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";|&<>")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if set(word) <= set(";|&"):
                yield _bare(words)
                words = []
            else:
                words.append(word)
        yield _bare(words)


def _bare(words: Sequence[str]) -> list[str]:
    rest = list(words)
    while rest and (rest[0] == "sudo" or re.match(r"[A-Z_]+=", rest[0])):
        rest.pop(0)
    if rest:
        rest[0] = rest[0].removeprefix(".venv/bin/")
    return rest


def _of_one(words: list[str], *, whole: bool) -> Iterator[str]:
    if not words:
        return
    if words[0] in COMMANDS:
        yield from _parsed(words, whole=whole)
    elif words[0] == "make":
        yield from _made(words[1:])
    elif "pip" in words[:3] and "install" in words:
        yield from _installed(words)
    for word in words:
        if "/" in word and word.split("/")[0] in TOP and not PLACEHOLDER.search(word) and not list(ROOT.glob(word)):
            yield f"{word} does not exist"


def _parsed(words: list[str], *, whole: bool) -> Iterator[str]:
    of = _parser(words[0], whole=whole)
    if not whole:
        words = [word for word in words if not PLACEHOLDER.search(word)]
        if len(words) > 1 and words[1].startswith("-"):  # the verb is left out
            yield from _known_somewhere(of, words[1:])
            return
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            of.parse_args(words[1:])
        except SystemExit as end:
            if end.code:
                yield said.getvalue().strip().splitlines()[-1]


@lru_cache
def _parser(command: str, *, whole: bool) -> argparse.ArgumentParser:
    of = parser(command)
    if not whole:
        _loosen(of)
    return of


def _known_somewhere(of: argparse.ArgumentParser, words: list[str]) -> Iterator[str]:
    known = {flag for each in (of, *verbs(of).values()) for action in each._actions for flag in action.option_strings}
    yield from (f"no verb of {of.prog} has {word}" for word in words if word.startswith("--") and word not in known)


def _loosen(of: argparse.ArgumentParser) -> None:
    """Let it take a command without what it needs."""
    for action in of._actions:
        action.required = False
        if not action.option_strings and not isinstance(action, argparse._SubParsersAction):
            action.nargs, action.choices = ("*" if action.nargs != argparse.REMAINDER else action.nargs), None
        elif action.option_strings and action.nargs is None:
            action.nargs, action.type, action.choices = "?", None, None
    for group in of._mutually_exclusive_groups:
        group.required = False
    for verb in verbs(of).values():
        _loosen(verb)


def _made(words: list[str]) -> Iterator[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    for word in words:
        name, is_variable, _ = word.partition("=")
        if is_variable and f"$({name})" not in text:
            yield f"the Makefile knows no {name}"
        elif not is_variable and not re.search(rf"^{re.escape(name)}:", text, re.MULTILINE):
            yield f"the Makefile has no target {name}"


def _installed(words: list[str]) -> Iterator[str]:
    known = toml.parse((ROOT / "pyproject.toml").read_text(encoding="utf-8"), "")["project"]["optional-dependencies"]
    for word in words:
        asked = re.fullmatch(r"(?:\.|fer-edge)\[([\w,-]+)\]", word)
        for extra in asked[1].split(",") if asked else ():
            if extra not in known:
                yield f"there is no extra {extra}"
