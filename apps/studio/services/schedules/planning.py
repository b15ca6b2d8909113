"""What is due becomes an occurrence: once, with any number of schedulers, and after downtime the latest one only."""

from __future__ import annotations

from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from apps.core import events, tenancy
from apps.core.tenancy import Across, across_tenants
from apps.studio.calendars import latest_until, missed_between, next_after
from apps.studio.models import Occurrence, Schedule

BATCH = 100


def due() -> QuerySet[Schedule]:
    """Schedules whose time has come; across tenants."""
    rows: QuerySet[Schedule] = Schedule.objects.filter(next_at__lte=Now())
    return rows


def plan_due() -> int:
    """Plans every schedule whose time has come; how many."""
    with across_tenants(Across.CLAIM_WORK):
        found = list(due().order_by("next_at").values_list("organization_id", "pk")[:BATCH])
    return sum(_plan(organization_id, id) for organization_id, id in found)


def _plan(organization_id: UUID, id: UUID) -> bool:
    """The row lock decides between two schedulers, and the key of occurrences would, were there none."""
    with tenancy.scope(organization_id):
        rows = Schedule.objects.select_for_update(skip_locked=True)
        schedule: Schedule | None = rows.filter(pk=id, next_at__lte=Now()).first()
        if schedule is None or schedule.next_at is None:
            return False
        now = timezone.now()
        latest = max(latest_until(schedule.rule, now), schedule.next_at)
        is_new: bool
        _row, is_new = Occurrence.objects.get_or_create(
            schedule=schedule,
            due_at=latest,
            defaults={
                "organization_id": organization_id,
                "skipped": missed_between(schedule.rule, schedule.next_at, latest),
            },
        )
        schedule.next_at = next_after(schedule.rule, max(now, latest))
        schedule.save(update_fields=["next_at"])
        if is_new:
            events.record("schedule.due", schedule.pk, {"name": schedule.name, "due_at": latest.isoformat()})
    return is_new
