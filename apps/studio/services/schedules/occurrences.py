"""Carrying out occurrences: sources are read, the text is asked once, and sent once it is written.

An occurrence is asked in one transaction with its generation, and ends in one with its mails, under its lock:
whoever is lost in between, the next one goes on, and nothing is asked or sent twice.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.billing import services as billing
from apps.core import events, tenancy
from apps.core.errors import BudgetExceeded, ContextLengthExceeded, MillraceError, NotFound
from apps.core.jobs import TERMINAL, Status
from apps.core.said import said, words_of
from apps.core.tenancy import Across, across_tenants
from apps.studio.models import (
    BulkRow,
    BulkRun,
    Generation,
    Occurrence,
    OccurrenceState,
    Origin,
    RunState,
    Schedule,
)
from apps.studio.models.bulk import OVER
from apps.studio.requests import GenerationSpec
from apps.studio.services import templates
from apps.studio.services.admission import Prepared, accept, prepare
from apps.studio.services.bulk.actors import actor_of
from apps.studio.services.bulk.repeating import repeat_run
from apps.studio.services.schedules.mails import send_text, tell_of_failures
from apps.studio.services.schedules.setting import LOOK as LOOK
from apps.studio.services.schedules.sources import Read, as_text, read_all
from ml.text.placeholders import filled, places_in
from ml.types import Message
from ml.words import Words

# Longer than a look at addresses that hang takes.
LEASE = timedelta(seconds=240)
AGAIN = timedelta(seconds=30)
MOST_ATTEMPTS = 6
# Characters of sources that are tried, the first that fits the model's context.
ROOM = (20_000, 8_000, 3_000, 1_200, 500)
TELL_AFTER_FAILURES = 3

log = structlog.get_logger(__name__)


def look(worker: str) -> bool:
    """Does what there is to do about one occurrence; False if there is nothing."""
    occurrence = _claim(worker)
    if occurrence is None:
        return False
    with structlog.contextvars.bound_contextvars(schedule=str(occurrence.schedule_id), occurrence=str(occurrence.pk)):
        if occurrence.state == OccurrenceState.WAITING:
            _ask(occurrence)
        else:
            _end(occurrence)
    return True


def due() -> QuerySet[Occurrence]:
    """Those that wait, or whose text has ended, and that nobody holds; across tenants."""
    over = Q(generation__status__in=sorted(TERMINAL)) | Q(run__state__in=OVER) | Q(generation=None, run=None)
    wanted = Q(state=OccurrenceState.WAITING) | Q(state=OccurrenceState.ASKED) & over
    rows: QuerySet[Occurrence] = Occurrence.objects.filter(Q(lease_until=None) | Q(lease_until__lt=Now()), wanted)
    return rows


def _claim(worker: str) -> Occurrence | None:
    """One that waits, or whose text has ended, leased."""
    with across_tenants(Across.CLAIM_WORK):
        row: Occurrence | None = (
            due().select_related("schedule").select_for_update(skip_locked=True, of=("self",)).order_by("id").first()
        )
        if row is not None:
            row.worker, row.attempt = worker, row.attempt + 1
            Occurrence.objects.filter(pk=row.pk).update(
                worker=worker, lease_until=Now() + LEASE, attempt=F("attempt") + 1
            )
    return row


def _ask(occurrence: Occurrence) -> None:
    schedule = occurrence.schedule
    if occurrence.attempt > MOST_ATTEMPTS:
        _fail(occurrence, "worker_lost", Words("Its workers were lost while they carried it out."), None)
        return
    if not (schedule.prompt or schedule.template):
        _ask_rows(occurrence)
        return
    reads = read_all(schedule.sources)
    try:
        if reads and not any(each.items for each in reads):
            _fail(occurrence, "sources_unreadable", _problem_of(reads), reads)
            return
        actor = actor_of(schedule.organization_id, schedule.created_by_id, schedule.api_key_id)
        prepared = _prepared(actor, schedule, reads)
        with tenancy.scope(schedule.organization_id):
            held = _held(occurrence, OccurrenceState.WAITING)
            if held is None:
                return
            held.generation = accept(prepared)
            held.state, held.lease_until, held.attempt = OccurrenceState.ASKED, None, 0
            held.read = [each.facts for each in reads]
            held.save(update_fields=["generation", "state", "lease_until", "attempt", "read"])
    except MillraceError as error:
        if isinstance(error, BudgetExceeded):
            billing.note_refusal(schedule.organization_id, error, billing.Purpose(schedule.created_by_id))
        _refuse(occurrence, error, reads)


def _ask_rows(occurrence: Occurrence) -> None:
    """A bulk run of the schedule's table, together with the note that it is this one's."""
    schedule = occurrence.schedule
    try:
        actor = actor_of(schedule.organization_id, schedule.created_by_id, schedule.api_key_id)
        with tenancy.scope(schedule.organization_id):
            held = _held(occurrence, OccurrenceState.WAITING)
            if held is None:
                return
            table = BulkRun.objects.filter(pk=schedule.table_id).first()
            if table is None:
                raise NotFound("The table that this schedule asks about was removed.")
            held.run = repeat_run(actor, table)
            held.state, held.lease_until, held.attempt = OccurrenceState.ASKED, None, 0
            held.save(update_fields=["run", "state", "lease_until", "attempt"])
    except MillraceError as error:
        _refuse(occurrence, error, None)


def _refuse(occurrence: Occurrence, error: MillraceError, reads: list[Read] | None) -> None:
    """Tries again a moment later what may go then, and fails what may not."""
    if (error.should_retry or error.status >= 500) and occurrence.attempt < MOST_ATTEMPTS:
        _wait(occurrence)
    else:
        _fail(occurrence, error.code, words_of(error), reads)


def _problem_of(reads: list[Read]) -> str:
    """Why no source gave anything; of several, in the words of each."""
    return reads[0].problem if len(reads) == 1 else " ".join(each.problem for each in reads)


def _prepared(actor: Any, schedule: Schedule, reads: list[Read]) -> Prepared:
    """The request with as much of the sources as the model's context has room for."""
    for room in ROOM if reads else ROOM[-1:]:
        try:
            found = prepare(actor, _spec(actor, schedule, reads, room))
        except ContextLengthExceeded:
            if room == ROOM[-1]:
                raise
            continue
        # Where tokens are not counted but bounded, the least that fits is taken for it.
        if found.max_tokens >= schedule.max_tokens or room == ROOM[-1]:
            return found
    raise ContextLengthExceeded("The prompt does not fit the model's context.", param="prompt")


