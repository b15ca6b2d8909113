"""Generations over REST: asking, reading, cancelling, and every way to ask wrongly."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from apps.accounts import services as accounts
from apps.billing import services as billing
from apps.billing.models import Subscription
from apps.core import tenancy
from apps.studio import services as studio
from tests.helpers.people import Tenant
from tests.helpers.plans import make_plan
from tests.helpers.studio import add_rows, ask, states

URL = "/api/v1/generations"
BRIEF = {"content_type": "ad_headline", "product": "Alder Kettle", "tone": "warm", "key_points": ["cordless"]}


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def post(client: Client, org_a: Tenant, model: Any) -> Any:
    """`post(body, **headers)` to the generations of org_a, as its program."""

    def send(body: Any, path: str = URL, **headers: str) -> Any:
        sent = body if isinstance(body, bytes | str) else json.dumps(body)
        return client.post(path, sent, content_type="application/json", headers=org_a.bearer | headers)

    return send


def put_on_plan(tenant: Tenant, tokens: int = 10**6, **limits: int) -> None:
    """Gives the organization a plan of its own."""
    plan = make_plan(f"plan-{uuid4().hex[:8]}", tokens, **limits)
    with tenancy.scope(tenant.id):
        Subscription.objects.create(organization_id=tenant.id, plan=plan)


# ---------------------------------------------------------------- asking


def test_a_prompt_is_accepted_as_a_users_message(post: Any, org_a: Tenant) -> None:
    response = post({"model": "default", "prompt": "Write about tea.", "max_tokens": 9, "temperature": 0, "stop": "."})
    body = response.json()
    assert response.status_code == 202
    assert response.headers["location"] == f"{URL}/{body['id']}"
    assert (body["object"], body["status"], body["model"], body["model_version"]) == (
        "generation",
        "queued",
        "default",
        "house-text-1",
    )
    assert (body["kind"], body["messages"]) == ("chat", [{"role": "user", "content": "Write about tea."}])
    assert (body["max_tokens"], body["temperature"], body["stop"]) == (9, 0, ["."])
    assert (body["queue_position"], body["usage"], body["error"], body["text"]) == (1, None, None, "")
    assert response.headers["x-ratelimit-remaining-requests"]
    assert response.headers["x-request-id"]
    assert billing.usage_summary(org_a.id).held > 9


def test_a_brief_becomes_the_message_the_house_model_knows(post: Any) -> None:
    body = post({"brief": BRIEF}).json()
    assert body["brief"]["product"] == "Alder Kettle"
    assert body["messages"][0]["content"].startswith("Write an ad headline for Alder Kettle.\nTone: warm\nKey points:")


def test_null_is_the_same_as_absent(post: Any) -> None:
    body = post({"prompt": "Tea.", "messages": None, "brief": None, "temperature": None, "seed": None, "stop": None})
    assert (body.status_code, body.json()["temperature"], body.json()["stop"]) == (202, 0.8, [])


def test_a_whole_number_may_be_written_as_a_float(post: Any) -> None:
    assert post({"prompt": "Tea.", "max_tokens": 12.0, "seed": -7}).json()["max_tokens"] == 12


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "invalid_request", "prompt"),
        ({"prompt": "a", "messages": [{"role": "user", "content": "b"}]}, "invalid_request", "prompt"),
        ({"prompt": ""}, "invalid_request", "prompt"),
        ({"prompt": " \n "}, "invalid_request", "prompt"),
        ({"prompt": 5}, "invalid_request", "prompt"),
        ({"prompt": "tea " * 20000}, "context_length_exceeded", "messages"),
        ({"prompt": "a", "frobnicate": 1}, "unknown_parameter", "frobnicate"),
        ({"prompt": "a", "temperature": -0.1}, "invalid_request", "temperature"),
        ({"prompt": "a", "temperature": 10**400}, "invalid_request", "temperature"),
        ({"prompt": "a", "temperature": "hot"}, "invalid_request", "temperature"),
        ({"prompt": "a", "temperature": [1]}, "invalid_request", "temperature"),
        ({"prompt": "a", "top_p": 0}, "invalid_request", "top_p"),
        ({"prompt": "a", "top_k": -1}, "invalid_request", "top_k"),
        ({"prompt": "a", "repetition_penalty": 0}, "invalid_request", "repetition_penalty"),
        ({"prompt": "a", "max_tokens": 0}, "invalid_request", "max_tokens"),
        ({"prompt": "a", "max_tokens": True}, "invalid_request", "max_tokens"),
        ({"prompt": "a", "max_tokens": "9"}, "invalid_request", "max_tokens"),
        ({"prompt": "a", "seed": 2**70}, "invalid_request", "seed"),
        ({"prompt": "a", "stop": [""]}, "invalid_request", "stop"),
        ({"prompt": "a", "stop": ["x" * 101]}, "invalid_request", "stop"),
        ({"messages": [{"role": "user", "content": "a"}] * 501}, "invalid_request", "messages"),
        ({"messages": [{"role": "user", "content": "a", "wild": 1}]}, "unknown_parameter", "wild"),
        ({"brief": {"content_type": "haiku", "product": "Tea"}}, "invalid_request", "brief.content_type"),
        ({"brief": {"content_type": "email", "product": " "}}, "invalid_request", "brief.product"),
        ({"brief": {"content_type": "email"}}, "invalid_request", "brief.product"),
        ({"brief": {"content_type": "email", "product": "Tea", "colour": 1}}, "unknown_parameter", "colour"),
        ({"brief": BRIEF | {"key_points": ["a"] * 9}}, "invalid_request", "brief.key_points"),
        ({"brief": "Tea"}, "invalid_request", "brief"),
        ({"model": "", "prompt": "a"}, "invalid_request", "model"),
    ],
)
def test_what_is_wrong_is_named(post: Any, org_a: Tenant, body: Any, code: str, param: str) -> None:
    response = post(body)
    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (400, code, param), error
    assert states(org_a) == {}


@pytest.mark.parametrize("name", ["nothing", "a" * 120, "../etc/passwd", "默认", "x y"])
def test_an_unknown_model_is_not_found(post: Any, name: str) -> None:
    response = post({"model": name, "prompt": "a"})
    assert (response.status_code, response.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b'{"prompt": "\xff"}',
        b'{"prompt": "\\ud800"}',
        b'{"prompt": "a", "temperature": NaN}',
        b'{"prompt": "a", "seed": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
    ],
)
def test_what_is_not_json_is_refused(post: Any, body: bytes) -> None:
    response = post(body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == ("invalid_json" if body else "invalid_request")


def test_other_content_types_are_refused(client: Client, org_a: Tenant) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        response = client.post(URL, b"prompt=a", content_type=content_type, headers=org_a.bearer)
        assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_media_type")


def test_a_body_that_is_too_large_is_refused(post: Any) -> None:
    response = post({"prompt": "a" * 1_100_000})
    assert (response.status_code, response.json()["error"]["code"]) == (413, "payload_too_large")


def test_methods_that_an_address_does_not_have_are_refused(client: Client, org_a: Tenant) -> None:
    response = client.delete(URL, headers=org_a.bearer)
    assert (response.status_code, response.json()["error"]["code"]) == (405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) >= {"GET", "POST"}
    assert client.get("/api/v1/nothing", headers=org_a.bearer).json()["error"]["code"] == "not_found"


# ---------------------------------------------------------------- who may


def test_without_a_usable_key_nothing_is_answered(client: Client, org_a: Tenant, outsider: Any) -> None:
    for header in ({}, {"authorization": "Basic abc"}, {"authorization": "Bearer mr_no"}, {"authorization": "Bearer "}):
        response = client.get(URL, headers=header)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.json()["error"]["code"] in {"not_authenticated", "invalid_api_key"}
    accounts.revoke_api_key(org_a.actor, org_a.api_key.pk)
    revoked = client.get(URL, headers=org_a.bearer)
    assert (revoked.status_code, revoked.json()["error"]["code"]) == (401, "invalid_api_key")
    client.force_login(outsider)
    assert client.get(URL).status_code == 401


def test_a_key_does_only_what_its_scopes_say(client: Client, org_a: Tenant, model: Any) -> None:
    _, secret = accounts.create_api_key(org_a.actor, "reader", ["generations:read"])
    reader = {"authorization": f"Bearer {secret}"}
    assert client.get(URL, headers=reader).status_code == 200
    refused = client.post(URL, {"prompt": "a"}, content_type="application/json", headers=reader)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_denied")
    assert client.get("/api/v1/usage", headers=reader).status_code == 403


def test_a_members_browser_may_read_and_needs_the_csrf_token_to_write(org_a: Tenant, model: Any) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(org_a.member)
    assert browser.get(URL).status_code == 200
    refused = browser.post(URL, {"prompt": "a"}, content_type="application/json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_denied")


def test_another_organization_sees_what_does_not_exist(
    client: Client, org_a: Tenant, org_b: Tenant, model: Any
) -> None:
    generation = ask(org_a)
    for method, path in (("get", ""), ("post", "/cancel"), ("get", "/stream")):
        send = getattr(client, method)
        answers = [
            send(f"{URL}/{id}{path}", headers=org_b.bearer)
            for id in (generation.pk, uuid4(), "not-an-id", "%00", "%ff")
        ]
        assert [answer.status_code for answer in answers] == [404] * 5
        assert len({answer.content for answer in answers}) == 1
    assert client.get(URL, headers=org_b.bearer).json()["data"] == []
    assert states(org_a) == {"queued": 1}


# ---------------------------------------------------------------- limits


def test_too_many_requests_are_told_when_to_come_back(post: Any, org_a: Tenant) -> None:
    put_on_plan(org_a, requests_per_minute=2)
    answers = [post({"prompt": "a"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["1", "0", "0"]
    assert answers[2].json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(answers[2].headers["retry-after"]) <= 31
    assert answers[2].headers["x-should-retry"] == "true"


def test_too_many_tokens_leave_nothing_behind(post: Any, org_a: Tenant) -> None:
    put_on_plan(org_a, tokens_per_minute=100)
    assert post({"prompt": "a", "max_tokens": 60}).status_code == 202
    refused = post({"prompt": "a", "max_tokens": 60})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert refused.headers["x-ratelimit-limit-tokens"] == "100"
    assert states(org_a) == {"queued": 1}


def test_an_exhausted_allowance_does_not_ask_for_another_try(post: Any, org_a: Tenant) -> None:
    put_on_plan(org_a, tokens=50)
    refused = post({"prompt": "a", "max_tokens": 60})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")
    assert refused.headers["x-should-retry"] == "false"
    assert refused.headers["x-ratelimit-remaining-requests"] == "99"
    assert "retry-after" not in refused.headers


def test_a_full_queue_asks_for_another_try(post: Any, org_a: Tenant) -> None:
    put_on_plan(org_a, max_queued=1)
    assert post({"prompt": "a"}).status_code == 202
    refused = post({"prompt": "a"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "queue_full")
    assert refused.headers["retry-after"]


# ---------------------------------------------------------------- idempotency


def test_one_key_makes_one_generation(post: Any, org_a: Tenant, org_b: Tenant, client: Client) -> None:
    body = {"prompt": "Tea.", "seed": 1}
    first, second = (post(body, **{"idempotency-key": "k1"}) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    changed = post(body | {"seed": 2}, **{"idempotency-key": "k1"})
    assert (changed.status_code, changed.json()["error"]["code"]) == (409, "idempotency_key_reused")
    other = client.post(
        URL, json.dumps(body), content_type="application/json", headers=org_b.bearer | {"idempotency-key": "k1"}
    )
    assert other.status_code == 202 and other.json()["id"] != first.json()["id"]
    assert states(org_a) == {"queued": 1}


def test_a_refused_request_does_not_use_up_its_key(post: Any) -> None:
    key = {"idempotency-key": "k2"}
    assert post({"prompt": "a", "model": "nothing"}, **key).status_code == 404
    assert post({"prompt": "a"}, **key).status_code == 202
    assert post({"prompt": "a"}, **{"idempotency-key": "é"}).status_code == 400
    assert post({"prompt": "a"}, **{"idempotency-key": "x" * 256}).status_code == 400
    assert post({"prompt": "a"}, **{"idempotency-key": ""}).status_code == 400


# ---------------------------------------------------------------- reading


def test_pages_of_the_list_neither_skip_nor_repeat(client: Client, org_a: Tenant, org_b: Tenant, model: Any) -> None:
    made = {str(row.pk) for row in add_rows(org_a, model, 7)}
    add_rows(org_b, model, 3)
    seen: list[str] = []
    url: str | None = f"{URL}?limit=3"
    while url:
        page = client.get(url, headers=org_a.bearer).json()
        seen += [row["id"] for row in page["data"]]
        assert page["has_more"] is bool(page["next"])
        url = page["next"]
    assert len(seen) == 7
    assert set(seen) == made


def test_the_list_is_filtered_by_status(client: Client, org_a: Tenant, model: Any) -> None:
    kept = ask(org_a)
    studio.cancel_generation(org_a.actor, ask(org_a).pk)
    page = client.get(f"{URL}?status=queued", headers=org_a.bearer).json()
    assert [row["id"] for row in page["data"]] == [str(kept.pk)]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("limit=%00", "limit"),
        ("status=lost", "status"),
        ("status=", "status"),
    ],
)
def test_a_wrong_query_is_named(client: Client, org_a: Tenant, query: str, param: str) -> None:
    response = client.get(f"{URL}?{query}", headers=org_a.bearer)
    assert (response.status_code, response.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("cursor", ["%ff", "cD1ub25zZW5zZQ%3D%3D", "cD0yMDI2LTk5LTk5KzAwOjAw", "cD0%3D"])
def test_a_cursor_that_no_page_gave_leads_nowhere(client: Client, org_a: Tenant, cursor: str) -> None:
    response = client.get(f"{URL}?cursor={cursor}", headers=org_a.bearer)
    assert (response.status_code, response.json()["error"]["param"]) == (404, "cursor")


def test_cancelling_what_waits_costs_nothing(client: Client, org_a: Tenant, model: Any) -> None:
    generation = ask(org_a)
    for _ in range(2):
        body = client.post(f"{URL}/{generation.pk}/cancel", headers=org_a.bearer).json()
        assert (body["status"], body["usage"]["total_tokens"]) == ("cancelled", 0)
    assert billing.usage_summary(org_a.id).held == 0
