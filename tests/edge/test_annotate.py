"""Pictures for people."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.annotate import CELL_PX, STRIP_PX, caption, draw, grid, write_picture
from fer_edge.errors import OutputError
from fer_edge.types import Box, Expression, Observation, TrackedFace

WALL = datetime(2026, 1, 1, tzinfo=timezone.utc)
HAPPY = Expression((0.934, 0.066), "happy")
UNSURE = Expression((0.55, 0.45), None)


def observed(*faces: TrackedFace) -> Observation:
    return Observation(0, 0.0, WALL, 200, 160, faces)


def test_a_caption_tells_label_and_confidence() -> None:
    assert caption(TrackedFace(1, Box(0, 0, 1, 1), 1.0, HAPPY)) == "happy 93%"


def test_a_face_that_is_uncertain_is_called_so() -> None:
    assert caption(TrackedFace(1, Box(0, 0, 1, 1), 1.0, UNSURE)) == "uncertain"


def test_drawing_leaves_the_frame_itself_alone() -> None:
    frame = np.zeros((160, 200, 3), np.uint8)
    marked = draw(frame, observed(TrackedFace(1, Box(50, 60, 40, 40), 1.0, HAPPY)))
    assert not frame.any()
    assert marked.any()


def test_the_box_is_drawn_where_the_face_is() -> None:
    marked = draw(np.zeros((160, 200, 3), np.uint8), observed(TrackedFace(1, Box(50, 60, 40, 50), 1.0, HAPPY)))
    assert marked[110, 70].any()  # the lower edge
    assert marked[85, 90].any()  # the right edge
    assert not marked[85, 70].any()  # the face itself stays free


@pytest.mark.parametrize("box", [Box(-30, -30, 60, 60), Box(180, 140, 60, 60), Box(500, 500, 10, 10)])
def test_a_box_that_reaches_outside_is_drawn_as_far_as_it_goes(box: Box) -> None:
    marked = draw(np.zeros((160, 200, 3), np.uint8), observed(TrackedFace(1, box, 1.0, HAPPY)))
    assert marked.shape == (160, 200, 3)


def test_the_grid_shows_nine_cells_with_a_strip_of_text_over_each() -> None:
    cells = [(np.full((48, 48), 200, np.uint8), "happy 93%")] * 12
    sheet = grid(cells)
    assert sheet.shape == (3 * (CELL_PX + STRIP_PX), 3 * CELL_PX, 3)
    centers = sheet[STRIP_PX + CELL_PX // 2 :: CELL_PX + STRIP_PX, CELL_PX // 2 :: CELL_PX]
    assert (centers == 200).all()
    assert (sheet[:STRIP_PX] > 240).any()


def test_a_grid_of_fewer_faces_leaves_the_other_cells_dark() -> None:
    sheet = grid([(np.full((30, 60, 3), 250, np.uint8), "sad 50%")])
    assert (sheet[:, CELL_PX:] < 100).all()


def test_a_picture_is_written_and_read_back(tmp_path: Path) -> None:
    picture = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    write_picture(tmp_path / "new" / "out.png", picture)
    read = cv2.imread(str(tmp_path / "new" / "out.png"))
    assert read is not None
    assert np.array_equal(read, picture)


def test_an_ending_that_is_no_picture_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"out\.xyz cannot be written"):
        write_picture(tmp_path / "out.xyz", np.zeros((4, 4, 3), np.uint8))


def test_a_place_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(OutputError, match=r"cannot be written"):
        write_picture(Path("/dev/null/out.png"), np.zeros((4, 4, 3), np.uint8))
