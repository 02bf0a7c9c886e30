"""The wheel: all that runs, nothing that tests or trains from, small, and stamped with the one version."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from fer_edge import __version__
from fer_edge.bundle import DEFAULT
from support.tree import PACKAGES, ROOT

MAX_WHEEL_BYTES = 15 * 1024 * 1024
"""The code is some 700 kB; a bundle of 1.5 million weights, as float once and in eight bits in three formats (10 MB),
and one of a quarter of a million in three formats, in float and in eight bits (4 MB)."""
BASE = {"simplejpeg", "numpy", "opencv-python-headless", "ai-edge-litert", "pydantic", "tomli"}
COMMANDS = {"fer-edge", "fer-train", "fer-convert", "fer-bench"}
PICTURES = {".jpg", ".jpeg", ".png", ".gif", ".mp4", ".avi", ".csv", ".npz", ".xz"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built offline."""
    out = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120.0,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_it_runs_on_every_machine_and_carries_the_version(wheel: Path) -> None:
    assert wheel.name == f"fer_edge-{__version__}-py3-none-any.whl"


def test_it_holds_the_four_packages_and_nothing_else(names: set[str]) -> None:
    assert {name.split("/")[0] for name in names} == {*PACKAGES, f"fer_edge-{__version__}.dist-info"}


@pytest.mark.parametrize("package", PACKAGES)
def test_it_holds_every_module_of_a_package(names: set[str], package: str) -> None:
    root = PACKAGES[package]
    assert {f"{package}/{path.relative_to(root)}" for path in root.rglob("*.py")} <= names


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_says_that_it_is_typed(names: set[str], package: str) -> None:
    assert f"{package}/py.typed" in names


def test_it_holds_every_recipe(names: set[str]) -> None:
    recipes = {f"fer_train/recipes/{path.name}" for path in (PACKAGES["fer_train"] / "recipes").glob("*.toml")}
    assert recipes
    assert recipes <= names


def test_it_holds_the_bundles_that_ship(names: set[str]) -> None:
    assert {f"fer_edge/bundles/{name}/bundle.json" for name in (DEFAULT, "fernet-xs")} <= names
    assert "fer_edge/reference.toml" in names
    assert {f"fer_edge/web/page/{name}" for name in ("index.html", "page.css", "page.js")} <= names
    root = PACKAGES["fer_edge"]
    assert {f"fer_edge/{path.relative_to(root)}" for path in (root / "bundles").rglob("*") if path.is_file()} <= names


def test_it_holds_the_licence(names: set[str], metadata: Message) -> None:
    assert f"fer_edge-{__version__}.dist-info/licenses/LICENSE" in names
    assert metadata["License-Expression"] == "Apache-2.0"


def test_it_holds_no_tests_and_no_data(names: set[str]) -> None:
    assert not [name for name in names if "test" in name.lower() or Path(name).suffix in PICTURES]


def test_it_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size < MAX_WHEEL_BYTES


def test_it_installs_the_four_commands(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"fer_edge-{__version__}.dist-info/entry_points.txt").decode()
    assert set(re.findall(r"^(\S+) = fer_\w+\.cli:main$", text, re.MULTILINE)) == COMMANDS


def test_the_base_install_is_the_device_alone(metadata: Message) -> None:
    needed = metadata.get_all("Requires-Dist") or []
    base = {re.split(r"[^\w-]", line)[0] for line in needed if "extra ==" not in line}
    assert base == BASE


def test_it_takes_python_from_3_10_on(metadata: Message) -> None:
    assert metadata["Requires-Python"] == ">=3.10"
