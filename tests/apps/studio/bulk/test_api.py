"""Bulk runs over REST."""

import json
from typing import Any

import pytest
from django.test import Client

from apps.studio.models import RunState
from apps.studio.services import bulk
from tests.apps.studio.bulk.conftest import Made, drive_to_the_end, fresh, standings
from tests.helpers.people import Tenant

BODY = {"name": "Teas", "rows": [{"name": "Tea"}, {"name": "Cups", "note": "x"}], "prompt": "About {{ name }}."}


def call(tenant: Tenant, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
    client = Client()
    data = json.dumps(body) if body is not None else ""
    kinds = {"content_type": "application/json", "headers": tenant.bearer | headers}
    response = client.generic(method, f"/api/v1/bulk-runs{path}", data, **kinds)
    return response.status_code, json.loads(response.content) if response.content else {}


def test_a_run_is_made_started_and_read(org_a: Tenant, model: Any) -> None:
    status, made = call(org_a, "POST", "", BODY | {"start": True, "max_tokens": 20, "stop": "."})
    assert status == 201, made
    assert (made["state"], made["columns"]) == ("running", ["name", "note"])
    assert made["estimate"]["completion_tokens"] == 40
    from apps.core import tenancy
    from apps.studio.models import BulkRun

    with tenancy.scope(org_a.id):
        run = BulkRun.objects.get(pk=made["id"])
    drive_to_the_end(run)
    _, found = call(org_a, "GET", f"/{run.pk}")
    assert (found["state"], found["counts"]["succeeded"]) == ("completed", 2)
    _, rows = call(org_a, "GET", f"/{run.pk}/rows?limit=1")
    assert rows["has_more"]
    [row] = rows["data"]
    assert (row["number"], row["status"], row["text"], row["error"]) == (1, "succeeded", "Tea, at last.", None)
    _, listed = call(org_a, "GET", "?state=completed")
    assert [each["id"] for each in listed["data"]] == [str(run.pk)]


def test_the_same_key_makes_one_run(org_a: Tenant, model: Any) -> None:
    first, again = (call(org_a, "POST", "", BODY, **{"idempotency-key": "k1"}) for _ in range(2))
    assert first == again
    assert call(org_a, "POST", "", BODY | {"name": "Other"}, **{"idempotency-key": "k1"})[0] == 409


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"prompt": "About {{ price }}."}, "prompt"),
        ({"rows": []}, "rows"),
        ({"rows": [{"a": 1}]}, "rows.0.a"),
        ({"model": "nobody"}, "model"),
        ({"temperature": 3}, "temperature"),
        ({"colour": "red"}, "colour"),
        ({"deadline_seconds": 5}, "deadline_seconds"),
    ],
)
def test_what_is_wrong_is_named_and_leaves_nothing(org_a: Tenant, model: Any, change: Any, param: str) -> None:
    status, answer = call(org_a, "POST", "", BODY | change)
    assert status in {400, 404}
    assert answer["error"]["param"] == param
    assert call(org_a, "GET", "")[1]["data"] == []


def test_acts_and_their_order(org_a: Tenant, made: Made) -> None:
    run = made("Tea", "Cups")
    assert call(org_a, "POST", f"/{run.pk}/resume")[0] == 409
    for act, state in [("pause", "paused"), ("resume", "running"), ("cancel", "ending")]:
        assert call(org_a, "POST", f"/{run.pk}/{act}")[1]["state"] == state
    bulk.drive("d1")
    assert fresh(run).state == RunState.CANCELLED
    assert call(org_a, "DELETE", f"/{run.pk}")[0] == 204


def test_another_organizations_key_finds_nothing(org_a: Tenant, org_b: Tenant, made: Made) -> None:
    run = made("Tea")
    for method, path in [("GET", ""), ("GET", "/rows"), ("GET", "/download"), ("POST", "/cancel"), ("DELETE", "")]:
        assert call(org_b, method, f"/{run.pk}{path}")[0] == 404
    assert call(org_b, "GET", "")[1]["data"] == []
    assert standings(run) == ["waiting"]
