"""Pages of rows, newest first, by id: ids are in the order of time, so that any page is found by an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

PAGE_ROWS = 25


@dataclass(frozen=True, slots=True)
class KeysetPage:
    """Rows, newest first; `next` is the id to continue from, None at the end."""

    rows: Sequence[Any]
    next: UUID | None


def page_of(rows: Any, before: str | None, limit: int = PAGE_ROWS) -> KeysetPage:
    """The rows below an id; what is no id begins at the newest.

    Ids first, and then what is shown of them, so that no plan joins and sorts all the rows that match.
    """
    last = below(before)
    if last is not None:
        rows = rows.filter(id__lt=last)
    ids = list(rows.order_by("-id").values_list("pk", flat=True)[: limit + 1])
    found = list(rows.filter(pk__in=ids[:limit]).order_by("-id")) if ids else []
    return KeysetPage(found, ids[limit - 1] if len(ids) > limit else None)


def below(cursor: str | None) -> UUID | None:
    """The id that a cursor stands for; None for what is none."""
    try:
        return UUID(cursor or "")
    except ValueError:
        return None
