"""Names in addresses: made from what a person called the thing, each once in an organization."""

from __future__ import annotations

import re
import secrets
from typing import Any

from django.utils.text import slugify

from apps.core.errors import Conflict, InvalidRequest

LONGEST = 60
# Addresses of pages beside the things.
RESERVED = frozenset({"new", "library", "settings", "measure"})
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")


def slug_for(rows: Any, name: str, wanted: str, fallback: str) -> str:
    """`wanted` where it is free, or one made from the name; raises Conflict where a wanted one is taken."""
    if wanted:
        if not _SLUG.fullmatch(wanted):
            raise InvalidRequest("A short name has small letters, digits and hyphens.", param="slug")
        if wanted in RESERVED or rows.filter(slug=wanted).exists():
            raise Conflict("This short name is taken.", param="slug")
        return wanted
    base = slugify(name)[: LONGEST - 10].strip("-_").replace("_", "-") or f"{fallback}-{secrets.token_hex(3)}"
    taken = RESERVED | set(rows.filter(slug__startswith=base).values_list("slug", flat=True))
    # Not found among a hundred numbers, a random end is free for sure.
    numbered = (base if number == 1 else f"{base}-{number}" for number in range(1, 100))
    return next((slug for slug in numbered if slug not in taken), f"{base}-{secrets.token_hex(4)}")
