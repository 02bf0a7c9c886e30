"""What an artifact says of itself, so that a lone file still explains itself: name, labels, preprocessing, output kind.

The same JSON in every format: a metadata entry of ONNX, a named buffer of TFLite, run-time information of an IR.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from fer_convert import frameworks
from fer_edge.preprocess import PreprocessSpec
from fer_edge.strict import StrictModel, loads_json

KEY = "fer-edge"
MAX_BYTES = 64 * 1024


class Meaning(StrictModel):
    """What the numbers that go in and come out of a model are."""

    schema_version: Literal[1] = 1
    name: str
    precision: str
    labels: tuple[str, ...] = Field(strict=False)
    output_kind: Literal["logits", "probabilities"]
    preprocess: PreprocessSpec


def embedded(format_: str, files: dict[str, bytes], meaning: Meaning) -> dict[str, bytes]:
    """The files with the meaning inside; what was there under this name is replaced."""
    text = meaning.model_dump_json()
    if format_ == "onnx":
        return {"onnx": _in_onnx(files["onnx"], text)}
    if format_ == "tflite":
        return {"tflite": _in_tflite(files["tflite"], text.encode())}
    return _in_ir(files, text)


def read(file: Path, kind: str) -> Meaning | None:
    """What a file of ours says of itself; None where it says nothing, or nothing that can be understood."""
    found: bytes | str | None = None
    try:
        if kind == "onnx":
            model = frameworks.onnx().load(str(file), load_external_data=False)
            found = next((entry.value for entry in model.metadata_props if entry.key == KEY), None)
        elif kind == "tflite":
            found = _of_tflite(file.read_bytes())
        return None if found is None else Meaning.model_validate(loads_json(_bounded(found)))
    except (ValidationError, ValueError, OSError):
        return None
    except Exception:  # noqa: BLE001 - protobuf and flatbuffers raise what they like for a bad file; it is refused later
        return None


def _bounded(text: bytes | str) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    if len(raw) > MAX_BYTES:
        raise ValueError("more than any metadata of ours")
    return raw


def _in_onnx(data: bytes, text: str) -> bytes:
    onnx = frameworks.onnx()
    model = onnx.load_from_string(data)
    onnx.helper.set_model_props(model, {KEY: text})
    return bytes(model.SerializeToString(deterministic=True))


def _in_tflite(data: bytes, text: bytes) -> bytes:
    import flatbuffers  # noqa: PLC0415 - comes with the runtime
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - optional

    model: Any = schema.ModelT.InitFromPackedBuf(bytearray(data), 0)
    for stored in model.buffers:
        if stored.offset > 1:  # its values lie behind the flatbuffer, at a place that would not be theirs any more
            stored.data = np.frombuffer(data, np.uint8, stored.size, stored.offset)
            stored.offset = stored.size = 0
    model.metadata = model.metadata or []
    entry = next((entry for entry in model.metadata if entry.name == KEY.encode()), None)
    if entry is None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = KEY, len(model.buffers)
        model.metadata.append(entry)
        model.buffers.append(schema.BufferT())
    model.buffers[entry.buffer].data = list(text)
    builder = flatbuffers.Builder(len(data) + len(text))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _of_tflite(data: bytes) -> bytes | None:
    from ai_edge_litert import schema_py_generated as schema  # noqa: PLC0415 - optional

    model = schema.Model.GetRootAs(bytearray(data), 0)
    for i in range(model.MetadataLength()):
        entry = model.Metadata(i)
        if entry.Name() == KEY.encode():
            return bytes(model.Buffers(entry.Buffer()).DataAsNumpy())
    return None


def _in_ir(files: dict[str, bytes], text: str) -> dict[str, bytes]:
    from fer_convert.formats.openvino import loaded, saved  # noqa: PLC0415 - OpenVINO

    model = loaded(files)
    model.set_rt_info(text, KEY)
    return saved(model, half=False)
