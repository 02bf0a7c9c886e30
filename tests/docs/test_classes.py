"""Every command and every block of the pages is accounted for, and what can be checked unrun is right."""

from __future__ import annotations

import re

import pytest

from docs import classes
from docs.checking import complaints, program
from docs.pages import COMMANDS, GENERATED, LANGUAGES, commands, fences, pages, spans
from support.make_reference import COMMANDS as OURS

PAGES = pages()
KEYS = {command.key for page in PAGES for command in commands(page)}


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    assert [fence.line for fence in fences(page) if fence.language not in LANGUAGES] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_in_a_class(page: str) -> None:
    named = classes.SLOW.keys() | classes.ELSEWHERE.keys()
    strangers = [
        f"{page}:{command.line}: {command.key}"
        for command in commands(page)
        if command.key not in named and program(command.text) not in classes.RUNNABLE
    ]
    assert strangers == [], "name it in tests/docs/classes.py"


def test_no_command_is_in_two_classes() -> None:
    assert classes.SLOW.keys() & classes.ELSEWHERE.keys() == set()
    assert classes.ENDLESS.keys() & classes.ELSEWHERE.keys() == set()


def test_the_tables_name_no_command_that_no_page_has() -> None:
    assert (classes.SLOW.keys() | classes.ELSEWHERE.keys() | classes.ENDLESS.keys()) - KEYS == set()
    assert set(PAGES) >= classes.FRESH


def test_what_installs_is_slow_on_a_page_that_starts_fresh_or_elsewhere() -> None:
    fresh = {command.key for page in classes.FRESH for command in commands(page)}
    installs = {key for key in KEYS if classes.INSTALLS.search(key)} - classes.ELSEWHERE.keys()
    assert installs <= classes.SLOW.keys() & fresh


@pytest.mark.parametrize("page", PAGES)
def test_what_commands_name_exists(page: str) -> None:
    found = [f"{page}:{each.line}: {what}" for each in commands(page) for what in complaints(each.text)]
    assert found == []


def test_what_is_put_behind_slow_commands_exists() -> None:
    texts = [f"{key} {more}" for key, more in classes.SLOW.items() if more]
    assert [f"{text}: {what}" for text in texts for what in complaints(text)] == []


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_prose_name_what_exists(page: str) -> None:
    found = [
        f"{page}:{span.line}: `{span.text}`: {what}"
        for span in spans(page)
        if program(span.text) in {*OURS, "make"} and re.search(r"^[^ ]+ (?!.*, )", span.text)
        for what in complaints(span.text, whole=False)
    ]
    assert found == []


def test_the_generated_pages_hold_no_blocks_of_commands() -> None:
    assert [
        page for page in PAGES if page.startswith(GENERATED) for each in fences(page) if each.language in COMMANDS
    ] == []
