"""Turns of the bot: a burst is one, state survives, and nothing is said once a person has acted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.core import outbound, tenancy
from apps.core.jobs import Status
from apps.support.models import BotTurn, Conversation, DialogueEvent, Message
from apps.support.services import bot, conversations, flows, messages
from apps.support.services.bot.turns import MOST_MESSAGES
from apps.support.services.storing import Draft
from ml.dialogue.types import Reading
from tests.helpers import bots
from tests.helpers.people import Tenant
from workers import dialogue
from workers import support as worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str], bytes]]:
    """The bank's system: what it was asked, with headers and body; the network is not there."""
    asked: list[tuple[str, dict[str, str], bytes]] = []

    def fetch(method: str, url: str, **options: Any) -> outbound.Response:
        asked.append((url, dict(options["headers"]), options["body"]))
        return outbound.Response(200, {}, b'{"outputs": {"number": "R-77"}}')

    monkeypatch.setattr(outbound, "fetch", fetch)
    return asked


def test_three_messages_in_a_row_are_one_turn(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "Hello", "when are you open", "tomorrow?")
    assert bots.answer_one(bots.reading("opening_hours")) == "replied"
    assert bots.said(org_a, conversation) == ["We are open from nine to five."]
    record = bots.last_record(org_a, conversation)
    assert record.text == "Hello\nwhen are you open\ntomorrow?"
    assert not bot.claim_turns("by-hand", 5)


def test_a_burst_is_waited_for(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a, quiet_seconds=5.0)
    bots.write(org_a, bots.visit(org_a, inbox), "Hello")
    assert bot.claim_turns("by-hand", 5) == []
    flows.change_bot(org_a.actor, flows.BotChange(quiet_seconds=0.0))
    assert len(bot.claim_turns("by-hand", 5)) == 1


def test_a_reply_names_flows_and_what_was_read(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "when are you open")
    bots.answer_one(bots.reading("opening_hours", 0.83))
    with tenancy.scope(org_a.id):
        reply = Message.objects.get(conversation=conversation, author="bot", kind="outgoing")
    assert reply.provenance == {
        "model": None,
        "flows": 1,
        "articles": [],
        "intent": "opening_hours",
        "probability": 0.83,
    }


def test_a_form_goes_on_turn_by_turn_and_calls_the_bank(org_a: Tenant, bank: list[Any]) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox, identifier="c-17")
    for text, read in (("I lost my card", bots.reading("lost_card")), ("4242", Reading()), ("yes please", Reading())):
        bots.write(org_a, conversation, text)
        assert bots.answer_one(read) == "replied"
    assert bots.said(org_a, conversation) == [
        "What are the last four digits?",
        "Shall I block the card ending in 4242?",
        "Done. Your reference is R-77.",
    ]
    [(url, headers, body)] = bank
    assert url == "https://bank.example/block"
    assert b'"inputs": {"card": "4242"}' in body and b'"identifier": "c-17"' in body
    assert headers["webhook-signature"].startswith("v1,")


def test_a_call_is_given_the_card_that_its_placeholder_stands_for(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "block 4111 1111 1111 1111")
    bots.write(org_a, conversation, "and pay from 5500 0000 0000 0004")
    messages.note(org_a.actor, conversation.pk, Draft("Ours is 5105 1051 0510 5100"))
    [turn] = bot.claim_turns("by-hand", 1)
    prepared = bot.prepare(turn)
    assert prepared is not None and prepared.text == "block [CARD_1]\nand pay from [CARD_2]"
    wanted = {"one": "[CARD_1]", "other": "[CARD_2]", "ours": "[CARD_3]", "both": "[CARD_2] [CARD_1]"}
    assert bot.inputs_restored(prepared, wanted) == {
        "one": "4111 1111 1111 1111",
        "other": "5500 0000 0000 0004",
        "ours": "[CARD_3]",
        "both": "5500 0000 0000 0004 4111 1111 1111 1111",
    }


def test_a_call_that_fails_goes_to_a_person(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "fetch", lambda *_, **__: outbound.Response(503, {}, b""))
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    for text, read in (("I lost my card", bots.reading("lost_card")), ("4242", Reading()), ("yes", Reading())):
        bots.write(org_a, conversation, text)
        outcome = bots.answer_one(read)
    assert outcome == "handed_over"
    assert bots.fresh(org_a, conversation).status == "open"
    assert bots.last_record(org_a, conversation).reason == "action_failed"


