"""Schedules for tests, and a worker that carries them out."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Any

import pytest
from django.core import mail as django_mail
from django.utils import timezone

from apps.core import tenancy
from apps.core.jobs import Status
from apps.core.mail import deliver_due
from apps.studio.models import Generation, Occurrence, Schedule
from apps.studio.services import Outcome, schedules
from tests.apps.studio.bulk.conftest import write_all
from tests.helpers.people import Tenant

PLAN = schedules.Plan(name="Morning", at=time(8), prompt="A digest of {{ date }}.", max_tokens=20)
FAILED = Outcome(Status.FAILED, "", "error", error_code="engine_error", error_message="The model failed.")
WRITTEN = Outcome(Status.SUCCEEDED, "# Tea\n\n<b>bold</b> [x](javascript:1)", "stop", 10, 5)


@pytest.fixture
def schedule(org_a: Tenant, model: Any) -> Schedule:
    return schedules.create_schedule(org_a.actor, PLAN)


def due(schedule: Schedule, **ago: float) -> Schedule:
    """As if its next time had come so long ago."""
    with tenancy.scope(schedule.organization_id):
        Schedule.objects.filter(pk=schedule.pk).update(next_at=timezone.now() - timedelta(**ago))
    return fresh(schedule)


def fresh(schedule: Schedule) -> Schedule:
    with tenancy.scope(schedule.organization_id):
        found: Schedule = Schedule.objects.get(pk=schedule.pk)
    return found


def occurrences(schedule: Schedule) -> list[Occurrence]:
    with tenancy.scope(schedule.organization_id):
        rows = Occurrence.objects.filter(schedule=schedule).select_related("generation")
        return list(rows.order_by("due_at"))


def carry_out(outcome: Any = WRITTEN) -> list[Generation]:
    schedules.plan_due()
    while schedules.look("w"):
        pass
    written = write_all(outcome)
    while schedules.look("w"):
        pass
    return written


def sent() -> list[Any]:
    deliver_due()
    found, django_mail.outbox = list(django_mail.outbox), []
    return found


def values_of(form: Any) -> dict[str, Any]:
    """What a browser would send of a form that nobody touches: of a list the first, unless another is chosen."""
    values = {}
    for name, field in form.fields.items():
        first = next((value for value, _words in getattr(field, "choices", [])), "")
        given = form[name].value()
        values[name] = first if given is None else given
    return values
