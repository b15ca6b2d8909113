"""Usage events: each counts once, wrong ones leave nothing, and every sum equals the ledger's lines."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.db.models import Sum
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.billing import services as billing
from apps.billing.cloudevents import UsageEvent
from apps.billing.entitlements import month_of
from apps.billing.models import EntryKind, LedgerEntry, MeterPeriod, Spender, UsageHour, UsagePeriod
from apps.billing.services import ingest
from apps.core import tenancy
from apps.core.errors import UsageEventConflict, UsageEventInvalid
from tests.apps.billing.test_budgets import team_of
from tests.helpers.people import Tenant, member_of
from tests.helpers.threads import together

PATH = "/api/v1/usage/events"
Body = dict[str, Any]


def event(id: str = "1", quantity: int = 4, *, at: datetime | None = None, **more: Any) -> UsageEvent:
    """An event as services take it, of now unless told otherwise."""
    moment = at or timezone.now().replace(microsecond=0)
    return UsageEvent(
        **{"source": "/farm", "id": id, "meter": "images", "quantity": quantity, "occurred_at": moment, **more}
    )


def write(tenant: Tenant, events: Sequence[UsageEvent], now: datetime | None = None) -> billing.Written:
    with tenancy.scope(tenant.id):
        return billing.write_usage(events, now=now)


def lines(tenant: Tenant) -> list[LedgerEntry]:
    with tenancy.scope(tenant.id):
        return list(LedgerEntry.objects.filter(kind=EntryKind.USAGE).order_by("id"))


def assert_sums_equal_lines(tenant: Tenant) -> int:
    """Hours and months say what the lines say; returns how much that is."""
    with tenancy.scope(tenant.id):
        entries = LedgerEntry.objects.filter(kind=EntryKind.USAGE)
        total: int = entries.aggregate(sum=Sum("quantity", default=0))["sum"]
        hours = UsageHour.objects.exclude(meter="")
        assert hours.aggregate(sum=Sum("quantity", default=0), n=Sum("requests", default=0)) == {
            "sum": total,
            "n": entries.count(),
        }
        by_month = dict(entries.values_list("month").annotate(sum=Sum("quantity")).order_by("month"))
        assert dict(MeterPeriod.objects.values_list("month").annotate(sum=Sum("used")).order_by("month")) == by_month
    return total


# ---------------------------------------------------------------- once


def test_an_event_becomes_a_line_and_counts_in_hour_and_month(org_a: Tenant) -> None:
    moment = timezone.now() - timedelta(minutes=1)
    written = write(org_a, [event(at=moment, model="sketch", subject=org_a.member.email)])
    assert (written.accepted, written.duplicates) == (1, 0)
    [line] = lines(org_a)
    assert (line.meter, line.quantity, line.tokens, line.model_name) == ("images", 4, 0, "sketch")
    assert (line.occurred_at, line.day, line.month) == (moment, moment.date(), month_of(moment))
    with tenancy.scope(org_a.id):
        assert Spender.objects.get(user=org_a.member).pk == line.spender_id
        hour = UsageHour.objects.get()
    assert hour.hour == moment.replace(minute=0, second=0, microsecond=0)
    assert (hour.spender_id, hour.meter, hour.quantity, hour.requests) == (line.spender_id, "images", 4, 1)
    assert assert_sums_equal_lines(org_a) == 4


def test_the_same_event_again_changes_nothing(org_a: Tenant) -> None:
    first = event()
    assert [receipt.duplicate for receipt in write(org_a, [first, first]).receipts] == [False, True]
    again = write(org_a, [first, event("2", at=first.occurred_at)])
    assert [receipt.duplicate for receipt in again.receipts] == [True, False]
    assert assert_sums_equal_lines(org_a) == 8


def test_another_content_under_the_same_id_refuses_the_batch(org_a: Tenant) -> None:
    first = event()
    write(org_a, [first])
    others: list[Body] = [
        {"quantity": 5},
        {"meter": "tokens_in"},
        {"model": "other"},
        {"subject": org_a.member.email},
        {"at": first.occurred_at - timedelta(seconds=1)},
    ]
    for other in others:
        with pytest.raises(UsageEventConflict, match="of another event") as refused:
            write(org_a, [event("new"), event(**({"at": first.occurred_at} | other))])
        assert refused.value.param == "1.id"
    with pytest.raises(UsageEventConflict):
        write(org_a, [event("twice", 1), event("twice", 2)])
    assert assert_sums_equal_lines(org_a) == 4


def test_two_organizations_may_use_the_same_ids(org_a: Tenant, org_b: Tenant) -> None:
    write(org_a, [event(quantity=1)])
    assert write(org_b, [event(quantity=2)]).accepted == 1
    assert (assert_sums_equal_lines(org_a), assert_sums_equal_lines(org_b)) == (1, 2)


def test_the_same_id_of_another_source_is_another_event(org_a: Tenant) -> None:
    assert write(org_a, [event(), event(source="/other")]).accepted == 2


@pytest.mark.django_db(transaction=True)
def test_an_event_sent_a_hundred_times_at_once_counts_once(org_a: Tenant) -> None:
    sent = event()
    results = together([lambda: write(org_a, [sent])] * 100)
    assert [type(result) for result in results] == [billing.Written] * 100
    assert sum(result.accepted for result in results) == 1
    assert assert_sums_equal_lines(org_a) == 4


@pytest.mark.django_db(transaction=True)
def test_two_contents_at_once_leave_one_and_a_conflict(org_a: Tenant) -> None:
    moment = timezone.now()
    results = together([lambda n=n: write(org_a, [event(quantity=n % 2 + 1, at=moment)]) for n in range(12)])
    [line] = lines(org_a)
    refused = [result for result in results if isinstance(result, UsageEventConflict)]
    assert len(refused) == 6
    assert sum(result.accepted for result in results if isinstance(result, billing.Written)) == 1
    assert assert_sums_equal_lines(org_a) == line.quantity


@pytest.mark.django_db(transaction=True)
def test_batches_that_overlap_in_any_order_never_wait_for_each_other(org_a: Tenant) -> None:
    """Over two months and in both directions: a deadlock would be an error here."""
    now = datetime.now(UTC)
    events = [event(str(n), at=now - timedelta(days=n)) for n in range(30)]
    orders = [Random(seed).sample(events, len(events)) for seed in range(12)]
    results = together([lambda order=order: write(org_a, order) for order in orders])
    assert [type(result) for result in results] == [billing.Written] * 12
    assert sum(result.accepted for result in results) == 30
    assert assert_sums_equal_lines(org_a) == 120


EVENTS = st.lists(
    st.tuples(st.integers(0, 15), st.sampled_from(["images", "tokens_in"]), st.integers(0, 34), st.booleans()),
    min_size=1,
    max_size=16,
    unique_by=lambda each: each[0],
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=EVENTS, seed=st.integers(0, 2**32))
def test_any_split_order_and_duplication_gives_the_same_ledger(org_a: Tenant, drawn: list[Any], seed: int) -> None:
    random, now, run = Random(seed), timezone.now(), uuid4().hex
    events = [
        event(f"{run}-{id}", id + 1, meter=meter, at=now - timedelta(days=days), subject=str(org_a.member.email) * of)
        for id, meter, days, of in drawn
    ]
    sent = random.sample(events, len(events)) + random.choices(events, k=len(events))
    random.shuffle(sent)
    accepted = 0
    while sent:
        size = random.randint(1, 6)
        accepted += write(org_a, sent[:size]).accepted
        sent = sent[size:]
    assert accepted == len(events)
    found = {line.event_id: (line.meter, line.quantity) for line in lines(org_a) if line.event_id.startswith(run)}
    assert found == {each.id: (each.meter, each.quantity) for each in events}
    assert_sums_equal_lines(org_a)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("statement", ["LOCK_MONTHS", "KNOWN", "WRITE"])
def test_a_connection_killed_between_statements_leaves_nothing_and_the_retry_writes_once(
    org_a: Tenant, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a process that dies does: PostgreSQL ends the session before the transaction commits."""
    sent = [event(str(n)) for n in range(3)]
    text = getattr(ingest, statement)
    monkeypatch.setattr(ingest, statement, text + "; SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(Exception, match=r"terminat|closed"):
        write(org_a, sent)
    connection.close()
    monkeypatch.undo()
    assert lines(org_a) == []
    assert write(org_a, sent).accepted == 3
    assert write(org_a, sent).duplicates == 3
    assert assert_sums_equal_lines(org_a) == 12


# ---------------------------------------------------------------- late


def test_late_usage_stands_in_this_month_and_says_of_which_it_is(org_a: Tenant) -> None:
    now = datetime(2026, 11, 5, 12, 30, tzinfo=UTC)
    october = datetime(2026, 10, 20, 8, tzinfo=UTC)
    write(org_a, [event("in time", 1, at=october)], now)
    with tenancy.scope(org_a.id):
        UsagePeriod.objects.filter(month=date(2026, 10, 1)).update(closed_at=now)
    written = write(org_a, [event("late", 2, at=october), event("of now", 4, at=now)], now)
    assert [receipt.late_from for receipt in written.receipts] == [date(2026, 10, 1), None]
    found = {line.event_id: (line.month, line.day, line.late_from, line.occurred_at) for line in lines(org_a)}
    assert found["late"] == (date(2026, 11, 1), now.date(), date(2026, 10, 1), october)
    assert found["of now"] == (date(2026, 11, 1), now.date(), None, now)
    assert found["in time"][0] == date(2026, 10, 1)
    with tenancy.scope(org_a.id):
        assert UsageHour.objects.get(hour=now.replace(minute=0)).quantity == 6
        used = dict(MeterPeriod.objects.values_list("month", "used"))
    assert used == {date(2026, 10, 1): 1, date(2026, 11, 1): 6}
    assert write(org_a, [event("late", 2, at=october)], now).duplicates == 1
    assert_sums_equal_lines(org_a)


@pytest.mark.parametrize(("days", "minutes"), [(35, 1), (0, -6)])
def test_a_time_out_of_bounds_is_refused(org_a: Tenant, days: int, minutes: int) -> None:
    moment = timezone.now() - timedelta(days=days, minutes=minutes)
    with pytest.raises(UsageEventInvalid) as refused:
        write(org_a, [event("good"), event(at=moment)])
    assert refused.value.param == "1.time"
    assert lines(org_a) == []


# ---------------------------------------------------------------- whose


def test_a_subject_is_a_member_or_a_service_account_of_this_organization(org_a: Tenant, org_b: Tenant) -> None:
    team = team_of(org_a, org_a.member)
    account = accounts.create_service_account(org_a.actor, "robot", "member")
    member = member_of(org_a, org_a.member)
    named = [org_a.member.email.upper(), str(member.pk), str(account.pk)]
    named.append(org_a.member.email)
    write(org_a, [event(str(n), subject=subject) for n, subject in enumerate(named)])
    by_address, by_id, robot, again = lines(org_a)
    assert by_address.spender_id == by_id.spender_id == again.spender_id != robot.spender_id
    assert (by_address.team_ids, robot.team_ids) == ([team.pk], [])
    for stranger in (org_b.member.email, str(member_of(org_b, org_b.member).pk), "nobody@x.example", str(uuid4()), "x"):
        with pytest.raises(UsageEventInvalid, match="names no member"):
            write(org_a, [event("strange", subject=stranger)])


def test_without_a_subject_it_counts_for_whoever_the_key_belongs_to(org_a: Tenant) -> None:
    account = accounts.create_service_account(org_a.actor, "robot", "admin")
    limits = accounts.KeyLimits(service_account_id=account.pk)
    key, secret = accounts.create_api_key(org_a.actor, "meter", ["usage:write"], limits)
    assert post(secret, body()).status_code == 200
    [line] = lines(org_a)
    with tenancy.scope(org_a.id):
        assert Spender.objects.get(pk=line.spender_id).service_account_id == account.pk
    assert line.api_key_id == key.pk


# ---------------------------------------------------------------- over HTTP


@pytest.fixture
def secret(org_a: Tenant) -> str:
    return accounts.create_api_key(org_a.actor, "meter", ["usage:write"])[1]


def body(id: str = "1", **more: Any) -> Body:
    moment = (timezone.now() - timedelta(seconds=5)).isoformat()
    sent = {
        "specversion": "1.0",
        "id": id,
        "source": "/farm",
        "type": "images",
        "time": moment,
        "data": {"quantity": 4},
    }
    return sent | more


def post(secret: str, sent: Any, content_type: str = "application/json") -> Any:
    headers = {"authorization": f"Bearer {secret}"}
    return Client().post(PATH, sent, content_type=content_type, headers=headers)


def test_each_content_type_takes_what_it_says(org_a: Tenant, secret: str) -> None:
    one, batch = "application/cloudevents+json", "application/cloudevents-batch+json"
    first = body("a", type="millrace.usage.images", datacontenttype="application/json")
    answer = post(secret, first, one)
    assert (answer.status_code, answer.json()["accepted"]) == (200, 1)
    assert answer["x-ratelimit-limit-events"] == str(django_settings.USAGE_EVENTS_PER_MINUTE)
    again = post(secret, [first, body("b")], f"{batch}; charset=utf-8").json()
    assert [receipt["duplicate"] for receipt in again["events"]] == [True, False]
    assert (again["accepted"], again["duplicates"]) == (1, 1)
    assert post(secret, [body("c")]).status_code == 200
    assert post(secret, body("d")).status_code == 200
    for sent, wrong in (([body()], one), (body(), batch)):
        assert post(secret, sent, wrong).json()["error"]["code"] == "invalid_json"
    assert post(secret, body(), "text/plain").status_code == 415
    assert assert_sums_equal_lines(org_a) == 16


WRONG: list[tuple[Body, str, str]] = [
    ({"specversion": "0.3"}, "usage_event_invalid", "1.specversion"),
    ({"id": ""}, "usage_event_invalid", "1.id"),
    ({"id": 7}, "usage_event_invalid", "1.id"),
    ({"id": "x" * 201}, "usage_event_invalid", "1.id"),
    ({"id": "line\nbreak"}, "usage_event_invalid", "1.id"),
    ({"source": None}, "usage_event_invalid", "1.source"),
    ({"type": "miles"}, "unknown_meter", "1.type"),
    ({"type": ["images"]}, "unknown_meter", "1.type"),
    ({"time": "yesterday"}, "usage_event_invalid", "1.time"),
    ({"time": "2026-02-30T10:00:00Z"}, "usage_event_invalid", "1.time"),
    ({"time": "2026-02-03T10:00:00"}, "usage_event_invalid", "1.time"),
    ({"time": "0001-01-01T00:00:00+23:00"}, "usage_event_invalid", "1.time"),
    ({"time": "2020-01-01T10:00:00Z"}, "usage_event_invalid", "1.time"),
    ({"data": None}, "usage_event_invalid", "1.data"),
    ({"data": {}}, "usage_event_invalid", "1.data.quantity"),
    ({"data": {"quantity": 0}}, "usage_event_invalid", "1.data.quantity"),
    ({"data": {"quantity": True}}, "usage_event_invalid", "1.data.quantity"),
    ({"data": {"quantity": 1.5}}, "usage_event_invalid", "1.data.quantity"),
    ({"data": {"quantity": 10**9 + 1}}, "usage_event_invalid", "1.data.quantity"),
    ({"data": {"quantity": 1, "colour": "red"}}, "usage_event_invalid", "1.data.colour"),
    ({"data": {"quantity": 1, "model": "x" * 121}}, "usage_event_invalid", "1.data.model"),
    ({"subject": "nobody@x.example"}, "usage_event_invalid", "1.subject"),
    ({"subject": 1}, "usage_event_invalid", "1.subject"),
    ({"datacontenttype": "text/xml"}, "usage_event_invalid", "1.datacontenttype"),
    ({"traceparent": "00"}, "usage_event_invalid", "1.traceparent"),
]


@pytest.mark.parametrize(("wrong", "code", "param"), WRONG)
def test_one_wrong_event_refuses_its_batch(org_a: Tenant, secret: str, wrong: Body, code: str, param: str) -> None:
    answer = post(secret, [body("good"), body("bad") | wrong])
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == (code, param)
    assert lines(org_a) == []


def test_nothing_nonsense_and_too_much_are_refused(org_a: Tenant, secret: str) -> None:
    assert post(secret, []).json()["error"]["code"] == "usage_event_invalid"
    assert post(secret, ["x"]).json()["error"]["param"] == "0"
    assert post(secret, '"x"').json()["error"]["code"] == "invalid_json"
    many = post(secret, [body(str(n)) for n in range(1001)])
    assert (many.status_code, many.json()["error"]["code"]) == (413, "too_many_events")
    large = post(secret, [body("1", data={"quantity": 1, "model": "x" * django_settings.DATA_UPLOAD_MAX_MEMORY_SIZE})])
    assert (large.status_code, large.json()["error"]["code"]) == (413, "payload_too_large")
    assert lines(org_a) == []


def test_a_conflict_names_the_events(org_a: Tenant, secret: str) -> None:
    sent = [body(f"e{n}") for n in range(8)]
    assert post(secret, sent).status_code == 200
    answer = post(secret, [each | {"data": {"quantity": 5}} for each in sent])
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "usage_event_conflict")
    message = answer.json()["error"]["message"]
    assert message.startswith("8 of these events")
    assert "e0, e1, e2, e3, e4, …" in message


def test_a_minute_takes_so_many_events(org_a: Tenant, secret: str, settings: Any) -> None:
    settings.USAGE_EVENTS_PER_MINUTE = 3
    assert post(secret, [body("a"), body("b")]).status_code == 200
    refused = post(secret, [body("c"), body("d")])
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert len(lines(org_a)) == 2


def test_only_who_may_report_usage_does(
    org_a: Tenant, outsider: User, client_of: Callable[[User], Client], secret: str
) -> None:
    assert Client().post(PATH, body(), content_type="application/json").status_code == 401
    assert client_of(outsider).post(PATH, body(), content_type="application/json").status_code == 401
    assert client_of(org_a.member).post(PATH, body(), content_type="application/json").status_code == 403
    assert post(org_a.key, body()).status_code == 403
    assert lines(org_a) == []
    assert client_of(org_a.owner).post(PATH, body(), content_type="application/json").status_code == 200
    assert [line.api_key_id for line in lines(org_a)] == [None]
