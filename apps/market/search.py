"""Finding listings: by words of title, description and seller, and by kind."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q

MOST_WORDS = 8


def matching(rows: Any, buyer_id: UUID, search: str, kind: str) -> Any:
    """Listings of other organizations that hold every word of the search."""
    rows = rows.exclude(organization_id=buyer_id)
    for word in search.split()[:MOST_WORDS]:
        rows = rows.filter(Q(title__icontains=word) | Q(description__icontains=word) | Q(seller_name__icontains=word))
    return rows.filter(kind=kind) if kind else rows
