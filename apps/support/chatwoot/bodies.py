"""Accounts, inboxes, contacts, conversations and messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F, Max, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from apps.accounts.models import Membership, Organization
from apps.support.chatwoot.names import (
    CHANNELS,
    FILES_APART,
    NUMBERS,
    PRIORITIES,
    TYPES,
    message_id,
    seconds,
)
from apps.support.chatwoot.people import agent_or_bot, person_body, team_body
from apps.support.models import (
    AgentBot,
    Author,
    Contact,
    ContactSession,
    Conversation,
    ConversationStatus,
    Cursor,
    Inbox,
    InboxKind,
    Message,
    MessageFile,
    MessageKind,
    Numbered,
)
from apps.support.services import files
from apps.support.services.numbers import Numbers

SPOKEN = (MessageKind.INCOMING, MessageKind.OUTGOING)
WITH = ("inbox__agent_bot", "contact", "assignee__user", "team", "session")


def account_body(numbers: Numbers, name: str | None = None) -> dict[str, Any]:
    if name is None:
        name = Organization.objects.values_list("name", flat=True).get(pk=numbers.organization_id)
    return {"id": numbers.account, "name": name}


def inbox_name(inbox: Inbox, numbers: Numbers) -> dict[str, Any]:
    return {"id": numbers(Numbered.INBOX, inbox.pk), "name": inbox.name}


def contact_body(contact: Contact, numbers: Numbers) -> dict[str, Any]:
    return {
        "id": numbers(Numbered.CONTACT, contact.pk),
        "name": contact.name,
        "email": contact.email or None,
        "phone_number": contact.phone or None,
        "identifier": contact.identifier or None,
        "avatar": "",
        "thumbnail": "",
        "blocked": contact.blocked_at is not None,
        "availability_status": "offline",
        "additional_attributes": {"language": contact.language} if contact.language else {},
        "custom_attributes": contact.attributes,
        "last_activity_at": seconds(contact.last_seen_at) or None,
        "created_at": seconds(contact.created_at),
        "type": "contact",
    }


def contact_event(contact: Contact, numbers: Numbers) -> dict[str, Any]:
    """A contact as webhooks are told of it."""
    return contact_body(contact, numbers) | {"account": account_body(numbers)}


# ---------------------------------------------------------------- conversations


def conversation_body(row: Conversation, numbers: Numbers) -> dict[str, Any]:
    """A conversation with its last message and those it is about."""
    return conversation_bodies([row], numbers)[0]


def conversation_bodies(found: Sequence[Conversation], numbers: Numbers) -> list[dict[str, Any]]:
    """Several, with as many questions as one takes."""
    by_id = Conversation.objects.select_related(*WITH).in_bulk([row.pk for row in found])
    rows = [by_id[row.pk] for row in found if row.pk in by_id]
    said = Message.objects.filter(conversation__in=rows, kind__in=SPOKEN).select_related("user", "contact")
    last = said.order_by("conversation_id", "-sequence").distinct("conversation_id").prefetch_related("files")
    lasts = {each.conversation_id: each for each in last}
    unread = _unread(rows)
    _want(rows, lasts.values(), numbers)
    return [_conversation(row, lasts.get(row.pk), unread.get(row.pk, 0), numbers) for row in rows]


def _want(rows: Sequence[Conversation], said: Iterable[Message], numbers: Numbers) -> None:
    numbers.want(Numbered.INBOX, [row.inbox_id for row in rows])
    numbers.want(Numbered.CONTACT, [row.contact_id for row in rows])
    numbers.want(Numbered.SESSION, [row.session_id for row in rows])
    numbers.want(Numbered.TEAM, [row.team_id for row in rows])
    numbers.want(Numbered.BOT, [row.inbox.agent_bot_id for row in rows])
    numbers.want(Numbered.USER, [row.assignee.user_id for row in rows if row.assignee])
    numbers.want(Numbered.USER, [each.user_id for each in said])


def _conversation(row: Conversation, last: Message | None, unread: int, numbers: Numbers) -> dict[str, Any]:
    contact, inbox = row.contact, row.inbox
    inbox_id = numbers(Numbered.INBOX, inbox.pk)
    told = said_body(last, row, numbers) if last else None
    return {
        "id": row.number,
        "uuid": str(row.pk),
        "account_id": numbers.account,
        "inbox_id": inbox_id,
        "status": str(row.status),
        "can_reply": row.status != ConversationStatus.PENDING or row.bot_owns,
        "channel": CHANNELS[InboxKind(inbox.kind)],
        "labels": row.labels,
        "priority": PRIORITIES[row.priority],
        "custom_attributes": row.attributes,
        "additional_attributes": {"subject": row.subject} if row.subject else {},
        "contact_inbox": _contact_inbox(row, numbers),
        "messages": [told] if told else [],
        "last_non_activity_message": told,
        "meta": _meta(row, numbers),
        "muted": contact.blocked_at is not None,
        "unread_count": unread,
        "snoozed_until": row.snoozed_until.isoformat() if row.snoozed_until else None,
        "waiting_since": seconds(row.waiting_since),
        "first_reply_created_at": seconds(row.first_reply_at),
        "contact_last_seen_at": seconds(contact.last_seen_at),
        "agent_last_seen_at": 0 if unread else seconds(row.active_at),
        "last_activity_at": seconds(row.active_at),
        "timestamp": seconds(row.active_at),
        "created_at": seconds(row.created_at),
    }


def _contact_inbox(row: Conversation, numbers: Numbers) -> dict[str, Any]:
    """Which browser it is of; its `source_id` here names it to the account, and opens nothing to anybody."""
    return {
        "id": numbers(Numbered.SESSION, row.session_id) if row.session_id else None,
        "contact_id": numbers(Numbered.CONTACT, row.contact_id),
        "inbox_id": numbers(Numbered.INBOX, row.inbox_id),
        "source_id": str(row.session_id) if row.session_id else None,
        "hmac_verified": bool(row.session and row.session.verified),
    }


def _meta(row: Conversation, numbers: Numbers) -> dict[str, Any]:
    person = person_body(row.assignee, numbers) if row.assignee else None
    return {
        "sender": contact_body(row.contact, numbers),
        "channel": CHANNELS[InboxKind(row.inbox.kind)],
        "assignee": person,
        "assignee_type": "User" if person else None,
        "team": team_body(row.team, numbers) if row.team else None,
        "hmac_verified": bool(row.session and row.session.verified),
    }


def _unread(rows: Sequence[Conversation]) -> dict[UUID, int]:
    """What contacts have written behind what anybody of the desk has seen, or from where on it was marked as unread."""
    cursors = Cursor.objects.filter(conversation=OuterRef("conversation_id"), contact=None).order_by()
    seen = cursors.values("conversation_id").annotate(last=Max("seen")).values("last")
    waiting = Message.objects.filter(conversation__in=rows, kind=MessageKind.INCOMING).order_by()
    waiting = waiting.annotate(seen=Coalesce(Subquery(seen), 0)).filter(
        Q(sequence__gt=F("seen")) | Q(sequence__gte=F("conversation__unread_from"))
    )
    return dict(waiting.values("conversation_id").annotate(count=Count("pk")).values_list("conversation_id", "count"))


# ---------------------------------------------------------------- messages


def said_body(message: Message, row: Conversation, numbers: Numbers) -> dict[str, Any]:
    """A message as the account API answers it."""
    kind = TYPES.get(MessageKind(message.kind), "activity")
    sender = sender_body(message, row, numbers)
    return {
        "id": message_id(row.number, message.sequence),
        "content": message.content,
        "account_id": numbers.account,
        "inbox_id": numbers(Numbered.INBOX, row.inbox_id),
        "conversation_id": row.number,
        "message_type": NUMBERS[kind],
        "content_type": message.content_type,
        "content_attributes": message.content_attributes,
        "private": message.kind == MessageKind.NOTE,
        "status": "sent",
        "created_at": int(message.created_at.timestamp()),
        "echo_id": message.client_id,
        "source_id": message.external_id or None,
        "sender_id": sender["id"] if sender else None,
        "sender_type": _SENDERS[sender["type"]] if sender else None,
        "sender": sender,
        "attachments": attachments(message, row, numbers),
    }


def message_event(message: Message, row: Conversation, numbers: Numbers) -> dict[str, Any]:
    """A message as webhooks and bots are sent it, with its conversation."""
    conversation = conversation_body(row, numbers)
    return {
        "id": message_id(row.number, message.sequence),
        "content": message.content,
        "created_at": message.created_at.isoformat(),
        "message_type": TYPES.get(MessageKind(message.kind), "activity"),
        "content_type": message.content_type,
        "content_attributes": message.content_attributes,
        "additional_attributes": {},
        "private": message.kind == MessageKind.NOTE,
        "source_id": message.external_id or None,
        "sender": sender_body(message, row, numbers),
        "inbox": inbox_name(row.inbox, numbers),
        "conversation": conversation,
        "attachments": attachments(message, row, numbers),
    }


_SENDERS = {"contact": "Contact", "user": "User", "agent_bot": "AgentBot"}


def sender_body(message: Message, row: Conversation, numbers: Numbers) -> dict[str, Any] | None:
    if message.author == Author.CONTACT:
        return contact_body(message.contact, numbers) if message.contact else None
    return agent_or_bot(message, row.inbox.agent_bot, numbers)


def attachments(message: Message, row: Conversation, numbers: Numbers) -> list[dict[str, Any]]:
    return [_file(file, message, row, numbers) for file in message.files.all() if file.may_be_fetched]


def file_body(file: MessageFile, row: Conversation, numbers: Numbers) -> dict[str, Any]:
    """A file by itself, with when it came."""
    return _file(file, file.message, row, numbers) | {"created_at": int(file.created_at.timestamp())}


def _file(file: MessageFile, message: Message, row: Conversation, numbers: Numbers) -> dict[str, Any]:
    id = message_id(row.number, message.sequence)
    return {
        "id": id * FILES_APART + file.position,
        "message_id": id,
        "account_id": numbers.account,
        "file_type": files.kind_of(file),
        "extension": None,
        "data_url": settings.BASE_URL + files.link(file),
        "thumb_url": "",
        "file_size": file.size,
        "name": file.name,
    }


def typist_body(author: str, person: UUID | None, numbers: Numbers) -> dict[str, Any]:
    """Who types; 0 is a program that has no number, or somebody who is not there any more."""
    if author == Author.CONTACT:
        contact: Contact | None = Contact.objects.filter(pk=person).first()
        return contact_body(contact, numbers) if contact else {"id": 0, "name": "", "type": "contact"}
    if author == Author.BOT:
        bot: AgentBot | None = AgentBot.objects.filter(pk=person).first()
        return {"id": numbers(Numbered.BOT, bot.pk) if bot else 0, "name": bot.name if bot else "", "type": "agent_bot"}
    member: Membership | None = Membership.objects.select_related("user").filter(user=person).first()
    return person_body(member, numbers) if member else {"id": 0, "name": "", "type": "user"}


# ---------------------------------------------------------------- the window


def opened_event(session: ContactSession, numbers: Numbers) -> dict[str, Any]:
    """That a visitor has opened the window: their contact inbox, and where that was."""
    rows = Conversation.objects.filter(session=session, merged_into=None).select_related(*WITH)
    last: Conversation | None = rows.order_by("-number").first()
    opened = session.opened or {}
    return {
        "id": numbers(Numbered.SESSION, session.pk),
        "contact": contact_event(session.contact, numbers),
        "inbox": inbox_name(session.inbox, numbers),
        "account": account_body(numbers),
        "current_conversation": conversation_body(last, numbers) if last else None,
        "source_id": str(session.pk),
        "event_info": {
            "initiated_at": {"timestamp": opened.get("at", "")},
            "referer": opened.get("page", ""),
            "widget_language": opened.get("language", ""),
            "browser_language": opened.get("browser_language", ""),
        },
    }
