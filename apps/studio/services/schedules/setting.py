"""What a schedule asks and when: made, changed, paused, run at once, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, jobs, outbound, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.registry import services as registry
from apps.studio.calendars import next_after
from apps.studio.models import Frequency, Occurrence, OccurrenceState, Schedule
from apps.studio.services import templates
from apps.studio.services.bulk.taking import get_run

READ, WRITE = "generations:read", "generations:write"
NO_SCHEDULE = gettext_noop("There is no schedule with this id.")
LOOK = "schedules.look"
MOST_SCHEDULES, MOST_SOURCES = 100, 10
LONGEST_NAME, LONGEST_PROMPT = 120, 20_000


@dataclass(frozen=True, slots=True)
class Plan:
    """A schedule as it is asked for; see Schedule for the meaning of each field."""

    name: str
    at: time
    prompt: str = ""
    template: str = ""
    table: UUID | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    model_name: str = "default"
    max_tokens: int = 256
    frequency: str = Frequency.DAILY
    weekday: int = 0
    day: int = 1
    zone: str = "UTC"

    def columns(self) -> dict[str, Any]:
        names = ("name", "at", "prompt", "template", "model_name", "max_tokens", "frequency", "weekday", "day", "zone")
        found = {name: getattr(self, name) for name in names}
        return found | {
            "variables": dict(self.variables),
            "sources": list(self.sources),
            "table_id": self.table,
        }


def get_schedule(actor: Actor, id: UUID) -> Schedule:
    actor.require(READ)
    with tenancy.reading(actor.organization_id):
        return _found(Schedule.objects.select_related("created_by", "api_key"), id)


def _found(rows: Any, id: UUID) -> Schedule:
    schedule: Schedule | None = rows.filter(pk=id).first()
    if schedule is None:
        raise NotFound(NO_SCHEDULE)
    return schedule


def create_schedule(actor: Actor, plan: Plan) -> Schedule:
    actor.require(WRITE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        _check(actor, plan)
        if Schedule.objects.count() >= MOST_SCHEDULES:
            raise Conflict("An organization has at most %(most)s schedules.", values={"most": MOST_SCHEDULES})
        schedule = Schedule(
            organization_id=actor.organization_id,
            created_by_id=actor.user_id,
            api_key_id=actor.api_key_id,
            **plan.columns(),
        )
        schedule.next_at = next_after(schedule.rule, timezone.now())
        schedule.save()
        schedule.refresh_from_db()
        _record(actor, "schedule.created", schedule)
    return schedule


def change_schedule(actor: Actor, id: UUID, plan: Plan) -> Schedule:
    """From its next time on; one that is paused stays so."""
    with tenancy.scope(actor.organization_id):
        schedule = locked_schedule(actor, id)
        _check(actor, plan)
        for name, value in plan.columns().items():
            setattr(schedule, name, value)
        if schedule.next_at is not None:
            schedule.next_at = next_after(schedule.rule, timezone.now())
        schedule.save()
        _record(actor, "schedule.changed", schedule)
    return schedule


def pause_schedule(actor: Actor, id: UUID) -> Schedule:
    with tenancy.scope(actor.organization_id):
        schedule = locked_schedule(actor, id)
        if schedule.next_at is not None:
            schedule.next_at = None
            schedule.save(update_fields=["next_at"])
            _record(actor, "schedule.paused", schedule)
    return schedule


def resume_schedule(actor: Actor, id: UUID) -> Schedule:
    """From its next time on; what was due while it was paused is not made up for."""
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        schedule = locked_schedule(actor, id)
        if schedule.next_at is None:
            schedule.next_at = next_after(schedule.rule, timezone.now())
            schedule.failures = 0
            schedule.save(update_fields=["next_at", "failures"])
            _record(actor, "schedule.resumed", schedule)
    return schedule


def run_now(actor: Actor, id: UUID) -> Occurrence:
    """One occurrence more, at once; its next time stays."""
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        schedule = locked_schedule(actor, id)
        if schedule.occurrences.filter(state__in=[OccurrenceState.WAITING, OccurrenceState.ASKED]).exists():
            raise Conflict("It is being carried out already.")
        occurrence: Occurrence = Occurrence.objects.create(
            organization_id=schedule.organization_id, schedule=schedule, due_at=timezone.now(), by_hand=True
        )
        audit.record(actor, "schedule.run", schedule)
        jobs.ring(LOOK)
    return occurrence


def delete_schedule(actor: Actor, id: UUID) -> None:
    """Removes a schedule with its recipients and its history; its texts stay."""
    with tenancy.scope(actor.organization_id):
        schedule = locked_schedule(actor, id)
        _record(actor, "schedule.deleted", schedule)
        schedule.delete()


def locked_schedule(actor: Actor, id: UUID) -> Schedule:
    """The schedule, locked until commit: its next time and its recipients change under this lock."""
    actor.require(WRITE)
    return _found(Schedule.objects.select_for_update(), id)


def _check(actor: Actor, plan: Plan) -> None:
    if not plan.name.strip() or len(plan.name) > LONGEST_NAME:
        raise InvalidRequest("A name has 1 to %(most)s characters.", values={"most": LONGEST_NAME}, param="name")
    if [bool(plan.prompt.strip()), bool(plan.template), plan.table is not None].count(True) != 1:
        raise InvalidRequest("Give a prompt, or choose a template or a table.", param="prompt")
    if plan.table is not None:
        _check_table(actor, plan.table)
    if len(plan.prompt) > LONGEST_PROMPT:
        raise InvalidRequest(
            "A prompt has at most %(most)s characters.", values={"most": LONGEST_PROMPT}, param="prompt"
        )
    if plan.template:
        templates.version_of(actor, plan.template)
    registry.resolve(plan.model_name)
    _check_rule(plan)
    if len(plan.sources) > MOST_SOURCES:
        raise InvalidRequest("At most %(most)s sources.", values={"most": MOST_SOURCES}, param="sources")
    for url in plan.sources:
        outbound.target_of(url, settings.OUTBOUND_ALLOW_PRIVATE)


def _check_table(actor: Actor, id: UUID) -> None:
    if get_run(actor, id).estimate is None:
        raise Conflict("Say first what is to be asked about each row.", param="table")


def _check_rule(plan: Plan) -> None:
    if plan.frequency not in Frequency.values:
        raise InvalidRequest("There is no such frequency.", param="frequency")
    if not 1 <= plan.max_tokens <= 1_000_000:
        raise InvalidRequest("max_tokens must be between 1 and 1,000,000.", param="max_tokens")
    if not 0 <= plan.weekday <= 6:
        raise InvalidRequest("A weekday is 0, Monday, to 6.", param="weekday")
    if not 1 <= plan.day <= 31:
        raise InvalidRequest("A day of the month is 1 to 31.", param="day")
    try:
        ZoneInfo(plan.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise NotFound("There is no such time zone.", param="zone") from None


def _record(actor: Actor, action: str, schedule: Schedule) -> None:
    audit.record(actor, action, schedule)
    next_at = schedule.next_at.isoformat() if schedule.next_at else None
    events.record(action, schedule.pk, {"name": schedule.name, "next_at": next_at})
