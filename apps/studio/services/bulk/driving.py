"""The driver: claims runs by a lease, and keeps a few of their rows asked at a time.

A row is asked in one transaction with its generation, its hold and its attempt, under the locks of the run and the row;
so it is asked once, whoever is killed when, also with two drivers. It goes the way of every other text, which starts,
charges and repairs it; the driver only looks whether there is room for the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts.access import Actor
from apps.billing import services as billing
from apps.billing.entitlements import Limits
from apps.core import events, tenancy
from apps.core.errors import (
    BudgetExceeded,
    DeletionPending,
    InsufficientQuota,
    MillraceError,
    PermissionDenied,
    SubscriptionPastDue,
)
from apps.core.jobs import LEASE_SECONDS, RENEW_SECONDS
from apps.core.said import said, words_of
from apps.core.tenancy import Across, across_tenants
from apps.studio.models import BulkAttempt, BulkRow, BulkRun, Generation, RowState, RunSource, RunState
from apps.studio.models.bulk import DRIVEN
from apps.studio.requests import GenerationSpec
from apps.studio.services import safety
from apps.studio.services.admission import Prepared, accept, prepare
from apps.studio.services.bulk.actors import actor_of
from apps.studio.services.bulk.drafts import RowProblem, rendered
from apps.studio.services.bulk.stored import stored_spec
from apps.studio.services.endings import cancel_generation

DRIVE = "bulk.drive"
CLAIM_RUNS = 50
# A run that waits for quota tries one row so often.
QUOTA_SECONDS = 300
GOING = (RunState.RUNNING, RunState.EXHAUSTED)
OUT_OF_QUOTA = (InsufficientQuota, SubscriptionPastDue)
NOT_ALLOWED = (PermissionDenied, DeletionPending)
EXPIRED = "batch_expired"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Round:
    """One run in one round of its driver."""

    run: BulkRun
    worker: str
    actor: Actor
    limits: Limits


class _Moved(Exception):
    """The run was paused or stopped, or another driver has it: nothing more is asked here."""


def drive(worker: str) -> bool:
    """One look at all runs that are due; True if any of them has something to do right now."""
    runs = _claim(worker)
    shares: dict[UUID, int] = {}
    for run in runs:
        shares[run.organization_id] = shares.get(run.organization_id, 0) + 1
    busy = False
    for run in runs:
        with structlog.contextvars.bound_contextvars(request_id=run.request_id, bulk_run=str(run.pk)):
            busy |= _advance(run, worker, shares[run.organization_id])
    return busy


def _claim(worker: str) -> list[BulkRun]:
    """The runs that are due and nobody else's, leased; a lease is renewed only when a good part of it is over."""
    with across_tenants(Across.CLAIM_WORK):
        due = BulkRun.objects.filter(state__in=DRIVEN, next_at__lte=Now())
        free = due.filter(Q(worker=worker) | Q(lease_until=None) | Q(lease_until__lt=Now()))
        rows = list(
            free.select_related("template_version__voice")
            .select_for_update(skip_locked=True, of=("self",))
            .order_by("next_at", "id")[:CLAIM_RUNS]
        )
        soon = timezone.now() + timedelta(seconds=LEASE_SECONDS - RENEW_SECONDS)
        renewed = [row.pk for row in rows if row.worker != worker or row.lease_until is None or row.lease_until < soon]
        if renewed:
            until = Now() + timedelta(seconds=LEASE_SECONDS)
            BulkRun.objects.filter(pk__in=renewed).update(worker=worker, lease_until=until)
        # Where not all fit, those that were looked at go behind the others, or these would never have their turn.
        if len(rows) == CLAIM_RUNS:
            BulkRun.objects.filter(pk__in=[row.pk for row in rows]).update(next_at=Now())
    return rows


def _advance(run: BulkRun, worker: str, shares: int) -> bool:
    """What can be done about a run now; True if there is reason to look again soon."""
    if run.state != RunState.ENDING and run.expires_at is not None and run.expires_at <= timezone.now():
        _change(run, (*GOING,), RunState.ENDING, code=EXPIRED)
        run.state = RunState.ENDING
    if run.state == RunState.ENDING:
        return _end(run)
    try:
        actor = actor_of(run.organization_id, run.created_by_id, run.api_key_id)
        actor.require_open()
        limits = billing.limits_of(run.organization_id)
        return _fill(_Round(run, worker, actor, limits), shares)
    except NOT_ALLOWED as error:
        # Nobody resumes a batch: what was asked until then is what there is.
        after = RunState.ENDING if run.source == RunSource.BATCH else RunState.PAUSED
        _change(run, GOING, after, code=error.code, message=words_of(error))
    except _Moved:
        pass
    return False


def _fill(here: _Round, shares: int) -> bool:
    run = here.run
    with tenancy.scope(run.organization_id):
        room = _room(here, shares)
        waiting = BulkRow.objects.filter(run=run, state=RowState.READY).order_by("number")
        rows = list(waiting[: 1 if run.state == RunState.EXHAUSTED else max(room, 1)])
        done = not rows and not BulkRow.objects.filter(run=run).busy().exists()
    if done:
        finish(run, RunState.COMPLETED)
        return False
    return all(_ask(here, row) for row in rows[:room])


