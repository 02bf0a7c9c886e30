"""A support vector machine on the features of a trunk: fitted by scikit-learn, kept as one Keras model to logits."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Literal

import numpy as np

from fer_edge.clock import perf_s
from fer_edge.errors import InputError, RuntimeUnavailable
from fer_edge.postprocess import Calibration, probabilities
from fer_edge.strict import StrictModel
from fer_train import evaluate, fit, history, metrics
from fer_train.data import Dataset
from fer_train.folder import HISTORY, MODEL, replace
from fer_train.progress import Say, plain
from fer_train.recipe import Recipe, Svm
from fer_train.svm import features, fitting, kernel
from fer_train.svm.fitting import WANTED, Learned
from fer_train.svm.kernel import Floats
from fer_train.svm.layers import Form, classifier

FILE = "svm.json"
LEAST = 2
"""Pictures of a class, so that there is something to generalise from."""


class Record(StrictModel):
    """`svm.json`, schema 1.

    support_vectors: as scikit-learn has them; distinct: those of different pictures. form: "exact" holds them with all
    features, "projected" sees them along `directions`. weights: of the whole model. n: held-out faces. agreement: share
    of them on which the Keras model says what scikit-learn's `predict` says; the number of directions was chosen on
    the same faces. accuracy, accuracy_scikit_learn: of both on them. seconds: of features, machine and layers.
    """

    schema_version: Literal[1] = 1
    c: float
    gamma: float
    pictures: int
    features: int
    support_vectors: int
    distinct: int
    form: Literal["exact", "projected"]
    directions: int | None
    weights: int
    n: int
    agreement: float
    accuracy: float
    accuracy_scikit_learn: float
    seconds: dict[str, float]


def run(
    recipe: Recipe, train: Dataset, validation: Dataset, out: Path, *, resume: bool = False, say: Say = plain
) -> fit.Result:
    """Fit the recipe's `svm` on the features of its trunk, and write a model that says the same.

    Writes into `out`: recipe.json, history.csv with one row, svm.json (`Record`) and model.keras; until then also the
    features, from which `resume` goes on. Raises InputError for pictures that nothing can be learned from and for a
    folder that holds another run, RuntimeUnavailable without scikit-learn, OutputError when `out` cannot be written.
    """
    if recipe.svm is None:
        raise ValueError(f"the recipe {recipe.name} has no table [svm]")
    _require_scikit_learn()
    _check(train)
    fit.open_run(recipe, out, resume)
    if not (resume and (out / MODEL).exists()):
        _learn(recipe, recipe.svm, (train, validation), (out, say))
    row = history.read(out / HISTORY)[0]
    return fit.Result(evaluate.open_trained(out).model, 1, row["val_accuracy"], (row,))


def _learn(recipe: Recipe, svm: Svm, data: tuple[Dataset, Dataset], where: tuple[Path, Say]) -> None:
    """All of a run; the model is written last, so that a folder with a model is a finished run."""
    out, say = where
    times = [perf_s()]
    trunk = features.trunk(recipe)
    count, width = len(data[0]), trunk.output_shape[1]
    say(f"{recipe.name}: {count} pictures, {width:,} features each: {4e-6 * count * width:,.0f} MB until the run ends")
    seen = [features.compute(trunk, part, recipe, out, say) for part in data]
    times.append(perf_s())
    learned = fitting.learn(svm, (seen[0], seen[1]), data, say)
    times.append(perf_s())
    form = fitting.compact(learned, say)
    model = classifier(trunk, form)
    outputs = evaluate.outputs(evaluate.Trained(model, recipe, out / MODEL, "logits"), data[1].images)
    times.append(perf_s())
    record = _record(svm, learned, form, outputs, (times, model.count_params()))
    _tell(record, say)
    history.write(out / HISTORY, [_row(learned, form, outputs, data, times[-1] - times[0])])
    _write(out / FILE, record)
    replace(out / MODEL, model.save)
    features.forget(out)


def _write(path: Path, record: Record) -> None:
    def write(where: str) -> None:
        Path(where).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")

    replace(path, write)


def _require_scikit_learn() -> None:
    if importlib.util.find_spec("sklearn") is None:
        raise RuntimeUnavailable("a support vector machine needs scikit-learn: pip install 'fer-edge[train]'")


def _check(train: Dataset) -> None:
    counts = train.counts()
    some = [name for name, count in counts.items() if count]
    if len(some) < 2:
        found = f"only {some[0]}" if some else "none"
        raise InputError(f"a support vector machine tells classes apart, and the training pictures have {found}")
    few = [f"{name} {count}" for name, count in counts.items() if count < LEAST]
    if few:
        raise InputError(
            f"a support vector machine needs {LEAST} training pictures of every class at least, "
            f"found too few: {', '.join(few)}"
        )


def _record(svm: Svm, learned: Learned, form: Form, outputs: Floats, made: tuple[list[float], int]) -> Record:
    """outputs: of the Keras model on the held-out faces. made: when the four stages began and ended; its weights."""
    times, weights = made
    held_out, said = learned.held_out, outputs.argmax(axis=1)
    stages = dict(zip(("features", "fit", "layers"), np.diff(times).tolist(), strict=True))
    return Record(
        c=svm.c,
        gamma=learned.gamma,
        pictures=len(learned.points),
        features=learned.points.features.shape[1],
        support_vectors=learned.vectors,
        distinct=len(learned.machine.rows),
        form="exact" if form.directions is None else "projected",
        directions=None if form.directions is None else form.directions.shape[1],
        weights=weights,
        n=len(said),
        agreement=float((said == held_out.said).mean()),
        accuracy=float((said == held_out.targets).mean()),
        accuracy_scikit_learn=float((held_out.said == held_out.targets).mean()),
        seconds=stages,
    )


def _row(learned: Learned, form: Form, outputs: Floats, data: tuple[Dataset, Dataset], seconds: float) -> history.Row:
    """The one epoch. loss, accuracy: of the machine itself on its training pictures; val_: of the Keras model."""
    classes = learned.machine.classes
    fitted = kernel.logits(learned.machine.decisions(learned.values), classes, form.temperature)
    losses = [
        metrics.cross_entropy(probabilities(values, Calibration("logits")), part.targets)
        for values, part in zip((fitted, outputs), data, strict=True)
    ]
    accuracies = [
        float((said == part.targets).mean())
        for said, part in zip((learned.said, outputs.argmax(axis=1)), data, strict=True)
    ]
    values = (1.0, losses[0], accuracies[0], losses[1], accuracies[1], seconds)
    return {**dict(zip(history.COLUMNS, values, strict=True)), history.RATE: 0.0}


def _tell(record: Record, say: Say) -> None:
    machine = f"{record.support_vectors} support vectors, {record.distinct} distinct"
    form = "all features" if record.directions is None else f"{record.directions} directions"
    say(f"{machine}, seen along {form}: {record.weights:,} weights with the trunk")
    said = f"the model says what scikit-learn says on {record.agreement:.2%} of {record.n} held-out faces"
    if record.agreement < WANTED:
        say(f"WARNING: {said}, less than {WANTED:.1%}; the model is kept")
    else:
        say(f"{said}: {record.accuracy:.2%} right, scikit-learn {record.accuracy_scikit_learn:.2%}")
