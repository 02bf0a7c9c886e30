"""The shipped net with one channel of its first layer a thousand times as large, and the next layer's as much smaller.

    python tests/system/loud_net.py --out loud.onnx

In float nothing changes; in eight bits the other channels are told in a fraction of a step. `fer-convert loud.onnx`
then shows what the ladder makes of it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from fer_convert import frameworks, metadata
from fer_convert.graph import onnx_graph
from fer_convert.metadata import Meaning
from fer_convert.quantize.chains import Graph, columns, rows
from fer_edge.bundle import Bundle

LOUD = 1000.0
CHANNEL = 5


def main() -> int:
    """Write the net, which says itself how it is fed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True, type=Path)
    arguments = parser.parse_args()
    bundle = Bundle.open("default")
    manifest = bundle.manifest
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "net.tflite")
        file.write_bytes(bundle.read(bundle.pick(("tflite",), "float32"))[0])
        model = onnx_graph.from_tflite(file, manifest.preprocess.shape)
    told = Meaning(
        name="loud",
        precision="float32",
        labels=manifest.labels,
        output_kind="logits",
        preprocess=manifest.preprocess,
    )
    data = onnx_graph.serialized(loud(model))
    arguments.out.write_bytes(metadata.embedded("onnx", {"onnx": data}, told)["onnx"])
    return 0


def loud(model: object) -> object:
    """One channel between the first pair of layers that allows it."""
    onnx = frameworks.onnx()
    graph = Graph(model)
    chain = graph.chains()[0]
    first, second = graph.constants[chain.first.input[1]].copy(), graph.constants[chain.second.input[1]].copy()
    bias = graph.constants[chain.first.input[2]].copy()
    rows(chain.first, first)[CHANNEL] *= LOUD
    bias.reshape(-1)[CHANNEL] *= LOUD
    columns(chain.second, second)[chain.columns == CHANNEL] /= LOUD
    changed = {chain.first.input[1]: first, chain.second.input[1]: second, chain.first.input[2]: bias}
    for initializer in graph.model.graph.initializer:
        if initializer.name in changed:
            value = np.ascontiguousarray(changed[initializer.name])
            initializer.CopyFrom(onnx.numpy_helper.from_array(value, initializer.name))
    return graph.model


if __name__ == "__main__":
    sys.exit(main())
