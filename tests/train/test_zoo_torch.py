"""Files of torchvision and timm: the same tensors compute here what torch's definition of each operation computes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from fer_edge.errors import InputError, RuntimeUnavailable, UsageError
from fer_train import zoo
from fer_train.recipe import Model
from fer_train.zoo.pretrained import start
from support import torchvision

SIDE, WIDTH, BLOCKS = 64, 4, (1, 1, 1, 2)
ODD = 61
"""A side at which even and uneven padding differ in other ways than at a power of two."""
SMALLEST = 33
Save = Callable[[dict[str, Any], Path], None]


@pytest.fixture
def save() -> Save:
    """Writes such a file."""
    package = pytest.importorskip("safetensors.numpy", reason="the package safetensors is not installed")
    return package.save_file  # type: ignore[no-any-return]


def state_of(name: str) -> dict[str, Any]:
    """Tensors by torchvision's names: a narrow ResNet of basic blocks, or the whole of ResNet-50."""
    if name == "resnet18":
        return dict(torchvision.tensors(WIDTH, BLOCKS, bottleneck=False))
    return dict(torchvision.tensors(64, (3, 4, 6, 3), bottleneck=True))


def net(name: str = "resnet18", side: int = SIDE, **arguments: object) -> Any:
    """The net that `state_of` is of."""
    if name == "resnet18":
        return zoo.build("resnet18", (side, side, 3), 7, {"blocks": BLOCKS, "width": WIDTH, **arguments})
    return zoo.build("porto_resnet50", (side, side, 3), 7, {"variant": "torch"})


def give(model: Any, path: Path) -> None:
    start(model, Model(architecture=model.name, weights=str(path)))


def pooled(model: Any, pictures: Any) -> Any:
    """What the head is given, (N, features)."""
    return np.asarray(keras.Model(model.input, model.get_layer("avg_pool").output)(pictures, training=False))


@pytest.mark.parametrize(("name", "side"), [("resnet18", SIDE), ("resnet18", ODD), ("resnet50", SMALLEST)])
def test_published_tensors_compute_here_what_they_compute_there(
    name: str, side: int, save: Save, tmp_path: Path
) -> None:
    state, model = state_of(name), net(name, side)
    save(state, tmp_path / "net.safetensors")
    give(model, tmp_path / "net.safetensors")
    pictures = np.random.default_rng(3).normal(size=(2, side, side, 3)).astype(np.float32)
    theirs = torchvision.pooled(torchvision.Numpy(), state, pictures.astype(np.float64).transpose(0, 3, 1, 2))
    assert theirs.std() > 0.1
    np.testing.assert_allclose(pooled(model, pictures), theirs, rtol=1e-4, atol=1e-5 * theirs.max())


class Torch:
    """The operations themselves."""

    def __init__(self, functional: Any) -> None:
        self.relu = functional.relu
        self.conv = lambda x, kernel, stride, pad: functional.conv2d(x, kernel, None, stride, pad)
        self.norm = lambda x, scale, shift, mean, var: functional.batch_norm(x, mean, var, scale, shift)
        self.pool = partial(functional.max_pool2d, kernel_size=3, stride=2, padding=1)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_torch_itself_agrees_with_the_definitions_used_above(name: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    state = {key: value.astype(np.float64) for key, value in state_of(name).items()}
    pictures = np.random.default_rng(3).normal(size=(2, 3, SMALLEST, SMALLEST))
    tensors = {key: torch.from_numpy(value) for key, value in state.items()}
    theirs = torchvision.pooled(Torch(torch.nn.functional), tensors, torch.from_numpy(pictures)).numpy()
    np.testing.assert_allclose(torchvision.pooled(torchvision.Numpy(), state, pictures), theirs, rtol=1e-9, atol=1e-9)


def test_half_precision_files_are_read(save: Save, tmp_path: Path) -> None:
    state = {key: value.astype(np.float16) if value.ndim else value for key, value in state_of("resnet18").items()}
    save(state, tmp_path / "half.safetensors")
    model = net()
    give(model, tmp_path / "half.safetensors")
    expected = state["conv1.weight"].astype(np.float32).transpose(2, 3, 1, 0)
    assert np.array_equal(model.get_layer("conv1").get_weights()[0], expected)


def test_a_file_without_a_tensor_is_refused(save: Save, tmp_path: Path) -> None:
    state = state_of("resnet18")
    del state["layer2.0.bn2.running_var"]
    save(state, tmp_path / "net.safetensors")
    with pytest.raises(InputError, match=r"net\.safetensors is of another net: it has no layer2\.0\.bn2\.running_var"):
        give(net(), tmp_path / "net.safetensors")


def test_a_file_of_a_deeper_net_is_refused(save: Save, tmp_path: Path) -> None:
    save(state_of("resnet18"), tmp_path / "net.safetensors")
    with pytest.raises(InputError, match=r"it holds layer4\.1\.\S+, which resnet18 does not have"):
        give(net(blocks=(1, 1, 1, 1)), tmp_path / "net.safetensors")


def test_a_file_of_a_wider_net_is_refused_with_both_shapes(save: Save, tmp_path: Path) -> None:
    save(state_of("resnet18"), tmp_path / "net.safetensors")
    with pytest.raises(
        InputError, match=r"conv1\.weight is \(7, 7, 3, 4\) in Keras' order, the net has \(7, 7, 3, 8\)"
    ):
        give(net(width=8), tmp_path / "net.safetensors")


def test_a_damaged_file_is_named(save: Save, tmp_path: Path) -> None:
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match=r"torn\.safetensors cannot be read as \.safetensors: "):
        give(net(), tmp_path / "torn.safetensors")


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "net.safetensors").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(RuntimeUnavailable, match=r"needs the package safetensors: pip install safetensors"):
        give(net(), tmp_path / "net.safetensors")


def test_keras_own_resnet_50_is_another_net_than_torchvisions(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes(b"")
    model = zoo.build("porto_resnet50", (32, 32, 3), 7, {})
    with pytest.raises(UsageError, match=r'build this one with --set model\.arguments\.variant="torch"'):
        give(model, tmp_path / "net.safetensors")


def test_a_net_that_is_no_resnet_takes_no_such_file(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes(b"")
    with pytest.raises(UsageError, match=r"torchvision's ResNet, whose layers cmu_cnn5 does not have$"):
        give(zoo.build("cmu_cnn5", (32, 32, 3), 8, {}), tmp_path / "net.safetensors")
