"""One page on a run, in one file: what the model is worth, how it errs, how it was made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fer_edge import __version__
from fer_train.metrics import RESAMPLES, wilson
from fer_train.reporting import markup, plots
from fer_train.reporting.grids import Example
from fer_train.reporting.pictures import as_data_uri
from fer_train.reporting.story import Story
from fer_train.reporting.words import NONE, amount, duration, interval, percent, points

TERMS = (
    "The pictures are of the data set, and its terms hold for this page too: look them up before you pass it on. "
    "Under each: what the model says and how sure it is."
)
USE = (
    "The label is a word for the look of a face, not for what a person feels. What the model is for, what it must not "
    "be used for and its known limits are in card.md beside this page."
)


def page(story: Story, right: Sequence[Example], wrong: Sequence[Example]) -> str:
    """The page as HTML, all pictures within it."""
    body = [_head(story), _results(story), _reported(story), _curves(story), _confusion(story), _calibration(story)]
    body += [_examples(right, wrong), _data(story), _recipe(story), _made(story)]
    return markup.document(f"{story.recipe.name}: {percent(story.document.row.top1)} on {story.data.name}", body)


def _head(story: Story) -> str:
    document, row = story.document, story.document.row
    summary = (
        f"{percent(row.top1, 2)} of {row.n:,} pictures get their label "
        f"(95% interval {interval(row.top1_ci95, 2)}): {story.data.name}, split {document.split}."
    )
    trained = document.training
    figures = [
        ("Accuracy", percent(row.top1, 2), f"95%: {interval(row.top1_ci95)}"),
        ("Macro F1", percent(row.macro_f1, 2), f"95%: {interval(row.macro_f1_bootstrap95)}"),
        ("Loss", f"{row.loss:.4f}", "cross-entropy, nats"),
        ("Calibration error", f"{row.ece:.3f}", f"expected, {len(row.reliability)} steps"),
        ("Weights", amount(document.weights), f"{document.weights:,}"),
        ("Multiply-accumulates", amount(document.macs), "for one picture"),
    ]
    if trained:
        figures.append(("Training", duration(trained.train_s), f"{trained.epochs} epochs, kept: {trained.epoch}"))
    if document.reported:
        of = document.reported.accuracy
        figures.append(("Reported", percent(of), f"reached: {points(row.top1 - of)}"))
    top = markup.heading(
        document.recipe,
        markup.paragraph(story.recipe.title, "muted"),
        markup.paragraph(summary, "summary"),
        markup.paragraph(f"{story.chosen} {USE}", "muted"),
    )
    return top + markup.tiles(figures)


def _results(story: Story) -> str:
    row, labels = story.document.row, story.document.labels
    rows = [
        (
            name,
            percent(row.class_precision[name]),
            percent(row.recall[name]),
            percent(row.f1[name]),
            f"{row.support[name]:,}",
            interval(wilson(row.confusion[i][i], row.support[name]), 0) if row.support[name] else NONE,
        )
        for i, name in enumerate(labels)
    ]
    n = f"{row.n:,}"
    foot = [
        ("accuracy", "", percent(row.top1), "", n, interval(row.top1_ci95, 0)),
        ("macro average", percent(row.macro_precision), percent(row.macro_recall), percent(row.macro_f1), n, ""),
        ("weighted average", percent(row.weighted_precision), percent(row.top1), percent(row.weighted_f1), n, ""),
    ]
    head = ("label", "precision", "recall", "F1", "support", "recall, 95%")
    drawn = (
        f"Drawing {row.n:,} pictures anew, {RESAMPLES:,} times over, moves accuracy within "
        f"{interval(row.top1_bootstrap95)} and macro F1 within {interval(row.macro_f1_bootstrap95)} (bootstrap, 95%)."
    )
    charts = markup.beside(*map(markup.chart, (plots.diagonal(row, labels), plots.heat_map(row, labels))))
    return markup.section(
        "Results per label",
        markup.table("float32, one pass per picture", head, rows, foot),
        markup.paragraph(drawn),
        charts,
    )


def _reported(story: Story) -> str:
    found, row = story.document.reported, story.document.row
    if found is None:
        return ""
    pairs = (("accuracy", found.accuracy, row.top1), ("macro F1", found.macro_f1, row.macro_f1))
    rows = [(name, percent(said), percent(got), points(got - said)) for name, said, got in pairs if said is not None]
    if found.loss is not None:
        rows.append(("loss", f"{found.loss:.4f}", f"{row.loss:.4f}", f"{row.loss - found.loss:+.4f}"))
    low, high = row.top1_ci95
    verdict = "lies within" if low <= found.accuracy <= high else "lies outside"
    told = f"The reported accuracy {verdict} the 95% interval of the one that was reached ({interval(row.top1_ci95)})."
    ours = story.recipe.reported.ours if story.recipe.reported else ()
    choices = f" Where the report is silent, the choice is ours: {'; '.join(ours)}." if ours else ""
    table = markup.table(f"Reported in: {found.source}", ("figure", "reported", "reached", "difference"), rows)
    return markup.section("Beside the report", table, markup.paragraph(told + choices))


def _curves(story: Story) -> str:
    names = [name for name in plots.CURVES if name in story.epochs[0]]
    drawn = [plots.curves(story.epochs, story.epoch, story.judge, [name]) for name in names]
    note = (
        f"Training pictures are measured while they are changed at random and while the weights move, so their curve "
        f"may lie below the other. Epoch {story.epoch} was kept for its {_choice(story)}."
    )
    return markup.section("Curves", markup.paragraph(note), markup.beside(*map(markup.chart, drawn)))


def _choice(story: Story) -> str:
    wanted = {"val_accuracy": "accuracy", "val_loss": "loss"}[story.recipe.fit.choose]
    return f"{wanted} on the {story.judge} pictures"


def _confusion(story: Story) -> str:
    row, labels = story.document.row, story.document.labels
    drawn = [plots.confusion(row, labels, [kind]) for kind in (plots.COUNTS, plots.RATIOS)]
    return markup.section("Which label is taken for which", markup.beside(*map(markup.chart, drawn)))


def _calibration(story: Story) -> str:
    row = story.document.row
    note = (
        f"When the model is sure to a degree, it should be right to that degree. Over all pictures the distance is "
        f"{row.ece:.3f} (expected calibration error, {len(row.reliability)} steps)."
    )
    bins = [
        (f"{each.low:.2f} to {each.high:.2f}", f"{each.n:,}", f"{each.confidence:.3f}", f"{each.accuracy:.3f}")
        for each in row.reliability
        if each.n
    ]
    table = markup.table("Steps of confidence", ("confidence", "pictures", "mean confidence", "accuracy"), bins)
    both = markup.beside(markup.chart(plots.reliability(row)), table)
    return markup.section("Calibration", markup.paragraph(note), both)


def _examples(right: Sequence[Example], wrong: Sequence[Example]) -> str:
    parts = [
        f"<h3>{title}</h3>\n{markup.gallery(map(_cell, found))}"
        for title, found in (("Mistakes: the surest of each label", wrong), ("Right: the first of each label", right))
        if found
    ]
    return markup.section("Examples", markup.paragraph(TERMS), *parts)


def _cell(example: Example) -> tuple[str, str, str]:
    alt = f"a face labelled {example.true}, predicted {example.predicted} with confidence {example.confidence:.0%}"
    says = f"{example.predicted} {example.confidence:.0%}"
    truth = "" if example.true == example.predicted else f"\nlabelled {example.true}"
    return as_data_uri(example.picture), says + truth, alt


def _data(story: Story) -> str:
    labels, parts = story.document.labels, story.parts
    rows = [(name, *(f"{counts.get(name, 0):,}" for counts in parts.values())) for name in labels]
    total = [("all", *(f"{sum(counts.values()):,}" for counts in parts.values()))]
    silent = "" if len(parts) > 1 else " How many pictures of each label it was trained on was not recorded."
    note = f"{story.data.name}: {story.data.n:,} pictures evaluated, {story.data.skipped} skipped as unusable.{silent}"
    table = markup.table("Pictures of each label", ("label", *parts), rows, total)
    both = markup.beside(markup.chart(plots.class_bars(parts, labels)), table)
    return markup.section("Data", markup.paragraph(note), both)


def _recipe(story: Story) -> str:
    text = story.recipe.model_dump_json(indent=2, exclude_none=True)
    return markup.section("Recipe", markup.folded("Every key", markup.verbatim(text)))


def _made(story: Story) -> str:
    return markup.section("How it was made", markup.facts(_facts(story)))


def _facts(story: Story) -> Iterator[tuple[str, str]]:
    trained, starts = story.document.training, story.provenance.starts
    if trained:
        yield (
            "training time",
            f"{duration(trained.train_s)} ({trained.epochs} epochs, {trained.train_s / trained.epochs:.1f} s each)",
        )
    if starts:
        last = starts[-1]
        yield "begun", starts[0].began + (f", resumed {len(starts) - 1} times" if len(starts) > 1 else "")
        yield "machine", ", ".join([f"{last.cpu}, {last.cpu_count} CPUs", *last.accelerators])
        yield "versions in training", _versions(last.versions)
        yield "training pictures", f"{last.train.n:,} of {last.train.name}, SHA-256 {last.train.sha256}"
    else:
        yield "machine", "not recorded"
    yield "evaluated pictures", f"{story.data.n:,} of {story.data.name}, SHA-256 {story.data.sha256}"
    yield "versions in evaluation", _versions({"fer-edge": __version__, **story.document.versions})


def _versions(found: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in found.items())
