"""Who changes, merges or erases a contact, and a message of theirs that comes in the same moment: both come through."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.db import connections

from apps.accounts.access import Actor
from apps.accounts.models import Membership
from apps.core import tenancy
from apps.support.models import Contact, Conversation, Inbox, Message, Participant
from apps.support.services import contacts, conversations, messages, participants, setup
from apps.support.services.storing import Draft, by_actor, by_contact
from tests.helpers.desk import Desk
from tests.helpers.waiting import wait_until_somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)


def rename_label(actor: Actor, id: UUID) -> Contact:
    with tenancy.scope(actor.organization_id):
        setup.change(actor, "label", setup.listing(actor, "label").get().pk, {"title": "too late"})
        return contacts.get(actor, id)


def apart(act: Callable[[], object]) -> Callable[[], object]:
    """The same on a connection of its own."""

    def run() -> object:
        try:
            return act()
        finally:
            connections.close_all()

    return run


def test_who_erases_and_who_writes_at_the_same_time_do_not_wait_for_each_other(desk: Desk) -> None:
    talk = desk.begin()
    with ThreadPoolExecutor(1) as pool:
        with tenancy.scope(desk.tenant.id):
            held = messages.held_onward(talk.pk)
            erased = pool.submit(apart(lambda: contacts.erase(desk.tenant.actor, talk.contact_id)))
            wait_until_somebody_waits()
            # The row of the message refers to that of the contact, which whoever erases holds.
            messages.receive(held, Contact.objects.get(pk=talk.contact_id), Draft("Wait"))
        assert erased.result(timeout=60) == 1
    with tenancy.scope(desk.tenant.id):
        assert not Contact.objects.exists() and not Message.objects.exists()


def test_a_conversation_that_is_begun_while_its_contact_is_erased_goes_as_well(desk: Desk) -> None:
    talk = desk.begin()
    with ThreadPoolExecutor(1) as pool:
        with tenancy.scope(desk.tenant.id):
            contact = Contact.objects.get(pk=talk.contact_id)
            conversations.begin(Inbox.objects.get(pk=desk.inbox.pk), contact, by_contact(contact))
            # It holds the other one, and waits for the counter of what is told.
            erased = pool.submit(apart(lambda: contacts.erase(desk.tenant.actor, contact.pk)))
            wait_until_somebody_waits()
        assert erased.result(timeout=60) == 2
    with tenancy.scope(desk.tenant.id):
        assert not Contact.objects.exists() and not Conversation.objects.exists()


def test_a_conversation_that_is_begun_while_its_contact_is_merged_is_the_others(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor = desk.tenant.actor
    one, other = (contacts.create(actor, {"name": name}) for name in ("Ada", "Ada L."))
    inbox, real = desk.inbox, conversations.index_conversation

    def begun() -> Conversation:
        return conversations.begin(Inbox.objects.get(pk=inbox.pk), Contact.objects.get(pk=one.pk), by_contact(one))

    with ThreadPoolExecutor(1) as pool:
        with tenancy.scope(desk.tenant.id):
            begun()
            # It has moved the others, and waits for the counter of what is told.
            merged = pool.submit(apart(lambda: contacts.merge(actor, one.pk, other.pk)))
            wait_until_somebody_waits()
        merged.result(timeout=60)
        with tenancy.scope(desk.tenant.id):
            Contact.objects.filter(pk=one.pk).update(merged_into=None)

        def merge_before(*args: Any) -> None:
            monkeypatch.setattr(conversations, "index_conversation", real)
            pool.submit(apart(lambda: contacts.merge(actor, one.pk, other.pk))).result(timeout=60)
            real(*args)

        monkeypatch.setattr(conversations, "index_conversation", merge_before)
        with tenancy.scope(desk.tenant.id):
            begun()
    with tenancy.scope(desk.tenant.id):
        assert list(Conversation.objects.values_list("contact", flat=True)) == [other.pk, other.pk]
        assert set(Message.objects.values_list("contact", flat=True)) == {other.pk}


@pytest.mark.parametrize(
    "act",
    [
        lambda actor, id: contacts.set_blocked(actor, id, True),
        lambda actor, id: contacts.change(actor, id, {"name": "Grace"}),
        lambda actor, id: contacts.merge(actor, id, contacts.create(actor, {"name": "Ada"}).pk),
        rename_label,
    ],
    ids=["blocks", "changes", "merges", "renames a label"],
)
def test_who_changes_a_contact_and_who_writes_at_the_same_time_do_not_wait_for_each_other(
    desk: Desk, act: Callable[[Actor, UUID], object]
) -> None:
    talk, actor = desk.begin(), desk.tenant.actor
    setup.create(actor, "label", {"title": "late"})
    contacts.set_labels(actor, talk.contact_id, ["late"])
    with ThreadPoolExecutor(1) as pool:
        with tenancy.scope(desk.tenant.id):
            held = messages.held_onward(talk.pk)
            contact = Contact.objects.get(pk=talk.contact_id)
            # Told of: whoever tells of anything else waits until this is committed.
            conversations.resolve(held, by_actor(actor))
            done = pool.submit(apart(lambda: act(actor, contact.pk)))
            wait_until_somebody_waits()
            messages.receive(held, contact, Draft("Wait"))
        assert isinstance(done.result(timeout=60), Contact)
    assert [each.content for each in desk.history(talk) if each.kind == "incoming"][-1] == "Wait"


def test_a_member_who_is_just_leaving_keeps_no_message_back(desk: Desk) -> None:
    """Their part goes with the membership, which then waits for conversations that are theirs."""
    ann = desk.agent("ann", online=False)
    talk = desk.begin()
    with tenancy.scope(desk.tenant.id):
        membership = Membership.objects.get(user=ann.person_id)
    participants.alter(desk.tenant.actor, talk.pk, added=[membership.pk])

    def say() -> None:
        with tenancy.scope(desk.tenant.id):
            held = messages.held_onward(talk.pk)
            messages.receive(held, Contact.objects.get(pk=talk.contact_id), Draft("Hello?"))

    def take_off() -> None:
        participants.alter(desk.tenant.actor, talk.pk, taken=[membership.pk])

    with ThreadPoolExecutor(1) as pool, tenancy.scope(desk.tenant.id):
        Participant.objects.filter(membership=membership).delete()
        pool.submit(apart(say)).result(timeout=60)
        pool.submit(apart(take_off)).result(timeout=60)
    with tenancy.scope(desk.tenant.id):
        assert Message.objects.filter(conversation=talk, content="Hello?").count() == 1
        assert not Participant.objects.exists()
