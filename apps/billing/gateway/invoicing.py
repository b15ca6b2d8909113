"""What is billed beside subscriptions."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from apps.billing.gateway.client import stripe
from apps.billing.gateway.objects import id_of
from apps.billing.gateway.payments import find_made, operation_named, operation_of


def create_invoice_item(
    *, customer: str, currency: str, amount_minor: int, description: str, period_start: int, period_end: int, key: str
) -> str:
    """A line of the customer's next invoice; the period is in whole seconds."""
    params: Any = {
        "customer": customer,
        "currency": currency,
        "amount": amount_minor,
        "description": description,
        "period": {"start": period_start, "end": period_end},
        "metadata": {"operation": operation_named(key)},
    }
    with stripe(keyed=True) as client:
        return client.v1.invoice_items.create(params, {"idempotency_key": key}).id


def create_invoice(*, customer: str, currency: str, key: str) -> str:
    """Bills at once what waits for an invoice, where no subscription brings one.

    Where nothing waits any more, because another invoice has taken it up, none is made.
    """
    with stripe() as client:
        waiting = client.v1.invoice_items.list({"customer": customer, "pending": True, "limit": 100})
        if not any(not _subscription_of(item) for item in waiting.auto_paging_iter()):
            return find_made("create_invoice", {"customer": customer}, operation_named(key))
        params = _invoice(client, customer, currency, key)
    with stripe(keyed=True) as client:
        return client.v1.invoices.create(params, {"idempotency_key": key}).id


def bill_waiting(subscription: str, *, key: str, drafts: bool) -> None:
    """Bills at once what would else wait for the subscription's next invoice: prorations, and lines of the customer's.

    With `drafts` also what Stripe has begun to bill and not made final yet. Each step looks first whether it has been
    done, so that it may be asked for again.
    """
    with stripe(keyed=True) as client:
        customer = id_of(client.v1.subscriptions.retrieve(subscription).customer)
        open_ones = client.v1.invoices.list({"customer": customer, "status": "draft", "limit": 100})
        for draft in open_ones.auto_paging_iter():
            its_own = drafts and draft.auto_advance and _subscription_of(draft) == subscription
            # Also what an earlier attempt has begun, under another key.
            if its_own or operation_of(draft):
                _make_final(client, str(draft.id), key)
        pending = client.v1.invoice_items.list({"customer": customer, "pending": True, "limit": 100})
        groups: dict[tuple[str, str], str] = {}
        for item in pending.auto_paging_iter():
            if _subscription_of(item) in {"", subscription}:
                groups.setdefault((_subscription_of(item), item.currency), str(item.id))
        for (whose, currency), first in groups.items():
            # What stands on an invoice waits no more: the same first line is the same attempt.
            params = _invoice(client, customer, currency, key) | ({"subscription": whose} if whose else {})
            made = client.v1.invoices.create(params, {"idempotency_key": f"{key}:{first}"})
            _make_final(client, str(made.id), key)


def _invoice(client: Any, customer: str, currency: str, key: str) -> Any:
    params: dict[str, Any] = _pays_with(client, customer) | {
        "customer": customer,
        "currency": currency,
        "auto_advance": True,
        "collection_method": "charge_automatically",
        "pending_invoice_items_behavior": "include",
        "metadata": {"operation": operation_named(key)},
    }
    if settings.STRIPE_TAX:
        params["automatic_tax"] = {"enabled": True}
    return params


def _pays_with(client: Any, customer: str) -> dict[str, str]:
    """What is to be charged where the customer has named nothing: Checkout keeps a card with the subscription alone."""
    chosen = client.v1.customers.retrieve(customer).invoice_settings
    if chosen and chosen.default_payment_method:
        return {}
    there = [one.id for one in client.v1.customers.payment_methods.list(customer, {"limit": 100}).data]
    found = client.v1.subscriptions.list({"customer": customer, "status": "all", "limit": 100}).data
    named = [id_of(one.default_payment_method) for one in found if id_of(one.default_payment_method) in there]
    return {"default_payment_method": (named or there)[0]} if there else {}


def _make_final(client: Any, invoice: str, key: str) -> None:
    client.v1.invoices.finalize_invoice(invoice, {"auto_advance": True}, {"idempotency_key": f"{key}:final:{invoice}"})


def _subscription_of(found: Any) -> str:
    """Of an invoice or an invoice item; "" where it belongs to none."""
    details = found.parent and found.parent.subscription_details
    return id_of(details.subscription) if details else ""
