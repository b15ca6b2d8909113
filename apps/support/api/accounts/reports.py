"""Reports in Chatwoot's account API: the desk's own, under Chatwoot's names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from datetime import timezone as fixed
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.models import Membership, Team
from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import InvalidRequest, Unprocessable
from apps.core.schema import READ as READ_PROBLEMS
from apps.support.access import READ, WRITE
from apps.support.api.accounts.base import IN_ACCOUNT, PAGE, TAGS, AccountView, inbox_of, member_of, named, team_of
from apps.support.api.accounts.conversations import moment_of
from apps.support.api.accounts.desk import MEMBERS
from apps.support.api.told_errors import unprocessable as problems
from apps.support.chatwoot.people import name_of
from apps.support.errors import NoCounterpart
from apps.support.models import Agent, Availability, Inbox, Label, Numbered
from apps.support.reporting import UNITS, Report, Spread, start_of, starts_between
from apps.support.services import reports, setup
from apps.support.services.chatwoot import lists
from apps.support.services.chatwoot.conditions import NO_COUNTERPART
from apps.support.services.numbers import Numbers, row_of
from apps.support.services.reports import Part, Standing, Where

AGENTS_A_PAGE = 25
YEARS = (1970, 9_000)
COUNTS: dict[str, Callable[[Report], int]] = {
    "conversations_count": lambda report: report.conversations,
    "incoming_messages_count": lambda report: report.incoming,
    "outgoing_messages_count": lambda report: report.outgoing,
    "resolutions_count": lambda report: report.resolved,
    "bot_resolutions_count": lambda report: report.resolved_by_bot,
}
MEANS: dict[str, Callable[[Report], Spread]] = {
    "avg_first_response_time": lambda report: report.first_reply,
    "avg_resolution_time": lambda report: report.resolution,
}
OF_SUMMARY = ("conversations_count", "incoming_messages_count", "outgoing_messages_count", "resolutions_count")
TYPES = ("account", "inbox", "agent", "team", "label")
SINCE = OpenApiParameter(
    "since", str, description="Seconds since 1970; seven days before `until` where nothing is said."
)
UNTIL = OpenApiParameter("until", str, description="Seconds since 1970; now where nothing is said.")
HOURS = OpenApiParameter("business_hours", bool, description="There are no reports of business hours alone.")
SPAN = [*IN_ACCOUNT, SINCE, UNTIL, HOURS]
TYPE = OpenApiParameter("type", {"type": "string", "enum": list(TYPES), "default": "account"})
OF = OpenApiParameter("id", str, description="Of which inbox, agent, team or label.")


class AccountPointBody(serializers.Serializer[Any]):
    value = serializers.FloatField(help_text="A number, or a mean in seconds.")
    timestamp = serializers.IntegerField(help_text="Where the stretch begins, in seconds since 1970.")
    count = serializers.IntegerField(required=False, help_text="Of how many it is the mean.")


class AccountFiguresBody(serializers.Serializer[Any]):
    conversations_count = serializers.IntegerField()
    incoming_messages_count = serializers.IntegerField()
    outgoing_messages_count = serializers.IntegerField()
    resolutions_count = serializers.IntegerField()
    avg_first_response_time = serializers.FloatField(allow_null=True)
    avg_resolution_time = serializers.FloatField(allow_null=True)
    reply_time = serializers.FloatField(allow_null=True, help_text="Always null: the desk does not reckon it.")


class AccountSummaryBody(AccountFiguresBody):
    previous = AccountFiguresBody(help_text="The same of as long a time before.")


class AccountLiveMetricBody(serializers.Serializer[Any]):
    open = serializers.IntegerField()
    unattended = serializers.IntegerField()


class AccountLiveBody(AccountLiveMetricBody):
    """Of `type` `account`; of `agent` a list of members, each with their `metric`."""

    unassigned = serializers.IntegerField()


class AccountSummaryRowBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    conversations_count = serializers.IntegerField()
    resolved_conversations_count = serializers.IntegerField()
    avg_resolution_time = serializers.FloatField(allow_null=True)
    avg_first_response_time = serializers.FloatField(allow_null=True)
    avg_reply_time = serializers.FloatField(allow_null=True, help_text="Always null.")


# ---------------------------------------------------------------- what is asked for


def _span(request: Request) -> tuple[datetime, datetime]:
    if request.query_params.get("business_hours", "false").lower() not in ("", "false", "0"):
        raise NoCounterpart(NO_COUNTERPART, values={"name": "business_hours"}, param="business_hours")
    until = _moment(request, "until", timezone.now())
    return _moment(request, "since", until - timedelta(days=7)), until


def _moment(request: Request, name: str, otherwise: datetime) -> datetime:
    found = moment_of(request.query_params.get(name), name) or otherwise
    # Near the ends of the calendar another clock may not know the day.
    if not YEARS[0] <= found.year < YEARS[1]:
        raise InvalidRequest("A moment is given in seconds since 1970.", param=name)
    return found


def _where(request: Request) -> Where:
    """What a report is of, in scope."""
    kind, given = request.query_params.get("type") or "account", {"id": request.query_params.get("id")}
    if kind not in TYPES:
        raise NoCounterpart(NO_COUNTERPART, values={"name": kind[:80]}, param="type")
    if kind == "account":
        return Where()
    finders = {"inbox": inbox_of, "agent": member_of, "team": team_of, "label": _label_of}
    id = named("id", given, finders[kind])
    if id is None:
        raise InvalidRequest("Must be an id.", param="id")
    if kind == "label":
        # Conversations hold its title.
        title = Label.objects.filter(pk=id).values_list("title", flat=True).first()
        if title is None:
            raise InvalidRequest(setup.MISSING, param="id")
        return Where(label=title)
    of: dict[str, Any] = {kind: id}
    return Where(**of)


def _label_of(text: str) -> UUID:
    return row_of(Numbered.LABEL, text, setup.MISSING)


def _zone(request: Request) -> fixed:
    """The clock by which stretches begin, as hours from UTC."""
    try:
        return fixed(timedelta(hours=float(request.query_params.get("timezone_offset") or 0)))
    except (ValueError, OverflowError):
        raise InvalidRequest("Hours from UTC, such as 5.5 or -8.", param="timezone_offset") from None


# ---------------------------------------------------------------- what is told


def _point(metric: str, start: datetime, found: Report | None) -> dict[str, Any]:
    point: dict[str, Any] = {"value": 0, "timestamp": int(start.timestamp())}
    if metric in COUNTS:
        return point | ({"value": COUNTS[metric](found)} if found else {})
    spread = MEANS[metric](found) if found else Spread()
    return point | {"value": spread.mean or 0, "count": spread.count}


def _figures(found: Report) -> dict[str, Any]:
    figures: dict[str, Any] = {name: COUNTS[name](found) for name in OF_SUMMARY}
    return figures | {name: MEANS[name](found).mean for name in MEANS} | {"reply_time": None}


def _row(id: int, found: Report | None) -> dict[str, Any]:
    return {
        "id": id,
        "conversations_count": found.conversations if found else 0,
        "resolved_conversations_count": found.resolved if found else 0,
        "avg_resolution_time": found.resolution.mean if found else None,
        "avg_first_response_time": found.first_reply.mean if found else None,
        "avg_reply_time": None,
    }


class AccountReportsView(AccountView):
    """One figure, stretch by stretch."""

    pagination_class = None

    @extend_schema(
        operation_id="get_account_reports",
        summary="A figure of the conversations that began in each stretch of a time",
        tags=TAGS,
        parameters=[
            *SPAN,
            OpenApiParameter("metric", {"type": "string", "enum": [*COUNTS, *MEANS]}, required=True),
            TYPE,
            OF,
            OpenApiParameter("group_by", {"type": "string", "enum": list(UNITS), "default": "day"}),
            OpenApiParameter("timezone_offset", float, description="Hours from UTC; weeks begin on Monday."),
        ],
        responses={200: AccountPointBody(many=True), **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor, query = self.actor(request, account, READ), request.query_params
        metric, unit = query.get("metric", ""), query.get("group_by") or "day"
        if metric not in COUNTS and metric not in MEANS:
            raise NoCounterpart(NO_COUNTERPART, values={"name": metric[:80] or "metric"}, param="metric")
        if unit not in UNITS:
            raise NoCounterpart(NO_COUNTERPART, values={"name": unit[:80]}, param="group_by")
        zone, (since, until) = _zone(request), _span(request)

        def stretch(part: Part) -> datetime:
            return start_of(part.created_at.astimezone(zone), unit)

        with tenancy.scope(actor.organization_id):
            found = reports.reports_by(actor, since, until, stretch, _where(request))
        starts = starts_between(since.astimezone(zone), until.astimezone(zone), unit)
        return Response([_point(metric, start, found.get(start)) for start in starts])


class AccountSummaryView(AccountView):
    """All figures of a time, and of as long a time before."""

    @extend_schema(
        operation_id="get_account_report_summary",
        summary="Figures of the conversations that began in a time, and in as long a time before",
        tags=TAGS,
        parameters=[*SPAN, TYPE, OF],
        responses={200: AccountSummaryBody, **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        since, until = _span(request)
        with tenancy.scope(actor.organization_id):
            where = _where(request)
            now = _figures(reports.report(actor, since, until, where))
            return Response(now | {"previous": _figures(reports.report(actor, since - (until - since), since, where))})


class AccountLiveView(AccountView):
    """What is open at this moment."""

    pagination_class = None

    @extend_schema(
        operation_id="get_account_conversation_metrics",
        summary="How many conversations are open and unattended, of the account or by members",
        tags=TAGS,
        parameters=[
            *IN_ACCOUNT,
            OpenApiParameter("type", {"type": "string", "enum": ["account", "agent"]}, required=True),
            OpenApiParameter("user_id", str, description="With `agent`: of this one alone."),
            PAGE,
        ],
        responses={200: AccountLiveBody, **problems(*READ_PROBLEMS, 400, 404, 422)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor, kind = self.actor(request, account, READ), request.query_params.get("type", "")
        if not kind:
            raise Unprocessable("Say with `type` of what.", param="type")
        if kind not in ("account", "agent"):
            raise NoCounterpart(NO_COUNTERPART, values={"name": kind[:80]}, param="type")
        with tenancy.scope(actor.organization_id):
            found = reports.standing(actor)
            return Response(_all(found) if kind == "account" else self._by_agent(request, actor, found))

    def _by_agent(self, request: Request, actor: Actor, found: dict[UUID | None, Standing]) -> list[dict[str, Any]]:
        asked = named("user_id", {"user_id": request.query_params.get("user_id")}, member_of)
        members = [row for row in _agents() if asked in (None, row.pk)]
        members.sort(key=lambda row: -found.get(row.pk, Standing()).open)
        some = lists.page_of(members, lists.page_in(request.query_params), AGENTS_A_PAGE)
        numbers = Numbers(actor.organization_id)
        numbers.want(Numbered.USER, [row.user_id for row in some])
        agents = Agent.objects.filter(membership__in=[row.pk for row in some])
        there = dict(agents.values_list("membership_id", "availability"))
        return [
            {
                "id": numbers(Numbered.USER, row.user_id),
                "name": name_of(row),
                "email": row.user.email if MEMBERS in actor.permissions else "",
                "thumbnail": "",
                "availability": str(there.get(row.pk, Availability.OFFLINE)),
                "metric": _metric(found.get(row.pk, Standing())),
            }
            for row in some
        ]


def _metric(found: Standing) -> dict[str, int]:
    return {"open": found.open, "unattended": found.unattended}


def _all(found: dict[UUID | None, Standing]) -> dict[str, int]:
    all = Standing(sum(each.open for each in found.values()), sum(each.unattended for each in found.values()))
    return _metric(all) | {"unassigned": found.get(None, Standing()).open}


def _agents() -> list[Membership]:
    """Who answers, in scope, by their addresses."""
    rows = Membership.objects.select_related("user", "custom_role").order_by("user__email", "id")
    return [row for row in rows if WRITE in row.permissions]


class AccountSummaryReportsView(AccountView):
    """The figures of a time for each agent, team or inbox."""

    pagination_class = None

    @extend_schema(
        operation_id="get_account_summary_reports",
        summary="Figures of the conversations that began in a time, for each agent, team or inbox",
        tags=TAGS,
        parameters=[
            *SPAN,
            OpenApiParameter("of", {"type": "string", "enum": ["agent", "team", "inbox"]}, OpenApiParameter.PATH),
        ],
        responses={200: AccountSummaryRowBody(many=True), **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, of: str) -> Response:
        actor = self.actor(request, account, READ)
        since, until = _span(request)
        if of not in _PARTS:
            raise NoCounterpart(NO_COUNTERPART, values={"name": of[:80]}, param="of")
        kind, key = _PARTS[of], reports.GROUPS[of]
        with tenancy.scope(actor.organization_id):
            found = reports.reports_by(actor, since, until, key)
            numbers, rows = Numbers(actor.organization_id), _ROWS[of]()
            numbers.want(kind, [number for _id, number in rows])
            return Response([_row(numbers(kind, number), found.get(id)) for id, number in rows])


_PARTS = {"agent": Numbered.USER, "team": Numbered.TEAM, "inbox": Numbered.INBOX}


def _pairs(rows: Any) -> Sequence[tuple[UUID, UUID]]:
    return [(id, id) for id in rows.values_list("pk", flat=True)]


# What conversations know each by, and what it is told by.
_ROWS: dict[str, Callable[[], Sequence[tuple[UUID, UUID]]]] = {
    "agent": lambda: [(row.pk, row.user_id) for row in _agents()],
    "team": lambda: _pairs(Team.objects.order_by("name", "id")),
    "inbox": lambda: _pairs(Inbox.objects.order_by("name", "id")),
}
