"""Examples and grids: which pictures, how many cells, what stands over each."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer_edge.annotate import CELL_PX, STRIP_PX
from fer_edge.errors import ExitCode
from fer_edge.types import Image
from fer_train import cli
from fer_train import data as datasets
from fer_train.data import Dataset
from support.shared import media, yunet

pytestmark = pytest.mark.usefixtures("keras_ready")

TALL = CELL_PX + STRIP_PX


def filled(sheet: Image) -> list[bool]:
    """Which cells of a sheet hold a picture, row by row: an empty one is of one colour."""
    rows, columns = sheet.shape[0] // TALL, sheet.shape[1] // CELL_PX
    assert sheet.shape == (rows * TALL, columns * CELL_PX, 3)
    cells = (
        sheet[r * TALL + STRIP_PX : (r + 1) * TALL, c * CELL_PX : (c + 1) * CELL_PX]
        for r in range(rows)
        for c in range(columns)
    )
    return [len(np.unique(cell)) > 1 for cell in cells]


def read(path: Path) -> Image:
    image = cv2.imread(str(path))
    assert image is not None
    return np.asarray(image, dtype=np.uint8)


def grids() -> Any:
    from fer_train.reporting import grids as found  # noqa: PLC0415 - Keras

    return found


#                     true 0          true 1   true 2
SHARES = np.array(
    [[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.4, 0.6, 0.0], [0.1, 0.7, 0.2], [0.3, 0.3, 0.4], [0.6, 0.2, 0.2]]
)
TRUTH = np.array([0, 0, 0, 1, 2, 2])


def test_mistakes_are_the_surest_of_each_label_in_turn() -> None:
    assert grids().choose(SHARES, TRUTH, right=False, count=9) == [1, 5, 2]


def test_right_answers_come_as_they_are_label_by_label() -> None:
    assert grids().choose(SHARES, TRUTH, right=True, count=9) == [0, 3, 4]


def test_no_more_are_chosen_than_asked_for() -> None:
    assert grids().choose(SHARES, TRUTH, right=False, count=2) == [1, 5]


def test_a_model_without_mistakes_has_no_examples_of_them() -> None:
    assert grids().choose(np.eye(3), np.arange(3), right=False, count=9) == []


def example(true: str, predicted: str, side: int = 48) -> Any:
    picture = np.tile(np.arange(side, dtype=np.uint8), (side, 1))
    return grids().Example(picture, true, predicted, 0.714)


def test_a_caption_tells_what_a_mistake_is_labelled() -> None:
    assert (example("sad", "sad").caption, example("fear", "sad").caption) == ("sad 71%", "sad 71% (fear)")


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (6, 1), (7, 2), (18, 3)])
def test_a_sheet_has_a_cell_per_example(count: int, rows: int) -> None:
    sheet = grids().sheet([example("sad", "sad")] * count)
    assert filled(sheet) == [i < count for i in range(6 * rows)]


def test_a_long_caption_stays_in_its_cell() -> None:
    found = [example("surprise", "surprise"), example("a very long name of a class", "another long name of a class")]
    strip = grids().sheet(found)[:STRIP_PX]
    assert (strip[:, CELL_PX - 2 : CELL_PX + 2] < 60).all()
    assert (strip[:, 2 * CELL_PX - 2 : 2 * CELL_PX + 2] < 60).all()
    assert (strip[:, CELL_PX : 2 * CELL_PX] > 150).any()


def test_colours_are_as_drawing_takes_them(drawings: tuple[Dataset, Dataset]) -> None:
    red_in_rgb = np.zeros((8, 8, 3), np.uint8)
    red_in_rgb[..., 0] = 255
    assert grids()._shown(red_in_rgb, "rgb")[0, 0].tolist() == [0, 0, 255]
    assert grids()._shown(red_in_rgb, "bgr")[0, 0].tolist() == [255, 0, 0]


def test_a_large_picture_is_shown_smaller() -> None:
    assert grids()._shown(np.zeros((448, 224, 3), np.uint8), "bgr").shape == (112, 56, 3)


@pytest.fixture(scope="session")
def faces(shapes: Path) -> Path:
    """A folder of four drawings."""
    return shapes / "test" / "happy"


def test_the_grid_has_the_first_pictures_of_folders_and_files_in_order(
    trained_run: Path, shapes: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = shapes / "test" / "sad" / "0.png"
    out = tmp_path / "grid.png"
    assert cli.main(["grid", str(trained_run), str(faces), str(extra), "--out", str(out)]) == ExitCode.OK
    assert f"{out}: 5 faces" in capsys.readouterr().out
    sheet = read(out)
    assert filled(sheet) == [True] * 5 + [False] * 4
    last = sheet[TALL + STRIP_PX : 2 * TALL, CELL_PX : 2 * CELL_PX]
    wanted = cv2.resize(read(extra), (CELL_PX, CELL_PX), interpolation=cv2.INTER_CUBIC)
    assert np.abs(last.astype(int) - wanted.astype(int)).max() <= 1


def test_rows_and_columns_bound_the_grid(trained_run: Path, faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "grid.png"
    arguments = ["grid", str(trained_run), str(faces), "--out", str(out), "--rows", "1", "--columns", "2"]
    assert cli.main(arguments) == ExitCode.OK
    assert filled(read(out)) == [True, True]


def test_what_stands_over_a_picture_is_what_the_model_says(trained_run: Path, faces: Path, shapes: Path) -> None:
    from fer_edge.detectors.whole import Whole  # noqa: PLC0415 - only here
    from fer_train.commands.grid import _frames  # noqa: PLC0415 - only here
    from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras

    trained = open_trained(trained_run)
    spec = trained.recipe.preprocess
    found = grids().predicted(trained, list(grids().faces_of(_frames([faces], print), Whole(), spec, print)))
    data = datasets.load(str(shapes), trained.recipe.labels, spec, "test")
    rows = [i for i, name in enumerate(data.names) if Path(name).parent.name == "happy"]
    wanted = evaluate(trained, data.subset(rows)).probabilities
    said = [f"{data.labels[int(row.argmax())]} {row.max():.0%}" for row in wanted]
    assert [text for _, text in found] == said


def test_a_picture_that_cannot_be_read_is_told_and_left_out(
    trained_run: Path, tmp_path: Path, faces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "0.png").write_bytes((faces / "0.png").read_bytes())
    (mixed / "1.png").write_bytes(b"no picture")
    assert cli.main(["grid", str(trained_run), str(mixed), "--out", str(tmp_path / "grid.png")]) == ExitCode.OK
    out, err = capsys.readouterr()
    assert "grid.png: 1 faces" in out
    assert "1.png is not a picture" in err


def test_a_detector_finds_the_faces_first(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, out = media("two_people.jpg"), tmp_path / "grid.png"
    arguments = ["grid", str(trained_run), str(picture), "--detector", "yunet", "--detector-weights", str(yunet())]
    assert cli.main([*arguments, "--out", str(out)]) == ExitCode.OK
    printed, err = capsys.readouterr()
    assert "2 faces" in printed
    assert "no crop contract for yunet" in err
    assert filled(read(out))[:3] == [True, True, False]


def test_pictures_without_faces_write_nothing(
    trained_run: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "grid.png"
    arguments = ["grid", str(trained_run), str(faces), "--detector", "yunet", "--detector-weights", str(yunet())]
    assert cli.main([*arguments, "--out", str(out)]) == ExitCode.UNAVAILABLE
    assert "yunet found no face in these pictures; nothing was written" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["gone.png", "--out", "OUT/grid.png"], "no such file: gone.png"),
        (["FACES", "--out", "OUT/gone/grid.png"], "the result cannot be written to"),
        (["FACES", "--out", "OUT/grid.xyz"], "grid.xyz cannot be written"),
    ],
)
def test_a_mistake_in_a_path_is_one_sentence(
    trained_run: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: list[str], words: str
) -> None:
    named = [word.replace("OUT", str(tmp_path)).replace("FACES", str(faces)) for word in change]
    assert cli.main(["grid", str(trained_run), *named]) == ExitCode.UNAVAILABLE
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_weights_for_a_detector_that_takes_none_are_a_usage_error(tmp_path: Path) -> None:
    arguments = ["grid", "run", "face.png", "--out", str(tmp_path / "g.png"), "--detector-weights", "w.onnx"]
    assert cli.main(arguments) == ExitCode.USAGE


def test_evaluate_writes_a_row_per_picture(trained_run: Path, shapes: Path, tmp_path: Path) -> None:
    out = tmp_path / "said.csv"
    arguments = ["evaluate", str(trained_run), "--data", str(shapes), "--predictions", str(out)]
    assert cli.main(arguments) == ExitCode.OK
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 28
    assert {Path(row["name"]).parent.name for row in rows} == {row["true"] for row in rows}
    assert all(0.0 < float(row["confidence"]) <= 1.0 for row in rows)
