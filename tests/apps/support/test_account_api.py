"""Chatwoot's account API as programs call it: whole numbers, contacts, conversations and what hangs on them."""

from __future__ import annotations

from typing import Any

import pytest

from apps.accounts.models import AuditEntry, Team
from apps.core import tenancy
from apps.support.models import Contact, ContactSession
from apps.support.services import contacts, inboxes, setup
from apps.webhooks.models import Endpoint
from tests.helpers.account_api import Program
from tests.helpers.agent_bots import connect
from tests.helpers.desk import Browser, Desk, open_desk
from tests.helpers.people import member_of

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32


def audited(desk: Desk, action: str) -> int:
    with tenancy.scope(desk.tenant.id):
        return int(AuditEntry.objects.filter(action=action).count())


# ---------------------------------------------------------------- who may


def test_a_key_does_what_its_scopes_say_and_a_bot_nothing_of_it(desk: Desk) -> None:
    reader, bot = Program(desk, ["support:read"]), connect(desk)
    talk = desk.begin(text="Hello")
    assert reader("GET", "/contacts").status_code == 200
    for method, path in (
        ("POST", "/contacts"),
        ("POST", f"/conversations/{talk.number}/messages"),
        ("POST", f"/conversations/{talk.number}/toggle_status"),
        ("DELETE", f"/contacts/{talk.contact_id}"),
        ("GET", "/webhooks"),
    ):
        assert reader(method, path).status_code == 403, path
    headers = {"api_access_token": bot.shown.token}
    place = f"/api/v1/accounts/{reader.number}"
    assert reader.client.get(f"{place}/conversations/{talk.number}", headers=headers).status_code == 200
    for path in ("/contacts", "/conversations", "/agents", "/inboxes", "/webhooks", f"/contacts/{talk.contact_id}"):
        assert reader.client.get(place + path, headers=headers).status_code == 403, path
    assert reader.client.get("/api/v1/profile", headers=headers).status_code == 403
    assert reader.client.get("/api/v1/profile", headers={"api_access_token": reader.key}).json()["account_id"]
    # As a bearer a key works as well.
    assert reader.client.get(f"{place}/contacts", headers={"authorization": f"Bearer {reader.key}"}).status_code == 200


# ---------------------------------------------------------------- contacts


def test_a_contact_is_made_found_changed_and_erased(desk: Desk) -> None:
    program = Program(desk)
    setup.create(desk.tenant.actor, "label", {"title": "vip"})
    body = {"name": "Ada L", "email": "ada@visitor.example", "phone_number": "+491701234567", "identifier": "c-1"}
    card = {"card": "4111 1111 1111 1111", "plan": "gold"}
    made = program.said("POST", "/contacts", body | {"custom_attributes": card})["payload"]["contact"]
    assert made["custom_attributes"] == {"card": "[CARD_1]", "plan": "gold"}
    place = f"/contacts/{made['id']}"
    for words in ("ada", "visitor.example", "70123", "c-1"):
        found = program.said("GET", "/contacts/search", {"q": words})
        assert [each["id"] for each in found["payload"]] == [made["id"]], words
        assert found["meta"]["count"] == 1
    assert program("GET", "/contacts/search").status_code == 422
    changed = program.said("PUT", place, {"name": "Ada", "phone_number": None, "custom_attributes": {"size": 3}})
    assert (changed["payload"]["name"], changed["payload"]["phone_number"]) == ("Ada", None)
    assert changed["payload"]["custom_attributes"] == {"card": "[CARD_1]", "plan": "gold", "size": 3}
    left = program.said("POST", f"{place}/destroy_custom_attributes", {"custom_attributes": ["card", "size"]})
    assert left["payload"]["custom_attributes"] == {"plan": "gold"}
    assert program.said("POST", f"{place}/labels", {"labels": ["VIP"]}) == {"payload": ["vip"]}
    assert program.said("GET", f"{place}/labels") == {"payload": ["vip"]}
    # They are the same in the desk's own API, and are renamed with the label.
    label = program.said("GET", "/labels")["payload"][0]["id"]
    program.said("PATCH", f"/labels/{label}", {"title": "best"})
    assert program.said("GET", f"{place}/labels") == {"payload": ["best"]}
    program.said("PATCH", f"/labels/{label}", {"title": "vip"})
    bearer = {"authorization": f"Bearer {program.key}"}
    with tenancy.scope(desk.tenant.id):
        own = f"/api/v1/support/contacts/{Contact.objects.get().pk}"
    assert program.client.get(own, headers=bearer).json()["labels"] == ["vip"]
    none = program.client.patch(own, {"labels": []}, content_type="application/json", headers=bearer)
    assert none.json()["labels"] == []
    assert program.said("POST", f"{place}/labels", {"labels": ["vip"]}) == {"payload": ["vip"]}
    assert program("POST", f"{place}/labels", {"labels": ["unknown"]}).status_code == 422
    assert [each["id"] for each in program.said("GET", "/contacts", {"labels[]": ["vip"]})["payload"]] == [made["id"]]
    assert program.said("PATCH", place, {"blocked": True})["payload"]["blocked"]
    assert program("POST", "/contacts", {"name": "Twin", "identifier": "c-1"}).status_code == 422
    assert (audited(desk, "support_contact.changed"), audited(desk, "support_contact.blocked")) == (5, 1)
    program.said("DELETE", place)
    assert audited(desk, "support_contact.erased") == 1
    assert program.said("GET", "/contacts")["payload"] == []


