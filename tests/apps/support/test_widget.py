"""The visitors' side: Chatwoot's public API, the window in a frame, and the script that puts it there."""

import gzip
import hashlib
import hmac

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core import tenancy
from apps.support.models import Contact, Conversation, Message
from apps.support.services import contacts, conversations, inboxes, merging, messages, presence, setup, visiting
from apps.support.services import desk as desk_settings
from apps.support.services.storing import Draft
from tests.helpers.desk import Browser, Desk

pytestmark = pytest.mark.django_db


def signature(desk: Desk, identifier: str) -> str:
    secret = inboxes.show_secret(desk.tenant.actor, desk.inbox.pk)
    return hmac.new(secret.encode(), identifier.encode(), hashlib.sha256).hexdigest()


def test_a_program_written_for_chatwoot_goes_on_working(desk: Desk) -> None:
    """Its paths and bodies as they are, with the `source_id` in the address."""
    browser = Browser(desk)
    made = browser("POST", "/contacts", {"identifier": "c-1", "identifier_hash": signature(desk, "c-1"), "name": "Ada"})
    source = made.json()["source_id"]
    talk = browser("POST", f"/contacts/{source}/conversations").json()
    place = f"/contacts/{source}/conversations/{talk['id']}"
    sent = browser("POST", f"{place}/messages", {"content": "Hello", "echo_id": "e-1"}).json()
    assert (sent["content"], sent["message_type"], sent["echo_id"]) == ("Hello", 0, "e-1")
    with tenancy.scope(desk.tenant.id):
        conversation = Conversation.objects.get()
    messages.reply(desk.agent("ann"), conversation.pk, Draft("Good day"))
    listed = browser("GET", f"{place}/messages").json()
    assert [(each["content"], each["message_type"]) for each in listed] == [("Hello", 0), ("Good day", 1)]
    assert listed[1]["sender"] == {"type": "user", "name": "ann"}
    [row] = browser("GET", f"/contacts/{source}/conversations").json()
    assert (row["id"], row["status"], row["messages"][0]["content"]) == (talk["id"], "open", "Good day")
    assert browser("POST", f"{place}/update_last_seen").status_code == 204


def test_what_is_sent_twice_is_there_once(desk: Desk) -> None:
    browser = Browser(desk)
    browser.come_in()
    talk = browser("POST", "/contacts/me/conversations").json()
    place = f"/contacts/me/conversations/{talk['id']}/messages"
    ids = {browser("POST", place, {"content": "Hello", "echo_id": "e-1"}).json()["id"] for _ in range(3)}
    assert len(ids) == 1


def test_a_list_of_many_conversations_asks_no_more_than_one_of_one(desk: Desk) -> None:
    visitor = desk.visitor(name="Ada")
    asked = []
    for number in range(3):
        desk.says(desk.begin(visitor, f"First {number}"), f"Last {number}")
        with CaptureQueriesContext(connection) as queries:
            rows = visiting.listed(visitor)
        asked.append(len(queries))
    assert [[each.content for each in said] for _row, said in rows] == [["Last 2"], ["Last 1"], ["Last 0"]]
    assert len(set(asked)) == 1


def test_the_contact_sees_no_note_and_no_activity(desk: Desk) -> None:
    browser = Browser(desk)
    browser.come_in()
    talk = browser("POST", "/contacts/me/conversations").json()
    with tenancy.scope(desk.tenant.id):
        conversation = Conversation.objects.get()
    messages.note(desk.agent("ann"), conversation.pk, Draft("Between us"))
    answer = browser("GET", f"/contacts/me/conversations/{talk['id']}/messages")
    assert answer.json() == []


def test_one_browser_sees_nothing_of_another(desk: Desk, other_desk: Desk) -> None:
    one, two, elsewhere = Browser(desk), Browser(desk), Browser(other_desk)
    for browser in (one, two, elsewhere):
        browser.come_in()
    talk = one("POST", "/contacts/me/conversations").json()
    place = f"/contacts/me/conversations/{talk['id']}/messages"
    one("POST", place, {"content": "Mine alone"})
    assert two("GET", place).status_code == 404
    assert two("POST", place, {"content": "Hello"}).status_code == 404
    assert two("GET", "/contacts/me/conversations").json() == []
    elsewhere.secret = one.secret
    refused = elsewhere("GET", "/contacts/me/conversations")
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "visitor_unknown")


