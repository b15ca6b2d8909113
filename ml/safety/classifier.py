"""A small classifier of texts that an organization trains itself: logistic regression over hashed letter n-grams.

Letters, not words, so that it works in any language and bears misspelling; hashing keeps it at a fixed size (Weinberger
et al., Feature Hashing for Large Scale Multitask Learning, 2009). It needs numpy alone, to train and to score.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ml.safety.folding import fold
from ml.words import Words

BUCKETS = 1 << 14
SHORTEST, LONGEST = 1, 4
MOST_CHARS = 4_000
LEAST_EACH, MOST_EXAMPLES = 10, 5_000
EPOCHS, RATE, L2, FOLDS = 60, 0.5, 1e-4, 4
THRESHOLDS = tuple(round(0.05 * step, 2) for step in range(1, 20))

Vector = tuple[NDArray[np.int32], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Point:
    """How well a threshold tells the texts apart; `precision` is None where nothing reaches it."""

    threshold: float
    precision: float | None
    recall: float
    flagged: int


@dataclass(frozen=True, slots=True)
class Trained:
    """A classifier, and how well it did on texts that it had not been shown: each was scored by one of four others."""

    weights: NDArray[np.float32]
    bias: float
    curve: tuple[Point, ...]
    average_precision: float

    def dump(self) -> bytes:
        """The weights and the bias as little-endian 32-bit numbers."""
        return np.append(self.weights, np.float32(self.bias)).astype("<f4").tobytes()


class Unlearnable(ValueError):
    """Examples from which nothing can be learned; the message says why."""


def features(text: str) -> Vector:
    """The n-grams of a text as buckets and weights: logarithm of the count, scaled to length 1."""
    plain = f" {fold(text[:MOST_CHARS]).text.strip()} "
    counts: dict[int, int] = {}
    for size in range(SHORTEST, LONGEST + 1):
        for start in range(len(plain) - size + 1):
            bucket = zlib.crc32(plain[start : start + size].encode()) % BUCKETS
            counts[bucket] = counts.get(bucket, 0) + 1
    values = np.log1p(np.fromiter(counts.values(), np.float32, len(counts)))
    norm = float(np.sqrt(np.dot(values, values))) or 1.0
    return np.fromiter(counts, np.int32, len(counts)), values / np.float32(norm)


def score(model: bytes, text: str) -> float:
    """How much a text is like those that were to be refused, from 0 to 1."""
    numbers = np.frombuffer(model, "<f4")
    if len(numbers) != BUCKETS + 1:
        raise ValueError(f"A classifier has {BUCKETS + 1} numbers, not {len(numbers)}.")
    buckets, values = features(text)
    return _sigmoid(float(np.dot(numbers[buckets], values)) + float(numbers[-1]))


def train(examples: Sequence[tuple[str, bool]], seed: int = 0) -> Trained:
    """Learns from texts and whether each is to be refused; the same examples and seed give the same classifier.

    Raises Unlearnable for too few, too many, or of one kind only.
    """
    problem = problem_of(examples)
    if problem:
        raise Unlearnable(problem)
    vectors = [features(text) for text, _ in examples]
    labels = np.array([label for _, label in examples], bool)
    generator = np.random.default_rng(seed)
    folds = _folds(labels, generator)
    scores = np.zeros(len(labels))
    for fold_number in range(FOLDS):
        inside = folds != fold_number
        weights, bias = _fit([v for v, is_in in zip(vectors, inside, strict=True) if is_in], labels[inside], generator)
        for index in np.flatnonzero(~inside):
            buckets, values = vectors[index]
            scores[index] = _sigmoid(float(np.dot(weights[buckets], values)) + bias)
    weights, bias = _fit(vectors, labels, generator)
    return Trained(weights, bias, _curve(scores, labels), _average_precision(scores, labels))


def problem_of(examples: Sequence[tuple[str, bool]]) -> Words:
    """Why nothing can be learned, in a sentence; empty if something can."""
    refused = sum(label for _, label in examples)
    if len(examples) > MOST_EXAMPLES:
        return Words(
            "A classifier learns from up to %(most)s examples; these are %(count)s.",
            most=MOST_EXAMPLES,
            count=len(examples),
        )
    if min(refused, len(examples) - refused) < LEAST_EACH:
        return Words(
            "It takes at least %(least)s examples of each kind; these are %(refused)s to refuse of %(count)s.",
            least=LEAST_EACH,
            refused=refused,
            count=len(examples),
        )
    return Words("")


def _folds(labels: NDArray[np.bool_], generator: np.random.Generator) -> NDArray[np.int64]:
    """To which of the parts each example belongs; both kinds are dealt out evenly."""
    folds: NDArray[np.int64] = np.zeros(len(labels), np.int64)
    for kind in (True, False):
        places = generator.permutation(np.flatnonzero(labels == kind))
        folds[places] = np.arange(len(places)) % FOLDS
    return folds


def _fit(
    vectors: list[Vector], labels: NDArray[np.bool_], generator: np.random.Generator
) -> tuple[NDArray[np.float32], float]:
    """Stochastic gradient descent with a step of its own for each weight (AdaGrad); both kinds weigh the same."""
    weights: NDArray[np.float32] = np.zeros(BUCKETS, np.float32)
    bias = 0.0
    squares: NDArray[np.float32] = np.full(BUCKETS, 1e-6, np.float32)
    bias_square = 1e-6
    share = float(labels.mean())
    importance = np.where(labels, 0.5 / share, 0.5 / (1 - share))
    for _ in range(EPOCHS):
        for index in generator.permutation(len(vectors)):
            buckets, values = vectors[index]
            error = _sigmoid(float(np.dot(weights[buckets], values)) + bias) - float(labels[index])
            error *= float(importance[index])
            gradient = np.float32(error) * values + np.float32(L2) * weights[buckets]
            squares[buckets] += gradient * gradient
            weights[buckets] -= np.float32(RATE) * gradient / np.sqrt(squares[buckets])
            bias_square += error * error
            bias -= RATE * error / float(np.sqrt(bias_square))
    return weights, bias


def _curve(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> tuple[Point, ...]:
    points = []
    for threshold in THRESHOLDS:
        flagged = scores >= threshold
        right, count = int((flagged & labels).sum()), int(flagged.sum())
        points.append(Point(threshold, right / count if count else None, right / int(labels.sum()), count))
    return tuple(points)


def _average_precision(scores: NDArray[np.float64], labels: NDArray[np.bool_]) -> float:
    """The area below precision over recall; equal scores count as one step."""
    order = np.argsort(-scores, kind="stable")
    hits, sorted_scores = np.cumsum(labels[order]), scores[order]
    last: NDArray[np.bool_] = np.append(sorted_scores[1:] != sorted_scores[:-1], True)
    precision = hits[last] / (np.flatnonzero(last) + 1)
    gained = np.diff(np.append(0, hits[last])) / max(1, int(labels.sum()))
    return float((precision * gained).sum())


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(value, -30, 30))))
