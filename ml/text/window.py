"""Which of a conversation's messages a model is still given once all of them no longer fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ml.types import Message


def merged(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Without empty messages, and with neighbours of one role as one: many chat templates demand that roles take turns.

    An answer that failed leaves nothing between two messages of the same person.
    """
    kept: list[Message] = []
    for message in messages:
        if not message.content.strip():
            continue
        if kept and kept[-1].role == message.role:
            kept[-1] = Message(message.role, f"{kept[-1].content}\n\n{message.content}")
        else:
            kept.append(message)
    return tuple(kept)


def left_out(turns: Sequence[Message], fits: Callable[[int], bool]) -> int:
    """How many of the oldest turns have to go so that the rest fits; `fits(n)` says whether it does without n of them.

    What is kept begins with a user's message and always holds the last one, whether or not that fits by itself. `fits`
    is asked about log2 of the number of messages, since counting tokens is what takes time.
    """
    starts = [index for index, turn in enumerate(turns) if turn.role == "user"] or [0]
    if fits(0):
        return 0
    low, high = 0, len(starts) - 1
    while low < high:
        middle = (low + high) // 2
        if fits(starts[middle]):
            high = middle
        else:
            low = middle + 1
    return starts[low]
