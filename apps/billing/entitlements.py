"""What a plan allows right now: pure functions, without database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.core.currencies import minor_digits, minor_step

# What a plan may bring besides numbers, by the code that stands in its row.
FEATURES: dict[str, str | Promise] = {
    "no_sponsors": _("No sponsored notices"),
    "support_bot": _("A bot that answers at the support desk"),
    "priority_support": _("Answers from support before others"),
}
# Unpaid invoices stop new work after this time, and the data of an ended subscription can be exported for that.
GRACE = timedelta(days=7)
EXPORT = timedelta(days=30)


class Access(StrEnum):
    """What a subscription gives: everything, everything but new work, or no more than the free plan."""

    FULL = "full"
    READ_ONLY = "read_only"
    FREE = "free"


# What each status of a subscription gives (docs/decisions/0037); `past_due` depends on its age as well.
ACCESS: dict[str, Access] = {
    "manual": Access.FULL,
    "incomplete": Access.FREE,
    "incomplete_expired": Access.FREE,
    "trialing": Access.FULL,
    "active": Access.FULL,
    "past_due": Access.FULL,
    "unpaid": Access.READ_ONLY,
    "paused": Access.READ_ONLY,
    "canceled": Access.FREE,
}


def access_of(status: str, past_due_since: datetime | None, now: datetime) -> Access:
    """What a subscription gives now; a status that nobody knows takes nothing away."""
    if status == "past_due" and past_due_since is not None and now >= past_due_since + GRACE:
        return Access.READ_ONLY
    return ACCESS.get(status, Access.FULL)


@dataclass(frozen=True, slots=True)
class Term:
    """What was agreed for one meter: what a month includes, and what each unit beyond it costs, in micros.

    Without a rate nothing can be used beyond what is included. With one it is charged if `charged`, and otherwise
    paid for with credits alone.
    """

    included: int
    rate: Decimal | None = None
    charged: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed for all meters, in one currency; of a meter that is not named nothing is included."""

    currency: str = "USD"
    meters: Mapping[str, Term] = field(default_factory=dict)

    def of(self, meter: str) -> Term:
        return self.meters.get(meter, Term(0))


@dataclass(frozen=True, slots=True)
class Limits:
    """A plan's limits: its terms, requests and tokens a minute, waiting and running jobs at a time, passages.

    `weight` is its share where work of several organizations waits.
    """

    plan: str
    terms: Terms
    requests_per_minute: int
    tokens_per_minute: int
    max_queued: int
    weight: int = 1
    max_running: int = 32
    max_passages: int = 200_000
    access: Access = Access.FULL
    features: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Metered:
    """One meter in one month so far; `held` is reserved by work that has not ended, `charged` in micros."""

    used: int = 0
    held: int = 0
    charged: int = 0


@dataclass(frozen=True, slots=True)
class Purse:
    """What may be spent beyond allowances: credits less what earlier open months owe, and the month's cap, in micros.

    `cap` is None where nothing limits what is charged.
    """

    credits: int = 0
    cap: int | None = None


class Refusal(StrEnum):
    """Why work may not be held."""

    ALLOWANCE = "allowance"
    CREDITS = "credits"
    CAP = "cap"


@dataclass(frozen=True, slots=True)
class Usage:
    """A month's tokens so far; `held` is reserved by work that has not ended, `spent_micros` the value of `used`."""

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


def left(term: Term, metered: Metered) -> int:
    """What is left of an allowance, less what is held."""
    return max(0, term.included - metered.used - metered.held)


def charge(term: Term, used: int, quantity: int) -> int:
    """What `quantity` more costs in micros when `used` has been used before.

    Rounded half up from the first unit beyond the allowance on, so that a month's charges add up to what all of it
    costs, in whatever portions it was used.
    """
    return _cost(term, used + quantity) - _cost(term, used)


def _cost(term: Term, used: int) -> int:
    return rounded(max(0, used - term.included) * (term.rate or Decimal(0)))


def rounded(micros: Decimal) -> int:
    return int(micros.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def refusal(
    terms: Terms, asked: Mapping[str, int], month: Mapping[str, Metered], purse: Purse
) -> tuple[Refusal, str] | None:
    """Why so much of each meter may not be held, and which meter is short; None if it may.

    What is held counts as used, so that whatever is held may also be used: in the worst case the month's charges come
    to no more than credits and cap.
    """
    owed = sum(_at_worst(terms.of(name), found, asked.get(name, 0)) for name, found in month.items())
    owed += sum(charge(terms.of(name), 0, quantity) for name, quantity in asked.items() if name not in month)
    for name, quantity in asked.items():
        term, found = terms.of(name), month.get(name, Metered())
        if quantity <= left(term, found):
            continue
        if term.rate is None:
            return Refusal.ALLOWANCE, name
        if owed <= purse.credits:
            continue
        if not term.charged:
            return (Refusal.CREDITS if purse.credits > 0 else Refusal.ALLOWANCE), name
        if purse.cap is not None and owed > max(0, purse.credits) + purse.cap:
            return Refusal.CAP, name
    return None


def _at_worst(term: Term, found: Metered, quantity: int) -> int:
    return found.charged + charge(term, found.used, found.held + quantity)


def micros_of(minor: int | Decimal, currency: str) -> Decimal:
    """Minor units as micros, millionths of the currency's unit."""
    return Decimal(minor) * 10 ** (6 - minor_digits(currency))


def minor_of(micros: int, currency: str) -> tuple[int, int]:
    """Micros as minor units that can be charged, rounded down, and the micros that are left over."""
    step = minor_step(currency)
    count, rest = divmod(micros, step * 10 ** (6 - minor_digits(currency)))
    return count * step, rest


def price_micros(tokens: int, price_per_thousand: Decimal) -> int:
    """The price of tokens in micros, rounded half up once per line."""
    return rounded(Decimal(tokens) * price_per_thousand * 1000)
