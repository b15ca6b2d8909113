"""What the pages read: a page of the history by cursor, and tokens a day for the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.billing.chart import DayBar, bars
from apps.billing.models import UsageDay
from apps.core.jobs import Status
from apps.studio.models import Generation

HISTORY_ROWS = 25
CHART_DAYS = 30

FILTERS: dict[str, Promise] = {
    "": _("All"),
    "active": _("In progress"),
    Status.SUCCEEDED.value: _("Done"),
    Status.CANCELLED.value: _("Stopped"),
    Status.FAILED.value: _("Failed"),
}


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Rows, newest first; `older` and `newer` are the ids to continue from, or None at an end."""

    rows: Sequence[Generation]
    older: UUID | None
    newer: UUID | None


def history_page(rows: Any, status: str, before: str | None, after: str | None) -> HistoryPage:
    """A page by cursor, stable while rows are added; an unknown filter or cursor means none."""
    if status == "active":
        rows = rows.unfinished()
    elif status in FILTERS:
        rows = rows.with_status(status)
    if newer_than := _anchor(after):
        found = list(rows.filter(_after(newer_than)).order_by("created_at", "id")[: HISTORY_ROWS + 1])
        more, found = len(found) > HISTORY_ROWS, found[:HISTORY_ROWS][::-1]
        return HistoryPage(found, found[-1].pk if found else None, found[0].pk if more else None)
    older_than = _anchor(before)
    found = list((rows.filter(_before(older_than)) if older_than else rows)[: HISTORY_ROWS + 1])
    more, found = len(found) > HISTORY_ROWS, found[:HISTORY_ROWS]
    return HistoryPage(found, found[-1].pk if more else None, found[0].pk if older_than and found else None)


def _anchor(value: str | None) -> Generation | None:
    try:
        id = UUID(value or "")
    except ValueError:
        return None
    row: Generation | None = Generation.objects.filter(pk=id).first()
    return row


def _before(row: Generation) -> Q:
    return Q(created_at__lt=row.created_at) | Q(created_at=row.created_at, id__lt=row.pk)


def _after(row: Generation) -> Q:
    return Q(created_at__gt=row.created_at) | Q(created_at=row.created_at, id__gt=row.pk)


def daily_tokens(now: datetime) -> list[DayBar]:
    """Tokens by the day on which they were asked for, of the last 30 (UTC), oldest first; empty when there are none."""
    first = now.date() - timedelta(days=CHART_DAYS - 1)
    sums = UsageDay.objects.filter(day__gte=first).order_by().values("day").annotate(sum=Sum("tokens"))
    by_day = {row["day"]: row["sum"] for row in sums}
    if not by_day:
        return []
    days = [first + timedelta(days=index) for index in range(CHART_DAYS)]
    return bars(days, by_day)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds from the request to the end, and tokens a second while it was written; None where unknown."""

    seconds: float | None
    rate: float | None


def timing_of(generation: Generation) -> Timing:
    if generation.finished_at is None:
        return Timing(None, None)
    seconds = (generation.finished_at - generation.created_at).total_seconds()
    writing = (generation.finished_at - generation.claimed_at).total_seconds() if generation.claimed_at else 0.0
    return Timing(seconds, generation.completion_tokens / writing if writing > 0 else None)
