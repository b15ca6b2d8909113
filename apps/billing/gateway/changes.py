"""Changing a subscription, and what a change would cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import structlog

from apps.billing.gateway.client import stripe
from apps.billing.gateway.invoicing import bill_waiting
from apps.billing.gateway.objects import Preview, preview_of
from apps.billing.gateway.reading import get_subscription
from apps.core.errors import StripeRefused

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ItemChange:
    """What becomes of one line: another price or quantity, a new one (no `id`), or none (`quantity` 0)."""

    id: str
    price: str
    quantity: int

    def params(self) -> dict[str, Any]:
        if not self.quantity:
            return {"id": self.id, "deleted": True}
        named = {"id": self.id} if self.id else {}
        return named | {"price": self.price, "quantity": self.quantity}


def preview_change(subscription: str, *, items: Sequence[ItemChange], proration: str, at: int | None) -> Preview:
    """The invoice that would come of a change; prorated as of the second `at`."""
    details: Any = {"items": [item.params() for item in items], "proration_behavior": proration}
    if at is not None:
        details["proration_date"] = at
    with stripe() as client:
        return preview_of(
            client.v1.invoices.create_preview({"subscription": subscription, "subscription_details": details})
        )


def preview_renewal(subscription: str) -> Preview:
    """The next invoice as things stand."""
    with stripe() as client:
        return preview_of(client.v1.invoices.create_preview({"subscription": subscription}))


def change_items(
    subscription: str,
    *,
    items: list[dict[str, Any]],
    proration: str,
    at: int | None,
    until: int | None = None,
    key: str,
) -> str:
    """Changes lines; an invoice that is due at once and is not paid undoes the change (PaymentRefused).

    With `until` it is done in the period that ends then, or refused: what is not prorated would be wrong in the next.
    """
    if until is not None:
        ends = get_subscription(subscription).period_end
        if ends is None or moment(ends) != until:
            raise StripeRefused("The period in which this was asked for has ended.", reason="period_ended")
    params: Any = {"items": [ItemChange(**item).params() for item in items], "proration_behavior": proration}
    if at is not None:
        params["proration_date"] = at
    if proration == "always_invoice":
        params["payment_behavior"] = "error_if_incomplete"
    return _update(subscription, params, key)


def as_parameters(items: Sequence[ItemChange]) -> list[dict[str, Any]]:
    """Item changes as they are kept with an operation."""
    return [asdict(item) for item in items]


def cancel_at_end(subscription: str, *, reason: str = "", key: str) -> str:
    """Ends it with the period that is paid for."""
    params: Any = {"cancel_at_period_end": True}
    if reason:
        params["cancellation_details"] = {"comment": reason}
    return _update(subscription, params, key)


def keep(subscription: str, *, key: str) -> str:
    """Takes a cancellation back that has not come yet."""
    return _update(subscription, {"cancel_at_period_end": False}, key)


def cancel_now(subscription: str, *, reason: str = "", key: str) -> str:
    """Ends it at once; nothing is given back, and what waits for an invoice is billed.

    Stripe's own `invoice_now` takes up prorations only, and not the lines of months that were closed.
    """
    try:
        bill_waiting(subscription, key=key, drafts=False)
    except StripeRefused:
        # Nobody is kept because a line cannot be billed; it waits for the customer's next invoice.
        log.error("lines not billed before a subscription's end", subscription=subscription)
    params: Any = {"invoice_now": True, "prorate": False}
    if reason:
        params["cancellation_details"] = {"comment": reason}
    try:
        with stripe(keyed=True) as client:
            return client.v1.subscriptions.cancel(subscription, params, {"idempotency_key": key}).id
    except StripeRefused as refused:
        # A DELETE has no key: one whose answer was lost, and that the SDK asks for again, finds nothing to end.
        if refused.reason == "resource_missing" and get_subscription(subscription).ended_at is not None:
            return subscription
        raise


def pause(subscription: str, *, until: int, key: str) -> str:
    """Bills nothing until then, after which Stripe goes on by itself.

    The invoices of the pause are voided with all that is on them, so that what waits for one is billed before.
    """
    bill_waiting(subscription, key=key, drafts=True)
    params = {"pause_collection": {"behavior": "void", "resumes_at": until}}
    return _update(subscription, params, key)


def unpause(subscription: str, *, key: str) -> str:
    return _update(subscription, {"pause_collection": ""}, key)


def _update(subscription: str, params: Any, key: str) -> str:
    """A change that names its operation there, by which `find_made` knows it."""
    named = params | {"metadata": {"operation": key}}
    with stripe(keyed=True) as client:
        return client.v1.subscriptions.update(subscription, named, {"idempotency_key": key}).id


def moment(value: datetime) -> int:
    """A time in whole seconds, as Stripe counts."""
    return int(value.timestamp())
