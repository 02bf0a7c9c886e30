"""The commands of the README and of the tutorials do what the pages say."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.pages import pages
from docs.telling import SLOW_S, WHOLE, is_first, tell, to_run

FIRST = [page for page in pages() if is_first(page) and to_run(page)]


@pytest.mark.timeout(SLOW_S if WHOLE else 300)
@pytest.mark.parametrize("page", FIRST)
def test_the_page_works_as_written(page: str, tmp_path: Path) -> None:
    tell(page, tmp_path / "fer-edge")