def test_contacts_come_page_by_page_in_the_order_that_is_asked_for(desk: Desk) -> None:
    program = Program(desk)
    for number in range(17):
        contacts.create(desk.tenant.actor, {"name": f"Contact {number:02}"})
    first, second = (program.said("GET", "/contacts", {"sort": "name", "page": page}) for page in (1, 2))
    names = [each["name"] for each in first["payload"] + second["payload"]]
    assert names == [f"Contact {number:02}" for number in range(17)]
    assert (first["meta"]["count"], len(first["payload"]), second["meta"]["current_page"]) == (17, 15, 2)
    assert program.said("GET", "/contacts", {"sort": "-name"})["payload"][0]["name"] == "Contact 16"
    assert program("GET", "/contacts", {"sort": "secret"}).status_code == 422


def test_contacts_are_filtered_by_conditions_of_which_and_binds_first(desk: Desk) -> None:
    program = Program(desk)
    for name, plan, city in (("Ada", "gold", "Bonn"), ("Bea", "gold", "Ulm"), ("Cem", "blue", "Kiel")):
        contacts.create(desk.tenant.actor, {"name": name, "attributes": {"plan": plan, "city": city, "size": 3}})

    def names(*conditions: dict[str, Any]) -> list[str]:
        found = program.said("POST", "/contacts/filter", {"payload": list(conditions)})
        return sorted(each["name"] for each in found["payload"])

    def condition(key: str, operator: str, *values: Any, tie: str | None = None) -> dict[str, Any]:
        return {"attribute_key": key, "filter_operator": operator, "values": list(values), "query_operator": tie}

    assert names(condition("name", "contains", "a")) == ["Ada", "Bea"]
    assert names(condition("name", "does_not_contain", "a")) == ["Cem"]
    assert names(condition("plan", "equal_to", "gold", tie="AND"), condition("city", "equal_to", "Ulm")) == ["Bea"]
    either = condition("name", "equal_to", "cem", tie="or")
    assert names(either, condition("plan", "equal_to", "gold", tie="and"), condition("city", "equal_to", "Bonn")) == [
        "Ada",
        "Cem",
    ]
    assert names(condition("size", "equal_to", "3")) == ["Ada", "Bea", "Cem"]
    assert names(condition("email", "is_present")) == []
    assert names(condition("created_at", "is_greater_than", "2020-01-01")) == ["Ada", "Bea", "Cem"]
    for wrong in (
        condition("name", "is_greater_than", "a"),
        condition("created_at", "is_less_than", "yesterday"),
        condition("blocked", "equal_to", "perhaps"),
        condition("name", "equal_to", "a", tie="xor"),
    ):
        assert program("POST", "/contacts/filter", {"payload": [wrong]}).status_code == 422, wrong


