"""Finding passages of published articles: by meaning and by words, fused by their ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import InvalidRequest
from apps.knowledge import asking
from apps.knowledge.fusion import fused
from apps.knowledge.vectors import as_text
from apps.knowledge.words import mark_of, words_of
from apps.support.access_bot import READ
from apps.support.models import ArticlePassage

LONGEST_QUERY, MOST, CANDIDATES = 500, 20, 30

# A help centre has some thousand passages at most: every one is compared, and nothing is missed.
_NEAREST = """
SELECT id, -(embedding <#> %(vector)s::halfvec) FROM support_articlepassage
WHERE organization_id = %(organization)s AND embedder = %(embedder)s AND (%(locale)s = '' OR locale = %(locale)s)
ORDER BY embedding <#> %(vector)s::halfvec LIMIT %(limit)s
"""
_QUERY = """
SELECT replace(plainto_tsquery('english', %(latin)s)::text, ' & ', ' | '),
    replace(plainto_tsquery('simple', %(pairs)s)::text, ' & ', ' | ')
"""
_WORDS = """
SELECT id FROM support_articlepassage WHERE lexemes @@ (%(mark)s::tsquery && %(query)s::tsquery)
    AND organization_id = %(organization)s AND (%(locale)s = '' OR locale = %(locale)s)
ORDER BY ts_rank_cd(lexemes, %(query)s::tsquery, 1) DESC, id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A passage with the article and the exact version that it is cited from.

    `likeness` is the cosine of question and passage, 0 where no vectors were compared; `score` orders what is found.
    """

    passage_id: UUID
    article_id: UUID
    slug: str
    version_id: UUID
    number: int
    locale: str
    title: str
    heading: tuple[str, ...]
    text: str
    likeness: float
    score: float


def find(actor: Actor, query: str, locale: str = "", limit: int = 8) -> list[Found]:
    """For somebody who looks for an answer; waits for a worker that reads the question."""
    actor.require(READ)
    query = " ".join(query.replace("\0", "").split())
    if not 1 <= len(query) <= LONGEST_QUERY:
        raise InvalidRequest("A query has 1 to %(most)s characters.", values={"most": LONGEST_QUERY}, param="query")
    if not 1 <= limit <= MOST:
        raise InvalidRequest("limit must be from 1 to %(most)s.", values={"most": MOST}, param="limit")
    vector = asking.ask([query]).vectors[0]
    with tenancy.scope(actor.organization_id):
        return found_by(actor.organization_id, query, vector, locale, limit)


def found_by(
    organization_id: UUID, query: str, vector: Sequence[float] | None, locale: str = "", limit: int = 5
) -> list[Found]:
    """The search itself, in the organization's scope; without a vector by words alone."""
    this: dict[str, Any] = {"organization": organization_id, "locale": locale, "limit": CANDIDATES}
    near = _nearest(this, vector) if vector is not None else {}
    ranks = fused([list(near), _matching(this, query)])[:limit]
    rows = ArticlePassage.objects.filter(pk__in=[id for id, _ in ranks]).select_related("article", "version")
    found = {row.pk: row for row in rows.defer("embedding", "lexemes")}
    return [
        Found(
            id, row.article_id, row.article.slug, row.version_id, row.version.number, row.locale, row.version.title,
            tuple(row.heading), row.text, near.get(id, 0.0), round(score, 4),
        )
        for id, score in ranks
        if (row := found.get(id)) is not None
    ]  # fmt: skip


def _nearest(this: dict[str, Any], vector: Sequence[float]) -> dict[UUID, float]:
    with connection.cursor() as cursor:
        cursor.execute(_NEAREST, this | {"vector": as_text(vector), "embedder": settings.EMBEDDING_NAME})
        return {row[0]: float(row[1]) for row in cursor.fetchall()}


def _matching(this: dict[str, Any], query: str) -> list[UUID]:
    words = words_of(query)
    with connection.cursor() as cursor:
        cursor.execute(_QUERY, {"latin": words.latin, "pairs": words.pairs})
        asked = " | ".join(filter(None, cursor.fetchone()))
        if not asked:
            return []
        cursor.execute(_WORDS, this | {"mark": mark_of(this["organization"]), "query": asked})
        return [row[0] for row in cursor.fetchall()]
