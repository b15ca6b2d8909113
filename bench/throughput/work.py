"""What both sides are asked to write."""

from __future__ import annotations

WORDS = (
    "amber basil cedar delta ember fjord grove haven inlet jetty knoll larch maple north olive pearl quill river"
).split()


def prompt(number: int, round_number: int) -> str:
    """About sixty tokens of a common tokenizer, another text for each stream of each round."""
    start = number * 7 + round_number * 3
    words = (WORDS[(start + step * (1 + number % 5)) % len(WORDS)] for step in range(24))
    return f"Order {round_number}-{number}. " + " ".join(words) + "."
