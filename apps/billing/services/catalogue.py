"""Which of Stripe's prices stand for ours: made when one is first needed, and noted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from apps.billing import gateway
from apps.billing.models import Plan, PlanPrice, StripeCatalogue

PRODUCT: Final = "product"
BASE: Final = "base"
SEAT: Final = "seat"


@dataclass(frozen=True, slots=True)
class Prices:
    """A plan's price at Stripe: its base, and one further seat (none where seats cost nothing)."""

    base: str
    seat: str


def prices_at_stripe(price: PlanPrice) -> Prices:
    """Asks Stripe for what is not noted yet, so never within a transaction."""
    return Prices(
        _part(price, BASE, price.base_minor), _part(price, SEAT, price.seat_minor) if price.seat_minor else ""
    )


def find_price(stripe_id: str) -> tuple[PlanPrice, str] | None:
    """The price of ours that one of Stripe's stands for, and which part of it; None for one that is not ours."""
    rows = StripeCatalogue.objects.select_related("price__plan").filter(price__isnull=False, livemode=gateway.is_live())
    found = rows.filter(stripe_id=stripe_id).first()
    return (found.price, found.part) if found and found.price else None


def product_id(plan: Plan, part: str) -> str:
    """Our id of a plan's base or seats at Stripe."""
    return f"millrace-{plan.code}-{part}"


def product_name(plan: Plan, part: str) -> str:
    """What stands on invoices."""
    return plan.name if part == BASE else f"{plan.name}: further seats"


def lookup_key(price: PlanPrice, part: str) -> str:
    """Our name for a price at Stripe."""
    return f"{price.pk}-{part}"


def _part(price: PlanPrice, part: str, unit_minor: int) -> str:
    livemode = gateway.is_live()
    noted = StripeCatalogue.objects.filter(livemode=livemode, plan=price.plan, price=price, part=part).first()
    if noted:
        return noted.stripe_id
    product = gateway.ensure_product(product_id(price.plan, part), name=product_name(price.plan, part))
    stripe_id = gateway.ensure_price(
        lookup_key(price, part),
        product=product,
        currency=price.currency,
        unit_minor=unit_minor,
        interval=price.interval,
    )
    keys = {"livemode": livemode, "plan": price.plan, "price": price, "part": part}
    # Two who come here at once are given the same price by its name, so either may note it.
    row, _ = StripeCatalogue.objects.get_or_create(**keys, defaults={"stripe_id": stripe_id})
    return row.stripe_id
