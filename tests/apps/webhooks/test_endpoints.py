"""Endpoints: filters, replays, tests, one that is slow or dead beside others, over REST and on pages."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from apps.core import outbound, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, OutboundRefused, PermissionDenied
from apps.core.models import Event
from apps.privacy.services import retention
from apps.webhooks import requests
from apps.webhooks import services as webhooks
from apps.webhooks.models import Delivery, Endpoint
from apps.webhooks.services import sending
from apps.webhooks.services.making import make
from tests.helpers.people import PASSWORD, Tenant, acting, bearer_with
from tests.helpers.webhooks import (
    OK,
    answering,
    claim,
    deliveries,
    endpoint_of,
    happen,
    hooks,
    receiving,
    soon,
    work,
)
from tests.stack import wait_for
from workers.webhooks import FAILING_AT_ONCE, HEALTHY_AT_ONCE, Sender

pytestmark = pytest.mark.django_db(transaction=True)
AT = "/api/v1/webhooks"


def test_an_endpoint_is_sent_what_it_asks_for_from_its_beginning_on(org_a: Tenant, org_b: Tenant) -> None:
    happen(org_a, "Before")
    with receiving() as there, receiving() as other:
        webhooks.create_endpoint(org_a.actor, there.url, types=["team.deleted", "role.*"], payload="thin")
        webhooks.create_endpoint(org_b.actor, other.url, types=["team.*"])
        happen(org_a, "Writers")
        webhooks.create_endpoint(org_a.actor, f"{other.url}/second", types=["licence.*"])
        work()
    [got] = there.got
    assert got.message["type"] == "team.deleted"
    assert "facts" not in got.message["data"]
    assert got.message["data"]["organization_id"] == str(org_a.id)
    assert other.got == []


def test_messages_are_sent_in_the_order_of_events(org_a: Tenant) -> None:
    names = [f"team {number}" for number in range(25)]
    with receiving() as there:
        webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"], at_once=1)
        happen(org_a, *names)
        work(rounds=40)
    assert there.names == names
    numbers = [got.message["data"]["sequence"] for got in there.got]
    assert numbers == sorted(numbers)


def test_a_range_replays_exactly_what_it_had_under_the_same_ids(org_a: Tenant) -> None:
    with receiving() as there:
        happen(org_a, "before the endpoint")
        endpoint, _secret = webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"], at_once=1)
        begun = timezone.now() - timedelta(hours=1)
        happen(org_a, *"abc")
        work()
        first = there.ids
        webhooks.pause_endpoint(org_a.actor, endpoint.pk)
        happen(org_a, "while it was paused")
        webhooks.resume_endpoint(org_a.actor, endpoint.pk)
        assert webhooks.replay_range(org_a.actor, endpoint.pk, begun, timezone.now()) == 5
        work()
        with tenancy.scope(org_a.id):
            whole = [f"msg_{each.pk.hex}" for each in Event.objects.filter(type="team.deleted").order_by("position")]
        assert there.ids[len(first) :] == whole
        assert whole[1:4] == first
        again = webhooks.replay_range(org_a.actor, endpoint.pk, begun, timezone.now(), failed_only=True)
        assert (again, work()) == (0, 0)
        with pytest.raises(InvalidRequest):
            webhooks.replay_range(org_a.actor, endpoint.pk, timezone.now(), begun)


def test_the_page_of_a_message_looks_again_for_as_long_as_it_waits(org_a: Tenant) -> None:
    client = Client()
    client.force_login(org_a.owner)
    with receiving() as there:
        endpoint, _secret = webhooks.create_endpoint(org_a.actor, there.url, types=["licence.*"])
        test = webhooks.send_test(org_a.actor, endpoint.pk)
        place = f"/settings/webhooks/messages/{test.pk}/"
        waiting = client.get(place).content.decode()
        work()
    sent = client.get(place).content.decode()
    assert "data-refreshed data-unfinished" in waiting and "refreshing" in waiting
    assert "data-refreshed" in sent and "data-unfinished" not in sent


def test_one_message_is_sent_again_and_a_test_without_an_event(org_a: Tenant) -> None:
    with receiving() as there:
        endpoint, _secret = webhooks.create_endpoint(org_a.actor, there.url, types=["licence.*"])
        test = webhooks.send_test(org_a.actor, endpoint.pk)
        work()
        webhooks.replay_delivery(org_a.actor, test.pk)
        work()
        webhooks.replay_delivery(org_a.actor, test.pk)
        [held] = claim()
        with pytest.raises(Conflict):
            webhooks.replay_delivery(org_a.actor, held.delivery_id)
    assert [got.message["type"] for got in there.got] == ["webhook.test"] * 2
    assert len(set(there.ids)) == 1


# ---------------------------------------------------------------- slow and dead ones


@pytest.fixture
def sender(transactional_db: None) -> Any:
    running = Sender()
    yield running
    running.stop()


@pytest.mark.slow
def test_slow_and_dead_receivers_delay_no_other(
    org_a: Tenant, org_b: Tenant, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three that hang and one that refuses, each with a backlog, beside one that answers."""
    monkeypatch.setattr(requests, "TIMEOUT_SECONDS", 3.0)
    with receiving() as live, receiving(delay=30) as hanging:
        for number in range(3):
            webhooks.create_endpoint(org_a.actor, f"{hanging.url}/{number}", types=["team.*"])
        webhooks.create_endpoint(org_a.actor, "http://127.0.0.1:9/", types=["team.*"])
        webhooks.create_endpoint(org_b.actor, live.url, types=["team.*"])
        happen(org_a, *(str(number) for number in range(40)))
        wait_for(lambda: hanging.got, 10, "the hanging ones were asked")
        worst = 0.0
        for number in range(8):
            before = time.monotonic()
            happen(org_b, str(number))
            wait_for(lambda: str(number) in live.names, 5, "the live one was sent its event")  # noqa: B023
            worst = max(worst, time.monotonic() - before)
    assert worst < 2.0
    assert len(live.got) == 8


