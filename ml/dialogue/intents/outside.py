"""Telling questions about nothing that the bot knows: a small logistic regression over what gives them away.

How high the scores are (highest score, Hendrycks and Gimpel 2017; energy, Liu et al. 2020) and how far the nearest
examples are (Sun et al. 2022, arXiv 2204.06507), by the tuned encoder and, of questions that leave a doubt, by the
untouched one as well. Where no questions out of scope are given, intents themselves are left out in turn, in groups
that lie near each other, and stand for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor
from torch.nn import functional

NEAREST = 5
GROUPS = 6
# After a quick look so many questions in scope seem the least at home. The untouched encoder is asked about them, but
# for those that are surely out of scope by the quick look alone. With fewer, some from without would pass unseen.
DOUBTED, CERTAIN = 0.22, 0.07


class Sees(StrEnum):
    """What a detector looks at: the tuned part, both encoders where the tuned part leaves a doubt, or the untouched
    encoder with the words, where the tuned part has been shown everything. WORDS are models of before: the tuned part
    with the words.
    """

    TUNED = "tuned"
    BOTH = "both"
    UNTOUCHED = "untouched"
    WORDS = "words"


@dataclass(frozen=True)
class View:
    """What is seen of questions: scores of each classifier (questions, intents) and sentences (questions, width)."""

    scores: tuple[Tensor, ...]
    sentences: tuple[Tensor, ...]


@dataclass(frozen=True)
class Known:
    """What questions are compared with: sentences of examples (examples, width), and their intents."""

    sentences: tuple[Tensor, ...]
    labels: Tensor


@dataclass(frozen=True)
class Detector:
    """`outside` gives from 0 to 1 how likely a question is about nothing known; above `threshold` it counts as such.

    `first` is the quick look of one that sees both encoders: at or below its threshold there is no doubt that a
    question is in scope, above `certain` none that it is not.
    """

    mean: Tensor
    deviation: Tensor
    weights: Tensor
    bias: float
    threshold: float
    sees: Sees = Sees.TUNED
    first: Detector | None = None
    certain: float = 1.0

    def outside(self, signs: Tensor) -> Tensor:
        """Of (questions, signs) as `signs_of` makes them."""
        return torch.sigmoid(((signs - self.mean) / self.deviation) @ self.weights + self.bias)


def in_two_looks(first: Detector, second: Detector, quick: Tensor, signs: Tensor, kept: float) -> Detector:
    """The second one, asked only where the first one doubts, and mild enough to keep the share `kept` of what is
    inside, of which `quick` and `signs` are.
    """
    doubts = first.outside(quick)
    first = replace(first, certain=float(doubts.quantile(1 - CERTAIN)))
    doubtful = (doubts > first.threshold) & (doubts <= first.certain)
    if not bool(doubtful.any()):
        return replace(second, first=first)
    sure = float((doubts <= first.threshold).float().mean())
    share = (kept - sure) / float(doubtful.float().mean())
    limit = second.outside(signs)[doubtful].quantile(min(1.0, max(0.0, share)))
    return replace(second, first=first, threshold=min(float(limit), 1 - 1e-6))


def quick_signs(scores: Tensor, sentences: Tensor, examples: Tensor) -> Tensor:
    """(questions, 4): highest score, energy, and how near the two nearest examples are."""
    return torch.cat(
        [scores.max(1, keepdim=True).values, scores.logsumexp(1, keepdim=True), nearest_signs(sentences, examples)], 1
    )


def nearest_signs(sentences: Tensor, examples: Tensor) -> Tensor:
    """(questions, 2): how near the two nearest of at least two examples are."""
    return (sentences @ examples.T).topk(2, 1).values


def signs_of(view: View, known: Known) -> Tensor:
    """(questions, signs)."""
    columns: list[Tensor] = []
    guesses: list[Tensor] = []
    for scores in view.scores:
        likely = functional.softmax(scores, 1)
        top = likely.topk(min(2, likely.shape[1]), 1).values
        columns += [_odds(top[:, 0]), scores.max(1).values, scores.logsumexp(1), (top[:, 0] - top[:, -1])]
        guesses.append(scores.argmax(1))
    for sentences, examples in zip(view.sentences, known.sentences, strict=True):
        nearness = sentences @ examples.T
        nearest = nearness.topk(min(NEAREST, nearness.shape[1]), 1)
        agreed = (known.labels[nearest.indices] == guesses[0][:, None]).float().mean(1)
        columns += [nearest.values[:, 0], nearest.values.mean(1), agreed]
    agree = torch.stack([(guess == guesses[0]).float() for guess in guesses[1:]] or [torch.ones(len(guesses[0]))])
    return torch.stack([*columns, agree.mean(0)], 1)


def learn(inside: Tensor, outside: Tensor, kept: float, sees: Sees) -> Detector:
    """A detector from signs of both kinds; its threshold keeps the share `kept` of what is inside, and no more.

    Questions out of scope are of many kinds, and those at hand only some: a threshold chosen on them would be too mild.
    """
    signs = torch.cat([inside, outside])
    labels = torch.cat([torch.zeros(len(inside)), torch.ones(len(outside))])
    mean, deviation = signs.mean(0), signs.std(0).clamp(min=1e-4)
    weights = torch.zeros(signs.shape[1], requires_grad=True)
    bias = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=100, line_search_fn="strong_wolfe")
    balance = torch.where(labels > 0, len(labels) / (2 * len(outside)), len(labels) / (2 * len(inside)))
    scaled = (signs - mean) / deviation

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(scaled @ weights + bias, labels, balance)
        total: Tensor = loss + 1e-3 * weights.square().sum()
        total.backward()
        return total

    optimizer.step(closure)
    made = Detector(mean, deviation, weights.detach(), float(bias.detach()), 0.5, sees)
    return replace(made, threshold=float(made.outside(inside).quantile(kept)))


def groups_of(sentences: Tensor, labels: Tensor, classes: int, count: int = GROUPS) -> Sequence[list[int]]:
    """Intents in groups that lie near each other: a question left out must not find its neighbour's intent.

    The two nearest groups are joined (mean linkage over the intents' mean sentences) until `count` are left.
    """
    means = torch.stack([sentences[labels == each].mean(0) for each in range(classes)])
    near = functional.normalize(means, dim=1) @ functional.normalize(means, dim=1).T
    groups = [[each] for each in range(classes)]
    most = max(2, round(2 * classes / count))
    while len(groups) > count:
        best, pair = -2.0, (0, 1)
        for first, second in _pairs(groups):
            if len(groups[first]) + len(groups[second]) <= most:
                nearness = float(near[groups[first]][:, groups[second]].mean())
                best, pair = max((best, pair), (nearness, (first, second)))
        if best == -2.0:
            break
        groups[pair[0]] += groups.pop(pair[1])
    return groups


def _pairs(groups: Sequence[list[int]]) -> Iterator[tuple[int, int]]:
    return ((first, second) for first in range(len(groups)) for second in range(first + 1, len(groups)))


def _odds(probability: Tensor) -> Tensor:
    return torch.logit(probability.clamp(1e-6, 1 - 1e-6))
