"""Over two devices a recipe learns what it learns on one: here a processor passes for two."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from fer_edge.errors import ConfigError, UsageError
from fer_train.data import Dataset
from fer_train.recipe import Recipe
from support.tiny_training import TINY, history, silent, step_losses, train_elsewhere

CHANGES = (*TINY, "fit.epochs=1", "fit.ema=0.5", "fit.batch=16", "model.arguments.dropout=0.0")
"""84 pictures in batches of 16: the last holds 4. Dropout draws another number for every device."""
COLUMNS = ("loss", "accuracy", "val_loss", "val_accuracy")


@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_learn_what_one_learns(backend: str, shapes: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    said = train_elsewhere(backend, shapes, tmp_path, "1,2", CHANGES)
    assert said.count("over 2 devices") == 1
    assert step_losses(tmp_path / "2") == pytest.approx(step_losses(tmp_path / "1"), abs=1e-4)
    for one, two in zip(history(tmp_path / "1"), history(tmp_path / "2"), strict=True):
        assert [float(two[name]) for name in COLUMNS] == pytest.approx([float(one[name]) for name in COLUMNS], abs=1e-4)


def test_more_devices_than_there_are_is_a_usage_error(
    keras_ready: None, recipe: Recipe, drawings: tuple[Dataset, Dataset], tmp_path: Path
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    with pytest.raises(UsageError, match="--devices 99: "):
        fit.run(recipe, *drawings, tmp_path, say=silent, options=fit.Options(devices=99))


def test_a_batch_that_does_not_part_evenly_is_refused(keras_ready: None) -> None:
    from fer_train.learning.parallel import Devices  # noqa: PLC0415 - Keras

    Devices(4).check(32)
    with pytest.raises(ConfigError, match=r"fit\.batch = 32 does not part evenly over 3 devices"):
        Devices(3).check(32)


def test_torch_trains_on_one_device(keras_ready: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from fer_train.learning import parallel  # noqa: PLC0415 - Keras

    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with parallel.over(None) as devices:
        assert devices.count == 1
    with pytest.raises(UsageError, match="training under torch uses one device"), parallel.over(2):
        pass


@pytest.mark.parametrize(
    ("config", "error", "sentence"),
    [
        ('{"cluster": {"worker": ["a:1", "b:1"]}}', UsageError, "TF_CONFIG names several hosts, and Keras does not"),
        ("no json", ConfigError, "TF_CONFIG is not valid JSON"),
        ("[]", ConfigError, "TF_CONFIG is no JSON object"),
    ],
)
def test_several_hosts_under_tensorflow_are_refused(
    keras_ready: None, monkeypatch: pytest.MonkeyPatch, config: str, error: type[Exception], sentence: str
) -> None:
    from fer_train.learning import parallel  # noqa: PLC0415 - Keras

    monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(error, match=sentence), parallel.over(None):
        pass


def test_further_hosts_keep_their_own_folder(
    keras_ready: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from fer_train.learning import parallel  # noqa: PLC0415 - Keras

    monkeypatch.setenv("KERAS_BACKEND", "jax")
    for number, folder in (("0", tmp_path), ("1", tmp_path / "host-1")):
        monkeypatch.setenv("KERAS_DISTRIBUTION_PROCESS_ID", number)
        assert parallel.own_folder(tmp_path) == folder
