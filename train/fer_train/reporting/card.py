"""The model card: what a person must know before using the weights; its figures carry n and an interval."""

from __future__ import annotations

import numpy as np

from fer_train.metrics import Scores, wilson
from fer_train.provenance import Pictures
from fer_train.recipe import Recipe
from fer_train.reporting.epochs import seconds
from fer_train.reporting.story import Story
from fer_train.reporting.words import duration, percent, points

FER2013_TRAIN = 28_709
"""Pictures in FER2013's training set: what the data set is known by, whatever its folder is called."""

FER2013_TERMS = """\
FER2013 (Goodfellow et al. 2013, "Challenges in Representation Learning") holds 48x48 grey face crops that were gathered
by an image search for emotion words. The people in them were not asked. The data set is given for research; its
pictures are not part of this project. The labels are noisy: when people label the pictures anew, they agree with the
given label in about 65% of them, so a figure far above that says more of the labels than of faces. Age, sex, skin
colour and origin of the people are not recorded, so how the model does on each group cannot be measured on it."""

OTHER_TERMS = """\
The terms of these pictures are not recorded here. Look them up, and whether the people in them agreed, before weights
made from them are passed on."""

USE = """\
It sorts the look of a face into {count} words ({labels}), for research, teaching, games and interfaces whose users know
of it and have chosen it.

It does **not** tell what a person feels, thinks or intends: the link from a moment's look to a feeling is weak and
differs between people, cultures and situations (Barrett et al. 2019, "Emotional Expressions Reconsidered"). Do not use
it to judge, rank, hire, grade, police, diagnose or sell to people. In the European Union it is prohibited to infer
people's emotions at work and in education, except for medical or safety reasons (Regulation (EU) 2024/1689, Article
5(1)(f)); elsewhere such a system is high-risk (Annex III, 1(c)) and the people exposed to it must be told (Article
50(3))."""

LIMITS = """\
- One picture, no time: a blink or a word looks like an expression.
- Not measured: profiles, children, masks, hands before the face, strong shadows, infrared light.
- Every face gets one of the labels' words, also one that shows none of them; where the model is not sure, `uncertain`
  is the right answer, and its threshold is set when the model is converted.
- The figures are of crops like the training pictures. In front of a camera, light, blur, pose and the detector's box
  come on top."""


CROP = """\
The crop is a square of side (1 + margin) L around the centre of the detector's box, moved by (dx, dy) L right and
down, where L is the root of the box's area. It is fitted so that the face lies in it as in the training pictures. IoU:
overlap with the training pictures' true squares, median (tenth percentile)."""


def card(story: Story) -> str:
    """The card as Markdown."""
    recipe = story.recipe
    use = USE.format(count=len(recipe.labels), labels=", ".join(recipe.labels))
    parts = [
        (
            f"# {recipe.name}\n\n{recipe.title}. {story.document.weights:,} weights, "
            f"{story.document.macs:,} multiply-accumulates; a {recipe.preprocess.size}x"
            f"{recipe.preprocess.size} {recipe.preprocess.color} face crop in, {len(recipe.labels)} logits out."
        ),
        f"## What it is for, and what it is not for\n\n{use}",
        f"## Data and its terms\n\n{_data(story)}",
        f"## How it was trained\n\n{_training(story)}",
        f"## Results\n\n{_results(story)}",
        f"## How a face must be cut\n\n{_crops(story)}",
        f"## Known limits\n\n{LIMITS}",
    ]
    return "\n\n".join(parts) + "\n"


def _data(story: Story) -> str:
    starts = story.provenance.starts
    used = f"Evaluated on `{story.data.name}`, split `{story.document.split}`: {_pictures(story.data)}."
    if not starts:
        return f"Which pictures it was trained on was not recorded. {used}\n\n{OTHER_TERMS}"
    train = starts[-1].train
    terms = FER2013_TERMS if _is_fer2013(story) else OTHER_TERMS
    return f"{terms}\n\nTrained on `{train.name}`: {_pictures(train)}. {used}"


def _is_fer2013(story: Story) -> bool:
    train = story.provenance.starts[-1].train
    return train.n + train.skipped == FER2013_TRAIN or "fer2013" in train.name.lower()


def _pictures(found: Pictures) -> str:
    skipped = f", {found.skipped} skipped as unusable" if found.skipped else ""
    return f"{found.n:,} pictures{skipped}, SHA-256 `{found.sha256[:16]}…`"


