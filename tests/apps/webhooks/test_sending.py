"""Messages arrive: signed as the standard says, again until they are taken, at least once, under one id."""

from __future__ import annotations

import base64
import json
import socket
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from apps.core import mail, signatures, tenancy
from apps.core.crypto import unseal_from
from apps.core.models import Event, Mail
from apps.webhooks import requests, schedule
from apps.webhooks import services as webhooks
from apps.webhooks.models import DeliveryAttempt, Endpoint, Scheme
from apps.webhooks.services import fanout, sending
from apps.webhooks.services.making import make
from tests.helpers.people import Tenant, audit_of, events_of
from tests.helpers.webhooks import (
    OK,
    answering,
    claim,
    deliveries,
    endpoint_of,
    happen,
    lapse,
    receiving,
    send,
    soon,
    work,
)

pytestmark = pytest.mark.django_db(transaction=True)


# ---------------------------------------------------------------- the standard


def test_the_public_library_takes_every_message_and_no_altered_one(org_a: Tenant) -> None:
    with receiving() as there:
        _endpoint, secret = webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        happen(org_a, "Writers", "编辑 🪶")
        work()
    oracle = Webhook(secret)
    assert [oracle.verify(got.body, got.headers)["data"]["facts"]["name"] for got in there.got] == [
        "Writers",
        "编辑 🪶",
    ]
    [first, second] = there.got
    assert set(first.message) == {"type", "timestamp", "data"}
    assert first.headers["content-type"] == "application/json"
    assert abs(datetime.now(UTC).timestamp() - int(first.headers["webhook-timestamp"])) < 60
    for changed in ({"webhook-id": second.id}, {"webhook-timestamp": "1700000000"}):
        with pytest.raises(WebhookVerificationError):
            oracle.verify(first.body, first.headers | changed)
    with pytest.raises(WebhookVerificationError):
        oracle.verify(first.body + b" ", first.headers)


def test_several_secrets_sign_while_one_replaces_another(org_a: Tenant) -> None:
    with receiving() as there:
        endpoint, old = webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        key, public = webhooks.add_secret(org_a.actor, endpoint.pk, Scheme.ED25519)
        _row, new = webhooks.add_secret(org_a.actor, endpoint.pk, Scheme.HMAC, expire_others_in_hours=1)
        happen(org_a, "Writers")
        work()
        [got] = there.got
        for secret in (old, new):
            assert Webhook(secret).verify(got.body, got.headers)
        given = dict(each.split(",", 1) for each in got.headers["webhook-signature"].split(" "))
        signed = f"{got.id}.{got.headers['webhook-timestamp']}.".encode() + got.body
        check = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
        check.verify(base64.b64decode(given["v1a"]), signed)
        assert key.public == public
        with tenancy.scope(org_a.id):
            endpoint.secrets.filter(expires_at__isnull=False).update(expires_at=timezone.now())
        happen(org_a, "Readers")
        work()
    last = there.got[-1]
    assert Webhook(new).verify(last.body, last.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(last.body, last.headers)


def test_our_own_check_agrees_with_the_public_library() -> None:
    secret, body, now = signatures.new_secret(), b'{"a":1}', datetime.now(UTC)
    theirs = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, body.decode()),
    }
    assert signatures.verify(theirs, body, [signatures.new_secret(), secret], now.timestamp()) == "msg_1"
    assert Webhook(secret).verify(body, signatures.headers("msg_1", int(now.timestamp()), body, [secret]))
    for headers, content, moment in (
        (theirs, b"{}", now.timestamp()),
        (theirs, body, now.timestamp() + 301),
        (theirs, body, now.timestamp() - 301),
        (theirs | {"webhook-signature": ""}, body, now.timestamp()),
        (theirs | {"webhook-timestamp": "x"}, body, now.timestamp()),
        (theirs | {"webhook-id": ""}, body, now.timestamp()),
        ({}, body, now.timestamp()),
    ):
        with pytest.raises(signatures.WrongSignature):
            signatures.verify(headers, content, [secret], moment)


# ---------------------------------------------------------------- trying again


def test_a_message_keeps_its_id_and_its_body_and_is_signed_anew(org_a: Tenant, monkeypatch: Any) -> None:
    with receiving(answering(500), answering(503), OK) as there:
        _endpoint, secret = webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        happen(org_a, "Writers")
        for _ in range(3):
            work()
            soon(org_a)
        assert work() == 0
    assert len(set(there.ids)) == 1
    assert len({got.body for got in there.got}) == 1
    for got in there.got:
        assert Webhook(secret).verify(got.body, got.headers)
    [row] = deliveries(org_a)
    assert (row.state, row.tries, row.last_status) == ("delivered", 3, 204)
    with tenancy.scope(org_a.id):
        attempts = list(row.attempts.order_by("number"))
    assert [each.status for each in attempts] == [500, 503, 204]
    assert [each.number for each in attempts] == [1, 2, 3]


