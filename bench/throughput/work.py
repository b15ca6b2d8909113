"""What both sides are asked to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WORDS = (
    "amber basil cedar delta ember fjord grove haven inlet jetty knoll larch maple north olive pearl quill river"
).split()


def prompt(number: int, round_number: int) -> str:
    """About sixty tokens of a common tokenizer, another text for each stream of each round."""
    start = number * 7 + round_number * 3
    words = (WORDS[(start + step * (1 + number % 5)) % len(WORDS)] for step in range(24))
    return f"Order {round_number}-{number}. " + " ".join(words) + "."


def length(number: int, tokens: int) -> int:
    """How many tokens a text has: between half and one and a half times `tokens`, so that texts end one by one."""
    return tokens // 2 + tokens * ((number * 11 + number // 32 * 13) % 32) // 32


@dataclass(frozen=True, slots=True)
class Text:
    """One that was written: when its first token and its end came, in seconds, and how many tokens it has."""

    first: float
    end: float
    tokens: int

    def between(self, start: float, stop: float) -> float:
        """How many of its tokens came in this time, if they came evenly."""
        inside = max(0.0, min(stop, self.end) - max(start, self.first))
        return self.tokens * inside / max(self.end - self.first, 1e-9)


def result(customers: Sequence[Sequence[Text]], began: float) -> dict[str, float]:
    """The tokens that came while every customer had a text in hand, and the seconds of that.

    Before and after, the machine is not full: how texts begin is the business of the first token's figure.
    """
    texts = [text for texts in customers for text in texts]
    start = max(texts[0].first for texts in customers)
    stop = min(texts[-1].end for texts in customers)
    if stop <= start:
        raise RuntimeError("some customers had their last text before others had their first: ask for more texts")
    tokens = sum(text.between(start, stop) for text in texts)
    written = sum(text.tokens for text in texts)
    return {"tokens": tokens, "seconds": stop - start, "written": written, "all_begun": start - began}
