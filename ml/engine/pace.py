"""How much of a prompt goes into a pass beside requests that are being written."""

from __future__ import annotations

# A pass with a part of a prompt may take this many usual ones: the promise is 3, and estimates err.
MOST_STEPS = 2.2
LEAST_TOKENS, STEP_TOKENS = 16, 16
# Weight of a new measurement.
NEW = 0.2


class Pace:
    """Learns what a pass costs, in seconds: without a prompt, and for each token of a prompt.

    The cost of a usual pass is kept per number of requests, rounded up to a power of two.
    """

    def __init__(self, most_tokens: int) -> None:
        self._most = most_tokens
        self._usual: dict[int, float] = {}
        self._per_token = 0.0

    def prompt_tokens(self, writing: int) -> int:
        """Return how many tokens of prompts to compute beside `writing` requests."""
        usual = self._usual.get(_size(writing))
        if usual is None or not self._per_token:
            return min(self._most, 4 * LEAST_TOKENS)
        tokens = int((MOST_STEPS - 1) * usual / self._per_token)
        return max(LEAST_TOKENS, min(self._most, tokens // STEP_TOKENS * STEP_TOKENS))

    def observe(self, writing: int, prompt_tokens: int, seconds: float) -> None:
        """Learn from a pass."""
        size = _size(writing)
        if not prompt_tokens:
            self._usual[size] = _blend(self._usual.get(size), seconds)
        elif prompt_tokens >= LEAST_TOKENS:
            cost = max(0.0, seconds - (self._usual.get(size, 0.0) if writing else 0.0)) / prompt_tokens
            self._per_token = _blend(self._per_token or None, cost)


def _size(writing: int) -> int:
    return 1 << max(0, writing - 1).bit_length()


def _blend(old: float | None, new: float) -> float:
    return new if old is None else old + NEW * (new - old)
