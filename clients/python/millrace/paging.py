"""Lists page by page: how the next page is asked for is read from the present one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from millrace import errors


def next_page(page: Mapping[str, Any]) -> dict[str, Any] | None:
    """Arguments that ask for the page behind this one; None behind the last.

    Most lists give an address with a cursor, or the cursor itself, in `next`; OpenAI's go on `after` the last id, rows
    of a bulk run after the last number, and messages `before` the earliest.
    """
    if earlier := page.get("earlier"):
        return {"before": earlier}
    if not page.get("has_more") or not page["data"]:
        return None
    if behind := page.get("next"):
        cursor = parse_qs(urlsplit(behind).query).get("cursor", [behind])
        return {"cursor": cursor[0]}
    last = page["data"][-1]
    place = page.get("last_id") or last.get("number") or last.get("id")
    if place is None:
        raise errors.UnexpectedAnswer("This list does not say how it goes on.")
    return {"after": place}
