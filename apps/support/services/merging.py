"""Two conversations that turn out to be one: what was said in the one is taken over into the other."""

from __future__ import annotations

from uuid import UUID

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import Conflict
from apps.support.access import WRITE
from apps.support.models import Conversation, ConversationStatus, Message, MessageFile, MessageIndex, MessageKind
from apps.support.services import hints, participants, timers
from apps.support.services.indexing import index_message
from apps.support.services.reading import find
from apps.support.services.storing import by_actor, change, locked

MOST_MESSAGES = 5_000


def merge(actor: Actor, id: UUID, into: UUID) -> Conversation:
    """The messages of one conversation stand at the end of the other, in their order, with the times they had.

    The one stays as it was, for who wants to see it, and is no longer listed; what comes to it goes on in the other.
    """
    actor.require(WRITE)
    if id == into:
        raise Conflict("This is the same conversation.")
    with tenancy.scope(actor.organization_id):
        find(id)
        # In the order of their ids, so that two who merge the same pair do not wait for each other.
        held = {each: locked(each) for each in sorted({id, into})}
        one, other = held[id], held[into]
        if one.contact_id != other.contact_id:
            # What one contact has written would be read by another.
            raise Conflict("These conversations are of different contacts.")
        taken = list(one.messages.exclude(kind=MessageKind.ACTIVITY).order_by("sequence")[: MOST_MESSAGES + 1])
        if len(taken) > MOST_MESSAGES:
            raise Conflict("This conversation is too long to be merged.")
        by = by_actor(actor)
        timers.call_off(one)
        waiting = one.waiting_since if other.status == ConversationStatus.OPEN else None
        closing = {"status": ConversationStatus.RESOLVED, "bot_owns": False, "snoozed_until": None}
        change(one, by, "merged", {"into": other.number}, waiting_since=None, **closing)
        one.merged_into = other
        one.save(update_fields=["merged_into"])
        MessageIndex.objects.filter(conversation=one).delete()
        if waiting and (other.waiting_since is None or waiting < other.waiting_since):
            other.waiting_since = waiting
            other.save(update_fields=["waiting_since"])
        participants.take_over(one, other)
        _take_over(taken, one, other)
        labels = sorted({*one.labels, *other.labels})
        change(other, by, "merged", {"from": one.number, "messages": len(taken)}, labels=labels)
        audit.record(actor, "support_conversation.merged", other, merged=one.number)
        events.record("support_conversation.merged", other.pk, {"number": other.number, "merged": str(one.pk)})
    return other


def _take_over(taken: list[Message], one: Conversation, other: Conversation) -> None:
    for message in taken:
        other.last_sequence += 1
        copy = Message.objects.create(
            organization_id=message.organization_id,
            conversation=other,
            sequence=other.last_sequence,
            kind=message.kind,
            author=message.author,
            user_id=message.user_id,
            contact_id=message.contact_id,
            content=message.content,
            content_type=message.content_type,
            content_attributes=message.content_attributes,
            details=message.details,
            provenance=message.provenance,
            masked=message.masked,
            external_id=message.external_id,
            moved_from=message.pk,
            created_at=message.created_at,
        )
        for file in message.files.all():
            MessageFile.objects.create(
                organization_id=file.organization_id,
                message=copy,
                position=file.position,
                name=file.name,
                media_type=file.media_type,
                size=file.size,
                path=file.path,
                scan=file.scan,
                finding=file.finding,
                scan_attempts=file.scan_attempts,
                scan_at=file.scan_at,
            )
        if copy.content:
            index_message(copy)
    Conversation.objects.filter(pk=other.pk).update(last_sequence=other.last_sequence)
    hints.hint_changed(other.organization_id, other.pk)
