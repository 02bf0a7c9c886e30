"""What is on disk stays good: a full disk, a damaged file and another network are told in a sentence."""

from __future__ import annotations

import errno
import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_edge.errors import ExitCode, InputError, OutputError
from fer_train.data import Dataset
from fer_train.folder import replace
from fer_train.recipe import Recipe
from support.tiny_training import history, silent


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """What a full disk is to a writer: the system refuses to let a file grow."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def fails_with(error: Exception) -> Callable[[str], None]:
    def write(where: str) -> None:
        Path(where).write_bytes(b"half")
        raise error

    return write


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError("Can't write data (errno = 28, error message = 'No space left on device')"), "the disk is full"),
        (RuntimeError("Unable to flush (No space left on device)"), "the disk is full"),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system"),
    ],
)
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: Exception, reason: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"good")
    with pytest.raises(OutputError, match=f"file cannot be written: {reason}$"):
        replace(path, fails_with(error))
    assert path.read_bytes() == b"good"
    assert list(tmp_path.iterdir()) == [path]


def test_a_kill_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"good")
    with pytest.raises(KeyboardInterrupt):
        replace(path, fails_with(KeyboardInterrupt()))  # type: ignore[arg-type] # no Exception, as Python has it
    assert path.read_bytes() == b"good"


@pytest.mark.usefixtures("keras_ready")
@pytest.mark.parametrize("disk", [(3_000, "checkpoint.npz", 1), (30_000, "best.weights.h5", 2)], ids=["numpy", "HDF5"])
def test_a_disk_that_is_full_ends_the_run_and_the_last_good_epoch_goes_on(
    recipe: Recipe, drawings: tuple[Dataset, Dataset], trained_run: Path, tmp_path: Path, disk: tuple[int, str, int]
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    size, file, epoch = disk
    chosen = recipe.model_copy(update={"fit": recipe.fit.model_copy(update={"choose": "val_loss"})})
    with ExitStack() as until_the_end:

        def fills_up(line: str) -> None:
            if line.startswith("epoch 1"):
                until_the_end.enter_context(no_file_larger_than(size))

        with pytest.raises(OutputError) as ended:
            fit.run(chosen, *drawings, tmp_path, say=fills_up)
    assert str(ended.value) == (
        f"{tmp_path / file} cannot be written: the file is larger than this account may write; "
        f"the weights of epoch {epoch} are in {tmp_path / fit.CHECKPOINT}; make room, "
        "and the same command with --resume goes on"
    )
    assert ended.value.exit_code == ExitCode.UNAVAILABLE
    assert not list(tmp_path.glob("new.*"))
    fit.run(chosen, *drawings, tmp_path, resume=True, say=silent)
    assert history(tmp_path) == history(trained_run)


@pytest.fixture
def small(keras_ready: None) -> Any:
    """A compiled network of one layer."""
    import keras  # noqa: PLC0415 - takes seconds to import

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2), keras.layers.Dropout(0.5)])
    model.compile(keras.optimizers.Adam(), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def test_a_checkpoint_brings_back_weights_optimizer_and_epoch(small: Any, tmp_path: Path) -> None:
    from fer_train.learning import checkpoint  # noqa: PLC0415 - Keras

    small.train_on_batch(np.ones((4, 3)), np.ones((4, 2)))
    kept = checkpoint.values([*small.variables, *small.optimizer.variables])
    checkpoint.save(tmp_path / "c.npz", small, small.optimizer, 5)
    small.train_on_batch(np.ones((4, 3)), np.zeros((4, 2)))
    checkpoint.restore(tmp_path / "c.npz", small, small.optimizer)
    found = checkpoint.values([*small.variables, *small.optimizer.variables])
    assert all(np.array_equal(a, b) for a, b in zip(kept, found, strict=True))
    assert checkpoint.epochs(tmp_path / "c.npz") == 5


def test_a_checkpoint_of_another_network_is_refused(small: Any, tmp_path: Path) -> None:
    import keras  # noqa: PLC0415 - takes seconds to import

    from fer_train.learning import checkpoint  # noqa: PLC0415 - Keras

    checkpoint.save(tmp_path / "c.npz", small, small.optimizer, 1)
    sgd = keras.optimizers.SGD()
    sgd.build(small.trainable_variables)
    with pytest.raises(InputError, match=r"c\.npz is of another network or optimizer"):
        checkpoint.restore(tmp_path / "c.npz", small, sgd)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and no more", b"text"])
def test_a_damaged_checkpoint_is_named(keras_ready: None, tmp_path: Path, damage: bytes) -> None:
    from fer_train.learning import checkpoint  # noqa: PLC0415 - Keras

    (tmp_path / "c.npz").write_bytes(damage)
    with pytest.raises(InputError, match=r"c\.npz is not a checkpoint"):
        checkpoint.epochs(tmp_path / "c.npz")
