"""A conversion's own record is a recipe: the same again gives the same bytes, and what differs is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convert.conftest import Converted
from fer_convert import again, cli
from fer_edge.errors import InputError

Change = Callable[[dict[str, Any]], None]


def changed(converted: Converted, folder: Path, change: Change) -> Path:
    """The recipe of the shared bundle, for its TFLite files alone and with one more change."""
    document = json.loads((converted.bundle / "conversion.json").read_text(encoding="utf-8"))
    document["options"]["to"] = ["tflite"]
    change(document)
    path = folder / "recipe.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def convert(run: Path, data: Path, recipe: Path, *more: str) -> int:
    flags = ["--calibrate", str(data), "--out", str(recipe.parent / "again"), "--recipe", str(recipe)]
    return cli.main([str(run), *flags, *more])


def test_the_same_is_done_again_to_the_byte(converted: Converted, run: Path, data: Path, tmp_path: Path) -> None:
    recipe = changed(converted, tmp_path, lambda _: None)
    assert convert(run, data, recipe, "--json", str(tmp_path / "result.json")) == 0
    told = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["again"]
    assert told == {"same": ["tflite/float32", "tflite/int8"], "other": [], "tools": {}}
    for name in ("tiny.float32.tflite", "tiny.int8.tflite"):
        assert (tmp_path / "again" / name).read_bytes() == (converted.bundle / name).read_bytes()


def test_what_was_left_out_is_left_out_again(converted: Converted, run: Path, data: Path, tmp_path: Path) -> None:
    def leave_out(told: dict[str, Any]) -> None:
        told["options"]["leave_out"] = ["tflite/float32"]

    recipe = changed(converted, tmp_path, leave_out)
    convert(run, data, recipe, "--json", str(tmp_path / "result.json"))
    told = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert [f"{row['format']}/{row['precision']}" for row in told["rows"]] == ["tflite/int8"]


def test_a_recipe_from_before_anything_could_be_left_out_is_followed(
    converted: Converted, run: Path, data: Path, tmp_path: Path
) -> None:
    recipe = changed(converted, tmp_path, lambda told: told["options"].pop("leave_out"))
    assert convert(run, data, recipe) == 0


def test_what_differs_is_named_with_the_tools_that_changed(
    converted: Converted, run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def change(document: dict[str, Any]) -> None:
        document["options"]["precision"] = ["float32"]
        document["provenance"]["tools"]["tensorflow"] = "2.0.0"
        document["evaluation"]["sha256"] = "0" * 64
        document["rows"][0]["files"][0]["sha256"] = "0" * 64

    assert convert(run, data, changed(converted, tmp_path, change)) == 0
    printed = capsys.readouterr()
    assert "other bytes than the recipe's: tflite/float32 (tensorflow was 2.0.0 and is " in printed.out
    assert "the pictures it is judged by are not those of" in printed.err


def test_another_model_is_refused(
    converted: Converted, run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = changed(converted, tmp_path, lambda document: document["provenance"].update(source_sha256="0" * 64))
    assert convert(run, data, recipe) == 2
    assert "is not the model that" in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    "flag", [["--to", "onnx"], ["--keep-passing"], ["--leave-out", "onnx/int8"], ["--labels", "a,b"]]
)
def test_it_stands_in_for_the_flags_and_not_beside_them(
    converted: Converted, run: Path, data: Path, tmp_path: Path, flag: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert convert(run, data, changed(converted, tmp_path, lambda _: None), *flag) == 2
    assert f"--recipe says what {flag[0]} would" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "is not valid JSON"),
        (b"[1]", "is not the recipe of a conversion"),
        (b'{"schema_version": 1, "kind": "accuracy"}', "kind: input should be 'conversion'"),
        (b"{" + b" " * again.MAX_BYTES + b"}", "which no conversion's recipe has"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: bytes, sentence: str) -> None:
    path = tmp_path / "recipe.json"
    path.write_bytes(text)
    with pytest.raises(InputError, match=sentence):
        again.read(path)


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        again.read(tmp_path / "none.json")
