"""When a schedule is due: a time of day in a zone, on some days. Pure, and right where clocks are changed.

Each day has one moment: a time that a spring night leaves out is as much later, and of a time that an autumn night has
twice it is the first.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAILY, WEEKDAYS, WEEKLY, MONTHLY = "daily", "weekdays", "weekly", "monthly"
SATURDAY = 5
# No rule leaves out more days than a month has; one more for the zone.
LONGEST_GAP_DAYS = 33


@dataclass(frozen=True, slots=True)
class Rule:
    """`weekday` counts from Monday, 0, for weekly rules; `day` is the day of the month, or the last if it has fewer."""

    frequency: str
    at: time
    zone: str
    weekday: int = 0
    day: int = 1

    def holds(self, on: date) -> bool:
        match self.frequency:
            case "weekdays":
                return on.weekday() < SATURDAY
            case "weekly":
                return on.weekday() == self.weekday
            case "monthly":
                return on.day == min(self.day, calendar.monthrange(on.year, on.month)[1])
        return True

    def moment(self, on: date) -> datetime:
        """The day's moment in UTC."""
        return datetime.combine(on, self.at, ZoneInfo(self.zone)).astimezone(UTC)


def next_after(rule: Rule, moment: datetime) -> datetime:
    """The first moment after this one."""
    return next(found for found in _moments(rule, moment, 1) if found > moment)


def latest_until(rule: Rule, moment: datetime) -> datetime:
    """The last moment that is not after this one."""
    return next(found for found in _moments(rule, moment, -1) if found <= moment)


def missed_between(rule: Rule, first: datetime, last: datetime) -> int:
    """How many moments there are from the one up to, and without, the other."""
    count, at = 0, first
    while at < last and count < 10_000:
        count, at = count + 1, next_after(rule, at)
    return count


def _moments(rule: Rule, start: datetime, step: int) -> Iterator[datetime]:
    on = start.astimezone(ZoneInfo(rule.zone)).date() - timedelta(days=step)
    for _ in range(2 * LONGEST_GAP_DAYS):
        if rule.holds(on):
            yield rule.moment(on)
        on += timedelta(days=step)
