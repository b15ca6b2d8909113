"""Passages of what is published: words at once, vectors by a worker as soon as it comes to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.db.models import F

from apps.core import tenancy
from apps.core.ids import uuid7
from apps.core.tenancy import Across, across_tenants
from apps.knowledge.vectors import as_text
from apps.knowledge.words import mark_of, words_of
from apps.support.models import Article, ArticlePassage, ArticleVersion
from ml.embeddings import MAX_TOKENS
from ml.embeddings.tokens import SPECIAL_TOKENS, lengths
from ml.text.chunks import Block, BlockKind, chunks
from ml.text.extraction.formats.markdown import blocks_of

INDEX = "support.index"
_INSERT = """
INSERT INTO support_articlepassage (id, organization_id, article_id, version_id, locale, position, text, heading,
    lexemes, embedder, tries)
VALUES (%(id)s, %(organization)s, %(article)s, %(version)s, %(locale)s, %(position)s, %(text)s, %(heading)s,
    to_tsvector('english', %(latin)s) || to_tsvector('simple', %(pairs)s) || to_tsvector('simple', %(mark)s), '', 0)
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A passage without a vector; `text` is what the encoder reads."""

    id: UUID
    organization_id: UUID
    text: str


def write_passages(article: Article, version: ArticleVersion) -> None:
    """The passages of the version that is published now, in place of those of its language before; in scope."""
    ArticlePassage.objects.filter(article=article, locale=version.locale).delete()
    title = Block(BlockKind.HEADING, version.title, 1)
    body = blocks_of(version.body)
    cuts = chunks((title, *_below(body)), lengths, MAX_TOKENS - SPECIAL_TOKENS, 0)
    with connection.cursor() as cursor:
        for position, cut in enumerate(cuts):
            words = words_of(cut.read)
            cursor.execute(
                _INSERT,
                {
                    "id": uuid7(),
                    "organization": article.organization_id,
                    "article": article.pk,
                    "version": version.pk,
                    "locale": version.locale,
                    "position": position,
                    "text": cut.text,
                    "heading": list(cut.heading),
                    "latin": words.latin,
                    "pairs": words.pairs,
                    "mark": mark_of(article.organization_id),
                },
            )


def _below(blocks: Sequence[Block]) -> list[Block]:
    """Headings of the text stand below its title."""
    return [Block(each.kind, each.text, each.level + 1) if each.kind == BlockKind.HEADING else each for each in blocks]


def claim_passages(limit: int) -> list[Waiting]:
    """Passages of any organization that have no vector, those tried least first; several workers may do the same."""
    with across_tenants(Across.CLAIM_WORK):
        rows = ArticlePassage.objects.filter(embedder="").order_by("tries", "id")[:limit]
        return [
            Waiting(row.pk, row.organization_id, "\n".join(filter(None, [" › ".join(row.heading), row.text])))
            for row in rows.defer("embedding", "lexemes")
        ]


def write_vectors(passages: Sequence[Waiting], vectors: Sequence[Sequence[float]], embedder: str) -> None:
    """What a worker has read; a passage that is gone meanwhile is passed over."""
    for passage, vector in zip(passages, vectors, strict=True):
        with tenancy.scope(passage.organization_id):
            ArticlePassage.objects.filter(pk=passage.id).update(embedding=as_text(vector), embedder=embedder)


def note_failure(passages: Sequence[Waiting]) -> None:
    """They are tried again behind all others: words find them all the same."""
    for passage in passages:
        with tenancy.scope(passage.organization_id):
            ArticlePassage.objects.filter(pk=passage.id).update(tries=F("tries") + 1)
