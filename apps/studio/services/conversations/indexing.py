"""What conversations are found by: their titles, what people wrote, and what models answered.

The search is told to PostgreSQL as a part of the wall around the index (decision 34), for the length of one query.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection

from apps.core.ids import uuid7
from apps.core.jobs import TERMINAL
from apps.core.looking import looking_for
from apps.core.tenancy import current_organization
from apps.studio.models import ConversationIndex, Turn, TurnRole
from apps.studio.models.conversations import EVERYTHING
from ml.text.words import indexed, searched

# A vector holds a megabyte at most; beyond this a text is found by its beginning.
INDEXED_CHARS = 50_000
# So many answers are taken into the index at a time, by whoever searches or writes on.
AT_ONCE = 500
# Conversations that one search looks at, those in which it was said last.
MOST_FOUND = 2_000

# `organization`: what others have said in the same words is passed over inside the index.
_KEEP = """
INSERT INTO studio_conversationindex (id, organization_id, conversation_id, turn_id, search)
VALUES (%(id)s, %(organization)s, %(conversation)s, %(turn)s,
    to_tsvector('english', %(words)s) || array_to_tsvector(ARRAY[%(every)s, %(mark)s]))
ON CONFLICT (organization_id, conversation_id, turn_id) DO UPDATE SET search = excluded.search
"""
# Each word, or what begins with it, and each pair of ideographs; nothing, where no word says anything ("of").
_QUERY = """
SELECT CASE WHEN numnode(query) > 0 THEN (query && %(mark)s::tsquery)::text END
FROM to_tsquery('english', %(terms)s) query
"""
# It names no organization beside the wall, which does, and the mark: by such a condition the planner would read all of
# its rows.
_FOUND = """
WITH matching AS MATERIALIZED (
    SELECT conversation_id, turn_id FROM studio_conversationindex
), last AS (
    SELECT DISTINCT ON (conversation_id) conversation_id, turn_id FROM matching
    ORDER BY conversation_id, turn_id DESC NULLS LAST
)
SELECT conversation_id, turn_id FROM last ORDER BY coalesce(turn_id, conversation_id) DESC LIMIT %(limit)s
"""


def index_title(organization_id: UUID, conversation_id: UUID, title: str) -> None:
    _keep(organization_id, conversation_id, None, title)


def index_turn(turn: Turn, text: str) -> None:
    _keep(turn.organization_id, turn.conversation_id, turn.pk, text)


def _keep(organization_id: UUID, conversation_id: UUID, turn_id: UUID | None, text: str) -> None:
    with connection.cursor() as cursor:
        about: dict[str, Any] = {
            "id": uuid7(),
            "organization": organization_id,
            "conversation": conversation_id,
            "turn": turn_id,
            "words": indexed(text[:INDEXED_CHARS]),
            "every": EVERYTHING,
            "mark": _mark_of(organization_id),
        }
        cursor.execute(_KEEP, about)


def _mark_of(organization_id: UUID) -> str:
    """The word by which the index knows what an organization has said."""
    return f"organization {organization_id}"


def index_answers(conversation_id: UUID | None = None) -> int:
    """Takes answers that have ended since into the index, of one conversation or of all in scope; returns how many.

    The end of a generation writes nothing here, so that it costs the same whoever asked for it.
    """
    waiting = Turn.objects.filter(role=TurnRole.ASSISTANT, indexed=False, generation__status__in=TERMINAL)
    if conversation_id is not None:
        waiting = waiting.filter(conversation_id=conversation_id)
    rows = list(waiting.select_related("generation").order_by("pk")[:AT_ONCE])
    for row in rows:
        index_turn(row, row.generation.text if row.generation else "")
    Turn.objects.filter(pk__in=[row.pk for row in rows]).update(indexed=True)
    return len(rows)


def forget_answers(generations: Sequence[UUID]) -> None:
    """What is removed is not found any more."""
    ConversationIndex.objects.filter(turn__generation__in=generations).delete()


def is_searchable(search: str) -> bool:
    return any(searched(search))


def matches(search: str) -> dict[UUID, UUID | None]:
    """The conversations in scope that hold what is looked for, with the turn that says it last, or None for a title."""
    words, pairs = searched(search)
    mark = f"'{_mark_of(current_organization())}'"
    terms = " & ".join(f"'{term}':*" for term in (*words, *pairs))
    with looking_for(_QUERY, {"terms": terms, "mark": mark}) as (cursor, query):
        if not query:
            return {}
        cursor.execute(_FOUND, {"limit": MOST_FOUND})
        return dict(cursor.fetchall())
