"""From a model and its evaluation to the figures of `metrics.json` and the table for people."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from fer_train import backend, folder, metrics, provenance
from fer_train.evaluate import Evaluation, Trained
from fer_train.metrics import Scores
from fer_train.provenance import Pictures, Start
from fer_train.recipe import Recipe
from fer_train.reporting import epochs
from fer_train.reporting.document import Bin, Claim, Document, Row, Seen, Training
from fer_train.zoo import cost


def document(trained: Trained, evaluation: Evaluation, split: str) -> Document:
    """Everything at once; the training's part comes from the folder in which the model lies.

    Raises InputError or ConfigError when the folder's history or record is damaged.
    """
    counted = cost.count(trained.model)
    data = provenance.pictures(evaluation.data)
    reported = trained.recipe.reported
    return Document(
        schema_version=2,
        recipe=trained.recipe.name,
        labels=list(trained.recipe.labels),
        data=data,
        split=split,
        versions=backend.versions(),
        weights=counted.weights,
        macs=counted.macs,
        training=training(trained.path.parent, trained.recipe, data, split),
        reported=Claim(**reported.model_dump(exclude={"ours"})) if reported else None,
        rows=[row(evaluation)],
    )


def row(evaluation: Evaluation) -> Row:
    """The figures of one evaluation."""
    scores, targets = evaluation.scores, evaluation.data.targets
    drawn = metrics.bootstrap(scores.confusion)
    macro_precision, weighted_precision = metrics.means(scores.precision, scores.support)
    return Row(
        format="keras",
        precision="float32",
        effective_precision="float32",
        runtime="keras",
        runtime_version=backend.versions()["keras"],
        n=scores.n,
        top1=scores.top1,
        top1_ci95=list(scores.top1_ci95),
        top1_bootstrap95=list(drawn.top1),
        loss=metrics.cross_entropy(evaluation.probabilities, targets),
        ece=scores.ece,
        macro_precision=macro_precision,
        macro_recall=scores.macro_recall,
        macro_f1=scores.macro_f1,
        macro_f1_bootstrap95=list(drawn.macro_f1),
        weighted_precision=weighted_precision,
        weighted_f1=scores.weighted_f1,
        class_precision=scores.precision,
        recall=scores.recall,
        f1=scores.f1,
        support=scores.support,
        confusion=scores.confusion.tolist(),
        reliability=[Bin(**asdict(each)) for each in metrics.reliability(evaluation.probabilities, targets)],
    )


def training(run: Path, recipe: Recipe, data: Pictures, split: str) -> Training | None:
    """What the run folder says of the training; None when there is no history in it."""
    if not (run / folder.HISTORY).exists():
        return None
    rows = epochs.read(run)
    starts = provenance.read(run).starts
    return Training(
        epochs=len(rows),
        epoch=int(epochs.kept(rows, recipe.fit)["epoch"]),
        train_s=epochs.seconds(rows),
        seen=seen(starts[-1], recipe, data, split) if starts else None,
    )


def seen(start: Start, recipe: Recipe, data: Pictures, split: str) -> Seen | None:
    """What pictures of this split were to a training; None where they may overlap with it in a way no record tells."""
    if start.train.same_as(data):
        return "trained_on"
    if start.validation.same_as(data):
        return "chosen_on"
    if start.train.name != data.name or split == "private":
        return "unseen"
    if split == "test":
        return "unseen" if recipe.data.validation else "partly_chosen_on"
    return None


def table(scores: Scores) -> str:
    """Per-class figures for people, in percent."""
    wide = max(len("mean of classes"), *(len(name) for name in scores.support))
    macro, weighted = metrics.means(scores.precision, scores.support)
    lines = [f"{'':{wide}}  precision  recall      F1  pictures"]
    for name, count in scores.support.items():
        shares = f"{scores.precision[name]:9.1%}  {scores.recall[name]:6.1%}  {scores.f1[name]:6.1%}"
        lines.append(f"{name:{wide}}  {shares}  {count:8d}")
    low, high = scores.top1_ci95
    lines += [
        f"{'mean of classes':{wide}}  {macro:9.1%}  {scores.macro_recall:6.1%}  {scores.macro_f1:6.1%}",
        f"{'weighted mean':{wide}}  {weighted:9.1%}  {scores.top1:6.1%}  {scores.weighted_f1:6.1%}  {scores.n:8d}",
        "",
        (
            f"top-1 {scores.top1:.2%} of {scores.n} (95% interval {low:.2%} to {high:.2%}), "
            f"expected calibration error {scores.ece:.3f}"
        ),
    ]
    return "\n".join(lines)
