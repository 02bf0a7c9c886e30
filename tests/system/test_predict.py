"""`fer-edge predict` on real pictures, as a user runs it."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import pytest

from support.commands import events, fer_edge
from support.shared import media, yunet

NEEDS_FACES = {"obama-480p.jpg": 1, "biden.jpg": 1, "obama_and_biden.jpg": 2, "two_people.jpg": 2}


@pytest.mark.parametrize(("name", "faces"), NEEDS_FACES.items())
def test_the_faces_of_a_picture_are_found_and_told_of(name: str, faces: int) -> None:
    ended = fer_edge("predict", media(name), "--detector-weights", yunet(), "--events", "-")
    assert ended.returncode == 0, ended.stderr
    found = [event for event in events(ended.stdout) if event["type"] == "face_entered"]
    assert len(found) >= faces
    assert all(event["file"].endswith(name) for event in found)
    assert all(abs(sum(event["probabilities"].values()) - 1.0) < 1e-3 for event in found)


def test_a_smiling_man_is_happy() -> None:
    ended = fer_edge("predict", media("obama-480p.jpg"), "--detector-weights", yunet())
    assert "obama-480p.jpg: happy" in ended.stdout


def test_words_go_to_standard_output_and_events_to_their_file(tmp_path: Path) -> None:
    picture, lines = media("biden.jpg"), tmp_path / "events.jsonl"
    ended = fer_edge("predict", picture, "--detector-weights", yunet(), "--events", lines)
    assert ended.stdout.startswith(f"{picture}: ")
    assert events(lines.read_text(encoding="utf-8"))[0]["type"] == "face_entered"


def test_annotated_copies_and_the_grid_are_pictures(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in NEEDS_FACES:
        shutil.copy(media(name), folder / name)
    marked, sheet = tmp_path / "marked", tmp_path / "grid.png"
    ended = fer_edge("predict", folder, "--detector-weights", yunet(), "--annotate", marked, "--grid", sheet)
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in marked.iterdir()) == sorted(NEEDS_FACES)
    for name in NEEDS_FACES:
        before, after = cv2.imread(str(folder / name)), cv2.imread(str(marked / name))
        assert before is not None
        assert after is not None
        assert before.shape == after.shape
        assert (before != after).any()
    assert cv2.imread(str(sheet)) is not None


def test_a_clip_is_annotated_as_a_clip(tmp_path: Path) -> None:
    clip = media("head-pose-face-detection-female-and-male.gif")
    ended = fer_edge("predict", clip, "--detector-weights", yunet(), "--annotate", tmp_path)
    assert ended.returncode == 0, ended.stderr
    written = cv2.VideoCapture(str(tmp_path / f"{clip.stem}.mp4"))
    assert written.isOpened()
    assert int(written.get(cv2.CAP_PROP_FRAME_COUNT)) == 56
    written.release()


def test_the_haar_cascade_finds_a_frontal_face_without_any_weights() -> None:
    if not hasattr(cv2, "CascadeClassifier"):
        pytest.skip("OpenCV 5 has no Haar cascades")
    ended = fer_edge("predict", media("obama-480p.jpg"), "--detector", "haar")
    assert ended.returncode == 0, ended.stderr
    assert "no face found" not in ended.stdout


def test_a_picture_that_is_a_face_already_needs_no_detector() -> None:
    ended = fer_edge("predict", media("biden.jpg"), "--detector", "whole", "--events", "-")
    assert len([event for event in events(ended.stdout) if event["type"] == "face_entered"]) == 1


def test_files_of_the_same_name_both_keep_their_copy(tmp_path: Path) -> None:
    for folder, name in (("a", "biden.jpg"), ("b", "obama-480p.jpg")):
        (tmp_path / folder).mkdir()
        shutil.copy(media(name), tmp_path / folder / "face.jpg")
    marked = tmp_path / "marked"
    ended = fer_edge("predict", tmp_path / "a", tmp_path / "b", "--detector", "whole", "--annotate", marked)
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in marked.iterdir()) == ["face-2.jpg", "face.jpg"]


def test_originals_are_never_replaced(tmp_path: Path) -> None:
    picture = shutil.copy(media("biden.jpg"), tmp_path / "face.jpg")
    ended = fer_edge("predict", picture, "--detector", "whole", "--annotate", tmp_path)
    assert ended.returncode == 69
    assert "would replace the originals" in ended.stderr
    assert Path(picture).read_bytes() == media("biden.jpg").read_bytes()


def test_what_never_ends_is_nothing_to_predict() -> None:
    ended = fer_edge("predict", "demo", "--detector", "whole")
    assert ended.returncode == 69
    assert ended.stderr == "fer-edge: no such file: demo\n"
