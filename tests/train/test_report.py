"""What a run says of itself: figures, table, card, pictures; and how a model is opened to be measured."""

from __future__ import annotations

import json
import shutil
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

from fer_edge.errors import BundleRefused, InputError
from fer_train import crop, folder, metrics, parts
from fer_train import recipe as recipes
from fer_train.commands.evaluate import wanted
from fer_train.data import Dataset
from fer_train.provenance import Pictures, Provenance, Start
from fer_train.recipe import Data, Distill, Recipe
from fer_train.reporting import epochs
from fer_train.reporting.card import FER2013_TRAIN, card
from fer_train.reporting.document import Document, Seen
from fer_train.reporting.story import Story
from support.reports import document_of, row_of, shares

HISTORY = (
    {"epoch": 1.0, "loss": 2.0, "accuracy": 0.2, "val_loss": 1.9, "val_accuracy": 0.3, "seconds": 90.0},
    {"epoch": 2.0, "loss": 1.5, "accuracy": 0.4, "val_loss": 1.6, "val_accuracy": 0.5, "seconds": 90.0},
)
TEST = Pictures(name="faces", n=100, skipped=1, sha256="b" * 64)
START = Start(
    began="2026-01-02T03:04:05+00:00",
    train=Pictures(name="faces", n=1000, skipped=0, sha256="a" * 64),
    validation=TEST,
    cpu="Some CPU",
    cpu_count=4,
    accelerators=["Some GPU"],
    versions={"keras": "3.0", "tensorflow": "2.0"},
)


TARGETS = np.repeat(np.arange(7), [40, 10, 10, 10, 10, 10, 10])
PREDICTED = np.where(np.isin(np.arange(100), range(40, 46)), 2, TARGETS)
"""All right but 6 of 10 of the second label, which are taken for the third."""


@pytest.fixture
def scores(recipe: Recipe) -> metrics.Scores:
    return metrics.score(shares(PREDICTED, 7), TARGETS, recipe.labels)


@pytest.fixture
def document(recipe: Recipe) -> Document:
    return document_of(row_of(shares(PREDICTED, 7), TARGETS, recipe.labels), TEST)


@pytest.fixture
def story(recipe: Recipe, scores: metrics.Scores, document: Document) -> Story:
    fitted = crop.Fitted(
        margin=0.05, dx=0.0, dy=-0.02, n=1000, found=0.97, spread=(0.1, 0.0, 0.0), iou=0.81, iou_p10=0.6
    )
    return Story(recipe, document, scores, HISTORY, Provenance(starts=[START]), {"yunet": fitted})


def told(story: Story, **changes: object) -> str:
    """The card's words on one line."""
    return " ".join(card(Story(**{**story.__dict__, **changes})).split())


def test_the_card_gives_accuracy_with_n_and_interval(story: Story) -> None:
    assert "n = 100: **top-1 94.00%** (95% interval 87.52% to 97.22%)" in told(story)


def test_the_card_names_the_worst_label_and_what_it_is_taken_for(story: Story) -> None:
    assert "Worst: **disgust**, of which 40.0% are recognised; 60.0% are taken for fear." in told(story)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ("chosen_on", "chosen on these same pictures, so"),
        ("partly_chosen_on", "chosen on some of these pictures"),
        ("unseen", "chosen on other pictures than these"),
        ("trained_on", "trained on these very pictures"),
        (None, "If the epoch was chosen on these same pictures"),
    ],
)
def test_the_card_says_what_the_pictures_were_to_the_training(story: Story, seen: Seen | None, words: str) -> None:
    assert words in told(story, document=document_of(story.document.row, TEST, seen=seen))


def test_the_card_names_the_pictures_that_chose_the_epoch(story: Story) -> None:
    assert "kept: epoch 2, which had the best accuracy on the test pictures" in told(story)
    aside = recipes.load("buffalo-cnn", ["fit.choose='val_loss'"])
    assert "kept: epoch 2, which had the best loss on the validation pictures" in told(story, recipe=aside)


def test_the_card_puts_the_reported_figure_beside_the_reached_one(story: Story) -> None:
    document = document_of(story.document.row, TEST, reported=0.95)
    assert "Reported for this recipe: 95.0% (a paper); reached here: -1.0 points." in told(story, document=document)


