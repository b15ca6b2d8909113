"""A card's security code in a message of its own: masked where it was asked for, or its name stands beside it."""

import pytest

from apps.core import tenancy
from apps.core.errors import NotFound
from apps.core.models import Event
from apps.support.models import Conversation, Message, MessageIndex, Original
from apps.support.services import indexing, messages, unmasking
from apps.support.services.storing import Draft
from tests.apps.support.test_masking import everything_stored
from tests.helpers.desk import Desk

pytestmark = pytest.mark.django_db


def said(desk: Desk, talk: Conversation) -> list[str]:
    return [each.content for each in desk.history(talk) if each.kind == "incoming"]


def test_what_an_agent_has_asked_for_is_masked_before_it_is_stored(desk: Desk) -> None:
    talk = desk.begin(text="My card does not work")
    messages.reply(desk.agent("ann"), talk.pk, Draft("What is the CVV on its back?"))
    desk.says(talk, "one moment")
    desk.says(talk, "it is 917")
    assert said(desk, talk)[-2:] == ["one moment", "it is [CARD_1]"]
    with tenancy.scope(desk.tenant.id):
        assert "917" not in "".join(Message.objects.values_list("content", flat=True))
        assert not indexing.matches("917")
        stored = everything_stored()
    assert " 917" not in stored
    sequence = desk.history(talk)[-1].sequence
    with pytest.raises(NotFound):
        unmasking.unmask(desk.tenant.actor, talk.pk, sequence, "The bank asked for it")


def test_what_the_bot_has_asked_for_is_masked(bot_desk: Desk) -> None:
    talk = bot_desk.begin(text="您好")
    bot_desk.bot_says(talk, "请输入安全码")
    bot_desk.says(talk, "917")
    assert said(bot_desk, talk)[-1] == "[CARD_1]"


@pytest.mark.parametrize("name", ["cvv?", "my security code:", "安全码"])
def test_the_name_in_one_message_and_the_code_in_the_next(desk: Desk, name: str) -> None:
    talk = desk.begin(text=name)
    desk.says(talk, "917")
    assert said(desk, talk) == [name, "[CARD_1]"]


def test_the_code_in_one_message_and_its_name_in_the_next(desk: Desk) -> None:
    talk = desk.begin(text="917")
    desk.says(talk, "that's my cvv")
    assert said(desk, talk) == ["[CARD_1]", "that's my cvv"]
    [told] = [each for each in desk.history(talk) if each.details.get("why") == "masked_later"]
    assert len(told.details["messages"]) == 1
    with tenancy.scope(desk.tenant.id):
        assert Event.objects.filter(type="support_message.changed").count() == 1
        assert not MessageIndex.objects.filter(message__content="917").exists()
        assert not Original.objects.exists()


def test_a_code_in_words_is_masked_later_too(desk: Desk) -> None:
    talk = desk.begin(text="nine one seven")
    desk.says(talk, "that's my cvv")
    assert said(desk, talk)[0] == "[CARD_1]"


def test_numbers_that_answer_something_else_stay(desk: Desk) -> None:
    talk = desk.begin(text="I want to send money")
    agent = desk.agent("ann")
    messages.reply(agent, talk.pk, Draft("How much? We never ask for your CVV."))
    desk.says(talk, "and I would like it to be 500 today")
    messages.reply(agent, talk.pk, Draft("Please tell me the security code."))
    desk.says(talk, "order 1234, 500 euros, since 2024")
    messages.reply(agent, talk.pk, Draft("Which branch?"))
    desk.says(talk, "123 High Street")
    assert not any("CARD" in each for each in said(desk, talk))
