"""A small TOML file says what a foreign model is, and every mistake in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_convert import about, cli
from fer_edge.errors import ConfigError, InputError
from fer_edge.labels import FER2013

PREPROCESS = '[preprocess]\ncolor = "gray"\nsize = 48\nmean = [0.5]\nstd = [0.5]\n'


def read(folder: Path, text: str) -> about.About:
    (folder / "about.toml").write_text(text, encoding="utf-8")
    return about.read(folder / "about.toml")


def test_labels_and_preprocessing_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, 'labels = ["Anger", "happy"]\n' + PREPROCESS)
    assert found.labels == ("angry", "happy")
    assert (found.preprocess.color, found.preprocess.mean, found.preprocess.layout) == ("gray", (0.5,), "NHWC")


def test_a_known_order_has_a_name(tmp_path: Path) -> None:
    assert read(tmp_path, 'labels = "fer2013"\n' + PREPROCESS).labels == FER2013


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('labels = ["happy", "happiness"]\n' + PREPROCESS, "labels occur twice"),
        ('labels = ["happy"]\n' + PREPROCESS, "labels"),
        ('labels = "fer2012"\n' + PREPROCESS, "there is no label set 'fer2012'"),
        ('labels = "fer2013"\n', "preprocess"),
        ('labels = "fer2013"\n' + PREPROCESS.replace("size", "sice"), "sice is not a known key"),
        ("labels = [", "is not TOML"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        read(tmp_path, text)


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="which no description of a model has"):
        read(tmp_path, "#" * (about.MAX_BYTES + 1))


def test_it_stands_in_for_the_flags_and_not_beside_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "about.toml").write_text('labels = "fer2013"\n' + PREPROCESS, encoding="utf-8")
    flags = ["--about", str(tmp_path / "about.toml"), "--labels", "happy,sad", "--out", str(tmp_path / "out")]
    assert cli.main(["net.onnx", *flags, "--evaluate", "faces"]) == 2
    assert "give it, or --labels and --preprocess" in capsys.readouterr().err
