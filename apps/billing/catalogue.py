"""What is sold, as anybody may read it: public plans with prices, allowances and rates, and packs of credits.

Read from the operator's rows at most every few seconds by each process and kept in its memory, since strangers ask for
it; a database that is away leaves the last known answer. Money is in integer minor units, rates may have decimals.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models import OuterRef, QuerySet, TextField
from django.db.models.functions import Cast, JSONObject

from apps.billing.models import CreditPack, Plan, PlanAllowance, PlanPrice, PlanRate

# How old the answer may be, in seconds.
KEPT_SECONDS = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Price:
    """A plan in one interval and currency: a base, and each seat beyond those that are included."""

    interval: str
    currency: str
    base_minor: int
    seat_minor: int


@dataclass(frozen=True, slots=True)
class Allowance:
    meter: str
    included: int
    overage: str


@dataclass(frozen=True, slots=True)
class Rate:
    """What `per` units of a meter cost beyond the allowance."""

    meter: str
    currency: str
    per: int
    price_minor: Decimal


@dataclass(frozen=True, slots=True)
class SoldPlan:
    code: str
    name: str
    description: str
    trial_days: int
    included_seats: int
    max_seats: int | None
    features: tuple[str, ...]
    requests_per_minute: int
    max_running: int
    max_passages: int
    prices: tuple[Price, ...]
    allowances: tuple[Allowance, ...]
    rates: tuple[Rate, ...]


@dataclass(frozen=True, slots=True)
class Pack:
    """Prepaid credit: what is paid, and what it is worth."""

    code: str
    name: str
    currency: str
    price_minor: int
    credit_minor: int
    valid_days: int | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    plans: tuple[SoldPlan, ...]
    packs: tuple[Pack, ...]

    @property
    def currencies(self) -> list[str]:
        """Those in which plans are sold, the most widely priced first."""
        found = [price.currency for plan in self.plans for price in plan.prices]
        return sorted(set(found), key=lambda currency: (-found.count(currency), currency != "USD", currency))


_kept: tuple[float, Catalogue] | None = None


def catalogue() -> Catalogue:
    """What is sold now, or a few seconds ago."""
    global _kept
    if _kept is None or time.monotonic() - _kept[0] >= KEPT_SECONDS:
        try:
            # A savepoint where the caller is in a transaction: its own work goes on though this question failed.
            with transaction.atomic():
                found = _read()
        except DatabaseError as error:
            if _kept is None:
                raise
            log.warning("plans not read: %s", error)
            found = _kept[1]
        _kept = (time.monotonic(), found)
    return _kept[1]


def forget() -> None:
    """Makes the next question read the rows."""
    global _kept
    _kept = None


def _read() -> Catalogue:
    of_plan: dict[str, Any] = {"plan": OuterRef("pk")}
    prices = PlanPrice.objects.filter(is_active=True, **of_plan).order_by("interval", "currency")
    allowances = PlanAllowance.objects.filter(**of_plan).order_by("meter")
    rates = PlanRate.objects.filter(**of_plan).order_by("meter", "currency")
    # A price may have decimals, which a number of JSON need not keep.
    exact = {"price_minor": Cast("price_minor", TextField())}
    plans = (
        Plan.objects.filter(is_public=True)
        .annotate(
            price_rows=_as_rows(
                prices, interval="interval", currency="currency", base_minor="base_minor", seat_minor="seat_minor"
            ),
            allowance_rows=_as_rows(allowances, meter="meter", included="included", overage="overage"),
            rate_rows=_as_rows(rates, meter="meter", currency="currency", per="per", **exact),
        )
        .order_by("position", "code")
    )
    return Catalogue(tuple(_plan(plan) for plan in plans), tuple(packs_on_sale()))


def _as_rows(rows: QuerySet[Any], **columns: Any) -> ArraySubquery:
    """What a plan has of another table, as a part of the question about plans."""
    return ArraySubquery(rows.values(row=JSONObject(**columns)))


def packs_on_sale() -> list[Pack]:
    """The packs alone, as they are now."""
    rows = CreditPack.objects.filter(is_active=True).order_by("currency", "price_minor")
    return [Pack(row.code, row.name, row.currency, row.price_minor, row.credit_minor, row.valid_days) for row in rows]


def _plan(plan: Any) -> SoldPlan:
    return SoldPlan(
        code=plan.code,
        name=plan.name,
        description=plan.description,
        trial_days=plan.trial_days,
        included_seats=plan.included_seats,
        max_seats=plan.max_seats,
        features=tuple(plan.features),
        requests_per_minute=plan.requests_per_minute,
        max_running=plan.max_running,
        max_passages=plan.max_passages,
        prices=tuple(Price(**row) for row in plan.price_rows),
        allowances=tuple(Allowance(**row) for row in plan.allowance_rows),
        rates=tuple(Rate(**row | {"price_minor": Decimal(row["price_minor"])}) for row in plan.rate_rows),
    )
