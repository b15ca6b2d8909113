"""Sources: uploaded, pasted or fetched; new versions, another try, and deleting all of it."""

from __future__ import annotations

from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Q, Sum

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.billing.services import limits_of
from apps.core import events, jobs, outbound, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.jobs import Status
from apps.core.media import remove_strays as remove_strays_in
from apps.knowledge import files
from apps.knowledge.access import READ, WRITE
from apps.knowledge.errors import DuplicateSource, KnowledgeFull
from apps.knowledge.models import Collection, Origin, Source, SourceVersion, Stage
from apps.knowledge.reading import NO_SOURCE, source_of
from apps.knowledge.services.collections import locked_collection, paths_of

WAKE = "knowledge.wake"
LONGEST_TITLE, LONGEST_TEXT = 200, 1_000_000
MOST_WAITING = 1_000


def get_source(actor: Actor, id: UUID) -> Source:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return source_of(id)


def add_file(actor: Actor, collection_id: UUID, upload: files.Upload, title: str = "") -> SourceVersion:
    """A new document from an upload. Raises FileRefused, PayloadTooLarge, DuplicateSource or KnowledgeFull."""
    return _add(actor, collection_id, upload, title or (upload.name or ""), Origin.UPLOAD)


def add_text(actor: Actor, collection_id: UUID, title: str, text: str, markdown: bool = True) -> SourceVersion:
    """A new document from pasted text."""
    return _add(actor, collection_id, pasted(title, text, markdown), title, Origin.TEXT)


def add_url(actor: Actor, collection_id: UUID, url: str) -> SourceVersion:
    """A new document from a web page, which a worker fetches; OutboundRefused for what is no public https URL."""
    actor.require(WRITE)
    actor.require_open()
    outbound.target_of(url, settings.OUTBOUND_ALLOW_PRIVATE, "url")
    with tenancy.scope(actor.organization_id):
        collection = locked_collection(collection_id)
        require_room(actor.organization_id)
        if Source.objects.filter(collection=collection, url=url).exists():
            raise DuplicateSource("This address is in the collection already: fetch it again there.", param="url")
        source = _create(collection, url[:LONGEST_TITLE], Origin.URL, url)
        return _begin(actor, source, name=url[-files.LONGEST_NAME :])


def add_version(actor: Actor, document_id: UUID, upload: files.Upload | None = None) -> SourceVersion:
    """The source's content anew: from an upload or a text, or fetched again from its address where it has one."""
    actor.require(WRITE)
    actor.require_open()
    stored = files.store(actor.organization_id, upload) if upload is not None else None
    try:
        with tenancy.scope(actor.organization_id):
            source = _locked_source(document_id)
            require_room(actor.organization_id, 1 - source.passages)
            _require_settled(source)
            if stored is None and source.origin != Origin.URL:
                raise InvalidRequest("Choose the file of the new version.", param="file")
            if stored is None:
                return _begin(actor, source, name=source.url[-files.LONGEST_NAME :])
            current = SourceVersion.objects.filter(document=source, is_current=True, sha256=stored.sha256)
            if current.exists():
                raise DuplicateSource("This is the version that is there already.", param="file")
            return _begin(actor, source, **_facts(stored))
    except BaseException:
        _forget(actor.organization_id, stored)
        raise


