"""What a desk does by rule: automation, macros, ready texts, bulk acts, promises, labels, merging, search."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.core import tenancy
from apps.core.errors import Conflict, DeletionPending, InvalidRequest, NotFound, PermissionDenied
from apps.support.errors import ConversationMerged
from apps.support.models import Conversation, MessageFile, SlaTimer
from apps.support.services import (
    acting,
    assignment,
    bulk,
    canned,
    conversations,
    housekeeping,
    inboxes,
    indexing,
    merging,
    messages,
    reading,
    setup,
)
from apps.support.services.files import Upload
from apps.support.services.storing import Draft
from tests.helpers.desk import Desk
from tests.helpers.people import audit_of, events_of

pytestmark = pytest.mark.django_db


def label(desk: Desk, title: str) -> Any:
    return setup.create(desk.tenant.actor, "label", {"title": title})


# ---------------------------------------------------------------- automation


def test_a_rule_acts_when_its_conditions_hold(desk: Desk) -> None:
    label(desk, "Cards")
    setup.create(
        desk.tenant.actor,
        "rule",
        {
            "name": "Stolen cards",
            "event": "message_created",
            "conditions": [{"field": "content", "operator": "contains", "value": "stolen"}],
            "actions": [{"action": "set_priority", "value": 4}, {"action": "add_label", "value": "cards"}],
        },
    )
    conversation = desk.begin(text="My card was stolen")
    found = desk.again(conversation)
    assert (found.priority, found.labels) == (4, ["Cards"])
    told = [row.details for row in desk.history(conversation) if row.details.get("why") == "rule"]
    assert [(each["rule"], each["failed"]) for each in told] == [("Stolen cards", [])]
    assert desk.begin(text="A question").priority == 0


def test_an_action_that_has_become_impossible_holds_up_neither_the_others_nor_the_message(desk: Desk) -> None:
    actions = [{"action": "add_label", "value": "gone"}, {"action": "set_priority", "value": 1}]
    rule = {"name": "R", "event": "message_created", "actions": actions}
    setup.create(desk.tenant.actor, "rule", rule)
    conversation = desk.begin()
    assert desk.again(conversation).priority == 1
    told = desk.history(conversation)[-1]
    assert told.details["failed"] == ["add_label: invalid_request"]


def test_rules_call_no_rules(desk: Desk) -> None:
    for name, event, status in (("One", "message_created", "resolved"), ("Two", "conversation_resolved", "open")):
        rule = {"name": name, "event": event, "actions": [{"action": "set_status", "value": status}]}
        setup.create(desk.tenant.actor, "rule", rule)
    assert desk.again(desk.begin()).status == "resolved"


def test_a_rule_that_is_switched_off_does_nothing(desk: Desk) -> None:
    rule = {"name": "R", "event": "conversation_created", "actions": [{"action": "set_priority", "value": 3}]}
    made = setup.create(desk.tenant.actor, "rule", rule)
    assert desk.begin().priority == 3
    setup.change(desk.tenant.actor, "rule", made.pk, {"active": False})
    assert desk.begin().priority == 0


def test_a_rules_text_is_no_persons_answer(bot_desk: Desk) -> None:
    rule = {"name": "R", "event": "conversation_created", "actions": [{"action": "reply", "value": "We got it."}]}
    setup.create(bot_desk.tenant.actor, "rule", rule)
    conversation = bot_desk.begin()
    found = bot_desk.again(conversation)
    assert found.bot_owns
    assert found.first_reply_at is None


# ---------------------------------------------------------------- macros, texts, bulk


def test_a_macro_does_all_or_nothing(desk: Desk) -> None:
    ann = desk.agent("ann", online=False)
    conversation = desk.begin()
    actions = [{"action": "set_priority", "value": 2}, {"action": "add_label", "value": "gone"}]
    macro = setup.create(desk.tenant.actor, "macro", {"name": "M", "actions": actions})
    with pytest.raises(InvalidRequest):
        acting.run_macro(ann, conversation.pk, macro.pk)
    assert desk.again(conversation).priority == 0
    label(desk, "gone")
    acting.run_macro(ann, conversation.pk, macro.pk)
    assert desk.again(conversation).labels == ["gone"]
    assert len(audit_of(desk.tenant, "support_conversation.macro_run")) == 1


def test_a_personal_macro_is_its_owners_alone(desk: Desk) -> None:
    ann, bob = desk.agent("ann"), desk.agent("bob")
    actions = [{"action": "reply", "value": "Dear {{contact.name}}, {{agent.first_name}}"}]
    macro = setup.create(ann, "macro", {"name": "Mine", "actions": actions, "personal": True})
    conversation = desk.begin()
    with pytest.raises(NotFound):
        acting.run_macro(bob, conversation.pk, macro.pk)
    with pytest.raises(NotFound):
        setup.get(bob, "macro", macro.pk)
    with pytest.raises(DeletionPending):
        # Nothing more is said for an organization that is about to go.
        acting.run_macro(replace(ann, closing=True), conversation.pk, macro.pk)
    acting.run_macro(ann, conversation.pk, macro.pk)
    said = [row for row in desk.history(conversation) if row.kind == "outgoing"]
    assert [(row.content, row.author) for row in said] == [("Dear Ada, ann", "agent")]
    with pytest.raises(PermissionDenied):
        setup.create(ann, "macro", {"name": "All", "actions": actions})


def test_a_ready_text_is_filled_in_for_the_conversation(desk: Desk) -> None:
    ann = desk.agent("ann")
    conversation = desk.begin()
    row = setup.create(
        desk.tenant.actor, "canned", {"code": "hi", "content": "Dear {{contact.name}} {{contact.phone}}"}
    )
    found = canned.render(ann, conversation.pk, row.pk)
    assert found.text == "Dear Ada {{contact.phone}}"
    assert found.missing == ("contact.phone",)
    # A macro does not send what nobody has looked at.
    actions = [{"action": "reply", "value": row.content}]
    macro = setup.create(desk.tenant.actor, "macro", {"name": "Hi", "actions": actions})
    with pytest.raises(InvalidRequest):
        acting.run_macro(ann, conversation.pk, macro.pk)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("canned", {"code": "two words", "content": "x"}),
        ("canned", {"code": "x", "content": "{{contact.shoe}}"}),
        ("label", {"title": ""}),
        ("label", {"title": "x", "colour": 99}),
        ("sla", {"name": "x", "first_reply": 1}),
        ("hours", {"name": "x", "time_zone": "Nowhere"}),
        ("macro", {"name": "x", "actions": []}),
        ("rule", {"name": "x", "event": "never", "actions": [{"action": "set_priority", "value": 1}]}),
        ("label", {"title": "x", "unknown": 1}),
    ],
)
def test_settings_that_make_no_sense_are_refused(desk: Desk, kind: str, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        setup.create(desk.tenant.actor, kind, values)


def test_settings_are_set_by_who_may_and_seen_by_nobody_else(desk: Desk, other_desk: Desk) -> None:
    made = label(desk, "Cards")
    with pytest.raises(Conflict):
        label(desk, "cards")
    with pytest.raises(PermissionDenied):
        setup.create(desk.agent("ann"), "label", {"title": "Loans"})
    for act in (
        lambda: setup.change(other_desk.tenant.actor, "label", made.pk, {"title": "Mine"}),
        lambda: setup.delete(other_desk.tenant.actor, "label", made.pk),
        lambda: setup.get(other_desk.tenant.actor, "label", made.pk),
    ):
        with pytest.raises(NotFound):
            act()
    setup.delete(desk.tenant.actor, "label", made.pk)
    acts = [action for action in events_of(desk.tenant) if action.startswith("support_setting.")]
    assert acts == ["support_setting.created", "support_setting.deleted"]
    assert [entry.object_name for entry in audit_of(desk.tenant, "support_setting.deleted")] == ["Cards"]


def test_a_label_keeps_its_conversations_under_a_new_name(desk: Desk) -> None:
    made = label(desk, "Cards")
    conversation = desk.begin()
    conversations.change_conversation(desk.tenant.actor, conversation.pk, {"labels": ["cards"]})
    setup.change(desk.tenant.actor, "label", made.pk, {"title": "Bank cards"})
    assert desk.again(conversation).labels == ["Bank cards"]


def test_a_bulk_act_tells_of_each_what_became_of_it(desk: Desk, other_desk: Desk) -> None:
    mine, others = desk.begin(), other_desk.begin()
    found = bulk.act(desk.tenant.actor, [mine.pk, others.pk], [{"action": "set_priority", "value": 3}])
    assert {each.id: each.error for each in found} == {mine.pk: "", others.pk: "not_found"}
    assert desk.again(mine).priority == 3
    assert other_desk.again(others).priority == 0
    with pytest.raises(InvalidRequest):
        bulk.act(desk.tenant.actor, [], [{"action": "set_priority", "value": 3}])
    with pytest.raises(InvalidRequest):
        bulk.act(desk.tenant.actor, [mine.pk], [{"action": "explode", "value": 3}])


# ---------------------------------------------------------------- promises


def promise(desk: Desk, **seconds: int) -> None:
    row = setup.create(desk.tenant.actor, "sla", {"name": "Gold", "in_hours": False, **seconds})
    inboxes.change(desk.tenant.actor, desk.inbox.pk, {"sla": row.pk})


def timers(desk: Desk, conversation: Conversation) -> dict[str, SlaTimer]:
    with tenancy.scope(desk.tenant.id):
        return {row.kind: row for row in SlaTimer.objects.filter(conversation=conversation).order_by("started_at")}


def test_promises_run_from_the_question_and_are_kept_by_the_answer(desk: Desk) -> None:
    promise(desk, first_reply=600, next_reply=900, resolution=86_400)
    ann = desk.agent("ann", online=False)
    conversation = desk.begin()
    assert set(timers(desk, conversation)) == {"first_reply", "resolution"}
    messages.reply(ann, conversation.pk, Draft("Hello"))
    assert timers(desk, conversation)["first_reply"].met_at is not None
    desk.says(conversation, "And now?")
    row = timers(desk, conversation)["next_reply"]
    assert (row.due_at - row.started_at).total_seconds() == 900
    conversations.set_status(ann, conversation.pk, "resolved")
    found = timers(desk, conversation)
    assert found["resolution"].met_at is not None
    assert found["next_reply"].called_off


def test_the_bots_time_starts_no_promise(bot_desk: Desk) -> None:
    promise(bot_desk, first_reply=600, resolution=3_600)
    conversation = bot_desk.begin()
    assert timers(bot_desk, conversation) == {}
    bot_desk.hand_over(conversation)
    assert set(timers(bot_desk, conversation)) == {"first_reply", "resolution"}


@pytest.mark.parametrize("act", ["take_over", "assign", "claim", "open"])
def test_whoever_takes_a_conversation_from_the_bot_owes_an_answer(bot_desk: Desk, act: str) -> None:
    promise(bot_desk, first_reply=600, resolution=3_600)
    ann, conversation = bot_desk.agent("ann", online=False), bot_desk.begin()
    bot_desk.bot_says(conversation, "Which card?")
    with tenancy.scope(bot_desk.tenant.id):
        mine = assignment.membership_of(ann)
    acts: dict[str, Callable[[], object]] = {
        "take_over": lambda: conversations.take_over(ann, conversation.pk),
        "assign": lambda: assignment.assign(ann, conversation.pk, {"agent": mine}),
        "claim": lambda: assignment.claim(ann, conversation.pk),
        "open": lambda: conversations.set_status(ann, conversation.pk, "open"),
    }
    acts[act]()
    assert bot_desk.again(conversation).waiting_since is not None
    assert set(timers(bot_desk, conversation)) == {"first_reply", "resolution"}
    messages.reply(ann, conversation.pk, Draft("The blue one"))
    assert bot_desk.again(conversation).waiting_since is None
    assert timers(bot_desk, conversation)["first_reply"].met_at is not None


def test_an_answer_that_takes_a_conversation_from_the_bot_leaves_nobody_waiting(bot_desk: Desk) -> None:
    promise(bot_desk, first_reply=600)
    ann, conversation = bot_desk.agent("ann", online=False), bot_desk.begin()
    messages.reply(ann, conversation.pk, Draft("I am here"))
    assert bot_desk.again(conversation).waiting_since is None
    assert timers(bot_desk, conversation)["first_reply"].met_at is not None


def test_what_is_late_is_told_once(desk: Desk) -> None:
    promise(desk, first_reply=600)
    conversation = desk.begin()
    housekeeping.sweep()
    assert timers(desk, conversation)["first_reply"].breached_at is None
    with tenancy.scope(desk.tenant.id):
        SlaTimer.objects.update(due_at=timezone.now() - timedelta(seconds=5))
    housekeeping.sweep()
    housekeeping.sweep()
    assert timers(desk, conversation)["first_reply"].breached_at is not None
    assert events_of(desk.tenant).count("support_conversation.sla_missed") == 1


def test_a_promise_pauses_out_of_hours(desk: Desk) -> None:
    week = [{"day": day, "from": "00:00", "until": "24:00"} for day in range(7)]
    tomorrow = (timezone.now() + timedelta(days=1)).date().isoformat()
    holidays = [{"date": tomorrow, "name": "Feast"}]
    hours = setup.create(
        desk.tenant.actor, "hours", {"name": "H", "time_zone": "UTC", "weekly": week, "holidays": holidays}
    )
    row = setup.create(desk.tenant.actor, "sla", {"name": "S", "first_reply": 86_400, "in_hours": True})
    inboxes.change(desk.tenant.actor, desk.inbox.pk, {"sla": row.pk, "hours": hours.pk})
    found = timers(desk, desk.begin())["first_reply"]
    # A day of business time, and the holiday between.
    assert (found.due_at - found.started_at).total_seconds() == 2 * 86_400


# ---------------------------------------------------------------- merging and search


def test_merging_takes_everything_over_in_order_and_leads_what_comes_later_there(desk: Desk) -> None:
    ann = desk.agent("ann", online=False)
    ada = desk.visitor(name="Ada")
    one, other = desk.begin(ada, "First"), desk.begin(ada, "Second")
    upload = Upload("notes.txt", b"hello")
    messages.reply(ann, one.pk, Draft("With a file", files=(upload,)))
    merging.merge(ann, one.pk, other.pk)
    history = desk.history(other)
    assert [row.sequence for row in history] == list(range(1, len(history) + 1))
    assert [row.content for row in history if row.content] == ["Second", "First", "With a file"]
    with tenancy.scope(desk.tenant.id):
        assert MessageFile.objects.filter(message__conversation=other).count() == 1
        assert set(indexing.matches("First")) == {other.pk}
    assert desk.says(one, "Third").conversation_id == other.pk
    with pytest.raises(ConversationMerged):
        messages.reply(ann, one.pk, Draft("Too late"))
    with pytest.raises(Conflict):
        merging.merge(ann, other.pk, other.pk)
    with tenancy.scope(desk.tenant.id):
        assert [row.pk for row in reading.listed(ann, {})] == [other.pk]


def test_conversations_of_two_contacts_are_not_merged(desk: Desk) -> None:
    one, other = desk.begin(text="My balance"), desk.begin(desk.visitor(name="Bea"), "Hello")
    with pytest.raises(Conflict):
        merging.merge(desk.tenant.actor, one.pk, other.pk)
    assert "My balance" not in [row.content for row in desk.history(other)]


def test_another_organizations_conversation_is_not_merged(desk: Desk, other_desk: Desk) -> None:
    mine, others = desk.begin(), other_desk.begin()
    for pair in ((mine.pk, others.pk), (others.pk, mine.pk)):
        with pytest.raises(NotFound):
            merging.merge(desk.tenant.actor, *pair)


def test_words_find_conversations_of_ones_own_organization(desk: Desk, other_desk: Desk) -> None:
    mine = desk.begin(text="The exchange rate of the mortgage 我的银行卡丢了")
    other_desk.begin(text="The exchange rate of the mortgage")
    with tenancy.scope(desk.tenant.id):
        for words in ("mortgage", "rate exch", "银行卡", "Ada"):
            assert [row.pk for row in reading.listed(desk.tenant.actor, {"search": words})] == [mine.pk], words
        assert not reading.listed(desk.tenant.actor, {"search": "unsaid"})


def test_the_list_is_filtered(desk: Desk) -> None:
    ann = desk.agent("ann", online=False)
    label(desk, "Cards")
    one, other = desk.begin(), desk.begin()
    conversations.change_conversation(ann, one.pk, {"labels": ["Cards"], "priority": 2})
    messages.reply(ann, one.pk, Draft("Mine"))

    def found(**filters: str) -> list[Any]:
        with tenancy.scope(desk.tenant.id):
            from apps.support.services.assignment import membership_of

            return [row.pk for row in reading.listed(ann, filters, membership_of(ann))]

    assert found(assignee="me") == [one.pk]
    assert found(assignee="none") == [other.pk]
    assert found(label="Cards") == [one.pk]
    assert found(priority="2") == [one.pk]
    assert found(queue="1") == [other.pk]
    assert found(status="resolved") == []
    assert found(contact=str(other.contact_id)) == [other.pk]
    for wrong in ({"status": "gone"}, {"assignee": "x"}, {"priority": "9"}, {"inbox": "x"}):
        with pytest.raises(InvalidRequest):
            found(**wrong)
