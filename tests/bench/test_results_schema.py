"""The published schema: that of the dataclasses, and fit for what the verbs really write."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import pytest

from bench.made_results import accuracy_document, document, latency_row, pipeline_row, put, rounds
from fer_bench.cli import main
from fer_bench.results.kinds import MEASURED, ROWS
from fer_bench.results.reading import read
from fer_bench.results.schema import document as made
from fer_bench.results.schema import of_type, text
from fer_edge.labels import FER2013
from support import shared
from support.shapes import shape
from support.tiny import tiny_bundle
from support.tree import ROOT

jsonschema = pytest.importorskip("jsonschema")

PROVENANCE = {
    *("board", "machine", "cpu", "cpu_features", "cpus_usable", "clock_limits_mhz", "boost", "governors", "virtual"),
    *("kernel", "os", "libc", "python", "packages", "git_revision", "switches", "before", "after"),
}
MOMENT = {"temperature_c", "throttled_bits", "slowed", "throttle_count", "clocks_mhz", "load_1min", "stolen_ticks"}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    """As it is shipped in the package."""
    found: dict[str, Any] = json.loads((resources.files("fer_bench") / "results" / "schema.json").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def fits(schema: dict[str, Any]) -> Callable[[Any], None]:
    """Fails on what the schema does not allow."""
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())

    def check(found: Any) -> None:
        assert [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(found)] == []

    return check


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


def written(*arguments: str | Path, to: Path) -> dict[str, Any]:
    """What a verb wrote, which must have gone well."""
    assert main([*map(str, arguments), "--json", str(to)]) == 0
    found: dict[str, Any] = json.loads(to.read_text(encoding="utf-8"))
    return found


def test_the_shipped_schema_is_that_of_the_dataclasses() -> None:
    shipped = (resources.files("fer_bench") / "results" / "schema.json").read_text(encoding="utf-8")
    assert shipped == text(), "run: python -m fer_bench.results.schema > benchmarks/fer_bench/results/schema.json"


def test_the_schema_is_one(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_every_kind_that_is_written_is_published() -> None:
    """A room says `kind="..."` where it makes its report."""
    calls = [
        node
        for path in (ROOT / "benchmarks" / "fer_bench").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Report"
    ]
    kinds = [word.value for call in calls for word in call.keywords if word.arg == "kind"]
    said = {kind.value for kind in kinds if isinstance(kind, ast.Constant)}
    assert said
    assert said <= set(ROWS)


def test_what_latency_writes_fits_and_has_its_provenance(
    bundle: Path, tmp_path: Path, fits: Callable[[Any], None]
) -> None:
    short = ("--min-seconds", "0.02", "--min-runs", "10", "--rounds", "1", "--runtime", "litert")
    found = written("latency", bundle, *short, to=tmp_path / "a.json")
    fits(found)
    assert found["environment"].keys() >= PROVENANCE
    assert found["environment"]["before"].keys() & found["environment"]["after"].keys() >= MOMENT
    assert found["bundle"]["labels"] == list(FER2013)
    assert found["bundle"]["preprocess"]["size"] == 48
    for row in found["rows"]:
        assert (row["threads"], row["effective_precision"]) == (1, row["precision"])
        assert sum(map(len, row["samples_ns"])) == row["n"]
    assert len(read(tmp_path / "a.json").rows) == 2


def test_what_accuracy_and_its_comparison_write_fits(bundle: Path, tmp_path: Path, fits: Callable[[Any], None]) -> None:
    for label in FER2013:
        for seed in range(2):
            target = tmp_path / "data" / label / f"{seed}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(target), shape(label, seed=70 + seed))
    command = ("accuracy", bundle, "--data", tmp_path / "data", "--split", "none", "--runtime", "litert")
    found = written(*command, to=tmp_path / "a.json")
    fits(found)
    assert all(len(row["predictions"]) == len(found["data"]["targets"]) == 14 for row in found["rows"])
    told = written("compare", tmp_path / "a.json", tmp_path / "a.json", to=tmp_path / "c.json")
    fits(told)
    assert [row["verdict"].split(";")[0] for row in told["rows"]] == ["not significant"] * 2


def test_what_pipeline_writes_fits(bundle: Path, tmp_path: Path, fits: Callable[[Any], None]) -> None:
    clip, weights = shared.media("short_hamilton_clip.mp4"), shared.yunet()
    command = ("pipeline", "--source", clip, "--model", bundle, "--detector-weights", weights, "--max-frames", "40")
    assert main([*map(str, command), "--rounds", "1", "--json", str(tmp_path / "a.json")]) in {0, 1}
    fits(json.loads((tmp_path / "a.json").read_text(encoding="utf-8")))
    assert read(tmp_path / "a.json").kind == "pipeline"


def test_what_a_comparison_of_times_writes_fits(tmp_path: Path, fits: Callable[[Any], None]) -> None:
    base, new = (document([latency_row(rounds(ms, 6, 1))], minute=ms) for ms in (1.0, 2.0))
    files = put(tmp_path / "a.json", base), put(tmp_path / "b.json", {**new, "environment": base["environment"]})
    fits(written("compare", *files, "--fail-on", "p50:+500%", to=tmp_path / "c.json"))


@pytest.mark.parametrize(
    "found",
    [
        document([latency_row(rounds(1.0, 2, 1))]),
        accuracy_document([0], [0]),
        document([pipeline_row([1.0])], "pipeline"),
    ],
    ids=MEASURED[:3],
)
def test_the_schema_refuses_what_lacks_a_key(found: dict[str, Any], fits: Callable[[Any], None]) -> None:
    found = json.loads(json.dumps(found))
    fits(found)
    for part in (found, found["environment"], found["environment"]["before"], found["bundle"], found["rows"][0]):
        for key in [key for key in part if part is not found or key != "data" or found["kind"] == "accuracy"]:
            value = part.pop(key)
            with pytest.raises(AssertionError):
                fits(found)
            part[key] = value


def test_what_the_schema_cannot_tell_of_is_an_error() -> None:
    with pytest.raises(TypeError, match="the schema knows no such thing"):
        of_type(set[int], {})


def test_every_kind_has_rows_in_the_schema() -> None:
    names = {part["then"]["properties"]["rows"]["items"]["$ref"].rpartition("/")[2] for part in made()["allOf"]}
    assert names <= made()["$defs"].keys()
    assert len(made()["allOf"]) == len(ROWS)
