"""What pages and the API show of sources: each with its newest version, in as many queries as for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Q, Sum
from django.utils.translation import gettext_noop

from apps.core.errors import NotFound
from apps.core.jobs import Status
from apps.knowledge.errors import words_for
from apps.knowledge.models import Chunk, Collection, Source, SourceVersion

NO_COLLECTION = gettext_noop("There is no collection with this id.")
NO_SOURCE = gettext_noop("There is no document with this id.")
NO_PASSAGE = gettext_noop("There is no passage with this id.")
# Before and after a cited passage.
NEIGHBOURS = 2


@dataclass(frozen=True, slots=True)
class Listed:
    """A source and the state of its newest version."""

    source: Source
    version: SourceVersion

    @property
    def reason(self) -> str:
        """Why it failed, in the reader's language; empty if it did not."""
        return words_for(self.version.error_code) if self.version.failed else ""

    @property
    def percent(self) -> int:
        return 100 * self.version.embedded // self.version.chunks if self.version.chunks else 0


@dataclass(frozen=True, slots=True)
class Place:
    """A passage where it stands: its version, its source, and what is around it."""

    chunk: Chunk
    around: Sequence[Chunk]


def collection_of(id: UUID) -> Collection:
    """A collection of the organization in scope; pages are in it already."""
    found: Collection | None = Collection.objects.filter(pk=id).first()
    if found is None:
        raise NotFound(NO_COLLECTION)
    return found


def source_of(id: UUID) -> Source:
    """A document of the organization in scope, with its collection."""
    found: Source | None = Source.objects.select_related("collection").filter(pk=id).first()
    if found is None:
        raise NotFound(NO_SOURCE)
    return found


def collections() -> Any:
    """Every collection with how many documents and passages it has."""
    return Collection.objects.annotate(
        documents=Count("sources"), passages=Sum("sources__passages", default=0)
    ).order_by("name", "id")


def with_versions(sources: Sequence[Source]) -> list[Listed]:
    newest = SourceVersion.objects.filter(document__in=sources, number=F("document__versions_count"))
    by_source = {version.document_id: version for version in newest.select_related("created_by")}
    return [Listed(source, by_source[source.pk]) for source in sources if source.pk in by_source]


def unfinished_in(listed: Sequence[Listed]) -> bool:
    return any(each.version.status in {Status.QUEUED, Status.RUNNING} for each in listed)


def place_of(id: UUID) -> Place:
    """A passage of the organization in scope with its neighbours; NotFound for any other."""
    chunk: Chunk | None = (
        Chunk.objects.filter(pk=id)
        .select_related("version", "document", "collection")
        .defer("embedding", "lexemes")
        .first()
    )
    if chunk is None:
        raise NotFound(NO_PASSAGE)
    near = Q(position__gte=chunk.position - NEIGHBOURS, position__lte=chunk.position + NEIGHBOURS)
    around = Chunk.objects.filter(near, version_id=chunk.version_id).defer("embedding", "lexemes")
    return Place(chunk, list(around.order_by("position")))
