"""How far participants have got in a conversation: what has arrived at their devices, and what they have seen."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import connection

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import InvalidRequest
from apps.core.ids import uuid7
from apps.support.access import READ, WRITE
from apps.support.models import Contact, Conversation, Cursor, Message, MessageKind
from apps.support.services import hints
from apps.support.services.assignment import membership_of
from apps.support.services.reading import find
from apps.support.services.storing import locked

# Neither number ever goes back, whoever is first: acknowledging is cumulative.
_KEEP = """
INSERT INTO support_cursor
    (id, organization_id, conversation_id, membership_id, contact_id, acknowledged, seen, changed_at)
VALUES (%(id)s, %(organization)s, %(conversation)s, %(member)s, %(contact)s, %(acknowledged)s, %(seen)s, now())
ON CONFLICT (organization_id, conversation_id, membership_id, contact_id) DO UPDATE SET
    acknowledged = greatest(support_cursor.acknowledged, excluded.acknowledged),
    seen = greatest(support_cursor.seen, excluded.seen), changed_at = now()
"""


def note_seen(conversation: Conversation, sequence: int, **who: UUID | None) -> None:
    """Whoever has written something has seen everything up to it."""
    if any(who.values()):
        _keep(conversation, who, sequence, sequence)
        if who.get("membership_id") is not None:
            _looked(conversation, sequence)


def acknowledge(actor: Actor, conversation_id: UUID, *, acknowledged: int = 0, seen: int = 0) -> Cursor | None:
    """Up to where the actor has received and seen a conversation; None for programs, which see nothing."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        conversation = find(conversation_id)
        member = membership_of(actor)
        if member is None:
            return None
        _looked(conversation, seen)
        return _acknowledged(conversation, {"membership_id": member}, acknowledged, seen)


def mark_unread(actor: Actor, conversation_id: UUID) -> Conversation:
    """What the contact has written last counts as unread for the whole desk, until somebody looks again."""
    actor.require(WRITE, READ)
    with tenancy.scope(actor.organization_id):
        held = locked(conversation_id)
        incoming = Message.objects.filter(conversation=held, kind=MessageKind.INCOMING).order_by("-sequence")
        last: int | None = incoming.values_list("sequence", flat=True).first()
        if last is not None and held.unread_from != last:
            held.unread_from = last
            held.save(update_fields=["unread_from"])
            audit.record(actor, "support_conversation.marked_unread", held)
            hints.hint_changed(held.organization_id, held.pk)
    return held


def _looked(conversation: Conversation, seen: int) -> None:
    """Whoever has seen less than what is marked has not looked at it."""
    if conversation.unread_from is not None and seen >= conversation.unread_from:
        Conversation.objects.filter(pk=conversation.pk).update(unread_from=None)
        conversation.unread_from = None


def acknowledge_by_contact(
    conversation: Conversation, contact: Contact, *, acknowledged: int = 0, seen: int = 0
) -> Cursor:
    """The same for the contact, in scope."""
    return _acknowledged(conversation, {"contact_id": contact.pk}, acknowledged, seen)


def _acknowledged(conversation: Conversation, who: dict[str, Any], acknowledged: int, seen: int) -> Cursor:
    if not 0 <= max(acknowledged, seen) <= conversation.last_sequence or min(acknowledged, seen) < 0:
        raise InvalidRequest("This conversation has not got that far.", param="seen")
    _keep(conversation, who, max(acknowledged, seen), seen)
    hints.hint_changed(conversation.organization_id, conversation.pk)
    found: Cursor = Cursor.objects.get(conversation=conversation, **who)
    return found


def _keep(conversation: Conversation, who: dict[str, Any], acknowledged: int, seen: int) -> None:
    values = {
        "id": uuid7(),
        "organization": conversation.organization_id,
        "conversation": conversation.pk,
        "member": who.get("membership_id"),
        "contact": who.get("contact_id"),
        "acknowledged": acknowledged,
        "seen": seen,
    }
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, values)


def cursors_of(conversation: Conversation) -> Any:
    """As a query, in scope."""
    return Cursor.objects.filter(conversation=conversation).order_by("id")
