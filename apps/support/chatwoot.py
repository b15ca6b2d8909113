"""Chatwoot's shapes of what its webhooks, agent bots and account API tell, made of the rows as they are now.

Ids of accounts, inboxes, contacts and people are ours, as texts. A conversation's id is its number; a message's is a
number that no other message of the account has.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from apps.accounts.models import Organization
from apps.support.models import (
    Author,
    Contact,
    Conversation,
    ConversationStatus,
    Cursor,
    Inbox,
    InboxKind,
    Message,
    MessageKind,
    Priority,
)
from apps.support.services import files
from apps.support.services.messages import author_name

# A conversation has fewer messages than this.
APART = 1_000_000
CHANNELS = {
    InboxKind.WIDGET: "Channel::WebWidget",
    InboxKind.EMAIL: "Channel::Email",
    InboxKind.API: "Channel::Api",
}
TYPES = {MessageKind.INCOMING: "incoming", MessageKind.OUTGOING: "outgoing", MessageKind.NOTE: "outgoing"}
NUMBERS = {"incoming": 0, "outgoing": 1, "activity": 2}
PRIORITIES = {value: None if value == Priority.NONE else name.lower() for name, value in zip(
    Priority.names, Priority.values, strict=True)}  # fmt: skip
# What a conversation's fields are called there; what is not among them is told under our own name.
FIELDS = {"attributes": "custom_attributes", "labels": "label_list", "assignee": "assignee_id", "team": "team_id"}
CONTACT_FIELDS = {"phone": "phone_number", "attributes": "custom_attributes"}


def message_id(conversation: Conversation, message: Message) -> int:
    return int(conversation.number * APART + message.sequence)


def account_body(organization_id: UUID, name: str | None = None) -> dict[str, Any]:
    if name is None:
        name = Organization.objects.values_list("name", flat=True).get(pk=organization_id)
    return {"id": str(organization_id), "name": name}


def inbox_body(inbox: Inbox) -> dict[str, Any]:
    return {"id": str(inbox.pk), "name": inbox.name}


def contact_body(contact: Contact) -> dict[str, Any]:
    return {
        "id": str(contact.pk),
        "name": contact.name,
        "email": contact.email or None,
        "phone_number": contact.phone or None,
        "identifier": contact.identifier or None,
        "avatar": "",
        "thumbnail": "",
        "blocked": contact.blocked_at is not None,
        "additional_attributes": {"language": contact.language} if contact.language else {},
        "custom_attributes": contact.attributes,
        "type": "contact",
    }


def conversation_body(row: Conversation) -> dict[str, Any]:
    """A conversation with its last message and those it is about."""
    contact: Contact = Contact.objects.get(pk=row.contact_id)
    inbox: Inbox = Inbox.objects.get(pk=row.inbox_id)
    said = Message.objects.filter(conversation=row, kind__in=(MessageKind.INCOMING, MessageKind.OUTGOING))
    last: Message | None = said.select_related("user", "contact").order_by("-sequence").first()
    return {
        "id": row.number,
        "uuid": str(row.pk),
        "account_id": str(row.organization_id),
        "inbox_id": str(row.inbox_id),
        "status": str(row.status),
        "can_reply": row.status != ConversationStatus.PENDING or row.bot_owns,
        "channel": CHANNELS[InboxKind(inbox.kind)],
        "labels": row.labels,
        "priority": PRIORITIES[row.priority],
        "custom_attributes": row.attributes,
        "additional_attributes": {"subject": row.subject} if row.subject else {},
        "contact_inbox": {"contact_id": str(contact.pk), "inbox_id": str(inbox.pk)},
        "messages": [said_body(last, row)] if last else [],
        "meta": _meta(row, contact),
        "unread_count": _unread(row),
        "snoozed_until": row.snoozed_until.isoformat() if row.snoozed_until else None,
        "waiting_since": _seconds(row.waiting_since),
        "first_reply_created_at": _seconds(row.first_reply_at),
        "contact_last_seen_at": _seconds(contact.last_seen_at),
        "last_activity_at": _seconds(row.active_at),
        "timestamp": _seconds(row.active_at),
        "created_at": _seconds(row.created_at),
    }


def _meta(row: Conversation, contact: Contact) -> dict[str, Any]:
    assignee = row.assignee.user if row.assignee_id and row.assignee else None
    verified = bool(row.session_id and row.session and row.session.verified)
    person = {"id": str(row.assignee_id), "name": assignee.name, "type": "user"} if assignee else None
    return {
        "sender": contact_body(contact),
        "assignee": person,
        "assignee_type": "User" if person else None,
        "team": {"id": str(row.team_id), "name": str(row.team)} if row.team_id else None,
        "hmac_verified": verified,
    }


def _unread(row: Conversation) -> int:
    seen = (
        Cursor.objects.filter(conversation=row, contact=None).order_by("-seen").values_list("seen", flat=True).first()
    )
    return int(Message.objects.filter(conversation=row, kind=MessageKind.INCOMING, sequence__gt=seen or 0).count())


def said_body(message: Message, row: Conversation) -> dict[str, Any]:
    """A message as the account API answers it."""
    kind = TYPES.get(MessageKind(message.kind), "activity")
    return {
        "id": message_id(row, message),
        "content": message.content,
        "account_id": str(row.organization_id),
        "inbox_id": str(row.inbox_id),
        "conversation_id": row.number,
        "message_type": NUMBERS[kind],
        "content_type": message.content_type,
        "content_attributes": message.content_attributes,
        "private": message.kind == MessageKind.NOTE,
        "created_at": int(message.created_at.timestamp()),
        "echo_id": message.client_id,
        "source_id": message.external_id or None,
        "sender": sender_body(message),
        "attachments": attachments(message),
    }


def message_event(message: Message, row: Conversation) -> dict[str, Any]:
    """A message as webhooks and bots are sent it, with its conversation."""
    inbox: Inbox = Inbox.objects.get(pk=row.inbox_id)
    return {
        "id": message_id(row, message),
        "content": message.content,
        "created_at": message.created_at.isoformat(),
        "message_type": TYPES.get(MessageKind(message.kind), "activity"),
        "content_type": message.content_type,
        "content_attributes": message.content_attributes,
        "additional_attributes": {},
        "private": message.kind == MessageKind.NOTE,
        "source_id": message.external_id or None,
        "sender": sender_body(message),
        "inbox": inbox_body(inbox),
        "conversation": conversation_body(row),
        "attachments": attachments(message),
    }


def sender_body(message: Message) -> dict[str, Any] | None:
    if message.author == Author.CONTACT:
        return contact_body(message.contact) if message.contact else None
    if message.author == Author.AGENT:
        return {"id": str(message.user_id or ""), "name": author_name(message), "type": "user"}
    return {"id": "", "name": author_name(message), "type": "agent_bot"}


def attachments(message: Message) -> list[dict[str, Any]]:
    return [
        {
            "id": str(file.pk),
            "file_type": files.kind_of(file),
            "data_url": settings.BASE_URL + files.link(file),
            "thumb_url": "",
            "file_size": file.size,
            "name": file.name,
        }
        for file in message.files.all()
        if file.may_be_fetched
    ]


def changes_of(changes: dict[str, Any], names: dict[str, str] = FIELDS) -> list[dict[str, Any]]:
    """`changed_attributes`, of what an activity holds."""
    return [
        {names.get(name, name): {"previous_value": before, "current_value": after}}
        for name, (before, after) in sorted(changes.items())
    ]


def _seconds(moment: datetime | None) -> int:
    return int(moment.timestamp()) if moment and moment <= timezone.now() else 0
