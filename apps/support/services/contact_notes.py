"""What the desk writes down about contacts, for itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.support.access import READ, WRITE
from apps.support.masking import hidden
from apps.support.models import Contact, ContactNote
from apps.support.services import hints
from apps.support.services.contacts import find
from apps.support.services.desk import settings_of

NO_NOTE = gettext_noop("There is no note with this id.")
MOST, LONGEST = 500, 5_000


def of(contact: Contact) -> Any:
    """As a query, in scope, the newest first."""
    return ContactNote.objects.filter(contact=contact).select_related("user").order_by("-created_at", "-id")


def listed(actor: Actor, contact: UUID) -> list[ContactNote]:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return list(of(find(contact)))


def get(actor: Actor, contact: UUID, id: UUID) -> ContactNote:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return _found(find(contact), id)


def add(actor: Actor, contact: UUID, content: str) -> ContactNote:
    actor.require(WRITE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        row = find(contact, lock=True)
        if of(row).count() >= MOST:
            raise Conflict("There are %(most)s notes about this contact already.", values={"most": MOST})
        made = ContactNote(organization_id=row.organization_id, contact=row, user_id=actor.person_id)
        made.content = _masked(row, content)
        made.save(force_insert=True)
        made.refresh_from_db()
        _record(actor, "support_contact.note_added", row)
    return made


def change(actor: Actor, contact: UUID, id: UUID, content: str) -> ContactNote:
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        row = find(contact, lock=True)
        note = _found(row, id)
        masked = _masked(row, content)
        if masked != note.content:
            note.content, note.changed_at = masked, timezone.now()
            note.save(update_fields=["content", "changed_at"])
            _record(actor, "support_contact.note_changed", row)
    return note


def delete(actor: Actor, contact: UUID, id: UUID) -> None:
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        row = find(contact, lock=True)
        _found(row, id).delete()
        _record(actor, "support_contact.note_deleted", row)


def _found(contact: Contact, id: UUID) -> ContactNote:
    row: ContactNote | None = of(contact).filter(pk=id).first()
    if row is None:
        raise NotFound(NO_NOTE)
    return row


def _masked(contact: Contact, content: str) -> str:
    """Numbers are gone for good: of a note no original is kept."""
    text = content.strip()
    if not 0 < len(text) <= LONGEST:
        raise InvalidRequest("A note has 1 to %(most)s characters.", values={"most": LONGEST}, param="content")
    return hidden(text, settings_of(contact.organization_id).masked)


def _record(actor: Actor, act: str, contact: Contact) -> None:
    audit.record(actor, act, contact)
    events.record("support_contact.changed", contact.pk, {"changed": ["notes"]})
    hints.hint_event(contact.organization_id)
