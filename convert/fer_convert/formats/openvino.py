"""OpenVINO IR: an .xml with the graph and a .bin with the weights, made from the ONNX graph; int8 by NNCF.

From ONNX and not from TensorFlow, for NNCF then finds every convolution's pattern: of a net of inverted residuals that
came from Keras, twelve convolutions stayed in float.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fer_convert import frameworks
from fer_convert.formats import ConversionFailed, Files
from fer_convert.graph.onnx_graph import serialized, weighted
from fer_convert.quantize import observe
from fer_convert.quantize.calibration import Calibration, Plan
from fer_convert.quantize.ranges import OUTERMOST
from fer_edge.bundle import Precision
from fer_edge.runtimes import ov
from fer_train.backend import hushed

WITHOUT_BIASES = "/WithoutBiases"
"""What OpenVINO calls the layer itself where the graph gave it a bias: the name alone is the addition's."""


def make(source: Any, precision: Precision, calibration: Calibration | None, plan: Plan) -> Files:  # noqa: ANN401
    """The bytes of an .xml and a .bin file."""
    library = ov.library()
    with hushed():
        model = library.Core().read_model(model=serialized(source.graph))
        if precision == "int8":
            model = _quantized(model, source.graph, calibration, plan)
    return saved(model, half=precision == "float16")


def loaded(files: Files) -> Any:  # noqa: ANN401 - an openvino.Model
    """The graph of an IR's two files."""
    return ov.library().Core().read_model(model=files["xml"], weights=files["bin"])


def _quantized(model: Any, graph: Any, calibration: Calibration | None, plan: Plan) -> Any:  # noqa: ANN401
    if calibration is None:
        raise ConversionFailed("int8 needs calibration pictures")
    nncf = frameworks.nncf()
    tensors = calibration.tensors
    kept = nncf.IgnoredScope(names=_in_float(model, graph, plan)) if plan.float_layers else None
    return nncf.quantize(
        model,
        nncf.Dataset(observe.singly(tensors, calibration.say)),
        subset_size=len(tensors),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=kept,
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=_estimator(plan.method)
        ),
    )


def _in_float(model: Any, graph: Any, plan: Plan) -> list[str]:  # noqa: ANN401 - an openvino.Model, an onnx.ModelProto
    """The nodes that layers of the graph became: named after its node or, at the end, after its output."""
    layers = [node for node in weighted(graph) if node.name in plan.float_layers]
    names = {
        name + ending for node in layers for name in (node.name, node.output[0]) for ending in ("", WITHOUT_BIASES)
    }
    return sorted(names & {node.get_friendly_name() for node in model.get_ordered_ops()})


def _estimator(method: str) -> Any:  # noqa: ANN401 - NNCF's own
    """NNCF's nearest to our ways of choosing a range: everything seen, or all but the outermost."""
    from nncf.quantization.range_estimator import (  # noqa: PLC0415 - heavy
        AggregatorType,
        RangeEstimatorParameters,
        StatisticsCollectorParameters,
        StatisticsType,
    )

    if method == "minmax":
        low = StatisticsCollectorParameters(StatisticsType.MIN, AggregatorType.MIN)
        high = StatisticsCollectorParameters(StatisticsType.MAX, AggregatorType.MAX)
    else:
        kind, over = StatisticsType.QUANTILE, AggregatorType.MEAN
        low = high = StatisticsCollectorParameters(kind, over, quantile_outlier_prob=OUTERMOST)
    return RangeEstimatorParameters(low, high)


def saved(model: Any, *, half: bool) -> Files:  # noqa: ANN401 - an openvino.Model
    """An .xml and a .bin file; half: weights in float16."""
    with tempfile.TemporaryDirectory() as folder, hushed():
        path = Path(folder, "model.xml")
        ov.library().save_model(model, str(path), compress_to_fp16=half)
        return {"xml": path.read_bytes(), "bin": path.with_suffix(".bin").read_bytes()}
