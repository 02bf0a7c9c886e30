"""The same recipe begins the same under every backend, and what one trained another opens."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from fer_edge.errors import RuntimeUnavailable, UsageError
from fer_train import backend
from fer_train.data import Dataset
from fer_train.recipe import load as load_recipe
from support.tiny_training import TINY, silent, step_losses, train_elsewhere

CHANGES = (*TINY, "model.arguments.dropout=0.0")
"""Dropout draws differ between backends; nothing else does."""
TOLERANCE = 1e-3


@pytest.mark.parametrize("other", ["torch", "jax"])
def test_another_backend_begins_the_same_and_tensorflow_opens_its_model(
    keras_ready: None, drawings: tuple[Dataset, Dataset], shapes: Path, tmp_path: Path, other: str
) -> None:
    if importlib.util.find_spec(other) is None:
        pytest.skip(f"{other} is not installed: pip install 'fer-edge[train-{other}]'")
    from fer_train import fit  # noqa: PLC0415 - Keras
    from fer_train.evaluate import evaluate, open_trained  # noqa: PLC0415 - Keras

    train_elsewhere(other, shapes, tmp_path, "1", CHANGES)
    recipe = load_recipe("fernet-s", list(CHANGES))
    result = fit.run(recipe, *drawings, tmp_path / "here", say=silent, options=fit.Options(steps=True))
    assert step_losses(tmp_path / "1") == pytest.approx(step_losses(tmp_path / "here"), abs=TOLERANCE)
    opened = evaluate(open_trained(tmp_path / "1"), drawings[1])
    ours = evaluate(open_trained(tmp_path / "here"), drawings[1])
    assert opened.outputs == pytest.approx(ours.outputs, abs=0.01)
    assert result.val_accuracy == pytest.approx(ours.scores.top1, abs=1e-6)


def test_a_run_begun_under_one_backend_goes_on_under_another(
    keras_ready: None, drawings: tuple[Dataset, Dataset], shapes: Path, tmp_path: Path
) -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed: pip install 'fer-edge[train-torch]'")
    from fer_train import fit  # noqa: PLC0415 - Keras

    train_elsewhere("torch", shapes, tmp_path, "1", CHANGES)
    recipe = load_recipe("fernet-s", list(CHANGES))
    for name in (fit.MODEL, fit.BEST):
        (tmp_path / "1" / name).unlink()
    longer = recipe.model_copy(update={"fit": recipe.fit.model_copy(update={"epochs": 4, "schedule": "constant"})})
    (tmp_path / "1" / fit.RECIPE).write_text(longer.model_dump_json(), encoding="utf-8")
    assert len(fit.run(longer, *drawings, tmp_path / "1", resume=True, say=silent).history) == 4


def test_what_is_missing_for_a_backend_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(backend.BACKEND, "torch")
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(RuntimeUnavailable, match=r"needs Keras and torch, .* pip install 'fer-edge\[train-torch\]'$"):
        backend.require_keras()


def test_a_backend_that_cannot_train_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(backend.BACKEND, "openvino")
    with pytest.raises(UsageError, match="KERAS_BACKEND is 'openvino'; there are tensorflow, torch, jax"):
        backend.require_keras()


def test_versions_name_keras_and_the_backend(keras_ready: None) -> None:
    found = backend.versions()
    assert list(found) == ["keras", "tensorflow"]
    assert all(version[0].isdigit() for version in found.values())


def test_nothing_but_the_backends_own_file_imports_tensorflow() -> None:
    sources = Path(backend.__file__).parent.rglob("*.py")
    wrong = [path.name for path in sources if "import tensorflow" in path.read_text(encoding="utf-8")]
    assert wrong == ["backend.py"]