def test_an_endpoint_that_fails_has_one_request_at_a_time_and_others_their_own(org_a: Tenant) -> None:
    failing, _secret = webhooks.create_endpoint(org_a.actor, "http://127.0.0.1:9/", types=["team.*"], at_once=10)
    working, _secret = webhooks.create_endpoint(org_a.actor, "http://127.0.0.1:9/2", types=["team.*"], at_once=3)
    with tenancy.scope(org_a.id):
        Endpoint.objects.filter(pk=failing.pk).update(failing_since=timezone.now())
    happen(org_a, *"abcdef")
    make()
    held = claim()
    by_endpoint = {id: sum(each.endpoint_id == id for each in held) for id in (failing.pk, working.pk)}
    assert by_endpoint == {failing.pk: 1, working.pk: 3}
    assert claim() == []
    assert sending.claim("x", 0, 0) == []


def test_a_request_that_has_become_slow_takes_no_place_of_a_quick_one(sender: Sender) -> None:
    assert sender.room() == (HEALTHY_AT_ONCE, FAILING_AT_ONCE)
    sender._begun = {uuid4(): (time.monotonic(), False) for _ in range(HEALTHY_AT_ONCE)}
    assert sender.room() == (0, FAILING_AT_ONCE)
    sender._begun = {uuid4(): (time.monotonic() - 3, False) for _ in range(HEALTHY_AT_ONCE)}
    sender._begun |= {uuid4(): (time.monotonic(), True) for _ in range(FAILING_AT_ONCE)}
    assert sender.room() == (HEALTHY_AT_ONCE, 0)
    sender._begun = {}


