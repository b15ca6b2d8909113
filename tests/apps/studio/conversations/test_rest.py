"""Conversations over REST."""

from __future__ import annotations

import base64
import json
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from apps.core.jobs import Status
from apps.studio.services import Outcome
from tests.helpers.people import Tenant
from tests.helpers.studio import finish, start

ROOT = "/api/v1/conversations"
pytestmark = pytest.mark.usefixtures("model")


class Program:
    """A program of one organization."""

    def __init__(self, tenant: Tenant) -> None:
        self.client, self.headers = Client(), tenant.bearer

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = "" if body is None else json.dumps(body)
        return self.client.generic(method, path, data, "application/json", headers=self.headers)


@pytest.fixture
def program(org_a: Tenant) -> Program:
    return Program(org_a)


def begin(program: Program, **body: Any) -> str:
    made = program.ask("POST", ROOT, {"max_tokens": 20} | body)
    assert made.status_code == 201, made.text
    return f"{ROOT}/{made.json()['id']}"


def answer(text: str = "Copper.", status: Status = Status.SUCCEEDED) -> None:
    assert finish(start(), Outcome(status, text, "stop" if status == Status.SUCCEEDED else "cancelled", 10, 5))


def test_a_conversation_from_its_beginning_to_its_end(program: Program) -> None:
    address = begin(program, system="Be brief.", seed=3)
    sent = program.ask("POST", f"{address}/messages", {"text": "Which kettle?"})
    assert sent.status_code == 202
    body = sent.json()
    assert (body["role"], body["status"], body["sequence"]) == ("assistant", "queued", 2)
    assert sent["location"] == f"/api/v1/generations/{body['generation']}"
    assert "x-ratelimit-limit-requests" in sent
    answer()
    told = program.ask("GET", f"/api/v1/generations/{body['generation']}").json()
    assert (told["text"], told["seed"], told["messages"][0]["role"]) == ("Copper.", 3, "system")
    again = program.ask("POST", f"{address}/messages/{body['id']}/answers", {}).json()
    answer("Steel.")
    messages = program.ask("GET", f"{address}/messages").json()
    assert [(m["text"], m["branch"], m["branches"]) for m in messages["data"]] == [
        ("Which kettle?", 1, 1),
        ("Steel.", 2, 2),
    ]
    chosen = program.ask("POST", f"{address}/messages/{body['id']}/choose", {}).json()
    assert chosen["data"][1]["text"] == "Copper."
    assert again["parent"] == body["parent"]
    assert program.ask("GET", address).json()["messages"] == 3
    exported = program.ask("GET", f"{address}/export")
    assert len(exported.json()["turns"]) == 3
    assert program.ask("GET", f"{address}/export?format=md").text.startswith("# Which kettle?")


def test_what_is_sent_twice_is_there_once(program: Program) -> None:
    address, body = begin(program), {"text": "Tea", "client_id": str(uuid4())}
    first, second = (program.ask("POST", f"{address}/messages", body).json() for _ in range(2))
    assert first["id"] == second["id"]
    assert len(program.ask("GET", f"{address}/messages").json()["data"]) == 2


def test_going_on_after_a_stop_and_editing(program: Program) -> None:
    address = begin(program)
    first = program.ask("POST", f"{address}/messages", {"text": "Tell me"}).json()
    assert program.ask("POST", f"{address}/messages/{first['id']}/continue", {}).status_code == 409
    answer("Once", Status.CANCELLED)
    assert program.ask("POST", f"{address}/messages/{first['id']}/continue", {}).status_code == 202
    answer("upon")
    edited = program.ask("POST", f"{address}/messages", {"text": "Tell her", "instead_of": first["parent"]})
    assert edited.status_code == 202
    assert len(program.ask("GET", f"{address}/messages").json()["data"]) == 2


def test_attachments_come_as_text_or_base64(program: Program) -> None:
    address = begin(program)
    files = [{"name": "a.txt", "text": "Tea"}, {"name": "b.csv", "data": base64.b64encode(b"a,b").decode()}]
    assert program.ask("POST", f"{address}/messages", {"text": "Sum", "attachments": files}).status_code == 202
    asked = program.ask("GET", f"{address}/messages").json()["data"][0]
    assert [(a["name"], a["media_type"]) for a in asked["attachments"]] == [
        ("a.txt", "text/plain"),
        ("b.csv", "text/csv"),
    ]
    answer()
    png = {"name": "a.png", "data": base64.b64encode(b"\x89PNG").decode()}
    for wrong, status, code in (
        (png, 422, "attachment_refused"),
        ({"name": "a.txt"}, 400, "invalid_request"),
        ({"name": "a.txt", "data": "%"}, 400, "invalid_request"),
    ):
        refused = program.ask("POST", f"{address}/messages", {"text": "x", "attachments": [wrong]})
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)


def test_settings_change_alone_and_together(program: Program) -> None:
    address = begin(program, temperature=0.5, seed=3, system="Be brief.")
    changed = program.ask("PATCH", address, {"title": "Kettles", "pinned": True, "temperature": 0.1}).json()
    assert (changed["title"], changed["pinned"], changed["temperature"], changed["seed"]) == ("Kettles", True, 0.1, 3)
    assert program.ask("PATCH", address, {"seed": None, "system": ""}).json()["seed"] is None
    assert program.ask("PATCH", address, {"temperature": 9}).status_code == 400
    assert program.ask("PATCH", address, {"colour": 1}).status_code == 400
    assert program.ask("DELETE", address).status_code == 204
    assert program.ask("GET", address).status_code == 404
    assert program.ask("PATCH", address, {"deleted": False}).status_code == 200


def test_lists_are_paged_and_searched(program: Program) -> None:
    for n in range(3):
        begin(program, title=f"Kettle {n}")
    first = program.ask("GET", f"{ROOT}?limit=2").json()
    second = program.ask("GET", first["next"]).json()
    assert [row["title"] for row in (*first["data"], *second["data"])] == ["Kettle 2", "Kettle 1", "Kettle 0"]
    assert [row["title"] for row in program.ask("GET", f"{ROOT}?search=kettle+1").json()["data"]] == ["Kettle 1"]
    assert program.ask("GET", f"{ROOT}?cursor=x").status_code == 404


def test_another_organizations_conversation_is_not_there(program: Program, org_b: Tenant) -> None:
    address, other = begin(program), Program(org_b)
    sent = program.ask("POST", f"{address}/messages", {"text": "Tea"}).json()
    own = begin(other)
    for method, path in (
        ("GET", address),
        ("PATCH", address),
        ("DELETE", address),
        ("POST", f"{address}/messages"),
        ("GET", f"{address}/export"),
        ("POST", f"{own}/messages/{sent['id']}/answers"),
        ("POST", f"{own}/messages/{sent['id']}/choose"),
    ):
        assert (
            other.ask(
                method, path, None if method == "GET" else {"text": "x"} if path.endswith("messages") else {}
            ).status_code
            == 404
        )
    assert other.ask("POST", f"{own}/messages", {"text": "x", "after": sent["id"]}).status_code == 404
