"""Who is computed in the next pass: pure decisions about requests, tokens and blocks, without tensors.

Every running request gets one token in every pass. What the pass has room for besides goes to prompts, in the order of
their arrival and in parts, so that a long one never stops the others for long. Requests are admitted while there are
free blocks for their prompts; when the cache runs out under running requests, the one admitted last gives up its blocks
and waits at the front to be computed again, with the tokens it has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from ml.engine.blocks import BlockPool, extend
from ml.engine.request import RequestState
from ml.types import FinishReason

# How many later requests may overtake one for which there is no room yet, and how many are looked at for that.
OVERTAKERS = 16
# Blocks left free at an admission for the growth of those that run, for each of them.
HEADROOM = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """`running` requests at a time, and `prompt_tokens` of prompts in one pass when nothing else runs."""

    running: int
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Turn:
    """A request's part of a pass: the next `count` of its tokens."""

    state: RequestState
    count: int


@dataclass(slots=True)
class Scheduler:
    """Waiting and running requests; `preempted` and `reused` count since the start."""

    limits: Limits
    pool: BlockPool
    waiting: deque[RequestState] = field(default_factory=deque)
    running: list[RequestState] = field(default_factory=list)
    preempted: int = 0
    reused: int = 0
    _free_slots: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._free_slots = list(range(self.limits.running - 1, -1, -1))

    def add(self, state: RequestState) -> None:
        self.waiting.append(state)

    # ------------------------------------------------------------ the next pass

    def first_prompt(self) -> int:
        """Return how many tokens the prompt that is computed next still lacks; 0 without one."""
        begun = next((state.missing for state in self.running if state.missing > 1), 0)
        return begun or (self.waiting[0].missing if self.waiting else 0)

    def next_pass(self, prompt_tokens: int) -> list[Turn]:
        """Return what to compute: a token for each request that writes, and at most `prompt_tokens` of prompts."""
        self._make_room()
        writing = [state for state in self.running if state.missing == 1]
        turns = [Turn(state, 1) for state in writing]
        budget = prompt_tokens if writing else self.limits.prompt_tokens
        for state in self.running:
            if state.missing > 1 and budget > 0:
                turns.append(Turn(state, min(state.missing, budget)))
                budget -= turns[-1].count
        for state in self._admitted(budget):
            turns.append(Turn(state, min(state.missing, budget)))
            budget -= turns[-1].count
            if budget <= 0:
                break
        return turns

    def _make_room(self) -> None:
        """See that every writing request has a block for its next token, at the cost of the youngest."""
        for state in list(self.running):
            while state.slot is not None and self._missing_blocks(state) > self.pool.free:
                self._preempt(self.running[-1])
            if state.slot is not None:
                state.blocks += self.pool.take(self._missing_blocks(state))

    def _missing_blocks(self, state: RequestState) -> int:
        return max(0, -(-state.length // self.pool.size) - len(state.blocks))

    def _preempt(self, state: RequestState) -> None:
        self._leave(state)
        self.preempted += 1
        self.waiting.appendleft(state)

    def _admitted(self, budget: int) -> Iterator[RequestState]:
        """Admit waiting requests in order while there is room; one without room may be overtaken, but not for ever."""
        index = 0
        while budget > 0 and index < len(self.waiting) and len(self.running) < self.limits.running:
            if index > OVERTAKERS or any(passed.overtaken >= OVERTAKERS for passed in islice(self.waiting, index)):
                return
            state = self.waiting[index]
            if self._fits(state):
                del self.waiting[index]
                for passed in islice(self.waiting, index):
                    passed.overtaken += 1
                self._enter(state)
                yield state
            else:
                index += 1

    def _fits(self, state: RequestState) -> bool:
        """Whether there are blocks for all tokens so far, beside some headroom for those that run."""
        size = self.pool.size
        digests = self._digests(state)
        known, unused = self.pool.unused_among(digests)
        needed = -(-state.length // size) - known
        headroom = HEADROOM * len(self.running)
        return needed + unused + headroom <= self.pool.free

    def _digests(self, state: RequestState) -> Sequence[bytes]:
        """The digests of the blocks that may be shared: never the last token, whose logits are wanted."""
        tokens = state.tokens()
        extend(state.digests, state.scope, tokens, self.pool.size)
        return state.digests[: (len(tokens) - 1) // self.pool.size]

    def _enter(self, state: RequestState) -> None:
        state.slot, state.tabled = self._free_slots.pop(), 0
        state.blocks = self.pool.share(self._digests(state))
        state.computed = len(state.blocks) * self.pool.size
        self.reused += state.computed
        state.blocks += self.pool.take(self._missing_blocks(state))
        self.running.append(state)

    # ------------------------------------------------------------ after a pass

    def computed(self, turns: Sequence[Turn]) -> None:
        """Note that the turns have been computed, and what their filled blocks hold."""
        size = self.pool.size
        for turn in turns:
            state = turn.state
            full = state.computed // size
            state.computed += turn.count
            if state.computed // size > full:
                extend(state.digests, state.scope, state.tokens(), size)
                for index in range(full, state.computed // size):
                    self.pool.remember(state.blocks[index], state.digests[index])

    def remove(self, state: RequestState, void: bool = False) -> None:
        """Take a running request out; `void` says that its cache may hold nonsense and must not be shared."""
        self._leave(state, void)

    def _leave(self, state: RequestState, void: bool = False) -> None:
        self.running.remove(state)
        self.pool.give_back(state.blocks, void)
        if state.slot is not None:
            self._free_slots.append(state.slot)
        state.slot, state.blocks, state.computed = None, [], 0

    def take_ended(self, cancelled: set[str], now: float) -> list[tuple[RequestState, FinishReason]]:
        """Remove what was cancelled or is past its deadline, from wherever it is, with the reason."""
        ended: list[tuple[RequestState, FinishReason]] = []
        for state in [*self.running, *self.waiting]:
            deadline = state.request.deadline
            if state.request_id in cancelled:
                ended.append((state, "cancelled"))
            elif deadline is not None and now >= deadline:
                ended.append((state, "deadline"))
        for state, _ in ended:
            if state.slot is None:
                self.waiting.remove(state)
            else:
                self._leave(state)
        return ended
