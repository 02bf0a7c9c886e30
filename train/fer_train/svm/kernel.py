"""An RBF support vector machine in numbers of its own, and a smaller one that decides the same.

The machine. Features are standardised and multiplied by sqrt(gamma), so that k(x, s) = exp(-|x - s|^2). For every pair
of classes i < j, d = sum_s w_s k(x, s) + b over the support vectors s of both; d > 0 is a vote for i, else for j. The
class with most votes wins, the first one among equals (Chang and Lin 2011, LIBSVM).

Smaller. |x - s|^2 = |x|^2 + |s|^2 - 2 x.s, where S support vectors of F features take S * F weights. With Q of d rows
that are orthonormal, x.s is replaced by (Qx).(Qs), while both norms stay exact: d * (F + S) weights. To first order
this moves a decision by -2 g.r, where g = sum_s w_s k(x, s) s and r is the part of x that Q does not see. So the rows
of Q are the directions in which g has most of its mean square over training pictures and pairs (the active subspace of
Constantine 2015): eigenvectors of Z'MZ with Z the support vectors as rows and M = WW' * mean_x k(x, .)k(x, .)'
elementwise. Each is Z'a, and with the Cholesky factor of ZZ' = LL' and v = L'a this is the symmetric L'ML v = e v.
The directions of most variance, which know nothing of the decisions, need some four times as many for the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BLOCK = 512
"""Rows that are standardised at once, in float64."""
LEAD = 0.1
"""What the class that wins has before the next one at least, in logits."""
JITTER = 1e-10
"""Of the mean diagonal, so that linearly dependent pictures have a Cholesky factor too."""


@dataclass(frozen=True)
class Points:
    """Pictures as points of the kernel, standardised block by block, so that float64 never holds them all.

    features: float32 (N, F), as a trunk computes them, in memory or mapped. A point is (features - mean) / scale;
    mean, scale: float64 (F,). `scale` also divides by sqrt(gamma).
    """

    features: NDArray[np.float32]
    mean: Floats
    scale: Floats

    def __len__(self) -> int:
        """How many."""
        return len(self.features)

    def take(self, rows: slice | Ints) -> Floats:
        """Some of them, float64 (n, F)."""
        return (self.features[rows] - self.mean) / self.scale

    def blocks(self) -> Iterator[slice]:
        """All rows, so many at once as float64 may hold."""
        return (slice(start, min(start + BLOCK, len(self))) for start in range(0, len(self), BLOCK))


@dataclass(frozen=True)
class Machine:
    """rows: int64 (S,), which training pictures are support vectors. weights: (S, P); intercepts: (P,), P pairs."""

    rows: Ints
    weights: Floats
    intercepts: Floats
    classes: int

    def decisions(self, kernel: Floats) -> Floats:
        """(N, P) from k(x, s) of every support vector, (N, S); positive speaks for the first class of the pair."""
        return kernel @ self.weights + self.intercepts


def pairs(classes: int) -> list[tuple[int, int]]:
    """(i, j) with i < j in the order of decisions."""
    return list(combinations(range(classes), 2))


def inner(a: Points, b: Points) -> Floats:
    """(len(a), len(b)); half the work when both are the same."""
    found = np.empty((len(a), len(b)))
    for left in a.blocks():
        these = a.take(left)
        for right in b.blocks():
            if a is b and right.start < left.start:
                found[left, right] = found[right, left].T
            else:
                found[left, right] = these @ b.take(right).T
    return found


def squares(points: Points) -> Floats:
    """|x|^2, (N,)."""
    return np.concatenate([(points.take(rows) ** 2).sum(axis=1) for rows in points.blocks()])


def rbf(products: Floats, left: Floats, right: Floats) -> Floats:
    """exp(-|x - s|^2) from x.s (N, S), |x|^2 (N,) and |s|^2 (S,); a new array."""
    found = 2.0 * products
    found -= left[:, None]
    found -= right
    np.minimum(found, 0.0, out=found)  # a distance from itself is 0, not -1e-16
    return np.asarray(np.exp(found, out=found))


def machine(svc: Any, classes: int) -> Machine:  # noqa: ANN401 - scikit-learn is optional and not typed
    """What a fitted `sklearn.svm.SVC` knows; of two classes its signs are the opposite of LIBSVM's."""
    ends = np.cumsum([0, *svc.n_support_])
    sign = -1.0 if classes == 2 else 1.0
    columns = pairs(classes)
    weights = np.zeros((ends[-1], len(columns)))
    for p, (i, j) in enumerate(columns):
        weights[ends[i] : ends[i + 1], p] = sign * svc.dual_coef_[j - 1, ends[i] : ends[i + 1]]
        weights[ends[j] : ends[j + 1], p] = sign * svc.dual_coef_[i, ends[j] : ends[j + 1]]
    return Machine(np.asarray(svc.support_, dtype=np.int64), weights, sign * svc.intercept_, classes)


