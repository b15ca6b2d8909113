"""Starting, pausing, stopping and repeating runs."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, jobs, tenancy
from apps.core.errors import Conflict, NotFound
from apps.studio.models import BulkRow, BulkRun, RowState, RunState
from apps.studio.services.bulk.driving import DRIVE
from apps.studio.services.bulk.taking import NO_RUN, WRITE


def start_run(actor: Actor, id: UUID) -> BulkRun:
    """Has the rows of a draft asked; Conflict for one that does not say what to ask, or has no usable row."""
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        run = locked_run(actor, id)
        _require(run, RunState.DRAFT)
        if run.estimate is None:
            raise Conflict("Say first what is to be asked about each row.")
        # Once it is started it goes on with the version that was chosen, whatever becomes of the template.
        if run.template_version is not None and run.template_version.template.archived_at is not None:
            raise Conflict("This template is archived; it writes nothing.")
        if not BulkRow.objects.filter(run=run, state=RowState.READY).exists():
            raise Conflict("No row of this table can be asked about.")
        _move(run, RunState.RUNNING, started_at=Now())
        _record(actor, "bulk_run.started", run, rows=run.estimate["rows"])
    return run


def pause_run(actor: Actor, id: UUID) -> BulkRun:
    """Asks no further row; what is being written is finished."""
    with tenancy.scope(actor.organization_id):
        run = locked_run(actor, id)
        _require(run, RunState.RUNNING, RunState.EXHAUSTED)
        _move(run, RunState.PAUSED)
        _record(actor, "bulk_run.paused", run)
    return run


def resume_run(actor: Actor, id: UUID) -> BulkRun:
    """Goes on with a run that was paused, or waits for quota, at once."""
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        run = locked_run(actor, id)
        _require(run, RunState.PAUSED, RunState.EXHAUSTED)
        _move(run, RunState.RUNNING)
        _record(actor, "bulk_run.resumed", run)
    return run


def cancel_run(actor: Actor, id: UUID) -> BulkRun:
    """Stops a run: rows that wait are never asked, those being written are stopped and cost what they have produced."""
    with tenancy.scope(actor.organization_id):
        run = locked_run(actor, id)
        if run.is_over or run.state == RunState.ENDING:
            return run
        if run.state == RunState.DRAFT:
            raise Conflict("A draft is deleted, not stopped.")
        _move(run, RunState.ENDING)
        _record(actor, "bulk_run.stopped", run)
    return run


def retry_failed(actor: Actor, id: UUID) -> BulkRun:
    """Asks the failed rows of a run that is over once more; all others stay as they are."""
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        run = locked_run(actor, id)
        _require(run, RunState.COMPLETED, RunState.CANCELLED)
        again = BulkRow.objects.filter(pk__in=BulkRow.objects.filter(run=run).failed().values("pk")).update(
            state=RowState.READY, problem_code="", problem="", problem_said={}, generation=None, outcome=""
        )
        if not again:
            raise Conflict("No row of this run has failed.")
        _move(run, RunState.RUNNING, finished_at=None)
        _record(actor, "bulk_run.retried", run, rows=again)
    return run


def delete_run(actor: Actor, id: UUID) -> None:
    """Removes a draft or a run that is over, with its table; the texts stay in the history."""
    with tenancy.scope(actor.organization_id):
        run = locked_run(actor, id)
        _require(run, RunState.DRAFT, RunState.COMPLETED, RunState.CANCELLED, RunState.EXPIRED)
        audit.record(actor, "bulk_run.deleted", run)
        events.record("bulk_run.deleted", run.pk, {"name": run.name})
        run.delete()


def locked_run(actor: Actor, id: UUID) -> BulkRun:
    """The run, locked until commit: its state changes under this lock, and no row is asked meanwhile."""
    actor.require(WRITE)
    run: BulkRun | None = BulkRun.objects.for_pages().select_for_update(of=("self",)).filter(pk=id).first()
    if run is None:
        raise NotFound(NO_RUN)
    return run


def _require(run: BulkRun, *states: RunState) -> None:
    if run.state not in states:
        raise Conflict(
            "This cannot be done now: the state of the run is “%(state)s”.", values={"state": RunState(run.state).label}
        )


def _move(run: BulkRun, state: RunState, **more: Any) -> None:
    """Into another state, for the driver to look at again at once."""
    changes = {"state": state, "stop_code": "", "stop_message": "", "stop_said": {}, "next_at": Now(), **more}
    for name, value in changes.items():
        setattr(run, name, value)
    run.save(update_fields=changes)
    run.refresh_from_db(fields=list(changes))
    jobs.ring(DRIVE)


def _record(actor: Actor, action: str, run: BulkRun, **detail: Any) -> None:
    audit.record(actor, action, run, **detail)
    events.record(action, run.pk, {"name": run.name, "state": run.state, **detail})
