"""Batches: asked for, read into rows by a worker, run by the driver of bulk runs, and ended with their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import crypto, events, jobs, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.jobs import LEASE_SECONDS
from apps.core.tenancy import Across, across_tenants
from apps.studio.models import Batch, BatchState, BulkRow, BulkRun, Purpose, RowState, RunSource, RunState
from apps.studio.models.bulk import OVER
from apps.studio.requests import GenerationSpec
from apps.studio.services import safety
from apps.studio.services.bulk.driving import DRIVE
from apps.studio.services.bulk.stored import as_json
from apps.studio.services.files import READ, WRITE, file_written, get_file
from apps.studio.services.safety.storing import Stored

ENDPOINTS = ("/v1/chat/completions", "/v1/completions")
WINDOW = "24h"
MOST_METADATA = 16
MOST_REQUESTS = 50_000
MOST_OPEN = 100
MOST_ATTEMPTS = 2
OPEN = (BatchState.VALIDATING, BatchState.IN_PROGRESS, BatchState.FINALIZING, BatchState.CANCELLING)
CANCELLABLE = (BatchState.VALIDATING, BatchState.IN_PROGRESS)
NO_BATCH = "No such Batch object."
ENDINGS = {
    RunState.COMPLETED: BatchState.COMPLETED,
    RunState.CANCELLED: BatchState.CANCELLED,
    RunState.EXPIRED: BatchState.EXPIRED,
}
INSERTED_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a batch: what it asks, or the error that it is answered with."""

    custom_id: str
    spec: GenerationSpec | None = None
    status: int = 0
    error: dict[str, Any] | None = None


def create_batch(actor: Actor, input_file: UUID, endpoint: str, window: str, metadata: dict[str, str]) -> Batch:
    """Takes a batch on; its requests are read by a worker, and charged like any others as they are answered."""
    actor.require(WRITE)
    actor.require_open()
    if endpoint not in ENDPOINTS:
        raise InvalidRequest(f"endpoint must be one of {', '.join(ENDPOINTS)}.", param="endpoint")
    if window != WINDOW:
        raise InvalidRequest(f"completion_window must be {WINDOW}.", param="completion_window")
    if len(metadata) > MOST_METADATA:
        raise InvalidRequest(f"metadata has at most {MOST_METADATA} keys.", param="metadata")
    with tenancy.scope(actor.organization_id):
        file = get_file(actor, input_file)
        if file.purpose != Purpose.BATCH:
            raise InvalidRequest("The input file's purpose must be batch.", param="input_file_id")
        if Batch.objects.filter(state__in=OPEN).count() >= MOST_OPEN:
            raise Conflict("At most %(most)s batches at a time.", values={"most": MOST_OPEN})
        batch: Batch = Batch.objects.create(
            organization_id=actor.organization_id,
            input_id=file.pk,
            input_file=file,
            endpoint=endpoint,
            metadata=metadata,
            expires_at=Now() + timedelta(hours=24),
            created_by_id=actor.user_id,
            api_key_id=actor.api_key_id,
            request_id=structlog.contextvars.get_contextvars().get("request_id", "")[:64],
        )
        batch.refresh_from_db()
        audit.record(actor, "batch.created", batch, file=file.filename)
        events.record("batch.created", batch.pk, {"endpoint": endpoint})
        jobs.ring(DRIVE)
    return batch


def get_batch(actor: Actor, id: UUID) -> Batch:
    actor.require(READ)
    related = ("run", "input_file", "output_file", "error_file", "created_by", "api_key")
    with tenancy.reading(actor.organization_id):
        batch: Batch | None = Batch.objects.select_related(*related).filter(pk=id).first()
    if batch is None:
        raise NotFound(NO_BATCH, param="id")
    return batch


def cancel_batch(actor: Actor, id: UUID) -> Batch:
    """Stops a batch: what has been answered stays and is in its files; what has ended cannot be stopped."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        batch: Batch | None = Batch.objects.select_for_update().filter(pk=id).first()
        if batch is None:
            raise NotFound(NO_BATCH, param="id")
        if batch.state == BatchState.CANCELLING:
            return batch
        if batch.state not in CANCELLABLE:
            raise Conflict("Cannot cancel a batch with status %(state)s.", values={"state": batch.state})
        _reach(batch, BatchState.CANCELLING)
        runs = BulkRun.objects.filter(pk=batch.run_id).exclude(state__in=OVER)
        runs.update(state=RunState.ENDING, next_at=Now())
        audit.record(actor, "batch.cancelled", batch)
        jobs.ring(DRIVE)
    return batch


# ---------------------------------------------------------------- a worker's side


def claim_batch(worker: str) -> Batch | None:
    """A batch whose requests are to be read, or whose answers are to be written, leased."""
    with across_tenants(Across.CLAIM_WORK):
        rows = Batch.objects.filter(Q(lease_until=None) | Q(lease_until__lt=Now()), state__in=OPEN)
        due = rows.filter(Q(state=BatchState.VALIDATING) | Q(run=None) | Q(run__state__in=OVER))
        batch: Batch | None = due.select_for_update(skip_locked=True, of=("self",)).order_by("id").first()
        if batch is not None:
            batch.worker, batch.attempt = worker, batch.attempt + 1
            Batch.objects.filter(pk=batch.pk).update(
                worker=worker,
                attempt=F("attempt") + 1,
                lease_until=Now() + timedelta(seconds=20 * LEASE_SECONDS),
            )
    return batch


def begin_batch(batch: Batch, requests: Sequence[Asked]) -> bool:
    """Makes the rows and lets the driver at them; False where the batch was stopped, or is another worker's now."""
    masker = safety.Masker.of(batch.organization_id)
    stored = [masker.masked(_words(asked)) for asked in requests]
    with tenancy.scope(batch.organization_id):
        held = _held(batch, BatchState.VALIDATING)
        if held is None:
            return False
        run: BulkRun = BulkRun.objects.create(
            organization_id=batch.organization_id,
            source=RunSource.BATCH,
            name=batch.public_id,
            state=RunState.RUNNING,
            created_by_id=batch.created_by_id,
            api_key_id=batch.api_key_id,
            request_id=batch.request_id,
            started_at=Now(),
            expires_at=batch.expires_at,
        )
        rows = (_row(run, number, *pair) for number, pair in enumerate(zip(requests, stored, strict=True), 1))
        BulkRow.objects.bulk_create(rows, batch_size=INSERTED_AT_ONCE)
        held.run = run
        _reach(held, BatchState.IN_PROGRESS, lease_until=None, attempt=0)
        events.record("batch.in_progress", batch.pk, {"requests": len(requests)})
        jobs.ring(DRIVE)
    return True


