"""What a plan allows right now: pure functions, without database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Limits:
    """A plan's limits: tokens a calendar month, requests and tokens a minute, waiting and running jobs at a time.

    `weight` is its share where work of several organizations waits.
    """

    plan: str
    monthly_tokens: int
    requests_per_minute: int
    tokens_per_minute: int
    max_queued: int
    weight: int = 1
    max_running: int = 32


@dataclass(frozen=True, slots=True)
class Usage:
    """A month so far, in tokens and micros; `held` is reserved by work that has not ended."""

    month: date
    used: int = 0
    held: int = 0
    spent_micros: int = 0


@dataclass(frozen=True, slots=True)
class Owner:
    """A spender or a team in whose sums work counts, and its budget, None without one."""

    kind: str
    id: UUID
    monthly_tokens: int | None


def fits(owner: Owner, taken: int, tokens: int) -> bool:
    """Whether so many tokens more, held or used, stay within the owner's budget."""
    return owner.monthly_tokens is None or taken + tokens <= owner.monthly_tokens


def month_of(moment: datetime) -> date:
    """The first day of the month a moment (UTC) falls in."""
    return moment.date().replace(day=1)


def next_month(month: date) -> date:
    return month.replace(year=month.year + 1, month=1) if month.month == 12 else month.replace(month=month.month + 1)


def remaining(limits: Limits, usage: Usage) -> int:
    """Tokens that may still be held."""
    return max(0, limits.monthly_tokens - usage.used - usage.held)


def may_hold(limits: Limits, usage: Usage, tokens: int) -> bool:
    return tokens <= remaining(limits, usage)


def price_micros(tokens: int, price_per_thousand: Decimal) -> int:
    """The price of tokens in micros, rounded half up once per line."""
    micros = Decimal(tokens) * price_per_thousand * 1000
    return int(micros.quantize(Decimal(1), rounding=ROUND_HALF_UP))