def test_a_shared_computer_forgets_who_signed_out(desk: Desk) -> None:
    browser = Browser(desk)
    browser.come_in(identifier="c-1", identifier_hash=signature(desk, "c-1"))
    talk = browser("POST", "/contacts/me/conversations").json()
    assert browser("DELETE", "/contacts/me").status_code == 204
    for method, path in (
        ("GET", "/contacts/me/conversations"),
        ("GET", f"/contacts/me/conversations/{talk['id']}/messages"),
    ):
        assert browser(method, path).status_code == 401
    browser.come_in(identifier="c-2", identifier_hash=signature(desk, "c-2"))
    assert browser("GET", "/contacts/me/conversations").json() == []


def test_a_browser_of_somebody_who_is_proved_takes_no_other_name_without_proof(desk: Desk) -> None:
    browser = Browser(desk)
    browser.come_in(identifier="c-1", identifier_hash=signature(desk, "c-1"), name="Ada")
    refused = browser("PATCH", "/contacts/me", {"identifier": "c-2", "name": "Bea"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (401, "visitor_unknown")
    assert browser("PATCH", "/contacts/me", {"identifier": "c-1", "language": "de"}).status_code == 200
    with tenancy.scope(desk.tenant.id):
        assert Contact.objects.get().name == "Ada"


def test_a_proved_contact_has_their_history_in_every_browser_and_nobody_else_has(desk: Desk) -> None:
    first, second, liar = Browser(desk), Browser(desk), Browser(desk)
    first.come_in(identifier="c-1", identifier_hash=signature(desk, "c-1"))
    talk = first("POST", "/contacts/me/conversations").json()
    second.come_in(identifier="c-1", identifier_hash=signature(desk, "c-1"))
    assert [row["id"] for row in second("GET", "/contacts/me/conversations").json()] == [talk["id"]]
    liar.come_in(identifier="c-1")
    assert liar("GET", "/contacts/me/conversations").json() == []
    refused = liar("PATCH", "/contacts/me", {"identifier": "c-1", "identifier_hash": "0" * 64})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "identity_refused")


def test_what_is_written_to_a_merged_conversation_goes_on_in_the_other(desk: Desk) -> None:
    browser = Browser(desk)
    browser.come_in()
    one, other = (browser("POST", "/contacts/me/conversations").json() for _ in range(2))
    merging.merge(desk.tenant.actor, one["uuid"], other["uuid"])
    place = f"/contacts/me/conversations/{one['id']}/messages"
    assert browser("POST", place, {"content": "Still here"}).status_code == 200
    assert [each["content"] for each in browser("GET", place).json()] == ["Still here"]
    with tenancy.scope(desk.tenant.id):
        assert Message.objects.get(content="Still here").conversation.number == other["id"]


def test_where_nobody_is_proved_a_merged_conversation_of_another_browser_is_not_shown(desk: Desk) -> None:
    one, other = desk.visitor(name="Ada"), desk.visitor(name="Ada")
    mine, theirs = desk.begin(one, "Mine"), desk.begin(other, "Theirs")
    contacts.merge(desk.tenant.actor, other.contact.pk, one.contact.pk)
    merging.merge(desk.tenant.actor, mine.pk, theirs.pk)
    _row, said = visiting.history(one, mine.number)
    assert [each.content for each in said] == ["Mine"]


def test_a_rating_is_given_once_it_is_asked_for(desk: Desk) -> None:
    inboxes.change(desk.tenant.actor, desk.inbox.pk, {"csat_enabled": True})
    browser = Browser(desk)
    browser.come_in()
    talk = browser("POST", "/contacts/me/conversations").json()
    place = f"/contacts/me/conversations/{talk['id']}"
    browser("POST", f"{place}/messages", {"content": "Hello"})
    assert browser("POST", f"{place}/rating", {"rating": 5}).status_code == 404
    ann = desk.agent("ann")
    with tenancy.scope(desk.tenant.id):
        conversation = Conversation.objects.get()
    messages.reply(ann, conversation.pk, Draft("Done"))
    conversations.set_status(ann, conversation.pk, "resolved")
    assert browser("POST", f"{place}/rating", {"rating": 9}).status_code == 400
    assert browser("POST", f"{place}/rating", {"rating": 5, "feedback_message": "Fine"}).status_code == 204
    # Whoever opens the conversation again sees what they have chosen.
    with tenancy.scope(desk.tenant.id):
        question = Message.objects.get(conversation=conversation, content_type="input_csat")
    answered = {"csat_survey_response": {"rating": 5, "feedback_message": "Fine"}}
    assert question.content_attributes == {"submitted_values": answered}


def test_unknown_names_and_inboxes_are_refused(desk: Desk) -> None:
    browser = Browser(desk)
    assert browser("POST", "/contacts", {"colour": "red"}).json()["error"]["code"] == "unknown_parameter"
    browser.at = "/public/api/v1/inboxes/unknown"
    assert browser("POST", "/contacts").status_code == 404
    assert browser("GET", "").status_code == 404


def test_an_inbox_tells_visitors_whether_somebody_is_there(desk: Desk) -> None:
    browser = Browser(desk)
    assert browser("GET", "").json()["is_open"] is True
    never = setup.create(desk.tenant.actor, "hours", {"name": "Never", "time_zone": "UTC"})
    inboxes.change(desk.tenant.actor, desk.inbox.pk, {"hours": never.pk, "away_message": "Tomorrow."})
    found = browser("GET", "").json()
    assert (found["is_open"], found["next_opening"], found["out_of_office_message"]) == (False, None, "Tomorrow.")


# ---------------------------------------------------------------- the window and its loader


def test_only_sites_that_the_inbox_names_may_show_the_window(desk: Desk, client: Client) -> None:
    place = reverse("widget", args=[desk.inbox.token])
    closed = client.get(place)
    assert "frame-ancestors 'none'" in closed["content-security-policy"]
    sites = ["https://www.bank.example", "https://*.bank.example"]
    inboxes.change(desk.tenant.actor, desk.inbox.pk, {"origins": sites})
    page = client.get(place)
    assert "frame-ancestors https://*.bank.example https://www.bank.example" in page["content-security-policy"]
    assert "x-frame-options" not in page
    assert "script-src 'self'" in page["content-security-policy"]
    assert not page.cookies
    assert client.get(reverse("widget", args=["unknown"])).status_code == 404


def test_the_window_speaks_english_and_chinese_and_shows_the_inboxs_words_as_text(desk: Desk, client: Client) -> None:
    inboxes.change(desk.tenant.actor, desk.inbox.pk, {"greeting": "<b>Hello</b>", "look": {"title": "Bank"}})
    place = reverse("widget", args=[desk.inbox.token])
    english = client.get(place, {"locale": "en"}).content.decode()
    assert "&lt;b&gt;Hello" in english
    assert 'lang="en"' in english
    chinese = client.get(place, {"locale": "zh_CN"}).content.decode()
    assert 'lang="zh-hans"' in chinese
    assert "Write to us" not in chinese


def test_the_loader_is_small_and_any_page_may_load_it(client: Client) -> None:
    answer = client.get(reverse("widget-sdk"))
    assert answer["content-type"].startswith("text/javascript")
    assert answer["cross-origin-resource-policy"] == "cross-origin"
    assert len(answer.content) <= 10_000
    assert len(gzip.compress(answer.content)) <= 10_000
    for name in ("chatwootSDK", "$chatwoot", "setUser", "setCustomAttributes", "setLocale", "toggle", "reset"):
        assert name in answer.content.decode()


def test_no_secret_stands_in_an_address_that_the_window_asks() -> None:
    script = (settings.BASE_DIR / "static" / "js" / "widget.js").read_text()
    assert "contacts/me" in script
    assert "${secret}" not in script


def test_what_comes_in_is_masked(desk: Desk) -> None:
    browser = Browser(desk)
    browser.come_in(name="4111 1111 1111 1111")
    with tenancy.scope(desk.tenant.id):
        assert Contact.objects.get().name == "[CARD_1]"


def test_a_number_of_a_card_is_masked_also_where_it_is_no_text(desk: Desk) -> None:
    browser = Browser(desk)
    numbers = {"card": 4111111111111111, "broken": 4111111111111111.0, "age": 41, "share": 0.4111111111111111}
    browser.come_in(custom_attributes=numbers | {"known": True})
    masked = {"card": "[CARD_1]", "broken": "[CARD_1]", "age": 41, "share": 0.4111111111111111, "known": True}
    with tenancy.scope(desk.tenant.id):
        assert Contact.objects.get().attributes == masked


def test_a_number_of_a_card_is_masked_in_the_place_of_a_telephone_number(desk: Desk) -> None:
    desk_settings.change_settings(desk.tenant.actor, {"masked": ["card", "phone"]})
    browser = Browser(desk)
    browser.come_in(phone_number="4111 1111 1111 1111")
    with tenancy.scope(desk.tenant.id):
        assert Contact.objects.get().phone == "[CARD_1]"
    browser("PATCH", "/contacts/me", {"phone_number": "+49 30 1234567"})
    with tenancy.scope(desk.tenant.id):
        assert Contact.objects.get().phone == "+49 30 1234567"


# ---------------------------------------------------------------- what else a site's script does


def test_labels_and_attributes_of_a_conversation_are_set_from_the_site(desk: Desk, other_desk: Desk) -> None:
    setup.create(desk.tenant.actor, "label", {"title": "Cards"})
    browser, place = Browser.talking(desk)
    assert browser("POST", f"{place}/set_label", {"label": "cards"}).status_code == 204
    assert browser("POST", f"{place}/set_label", {"label": "unknown"}).status_code == 204
    browser(
        "POST", f"{place}/set_custom_attributes", {"custom_attributes": {"plan": "gold", "page": "4111111111111111"}}
    )
    browser("POST", f"{place}/set_custom_attributes", {"custom_attributes": {"step": 2}})
    browser("POST", f"{place}/destroy_custom_attributes", {"custom_attributes": ["plan"]})
    with tenancy.scope(desk.tenant.id):
        row = Conversation.objects.get()
    assert (row.labels, row.attributes) == (["Cards"], {"page": "[CARD_1]", "step": 2})
    browser("POST", f"{place}/remove_label", {"label": "Cards"})
    assert desk.again(row).labels == []
    stranger = Browser(desk)
    stranger.come_in()
    assert stranger("POST", f"{place}/set_label", {"label": "Cards"}).status_code == 404


def test_the_desk_sees_that_a_program_of_a_visitor_types(desk: Desk) -> None:
    browser, place = Browser.talking(desk)
    with tenancy.scope(desk.tenant.id):
        talk = Conversation.objects.get()
    assert browser("POST", f"{place}/toggle_typing", {"typing_status": "on"}).status_code == 204
    seat = presence.Seat(desk.tenant.id, talk.pk, "agent", "agent", "Ann", False)
    assert async_to_sync(presence.people)(seat) == [{"name": "Ada", "contact": True, "typing": True}]
    browser("POST", f"{place}/toggle_typing", {"typing_status": "off"})
    assert [each["typing"] for each in async_to_sync(presence.people)(seat)] == [False]
    assert browser("POST", f"{place}/toggle_typing", {"typing_status": "maybe"}).status_code == 400


def test_the_loader_has_every_function_that_sites_call(client: Client) -> None:
    script = client.get(reverse("widget-sdk")).content.decode()
    for name in (
        "setLabel",
        "removeLabel",
        "popoutChatWindow",
        "setConversationCustomAttributes",
        "toggleBubbleVisibility",
    ):
        assert f"{name}" in script


def test_a_window_of_its_own_may_ask_the_frame_that_it_came_from(desk: Desk, client: Client) -> None:
    page = client.get(reverse("widget", args=[desk.inbox.token]))
    assert page["cross-origin-opener-policy"] == "unsafe-none"
    assert "img-src 'self' data: blob:" in page["content-security-policy"]
