"""A burst of messages is one turn: when it is over, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Somebody who has stopped for so long has said what there was to say; and nobody waits longer than that for an answer.
QUIET, LONGEST = 1.5, 6.0
# Words that go on: “my card is” is no question yet.
_OPEN = (",", "，", "、", "...", "…", ":", "：", "-")


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of a customer, and when it came, in seconds of any clock."""

    text: str
    at: float


def waits_until(messages: Sequence[Heard], is_typing: bool = False) -> float:
    """When the burst is over, if nothing else comes: then all of it is answered at once."""
    if not messages:
        return 0.0
    last, first = messages[-1], messages[0]
    quiet = QUIET * (2 if is_typing or last.text.rstrip().endswith(_OPEN) else 1)
    return min(last.at + quiet, first.at + LONGEST)


def text_of(messages: Sequence[Heard]) -> str:
    """What the burst says, each message in its line; one that was sent twice in a row counts once."""
    lines: list[str] = []
    for message in messages:
        text = message.text.strip()
        if text and (not lines or lines[-1] != text):
            lines.append(text)
    return "\n".join(lines)
