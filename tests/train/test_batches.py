"""What Keras is given: every picture once per epoch, cut for the devices, and never more in memory than a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_edge.preprocess import Preprocess
from fer_train.data import Dataset
from fer_train.recipe import Recipe
from fer_train.recipe import load as load_recipe

pytestmark = pytest.mark.usefixtures("keras_ready")


class OnDisk:
    """Pictures that can only be asked for a few at a time."""

    def __init__(self, images: Any, most: int) -> None:
        self._images, self._most, self.shape = images, most, images.shape
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, rows: Any) -> Any:
        found = self._images[rows]
        self.asked.append(len(found))
        assert len(found) <= self._most
        return found


def test_batches_cover_every_picture_once_per_epoch(recipe: Recipe, drawings: tuple[Dataset, Dataset]) -> None:
    from fer_train.learning.batches import Batches  # noqa: PLC0415 - Keras

    train = drawings[0]
    batches = Batches(train, recipe, epoch=1)
    targets = np.concatenate([batches[i][1] for i in range(len(batches))])
    assert targets.sum(axis=0).tolist() == list(train.counts().values())


def test_another_epoch_has_another_order_and_other_changes(recipe: Recipe, drawings: tuple[Dataset, Dataset]) -> None:
    from fer_train.learning.batches import Batches  # noqa: PLC0415 - Keras

    first, again, other = (Batches(drawings[0], recipe, epoch) for epoch in (0, 0, 1))
    assert np.array_equal(first[1][0], again[1][0])
    assert not np.array_equal(first[1][0], other[1][0])


def test_hosts_have_their_parts_of_the_same_batch(recipe: Recipe, drawings: tuple[Dataset, Dataset]) -> None:
    from fer_train.learning.batches import Batches, Share  # noqa: PLC0415 - Keras

    whole = Batches(drawings[0], recipe, 0, Share(4))
    parts = [Batches(drawings[0], recipe, 0, Share(4, host, 2)) for host in range(2)]
    for i in range(len(whole)):
        for k in range(2):
            assert np.array_equal(np.concatenate([part[i][k] for part in parts]), whole[i][k])


@pytest.mark.parametrize(("count", "devices", "sizes"), [(10, 1, [4, 4, 2]), (11, 2, [4, 4, 2]), (9, 2, [4, 4])])
def test_every_batch_parts_evenly_over_the_devices(recipe: Recipe, count: int, devices: int, sizes: list[int]) -> None:
    from fer_train.learning.batches import Batches, Share  # noqa: PLC0415 - Keras

    images, targets = np.zeros((count, 48, 48), dtype=np.uint8), np.zeros(count, dtype=np.int64)
    data = Dataset(images, targets, recipe.labels, ("x",) * count, "here")
    small = recipe.model_copy(update={"fit": recipe.fit.model_copy(update={"batch": 4})})
    batches = Batches(data, small, 0, Share(devices))
    assert [len(batches[i][0]) for i in range(len(batches))] == sizes


def test_pictures_from_disk_are_judged_a_batch_at_a_time() -> None:
    import keras  # noqa: PLC0415 - takes seconds to import

    from fer_train.learning import batches  # noqa: PLC0415 - Keras

    spec = load_recipe("buffalo-cnn").preprocess.model_copy(update={"size": 224})
    images = np.random.default_rng(0).integers(0, 256, (30, 224, 224, 3), dtype=np.uint8)
    model = keras.Sequential([keras.Input((224, 224, 3)), keras.layers.GlobalAveragePooling2D()])
    disk = OnDisk(images, most=batches.JUDGED_VALUES // (224 * 224 * 3) + 3)
    found = batches.predicted(model, disk, Preprocess(spec), multiple=4)  # type: ignore[arg-type] # looks like an array
    assert sum(disk.asked) >= 30
    assert found == pytest.approx(Preprocess(spec).tensor(images).mean(axis=(1, 2)), abs=1e-4)


def test_fewer_pictures_than_devices_are_judged_all_the_same() -> None:
    import keras  # noqa: PLC0415 - takes seconds to import

    from fer_train.learning import batches  # noqa: PLC0415 - Keras

    spec = load_recipe("fernet-s").preprocess
    images = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    model = keras.Sequential([keras.Input((48, 48, 1)), keras.layers.GlobalAveragePooling2D()])
    found = batches.predicted(model, images, Preprocess(spec), multiple=4)
    assert found == pytest.approx(Preprocess(spec).tensor(images).mean(axis=(1, 2)), abs=1e-4)
