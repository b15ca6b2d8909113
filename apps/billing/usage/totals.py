"""Sums of usage, which add up and take away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from apps.billing.models import Meter

# What a sum has of numbers, and of money: each in micros by currency, and which column names the currency.
NUMBERS = ("requests", "prompt_tokens", "completion_tokens", "tokens", "quantity")
MONEY = {"amounts": ("amount_micros", "currency"), "charges": ("charge_micros", "charge_currency")}


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums of the ledger's lines: `requests` are how many, `quantity` means something for one meter alone.

    `amounts` are what the work is worth at list prices, `charges` what is paid for it beyond the allowance:
    micros by currency.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tokens: int = 0
    amounts: dict[str, int] = field(default_factory=dict)
    quantity: int = 0
    charges: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: Totals) -> Totals:
        return self._with(other, 1)

    def __sub__(self, other: Totals) -> Totals:
        return self._with(other, -1)

    def _with(self, other: Totals, sign: int) -> Totals:
        parts: dict[str, Any] = {name: getattr(self, name) + sign * getattr(other, name) for name in NUMBERS}
        for name in MONEY:
            mine, theirs = getattr(self, name), getattr(other, name)
            sums = {each: mine.get(each, 0) + sign * theirs.get(each, 0) for each in mine | theirs}
            parts[name] = {currency: micros for currency, micros in sums.items() if micros}
        return Totals(**parts)


def totals_of(row: Mapping[str, Any]) -> Totals:
    """A database's sums, each as `sum_NAME`, beside their currencies."""
    parts: dict[str, Any] = {name: row[f"sum_{name}"] for name in NUMBERS}
    for name, (column, currency) in MONEY.items():
        micros = row[f"sum_{column}"]
        parts[name] = {row[currency]: micros} if micros else {}
    return Totals(**parts)


class Counted:
    """What each meter counted on each day; texts count tokens in and out."""

    def __init__(self) -> None:
        self._days: dict[str, dict[date, int]] = defaultdict(lambda: defaultdict(int))

    def add(self, day: date, meter: str, totals: Totals) -> None:
        """One sum of the hours; a text's has no meter of its own."""
        if meter:
            self._days[meter][day] += totals.quantity
        else:
            self._days[Meter.TOKENS_IN][day] += totals.prompt_tokens
            self._days[Meter.TOKENS_OUT][day] += totals.completion_tokens

    def between(self, first: date, before: date) -> dict[str, dict[date, int]]:
        """By meter, the days from the first one on and before the last one; a meter without any has none."""
        found: dict[str, dict[date, int]] = defaultdict(dict)
        for meter, days in self._days.items():
            found[meter] = {day: count for day, count in days.items() if first <= day < before}
        return found
