"""Accepting work while Redis is gone or hangs, and giving back what a refused request had taken."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from apps.billing.models import Subscription
from apps.core import backlog, bells, connections, jobs, ratelimit, tenancy
from apps.core.bells import Ringer
from apps.core.ratelimit import Breaker
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from apps.studio.services import admission
from tests.helpers.people import Tenant
from tests.helpers.plans import make_plan
from tests.helpers.studio import add_rows, held, spec, start, states
from tests.helpers.threads import together

URL = "/api/v1/generations"


def post(tenant: Tenant, body: dict[str, Any] | None = None, **headers: str) -> Any:
    sent = json.dumps(body or {"prompt": "Tea."})
    return Client().post(URL, sent, content_type="application/json", headers=tenant.bearer | headers)


def put_on_plan(tenant: Tenant, **limits: int) -> None:
    plan = make_plan(f"plan-{uuid4().hex[:8]}", 10**6, **({"tokens_per_minute": 1_000} | limits))
    with tenancy.scope(tenant.id):
        Subscription.objects.create(organization_id=tenant.id, plan=plan)


def tokens_left(tenant: Tenant) -> int:
    [level] = ratelimit.charge(str(tenant.id), [ratelimit.Bucket("tokens", 1_000, 0)])
    return level.remaining


# ---------------------------------------------------------------- without Redis


class SilentServer:
    """Takes connections like a Redis that was stopped in mid-work, and never says a word."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listener.getsockname()[1]