def test_a_source_id_that_was_made_opens_the_public_api_and_one_of_the_callers_own_does_not(desk: Desk) -> None:
    program = Program(desk)
    inbox = program.said("GET", "/inboxes")["payload"][0]["id"]
    made = program.said("POST", "/contacts", {"name": "Ada", "inbox_id": inbox})["payload"]
    assert made["contact"]["contact_inboxes"][0]["source_id"] == made["contact_inbox"]["source_id"]
    browser = Browser(desk)
    browser.secret = made["contact_inbox"]["source_id"]
    assert browser("GET", "/contacts/me").json()["id"] == made["contact"]["id"]
    place = f"/contacts/{made['contact']['id']}"
    own = program.said("POST", f"{place}/contact_inboxes", {"inbox_id": inbox, "source_id": "wa-4917"})
    assert own["source_id"] == "wa-4917"
    browser.secret = "wa-4917"
    assert browser("GET", "/contacts/me").status_code == 401
    browser.secret = f"{desk.inbox.pk}:wa-4917"
    assert browser("GET", "/contacts/me").status_code == 401
    # It is the contact's in that inbox, however often it is said, and nobody else's.
    assert program.said("POST", f"{place}/contact_inboxes", {"inbox_id": inbox, "source_id": "wa-4917"}) == own
    other = program.said("POST", "/contacts", {"name": "Bea"})["payload"]["contact"]["id"]
    twice = program("POST", f"/contacts/{other}/contact_inboxes", {"inbox_id": inbox, "source_id": "wa-4917"})
    assert twice.status_code == 422
    begun = program.said("POST", "/conversations", {"source_id": "wa-4917", "inbox_id": inbox})
    assert begun["meta"]["sender"]["id"] == made["contact"]["id"]
    # What is told of a way in later names it to the account, and opens nothing either.
    told = program.said("GET", f"{place}/contactable_inboxes")["payload"]
    browser.secret = told[0]["source_id"]
    assert browser("GET", "/contacts/me").status_code == 401
    assert program.said("POST", "/conversations", {"source_id": told[0]["source_id"]})["inbox_id"] == inbox
    with tenancy.scope(desk.tenant.id):
        assert not ContactSession.objects.filter(digest__contains="wa-4917").exists()


def test_two_contacts_that_are_one_are_merged(desk: Desk) -> None:
    program = Program(desk)
    setup.create(desk.tenant.actor, "label", {"title": "vip"})
    ids = [program.said("POST", "/contacts", {"name": name})["payload"]["contact"]["id"] for name in ("Ada", "Bea")]
    program.said("POST", f"/contacts/{ids[1]}/labels", {"labels": ["vip"]})
    merged = {"base_contact_id": ids[0], "mergee_contact_id": ids[1]}
    assert program.said("POST", "/actions/contact_merge", merged)["labels"] == ["vip"]
    # An old number leads to who it is now.
    assert program.said("GET", f"/contacts/{ids[1]}")["payload"]["id"] == ids[0]


# ---------------------------------------------------------------- conversations


