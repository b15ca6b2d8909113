"""What is written: for each stream so many tokens a second, each with its number and the time it was due.

The due times of the streams are spread evenly over the period, so that the load is steady. Times are those of
`time.monotonic()`, which all processes of one machine share.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

TICK_SECONDS = 0.01


def token(number: int, due: float) -> str:
    return f"{number}:{due:.4f} "


def parse(text: str) -> Iterator[tuple[int, float]]:
    """The numbers and due times of the tokens in a piece of text."""
    for part in text.split():
        number, _, due = part.partition(":")
        yield int(number), float(due)


def schedule(streams: Sequence[str], rate: float, seconds: float) -> Iterator[list[tuple[str, int, float]]]:
    """Every tick, once its time has come: (stream, the token's number, due time) of all that is due."""
    began = time.monotonic()
    total = int(rate * seconds) * len(streams)
    each = 1 / (rate * len(streams))
    sent = 0
    while sent < total:
        due = min(total, int((time.monotonic() - began) / each) + 1)
        yield [
            (streams[index % len(streams)], index // len(streams), began + index * each) for index in range(sent, due)
        ]
        sent = due
        time.sleep(max(0.0, TICK_SECONDS - (time.monotonic() - began) % TICK_SECONDS))
