"""Charges as Stripe has them, and what refunds and disputes of them mean for what was bought."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F, Sum
from django.db.models.functions import Least

from apps.accounts import audit
from apps.accounts.audit.recording import system
from apps.billing import gateway
from apps.billing.models import BillingAccount, Invoice, Order, Payment
from apps.billing.services.mirrors import write_invoice
from apps.billing.services.orders import DELIVER
from apps.core import events
from apps.core.jobs import ring

_COPIED = "status currency amount_minor refunded_minor disputed_minor dispute_status failure created_at".split()


def write_charge(account: BillingAccount, remote: gateway.RemoteCharge) -> Payment:
    """Copies a charge that was fetched under the account's lock, and raises or lowers what its order has reversed."""
    order = _order_of(remote)
    values = {name: getattr(remote, name) for name in _COPIED}
    values |= {"organization_id": account.organization_id, "intent_id": remote.intent}
    values |= {"invoice": _invoice_of(account, remote), "order": order}
    row: Payment
    row, _ = Payment.objects.update_or_create(stripe_id=remote.id, defaults=values)
    if order is not None:
        _reverse(order)
    return row


def _order_of(remote: gateway.RemoteCharge) -> Order | None:
    try:
        id = UUID(remote.order)
    except ValueError:
        return None
    found: Order | None = Order.objects.select_for_update().filter(pk=id).first()
    return found


def _invoice_of(account: BillingAccount, remote: gateway.RemoteCharge) -> Invoice | None:
    if not remote.invoice:
        return None
    found: Invoice | None = Invoice.objects.filter(stripe_id=remote.invoice).first()
    return found or write_invoice(account, gateway.get_invoice(remote.invoice))


def _reverse(order: Order) -> None:
    """Writes how much of an order is reversed by now; tax is reversed with it and is no part of the order's amount."""
    gone = Least(F("amount_minor"), F("refunded_minor") + F("disputed_minor"))
    paid = Payment.objects.filter(order=order, status="succeeded").aggregate(paid=Sum("amount_minor"), gone=Sum(gone))
    if not paid["paid"]:
        return
    reversed_minor = order.amount_minor * paid["gone"] // paid["paid"]
    if reversed_minor == order.reversed_minor:
        return
    before, order.reversed_minor = order.reversed_minor, reversed_minor
    order.save(update_fields=["reversed_minor"])
    amounts = {"reversed_minor": reversed_minor, "currency": order.currency}
    by = system(order.organization_id)
    audit.record(by, "order.reversed", order, before={"reversed_minor": before}, after=amounts)
    events.record("order.reversed", order.pk, {"kind": order.kind, "name": order.name, **amounts})
    ring(DELIVER)