def test_a_conversation_is_begun_said_in_given_out_and_resolved(desk: Desk) -> None:
    program = Program(desk)
    desk.agent("ann", online=False)
    setup.create(desk.tenant.actor, "label", {"title": "card"})
    with tenancy.scope(desk.tenant.id):
        team = Team.objects.create(organization_id=desk.tenant.id, name="Cards")
    browser = Browser(desk)
    contact, inbox = browser.come_in(name="Ada")["id"], program.said("GET", "/inboxes")["payload"][0]["id"]
    made = program.said(
        "POST",
        "/conversations",
        {
            "contact_id": contact,
            "inbox_id": str(inbox),
            "custom_attributes": {"order": "o-1"},
            "message": {"content": "We have news for 4111 1111 1111 1111"},
        },
    )
    assert (made["status"], made["custom_attributes"]) == ("open", {"order": "o-1"})
    assert made["messages"][0]["content"] == "We have news for [CARD_1]"
    # The contact sees it in the window that they have open.
    [seen] = browser("GET", "/contacts/me/conversations").json()
    assert (seen["id"], seen["inbox_id"], seen["messages"][0]["message_type"]) == (made["id"], inbox, 1)
    place = f"/conversations/{made['id']}"
    agents = {each["name"]: each for each in program.said("GET", "/agents")}
    assert agents["ann"]["email"].startswith("ann@")
    given = program.said("POST", f"{place}/assignments", {"assignee_id": agents["ann"]["id"]})
    assert (given["id"], given["name"]) == (agents["ann"]["id"], "ann")
    [told] = program.said("GET", "/teams")
    assert program.said("POST", f"{place}/assignments", {"team_id": told["id"]})["name"] == team.name
    assert program("POST", f"{place}/assignments", {"assignee_id": 999_999}).status_code == 422
    program.said("POST", f"{place}/toggle_priority", {"priority": "urgent"})
    assert program.said("POST", f"{place}/labels", {"labels": ["card"]}) == {"payload": ["card"]}
    assert program.said("POST", f"{place}/custom_attributes", {"custom_attributes": {"a": 1}}) == {
        "custom_attributes": {"a": 1}
    }
    found = program.said("GET", place)
    assert (found["priority"], found["labels"], found["meta"]["assignee"]["id"]) == (
        "urgent",
        ["card"],
        agents["ann"]["id"],
    )
    assert found["meta"]["team"]["id"] == told["id"]
    status = program.said("POST", f"{place}/toggle_status", {"status": "resolved"})["payload"]
    assert (status["success"], status["current_status"], status["conversation_id"]) == (True, "resolved", made["id"])
    assert program.said("POST", f"{place}/toggle_status")["payload"]["current_status"] == "open"
    assert program.said("POST", f"{place}/assignments", {"assignee_id": None}) is None


def test_lists_count_what_they_have(desk: Desk) -> None:
    program = Program(desk)
    beside = open_desk(desk.tenant, "Beside")
    one, two, third = desk.begin(text="About apples"), desk.begin(text="About pears"), beside.begin(text="Elsewhere")
    with tenancy.scope(desk.tenant.id):
        member = member_of(desk.tenant, desk.tenant.owner).pk
    program.said("POST", f"/conversations/{one.number}/assignments", {"assignee_id": str(member)})
    program.said("POST", f"/conversations/{two.number}/toggle_status", {"status": "resolved"})

    def ids(path: str = "/conversations", **query: Any) -> list[int]:
        return [each["id"] for each in program.said("GET", path, query)["data"]["payload"]]

    assert sorted(ids()) == [one.number, third.number]
    assert sorted(ids(status="all")) == sorted([one.number, two.number, third.number])
    assert ids(status="resolved") == [two.number]
    assert ids(assignee_type="unassigned") == [third.number]
    assert ids(assignee_type="assigned") == [one.number]
    assert ids(q="pears") == [two.number]
    inbox = program.said("GET", f"/inboxes/{beside.inbox.pk}")["id"]
    assert ids(inbox_id=inbox) == [third.number]
    assert ids(page=2) == []
    meta = program.said("GET", "/conversations/meta", {"status": "all"})["meta"]
    assert (meta["all_count"], meta["assigned_count"], meta["unassigned_count"]) == (3, 1, 2)
    for query in ({"status": "lost"}, {"assignee_type": "them"}, {"inbox_id": "999"}, {"page": "x"}):
        assert program("GET", "/conversations", query).status_code == 422, query
    condition = {"attribute_key": "inbox_id", "filter_operator": "not_equal_to", "values": [inbox]}
    found = program.said("POST", "/conversations/filter", {"payload": [condition]})
    assert sorted(each["id"] for each in found["payload"]) == [one.number, two.number]
    assert found["meta"]["all_count"] == 2
    of_contact = program.said("GET", f"/contacts/{one.contact_id}/conversations")["payload"]
    assert [each["id"] for each in of_contact] == [one.number]


