"""What a visitor of the pricing page has chosen, and what each plan then costs: exact integers, no database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from django.utils.http import urlencode

from apps.billing.catalogue import Price, Rate, SoldPlan

MONTH, YEAR = "month", "year"
MOST_SEATS = 100_000
# Of languages that are spoken mostly where one pays in it; a visitor chooses another with one click.
_OF_LANGUAGE = {"zh": "CNY"} | dict.fromkeys("de fr es it nl pt fi el ga et lv lt sk sl hr mt ca".split(), "EUR")


@dataclass(frozen=True, slots=True)
class Choice:
    """Interval, currency and seats, as they stand in the page's address."""

    interval: str
    currency: str
    seats: int

    def query(self, **changes: str | int) -> str:
        """The address of the page with one thing chosen otherwise."""
        chosen = replace(self, **changes) if changes else self  # type: ignore[arg-type]
        return urlencode({"interval": chosen.interval, "currency": chosen.currency, "seats": str(chosen.seats)})


@dataclass(frozen=True, slots=True)
class Quote:
    """What a plan costs for so many seats; `interval` is its own where it is not sold in the one that was asked for."""

    interval: str
    currency: str
    total_minor: int
    extra_seats: int
    price: Price


def choice_of(given: Mapping[str, str], currencies: list[str], languages: list[str]) -> Choice:
    """What the address says; whatever it does not say, or cannot mean, is chosen for the visitor."""
    currency = given.get("currency", "").upper()
    if currency not in currencies:
        currency = _default_currency(currencies, languages)
    return Choice(YEAR if given.get("interval") == YEAR else MONTH, currency, _seats(given.get("seats", "")))


def _default_currency(currencies: list[str], languages: list[str]) -> str:
    for language in languages[:1]:
        liked = _OF_LANGUAGE.get(language.lower().split("-")[0])
        if liked in currencies:
            return str(liked)
    return currencies[0] if currencies else "USD"


def _seats(text: str) -> int:
    return min(MOST_SEATS, max(1, int(text[:9]))) if text.isascii() and text.isdigit() else 1


def quote(plan: SoldPlan, choice: Choice) -> Quote | None:
    """The plan's price for the seats; None where it cannot be bought so: too many seats, or another currency."""
    if plan.max_seats is not None and choice.seats > plan.max_seats:
        return None
    of_currency = {price.interval: price for price in plan.prices if price.currency == choice.currency}
    price = of_currency.get(choice.interval) or of_currency.get(MONTH)
    if price is None:
        return None
    extra = max(0, choice.seats - plan.included_seats)
    return Quote(price.interval, price.currency, price.base_minor + extra * price.seat_minor, extra, price)


def saving(plan: SoldPlan, choice: Choice) -> int:
    """Percent that a year costs less than twelve months, rounded down, so that nobody is promised too much."""
    month, year = (quote(plan, replace(choice, interval=interval)) for interval in (MONTH, YEAR))
    if month is None or year is None or year.interval != YEAR or month.total_minor == 0:
        return 0
    twelve = 12 * month.total_minor
    return max(0, (twelve - year.total_minor) * 100 // twelve)


def rate_of(plan: SoldPlan, meter: str, currency: str) -> Rate | None:
    """The rate beyond the allowance: in this currency, else in US dollars, as the ledger would charge it."""
    of_meter = {rate.currency: rate for rate in plan.rates if rate.meter == meter}
    return of_meter.get(currency) or of_meter.get("USD")
