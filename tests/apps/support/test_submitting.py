"""What visitors choose or fill in, as Chatwoot's public client API has it."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from apps.core import tenancy
from apps.support.models import BotTurn, Conversation, Message, Rating
from apps.support.services import conversations, messages
from apps.support.services.storing import Draft
from apps.webhooks import services as webhooks
from apps.webhooks.models import Format
from tests.helpers import webhooks as hooks
from tests.helpers.agent_bots import connect, work
from tests.helpers.desk import Browser, Desk, open_desk
from tests.helpers.webhooks import receiving

pytestmark = pytest.mark.django_db(transaction=True)
ITEMS = {"items": [{"title": "Yes, please", "value": "yes"}, {"title": "No", "value": "no"}]}


@pytest.fixture(autouse=True)
def _receivers_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OUTBOUND_ALLOW_PRIVATE", True)


def conversation_at(desk: Desk, place: str) -> Conversation:
    with tenancy.scope(desk.tenant.id):
        found: Conversation = Conversation.objects.get(number=int(place.rpartition("/")[2]))
        return found


def asked(desk: Desk, place: str, kind: str, attributes: dict[str, Any] | None = None) -> str:
    """Where a question of the desk's stands."""
    draft = Draft("Tell us", content_type=kind, content_attributes=attributes or {})
    made = messages.reply(desk.tenant.actor, conversation_at(desk, place).pk, draft)
    return f"{place}/messages/{made.sequence}"


def test_a_form_that_is_filled_in_is_kept_masked_and_told(desk: Desk, other_desk: Desk) -> None:
    browser, place = Browser.talking(desk)
    form = asked(desk, place, "form", {"items": [{"name": "card", "type": "text", "label": "Card"}]})
    values = [{"name": "card", "value": "4111 1111 1111 1111"}, {"name": "size", "value": 3, "label": "passed over"}]
    with receiving() as there:
        webhooks.create_endpoint(
            desk.tenant.actor, there.url, format=Format.CHATWOOT, types=["support_message.changed"]
        )
        answer = browser("PATCH", form, {"submitted_values": values, "id": 5})
        hooks.work()
    assert answer.status_code == 200, answer.content
    kept = [{"name": "card", "value": "[CARD_1]"}, {"name": "size", "value": 3}]
    assert answer.json()["content_attributes"]["submitted_values"] == kept
    [message] = [each.message for each in there.got]
    assert (message["event"], message["content_attributes"]["submitted_values"]) == ("message_updated", kept)
    assert browser("GET", f"{place}/messages").json()[-1]["content_attributes"]["submitted_values"] == kept
    # The desk sees that something happened, and when.
    assert [each.details.get("why") for each in desk.history(conversation_at(desk, place))][-1] == "submitted"
    # Others reach nothing of it.
    stranger, elsewhere = Browser(desk), Browser(other_desk)
    stranger.come_in(name="Bea")
    elsewhere.come_in(name="Cem")
    assert stranger("PATCH", form, {"submitted_values": values}).status_code == 404
    assert elsewhere("PATCH", form, {"submitted_values": values}).status_code == 404


def test_a_choice_reaches_a_bot_and_one_object_is_as_good_as_a_list(desk: Desk) -> None:
    with receiving() as there:
        bot = connect(desk, there.url)
        browser, place = Browser.talking(desk)
        talk = conversation_at(desk, place)
        body = {"content": "Sure?", "content_type": "input_select", "content_attributes": ITEMS}
        id = bot(talk, "/messages", body).json()["id"]
        choice = {"title": "Yes, please", "value": "yes"}
        sent = browser("PATCH", f"{place}/messages/{id % 1_000_000}", {"submitted_values": choice})
        assert sent.json()["content_attributes"] == ITEMS | {"submitted_values": [choice]}
        work()
    told = [each.message for each in there.got if each.message["event"] == "message_updated"]
    assert [each["content_attributes"]["submitted_values"] for each in told] == [[choice]]


