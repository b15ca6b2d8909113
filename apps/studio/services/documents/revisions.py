"""The versions of a document: named, compared and restored."""

from __future__ import annotations

from uuid import UUID

from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import NotFound
from apps.studio.models import Document, DocumentRevision, RevisionKind
from apps.studio.services.documents.checks import name_of
from apps.studio.services.documents.reading import READ, WRITE, locked
from apps.studio.services.documents.writing import record, write

NO_VERSION = gettext_noop("This document has no such version.")


def version(actor: Actor, id: UUID, number: int) -> DocumentRevision:
    """One version of a document that is not in the trash."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return find_version(id, number)


def find_version(id: UUID, number: int) -> DocumentRevision:
    """The same in scope."""
    rows = DocumentRevision.objects.filter(document_id=id, document__deleted_at=None, kind=RevisionKind.VERSION)
    return _found(rows.select_related("created_by").filter(number=number).first())


def text_at(actor: Actor, id: UUID, number: int) -> str:
    """The text of any revision that is still kept, for a change that leaves it as it was read."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        rows = DocumentRevision.objects.filter(document_id=id, document__deleted_at=None, number=number)
        return _found(rows.first()).text


def name_version(actor: Actor, id: UUID, number: int, name: str) -> DocumentRevision:
    """Gives a version a name; what is written next begins a version of its own."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        rows = DocumentRevision.objects.filter(document=document, kind=RevisionKind.VERSION)
        found = _found(rows.filter(number=number).first())
        found.name = name_of(name)
        found.save(update_fields=["name"])
        audit.record(actor, "document.version_named", document, number=number, name=found.name)
    return found


def restore(actor: Actor, id: UUID, number: int) -> Document:
    """Makes an earlier version's text and title the present ones; what was there stays a version of its own."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        rows = DocumentRevision.objects.filter(document=document, kind=RevisionKind.VERSION)
        found = _found(rows.filter(number=number).first())
        document = write(actor, document, found.text, found.title, apart=True)
        record(actor, "document.restored", document, number=number)
    return document


def _found(row: DocumentRevision | None) -> DocumentRevision:
    if row is None:
        raise NotFound(NO_VERSION)
    return row
