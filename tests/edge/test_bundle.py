"""A bundle is believed only where it proves itself: one lie per test, each refused with its own sentence."""

from __future__ import annotations

import base64
import hashlib
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer_edge import bundle as bundle_module
from fer_edge.bundle import MANIFEST, MAX_MANIFEST_BYTES, Bundle
from fer_edge.errors import BundleRefused, FerEdgeError
from support.tiny import read_manifest, tiny_bundle, write_manifest

FLOAT_FILE = "tiny-float32.tflite"
INT8_FILE = "tiny-int8.tflite"

Data = dict[str, Any]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return tiny_bundle(tmp_path)


def zipped(folder: Path, method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, file.name)
    return path


def read_all(path: Path) -> Bundle:
    opened = Bundle.open(path)
    for artifact in opened.manifest.artifacts:
        opened.read(artifact)
    return opened


# --- a right bundle


def test_a_right_bundle_is_read(tiny: Path) -> None:
    opened = read_all(tiny)
    assert [artifact.id for artifact in opened.manifest.artifacts] == ["tflite/float32", "tflite/int8"]
    assert opened.sha256 == hashlib.sha256((tiny / MANIFEST).read_bytes()).hexdigest()


def test_an_artifact_tells_its_size(tiny: Path) -> None:
    opened = Bundle.open(tiny)
    assert opened.manifest.artifacts[0].size_bytes == (tiny / FLOAT_FILE).stat().st_size


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zipped_bundle_gives_the_same_bytes(tiny: Path, method: int) -> None:
    folder, packed = Bundle.open(tiny), Bundle.open(zipped(tiny, method))
    assert packed.manifest == folder.manifest
    for artifact in folder.manifest.artifacts:
        assert packed.read(artifact) == folder.read(artifact)


def test_a_manifest_survives_being_written_again(tiny: Path) -> None:
    manifest = Bundle.open(tiny).manifest
    (tiny / MANIFEST).write_text(manifest.model_dump_json(), encoding="utf-8")
    assert Bundle.open(tiny).manifest == manifest


# --- lies in the manifest


def _artifact(**change: object) -> Callable[[Data], None]:
    return lambda data: data["artifacts"][0].update(change)


def _tensor(which: str, **change: object) -> Callable[[Data], None]:
    return lambda data: data["artifacts"][0][which].update(change)


def _top(**change: object) -> Callable[[Data], None]:
    return lambda data: data.update(change)


def _file(**change: object) -> Callable[[Data], None]:
    return lambda data: data["artifacts"][0]["files"][0].update(change)


def _golden(**change: object) -> Callable[[Data], None]:
    return lambda data: data["artifacts"][0]["golden"][0].update(change)


def _drop_label(data: Data) -> None:
    data["labels"].pop()


def _repeat_label(data: Data) -> None:
    data["labels"][1] = data["labels"][0]


def _repeat_artifact(data: Data) -> None:
    data["artifacts"].append(data["artifacts"][0])


def _smaller_crop(data: Data) -> None:
    data["preprocess"]["size"] = 40


def _color(data: Data) -> None:
    data["preprocess"]["color"] = "rgb"


