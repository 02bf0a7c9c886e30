"""`fer-bench compare` as a person or a build runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.made_results import document, latency_row, put, rounds
from fer_bench.cli import main


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """A result, and one that is 20 % slower."""
    base, new = (document([latency_row(rounds(ms, 10, 1 + round(ms), 0.004))], minute=ms) for ms in (1.0, 1.2))
    return put(tmp_path / "base.json", base), put(tmp_path / "new.json", new)


def test_a_table_with_the_verdict_goes_to_standard_output(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *files]) == 0
    out = capsys.readouterr().out
    assert "tflite/int8 with litert on 1 thread" in out
    assert "slower" in out
    assert "Holm" in out


def test_json_on_standard_output_stands_there_alone(files: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *files, "--json", "-"]) == 0
    streams = capsys.readouterr()
    assert json.loads(streams.out)["kind"] == "compare"
    assert "slower" in streams.err


def test_a_condition_that_is_not_met_ends_with_status_1(
    files: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *files, "--fail-on", "p50:+5%", "--fail-on", "size:+0"]) == 1
    out = capsys.readouterr().out
    assert "failed: p50:+5%" in out
    assert "passed: size:+0" in out
    assert main(["compare", *files, "--fail-on", "p50:+25%"]) == 0


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["BASE", "none.json"], 69, "none.json cannot be read"),
        (["BASE", "NEW", "--fail-on", "p50"], 2, "is no condition"),
        (["BASE", "NEW", "--fail-on", "top1:-1"], 2, "latency results have no figure 'top1'"),
        (["BASE", "NOISE"], 69, "is not JSON that can be read"),
        (["BASE", "NEW", "--json", "no/such/folder/x.json"], 69, "the result cannot be written"),
        (["BASE", "OTHER"], 2, "unlike machines"),
    ],
)
def test_a_mistake_is_one_sentence_and_its_status(
    files: tuple[str, str],
    tmp_path: Path,
    arguments: list[str],
    status: int,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "noise.json").write_bytes(b"\x00\xff")
    other = put(tmp_path / "other.json", document([latency_row(rounds(1.0, 5, 1))], cpu="Cortex-A72"))
    names = {"BASE": files[0], "NEW": files[1], "NOISE": str(tmp_path / "noise.json"), "OTHER": other}
    assert main(["compare", *[names.get(word, word) for word in arguments]]) == status
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith("fer-bench: ")
    assert sentence in streams.err
    assert streams.err.count("\n") == 1


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys; from fer_bench.cli import main\n"
        "try: main(['compare', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit(', '.join({'pydantic', 'cv2'} & sys.modules.keys()) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--fail-on-unsure" in done.stdout
    assert "p50:+5%," in done.stdout
