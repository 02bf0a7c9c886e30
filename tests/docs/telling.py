"""The tests' own part: one story per page, quick or whole."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path

from docs import classes
from docs.pages import ROOT, Command, commands
from docs.stand_ins import Sandbox
from docs.stories import Story
from support.tree import files

WHOLE = os.environ.get("FER_EDGE_DOCS") == "slow"
"""Slow commands too, on the real data: `make check-docs`."""
QUICK_S, SLOW_S = 120.0, 1800.0


def is_first(page: str) -> bool:
    """Whether a newcomer begins with it."""
    return page == "README.md" or page.startswith("docs/tutorial/")


def to_run(page: str) -> list[Command]:
    """The commands of a page that are run here and now; in the quick part each once, in the README if it is there."""
    told = [command for command in commands(page) if command.key not in classes.ELSEWHERE]
    if page not in classes.FRESH:
        told = [command for command in told if not classes.INSTALLS.search(command.key)]
    if WHOLE:
        return told
    before = set() if page == "README.md" else {command.key for command in to_run("README.md")}
    once = {command.key: command for command in reversed(told) if command.key not in classes.SLOW.keys() | before}
    return [command for command in told if once.get(command.key) is command]


def tell(page: str, folder: Path) -> None:
    """Run a page's commands in an empty folder."""
    with ExitStack() as stack:
        sandbox = Sandbox(folder, stack, real=WHOLE)
        if WHOLE and page in classes.FRESH:
            for path in files():
                target = folder / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
        else:
            sandbox.link()
        story = Story(sandbox, SLOW_S if WHOLE else QUICK_S)
        stack.callback(story.end)
        for command in to_run(page):
            story.run(command, classes.SLOW.get(command.key, ""))
