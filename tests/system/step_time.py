"""What a recipe's net costs as it is: weights, multiply-accumulates, and the time of a training step, as JSON.

    python tests/system/step_time.py RECIPE [KEY=VALUE...]

The step is of float32 at the recipe's own input, on pictures of noise; for a support vector machine on a trunk, whose
trunk does not train, it is the way forward.
"""

from __future__ import annotations

import json
import statistics
import sys

import numpy as np

from fer_edge.clock import perf_s
from fer_train import backend, recipe

LARGEST_BATCH = 32
STEPS = 5


def main() -> int:
    """Print one JSON object."""
    backend.require_keras()
    import keras  # noqa: PLC0415 - the backend is chosen first

    from fer_train.learning import network  # noqa: PLC0415 - Keras
    from fer_train.zoo import cost, freezing  # noqa: PLC0415 - Keras

    wanted = recipe.load(sys.argv[1], sys.argv[2:])
    model = network.fresh_model(wanted)
    freezing.freeze(model, wanted.model)
    batch = min(LARGEST_BATCH, wanted.fit.batch)
    rng = np.random.default_rng(0)
    pictures = rng.random((batch, *network.input_shape(wanted)), dtype=np.float32)
    targets = np.eye(len(wanted.labels), dtype=np.float32)[rng.integers(0, len(wanted.labels), batch)]
    model.compile(optimizer="sgd", loss=keras.losses.CategoricalCrossentropy(from_logits=True))

    def step() -> float:
        began = perf_s()
        if wanted.svm:
            model.predict_on_batch(pictures)
        else:
            model.train_on_batch(pictures, targets)
        return perf_s() - began

    seconds = [step() for _ in range(2 + STEPS)][2:]
    whole = cost.count(model)
    took = 1000 * statistics.median(seconds) / batch
    sys.stdout.write(json.dumps({"weights": whole.weights, "macs": whole.macs, "ms_per_picture": took}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