def _words(asked: Asked) -> dict[str, Any]:
    """What a request says; its settings are nobody's data, and neither is who speaks."""
    spec = as_json(asked.spec) if asked.spec else {}
    said = {"messages": [message["content"] for message in spec["messages"]]} if "messages" in spec else {}
    return said | ({"prompt": spec["prompt"]} if "prompt" in spec else {})


def _with_words(asked: Asked, words: dict[str, Any]) -> dict[str, Any]:
    """The request with these words in place of its own."""
    spec = as_json(asked.spec) if asked.spec else {}
    if "messages" in words:
        pairs = zip(spec["messages"], words["messages"], strict=True)
        words = words | {"messages": [message | {"content": content} for message, content in pairs]}
    return spec | words


def _row(run: BulkRun, number: int, asked: Asked, stored: Stored) -> BulkRow:
    error = (asked.error or {}).get("error", {})
    refused = {"status": asked.status, "error": asked.error}
    values = {"spec": _with_words(asked, stored.values)} if asked.spec else refused
    row = BulkRow(
        organization_id=run.organization_id,
        run=run,
        number=number,
        values={"custom_id": asked.custom_id} | values,
        state=RowState.READY if asked.spec else RowState.REFUSED,
        problem_code=str(error.get("code") or ""),
        problem=str(error.get("message") or ""),
    )
    crypto.seal_into(row, "originals", stored.originals)
    return row


def give_up(batch: Batch) -> bool:
    """Ends a batch that has lost the workers that read its requests, or wrote its answers; its texts stay."""
    message = "The workers that carried this batch out were lost."
    return fail_batch(batch, [{"code": "worker_lost", "message": message, "param": None, "line": None}])


def fail_batch(batch: Batch, errors: list[dict[str, Any]]) -> bool:
    """Ends a batch without files, such as one whose file cannot be read as requests: of that nothing was asked."""
    with tenancy.scope(batch.organization_id):
        held = _held(batch, *OPEN)
        if held is None:
            return False
        held.errors = errors
        _reach(held, BatchState.FAILED, lease_until=None)
        events.record("batch.failed", batch.pk, {"errors": len(errors)})
    return True


def begin_writing(batch: Batch) -> bool:
    """From here on its answers are being written to files."""
    with tenancy.scope(batch.organization_id):
        held = _held(batch, *OPEN)
        if held is not None and held.state == BatchState.IN_PROGRESS:
            _reach(held, BatchState.FINALIZING)
    return held is not None


def end_batch(batch: Batch, output: str, errors: str) -> bool:
    """Ends a batch with the files that were written, which are paths in the organization's folder, or empty."""
    with tenancy.scope(batch.organization_id):
        held = _held(batch, *OPEN)
        if held is None:
            return False
        run = BulkRun.objects.filter(pk=held.run_id).first()
        state = ENDINGS[run.state] if run is not None else BatchState.CANCELLED
        if output:
            held.output_file = file_written(batch.organization_id, output, f"{batch.public_id}_output.jsonl")
        if errors:
            held.error_file = file_written(batch.organization_id, errors, f"{batch.public_id}_error.jsonl")
        _reach(held, state, lease_until=None)
        events.record(f"batch.{state}", batch.pk, {"endpoint": batch.endpoint})
    return True


def _held(batch: Batch, *states: BatchState) -> Any:
    rows = Batch.objects.select_for_update().filter(pk=batch.pk, worker=batch.worker, state__in=states)
    return rows.filter(lease_until__gte=Now()).first()


def _reach(batch: Batch, state: BatchState, **more: Any) -> None:
    """Into a state, with the time at which it was reached."""
    for name, value in {"state": state, f"{state}_at": timezone.now(), **more}.items():
        setattr(batch, name, value)
    batch.save()
