"""Pictures with known answers, by which a device proves that it preprocesses and computes as the maker did.

They are drawn, not photographed: nobody's face travels in a bundle, and no data set's terms follow it.
"""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

from fer_edge.bundle import Golden
from fer_edge.postprocess import dequantize
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.runtimes import Runtime
from fer_edge.types import Image

SEED = 2013
SMOOTH = 3
"""Pictures of soft blobs over a gradient; one more has only black and white edges, where rounding is hardest."""
BLOBS = 6

FLOAT_SHARE = 1e-3
"""Of the outputs' spread. LiteRT's XNNPACK and its reference kernels differed by 3e-6 of logits that span 13."""
QUANTIZED_SHARE = 0.04
"""Of the outputs' spread, where eight bits are inside and floats come out: some ten steps of a last layer's output."""
INT8_STEPS = 3.0
"""Steps of the quantized output. XNNPACK, LiteRT's built-in kernels and its reference kernels, which stand for
processors with other kernels, differed by at most one step on 300 faces; a wrong mean or colour order moves by dozens.
"""


def pictures(spec: PreprocessSpec) -> list[Image]:
    """Four crops as `Preprocess.pixels` makes them, uint8 (S, S) for grey models, else (S, S, 3); always the same."""
    rng = np.random.default_rng(SEED)
    planes = [[_blobs(rng, spec.size) for _ in range(spec.channels)] for _ in range(SMOOTH)]
    planes.append([_edges(rng, spec.size) for _ in range(spec.channels)])
    return [channels[0] if spec.channels == 1 else np.stack(channels, axis=-1) for channels in planes]


def goldens(runtime: Runtime, spec: PreprocessSpec) -> tuple[Golden, ...]:
    """The pictures and what this loaded artifact says of them, as real values."""
    preprocess, found = Preprocess(spec, runtime.input), []
    for picture in pictures(spec):
        stored = runtime.infer(preprocess.tensor(picture[np.newaxis]))[0]
        output = dequantize(stored, runtime.outputs[0])[0]
        pixels = base64.b64encode(picture.tobytes()).decode("ascii")
        found.append(Golden(pixels=pixels, output=tuple(output.tolist())))
    return tuple(found)


def tolerance(runtime: Runtime, found: tuple[Golden, ...]) -> float:
    """The largest difference that another correct kernel may make, in the output's own unit."""
    output = runtime.outputs[0]
    if output.quantized:
        return INT8_STEPS * output.scale
    spread = max(float(np.ptp(np.asarray([golden.output for golden in found]))), FLOAT_SHARE)
    return spread * (FLOAT_SHARE if runtime.effective_precision == "float32" else QUANTIZED_SHARE)


def _blobs(rng: np.random.Generator, size: int) -> Image:
    """Gaussian blobs, light and dark, over a slanted gradient, stretched to 0-255."""
    rows, columns = np.mgrid[0:size, 0:size] / max(size - 1, 1)
    slope = rng.uniform(-1.0, 1.0, size=2)
    field: NDArray[np.float64] = slope[0] * rows + slope[1] * columns
    for _ in range(BLOBS):
        row, column = rng.uniform(0.1, 0.9, size=2)
        width, height = rng.uniform(0.08, 0.3), rng.uniform(-1.5, 1.5)
        field = field + height * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * width**2))
    stretched = (field - field.min()) / max(float(np.ptp(field)), 1e-9)
    return np.asarray(np.rint(255.0 * stretched), dtype=np.uint8)


def _edges(rng: np.random.Generator, size: int) -> Image:
    """A white disc and white bars on black."""
    rows, columns = np.mgrid[0:size, 0:size] / max(size - 1, 1)
    row, column = rng.uniform(0.3, 0.7, size=2)
    disc = (rows - row) ** 2 + (columns - column) ** 2 < 0.04
    bars = (np.floor(rows * int(rng.integers(5, 9))) % 2).astype(bool)
    return np.asarray(np.where(disc ^ bars, 255, 0), dtype=np.uint8)
