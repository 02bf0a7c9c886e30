"""From features to a fitted machine, by scikit-learn, and to the smallest form of it that decides the same.

The machine is fitted on kernel values that are computed here, as products of whole blocks: N * N numbers in float64 in
the place of the N * F that LIBSVM would hold, and the same decisions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from fer_train.data import Dataset
from fer_train.metrics import fit_temperature
from fer_train.progress import Say
from fer_train.recipe import Svm
from fer_train.svm import kernel
from fer_train.svm.features import Features
from fer_train.svm.kernel import Floats, Ints, Machine, Points
from fer_train.svm.layers import Form

LADDER = (16, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
"""Numbers of directions that are tried, the least first."""
WORTH = 0.75
"""A form with more than this share of the exact one's weights is not worth being inexact."""
WANTED = 0.995
"""Share of held-out faces on which a form has to say what scikit-learn says."""


@dataclass(frozen=True)
class HeldOut:
    """Faces that the machine was not fitted on, and what scikit-learn's `predict` says of them.

    products: (n, S), x.s with the machine's support vectors. squares: (n,), |x|^2. said, targets: int64 (n,).
    """

    products: Floats
    squares: Floats
    said: Ints
    targets: Ints


@dataclass(frozen=True)
class Learned:
    """A fitted machine of S distinct support vectors.

    points: all N training pictures. squares: |s|^2, (S,). products: s.s', (S, S). values: k(x, s) of the training
    pictures, (N, S). vectors: how many scikit-learn has. said: its `predict` of the training pictures, (N,).
    """

    machine: Machine
    gamma: float
    points: Points
    squares: Floats
    products: Floats
    values: Floats
    vectors: int
    said: Ints
    held_out: HeldOut


def learn(svm: Svm, seen: tuple[Features, Features], data: tuple[Dataset, Dataset], say: Say) -> Learned:
    """Standardise and fit. seen, data: features and pictures to learn from, and the same held out."""
    from sklearn.svm import SVC  # noqa: PLC0415 - not in the base install

    points, gamma = standardised(seen[0], svm)
    say("  distances between the training pictures")
    products, squares = kernel.inner(points, points), kernel.squares(points)
    values = kernel.rbf(products, squares, squares)
    say("  fitting the support vector machine")
    weight = None if svm.class_weight == "none" else svm.class_weight
    svc = SVC(C=svm.c, kernel="precomputed", class_weight=weight, random_state=svm.seed).fit(values, data[0].targets)
    machine = kernel.merged(kernel.machine(svc, len(data[0].labels)), data[0].prints())
    others = replace(points, features=seen[1])
    across, lengths = kernel.inner(others, points), kernel.squares(others)
    said, rows = svc.predict(kernel.rbf(across, lengths, squares)), machine.rows
    return Learned(
        machine=machine,
        gamma=gamma,
        points=points,
        squares=squares[rows],
        products=products[np.ix_(rows, rows)],
        values=values[:, rows],
        vectors=len(svc.support_),
        said=svc.predict(values),
        held_out=HeldOut(across[:, rows], lengths, said, data[1].targets),
    )


def standardised(features: Features, svm: Svm) -> tuple[Points, float]:
    """Points of mean 0 and standard deviation 1 in every feature, times sqrt(gamma), and gamma.

    "scale" is 1 / (F * variance of all standardised values) as in scikit-learn; it is not quite 1 / F, for features
    that never vary stay 0.
    """
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415 - not in the base install

    scaler = StandardScaler()
    raw = Points(features, np.zeros(features.shape[1]), np.ones(features.shape[1]))
    for rows in raw.blocks():
        scaler.partial_fit(raw.take(rows))
    points = replace(raw, mean=scaler.mean_, scale=scaler.scale_)
    gamma = _gamma(points, svm)
    return replace(points, scale=points.scale / np.sqrt(gamma)), gamma


def _gamma(points: Points, svm: Svm) -> float:
    if not isinstance(svm.gamma, str):
        return float(svm.gamma)
    size = points.features.shape[1]
    if svm.gamma == "auto":
        return float(1.0 / size)
    total = sum(float(points.take(rows).sum()) for rows in points.blocks())
    power = float(kernel.squares(points).sum())
    count = size * len(points)
    variance = power / count - (total / count) ** 2
    return float(1.0 / (size * variance)) if variance > 0.0 else 1.0


def compact(learned: Learned, say: Say) -> Form:
    """The form of least directions that says what scikit-learn says on enough held-out faces, else the exact one."""
    found = next((sums for sums, agreement in _tried(learned, say) if agreement >= WANTED), None)
    machine, points = learned.machine, learned.points
    exact = kernel.rbf(learned.held_out.products, learned.held_out.squares, learned.squares)
    means = kernel.confidences(machine.decisions(exact), machine.classes)
    return Form(
        mean=points.mean,
        scale=points.scale,
        directions=None if found is None else _projection(points, machine.rows, found),
        points=points.take(machine.rows) if found is None else learned.products @ found,
        squares=learned.squares,
        weights=machine.weights,
        intercepts=machine.intercepts,
        classes=machine.classes,
        temperature=fit_temperature(means, learned.held_out.targets),
    )


def _tried(learned: Learned, say: Say) -> Iterator[tuple[Floats, float]]:
    """Directions as sums of support vectors, (S, d), with the agreement that they reach, for growing d."""
    machine, held_out = learned.machine, learned.held_out
    vectors, size = len(machine.rows), learned.points.features.shape[1]
    worth = [d for d in LADDER if d * (vectors + size) <= WORTH * vectors * size and d < vectors]
    if not worth:
        return
    say("  directions along which decisions change most")
    sums = kernel.directions(learned.products, learned.values, machine.weights, worth[-1])
    for d in worth:
        products = (held_out.products @ sums[:, :d]) @ (learned.products @ sums[:, :d]).T
        values = kernel.rbf(products, held_out.squares, learned.squares)
        said = kernel.predicted(machine.decisions(values), machine.classes)
        agreement = float((said == held_out.said).mean())
        say(f"  {d} directions: {agreement:.2%} of held-out faces as scikit-learn has them")
        yield sums[:, :d], agreement


def _projection(points: Points, rows: Ints, sums: Floats) -> Floats:
    """The directions themselves, (F, d), from their sums of support vectors (S, d)."""
    found = np.zeros((points.features.shape[1], sums.shape[1]))
    for start in range(0, len(rows), kernel.BLOCK):
        found += points.take(rows[start : start + kernel.BLOCK]).T @ sums[start : start + kernel.BLOCK]
    return found
