"""A chart of bars, one a day, drawn on the server: places in the units of its own view box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

HEIGHT, BAR_STEP = 64, 10


@dataclass(frozen=True, slots=True)
class DayBar:
    """One day's tokens, and its bar's place in the chart."""

    day: date
    tokens: int
    x: int
    y: int
    height: int


def bars(days: Sequence[date], tokens: Mapping[date, int]) -> list[DayBar]:
    """A bar for each day, the highest as high as the chart; a day with any tokens can be seen."""
    most = max(tokens.values(), default=0)
    return [_bar(index, day, tokens.get(day, 0), most) for index, day in enumerate(days)]


def _bar(index: int, day: date, tokens: int, most: int) -> DayBar:
    height = max(2, round(HEIGHT * tokens / most)) if tokens and most else 0
    return DayBar(day=day, tokens=tokens, x=index * BAR_STEP, y=HEIGHT - height, height=height)