def test_the_card_tells_how_it_was_trained(story: Story) -> None:
    text = told(story)
    for fact in (
        "seed 1",
        "2 epochs in 3 minutes; kept: epoch 2",
        "Begun 2026-01-02",
        "Some CPU, 4 CPUs, Some GPU",
        "keras 3.0, tensorflow 2.0",
        "1,000 pictures, SHA-256 `aaaaaaaaaaaaaaaa…`",
        "100 pictures, 1 skipped as unusable",
    ):
        assert fact in text


def test_the_card_names_teachers_and_the_weights_it_started_from(story: Story) -> None:
    assert "Learned from" not in told(story)
    assert "Started from" not in told(story)
    taught = story.recipe.model_copy(
        update={
            "model": story.recipe.model.model_copy(update={"weights": "runs/a/best.weights.h5"}),
            "distill": Distill(teachers=("runs/a", "runs/b"), alpha=0.7, temperature=2.0, views=4),
        }
    )
    text = told(story, recipe=taught)
    assert "Started from the weights `runs/a/best.weights.h5`." in text
    assert (
        "Learned from the trained models `runs/a`, `runs/b`, which looked at 4 views of each picture, once: 70%" in text
    )
    always = taught.model_copy(update={"distill": Distill(teachers=("runs/a",))})
    assert "which looked at every batch: 70% of the loss, temperature 3." in told(story, recipe=always)


def test_the_card_says_when_a_run_was_resumed(story: Story) -> None:
    assert "+00:00, resumed once." in told(story, provenance=Provenance(starts=[START, START]))


def test_the_card_says_when_the_machine_was_not_recorded(story: Story) -> None:
    assert "Machine and versions were not recorded" in told(story, provenance=Provenance())


def test_the_card_knows_fer2013_by_its_size(story: Story) -> None:
    train = START.train.model_copy(update={"n": FER2013_TRAIN - 2, "skipped": 2})
    start = START.model_copy(update={"train": train})
    assert "The data set is given for research" in told(story, provenance=Provenance(starts=[start]))


def test_the_card_does_not_claim_terms_it_does_not_know(story: Story) -> None:
    assert "terms of these pictures are not recorded here" in told(story)


@pytest.mark.parametrize(
    "fact", ["Article 5(1)(f)", "at work and in education", "does **not** tell what a person feels"]
)
def test_the_card_says_what_the_model_is_not_for(story: Story, fact: str) -> None:
    assert fact in told(story)


def test_the_card_gives_the_crop(story: Story) -> None:
    assert "| yunet | +0.050 | +0.000 | -0.020 | 97.0% of 1000 | 0.81 (0.60) |" in told(story)


def test_the_card_says_how_to_fit_a_missing_crop(story: Story) -> None:
    assert "`fer-train crop` does it" in told(story, crops={})


def test_the_table_has_a_line_per_label(keras_ready: None, scores: metrics.Scores) -> None:
    from fer_train.reporting import summary  # noqa: PLC0415 - Keras

    lines = summary.table(scores).splitlines()
    assert lines[2].split() == ["disgust", "100.0%", "40.0%", "57.1%", "10"]
    assert lines[8].split() == ["mean", "of", "classes", "94.6%", "91.4%", "90.6%"]
    assert lines[-1].startswith("top-1 94.00% of 100 (95% interval 87.52% to 97.22%)")


@pytest.mark.usefixtures("keras_ready")
@pytest.mark.parametrize(
    ("split", "train", "validation", "share", "said"),
    [
        ("test", "a", "e", 0.0, "trained_on"),
        ("test", "d", "a", 0.0, "chosen_on"),
        ("test", "d", "e", 0.0, "partly_chosen_on"),
        ("test", "d", "e", 0.25, "unseen"),
        ("private", "d", "e", 0.0, "unseen"),
        ("all", "d", "e", 0.0, None),
    ],
)
def test_what_pictures_were_to_a_training_follows_from_its_record(
    recipe: Recipe, split: str, train: str, validation: str, share: float, said: str | None
) -> None:
    from fer_train.reporting import summary  # noqa: PLC0415 - Keras

    parts = [TEST.model_copy(update={"sha256": digit * 64}) for digit in (train, validation, "a")]
    start = START.model_copy(update={"train": parts[0], "validation": parts[1]})
    wanted = recipe.model_copy(update={"data": recipe.data.model_copy(update={"validation": share})})
    assert summary.seen(start, wanted, parts[2], split) == said


@pytest.mark.usefixtures("keras_ready")
def test_pictures_of_another_data_set_are_unseen(recipe: Recipe) -> None:
    from fer_train.reporting import summary  # noqa: PLC0415 - Keras

    others = TEST.model_copy(update={"name": "others", "sha256": "f" * 64})
    assert summary.seen(START, recipe, others, "all") == "unseen"


