"""A matplotlib figure without a display: as a PNG file on white, and as SVG in a page's own ink and paper."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import Any

from fer_edge.errors import RuntimeUnavailable

DPI = 150
INK, FAINT = "#22262e", "#c9ced6"
FIRST, SECOND, THIRD = "#0f56a8", "#c4560f", "#4d7c4d"
"""Ink, grid lines and series on white, each of a colour of its own, for a page exchanges them by name."""
ON_FIRST = "#fdfeff"
"""Text on a filled cell."""

_VARIABLES = {INK: "ink", FAINT: "faint", FIRST: "first", SECOND: "second", THIRD: "third", ON_FIRST: "on-first"}
_HEAD = re.compile(r"^.*?(?=<svg)|<metadata>.*?</metadata>|<style .*?</style>", re.DOTALL)
_UNUSED = re.compile(
    r' id="[A-Za-z.]+\d?[A-Za-z.]*_\d+"| xmlns(?::\w+)?="[^"]*"| (?:width|height)="[\d.]+pt"| version="1.1"'
)


@dataclass(frozen=True)
class Drawing:
    """title: what the figure shows. alt: what can be read off it, in words."""

    figure: Any
    title: str
    alt: str

    def png(self) -> bytes:
        """On white."""
        file = io.BytesIO()
        self.figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
        return file.getvalue()

    def svg(self) -> str:
        """An <svg> element for a page: no background, text as text, colours as the page's CSS variables."""
        import matplotlib as mpl  # noqa: PLC0415 - see figure

        file = io.StringIO()
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": self.title}):
            self.figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
        text = _UNUSED.sub("", _HEAD.sub("", file.getvalue())).replace("xlink:href", "href")
        for color, name in _VARIABLES.items():
            text = text.replace(color, f"var(--{name})")
        return text


def figure(width: float, height: float) -> Any:  # noqa: ANN401 - matplotlib is optional and skipped by the type check
    """An empty figure, sizes in inches; raises RuntimeUnavailable naming the extra when matplotlib is missing."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - not in the base install
        from matplotlib.figure import Figure  # noqa: PLC0415 - not in the base install
    except ImportError:
        raise RuntimeUnavailable("drawing needs matplotlib: pip install 'fer-edge[train]'") from None
    made = Figure(figsize=(width, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(made)
    return made


def dress(axes: Any, *, grid: str | None = "both") -> None:  # noqa: ANN401 - see figure
    """Ink on axes and their texts, no frame above and to the right, faint grid lines along `grid`."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(FAINT)
    axes.tick_params(colors=INK, which="both", length=0)
    for text in (axes.xaxis.label, axes.yaxis.label, axes.title):
        text.set_color(INK)
    axes.set_facecolor("none")
    axes.set_axisbelow(True)
    if grid is not None:
        axes.grid(visible=True, axis=grid, color=FAINT, linewidth=0.6)


def legend(axes: Any, **place: Any) -> None:  # noqa: ANN401 - see figure
    """Without a frame."""
    axes.legend(frameon=False, labelcolor=INK, fontsize="small", **place)
