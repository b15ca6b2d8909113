"""What the bot resolves: counted once, after the contact has not come back, and never in a visitor's way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from apps.billing.models import LedgerEntry, Meter, MeterPeriod
from apps.core import tenancy
from apps.core.errors import FeatureNotIncluded
from apps.support.models import BotResolution, Conversation, ResolutionState
from apps.support.services import contacts, conversations, flows, housekeeping, messages, resolutions
from apps.support.services.storing import SYSTEM, Draft, locked
from tests.helpers import bots
from tests.helpers.people import Tenant
from tests.helpers.plans import plan_without, plan_without_feature

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def answered(org_a: Tenant) -> Conversation:
    """A conversation that the bot has answered."""
    conversation = bots.visit(org_a, bots.open_bot(org_a))
    bots.write(org_a, conversation, "when are you open")
    assert bots.answer_one(bots.reading("opening_hours")) == "replied"
    return conversation


def resolve(tenant: Tenant, conversation: Conversation) -> None:
    with tenancy.scope(tenant.id):
        conversations.resolve(locked(conversation.pk), SYSTEM)


def states(tenant: Tenant) -> list[str]:
    with tenancy.scope(tenant.id):
        return list(BotResolution.objects.order_by("resolved_at").values_list("state", flat=True))


def meter(tenant: Tenant) -> tuple[int, int]:
    """Used and held."""
    with tenancy.scope(tenant.id):
        row = MeterPeriod.objects.filter(meter=Meter.BOT_RESOLUTIONS).first()
    return (row.used, row.held) if row else (0, 0)


def make_due(tenant: Tenant) -> None:
    with tenancy.scope(tenant.id):
        BotResolution.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def lines(tenant: Tenant) -> list[str]:
    with tenancy.scope(tenant.id):
        rows = LedgerEntry.objects.filter(meter=Meter.BOT_RESOLUTIONS).order_by("created_at")
        return list(rows.values_list("kind", flat=True))


def test_a_resolution_is_held_at_once_and_counted_once_it_has_lasted(org_a: Tenant, answered: Conversation) -> None:
    resolve(org_a, answered)
    assert states(org_a) == ["resolved"]
    assert resolutions.settle_due() == 1 and meter(org_a) == (0, 1)
    assert resolutions.settle_due() == 0
    make_due(org_a)
    assert resolutions.settle_due() == 1 and meter(org_a) == (1, 0)
    make_due(org_a)
    assert resolutions.settle_due() == 0
    # Long afterwards the same conversation goes on, and is resolved again: it has been paid for.
    bots.write(org_a, answered, "and tomorrow?")
    assert bots.answer_one(bots.reading("opening_hours")) == "replied"
    resolve(org_a, answered)
    assert resolutions.settle_due() == 0
    assert (states(org_a), lines(org_a)) == (["counted"], ["hold", "settle"])


def test_workers_that_count_at_once_count_once(org_a: Tenant, answered: Conversation) -> None:
    resolve(org_a, answered)
    resolutions.settle_due()
    make_due(org_a)

    def settle(_: int) -> int:
        try:
            return resolutions.settle_due()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(settle, range(6)))
    assert sum(done) == 1
    assert (meter(org_a), lines(org_a)) == ((1, 0), ["hold", "settle"])


def test_whoever_comes_back_in_time_was_not_helped(org_a: Tenant, answered: Conversation) -> None:
    resolve(org_a, answered)
    resolutions.settle_due()
    bots.write(org_a, answered, "that was no help")
    make_due(org_a)
    assert resolutions.settle_due() == 1
    assert (states(org_a), meter(org_a), lines(org_a)) == (["reopened"], (0, 0), ["hold", "release"])
    # What the bot then resolves for good counts.
    assert bots.answer_one(bots.reading("opening_hours")) == "replied"
    resolve(org_a, answered)
    resolutions.settle_due()
    make_due(org_a)
    resolutions.settle_due()
    assert states(org_a) == ["reopened", "counted"] and meter(org_a) == (1, 0)


def test_resolved_again_within_the_time_it_waits_anew_with_another_hold(org_a: Tenant, answered: Conversation) -> None:
    """No hold lives on however often somebody comes back: a month would never close."""
    resolve(org_a, answered)
    resolutions.settle_due()
    for _ in range(2):
        bots.write(org_a, answered, "when are you open")
        assert bots.answer_one(bots.reading("opening_hours")) == "replied"
        resolve(org_a, answered)
        assert resolutions.settle_due() == 2
        assert meter(org_a) == (0, 1)
    assert states(org_a) == ["reopened", "reopened", "held"]
    make_due(org_a)
    resolutions.settle_due()
    assert (states(org_a)[-1], meter(org_a)) == ("counted", (1, 0))
    assert sorted(lines(org_a)) == ["hold"] * 3 + ["release"] * 2 + ["settle"]


def test_what_a_person_had_or_the_bot_did_not_know_is_no_resolution(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)

    def begun(*texts: str, read: Any = None) -> Conversation:
        conversation = bots.visit(org_a, inbox)
        for text in texts:
            bots.write(org_a, conversation, text)
            bots.answer_one(read or bots.reading("opening_hours"))
        return conversation

    unanswered = bots.visit(org_a, inbox)
    unknown = begun("what is this", read=bots.reading("", 0.0).__class__())
    in_a_form = begun("I lost my card", read=bots.reading("lost_card"))
    taken = begun("when are you open")
    conversations.take_over(org_a.actor, taken.pk)
    conversations.return_to_bot(org_a.actor, taken.pk)
    by_hand = begun("when are you open")
    conversations.set_status(org_a.actor, by_hand.pk, "resolved")
    replied = begun("when are you open")
    messages.reply(org_a.actor, replied.pk, Draft("At nine."))
    for each in (unanswered, unknown, in_a_form, taken, by_hand, replied):
        resolve(org_a, each)
    assert states(org_a) == []


def test_what_is_beyond_the_plan_is_not_counted_and_new_ones_begin_with_people(
    org_a: Tenant, answered: Conversation
) -> None:
    with plan_without(Meter.BOT_RESOLUTIONS):
        resolve(org_a, answered)
        assert resolutions.settle_due() == 1
        assert (states(org_a), meter(org_a)) == ([ResolutionState.REFUSED], (0, 0))
        with tenancy.scope(org_a.id):
            inbox = answered.inbox
        begun = bots.visit(org_a, inbox)
        assert (begun.status, begun.bot_owns) == ("open", False)
        bots.write(org_a, answered, "hello again")
        again = bots.fresh(org_a, answered)
        assert (again.status, again.bot_owns) == ("open", False)


def test_without_the_feature_the_bot_cannot_be_switched_on_and_people_are_reached(org_a: Tenant) -> None:
    inbox = bots.open_bot(org_a)
    before = bots.visit(org_a, inbox)
    with plan_without_feature("support_bot"):
        with pytest.raises(FeatureNotIncluded):
            flows.change_bot(org_a.actor, flows.BotChange(is_on=True))
        assert bots.visit(org_a, inbox).status == "open"
        # What the bot had begun goes to a person with the next message.
        bots.write(org_a, before, "when are you open")
        assert bots.answer_one(bots.reading("opening_hours")) == "handed_over"
        with pytest.raises(FeatureNotIncluded):
            conversations.return_to_bot(org_a.actor, before.pk)
    flows.change_bot(org_a.actor, flows.BotChange(is_on=True))


def test_what_the_bot_has_answered_is_resolved_after_hours_of_silence(org_a: Tenant, answered: Conversation) -> None:
    with tenancy.scope(org_a.id):
        waits = bots.visit(org_a, answered.inbox)
    bots.write(org_a, waits, "when are you open")
    with tenancy.scope(org_a.id):
        Conversation.objects.update(active_at=timezone.now() - timedelta(hours=25))
    housekeeping.clean_up()
    assert bots.fresh(org_a, answered).status == "resolved"
    assert bots.fresh(org_a, waits).status == "pending"
    assert states(org_a) == ["resolved"]


def test_the_other_organization_is_counted_for_itself(org_a: Tenant, org_b: Tenant, answered: Conversation) -> None:
    resolve(org_a, answered)
    resolutions.settle_due()
    assert (meter(org_a), meter(org_b), states(org_b)) == ((0, 1), (0, 0), [])


@pytest.mark.parametrize("act", ["return", "snooze", "erase"])
def test_what_goes_on_with_people_or_is_erased_meanwhile_is_not_counted(
    org_a: Tenant, answered: Conversation, act: str
) -> None:
    resolve(org_a, answered)
    assert resolutions.settle_due() == 1
    if act == "return":
        conversations.return_to_bot(org_a.actor, answered.pk)
    else:
        conversations.set_status(org_a.actor, answered.pk, "snoozed", timezone.now() + timedelta(days=9))
    if act == "erase":
        contacts.erase(org_a.actor, answered.contact_id)
    make_due(org_a)
    resolutions.settle_due()
    assert (states(org_a), meter(org_a)) == (["reopened"], (0, 0))
