"""A fresh net of a recipe with the layers that another net has by the same name and shape, as a .keras file.

python tests/system/graft.py RECIPE OTHER.keras OUT.keras [KEY=VALUE...]
"""

from __future__ import annotations

import sys

from fer_train import backend, recipe


def main() -> int:
    """Write the net, and say how many layers were taken over; 1 when none was."""
    backend.require_keras()
    import keras  # noqa: PLC0415 - the backend is chosen first

    from fer_train.learning import network  # noqa: PLC0415 - Keras

    name, other, out, *changes = sys.argv[1:]
    net = network.fresh_model(recipe.load(name, changes))
    known = {layer.name: layer for layer in keras.models.load_model(other, compile=False).layers if layer.weights}
    taken = 0
    for layer in net.layers:
        found = known.get(layer.name)
        if found is None or [each.shape for each in layer.weights] != [each.shape for each in found.weights]:
            continue
        layer.set_weights(found.get_weights())
        taken += bool(layer.weights)
    net.save(out)
    sys.stdout.write(f"{taken} of {sum(bool(layer.weights) for layer in net.layers)} layers\n")
    return int(not taken)


if __name__ == "__main__":
    sys.exit(main())
