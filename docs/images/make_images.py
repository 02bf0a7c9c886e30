"""Makes the pictures of the README from the built-in demo: `python docs/images/make_images.py`."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from fer_edge.annotate import caption, draw, grid, write_picture
from fer_edge.assembly import make_classifier, make_pipeline
from fer_edge.cameras.demo import CYCLE_S, FPS
from fer_edge.cameras.opening import open_camera
from fer_edge.config import Settings
from fer_edge.preprocess import cut
from fer_edge.types import Image

HERE = Path(__file__).parent
SHOWN_S = (2.0, 7.0, 12.0, 16.5, 21.0)
"""Within the demo's cycle: neutral, happy, surprise, angry, sad."""
EVERY_S = 2.5


def main() -> None:
    """One cycle of the demo through the daemon's own pipeline."""
    settings = Settings()
    classifier = make_classifier(settings)
    pipeline = make_pipeline(settings, classifier)
    contract = classifier.preprocess.spec.contract(pipeline.search.detector.name)
    marked: list[Image] = []
    cells: list[tuple[Image, str]] = []
    with open_camera("demo") as camera:
        for number in range(round(CYCLE_S * FPS)):
            frame = camera.read(1.0)
            if frame is None:
                break
            seen = pipeline.step(frame)
            if number in {round(at_s * FPS) for at_s in SHOWN_S}:
                small = draw(frame.image, seen)[40:440, 120:520]
                marked.append(np.asarray(cv2.resize(small, (240, 240), interpolation=cv2.INTER_AREA), dtype=np.uint8))
            if number % round(EVERY_S * FPS) == round(FPS):
                cells += [(cut(frame.image, contract.apply(face.box)).copy(), caption(face)) for face in seen.faces]
    write_picture(HERE / "demo.jpg", np.hstack(marked))
    write_picture(HERE / "grid.jpg", np.asarray(cv2.resize(grid(cells), (540, 621)), dtype=np.uint8))


if __name__ == "__main__":
    main()
