"""How good predictions are, with n and an interval: numpy only, so that every command counts in the same way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Z95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""
Z95_ONE_SIDED = 1.6448536269514722
ECE_BINS = 15
"""As in Guo et al. 2017, "On Calibration of Modern Neural Networks"."""
RESAMPLES = 2000
"""Of the bootstrap: the ends of a 95 % interval then rest on 50 values each."""
FLOOR = 1e-7
"""Least probability in a cross-entropy, as Keras has it: one sure mistake is not infinitely bad."""
TEMPERATURE_RANGE = (0.05, 20.0)
TEMPERATURE_STEPS = 60
"""Golden-section steps: the bracket shrinks to 6.0 * 0.618**60, which is 2e-12 in the logarithm."""

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]
Interval = tuple[float, float]


@dataclass(frozen=True)
class Bootstrap:
    """95 % intervals from `resamples` draws of as many samples with replacement (Efron 1979, percentiles)."""

    top1: Interval
    macro_f1: Interval
    resamples: int


@dataclass(frozen=True)
class Bin:
    """One step of a reliability diagram: low < confidence <= high; means of confidence and of correctness, 0 to 1.

    Both means are 0.0 where n is 0.
    """

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Scores:
    """What was counted on `n` samples. All shares are 0 to 1.

    top1 with its Wilson interval top1_ci95. precision, recall, f1 and support by label: a precision without predictions
    and a recall without samples are 0.0 (support tells). macro_f1, macro_recall: plain means over the labels that
    occur; weighted_f1: weighted by support. confusion: int64 (L, L), rows are the truth, columns the prediction.
    ece: expected calibration error of the highest probability.
    """

    n: int
    top1: float
    top1_ci95: Interval
    precision: dict[str, float]
    recall: dict[str, float]
    f1: dict[str, float]
    support: dict[str, int]
    macro_f1: float
    macro_recall: float
    weighted_f1: float
    confusion: NDArray[np.int64]
    ece: float

    def as_json(self) -> dict[str, Any]:
        """The same as values that JSON knows; the confusion matrix as a list of rows."""
        return {**self.__dict__, "top1_ci95": list(self.top1_ci95), "confusion": self.confusion.tolist()}


def score(probabilities: Floats, targets: Ints, labels: Sequence[str]) -> Scores:
    """Count everything at once.

    probabilities: (N, L), rows summing to 1; the prediction is the highest, the first of equals. targets: (N,), indices
    into `labels`. Raises ValueError when shapes do not fit, a target is out of range, or there are no samples.
    """
    probabilities, targets = _checked(probabilities, targets)
    classes = len(labels)
    if probabilities.shape[1] != classes:
        raise ValueError(f"{probabilities.shape[1]} columns of probabilities for {classes} labels")
    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (targets, probabilities.argmax(axis=1)), 1)
    hits, support, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = _ratio(hits, predicted), _ratio(hits, support)
    f1 = _ratio(2 * hits, support + predicted)
    occurs = support > 0
    return Scores(
        n=len(targets),
        top1=float(hits.sum() / len(targets)),
        top1_ci95=wilson(int(hits.sum()), len(targets)),
        precision=dict(zip(labels, precision.tolist(), strict=True)),
        recall=dict(zip(labels, recall.tolist(), strict=True)),
        f1=dict(zip(labels, f1.tolist(), strict=True)),
        support=dict(zip(labels, support.tolist(), strict=True)),
        macro_f1=float(f1[occurs].mean()),
        macro_recall=float(recall[occurs].mean()),
        weighted_f1=float((f1 * support).sum() / support.sum()),
        confusion=confusion,
        ece=expected_calibration_error(probabilities, targets),
    )


def means(by_label: Mapping[str, float], support: Mapping[str, int]) -> tuple[float, float]:
    """(plain mean over the labels that occur, mean weighted by support) of a figure per label."""
    occurs = [name for name, count in support.items() if count]
    total = sum(support.values())
    plain = sum(by_label[name] for name in occurs) / len(occurs)
    return plain, sum(by_label[name] * support[name] for name in occurs) / total


def bootstrap(confusion: Ints, resamples: int = RESAMPLES, seed: int = 0) -> Bootstrap:
    """How far accuracy and macro F1 would move with other samples of the same kind; the same for the same seed.

    confusion: (L, L) counts, rows are the truth. Both figures depend on nothing else, so drawing the samples anew is
    drawing the counts anew from a multinomial distribution. Raises ValueError without samples.
    """
    confusion = np.asarray(confusion, dtype=np.int64)
    n, classes = int(confusion.sum()), len(confusion)
    if n == 0:
        raise ValueError("a bootstrap needs samples")
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(n, confusion.ravel() / n, size=resamples).reshape(resamples, classes, classes)
    hits = drawn.diagonal(axis1=1, axis2=2)
    support, predicted = drawn.sum(axis=2), drawn.sum(axis=1)
    f1 = np.divide(2 * hits, support + predicted, out=np.zeros(hits.shape), where=support + predicted > 0)
    occurs = support > 0
    macro = (f1 * occurs).sum(axis=1) / occurs.sum(axis=1)
    return Bootstrap(_middle95(hits.sum(axis=1) / n), _middle95(macro), resamples)


def cross_entropy(probabilities: Floats, targets: Ints) -> float:
    """Mean negative natural logarithm of the true label's probability; probabilities (N, L), targets (N,)."""
    probabilities, targets = _checked(probabilities, targets)
    true = probabilities[np.arange(len(targets)), targets]
    return float(-np.log(np.maximum(true, FLOOR)).mean())


