"""From a source to the files of one artifact, in any format and precision."""

from __future__ import annotations

from typing import Any

from fer_convert.options import KNOWN
from fer_convert.quantize.calibration import Calibration, Plan
from fer_edge.bundle import Format, Precision
from fer_edge.errors import ExitCode, FerEdgeError, first_line

Files = dict[str, bytes]
"""An artifact's files by their suffix, in the order in which a runtime takes them."""


class ConversionFailed(FerEdgeError):  # noqa: N818 - what happened to the conversion
    """The tool chain does not take this model in this format and precision."""

    exit_code = ExitCode.REFUSED


def make(
    source: Any,  # noqa: ANN401 - a fer_convert.sources.Source; its own module imports this one's neighbours
    format_: Format,
    precision: Precision,
    calibration: Calibration | None = None,
    plan: Plan | None = None,
) -> Files:
    """One artifact of a source.

    calibration: needed for int8 and int16x8. Raises ConversionFailed with the tool chain's own reason.
    """
    from fer_convert.formats import onnx, openvino, tflite  # noqa: PLC0415 - each takes its tool chain to import

    if precision not in KNOWN[format_]:
        raise ConversionFailed(f"{format_} has no {precision}; it has {', '.join(KNOWN[format_])}")
    makers = {"tflite": tflite.make, "onnx": onnx.make, "openvino": openvino.make}
    try:
        return makers[format_](source, precision, calibration, plan or Plan())
    except ConversionFailed:
        raise
    except Exception as error:  # noqa: BLE001 - converters raise what their passes raise
        raise ConversionFailed(f"the model cannot be converted to {format_}/{precision}: {first_line(error)}") from None
