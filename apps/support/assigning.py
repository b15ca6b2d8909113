"""Who is given a conversation: pure, without database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

# Whoever's console has not said so for this long is not there; it says so every twenty seconds.
PRESENT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent as rules see them; `given_at` is when they were last given something, None for never."""

    id: UUID
    is_there: bool
    load: int
    capacity: int
    skills: frozenset[str]
    teams: frozenset[UUID]
    inboxes: frozenset[UUID]
    given_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A conversation that waits. `inbox_is_open` says that every agent serves its inbox."""

    id: UUID
    inbox: UUID
    inbox_is_open: bool
    team: UUID | None
    skills: frozenset[str]


def may_take(candidate: Candidate, waiting: Waiting) -> bool:
    """There, with room, in its inbox and team, and with every skill that it needs."""
    return (
        candidate.is_there
        and candidate.load < candidate.capacity
        and (waiting.inbox_is_open or waiting.inbox in candidate.inboxes)
        and (waiting.team is None or waiting.team in candidate.teams)
        and waiting.skills <= candidate.skills
    )


def choose(candidates: Iterable[Candidate], waiting: Waiting) -> Candidate | None:
    """The one among those who may take it that was given nothing for the longest time."""
    able = [each for each in candidates if may_take(each, waiting)]
    return min(able, key=lambda each: (each.given_at is not None, each.given_at, each.id.int), default=None)


def give_out(candidates: Sequence[Candidate], queue: Sequence[Waiting], now: datetime) -> list[tuple[Waiting, UUID]]:
    """Goes through the queue in order of arrival; what nobody can take holds up nothing behind it."""
    known = {each.id: each for each in candidates}
    given: list[tuple[Waiting, UUID]] = []
    for waiting in queue:
        chosen = choose(known.values(), waiting)
        if chosen is None:
            continue
        given.append((waiting, chosen.id))
        known[chosen.id] = _after(chosen, now, len(given))
    return given


def _after(chosen: Candidate, now: datetime, turn: int) -> Candidate:
    # Later than whoever was given something before in the same round.
    later = now + timedelta(microseconds=turn)
    return Candidate(
        chosen.id,
        chosen.is_there,
        chosen.load + 1,
        chosen.capacity,
        chosen.skills,
        chosen.teams,
        chosen.inboxes,
        later,
    )
