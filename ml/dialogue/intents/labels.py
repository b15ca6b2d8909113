"""Which examples may bear the wrong intent: confident learning (Northcutt, Jiang and Chuang 2021, arXiv 1911.00068)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

# From places to learn from and places to judge to probabilities (places, intents).
Judge = Callable[[list[int], list[int]], Tensor]


@dataclass(frozen=True, slots=True)
class Suspect:
    """An example whose intent is doubted; `doubt` from 0 to 1 is by how much another is likelier."""

    place: int
    given: int
    suggested: int
    doubt: float


def out_of_fold(count: int, folds: int, judge: Judge, seed: int = 0) -> Tensor:
    """Probabilities of each example by a model that has not seen it."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed)).tolist()
    found: Tensor | None = None
    for fold in range(folds):
        judged = order[fold::folds]
        held = set(judged)
        probabilities = judge([place for place in order if place not in held], judged)
        if found is None:
            found = torch.zeros(count, probabilities.shape[1])
        found[judged] = probabilities
    assert found is not None  # noqa: S101 - there is at least one fold
    return found


def label_errors(probabilities: Tensor, labels: Tensor) -> Sequence[Suspect]:
    """Examples that probably bear the wrong intent, the most doubtful first.

    An example counts surely for an intent if it is as likely as that intent's own examples usually are. From those that
    count surely, how many of each intent are wrong is estimated; so many of those for which another intent is likelier
    are named. `probabilities` (examples, intents) come from models that have not seen the examples.
    """
    classes = probabilities.shape[1]
    own = probabilities.gather(1, labels[:, None])[:, 0]
    usual = torch.stack(
        [own[labels == each].mean() if bool((labels == each).any()) else torch.tensor(2.0) for each in range(classes)]
    )
    sure, counted = probabilities.masked_fill(probabilities < usual[None, :], -1.0).max(1)
    highest, suggested = probabilities.max(1)
    suspects = list[Suspect]()
    for given in labels.unique().tolist():
        mine = labels == given
        surely = counted[mine & (sure > 0)]
        share = float((surely != given).float().mean()) if len(surely) else 0.0
        doubted = (mine & (suggested != given)).nonzero().flatten().tolist()
        doubted.sort(key=lambda place: float(own[place] - highest[place]))
        suspects += [
            Suspect(place, given, int(suggested[place]), float(highest[place] - own[place]))
            for place in doubted[: round(share * int(mine.sum()))]
        ]
    return sorted(suspects, key=lambda each: -each.doubt)
