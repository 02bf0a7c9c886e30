"""The int8 ladder: what to do when eight bits miss a gate, rung by rung, and what each rung bought.

1. Normalisations after a rectifier get a step per channel (`quantize.channelwise`).
2. Better calibration: more faces, and narrower ranges (percentile, least squared error, entropy).
3. Channels evened out between layers (`quantize.equalise`), then biases corrected (`quantize.correct`).
4. The layers that suffer most stay in float32, one, two, four and so on, up to a quarter of them.
5. A run of fer-train is trained on for a little with its eight bits in sight (`quantize.finetune`).

It ends at the first rung that meets every gate. Where none does, the artifact is refused with what was tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fer_convert import artifact, verify
from fer_convert.artifact import Made
from fer_convert.formats import ConversionFailed
from fer_convert.formats import onnx as onnx_format
from fer_convert.graph.onnx_graph import weighted
from fer_convert.ground import Ground, wanted
from fer_convert.pictures import pinned
from fer_convert.quantize import channelwise, correct, equalise, finetune, sensitivity
from fer_convert.quantize.calibration import Calibration, Plan
from fer_convert.quantize.ranges import Method
from fer_convert.report import Row, Step
from fer_convert.sources import Source, reading
from fer_convert.sources.altered import altered, with_open_batch
from fer_edge.preprocess import Preprocess

MORE = 4
"""Times as many calibration faces."""
NARROWER: dict[str, tuple[Method, ...]] = {
    "tflite": ("percentile", "mse", "entropy"),
    "onnx": ("percentile", "mse", "entropy"),
    "openvino": ("percentile",),
}
"""NNCF chooses ranges itself, and knows one of ours."""
MOST_FLOAT = 4
"""One layer in so many may stay in float; with more, the artifact is float with int8 in it."""


@dataclass(frozen=True)
class Rung:
    """One way to make the artifact: from this source, with these faces, by this plan."""

    name: str
    source: Source
    calibration: Calibration
    plan: Plan


def climb(ground: Ground, first: Made) -> Made:
    """An int8 artifact that meets every gate, or the first one with the steps that were tried in its row.

    first: made in the plainest way. Returned as it is when it passes, was never judged, or breaks a promise of its
    format as well, which no rung mends.
    """
    row, _ = first
    if row.passed or row.measured is None or ground.calibration is None or ground.pictures.pool is None:
        return first
    if list(row.reasons) != verify.failures(row.measured, ground.job.gates):
        return first
    ladder = _Ladder(ground, first)
    for rung in ladder.rungs():
        ground.say(f"{row.name}: {'; '.join(ladder.reasons)}; trying {rung.name}")
        found = artifact.made(ground, Row(row.format, row.precision), rung.source, rung.calibration, rung.plan)
        ladder.note(rung, found)
        if found[0].passed:
            return replace(found[0], steps=tuple(ladder.steps), layers=ladder.layers), found[1]
    return replace(row, steps=tuple(ladder.steps), layers=ladder.layers), first[1]


class _Ladder:
    """The steps so far, why the last was refused, and the best of them, from which the next is taken."""

    def __init__(self, ground: Ground, first: Made) -> None:
        assert ground.calibration is not None  # noqa: S101 - see climb
        self._ground, self._format = ground, first[0].format
        self._best = Rung("plain", ground.source, ground.calibration, Plan())
        self._agreement = -1.0
        self.steps: list[Step] = []
        self.reasons: tuple[str, ...] = ()
        self.layers: tuple[sensitivity.Layer, ...] = ()
        self.note(self._best, first)

    def note(self, rung: Rung, made: Made) -> None:
        """Keep what a rung brought, and the rung itself where it is the best so far."""
        row = made[0]
        found, self.reasons = row.measured, row.reasons
        if found is None:
            self.steps.append(Step(rung.name, reason="; ".join(row.reasons)))
            return
        label, drop = found.worst_class
        step = Step(rung.name, found.drop_pp, found.agreement, label, drop, row.size_bytes, row.p50_ms, row.passed)
        self.steps.append(step)
        if found.agreement > self._agreement:
            self._best, self._agreement = rung, found.agreement

    def rungs(self) -> Iterator[Rung]:
        """Each from what the ones before it brought."""
        yield from self._channelwise()
        more = self._more()
        if more is not None:
            yield replace(self._best, name=f"{len(more.tensors)} faces", calibration=more)
        for method in NARROWER[self._format]:
            yield replace(self._best, name=f"ranges by {method}", plan=Plan(method))
        yield from self._evened()
        yield from self._in_float()
        yield from self._finetuned()

    def _channelwise(self) -> Iterator[Rung]:
        best = self._best
        try:
            graph = channelwise.channelwise(best.source.graph)
        except ConversionFailed:
            return
        if graph is not best.source.graph:
            name = "normalised by channel"
            yield replace(best, name=name, source=altered(best.source, graph, name))

    def _more(self) -> Calibration | None:
        pool, before = self._ground.pictures.pool, self._ground.calibration
        if pool is None or before is None or len(pool) <= len(before.tensors):
            return None
        faces = pool.stratified(min(len(pool), MORE * len(before.tensors)), seed=0)
        return Calibration(Preprocess(self._ground.spec).tensor(pinned(faces.images)), self._ground.say)

    def _evened(self) -> Iterator[Rung]:
        """With everything seen as range first: what was best for loud channels tells nothing of even ones."""
        best = self._best
        try:
            graph = equalise.equalised(best.source.graph, best.calibration.tensors)
        except ConversionFailed:
            return
        if graph is not best.source.graph:
            name = "channels evened out"
            even = replace(best, name=name, source=altered(best.source, graph, name), plan=Plan())
            yield even
            if best.plan != even.plan:
                yield replace(even, name=f"{name}, ranges by {best.plan.method}", plan=best.plan)
        best = self._best
        graph = correct.corrected(best.source.graph, best.calibration.tensors)
        yield replace(best, name="biases corrected", source=altered(best.source, graph, "biases corrected"))

    def _in_float(self) -> Iterator[Rung]:
        best = self._best
        try:
            graph, key = best.source.graph, best.source.key
            limits = best.calibration.of_graph(graph, key, best.plan.method)
            self._ground.say("measuring which layers suffer most from eight bits")
            self.layers = tuple(
                sensitivity.ranked(graph, best.calibration.tensors, limits, onnx_format.quantized, self._ground.say)
            )
        except ConversionFailed:
            return
        count, most = 1, max(1, len(weighted(graph)) // MOST_FLOAT)
        while count <= most:
            kept = frozenset(layer.name for layer in self.layers[:count])
            name = f"{count} layer{'s' if count > 1 else ''} in float"
            yield replace(best, name=name, plan=replace(best.plan, float_layers=kept))
            count *= 2

    def _finetuned(self) -> Iterator[Rung]:
        """For runs of fer-train that give logits; a stranger's net is not loaded in this process."""
        known, pool = self._ground.source.description, self._ground.pictures.pool
        if not known.own or pool is None or self._ground.reference.kind != "logits":
            return
        model = reading.keras_model(known.file)
        tuned = finetune.finetuned(model, self._ground.spec, pool, self._ground.say)
        taken = reading.taken(reading.of_keras(tuned, known.file), wanted(known), pool.images[:1])
        source = Source(known, taken, self._ground.source.sha256, "fine-tuned")
        if self._ground.source.open_batch:
            source = with_open_batch(source, self._best.calibration.tensors)
        yield Rung("fine-tuned", source, self._best.calibration, Plan(self._best.plan.method))
