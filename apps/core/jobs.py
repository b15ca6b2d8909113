"""Work as rows: claimed by compare-and-set, held by a lease, returned by a reaper, fair between organizations.

All times are the database's, so a worker with a wrong clock neither loses nor steals a lease.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import celery
import kombu.exceptions
import redis.exceptions
from django.conf import settings
from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from apps.core import bells, claims, metrics
from apps.core.connections import quick_redis_client
from apps.core.tenancy import Across, TenantManager, TenantModel, TenantQuerySet, across_tenants

LEASE_SECONDS = 15
RENEW_SECONDS = 5
MAX_CRASHES = 2
# A job that gets a little further with each worker that it loses ends all the same.
MAX_ATTEMPTS = 10
BELL_EXPIRY_SECONDS = 3600

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

    `share_sql` and `cost_sql` say how an organization's share and a row's expected cost are read, and `must_end_by`,
    in the claiming process's `time.monotonic()`, when a claimed row's deadline is.
    """

    share_sql: ClassVar[str] = "SELECT 1 AS weight, 2147483647 AS max_running"
    cost_sql: ClassVar[str] = "1"
    must_end_by: float | None = None
    # Its place in the organization's queue, where that has just been counted.
    place: int | None = None

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    crashes = models.PositiveSmallIntegerField(default=0)
    worker = models.CharField(max_length=120, blank=True)
    lease_until = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField(null=True)
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
                fields=["organization", "created_at", "id"],
                condition=models.Q(status="queued"),
                name="%(class)s_waiting",
            ),
            models.Index(
                fields=["deadline_at"],
                condition=models.Q(status="queued", deadline_at__isnull=False),
                name="%(class)s_expiring",
            ),
            models.Index(
                fields=["organization", "lease_until"],
                condition=models.Q(status="running"),
                name="%(class)s_running",
            ),
            models.Index(fields=["organization", "-claimed_at"], name="%(class)s_served"),
            models.Index(fields=["organization", "-created_at", "-id"], name="%(class)s_newest"),
        ]

    @classmethod
    def source(cls) -> claims.Source:
        return claims.Source(cls._meta.db_table, cls.share_sql, cls.cost_sql)

    def note_deadline(self, claimed: float) -> None:
        """Turns what the database's clock says is left into this process's; `claimed` is from `time.monotonic()`."""
        if self.deadline_at and self.claimed_at:
            self.must_end_by = claimed + (self.deadline_at - self.claimed_at).total_seconds()


J = TypeVar("J", bound=Job)


def claim(model: type[J], worker: str, limit: int, only: dict[str, Sequence[Any]] | None = None) -> list[J]:
    """Takes up to `limit` waiting rows, the fairest first; `only` restricts columns to given values.

    An advisory lock makes claims of one table queue up for the milliseconds they take: without it two workers would
    see the same turns and the same room, and both favour the same organization.
    """
    held = {column: list(values) for column, values in (only or {}).items()}
    if limit <= 0 or not all(held.values()):
        return []
    before = time.monotonic()
    with across_tenants(Across.CLAIM_WORK, claims.settings(LEASE_SECONDS)), connection.cursor() as cursor:
        if not claims.begin(cursor, model.source()):
            return []
        claimed = _take_fairest(model, worker, limit, held)
    for row in claimed:
        row.note_deadline(before)
    return claimed


def _take_fairest(model: type[J], worker: str, limit: int, only: dict[str, list[Any]]) -> list[J]:
    """Chooses and takes until the limit, or until nothing is left; rows that are being ended are passed over."""
    source = model.source()
    taken: list[J] = []
    passed_over: list[UUID] = []
    while len(taken) < limit:
        picks = claims.choose(source, limit - len(taken), only, passed_over)
        started = claims.take(model, source, picks, worker, LEASE_SECONDS) if picks else {}
        taken += started.values()
        if len(started) == len(picks):
            break
        passed_over += {pick.job for pick in picks} - started.keys()
    return taken


def repay(job: Job, unused: int) -> None:
    """Gives an organization back the turn that a job was expected to cost and did not; call it in its scope, last."""
    if job.attempt and unused:
        claims.repay(type(job).source(), job.organization_id, unused)


def _clock() -> RawSQL:
    return RawSQL("clock_timestamp()", [])


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
    metrics.RETRIES.labels(model._meta.model_name, "handed_back").inc(returned)
    return returned


