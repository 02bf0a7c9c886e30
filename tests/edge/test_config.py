"""The configuration: a closed set of keys, all mistakes at once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from fer_edge.config import MAX_CONFIG_BYTES, Settings, load
from fer_edge.errors import ConfigError, ExitCode, InputError, UsageError


def write(folder: Path, text: str) -> Path:
    path = folder / "edge.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_defaults_hold() -> None:
    assert load(None, {}, []) == Settings()


def test_a_file_sets_what_it_names(tmp_path: Path) -> None:
    settings = load(write(tmp_path, 'source = "0"\n[camera]\nfps = 15.0\n'), {}, [])
    assert (settings.source, settings.camera.fps, settings.camera.width_px) == ("0", 15.0, 640)


def test_flags_win_over_assignments_and_those_over_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, 'source = "a"\nmodel = "a"\nthreads = 1\n')
    settings = load(path, {"source": "c"}, ["source=b", "model=b"])
    assert (settings.source, settings.model, settings.threads) == ("c", "b", 1)


def test_an_assignment_reaches_into_tables() -> None:
    assert load(None, {}, ["camera.width_px=320"]).camera.width_px == 320


def test_an_assignment_without_a_value_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="key=value"):
        load(None, {}, ["camera"])


def test_an_unknown_key_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"camera\.widht_px is not a known key; did you mean width_px") as refused:
        load(None, {}, ["camera.widht_px=320"])
    assert refused.value.exit_code == ExitCode.REFUSED


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, 'threads = "two"\nmodle = "x"\n[camera]\nfps = -1.0\n')
    with pytest.raises(ConfigError) as refused:
        load(path, {}, [])
    text = str(refused.value)
    assert "threads" in text
    assert "modle is not a known key; did you mean model?" in text
    assert "camera.fps" in text
    assert "edge.toml" in text


def test_a_number_is_not_bent_into_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="source"):
        load(write(tmp_path, "source = 0\n"), {}, [])


def test_mistakes_are_told_with_their_lines(tmp_path: Path) -> None:
    text = '# mine\nmodle = "x"\n\n[camera]\n  fps = -1.0\n[pipeline.search]\nfull_px = 1\n"still_every_s" = "x"\n'
    with pytest.raises(ConfigError) as refused:
        load(write(tmp_path, text), {}, [])
    told = str(refused.value)
    assert "line 2: modle is not a known key; did you mean model?" in told
    assert "line 5: camera.fps: " in told
    assert "line 7: pipeline.search.full_px: " in told
    assert "line 8: pipeline.search.still_every_s: " in told


def test_a_mistake_on_the_command_line_has_no_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        load(write(tmp_path, "threads = 2\n"), {}, ["modle=x"])
    assert "line" not in str(refused.value)


def test_a_mistake_of_a_whole_table_has_the_tables_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line 2: pipeline\.search: a face of 64 px does not fit"):
        load(write(tmp_path, "\n[pipeline.search]\nface_px = 64\ntile_px = 64\n"), {}, [])


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not TOML"):
        load(write(tmp_path, "source = = 3"), {}, [])


def test_random_bytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "edge.toml"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ConfigError, match="is not TOML"):
        load(path, {}, [])


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="larger than"):
        load(write(tmp_path, "#" * (MAX_CONFIG_BYTES + 1)), {}, [])


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load(tmp_path / "none.toml", {}, [])


@pytest.mark.parametrize(
    ("rate", "hz"), [("all", math.inf), ("changes", 0.0), ("2", 2.0), ("0.5", 0.5), (5, 5.0), (2.5, 2.5)]
)
def test_a_rate_is_a_word_or_a_number(rate: Any, hz: float) -> None:
    assert load(None, {"events.rate": rate}, []).events.rate_hz == hz


@pytest.mark.parametrize("rate", ["never", "0", "-1", "nan", "inf", "1e9"])
def test_a_rate_that_makes_no_sense_is_refused(rate: str) -> None:
    with pytest.raises(ConfigError, match="events per second above 0"):
        load(None, {"events.rate": rate}, [])