def test_the_own_bot_reads_a_choice_as_if_it_had_been_written(bot_desk: Desk) -> None:
    browser, place = Browser.talking(bot_desk)
    talk = conversation_at(bot_desk, place)
    made = bot_desk.bot_says(talk, "Sure?", content_type="input_select", content_attributes=ITEMS)
    assert made is not None
    sent = browser("PATCH", f"{place}/messages/{made.sequence}", {"submitted_values": ITEMS["items"][:1]})
    assert sent.status_code == 200, sent.content
    with tenancy.scope(bot_desk.tenant.id):
        assert Message.objects.get(kind="incoming").content == "Yes, please"
        assert BotTurn.objects.filter(conversation=talk).count() == 1


def test_a_rating_is_given_with_the_message_that_asks_for_it(org_a: Any) -> None:
    desk = open_desk(org_a, csat_enabled=True)
    browser, place = Browser.talking(desk)
    browser("POST", f"{place}/messages", {"content": "Hello"})
    talk = conversation_at(desk, place)
    messages.reply(desk.tenant.actor, talk.pk, Draft("Good day"))
    conversations.set_status(desk.tenant.actor, talk.pk, "resolved")
    [question] = [each for each in browser("GET", f"{place}/messages").json() if each["content_type"] == "input_csat"]
    at = f"{place}/messages/{question['id']}"
    survey = {"csat_survey_response": {"rating": 5, "feedback_message": "Quick"}}
    with receiving() as there:
        webhooks.create_endpoint(
            desk.tenant.actor, there.url, format=Format.CHATWOOT, types=["support_message.changed"]
        )
        answer = browser("PATCH", at, {"submitted_values": survey})
        hooks.work()
    assert answer.json()["content_attributes"]["submitted_values"] == survey
    assert [each.message["content_attributes"]["submitted_values"] for each in there.got] == [survey]
    with tenancy.scope(desk.tenant.id):
        assert [(each.score, each.comment) for each in Rating.objects.all()] == [(5, "Quick")]
    for wrong in ({"csat_survey_response": {"rating": 6}}, {"name": "x", "value": "y"}):
        assert browser("PATCH", at, {"submitted_values": wrong}).status_code == 400


def test_only_what_asks_for_something_is_answered(desk: Desk) -> None:
    browser, place = Browser.talking(desk)
    mine = browser("POST", f"{place}/messages", {"content": "Hello"}).json()["id"]
    plain = asked(desk, place, "text")
    form = asked(desk, place, "form", {"items": []})
    values = [{"name": "a", "value": "b"}]
    assert browser("PATCH", plain, {"submitted_values": values}).status_code == 400
    assert browser("PATCH", f"{place}/messages/{mine}", {"submitted_values": values}).status_code == 404
    assert browser("PATCH", f"{place}/messages/9999", {"submitted_values": values}).status_code == 404
    for wrong in ([], "text", [1], [{"name": "a", "value": {"deep": 1}}], values * 51, [{"other": 1}]):
        assert browser("PATCH", form, {"submitted_values": wrong}).status_code == 400, wrong
    shown = browser("GET", place).json()
    assert (shown["status"], len(shown["messages"])) == ("open", 1)


def test_what_is_sent_again_changes_nothing_more_and_what_is_gone_takes_no_answer(bot_desk: Desk) -> None:
    desk = bot_desk
    browser, place = Browser.talking(desk)
    talk = conversation_at(desk, place)
    desk.bot_says(talk, "Shall I?")
    with tenancy.scope(desk.tenant.id):
        found = Message.objects.filter(conversation=talk, kind="outgoing").latest("sequence")
        found.content_type, found.content_attributes = "input_select", ITEMS
        found.save()
    chosen = {"submitted_values": [{"title": "Yes, please", "value": "yes"}]}
    question = f"{place}/messages/{found.sequence}"
    answers = [browser("PATCH", question, chosen).status_code for _ in range(2)]
    assert answers == [200, 200]
    assert [each.content for each in desk.history(talk) if each.kind == "incoming"].count("Yes, please") == 1
    form = asked(desk, place, "form", {"items": [{"name": "size", "type": "text"}]})
    messages.delete_message(desk.tenant.actor, talk.pk, int(form.rpartition("/")[2]))
    assert browser("PATCH", form, {"submitted_values": [{"name": "size", "value": "M"}]}).status_code == 404
