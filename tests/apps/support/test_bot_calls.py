"""What programs are told, where something goes wrong: the bot, the worker, or what was to be said."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import close_old_connections
from django.utils import timezone

import workers.agent_bots
from apps.core import tenancy
from apps.privacy import services as privacy
from apps.support.models import AgentBot, BotCall, BotTurn, Contact, Conversation, Inbox
from apps.support.services import bot, housekeeping
from apps.support.services.agent_bots import setting, telling
from tests.helpers import bots
from tests.helpers.agent_bots import connect, soon, work
from tests.helpers.desk import Desk, open_desk
from tests.helpers.people import Tenant
from tests.helpers.webhooks import answering, receiving
from workers import dialogue

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _receivers_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OUTBOUND_ALLOW_PRIVATE", True)


def test_where_a_bot_cannot_be_reached_people_get_the_conversation(desk: Desk) -> None:
    with receiving(answering(500)) as there:
        bot = connect(desk, there.url, patience_seconds=5)
        talk = desk.begin(text="Is anybody there?")
        desk.says(talk, "Hello?")
        work()
        assert desk.again(talk).bot_owns
        soon(desk, begun=timedelta(seconds=6))
        work()
    row = desk.again(talk)
    assert (row.status, row.bot_owns, row.waiting_since is not None) == ("open", False, True)
    reasons = [each.details.get("reason") for each in desk.history(talk) if each.kind == "activity"]
    assert "bot_unreachable" in reasons
    with tenancy.scope(desk.tenant.id):
        assert AgentBot.objects.get(pk=bot.shown.bot.pk).failing_since is not None
        states = list(
            BotCall.objects.filter(event="message_created").order_by("position").values_list("state", flat=True)
        )
    assert states == ["failed", "dropped"]


def test_what_a_lost_worker_held_is_told_again_under_its_id(desk: Desk) -> None:
    with receiving() as there:
        connect(desk, there.url)
        desk.begin(text="Hello")
        [first] = telling.claim("lost", 10)
        telling.send(first)
        with tenancy.scope(desk.tenant.id):
            BotCall.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert telling.reap() == 1
        work()
        assert not telling.note(telling.Outcome(first, 500))
    assert len(there.got) == 2
    assert len({each.id for each in there.got}) == 1


def test_a_contact_erased_while_a_call_is_claimed_stops_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(desk)
    desk.begin(text="One")
    desk.begin(text="Two")
    body, gone = telling._told, []

    def erased(row: BotCall, bot: AgentBot) -> dict[str, Any] | None:
        if not gone:
            gone.append(row.pk)
            raise Contact.DoesNotExist
        return body(row, bot)

    monkeypatch.setattr(telling, "_told", erased)
    assert [each.call_id for each in telling.claim("test", 10)] != gone
    assert len(gone) == 1


def test_a_call_that_cannot_be_written_is_bounded_by_patience(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    connect(desk, patience_seconds=5)
    talk = desk.begin(text="One")
    monkeypatch.setattr(telling, "_told", lambda *_: {}["nothing"])
    assert telling.claim("test", 10) == []
    with tenancy.scope(desk.tenant.id):
        assert BotCall.objects.values_list("state", "last_error").get() == ("waiting", "not_written")
    soon(desk, begun=timedelta(seconds=6))
    assert telling.claim("test", 10) == []
    assert not desk.again(talk).bot_owns


def test_a_call_that_cannot_even_be_noted_keeps_none_of_the_others_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(desk)
    first, second = desk.begin(text="One"), desk.begin(text="Two")
    body, give_up = telling._told, telling._give_up

    def broken(row: BotCall, bot: AgentBot) -> dict[str, Any] | None:
        return body(row, bot) if row.conversation_id != first.pk else {}["nothing"]

    def not_given_up(held: Conversation, bot: AgentBot) -> None:
        if held.pk == first.pk:
            raise ValueError
        give_up(held, bot)

    monkeypatch.setattr(telling, "_told", broken)
    monkeypatch.setattr(telling, "_give_up", not_given_up)
    with tenancy.scope(desk.tenant.id):
        BotCall.objects.update(first_at=timezone.now() - timedelta(minutes=10))
    assert len(telling.claim("test", 10)) == 1
    with tenancy.scope(desk.tenant.id):
        BotCall.objects.update(lease_until=timezone.now() - timedelta(seconds=1), crashes=telling.MOST_CRASHES)
    assert telling.reap() == 2
    assert [desk.again(talk).bot_owns for talk in (first, second)] == [True, False]


def test_a_fault_in_a_round_does_not_end_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds, ended = [0], threading.Event()

    def broken() -> bool:
        rounds[0] += 1
        if rounds[0] > 1:
            ended.set()
        raise ValueError

    monkeypatch.setattr(telling, "are_calls_waiting", broken)
    # A thread of its own ends only when it is told; what it does is what is looked at.
    monkeypatch.setattr(workers.agent_bots, "vital", lambda run, name: threading.Thread(target=run, name=name))
    monkeypatch.setattr(workers.agent_bots, "LOOK_SECONDS", 0.01)
    teller = workers.agent_bots.Teller()
    try:
        assert ended.wait(30)
    finally:
        teller.stop()


def test_a_call_that_loses_one_worker_after_the_other_is_given_to_people(desk: Desk) -> None:
    connect(desk)
    talk = desk.begin(text="Hello")
    for number in range(telling.MOST_CRASHES):
        assert desk.again(talk).bot_owns
        assert len(telling.claim(f"lost {number}", 10)) == 1
        with tenancy.scope(desk.tenant.id):
            BotCall.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert telling.reap() == 1
    assert not desk.again(talk).bot_owns
    with tenancy.scope(desk.tenant.id):
        assert BotCall.objects.get(event="message_created").state == "failed"


def test_with_one_conversation_all_go_to_people_that_wait_for_a_dead_bot(desk: Desk) -> None:
    bot = connect(desk, patience_seconds=5)
    talks = [desk.begin(text=f"Talk {number}") for number in range(3)]
    [ready] = telling.claim("test", 1)
    late = desk.begin(text="Only just")
    with tenancy.scope(desk.tenant.id):
        before = timezone.now() - timedelta(seconds=6)
        BotCall.objects.exclude(conversation=late).update(created_at=before)
        AgentBot.objects.filter(pk=bot.shown.bot.pk).update(failing_since=before)
    # Tried for the first time just now: the contact has waited longer than that.
    assert telling.note(telling.Outcome(ready, 500))
    assert [desk.again(talk).bot_owns for talk in talks] == [False] * 3
    assert desk.again(late).bot_owns


def test_while_a_bot_answers_others_nobody_else_is_given_up(desk: Desk) -> None:
    connect(desk, patience_seconds=5)
    talks = [desk.begin(text=f"Talk {number}") for number in range(2)]
    with tenancy.scope(desk.tenant.id):
        BotCall.objects.update(created_at=timezone.now() - timedelta(seconds=6))
    [first] = telling.claim("test", 1)
    with tenancy.scope(desk.tenant.id):
        BotCall.objects.filter(pk=first.call_id).update(first_at=timezone.now() - timedelta(seconds=6))
    telling.note(telling.Outcome(first, 500))
    assert sorted(desk.again(talk).bot_owns for talk in talks) == [False, True]


def test_two_workers_never_tell_the_same_or_overtake(desk: Desk) -> None:
    connect(desk)
    for number in range(12):
        talk = desk.begin(text=f"{number} one")
        desk.says(talk, f"{number} two")
    barrier, claimed = threading.Barrier(2), list[telling.Ready]()

    def take(worker: str) -> None:
        barrier.wait()
        for _ in range(20):
            claimed.extend(telling.claim(worker, 3))
        close_old_connections()

    threads = [threading.Thread(target=take, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # As many as one bot is told at a time, each once, and none whose first message is not noted yet.
    assert len({each.call_id for each in claimed}) == len(claimed) == telling.OF_A_BOT
    assert all(json.loads(each.body)["content"].endswith("one") for each in claimed)


# ---------------------------------------------------------------- one bot after the other


def test_what_waits_for_the_own_bot_is_told_to_a_program_that_is_connected(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    talk = bots.visit(org_a, inbox)
    bots.write(org_a, talk, "Hello", "when are you open")
    desk = Desk(org_a, inbox)
    connect(desk)
    assert bots.answer_one(bots.reading("opening_hours")) == "silent"
    assert bots.said(org_a, talk) == []
    # Said once, though the turn is looked at again.
    with tenancy.scope(org_a.id):
        turn = BotTurn.objects.get()
        assert turn.status == "cancelled"
    assert bot.pass_on(turn)
    assert [json.loads(each.body)["content"] for each in telling.claim("test", 10)] == ["Hello"]
    with tenancy.scope(org_a.id):
        assert BotCall.objects.count() == 2
    assert desk.again(talk).bot_owns


def test_a_program_that_is_connected_while_the_own_bot_thinks_answers_instead(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    talk = bots.visit(org_a, inbox)
    bots.write(org_a, talk, "when are you open")
    [turn] = bot.claim_turns("by-hand", 1)
    prepared = bot.prepare(turn)
    connect(Desk(org_a, inbox))
    assert dialogue.carry_out(turn, prepared, bots.reading("opening_hours")) == "silenced"
    assert bots.said(org_a, talk) == []
    assert len(telling.claim("test", 10)) == 1


def test_a_turn_that_nobody_takes_is_told_to_a_program_and_not_to_people(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    talk = bots.visit(org_a, inbox)
    bots.write(org_a, talk, "when are you open")
    connect(Desk(org_a, inbox))
    [turn] = bot.claim_turns("by-hand", 1)
    bot.give_up(turn, "bot_down")
    assert bots.fresh(org_a, talk).bot_owns
    assert len(telling.claim("test", 10)) == 1


def test_what_a_removed_bot_has_left_goes_to_people_in_time(desk: Desk) -> None:
    program = connect(desk)
    talk, away = desk.begin(text="Hello"), desk.begin(text="Put away")
    other = open_desk(desk.tenant, "Other")
    with tenancy.scope(desk.tenant.id):
        # As if whoever removed it had been lost on the way, or a message had come in meanwhile.
        Inbox.objects.filter(pk=desk.inbox.pk).update(agent_bot=None)
        Inbox.objects.filter(pk=other.inbox.pk).update(agent_bot=program.shown.bot, archived_at=timezone.now())
        Conversation.objects.filter(pk=away.pk).update(inbox=other.inbox)
    housekeeping.sweep()
    assert (desk.again(talk).bot_owns, desk.again(talk).status) == (False, "open")
    assert desk.again(away).bot_owns
    reasons = [each.details.get("reason") for each in desk.history(talk) if each.kind == "activity"]
    assert reasons[-1] == "bot_removed"
    setting.delete(desk.tenant.actor, program.shown.bot.pk)
    housekeeping.sweep()
    assert not desk.again(away).bot_owns


def test_calls_that_are_done_are_kept_for_two_weeks_and_the_next_still_comes_in_order(desk: Desk) -> None:
    connect(desk)
    talk = desk.begin(text="One")
    desk.says(talk, "Two")
    with tenancy.scope(desk.tenant.id):
        old = timezone.now() - timedelta(days=15)
        BotCall.objects.filter(position=1).update(state="delivered", finished_at=old)
        BotCall.objects.filter(position=2).update(created_at=old)
    privacy.apply(60.0)
    desk.says(talk, "Three")
    with tenancy.scope(desk.tenant.id):
        assert list(BotCall.objects.order_by("position").values_list("position", flat=True)) == [2, 3]
        BotCall.objects.update(state="delivered", finished_at=old)
    privacy.apply(60.0)
    desk.says(talk, "Four")
    with tenancy.scope(desk.tenant.id):
        assert BotCall.objects.count() == 1
    assert len(telling.claim("test", 10)) == 1