@contextmanager
def redis_at(port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The product's quick Redis client, its breaker and its bells as a web process has them, with Redis at `port`."""
    url = f"redis://127.0.0.1:{port}/0"
    made = connections.quick_redis_client.__wrapped__
    with monkeypatch.context() as patch:
        patch.setattr("django.conf.settings.REDIS_URL", url)
        client = made()
        for module in (ratelimit, jobs):
            patch.setattr(module, "quick_redis_client", lambda: client)
        patch.setattr(ratelimit, "_breaker", Breaker(seconds=60))
        patch.setattr(bells, "send", Ringer().send)
        yield


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("hangs", [True, False], ids=["hanging", "refusing"])
def test_work_is_accepted_without_redis(
    org_a: Tenant, model: ModelVersion, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    server = SilentServer()
    if not hangs:
        server.listener.close()
    release = threading.Event()

    def ring(*arguments: Any, **options: Any) -> None:
        assert release.wait(60)

    from workers.celery import app

    monkeypatch.setattr(app, "send_task", ring)
    with redis_at(server.port, monkeypatch):
        answers = [post(org_a) for _ in range(5)]
        # One call found out that Redis is away, and the others were not held up by it at all.
        assert ratelimit.charge("a", [ratelimit.Bucket("requests", 1, 1)]) == []
        assert not ratelimit._breaker.lets_through()
    assert not release.is_set()
    release.set()
    server.listener.close()
    assert [answer.status_code for answer in answers] == [202] * 5
    assert states(org_a) == {"queued": 5}
    assert start().organization_id == org_a.id


@pytest.mark.django_db(transaction=True)
def test_no_row_is_held_while_redis_is_asked(
    org_a: Tenant, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Redis that hangs must not hold the organization's month, for which everybody else would wait."""
    inside: list[bool] = []
    charge = ratelimit.charge

    def watched(*arguments: Any) -> Any:
        inside.append(connection.in_atomic_block)
        return charge(*arguments)

    monkeypatch.setattr(ratelimit, "charge", watched)
    assert post(org_a, **{"idempotency-key": "k"}).status_code == 202
    assert inside == [False, False]


# ---------------------------------------------------------------- what a refusal gives back


def test_a_refused_request_gives_its_tokens_back(org_a: Tenant, model: ModelVersion) -> None:
    put_on_plan(org_a, max_queued=0)
    refused = post(org_a, {"prompt": "Tea.", "max_tokens": 500})
    assert refused.json()["error"]["code"] == "queue_full"
    assert tokens_left(org_a) == 1_000


def test_a_repeated_request_takes_no_tokens(org_a: Tenant, model: ModelVersion) -> None:
    put_on_plan(org_a)
    body, key = {"prompt": "Tea.", "max_tokens": 400}, {"idempotency-key": "again"}
    assert post(org_a, body, **key).status_code == 202
    after = tokens_left(org_a)
    assert post(org_a, body, **key).headers["idempotency-replayed"] == "true"
    assert tokens_left(org_a) >= after


@pytest.mark.django_db(transaction=True)
def test_repeats_at_once_make_one_generation_and_take_its_tokens_once(org_a: Tenant, model: ModelVersion) -> None:
    body, key = {"prompt": "Tea.", "max_tokens": 10}, {"idempotency-key": "at-once"}
    answers = together([lambda: post(org_a, body, **key)] * 6)
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert states(org_a) == {"queued": 1}


# ---------------------------------------------------------------- full queues


def test_a_full_queue_says_when_a_place_is_free(org_a: Tenant, model: ModelVersion) -> None:
    put_on_plan(org_a, max_queued=1, tokens_per_minute=10**6)
    assert post(org_a).status_code == 202
    add_rows(org_a, model, 1, status="running", claimed_at="2026-01-01T00:00:00Z")
    refused = post(org_a)
    assert refused.status_code == 429
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "queue_full")
    # What runs has run for ages, so the honest answer is the longest there is.
    assert int(refused.headers["retry-after"]) >= 120


def test_a_full_installation_takes_nothing_more_from_anybody(
    org_a: Tenant, org_b: Tenant, model: ModelVersion, settings: Any
) -> None:
    settings.MAX_QUEUED = 3
    add_rows(org_a, model, 3)
    backlog.forget_counts()
    refused = post(org_b)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
    assert 1 <= int(refused.headers["retry-after"]) <= 121
    assert refused.headers["x-should-retry"] == "true"
    assert (states(org_b), held(org_b)) == ({}, 0)
    settings.MAX_QUEUED = 4
    assert post(org_b).status_code == 202
    backlog.forget_counts()


# ---------------------------------------------------------------- least tokens


def test_the_least_number_of_tokens_reaches_the_engine(org_a: Tenant, model: ModelVersion) -> None:
    body = post(org_a, {"prompt": "Tea.", "max_tokens": 20, "min_tokens": 15}).json()
    assert (body["min_tokens"], body["max_tokens"]) == (15, 20)
    assert start().engine_request().sampling.min_tokens == 15


def test_the_least_number_of_tokens_gives_way_to_the_models_room(org_a: Tenant, model: ModelVersion) -> None:
    prepared = admission.prepare(org_a.actor, spec(max_tokens=900_000, min_tokens=900_000))
    assert prepared.spec.sampling.min_tokens == prepared.max_tokens < 900_000


def test_the_least_number_of_tokens_gives_way_to_the_largest(org_a: Tenant, model: ModelVersion) -> None:
    """No schema can compare two fields, so a request that keeps to the schema is not refused for it."""
    body = post(org_a, {"prompt": "Tea.", "max_tokens": 10, "min_tokens": 11}).json()
    assert (body["min_tokens"], body["max_tokens"]) == (10, 10)
    assert start().engine_request().sampling.min_tokens == 10
    assert post(org_a, {"prompt": "Tea.", "min_tokens": 257}).json()["min_tokens"] == 256


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"min_tokens": -1}, "min_tokens"),
        ({"deadline_seconds": 0}, "deadline_seconds"),
        ({"deadline_seconds": 601}, "deadline_seconds"),
        ({"deadline_seconds": "5"}, "deadline_seconds"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    org_a: Tenant, model: ModelVersion, body: dict[str, Any], param: str
) -> None:
    refused = post(org_a, {"prompt": "Tea."} | body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    with tenancy.scope(org_a.id):
        assert not Generation.objects.exists()
