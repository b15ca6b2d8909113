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
    """The rows below an id, with one query; what is no id begins at the newest."""
    last = below(before)
    if last is not None:
        rows = rows.filter(id__lt=last)
    found = list(rows.order_by("-id")[: limit + 1])
    more = len(found) > limit
    return KeysetPage(found[:limit], found[limit - 1].pk if more else None)


def below(cursor: str | None) -> UUID | None:
    """The id that a cursor stands for; None for what is none."""
    try:
        return UUID(cursor or "")
    except ValueError:
        return None
