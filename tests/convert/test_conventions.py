"""A model that guesses because it is fed or read by another convention is told of the one that fits."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

from convert import tiny_source
from fer_convert import cli
from fer_convert.sources import conventions
from fer_edge.labels import FER2013
from fer_edge.preprocess import PreprocessSpec

RIGHT = f"color=gray,size=48,mean={tiny_source.MEAN!r},std=0.25"


def told(
    run: Path, data: Path, folder: Path, flags: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> tuple[int, str]:
    """Exit code and last line of converting the tiny net as a stranger's, with these labels and preprocessing."""
    model = folder / "net.keras"
    shutil.copyfile(run / "model.keras", model)
    given = ["--labels", flags[0], "--preprocess", flags[1], "--evaluate", str(data), "--precision", "float32"]
    code = cli.main([str(model), *given, "--to", "tflite", "--out", str(folder / "out")])
    return code, capsys.readouterr().err.splitlines()[-1]


def test_labels_in_another_order_are_told(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ",".join((*FER2013[3:], *FER2013[:3]))
    code, line = told(run, data, tmp_path, (wrong, RIGHT), capsys)
    assert code == 2
    assert "which is chance (14.3% are of one class); with --preprocess color=gray,size=48," in line
    assert f"--labels {','.join(FER2013)} it has" in line
    assert not (tmp_path / "out").exists()


def test_another_range_is_told(run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, line = told(run, data, tmp_path, (",".join(FER2013), "color=gray,size=48,range=-4000..-3000"), capsys)
    assert code == 2
    assert "with --preprocess color=gray,size=48," in line
    assert "--labels" not in line
    assert line.endswith("it has 100.0%")


def test_another_order_of_colours_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A net that says "angry" to red and "sad" to blue, fed blue for red."""
    for split, label, color in (("test", "angry", (0, 0, 200)), ("test", "sad", (200, 0, 0))):
        folder = tmp_path / "faces" / split / label
        folder.mkdir(parents=True)
        for i in range(60):
            cv2.imwrite(str(folder / f"{i}.png"), np.full((48, 48, 3), color, dtype=np.uint8) + np.uint8(i % 5))
    face = keras.Input((48, 48, 3))
    head = keras.layers.Dense(2)
    net = keras.Model(face, head(keras.layers.GlobalAveragePooling2D()(face)))
    head.set_weights([np.array([[4.0, -4.0], [0.0, 0.0], [-4.0, 4.0]]), np.zeros(2)])
    net.save(tmp_path / "net.keras")
    flags = ["--labels", "angry,sad", "--evaluate", str(tmp_path / "faces"), "--precision", "float32", "--to", "tflite"]
    said = ["--preprocess", "color=bgr,size=48,range=0..1", "--out", str(tmp_path / "out")]
    assert cli.main([str(tmp_path / "net.keras"), *flags, *said]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "with --preprocess color=rgb,size=48" in line
    assert line.endswith("it has 100.0%")


def test_all_usual_ways_to_feed_a_colour_net_are_known() -> None:
    spec = PreprocessSpec(color="rgb", size=64, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    found = dict(conventions.specifications(spec))
    assert len(found) == 8
    assert found["color=bgr,size=64,mean=0.406/0.456/0.485,std=0.225/0.224/0.229"].color == "bgr"


def test_the_given_order_of_labels_is_tried_first() -> None:
    orders = list(conventions.label_orders(FER2013))
    assert orders[0] == ("", FER2013)
    assert ("--labels angry,disgust,fear,happy,neutral,sad,surprise", tuple(sorted(FER2013))) in orders
