"""By which terms a line of the ledger was counted: what was still included, and what each unit beyond it costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from apps.billing.models import LedgerEntry, Meter

# What prices are told for, where that is not one.
TOLD_FOR = {Meter.TOKENS_IN: 1_000_000, Meter.TOKENS_OUT: 1_000_000, Meter.TRAINING_SECONDS: 3600}


@dataclass(frozen=True, slots=True)
class Applied:
    """So much of one meter, after `before` of it had been used in the month; `rate` is in micros for one beyond."""

    meter: str
    quantity: int
    included: int
    rate: Decimal
    before: int

    @property
    def beyond(self) -> int:
        """How much of it the allowance did not hold any more."""
        return max(0, self.before + self.quantity - self.included) - max(0, self.before - self.included)

    @property
    def within(self) -> int:
        return self.quantity - self.beyond

    @property
    def told_for(self) -> int:
        """How many units the price is told for."""
        return TOLD_FOR.get(Meter(self.meter), 1)

    @property
    def price_micros(self) -> int:
        """What so many units beyond the allowance cost."""
        return int(self.rate * self.told_for)

    @property
    def meter_label(self) -> str:
        return str(Meter(self.meter).label)


def applied_of(entry: LedgerEntry) -> list[Applied]:
    """The terms of one line, meter by meter; nothing where none were written with it."""
    return list(_applied(entry))


def _applied(entry: LedgerEntry) -> Iterator[Applied]:
    quantities = {Meter.TOKENS_IN: entry.prompt_tokens, Meter.TOKENS_OUT: entry.completion_tokens}
    for meter in Meter.values:
        found = (entry.terms or {}).get(meter)
        if not isinstance(found, list) or len(found) != 3:
            continue
        included, rate, before = found
        quantity = entry.quantity if entry.meter else quantities.get(Meter(meter), 0)
        if quantity:
            yield Applied(meter, quantity, int(included), Decimal(rate), int(before))
