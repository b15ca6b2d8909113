"""What conversations are found by: masked messages, and the contact's name and address.

The search is told to PostgreSQL as a part of the wall around the index (decision 34), for the length of one query.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from apps.core.ids import uuid7
from apps.core.looking import looking_for
from apps.core.statements import prepared_cursor
from apps.core.tenancy import current_organization
from apps.support.models import Contact, Conversation, Message
from apps.support.models.conversations import EVERYTHING
from ml.text.words import indexed, searched

# A vector holds a megabyte at most; beyond this a text is found by its beginning.
INDEXED_CHARS = 50_000
# Conversations that one search looks at, those in which it was said last.
MOST_FOUND = 2_000

_KEEP = """
INSERT INTO support_messageindex (id, organization_id, conversation_id, message_id, search)
VALUES (%(id)s, %(organization)s, %(conversation)s, %(message)s,
    to_tsvector('english', %(words)s) || array_to_tsvector(ARRAY[%(every)s, %(mark)s]))
ON CONFLICT (organization_id, conversation_id, message_id) DO UPDATE SET search = excluded.search
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
    SELECT conversation_id, message_id FROM support_messageindex
), last AS (
    SELECT DISTINCT ON (conversation_id) conversation_id, message_id FROM matching
    ORDER BY conversation_id, message_id DESC NULLS LAST
)
SELECT conversation_id, message_id FROM last ORDER BY coalesce(message_id, conversation_id) DESC LIMIT %(limit)s
"""


def index_message(message: Message) -> None:
    _keep(message.conversation_id, message.pk, message.content)


def index_conversation(conversation: Conversation, contact: Contact) -> None:
    """By whom it is with, and what it is about."""
    words = (str(conversation.number), conversation.subject, contact.name, contact.email, contact.identifier)
    _keep(conversation.pk, None, " ".join(words))


def index_contact(contact: Contact) -> None:
    for conversation in Conversation.objects.filter(contact=contact):
        index_conversation(conversation, contact)


def _keep(conversation_id: UUID, message_id: UUID | None, text: str) -> None:
    organization_id = current_organization()
    about: dict[str, Any] = {
        "id": uuid7(),
        "organization": organization_id,
        "conversation": conversation_id,
        "message": message_id,
        "words": indexed(text[:INDEXED_CHARS]),
        "every": EVERYTHING,
        "mark": _mark_of(organization_id),
    }
    with prepared_cursor() as cursor:
        cursor.execute(_KEEP, about)


def _mark_of(organization_id: UUID) -> str:
    """The word by which the index knows what is an organization's."""
    return f"organization {organization_id}"


def is_searchable(search: str) -> bool:
    return any(searched(search))


def matches(search: str) -> dict[UUID, UUID | None]:
    """The conversations in scope that hold what is looked for, with the message that says it last, or None."""
    words, pairs = searched(search)
    mark = f"'{_mark_of(current_organization())}'"
    terms = " & ".join(f"'{term}':*" for term in (*words, *pairs))
    with looking_for(_QUERY, {"terms": terms, "mark": mark}) as (cursor, query):
        if not query:
            return {}
        cursor.execute(_FOUND, {"limit": MOST_FOUND})
        return dict(cursor.fetchall())
