"""The landing page's live demo: what strangers get, how much of it, and what of the organization they never see."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core import signing
from django.test import AsyncClient, Client

from apps.core import ratelimit, switches, tenancy
from apps.core.jobs import Status
from apps.studio import visitors
from apps.studio.models import Generation
from apps.studio.services import Outcome
from tests.helpers.people import Tenant
from tests.helpers.studio import ask, finish, start

BRIEF = {"content_type": "email", "product": "Harbor Kettle", "audience": "students"}


@pytest.fixture
def demo(org_a: Tenant, model: Any, settings: Any) -> Tenant:
    settings.LIVE_DEMO_ORGANIZATION = org_a.organization.slug
    return org_a


def texts_of(tenant: Tenant) -> list[Generation]:
    with tenancy.scope(tenant.id):
        return list(Generation.objects.order_by("created_at"))


def test_without_an_organization_for_it_there_is_no_demo(org_a: Tenant, model: Any, client: Client) -> None:
    assert "data-demo" not in client.get("/").text
    assert client.post("/demo/", BRIEF).status_code == 404


def test_the_operator_switches_it_off(demo: Tenant, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "data-demo" in client.get("/").text
    monkeypatch.setattr(switches, "is_on", lambda name, organization_id=None: name != "live_demo")
    assert "data-demo" not in client.get("/").text
    assert client.post("/demo/", BRIEF).status_code == 404
    assert texts_of(demo) == []


def test_a_visitors_brief_is_a_bounded_text_of_that_organization(demo: Tenant, client: Client) -> None:
    answer = client.post("/demo/", BRIEF | {"max_tokens": "900", "model": "other", "prompt": "Say it."})
    assert answer.status_code == 202
    (text,) = texts_of(demo)
    assert (text.max_tokens, text.created_by, text.api_key) == (visitors.MAX_TOKENS, None, None)
    assert text.brief and text.brief["product"] == "Harbor Kettle"
    assert "Say it" not in json.dumps(text.messages)
    assert text.deadline_at is not None


@pytest.mark.parametrize("wrong", [{"product": ""}, {"product": "x" * 61}, {"content_type": "poem"}])
def test_what_is_wrong_is_told_and_costs_nothing(demo: Tenant, client: Client, wrong: dict[str, str]) -> None:
    answer = client.post("/demo/", BRIEF | wrong)
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == list(wrong)
    assert texts_of(demo) == []


def test_one_address_waits_its_turn_and_another_does_not(demo: Tenant, client: Client) -> None:
    for _ in range(visitors.TEXTS_A_MINUTE_FROM_ONE_ADDRESS):
        assert client.post("/demo/", BRIEF).status_code == 202
    refused = client.post("/demo/", BRIEF)
    assert refused.status_code == 429
    assert refused.json()["message"]
    assert client.post("/demo/", BRIEF, REMOTE_ADDR="192.0.2.7").status_code == 202


def test_all_visitors_together_wait_as_well(demo: Tenant, client: Client, settings: Any) -> None:
    settings.LIVE_DEMO_PER_MINUTE = 2
    statuses = [client.post("/demo/", BRIEF, REMOTE_ADDR=f"192.0.2.{n}").status_code for n in range(3)]
    assert statuses == [202, 202, 429]


def test_where_nobody_can_be_counted_nothing_is_written(
    demo: Tenant, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratelimit, "charge", lambda owner, buckets: [])
    assert client.post("/demo/", BRIEF).status_code == 503
    assert texts_of(demo) == []


@pytest.mark.django_db(transaction=True)
async def test_the_text_is_followed_by_its_signed_name_and_shows_nothing_else(
    demo: Tenant, async_client: AsyncClient
) -> None:
    from asgiref.sync import sync_to_async

    answer = await async_client.post("/demo/", BRIEF)
    address = answer.json()["events"]
    (text,) = await sync_to_async(texts_of)(demo)
    running = await sync_to_async(start)()
    await sync_to_async(finish)(running, Outcome(Status.SUCCEEDED, "Hello.", "stop", 10, 5))
    stream = await async_client.get(address)
    body = b"".join([part async for part in stream.streaming_content]).decode()
    done = json.loads(body.partition("event: done\ndata: ")[2].partition("\n")[0])
    assert done["text"] == "Hello."
    assert set(done) <= {"id", "status", "text", "usage", "error", "finish_reason"} | {
        f"{moment}_at" for moment in ("created", "started", "finished")
    }
    assert done["id"] == str(text.pk)


def test_no_other_text_of_the_organization_can_be_followed(demo: Tenant, client: Client) -> None:
    other = ask(demo)
    for token in (str(other.pk), signing.dumps(str(other.pk), salt="another"), "x"):
        assert client.get(f"/demo/{token}/stream").status_code == 404
