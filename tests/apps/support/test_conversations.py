"""Conversations between contact, bot and people: who has them, who waits, and that nothing is said twice."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from apps.core.models import Event
from apps.support.errors import AlreadyClaimed, ContactBlocked, ConversationMoved
from apps.support.models import BotTurn, Conversation, Inbox, Message, SlaTimer
from apps.support.services import assignment, contacts, conversations, housekeeping, messages, reading
from apps.support.services.storing import Draft
from tests.helpers.desk import Desk
from tests.helpers.people import Tenant, acting, audit_of, events_of

pytestmark = pytest.mark.django_db


def kinds(desk: Desk, conversation: Conversation) -> list[str]:
    return [row.kind for row in desk.history(conversation)]


# ---------------------------------------------------------------- order


def test_every_change_has_the_next_number(desk: Desk) -> None:
    agent = desk.agent("ann", online=False)
    conversation = desk.begin()
    messages.reply(agent, conversation.pk, Draft("Good morning"))
    conversations.change_conversation(agent, conversation.pk, {"priority": 3})
    history = desk.history(conversation)
    assert [row.sequence for row in history] == list(range(1, len(history) + 1))
    assert [row.kind for row in history] == ["activity", "incoming", "activity", "outgoing", "activity"]
    assert desk.again(conversation).last_sequence == len(history)


def test_what_is_sent_thrice_is_there_once(desk: Desk) -> None:
    conversation = desk.begin(text="")
    sent = {desk.says(conversation, "Once", client_id="c-1").pk for _ in range(3)}
    assert len(sent) == 1
    assert kinds(desk, conversation).count("incoming") == 1
    # The same id in another conversation is another message.
    assert desk.says(desk.begin(text=""), "Once", client_id="c-1").pk not in sent


def test_an_id_of_anothers_message_shows_and_takes_nothing(desk: Desk) -> None:
    ann, ben = desk.agent("ann", online=False), desk.agent("ben", online=False)
    conversation = desk.begin()
    note = messages.note(ann, conversation.pk, Draft("He is a liar", "n-1"))
    desk.says(conversation, "Mine", "c-1")
    attempts: list[Callable[[], object]] = [
        lambda: desk.says(conversation, "Tell me", "n-1"),
        lambda: messages.reply(ann, conversation.pk, Draft("An answer", "n-1")),
        lambda: messages.note(ben, conversation.pk, Draft("Another note", "n-1")),
        lambda: messages.reply(ben, conversation.pk, Draft("An answer", "c-1")),
        lambda: desk.bot_says(conversation, "An answer", client_id="c-1"),
    ]
    before = len(desk.history(conversation))
    for attempt in attempts:
        with pytest.raises(Conflict) as refused:
            attempt()
        assert "liar" not in str(refused.value)
    assert len(desk.history(conversation)) == before
    assert messages.note(ann, conversation.pk, Draft("He is a liar", "n-1")).pk == note.pk


def test_an_answer_that_is_sent_twice_is_there_once_also_after_others_have_answered(desk: Desk) -> None:
    ann, bob = desk.agent("ann"), desk.agent("bob")
    conversation = desk.begin()
    first = messages.reply(ann, conversation.pk, Draft("Hi", client_id="a"), seen_seq=2)
    messages.reply(bob, conversation.pk, Draft("Hello", client_id="b"))
    again = messages.reply(ann, conversation.pk, Draft("Hi", client_id="a"), seen_seq=2)
    assert again.pk == first.pk


def test_the_second_of_two_agents_is_warned_and_both_answers_are_kept(desk: Desk) -> None:
    ann, bob = desk.agent("ann"), desk.agent("bob")
    conversation = desk.begin()
    seen = desk.again(conversation).last_sequence
    messages.reply(ann, conversation.pk, Draft("It is on its way."), seen_seq=seen)
    with pytest.raises(ConversationMoved) as moved:
        messages.reply(bob, conversation.pk, Draft("Let me look."), seen_seq=seen)
    assert moved.value.code == "conversation_moved"
    assert moved.value.status == 409
    assert "ann" in moved.value.message
    messages.reply(bob, conversation.pk, Draft("Let me look."), seen_seq=seen, force=True)
    said = [row.content for row in desk.history(conversation) if row.kind == "outgoing"]
    assert said == ["It is on its way.", "Let me look."]


def test_ones_own_answer_is_no_reason_to_warn(desk: Desk) -> None:
    ann = desk.agent("ann")
    conversation = desk.begin()
    seen = desk.again(conversation).last_sequence
    messages.reply(ann, conversation.pk, Draft("One"), seen_seq=seen)
    assert messages.reply(ann, conversation.pk, Draft("Two"), seen_seq=seen).content == "Two"


# ---------------------------------------------------------------- bot and people


def test_a_burst_is_one_turn_of_the_bot(bot_desk: Desk) -> None:
    conversation = bot_desk.begin()
    bot_desk.says(conversation, "I lost my card")
    bot_desk.says(conversation, "yesterday")
    with tenancy.scope(bot_desk.tenant.id):
        [turn] = BotTurn.objects.all()
    assert turn.first_sequence == 2
    assert conversation.status == "pending"
    assert conversation.waiting_since is None


def test_the_bots_answer_is_stored_while_it_owns_the_conversation(bot_desk: Desk) -> None:
    conversation = bot_desk.begin()
    made = bot_desk.bot_says(conversation, "Which card?", provenance={"model": "m3", "flow": "v2"}, read_through=2)
    assert made is not None
    assert (made.author, made.kind, made.provenance) == ("bot", "outgoing", {"model": "m3", "flow": "v2"})


def test_what_the_contact_wrote_since_makes_the_bot_read_again(bot_desk: Desk) -> None:
    conversation = bot_desk.begin()
    bot_desk.says(conversation, "And one more thing")
    assert bot_desk.bot_says(conversation, "Which card?", read_through=2) is None
    assert bot_desk.bot_says(conversation, "Which card?", read_through=3) is not None


@pytest.mark.parametrize("act", ["reply", "take_over", "assign", "claim", "snooze", "resolve"])
def test_the_bot_is_silent_from_the_moment_a_person_acts(bot_desk: Desk, act: str) -> None:
    agent = bot_desk.agent("ann")
    conversation = bot_desk.begin()
    acts = {
        "reply": lambda: messages.reply(agent, conversation.pk, Draft("I am here")),
        "take_over": lambda: conversations.take_over(agent, conversation.pk),
        "assign": lambda: assignment.assign(agent, conversation.pk, {"agent": _member(bot_desk, agent)}),
        "claim": lambda: assignment.claim(agent, conversation.pk),
        "snooze": lambda: conversations.set_status(
            agent, conversation.pk, "snoozed", timezone.now() + timedelta(hours=1)
        ),
        "resolve": lambda: conversations.set_status(agent, conversation.pk, "resolved"),
    }
    acts[act]()
    assert bot_desk.bot_says(conversation, "Too late") is None
    assert not bot_desk.hand_over(conversation)
    assert "Too late" not in [row.content for row in bot_desk.history(conversation)]


def _member(desk: Desk, actor: object) -> object:
    with tenancy.scope(desk.tenant.id):
        return assignment.membership_of(actor)  # type: ignore[arg-type]


def test_handing_over_puts_the_contact_into_the_queue_with_what_the_bot_knows(bot_desk: Desk) -> None:
    conversation = bot_desk.begin()
    assert bot_desk.hand_over(conversation, "fraud", told_with={"slots": {"card": "4111 1111 1111 1111"}})
    found = bot_desk.again(conversation)
    assert (found.status, found.bot_owns, found.assignee_id) == ("open", False, None)
    assert found.waiting_since is not None
    told = bot_desk.history(conversation)[-1]
    assert told.details["reason"] == "fraud"
    assert told.details["handover"] == {"slots": {"card": "[CARD_1]"}}
    assert "support_conversation.handed_over" in events_of(bot_desk.tenant)
    # The second time there is nothing to hand over.
    assert not bot_desk.hand_over(conversation)


def test_a_conversation_goes_back_to_the_bot_with_all_that_was_said(bot_desk: Desk) -> None:
    agent = bot_desk.agent("ann")
    conversation = bot_desk.begin()
    messages.reply(agent, conversation.pk, Draft("Done. The bot helps you further."))
    conversations.return_to_bot(agent, conversation.pk)
    bot_desk.says(conversation, "Thanks")
    found = bot_desk.again(conversation)
    assert (found.status, found.bot_owns, found.assignee_id) == ("pending", True, None)
    assert bot_desk.bot_says(conversation, "You are welcome") is not None
    assert [row.content for row in bot_desk.history(conversation) if row.kind == "incoming"] == ["Hello", "Thanks"]
    assert audit_of(bot_desk.tenant, "support_conversation.returned_to_bot")


def test_out_of_hours_the_contact_is_told_when_somebody_is_there(bot_desk: Desk) -> None:
    from apps.support.services import inboxes, setup

    never = setup.create(bot_desk.tenant.actor, "hours", {"name": "Closed", "time_zone": "UTC"})
    inboxes.change(bot_desk.tenant.actor, bot_desk.inbox.pk, {"hours": never.pk, "away_message": "We are closed."})
    conversation = bot_desk.begin()
    bot_desk.hand_over(conversation)
    said = [row for row in bot_desk.history(conversation) if row.kind == "outgoing"]
    assert [(row.content, row.author) for row in said] == [("We are closed.", "system")]


# ---------------------------------------------------------------- status


def test_a_resolved_conversation_opens_when_the_contact_writes(desk: Desk) -> None:
    agent = desk.agent("ann", online=False)
    conversation = desk.begin()
    conversations.set_status(agent, conversation.pk, "resolved")
    assert desk.again(conversation).waiting_since is None
    desk.says(conversation, "It is broken again")
    found = desk.again(conversation)
    assert found.status == "open"
    assert found.waiting_since is not None
    assert found.resolved_at is None


def test_a_resolved_conversation_is_the_bots_again_where_there_is_one(bot_desk: Desk) -> None:
    agent = bot_desk.agent("ann")
    conversation = bot_desk.begin()
    conversations.set_status(agent, conversation.pk, "resolved")
    bot_desk.says(conversation, "Another question")
    assert bot_desk.again(conversation).bot_owns


def test_a_snoozed_conversation_wakes_when_its_time_has_come(desk: Desk) -> None:
    agent = desk.agent("ann", online=False)
    conversation = desk.begin()
    conversations.set_status(agent, conversation.pk, "snoozed", timezone.now() + timedelta(hours=1))
    housekeeping.sweep()
    assert desk.again(conversation).status == "snoozed"
    with tenancy.scope(desk.tenant.id):
        Conversation.objects.update(snoozed_until=timezone.now() - timedelta(seconds=1))
    housekeeping.sweep()
    found = desk.again(conversation)
    assert (found.status, found.snoozed_until) == ("open", None)
    # Nobody had answered: the contact waits.
    assert found.waiting_since is not None


def test_a_conversation_is_snoozed_into_the_future_only(desk: Desk) -> None:
    agent = desk.agent("ann")
    conversation = desk.begin()
    for until in (None, timezone.now() - timedelta(hours=1)):
        with pytest.raises(InvalidRequest):
            conversations.set_status(agent, conversation.pk, "snoozed", until)
    with pytest.raises(InvalidRequest):
        conversations.set_status(agent, conversation.pk, "gone")


def test_numbers_of_conversations_have_no_gaps(desk: Desk) -> None:
    assert [desk.begin().number for _ in range(3)] == [1, 2, 3]


# ---------------------------------------------------------------- who may


def test_reading_and_answering_take_permissions(desk: Desk) -> None:
    conversation = desk.begin()
    member = acting(desk.tenant, desk.tenant.member)
    with pytest.raises(PermissionDenied):
        reading.get(member, conversation.pk)
    with pytest.raises(PermissionDenied):
        messages.reply(member, conversation.pk, Draft("Hi"))
    with pytest.raises(PermissionDenied):
        conversations.set_status(member, conversation.pk, "resolved")
    with pytest.raises(PermissionDenied):
        assignment.claim(member, conversation.pk)


def test_another_organizations_conversation_is_not_there(desk: Desk, org_b: Tenant) -> None:
    conversation = desk.begin()
    for act in (
        lambda: reading.get(org_b.actor, conversation.pk),
        lambda: messages.reply(org_b.actor, conversation.pk, Draft("Hi")),
        lambda: messages.note(org_b.actor, conversation.pk, Draft("Hi")),
        lambda: conversations.set_status(org_b.actor, conversation.pk, "resolved"),
        lambda: assignment.claim(org_b.actor, conversation.pk),
        lambda: reading.messages_after(org_b.actor, conversation.pk),
    ):
        with pytest.raises(NotFound):
            act()


def test_a_blocked_contact_writes_nothing(desk: Desk) -> None:
    conversation = desk.begin()
    contacts.set_blocked(desk.tenant.actor, conversation.contact_id, True)
    with pytest.raises(ContactBlocked):
        desk.says(conversation, "Hello?")


def test_opening_a_conversation_stands_in_the_audit_log(desk: Desk) -> None:
    conversation = desk.begin()
    reading.view(desk.agent("ann"), conversation.pk)
    [entry] = audit_of(desk.tenant, "support_conversation.viewed")
    assert entry.actor_name.startswith("ann@")


def test_reading_messages_from_the_start_stands_in_the_audit_log(desk: Desk) -> None:
    ann, conversation = desk.agent("ann"), desk.begin()
    reading.messages_after(ann, conversation.pk, 2)
    assert not audit_of(desk.tenant, "support_conversation.viewed")
    reading.messages_after(ann, conversation.pk)
    assert len(audit_of(desk.tenant, "support_conversation.viewed")) == 1


def test_what_was_said_stands_in_no_event(desk: Desk) -> None:
    desk.begin(text="A very private question")
    with tenancy.scope(desk.tenant.id):
        assert not any("private" in str(event.data) for event in Event.objects.all())
        assert Event.objects.filter(type="support_message.created").count() == 2


def test_an_answer_can_be_taken_back_and_its_place_stays(desk: Desk) -> None:
    agent = desk.agent("ann")
    conversation = desk.begin()
    sent = messages.reply(agent, conversation.pk, Draft("Wrong window"))
    messages.delete_message(agent, conversation.pk, sent.sequence)
    history = desk.history(conversation)
    assert [row.sequence for row in history] == list(range(1, len(history) + 1))
    assert "Wrong window" not in [row.content for row in history]
    assert history[-1].details["message"] == sent.sequence
    with pytest.raises(InvalidRequest):
        messages.delete_message(agent, conversation.pk, 2)


def test_a_claim_has_one_winner_and_the_other_is_told_who(desk: Desk) -> None:
    ann, bob = desk.agent("ann", online=False), desk.agent("bob", online=False)
    conversation = desk.begin()
    assignment.claim(ann, conversation.pk)
    assert assignment.claim(ann, conversation.pk).assignee_id is not None
    with pytest.raises(AlreadyClaimed) as lost:
        assignment.claim(bob, conversation.pk)
    assert "ann" in lost.value.message


def test_bad_input_is_refused_with_its_place(desk: Desk) -> None:
    agent = desk.agent("ann")
    conversation = desk.begin()
    for draft, param in (
        (Draft("  "), "content"),
        (Draft("x" * 20_001), "content"),
        (Draft("x", client_id=""), "client_id"),
        (Draft("x", client_id="x" * 101), "client_id"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            messages.reply(agent, conversation.pk, draft)
        assert refused.value.param == param


def test_nothing_of_a_failed_act_is_left(desk: Desk) -> None:
    agent = desk.agent("ann")
    conversation = desk.begin()
    before = len(desk.history(conversation))
    with pytest.raises(InvalidRequest):
        conversations.change_conversation(agent, conversation.pk, {"priority": 2, "labels": ["unknown"]})
    assert len(desk.history(conversation)) == before
    with tenancy.scope(desk.tenant.id):
        assert Inbox.objects.exists()
        assert not SlaTimer.objects.exists()
        assert Message.objects.filter(conversation=conversation).count() == before
