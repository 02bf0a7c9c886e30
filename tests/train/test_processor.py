"""Short floats are used where the processor has them, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest

from fer_train import backend, processor

X86 = "processor\t: 0\nmodel name\t: Some CPU @ 3 GHz\nflags\t\t: fpu sse4_2 avx2 {}\n\nprocessor\t: 1\nflags\t: {}\n"
ARM = "processor\t: 0\nFeatures\t: fp asimd {}\n"


@pytest.fixture(autouse=True)
def _no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "accelerators", list)


def described(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    (folder / "cpuinfo").write_text(text, encoding="utf-8")
    monkeypatch.setattr(processor, "INFO", folder / "cpuinfo")


@pytest.mark.parametrize(
    ("text", "wanted", "found"),
    [
        (X86.format("avx512_bf16", ""), "mixed_bfloat16", "mixed_bfloat16"),
        (X86.format("avx512f", "avx512_bf16"), "mixed_bfloat16", "float32"),
        (X86.format("avx512_bf16", ""), "mixed_float16", "float32"),
        (X86.format("", ""), "float32", "float32"),
        (ARM.format("asimddp bf16"), "mixed_bfloat16", "mixed_bfloat16"),
        (ARM.format("asimddp"), "mixed_bfloat16", "float32"),
        (ARM.format("asimdhp"), "mixed_float16", "mixed_float16"),
        ("nothing that is known\n", "mixed_bfloat16", "mixed_bfloat16"),
    ],
)
def test_what_the_processor_would_emulate_is_computed_in_float32(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, wanted: str, found: str
) -> None:
    described(monkeypatch, tmp_path, text)
    assert processor.precision(wanted) == found


def test_an_accelerator_computes_as_the_recipe_wants(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    described(monkeypatch, tmp_path, X86.format("", ""))
    monkeypatch.setattr(backend, "accelerators", lambda: ["Some GPU"])
    assert processor.precision("mixed_float16") == "mixed_float16"


def test_a_system_without_cpuinfo_computes_as_the_recipe_wants(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processor, "INFO", tmp_path / "none")
    assert processor.precision("mixed_bfloat16") == "mixed_bfloat16"
    assert processor.name()


def test_the_name_is_the_kernels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    described(monkeypatch, tmp_path, X86.format("", ""))
    assert processor.name() == "Some CPU @ 3 GHz"
