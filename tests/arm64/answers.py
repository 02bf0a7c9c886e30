"""What an artifact answers, for two machines to be compared: started on both, with nothing but fer-edge installed.

python answers.py BUNDLE RUNTIME PRECISION PICTURES     one JSON object: outputs, the step they are rounded to,
                                                        and how far the manifest lets golden ones be off
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import cv2
import numpy as np

from fer_edge.bundle import Bundle
from fer_edge.classifier import open_classifier


def main() -> int:
    """Print the answers."""
    bundle, runtime, precision, pictures = sys.argv[1:]
    ready = open_classifier(Bundle.open(Path(bundle)), runtime=runtime, precision=precision)
    faces = [np.asarray(cv2.imread(str(path)), dtype=np.uint8) for path in sorted(Path(pictures).iterdir())]
    outputs = ready.outputs(np.stack([ready.preprocess.pixels(face) for face in faces]))
    told = {"step": ready.runtime.outputs[0].scale, "tolerance": ready.artifact.tolerance, "outputs": outputs.tolist()}
    sys.stdout.write(json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