def merged(found: Machine, prints: NDArray[np.uint64]) -> Machine:
    """One support vector in the place of several that are the same picture, whatever their classes.

    prints: (N,), equal for equal training pictures. A kernel value that is weighted several times is weighted once by
    the sum, so decisions stay what they were.
    """
    _, first, group = np.unique(prints[found.rows], return_index=True, return_inverse=True)
    weights = np.zeros((len(first), found.weights.shape[1]))
    np.add.at(weights, group, found.weights)
    return Machine(found.rows[first], weights, found.intercepts, found.classes)


def predicted(decisions: Floats, classes: int) -> Ints:
    """The class by vote, int64 (N,), from (N, P)."""
    return np.asarray(_votes(decisions, classes).argmax(axis=1))


def confidences(decisions: Floats, classes: int) -> Floats:
    """(N, classes): how much the decisions speak for a class on average, no class above the one that wins by vote.

    Votes alone would tell a softmax only how many they are. The mean of decisions tells more (less negative
    log-likelihood, measured), but its highest is another class for about one face in ten.
    """
    mean = np.zeros((len(decisions), classes))
    for p, (i, j) in enumerate(pairs(classes)):
        mean[:, i] += decisions[:, p] / (classes - 1)
        mean[:, j] -= decisions[:, p] / (classes - 1)
    best = mean[np.arange(len(mean)), predicted(decisions, classes)]
    return np.asarray(np.minimum(mean, best[:, None]))


def logits(decisions: Floats, classes: int, temperature: float) -> Floats:
    """(N, classes): confidences / temperature, and a small lead for the class that wins by vote."""
    winner = np.eye(classes)[predicted(decisions, classes)]
    return confidences(decisions, classes) / temperature + LEAD * winner


def directions(products: Floats, kernel: Floats, weights: Floats, most: int) -> Floats:
    """The rows of Q as sums of support vectors, (S, most), the one that matters most first; see above.

    products: s.s' (S, S). kernel: k(x, s) of training pictures, (N, S). weights: (S, P).
    """
    from scipy import linalg  # noqa: PLC0415 - comes with scikit-learn, which is not in the base install

    size = len(products)
    moment = kernel.T @ kernel
    moment *= weights @ weights.T
    moment /= np.abs(moment).max()
    lower = products.copy()
    lower[np.diag_indices(size)] += JITTER * np.trace(products) / size
    lower = linalg.cholesky(lower, lower=True, overwrite_a=True, check_finite=False)
    moment = moment @ lower
    values, vectors = linalg.eigh(
        lower.T @ moment, subset_by_index=(size - most, size - 1), overwrite_a=True, check_finite=False
    )
    sums = (moment @ vectors[:, ::-1]) / values[::-1]
    return np.asarray(sums / np.sqrt(np.einsum("sd,sd->d", sums, products @ sums)))


def _votes(decisions: Floats, classes: int) -> Ints:
    votes = np.zeros((len(decisions), classes), dtype=np.int64)
    for p, (i, j) in enumerate(pairs(classes)):
        won = decisions[:, p] > 0.0
        votes[:, i] += won
        votes[:, j] += ~won
    return votes