def _spec(actor: Any, schedule: Schedule, reads: list[Read], room: int) -> GenerationSpec:
    text = as_text(reads, room)
    if schedule.template:
        version = templates.version_of(actor, schedule.template)
        values = dict(schedule.variables)
        for variable in version.fields:
            if variable.is_source and reads:
                source = {"name": "sources", "text": text}
                values[variable.name] = [source] if variable.many else source
        made = templates.render(actor, version.pk, values)
        return made.spec(Origin.SCHEDULE, model=schedule.model_name, max_tokens=schedule.max_tokens)
    words = schedule.prompt
    if reads and "sources" not in places_in(words):
        words = f"{words}\n\n{{{{ sources }}}}"
    today = timezone.now().astimezone(ZoneInfo(schedule.zone)).date()
    values = {name: str(value) for name, value in schedule.variables.items()}
    prompt = filled(words, values | {"sources": text, "date": today.isoformat()})
    return GenerationSpec(
        model=schedule.model_name,
        messages=(Message("user", prompt),),
        max_tokens=schedule.max_tokens,
        origin=Origin.SCHEDULE,
    )


def _end(occurrence: Occurrence) -> None:
    """Sends what was written, or notes why there is nothing to send."""
    generation = None
    with tenancy.scope(occurrence.organization_id):
        held = _held(occurrence, OccurrenceState.ASKED)
        if held is None:
            return
        generation, run = held.generation, held.run
        if _is_written(generation, run):
            schedule = Schedule.objects.select_for_update().get(pk=held.schedule_id)
            held.mailed = send_text(schedule, held)
            held.state, held.finished_at, held.lease_until = OccurrenceState.DONE, Now(), None
            held.save(update_fields=["mailed", "state", "finished_at", "lease_until"])
            Schedule.objects.filter(pk=schedule.pk).update(failures=0, last_error="", last_error_said={})
            named = {"generation": str(generation.pk)} if generation else {"bulk_run": str(run.pk)}
            events.record("schedule.done", schedule.pk, {"name": schedule.name, **named, "recipients": held.mailed})
            return
    if run is not None:
        _fail(occurrence, "bulk_run_stopped", Words("No row of the table was written."), None)
        return
    code = generation.error_code if generation else "text_removed"
    message = generation.error_message if generation else Words("The text was removed before it was sent.")
    _fail(occurrence, code or "generation_cancelled", message or Words("The text was stopped."), None)


def _is_written(generation: Generation | None, run: BulkRun | None) -> bool:
    if run is not None:
        return run.state == RunState.COMPLETED and BulkRow.objects.filter(run=run).succeeded().exists()
    return generation is not None and generation.status == Status.SUCCEEDED


def _fail(occurrence: Occurrence, code: str, message: str, reads: list[Read] | None) -> None:
    with tenancy.scope(occurrence.organization_id):
        held = _held(occurrence, OccurrenceState.WAITING, OccurrenceState.ASKED)
        if held is None:
            return
        held.state, held.error_code = OccurrenceState.FAILED, code
        held.error_message, held.error_said = message[:2_000], said(message)
        held.finished_at, held.lease_until = Now(), None
        if reads is not None:
            held.read = [each.facts for each in reads]
        held.save(
            update_fields=["state", "error_code", "error_message", "error_said", "finished_at", "lease_until", "read"]
        )
        schedule = Schedule.objects.select_for_update().get(pk=held.schedule_id)
        schedule.failures, schedule.last_error, schedule.last_error_said = (
            schedule.failures + 1,
            held.error_message,
            held.error_said,
        )
        schedule.save(update_fields=["failures", "last_error", "last_error_said"])
        if schedule.failures == TELL_AFTER_FAILURES:
            tell_of_failures(schedule)
        events.record("schedule.failed", schedule.pk, {"name": schedule.name, "code": code})


def _wait(occurrence: Occurrence) -> None:
    with tenancy.scope(occurrence.organization_id):
        rows = Occurrence.objects.filter(pk=occurrence.pk, worker=occurrence.worker, state=OccurrenceState.WAITING)
        rows.update(lease_until=Now() + AGAIN)


def _held(occurrence: Occurrence, *states: OccurrenceState) -> Any:
    """The row, locked, while this worker's lease lasts."""
    rows = Occurrence.objects.select_related("generation", "run").select_for_update(of=("self",))
    return rows.filter(pk=occurrence.pk, worker=occurrence.worker, state__in=states, lease_until__gte=Now()).first()