def wilson(correct: int, n: int) -> Interval:
    """95 % interval of a share after `correct` of `n` (Wilson 1927); (0, 1) when n is 0."""
    if not 0 <= correct <= n:
        raise ValueError(f"{correct} correct of {n}")
    if n == 0:
        return 0.0, 1.0
    share, z2 = correct / n, Z95 * Z95
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low = 0.0 if correct == 0 else middle - half
    high = 1.0 if correct == n else middle + half
    return low, high


def expected_calibration_error(probabilities: Floats, targets: Ints, bins: int = ECE_BINS) -> float:
    """Mean distance, 0 to 1, of confidence and accuracy over `bins` equal steps of confidence, weighted by samples.

    probabilities: (N, L); targets: (N,). A confidence on an edge belongs to the bin below it, as in Guo et al. 2017.
    """
    probabilities, targets = _checked(probabilities, targets)
    confidence, correct = _confidence(probabilities, targets)
    which = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(which, weights=confidence - correct, minlength=bins)
    return float(np.abs(gaps).sum() / len(targets))


def reliability(probabilities: Floats, targets: Ints, bins: int = ECE_BINS) -> list[Bin]:
    """Confidence against accuracy in `bins` equal steps: the table behind `expected_calibration_error`."""
    probabilities, targets = _checked(probabilities, targets)
    confidence, correct = _confidence(probabilities, targets)
    which = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    counts = np.bincount(which, minlength=bins)
    sums = (np.bincount(which, weights=values, minlength=bins) for values in (confidence, correct))
    mean, share = (np.divide(total, counts, out=np.zeros(bins), where=counts > 0).tolist() for total in sums)
    return [Bin(i / bins, (i + 1) / bins, int(counts[i]), mean[i], share[i]) for i in range(bins)]


def agreement(a: Floats, b: Floats) -> float:
    """Share of rows, 0 to 1, in which two models' outputs (N, L) have their highest value at the same label."""
    if a.shape != b.shape or a.ndim != 2 or len(a) == 0:
        raise ValueError(f"agreement needs two equal (N, L) arrays, found {a.shape} and {b.shape}")
    return float((a.argmax(axis=1) == b.argmax(axis=1)).mean())


def paired_drop(reference_correct: Bools, other_correct: Bools) -> tuple[float, Interval]:
    """How many percentage points `other` is worse than `reference` on the same samples, and the 95 % interval.

    Both: bool (N,). Positive: other is worse. The interval is that of Agresti and Min 2005 for paired proportions:
    Wald's with half a sample added to each of the four cells, so that two models without any difference on 100 samples
    are not called equal for certain.
    """
    n, lost, won = _discordant(reference_correct, other_correct)
    middle = (lost - won) / (n + 2)
    half = Z95 * math.sqrt((lost + won + 1) - (lost - won) ** 2 / (n + 2)) / (n + 2)
    low, high = max(-1.0, middle - half), min(1.0, middle + half)
    return 100.0 * (lost - won) / n, (100.0 * low, 100.0 * high)


