"""The desk's events as Chatwoot's webhooks tell them; other events have no name there, and are not sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.accounts.models import Membership
from apps.core.models import Event
from apps.support import chatwoot
from apps.support.models import Contact, ContactSession, Conversation, Inbox, Message, MessageKind, Numbered
from apps.support.services.numbers import Numbers
from apps.webhooks.writers import Writer

NAMES = {
    "support_conversation.created": "conversation_created",
    "support_conversation.changed": "conversation_updated",
    "support_conversation.status_changed": "conversation_status_changed",
    "support_message.created": "message_created",
    "support_message.changed": "message_updated",
    "support_contact.created": "contact_created",
    "support_contact.changed": "contact_updated",
    "support_widget.opened": "webwidget_triggered",
    "support_typing.on": "conversation_typing_on",
    "support_typing.off": "conversation_typing_off",
    "support_inbox.created": "inbox_created",
    "support_inbox.changed": "inbox_updated",
}


def takes(event: Event) -> bool:
    # Chatwoot sends what was said, and not what was done.
    return event.type in NAMES and event.data.get("kind") != MessageKind.ACTIVITY


def write(event: Event, thin: bool) -> dict[str, Any]:
    numbers = Numbers(event.organization_id)
    told = {"event": NAMES[event.type], "account": chatwoot.account_body(numbers)}
    group = event.type.partition(".")[0]
    return told | _OF[group](event, thin, numbers)


def _message(event: Event, thin: bool, numbers: Numbers) -> dict[str, Any]:
    rows = Message.objects.select_related("conversation__inbox__agent_bot", "user", "contact")
    row = rows.filter(pk=event.object_id).first()
    if row is None or thin:
        number, inbox = event.data["number"], numbers(Numbered.INBOX, UUID(event.data["inbox"]))
        id = chatwoot.message_id(number, event.data["sequence"])
        return {"id": id, "conversation": {"id": number}, "inbox": {"id": inbox}}
    return chatwoot.message_event(row, row.conversation, numbers)


def _conversation(event: Event, thin: bool, numbers: Numbers) -> dict[str, Any]:
    row = Conversation.objects.filter(pk=event.object_id).first()
    if row is None or thin:
        return {"id": event.data["number"], "inbox_id": numbers(Numbered.INBOX, UUID(event.data["inbox"]))}
    body = chatwoot.conversation_body(row, numbers)
    if event.type == "support_conversation.created":
        return body
    told = Message.objects.filter(conversation=row, sequence=event.data.get("sequence"), kind=MessageKind.ACTIVITY)
    details = told.values_list("details", flat=True).first() or {}
    changes = details.get("changes", {})
    return body | {"changed_attributes": chatwoot.changes_of(changes, numbers, _people(changes))}


def _people(changes: Mapping[str, Any]) -> dict[str, UUID]:
    """The persons behind the members that an activity names; of who has left nothing is told."""
    named = [each for each in changes.get("assignee", ()) if each]
    rows = Membership.objects.filter(pk__in=named).values_list("pk", "user_id") if named else ()
    return {str(id): user for id, user in rows}


def _contact(event: Event, thin: bool, numbers: Numbers) -> dict[str, Any]:
    row: Contact | None = Contact.objects.filter(pk=event.object_id).first()
    if row is None or thin:
        return {"id": numbers(Numbered.CONTACT, event.object_id)}
    body = chatwoot.contact_event(row, numbers)
    if event.type == "support_contact.created":
        return body
    names = [chatwoot.CONTACT_FIELDS.get(name, name) for name in event.data["changed"]]
    # What it was before is kept nowhere.
    return body | {"changed_attributes": [{name: {"current_value": body.get(name)}} for name in names]}


def _opened(event: Event, thin: bool, numbers: Numbers) -> dict[str, Any]:
    rows = ContactSession.objects.select_related("contact", "inbox")
    row: ContactSession | None = rows.filter(pk=event.object_id).first()
    if row is None or thin:
        inbox, contact = UUID(event.data["inbox"]), UUID(event.data["contact"])
        return {
            "id": numbers(Numbered.SESSION, event.object_id),
            "contact": {"id": numbers(Numbered.CONTACT, contact)},
            "inbox": {"id": numbers(Numbered.INBOX, inbox)},
        }
    return chatwoot.opened_event(row, numbers)


def _typing(event: Event, thin: bool, numbers: Numbers) -> dict[str, Any]:
    row = Conversation.objects.filter(pk=event.object_id).first()
    person = UUID(event.data["person"]) if event.data.get("person") else None
    if row is None or thin:
        number, inbox = event.data["number"], numbers(Numbered.INBOX, UUID(event.data["inbox"]))
        return {"conversation": {"id": number, "inbox_id": inbox}, "is_private": event.data["private"]}
    return {
        "user": chatwoot.typist_body(event.data["author"], person, numbers),
        "conversation": chatwoot.conversation_body(row, numbers),
        "is_private": event.data["private"],
    }


def _inbox(event: Event, thin: bool, numbers: Numbers) -> dict[str, Any]:
    row: Inbox | None = Inbox.objects.select_related("hours").filter(pk=event.object_id).first()
    if row is None or thin:
        return {"id": numbers(Numbered.INBOX, event.object_id)}
    body = chatwoot.inbox_body(row, numbers)
    if event.type == "support_inbox.created":
        return body
    # What it was before is kept nowhere.
    names = [chatwoot.INBOX_FIELDS[name] for name in event.data["changed"] if name in chatwoot.INBOX_FIELDS]
    return body | {"changed_attributes": [{name: {"current_value": body.get(name)}} for name in names]}


def other(type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """A test, or what is told of an event that is kept no more."""
    account = {"id": Numbers(UUID(data["organization_id"])).account, "name": ""}
    return {"event": NAMES.get(type, type.replace(".", "_")), "account": account, "id": data.get("object_id", "")}


_OF = {
    "support_message": _message,
    "support_conversation": _conversation,
    "support_contact": _contact,
    "support_widget": _opened,
    "support_typing": _typing,
    "support_inbox": _inbox,
}
WRITERS = {"chatwoot": Writer(takes, write, other)}
