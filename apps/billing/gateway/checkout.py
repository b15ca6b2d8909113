"""Checkout: Stripe's page on which a plan or a one-time purchase is paid for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from apps.billing.gateway.client import stripe
from apps.billing.gateway.objects import Page, at_or_none, id_of


@dataclass(frozen=True, slots=True)
class Way:
    """To where a person comes back from Checkout."""

    success_url: str
    cancel_url: str


def checkout_plan(
    customer: str,
    *,
    items: list[tuple[str, int]],
    trial_days: int,
    promotion: str,
    metadata: dict[str, str],
    way: Way,
    key: str,
) -> Page:
    """A page that starts a subscription; `items` are prices with their quantities."""
    details: Any = {"metadata": metadata}
    if trial_days:
        details |= {
            "trial_period_days": trial_days,
            "trial_settings": {"end_behavior": {"missing_payment_method": "cancel"}},
        }
    params: Any = _common(customer, metadata, way) | {
        "mode": "subscription",
        "line_items": [{"price": price, "quantity": quantity} for price, quantity in items],
        "subscription_data": details,
    }
    if promotion:
        params["discounts"] = [{"promotion_code": promotion}]
    return _create(params, key)


def checkout_order(
    customer: str,
    *,
    name: str,
    quantity: int,
    unit_minor: int,
    currency: str,
    metadata: dict[str, str],
    way: Way,
    key: str,
) -> Page:
    """A page that takes one payment, with an invoice for it; `unit_minor` is the price of one."""
    price = {"currency": currency.lower(), "unit_amount": unit_minor, "product_data": {"name": name}}
    params: Any = _common(customer, metadata, way) | {
        "mode": "payment",
        "line_items": [{"price_data": price, "quantity": quantity}],
        "payment_intent_data": {"metadata": metadata},
        "invoice_creation": {"enabled": True, "invoice_data": {"metadata": metadata}},
    }
    return _create(params, key)


@dataclass(frozen=True, slots=True)
class Promotion:
    """A code that customers type, and the coupon that it gives."""

    id: str
    coupon: str


def find_promotion(code: str) -> Promotion | None:
    """The promotion of a code that counts now."""
    with stripe() as client:
        found = client.v1.promotion_codes.list({"code": code, "active": True, "limit": 1}).data
    return Promotion(found[0].id, id_of(found[0].promotion.coupon)) if found else None


def get_checkout(id: str) -> Page:
    with stripe() as client:
        return page_of(client.v1.checkout.sessions.retrieve(id))


def expire_checkout(id: str) -> Page:
    """Closes a page that nobody may pay on any more; one that was paid or has expired stays what it is."""
    with stripe() as client:
        found = client.v1.checkout.sessions.retrieve(id)
        if found.status == "open":
            found = client.v1.checkout.sessions.expire(id)
    return page_of(found)


def _common(customer: str, metadata: dict[str, str], way: Way) -> Any:
    params: dict[str, Any] = {
        "customer": customer,
        "metadata": metadata,
        "client_reference_id": metadata["organization"],
        "success_url": way.success_url,
        "cancel_url": way.cancel_url,
    }
    if settings.STRIPE_TAX:
        # Stripe computes taxes from the address, which Checkout then asks for and keeps.
        params |= {
            "automatic_tax": {"enabled": True},
            "tax_id_collection": {"enabled": True},
            "billing_address_collection": "required",
            "customer_update": {"address": "auto", "name": "auto"},
        }
    return params


def _create(params: Any, key: str) -> Page:
    with stripe() as client:
        return page_of(client.v1.checkout.sessions.create(params, {"idempotency_key": key}))


def page_of(found: Any) -> Page:
    return Page(
        id=found.id,
        url=found.url or "",
        status=found.status or "",
        expires_at=at_or_none(found.expires_at),
        subscription_id=id_of(found.subscription),
        intent_id=id_of(found.payment_intent),
        is_paid=found.payment_status in {"paid", "no_payment_required"},
    )
