"""Money that has moved or is to move: charges with what was given back of them, and what is billed beside a plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from apps.billing.gateway.checkout import page_of
from apps.billing.gateway.client import stripe
from apps.billing.gateway.objects import Page, at, id_of

# While one of these holds, the money is gone from us. An inquiry takes none, and what was won has come back.
TAKEN: Final = frozenset({"needs_response", "under_review", "lost"})
# Of one subscription: whether one of them was made shows in the subscription.
CHANGES: Final = frozenset({"change_items", "cancel_at_end", "cancel_now", "keep", "pause", "unpause"})


@dataclass(frozen=True, slots=True)
class RemoteCharge:
    """A charge; `disputed_minor` is what disputes hold or have taken of it, and `order` our own id of what it pays."""

    id: str
    customer: str
    intent: str
    invoice: str
    order: str
    status: str
    currency: str
    amount_minor: int
    refunded_minor: int
    disputed_minor: int
    dispute_status: str
    failure: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RemoteSession:
    """A page of Checkout, whose it is, and which of our rows it was made for."""

    customer: str
    organization: str
    checkout: str
    order: str
    page: Page


def get_charge(id: str) -> RemoteCharge:
    with stripe() as client:
        return _charge(client, client.v1.charges.retrieve(id, {"expand": ["payment_intent"]}))


def list_charges(customer: str, *, limit: int = 100) -> list[RemoteCharge]:
    """The newest of a customer's."""
    with stripe() as client:
        found = client.v1.charges.list({"customer": customer, "limit": limit, "expand": ["data.payment_intent"]})
        return [_charge(client, one) for one in found.data]


def get_session(id: str) -> RemoteSession:
    with stripe() as client:
        found = client.v1.checkout.sessions.retrieve(id)
    named = found.metadata.to_dict() if found.metadata else {}
    return RemoteSession(
        customer=id_of(found.customer),
        organization=found.client_reference_id or named.get("organization", ""),
        checkout=named.get("checkout", ""),
        order=named.get("order", ""),
        page=page_of(found),
    )


def end_second(subscription: str, *, key: str) -> str:
    """Ends a subscription that must not be, and gives back or forgives what it has billed.

    Each step looks first whether it has been done, so it may also be asked for with other keys.
    """
    with stripe() as client:
        found = client.v1.subscriptions.retrieve(subscription)
        if found.status not in {"canceled", "incomplete_expired"}:
            params: Any = {"invoice_now": False, "prorate": False}
            client.v1.subscriptions.cancel(subscription, params, {"idempotency_key": f"{key}:cancel"})
        for invoice in client.v1.invoices.list({"subscription": subscription, "limit": 100}).data:
            if invoice.status in {"open", "uncollectible"}:
                with stripe(keyed=True) as keyed:
                    keyed.v1.invoices.void_invoice(str(invoice.id), {}, {"idempotency_key": f"{key}:void:{invoice.id}"})
            elif invoice.status == "paid" and invoice.amount_paid:
                _give_back(client, str(invoice.id), key)
    return subscription


def give_back(order: str, intent: str, share_minor: int, price_minor: int, *, key: str) -> str:
    """Refunds so much of a one-time purchase's price, with the tax on it; what this key has refunded, not again."""
    with stripe() as client:
        if made := _refund_of(client, intent, operation_named(key)):
            return made
        charge: Any = client.v1.payment_intents.retrieve(intent, {"expand": ["latest_charge"]}).latest_charge
    amount = min(-(-charge.amount * share_minor // price_minor), charge.amount - charge.amount_refunded)
    if amount <= 0:
        return ""
    named = {"operation": operation_named(key), "order": order}
    params: Any = {"payment_intent": intent, "amount": amount, "metadata": named}
    with stripe(keyed=True) as keyed:
        return keyed.v1.refunds.create(params, {"idempotency_key": f"{key}:refund:{intent}"}).id


def find_made(kind: str, parameters: dict[str, Any], key: str) -> str:
    """What an operation of this key has made or done at Stripe, or "": for answers that nobody has seen."""
    with stripe() as client:
        if kind == "create_customer":
            for one in client.v1.customers.list({"email": parameters["email"], "limit": 100}).data:
                if one.metadata and one.metadata.to_dict().get("organization") == parameters["organization"]:
                    return one.id
        elif kind in {"create_invoice", "create_invoice_item"}:
            of_kind = client.v1.invoices if kind == "create_invoice" else client.v1.invoice_items
            found = of_kind.list({"customer": parameters["customer"], "limit": 100})
            return next((str(one.id) for one in found.auto_paging_iter() if operation_of(one) == key), "")
        elif kind == "give_back":
            return _refund_of(client, parameters["intent"], key)
        elif kind in CHANGES:
            # Changes are made one after the other, and each leaves its name; an end leaves none.
            changed = client.v1.subscriptions.retrieve(parameters["subscription"])
            is_made = changed.status == "canceled" if kind == "cancel_now" else operation_of(changed) == key
            return changed.id if is_made else ""
    return ""


def operation_named(key: str) -> str:
    """The operation whose key it is: after its id stands what tells its keys and its steps apart."""
    return key.partition(":")[0]


def operation_of(found: Any) -> str:
    """Which operation of ours has made it."""
    return str(found.metadata.to_dict().get("operation", "")) if found.metadata else ""


def _refund_of(client: Any, intent: str, key: str) -> str:
    """The refund that an operation has made, or ""."""
    found = client.v1.refunds.list({"payment_intent": intent, "limit": 100})
    return next((str(one.id) for one in found.auto_paging_iter() if operation_of(one) == key), "")


def _give_back(client: Any, invoice: str, key: str) -> None:
    for payment in client.v1.invoice_payments.list({"invoice": invoice, "status": "paid", "limit": 100}).data:
        intent = id_of(payment.payment.payment_intent)
        if not intent:
            continue
        charge = client.v1.payment_intents.retrieve(intent, {"expand": ["latest_charge"]}).latest_charge
        if charge and charge.amount_refunded < charge.amount:
            params: Any = {"payment_intent": intent, "metadata": {"operation": operation_named(key)}}
            with stripe(keyed=True) as keyed:
                keyed.v1.refunds.create(params, {"idempotency_key": f"{key}:refund:{intent}"})


def _charge(client: Any, found: Any) -> RemoteCharge:
    intent = found.payment_intent
    named = found.metadata.to_dict() if found.metadata else {}
    if intent and not isinstance(intent, str) and intent.metadata:
        named = intent.metadata.to_dict() | named
    disputes = client.v1.disputes.list({"charge": found.id, "limit": 100}).data if found.disputed else []
    return RemoteCharge(
        id=found.id,
        customer=id_of(found.customer),
        intent=id_of(intent),
        invoice=_invoice_of(client, id_of(intent)),
        order=named.get("order", ""),
        status=found.status,
        currency=found.currency.upper(),
        amount_minor=found.amount,
        refunded_minor=found.amount_refunded,
        disputed_minor=sum(one.amount for one in disputes if one.status in TAKEN),
        dispute_status=disputes[0].status if disputes else "",
        failure=(found.failure_message or "")[:200],
        created_at=at(found.created),
    )


def _invoice_of(client: Any, intent: str) -> str:
    """A charge does not name its invoice since API basil: the payment of the invoice names the intent."""
    if not intent:
        return ""
    payment = {"type": "payment_intent", "payment_intent": intent}
    found = client.v1.invoice_payments.list({"payment": payment, "limit": 1}).data
    return id_of(found[0].invoice) if found else ""
