"""One artifact: made, loaded as the device does, judged on the device's own path."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace

from fer_convert import formats, golden, inspection, metadata, verify
from fer_convert.formats import ConversionFailed, Files
from fer_convert.ground import Ground
from fer_convert.metadata import Meaning
from fer_convert.options import CALIBRATED
from fer_convert.quantize.calibration import Calibration, Plan
from fer_convert.report import Row
from fer_convert.sources import Source
from fer_convert.verify import Measured
from fer_edge.bundle import Artifact, ArtifactFile, Bundle, Format, Precision, Quality, Tensor
from fer_edge.classifier import Classifier
from fer_edge.errors import BundleRefused
from fer_edge.preprocess import PreprocessSpec
from fer_edge.runtimes import Runtime, open_runtime
from fer_edge.types import TensorSpec
from fer_train.backend import hushed

THREADS = 1
"""Of one inference: top-1 does not depend on it, and outputs are then the same in every run."""
Made = tuple[Row, Files]
"""A row and the files it speaks of; none where the conversion failed."""


def make(ground: Ground, format_: Format, precision: Precision) -> Made:
    """An artifact of the source as it is, in the plainest way."""
    calibration = ground.calibration if precision in CALIBRATED else None
    told = f", calibrating with {len(calibration.tensors)} faces" if calibration else ""
    ground.say(f"converting to {format_}/{precision}{told}")
    return made(ground, Row(format_, precision), ground.source, calibration, Plan())


def made(ground: Ground, row: Row, source: Source, calibration: Calibration | None, plan: Plan) -> Made:
    """Convert, load as the device does, judge; row: says format and precision."""
    try:
        files = formats.make(source, row.format, row.precision, calibration, plan)
        files = metadata.embedded(row.format, files, _meaning(ground, row.precision))
        with hushed():
            runtime = open_runtime(list(files.values()), row.format, threads=THREADS)
    except (ConversionFailed, BundleRefused) as error:
        return replace(row, reasons=(str(error),)), {}
    artifact, measured = _judge(ground, row, files, runtime)
    reasons = [*promises(row, runtime, ground.spec), *verify.failures(measured, ground.job.gates)]
    row = replace(
        row,
        runtime=runtime.name,
        runtime_version=runtime.version,
        threads=runtime.threads,
        effective_precision=runtime.effective_precision,
        size_bytes=artifact.size_bytes,
        p50_ms=verify.p50_ms(runtime),
        artifact=artifact,
        measured=measured,
        reasons=tuple(reasons),
        notes=inspection.notes(row.format, files),
    )
    return row, files


def _meaning(ground: Ground, precision: Precision) -> Meaning:
    known = ground.source.description
    return Meaning(
        name=known.name,
        precision=precision,
        labels=known.labels,
        output_kind=ground.reference.kind,
        preprocess=known.preprocess,
    )


def _judge(ground: Ground, row: Row, files: Files, runtime: Runtime) -> tuple[Artifact, Measured]:
    """Golden outputs, then the evaluation pictures, both on the device's path."""
    draft = _draft(ground, row, files, runtime)
    classifier = Classifier(Bundle(ground.job.out, ground.manifest([draft]), ""), draft, runtime)
    evaluation = ground.pictures.evaluation
    ground.say(f"judging {draft.id} in {runtime.name} {runtime.version} on {len(evaluation)} pictures")
    measured = verify.measure(verify.run(classifier, evaluation.images, ground.say), ground.reference, evaluation)
    quality = Quality(
        data=evaluation.digest(),
        n=measured.scores.n,
        top1=measured.scores.top1,
        top1_ci95=measured.scores.top1_ci95,
        recall=measured.scores.recall,
        drop_pp=measured.drop_pp,
        drop_pp_ci95=measured.drop_pp_ci95,
        agreement=measured.agreement,
        ece=measured.ece,
    )
    fitted = {"temperature": measured.temperature, "uncertain_below": measured.uncertain_below, "quality": quality}
    return draft.model_copy(update=fitted), measured


def _draft(ground: Ground, row: Row, files: Files, runtime: Runtime) -> Artifact:
    """The artifact before it was measured; what it outputs is taken as it is, temperature 1."""
    known = golden.goldens(runtime, ground.spec)
    named = tuple(
        ArtifactFile(
            name=f"{ground.source.description.name}.{row.precision}.{suffix}",
            bytes=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
        )
        for suffix, data in files.items()
    )
    return Artifact(
        format=row.format,
        precision=row.precision,
        files=named,
        input=_tensor(runtime.input),
        output=_tensor(runtime.outputs[0]),
        output_kind=ground.reference.kind,
        golden=known,
        tolerance=golden.tolerance(runtime, known),
    )


ENDS = {("tflite", "int8"): "int8", ("tflite", "int16x8"): "int16"}
"""What goes in and comes out, where it is not float32."""
COMPUTES = {
    "float16": ("float16", "float32"),
    "dynamic": ("dynamic", "dynamic+float32"),
    "int8": ("int8", "float32+int8"),
}
"""What a precision may be executed as: half where the processor has it; layers that are small or were left in float."""


def promises(row: Row, runtime: Runtime, spec: PreprocessSpec) -> list[str]:
    """What the precision's name promises and the file does not keep, in words; empty when all is kept."""
    broken = []
    end = ENDS.get((row.format, row.precision), "float32")
    for kind, tensor in (("input", runtime.input), ("output", runtime.outputs[0])):
        if tensor.dtype != end:
            broken.append(f"its {kind} is {tensor.dtype}, not {end}")
    if runtime.effective_precision not in COMPUTES.get(row.precision, (row.precision,)):
        broken.append(f"it computes in {runtime.effective_precision}, not in {row.precision}")
    levels = verify.input_levels(spec, runtime.input)
    if levels < verify.MIN_INPUT_LEVELS:
        broken.append(f"its input tells only {levels} of 256 pixel values apart; choose another mean or std")
    return broken


def _tensor(spec: TensorSpec) -> Tensor:
    return Tensor.model_validate(asdict(spec))
