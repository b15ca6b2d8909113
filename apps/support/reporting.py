"""What a desk's history says of its work: pure arithmetic over what each conversation's messages tell.

A conversation's time with the bot is no time of the people's: their clocks begin when it was opened for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import fmean, median
from typing import Any


@dataclass(frozen=True, slots=True)
class Told:
    """One message as reports see it."""

    at: datetime
    kind: str
    author: str
    changes: dict[str, list[Any]]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """One conversation's figures, in seconds; None where it has not come to that."""

    first_reply: float | None
    resolution: float | None
    bot: float
    had_bot: bool
    by_bot: bool
    resolved: bool


@dataclass(frozen=True, slots=True)
class Spread:
    """Of several durations: how many, their mean and their median, in seconds."""

    count: int = 0
    mean: float | None = None
    median: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    conversations: int
    first_reply: Spread
    resolution: Spread
    bot: Spread
    with_bot: int
    resolved_by_bot: int
    ratings: dict[int, int] = field(default_factory=dict)
    rating_mean: float | None = None
    promises_kept: int = 0
    promises_missed: int = 0
    resolved: int = 0
    incoming: int = 0
    outgoing: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """What else there is of a conversation: ratings, promises, and messages from and to the contact."""

    scores: tuple[int, ...] = ()
    kept: int = 0
    missed: int = 0
    incoming: int = 0
    outgoing: int = 0


def work_of(history: Iterable[Told], now: datetime) -> Work:
    """Reads a conversation's messages in their order."""
    opened: datetime | None = None
    replied: datetime | None = None
    resolved: datetime | None = None
    since: datetime | None = None
    bot, had_bot, by_bot = 0.0, False, False
    for each in history:
        owns = each.changes.get("bot_owns")
        status = each.changes.get("status")
        if owns is not None and owns[1]:
            since, had_bot = each.at, True
        elif owns is not None and since is not None:
            bot += (each.at - since).total_seconds()
            since = None
        if status is not None:
            by_bot = status[1] == "resolved" and bool(owns and owns[0])
            resolved = each.at if status[1] == "resolved" else None
            if status[1] == "open" and opened is None:
                opened = each.at
        if each.kind == "outgoing" and each.author == "agent" and replied is None:
            replied = each.at
    bot += (now - since).total_seconds() if since else 0.0
    return Work(_since(opened, replied), _since(opened, resolved), bot, had_bot, by_bot, resolved is not None)


def _since(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start is not None and end is not None else None


def spread(values: Iterable[float | None]) -> Spread:
    found = [value for value in values if value is not None]
    return Spread(len(found), fmean(found), median(found)) if found else Spread()


def summed(work: Sequence[Work], counted: Sequence[Counted]) -> Report:
    scores = [score for each in counted for score in each.scores]
    return Report(
        conversations=len(work),
        first_reply=spread(each.first_reply for each in work),
        resolution=spread(each.resolution for each in work),
        bot=spread(each.bot for each in work if each.had_bot),
        with_bot=sum(each.had_bot for each in work),
        resolved_by_bot=sum(each.by_bot for each in work),
        ratings={score: scores.count(score) for score in range(1, 6)},
        rating_mean=fmean(scores) if scores else None,
        promises_kept=sum(each.kept for each in counted),
        promises_missed=sum(each.missed for each in counted),
        resolved=sum(each.resolved for each in work),
        incoming=sum(each.incoming for each in counted),
        outgoing=sum(each.outgoing for each in counted),
    )


# ---------------------------------------------------------------- stretches of time

UNITS = ("hour", "day", "week", "month", "year")


def start_of(moment: datetime, unit: str) -> datetime:
    """The beginning of the hour, day, week (from Monday), month or year that a moment is in, by its own clock."""
    if unit == "hour":
        return moment.replace(minute=0, second=0, microsecond=0)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1, month=1 if unit == "year" else day.month) if unit in ("month", "year") else day


def starts_between(since: datetime, until: datetime, unit: str) -> list[datetime]:
    """The beginnings of all stretches that a time touches, `until` not among it."""
    found = [start_of(since, unit)]
    while (following := start_of(found[-1] + _MORE[unit], unit)) < until:
        found.append(following)
    return found


# So far from the beginning of a stretch it is the next one's, in a clock that is never changed.
_MORE = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=31),
    "year": timedelta(days=366),
}
