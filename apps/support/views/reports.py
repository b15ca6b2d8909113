"""The page of reports, and the same as a file for spreadsheets."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.accounts.access import Actor, organization_page
from apps.accounts.models import Membership, Team
from apps.core.charts import Chart, Kind, Series, draw
from apps.core.sheets import safe
from apps.support.models import Inbox
from apps.support.reporting import Report, Spread
from apps.support.services import reports
from apps.support.services.reports import Overview, Where

DAYS = (1, 7, 30, 90)
BY = {"agent": gettext_lazy("Agent"), "team": gettext_lazy("Team"), "inbox": gettext_lazy("Inbox")}
COLUMNS = (
    "conversations,resolved,incoming_messages,outgoing_messages,first_reply_median_seconds,first_reply_mean_seconds,"
    "resolution_median_seconds,resolution_mean_seconds,with_bot,resolved_by_bot,rating_mean,ratings,promises_kept,"
    "promises_missed"
).split(",")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; what it does not name, or what is not there, is as if it had said nothing."""

    days: int
    by: str
    inbox: Inbox | None
    team: Team | None
    inboxes: list[Inbox]
    teams: list[Team]

    @classmethod
    def of(cls, request: HttpRequest) -> Asked:
        given = request.GET
        inboxes, teams = list(Inbox.objects.order_by("name")), list(Team.objects.order_by("name"))
        return cls(
            days=next((each for each in DAYS if str(each) == given.get("days")), 7),
            by=given["by"] if given.get("by") in BY else "agent",
            inbox=next((row for row in inboxes if str(row.pk) == given.get("inbox")), None),
            team=next((row for row in teams if str(row.pk) == given.get("team")), None),
            inboxes=inboxes,
            teams=teams,
        )

    @property
    def unit(self) -> str:
        return "hour" if self.days == 1 else "day"

    @property
    def query(self) -> str:
        """All of it but whose they are."""
        chosen = {"inbox": self.inbox, "team": self.team}
        return urlencode({"days": str(self.days)} | {name: str(row.pk) for name, row in chosen.items() if row})

    def found(self, actor: Actor) -> Overview:
        now = timezone.localtime()
        where = Where(inbox=self.inbox.pk if self.inbox else None, team=self.team.pk if self.team else None)
        return reports.overview(actor, now - timedelta(days=self.days), now, self.by, where, self.unit)


@require_GET
@never_cache
@organization_page
def reports_page(request: HttpRequest) -> HttpResponse:
    """First replies, resolutions, ratings and the bot's work, of the last days, and whose they are."""
    asked = Asked.of(request)
    found = asked.found(request.actor)  # type: ignore[attr-defined]
    context = {
        "asked": asked,
        "report": found.whole,
        "lines": _lines(asked, found),
        "chart": _chart(asked, found.begun),
        "days": DAYS,
        "groups": BY,
        "group": BY[asked.by],
    }
    return render(request, "support/reports.html", context)


@require_GET
@never_cache
@organization_page
def reports_file(request: HttpRequest) -> HttpResponse:
    """The same table as CSV: durations in seconds, empty where there are none."""
    asked = Asked.of(request)
    found = asked.found(request.actor)  # type: ignore[attr-defined]
    lines = io.StringIO()
    sheet = csv.writer(lines)
    sheet.writerow([asked.by, *COLUMNS])
    for name, report in [*_lines(asked, found), ("", found.whole)]:
        sheet.writerow([safe(name), *_cells(report)])
    answer = HttpResponse("\ufeff" + lines.getvalue(), content_type="text/csv; charset=utf-8")
    name = f"support-by-{asked.by}-{timezone.now():%Y-%m-%d}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _cells(report: Report) -> list[Any]:
    def spread(of: Spread) -> list[Any]:
        return ["" if seconds is None else round(seconds) for seconds in (of.median, of.mean)]

    mean = "" if report.rating_mean is None else round(report.rating_mean, 2)
    return [
        *(report.conversations, report.resolved, report.incoming, report.outgoing),
        *(*spread(report.first_reply), *spread(report.resolution), report.with_bot, report.resolved_by_bot),
        *(mean, sum(report.ratings.values()), report.promises_kept, report.promises_missed),
    ]


def _lines(asked: Asked, found: Overview) -> list[tuple[str, Report]]:
    """By name, and nobody's last."""
    names = _names(asked.by, {id for id in found.groups if id is not None})
    lines = [(names.get(id, _("Gone")), report) for id, report in found.groups.items() if id is not None]
    lines.sort(key=lambda line: line[0].casefold())
    return lines + ([(_("Nobody"), found.groups[None])] if None in found.groups else [])


def _names(by: str, ids: set[UUID]) -> dict[UUID, str]:
    if by == "agent":
        members: QuerySet[Membership] = Membership.objects.filter(pk__in=ids).select_related("user")
        return {row.pk: str(row.user) for row in members}
    rows: QuerySet[Any] = Team.objects.filter(pk__in=ids) if by == "team" else Inbox.objects.filter(pk__in=ids)
    return dict(rows.values_list("pk", "name"))


def _chart(asked: Asked, begun: dict[datetime, int]) -> Chart | None:
    words = "TIME_FORMAT" if asked.unit == "hour" else "MONTH_DAY_FORMAT"
    return draw(
        Kind.BARS,
        _("Conversations that began"),
        [date_format(moment, words) for moment in begun],
        [Series(_("Conversations"), list(begun.values()))],
        label=_("Hour") if asked.unit == "hour" else _("Day"),
        show=str,
    )
