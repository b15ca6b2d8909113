"""Tuning the upper layers of the encoder: cross-entropy from a fitted head on, with texts of one intent drawn together.

The head begins as the logistic regression over the untouched encoder (Kumar et al. 2022, arXiv 2202.10054: a random one
would first spoil the features), the pull is the supervised contrastive loss (Khosla et al. 2020, arXiv 2004.11362), and
what is kept is the moving average of the weights over the last steps (Izmailov et al. 2018, arXiv 1803.05407).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ml.dialogue.intents.encoder import pooled
from ml.dialogue.intents.linear import Linear

Told = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the encoder is tuned; what each number is good for was found on a part of the training data.

    `pull` weighs the contrastive loss, `smoothing` is that of the labels, `dropout` and `rate` those of the encoder,
    `head_rate` that of the classifier. `group` texts of an intent stand in a batch together; 1 draws freely.
    """

    epochs: int = 4
    batch: int = 64
    rate: float = 1e-4
    head_rate: float = 1e-2
    smoothing: float = 0.1
    pull: float = 0.3
    warmth: float = 0.1
    dropout: float = 0.1
    warmup: float = 0.1
    averaged: float = 0.5
    group: int = 1


@dataclass(frozen=True)
class Lessons:
    """What is learned from: hidden states of the lower layers, the places of labels, and how likely each intent is
    (texts, intents) where labels are not taken at their word.
    """

    hidden: Sequence[Tensor]
    labels: Tensor
    likely: Tensor | None = None


def tune(lessons: Lessons, upper: nn.ModuleList, head: Linear, recipe: Recipe, told: Told | None = None) -> Linear:
    """Tunes `upper` in place, and returns the head that goes with it.

    Without epochs both stay as they are. `told` hears the share that is done, from 0 to 1, once a step, and may raise
    to stop.
    """
    if recipe.epochs == 0:
        # A copy: what is saved under two names must not be one tensor.
        return Linear(head.weights.clone(), head.bias.clone())
    upper.requires_grad_(True).train()
    for module in upper.modules():
        if isinstance(module, nn.Dropout):
            module.p = recipe.dropout
    weights, bias = head.weights.clone().requires_grad_(True), head.bias.clone().requires_grad_(True)
    body = [each for each in upper.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": body, "lr": recipe.rate, "weight_decay": 0.01},
            {"params": [weights, bias], "lr": recipe.head_rate, "weight_decay": 0.0},
        ]
    )
    hidden, labels = lessons.hidden, lessons.labels
    steps = recipe.epochs * math.ceil(len(hidden) / recipe.batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps, recipe.warmup))
    average = _Average([*body, weights, bias])
    drawn = _grouped(labels, recipe) if recipe.group > 1 else _batches([len(each) for each in hidden], recipe)
    for step, batch in enumerate(drawn):
        with torch.autocast("cpu", torch.bfloat16):
            sentences = pooled([hidden[place] for place in batch], upper)
        likely = labels[batch] if lessons.likely is None else lessons.likely[batch]
        scores = sentences.float() @ weights + bias
        loss = functional.cross_entropy(scores, likely, label_smoothing=recipe.smoothing)
        if recipe.pull:
            loss = loss + recipe.pull * _apart(sentences.float(), labels[batch], recipe.warmth)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(body, 1.0)
        optimizer.step()
        schedule.step()
        if step >= steps * (1 - recipe.averaged):
            average.add()
        if told:
            told((step + 1) / steps)
    average.put()
    upper.requires_grad_(False).eval()
    return Linear(weights.detach(), bias.detach())


def _apart(sentences: Tensor, labels: Tensor, warmth: float) -> Tensor:
    """How far texts of one intent are from each other, beside those of others: the supervised contrastive loss."""
    nearness = sentences @ sentences.T / warmth
    itself = torch.eye(len(labels), dtype=torch.bool)
    nearness = nearness.masked_fill(itself, -1e9)
    same = ((labels[:, None] == labels[None, :]) & ~itself).float()
    paired = same.sum(1) > 0
    if not bool(paired.any()):
        return sentences.new_zeros(())
    likely = functional.log_softmax(nearness, 1)
    return -((likely * same).sum(1)[paired] / same.sum(1)[paired]).mean()


def _batches(lengths: Sequence[int], recipe: Recipe) -> Iterator[list[int]]:
    """Each epoch all places in another order; within stretches of eight batches those of like length stand together."""
    for _ in range(recipe.epochs):
        order = torch.randperm(len(lengths)).tolist()
        batches: list[list[int]] = []
        for start in range(0, len(order), 8 * recipe.batch):
            stretch = sorted(order[start : start + 8 * recipe.batch], key=lengths.__getitem__)
            batches += [stretch[place : place + recipe.batch] for place in range(0, len(stretch), recipe.batch)]
        for place in torch.randperm(len(batches)).tolist():
            yield batches[place]


def _grouped(labels: Tensor, recipe: Recipe) -> Iterator[list[int]]:
    """Each epoch all places, `group` of one intent side by side: of few texts hardly two would meet."""
    for _ in range(recipe.epochs):
        groups: list[list[int]] = []
        for label in labels.unique().tolist():
            places = (labels == label).nonzero().flatten()
            mixed = places[torch.randperm(len(places))].tolist()
            groups += [mixed[start : start + recipe.group] for start in range(0, len(mixed), recipe.group)]
        order = [place for group in torch.randperm(len(groups)).tolist() for place in groups[group]]
        yield from (order[start : start + recipe.batch] for start in range(0, len(order), recipe.batch))


def _rate(step: int, steps: int, warmup: float) -> float:
    """Up in a line, then down in a line to nothing."""
    rising = max(1, int(steps * warmup))
    return min(1.0, (step + 1) / rising) * max(0.0, 1 - step / steps)


class _Average:
    """The mean of parameters over the steps at which it was asked to add them."""

    def __init__(self, parameters: list[Tensor]) -> None:
        self._parameters = parameters
        self._sums = [torch.zeros_like(each) for each in parameters]
        self._count = 0

    @torch.no_grad()
    def add(self) -> None:
        self._count += 1
        for total, each in zip(self._sums, self._parameters, strict=True):
            total.add_(each)

    @torch.no_grad()
    def put(self) -> None:
        """Puts the means in the parameters' place."""
        if self._count:
            for total, each in zip(self._sums, self._parameters, strict=True):
                each.copy_(total / self._count)
