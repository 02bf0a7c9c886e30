"""Everything a training needs to go on as if it had not been stopped, as one file of plain numpy arrays.

A `.keras` file would not do: it does not say to which epoch it belongs, an optimizer saved under one backend does not
load under another, and it rebuilds the optimizer without what was excluded from weight decay. The arrays here stand in
the order in which Keras lists a model's and an optimizer's variables, which follows from the recipe alone.
"""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import InputError
from fer_train.folder import replace

EPOCH, MODEL, OPTIMIZER = "epoch", "model/", "optimizer/"


def save(path: Path, model: keras.Model, optimizer: keras.optimizers.Optimizer, epoch: int) -> None:
    """Write the weights, the optimizer and how many epochs they have seen; raises OutputError."""
    arrays = {EPOCH: np.array(epoch)}
    for kind, variables in ((MODEL, model.variables), (OPTIMIZER, optimizer.variables)):
        arrays |= {f"{kind}{i}": value for i, value in enumerate(values(variables))}

    def write(where: str) -> None:
        with Path(where).open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type] # its stub takes the arrays for a flag

    replace(path, write)


def epochs(path: Path) -> int:
    """How many epochs the checkpoint has seen; 0 when there is none. Raises InputError when it cannot be read."""
    return int(_read(path)[EPOCH]) if path.exists() else 0


def restore(path: Path, model: keras.Model, optimizer: keras.optimizers.Optimizer) -> None:
    """Set the weights and a built optimizer; raises InputError when they do not fit."""
    arrays = _read(path)
    for kind, variables in ((MODEL, model.variables), (OPTIMIZER, optimizer.variables)):
        names = sorted((name for name in arrays if name.startswith(kind)), key=lambda name: int(name[len(kind) :]))
        if [arrays[name].shape for name in names] != [tuple(variable.shape) for variable in variables]:
            raise InputError(f"{path} is of another network or optimizer than the recipe makes")
        assign(variables, [arrays[name] for name in names])


def values(variables: Sequence[Any]) -> list[NDArray[Any]]:
    """Copies: what a backend hands out may share memory that the next step writes to."""
    return [np.array(keras.ops.convert_to_numpy(variable.value)) for variable in variables]


def assign(variables: Sequence[Any], found: Sequence[NDArray[Any]]) -> None:
    """Set each variable to its value."""
    for variable, value in zip(variables, found, strict=True):
        variable.assign(value)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a checkpoint: {str(error).splitlines()[0]}") from None