def due(model: type[Job]) -> JobQuerySet:
    """Jobs that wait, or whose worker is gone; across tenants."""
    lapsed = models.Q(status=Status.RUNNING, lease_until__lt=_clock())
    rows: JobQuerySet = model.objects.filter(models.Q(status=Status.QUEUED) | lapsed)
    return rows


def reap(model: type[J]) -> tuple[int, list[J]]:
    """Returns lapsed jobs to the queue; those that crashed twice, or that somebody has stopped, go to the caller.

    The caller ends them with the attempt they carry, which fences the lost worker off.
    """
    with across_tenants(Across.REAP):
        lapsed = model.objects.filter(status=Status.RUNNING, lease_until__lt=_clock())
        rows = list(lapsed.select_for_update(skip_locked=True).order_by("id")[:500])
        finished = [row for row in rows if _is_hopeless(row) or row.cancel_requested_at]
        ending = {row.id for row in finished}
        retried = [row.id for row in rows if row.id not in ending]
        count = model.objects.filter(id__in=retried).update(
            status=Status.QUEUED, lease_until=None, worker="", crashes=models.F("crashes") + 1
        )
        for row in finished:
            # A new attempt number for the reaper itself, so that the lost worker's late result is refused; and nobody's
            # row, so that a worker which was only slow can neither renew the lease nor hand the row back.
            row.attempt += 1
            row.crashes += 1
            row.worker = ""
            model.objects.filter(id=row.id).update(
                attempt=row.attempt, crashes=row.crashes, worker="", lease_until=_lease()
            )
    metrics.LEASE_LOSSES.labels(model._meta.model_name, "reaper").inc(len(rows))
    metrics.RETRIES.labels(model._meta.model_name, "lease_lapsed").inc(count)
    return count, finished


def _is_hopeless(row: Job) -> bool:
    return row.crashes + 1 >= MAX_CRASHES or row.attempt >= MAX_ATTEMPTS


def suspects_wait(model: type[Job]) -> bool:
    """Whether a job waits that was running when a worker was lost, and may have been the reason."""
    with across_tenants(Across.CLAIM_WORK):
        return bool(model.objects.filter(status=Status.QUEUED, crashes__gt=0).exists())


def expired(model: type[J]) -> list[J]:
    """Waiting jobs whose deadline has passed, for the caller to end; claims pass them over."""
    with across_tenants(Across.REAP):
        return list(model.objects.filter(status=Status.QUEUED, deadline_at__lte=_clock()).order_by("deadline_at")[:500])


def queue_position(job: Job) -> int | None:
    """How many of the organization's own jobs run before this one starts, from 1; None when it does not wait."""
    if job.status != Status.QUEUED or job.place is not None:
        return job.place
    earlier = type(job).objects.filter(organization_id=job.organization_id, status=Status.QUEUED)
    return int(earlier.filter(created_at__lt=job.created_at).count()) + 1


def ring(task: str) -> None:
    """Sounds a worker's doorbell once the transaction has committed.

    A broker that is down loses only the bell: workers look for waiting rows by themselves every second. So where some
    have heard the channel, which all of a queue's workers do or none, nothing is left for the broker to tell; and its
    message would take the processor from the very work that it is about.
    """

    def send() -> None:
        try:
            if quick_redis_client().publish(bell_channel(task), ""):
                return
            # Expiry is by the clocks of two machines, which may differ by more than a bell is worth.
            celery.current_app.send_task(task, expires=BELL_EXPIRY_SECONDS, retry=False)
        except (kombu.exceptions.OperationalError, redis.exceptions.RedisError, OSError) as error:
            log.warning("doorbell not delivered", extra={"task": task, "reason": str(error)})

    transaction.on_commit(lambda: bells.send(task, send))


def bell_channel(task: str) -> str:
    """The Redis channel of those who listen for a task's bell themselves."""
    return f"{settings.REDIS_PREFIX}:bell:{task}"


def cancel_channel() -> str:
    """The Redis channel on which ids of running jobs that shall stop are published."""
    return f"{settings.REDIS_PREFIX}:cancel"


def push_cancel(id: UUID) -> None:
    """Tells workers at once, on commit, that a job shall stop; the row says so too, for those who did not hear it."""

    def send() -> None:
        try:
            quick_redis_client().publish(cancel_channel(), str(id))
        except (redis.exceptions.RedisError, OSError) as error:
            log.warning("cancellation not pushed", extra={"job": str(id), "reason": str(error)})

    transaction.on_commit(lambda: bells.send(f"cancel:{id}", send))
