"""Collections: made, renamed, and deleted with all that is in them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.knowledge import files
from apps.knowledge.access import READ, WRITE
from apps.knowledge.models import Collection, Source, SourceVersion
from apps.knowledge.reading import NO_COLLECTION, collection_of

MOST_COLLECTIONS = 200
LONGEST_NAME, LONGEST_DESCRIPTION = 80, 300


def get_collection(actor: Actor, id: UUID) -> Collection:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return collection_of(id)


def create_collection(actor: Actor, name: str, description: str = "") -> Collection:
    actor.require(WRITE)
    actor.require_open()
    name, description = _checked(name, description)
    with tenancy.scope(actor.organization_id):
        if Collection.objects.count() >= MOST_COLLECTIONS:
            raise Conflict("An organization has at most %(most)s collections.", values={"most": MOST_COLLECTIONS})
        _require_free(name)
        made: Collection = Collection.objects.create(
            organization_id=actor.organization_id, name=name, description=description
        )
        made.refresh_from_db()
        _record(actor, "collection.created", made)
    return made


def change_collection(actor: Actor, id: UUID, name: str, description: str = "") -> Collection:
    actor.require(WRITE)
    name, description = _checked(name, description)
    with tenancy.scope(actor.organization_id):
        found = locked_collection(id)
        _require_free(name, found.pk)
        found.name, found.description = name, description
        found.save(update_fields=["name", "description"])
        _record(actor, "collection.changed", found)
    return found


def delete_collection(actor: Actor, id: UUID) -> None:
    """Removes the collection with its sources: rows, passages, vectors and files."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        found = locked_collection(id)
        # In the order of locks: whoever brings a new version of one of them waits, and then finds none.
        sources = list(Source.objects.select_for_update().filter(collection=found).order_by("id"))
        paths = paths_of(SourceVersion.objects.filter(document__in=sources))
        _record(actor, "collection.deleted", found)
        found.delete()
        transaction.on_commit(lambda: files.remove(actor.organization_id, paths))


def paths_of(versions: Any) -> list[str]:
    """Where the files of versions lie, that are about to be deleted: under their locks no worker gives one another."""
    return list(versions.select_for_update().order_by("id").values_list("path", flat=True))


def locked_collection(id: UUID) -> Collection:
    """The collection, locked until commit: what comes into it is checked against what is there."""
    found: Collection | None = Collection.objects.select_for_update().filter(pk=id).first()
    if found is None:
        raise NotFound(NO_COLLECTION)
    return found


def _record(actor: Actor, action: str, collection: Collection) -> None:
    audit.record(actor, action, collection)
    events.record(action, collection.pk, {"name": collection.name})


def _checked(name: str, description: str) -> tuple[str, str]:
    name, description = " ".join(name.split()), description.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidRequest("Give the collection a name of up to 80 characters.", param="name")
    if len(description) > LONGEST_DESCRIPTION:
        raise InvalidRequest("This may have %(most)s characters.", values={"most": 300}, param="description")
    return name, description


def _require_free(name: str, except_id: UUID | None = None) -> None:
    if Collection.objects.filter(name=name).exclude(pk=except_id).exists():
        raise Conflict("There is a collection with this name.", param="name")