def test_messages_are_read_from_any_of_them_on_and_looking_is_audited(desk: Desk) -> None:
    program, talk = Program(desk), desk.begin(text="Number 0")
    for number in range(1, 30):
        desk.says(talk, f"Number {number}")
    place = f"/conversations/{talk.number}/messages"
    last = program.said("GET", place)["payload"]
    assert [each["content"] for each in last] == [f"Number {number}" for number in range(10, 30)]
    assert audited(desk, "support_conversation.viewed") == 1
    earlier = program.said("GET", place, {"before": last[0]["id"]})["payload"]
    assert [each["content"] for each in earlier] == [f"Number {number}" for number in range(10)]
    assert [each["content"] for each in program.said("GET", place, {"after": last[-2]["id"]})["payload"]] == [
        "Number 29"
    ]
    assert audited(desk, "support_conversation.viewed") == 1
    # Whoever names what is no message of this conversation begins to read, and is seen to.
    for elsewhere in ({"before": 999_999_999_999_999}, {"after": 1}, {"after": talk.number * 1_000_000}):
        program.said("GET", place, elsewhere)
    assert audited(desk, "support_conversation.viewed") == 4
    said = program.said("POST", place, {"content": "Good day", "echo_id": "e-1"})
    assert program.said("POST", place, {"content": "Good day", "echo_id": "e-1"})["id"] == said["id"]
    note = program.said("POST", place, {"content": "Between us", "private": True})
    assert (note["private"], note["message_type"]) == (True, 1)
    passed = program.said("POST", place, {"content": "From elsewhere", "message_type": "incoming"})
    assert (passed["message_type"], passed["sender"]["type"]) == (0, "contact")
    taken = program.said("DELETE", f"{place}/{note['id']}")
    assert taken["content"] == ""
    other = desk.begin(text="Other")
    assert program("DELETE", f"/conversations/{other.number}/messages/{said['id']}").status_code == 404


def test_a_file_of_a_program_reaches_the_window_and_what_lies_about_itself_does_not(desk: Desk) -> None:
    program = Program(desk)
    browser, place = Browser.talking(desk)
    number = place.rpartition("/")[2]
    sent = program.sends(f"/conversations/{number}/messages", "picture.png", PNG, content="Look", private="false")
    assert sent.status_code == 200, sent.content
    [file] = sent.json()["attachments"]
    assert (file["file_type"], file["name"], file["file_size"], type(file["id"])) == (
        "image",
        "picture.png",
        len(PNG),
        int,
    )
    [seen] = [each for each in browser("GET", f"{place}/messages").json() if each["attachments"]]
    assert (seen["content"], seen["attachments"][0]["name"]) == ("Look", "picture.png")
    for name, data in (("program.png", b"MZ\x90\0" * 20), ("page.html", b"<html>"), ("empty.png", b"")):
        refused = program.sends(f"/conversations/{number}/messages", name, data)
        assert refused.json()["error"]["code"] == "file_not_taken", name
    noted = program.sends(f"/conversations/{number}/messages", "plan.png", PNG, private="true")
    assert noted.json()["private"]
    assert len([each for each in browser("GET", f"{place}/messages").json() if each["attachments"]]) == 1


# ---------------------------------------------------------------- what the desk is set up with


