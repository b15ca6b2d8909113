"""Articles, flows and examples over REST: what programs send and are told, with stable codes for what is wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.helpers import bots
from tests.helpers.people import Tenant, bearer_with

pytestmark = pytest.mark.django_db
API = "/api/v1/support"


def call(tenant: Tenant, method: str, path: str, body: Any = None, *scopes: str) -> tuple[int, Any]:
    headers = bearer_with(tenant, *(scopes or ("bots:read", "bots:write", "bots:approve")))
    content = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
    response = getattr(Client(), method)(f"{API}{path}", headers=headers, **content)
    return response.status_code, response.json() if response.content else None


def test_flows_are_checked_written_approved_and_put_live(org_a: Tenant) -> None:
    status, found = call(org_a, "post", "/flows/check", {"text": bots.FLOWS})
    assert status == 200 and "block_card" in found["problems"][0]["message"]
    status, found = call(org_a, "post", "/bot-actions", {"name": "block_card", "url": "https://bank.example/"})
    assert status == 201 and found["secret"].startswith("whsec_")
    assert call(org_a, "post", "/flows", {"text": bots.FLOWS})[1]["standing"] == "draft"
    assert call(org_a, "post", "/flows/1/live")[1]["error"]["code"] == "not_approved"
    assert call(org_a, "post", "/flows/1/approve")[1]["standing"] == "approved"
    assert call(org_a, "post", "/flows/1/live")[1]["standing"] == "live"
    status, found = call(org_a, "patch", "/bot", {"is_on": True, "accept": 0.6, "duties": {"lost_card": "fraud"}})
    assert (status, found["is_on"], found["flows"], found["duties"]) == (200, True, 1, {"lost_card": "fraud"})


def test_faults_of_flows_come_with_lines_and_a_code(org_a: Tenant) -> None:
    status, found = call(org_a, "post", "/flows", {"text": "flows:\n  a:\n    steps: [{sya: hello}]\n"})
    assert (
        status == 422 and found["error"]["code"] == "flows_invalid" and "line 3: a step is" in found["error"]["message"]
    )


def test_articles_are_written_published_and_imported(org_a: Tenant) -> None:
    status, found = call(org_a, "post", "/articles", {"title": "Fees", "body": "Four euros.", "category": "Cards"})
    assert (status, found["number"]) == (201, 1)
    id = found["article"]
    assert call(org_a, "post", f"/articles/{id}/versions", {"title": "Fees", "body": "Five euros."})[1]["number"] == 2
    published = call(org_a, "post", f"/articles/{id}/publish", {"number": 2})[1]
    assert published["published"] == [{"locale": "en", "number": 2}] and published["category"] == "Cards"
    assert call(org_a, "post", f"/articles/{id}/retire", {"locale": "en"})[0] == 204
    assert call(org_a, "post", f"/articles/{id}/publish", {"number": 9})[0] == 404
    for scopes, status in ((("bots:write",), 403), (("bots:write", "bots:approve"), 201)):
        file = SimpleUploadedFile("hours.md", b"# Hours\n\nNine to five.", content_type="text/markdown")
        form = {"file": file, "publish": "true"}
        answer = Client().post(f"{API}/articles/import", form, headers=bearer_with(org_a, *scopes))
        assert answer.status_code == status
    assert answer.status_code == 201 and answer.json()["data"][0]["title"] == "Hours"
    wrong = SimpleUploadedFile("hours.exe", b"MZ")
    answer = Client().post(f"{API}/articles/import", {"file": wrong}, headers=bearer_with(org_a, "bots:write"))
    assert answer.json()["error"]["code"] == "import_refused"


def test_examples_are_added_changed_and_trained_from(org_a: Tenant) -> None:
    given = [{"text": f"where is my card {n}", "intent": "card"} for n in range(20)]
    given += [{"text": f"what time is it {n}", "intent": "hours"} for n in range(20)]
    assert call(org_a, "post", "/intent-examples", {"examples": given})[1]["added"] == 40
    listed = call(org_a, "get", "/intent-examples?intent=hours&limit=5")[1]
    assert len(listed["data"]) == 5 and listed["has_more"]
    one = listed["data"][0]["id"]
    assert call(org_a, "put", f"/intent-examples/{one}", {"intent": "card"})[1]["is_sure"]
    assert call(org_a, "delete", f"/intent-examples/{one}")[0] == 204
    status, run = call(org_a, "post", "/training-runs", {"method": "head"})
    assert (status, run["status"], run["report"]) == (202, "queued", None)
    assert call(org_a, "post", f"/training-runs/{run['id']}/cancel")[1]["status"] == "cancelled"
    assert call(org_a, "post", "/training-runs", {"method": "magic"})[0] == 400


def test_each_scope_opens_its_own_part(org_a: Tenant) -> None:
    assert call(org_a, "get", "/flows", None, "bots:read")[0] == 200
    assert call(org_a, "post", "/flows", {"text": bots.FLOWS}, "bots:read")[0] == 403
    assert call(org_a, "patch", "/bot", {"accept": 0.6}, "bots:write")[0] == 403
    assert call(org_a, "get", "/flows", None, "models:read")[0] == 403


def test_what_is_another_organization_s_is_not_there(org_a: Tenant, org_b: Tenant) -> None:
    id = call(org_a, "post", "/articles", {"title": "Fees", "body": "Four euros."})[1]["article"]
    call(org_a, "post", "/flows", {"text": bots.FLOWS})
    for method, path, body in (
        ("get", f"/articles/{id}", None),
        ("post", f"/articles/{id}/publish", {"number": 1}),
        ("get", "/flows/1", None),
        ("get", "/help-centre", None),
    ):
        assert call(org_b, method, path, body)[0] == 404, path
