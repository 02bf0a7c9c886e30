"""`fer-bench accuracy --card`: what was measured stands in the bundle's card, and the rest of the card stays."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import cv2
import pytest

from fer_bench.accuracy import card
from fer_bench.cli import main
from fer_edge.errors import ExitCode
from fer_edge.labels import FER2013
from support.shapes import shape
from support.tiny import tiny_bundle

PER_CLASS = 3
ABOVE, BELOW = "# tiny\n\nDrawn by hand.\n", "## Known limits\n\n- Many.\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "bundle"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for label in FER2013:
        folder = tmp_path / "data" / label
        folder.mkdir(parents=True)
        for seed in range(PER_CLASS):
            cv2.imwrite(str(folder / f"{seed}.png"), shape(label, seed=9100 + seed))
    return tmp_path / "data"


def measure(bundle: Path, pictures: Path, *more: str) -> int:
    return main(["accuracy", str(bundle), f"--data=folder:{pictures}", "--split=none", "--runtime=litert", *more])


def test_the_card_says_what_the_result_says(bundle: Path, pictures: Path, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    (bundle / card.FILE).unlink(missing_ok=True)
    assert measure(bundle, pictures, "--card", "--corruptions=jpeg", f"--json={path}") == ExitCode.OK
    told = (bundle / card.FILE).read_text(encoding="utf-8")
    result = json.loads(path.read_text(encoding="utf-8"))
    assert told.startswith("# ")
    assert f"n = {7 * PER_CLASS}" in told
    assert result["data"]["sha256"][:16] in told
    for row in result["rows"]:
        assert f"| {row['format']}/{row['precision']} | litert {row['runtime_version']} |" in told
        assert f"| {100 * row['top1']:.2f} % (" in told
        steps = " ".join(f"{100 * step['top1']:.1f}" for step in row["corruptions"])
        assert f"| jpeg: JPEG quality, 70 50 30 20 10 | {steps} | {_last(row):.1f} (" in told


def _last(row: dict[str, Any]) -> float:
    return float(row["corruptions"][-1]["drop_from_clean_pp"])


def test_the_rest_of_the_card_stays_and_an_old_section_goes(bundle: Path, pictures: Path) -> None:
    path = bundle / card.FILE
    path.write_text(f"{ABOVE}\n{card.HEADING}\n\nOld figures.\n\n{BELOW}", encoding="utf-8")
    assert measure(bundle, pictures, "--card") == ExitCode.OK
    once = path.read_text(encoding="utf-8")
    assert once.startswith(f"{ABOVE}\n{card.HEADING}\n\nMeasured by ")
    assert once.endswith(f"\n\n{BELOW}")
    assert "Old figures" not in once
    assert "What a camera does" not in once
    assert measure(bundle, pictures, "--card") == ExitCode.OK
    assert path.read_text(encoding="utf-8") == once


def test_without_the_flag_the_card_is_not_touched(bundle: Path, pictures: Path) -> None:
    (bundle / card.FILE).write_text(ABOVE, encoding="utf-8")
    assert measure(bundle, pictures) == ExitCode.OK
    assert (bundle / card.FILE).read_text(encoding="utf-8") == ABOVE


def test_few_pictures_are_told_as_few(bundle: Path, pictures: Path) -> None:
    assert measure(bundle, pictures, "--card", "--limit=14") == ExitCode.OK
    assert "n = 14, classes in equal shares" in (bundle / card.FILE).read_text(encoding="utf-8")


def test_a_packed_bundle_is_refused_before_anything_is_measured(
    bundle: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = tmp_path / "tiny.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for file in bundle.iterdir():
            archive.write(file, file.name)
    assert measure(packed, pictures, "--card") == ExitCode.USAGE
    assert capsys.readouterr().err == (
        f"fer-bench: --card writes CARD.md into a bundle's folder, and {packed} is packed: unpack it first\n"
    )


def test_a_card_that_cannot_be_written_is_told_before_anything_is_measured(
    bundle: Path, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle / card.FILE).unlink(missing_ok=True)
    (bundle / card.FILE).mkdir()
    assert measure(bundle, pictures, "--card") == ExitCode.UNAVAILABLE
    assert "CARD.md" in capsys.readouterr().err


def test_what_was_broken_off_is_not_told(bundle: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fer_bench.accuracy import run as accuracy  # noqa: PLC0415 - what the command imports

    def broken_off(*_: object) -> None:
        raise KeyboardInterrupt

    (bundle / card.FILE).write_text(ABOVE, encoding="utf-8")
    monkeypatch.setattr(accuracy, "predict", broken_off)
    measure(bundle, pictures, "--card")
    assert (bundle / card.FILE).read_text(encoding="utf-8") == ABOVE
