"""Rows of generations as their readers need them: read together, however many wait."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core import jobs, tenancy
from apps.core.batching import Batcher
from apps.core.jobs import Status
from apps.studio.body import generation_body
from apps.studio.models import Generation, Origin

# How often a reader's row is looked at while it waits: one question for all of them.
LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Glance:
    """Where a generation stands; `held_back` if nobody reads its text before it is finished and checked.

    `for_desk` if it is the support desk's, where alone it is read.
    """

    status: str
    queue_position: int | None
    attempt: int
    held_back: bool = False
    for_desk: bool = False

    @property
    def ended(self) -> bool:
        return self.status in jobs.TERMINAL

    def frame(self) -> dict[str, Any]:
        return {
            "type": "status",
            "status": self.status,
            "queue_position": self.queue_position,
            "attempt": self.attempt,
        }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A generation's row at one moment, as its public body."""

    body: dict[str, Any]
    attempt: int

    @property
    def ended(self) -> bool:
        return self.body["status"] in jobs.TERMINAL


def load_glances(organization_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Glance]:
    """In two queries at most, whatever the number of ids."""
    with tenancy.scope(organization_id):
        rows = list(
            Generation.objects.filter(pk__in=ids).values_list(
                "pk", "status", "attempt", "created_at", "held_back", "origin"
            )
        )
        newest = max((created for _, status, _, created, _, _ in rows if status == Status.QUEUED), default=None)
        ahead: list[Any] = []
        if newest is not None:
            queued = Generation.objects.filter(status=Status.QUEUED, created_at__lte=newest)
            ahead = list(queued.order_by("created_at").values_list("created_at", flat=True))

    def position(status: str, created: Any) -> int | None:
        return bisect_left(ahead, created) + 1 if status == Status.QUEUED else None

    return {
        pk: Glance(status, position(status, created), attempt, held_back, origin == Origin.SUPPORT)
        for pk, status, attempt, created, held_back, origin in rows
    }


def load_snapshots(organization_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Snapshot]:
    with tenancy.scope(organization_id):
        rows = Generation.objects.select_related("model").filter(pk__in=ids)
        return {row.pk: Snapshot(generation_body(row), row.attempt) for row in rows}


def _at_once() -> float:
    return 0.0


def _at_next_look() -> float:
    return LOOK_SECONDS


# What is asked at once is still asked together with all that comes while the question before is being answered.
glances = Batcher(load_glances, _at_once)
snapshots = Batcher(load_snapshots, _at_once)
later_glances = Batcher(load_glances, _at_next_look)
later_snapshots = Batcher(load_snapshots, _at_next_look)