def test_an_evaluation_is_of_the_devices_preprocessing(trained_run: Path, drawings: tuple[Dataset, Dataset]) -> None:
    from fer_edge.preprocess import Preprocess  # noqa: PLC0415 - only here
    from fer_train.evaluate import open_trained, outputs  # noqa: PLC0415 - Keras

    trained = open_trained(trained_run)
    faces = drawings[1].images[:3]
    tensor = Preprocess(trained.recipe.preprocess).tensor(faces)
    assert outputs(trained, faces) == pytest.approx(np.asarray(trained.model(tensor)), abs=1e-5)


@pytest.mark.usefixtures("keras_ready")
def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    from fer_train.evaluate import open_trained  # noqa: PLC0415 - Keras

    with pytest.raises(InputError, match=r"there is no model .*model\.keras$"):
        open_trained(tmp_path)


@pytest.mark.usefixtures("keras_ready")
def test_an_unfinished_run_says_how_to_go_on(tmp_path: Path) -> None:
    from fer_train.evaluate import open_trained  # noqa: PLC0415 - Keras

    (tmp_path / folder.CHECKPOINT).write_bytes(b"")
    with pytest.raises(InputError, match="its training has not ended; go on with --resume"):
        open_trained(tmp_path)


def test_a_file_that_is_no_model_is_refused(trained_run: Path, tmp_path: Path) -> None:
    from fer_train.evaluate import open_trained  # noqa: PLC0415 - Keras

    shutil.copy(trained_run / "recipe.json", tmp_path)
    (tmp_path / "model.keras").write_bytes(b"no zip")
    with pytest.raises(InputError, match="is not a Keras model"):
        open_trained(tmp_path)


def test_a_model_of_another_recipe_is_refused(trained_run: Path, tmp_path: Path) -> None:
    from fer_train.evaluate import open_trained  # noqa: PLC0415 - Keras

    shutil.copy(trained_run / "model.keras", tmp_path)
    document = json.loads((trained_run / "recipe.json").read_text(encoding="utf-8"))
    document["labels"] = document["labels"][:5]
    (tmp_path / "recipe.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(BundleRefused, match=r"its recipe fernet-s says .* to \(None, 5\)"):
        open_trained(tmp_path)


def test_a_model_that_ends_in_a_softmax_is_told_by_its_last_layer(keras_ready: None) -> None:
    import keras  # noqa: PLC0415 - takes seconds to import

    from fer_train.evaluate import output_kind  # noqa: PLC0415 - Keras

    inputs = keras.Input((3,))
    made = [keras.Model(inputs, keras.layers.Dense(2, activation=name)(inputs)) for name in (None, "softmax")]
    assert [output_kind(model) for model in made] == ["logits", "probabilities"]


@pytest.mark.parametrize("text", ["", "epoch,loss\n1,2\n", "epoch,loss,accuracy,val_loss,val_accuracy,seconds\n"])
def test_a_history_without_epochs_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "history.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"history\.csv (is not|holds no)"):
        epochs.read(tmp_path)


def test_a_folder_without_a_history_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"history\.csv does not exist; a run folder is what fer-train run wrote"):
        epochs.read(tmp_path)


def test_a_model_that_answers_with_no_number_is_refused(trained_run: Path, drawings: tuple[Dataset, Dataset]) -> None:
    from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras

    trained = open_trained(trained_run)
    trained.model.set_weights([np.full_like(values, np.nan) for values in trained.model.get_weights()])
    with pytest.raises(BundleRefused, match=r"model\.keras answers with what is no number"):
        evaluate(trained, drawings[1])


def test_test_of_a_recipe_that_deals_the_pictures_itself_is_the_share_it_set_aside(
    shapes: Path, recipe: Recipe
) -> None:
    dealt = recipe.model_copy(update={"data": Data(split="random", validation=0.25, test=0.25)})
    said: list[str] = []
    found = wanted(Namespace(data=str(shapes), split="test"), dealt, said.append)
    assert found.names == parts.read(str(shapes), dealt).test.names
    assert said[0] == "test is the share that the recipe sets aside: 25% of all, drawn by seed 1"


def test_any_other_split_is_the_datas_own(shapes: Path, recipe: Recipe) -> None:
    dealt = recipe.model_copy(update={"data": Data(split="random", test=0.25)})
    said: list[str] = []
    assert len(wanted(Namespace(data=str(shapes), split="train"), dealt, said.append)) == 84
