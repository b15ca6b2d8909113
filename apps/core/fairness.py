"""Which waiting jobs run next: start-time fair queueing over organizations, as pure functions without database.

The policy is that of Goyal, Vin and Cheng 1996 ("Start-time Fair Queueing"), with tokens as the service, as in the
virtual token counter of Sheng et al. 2024 ("Fairness in Serving Large Language Models"). Every organization has a
`turn`, a virtual time. The waiting job whose organization has the smallest turn goes first, and it moves that turn
on by its cost divided by the organization's weight. The `clock` is the turn at which the last job started; it never
goes back, and whoever has been away joins at the clock instead of catching up on what it did not ask for.

What follows from it, and what the tests hold:

- Under contention organizations are served in proportion to their weights, to within one job each.
- No starvation: each pick moves one turn strictly ahead and no other, so every turn comes. A job of an organization
  that has had less than its share of late is overtaken by at most one job of each other organization, however many
  those have waiting and however heavy they are.
- An organization at its most running jobs is passed over, and holds up nobody.

`apps.core.claims` asks the same of PostgreSQL in one statement; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

# Virtual time of one unit of cost at weight 1. Turns are whole numbers, so that Python and SQL agree exactly.
SCALE = 10_000
MAX_WEIGHT = 1_000


@dataclass(frozen=True, slots=True)
class WaitingJob:
    id: UUID
    created_at: datetime
    cost: int


@dataclass(frozen=True, slots=True)
class Queue:
    """One organization's waiting jobs, oldest first; `room` is how many more it may run now."""

    organization: UUID
    weight: int
    room: int
    turn: int
    jobs: tuple[WaitingJob, ...]


@dataclass(frozen=True, slots=True)
class Pick:
    """A job that runs next; `start` is the clock afterwards, `start + step` the organization's turn."""

    job: UUID
    organization: UUID
    weight: int
    start: int
    step: int


def step(cost: int, weight: int) -> int:
    """How far a job moves its organization's turn on; never zero, or a heavy organization would not move at all."""
    return max(1, cost * SCALE // weight)


def choose(queues: Sequence[Queue], clock: int, limit: int) -> list[Pick]:
    """The next `limit` jobs in the order in which they run; equal turns are served oldest job first."""
    turns = {queue.organization: max(queue.turn, clock) for queue in queues}
    given = dict.fromkeys(turns, 0)
    picks: list[Pick] = []
    while len(picks) < limit:
        ready = [
            (turns[queue.organization], job.created_at, job.id, queue, job)
            for queue in queues
            if (nth := given[queue.organization]) < min(queue.room, len(queue.jobs))
            for job in [queue.jobs[nth]]
        ]
        if not ready:
            break
        start, _, _, queue, job = min(ready, key=lambda entry: entry[:3])
        picks.append(Pick(job.id, queue.organization, queue.weight, start, step(job.cost, queue.weight)))
        turns[queue.organization] = start + picks[-1].step
        given[queue.organization] += 1
    return picks
