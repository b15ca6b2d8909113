"""Reports under Chatwoot's names are the desk's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import Team
from apps.core import tenancy
from apps.support.models import Conversation
from apps.support.reporting import start_of, starts_between
from apps.support.services import assignment, conversations, messages, reports, setup
from apps.support.services.storing import Draft
from tests.helpers.account_api import Program
from tests.helpers.desk import Desk

pytestmark = pytest.mark.django_db


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def test_programs_read_the_desks_own_figures(desk: Desk, other_desk: Desk) -> None:
    program, ann = Program(desk, ("support:read",)), desk.agent("ann", online=False)
    other_desk.begin()
    setup.create(desk.tenant.actor, "label", {"title": "late"})
    with tenancy.scope(desk.tenant.id):
        team = Team.objects.create(organization_id=desk.tenant.id, name="Returns")
    answered, marked, waiting = desk.begin(), desk.begin(), desk.begin()
    messages.reply(ann, answered.pk, Draft("Done"))
    conversations.set_status(ann, answered.pk, "resolved")
    conversations.change_conversation(ann, marked.pk, {"labels": ["late"]})
    assignment.assign(desk.tenant.actor, marked.pk, {"team": team.pk})
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    # One began two days before the others.
    with tenancy.scope(desk.tenant.id):
        Conversation.objects.update(created_at=midnight)
        Conversation.objects.filter(pk=waiting.pk).update(created_at=midnight - timedelta(days=1, hours=1))
    span = {"since": seconds(midnight - timedelta(days=3)), "until": seconds(midnight + timedelta(days=1))}
    own = reports.report(desk.tenant.actor, midnight - timedelta(days=3), midnight + timedelta(days=1))
    summary = program.reports("/reports/summary", type="account", **span)
    previous = summary.pop("previous")
    assert summary == {
        "conversations_count": own.conversations,
        "incoming_messages_count": own.incoming,
        "outgoing_messages_count": own.outgoing,
        "resolutions_count": own.resolved,
        "avg_first_response_time": own.first_reply.mean,
        "avg_resolution_time": own.resolution.mean,
        "reply_time": None,
    }
    assert (own.conversations, own.incoming, own.outgoing, own.resolved, own.first_reply.count) == (3, 3, 1, 1, 1)
    assert (previous["conversations_count"], previous["avg_first_response_time"]) == (0, None)

    def counts(**more: Any) -> list[int]:
        told = program.reports("/reports", metric="conversations_count", **span, **more)
        return [each["value"] for each in told]

    assert counts(type="account", group_by="day") == [0, 1, 0, 2]
    # An hour later it is another day.
    assert counts(timezone_offset=1) == [0, 0, 1, 2, 0]
    label = program.said("GET", "/labels")["payload"][0]["id"]
    [number] = [each["id"] for each in program.said("GET", "/agents") if each["name"] == "ann"]
    assert sum(counts(type="label", id=label)) == sum(counts(type="agent", id=number)) == 1
    assert sum(counts(type="team", id=str(team.pk))) == 1
    [*_, last] = program.reports("/reports", metric="avg_resolution_time", **span)
    assert (last["value"], last["count"]) == (own.resolution.mean, 1)
    assert last["timestamp"] == seconds(midnight)
    [row] = [each for each in program.reports("/summary_reports/agent", **span) if each["id"] == number]
    assert (row["conversations_count"], row["resolved_conversations_count"]) == (1, 1)
    assert (row["avg_first_response_time"], row["avg_reply_time"]) == (own.first_reply.mean, None)
    assert [each["conversations_count"] for each in program.reports("/summary_reports/team", **span)] == [1]
    assert [each["conversations_count"] for each in program.reports("/summary_reports/inbox", **span)] == [3]
    live = program.reports("/reports/conversations", type="account")
    assert live == {"open": 2, "unattended": 2, "unassigned": 2}
    conversations.set_status(ann, answered.pk, "open")
    [told] = program.reports("/reports/conversations", type="agent", user_id=number)
    assert (told["name"], told["email"], told["metric"]) == ("ann", "", {"open": 1, "unattended": 0})


UNKNOWN: list[tuple[str, dict[str, Any], str, str]] = [
    ("/reports", {"metric": "reply_time"}, "no_counterpart", "metric"),
    ("/reports", {"metric": "conversations_count", "type": "campaign"}, "no_counterpart", "type"),
    ("/reports", {"metric": "conversations_count", "group_by": "quarter"}, "no_counterpart", "group_by"),
    ("/reports/summary", {"business_hours": "true"}, "no_counterpart", "business_hours"),
    ("/reports", {"metric": "conversations_count", "type": "inbox", "id": 999_999}, "invalid_request", "id"),
    ("/reports", {"metric": "conversations_count", "since": "yesterday"}, "invalid_request", "since"),
    ("/reports", {"metric": "conversations_count", "until": "253402300799"}, "invalid_request", "until"),
    ("/reports", {"metric": "conversations_count", "timezone_offset": "99"}, "invalid_request", "timezone_offset"),
    ("/reports/conversations", {}, "unprocessable", "type"),
    ("/summary_reports/label", {}, "no_counterpart", "of"),
]


def test_what_is_not_reckoned_is_said(desk: Desk) -> None:
    program = Program(desk)
    for path, query, code, name in UNKNOWN:
        refused = program.asked(path, **query)
        told = refused.json()
        assert (refused.status_code, told["error"]["code"], told["attributes"]) == (422, code, [name]), query


def test_stretches_begin_by_the_clock_that_is_asked_for() -> None:
    moment = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    assert [str(start_of(moment, unit))[:16] for unit in ("hour", "day", "week", "month", "year")] == [
        "2026-12-31 23:00", "2026-12-31 00:00", "2026-12-28 00:00", "2026-12-01 00:00", "2026-01-01 00:00",
    ]  # fmt: skip
    months = starts_between(moment, datetime(2027, 3, 1, tzinfo=UTC), "month")
    assert [f"{each:%Y-%m-%d}" for each in months] == ["2026-12-01", "2027-01-01", "2027-02-01"]
