"""One conversion from start to end: read, convert, judge each artifact the moment it exists, write what passed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from fer_convert import formats, frameworks, golden, metadata, origin, pictures, report, verify, write
from fer_convert.formats import ConversionFailed, Files
from fer_convert.metadata import Meaning
from fer_convert.options import CALIBRATED, KNOWN, Job
from fer_convert.pictures import Pictures, pinned
from fer_convert.quantize.calibration import Calibration
from fer_convert.report import Outcome, Row
from fer_convert.sources import Source, apart, description, reading
from fer_convert.verify import Measured, Reference
from fer_edge.bundle import (
    Artifact,
    ArtifactFile,
    Bundle,
    Card,
    Format,
    Manifest,
    Precision,
    Provenance,
    Quality,
    Tensor,
)
from fer_edge.classifier import Classifier
from fer_edge.errors import BundleRefused
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.runtimes import Runtime, open_runtime
from fer_edge.types import TensorSpec
from fer_train.backend import hushed
from fer_train.provenance import data_name

THREADS = 1
"""Of one inference: top-1 does not depend on it, and outputs are then the same in every run."""

Say = Callable[[str], None]
Made = tuple[Row, Files]
"""A row and the files it speaks of; none where the conversion failed."""


@dataclass(frozen=True)
class Ground:
    """What all artifacts of one bundle stand on."""

    job: Job
    source: Source
    pictures: Pictures
    reference: Reference
    provenance: Provenance
    card: Card
    calibration: Calibration | None
    say: Say

    @property
    def spec(self) -> PreprocessSpec:
        """How faces become tensors, with the crop contracts."""
        return self.source.description.preprocess

    def manifest(self, artifacts: Sequence[Artifact], tools: dict[str, str] | None = None) -> Manifest:
        """A manifest with these artifacts; `tools` are added to the ones that every artifact was made with."""
        known = {**self.provenance.tools, **(tools or {})}
        return Manifest(
            schema_version=1,
            name=self.source.description.name,
            task="expression",
            labels=self.source.description.labels,
            preprocess=self.spec,
            artifacts=tuple(artifacts),
            provenance=self.provenance.model_copy(update={"tools": known}),
            card=self.card,
        )


def run(job: Job, say: Say) -> Outcome:
    """Do the whole job; `say` gets a line at every slow step.

    The bundle is written when every artifact meets every gate, or, with `keep_passing`, when any does. Raises
    FerEdgeError for everything that keeps the job from an end; a refused artifact is a row of the outcome.
    """
    write.check_target(job.out, force=job.force)
    pictures.require(job)
    frameworks.require()
    ground = _ground(job, say)
    wanted = [(format_, kind) for format_ in job.formats for kind in job.precisions if kind in KNOWN[format_]]
    made = [_make(ground, format_, precision) for format_, precision in wanted]
    outcome = Outcome(
        job=job,
        name=ground.source.description.name,
        reference=ground.reference,
        data=report.evaluation_name(job),
        data_sha256=ground.pictures.evaluation.digest(),
        rows=tuple(row for row, _ in made),
    )
    passing = [(row, files) for row, files in made if row.passed]
    if not passing or not (outcome.passed or job.keep_passing):
        return outcome
    return replace(outcome, bundle=job.out, sha256=_write(ground, outcome, passing))


def _ground(job: Job, say: Say) -> Ground:
    known = description.describe(job)
    say(f"reading the pictures that {known.name} is calibrated with and judged by")
    found = pictures.load(job, known, say)
    trained = origin.trained_on(known)
    if trained and found.training and trained != found.training:
        say(f"the pictures of {job.calibrate} are not the ones that the run was trained on (SHA-256 differs)")
    say(f"reading {known.file.name}, and judging it in its own framework on {len(found.evaluation)} pictures")
    taken = _taken(known, found)
    source = Source(known, taken, origin.sha256(known.file))
    judged = verify.reference(source, found.evaluation)
    calibration = None
    if found.calibration is not None and set(job.precisions) & set(CALIBRATED):
        calibration = Calibration(Preprocess(known.preprocess).tensor(pinned(found.calibration.images)))
    return Ground(job, source, found, judged, origin.provenance(source, found), origin.card(known), calibration, say)


def _taken(known: description.Description, found: Pictures) -> reading.Taken:
    """The model taken apart: in this process where fer-train made it, else in one of its own."""
    wanted = reading.Wanted(known.file.resolve(), known.kind, known.preprocess, known.labels, known.from_flags)
    take = reading.take if known.own else apart.take_apart
    return take(wanted, found.evaluation.images)


def _make(ground: Ground, format_: Format, precision: Precision) -> Made:
    """Convert, load as the device does, judge."""
    row = Row(format_, precision)
    calibration = ground.calibration if precision in CALIBRATED else None
    told = f", calibrating with {len(calibration.tensors)} faces" if calibration else ""
    ground.say(f"converting to {row.name}{told}")
    try:
        files = formats.make(ground.source, format_, precision, calibration)
        files = metadata.embedded(format_, files, _meaning(ground, precision))
        with hushed():
            runtime = open_runtime(list(files.values()), format_, threads=THREADS)
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


def _write(ground: Ground, outcome: Outcome, passing: Sequence[Made]) -> str:
    ground.say(f"writing {ground.job.out}")
    artifacts = [row.artifact for row, _ in passing if row.artifact is not None]
    manifest = ground.manifest(artifacts, {row.runtime: row.runtime_version for row, _ in passing})
    files = {
        file.name: data
        for artifact, (_, parts) in zip(artifacts, passing, strict=True)
        for file, data in zip(artifact.files, parts.values(), strict=True)
    }
    files[write.CONVERSION] = write.as_json_bytes(_story(ground, outcome, manifest))
    card = origin.run_card(ground.source.description)
    if card:
        files[origin.BUNDLE_CARD] = card.encode()
    return write.bundle(ground.job.out, manifest, files, force=ground.job.force)


def _story(ground: Ground, outcome: Outcome, manifest: Manifest) -> dict[str, Any]:
    """`conversion.json`: everything that was asked, drawn and found, without times and folders of this machine."""
    job, found = ground.job, ground.pictures
    return {
        "schema_version": report.SCHEMA_VERSION,
        "kind": "conversion",
        "name": manifest.name,
        "options": {
            "model": ground.source.description.file.name,
            "calibrate": data_name(job.calibrate) if job.calibrate else None,
            "evaluate": outcome.data,
            "to": list(job.formats),
            "precision": list(job.precisions),
            "calibration_n": job.calibration_n,
            "gates": asdict(job.gates),
            "keep_passing": job.keep_passing,
        },
        "seeds": {
            "calibration": pictures.CALIBRATION_SEED,
            "halves": pictures.HALVES_SEED,
            "golden": golden.SEED,
        },
        "provenance": manifest.provenance.model_dump(mode="json"),
        "calibration": {"n": len(found.calibration), "counts": found.calibration.counts()}
        if found.calibration
        else None,
        "evaluation": {"n": len(found.evaluation), "sha256": outcome.data_sha256, "counts": found.evaluation.counts()},
        "source": report.source_json(outcome),
        "rows": [report.row_json(row, timed=False) for row in outcome.rows],
    }


def _tensor(spec: TensorSpec) -> Tensor:
    return Tensor.model_validate(asdict(spec))
