"""Which documents somebody may read: one by its id, and lists by folder, tag and trash."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import NotFound
from apps.studio.models import Document

READ, WRITE = "documents:read", "documents:write"
NO_DOCUMENT = gettext_noop("There is no document with this id.")
NO_FOLDER = gettext_noop("There is no folder with this id.")


def get(actor: Actor, id: UUID, *, trashed: bool = False) -> Document:
    """A document of the actor's organization; one in the trash only where that is asked for."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return find(id, trashed=trashed)


def find(id: UUID, *, trashed: bool = False) -> Document:
    """A document of the organization in scope, for whoever may read them: a scope inside a scope takes two queries."""
    rows = Document.objects.select_related("folder", "updated_by", "created_by")
    found: Document | None = (rows if trashed else rows.present()).filter(pk=id).first()
    if found is None:
        raise NotFound(NO_DOCUMENT)
    return found


def locked(id: UUID, *, trashed: bool = False) -> Document:
    """The document of the scope, locked until commit: its text, its revision and its ranges change under this lock."""
    rows = Document.objects.select_for_update()
    found: Document | None = (rows if trashed else rows.present()).filter(pk=id).first()
    if found is None:
        raise NotFound(NO_DOCUMENT)
    return found


def listed(rows: Any, folder: UUID | None, tag: str) -> Any:
    """The documents of a folder, or with a tag, or all of them."""
    if folder is not None:
        rows = rows.filter(folder_id=folder)
    return rows.filter(tags__contains=[tag]) if tag else rows
