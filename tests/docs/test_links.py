"""Links lead somewhere: to what exists and to headings that stand in them. Inside the site Sphinx looks as well."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs.pages import ROOT, headings, links, pages

PAGES = [*pages(), "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "deploy/README.md"]


def anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings."""
    titles = headings(str(path.relative_to(ROOT)))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken(page: str) -> Iterator[str]:
    for link in links(page):
        place, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = ((ROOT / page).parent / place).resolve() if place else ROOT / page
        if not target.exists():
            yield f"{page}: {link} does not exist"
        elif anchor and anchor not in anchors(target):
            yield f"{page}: {link} has no such heading"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    assert list(broken(page)) == []


def test_the_readme_leads_to_the_documentation() -> None:
    assert {"docs/index.md", "docs/tutorial/first-events.md", "docs/tutorial/own-model.md"} <= set(links("README.md"))
