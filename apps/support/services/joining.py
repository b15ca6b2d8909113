"""What a merge of two contacts would do, before it is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import Conflict
from apps.support.access import WRITE
from apps.support.models import Contact, ContactSession, Conversation, Rating
from apps.support.services.contacts import find

KEPT = ("name", "email", "phone", "identifier", "language")


@dataclass(frozen=True, slots=True)
class Field:
    """One part of two profiles, and what it is afterwards; `lost` says that the one's value stands nowhere then."""

    name: str
    one: str
    other: str
    after: str

    @property
    def lost(self) -> bool:
        return bool(self.one) and self.one != self.after


@dataclass(frozen=True, slots=True)
class Preview:
    one: Contact
    other: Contact
    fields: Sequence[Field]
    conversations: int
    sessions: int
    ratings: int

    @property
    def lost(self) -> list[Field]:
        return [each for each in self.fields if each.lost]


def preview(actor: Actor, id: UUID, into: UUID) -> Preview:
    """As `contacts.merge` would do it now; raises what that would."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        one, other = find(id), find(into)
        if one.pk == other.pk:
            raise Conflict("These are the same contact already.")
        return Preview(
            one,
            other,
            _fields(one, other),
            Conversation.objects.filter(contact=one, merged_into=None).count(),
            ContactSession.objects.filter(contact=one).count(),
            Rating.objects.filter(contact=one).count(),
        )


def _fields(one: Contact, other: Contact) -> list[Field]:
    """What the other has stays; what it has not is taken over."""
    pairs = [(name, str(getattr(one, name) or ""), str(getattr(other, name) or "")) for name in KEPT]
    names = sorted({*one.attributes, *other.attributes})
    pairs += [(name, _said(one.attributes.get(name)), _said(other.attributes.get(name))) for name in names]
    return [Field(name, mine, theirs, theirs or mine) for name, mine, theirs in pairs if mine or theirs]


def _said(value: object) -> str:
    return "" if value is None else str(value)
