"""Business time: when somebody is there, and how much of it lies between two moments. Pure, without database.

Times of day are those of the desk's own zone. Where a clock is put forward or back, a day has an hour less or more of
business time if somebody is there at that hour, as a clock on the wall would say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.utils.translation import gettext_noop

DAYS = 7
MOST_PARTS, MOST_HOLIDAYS, LONGEST_NAME = 21, 200, 60
# Without a business hour in so many days there is none to be waited for; and nothing is due later than in ten years.
LOOK_AHEAD_DAYS, LAST_DAY = 400, 3_660
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
BAD_ZONE = gettext_noop("There is no time zone with this name.")
BAD_PART = gettext_noop("A part of the week has a day from 0 (Monday) to 6, and `from` before `until`, as HH:MM.")
BAD_OVERLAP = gettext_noop("Two parts of the same day overlap.")
BAD_HOLIDAY = gettext_noop("A holiday has a date, as YYYY-MM-DD, and may have a name.")


@dataclass(frozen=True, slots=True)
class Part:
    """From when until when of one day of the week, in minutes from midnight."""

    day: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Hours:
    """A week and its exceptions."""

    zone: ZoneInfo
    parts: tuple[Part, ...]
    holidays: frozenset[date]

    def intervals(self, day: date) -> list[tuple[datetime, datetime]]:
        """When somebody is there on a day of the zone, in UTC, in order."""
        if day in self.holidays:
            return []
        found = [
            (_moment(day, part.start, self.zone), _moment(day, part.end, self.zone))
            for part in self.parts
            if part.day == day.weekday()
        ]
        return sorted((start, end) for start, end in found if start < end)


def _moment(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    whole, rest = divmod(minutes, 24 * 60)
    at = datetime.combine(day + timedelta(days=whole), time(rest // 60, rest % 60), zone)
    return at.astimezone(UTC)


class HoursInvalid(ValueError):
    """What is wrong, as a message for people, in English."""


def parsed(zone: str, weekly: Sequence[Mapping[str, Any]], holidays: Sequence[Mapping[str, Any]]) -> Hours:
    """Raises HoursInvalid with one of the messages above."""
    if zone not in available_timezones():
        raise HoursInvalid(BAD_ZONE)
    if len(weekly) > MOST_PARTS:
        raise HoursInvalid(BAD_PART)
    parts = sorted((_part(each) for each in weekly), key=lambda part: (part.day, part.start))
    for before, after in pairwise(parts):
        if before.day == after.day and after.start < before.end:
            raise HoursInvalid(BAD_OVERLAP)
    if len(holidays) > MOST_HOLIDAYS:
        raise HoursInvalid(BAD_HOLIDAY)
    return Hours(ZoneInfo(zone), tuple(parts), frozenset(_holiday(each) for each in holidays))


def _part(given: Mapping[str, Any]) -> Part:
    day, start, end = given.get("day"), _minutes(given.get("from")), _minutes(given.get("until"))
    if not isinstance(day, int) or isinstance(day, bool) or not 0 <= day < DAYS or not start < end:
        raise HoursInvalid(BAD_PART)
    return Part(day, start, end)


def _minutes(text: object) -> int:
    if not isinstance(text, str) or not _TIME.fullmatch(text):
        raise HoursInvalid(BAD_PART)
    return int(text[:2]) * 60 + int(text[3:])


def _holiday(given: Mapping[str, Any]) -> date:
    name = given.get("name", "")
    try:
        if not isinstance(name, str) or len(name) > LONGEST_NAME:
            raise ValueError
        return date.fromisoformat(str(given["date"]))
    except (KeyError, ValueError):
        raise HoursInvalid(BAD_HOLIDAY) from None


def _from(hours: Hours, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Business time from a moment on, piece by piece, for as long as is looked ahead."""
    # The day before: what ends at 24:00 may reach over a change of clocks.
    day = moment.astimezone(hours.zone).date() - timedelta(days=1)
    quiet = 0
    for _ in range(LAST_DAY):
        intervals = hours.intervals(day)
        quiet = 0 if intervals else quiet + 1
        if quiet > LOOK_AHEAD_DAYS:
            return
        for start, end in intervals:
            if end > moment:
                yield max(start, moment), end
        day += timedelta(days=1)


def is_open(hours: Hours | None, moment: datetime) -> bool:
    if hours is None:
        return True
    return any(start <= moment < end for start, end in hours.intervals(moment.astimezone(hours.zone).date()))


def next_opening(hours: Hours | None, moment: datetime) -> datetime | None:
    """When somebody is there again, `moment` itself where they are; None where nobody ever is."""
    if hours is None:
        return moment
    return next((start for start, _ in _from(hours, moment)), None)


def due(hours: Hours | None, start: datetime, seconds: float) -> datetime:
    """When so many seconds of business time have passed; without any business time ahead, plain time counts."""
    if hours is None:
        return start + timedelta(seconds=seconds)
    left, last = timedelta(seconds=seconds), None
    for begin, end in _from(hours, start):
        if end - begin >= left:
            return begin + left
        left -= end - begin
        last = end
    return (last or start) + left


def between(hours: Hours | None, start: datetime, end: datetime) -> float:
    """Seconds of business time between two moments, 0 where the second is not later."""
    if end <= start:
        return 0.0
    if hours is None:
        return (end - start).total_seconds()
    total = timedelta()
    for begin, until in _from(hours, start):
        if begin >= end:
            break
        total += min(until, end) - begin
    return total.total_seconds()
