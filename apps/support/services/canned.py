"""Ready texts, filled in for a conversation."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.accounts.access import Actor
from apps.accounts.models import Organization, User
from apps.core import tenancy
from apps.core.errors import InvalidRequest, NotFound
from apps.support.access import READ
from apps.support.canned import Filled, fill, unfilled
from apps.support.models import CannedReply, Contact, Conversation


def render(actor: Actor, conversation_id: UUID, canned_id: UUID) -> Filled:
    """A ready text as it would be sent in a conversation."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        conversation: Conversation | None = Conversation.objects.filter(pk=conversation_id).first()
        if conversation is None:
            raise NotFound("There is no conversation with this id.")
        row: CannedReply | None = CannedReply.objects.filter(pk=canned_id).first()
        if row is None:
            raise NotFound("There is no ready text with this id.")
        return filled(row.content, conversation, Contact.objects.get(pk=conversation.contact_id), actor)


def filled(content: str, conversation: Conversation, contact: Contact, actor: Actor | None) -> Filled:
    return fill(content, values_of(conversation, contact, actor))


def refuse_unfilled(text: str) -> None:
    """Raises InvalidRequest where a contact would read the name of a place instead of what stands for it."""
    for name in unfilled(text)[:1]:
        raise InvalidRequest(
            "Nothing is known here that stands for %(place)s. Write something else there.",
            values={"place": "{{" + name + "}}"},
            param="text",
        )


def values_of(conversation: Conversation, contact: Contact, actor: Actor | None) -> dict[str, str]:
    """What stands for the names in ready texts, in scope."""
    person: User | None = person_of(actor).first() if actor else None
    name = Organization.objects.values_list("name", flat=True).get(pk=conversation.organization_id)
    return values_with(conversation, contact, person, name)


def person_of(actor: Actor) -> Any:
    """Who answers, as a query of one row, or of none for programs."""
    return User.objects.filter(pk=actor.person_id) if actor.person_id else User.objects.none()


def values_with(
    conversation: Conversation, contact: Contact, person: User | None, organization_name: str
) -> dict[str, str]:
    """The same where it is known who answers, and for whom."""
    agent = (person.name or person.email.partition("@")[0]) if person else ""
    return {
        "contact.name": contact.name,
        "contact.first_name": contact.name.partition(" ")[0],
        "contact.email": contact.email,
        "contact.phone": contact.phone,
        "agent.name": agent,
        "agent.first_name": agent.partition(" ")[0],
        "agent.email": person.email if person else "",
        "conversation.id": str(conversation.number),
        "inbox.name": conversation.inbox.name,
        "organization.name": organization_name,
    }
