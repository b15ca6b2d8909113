"""The bot's threads at work: many conversations at once, each answered once, and an end in good order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import Error, connection
from django.utils import timezone

from apps.core import tenancy
from apps.core.jobs import Status
from apps.support.models import BotTurn, Message
from apps.support.services import bot, flows, messages
from apps.support.services.storing import Draft
from tests.helpers import bots
from tests.helpers.people import Tenant
from workers.dialogue import IDLE_SECONDS, LOOK_SECONDS, Bot

pytestmark = pytest.mark.django_db(transaction=True)
WORDS = "I want to speak to a human"


@pytest.fixture
def running() -> Iterator[Bot]:
    found = Bot()
    found.start()
    yield found
    found.stop()


def wait_for(done: Callable[[], bool]) -> None:
    while not done():
        time.sleep(0.05)


def test_many_conversations_are_each_answered_once(org_a: Tenant, org_b: Tenant, running: Bot) -> None:
    begun = []
    for tenant in (org_a, org_b):
        inbox = bots.open_bot(tenant)
        for _ in range(6):
            conversation = bots.visit(tenant, inbox)
            bots.write(tenant, conversation, WORDS)
            begun.append((tenant, conversation))
    wait_for(lambda: all(bots.said(*each) for each in begun))
    assert all(len(bots.said(*each)) == 1 for each in begun)
    assert all(bots.fresh(*each).status == "open" for each in begun)


def test_a_bot_that_is_stopped_leaves_nothing_half_done(org_a: Tenant, running: Bot) -> None:
    inbox = bots.open_bot(org_a)
    begun = [bots.visit(org_a, inbox) for _ in range(5)]
    for conversation in begun:
        bots.write(org_a, conversation, WORDS)
    running.stop()
    with tenancy.scope(org_a.id):
        states = dict(BotTurn.objects.values_list("conversation_id", "status"))
    for conversation in begun:
        said = bots.said(org_a, conversation)
        assert len(said) == (1 if states[conversation.pk] == Status.SUCCEEDED else 0)


def test_a_person_who_writes_at_the_same_moment_is_never_answered_over(org_a: Tenant, running: Bot) -> None:
    """Either the bot has spoken before, or it is silent."""
    inbox = bots.open_bot(org_a)
    begun = [bots.visit(org_a, inbox) for _ in range(8)]
    for conversation in begun:
        bots.write(org_a, conversation, "how do I bake bread")
        messages.reply(org_a.actor, conversation.pk, Draft("Good morning, this is a person."))
    with tenancy.scope(org_a.id):
        wait_for(lambda: not BotTurn.objects.unfinished().exists())
    for conversation in begun:
        with tenancy.scope(org_a.id):
            order = list(
                conversation.messages.filter(kind="outgoing").order_by("sequence").values_list("author", flat=True)
            )
        assert "agent" in order and "bot" not in order[order.index("agent") :]


def test_turns_are_held_no_more_where_the_database_goes_away_as_they_are_made_ready(
    org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = bots.open_bot(org_a)
    conversation = bots.visit(org_a, inbox)
    bots.write(org_a, conversation, WORDS)
    idle = Bot()

    def prepare(turn: BotTurn) -> None:
        with tenancy.scope(turn.organization_id):
            connection.connection.close()
            turn.refresh_from_db()

    with monkeypatch.context() as patch, pytest.raises(Error):
        patch.setattr(bot, "prepare", prepare)
        idle.look(5)
    connection.close()
    assert idle.held() == []
    with tenancy.scope(org_a.id):
        turn = BotTurn.objects.get(status=Status.RUNNING)
    bots.lose_worker(org_a, turn.pk)
    assert bot.reap_turns() == []
    assert bots.answer_one() == "handed_over"


def _move(tenant: Tenant, ahead: timedelta) -> None:
    """What was written is of now, or of a time to come."""
    with tenancy.scope(tenant.id):
        BotTurn.objects.update(created_at=timezone.now() + ahead)
        Message.objects.update(created_at=timezone.now() + ahead)


def test_it_looks_again_when_the_next_burst_is_over(org_a: Tenant) -> None:
    idle = Bot()
    assert idle.pause(is_full=False) == IDLE_SECONDS
    inbox = bots.open_bot(org_a)
    flows.change_bot(org_a.actor, flows.BotChange(quiet_seconds=10.0))
    bots.write(org_a, bots.visit(org_a, inbox), WORDS)
    assert idle.look(5) == 0
    # A bell may be lost: it looks from time to time, however long the burst is waited for.
    _move(org_a, timedelta(hours=1))
    assert idle.pause(is_full=False) == IDLE_SECONDS
    _move(org_a, timedelta())
    flows.change_bot(org_a.actor, flows.BotChange(quiet_seconds=1.5))
    assert 0 < idle.pause(is_full=False) <= 1.5
    flows.change_bot(org_a.actor, flows.BotChange(quiet_seconds=0.0))
    # Due by now, and another worker is perhaps about to take it.
    assert idle.pause(is_full=False) == LOOK_SECONDS
    assert idle.pause(is_full=True) == 0
