"""How much of a prompt goes into a pass beside requests that are being written."""

from __future__ import annotations

# A pass with a part of a prompt may take this many usual ones: the promise is 3, and the worst of many passes takes
# half as long again as was estimated.
MOST_STEPS = 1.8
# Where several short ones come: each of their places is empty until its prompt has been computed.
CROWD_STEPS = 2.6
LEAST_TOKENS, STEP_TOKENS = 16, 16
# Weight of a new measurement, and how far it counts beyond what was expected: when the system puts a thread aside, one
# pass takes a hundred times as long, and the next parts would be as much too large or too small.
NEW = 0.2
MOST_GROWTH, MOST_COST = 1.3, 6.0


class Pace:
    """Learns what a pass costs, in seconds: without a prompt, and for each token of a prompt.

    The cost of a usual pass is kept per number of requests, rounded up to a power of two. Parts grow at most twofold
    beyond the largest seen: a small one tells little, since most of its time is that of the requests beside it.
    """

    def __init__(self, most_tokens: int) -> None:
        self._most = most_tokens
        self._usual: dict[int, float] = {}
        self._prompt_seconds = self._prompt_tokens = 0.0
        self._largest = LEAST_TOKENS // 2

    def prompt_tokens(self, writing: int, coming: int = 1, first: int = 0) -> int:
        """Return how many tokens of prompts to compute beside `writing` requests, when `coming` have prompts.

        One long prompt is measured by the usual pass of those who write. Where several come, it is by the one that all
        of them will have together, or the few that write would be served well and everybody else hardly at all. `first`
        is what the first of them still lacks: beside one that takes many passes each of these shall be short.
        """
        steps = MOST_STEPS if coming <= 1 or first > self._most else CROWD_STEPS
        usual = self._usual_pass(_size(writing))
        if not usual or not self._prompt_seconds:
            return min(self._most, LEAST_TOKENS)
        crowd = max(usual, self._usual_pass(_size(writing + max(0, coming - 1))))
        affordable = int((steps * crowd - usual) * self._prompt_tokens / self._prompt_seconds)
        tokens = min(affordable, 2 * self._largest)
        return max(LEAST_TOKENS, min(self._most, tokens // STEP_TOKENS * STEP_TOKENS))

    def observe(self, writing: int, prompt_tokens: int, seconds: float) -> None:
        """Learn from a pass."""
        size = _size(writing)
        if not prompt_tokens:
            old = min(self._usual.get(size, seconds), MOST_GROWTH * seconds)
            self._usual[size] = old + NEW * (min(seconds, MOST_GROWTH * old) - old)
        elif prompt_tokens >= LEAST_TOKENS:
            usual = self._usual_pass(size) if writing else 0.0
            cost = max(0.0, min(seconds - usual, MOST_COST * usual if usual else seconds))
            # Sums, so that a large part counts for more.
            self._prompt_seconds += cost - NEW * self._prompt_seconds
            self._prompt_tokens += prompt_tokens - NEW * self._prompt_tokens
            self._largest = max(self._largest, prompt_tokens)

    def _usual_pass(self, size: int) -> float:
        """Return what a pass for `size` requests takes, or less where only other numbers have been seen; 0 for none.

        Beside prompts all the time, some numbers never have a pass of their own.
        """
        if size in self._usual:
            return self._usual[size]
        fewer = max((seconds for seen, seconds in self._usual.items() if seen < size), default=0.0)
        more = min((seconds * size / seen for seen, seconds in self._usual.items() if seen > size), default=0.0)
        return max(fewer, more)


def _size(writing: int) -> int:
    return 1 << max(0, writing - 1).bit_length()
