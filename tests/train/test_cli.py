"""The command `fer-train`: exit codes, one sentence per mistake, and one run from pictures to card."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fer_edge.command import INTERRUPTED
from fer_edge.errors import ExitCode
from fer_train import backend, cli, crop
from fer_train.commands import run as run_command
from fer_train.recipe import Recipe

TINY = (
    "--epochs=1",
    "--set=fit.batch=32",
    "--set=fit.precision=float32",
    "--set=model.arguments.stem=[4]",
    "--set=model.arguments.blocks=[]",
    "--set=model.arguments.widths=[4]",
)


def error_of(capsys: pytest.CaptureFixture[str]) -> str:
    """The last line on standard error."""
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_list_names_the_recipes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["list"]) == ExitCode.OK
    assert "fernet-s" in capsys.readouterr().out


def test_show_prints_keys_that_set_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", "fernet-s", "--set", "fit.epochs=7"]) == ExitCode.OK
    lines = capsys.readouterr().out.splitlines()
    assert "fit.epochs = 7" in lines
    changes = [line.replace(" = ", "=", 1) for line in lines]
    assert cli.main(["show", "fernet-s", *(f"--set={change}" for change in changes)]) == ExitCode.OK
    assert capsys.readouterr().out.splitlines() == lines


def test_an_unknown_recipe_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", "fernet"]) == ExitCode.USAGE
    assert error_of(capsys) == "fer-train: there is no recipe 'fernet'; did you mean fernet-s?"


def test_a_recipe_key_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", "fernet-s", "--set", "fit.epoch=7"]) == ExitCode.REFUSED
    assert "did you mean epochs?" in error_of(capsys)


def test_data_that_is_not_there_ends_before_keras_is_imported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "require_keras", lambda: pytest.fail("too late"))
    status = cli.main(["run", "fernet-s", "--data", str(tmp_path / "gone"), "--out", str(tmp_path / "run")])
    assert status == ExitCode.UNAVAILABLE
    assert error_of(capsys).endswith("gone does not exist")
    assert not (tmp_path / "run").exists()


def test_a_missing_backend_names_the_extra(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keras", None)
    status = cli.main(["run", "fernet-s", "--data", str(shapes), "--out", str(tmp_path / "run")])
    assert status == ExitCode.UNAVAILABLE
    assert error_of(capsys).endswith("keras cannot be imported: pip install 'fer-edge[train]'")


def test_zero_epochs_are_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["run", "fernet-s", "--data", "d", "--out", "o", "--epochs", "0"])
    assert end.value.code == ExitCode.USAGE
    assert "a whole number from 1 up is needed, found '0'" in capsys.readouterr().err


def test_a_run_folder_that_cannot_be_made_is_named(
    keras_ready: None, shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    out = tmp_path / "file" / "run"
    assert cli.main(["run", "fernet-s", "--data", str(shapes), "--out", str(out), *TINY]) == ExitCode.UNAVAILABLE
    assert "file/run cannot be made" in error_of(capsys)


def test_from_pictures_to_card(
    keras_ready: None, shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert cli.main(["run", "fernet-s", "--data", str(shapes), "--out", str(run), *TINY]) == ExitCode.OK
    out, err = capsys.readouterr()
    made = {path.name for path in run.iterdir()}
    assert made >= {"model.keras", "metrics.json", "card.md", "curves.png", "confusion.png", "report.txt"}
    assert "top-1" in out
    assert "epoch 1/1" in err
    assert "no crop contract" in err  # these are drawings, and no detector takes them for faces

    assert cli.main(["evaluate", str(run), "--data", str(shapes), "--json", "-"]) == ExitCode.OK
    printed = json.loads(capsys.readouterr().out)
    stored = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert printed == stored

    (run / "card.md").unlink()
    assert cli.main(["report", str(run), "--data", str(shapes)]) == ExitCode.OK
    assert (run / "card.md").is_file()
    capsys.readouterr()

    assert cli.main(["run", "fernet-s", "--data", str(shapes), "--out", str(run), *TINY]) == ExitCode.UNAVAILABLE
    assert "already holds a run; pass --resume" in error_of(capsys)
    starts = json.loads((run / "provenance.json").read_text(encoding="utf-8"))["starts"]
    assert len(starts) == 1  # a refused run leaves no trace in another's record


@pytest.mark.parametrize("resume", [True, False])
def test_a_finished_run_gets_no_new_start_in_its_record(trained_run: Path, recipe: Recipe, resume: bool) -> None:
    assert not run_command._will_start(recipe, trained_run, resume=resume)


def test_an_interrupted_run_says_how_to_go_on(
    keras_ready: None,
    shapes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from fer_train import fit  # noqa: PLC0415 - Keras

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fit, "run", interrupted)
    arguments = ["run", "fernet-s", "--data", str(shapes), "--out", str(tmp_path / "run"), *TINY]
    assert cli.main(arguments) == INTERRUPTED
    assert error_of(capsys) == "fer-train: interrupted; the same command with --resume goes on"


def test_crop_of_drawings_finds_no_faces_and_writes_nothing(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("fer_edge.detectors.haar").haar_installed() or pytest.skip("this OpenCV has no Haar cascade")
    out = tmp_path / "crop.json"
    status = cli.main(["crop", "--data", str(shapes), "--out", str(out), "--detector", "haar", "--sample", "40"])
    assert status == ExitCode.UNAVAILABLE
    assert "no detector found enough faces" in error_of(capsys)
    assert not out.exists()


def test_crop_with_weights_for_a_detector_that_takes_none_is_a_usage_error(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["crop", "--data", str(shapes), "--out", str(tmp_path / crop.FILE), "--detector", "haar"]
    assert cli.main([*arguments, "--detector-weights", "yunet.onnx"]) == ExitCode.USAGE
    assert "--detector haar takes none" in error_of(capsys)


def test_detector_weights_that_are_not_there_end_the_run_before_it_starts(
    shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    arguments = ["run", "fernet-s", "--data", str(shapes), "--out", str(out), *TINY]
    assert cli.main([*arguments, "--detector-weights", str(tmp_path / "gone.onnx")]) == ExitCode.UNAVAILABLE
    assert "gone.onnx cannot be read" in error_of(capsys)
    assert not out.exists()


def test_help_imports_neither_keras_nor_matplotlib() -> None:
    code = (
        "import sys; from fer_train.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([name for name in ('keras', 'tensorflow', 'matplotlib', 'rich') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "100"}
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_recipe_with_a_support_vector_machine_runs_and_is_reported_like_any_other(
    keras_ready: None, shapes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("sklearn")
    changes = [
        "labels=fer2013",
        "data.split=official",
        "data.validation=0.0",
        "data.test=0.0",
        "model.architecture=fernet",
        "model.weights=none",
        "model.arguments.stem=[4]",
        "model.arguments.widths=[8]",
        "preprocess.size=48",
    ]
    run = tmp_path / "run"
    arguments = ["run", "uaslp-resnet50-svm", "--data", str(shapes), "--out", str(run)]
    assert cli.main([*arguments, *(f"--set={change}" for change in changes)]) == ExitCode.OK
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["rows"][0]["n"] == 28
    assert metrics["rows"][0]["top1"] > 2 / 7
    assert json.loads((run / "svm.json").read_text(encoding="utf-8"))["agreement"] >= 0.9
    assert (run / "report.html").exists()
