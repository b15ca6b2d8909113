"""The desk's events as Chatwoot's webhooks tell them; other events have no name there, and are not sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.core.models import Event
from apps.support import chatwoot
from apps.support.models import Contact, Conversation, Message, MessageKind
from apps.webhooks.writers import Writer

NAMES = {
    "support_conversation.created": "conversation_created",
    "support_conversation.changed": "conversation_updated",
    "support_conversation.status_changed": "conversation_status_changed",
    "support_message.created": "message_created",
    "support_message.changed": "message_updated",
    "support_contact.created": "contact_created",
    "support_contact.changed": "contact_updated",
}


def takes(event: Event) -> bool:
    # Chatwoot sends what was said, and not what was done.
    return event.type in NAMES and event.data.get("kind") != MessageKind.ACTIVITY


def write(event: Event, thin: bool) -> dict[str, Any]:
    account = chatwoot.account_body(event.organization_id)
    told = {"event": NAMES[event.type], "account": account}
    group = event.type.partition(".")[0]
    return told | _OF[group](event, thin)


def _message(event: Event, thin: bool) -> dict[str, Any]:
    row = Message.objects.select_related("conversation", "user", "contact").filter(pk=event.object_id).first()
    if row is None or thin:
        number = event.data["number"]
        id = number * chatwoot.APART + event.data["sequence"]
        return {"id": id, "conversation": {"id": number}, "inbox": {"id": event.data["inbox"]}}
    return chatwoot.message_event(row, row.conversation)


def _conversation(event: Event, thin: bool) -> dict[str, Any]:
    row = Conversation.objects.filter(pk=event.object_id).first()
    if row is None or thin:
        return {"id": event.data["number"], "inbox_id": event.data["inbox"]}
    body = chatwoot.conversation_body(row)
    if event.type == "support_conversation.created":
        return body
    told = Message.objects.filter(conversation=row, sequence=event.data.get("sequence"), kind=MessageKind.ACTIVITY)
    details = told.values_list("details", flat=True).first() or {}
    return body | {"changed_attributes": chatwoot.changes_of(details.get("changes", {}))}


def _contact(event: Event, thin: bool) -> dict[str, Any]:
    row: Contact | None = Contact.objects.filter(pk=event.object_id).first()
    if row is None or thin:
        return {"id": str(event.object_id)}
    body = chatwoot.contact_body(row)
    if event.type == "support_contact.created":
        return body
    names = [chatwoot.CONTACT_FIELDS.get(name, name) for name in event.data["changed"]]
    # What it was before is kept nowhere.
    return body | {"changed_attributes": [{name: {"current_value": body.get(name)}} for name in names]}


def other(type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """A test, or what is told of an event that is kept no more."""
    account = {"id": data["organization_id"], "name": ""}
    return {"event": NAMES.get(type, type.replace(".", "_")), "account": account, "id": data.get("object_id", "")}


_OF = {"support_message": _message, "support_conversation": _conversation, "support_contact": _contact}
WRITERS = {"chatwoot": Writer(takes, write, other)}