def retry_version(actor: Actor, id: UUID) -> SourceVersion:
    """Another try for a version that failed; it keeps its number and its file."""
    actor.require(WRITE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        version: SourceVersion | None = (
            SourceVersion.objects.select_for_update(of=("self",)).select_related("document").filter(pk=id).first()
        )
        if version is None:
            raise NotFound("There is no version with this id.")
        if version.status != Status.FAILED or version.number != version.document.versions_count:
            raise Conflict("Only a newest version that failed is tried again.")
        # The attempt goes on counting: it fences off whoever held the last one.
        SourceVersion.objects.filter(pk=id).update(
            status=Status.QUEUED,
            stage=Stage.WAITING,
            error_code="",
            error_message="",
            crashes=0,
            finished_at=None,
            chunks=0,
            embedded=0,
        )
        version.refresh_from_db()
        audit.record(actor, "source.retried", version.document)
        jobs.ring(WAKE)
    return version


def delete_source(actor: Actor, id: UUID) -> None:
    """Removes a document: its rows, passages, vectors and files; a worker that still reads it finds nothing to end."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        source = _locked_source(id)
        paths = paths_of(source.versions.all())
        audit.record(actor, "source.deleted", source)
        events.record("source.deleted", source.pk, {"title": source.title})
        source.delete()
        transaction.on_commit(lambda: files.remove(actor.organization_id, paths))


def remove_strays() -> int:
    """Removes files without a version."""
    return remove_strays_in(
        files.FOLDER, lambda paths: SourceVersion.objects.filter(path__in=paths).values_list("path", flat=True)
    )


def pasted(title: str, text: str, markdown: bool = True) -> files.Content:
    if not text.strip():
        raise InvalidRequest("Paste some text.", param="text")
    if len(text) > LONGEST_TEXT:
        raise InvalidRequest("This may have %(most)s characters.", values={"most": LONGEST_TEXT}, param="text")
    name = "".join(letter if letter.isalnum() or letter in " -_" else " " for letter in title)
    return files.Content(f"{name.strip()[:100] or 'text'}.{'md' if markdown else 'txt'}", text.encode())


def passages_of(organization_id: UUID) -> int:
    """How many passages of the organization in scope are searched."""
    return int(Source.objects.aggregate(total=Sum("passages"))["total"] or 0)


def most_passages(organization_id: UUID) -> int:
    """How many passages the organization's plan has room for, and this installation at most."""
    return min(limits_of(organization_id).max_passages, settings.KNOWLEDGE_MAX_PASSAGES)


def lock_room(organization_id: UUID) -> None:
    """Until commit nobody else's passages come into the organization: two that fit alone may not fit together.

    Taken before the rows of a source. A lock of its own, for the passages of a long document take seconds to write.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('knowledge ' || %s, 0))", [str(organization_id)])


def require_room(organization_id: UUID, more: int = 1) -> None:
    """Raises KnowledgeFull where the plan has no room for so many passages more; fewer than before always fit."""
    most = most_passages(organization_id)
    if more > 0 and passages_of(organization_id) + more > most:
        raise KnowledgeFull(
            "The plan has room for %(most)s passages: delete documents, or change the plan.", values={"most": most}
        )


def _add(actor: Actor, collection_id: UUID, upload: files.Upload, title: str, origin: Origin) -> SourceVersion:
    actor.require(WRITE)
    actor.require_open()
    title = " ".join(title.split())[:LONGEST_TITLE]
    if not title:
        raise InvalidRequest("Give the document a title.", param="title")
    stored = files.store(actor.organization_id, upload)
    try:
        with tenancy.scope(actor.organization_id):
            collection = locked_collection(collection_id)
            require_room(actor.organization_id)
            _require_new(collection, stored.sha256)
            source = _create(collection, title, origin)
            return _begin(actor, source, **_facts(stored))
    except BaseException:
        _forget(actor.organization_id, stored)
        raise


def _facts(stored: files.Stored) -> dict[str, str | int]:
    return {
        "name": stored.name,
        "kind": stored.kind.value,
        "path": stored.path,
        "size": stored.size,
        "sha256": stored.sha256,
    }


def _forget(organization_id: UUID, stored: files.Stored | None) -> None:
    if stored is not None:
        files.remove(organization_id, [stored.path])


def _require_new(collection: Collection, sha256: str) -> None:
    """Of each document only what is searched, or will be, counts: an old version may come back under another name."""
    newest = Q(is_current=True) | Q(number=F("document__versions_count"), status__in=[Status.QUEUED, Status.RUNNING])
    same = SourceVersion.objects.filter(newest, sha256=sha256, document__collection=collection)
    found = same.select_related("document").first()
    if found is not None:
        raise DuplicateSource(
            "The collection has this already, as “%(title)s”.", values={"title": found.document.title}, param="file"
        )


def _require_settled(source: Source) -> None:
    if SourceVersion.objects.filter(document=source).unfinished().exists():
        raise Conflict("A version of this document is being read already; wait until that has ended.")


def _create(collection: Collection, title: str, origin: Origin, url: str = "") -> Source:
    made: Source = Source.objects.create(
        organization_id=collection.organization_id, collection=collection, title=title, origin=origin, url=url
    )
    return made


def _begin(actor: Actor, source: Source, **facts: str | int) -> SourceVersion:
    """The next version of the source, whose row the caller holds or has just made, and the bell for it."""
    if SourceVersion.objects.filter(status=Status.QUEUED).count() >= MOST_WAITING:
        raise Conflict("%(most)s documents are waiting already.", values={"most": MOST_WAITING})
    Source.objects.filter(pk=source.pk).update(versions_count=F("versions_count") + 1)
    source.refresh_from_db()
    version: SourceVersion = SourceVersion.objects.create(
        organization_id=actor.organization_id,
        document=source,
        number=source.versions_count,
        created_by_id=actor.user_id,
        request_id=structlog.contextvars.get_contextvars().get("request_id", "")[:64],
        **facts,
    )
    version.refresh_from_db()
    version.document = source
    action = "source.added" if version.number == 1 else "source.version_added"
    audit.record(actor, action, source, version=version.number, origin=source.origin)
    events.record(action, source.pk, {"title": source.title, "version": version.number})
    jobs.ring(WAKE)
    return version


def _locked_source(id: UUID) -> Source:
    source: Source | None = Source.objects.select_for_update().filter(pk=id).first()
    if source is None:
        raise NotFound(NO_SOURCE)
    return source
