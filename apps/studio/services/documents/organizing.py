"""Folders, tags, the trash, and copies."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models.functions import Now
from django.utils.translation import gettext as _

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import Conflict, NotFound, Unprocessable
from apps.core.tenancy import Across, across_tenants
from apps.studio.models import Document, DocumentRevision, DocumentShare, Folder, RevisionKind
from apps.studio.services.documents.checks import LONGEST_TITLE, name_of, tags_of
from apps.studio.services.documents.indexing import forget, index
from apps.studio.services.documents.reading import NO_FOLDER, READ, WRITE, get, locked
from apps.studio.services.documents.writing import create, record

DEEPEST, MOST_FOLDERS, LONGEST_FOLDER = 6, 500, 120
IN_TRASH, STEPS_KEPT = timedelta(days=30), timedelta(days=1)
BATCH = 200


def move(actor: Actor, id: UUID, folder: UUID | None) -> Document:
    """Puts a document into a folder, or into none."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        document.folder = None if folder is None else _folder(folder)
        document.save(update_fields=["folder"])
        record(actor, "document.moved", document, folder=str(document.folder or ""))
    return document


def set_tags(actor: Actor, id: UUID, tags: Sequence[str]) -> Document:
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        document.tags = tags_of(tags)
        document.save(update_fields=["tags"])
        index(document)
        record(actor, "document.tagged", document, tags=", ".join(document.tags))
    return document


def duplicate(actor: Actor, id: UUID) -> Document:
    """A copy of the present text, in the same folder with the same tags."""
    source = get(actor, id)
    title = _("Copy of %(title)s") % {"title": source.title}
    return create(actor, title[:LONGEST_TITLE], source.text, source.folder_id, tags=source.tags)


def delete(actor: Actor, id: UUID) -> Document:
    """Into the trash, for thirty days; links to it stop working."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        Document.objects.filter(pk=document.pk).update(deleted_at=Now())
        DocumentShare.objects.filter(document=document, revoked_at=None).update(revoked_at=Now())
        forget(document)
        record(actor, "document.deleted", document)
        document.refresh_from_db(fields=["deleted_at"])
    return document


def undelete(actor: Actor, id: UUID) -> Document:
    """Back out of the trash; links stay revoked."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        document = locked(id, trashed=True)
        if document.deleted_at is None:
            return document
        document.deleted_at = None
        document.save(update_fields=["deleted_at"])
        index(document)
        record(actor, "document.undeleted", document)
    return document


def empty_trash() -> int:
    """Removes what has been in the trash for its time, and the steps between versions; returns how many documents."""
    with across_tenants(Across.HOUSEKEEPING):
        due = list(
            Document.objects.filter(deleted_at__lt=Now() - IN_TRASH).values_list("organization_id", "pk")[:BATCH]
        )
        DocumentRevision.objects.filter(
            kind__in=[RevisionKind.STEP, RevisionKind.BRANCH], created_at__lt=Now() - STEPS_KEPT
        ).delete()
    return sum(_remove(organization_id, id) for organization_id, id in due)


def _remove(organization_id: UUID, id: UUID) -> int:
    with tenancy.scope(organization_id):
        document: Document | None = Document.objects.select_for_update().filter(pk=id, deleted_at__isnull=False).first()
        if document is None:
            return 0
        audit.record(audit.system(organization_id), "document.removed", document)
        document.delete()
    return 1


# ---------------------------------------------------------------- folders


def create_folder(actor: Actor, name: str, parent: UUID | None = None) -> Folder:
    actor.require(WRITE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        above = None if parent is None else _folder(parent)
        if _depth(above) >= DEEPEST:
            raise Unprocessable("Folders lie at most %(most)s deep.", values={"most": DEEPEST}, param="parent")
        if Folder.objects.count() >= MOST_FOLDERS:
            raise Conflict("An organization has at most %(most)s folders.", values={"most": MOST_FOLDERS})
        name = name_of(name, LONGEST_FOLDER)
        _refuse_second(name, above, None)
        folder: Folder = Folder.objects.create(
            organization_id=actor.organization_id, name=name, parent=above, created_by_id=actor.user_id
        )
        _record_folder(actor, "folder.created", folder)
    return folder


def rename_folder(actor: Actor, id: UUID, name: str) -> Folder:
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        folder = _folder(id)
        name = name_of(name, LONGEST_FOLDER)
        _refuse_second(name, folder.parent, folder)
        folder.name = name
        folder.save(update_fields=["name"])
        _record_folder(actor, "folder.renamed", folder)
    return folder


def delete_folder(actor: Actor, id: UUID) -> None:
    """Removes an empty folder; what is in the trash loses its place."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        folder = _folder(id)
        if folder.children.exists() or folder.documents.filter(deleted_at=None).exists():
            raise Conflict("This folder is not empty: move what is in it first.")
        _record_folder(actor, "folder.deleted", folder)
        folder.documents.update(folder=None)
        folder.delete()


def folders(actor: Actor) -> list[Folder]:
    """The organization's folders, as `folder_tree` has them."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return folder_tree()


def folder_tree() -> list[Folder]:
    """Every folder in scope by name; `depth` says how deep each lies, parents before their children."""
    rows = list(Folder.objects.order_by("name", "id"))
    children: dict[UUID | None, list[Folder]] = {}
    for row in rows:
        children.setdefault(row.parent_id, []).append(row)
    found: list[Folder] = []

    def walk(parent: UUID | None, depth: int) -> None:
        for folder in children.get(parent, []):
            folder.depth = depth
            found.append(folder)
            walk(folder.pk, depth + 1)

    walk(None, 0)
    return found


def _folder(id: UUID) -> Folder:
    found: Folder | None = Folder.objects.select_for_update().filter(pk=id).first()
    if found is None:
        raise NotFound(NO_FOLDER)
    return found


def _depth(folder: Folder | None) -> int:
    depth = 0
    while folder is not None:
        depth, folder = depth + 1, folder.parent
    return depth


def _refuse_second(name: str, parent: Folder | None, itself: Folder | None) -> None:
    same = Folder.objects.filter(name=name, parent=parent)
    if (same.exclude(pk=itself.pk) if itself else same).exists():
        raise Conflict("There is a folder with this name.", param="name")


def _record_folder(actor: Actor, action: str, folder: Folder) -> None:
    audit.record(actor, action, folder)
    events.record(action, folder.pk, {"name": folder.name})
