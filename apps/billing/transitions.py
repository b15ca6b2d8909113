"""Which status of a subscription may follow which, as Stripe documents it.

What Stripe has always wins and is written; a change that is not in this table is logged and counted, because it means
that something was missed or is not understood. Several steps may lie between two looks.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from apps.billing.models import Status

# One step, by Stripe's "subscription lifecycle".
STEPS: Final[dict[Status, frozenset[Status]]] = {
    Status.MANUAL: frozenset({Status.CANCELED}),
    Status.INCOMPLETE: frozenset({Status.ACTIVE, Status.INCOMPLETE_EXPIRED, Status.CANCELED}),
    Status.INCOMPLETE_EXPIRED: frozenset(),
    Status.TRIALING: frozenset({Status.ACTIVE, Status.PAST_DUE, Status.PAUSED, Status.CANCELED}),
    Status.ACTIVE: frozenset({Status.PAST_DUE, Status.PAUSED, Status.CANCELED}),
    Status.PAST_DUE: frozenset({Status.ACTIVE, Status.UNPAID, Status.PAUSED, Status.CANCELED}),
    Status.UNPAID: frozenset({Status.ACTIVE, Status.CANCELED}),
    Status.PAUSED: frozenset({Status.ACTIVE, Status.TRIALING, Status.PAST_DUE, Status.CANCELED}),
    Status.CANCELED: frozenset(),
}


def is_legal(before: Status, after: Status) -> bool:
    """Whether one may lead to the other in any number of steps."""
    return before == after or after in _reachable(before)


@cache
def _reachable(status: Status) -> frozenset[Status]:
    seen: set[Status] = set()
    waiting = list(STEPS[status])
    while waiting:
        step = waiting.pop()
        if step not in seen:
            seen.add(step)
            waiting += STEPS[step]
    return frozenset(seen)
