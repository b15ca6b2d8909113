"""Rows of generations as their readers need them: read together, however many wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.core import jobs, tenancy
from apps.core.batching import Batcher
from apps.core.statements import TenantStatement, prepared_cursor
from apps.studio.body import generation_body
from apps.studio.models import Generation

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


# With the places of those that wait, counted up to the newest of them only.
_GLANCES = """
SELECT asked.id, asked.status, place.place, asked.attempt, asked.held_back, asked.origin = 'support'
FROM studio_generation asked LEFT JOIN (
    SELECT id, rank() OVER (ORDER BY created_at) AS place FROM studio_generation
    WHERE organization_id = %(organization)s AND status = 'queued' AND created_at <= (
        SELECT max(created_at) FROM studio_generation
        WHERE organization_id = %(organization)s AND id = ANY(%(ids)s) AND status = 'queued'
    )
) place ON place.id = asked.id
WHERE asked.organization_id = %(organization)s AND asked.id = ANY(%(ids)s)
"""


def load_glances(organization_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Glance]:
    """In one question, whatever the number of ids."""
    with tenancy.scope(organization_id), prepared_cursor() as cursor:
        cursor.execute(_GLANCES, {"organization": organization_id, "ids": list(ids)})
        return {id: Glance(*facts) for id, *facts in cursor.fetchall()}


_WITH_MODEL: TenantStatement[Generation] = TenantStatement(
    # The ids come as one array.
    lambda ids: Generation.objects.select_related("model").extra(
        where=["studio_generation.id = ANY(%s)"], params=[ids]
    ),
    UUID,
)


def load_snapshots(organization_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Snapshot]:
    with tenancy.scope(organization_id):
        return {row.pk: Snapshot(generation_body(row), row.attempt) for row in _WITH_MODEL.ask(list(ids))}


def _at_once() -> float:
    return 0.0


def _at_next_look() -> float:
    return LOOK_SECONDS


# What is asked at once is still asked together with all that comes while the question before is being answered.
glances = Batcher(load_glances, _at_once)
snapshots = Batcher(load_snapshots, _at_once)
later_glances = Batcher(load_glances, _at_next_look)
later_snapshots = Batcher(load_snapshots, _at_next_look)
