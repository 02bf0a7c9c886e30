"""What an artifact is worth, measured the moment it exists, through the code that runs on the device.

The source is judged by what its own framework says of the pictures; an artifact is loaded by `fer_edge.runtimes` and
run by `fer_edge.classifier`, with the preprocessing that its bundle will carry.

Top-1, recall, drop and agreement stand on all evaluation pictures. Temperature and the confidence under which no
label is given are fitted per artifact on one seeded half of them with the classes in equal shares, and the
expected calibration error is told for the other half, which the fit has not seen. A temperature changes no top-1 label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from fer_convert.options import Gates
from fer_convert.pictures import halves
from fer_convert.progress import Counted, Say
from fer_convert.sources import Source
from fer_convert.sources.reading import ModelRefused
from fer_edge.classifier import Classifier
from fer_edge.clock import perf_s
from fer_edge.postprocess import Calibration, probabilities
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.runtimes import Runtime
from fer_edge.types import Image, TensorSpec
from fer_train import metrics
from fer_train.data import Dataset

CHUNK = 256
WARM_UP, TIMED = 10, 100
SUM_TOLERANCE = 1e-3
MIN_INPUT_LEVELS = 200
"""Of 256. Three channels with the usual means share one range and keep 234 at least; half would be 7-bit pictures."""

Outputs = NDArray[np.float64]
Kind = Literal["logits", "probabilities"]


@dataclass(frozen=True)
class Reference:
    """The float32 source on the evaluation pictures: outputs (N, labels), what they are, and the scores."""

    outputs: Outputs
    kind: Kind
    scores: metrics.Scores

    def correct(self, targets: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the pictures it has right, bool (N,)."""
        return np.asarray(self.outputs.argmax(axis=1) == targets)


@dataclass(frozen=True)
class Measured:
    """One artifact's figures; shares 0 to 1, drops in percentage points below the source (negative: better).

    ece: on the half that temperature and uncertain_below were not fitted on. class_drop_pp: recall, by label.
    output_error: the largest difference of any output from the source's, in the outputs' own unit.
    """

    scores: metrics.Scores
    drop_pp: float
    drop_pp_ci95: tuple[float, float]
    class_drop_pp: dict[str, float]
    agreement: float
    temperature: float
    uncertain_below: float
    ece: float
    output_error: float

    @property
    def worst_class(self) -> tuple[str, float]:
        """The label whose recall fell most, and by how many points."""
        return max(self.class_drop_pp.items(), key=lambda item: item[1])


def reference(source: Source, data: Dataset) -> Reference:
    """Judge what the source itself said of the pictures; raises ModelRefused when that is not numbers."""
    outputs = source.outputs.astype(np.float64)
    if not np.isfinite(outputs).all():
        raise ModelRefused(f"{source.description.file} gives NaN or infinity for faces; its training went wrong")
    kind = output_kind(outputs)
    return Reference(outputs, kind, _scores(probabilities(outputs, Calibration(kind)), data))


def output_kind(outputs: Outputs) -> Kind:
    """What outputs (N, labels) are: "probabilities" where every row is a distribution, else "logits"."""
    sums = outputs.sum(axis=1)
    return "probabilities" if outputs.min() >= 0.0 and np.abs(sums - 1.0).max() <= SUM_TOLERANCE else "logits"


def run(classifier: Classifier, faces: Image, say: Say) -> Outputs:
    """Real-valued outputs (N, labels) of N crops on the device's path, telling how far it is."""
    parts = [faces[start : start + CHUNK] for start in range(0, len(faces), CHUNK)]
    counted = Counted(parts, say, "pictures judged", [len(part) for part in parts])
    return np.concatenate([classifier.outputs(part) for part in counted])


def p50_ms(runtime: Runtime) -> float:
    """Median time of one inference, of TIMED after WARM_UP; for ratios on one machine, and no more than that."""
    tensor = np.zeros(runtime.input.shape, dtype=runtime.input.dtype)
    for _ in range(WARM_UP):
        runtime.infer(tensor)
    times = []
    for _ in range(TIMED):
        began = perf_s()
        runtime.infer(tensor)
        times.append(perf_s() - began)
    return 1000.0 * float(np.median(times))


def measure(outputs: Outputs, against: Reference, data: Dataset) -> Measured:
    """Compare an artifact's outputs (N, labels) with the truth and with the source."""
    fitting, judging = halves(data.targets)
    kind = against.kind
    temperature = metrics.fit_temperature(_logits(outputs[fitting], kind), data.targets[fitting])
    calibrated = probabilities(outputs, Calibration(kind, temperature))
    scores = _scores(calibrated, data)
    right = np.asarray(outputs.argmax(axis=1) == data.targets)
    drop, interval = metrics.paired_drop(against.correct(data.targets), right)
    return Measured(
        scores=scores,
        drop_pp=drop,
        drop_pp_ci95=interval,
        class_drop_pp={name: 100.0 * (against.scores.recall[name] - scores.recall[name]) for name in data.labels},
        agreement=metrics.agreement(against.outputs, outputs),
        temperature=temperature,
        uncertain_below=metrics.uncertain_threshold(calibrated[fitting], data.targets[fitting]),
        ece=metrics.expected_calibration_error(calibrated[judging], data.targets[judging]),
        output_error=float(np.abs(outputs - against.outputs).max()),
    )


def failures(found: Measured, gates: Gates) -> list[str]:
    """Every gate that is not met, in words; empty when all are."""
    reasons = []
    if found.drop_pp > gates.max_drop_pp:
        reasons.append(f"top-1 drops by {found.drop_pp:.2f} points, more than {gates.max_drop_pp:g}")
    if found.agreement < gates.min_agreement:
        reasons.append(f"agreement with the source is {found.agreement:.2%}, less than {gates.min_agreement:.2%}")
    label, drop = found.worst_class
    if gates.max_class_drop_pp is not None and drop > gates.max_class_drop_pp:
        reasons.append(f"recall of {label} drops by {drop:.2f} points, more than {gates.max_class_drop_pp:g}")
    return reasons


def input_levels(spec: PreprocessSpec, tensor: TensorSpec) -> int:
    """How many of the 256 values of a pixel the model's input tells apart, in its worst channel."""
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    faces = ramp if spec.channels == 1 else np.repeat(ramp[..., np.newaxis], 3, axis=2)
    stored = Preprocess(spec, tensor).tensor(faces[np.newaxis])
    axis = 1 if spec.layout == "NCHW" else 3
    return min(len(np.unique(np.take(stored, channel, axis))) for channel in range(spec.channels))


def _logits(outputs: Outputs, kind: str) -> Outputs:
    """What a temperature divides; see `fer_edge.postprocess.probabilities`."""
    return outputs if kind == "logits" else np.asarray(np.log(probabilities(outputs, Calibration(kind))))


def _scores(values: Outputs, data: Dataset) -> metrics.Scores:
    return metrics.score(values, data.targets, data.labels)
