"""Chatwoot's shapes of the public client API, so that programs written for it go on working here.

An id of a conversation is its number, and one of a message its number in the conversation.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings

from apps.support.models import Author, Contact, Conversation, Inbox, Message, MessageKind, Numbered
from apps.support.services import files
from apps.support.services.chatwoot import pubsub
from apps.support.services.messages import author_name
from apps.support.services.numbers import Numbers
from apps.support.services.visitors import Visitor

TYPES = {MessageKind.INCOMING: 0, MessageKind.OUTGOING: 1}


def place_of(token: str, contact: str) -> str:
    """Where a visitor has come to for all of their conversations."""
    return f"{settings.BASE_URL}/public/api/v1/inboxes/{token}/contacts/{contact}/conversations"


def inbox_body(inbox: Inbox, *, is_open: bool, next_opening: str | None) -> dict[str, Any]:
    look = inbox.settings.get("look", {})
    return {
        "identifier": inbox.token,
        "name": inbox.name,
        "greeting_enabled": bool(inbox.greeting),
        "greeting_message": inbox.greeting,
        "out_of_office_message": inbox.away_message,
        "csat_survey_enabled": inbox.csat_enabled,
        "identity_validation_enabled": inbox.hmac_required,
        "is_open": is_open,
        "next_opening": next_opening,
        "look": {
            "colour": look.get("colour", "#0a656d"),
            "side": look.get("side", "right"),
            "title": look.get("title", ""),
        },
    }


def contact_body(visitor: Visitor, secret: str, numbers: Numbers) -> dict[str, Any]:
    contact = visitor.contact
    return {
        "source_id": secret,
        "pubsub_token": pubsub.token_of_browser(visitor.session),
        "id": numbers(Numbered.CONTACT, contact.pk),
        "name": contact.name,
        "email": contact.email,
        "phone_number": contact.phone,
        "custom_attributes": contact.attributes,
        "hmac_verified": visitor.session.verified,
    }


def conversation_body(
    row: Conversation, messages: list[Message], contact: Contact, place: str, numbers: Numbers
) -> dict[str, Any]:
    """`place` is where the visitor has come to for all of their conversations."""
    return {
        "id": row.number,
        "uuid": str(row.pk),
        "inbox_id": numbers(Numbered.INBOX, row.inbox_id),
        "status": str(row.status),
        "custom_attributes": row.attributes,
        "last_sequence": row.last_sequence,
        "contact_last_seen_at": int(contact.last_seen_at.timestamp()) if contact.last_seen_at else 0,
        "created_at": int(row.created_at.timestamp()),
        "messages": [message_body(each, row, f"{place}/{row.number}") for each in messages],
    }


def message_body(message: Message, conversation: Conversation, place: str) -> dict[str, Any]:
    """`place` is the conversation's address as the visitor calls it: files are there for whoever may read there."""
    return {
        "id": message.sequence,
        "content": message.content,
        "message_type": TYPES.get(MessageKind(message.kind), 2),
        "content_type": message.content_type,
        "content_attributes": message.content_attributes,
        "created_at": int(message.created_at.timestamp()),
        "conversation_id": conversation.number,
        "echo_id": message.client_id,
        "sender": _sender(message),
        "attachments": [
            {
                "id": file.position,
                "file_type": files.kind_of(file),
                "data_url": f"{place}/messages/{message.sequence}/attachments/{file.position}",
                "file_size": file.size,
                "name": file.name,
            }
            for file in message.files.all()
        ],
    }


def _sender(message: Message) -> dict[str, Any]:
    if message.author == Author.CONTACT:
        return {"type": "contact", "name": str(message.contact) if message.contact else ""}
    if message.author == Author.AGENT:
        return {"type": "user", "name": author_name(message)}
    return {"type": "agent_bot", "name": str(message.details.get("by", ""))}
