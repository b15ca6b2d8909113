"""Muting: a conversation is resolved and its contact blocked, as Chatwoot does it with one act; and taking it back."""

from __future__ import annotations

from uuid import UUID

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import Conflict
from apps.support.access import MANAGE, WRITE
from apps.support.models import Conversation, ConversationStatus
from apps.support.services import contacts, conversations, reading
from apps.support.services.storing import by_actor, change, locked


def mute(actor: Actor, id: UUID) -> Conversation:
    """Nothing more of this contact opens a conversation or rings, here or in any other of theirs."""
    return _set(actor, id, blocked=True)


def unmute(actor: Actor, id: UUID) -> Conversation:
    """The contact may write again; the conversation stays as it is."""
    return _set(actor, id, blocked=False)


def _set(actor: Actor, id: UUID, *, blocked: bool) -> Conversation:
    actor.require(WRITE, MANAGE)
    with tenancy.scope(actor.organization_id):
        # The contact before the conversation, as where a contact is erased; both before anything is told.
        contact = contacts.find(reading.find(id).contact_id, lock=True)
        held = locked(id)
        if held.contact_id != contact.pk:
            raise Conflict("The contact has changed meanwhile: look again.")
        by, before = by_actor(actor), held.status
        if blocked and before != ConversationStatus.RESOLVED:
            conversations.resolve(held, by)
            states = {"before": {"status": str(before)}, "after": {"status": str(held.status)}}
            audit.record(actor, "support_conversation.status_changed", held, **states)
        if blocked != (contact.blocked_at is not None):
            change(held, by, "muted" if blocked else "unmuted")
            contacts.block(actor, contact, blocked)
        return held
