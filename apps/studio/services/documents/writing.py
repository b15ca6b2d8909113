"""Writing documents: nothing is overwritten that the writer has not read.

A writer says which revision they have read. Where it is the present one their text becomes the next; where somebody
has written meanwhile the two changes are merged, and where they touch each other nothing is stored and both are shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import DocumentChanged, DocumentConflict, NotFound
from apps.studio.models import Document, DocumentRevision, Folder, Generation, RevisionKind
from apps.studio.services.documents import anchoring
from apps.studio.services.documents.checks import tags_of, text_of, title_of
from apps.studio.services.documents.indexing import index
from apps.studio.services.documents.presence import hint_changed
from apps.studio.services.documents.reading import NO_FOLDER, WRITE, locked
from ml.text.edits import Merge, merge

# A writing session ends with a pause, and after a while without one; its end is a version.
SESSION_PAUSE, LONGEST_SESSION = timedelta(minutes=5), timedelta(minutes=30)
CHANGED = gettext_noop("Somebody else has changed this document meanwhile.")
CONFLICT = gettext_noop("Somebody else has changed the same words meanwhile: choose what shall stay.")


@dataclass(frozen=True, slots=True)
class Saved:
    """A document after a save. `base` is the revision that holds exactly what the writer sent.

    It is the present one unless their text was merged with somebody else's.
    """

    document: Document
    base: int

    @property
    def merged(self) -> bool:
        return self.base != self.document.revision


def create(
    actor: Actor,
    title: str,
    markdown: str,
    folder: UUID | None = None,
    *,
    tags: list[str] | None = None,
    generation: Generation | None = None,
) -> Document:
    """A new document with its first version; `generation` is what it is saved from."""
    actor.require(WRITE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        if folder is not None and not Folder.objects.filter(pk=folder).exists():
            raise NotFound(NO_FOLDER, param="folder")
        document: Document = Document.objects.create(
            organization_id=actor.organization_id,
            title=title_of(title),
            text=text_of(markdown),
            folder_id=folder,
            tags=tags_of(tags or []),
            generation=generation,
            created_by_id=actor.user_id,
            updated_by_id=actor.user_id,
        )
        _keep(actor, document, RevisionKind.VERSION, document.text)
        index(document)
        record(actor, "document.created", document)
    return document


def save(actor: Actor, id: UUID, base: int, text: str, title: str | None = None, *, strict: bool = False) -> Saved:
    """The writer's text on top of revision `base`, merged with what others have written since.

    Raises DocumentConflict where both have changed the same words, and DocumentChanged where `strict` allows no merge.
    """
    actor.require(WRITE)
    text = text_of(text)
    with tenancy.scope(actor.organization_id):
        document = locked(id)
        new_title = document.title if title is None else title_of(title)
        if base == document.revision:
            return Saved(write(actor, document, text, new_title), document.revision)
        if strict or base > document.revision:
            raise DocumentChanged(CHANGED, revision=document.revision)
        merged, new_title = _merged(document, base, text, new_title)
        if merged.text == document.text and new_title == document.title:
            return Saved(document, document.revision)
        if merged.text == text:
            return Saved(write(actor, document, text, new_title), document.revision)
        document.revision += 1
        branch = document.revision
        _keep(actor, document, RevisionKind.BRANCH, text)
        return Saved(write(actor, document, merged.text, new_title), branch)


def _merged(document: Document, base: int, text: str, title: str) -> tuple[Merge, str]:
    """Text and title; raises DocumentConflict, with both, where the changes touch or what was read is gone."""
    read: DocumentRevision | None = DocumentRevision.objects.filter(document=document, number=base).first()
    merged = merge(read.text if read else "", text, document.text)
    titles = {title, document.title} - {read.title if read else ""}
    if read is None or not merged.clean or len(titles) > 1:
        raise DocumentConflict(CONFLICT, revision=document.revision, merge=merged)
    return merged, titles.pop() if titles else document.title


def write(actor: Actor, document: Document, text: str, title: str, *, apart: bool = False) -> Document:
    """Makes the text the next revision of the locked document; `apart`: a version of its own, whatever came before.

    A text that is the same is no change.
    """
    if (text, title) == (document.text, document.title):
        return document
    before = document.text
    renamed = title != document.title
    document.text, document.title = text, title
    document.revision += 1
    document.updated_by_id = actor.user_id
    continued = _keep(actor, document, RevisionKind.VERSION, text, apart=apart)
    Document.objects.filter(pk=document.pk).update(
        text=text, title=title, revision=document.revision, updated_by_id=actor.user_id, updated_at=Now()
    )
    anchoring.follow(document, before)
    index(document)
    if renamed or not continued:
        # Once a session: every pause in typing is no news.
        record(actor, "document.changed", document)
    hint_changed(document, actor)
    return document


def _keep(actor: Actor, document: Document, kind: RevisionKind, text: str, *, apart: bool = False) -> bool:
    """Stores the revision; True where it goes on with the writer's session, whose last version becomes a step."""
    session_at = timezone.now()
    continued = False
    if kind == RevisionKind.VERSION and not apart and actor.user_id is not None:
        versions = DocumentRevision.objects.filter(document=document, kind=RevisionKind.VERSION)
        last = versions.defer("text").order_by("-number").first()
        if last is not None and _goes_on(last, actor, session_at):
            session_at, continued = last.session_at, True
            DocumentRevision.objects.filter(pk=last.pk).update(kind=RevisionKind.STEP)
    DocumentRevision.objects.create(
        organization_id=document.organization_id,
        document=document,
        number=document.revision,
        kind=kind,
        title=document.title,
        text=text,
        created_by_id=actor.user_id,
        session_at=session_at,
    )
    return continued


def _goes_on(last: DocumentRevision, actor: Actor, now: datetime) -> bool:
    same = last.created_by_id == actor.user_id and not last.name and last.number > 1
    recent = now - last.created_at < SESSION_PAUSE
    return same and recent and now - last.session_at < LONGEST_SESSION


def record(actor: Actor, action: str, document: Document, **detail: Any) -> None:
    audit.record(actor, action, document, revision=document.revision, **detail)
    events.record(action, document.pk, {"title": document.title, "revision": document.revision})
