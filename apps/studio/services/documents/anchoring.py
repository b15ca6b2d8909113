"""Suggestions and comments keep their place while the text around them changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models.functions import Now

from apps.core.errors import TextGone, Unprocessable
from apps.studio.models import Document, DocumentComment, Suggestion
from ml.text.edits import Edit, edits, found_again, moved

LONGEST_QUOTE = 20_000


def follow(document: Document, before: str) -> None:
    """Moves the open ranges of the locked document from its text `before` to the present one.

    Where an edit reaches into a range its quoted words may still stand elsewhere; where they do not it is gone.
    """
    suggestions = Suggestion.objects.filter(document=document, accepted_at=None, rejected_at=None)
    comments = DocumentComment.objects.filter(document=document, thread=None, resolved_at=None)
    changes: list[Edit] | None = None
    for rows in (suggestions, comments):
        for row in rows.only("start", "end", "quote", "gone_at"):
            changes = edits(before, document.text) if changes is None else changes
            _follow_one(row, document, changes)


def _follow_one(row: Any, document: Document, changes: Sequence[Edit]) -> None:
    place = None if row.gone_at else moved(row.start, row.end, changes)
    if place is not None and document.text[place[0] : place[1]] != row.quote:
        place = None
    place = place or found_again(document.text, row.quote, row.start)
    rows = type(row).objects.filter(pk=row.pk)
    if place is None:
        rows.filter(gone_at=None).update(gone_at=Now())
    else:
        rows.update(start=place[0], end=place[1], revision=document.revision, gone_at=None)


def anchor(document: Document, revision: int, start: int, end: int, quote: str) -> tuple[int, int]:
    """Where a range that somebody has selected in a revision stands in the locked document.

    Raises TextGone where the quoted words are no longer there, and Unprocessable for what is no range.
    """
    if not 0 <= start <= end or len(quote) > LONGEST_QUOTE or not quote.strip():
        raise Unprocessable("Select some words of the document.", param="quote")
    if document.text[start:end] == quote:
        return start, end
    place = found_again(document.text, quote, start)
    if place is None or revision > document.revision:
        raise TextGone("The words that were selected are no longer in the document.", param="quote")
    return place