def test_a_call_is_the_same_after_a_lost_worker(
    org_a: Tenant, bank: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked is stored before it is done: whoever goes on asks again under the same id, and answers once."""
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    for text, read in (("I lost my card", bots.reading("lost_card")), ("4242", Reading())):
        bots.write(org_a, conversation, text)
        bots.answer_one(read)
    bots.write(org_a, conversation, "yes")
    [turn] = bot.claim_turns("by-hand", 1)
    prepared = bot.prepare(turn)
    called = flows.call_action

    def lost(*arguments: Any) -> Any:
        called(*arguments)
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(flows, "call_action", lost)
        dialogue.carry_out(turn, prepared, Reading())
    bots.lose_worker(org_a, turn.pk)
    assert bot.reap_turns() == []
    assert bots.answer_one() == "replied"
    assert bots.said(org_a, conversation)[-1] == "Done. Your reference is R-77."
    assert len(bank) == 2 and bank[0][1]["webhook-id"] == bank[1][1]["webhook-id"]
    assert not bot.claim_turns("by-hand", 1)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("I want to speak to a human", "human"),
        ("there is an unauthorised transaction", "fraud"),
        ("I want to make a complaint", "complaint"),
        ("我要投诉", "complaint"),
    ],
)
def test_a_person_is_called_at_once_however_sure_the_model_is(org_a: Tenant, words: str, reason: str) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, words)
    assert bots.answer_one(bots.reading("opening_hours", 0.99)) == "handed_over"
    assert bots.last_record(org_a, conversation).reason == reason
    assert bots.fresh(org_a, conversation).status == "open"
    assert not bots.fresh(org_a, conversation).bot_owns


def test_one_question_between_two_intents_and_then_a_person(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    doubtful = bots.reading("lost_card", 0.41, transfer_status=0.38)
    bots.write(org_a, conversation, "it did not arrive")
    assert bots.answer_one(doubtful) == "replied"
    with tenancy.scope(org_a.id):
        asked = Message.objects.get(conversation=conversation, author="bot", kind="outgoing")
    assert asked.content_type == "input_select"
    assert [item["title"] for item in asked.content_attributes["items"]] == ["Block a card", "Where a transfer is"]
    bots.write(org_a, conversation, "hm, not sure")
    assert bots.answer_one(doubtful) == "handed_over"
    with tenancy.scope(org_a.id):
        told = Message.objects.get(conversation=conversation, details__why="handed_over")
    assert told.details["handover"]["ranking"][0] == ["lost_card", 0.41]


def test_the_bot_is_silent_from_the_moment_a_person_acts(org_a: Tenant) -> None:
    """Also where it had already thought of an answer."""
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "when are you open")
    [turn] = bot.claim_turns("by-hand", 1)
    prepared = bot.prepare(turn)
    messages.reply(org_a.actor, conversation.pk, Draft("Good morning, this is a person."))
    assert dialogue.carry_out(turn, prepared, bots.reading("opening_hours")) == "silenced"
    assert bots.said(org_a, conversation) == []
    bots.write(org_a, conversation, "thanks")
    assert bot.claim_turns("by-hand", 1) == []
    with tenancy.scope(org_a.id):
        assert not DialogueEvent.objects.filter(conversation=conversation).exists()


def test_what_is_written_while_the_bot_thinks_is_answered_with_the_rest(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "when")
    [turn] = bot.claim_turns("by-hand", 1)
    prepared = bot.prepare(turn)
    bots.write(org_a, conversation, "are you open")
    assert dialogue.carry_out(turn, prepared, bots.reading("opening_hours")) == "superseded"
    assert bots.answer_one(bots.reading("opening_hours")) == "replied"
    assert bots.last_record(org_a, conversation).text == "when\nare you open"
    assert len(bots.said(org_a, conversation)) == 1


def test_a_turn_that_has_lost_two_workers_goes_to_a_person(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "when are you open")
    for _ in range(2):
        [turn] = bot.claim_turns("by-hand", 1)
        bots.lose_worker(org_a, turn.pk)
        hopeless = bot.reap_turns()
    assert [each.pk for each in hopeless] == [turn.pk]
    bot.give_up(hopeless[0], "worker_lost")
    assert bots.fresh(org_a, conversation).status == "open"
    with tenancy.scope(org_a.id):
        assert BotTurn.objects.get(pk=turn.pk).status == Status.FAILED


def test_a_lost_worker_s_answer_is_refused(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "when are you open")
    [turn] = bot.claim_turns("by-hand", 1)
    prepared = bot.prepare(turn)
    bots.lose_worker(org_a, turn.pk)
    bot.reap_turns()
    assert bots.answer_one(bots.reading("opening_hours")) == "replied"
    assert dialogue.carry_out(turn, prepared, bots.reading("opening_hours")) == "lost"
    assert len(bots.said(org_a, conversation)) == 1


def test_without_flows_that_are_live_a_person_answers(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    flows.change_bot(org_a.actor, flows.BotChange(is_on=False))
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "when are you open")
    assert bots.answer_one(bots.reading("opening_hours")) == "handed_over"
    assert bots.last_record(org_a, conversation).reason == "bot_off"


def test_a_conversation_that_comes_back_goes_on_with_what_is_known(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "I want to speak to a human")
    bots.answer_one()
    conversations.set_status(org_a.actor, conversation.pk, "pending")
    bots.write(org_a, conversation, "when are you open")
    assert bots.answer_one(bots.reading("opening_hours")) == "replied"
    with tenancy.scope(org_a.id):
        kinds = DialogueEvent.objects.filter(conversation=conversation).order_by("position")
        assert [each.body.split('"')[3] for each in kinds] == [
            "TurnTaken", "Said", "HandedOver", "GivenBack", "TurnTaken", "Said",
        ]  # fmt: skip


def test_turns_of_another_organization_are_its_own(org_a: Tenant, org_b: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "when are you open")
    bots.answer_one(bots.reading("opening_hours"))
    with tenancy.scope(org_b.id):
        assert not DialogueEvent.objects.exists()


def test_where_no_bot_answers_in_time_a_person_is_called(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "when are you open")
    worker.call_people()
    assert bots.fresh(org_a, conversation).bot_owns
    with tenancy.scope(org_a.id):
        BotTurn.objects.update(created_at=timezone.now() - timedelta(seconds=30))
    worker.call_people()
    assert bots.fresh(org_a, conversation).status == "open"
    assert bot.claim_turns("by-hand", 1) == []


def test_what_a_lost_bot_had_claimed_goes_to_a_person_too(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "when are you open")
    with tenancy.scope(org_a.id):
        BotTurn.objects.update(created_at=timezone.now() - timedelta(seconds=30))
    [turn] = bot.claim_turns("by-hand", 1)
    worker.call_people()
    assert bots.fresh(org_a, conversation).bot_owns
    bots.lose_worker(org_a, turn.pk)
    worker.call_people()
    assert bots.fresh(org_a, conversation).status == "open"


@pytest.mark.parametrize("way", ["returned", "reopened", "answered"])
def test_what_was_written_to_a_person_is_not_read(org_a: Tenant, way: str) -> None:
    """Nor is the bot silent where that was more than it reads at once."""
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, "I want to speak to a human")
    bots.answer_one()
    bots.write(org_a, conversation, *(f"part {n}" for n in range(MOST_MESSAGES + 2)))
    if way == "returned":
        conversations.set_status(org_a.actor, conversation.pk, "pending")
    elif way == "reopened":
        conversations.set_status(org_a.actor, conversation.pk, "resolved")
    else:
        messages.reply(org_a.actor, conversation.pk, Draft("I see."))
        with tenancy.scope(org_a.id):
            held = {"bot_owns": True, "status": "pending", "acted_at": None}
            Conversation.objects.filter(pk=conversation.pk).update(**held)
    bots.write(org_a, conversation, "when are you", "open")
    assert bots.answer_one(bots.reading("opening_hours")) == "replied"
    assert bots.last_record(org_a, conversation).text == "when are you\nopen"


def test_of_more_than_is_read_at_once_the_newest_is(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, *(f"part {n}" for n in range(MOST_MESSAGES + 2)))
    assert bots.answer_one(bots.reading("opening_hours")) == "replied"
    read = bots.last_record(org_a, conversation).text.split("\n")
    assert read == [f"part {n}" for n in range(2, MOST_MESSAGES + 2)]
