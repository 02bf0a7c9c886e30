"""What a run says of itself: figures, table, card, pictures; and how a model is opened to be measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.errors import BundleRefused, ConfigError, InputError
from fer_train import crop, metrics, plots, provenance
from fer_train.card import FER2013_TRAIN, Story, card
from fer_train.data import Dataset
from fer_train.provenance import Pictures, Provenance, Start
from fer_train.recipe import Recipe

HISTORY = (
    {"epoch": 1.0, "loss": 2.0, "accuracy": 0.2, "val_loss": 1.9, "val_accuracy": 0.3, "seconds": 90.0},
    {"epoch": 2.0, "loss": 1.5, "accuracy": 0.4, "val_loss": 1.6, "val_accuracy": 0.5, "seconds": 90.0},
)
TEST = Pictures(name="faces", n=100, skipped=1, sha256="b" * 64)
START = Start(
    began="2026-01-02T03:04:05+00:00",
    train=Pictures(name="faces", n=1000, skipped=0, sha256="a" * 64),
    test=TEST,
    cpu="Some CPU",
    cpu_count=4,
    accelerators=["Some GPU"],
    versions={"keras": "3.0", "tensorflow": "2.0"},
)


@pytest.fixture
def scores(recipe: Recipe) -> metrics.Scores:
    """100 pictures, all right but 6 of 10 of the second label, which are taken for the third."""
    targets = np.repeat(np.arange(7), [40, 10, 10, 10, 10, 10, 10])
    predicted = targets.copy()
    predicted[40:46] = 2
    return metrics.score(np.eye(7)[predicted], targets, recipe.labels)


@pytest.fixture
def story(recipe: Recipe, scores: metrics.Scores) -> Story:
    fitted = crop.Fitted(
        margin=0.05, dx=0.0, dy=-0.02, n=1000, found=0.97, spread=(0.1, 0.0, 0.0), iou=0.81, iou_p10=0.6
    )
    return Story(recipe, 1234, HISTORY, Provenance(starts=[START]), TEST, "test", scores, {"yunet": fitted})


def told(story: Story, **changes: object) -> str:
    """The card's words on one line."""
    return " ".join(card(Story(**{**story.__dict__, **changes})).split())


def test_the_card_gives_accuracy_with_n_and_interval(story: Story) -> None:
    assert "n = 100: **top-1 94.00%** (95% interval 87.52% to 97.22%)" in told(story)


def test_the_card_names_the_worst_label_and_what_it_is_taken_for(story: Story) -> None:
    assert "Worst: **disgust**, of which 40.0% are recognised; 60.0% are taken for fear." in told(story)


def test_the_card_says_that_the_epoch_was_chosen_on_these_pictures(story: Story) -> None:
    assert "chosen on these same pictures" in told(story)


def test_the_card_says_that_the_epoch_was_chosen_on_other_pictures(story: Story) -> None:
    others = TEST.model_copy(update={"sha256": "c" * 64})
    assert "chosen on other pictures than these" in told(story, data=others)


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


def test_curves_are_drawn(tmp_path: Path) -> None:
    plots.curves(HISTORY, tmp_path / "curves.png")
    drawn = cv2.imread(str(tmp_path / "curves.png"))
    assert drawn is not None
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) > 20


def test_a_fuller_cell_of_the_confusion_matrix_is_darker(tmp_path: Path) -> None:
    plots.confusion(np.array([[9, 1], [1, 9]]), ("a", "b"), tmp_path / "confusion.png")
    drawn = np.asarray(cv2.imread(str(tmp_path / "confusion.png"), cv2.IMREAD_GRAYSCALE))
    left = drawn[:, : drawn.shape[1] // 2]
    dark = np.argwhere((left > 20) & (left < 90))  # the cells of nine in ten; black is text and axes
    assert np.corrcoef(dark.T)[0, 1] > 0.5


def test_a_run_is_written_whole_and_its_figures_are_those_of_the_evaluation(
    trained_run: Path, drawings: tuple[Dataset, Dataset]
) -> None:
    from fer_train import report  # noqa: PLC0415 - Keras
    from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras

    trained = open_trained(trained_run)
    found = evaluate(trained, drawings[1])
    written = report.write(trained_run, trained, found, "test")
    assert all(path.stat().st_size > 100 for path in written)
    document = json.loads((trained_run / "metrics.json").read_text(encoding="utf-8"))
    assert document["rows"][0]["top1"] == found.scores.top1
    assert document["data"]["sha256"] == drawings[1].digest()
    assert str(drawings[1].source) not in (trained_run / "card.md").read_text(encoding="utf-8")


def test_the_table_has_a_line_per_label(scores: metrics.Scores) -> None:
    from fer_train import report  # noqa: PLC0415 - Keras

    lines = report.table(scores).splitlines()
    assert lines[2].split() == ["disgust", "100.0%", "40.0%", "57.1%", "10"]
    assert lines[-1].startswith("top-1 94.00% of 100 (95% interval 87.52% to 97.22%)")


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

    (tmp_path / "checkpoint.keras").write_bytes(b"")
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


@pytest.mark.usefixtures("keras_ready")
@pytest.mark.parametrize("text", ["", "epoch,loss\n1,2\n", "epoch,loss,accuracy,val_loss,val_accuracy,seconds\n"])
def test_a_history_without_epochs_is_refused(tmp_path: Path, text: str) -> None:
    from fer_train import report  # noqa: PLC0415 - Keras

    (tmp_path / "history.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"history\.csv (is not|holds no)"):
        report.read_history(tmp_path)


def test_a_changed_provenance_is_refused(tmp_path: Path) -> None:
    (tmp_path / provenance.FILE).write_text('{"schema_version": 2}', encoding="utf-8")
    with pytest.raises(ConfigError, match="schema_version"):
        provenance.read(tmp_path)