def _room(here: _Round, shares: int) -> int:
    """How many rows may be asked now: other work of the organization finds a place beside them.

    They take no more than half of what the plan runs or lets wait at a time, and several runs share that.
    """
    most = max(1, min(settings.BULK_IN_FLIGHT, here.limits.max_running // 2, here.limits.max_queued // 2))
    of_all = Generation.objects.unfinished().filter(bulk_rows__isnull=False)
    busy = of_all.aggregate(all=Count("pk"), own=Count("pk", filter=Q(bulk_rows__run=here.run)))
    return max(0, min(most - int(busy["all"]), -(-most // shares) - int(busy["own"])))


def _ask(here: _Round, row: BulkRow) -> bool:
    """Asks a row, or notes why not; False where the run has to wait, for whatever reason."""
    run = here.run
    try:
        _accept(here, row, prepare(here.actor, _spec(here, row), here.limits))
    except RowProblem as problem:
        return _refuse(here, row, problem.code, problem.message)
    except OUT_OF_QUOTA as error:
        if isinstance(error, BudgetExceeded):
            billing.note_refusal(run.organization_id, error, billing.Purpose(here.actor.user_id, here.actor.api_key_id))
        _change(run, GOING, RunState.EXHAUSTED, code=error.code, message=words_of(error), wait=QUOTA_SECONDS)
        return False
    except NOT_ALLOWED:
        raise
    except MillraceError as error:
        if error.should_retry or error.status >= 500:
            _wait(run, error.retry_after or 5.0)
            return False
        return _refuse(here, row, error.code, words_of(error))
    if run.state == RunState.EXHAUSTED:
        _change(run, (RunState.EXHAUSTED,), RunState.RUNNING)
        run.state = RunState.RUNNING
    return True


def _spec(here: _Round, row: BulkRow) -> GenerationSpec:
    if here.run.source == RunSource.BATCH:
        return stored_spec(safety.unmasked(row.values["spec"], row.originals_kept))
    return rendered(here.actor, here.run, row)


def _held(here: _Round, row: BulkRow) -> BulkRow:
    """The row, with it and its run locked; raises _Moved where it is not this driver's to ask any more."""
    run = BulkRun.objects.select_for_update().filter(pk=here.run.pk, worker=here.worker, state__in=GOING).first()
    held: BulkRow | None = run and BulkRow.objects.select_for_update().filter(pk=row.pk, state=RowState.READY).first()
    if held is None:
        raise _Moved
    return held


def _accept(here: _Round, row: BulkRow, prepared: Prepared) -> None:
    with tenancy.scope(here.run.organization_id):
        held = _held(here, row)
        generation = accept(prepared)
        held.state, held.generation, held.attempt = RowState.ASKED, generation, held.attempt + 1
        held.save(update_fields=["state", "generation", "attempt"])
        BulkAttempt.objects.create(
            organization_id=held.organization_id, row=held, number=held.attempt, generation=generation
        )


def _refuse(here: _Round, row: BulkRow, code: str, message: str) -> bool:
    """This row cannot be asked, and the next may."""
    with tenancy.scope(here.run.organization_id):
        held = _held(here, row)
        held.state, held.problem_code = RowState.REFUSED, code
        held.problem, held.problem_said = message, said(message)
        held.save(update_fields=["state", "problem_code", "problem", "problem_said"])
    return True


def _end(run: BulkRun) -> bool:
    """Stops what is being written, never asks what waits, and ends the run once nothing runs any more."""
    with tenancy.scope(run.organization_id):
        BulkRow.objects.filter(run=run, state=RowState.READY).update(state=RowState.SKIPPED)
        busy = list(
            BulkRow.objects.filter(run=run).busy().values_list("generation_id", "generation__cancel_requested_at")
        )
    stopper = Actor(run.organization_id, frozenset({"generations:write"}), name="bulk run")
    for id, asked in busy:
        if asked is None:
            cancel_generation(stopper, id)
    if busy:
        return True
    finish(run, RunState.EXPIRED if run.stop_code == EXPIRED else RunState.CANCELLED)
    return False


def finish(run: BulkRun, state: RunState) -> None:
    """The one place where a run ends; it may have been set going again meanwhile."""
    with tenancy.scope(run.organization_id):
        held = BulkRun.objects.select_for_update().filter(pk=run.pk, state=run.state).first()
        if held is None or BulkRow.objects.filter(run=run, state=RowState.READY).exists():
            return
        held.state, held.finished_at, held.worker, held.lease_until = state, Now(), "", None
        held.save(update_fields=["state", "finished_at", "worker", "lease_until"])
        if run.source == RunSource.TABLE:
            # Its rows may be asked again, by hand or by a schedule: their originals go with the run.
            events.record(f"bulk_run.{state}", run.pk, {"name": run.name, **_sums(run)})
            return
        # Only what failed may be asked about again.
        over = BulkRow.objects.filter(run=run).exclude(originals="")
        over.exclude(pk__in=BulkRow.objects.filter(run=run).failed().values("pk")).update(originals="")


def _sums(run: BulkRun) -> dict[str, int]:
    rows = BulkRow.objects.filter(run=run)
    return {"rows": rows.count(), "succeeded": rows.succeeded().count(), "failed": rows.failed().count()}


def _change(
    run: BulkRun, before: tuple[RunState, ...], after: RunState, *, code: str = "", message: str = "", wait: int = 0
) -> None:
    """Moves a run that nobody has moved meanwhile, and says so where it stops by itself."""
    with tenancy.scope(run.organization_id):
        moved = BulkRun.objects.filter(pk=run.pk, state__in=before).update(
            state=after,
            stop_code=code,
            stop_message=message,
            stop_said=said(message),
            next_at=Now() + timedelta(seconds=wait),
        )
        if (
            moved
            and after != run.state
            and run.source == RunSource.TABLE
            and after in {RunState.EXHAUSTED, RunState.PAUSED}
        ):
            events.record(f"bulk_run.{after}", run.pk, {"name": run.name, "code": code})
    run.stop_code = code


def _wait(run: BulkRun, seconds: float) -> None:
    with tenancy.scope(run.organization_id):
        later = Now() + timedelta(seconds=min(seconds, 60.0))
        BulkRun.objects.filter(pk=run.pk).update(next_at=later)
