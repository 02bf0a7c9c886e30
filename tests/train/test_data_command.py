"""`fer-train data`: the table, what repeats, what is faulty, the plot and the figures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import pytest

from fer_edge.errors import ExitCode
from fer_train import cli
from fer_train.commands import data as command
from support import shared
from support.layouts import affectnet, class_folders, fer2013_row, fer2013_table, picture


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Two parts of two classes with one fault of every kind."""
    root = tmp_path / "faces"
    class_folders(root / "train", {"happy": 6, "sad": 3, "bored": 1, "contempt": 2})
    class_folders(root / "test", {"happy": 1, "sad": 1})
    shutil.copy(root / "train" / "happy" / "0.png", root / "train" / "happy" / "again.png")
    shutil.copy(root / "train" / "happy" / "1.png", root / "train" / "sad" / "other.png")
    shutil.copy(root / "train" / "sad" / "2.png", root / "test" / "sad" / "seen.png")
    (root / "test" / "happy" / "broken.png").write_bytes(b"x")
    picture(root / "test" / "happy" / "wide.png", height=20, width=30)
    return root


def out(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> list[str]:
    assert cli.main(["data", *map(str, arguments)]) == ExitCode.OK
    return capsys.readouterr().out.splitlines()


def figures(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads("\n".join(out(capsys, *arguments, "--json", "-")))
    return found


def test_classes_are_counted_by_part_with_their_shares(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = out(capsys, "--data", faces, "--labels", "fer2013")
    cells = {line.split()[0]: line.split()[1:] for line in lines[1:10]}
    assert cells["class"] == ["train", "test"]
    assert cells["happy"] == ["7", "63.6%", "2", "50.0%"]
    assert cells["fear"] == ["0", "0.0%", "0", "0.0%"]
    assert cells["all"] == ["11", "4"]


def test_everything_that_should_be_known_is_a_line(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = out(capsys, "--data", faces, "--labels", "fer2013")
    assert lines[0] == "class folders in train, test"
    assert lines[10:] == [
        "sizes: 8 x 8 px (14), 30 x 20 px (1)",
        "not square, of which the central square is taken: 1",
        "left out, for it is no label: 2 of contempt",
        "more than once in train: 2, with 2 copies too many; under different labels: 1",
        "of test also in train: 1, such as test/sad/seen.png and train/sad/2.png",
        "cannot be used: 2",
        "  1: unknown class 'bored': train/bored/0.png",
        "  1: not a readable picture: test/happy/broken.png",
    ]


def test_the_data_s_own_classes_are_the_labels_when_none_are_said(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(figures(capsys, "--data", faces)["labels"]) == 8  # it has contempt
    affectnet(tmp_path / "a", {"1": "1"})
    assert figures(capsys, "--data", tmp_path / "a")["labels"][0] == "neutral"
    class_folders(tmp_path / "pets", {"cat": 2, "dog": 1})
    assert figures(capsys, "--data", tmp_path / "pets")["parts"][0]["counts"] == {"cat": 2, "dog": 1}


def test_a_recipe_s_labels_and_size_are_taken(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = out(capsys, "--data", faces, "--labels", "fernet-s")
    assert "smaller than the input of 48 px, to which they are enlarged: 15" in lines


def test_labels_that_are_nothing_are_a_usage_error(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["data", "--data", str(faces), "--labels", "ferplus"]) == ExitCode.USAGE
    assert "--labels 'ferplus' is no label set (fer2013, affectnet7, affectnet8, rafdb)" in capsys.readouterr().err


def test_the_figures_are_those_of_the_table(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(capsys, "--data", faces, "--labels", "fer2013")
    assert found["schema_version"] == command.SCHEMA_VERSION
    assert (found["data"], found["layout"]) == ("faces", "class folders in train, test")
    assert [(part["name"], part["n"], part["counts"]["sad"]) for part in found["parts"]] == [
        ("train", 11, 4),
        ("test", 4, 2),
    ]
    assert found["parts"][0]["repeated"] == {
        "pictures": 2,
        "surplus": 2,
        "conflicting": 1,
        "examples": [
            ["train/happy/0.png", "train/happy/again.png"],
            ["train/happy/1.png", "train/sad/other.png"],
        ],
    }
    assert found["shared"] == [
        {"part": "test", "with": "train", "n": 1, "examples": [["test/sad/seen.png", "train/sad/2.png"]]}
    ]
    assert found["left_out"] == {"contempt": 2}
    assert found["problems"][1] == {"reason": "not a readable picture", "n": 1, "names": ["test/happy/broken.png"]}
    assert found["sizes"] == [{"width": 8, "height": 8, "n": 14}, {"width": 30, "height": 20, "n": 1}]
    assert (found["not_square"], found["smaller_than_input"]) == (1, None)


def test_names_and_sizes_are_shown_and_stored_up_to_their_limits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(8):
        picture(tmp_path / "happy" / f"{i}.png", height=8 + i, width=8 + i)
        (tmp_path / "happy" / f"broken-{i}.png").write_bytes(b"x")
    lines = out(capsys, "--data", tmp_path)
    assert lines[-1].endswith("happy/broken-0.png, happy/broken-1.png, happy/broken-2.png, ...")
    (sizes,) = [line for line in lines if line.startswith("sizes")]
    assert (sizes.count(" px "), sizes.endswith("(1), and 3 of 3 other sizes")) == (command.SHOWN_SIZES, True)
    monkeypatch.setattr(command, "MAX_NAMES", 7)
    monkeypatch.setattr(command, "MAX_SIZES", 6)
    found = figures(capsys, "--data", tmp_path)
    assert (len(found["problems"][0]["names"]), found["problems"][0]["n"], len(found["sizes"])) == (7, 8, 6)


def test_data_of_which_nothing_can_be_used_is_still_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = fer2013_table(tmp_path / "fer2013.csv", [fer2013_row("9"), fer2013_row("3", pixels=[1, 2])])
    found = figures(capsys, "--data", where, "--plot", tmp_path / "a.png")
    assert [part["n"] for part in found["parts"]] == [0, 0, 0]
    assert sum(problem["n"] for problem in found["problems"]) == 2
    assert (tmp_path / "a.png").is_file()


def test_rows_of_no_part_are_a_part_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = fer2013_table(tmp_path / "fer2013.csv", [fer2013_row("3"), fer2013_row("3", "Mine")])
    found = figures(capsys, "--data", where)
    assert {part["name"]: part["n"] for part in found["parts"]} == {"train": 1, "test": 0, "private": 0, "other": 1}


def test_a_folder_without_a_picture_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "happy").mkdir()
    assert cli.main(["data", "--data", str(tmp_path)]) == ExitCode.UNAVAILABLE
    assert "no pictures of angry, disgust" in capsys.readouterr().err


def test_the_plot_is_a_picture_of_bars(faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out(capsys, "--data", faces, "--plot", tmp_path / "bars.png")
    drawn = cv2.imread(str(tmp_path / "bars.png"))
    assert drawn is not None
    assert len({tuple(pixel) for pixel in drawn.reshape(-1, 3).tolist()}) > 3


def test_a_plot_that_cannot_be_written_ends_it_before_anything_is_read(
    faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["data", "--data", str(faces), "--plot", str(tmp_path / "no" / "a.png")]) == ExitCode.UNAVAILABLE
    error = capsys.readouterr().err
    assert "no/a.png: No such file or directory" in error
    assert "pictures read" not in error


def test_fer2013_repeats_itself(capsys: pytest.CaptureFixture[str]) -> None:
    found = figures(capsys, "--data", shared.fer2013())
    assert [(part["n"], part["repeated"]["pictures"], part["repeated"]["surplus"]) for part in found["parts"]] == [
        (28709, 1035, 1236),
        (3589, 26, 26),
    ]
    assert found["shared"][0]["n"] == 280
    assert found["problems"] == []
    assert found["sizes"] == [{"width": 48, "height": 48, "n": 32298}]