def mcnemar(reference_correct: Bools, other_correct: Bools) -> float:
    """Two-sided exact p-value, 0 to 1, that two models with equal accuracy differ this much on the same samples.

    Both: bool (N,). Only samples that one model has right and the other wrong count (McNemar 1947, exact binomial).
    """
    _, lost, won = _discordant(reference_correct, other_correct)
    trials = lost + won
    tail = sum(math.comb(trials, k) for k in range(min(lost, won) + 1))
    return float(min(1.0, 2 * tail / 2**trials))


def fit_temperature(logits: Floats, targets: Ints) -> float:
    """The number that logits (N, L) are divided by for the least negative log-likelihood of targets (N,).

    The likelihood has one optimum in 1/T, so a golden-section search over log T finds it; T stays within
    TEMPERATURE_RANGE (a model that is never wrong would want 0).
    """
    logits, targets = _checked(logits, targets)
    rows = np.arange(len(targets))

    def loss(log_t: float) -> float:
        scaled = logits / math.exp(log_t)
        scaled -= scaled.max(axis=1, keepdims=True)
        return float((np.log(np.exp(scaled).sum(axis=1)) - scaled[rows, targets]).mean())

    low, high = (math.log(edge) for edge in TEMPERATURE_RANGE)
    golden = (math.sqrt(5) - 1) / 2
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(TEMPERATURE_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = loss(right)
    return math.exp((low + high) / 2)


def uncertain_threshold(probabilities: Floats, targets: Ints) -> float:
    """The confidence, 0 to 1, below which the predicted label is more likely wrong than right.

    probabilities: (N, L), calibrated; targets: (N,). Method: order the samples by confidence and take the lowest ones
    up to where wrong exceed right by the most. That is the point where the isotonic regression of correctness on
    confidence crosses 0.5, found without bins. The excess must also be more than chance (one-sided sign test at 5 %),
    else, as when the labels are right throughout, the answer is 0.0. With all samples below, it is 1.0.
    """
    probabilities, targets = _checked(probabilities, targets)
    confidence, correct = _confidence(probabilities, targets)
    order = np.argsort(confidence, kind="stable")
    ordered = confidence[order]
    excess = np.cumsum(1 - 2 * correct[order].astype(np.int64))
    ends = np.append(ordered[1:] > ordered[:-1], True)  # equal confidences stay together
    best = int(np.flatnonzero(ends)[excess[ends].argmax()])
    if excess[best] < Z95_ONE_SIDED * math.sqrt(best + 1):
        return 0.0
    return 1.0 if best + 1 == len(ordered) else float((ordered[best] + ordered[best + 1]) / 2)


def _checked(values: Floats, targets: Ints) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    values, targets = np.asarray(values), np.asarray(targets)
    if values.ndim != 2 or targets.shape != values.shape[:1] or len(targets) == 0:
        raise ValueError(f"values (N, L) and targets (N,) are needed, found {values.shape} and {targets.shape}")
    if targets.min() < 0 or targets.max() >= values.shape[1]:
        raise ValueError(f"targets from {targets.min()} to {targets.max()} for {values.shape[1]} labels")
    if not np.isfinite(values).all():
        raise ValueError("values hold NaN or infinity")
    return values.astype(np.float64), targets.astype(np.int64)


def _confidence(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> tuple[NDArray[np.float64], Bools]:
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == targets


def _ratio(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _middle95(values: NDArray[np.float64]) -> Interval:
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _discordant(reference: Bools, other: Bools) -> tuple[int, int, int]:
    """(n, right only in the reference, right only in the other)."""
    if reference.shape != other.shape or reference.ndim != 1 or len(reference) == 0:
        raise ValueError(f"two equal (N,) arrays are needed, found {reference.shape} and {other.shape}")
    reference, other = reference.astype(bool), other.astype(bool)
    return len(reference), int((reference & ~other).sum()), int((other & ~reference).sum())
