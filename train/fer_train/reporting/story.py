"""All that the pages of a run are written from."""

from __future__ import annotations

from dataclasses import dataclass

from fer_train.crop import Fitted
from fer_train.metrics import Scores
from fer_train.provenance import Pictures, Provenance
from fer_train.recipe import Recipe
from fer_train.reporting.document import Document, Seen
from fer_train.reporting.epochs import Epochs, kept

SEEN: dict[Seen | None, str] = {
    "trained_on": "It was trained on these very pictures, so the figure says how well they were learned, and no more.",
    "chosen_on": "The epoch was chosen on these same pictures, so the figure leans a little to the good side.",
    "partly_chosen_on": "The epoch was chosen on some of these pictures, so the figure leans to the good side.",
    "unseen": "The epoch was chosen on other pictures than these.",
    None: "If the epoch was chosen on these same pictures, the figure leans a little to the good side.",
}


@dataclass(frozen=True)
class Story:
    """document: `metrics.json`; scores: the same evaluation as counted. epochs: rows of `history.csv`.

    crops: by detector, what `fer-train crop` fitted.
    """

    recipe: Recipe
    document: Document
    scores: Scores
    epochs: Epochs
    provenance: Provenance
    crops: dict[str, Fitted]

    @property
    def data(self) -> Pictures:
        """What it was evaluated on."""
        return self.document.data

    @property
    def epoch(self) -> int:
        """The one whose weights were kept, from 1."""
        return int(kept(self.epochs, self.recipe.fit)["epoch"])

    @property
    def judge(self) -> str:
        """What to call the pictures that chose the epoch."""
        return "validation" if self.recipe.data.validation else "test"

    @property
    def chosen(self) -> str:
        """Whether the figures are of pictures that had a say in which weights were kept, as a sentence."""
        trained = self.document.training
        return SEEN[trained.seen if trained else None]

    @property
    def parts(self) -> dict[str, dict[str, int]]:
        """Pictures of each label by part of the data, as far as the record tells; the evaluated ones are known."""
        found: dict[str, dict[str, int]] = {}
        if self.provenance.starts:
            last = self.provenance.starts[-1]
            found["training"] = last.train.counts
            if not last.validation.same_as(self.data):
                found["validation"] = last.validation.counts
        found[self.document.split] = self.data.counts
        return {part: counts for part, counts in found.items() if counts}
