"""What a month is expected to come to, from the days so far: pure functions, without database.

The level is the mean of the last 14 whole days, so that every weekday is in it twice: fewer follow chance, and more a
past that may be over. Each day that is left gets the level times the weight of its weekday, which is known from two
weeks on: the mean of that weekday over the mean of all, drawn towards one by one more day that is like all others. The
range is that within which four of five months end if days go on to differ from their expectation as they did: the days
to come add up their variance, and level and weights have that of the means that they are. A trend is not looked for: in
four weeks it can hardly be told from chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from apps.billing.entitlements import Metered, Term, charge, month_of, next_month, rounded

# How many days before today are looked at, how many make the level, and from how many on weekdays are told apart.
WINDOW, LEVEL, WEEKDAYS_FROM = 28, 14, 14
# Standard deviations to either side, between which four fifths of a normal distribution lie.
SPREAD = Decimal("1.2816")
_DAY = Decimal(86_400)


@dataclass(frozen=True, slots=True)
class Expected:
    """A number at the end of the month: what is expected, and a range in which four of five months end."""

    low: int
    expected: int
    high: int

    def __add__(self, other: Expected) -> Expected:
        return Expected(self.low + other.low, self.expected + other.expected, self.high + other.high)

    def at_most(self, bound: int) -> Expected:
        return Expected(min(self.low, bound), min(self.expected, bound), min(self.high, bound))


@dataclass(frozen=True, slots=True)
class Pace:
    """What a day is expected to bring: a level, what it is times on each weekday, and how far days stray from it."""

    level: Decimal
    weights: tuple[Decimal, ...]
    variance: Decimal
    days: int

    def on(self, day: date) -> Decimal:
        return self.level * self.weights[day.weekday()]


def pace_of(days: Mapping[date, int], today: date) -> Pace | None:
    """The pace of the days before today, from the first on which there was anything; None before a whole day."""
    first = min((day for day, quantity in days.items() if quantity and day < today), default=None)
    if first is None:
        return None
    count = min(WINDOW, (today - first).days)
    known = {day: Decimal(days.get(day, 0)) for day in (today - timedelta(days=n) for n in range(1, count + 1))}
    last = [known[today - timedelta(days=n)] for n in range(1, min(LEVEL, count) + 1)]
    level, weights = sum(last, Decimal(0)) / len(last), _weights(known)
    mean = sum(known.values(), Decimal(0)) / count
    strayed = sum(((each - mean * weights[day.weekday()]) ** 2 for day, each in known.items()), Decimal(0))
    # One day tells nothing of how days differ: as much as there is of it, then.
    return Pace(level, weights, strayed / (count - 1) if count > 1 else level**2, count)


def _weights(known: Mapping[date, Decimal]) -> tuple[Decimal, ...]:
    mean = sum(known.values(), Decimal(0)) / len(known)
    if len(known) < WEEKDAYS_FROM or not mean:
        return (Decimal(1),) * 7
    found = []
    for weekday in range(7):
        mine = [quantity for day, quantity in known.items() if day.weekday() == weekday]
        found.append((sum(mine, Decimal(0)) / mean + 1) / (len(mine) + 1))
    return tuple(weight * 7 / sum(found) for weight in found)


def month_end(pace: Pace, used: int, now: datetime) -> Expected:
    """What a meter of which `used` are used in this month (UTC) is expected to come to at the end of it."""
    rest, count = Decimal(0), Decimal(0)
    for day, share in _left(now):
        rest, count = rest + share * pace.on(day), count + share
    of_means = Decimal(1) / min(LEVEL, pace.days) + (Decimal(1) / WINDOW if pace.days >= WEEKDAYS_FROM else 0)
    variance = pace.variance * (count + count**2 * of_means)
    reach = SPREAD * variance.sqrt()
    return Expected(used + rounded(max(Decimal(0), rest - reach)), used + rounded(rest), used + rounded(rest + reach))


def used_up_on(pace: Pace, used: int, included: int, now: datetime) -> date | None:
    """The day of this month on which an allowance is expected to be used up; None if it is not."""
    sofar = Decimal(used)
    for day, share in _left(now):
        sofar += share * pace.on(day)
        if sofar >= included:
            return day
    return None


def charges(term: Term, metered: Metered, quantities: Expected) -> Expected:
    """What such quantities would be charged beyond the allowance, in micros."""

    def of(quantity: int) -> int:
        return metered.charged + charge(term, metered.used, max(0, quantity - metered.used))

    return Expected(of(quantities.low), of(quantities.expected), of(quantities.high))


def _left(now: datetime) -> list[tuple[date, Decimal]]:
    """The days that are left of the month, each with the share of it that is to come."""
    now = now.astimezone(UTC)
    today, end = now.date(), next_month(month_of(now))
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    gone = Decimal(int((now - midnight).total_seconds())) / _DAY
    days = [today + timedelta(days=n) for n in range((end - today).days)]
    return [(day, 1 - gone if day == today else Decimal(1)) for day in days]
