"""Templates over REST: written, labelled, rendered and generated from, by the organization's own keys alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts import services as accounts
from apps.core import tenancy
from apps.studio.models import Generation
from tests.helpers.people import Tenant
from tests.helpers.templates import FACTS

BODY = {"name": "Copy", "prompt": FACTS.prompt, "system": FACTS.system, "variables": FACTS.variables}


def call(tenant: Tenant, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    response = Client().generic(
        method,
        f"/api/v1/{path}",
        "" if body is None else json.dumps(body),
        content_type="application/json",
        headers=tenant.bearer | headers,
    )
    return response.status_code, response.json() if response.content else None


@pytest.fixture
def key(org_a: Tenant) -> Tenant:
    """The organization with a key that may also approve."""
    scopes = ["templates:read", "templates:write", "templates:approve", "generations:read", "generations:write"]
    _, secret = accounts.create_api_key(org_a.actor, "templates", scopes=scopes)
    return Tenant(org_a.organization, org_a.owner, org_a.admin, org_a.member, org_a.actor, secret, org_a.api_key)


@pytest.mark.django_db(transaction=True)
def test_a_program_calls_a_template_by_label(key: Tenant, model: Any) -> None:
    status, created = call(key, "POST", "templates", BODY)
    assert (status, created["slug"], created["latest_version"]) == (201, "copy", 1)
    ask = {"variables": {"product": "Tea", "tone": "warm"}, "seed": 3}
    assert call(key, "POST", "templates/copy/generate", ask)[1]["error"]["code"] == "label_not_set"
    assert (
        call(key, "PUT", "templates/copy/labels/production", {"version": 1})[1]["error"]["code"] == "approval_required"
    )
    assert call(key, "PUT", "templates/copy/labels/approved", {"version": 1})[0] == 200
    assert call(key, "PUT", "templates/copy/labels/production", {"version": 1})[1]["version"] == 1
    status, generation = call(key, "POST", "templates/copy/generate", ask, **{"idempotency-key": "one"})
    assert status == 202
    assert (generation["origin"], generation["seed"]) == ("template", 3)
    assert generation["messages"][1]["content"] == "Write about Tea.\nTone: warm"
    version = call(key, "GET", "templates/copy/versions/1")[1]
    assert generation["template_version"] == version["id"] and version["approved_at"]
    again = call(key, "POST", "templates/copy/generate", ask, **{"idempotency-key": "one"})[1]
    assert again["id"] == generation["id"]
    with tenancy.scope(key.id):
        assert Generation.objects.count() == 1
    # Of what was accepted nothing is asked again, also where the template could not be used any more.
    assert call(key, "POST", "templates/copy/archive")[0] == 200
    assert call(key, "POST", "templates/copy/generate", ask)[0] == 409
    status, again = call(key, "POST", "templates/copy/generate", ask, **{"idempotency-key": "one"})
    assert (status, again["id"]) == (202, generation["id"])


@pytest.mark.django_db(transaction=True)
def test_a_rollback_changes_what_the_next_call_uses(key: Tenant, model: Any) -> None:
    call(key, "POST", "templates", BODY)
    assert call(key, "POST", "templates/copy/versions", {"prompt": "Describe {{ product }}.",
                                                         "variables": FACTS.variables})[1]["number"] == 2  # fmt: skip
    for number in (1, 2):
        call(key, "PUT", "templates/copy/labels/approved", {"version": number})
        call(key, "PUT", "templates/copy/labels/production", {"version": number})
    ask = {"variables": {"product": "Tea"}}
    assert call(key, "POST", "templates/copy/render", ask)[1]["version"] == 2
    assert call(key, "PUT", "templates/copy/labels/production", {"version": 1})[1]["previous"] == 2
    rendered = call(key, "POST", "templates/copy/render", ask)[1]
    assert rendered["version"] == 1 and rendered["messages"][1]["content"].startswith("Write about Tea.")
    diff = call(key, "GET", "templates/copy/diff")[1]
    assert (diff["older"], diff["newer"]) == (1, 2)
    assert {each["field"] for each in diff["differences"]} == {"prompt", "system"}


@pytest.mark.django_db(transaction=True)
def test_problems_say_where(key: Tenant, model: Any) -> None:
    status, body = call(key, "POST", "templates", BODY | {"prompt": "{{ nobody }}"})
    assert (status, body["error"]["code"], body["error"]["param"]) == (422, "template_invalid", "prompt")
    call(key, "POST", "templates", BODY)
    status, body = call(key, "POST", "templates/copy/generate", {"label": "draft", "variables": {"product": ""}})
    assert (status, body["error"]["code"], body["error"]["param"]) == (422, "variable_invalid", "variables.product")
    assert call(key, "POST", "templates/copy/generate", {"colour": 1})[1]["error"]["code"] == "unknown_parameter"


@pytest.mark.django_db(transaction=True)
def test_keys_do_what_their_scopes_say_and_nothing_of_others(org_a: Tenant, org_b: Tenant, key: Tenant) -> None:
    call(key, "POST", "templates", BODY)
    assert call(org_a, "PUT", "templates/copy/labels/approved", {"version": 1})[0] == 403
    for method, path, body in (
        ("GET", "templates/copy", None),
        ("PATCH", "templates/copy", {"name": "Mine"}),
        ("POST", "templates/copy/archive", None),
        ("POST", "templates/copy/generate", {"label": "draft", "variables": {"product": "Tea"}}),
        ("POST", "templates/copy/render", {"label": "draft", "variables": {"product": "Tea"}}),
        ("GET", "templates/copy/versions", None),
        ("GET", "templates/copy/diff", None),
        ("DELETE", "templates/copy/labels/spring", None),
    ):
        assert call(org_b, method, path, body)[0] == 404, path
    assert call(org_b, "GET", "templates")[1]["data"] == []


@pytest.mark.django_db(transaction=True)
def test_the_library_and_voices_over_rest(key: Tenant, org_b: Tenant, model: Any) -> None:
    keys = [entry["key"] for entry in call(key, "GET", "template-library?language=zh-hans")[1]["data"]]
    assert "news-digest" in keys
    assert call(key, "POST", "template-library/faq/use", {"language": "zh-hans"})[1]["library"] == "faq/zh-hans"
    status, voice = call(key, "POST", "voices", {"name": "House", "content": {"banned": ["cheap"]}})
    assert (status, voice["voice"], voice["number"]) == (201, "house", 1)
    [found] = call(key, "POST", "voices/house/check", {"text": "A cheap loaf."})[1]["violations"]
    assert (found["start"], found["end"], found["rule"]) == (2, 7, "banned")
    features = call(key, "POST", "voice-measurements", {"texts": ["We bake. We sell!"]})[1]["features"]
    assert (features["sentences"], features["exclamations"]) == (2, 0.5)
    assert call(org_b, "POST", "voices/house/check", {"text": "x"})[0] == 404


@pytest.mark.django_db(transaction=True)
def test_the_rule_for_approvals_is_changed_by_who_may_manage_the_organization(
    org_a: Tenant, key: Tenant, client_of: Callable[[Any], Client]
) -> None:
    def change(person: Any, body: Any) -> tuple[int, Any]:
        answer = client_of(person).patch("/api/v1/template-settings", body, content_type="application/json")
        return answer.status_code, answer.json()

    assert call(key, "GET", "template-settings") == (200, {"four_eyes": False})
    assert call(key, "PATCH", "template-settings", {"four_eyes": True})[0] == 403, "no key manages an organization"
    assert change(org_a.member, {"four_eyes": True})[0] == 403
    assert change(org_a.admin, {"four_eyes": True}) == (200, {"four_eyes": True})
    assert call(key, "GET", "template-settings") == (200, {"four_eyes": True})
    for wrong in ({}, {"four_eyes": "perhaps"}, {"eyes": True}):
        assert change(org_a.admin, wrong)[0] == 400, wrong
