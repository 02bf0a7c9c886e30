"""The rules of the house that no linter knows: sizes, first lines, one version, nothing of one machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from fer_edge import __version__
from support.tree import ROOT, files, name, python_files

MAX_LINES = 400
MAX_FUNCTION_LINES = 40
MAX_FILE_BYTES = 3_000_000
MAX_WEIGHT_BYTES = 6_500_000
"""A bundle that ships carries its float32 artifact, for its drop is measured against that."""
PROSE = {".md", ".sh", ".toml", ".yml", ".yaml", ".service", ""}
UNBOUNDED = {"LICENSE", "CHANGELOG.md"}
FORBIDDEN = {
    "the name of a package registry's host": rb"\b(?:pypi|pythonhosted|anaconda|npmjs)\.(?:org|com|io)\b",
    "a path of one machine": rb"(?<![\w.$}*/])/(?:work|root|farm)(?![\w-])",
}


def _text_files() -> Iterator[Path]:
    return (path for path in files() if path.suffix == ".py" or path.suffix in PROSE)


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    lengths = {name(path): len(path.read_bytes().splitlines()) for path in _text_files() if path.name not in UNBOUNDED}
    assert {path: lines for path, lines in lengths.items() if lines > MAX_LINES} == {}


def test_no_file_is_too_large_for_the_repository() -> None:
    sizes = {name(path): path.stat().st_size for path in files()}
    bundles = "edge/fer_edge/bundles/"
    limits = {path: MAX_WEIGHT_BYTES if path.startswith(bundles) else MAX_FILE_BYTES for path in sizes}
    assert {path: size for path, size in sizes.items() if size >= limits[path]} == {}


def test_every_python_file_starts_with_its_subject() -> None:
    without = [name(path) for path in python_files() if not ast.get_docstring(ast.parse(path.read_bytes()))]
    assert without == []


def _long_functions(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            lines = node.end_lineno - node.lineno + 1
            if lines > MAX_FUNCTION_LINES:
                yield f"{name(path)}:{node.lineno} {node.name} has {lines} lines"


def test_no_function_is_longer_than_a_screen() -> None:
    assert [found for path in python_files() for found in _long_functions(path)] == []


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = [
        f"{name(path)} holds {what}: {match.group().decode()}"
        for path in files()
        for what, pattern in FORBIDDEN.items()
        for match in re.finditer(pattern, path.read_bytes())
    ]
    assert found == []


def test_the_patterns_find_what_they_are_for() -> None:
    host, place = FORBIDDEN.values()
    assert re.search(host, b"https://" + b"pypi" + b".org/simple")
    assert re.search(place, b"cd /" + b"work/main")
    assert re.search(place, b'"/' + b'root"')
    assert not re.search(place, b"docs/work and a/root and /workflow")


def test_the_version_stands_in_one_place() -> None:
    pattern = re.compile(r"^\s*(?:__version__|version)\s*=\s*[\"']", re.MULTILINE)
    sources = [path for path in files() if path.suffix in {".py", ".toml"}]
    holders = [name(path) for path in sources if pattern.search(path.read_text(encoding="utf-8"))]
    assert holders == ["edge/fer_edge/__init__.py"]


def test_the_version_has_a_place_in_the_changelog() -> None:
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_test_that_is_called_a_proof_exists() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    proofs = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(proofs) >= 20
    lacking = [
        f"{path}::{test}" for path, test in proofs if f"def {test or 'test_'}" not in (ROOT / path).read_text("utf-8")
    ]
    assert lacking == []


def test_constraints_name_exact_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    wrong = [line for line in pins if not re.fullmatch(r"[A-Za-z0-9][\w.-]*==[\w.!+]+( ?; .+)?", line)]
    assert pins
    assert wrong == []