LIES: dict[str, tuple[Callable[[Data], None], str]] = {
    "an unknown key": (_top(speed=9), "speed is not a known key"),
    "an unknown key inside": (_artifact(sped=1), "artifacts.0.sped is not a known key"),
    "a key that is missing": (lambda data: data.pop("card"), "card is missing"),
    "another schema": (_top(schema_version=2), "schema_version: input should be 1 .found 2."),
    "a number as text": (_artifact(tolerance="0.1"), "artifacts.0.tolerance: input should be a valid number"),
    "a name with a path": (_top(name="../x"), "name: string should match pattern"),
    "no artifacts": (_top(artifacts=[]), "artifacts: tuple should have at least 1 item"),
    "one label": (_top(labels=["happy"]), "labels: tuple should have at least 2 items"),
    "a label twice": (_repeat_label, "top level: labels occur twice$"),
    "an artifact twice": (_repeat_artifact, "two artifacts have the same format and precision"),
    "a label too few": (_drop_label, r"tflite/float32 has output \(1, 7\), not \(1, 6\) for 6 labels"),
    "an output too deep": (_tensor("output", shape=[1, 1, 7]), r"has output \(1, 1, 7\), not \(1, 7\) for 7 labels"),
    "another crop size": (_smaller_crop, r"takes \(1, 48, 48, 1\), but the preprocessing makes \(1, 40, 40, 1\)"),
    "a batch": (_tensor("input", shape=[4, 48, 48, 1]), r"takes \(4, 48, 48, 1\), but the preprocessing makes"),
    "another colour": (_color, "mean and std need 3 values for rgb input"),
    "integers without a scale": (_tensor("input", dtype="int8"), "the int8 tensor .* has scale 0"),
    "floats with a scale": (_tensor("input", scale=0.5), "the float32 tensor .* has scale 0.5"),
    "an unknown type": (_tensor("input", dtype="int4"), "artifacts.0.input.dtype: input should be 'float32'"),
    "a tolerance of nothing": (_artifact(tolerance=0.0), "artifacts.0.tolerance: input should be greater than 0"),
    "no golden pictures": (_artifact(golden=[]), "artifacts.0.golden: tuple should have at least 1 item"),
    "a golden picture too small": (
        _golden(pixels=base64.b64encode(b"x" * 100).decode()),
        "a golden picture has 100 values, not 2304 for",
    ),
    "a golden picture that is no base64": (_golden(pixels="?!"), "base64"),
    "a golden output too short": (_golden(output=[1.0]), "a golden output of 1 values for 7 labels"),
    "a path upwards": (_file(name="../bundle.json"), "artifacts.0.files.0.name: string should match pattern"),
    "an absolute path": (_file(name="/etc/hostname"), "artifacts.0.files.0.name: string should match pattern"),
    "a path into a folder": (_file(name="a/b.tflite"), "artifacts.0.files.0.name: string should match pattern"),
    "a path of another system": (_file(name="..\\b"), "artifacts.0.files.0.name: string should match pattern"),
    "a hidden file": (_file(name=".profile"), "artifacts.0.files.0.name: string should match pattern"),
    "a name with a line end": (_file(name="a.tflite\n"), "artifacts.0.files.0.name: string should match pattern"),
    "a hash that is none": (_file(sha256="0" * 63), "artifacts.0.files.0.sha256: string should match pattern"),
    "a size beyond the cap": (_file(bytes=2**40), "artifacts.0.files.0.bytes: input should be less than or equal to"),
}


@pytest.mark.parametrize(("lie", "sentence"), LIES.values(), ids=LIES.keys())
def test_a_lie_in_the_manifest_is_refused(tiny: Path, lie: Callable[[Data], None], sentence: str) -> None:
    data = read_manifest(tiny)
    lie(data)
    write_manifest(tiny, data)
    with pytest.raises(BundleRefused, match=sentence) as caught:
        Bundle.open(tiny)
    assert str(caught.value).startswith(f"{tiny}: the manifest is not right: ")
    assert "\n" not in str(caught.value)


def test_all_lies_of_a_manifest_are_told_at_once(tiny: Path) -> None:
    data = read_manifest(tiny)
    data["speed"] = 9
    del data["card"]
    write_manifest(tiny, data)
    with pytest.raises(BundleRefused, match="speed is not a known key") as caught:
        Bundle.open(tiny)
    assert "card is missing" in str(caught.value)


def _twice(text: str) -> str:
    return text.replace('"schema_version": 1,', '"schema_version": 1, "schema_version": 1,')


def _nan(text: str) -> str:
    return text.replace('"uncertain_below": 0.0', '"uncertain_below": NaN', 1)


def _endless(text: str) -> str:
    return text.replace('"uncertain_below": 0.0', '"uncertain_below": 1e999', 1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_twice, "not valid JSON: the key 'schema_version' occurs twice"),
        (_nan, "not valid JSON: NaN is not allowed"),
        (_endless, "uncertain_below: input should be"),
        (lambda text: text[:-20], "not valid JSON: "),
        (lambda text: text + "}", "not valid JSON: Extra data"),
        (lambda text: "[" * 100_000, "not valid JSON: it is nested too deeply"),
        (lambda text: "", "not valid JSON: Expecting value"),
        (lambda text: "[1, 2]", "top level: input should be a valid dictionary"),
    ],
)
def test_a_manifest_that_is_no_clean_json_is_refused(tiny: Path, change: Callable[[str], str], sentence: str) -> None:
    path = tiny / MANIFEST
    text = path.read_text(encoding="utf-8")
    assert change(text) != text
    path.write_text(change(text), encoding="utf-8")
    with pytest.raises(BundleRefused, match=sentence):
        Bundle.open(tiny)


def test_a_manifest_above_the_limit_is_refused_before_it_is_parsed(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny / MANIFEST
    path.write_bytes(path.read_bytes() + b" " * MAX_MANIFEST_BYTES)
    monkeypatch.setattr(bundle_module, "parse_manifest", lambda *_: pytest.fail("it was parsed"))
    with pytest.raises(BundleRefused, match=f"bundle.json has {path.stat().st_size} bytes, more than the limit of"):
        Bundle.open(tiny)


# --- lies in the files


def test_an_artifact_with_one_bit_flipped_is_refused(tiny: Path) -> None:
    path = tiny / INT8_FILE
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleRefused, match=r"tiny-int8.tflite has SHA-256 \w+… where the manifest says \w+…"):
        read_all(tiny)


