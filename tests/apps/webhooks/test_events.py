"""Events in their order: the catalogue, pages of them, the stream, and what other organizations see of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import httpx
import pytest
from django.db import connections
from django.test import Client
from django.utils import translation

from apps.accounts import services as accounts
from apps.accounts.models import ApiKey
from apps.core import events, tenancy
from apps.core.eventtypes import EventType, catalogue, matches
from apps.core.models import Event
from apps.core.tenancy.removal import removing
from apps.webhooks import feed, messages
from tests.helpers.event_check import checking
from tests.helpers.live import live_server
from tests.helpers.people import Tenant, acting, add_person, bearer_with

pytestmark = pytest.mark.django_db(transaction=True)
AT = "/api/v1/events"


def happen(tenant: Tenant, *names: str) -> None:
    for name in names:
        with tenancy.scope(tenant.id):
            events.record("team.deleted", uuid4(), {"name": name})


def happen_apart(tenant: Tenant, *names: str) -> None:
    """In a thread of its own, whose connection goes with it."""
    try:
        happen(tenant, *names)
    finally:
        connections.close_all()


def get(tenant: Tenant, query: str = "") -> Any:
    return Client().get(f"{AT}{query}", headers=bearer_with(tenant, "events:read"))


# ---------------------------------------------------------------- the catalogue


def test_what_is_not_as_the_catalogue_says_is_found() -> None:
    record = checking(lambda *_: None)  # type: ignore[arg-type, return-value]
    record("team.deleted", uuid4(), {"name": "Writers"})
    for type, data in (
        ("team.deleted", {}),
        ("team.deleted", {"name": 1}),
        ("team.deleted", {"name": "Writers", "more": 1}),
        ("team.deleted", {"name": "x" * 20_000}),
        ("team.unknown", {}),
        ("membership.left", {"user": "nobody"}),
    ):
        with pytest.raises(AssertionError):
            record(type, uuid4(), data)


def test_the_catalogue_is_answered_with_schemas_and_shown_in_both_languages(org_a: Tenant, client_of: Any) -> None:
    found = {each["type"]: each for each in Client().get("/api/v1/event-types", headers=org_a.bearer).json()["data"]}
    assert set(found) == set(catalogue())
    assert found["team.member_added"]["schema"]["required"] == ["name", "user"]
    client = client_of(org_a.owner)
    assert "team.member_added" in client.get("/settings/events/types/").content.decode()
    with translation.override("zh-hans"):
        assert {str(each.about) for each in catalogue().values() if str(each.about).isascii()} == set()


def test_groups_and_names_choose_types() -> None:
    assert matches("team.created", [])
    assert matches("team.created", ["team.*"])
    assert matches("team.created", ["role.created", "team.created"])
    assert not matches("team.created", ["role.*", "team.deleted"])
    assert not matches("team.created", ["teams.*"])


def test_a_message_that_would_be_too_large_goes_without_its_facts(org_a: Tenant) -> None:
    happen(org_a, "Writers")
    with tenancy.scope(org_a.id):
        event = Event.objects.order_by("-position").first()
    full, thin = (json.loads(messages.message_body(event, thin=thin)) for thin in (False, True))
    assert full["data"]["facts"] == {"name": "Writers"}
    assert set(full) == {"type", "timestamp", "data"}
    assert set(full["data"]) - set(thin["data"]) == {"facts"}
    event.data = {"name": "界" * 10_000}
    assert "facts" not in json.loads(messages.message_body(event, thin=False))["data"]


# ---------------------------------------------------------------- pages


def test_events_are_read_in_order_page_by_page(org_a: Tenant) -> None:
    happen(org_a, *"abcde")
    whole = get(org_a, "?limit=100").json()
    numbers = [each["sequence"] for each in whole["data"]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert (whole["has_more"], whole["next"], whole["removed_through"]) == (False, str(numbers[-1]), None)
    read, cursor, more = [], "", True
    while more:
        page = get(org_a, f"?limit=2&cursor={cursor}").json()
        read += [each["sequence"] for each in page["data"]]
        cursor, more = page["next"], page["has_more"]
    assert read == numbers
    assert get(org_a, f"?cursor={cursor}").json()["data"] == []
    happen(org_a, "f")
    assert [each["data"] for each in get(org_a, f"?cursor={cursor}").json()["data"]] == [{"name": "f"}]


def test_a_filter_leaves_out_and_loses_no_place(org_a: Tenant) -> None:
    happen(org_a, "a")
    accounts.create_team(org_a.actor, "Writers")
    page = get(org_a, "?type=team.created").json()
    assert [each["type"] for each in page["data"]] == ["team.created"]
    assert get(org_a, "?type=licence.*").json()["next"] == page["next"]
    group = get(org_a, "?type=team.*").json()["data"]
    assert [each["type"] for each in group] == ["team.deleted", "team.created"]


@pytest.mark.parametrize("query", ["?type=team.none", "?cursor=x", "?cursor=-1", "?cursor=" + "9" * 30, "?limit=101"])
def test_what_makes_no_sense_is_refused(org_a: Tenant, query: str) -> None:
    assert get(org_a, query).json()["error"]["code"] == "invalid_request"


def test_others_see_nothing_of_it(org_a: Tenant, org_b: Tenant, outsider: Any, client_of: Any) -> None:
    happen(org_a, "Swordfish")
    assert "Swordfish" not in get(org_b).content.decode()
    assert Client().get(AT).status_code == 401
    assert client_of(outsider).get("/settings/events/").status_code == 404
    member = acting(org_a, add_person(org_a, "plain", "member"))
    with pytest.raises(Exception, match="events:read"):
        feed.read(member, 0)
    page = client_of(org_a.owner).get("/settings/events/?type=team.*").content.decode()
    assert "Swordfish" in page
    assert "organization.created" in client_of(org_a.owner).get("/settings/events/").content.decode()
    assert client_of(org_a.member).get("/settings/events/").status_code == 403


def test_a_reader_learns_that_events_are_not_kept_any_more(org_a: Tenant) -> None:
    happen(org_a, *"abc")
    with removing(org_a.id):
        Event.objects.filter(position__lte=2).delete()
    page = get(org_a).json()
    assert (page["data"][0]["sequence"], page["removed_through"]) == (3, 2)
    assert get(org_a, "?cursor=2").json()["removed_through"] is None
    with removing(org_a.id):
        Event.objects.all().delete()
    assert get(org_a, "?cursor=2").json() | {"next": 0} == {
        "object": "list", "data": [], "has_more": False, "next": 0, "removed_through": int(page["next"]),
    }  # fmt: skip


# ---------------------------------------------------------------- the stream


def follow(http: httpx.Client, query: str = "", last: str = "") -> Iterator[dict[str, Any]]:
    headers = {"Last-Event-ID": last} if last else {}
    with http.stream("GET", f"{AT}/stream{query}", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        fields: dict[str, Any] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name:
                fields[name] = value
            elif "event" in fields:
                yield fields | {"data": json.loads(fields["data"])}
                fields = {}


@pytest.fixture
def http(transactional_db: None, org_a: Tenant) -> Iterator[httpx.Client]:
    with live_server() as url, httpx.Client(base_url=url, timeout=20, trust_env=False) as client:
        client.headers.update(bearer_with(org_a, "events:read"))
        yield client


def test_a_stream_goes_on_behind_the_last_id_without_a_gap_or_a_repeat(
    http: httpx.Client, org_a: Tenant, org_b: Tenant
) -> None:
    happen(org_a, *"abc")
    seen: list[int] = []
    for count in (2, 3):
        with closing(follow(http, last=str(seen[-1]) if seen else "")) as stream:
            seen += [int(next(stream)["id"]) for _ in range(count)]
    assert seen == [1, 2, 3, 4, 5]
    with closing(follow(http, "?after=latest&type=team.*")) as stream:
        happen(org_b, "Swordfish")
        later = iter("xyz")
        speaking = threading.Timer(1.0, lambda: happen_apart(org_a, *later))
        speaking.start()
        got = [next(stream)["data"]["data"]["name"] for _ in range(3)]
        speaking.join()
    assert got == ["x", "y", "z"]


def test_whoever_asks_for_the_latest_knows_where_that_is_before_the_first_event(
    http: httpx.Client, org_a: Tenant
) -> None:
    happen(org_a, *"abc")
    with http.stream("GET", f"{AT}/stream?after=latest") as answer:
        place = next(line for line in answer.iter_lines() if line.startswith("id: "))
    happen(org_a, "d")
    with closing(follow(http, last=place.removeprefix("id: "))) as stream:
        assert next(stream)["data"]["data"]["name"] == "d"


def test_a_stream_ends_with_access(http: httpx.Client, org_a: Tenant) -> None:
    with closing(follow(http)) as stream:
        next(stream)
        with tenancy.scope(org_a.id):
            key = ApiKey.objects.get(name="events:read")
        accounts.revoke_api_key(org_a.actor, key.pk)
        last = list(stream)[-1]
    assert (last["event"], last["data"]["error"]["code"]) == ("error", "access_revoked")


def test_types_describe_themselves() -> None:
    each = EventType("a.b", "the thing", {"x": {"type": "string"}}, {"y": {"type": "integer"}})
    assert each.schema() == {
        "type": "object",
        "properties": {"x": {"type": "string"}, "y": {"type": "integer"}},
        "required": ["x"],
    }
