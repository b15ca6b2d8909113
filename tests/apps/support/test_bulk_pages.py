"""Several conversations at once, on pages: each tells what became of it, and the act is taken back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.core import tenancy
from apps.support.models import Conversation, Inbox, Message, Rating, TurnRecord
from apps.support.services import messages, setup
from apps.support.services.storing import Draft
from tests.helpers.desk import Desk
from tests.helpers.people import audit_of, member_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann(desk: Desk, client_of: Callable[[Any], Client]) -> Client:
    desk.agent("ann", online=False)
    return client_of(User.objects.get(email__startswith="ann@"))


def act(client: Client, *ids: Any, **values: Any) -> Any:
    return client.post(reverse("desk-bulk"), {"ids": [str(each) for each in ids]} | values)


def test_what_is_chosen_is_acted_on_and_taken_back(desk: Desk, other_desk: Desk, ann: Client) -> None:
    one, two, strange = desk.begin(), desk.begin(), other_desk.begin()
    assert 'name="ids"' in ann.get(reverse("desk")).content.decode()
    assert act(ann, one.pk, two.pk, strange.pk, act="resolve").status_code == 302
    assert {desk.again(each).status for each in (one, two)} == {"resolved"}
    assert other_desk.again(strange).status == "open"
    page = ann.get(reverse("desk-bulk"))
    shown = page.content.decode()
    assert "Done in 2 conversations." in shown
    assert "1 could not be done." in shown
    assert "There is no conversation with this id." in shown
    # Somebody else goes on with one of them: that one is left as it is.
    with tenancy.scope(desk.tenant.id):
        from apps.support.services import conversations

        conversations.set_status(desk.tenant.actor, two.pk, "open")
        conversations.set_status(desk.tenant.actor, two.pk, "snoozed", desk.again(two).active_at.replace(year=2099))
    assert act(ann, undo="1").status_code == 302
    assert (desk.again(one).status, desk.again(two).status) == ("open", "snoozed")
    assert "Somebody has changed this conversation meanwhile." in ann.get(reverse("desk-bulk")).content.decode()
    assert len(audit_of(desk.tenant, "support_conversation.bulk_undone")) == 1
    assert act(ann, undo="1").status_code == 400


def test_whoever_takes_back_that_something_was_opened_asks_for_no_second_rating(desk: Desk, ann: Client) -> None:
    conversation = desk.begin()
    with tenancy.scope(desk.tenant.id):
        Inbox.objects.update(csat_enabled=True)
    messages.reply(desk.tenant.actor, conversation.pk, Draft("Here you are."))
    act(ann, conversation.pk, act="resolve")
    with tenancy.scope(desk.tenant.id):
        Rating.objects.filter(conversation=conversation).update(score=5, answered_at=desk.again(conversation).active_at)
    before = desk.again(conversation).resolved_at
    assert _questions(desk, conversation) == 1
    act(ann, conversation.pk, act="open")
    act(ann, undo="1")
    assert (desk.again(conversation).status, desk.again(conversation).resolved_at) == ("resolved", before)
    assert _questions(desk, conversation) == 1
    with tenancy.scope(desk.tenant.id):
        assert list(Rating.objects.values_list("score", flat=True)) == [5]
    # Whoever has written since then is not buried.
    act(ann, conversation.pk, act="open")
    desk.says(conversation, "One more thing")
    act(ann, undo="1")
    assert desk.again(conversation).status == "open"


def _questions(desk: Desk, conversation: Conversation) -> int:
    with tenancy.scope(desk.tenant.id):
        return int(Message.objects.filter(conversation=conversation, content_type="input_csat").count())


def test_every_act_of_the_list(desk: Desk, ann: Client) -> None:
    setup.create(desk.tenant.actor, "label", {"title": "Cards"})
    actions = [{"action": "set_priority", "value": 1}]
    macro = setup.create(desk.tenant.actor, "macro", {"name": "M", "actions": actions})
    conversation = desk.begin()
    with tenancy.scope(desk.tenant.id):
        me = member_of(desk.tenant, User.objects.get(email__startswith="ann@")).pk
    for name, field, value in (
        ("agent", "agent", str(me)),
        ("label", "label", "Cards"),
        ("priority", "priority", "3"),
        ("snooze", "snooze", "4"),
        ("open", "open", ""),
    ):
        assert act(ann, conversation.pk, act=name, **{field: value}).status_code == 302
    found = desk.again(conversation)
    assert (found.assignee_id, found.labels, found.priority, found.status) == (me, ["Cards"], 3, "open")
    act(ann, conversation.pk, act="macro", macro=str(macro.pk))
    assert desk.again(conversation).priority == 1
    act(ann, undo="1")
    assert desk.again(conversation).priority == 3
    act(ann, conversation.pk, act="unlabel", label="Cards")
    assert desk.again(conversation).labels == []
    act(ann, undo="1")
    assert desk.again(conversation).labels == ["Cards"]


@pytest.mark.parametrize("values", [{"act": "explode"}, {"act": "priority", "priority": "x"}, {"act": "team"}, {}])
def test_what_cannot_be_done_to_several_is_told(desk: Desk, ann: Client, values: dict[str, str]) -> None:
    page = act(ann, desk.begin().pk, **values)
    assert page.status_code == 400
    assert "notice-error" in page.content.decode()
    assert act(ann, act="resolve").status_code == 400


def test_what_the_bot_has_read_wrongly_is_put_right_in_the_conversation(
    bot_desk: Desk, client_of: Callable[[Any], Client]
) -> None:
    bot_desk.agent("ann", online=False)
    ann = client_of(User.objects.get(email__startswith="ann@"))
    conversation = bot_desk.begin(text="My card has not come")
    with tenancy.scope(bot_desk.tenant.id):
        record = TurnRecord.objects.create(
            organization=bot_desk.tenant.organization,
            conversation=conversation,
            through=2,
            text="My card has not come",
            reading={"card_lost": 0.6, "card_arrival": 0.3},
            outcome="answered",
        )
    place = reverse("desk-conversation", args=[conversation.pk])
    mark = reverse("bot-turn-mark", args=[record.pk])
    page = ann.get(place).content.decode()
    assert mark in page
    assert "card_lost" in page
    answer = ann.post(mark, {"intent": "card_arrival"}, headers={"accept": "application/json"})
    assert answer.json()["intent"] == "card_arrival"
    assert ann.post(mark, {"intent": "no such"}, headers={"accept": "application/json"}).status_code == 400
    answer = ann.post(mark, {"intent": "card_arrival", "conversation": str(conversation.pk)})
    assert answer["location"] == place
    fresh = ann.get(reverse("desk-fresh", args=[conversation.pk])).content.decode()
    assert '<strong class="mono">card_arrival</strong>' in fresh
