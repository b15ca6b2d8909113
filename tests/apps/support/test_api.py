"""The desk over REST: scopes, tenancy, errors with stable codes, and the order of messages."""

from typing import Any

import pytest
from django.test import Client

from apps.support.services import messages
from apps.support.services.storing import Draft
from tests.helpers.desk import Desk
from tests.helpers.people import bearer_with

pytestmark = pytest.mark.django_db
AT = "/api/v1/support"
ALL = ("support:read", "support:write", "support:manage")


class Api:
    """A program with some scopes."""

    def __init__(self, desk: Desk, *scopes: str) -> None:
        self.client, self.headers = Client(), bearer_with(desk.tenant, *(scopes or ALL))

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        call = getattr(self.client, method.lower())
        if body is None and method == "GET":
            return call(f"{AT}{path}", headers=self.headers)
        return call(f"{AT}{path}", body or {}, content_type="application/json", headers=self.headers)


def test_a_conversation_from_beginning_to_end(desk: Desk) -> None:
    api = Api(desk)
    contact = api("POST", "/contacts", {"name": "Ada", "identifier": "c-1"}).json()
    body = {"inbox": str(desk.inbox.pk), "contact": contact["id"], "subject": "Card", "content": "Hello"}
    made = api("POST", "/conversations", body)
    assert made.status_code == 201, made.content
    place = f"/conversations/{made.json()['id']}"
    assert [row["id"] for row in api("GET", "/conversations?queue=1").json()["data"]] == [made.json()["id"]]
    sent = api("POST", f"{place}/messages", {"content": "Good day", "client_id": "a-1", "seen_seq": 2})
    again = api("POST", f"{place}/messages", {"content": "Good day", "client_id": "a-1", "seen_seq": 2})
    assert sent.status_code == again.status_code == 201
    assert sent.json()["id"] == again.json()["id"]
    assert api("POST", f"{place}/messages", {"content": "Thanks", "kind": "incoming"}).json()["author"] == "contact"
    assert api("POST", f"{place}/notes", {"content": "Nice"}).json()["kind"] == "note"
    listed = api("GET", f"{place}/messages?after=1").json()
    assert [row["sequence"] for row in listed["data"]] == list(range(2, listed["last"] + 1))
    assert not listed["has_more"]
    assert api("PATCH", place, {"priority": 2}).json()["priority"] == 2
    assert api("POST", f"{place}/status", {"status": "resolved"}).json()["status"] == "resolved"
    assert "Good day" in api("GET", f"{place}/transcript").json()["text"]
    report = api("GET", "/reports").json()
    assert report["conversations"] == 1
    assert report["first_reply"]["count"] == 1


def test_a_conflict_has_a_code_that_programs_know(desk: Desk) -> None:
    api = Api(desk)
    conversation = desk.begin()
    messages.reply(desk.agent("bob"), conversation.pk, Draft("I do it"))
    place = f"/conversations/{conversation.pk}/messages"
    refused = api("POST", place, {"content": "Mine", "seen_seq": 2})
    assert refused.status_code == 409
    assert refused.json()["error"]["code"] == "conversation_moved"
    assert refused["x-last-sequence"] == str(desk.again(conversation).last_sequence)
    assert api("POST", place, {"content": "Mine", "seen_seq": 2, "force": True}).status_code == 201


def test_settings_and_inboxes_are_set_up(desk: Desk) -> None:
    api = Api(desk)
    hours = api("POST", "/settings/hours", {"values": {"name": "H", "time_zone": "Europe/Berlin"}})
    assert hours.status_code == 201, hours.content
    inbox = api("POST", "/inboxes", {"name": "Web", "hours": hours.json()["id"], "origins": ["https://a.example"]})
    assert inbox.status_code == 201, inbox.content
    place = f"/inboxes/{inbox.json()['id']}"
    assert api("PATCH", place, {"hours": None, "greeting": "Hi"}).json()["hours"] is None
    assert len(api("POST", f"{place}/secret").json()["secret"]) > 30
    assert api("PUT", f"{place}/agents", {"agents": []}).json()["data"] == []
    rule = {"name": "R", "event": "message_created", "actions": [{"action": "set_priority", "value": 9}]}
    refused = api("POST", "/settings/rule", {"values": rule})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "invalid_request")
    assert api("GET", "/settings/nonsense").status_code == 404
    assert api("DELETE", f"/settings/hours/{hours.json()['id']}").status_code == 204
    assert api("DELETE", place).status_code == 204
    assert api("PATCH", "/desk", {"original_days": 5}).json()["original_days"] == 5


@pytest.mark.parametrize(
    ("method", "path", "body", "scope"),
    [
        ("GET", "/conversations", None, "support:read"),
        ("GET", "/contacts", None, "support:read"),
        ("GET", "/reports", None, "support:read"),
        ("POST", "/bulk", {"ids": [], "actions": []}, "support:write"),
        ("POST", "/contacts", {"name": "x"}, "support:write"),
        ("POST", "/inboxes", {"name": "x"}, "support:manage"),
        ("PATCH", "/desk", {"original_days": 1}, "support:manage"),
    ],
)
def test_each_operation_takes_its_scope(desk: Desk, method: str, path: str, body: Any, scope: str) -> None:
    others = [each for each in ALL if each != scope]
    assert Api(desk, *others)(method, path, body).status_code == 403
    assert Api(desk, scope)(method, path, body).status_code in (200, 201, 400)


def test_no_key_unmasks(desk: Desk) -> None:
    conversation = desk.begin(text="4111 1111 1111 1111")
    refused = Api(desk)("POST", f"/conversations/{conversation.pk}/messages/2/unmask", {"reason": "Because"})
    assert refused.status_code == 403


def test_another_organizations_things_are_not_there(desk: Desk, other_desk: Desk) -> None:
    api, theirs = Api(desk), other_desk.begin()
    for method, path, body in (
        ("GET", f"/conversations/{theirs.pk}", None),
        ("GET", f"/conversations/{theirs.pk}/messages", None),
        ("POST", f"/conversations/{theirs.pk}/messages", {"content": "Hi"}),
        ("POST", f"/conversations/{theirs.pk}/claim", None),
        ("GET", f"/contacts/{theirs.contact_id}", None),
        ("GET", f"/inboxes/{theirs.inbox_id}", None),
    ):
        answer = api(method, path, body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found"), path
    mine = desk.begin()
    merged = api("POST", f"/conversations/{mine.pk}/merge", {"into": str(theirs.pk)})
    assert merged.status_code == 404
    assert api("POST", f"/conversations/{mine.pk}/assignment", {"team": str(theirs.pk)}).status_code == 400


def test_unknown_names_are_refused(desk: Desk) -> None:
    api, conversation = Api(desk), desk.begin()
    refused = api("PATCH", f"/conversations/{conversation.pk}", {"colour": "red"})
    assert refused.json()["error"]["code"] == "unknown_parameter"
    refused = api("POST", f"/conversations/{conversation.pk}/assignment", {"colour": "red"})
    assert refused.json()["error"]["code"] == "unknown_parameter"


def test_seen_numbers_never_go_back(desk: Desk, client_of: Any) -> None:
    conversation = desk.begin()
    browser = client_of(desk.tenant.owner)
    place = f"{AT}/conversations/{conversation.pk}/seen"
    for seen, expected in ((2, 2), (1, 2)):
        answer = browser.post(place, {"seen": seen}, content_type="application/json")
        assert answer.json()["seen"] == expected
    refused = browser.post(place, {"seen": 99}, content_type="application/json")
    assert refused.status_code == 400
