"""Seeing what was masked, and taking a conversation out of the desk: both stand in the audit log, with the reason."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership
from apps.core import events, tenancy
from apps.core.crypto import unseal_from
from apps.core.errors import InvalidRequest, NotFound
from apps.core.mail import compose_later
from apps.support.access import READ, UNMASK, WRITE
from apps.support.masking import restored
from apps.support.models import Conversation, Message, MessageKind, Original
from apps.support.services.messages import author_name
from apps.support.services.reading import find

SHORTEST_REASON, LONGEST_REASON = 5, 500
TRANSCRIPT = "support_transcript"


def unmask(actor: Actor, conversation_id: UUID, sequence: int, reason: str) -> str:
    """A message as it was written. NotFound where nothing was masked, or the originals are kept no more."""
    actor.require(READ, UNMASK)
    why = " ".join(reason.split())
    if not SHORTEST_REASON <= len(why) <= LONGEST_REASON:
        raise InvalidRequest("Give a reason of 5 to 500 characters.", param="reason")
    with tenancy.scope(actor.organization_id):
        conversation = find(conversation_id)
        message: Message | None = Message.objects.filter(conversation=conversation, sequence=sequence).first()
        kept = message.moved_from or message.pk if message else None
        row: Original | None = Original.objects.filter(message=kept, expires_at__gt=timezone.now()).first()
        if message is None or row is None:
            raise NotFound("Nothing is kept of what was masked here.")
        audit.record(actor, "support_message.unmasked", conversation, sequence=sequence, reason=why)
        facts = {"number": conversation.number, "sequence": sequence, "reason": why}
        events.record("support_message.unmasked", conversation.pk, facts)
        return restored(message.content, unseal_from(row, "content"))


def transcript(actor: Actor, conversation_id: UUID, *, with_notes: bool = False) -> str:
    """What was said, masked, as a text to be kept elsewhere."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        conversation = find(conversation_id)
        audit.record(actor, "support_conversation.exported", conversation, with_notes=with_notes)
        return written(conversation, with_notes=with_notes)


def written(conversation: Conversation, *, with_notes: bool = False) -> str:
    """The same in scope."""
    kinds = [MessageKind.INCOMING, MessageKind.OUTGOING] + ([MessageKind.NOTE] if with_notes else [])
    rows = Message.objects.filter(conversation=conversation, kind__in=kinds).select_related("user")
    lines = [_heading(conversation), *(_line(conversation, row) for row in rows.order_by("sequence"))]
    return "\n\n".join(lines) + "\n"


def mail_transcript(actor: Actor, conversation_id: UUID, to: str = "") -> str:
    """Sends what was said, masked and without notes, to the contact or to a member; the address that it goes to."""
    actor.require(READ, WRITE)
    with tenancy.scope(actor.organization_id):
        conversation = find(conversation_id)
        address = to.strip() or conversation.contact.email
        if not may_have(conversation, address):
            raise InvalidRequest("A transcript goes to the contact or to a member of the organization.", param="to")
        audit.record(actor, "support_conversation.exported", conversation, with_notes=False, to=address)
        data = {"organization": str(actor.organization_id), "id": str(conversation.pk)}
        compose_later(TRANSCRIPT, address, data, in_turn=True)
    return address


def may_have(conversation: Conversation, address: str) -> bool:
    """Whether a transcript may be mailed there; in scope."""
    if not address:
        return False
    mine = address.casefold() == conversation.contact.email.casefold()
    return mine or bool(Membership.objects.filter(user__email__iexact=address, user__is_active=True).exists())


def _heading(conversation: Conversation) -> str:
    return f"#{conversation.number} {conversation.subject}\n{conversation.contact} · {conversation.inbox.name}"


def _line(conversation: Conversation, message: Message) -> str:
    name = str(conversation.contact) if message.author == "contact" else author_name(message)
    mark = " [note]" if message.kind == MessageKind.NOTE else ""
    return f"[{message.created_at:%Y-%m-%d %H:%M:%S} UTC] {name}{mark}:\n{message.content}"
