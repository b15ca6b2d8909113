"""Documents over REST: what was read is said, and nobody is overwritten."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from apps.core.jobs import Status
from apps.registry.models import ModelVersion
from apps.studio.services import Outcome, documents
from tests.helpers.people import Tenant
from tests.helpers.studio import finish, start

URL = "/api/v1/documents"


class Caller:
    """A program of one organization."""

    def __init__(self, tenant: Tenant) -> None:
        self.client, self.headers = Client(), tenant.bearer

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        data = "" if body is None else json.dumps(body)
        headers = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.generic(method, path, data, content_type="application/json", headers=headers)


@pytest.fixture
def call(org_a: Tenant, model: ModelVersion) -> Caller:
    return Caller(org_a)


def made(call: Caller, **body: Any) -> dict[str, Any]:
    answer = call("POST", URL, {"title": "Mill", "text": "The mill turns.\n"} | body)
    assert answer.status_code == 201
    found: dict[str, Any] = answer.json()
    return found


def test_a_document_is_made_read_changed_and_deleted(call: Caller) -> None:
    document = made(call, tags=["Water"])
    path = f"{URL}/{document['id']}"
    read = call("GET", path)
    assert (read["etag"], read.json()["text"], read.json()["tags"]) == ('"1"', "The mill turns.\n", ["water"])
    changed = call("PATCH", path, {"text": "It turns.\n"}, if_match='"1"')
    assert (changed.status_code, changed["etag"], changed.json()["revision"]) == (200, '"2"', 2)
    assert call("DELETE", path).status_code == 204
    assert call("GET", path).status_code == 404
    assert call("GET", f"{URL}?trashed=true").json()["data"][0]["id"] == document["id"]
    assert call("POST", f"{path}/undelete").status_code == 200


def test_what_was_read_must_be_said_and_decides(call: Caller) -> None:
    path = f"{URL}/{made(call)['id']}"
    unsaid = call("PATCH", path, {"text": "x"})
    assert (unsaid.status_code, unsaid.json()["error"]["param"]) == (409, "If-Match")
    assert call("PATCH", path, {"text": "The tower turns.\n"}, if_match='"1"').status_code == 200
    late = call("PATCH", path, {"text": "The mill spins.\n"}, if_match='"1"')
    assert (late.status_code, late.json()["error"]["code"], late["etag"]) == (412, "document_changed", '"2"')
    merged = call("PATCH", path, {"text": "The mill spins.\n", "base_revision": 1})
    assert merged.json()["text"] == "The tower spins.\n"
    clash = call("PATCH", path, {"text": "The barn turns.\n", "base_revision": 1})
    assert (clash.status_code, clash.json()["error"]["code"]) == (409, "document_conflict")
    assert call("GET", path).json()["text"] == "The tower spins.\n"
    assert call("PATCH", path, {"text": "x"}, if_match="W/abc").status_code == 400
    assert call("PATCH", path, {"colour": "red"}).json()["error"]["code"] == "unknown_parameter"


def test_a_request_that_is_repeated_makes_one_document(call: Caller) -> None:
    answers = [call("POST", URL, {"title": "Once"}, idempotency_key="k1") for _ in range(2)]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert len(call("GET", URL).json()["data"]) == 1


def test_lists_folders_and_search(call: Caller) -> None:
    folder = call("POST", "/api/v1/document-folders", {"name": "Drafts"}).json()
    inside = made(call, folder=folder["id"], title="Inside", text="磨坊在河边")
    made(call)
    assert [each["id"] for each in call("GET", f"{URL}?folder={folder['id']}").json()["data"]] == [inside["id"]]
    page = call("GET", f"{URL}?limit=1").json()
    assert page["has_more"]
    assert "text" not in page["data"][0]
    [found] = call("GET", f"{URL}?search=河边").json()["data"]
    assert (found["id"], "河边" in found["snippet"]) == (inside["id"], True)
    assert call("DELETE", f"/api/v1/document-folders/{folder['id']}").status_code == 409
    call("PATCH", f"{URL}/{inside['id']}", {"folder": ""})
    assert call("DELETE", f"/api/v1/document-folders/{folder['id']}").status_code == 204


@pytest.mark.parametrize(
    "query", ["search=", "tag=", "trashed=yes", "folder=x", "tag=a&tag=b", "colour=red", "limit=0"]
)
def test_a_list_refuses_what_it_does_not_know(query: str, call: Caller) -> None:
    assert call("GET", f"{URL}?{query}").status_code == 400


def test_versions_exports_and_links(call: Caller) -> None:
    path = f"{URL}/{made(call)['id']}"
    call("PATCH", path, {"text": "Second.\n", "base_revision": 1})
    assert [each["number"] for each in call("GET", f"{path}/versions").json()["data"]] == [2, 1]
    assert call("PATCH", f"{path}/versions/1", {"name": "First"}).json()["name"] == "First"
    assert call("POST", f"{path}/versions/1/restore").json()["text"] == "The mill turns.\n"
    assert call("GET", f"{path}/versions/x").status_code == 404
    exported = call("GET", f"{path}/export/txt")
    assert "attachment" in exported["content-disposition"]
    assert "The mill turns." in exported.content.decode()
    shared = call("POST", f"{path}/shares", {"days": 3}).json()
    assert "The mill turns." in Client().get(shared["url"].removeprefix("http://testserver")).content.decode()
    assert "url" not in call("GET", f"{path}/shares").json()[0]
    assert call("DELETE", f"{path}/shares/{shared['id']}").status_code == 204
    assert Client().get(shared["url"].removeprefix("http://testserver")).status_code == 404


def test_suggestions_and_comments(call: Caller) -> None:
    path = f"{URL}/{made(call)['id']}"
    about = {"revision": 1, "start": 4, "end": 8, "quote": "mill"}
    asked = call("POST", f"{path}/suggestions", {"action": "rewrite", **about})
    assert (asked.status_code, asked.json()["status"]) == (201, "writing")
    assert finish(start(), Outcome(Status.SUCCEEDED, "windmill", "stop", 5, 5))
    place = f"{path}/suggestions/{asked.json()['id']}"
    assert call("GET", place).json()["text"] == "windmill"
    assert call("POST", f"{place}/accept").json()["text"] == "The windmill turns.\n"
    gone = call("POST", f"{path}/comments", about | {"quote": "river", "text": "Where?"})
    assert (gone.status_code, gone.json()["error"]["code"]) == (409, "text_gone")
    head = call("POST", f"{path}/comments", about | {"text": "Which?"}).json()
    answer = call("POST", f"{path}/comments/{head['id']}/answers", {"text": "That one."}).json()
    assert answer["thread"] == head["id"]
    assert call("POST", f"{path}/comments/{head['id']}/resolve").status_code == 204
    assert [each["text"] for each in call("GET", f"{path}/comments").json()] == ["Which?", "That one."]


def test_another_organization_finds_nothing(call: Caller, org_b: Tenant) -> None:
    path, other = f"{URL}/{made(call)['id']}", Caller(org_b)
    for method, place in (
        ("GET", path),
        ("DELETE", path),
        ("GET", f"{path}/versions"),
        ("GET", f"{path}/versions/1"),
        ("GET", f"{path}/export/md"),
        ("GET", f"{path}/suggestions"),
        ("GET", f"{path}/comments"),
        ("GET", f"{path}/shares"),
        ("POST", f"{path}/duplicate"),
        ("POST", f"{path}/undelete"),
    ):
        assert other(method, place).status_code == 404, f"{method} {place}"
    assert other("PATCH", path, {"text": "x", "base_revision": 1}).status_code == 404
    assert other("GET", URL).json()["data"] == []
    assert Client().get(path).status_code == 401


def test_a_generation_is_saved(call: Caller, org_a: Tenant) -> None:
    asked = call("POST", "/api/v1/generations", {"prompt": "Tea."}).json()
    assert finish(start())
    document = made(call, text="", generation=asked["id"])
    assert documents.get(org_a.actor, document["id"]).generation_id is not None