# ---------------------------------------------------------------- who may what


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"url": "ftp://example.com"}, OutboundRefused),
        ({"url": "https://user@example.com"}, OutboundRefused),
        ({"url": "https://example.com/" + "x" * 2_000}, InvalidRequest),
        ({"types": ["team.nothing"]}, InvalidRequest),
        ({"types": [f"team.{number}" for number in range(60)]}, InvalidRequest),
        ({"version": "1"}, InvalidRequest),
        ({"payload": "none"}, InvalidRequest),
        ({"at_once": 0}, InvalidRequest),
        ({"description": "x" * 300}, InvalidRequest),
    ],
)
def test_what_makes_no_sense_is_refused(org_a: Tenant, changes: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        webhooks.create_endpoint(org_a.actor, **({"url": "https://shop.example/"} | changes))


def test_members_and_other_organizations_reach_none_of_it(
    org_a: Tenant, org_b: Tenant, outsider: Any, client_of: Any
) -> None:
    ids = hooks(org_a, "Swordfish")
    member = acting(org_a, org_a.member)
    with pytest.raises(PermissionDenied):
        webhooks.create_endpoint(member, "https://shop.example/")
    for act in (webhooks.get_endpoint, webhooks.pause_endpoint, webhooks.delete_endpoint, webhooks.send_test):
        with pytest.raises(NotFound):
            act(org_b.actor, ids["webhook endpoint"])
    with pytest.raises(NotFound):
        webhooks.replay_delivery(org_b.actor, ids["webhook delivery"])
    with pytest.raises(NotFound):
        webhooks.remove_secret(org_b.actor, None, ids["webhook secret"])
    theirs = client_of(org_b.owner)
    for address in (f"/settings/webhooks/{ids['webhook endpoint']}/", f"/settings/webhooks/messages/{ids['webhook delivery']}/"):  # fmt: skip  # noqa: E501
        assert theirs.get(address).status_code == 404
        assert client_of(outsider).get(address).status_code == 404
        assert client_of(org_a.member).get(address).status_code == 403
    assert b"swordfish" not in theirs.get("/settings/webhooks/").content


def test_the_last_secret_stays_and_one_is_shown_once(org_a: Tenant) -> None:
    endpoint, secret = webhooks.create_endpoint(org_a.actor, "https://shop.example/")
    [only] = webhooks.secrets_of(org_a.actor, endpoint.pk)
    assert secret.startswith("whsec_")
    assert secret not in only.secret
    with pytest.raises(Conflict):
        webhooks.remove_secret(org_a.actor, endpoint.pk, only.pk)
    webhooks.add_secret(org_a.actor, endpoint.pk)
    webhooks.remove_secret(org_a.actor, endpoint.pk, only.pk)
    for _ in range(4):
        webhooks.add_secret(org_a.actor, endpoint.pk)
    with pytest.raises(Conflict):
        webhooks.add_secret(org_a.actor, endpoint.pk)


# ---------------------------------------------------------------- REST and pages


def send(tenant: Tenant, method: str, path: str, body: Any = None) -> Any:
    headers = bearer_with(tenant, "webhooks:manage")
    return Client().generic(method, f"{AT}{path}", json.dumps(body or {}), "application/json", headers=headers)


def test_over_rest_from_an_endpoint_to_a_message_and_back(org_a: Tenant) -> None:
    with receiving(answering(500, body=b"no room"), OK) as there:
        made = send(org_a, "POST", "/endpoints", {"url": there.url, "types": ["team.*"]})
        assert made.status_code == 201
        at = f"/endpoints/{made.json()['id']}"
        assert made.json()["secret"].startswith("whsec_")
        assert "secret" not in send(org_a, "GET", at).json()
        assert send(org_a, "PATCH", at, {"description": "Shop"}).json()["description"] == "Shop"
        rotated = send(org_a, "POST", f"{at}/secrets", {"expire_others_in_hours": 0}).json()
        listed = send(org_a, "GET", f"{at}/secrets").json()["data"]
        assert [each["id"] for each in listed] == [rotated["id"]]
        key = send(org_a, "POST", f"{at}/secrets", {"scheme": "v1a"}).json()
        assert (key["secret"], key["public_key"][:5]) == (None, "whpk_")
        assert send(org_a, "DELETE", f"{at}/secrets/{key['id']}").status_code == 204
        happen(org_a, "Writers")
        work()
        [row] = send(org_a, "GET", "/deliveries?status=waiting").json()["data"]
        whole = send(org_a, "GET", f"/deliveries/{row['id']}").json()
        assert (whole["last_status"], whole["attempts"][0]["response_body"]) == (500, "no room")
        assert whole["body"]["data"]["facts"] == {"name": "Writers"}
        assert send(org_a, "POST", f"/deliveries/{row['id']}/replay").json()["tries"] == 0
        work()
        assert send(org_a, "POST", f"{at}/test").status_code == 201
        since = (timezone.now() - timedelta(days=1)).isoformat()
        assert send(org_a, "POST", f"{at}/replay", {"since": since}).json()["count"] == 1
        assert send(org_a, "POST", f"{at}/pause").json()["status"] == "paused"
        assert send(org_a, "POST", f"{at}/test").status_code == 409
        assert send(org_a, "POST", f"{at}/resume").json()["status"] == "enabled"
        assert send(org_a, "DELETE", at).status_code == 204
        assert send(org_a, "GET", "/deliveries").json()["data"] == []


def test_the_pages_show_a_new_secret_once_and_every_request(org_a: Tenant) -> None:
    client = Client()
    assert client.login(username=org_a.owner.email, password=PASSWORD)
    sent = {
        "format": "standard",
        "payload": "full",
        "version": "2026-11",
        "at_once": "4",
        "types": "team.*, role.created",
    }
    refused = client.post("/settings/webhooks/", {"url": "ftp://shop.example/", **sent})
    assert 'data-error-for="url" role="alert">The URL must begin with' in refused.content.decode()
    with receiving(answering(503, body=b"<b>down</b>"), OK) as there:
        page = client.post("/settings/webhooks/", {"url": there.url, **sent}).content.decode()
        assert "whsec_" in page
        with tenancy.scope(org_a.id):
            endpoint = Endpoint.objects.get()
        assert endpoint.types == ["role.created", "team.*"]
        at = f"/settings/webhooks/{endpoint.pk}/"
        assert "whsec_" not in client.get(at).content.decode()
        assert "whsec_" in client.post(f"{at}secret/", {"scheme": "v1"}).content.decode()
        happen(org_a, "Writers")
        work()
        [row] = deliveries(org_a)
        shown = client.get(f"/settings/webhooks/messages/{row.pk}/").content.decode()
        assert "&lt;b&gt;down&lt;/b&gt;" in shown
        assert "webhook-signature" in shown
        assert client.post(f"/settings/webhooks/messages/{row.pk}/again/").status_code == 302
        work()
        assert deliveries(org_a)[0].state == "delivered"
        assert client.post(f"{at}test/").status_code == 302
        page = client.post(f"{at}replay/", {"since": "2020-01-01T00:00", "until": "2020-01-02T00:00"}, follow=True)
        assert "0 messages are sent again." in page.content.decode()
        assert client.post(f"{at}change/", {"url": "nonsense", **sent}).status_code == 422
        client.post(f"{at}pause/")
        assert endpoint_of(org_a, endpoint.pk).stopped == "paused"
        client.post(f"{at}delete/")
        assert "Nothing is sent yet" in client.get("/settings/webhooks/").content.decode()


def test_old_messages_go_and_those_under_way_stay(org_a: Tenant) -> None:
    with receiving(OK) as there:
        webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        happen(org_a, "a")
        work()
        happen(org_a, "b")
        work(rounds=0)
    make()
    with tenancy.scope(org_a.id):
        Delivery.objects.filter(state="delivered").update(finished_at=timezone.now() - timedelta(days=31))
        Delivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    retention.apply(60)
    assert [row.state for row in deliveries(org_a)] == ["waiting"]
    soon(org_a)


def test_the_address_is_checked_when_it_is_sent_to_and_not_only_when_it_is_named(
    org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads home by the time of sending is refused at the connection, and nothing of it is shown."""
    monkeypatch.setattr(settings, "OUTBOUND_ALLOW_PRIVATE", False)
    webhooks.create_endpoint(org_a.actor, "https://rebound.example/", types=["team.*"])
    asked: list[str] = []

    def look_up(host: str, port: int) -> list[Any]:
        asked.append(host)
        return [(2, 1, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(outbound, "_look_up", look_up)
    happen(org_a, "Writers")
    work()
    [row] = deliveries(org_a)
    assert (row.last_status, row.last_error, asked) == (None, "outbound_refused", ["rebound.example"])
