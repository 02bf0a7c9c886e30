"""One conversion from start to end: read, convert, judge each artifact the moment it exists, write what passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from fer_convert import artifact, frameworks, golden, ground, ladder, layers, origin, pictures, report, write
from fer_convert.again import Kept
from fer_convert.artifact import Made
from fer_convert.ground import Ground
from fer_convert.options import Job
from fer_convert.progress import Say
from fer_convert.quantize import sensitivity
from fer_convert.report import Outcome
from fer_edge.bundle import Format, Manifest, Precision
from fer_train.provenance import data_name


def run(job: Job, say: Say, recipe: Kept | None = None) -> Outcome:
    """Do the whole job; `say` gets a line at every slow step.

    recipe: the one that the job was taken from, to which the result is compared.

    The bundle is written when every artifact meets every gate, or, with `keep_passing`, when any does. Raises
    FerEdgeError for everything that keeps the job from an end; a refused artifact is a row of the outcome.
    """
    write.check_target(job.out, force=job.force)
    pictures.require(job)
    frameworks.require()
    laid = ground.lay(job, say, recipe)
    made = [_made(laid, format_, precision) for format_, precision in job.wanted]
    outcome = Outcome(
        job=job,
        name=laid.source.description.name,
        reference=laid.reference,
        data=report.evaluation_name(job),
        data_sha256=laid.pictures.evaluation.digest(),
        rows=tuple(row for row, _ in made),
        again=recipe.compared([row for row, _ in made], laid.provenance.tools) if recipe else None,
    )
    passing = [(row, files) for row, files in made if row.passed]
    if not passing or not (outcome.passed or job.keep_passing):
        return outcome
    return replace(outcome, bundle=job.out, sha256=_write(laid, outcome, passing))


def _made(laid: Ground, format_: Format, precision: Precision) -> Made:
    plain = artifact.make(laid, format_, precision)
    return ladder.climb(laid, plain) if precision == "int8" else plain


def _write(laid: Ground, outcome: Outcome, passing: Sequence[Made]) -> str:
    laid.say(f"writing {laid.job.out}")
    artifacts = [row.artifact for row, _ in passing if row.artifact is not None]
    manifest = laid.manifest(artifacts, {row.runtime: row.runtime_version for row, _ in passing})
    files = {
        file.name: data
        for each, (_, parts) in zip(artifacts, passing, strict=True)
        for file, data in zip(each.files, parts.values(), strict=True)
    }
    for row, _ in passing:
        if row.layers:
            files[f"layers.{row.format}.csv"] = sensitivity.as_csv(row.layers).encode()
            files[f"layers.{row.format}.png"] = layers.drawing(row.layers).png()
    files[write.CONVERSION] = write.as_json_bytes(_story(laid, outcome, manifest))
    card = origin.run_card(laid.source.description)
    if card:
        files[origin.BUNDLE_CARD] = card.encode()
    return write.bundle(laid.job.out, manifest, files, force=laid.job.force)


def _story(laid: Ground, outcome: Outcome, manifest: Manifest) -> dict[str, Any]:
    """`conversion.json`: everything that was asked, drawn and found, without times and folders of this machine."""
    job, found, known = laid.job, laid.pictures, laid.source.description
    return {
        "schema_version": report.SCHEMA_VERSION,
        "kind": "conversion",
        "name": manifest.name,
        "options": {
            "model": laid.source.description.file.name,
            "calibrate": data_name(job.calibrate) if job.calibrate else None,
            "evaluate": outcome.data,
            "to": list(job.formats),
            "precision": list(job.precisions),
            "leave_out": list(job.leave_out),
            "batch": job.batch,
            "calibration_n": job.calibration_n,
            "gates": asdict(job.gates),
            "keep_passing": job.keep_passing,
            "labels": list(known.labels) if known.from_flags else None,
            "preprocess": known.preprocess.model_dump(mode="json") if known.from_flags else None,
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
