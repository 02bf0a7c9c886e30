"""What the reference page says of the web server is what the code does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from fer_edge.web import limits
from support.http import face, serving, started

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "reference" / "http.md").read_text(encoding="utf-8")


def named_limits() -> dict[str, float]:
    return {name: value for name, value in vars(limits).items() if name.isupper()}


def test_every_limit_is_listed_with_its_value_and_no_other() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([0-9.]+) \|", PAGE, re.MULTILINE)
    assert {name: float(value) for name, value in rows} == named_limits()


def test_every_limit_says_what_it_is_for() -> None:
    body = ast.parse(Path(limits.__file__).read_bytes()).body
    named = [index for index, node in enumerate(body) if isinstance(node, ast.Assign)]
    assert len(named) == len(named_limits())
    assert all(isinstance(getattr(body[index + 1], "value", None), ast.Constant) for index in named)


def test_every_limit_is_used() -> None:
    others = [path for path in Path(limits.__file__).parent.glob("*.py") if path.name != "limits.py"]
    text = "".join(path.read_text(encoding="utf-8") for path in others)
    assert [name for name in named_limits() if name not in text] == []


def test_every_metric_is_listed_and_every_listed_one_exists() -> None:
    with serving() as served:
        started(served.live)
        served.step(face())
        served.live.board(temperature_c=50.0, throttled=["x"], memory_available_bytes=1)
        text = served.ask("/metrics").body.decode()
    found = {name for name in re.findall(r"^# TYPE (\w+)", text, re.MULTILINE) if "_process_" not in name}
    assert found == {name for name in re.findall(r"`(fer_edge_[a-z_]+)", PAGE) if "_process_" not in name}


def test_every_key_of_the_state_is_listed() -> None:
    with serving() as served:
        keys = served.live.snapshot().keys()
    assert [key for key in keys if f"`{key}`" not in PAGE] == []
