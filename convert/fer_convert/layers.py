"""Which layers suffer from eight bits, as a drawing beside the bundle's other files."""

from __future__ import annotations

from collections.abc import Sequence

from fer_convert.quantize.sensitivity import Layer
from fer_train.reporting.drawing import FIRST, Drawing, dress, figure

MOST = 40
"""Bars that can be told apart."""
WIDTH, PER_BAR, MARGIN = 6.4, 0.22, 1.0
"""Inches."""


def drawing(layers: Sequence[Layer]) -> Drawing:
    """Bars of divergence, the most sensitive layer on top; of more than MOST layers the first."""
    shown = layers[:MOST]
    made = figure(WIDTH, MARGIN + PER_BAR * len(shown))
    axes = made.add_subplot()
    places = range(len(shown))
    axes.barh(places, [max(layer.divergence, 0.0) for layer in shown], color=FIRST, height=0.7)
    axes.set_yticks(places, [f"{layer.name} ({layer.kind})" for layer in shown], fontsize=7)
    axes.invert_yaxis()
    axes.set_xlabel("divergence from float when only this layer is in eight bits, nats")
    dress(axes, grid="x")
    worst = shown[0]
    said = f"{worst.name} suffers most, {worst.divergence:.2g} nats; {len(layers)} layers were measured"
    return Drawing(made, "What eight bits do to each layer", said)