def test_labels_ready_texts_inboxes_and_webhooks_are_set_up(desk: Desk) -> None:
    program = Program(desk)
    label = program.said("POST", "/labels", {"title": "card", "color": "#c13020", "description": "Lost ones"})
    assert (label["title"], label["color"], label["description"]) == ("card", "#c0342b", "Lost ones")
    assert program.said("PATCH", f"/labels/{label['id']}", {"title": "cards"})["title"] == "cards"
    assert [each["id"] for each in program.said("GET", "/labels")["payload"]] == [label["id"]]
    assert program.said("GET", f"/labels/{label['id']}")["title"] == "cards"
    program.said("DELETE", f"/labels/{label['id']}")
    assert program("PATCH", f"/labels/{label['id']}", {"title": "x"}).status_code == 404
    ready = program.said("POST", "/canned_responses", {"short_code": "hi", "content": "Hello"})
    assert program.said("PATCH", f"/canned_responses/{ready['id']}", {"content": "Good day"})["content"] == "Good day"
    assert [each["short_code"] for each in program.said("GET", "/canned_responses")] == ["hi"]
    program.said("DELETE", f"/canned_responses/{ready['id']}")
    inbox = program.said("POST", "/inboxes", {"name": "Shop", "channel": {"type": "web_widget"}})
    assert (inbox["channel_type"], inbox["name"]) == ("Channel::WebWidget", "Shop")
    assert inbox["website_token"] in inbox["web_widget_script"]
    assert program("POST", "/inboxes", {"name": "Line", "channel": {"type": "line"}}).status_code == 422
    assert program.said("PATCH", f"/inboxes/{inbox['id']}", {"greeting_message": "Hi"})["greeting_enabled"]


def test_a_webhook_is_subscribed_to_by_chatwoots_names(desk: Desk) -> None:
    program = Program(desk)
    wanted = ["message_created", "campaign_triggered", "webwidget_triggered"]
    made = program.said("POST", "/webhooks", {"url": "https://hook.example/", "subscriptions": wanted})
    hook = made["payload"]["webhook"]
    assert hook["subscriptions"] == ["message_created", "webwidget_triggered"]
    assert hook["secret"].startswith("whsec_")
    changed = program.said("PATCH", f"/webhooks/{hook['id']}", {"webhook": {"subscriptions": ["contact_created"]}})
    assert changed["payload"]["webhook"]["subscriptions"] == ["contact_created"]
    assert "secret" not in changed["payload"]["webhook"]
    assert [each["id"] for each in program.said("GET", "/webhooks")["payload"]["webhooks"]] == [hook["id"]]
    with tenancy.scope(desk.tenant.id):
        row = Endpoint.objects.get(url="https://hook.example/")
        assert (row.format, row.types) == ("chatwoot", ["support_contact.created"])
    only = {"url": "https://hook.example/", "subscriptions": ["campaign_triggered"]}
    assert program("POST", "/webhooks", only).status_code == 422
    program.said("DELETE", f"/webhooks/{hook['id']}")
    assert program("DELETE", f"/webhooks/{hook['id']}").status_code == 404


def test_each_inbox_has_a_bot_of_its_own(desk: Desk) -> None:
    program, beside = Program(desk), open_desk(desk.tenant, "Beside", bot_enabled=True)
    connect(desk, "https://one.example/hook", name="One")
    connect(desk, "https://two.example/hook", name="Two", inboxes=[])
    bots = {each["name"]: each["id"] for each in program.said("GET", "/agent_bots")}
    place, other = (f"/inboxes/{program.said('GET', f'/inboxes/{row.inbox.pk}')['id']}" for row in (desk, beside))
    assert program.said("GET", f"{other}/agent_bot") == {"agent_bot": None}
    assert program.said("POST", f"{other}/set_agent_bot", {"agent_bot": bots["Two"]})["agent_bot"]["name"] == "Two"
    assert program.said("GET", f"{place}/agent_bot")["agent_bot"]["id"] == bots["One"]
    assert program.said("GET", f"{other}/agent_bot")["agent_bot"]["id"] == bots["Two"]
    # The own bot is off where a program answers.
    assert not inboxes.get(desk.tenant.actor, beside.inbox.pk).bot_enabled
    mine, theirs = desk.begin(text="Hello"), beside.begin(text="Hello")
    assert (mine.status, theirs.status) == ("pending", "pending")
    assert program.said("POST", f"{other}/set_agent_bot", {"agent_bot": bots["One"]})["agent_bot"]["name"] == "One"
    # What the one before had, people get.
    assert (desk.again(mine).status, desk.again(theirs).status) == ("pending", "open")
    assert program.said("POST", f"{other}/set_agent_bot", {"agent_bot": None}) == {"agent_bot": None}
    assert program("POST", f"{other}/set_agent_bot", {"agent_bot": 999}).status_code == 404
