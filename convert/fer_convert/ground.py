"""What all artifacts of one bundle stand on: the source, the pictures, what the source says of them, and the card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fer_convert import origin, pictures, verify
from fer_convert.again import Kept
from fer_convert.graph.batch import SEVERAL
from fer_convert.options import CALIBRATED, OPEN, Job
from fer_convert.pictures import Pictures, pinned
from fer_convert.progress import Say
from fer_convert.quantize.calibration import Calibration
from fer_convert.sources import Source, apart, conventions, description, reading
from fer_convert.sources.altered import with_open_batch
from fer_convert.verify import Reference
from fer_edge.bundle import Artifact, Card, Manifest, Provenance
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.types import Array
from fer_train.data import Dataset


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


def lay(job: Job, say: Say, recipe: Kept | None = None) -> Ground:
    """Read model and pictures, and judge the model; raises FerEdgeError for everything that is not right."""
    known = description.describe(job)
    if recipe is not None:
        recipe.check_model(known.file, origin.sha256(known.file))
    say(f"reading the pictures that {known.name} is calibrated with and judged by")
    found = pictures.load(job, known, say)
    if recipe is not None:
        calibrated = found.calibration.digest() if found.calibration else ""
        for told in recipe.other_pictures(found.evaluation.digest(), calibrated):
            say(told)
    trained = origin.trained_on(known)
    if trained and found.training and trained != found.training:
        say(f"the pictures of {job.calibrate} are not the ones that the run was trained on (SHA-256 differs)")
    say(f"reading {known.file.name}, and judging it in its own framework on {len(found.evaluation)} pictures")
    taken = _taken(known, found)
    source = Source(known, taken, origin.sha256(known.file))
    judged = verify.reference(source, found.evaluation)
    conventions.check(known, judged.scores.top1, found.evaluation, lambda few, specs: _answers(known, few, specs))
    calibration = None
    if found.calibration is not None and {kind for _, kind in job.wanted} & set(CALIBRATED):
        calibration = Calibration(Preprocess(known.preprocess).tensor(pinned(found.calibration.images)), say)
    if job.batch == OPEN:
        say("opening the batch")
        source = with_open_batch(source, Preprocess(known.preprocess).tensor(found.evaluation.images[:SEVERAL]))
    return Ground(job, source, found, judged, origin.provenance(source, found), origin.card(known), calibration, say)


def _taken(known: description.Description, found: Pictures) -> reading.Taken:
    """The model taken apart: in this process where fer-train made it, else in one of its own."""
    take = reading.take if known.own else apart.take_apart
    return take(wanted(known), found.evaluation.images)


def _answers(known: description.Description, few: Dataset, specs: Sequence[PreprocessSpec]) -> list[Array]:
    return apart.answers(wanted(known), few.images, specs)


def wanted(known: description.Description) -> reading.Wanted:
    """What the model is expected to be."""
    return reading.Wanted(known.file.resolve(), known.kind, known.preprocess, known.labels, known.from_flags)
