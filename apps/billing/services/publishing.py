"""The plans as products and prices at Stripe: what is missing or differs there, and putting it right.

A price at Stripe is never changed: where an amount differs, which nobody can do by our ways, it is told of and left.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from apps.billing import gateway
from apps.billing.models import PlanPrice, StripeCatalogue
from apps.billing.services.catalogue import BASE, SEAT, lookup_key, prices_at_stripe, product_id, product_name


class Need(StrEnum):
    """What is to be done about a product or a price."""

    CREATE = "create"
    RENAME = "rename"
    RETIRE = "retire"
    REVIVE = "revive"
    # At Stripe under our name, with another amount, currency or interval: for a person.
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that Stripe does not have as our plans do."""

    need: Need
    kind: str
    name: str
    words: str

    def __str__(self) -> str:
        return f"{self.need}: {self.kind} {self.name}: {self.words}"


def differences() -> list[Difference]:
    """Compares every price that is or was sold; asks Stripe, so never within a transaction."""
    found: list[Difference] = []
    seen: set[str] = set()
    rows = PlanPrice.objects.select_related("plan").order_by("plan__position", "currency", "interval", "-is_active")
    for price in rows:
        for part, unit in ((BASE, price.base_minor), (SEAT, price.seat_minor)):
            if part == SEAT and not unit:
                continue
            if price.is_active and product_id(price.plan, part) not in seen:
                seen.add(product_id(price.plan, part))
                found += _product(price, part)
            found += _price(price, part, unit)
    return found


def publish() -> list[Difference]:
    """Makes what is missing and mends what may be mended; returns what it did. Asked again it does nothing."""
    todo = differences()
    for one in todo:
        if one.need == Need.RENAME:
            gateway.rename_product(one.name, name=one.words)
        elif one.need in (Need.RETIRE, Need.REVIVE):
            gateway.set_price_active(one.name, active=one.need == Need.REVIVE)
    for price in PlanPrice.objects.select_related("plan").filter(is_active=True):
        prices_at_stripe(price)
    return todo


def _product(price: PlanPrice, part: str) -> list[Difference]:
    id, name = product_id(price.plan, part), product_name(price.plan, part)
    there = gateway.get_product(id)
    if there is None:
        return [Difference(Need.CREATE, "product", id, name)]
    return [] if there == name else [Difference(Need.RENAME, "product", id, name)]


def _price(price: PlanPrice, part: str, unit: int) -> list[Difference]:
    """Sold prices must be there; those that are sold no more need not, and are retired where they are."""
    name = lookup_key(price, part)
    words = f"{price.plan.code} {part} {unit} {price.currency} a {price.interval}"
    there = gateway.find_price_named(name)
    if there is None:
        return [Difference(Need.CREATE, "price", name, words)] if price.is_active else []
    ours = (unit, price.currency, price.interval)
    if (there.unit_minor, there.currency, there.interval) != ours:
        at_stripe = f"Stripe has {there.unit_minor} {there.currency} a {there.interval} ({there.id})"
        return [Difference(Need.CONFLICT, "price", name, f"{words}; {at_stripe}")]
    noted = StripeCatalogue.objects.filter(livemode=gateway.is_live(), price=price, part=part).first()
    if noted is not None and noted.stripe_id != there.id:
        return [Difference(Need.CONFLICT, "price", name, f"we have noted {noted.stripe_id}, Stripe has {there.id}")]
    if there.is_active and not price.is_active:
        return [Difference(Need.RETIRE, "price", there.id, words)]
    if price.is_active and not there.is_active:
        return [Difference(Need.REVIVE, "price", there.id, words)]
    return (
        [] if noted or not price.is_active else [Difference(Need.CREATE, "price", name, f"{words} (only to be noted)")]
    )
