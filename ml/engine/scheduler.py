"""Who runs in the next step. Pure decisions: no tensors, no clock, no threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from ml.engine.request import RequestState
from ml.types import FinishReason

BLOCK = 64  # cache rows grow in blocks of this many positions


def round_up(tokens: int) -> int:
    """Return `tokens` rounded up to whole blocks."""
    return -(-tokens // BLOCK) * BLOCK


@dataclass(slots=True)
class Limits:
    """What a batch may take: rows, cache positions of the whole batch, and prompt tokens prefilled per step."""

    max_running: int
    cache_tokens: int
    prefill_tokens: int


@dataclass(slots=True)
class Scheduler:
    """First come, first served, by free rows and cache positions.

    `running[i]` occupies cache row `i`: rows are always dense, so a decode step reads a slice of the cache instead
    of gathering rows. The cache is a rectangle, so a batch takes rows x its longest reservation. A request keeps
    its reservation (prompt plus max_tokens) until it ends, so nothing that runs is ever preempted.
    """

    limits: Limits
    waiting: deque[RequestState] = field(default_factory=deque)
    running: list[RequestState] = field(default_factory=list)

    def add(self, state: RequestState) -> None:
        self.waiting.append(state)

    def take_ended(self, cancelled: Iterable[str], now: float) -> list[tuple[RequestState, FinishReason, int | None]]:
        """Take out what was cancelled or is past its deadline, each with the cache row it gives back, if it had one.

        Rows are to be released in the order returned (see `remove`).
        """
        names = set(cancelled)
        ended: list[tuple[RequestState, FinishReason, int | None]] = []
        for state in [*self.waiting, *self.running]:
            deadline = state.request.deadline
            if state.request_id in names:
                ended.append((state, "cancelled", self.remove(state)))
            elif deadline is not None and now >= deadline:
                ended.append((state, "deadline", self.remove(state)))
        return ended

    def admit(self) -> list[RequestState]:
        """Move waiting requests into the batch, shortest prompt first, as new rows at its end.

        Only requests that arrived in a row are taken: one that does not fit yet holds up those behind it, so a
        long prompt is not starved by short ones. Sorting lets neighbours be prefilled together.
        """
        admitted: list[RequestState] = []
        budget = self.limits.prefill_tokens
        while self.waiting:
            state = self.waiting[0]
            tokens = len(state.prompt_ids) + len(state.output_ids)
            if not self._fits([*self.running, *admitted, state]) or (admitted and tokens > budget):
                break
            budget -= tokens
            admitted.append(self.waiting.popleft())
        admitted.sort(key=lambda state: len(state.prompt_ids) + len(state.output_ids))
        self.running.extend(admitted)
        return admitted

    def remove(self, state: RequestState) -> int | None:
        """Take out a request; returns the row that became free, into which the last row has to move."""
        if state in self.waiting:
            self.waiting.remove(state)
            return None
        row = self.running.index(state)
        last = self.running.pop()
        if last is not state:
            self.running[row] = last
        return row

    def longest_reservation(self) -> int:
        """Return the row length which the running batch needs, in whole blocks."""
        return max((round_up(state.reserved_tokens) for state in self.running), default=0)

    def _fits(self, batch: list[RequestState]) -> bool:
        length = max(round_up(state.reserved_tokens) for state in batch)
        return len(batch) <= self.limits.max_running and len(batch) * length <= self.limits.cache_tokens
