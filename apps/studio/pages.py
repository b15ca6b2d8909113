"""What the pages read: a page of the history by cursor, and tokens a day for the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.access import Actor
from apps.accounts.models import Organization
from apps.billing.usage import tokens_by_day
from apps.core.charts import Chart, Kind, Series, draw
from apps.core.jobs import Status
from apps.core.templatetags.ui import grouped
from apps.studio.guide import state_for
from apps.studio.models import Generation

HISTORY_ROWS = 25
CHART_DAYS = 30

# Not a status: texts that the reader has marked.
FAVOURITES = "favourites"
FILTERS: dict[str, Promise] = {
    "": _("All"),
    "active": _("In progress"),
    Status.SUCCEEDED.value: _("Done"),
    Status.CANCELLED.value: _("Stopped"),
    Status.FAILED.value: _("Failed"),
    FAVOURITES: _("Favourites"),
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
    row: Generation | None = Generation.objects.of_studio().filter(pk=id).first()
    return row


def _before(row: Generation) -> Q:
    return Q(created_at__lt=row.created_at) | Q(created_at=row.created_at, id__lt=row.pk)


def _after(row: Generation) -> Q:
    return Q(created_at__gt=row.created_at) | Q(created_at=row.created_at, id__gt=row.pk)


def at_a_glance(actor: Actor, since: datetime) -> dict[str, Any]:
    """How many texts are being written (`active`) and have `failed` since then, and which first steps have been done.

    Small things of several tables, in one question; within the tenant's scope.
    """
    rows = Generation.objects.of_studio()
    failed = rows.filter(status=Status.FAILED, created_at__gte=since)
    parts = state_for(actor) | {"active": rows.unfinished().number(), "failed": failed.number()}
    return dict(Organization.objects.filter(pk=actor.organization_id).values(**parts).get())


def daily_tokens(now: datetime) -> Chart | None:
    """Tokens by the day on which they were asked for, of the last 30 (UTC), oldest first; None when there are none."""
    first = now.date() - timedelta(days=CHART_DAYS - 1)
    by_day = tokens_by_day(first)
    days = [first + timedelta(days=index) for index in range(CHART_DAYS)]
    tokens = Series(gettext("Tokens"), [by_day.get(day, 0) for day in days])
    return draw(
        Kind.BARS,
        gettext("Tokens a day"),
        [date_format(day, "MONTH_DAY_FORMAT") for day in days],
        [tokens],
        label=gettext("Day"),
        show=grouped,
        most=gettext("Most: {value} ({label})"),
    )


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
