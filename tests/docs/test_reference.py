"""The pages on the commands say what the commands' own parsers say."""

from __future__ import annotations

import pytest

from support.make_reference import REFERENCE, pages


@pytest.mark.parametrize(
    "name", ["cli.md", "cli-fer-edge.md", "cli-fer-train.md", "cli-fer-convert.md", "cli-fer-bench.md"]
)
def test_the_page_is_current(name: str) -> None:
    assert (REFERENCE / name).read_text(encoding="utf-8") == pages()[name], "run `make reference`"


def test_there_is_no_other_page_on_commands() -> None:
    assert {path.name for path in REFERENCE.glob("cli*.md")} == pages().keys()
