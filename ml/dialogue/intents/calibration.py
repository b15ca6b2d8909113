"""Probabilities that mean what they say, and what a threshold costs: answered wrongly against handed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

BINS = 15


def temperature_of(scores: Tensor, labels: Tensor) -> float:
    """What the scores are divided by so that their probabilities are likeliest (Guo et al. 2017, arXiv 1706.04599).

    Searched over a grid of logarithms, finer around the best: the loss has one minimum. Of a few questions that are all
    read rightly nobody learns to be certain: the targets are smoothed by their number (Platt 1999).
    """
    low, high = -4.0, 4.0
    best = 0.0
    smoothing = 1 / (len(labels) + 2)
    for _ in range(4):
        tried = torch.linspace(low, high, 33)
        losses = torch.stack(
            [functional.cross_entropy(scores / float(each.exp()), labels, label_smoothing=smoothing) for each in tried]
        )
        best = float(tried[int(losses.argmin())])
        width = (high - low) / 16
        low, high = best - width, best + width
    return float(torch.tensor(best).exp())


def calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> float:
    """The expected calibration error of the best intent: how far confidence is from accuracy, in bins of like width."""
    confidence, guessed = probabilities.max(1)
    right = (guessed == labels).float()
    places = (confidence * bins).long().clamp(max=bins - 1)
    total = 0.0
    for each in range(bins):
        inside = places == each
        if bool(inside.any()):
            total += float(inside.float().mean() * (confidence[inside].mean() - right[inside].mean()).abs())
    return total


@dataclass(frozen=True, slots=True)
class Point:
    """Shares of all questions at a threshold: answered, answered wrongly, and handed over."""

    threshold: float
    answered: float
    wrong: float
    handed_over: float


def threshold_curve(confidence: Tensor, right: Tensor, steps: int = 50) -> Sequence[Point]:
    """What becomes of questions at each threshold from 0 to 1.

    `confidence` (questions) is that of the best intent, 0 for what counts as out of scope; `right` whether it is right.
    """
    count = max(1, len(confidence))
    points = []
    for step in range(steps + 1):
        threshold = step / steps
        answered = confidence >= threshold
        share = float(answered.sum()) / count
        points.append(Point(threshold, share, float((answered & ~right).sum()) / count, 1 - share))
    return points
