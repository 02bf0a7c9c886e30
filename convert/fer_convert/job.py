"""One conversion from start to end: read, convert, judge each artifact the moment it exists, write what passed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from fer_convert import frameworks, golden, origin, pictures, report, source, to_tflite, verify, write
from fer_convert.options import QUANTIZED, Job, Precision
from fer_convert.pictures import Pictures
from fer_convert.report import Outcome, Row
from fer_convert.source import Source
from fer_convert.to_tflite import FORMAT, ConversionFailed
from fer_convert.verify import Measured, Reference
from fer_edge.bundle import Artifact, ArtifactFile, Bundle, Card, Manifest, Provenance, Quality, Tensor
from fer_edge.classifier import Classifier
from fer_edge.errors import BundleRefused
from fer_edge.preprocess import PreprocessSpec
from fer_edge.runtimes import Runtime, open_runtime
from fer_edge.types import TensorSpec
from fer_train.backend import hushed
from fer_train.provenance import data_name

THREADS = 1
"""Of one inference: top-1 does not depend on it, and outputs are then the same in every run."""

Say = Callable[[str], None]
Made = tuple[Row, bytes]
"""A row and the file it speaks of; b"" where the conversion failed."""


@dataclass(frozen=True)
class Ground:
    """What all artifacts of one bundle stand on."""

    job: Job
    source: Source
    pictures: Pictures
    reference: Reference
    provenance: Provenance
    card: Card
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
    made = [_make(ground, precision) for precision in job.precisions]
    outcome = Outcome(
        job=job,
        name=ground.source.description.name,
        reference=ground.reference,
        data=report.evaluation_name(job),
        data_sha256=ground.pictures.evaluation.digest(),
        rows=tuple(row for row, _ in made),
    )
    passing = [(row, data) for row, data in made if row.passed]
    if not passing or not (outcome.passed or job.keep_passing):
        return outcome
    return replace(outcome, bundle=job.out, sha256=_write(ground, outcome, passing))


def _ground(job: Job, say: Say) -> Ground:
    description = source.describe(job)
    say(f"loading {description.file.name}")
    loaded = source.load(description)
    say(f"reading the pictures that {description.name} is calibrated with and judged by")
    found = pictures.load(job, description, say)
    trained = origin.trained_on(description)
    if trained and found.training and trained != found.training:
        say(f"the pictures of {job.calibrate} are not the ones that the run was trained on (SHA-256 differs)")
    say(f"judging the source in Keras on {len(found.evaluation)} pictures")
    judged = verify.reference(loaded, found.evaluation)
    return Ground(job, loaded, found, judged, origin.provenance(loaded, found), origin.card(description), say)


def _make(ground: Ground, precision: Precision) -> Made:
    """Convert, load as the device does, judge."""
    row = Row(FORMAT, precision)
    faces = ground.pictures.calibration
    images = faces.images if faces is not None and precision in QUANTIZED else None
    ground.say(f"converting to {row.name}" + (f", calibrating with {len(images)} faces" if images is not None else ""))
    try:
        data = to_tflite.convert(ground.source.model, ground.spec, precision, images)
        with hushed():
            runtime = open_runtime([data], FORMAT, threads=THREADS)
    except (ConversionFailed, BundleRefused) as error:
        return replace(row, reasons=(str(error),)), b""
    artifact, measured = _judge(ground, precision, data, runtime)
    reasons = [*promises(precision, runtime, ground.spec), *verify.failures(measured, ground.job.gates)]
    row = replace(
        row,
        runtime=runtime.name,
        runtime_version=runtime.version,
        threads=runtime.threads,
        effective_precision=runtime.effective_precision,
        size_bytes=len(data),
        artifact=artifact,
        measured=measured,
        reasons=tuple(reasons),
    )
    return row, data


def _judge(ground: Ground, precision: Precision, data: bytes, runtime: Runtime) -> tuple[Artifact, Measured]:
    """Golden outputs, then the evaluation pictures, both on the device's path."""
    draft = _draft(ground, precision, data, runtime)
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


def _draft(ground: Ground, precision: Precision, data: bytes, runtime: Runtime) -> Artifact:
    """The artifact before it was measured; what it outputs is taken as it is, temperature 1."""
    known = golden.goldens(runtime, ground.spec)
    file = ArtifactFile(
        name=f"{ground.source.description.name}.{precision}.{FORMAT}",
        bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    return Artifact(
        format=FORMAT,
        precision=precision,
        files=(file,),
        input=_tensor(runtime.input),
        output=_tensor(runtime.outputs[0]),
        output_kind=ground.reference.kind,
        golden=known,
        tolerance=golden.tolerance(runtime, known),
    )


def promises(precision: Precision, runtime: Runtime, spec: PreprocessSpec) -> list[str]:
    """What the precision's name promises and the file does not keep, in words; empty when all is kept."""
    broken = []
    for kind, tensor in (("input", runtime.input), ("output", runtime.outputs[0])):
        if tensor.dtype != precision:
            broken.append(f"its {kind} is {tensor.dtype}, not {precision}")
    if runtime.effective_precision != precision:
        broken.append(f"it computes in {runtime.effective_precision}, not in {precision}")
    levels = verify.input_levels(spec, runtime.input)
    if levels < verify.MIN_INPUT_LEVELS:
        broken.append(f"its input tells only {levels} of 256 pixel values apart; choose another mean or std")
    return broken


def _write(ground: Ground, outcome: Outcome, passing: Sequence[tuple[Row, bytes]]) -> str:
    ground.say(f"writing {ground.job.out}")
    artifacts = [row.artifact for row, _ in passing if row.artifact is not None]
    manifest = ground.manifest(artifacts, {row.runtime: row.runtime_version for row, _ in passing})
    files = {artifact.files[0].name: data for artifact, (_, data) in zip(artifacts, passing, strict=True)}
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
        "rows": [report.row_json(row) for row in outcome.rows],
    }


def _tensor(spec: TensorSpec) -> Tensor:
    return Tensor.model_validate(asdict(spec))
