"""Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009): ranks of several searches as one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

# From the paper: how much being first counts before being tenth.
K = 60


def fused(rankings: Sequence[Sequence[UUID]]) -> list[tuple[UUID, float]]:
    """Every id with its score, best first; 1 is the first place everywhere. Equal scores keep the order of sight."""
    scores: dict[UUID, float] = {}
    for ranking in rankings:
        for place, id in enumerate(ranking, 1):
            scores[id] = scores.get(id, 0.0) + 1 / (K + place)
    best = len(rankings) / (K + 1)
    return sorted(((id, score / best) for id, score in scores.items()), key=lambda pair: -pair[1])
