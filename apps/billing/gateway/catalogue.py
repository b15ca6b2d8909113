"""Products and prices at Stripe, each made once and found again by our own name for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stripe import InvalidRequestError

from apps.billing.gateway.client import stripe


def ensure_product(id: str, *, name: str) -> str:
    """A product under an id of ours."""
    with stripe() as client:
        try:
            return client.v1.products.retrieve(id).id
        except InvalidRequestError as error:
            if error.code != "resource_missing":
                raise
            return client.v1.products.create({"id": id, "name": name}, {"idempotency_key": f"product:{id}"}).id


def ensure_price(lookup_key: str, *, product: str, currency: str, unit_minor: int, interval: str) -> str:
    """A recurring price; `lookup_key` is our name for it, and stands for this amount for ever."""
    with stripe() as client:
        found = client.v1.prices.list({"lookup_keys": [lookup_key], "limit": 1}).data
        if found:
            return found[0].id
        params: Any = {
            "product": product,
            "currency": currency.lower(),
            "unit_amount": unit_minor,
            "recurring": {"interval": interval},
            "lookup_key": lookup_key,
            "tax_behavior": "exclusive",
        }
        return client.v1.prices.create(params, {"idempotency_key": f"price:{lookup_key}"}).id


@dataclass(frozen=True, slots=True)
class RemotePrice:
    """A recurring price as it stands at Stripe."""

    id: str
    currency: str
    unit_minor: int
    interval: str
    is_active: bool


def get_product(id: str) -> str | None:
    """A product's name; None where there is none."""
    with stripe() as client:
        try:
            return client.v1.products.retrieve(id).name
        except InvalidRequestError as error:
            if error.code != "resource_missing":
                raise
            return None


def rename_product(id: str, *, name: str) -> None:
    with stripe() as client:
        client.v1.products.update(id, {"name": name})


def find_price_named(lookup_key: str) -> RemotePrice | None:
    """The price of our name, also one that is sold no more."""
    with stripe() as client:
        found = client.v1.prices.list({"lookup_keys": [lookup_key], "limit": 1}).data
    if not found:
        return None
    price = found[0]
    interval = price.recurring.interval if price.recurring else ""
    return RemotePrice(price.id, price.currency.upper(), price.unit_amount or 0, interval, price.active)


def set_price_active(id: str, *, active: bool) -> None:
    """Whether it can be sold; subscriptions that have it keep it."""
    with stripe() as client:
        client.v1.prices.update(id, {"active": active})
