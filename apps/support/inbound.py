"""A call from outside that writes into a conversation of the support desk, or puts an image there."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import InvalidRequest, NotFound
from apps.core.inbound import Action, Call, Input
from apps.support.access import WRITE
from apps.support.models import Contact, Conversation, Inbox, InboxKind, Message
from apps.support.pushed import images_of
from apps.support.services import contacts, conversations, messages
from apps.support.services.inboxes import NO_INBOX
from apps.support.services.storing import NO_CONVERSATION, Draft, by_contact, checked

KINDS = ("incoming", "outgoing", "note")
ONE_PLACE = gettext_noop("Say where the message goes: a conversation, or a contact and an inbox of the kind API.")
LONGEST_IDENTIFIER = contacts.LENGTHS["identifier"]


def _post(call: Call) -> None:
    """The same call again is the same message, and stands there once."""
    actor: Actor = call.actor
    actor.require(WRITE)
    actor.require_open()
    kind = str(call.inputs.get("kind", "incoming"))
    if kind not in KINDS:
        raise InvalidRequest("A message is incoming, outgoing or a note.", param="kind")
    digest = hashlib.sha256(f"{call.hook_id}:{call.key}".encode()).hexdigest()
    text = str(call.inputs.get("text", ""))
    draft = checked(Draft(text, f"hook-{digest[:40]}", files=images_of(call.inputs)))
    with tenancy.scope(actor.organization_id):
        place = _place(call.inputs)
        call.finish(_written(actor, place, kind, draft).pk)


def _written(actor: Actor, place: UUID, kind: str, draft: Draft) -> Message:
    if kind == "outgoing":
        return messages.reply(actor, place, draft)
    if kind == "note":
        return messages.note(actor, place, draft)
    return messages.receive_for(actor, place, draft)


def _place(inputs: Mapping[str, Any]) -> UUID:
    """The conversation that is meant; of a contact in an inbox the latest, or a new one."""
    wanted, identifier = inputs.get("conversation"), inputs.get("contact")
    if (wanted is None) == (identifier is None):
        raise InvalidRequest(ONE_PLACE, param="conversation")
    return _named(str(wanted)) if wanted is not None else _of_contact(str(identifier), inputs)


def _named(wanted: str) -> UUID:
    """By its number or its id."""
    wanted = wanted.strip().lstrip("#")
    if wanted.isascii() and wanted.isdecimal():
        rows = Conversation.objects.filter(number=int(wanted)) if len(wanted) < 16 else Conversation.objects.none()
    else:
        try:
            rows = Conversation.objects.filter(pk=UUID(wanted))
        except ValueError:
            raise NotFound(NO_CONVERSATION, param="conversation") from None
    found: UUID | None = rows.values_list("pk", flat=True).first()
    if found is None:
        raise NotFound(NO_CONVERSATION, param="conversation")
    return found


def _of_contact(identifier: str, inputs: Mapping[str, Any]) -> UUID:
    identifier = identifier.strip()
    if not 0 < len(identifier) <= LONGEST_IDENTIFIER:
        raise InvalidRequest("An identifier has 1 to 200 characters.", param="contact")
    inbox = _inbox(str(inputs.get("inbox", "")))
    contact: Contact | None = Contact.objects.filter(identifier=identifier, merged_into=None).first()
    if contact is None:
        contact = Contact(organization_id=inbox.organization_id)
        given = {name: str(inputs[name])[: contacts.LENGTHS[name]] for name in ("name", "email") if inputs.get(name)}
        contacts.fill(contact, {"identifier": identifier} | given)
        contacts.save(contact)
        contacts.created(contact)
    rows = Conversation.objects.filter(inbox=inbox, contact=contact, merged_into=None).order_by("-created_at", "-id")
    found: UUID | None = rows.values_list("pk", flat=True).first()
    return found or conversations.begin(inbox, contact, by_contact(contact)).pk


def _inbox(wanted: str) -> Inbox:
    """One of the kind API, by its id or name; held, so that two calls for a new contact make one."""
    rows = Inbox.objects.select_for_update(no_key=True).filter(kind=InboxKind.API, archived_at=None)
    try:
        found = rows.filter(pk=UUID(wanted)).first()
    except ValueError:
        found = rows.filter(name=wanted).first()
    if found is None:
        raise NotFound(NO_INBOX, param="inbox")
    inbox: Inbox = found
    return inbox


ACTIONS = (
    Action(
        "support_message",
        _("Write into a conversation of the support desk"),
        WRITE,
        (
            Input("text", _("What is said")),
            Input("image", _("An image: base64, a data URL, or its https address")),
            Input("image_name", _("What the image is called")),
            Input("conversation", _("Conversation: its number or id")),
            Input("contact", _("Or the contact: your own id for them")),
            Input("inbox", _("With the contact: an inbox of the kind API, by name or id")),
            Input("kind", _("incoming (from the contact), outgoing or note")),
            Input("name", _("Name of a contact that is new")),
            Input("email", _("Address of a contact that is new")),
        ),
        _post,
    ),
)
