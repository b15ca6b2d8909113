"""Finding documents by their words, the best first.

The search is told to PostgreSQL as a part of the wall around the index (see the table's migration), for the length of
one query. Of very many that match, the newest are ranked: whoever looks for a word that everything holds wants those.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models.functions import Left

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.looking import looking_for
from apps.core.tenancy import current_organization
from apps.studio.models import Document
from apps.studio.services.documents.indexing import mark_of
from apps.studio.services.documents.reading import READ, listed
from ml.text.words import searched, snippet

# So many of those that match are ranked; if so many of the `RECENT` documents changed last match, those.
RANKED, RECENT = 300, 2_000
SNIPPET_CHARS = 20_000
MOST_FOUND = 50

# The last word may be only the beginning of one, as somebody types it; one that says nothing ("of") is left out.
_QUERY = """
%(mark)s::tsquery && plainto_tsquery('english', %(words)s) && coalesce(nullif(%(pairs)s, ''), %(mark)s)::tsquery
    && CASE WHEN numnode(plainto_tsquery('english', %(last)s)) = 0 THEN %(mark)s::tsquery
        ELSE plainto_tsquery('english', %(last)s) || %(prefix)s::tsquery END
"""
# What is in a part of all documents is found among those changed last, by their order; for anything else the index of
# words is read, which for a common one would give most of the table. That part names no organization beside the wall,
# which does, and the mark: by such a condition the planner would read every document of it.
_FOUND = """
WITH recent AS MATERIALIZED (
    SELECT document_id FROM studio_documentindex
    WHERE organization_id = %(organization)s AND changed_at >= (
        SELECT updated_at FROM studio_document WHERE organization_id = %(organization)s AND deleted_at IS NULL
        ORDER BY deleted_at, updated_at DESC OFFSET %(recent)s LIMIT 1
    ) ORDER BY changed_at DESC LIMIT %(ranked)s
), newest AS MATERIALIZED (
    SELECT document_id FROM recent WHERE (SELECT count(*) FROM recent) = %(ranked)s
    UNION ALL (
        SELECT document_id FROM studio_documentindex WHERE (SELECT count(*) FROM recent) < %(ranked)s
        ORDER BY changed_at DESC LIMIT %(ranked)s
    )
)
SELECT newest.document_id FROM newest JOIN studio_documentindex found USING (document_id)
WHERE found.organization_id = %(organization)s
ORDER BY ts_rank(found.search, %(query)s::tsquery) DESC, newest.document_id DESC LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Found:
    """A document with the piece of its text that matches, in parts: words, and whether they were looked for."""

    document: Document
    snippet: Sequence[tuple[str, bool]]


def search(
    actor: Actor, text: str, *, folder: UUID | None = None, tag: str = "", limit: int = MOST_FOUND
) -> list[Found]:
    """The documents that hold every word of the text; the last word may be the beginning of one."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return matching(text, folder, tag, limit)


def matching(text: str, folder: UUID | None = None, tag: str = "", limit: int = MOST_FOUND) -> list[Found]:
    """The same in scope, for whoever may read documents."""
    words, pairs = searched(text)
    if not words and not pairs:
        return []
    ids = _ids(current_organization(), words, pairs, limit)
    rows = Document.objects.present().for_lists().filter(pk__in=ids).annotate(beginning=Left("text", SNIPPET_CHARS))
    by_id = {row.pk: row for row in listed(rows, folder, tag)}
    return [Found(by_id[id], snippet(by_id[id].beginning, text)) for id in ids if id in by_id]


def _ids(organization_id: UUID, words: list[str], pairs: list[str], limit: int) -> list[UUID]:
    mark = f"'{mark_of(organization_id)}'"
    with looking_for(_QUERY, _parts(mark, words, pairs)) as (cursor, query):
        about = {"organization": organization_id, "ranked": RANKED, "recent": RECENT, "limit": limit, "query": query}
        cursor.execute(_FOUND, about)
        return [id for (id,) in cursor.fetchall()]


def _parts(mark: str, words: list[str], pairs: list[str]) -> dict[str, str]:
    """What the query is made of. Words are letters and digits alone, so that quoting them is enough."""
    return {
        "mark": mark,
        "words": " ".join(words[:-1]),
        "last": words[-1] if words else "",
        "prefix": f"'{words[-1]}':*" if words else mark,
        # A single ideograph is the beginning of a pair.
        "pairs": " & ".join(f"'{pair}'" if len(pair) > 1 else f"'{pair}':*" for pair in pairs),
    }
