"""Addresses for calls in: set by those who may, with paths that are taken, over REST and on pages."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from apps.privacy.services import retention
from apps.webhooks import mapping
from apps.webhooks.models import Delivery, InboundCall, InboundHook
from apps.webhooks.services import calls as taking
from apps.webhooks.services import inbound
from tests.helpers.inbound import (
    PATHS,
    USAGE,
    call,
    calls_of,
    opened,
    standard,
)
from tests.helpers.people import PASSWORD, Tenant, acting, bearer_with

pytestmark = pytest.mark.django_db(transaction=True)
# ---------------------------------------------------------------- mapping


def test_paths_find_the_first_value_and_texts_are_themselves() -> None:
    payload = {"a": {"b": [{"c": 1}, {"c": 2}]}, "none": None, "flag": False}
    paths = {"one": "$.a.b[0].c", "last": "$.a.b[-1].c", "any": "$..c", "text": "plain", "flag": "$.flag", "no": "$.x"}
    paths |= {"none": "$.none", "whole": "$.a.b", "chosen": "$.a.b[?@.c > 1].c"}
    assert mapping.inputs_of(paths, payload) == {
        "one": 1, "last": 2, "any": 1, "text": "plain", "flag": False, "whole": payload["a"]["b"], "chosen": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        *("$[", "$..a..b", "$." + "a" * 300, "$[?match(@.a, '(a+)+b')]", "$[?@.a =~ /(a+)+b/]", "$[?count(@.*) > 1]"),
        *("$.a[*] & $.b[*]", "$.a[?@ in $.b]", "$.a[*][?$.b[?@==1]]", "$.a[?@.b[?@.c]]"),
    ],
)
def test_paths_that_could_take_long_are_not_taken(org_a: Tenant, path: str) -> None:
    with pytest.raises(mapping.MappingError):
        mapping.check(path)
    with pytest.raises(InvalidRequest):
        opened(org_a, mapping=PATHS | {"subject": path})


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"name": " "}, InvalidRequest),
        ({"sender": "nobody"}, InvalidRequest),
        ({"action": "nothing"}, InvalidRequest),
        ({"mapping": {"meter": "images"}}, InvalidRequest),
        ({"mapping": PATHS | {"colour": "red"}}, InvalidRequest),
        ({"mapping": PATHS | {"subject": "x" * 3_000}}, InvalidRequest),
        ({"sender": "stripe"}, InvalidRequest),
        ({"secret": "whsec_!"}, InvalidRequest),
    ],
)
def test_what_makes_no_sense_is_refused(org_a: Tenant, values: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        opened(org_a, **values)


# ---------------------------------------------------------------- who may what


def narrowed(tenant: Tenant, *permissions: str) -> Any:
    return replace(tenant.actor, permissions=frozenset(permissions))


def test_only_who_may_do_what_an_address_does_gets_its_secret_or_its_result(org_a: Tenant) -> None:
    hook, _secret = opened(org_a)
    for permissions in (("webhooks:manage",), ("webhooks:manage", "generations:write")):
        with pytest.raises(PermissionDenied):
            inbound.change_secret(narrowed(org_a, *permissions), hook.pk)
    assert inbound.change_secret(narrowed(org_a, "webhooks:manage", "usage:write"), hook.pk)[1]
    writer = narrowed(org_a, "webhooks:manage", "usage:write", "generations:write")
    paths = {"template": "product", "callback_url": "https://shop.example/"}
    asked = {"name": "Texts", "sender": "standard", "action": "template_run", "mapping": paths}
    with pytest.raises(PermissionDenied):
        inbound.create_hook(writer, asked)
    assert inbound.create_hook(writer, asked | {"mapping": {"template": "product"}})[1]


def test_members_and_other_organizations_reach_none_of_it(
    org_a: Tenant, org_b: Tenant, outsider: Any, client_of: Any
) -> None:
    hook, secret = opened(org_a, name="Swordfish")
    for act in (inbound.get_hook, inbound.change_secret, inbound.delete_hook):
        with pytest.raises(NotFound):
            act(org_b.actor, hook.pk)
    with pytest.raises(PermissionDenied):
        inbound.create_hook(acting(org_a, org_a.member), {"name": "x", "sender": "standard", **USAGE})
    with pytest.raises(Conflict):
        opened(org_a, name="Swordfish")
    address = f"/settings/calls-in/{hook.pk}/"
    assert client_of(org_b.owner).get(address).status_code == 404
    assert client_of(outsider).get(address).status_code == 404
    assert client_of(org_a.member).get(address).status_code == 403
    body = b'{"data":{"count":7}}'
    call(hook, body, standard(secret, body))
    [row] = calls_of(org_a)
    theirs, _secret = opened(org_b)
    with pytest.raises(NotFound):
        inbound.payload_of_call(org_b.actor, theirs.pk, row.pk)
    with pytest.raises(NotFound):
        inbound.payload_of_call(org_b.actor, hook.pk, row.pk)


def test_over_rest(org_a: Tenant) -> None:
    headers = bearer_with(org_a, "webhooks:manage", "usage:write")

    def send(method: str, path: str, body: Any = None) -> Any:
        at = f"/api/v1/webhooks/inbound{path}"
        return Client().generic(method, at, json.dumps(body or {}), "application/json", headers=headers)

    made = send("POST", "", {"name": "Shop", "sender": "standard", **USAGE})
    assert made.status_code == 201, made.content
    at, secret = f"/{made.json()['id']}", made.json()["secret"]
    assert made.json()["url"].endswith(f"/hooks{at}/")
    tried = send("POST", f"{at}/try", {"body": '{"data": {"count": 2}}'}).json()
    assert (tried["inputs"], tried["missing"]) == ({"meter": "images", "quantity": 2}, [])
    assert send("POST", f"{at}/try", {"body": "{}"}).json()["missing"] == ["quantity"]
    assert send("PATCH", at, {"mapping": PATHS | {"model": "$.model"}}).json()["mapping"]["model"] == "$.model"
    with tenancy.scope(org_a.id):
        hook = InboundHook.objects.get()
    body = b'{"data":{"count":7}}'
    call(hook, body, standard(secret, body))
    taking.run_calls()
    assert [each["status"] for each in send("GET", f"{at}/calls").json()["data"]] == ["done"]
    assert send("POST", f"{at}/secret").json()["secret"] != secret
    assert len(send("GET", "").json()["data"]) == 1
    assert "secret" not in send("GET", at).json()
    assert send("DELETE", at).status_code == 204


def test_the_pages_open_try_and_close_an_address(org_a: Tenant) -> None:
    client = Client()
    assert client.login(username=org_a.owner.email, password=PASSWORD)
    text = "meter = images\nquantity = $.data.count"
    form = {"name": "Shop", "sender": "standard", "secret": "", "action": "usage_event", "mapping": text}
    assert client.post("/settings/calls-in/", form | {"mapping": "meter"}).status_code == 422
    page = client.post("/settings/calls-in/", form).content.decode()
    with tenancy.scope(org_a.id):
        hook = InboundHook.objects.get()
    at = f"/settings/calls-in/{hook.pk}/"
    assert "whsec_" in page
    assert f"/hooks/{hook.pk}/" in page
    secret = page.split('<code id="secret">')[1].split("<")[0]
    tried = client.post(f"{at}try/", {"mapping": text, "body": '{"data": {"count": 41}}'}).content.decode()
    assert ">41<" in tried
    assert "quantity" in client.post(f"{at}try/", {"mapping": text, "body": "{}"}).content.decode()
    assert client.post(f"{at}try/", {"mapping": text, "body": "<xml>"}).status_code == 422
    body = b'{"data":{"count":7,"note":"<script>"}}'
    call(hook, body, standard(secret, body))
    taking.run_calls()
    [row] = calls_of(org_a)
    shown = client.get(f"{at}?call={row.pk}").content.decode()
    assert "&lt;script&gt;" in shown
    assert client.get(f"{at}?call=x").status_code == 404
    assert client.post(f"{at}change/", form | {"name": "Store", "enabled": ""}).status_code == 302
    assert "whsec_" in client.post(f"{at}secret/", {"secret": ""}).content.decode()
    client.post(f"{at}delete/")
    assert "Nobody calls yet" in client.get("/settings/calls-in/").content.decode()


def test_payloads_are_sealed_and_go_when_their_time_is_over(org_a: Tenant) -> None:
    hook, secret = opened(org_a)
    body = b'{"data":{"count":7},"note":"swordfish"}'
    call(hook, body, standard(secret, body))
    with tenancy.scope(org_a.id), connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM webhooks_inboundcall t")
        assert "swordfish" not in cursor.fetchone()[0]
        InboundCall.objects.update(created_at=timezone.now() - timedelta(days=40))
    retention.set_term(org_a.actor, "inbound_calls", 7)
    retention.apply(60)
    assert len(calls_of(org_a)) == 1
    taking.run_calls()
    with tenancy.scope(org_a.id):
        InboundCall.objects.update(finished_at=timezone.now() - timedelta(days=8))
    retention.apply(60)
    assert calls_of(org_a) == []
    with tenancy.scope(org_a.id):
        assert not Delivery.objects.exists()
