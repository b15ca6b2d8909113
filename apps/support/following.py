"""Following a conversation: what is stored behind a number, and then what comes, without an end.

The rows are the truth, and hints only say when to look: whoever misses one looks a little later. So a reader that comes
back with its last number has everything, however long it was away, once and in order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError

from apps.core import shutdown, tenancy
from apps.core.errors import ServiceUnavailable
from apps.core.rooms import Hints, rooms_of
from apps.core.statements import TenantStatement
from apps.core.threads import in_database
from apps.support import glancing
from apps.support.bodies import cursor_body, stretch_body
from apps.support.glancing import Progress
from apps.support.models import Cursor
from apps.support.services import reading
from apps.support.services.hints import channel_of

# A hint may be lost with Redis, and nothing else: after so long rows are looked at without one.
LOOK_SECONDS = 10.0
PATIENCE_SECONDS, AGAIN_SECONDS = 30.0, 0.5
AT_A_TIME = 100
NEW = "changed"
ANEW = {"type": NEW}

Frame = dict[str, Any]


def hints_of(organization_id: UUID, place: UUID | str) -> Any:
    """A context that gives the hints of a conversation, or of the list."""
    return rooms_of(f"{settings.REDIS_PREFIX}:desk:*", ANEW).entered(channel_of(organization_id, place))


async def follow(
    organization_id: UUID, conversation_id: UUID, after: int, hints: Hints, *, for_contact: bool = False
) -> AsyncGenerator[Frame]:
    """Frames: `messages` with what is behind `after`, `cursors` where somebody has seen more, `people` as a hint that
    somebody came, went or types, and `beat` after a quiet while.

    Raises ServiceUnavailable when the database stays away, and Leaving when this process stops.
    """
    loop = asyncio.get_running_loop()
    known: list[Any] = []
    first, away, told = True, None, loop.time()
    while True:
        shutdown.check(0.0)
        for frame in _besides_news(hints):
            yield frame
        try:
            stretch, cursors, progress = await in_database(_read, organization_id, conversation_id, after, for_contact)
            away = None
        except (OperationalError, InterfaceError) as error:
            away = away or loop.time()
            if loop.time() - away > PATIENCE_SECONDS:
                raise ServiceUnavailable("The database does not answer; come back.", retry_after=5) from error
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        if stretch["data"] or first or stretch["last"] > after:
            # The first one also where it is empty: whoever follows knows how far it has got.
            yield {"type": "messages", **stretch}
            told = loop.time()
        if cursors != known:
            known = cursors
            yield {"type": "cursors", "cursors": cursors}
        first = False
        if stretch["has_more"]:
            after = stretch["data"][-1]["sequence"]
            continue
        after = max(after, stretch["last"])
        is_new = False
        while not is_new:
            async for frame in _quiet(hints, loop.time() + LOOK_SECONDS):
                is_new = frame["type"] == NEW
                if not is_new:
                    yield frame
            if loop.time() - told >= settings.STREAM_HEARTBEAT_SECONDS:
                yield {"type": "beat"}
                told = loop.time()
            is_new = is_new or await _has_got_on(organization_id, conversation_id, progress)


def _besides_news(hints: Hints) -> list[Frame]:
    """What else is hinted by now: for all news that have been heard of the rows are read once."""
    waiting = [hints.get_nowait() for _ in range(hints.qsize())]
    return [{"type": str(hint.get("type"))} for hint in waiting if hint.get("type") != NEW]


async def _has_got_on(organization_id: UUID, conversation_id: UUID, known: Progress) -> bool:
    """Whether there is anything to read; where the database does not say, reading will find out."""
    try:
        return await glancing.progress(organization_id, conversation_id) != known
    except (OperationalError, InterfaceError):
        return True


async def _quiet(hints: Hints, until: float) -> AsyncGenerator[Frame]:
    """Waits until rows are to be looked at; ends with `NEW` where a hint says so, and others go on to the reader."""
    loop = asyncio.get_running_loop()
    while (left := until - loop.time()) > 0:
        shutdown.check(0.0)
        hint = await hints.within(min(1.0, left))
        if hint is None:
            # Looked at every second: whether this process stops, or the reader may not stay.
            yield {"type": "tick"}
            continue
        if hint.get("type") == NEW:
            yield hint
            return
        yield {"type": str(hint.get("type"))}


def _read(
    organization_id: UUID, conversation_id: UUID, after: int, for_contact: bool
) -> tuple[dict[str, Any], list[dict[str, Any]], Progress]:
    with tenancy.scope(organization_id):
        contact_id, last = reading.progress(conversation_id)
        found = reading.stretch_to(conversation_id, last, after, AT_A_TIME, visible=for_contact)
        rows = _CURSORS.ask(conversation_id)
        progress = glancing.progress_of(found.last, rows)
        if for_contact:
            return stretch_body(found, for_contact=True), _for_contact(rows, contact_id), progress
        return stretch_body(found), [cursor_body(row) for row in rows], progress


# Asked with each frame.
_CURSORS: TenantStatement[Cursor] = TenantStatement(
    lambda id: Cursor.objects.filter(conversation=id).order_by("id"), UUID
)


def _for_contact(rows: list[Cursor], contact_id: UUID) -> list[dict[str, Any]]:
    """The contact's own, and how far the desk has got, whoever of it: who its members are is not the contact's."""
    told = [cursor_body(row) for row in rows if row.contact_id == contact_id]
    if members := [row for row in rows if row.membership_id]:
        furthest = {name: max(getattr(row, name) for row in members) for name in ("acknowledged", "seen")}
        told.append({"member": None, "contact": None} | furthest)
    return told
