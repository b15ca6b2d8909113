"""How far a run has got: counted from its rows and their generations in one statement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import OuterRef, Subquery

from apps.core.tenancy import current_organization
from apps.studio.models import BulkRow, Generation

# A run's pace is that of the last minutes; before that, of all its time.
PACE_SECONDS = 120

_COUNT = """
SELECT row.run_id, row.state, coalesce(generation.status, nullif(row.outcome, '')), count(*),
    coalesce(sum(generation.prompt_tokens), 0),
    coalesce(sum(generation.completion_tokens), 0),
    count(*) FILTER (WHERE generation.finished_at > clock_timestamp() - make_interval(secs => %(pace)s)),
    extract(epoch FROM clock_timestamp() - min(generation.created_at)
        FILTER (WHERE generation.finished_at > clock_timestamp() - make_interval(secs => %(pace)s)))::float8
FROM studio_bulkrow row LEFT JOIN studio_generation generation ON generation.id = row.generation_id
WHERE row.organization_id = %(organization)s AND row.run_id = ANY(%(runs)s)
GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Progress:
    """Rows by where they stand; `eta_seconds` is None where nothing can be said yet. Tokens are what was used."""

    total: int = 0
    invalid: int = 0
    waiting: int = 0
    busy: int = 0
    succeeded: int = 0
    failed: int = 0
    stopped: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    eta_seconds: int | None = None

    @property
    def asked_for(self) -> int:
        """Rows that can be asked about."""
        return self.total - self.invalid

    @property
    def ended(self) -> int:
        return self.succeeded + self.failed + self.stopped

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    @property
    def percent(self) -> int:
        return self.ended * 100 // self.asked_for if self.asked_for else 100

    def as_json(self) -> dict[str, Any]:
        names = ("total", "invalid", "waiting", "succeeded", "failed", "stopped", "prompt_tokens", "completion_tokens")
        return {name: getattr(self, name) for name in names} | {"running": self.busy, "eta_seconds": self.eta_seconds}


_PLACES = {"queued": "busy", "running": "busy", "failed": "failed", "cancelled": "stopped"}
_STATES = {"ready": "waiting", "invalid": "invalid", "refused": "failed", "skipped": "stopped"}


def note_outcomes(generations: Sequence[UUID]) -> None:
    """Keeps in their rows how texts have ended that are about to be removed; in the organization's scope."""
    ended = Generation.objects.filter(pk=OuterRef("generation")).values("status")
    BulkRow.objects.filter(generation__in=generations).update(outcome=Subquery(ended))


def progress_of(run_id: UUID) -> Progress:
    """Call it in the organization's scope."""
    return progress_of_many([run_id])[run_id]


def progress_of_many(run_ids: Sequence[UUID]) -> dict[UUID, Progress]:
    """The same for several runs, in one statement as well."""
    tallies = {id: _Tally() for id in run_ids}
    if run_ids:
        with connection.cursor() as cursor:
            this: dict[str, Any] = {"organization": current_organization(), "runs": list(run_ids), "pace": PACE_SECONDS}
            cursor.execute(_COUNT, this)
            for run_id, *line in cursor.fetchall():
                tallies[run_id].add(*line)
    return {id: tally.progress() for id, tally in tallies.items()}


@dataclass(slots=True)
class _Tally:
    """The lines of one run, as they are added up."""

    counts: dict[str, int] = field(default_factory=dict)
    recent: int = 0
    span: float = 0.0

    def add(
        self,
        state: str,
        status: str | None,
        rows: int,
        prompt: int,
        completion: int,
        lately: int,
        seconds: float | None,
    ) -> None:
        # A text that was removed before its row kept how it had ended was written once.
        name = _STATES.get(state) or _PLACES.get(status or "", "succeeded")
        values = {"total": rows, name: rows}
        if name != "busy":
            values |= {"prompt_tokens": prompt, "completion_tokens": completion}
        for key, value in values.items():
            self.counts[key] = self.counts.get(key, 0) + int(value)
        self.recent, self.span = self.recent + lately, max(self.span, seconds or 0.0)

    def progress(self) -> Progress:
        left = self.counts.get("waiting", 0) + self.counts.get("busy", 0)
        eta = round(left * self.span / self.recent) if self.recent and left else None
        return Progress(**self.counts, eta_seconds=eta)
