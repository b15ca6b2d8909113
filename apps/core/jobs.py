"""Work as rows: claimed by compare-and-set, held by a lease, returned by a reaper, fair between organizations.

All times are the database's, so a worker with a wrong clock neither loses nor steals a lease.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import celery
import kombu.exceptions
import redis.exceptions
from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from apps.core.tenancy import Across, TenantManager, TenantModel, TenantQuerySet, across_tenants

LEASE_SECONDS = 15
RENEW_SECONDS = 5
MAX_CRASHES = 2

log = logging.getLogger(__name__)


class Status(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})


class JobQuerySet(TenantQuerySet):
    def unfinished(self) -> Any:
        return self.filter(status__in=[Status.QUEUED, Status.RUNNING])


class Job(TenantModel):
    """The base of every piece of work.

    `attempt` counts claims and fences writers: only the holder of the current attempt may write. `crashes` counts
    lapsed leases; a job that has lost two workers fails instead of taking a third with it.
    """

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    crashes = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    objects: ClassVar[Any] = TenantManager.from_queryset(JobQuerySet)()

    class Meta(TenantModel.Meta):
        abstract = True
        indexes = [
            models.Index(
                fields=["organization", "created_at"],
                condition=models.Q(status="queued"),
                name="%(class)s_waiting",
            ),
            models.Index(
                fields=["organization", "lease_until"],
                condition=models.Q(status="running"),
                name="%(class)s_running",
            ),
            models.Index(fields=["organization", "-claimed_at"], name="%(class)s_served"),
            models.Index(fields=["organization", "-created_at", "-id"], name="%(class)s_newest"),
        ]


J = TypeVar("J", bound=Job)

# The organization with the fewest running jobs goes first; among equals, the one served longest ago.
_FAIREST = """
SELECT waiting.organization_id
FROM (SELECT organization_id, min(created_at) AS oldest FROM {table} WHERE status = 'queued' {only} GROUP BY 1) waiting
CROSS JOIN LATERAL (
    SELECT count(*) AS jobs FROM {table} r
    WHERE r.organization_id = waiting.organization_id AND r.status = 'running'
) running
CROSS JOIN LATERAL (
    SELECT max(s.claimed_at) AS last FROM {table} s WHERE s.organization_id = waiting.organization_id
) served
ORDER BY running.jobs, served.last NULLS FIRST, waiting.oldest
LIMIT 1
"""
_CLAIM = """
UPDATE {table} SET status = 'running', attempt = attempt + 1, worker = %(worker)s, claimed_at = clock_timestamp(),
    lease_until = clock_timestamp() + make_interval(secs => %(lease)s)
WHERE id = (
    SELECT id FROM {table} WHERE status = 'queued' {only} AND organization_id = ({fairest})
    ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING id
"""


def claim(model: type[J], worker: str, limit: int, only: dict[str, Sequence[Any]] | None = None) -> list[J]:
    """Takes up to `limit` waiting rows, the fairest first; `only` restricts columns to given values.

    An advisory lock makes claims of one table queue up for the millisecond they take: without it two workers would
    count the same running jobs and both favour the same organization.
    """
    if limit <= 0 or (only and not all(only.values())):
        return []
    table = model._meta.db_table
    condition = "".join(f" AND {column} = ANY(%({column})s)" for column in only or {})
    statement = _CLAIM.format(table=table, only=condition, fairest=_FAIREST.format(table=table, only=condition))
    parameters: dict[str, Any] = {"worker": worker, "lease": LEASE_SECONDS} | {
        key: list(value) for key, value in (only or {}).items()
    }
    claimed: list[UUID] = []
    with across_tenants(Across.CLAIM_WORK), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"claim:{table}"])
        for _ in range(limit):
            cursor.execute(statement, parameters)
            row = cursor.fetchone()
            if row is None:
                break
            claimed.append(row[0])
        rows = {row.id: row for row in model.objects.filter(id__in=claimed)}
    return [rows[id] for id in claimed]


def _lease() -> RawSQL:
    return RawSQL("clock_timestamp() + make_interval(secs => %s)", [LEASE_SECONDS])


def renew(model: type[Job], worker: str, ids: Sequence[UUID]) -> set[UUID]:
    """Extends the leases that `worker` still holds and returns them; a missing id was taken away."""
    with across_tenants(Across.CLAIM_WORK):
        held = model.objects.filter(id__in=ids, worker=worker, status=Status.RUNNING)
        kept = set(held.select_for_update().order_by("id").values_list("id", flat=True))
        held.filter(id__in=kept).update(lease_until=_lease())
    return kept


def cancelled_among(model: type[Job], ids: Sequence[UUID]) -> set[UUID]:
    """Which of these running jobs somebody asked to stop."""
    with across_tenants(Across.CLAIM_WORK):
        asked = model.objects.filter(id__in=ids, cancel_requested_at__isnull=False)
        return set(asked.values_list("id", flat=True))


def hand_back(model: type[Job], worker: str, ids: Sequence[UUID]) -> int:
    """Returns running jobs to the queue when their worker leaves in good order; no crash is counted."""
    with across_tenants(Across.CLAIM_WORK):
        held = model.objects.filter(id__in=ids, worker=worker, status=Status.RUNNING)
        returned: int = held.update(status=Status.QUEUED, lease_until=None, worker="")
    return returned


def reap(model: type[J]) -> tuple[int, list[J]]:
    """Returns lapsed jobs to the queue; those that crashed twice are returned to the caller to be failed.

    The caller finishes them with the attempt they carry, which fences the lost worker off.
    """
    with across_tenants(Across.REAP):
        lapsed = model.objects.filter(status=Status.RUNNING, lease_until__lt=RawSQL("clock_timestamp()", []))
        rows = list(lapsed.select_for_update(skip_locked=True).order_by("id")[:500])
        hopeless = [row for row in rows if row.crashes + 1 >= MAX_CRASHES]
        retried = [row.id for row in rows if row.crashes + 1 < MAX_CRASHES]
        count = model.objects.filter(id__in=retried).update(
            status=Status.QUEUED, lease_until=None, worker="", crashes=models.F("crashes") + 1
        )
        for row in hopeless:
            # A new attempt number for the reaper itself, so that the lost worker's late result is refused.
            row.attempt += 1
            row.crashes += 1
        for row in hopeless:
            model.objects.filter(id=row.id).update(attempt=row.attempt, crashes=row.crashes, lease_until=_lease())
    return count, hopeless


def queue_position(job: Job) -> int | None:
    """How many of the organization's own jobs run before this one starts, from 1; None when it does not wait."""
    if job.status != Status.QUEUED:
        return None
    earlier = type(job).objects.filter(organization_id=job.organization_id, status=Status.QUEUED)
    return int(earlier.filter(created_at__lt=job.created_at).count()) + 1


def ring(task: str) -> None:
    """Sounds a worker's doorbell once the transaction has committed.

    A broker that is down loses only the bell: workers look for waiting rows by themselves every second.
    """

    def send() -> None:
        try:
            celery.current_app.send_task(task, expires=60, retry=False)
        except (kombu.exceptions.OperationalError, redis.exceptions.RedisError, OSError) as error:
            log.warning("doorbell not delivered", extra={"task": task, "reason": str(error)})

    transaction.on_commit(send)
