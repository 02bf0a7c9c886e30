"""The runner of the pages fails where a page is wrong."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from docs import pages
from docs.checking import complaints
from docs.outputs import missing
from docs.pages import Command
from docs.stand_ins import Sandbox
from docs.stories import Story


def told(text: str, folder: Path, shown: tuple[str, ...] = ()) -> None:
    with ExitStack() as stack:
        sandbox = Sandbox(folder, stack, real=False)
        sandbox.link()
        Story(sandbox, 60.0).run(Command("page.md", 1, text, shown))


def test_numbers_may_differ_and_words_may_not() -> None:
    assert missing(["took 3.5 s", "done"], "took 12 s\nsomething\ndone\n") == []
    assert missing(["took 3.5 s"], "took 12 ms\n") == ["took 3.5 s"]


def test_lines_are_looked_for_in_their_order() -> None:
    assert missing(["b", "a"], "a\nb\n") == ["a"]


def test_what_is_left_out_stands_for_anything() -> None:
    assert missing(['{…"type":"started",…}', "…"], '{"time":1,"type":"started","x":[]}\n') == []


def test_a_command_that_fails_fails_its_page(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ended with 2"):
        told(".venv/bin/fer-edge run --no-such-option", tmp_path / "box")


def test_a_command_that_prints_something_else_fails_its_page(tmp_path: Path) -> None:
    told(".venv/bin/fer-edge --version", tmp_path / "box", ("fer-edge 0.0.0",))
    with pytest.raises(AssertionError, match="printed no such lines"):
        told(".venv/bin/fer-edge --version", tmp_path / "other", ("fer-bench 0.0.0",))


def test_a_failure_in_the_middle_of_a_line_counts(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ended with 1"):
        told("false | cat", tmp_path / "box")


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("fer-edge run --sauce 0", "unrecognized arguments"),
        ("sudo make no-such-target", "no target"),
        (".venv/bin/python -m pip install -c constraints.txt '.[webb]'", "no extra webb"),
        ("cp deploy/fleet/nothing.yml fleet/", "does not exist"),
        ("mkdir a && fer-bench latency", "required"),
    ],
)
def test_what_does_not_exist_is_told(command: str, complaint: str) -> None:
    assert complaint in " ".join(complaints(command))


def test_prose_may_leave_out_what_a_command_needs() -> None:
    assert complaints("fer-bench latency --threads N", whole=False) == []
    assert complaints("fer-bench latency --treads N", whole=False) != []


def test_commands_are_taken_out_of_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "```sh\n# why\na --b \\\n  c   # how\nfor k in 1; do\n  d $k\ndone\n```\n"
    text = f"{script}```console\n$ e\nsaid\n```\n`f g`\n"
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    found = list(pages.commands("page.md"))
    assert [command.key for command in found] == ["a --b c", "for k in 1; do d $k done", "e"]
    assert found[2].shown == ("said",)
    assert [span.text for span in pages.spans("page.md")] == ["f g"]
