"""A Keras model as a TFLite file of batch 1: float32, or full int8 with per-channel weights and int8 at both ends.

The same model, pictures and versions give the same bytes: the graph is traced from one fixed input, its variables are
frozen into it, and nothing that the converter writes depends on time or place.

What the int8 input stores. Its scale is pinned to the pixel range (`pictures.pinned`), so that one step of it is one
step of a pixel: it stores `pixel - 128`, exactly where 255 * mean is whole. Where pixel 0 and 255 lie symmetrically
around zero (mean 0.5), zero falls between two pixels; the upper half then stores `pixel - 129`, half a step off, and
the two middle greys share a value.

How calibration was chosen: by measurement on a nearly trained fernet-s (63.4 % top-1 on 3589 pictures). 300, 500 and
2000 pictures gave 99.02, 98.91 and 98.61 % agreement with float and drops of 0.03, 0.03 and 0.08 points, all within
chance; whole black and white pictures besides changed no byte. Four of five labels that differ (0.86 of 1.09 %) are
ties in the 8-bit output, whose steps only widen as more pictures stretch its range (0.045, 0.048, 0.056). So some
hundred pictures with the classes in equal shares, and plain minimum and maximum, are enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from fer_convert import frameworks
from fer_convert.options import QUANTIZED, Precision
from fer_convert.pictures import pinned
from fer_edge.errors import ExitCode, FerEdgeError
from fer_edge.preprocess import Preprocess, PreprocessSpec
from fer_edge.types import Array, Image
from fer_train.backend import hushed

FORMAT: Final = "tflite"


class ConversionFailed(FerEdgeError):  # noqa: N818 - what happened to the conversion
    """The converter does not take this model in this precision."""

    exit_code = ExitCode.REFUSED


def convert(model: Any, spec: PreprocessSpec, precision: Precision, faces: Image | None = None) -> bytes:  # noqa: ANN401 - a Keras model
    """The bytes of a .tflite file.

    model: Keras, float32, one input of `spec`'s shape and one output. faces: calibration crops as `Preprocess.pixels`
    makes them, uint8 (N, S, S) or (N, S, S, 3); needed for int8. Raises ConversionFailed with the converter's reason.
    """
    tensorflow = frameworks.tensorflow()
    try:
        with hushed():
            converter = tensorflow.lite.TFLiteConverter.from_concrete_functions([_traced(tensorflow, model, spec)])
            if precision in QUANTIZED:
                _quantize(tensorflow, converter, _tensors(faces, spec))
            return bytes(converter.convert())
    except Exception as error:  # noqa: BLE001 - the converter raises what its passes raise
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        reason = lines[0] if lines else type(error).__name__
        raise ConversionFailed(f"the model cannot be converted to {FORMAT}/{precision}: {reason}") from None


def _traced(tensorflow: Any, model: Any, spec: PreprocessSpec) -> Any:  # noqa: ANN401 - untyped library
    """The model as one graph of a fixed input, named as events and manifests show it."""
    face = tensorflow.TensorSpec(spec.shape, tensorflow.float32, name="face")
    return tensorflow.function(lambda face: model(face, training=False), input_signature=[face]).get_concrete_function()


def _quantize(tensorflow: Any, converter: Any, tensors: Array) -> None:  # noqa: ANN401 - untyped library
    """Every operator in int8 or an error; per-channel weights are the converter's default."""

    def rows() -> Iterator[list[Array]]:
        for index in range(len(tensors)):
            yield [tensors[index : index + 1]]

    converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
    converter.representative_dataset = rows
    converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tensorflow.int8


def _tensors(faces: Image | None, spec: PreprocessSpec) -> Array:
    if faces is None or len(faces) == 0:
        raise ValueError("full int8 needs calibration pictures")
    return Preprocess(spec).tensor(pinned(faces))