def test_the_schedule_is_the_standards_with_a_little_more() -> None:
    hours = [schedule.pause_after(tries, None, lambda: 0.0) for tries in range(10)]
    assert hours == [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    assert schedule.pause_after(10, None) is None
    assert all(5 <= (schedule.pause_after(1, None) or 0) <= 5.5 for _ in range(50))
    assert schedule.pause_after(1, 120.0) == 120.0
    assert schedule.pause_after(1, 1e9) == 86_400
    now = datetime(2026, 11, 26, tzinfo=UTC)
    assert schedule.retry_after("30", now) == 30
    assert schedule.retry_after("Thu, 26 Nov 2026 00:01:00 GMT", now) == 60
    assert schedule.retry_after("Thu, 26 Nov 2020 00:01:00 GMT", now) == 0
    for odd in ("", "soon", "-1", "9" * 30, "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"):
        assert schedule.retry_after(odd, now) is None


@pytest.mark.parametrize("status", [429, 503])
def test_a_receiver_says_when_to_come_back(org_a: Tenant, status: int) -> None:
    with receiving(answering(status, {"retry-after": "600"})) as there:
        webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        happen(org_a, "Writers")
        work()
    [row] = deliveries(org_a)
    assert 590 < (row.next_at - timezone.now()).total_seconds() <= 601
    assert row.state == "waiting"


def test_after_the_last_try_it_has_failed(org_a: Tenant) -> None:
    with receiving(answering(500)) as there:
        webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        happen(org_a, "Writers")
        for _ in range(12):
            work()
            soon(org_a)
    assert len(there.got) == len(schedule.PAUSES) == 10
    [row] = deliveries(org_a)
    assert (row.state, row.tries) == ("failed", 10)


def lies_about_length(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nshort")
    handler.close_connection = True


def closes_early(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def never_ends(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000)


def hides(handler: BaseHTTPRequestHandler) -> None:
    answering(200, {"set-cookie": "a=b", "x-y": "z"}, b"\x00\xff text")(handler)


@pytest.mark.parametrize(
    ("answer", "state", "status", "requests_made"),
    [
        (OK, "delivered", 204, 1),
        (answering(299), "delivered", 299, 1),
        (lies_about_length, "delivered", 200, 1),
        (never_ends, "delivered", 200, 1),
        (hides, "delivered", 200, 1),
        (answering(301, {"location": "/elsewhere"}), "waiting", 301, 1),
        (answering(304), "waiting", 304, 1),
        (answering(404), "waiting", 404, 1),
        (closes_early, "waiting", None, 1),
    ],
)
def test_only_2xx_counts_and_nothing_is_sent_again_after_one(
    org_a: Tenant, answer: Any, state: str, status: int | None, requests_made: int
) -> None:
    with receiving(answer) as there:
        webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        happen(org_a, "Writers")
        work()
        if state == "delivered":
            soon(org_a)
            work()
    assert len(there.got) == requests_made
    [row] = deliveries(org_a)
    assert (row.state, row.last_status) == (state, status)
    with tenancy.scope(org_a.id):
        attempt = DeliveryAttempt.objects.get()
    assert len(attempt.response_body) <= requests.KEPT_BYTES
    assert "\0" not in attempt.response_body
    assert "set-cookie" not in attempt.response_headers
    assert attempt.error == ("" if status else "outbound_failed")


# ---------------------------------------------------------------- giving up


def test_410_stops_the_endpoint_and_those_who_can_change_it_are_told(org_a: Tenant) -> None:
    with receiving(answering(410)) as there:
        endpoint, _secret = webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        happen(org_a, "Writers")
        work()
        happen(org_a, "Readers")
        work()
    assert len(there.got) == 1
    assert endpoint_of(org_a, endpoint.pk).stopped == "gone"
    assert "webhook_endpoint.stopped" in events_of(org_a)
    assert audit_of(org_a, "webhook_endpoint.stopped")[0].actor_kind == "system"
    told = [mail._message(mail.Content(**_content(row))) for row in Mail.objects.all()]
    assert sorted(each.to[0] for each in told if each) == ["admin@org-a.example", "owner@org-a.example"]
    assert there.url in told[0].body  # type: ignore[union-attr]
    assert deliveries(org_a)[0].state == "failed"


def _content(row: Mail) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(unseal_from(row, "content"))
    return found


def test_after_five_days_of_failure_it_is_switched_off_and_goes_on_where_it_stood(org_a: Tenant) -> None:
    with receiving(answering(500), answering(500), OK) as there:
        endpoint, _secret = webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        happen(org_a, "Writers")
        work()
        with tenancy.scope(org_a.id):
            Endpoint.objects.update(failing_since=timezone.now() - timedelta(days=5, minutes=1))
        soon(org_a)
        work()
        assert endpoint_of(org_a, endpoint.pk).stopped == "failing"
        assert Mail.objects.count() == 2
        soon(org_a)
        assert work() == 0
        happen(org_a, "Missed")
        webhooks.resume_endpoint(org_a.actor, endpoint.pk)
        happen(org_a, "Readers")
        work()
    assert there.names == ["Writers", "Writers", "Writers", "Readers"]
    assert endpoint_of(org_a, endpoint.pk).failing_since is None


def test_one_success_ends_the_time_of_failure(org_a: Tenant) -> None:
    with receiving(answering(500), OK) as there:
        endpoint, _secret = webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        happen(org_a, "Writers")
        work()
        assert endpoint_of(org_a, endpoint.pk).failing_since is not None
        soon(org_a)
        work()
    found = endpoint_of(org_a, endpoint.pk)
    assert found.failing_since is None
    assert found.delivered_at is not None


# ---------------------------------------------------------------- workers that die


def dies_before_fan_out() -> None:
    """Nothing has been done."""


def dies_in_fan_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction goes with it, once the messages are written and before the endpoint's place has moved."""
    write = fanout._write
    with monkeypatch.context() as patch:
        patch.setattr(fanout, "_write", lambda *given: write(*given) / 0)
        with pytest.raises(ZeroDivisionError):
            make()


def dies_after_claim() -> None:
    make()
    assert len(claim("dead")) == 3


def dies_after_sending() -> None:
    make()
    for each in claim("dead"):
        send(each)


def dies_while_noting(monkeypatch: pytest.MonkeyPatch) -> None:
    make()
    outcomes = [send(each) for each in claim("dead")]
    with monkeypatch.context() as patch:
        patch.setattr(sending, "_STANDING", "SELECT 1 / 0")
        with pytest.raises(Exception, match="zero"):
            sending.note("dead", outcomes)


@pytest.mark.parametrize("step", ["before_fan_out", "in_fan_out", "after_claim", "after_sending", "while_noting"])
def test_a_worker_killed_at_any_step_loses_nothing_and_changes_no_id(
    org_a: Tenant, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with receiving() as there:
        webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        happen(org_a, "a", "b", "c")
        with tenancy.scope(org_a.id):
            wanted = [f"msg_{event.pk.hex}" for event in Event.objects.filter(type="team.deleted").order_by("position")]
        die = globals()[f"dies_{step}"]
        die(monkeypatch) if die.__code__.co_argcount else die()
        lapse(org_a)
        sending.reap()
        soon(org_a)
        work()
        assert work() == 0
    assert set(there.ids) == set(wanted)
    assert there.ids[-3:] == wanted
    assert len(there.ids) == (6 if step in {"after_sending", "while_noting"} else 3)
    assert {row.state for row in deliveries(org_a)} == {"delivered"}


def test_a_worker_that_was_only_slow_changes_nothing(org_a: Tenant) -> None:
    with receiving() as there:
        webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        happen(org_a, "Writers")
        make()
        [slow] = claim("slow")
        lapse(org_a)
        sending.reap()
        soon(org_a)
        [quick] = claim("quick")
        late = requests.Outcome(slow, datetime.now(UTC), 1, status=500)
        assert sending.note("slow", [late]) == 0
        assert sending.note("quick", [send(quick)]) == 1
    [row] = deliveries(org_a)
    assert (row.state, row.tries) == ("delivered", 1)
    assert len(there.got) == 1


def test_what_costs_five_workers_their_lives_has_failed(org_a: Tenant) -> None:
    webhooks.create_endpoint(org_a.actor, "http://127.0.0.1:9/", types=["team.*"])
    happen(org_a, "Writers")
    make()
    for _ in range(sending.MOST_CRASHES):
        assert len(claim()) == 1
        lapse(org_a)
        sending.reap()
        soon(org_a)
    [row] = deliveries(org_a)
    assert (row.state, row.last_error) == ("failed", "worker_lost")
