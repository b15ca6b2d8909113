"""Whether anything is new for open pages, asked for many of them at once.

A page looks now and then without a hint, since hints may be lost. For a thousand pages that would be hundreds of
queries a second, which nearly always find what is known: so all that look within a moment share a few.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, F, Sum

from apps.core import tenancy
from apps.core.batching import Batcher
from apps.support.models import ContactSession, Conversation, Cursor

# So long are questions collected: who looks without a hint is in no hurry.
TOGETHER_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a conversation has got, and its readers: numbers of which none ever goes back, so that equal means the
    same. Times would not do, for what is committed later may have begun before.
    """

    last: int
    cursors: int
    read: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Whose a browser is, on which depends what it may follow."""

    contact_id: UUID
    verified: bool
    ended_at: datetime | None
    inbox_archived_at: datetime | None


@dataclass(frozen=True, slots=True)
class Belonging:
    """Whose a conversation is, and where it goes on."""

    contact_id: UUID
    session_id: UUID | None
    merged_into_id: UUID | None


def progress_of(last: int, cursors: Sequence[Cursor]) -> Progress:
    return Progress(last, len(cursors), sum(each.acknowledged + each.seen for each in cursors))


def _conversations(organization_id: UUID, ids: Sequence[UUID]) -> dict[UUID, tuple[Progress, Belonging]]:
    with tenancy.scope(organization_id):
        read = Cursor.objects.filter(conversation__in=ids).order_by().values_list("conversation_id")
        summed = read.annotate(count=Count("id"), total=Sum(F("acknowledged") + F("seen")))
        cursors = {id: (count, total) for id, count, total in summed}
        rows = Conversation.objects.filter(pk__in=ids).values_list(
            "pk", "last_sequence", "contact_id", "session_id", "merged_into_id"
        )
        return {
            id: (Progress(last, *cursors.get(id, (0, 0))), Belonging(contact, session, merged))
            for id, last, contact, session, merged in rows
        }


def _sessions(organization_id: UUID, ids: Sequence[UUID]) -> dict[UUID, Standing]:
    with tenancy.scope(organization_id):
        rows = ContactSession.objects.filter(pk__in=ids).values_list(
            "pk", "contact_id", "verified", "ended_at", "inbox__archived_at"
        )
        return {id: Standing(*rest) for id, *rest in rows}


_of_conversations: Batcher[tuple[Progress, Belonging]] = Batcher(_conversations, lambda: TOGETHER_SECONDS)
_of_sessions: Batcher[Standing] = Batcher(_sessions, lambda: TOGETHER_SECONDS)


async def progress(organization_id: UUID, conversation_id: UUID) -> Progress | None:
    """How far it has got; None where there is none. Raises OperationalError while the database is away."""
    found = await _of_conversations.get(organization_id, conversation_id)
    return found[0] if found else None


async def standing(organization_id: UUID, session_id: UUID) -> Standing | None:
    """Whose a browser is; None where there is none any more. Raises OperationalError while the database is away."""
    return await _of_sessions.get(organization_id, session_id)


async def place(
    organization_id: UUID, session_id: UUID, conversation_id: UUID
) -> tuple[Standing | None, Belonging | None]:
    """All on which it depends whether a browser may go on following a conversation, and where."""
    standing, found = await asyncio.gather(
        _of_sessions.get(organization_id, session_id), _of_conversations.get(organization_id, conversation_id)
    )
    return standing, found[1] if found else None
