"""What a contact chooses or fills in where a message asks for it: kept with the message, as Chatwoot keeps it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_noop

from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.support.masking import clean_values
from apps.support.models import Contact, Conversation, Message, MessageKind
from apps.support.services import bot_calls, messages, ratings
from apps.support.services.desk import settings_of
from apps.support.services.storing import Draft, by_contact, change, message_changed

ASKING = frozenset({"input_select", "form", "input_email", "cards"})
RATING = "input_csat"
NO_MESSAGE = gettext_noop("There is no message with this id.")


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that was filled in (`name` and `value`) or chosen (`title` and `value`)."""

    name: str = ""
    title: str = ""
    value: Any = None

    def body(self) -> dict[str, Any]:
        named = {"name": self.name, "title": self.title}
        return {key: text for key, text in named.items() if text} | {"value": self.value}


@dataclass(frozen=True, slots=True)
class Submitted:
    """What was sent: fields, or for a question of how it was a `rating` from 1 to 5 with a comment."""

    fields: Sequence[Field] = ()
    rating: int | None = None
    comment: str = ""


def submit(held: Conversation, contact: Contact, sequence: int, said: Submitted) -> Message:
    """Keeps it, in scope, and tells whoever is told of changed messages; sent again, it takes the place of the one
    before. The own bot reads a choice as if it had been written. The conversation's row is held.
    """
    rows = Message.objects.select_related("user", "contact").prefetch_related("files")
    found: Message | None = rows.filter(conversation=held, sequence=sequence, kind=MessageKind.OUTGOING).first()
    if found is None or found.content_attributes.get("deleted"):
        raise NotFound(NO_MESSAGE)
    if found.content_type == RATING:
        if said.rating is None:
            raise InvalidRequest("A rating is from 1 to 5.", param="submitted_values")
        if rows.filter(conversation=held, content_type=RATING, sequence__gt=found.sequence).exists():
            raise Conflict("This was asked once more since: answer the later question.")
        ratings.rate(held, contact, said.rating, said.comment)
        found.refresh_from_db(fields=["content_attributes"])
        return found
    if found.content_type not in ASKING or not said.fields:
        raise InvalidRequest("This message asks for nothing of the kind.", param="submitted_values")
    values = clean_values([each.body() for each in said.fields], settings_of(held.organization_id).masked)
    if found.content_attributes.get("submitted_values") == values:
        # Sent again, as after a lost answer: nobody is told twice.
        return found
    found.content_attributes = found.content_attributes | {"submitted_values": values}
    found.save(update_fields=["content_attributes"])
    change(held, by_contact(contact), "submitted", {"message": found.sequence})
    message_changed(held, found, ["content_attributes"])
    words = next((str(each.title or each.value or "") for each in said.fields), "")
    if found.content_type == "input_select" and words and held.bot_owns and bot_calls.bot_of(held) is None:
        messages.receive(held, contact, Draft(words))
    return found
