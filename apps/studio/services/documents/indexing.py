"""Keeping what a document is found by, in the transaction that changes it."""

from __future__ import annotations

from django.db import connection

from apps.core.ids import uuid7
from apps.studio.models import Document, DocumentIndex
from apps.studio.models.documents import EVERY_DOCUMENT
from ml.text.words import indexed

# A vector holds a megabyte at most; what comes behind this much of a text is not searched.
SEARCHED_CHARS = 60_000

# `organization`: documents of other organizations with the same words are passed over inside the index.
_KEEP = """
INSERT INTO studio_documentindex (id, organization_id, document_id, search, changed_at)
VALUES (%(id)s, %(organization)s, %(document)s,
    setweight(to_tsvector('english', %(title)s), 'A') || setweight(to_tsvector('english', %(tags)s), 'B')
    || setweight(to_tsvector('english', %(text)s), 'D') || array_to_tsvector(ARRAY[%(every)s, %(mark)s]), now())
ON CONFLICT (organization_id, document_id) DO UPDATE SET search = excluded.search, changed_at = excluded.changed_at
"""


def mark_of(organization_id: object) -> str:
    """The word by which the index knows an organization's documents."""
    return f"organization {organization_id}"


def index(document: Document) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _KEEP,
            {
                "id": uuid7(),
                "organization": document.organization_id,
                "document": document.pk,
                "title": indexed(document.title),
                "tags": indexed(" ".join(document.tags)),
                "text": indexed(document.text[:SEARCHED_CHARS]),
                "every": EVERY_DOCUMENT,
                "mark": mark_of(document.organization_id),
            },
        )


def forget(document: Document) -> None:
    """What is in the trash is not found."""
    DocumentIndex.objects.filter(document=document).delete()
