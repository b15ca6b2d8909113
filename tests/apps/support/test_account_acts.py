"""Muting, transcripts, files, members and bots over Chatwoot's account API, and its errors in both shapes."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection, connections

from apps.accounts.models import AuditEntry, Role
from apps.core import tenancy
from apps.core.errors import RateLimitExceeded
from apps.core.ratelimit import Bucket, charge
from apps.support.errors import ContactBlocked
from apps.support.models import Contact, Conversation, Message
from apps.support.services import messages, muting, visitors
from apps.support.services.storing import Draft
from tests.helpers.account_api import Program
from tests.helpers.agent_bots import connect
from tests.helpers.desk import Browser, Desk
from tests.helpers.people import add_person

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32


def told(desk: Desk, conversation: Conversation) -> list[str]:
    return [each.details.get("why", "") for each in desk.history(conversation) if each.kind == "activity"]


# ---------------------------------------------------------------- muting


def test_a_muted_conversation_is_resolved_and_its_contact_reaches_nobody(desk: Desk) -> None:
    program = Program(desk)
    browser, talk = Browser.talking(desk)
    browser("POST", f"{talk}/messages", {"content": "Hello"})
    number = int(talk.rpartition("/")[2])
    place = f"/conversations/{number}"
    assert program.said("POST", f"{place}/mute") == {}
    found = program.said("GET", place)
    assert (found["muted"], found["status"], found["meta"]["sender"]["blocked"]) == (True, "resolved", True)
    refused = browser("POST", f"{talk}/messages", {"content": "Let me in"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "contact_blocked")
    # Nor does a new conversation ring.
    refused = browser("POST", "/contacts/me/conversations")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "contact_blocked")
    with tenancy.scope(desk.tenant.id):
        [row] = Conversation.objects.all()
        acts = list(AuditEntry.objects.filter(action__in=("support_contact.blocked",)).values_list("action", flat=True))
    assert (row.status, len(acts), told(desk, row).count("muted")) == ("resolved", 1, 1)
    # Said again, nothing more is told of it.
    program.said("POST", f"{place}/mute")
    assert told(desk, row).count("muted") == 1
    assert program.said("POST", f"{place}/unmute") == {}
    assert (desk.again(row).status, program.said("GET", place)["muted"]) == ("resolved", False)
    assert browser("POST", f"{talk}/messages", {"content": "Thank you"}).status_code == 200
    assert desk.again(row).status == "open"


def test_muting_takes_the_right_to_block(desk: Desk, other_desk: Desk) -> None:
    talk = desk.begin()
    place = f"/conversations/{talk.number}"
    writer = Program(desk, ["support:read", "support:write"])
    for act in ("mute", "unmute"):
        assert writer("POST", f"{place}/{act}").status_code == 403
        assert Program(other_desk)("POST", f"/conversations/{talk.pk}/{act}").status_code == 404
    bot = connect(desk)
    for act in ("mute", "transcript"):
        assert bot(talk, f"/{act}", {}).status_code == 403
    assert desk.again(talk).status == "open"


@pytest.mark.django_db(transaction=True)
def test_a_message_that_was_on_its_way_opens_nothing(desk: Desk) -> None:
    """The contact was read before they were blocked, as by a request that waits for the conversation meanwhile."""
    talk = desk.begin()
    with tenancy.scope(desk.tenant.id):
        before = Contact.objects.get(pk=talk.contact_id)

    def mute() -> None:
        try:
            muting.mute(desk.tenant.actor, talk.pk)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(mute).result()
    with pytest.raises(ContactBlocked), tenancy.scope(desk.tenant.id):
        messages.receive(talk.pk, before, Draft("Hello?"))
    assert desk.again(talk).status == "resolved"


@pytest.mark.django_db(transaction=True)
def test_who_mutes_and_who_writes_at_the_same_time_do_not_wait_for_each_other(desk: Desk) -> None:
    talk = desk.begin()

    def mute() -> str:
        try:
            return str(muting.mute(desk.tenant.actor, talk.pk).status)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with tenancy.scope(desk.tenant.id):
            held = messages.held_onward(talk.pk)
            muted = pool.submit(mute)
            wait_until_somebody_waits()
            # The row of the message refers to that of the contact, which whoever mutes holds.
            messages.receive(held, Contact.objects.get(pk=talk.contact_id), Draft("Wait"))
        assert muted.result(timeout=60) == "resolved"
    assert desk.again(talk).status == "resolved"


def wait_until_somebody_waits() -> None:
    """Until a session of this database waits for a lock of another one."""
    until = time.monotonic() + 60
    # Waits for rows name no database, so that what else the session has locked says which it is in.
    asked = """
        SELECT count(*) FROM pg_locks waits WHERE NOT granted AND EXISTS (SELECT 1 FROM pg_locks has
            WHERE has.pid = waits.pid
            AND has.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
    """
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            cursor.execute(asked)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.05)
    raise AssertionError("Nobody waits.")


# ---------------------------------------------------------------- transcripts, files, search


def test_a_transcript_goes_to_the_contact_or_to_a_member_and_to_nobody_else(desk: Desk) -> None:
    program = Program(desk)
    talk = desk.begin(desk.visitor(name="Ada", email="ada@visitor.example"), "Hello")
    place = f"/conversations/{talk.number}/transcript"
    assert program.said("POST", place, {"email": "ada@visitor.example"}) == {}
    assert program.said("POST", place, {"email": desk.tenant.owner.email}) == {}
    assert program("POST", place, {"email": "stranger@elsewhere.example"}).status_code == 422
    missing = program("POST", place)
    assert (missing.status_code, missing.json()["attributes"]) == (422, ["email"])
    with tenancy.scope(desk.tenant.id):
        assert AuditEntry.objects.filter(action="support_conversation.exported").count() == 2


def test_files_of_a_conversation_are_listed_the_latest_first(desk: Desk, other_desk: Desk) -> None:
    program, talk = Program(desk), desk.begin()
    for name in ("one.png", "two.png"):
        assert program.sends(f"/conversations/{talk.number}/messages", name, PNG).status_code == 200
    found = program.said("GET", f"/conversations/{talk.number}/attachments")
    assert (found["meta"], [each["name"] for each in found["payload"]]) == ({"total_count": 2}, ["two.png", "one.png"])
    assert found["payload"][0]["message_id"] > found["payload"][1]["message_id"]
    assert Program(other_desk)("GET", f"/conversations/{talk.pk}/attachments").status_code == 404


def test_conversations_are_found_by_words(desk: Desk) -> None:
    program = Program(desk)
    desk.begin(text="About apples")
    pears = desk.begin(text="About pears")
    found = program.said("GET", "/conversations/search", {"q": "pears"})
    assert ([each["id"] for each in found["payload"]], found["meta"]["all_count"]) == ([pears.number], 1)
    assert program("GET", "/conversations/search").status_code == 422


def test_a_file_that_is_sent_again_is_counted_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "FILE_BYTES_A_DAY", 3 * len(PNG))
    program, talk = Program(desk), desk.begin()
    place = f"/conversations/{talk.number}/messages"
    ids = {program.sends(place, "a.png", PNG, echo_id="e-1").json()["id"] for _ in range(4)}
    note = {program.sends(place, "a.png", PNG, echo_id="e-2", private="true").json()["id"] for _ in range(4)}
    assert (len(ids), len(note)) == (1, 1)
    charge(f"support:files:{desk.tenant.id}", [Bucket("bytes_a_day", 3 * len(PNG), len(PNG), 86_400)])
    with pytest.raises(RateLimitExceeded):
        charge(f"support:files:{desk.tenant.id}", [Bucket("bytes_a_day", 3 * len(PNG), len(PNG), 86_400)])


def test_a_file_that_a_visitor_sends_again_is_counted_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "FILE_BYTES_A_DAY", 2 * len(PNG))
    browser, place = Browser.talking(desk)
    for _ in range(4):
        form = {"attachments[]": SimpleUploadedFile("a.png", PNG), "echo_id": "e-1"}
        sent = browser.client.post(f"{browser.at}{place}/messages", form, headers={"x-visitor-secret": browser.secret})
        assert sent.status_code == 200, sent.content
    charge(f"support:files:{desk.tenant.id}", [Bucket("bytes_a_day", 2 * len(PNG), len(PNG), 86_400)])
    with tenancy.scope(desk.tenant.id):
        assert Message.objects.filter(kind="incoming").count() == 1


# ---------------------------------------------------------------- who answers


def test_members_of_an_inbox_are_added_set_and_taken_off(desk: Desk) -> None:
    program = Program(desk)
    for name in ("ann", "bob"):
        add_person(desk.tenant, name, Role.AGENT)
    inbox = program.said("GET", "/inboxes")["payload"][0]["id"]
    ids = {each["name"]: each["id"] for each in program.said("GET", "/agents")}

    def names(answer: dict[str, Any]) -> list[str]:
        return sorted(each["name"] for each in answer["payload"])

    body = {"inbox_id": inbox, "user_ids": [ids["ann"]]}
    assert names(program.said("POST", "/inbox_members", body)) == ["ann"]
    assert names(program.said("POST", "/inbox_members", body | {"user_ids": [ids["bob"]]})) == ["ann", "bob"]
    # Administrators are given conversations of any inbox, where they may answer.
    administrators = sorted(each["name"] for each in program.said("GET", "/agents") if each["role"] == "administrator")
    assert administrators
    assignable = names(program.said("GET", "/assignable_agents", {"inbox_ids[]": [inbox]}))
    assert assignable == sorted(["ann", "bob", *administrators])
    assert names(program.said("GET", "/assignable_agents")) == sorted(ids)
    assert names(program.said("DELETE", "/inbox_members", body)) == ["bob"]
    assert names(program.said("PATCH", "/inbox_members", body)) == ["ann"]
    # Without anybody named everybody would answer there.
    assert program("DELETE", "/inbox_members", body).status_code == 422
    assert names(program.said("GET", f"/inbox_members/{inbox}")) == ["ann"]
    assert program("POST", "/inbox_members", body | {"user_ids": [999_999]}).status_code == 422


def test_what_is_wrong_is_named_as_in_the_body(desk: Desk) -> None:
    program, talk = Program(desk), desk.begin()
    long = {"attribute": "x" * 1_001}
    for path, body, name in (
        ("/contacts", {"name": "Ada", "custom_attributes": long}, "custom_attributes"),
        ("/contacts", {"additional_attributes": {"language": "x" * 11}}, "additional_attributes"),
        ("/labels", {"title": "Late", "description": "x" * 201}, "description"),
        ("/canned_responses", {"short_code": "two words", "content": "Hello"}, "short_code"),
        ("/agent_bots", {"name": "Helper", "outgoing_url": "https://" + "x" * 600}, "outgoing_url"),
        (f"/conversations/{talk.number}/assignments", {"assignee_id": 999_999}, "assignee_id"),
    ):
        refused = program("POST", path, body)
        told = refused.json()
        assert (refused.status_code, told["attributes"], told["error"]["param"]) == (422, [name], name), path


def test_a_bot_is_made_changed_and_given_another_token(desk: Desk) -> None:
    program = Program(desk)
    made = program.said("POST", "/agent_bots", {"name": "Helper", "outgoing_url": "https://bot.example/hook"})
    assert (made["name"], made["outgoing_url"], made["bot_type"]) == ("Helper", "https://bot.example/hook", "webhook")
    assert (made["access_token"].startswith("mrbot_"), made["secret"].startswith("whsec_")) == (True, True)
    place = f"/agent_bots/{made['id']}"
    shown = program.said("GET", place)
    assert not {"access_token", "secret"} & set(shown)
    inbox = program.said("GET", "/inboxes")["payload"][0]["id"]
    program.said("POST", f"/inboxes/{inbox}/set_agent_bot", {"agent_bot": made["id"]})
    talk = desk.begin()
    at = f"/api/v1/accounts/{program.number}/conversations/{talk.number}"

    def reads(token: str) -> int:
        return int(program.client.get(at, headers={"api_access_token": token}).status_code)

    renewed = program.said("POST", f"{place}/reset_access_token")["access_token"]
    assert (reads(made["access_token"]), reads(renewed)) == (401, 200)
    moved = program.said("PATCH", place, {"outgoing_url": "https://other.example/hook"})
    assert moved["secret"] != made["secret"]
    assert program("POST", "/agent_bots", {"name": "Two", "outgoing_url": "https://a.example", "bot_type": "csml"}
                   ).status_code == 422  # fmt: skip
    program.said("DELETE", place)
    assert (reads(renewed), desk.again(talk).status) == (401, "open")


# ---------------------------------------------------------------- errors


def test_errors_have_our_shape_and_chatwoots(desk: Desk) -> None:
    program = Program(desk)
    twin = {"name": "Ada", "identifier": "c-1"}
    program.said("POST", "/contacts", twin)
    for answer, status, code, attributes in (
        (program("POST", "/contacts", twin), 422, "conflict", ["identifier"]),
        (program("POST", "/contacts", {"email": "nowhere"}), 422, "invalid_request", ["email"]),
        (program("GET", "/contacts/999999"), 404, "not_found", None),
        (Program(desk, ["support:read"])("POST", "/contacts", twin), 403, "permission_denied", None),
        (program.client.get(f"/api/v1/accounts/{program.number}/contacts"), 401, "not_authenticated", None),
    ):
        body = answer.json()
        assert (answer.status_code, body["error"]["code"], body.get("attributes")) == (status, code, attributes)
        assert body["message"] == body["description"] == body["error"]["message"] != ""
    browser = Browser(desk)
    browser.come_in()
    missing = browser("GET", "/contacts/me/conversations/999/messages")
    assert (missing.status_code, missing.json()["message"]) == (404, missing.json()["error"]["message"])
    # A bot that people have silenced still reads of it as it did.
    bot, talk = connect(desk), desk.begin()
    messages.reply(desk.agent("ann"), talk.pk, Draft("I have it"))
    silent = bot(talk, "/messages", {"content": "Hello"})
    assert (silent.status_code, silent.json()["error"]["code"]) == (409, "bot_silent")
