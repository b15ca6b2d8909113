"""What the worker writes of a version: how far it has got, its passages at the end, or why there are none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from apps.core import events, tenancy
from apps.core.ids import uuid7
from apps.core.jobs import Status
from apps.knowledge import files
from apps.knowledge.models import Chunk, EmbeddingCall, Origin, Source, SourceVersion, Stage
from apps.knowledge.services.calls import settle_call
from apps.knowledge.services.sources import lock_room, require_room
from apps.knowledge.words import mark_of, words_of
from ml.text.chunks import Chunk as Cut

_INSERT = """
INSERT INTO knowledge_chunk (id, organization_id, collection_id, document_id, version_id, position, text, heading, page,
    tokens, lexemes, embedding)
SELECT new.id, %(organization)s, %(collection)s, %(source)s, %(version)s, new.position, new.text,
    ARRAY(SELECT jsonb_array_elements_text(new.heading)), new.page, new.tokens,
    to_tsvector('english', new.latin) || to_tsvector('simple', new.pairs) || to_tsvector('simple', %(mark)s),
    new.embedding::halfvec
FROM unnest(%(ids)s::uuid[], %(positions)s::int[], %(texts)s::text[], %(headings)s::jsonb[], %(pages)s::int[],
    %(tokens)s::int[], %(latins)s::text[], %(pairs)s::text[], %(embeddings)s::text[])
    AS new (id, position, text, heading, page, tokens, latin, pairs, embedding)
"""
INSERTED_AT_ONCE = 500


def note_stage(version: SourceVersion, stage: Stage, **facts: Any) -> bool:
    """Shows how far this attempt has got; False when the row is somebody else's by now, or gone."""
    with tenancy.scope(version.organization_id):
        return bool(_mine(version).update(stage=stage, **facts))


def note_fetched(version: SourceVersion, stored: files.Stored) -> bool:
    """Keeps what a page's address gave; what an earlier attempt had fetched is gone from the row, and its file too."""
    with tenancy.scope(version.organization_id):
        kept = _mine(version).update(
            path=stored.path, size=stored.size, sha256=stored.sha256, kind=stored.kind, name=stored.name
        )
        if kept and version.path:
            before = version.path
            transaction.on_commit(lambda: files.remove(version.organization_id, [before]))
    if not kept:
        files.remove(version.organization_id, [stored.path])
    return bool(kept)


def finish_version(
    version: SourceVersion,
    title: str,
    pages: int | None,
    cuts: Sequence[Cut],
    embeddings: Sequence[str],
    embedder: str,
    call: EmbeddingCall | None = None,
) -> bool:
    """The version's passages instead of those of the one before, all at once and charged with that; KnowledgeFull.

    `embeddings` are vectors as pgvector reads them. False if another attempt took over, or the source is gone.
    """
    with tenancy.scope(version.organization_id):
        # In the order of locks: the organization's room, the source, then its versions.
        lock_room(version.organization_id)
        source = Source.objects.select_for_update().filter(pk=version.document_id).first()
        if source is None or not _mine(version).exists():
            return False
        require_room(version.organization_id, len(cuts) - source.passages)
        SourceVersion.objects.filter(document=source, is_current=True).update(is_current=False)
        Chunk.objects.filter(document=source, embedding__isnull=False).update(lexemes=None, embedding=None)
        # Of an earlier try at the same version.
        Chunk.objects.filter(version_id=version.pk).delete()
        _insert(source, version, cuts, embeddings)
        _mine(version).update(
            status=Status.SUCCEEDED,
            stage=Stage.READY,
            is_current=True,
            pages=pages,
            chunks=len(cuts),
            embedded=len(cuts),
            tokens=sum(cut.tokens for cut in cuts),
            embedder=embedder,
            finished_at=Now(),
            lease_until=None,
        )
        if call is not None:
            settle_call(call)
        source.passages = len(cuts)
        if source.origin == Origin.URL and title and source.title == source.url[: len(source.title)]:
            source.title = title[:200]
        source.save(update_fields=["passages", "title"])
        events.record("source.ready", source.pk, {"version": version.number, "passages": len(cuts)})
    return True


def fail_version(version: SourceVersion, code: str, message: str = "") -> bool:
    """Ends this attempt without passages; what an earlier version of the source has goes on being found."""
    with tenancy.scope(version.organization_id):
        failed = _mine(version).update(
            status=Status.FAILED, error_code=code, error_message=message[:500], finished_at=Now(), lease_until=None
        )
        if failed:
            events.record("source.failed", version.document_id, {"version": version.number, "reason": code})
    return bool(failed)


def _mine(version: SourceVersion) -> Any:
    return SourceVersion.objects.filter(pk=version.pk, attempt=version.attempt, status=Status.RUNNING)


def _insert(source: Source, version: SourceVersion, cuts: Sequence[Cut], embeddings: Sequence[str]) -> None:
    about: dict[str, Any] = {
        "organization": source.organization_id,
        "collection": source.collection_id,
        "source": source.pk,
        "version": version.pk,
        "mark": mark_of(source.organization_id),
    }
    for begin in range(0, len(cuts), INSERTED_AT_ONCE):
        part = cuts[begin : begin + INSERTED_AT_ONCE]
        with connection.cursor() as cursor:
            cursor.execute(_INSERT, about | _columns(begin, part, embeddings[begin : begin + INSERTED_AT_ONCE]))


def _columns(begin: int, cuts: Sequence[Cut], embeddings: Sequence[str]) -> dict[str, list[Any]]:
    words = [words_of(cut.read) for cut in cuts]
    return {
        "ids": [uuid7() for _ in cuts],
        "positions": list(range(begin, begin + len(cuts))),
        "texts": [cut.text for cut in cuts],
        "headings": [json.dumps(cut.heading) for cut in cuts],
        "pages": [cut.page for cut in cuts],
        "tokens": [cut.tokens for cut in cuts],
        "latins": [each.latin for each in words],
        "pairs": [each.pairs for each in words],
        "embeddings": list(embeddings),
    }