def test_a_truncated_artifact_is_refused(tiny: Path) -> None:
    path = tiny / FLOAT_FILE
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(BundleRefused, match=f"has {size - 1} bytes where the manifest says {size}"):
        read_all(tiny)


def test_an_artifact_with_a_tail_is_refused(tiny: Path) -> None:
    with (tiny / FLOAT_FILE).open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleRefused, match="bytes where the manifest says"):
        read_all(tiny)


def test_an_artifact_that_is_missing_is_named(tiny: Path) -> None:
    (tiny / INT8_FILE).unlink()
    with pytest.raises(BundleRefused, match=f"is not a whole bundle: {INT8_FILE} is missing"):
        read_all(tiny)


def test_an_artifact_of_another_bundle_is_refused(tiny: Path) -> None:
    (tiny / INT8_FILE).write_bytes((tiny / FLOAT_FILE).read_bytes())
    with pytest.raises(BundleRefused, match="bytes where the manifest says"):
        read_all(tiny)


def test_an_artifact_above_the_cap_is_refused_unread(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = Bundle.open(tiny)
    monkeypatch.setattr(bundle_module, "MAX_ARTIFACT_BYTES", 1000)
    with pytest.raises(BundleRefused, match="more than the limit of 1000"):
        opened.read(opened.manifest.artifacts[0])


def test_a_file_that_is_swapped_after_its_check_does_not_reach_the_runtime(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Bundle.open(tiny)
    artifact = opened.manifest.artifacts[0]
    real_sha256 = hashlib.sha256

    def hash_and_swap(data: bytes) -> Any:
        (tiny / FLOAT_FILE).write_bytes(b"evil" * 1000)
        return real_sha256(data)

    monkeypatch.setattr(hashlib, "sha256", hash_and_swap)
    (data,) = opened.read(artifact)
    assert (tiny / FLOAT_FILE).read_bytes().startswith(b"evil")
    assert real_sha256(data).hexdigest() == artifact.files[0].sha256


# --- lies in a zip


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tiny: Path) -> None:
    path = tiny.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, b" " * (64 * 1024 * 1024))
    assert path.stat().st_size < 100_000
    with pytest.raises(BundleRefused, match=r"bundle\.json has 67108864 bytes, more than the limit"):
        Bundle.open(path)


def test_a_zip_bomb_that_understates_its_size_is_refused(tiny: Path) -> None:
    path = tiny.with_suffix(".zip")
    size = 64 * 1024 * 1024
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, b" " * size)
    told = path.read_bytes().replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    path.write_bytes(told)
    with pytest.raises(BundleRefused, match="cannot be read as a bundle"):
        Bundle.open(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_packed_in_a_rare_way_is_refused(tiny: Path, method: int) -> None:
    with pytest.raises(BundleRefused, match="packed in a way other than store or deflate"):
        Bundle.open(zipped(tiny, method))


def test_a_zip_with_the_bundle_in_a_folder_is_no_bundle(tiny: Path) -> None:
    path = tiny.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tiny / MANIFEST, f"tiny/{MANIFEST}")
    with pytest.raises(BundleRefused, match=r"is not a whole bundle: bundle\.json is missing"):
        Bundle.open(path)


def test_a_zip_with_random_damage_is_refused_or_still_right(tiny: Path) -> None:
    path = zipped(tiny)
    whole = path.read_bytes()
    manifest = Bundle.open(path).manifest
    rng = random.Random(1)  # noqa: S311 - damage, not secrets
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            assert read_all(path).manifest == manifest
        except FerEdgeError:
            refused += 1
    assert refused > 250


# --- not a bundle


def test_a_file_of_another_kind_is_no_bundle(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(b"TFL3" * 100)
    with pytest.raises(BundleRefused, match="cannot be read as a bundle: File is not a zip file"):
        Bundle.open(path)


def test_an_empty_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match=r"is not a whole bundle: bundle\.json is missing"):
        Bundle.open(tmp_path)


def test_a_folder_in_the_manifests_place_is_no_bundle(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).mkdir()
    with pytest.raises(BundleRefused, match="cannot be read as a bundle"):
        Bundle.open(tmp_path)


def test_a_manifest_that_the_system_cannot_open_is_said_to_be_unreadable(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).symlink_to(tmp_path / MANIFEST)  # a circle; missing permission would not stop root
    with pytest.raises(BundleRefused, match=r"cannot be read as a bundle: .*levels of symbolic links"):
        Bundle.open(tmp_path)