def _training(story: Story) -> str:
    recipe, fit = story.recipe, story.recipe.fit
    best = {"val_accuracy": "accuracy", "val_loss": "loss"}[fit.choose]
    lines = [
        (
            f"- Recipe `{recipe.name}`: architecture `{recipe.model.architecture}`, {fit.optimizer}, learning rate "
            f"{fit.learning_rate:g} ({fit.schedule}), batch {fit.batch}, weight decay {fit.weight_decay:g}, "
            f"label smoothing {fit.label_smoothing:g}, computed in {_precision(story)}, seed {fit.seed}."
        ),
        f"- Changes to training pictures: {_augmentation(recipe)}.",
        *_given(recipe),
        (
            f"- {len(story.epochs)} epochs in {duration(seconds(story.epochs))}; kept: epoch {story.epoch}, "
            f"which had the best {best} on the {story.judge} pictures."
        ),
    ]
    if not story.provenance.starts:
        return "\n".join([*lines, "- Machine and versions were not recorded."])
    last = story.provenance.starts[-1]
    resumed = len(story.provenance.starts) - 1
    machine = f"{last.cpu}, {last.cpu_count} CPUs" + "".join(f", {name}" for name in last.accelerators)
    versions = ", ".join(f"{name} {version}" for name, version in last.versions.items())
    again = f", resumed {'once' if resumed == 1 else f'{resumed} times'}" if resumed else ""
    lines.append(f"- Begun {story.provenance.starts[0].began}{again}.")
    return "\n".join([*lines, f"- Machine: {machine}.", f"- Versions: {versions}."])


def _given(recipe: Recipe) -> list[str]:
    """What it did not have to find out by itself: weights to start from, and teachers."""
    lines = [f"- Started from the weights `{recipe.model.weights}`."] if recipe.model.weights != "none" else []
    taught = recipe.distill
    if taught is not None:
        names = ", ".join(f"`{name}`" for name in taught.teachers)
        when = f"{taught.views} views of each picture, once" if taught.views else "every batch"
        lines.append(
            f"- Learned from the trained models {names}, which looked at {when}: {taught.alpha:.0%} of the loss, "
            f"temperature {taught.temperature:g}."
        )
    return lines


def _precision(story: Story) -> str:
    """What was computed in, which is not what the recipe asks for where the processor lacks that."""
    recorded = story.provenance.starts[-1].precision if story.provenance.starts else None
    return recorded or story.recipe.fit.precision


def _augmentation(recipe: Recipe) -> str:
    used = {name: value for name, value in recipe.augmentation.model_dump().items() if value and name != "fill"}
    return ", ".join(f"{name} {value:g}" for name, value in used.items()) or "none"


def _results(story: Story) -> str:
    scores = story.scores
    low, high = scores.top1_ci95
    present = {name: scores.recall[name] for name, count in scores.support.items() if count}
    worst = min(present, key=lambda name: present[name])
    rows = [
        f"| {name} | {scores.precision[name]:.1%} | {scores.recall[name]:.1%}{_interval(scores, name)} | "
        f"{scores.f1[name]:.1%} | {count} |"
        for name, count in scores.support.items()
    ]
    return "\n".join(
        [
            (
                f"float32, one pass per picture, `{story.document.split}` split, n = {scores.n}: "
                f"**top-1 {scores.top1:.2%}** (95% interval {low:.2%} to {high:.2%}), "
                f"mean recall of the classes {scores.macro_recall:.1%}, "
                f"macro F1 {scores.macro_f1:.1%}, expected calibration error {scores.ece:.3f}."
            ),
            "",
            story.chosen + _reported(story),
            "",
            "| label | precision | recall (95%) | F1 | pictures |",
            "|---|---|---|---|---|",
            *rows,
            "",
            f"Worst: **{worst}**, of which {present[worst]:.1%} are recognised{_taken_for(scores, worst)}.",
        ]
    )


def _reported(story: Story) -> str:
    found = story.document.reported
    if found is None:
        return ""
    reached = points(story.document.row.top1 - found.accuracy)
    return f" Reported for this recipe: {percent(found.accuracy)} ({found.source}); reached here: {reached}."


def _interval(scores: Scores, name: str) -> str:
    index = list(scores.support).index(name)
    low, high = wilson(int(scores.confusion[index, index]), scores.support[name])
    return f" ({low:.0%} to {high:.0%})" if scores.support[name] else ""


def _taken_for(scores: Scores, name: str) -> str:
    """What a label is most often mistaken for."""
    labels = list(scores.support)
    row = scores.confusion[labels.index(name)].copy()
    row[labels.index(name)] = 0
    if not row.any():
        return ""
    other = int(np.argmax(row))
    return f"; {row[other] / scores.support[name]:.1%} are taken for {labels[other]}"


def _crops(story: Story) -> str:
    if not story.crops:
        return "No detector's boxes have been fitted to the training pictures; `fer-train crop` does it."
    rows = [
        f"| {name} | {found.margin:+.3f} | {found.dx:+.3f} | {found.dy:+.3f} | {found.found:.1%} of {found.n} | "
        f"{found.iou:.2f} ({found.iou_p10:.2f}) |"
        for name, found in story.crops.items()
    ]
    return "\n".join(
        [
            CROP,
            "",
            "| detector | margin | dx | dy | face found | IoU |",
            "|---|---|---|---|---|---|",
            *rows,
        ]
    )
