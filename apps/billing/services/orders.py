"""One-time purchases: the order first, then one page at Stripe for it, then what the delivering app does.

Credits need no plan: whoever has bought some pays for what they use with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.audit.recording import system
from apps.billing import gateway
from apps.billing.models import BillingAccount, CreditPack, Order, OrderKind, OrderState
from apps.billing.services import credits, idle_credit
from apps.billing.services.accounts import (
    MANAGE,
    OTHER_CURRENCY,
    READ,
    account_of,
    ensure_customer,
    lock_account,
    spending_currency,
)
from apps.billing.services.checkouts import require_payments
from apps.billing.services.noting import note_customer
from apps.core import events, tenancy
from apps.core.currencies import chargeable
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.core.jobs import ring
from apps.core.tenancy import Across, across_tenants

log = structlog.get_logger(__name__)
DELIVER = "billing.deliver_orders"
NO_ORDER = gettext_noop("There is no purchase with this id.")
MOST = 10_000
# One look takes no more than this; the rest is found by the next.
BATCH = 200
NEVER_PAID = (OrderState.OPEN, OrderState.EXPIRED)


def buy_credits(actor: Actor, pack: str) -> Order:
    """An order of a pack of credits."""
    found = CreditPack.objects.filter(code=pack, is_active=True).first()
    if found is None:
        raise InvalidRequest("There is no such pack.", param="pack")
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        _require_currency(account_of(actor.organization_id), found.currency)
    return start_order(
        actor,
        kind=OrderKind.CREDITS,
        item_id=found.pk,
        name=found.name,
        currency=found.currency,
        amount_minor=found.price_minor,
        terms=credits.terms_of(found),
    )


def start_order(
    actor: Actor,
    *,
    kind: str,
    item_id: UUID,
    name: str,
    currency: str,
    amount_minor: int,
    quantity: int = 1,
    terms: dict[str, Any] | None = None,
) -> Order:
    """Writes what is to be bought; `amount_minor` is the price of all of it. Nothing is asked of Stripe yet.

    `terms` are what is to be delivered for it, as JSON.
    """
    actor.require(MANAGE)
    actor.require_open()
    require_payments()
    if not 1 <= quantity <= MOST or amount_minor < 1:
        raise InvalidRequest(
            "A purchase has 1 to %(most)s pieces and a price.", values={"most": MOST}, param="quantity"
        )
    chargeable(amount_minor, currency, "quantity")
    with tenancy.scope(actor.organization_id):
        order: Order = Order.objects.create(
            organization_id=actor.organization_id,
            kind=kind,
            item_id=item_id,
            name=name,
            quantity=quantity,
            currency=currency.upper(),
            amount_minor=amount_minor,
            terms=terms,
            asked_by=actor.user_id,
        )
        facts = {"kind": str(kind), "name": name, "amount_minor": amount_minor, "currency": order.currency}
        audit.record(actor, "order.started", order, after=facts)
    return order


def _require_currency(account: BillingAccount, currency: str) -> None:
    """Refuses credit that would lie idle, in the scope of the organization."""
    fixed = spending_currency(account.organization_id)
    if fixed and fixed != currency:
        raise InvalidRequest(OTHER_CURRENCY, values={"currency": fixed}, param="pack")


def checkout_url(actor: Actor, order: Order) -> str:
    """Where the order is paid for; asked again it is the same page."""
    actor.require(MANAGE)
    if order.organization_id != actor.organization_id:
        raise NotFound(NO_ORDER)
    if order.state != OrderState.OPEN:
        raise Conflict("This purchase has been paid for, or was given up.")
    if order.stripe_id:
        page = gateway.get_checkout(order.stripe_id)
        settle(order, page)
        if page.status != "open":
            raise Conflict("This purchase has been paid for, or was given up.")
        return page.url
    account = ensure_customer(order.organization_id)
    if order.kind == OrderKind.CREDITS:
        # Another purchase may have decided since the pack was chosen.
        with tenancy.scope(order.organization_id):
            _require_currency(account, order.currency)
    is_even = order.amount_minor % order.quantity == 0
    back = f"{settings.BASE_URL}{reverse('billing-order', args=[order.pk])}"
    page = gateway.checkout_order(
        account.stripe_id,
        name=order.name if is_even else f"{order.name} × {order.quantity}",
        quantity=order.quantity if is_even else 1,
        unit_minor=order.amount_minor // order.quantity if is_even else order.amount_minor,
        currency=order.currency,
        metadata={"organization": str(order.organization_id), "order": str(order.pk)},
        way=gateway.Way(back, back),
        key=str(order.pk),
    )
    with tenancy.scope(order.organization_id):
        Order.objects.filter(pk=order.pk).update(stripe_id=page.id)
    return page.url


def get_order(actor: Actor, id: UUID) -> Order:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        found: Order | None = Order.objects.filter(pk=id).first()
    if found is None:
        raise NotFound(NO_ORDER)
    return found


def settle_order(organization_id: UUID, id: UUID) -> Order:
    """Looks at Stripe whether an order has been paid for; asked by whoever comes back, and by events."""
    with tenancy.scope(organization_id):
        order: Order | None = Order.objects.filter(pk=id).first()
    if order is None:
        raise NotFound(NO_ORDER)
    if order.state == OrderState.OPEN and order.stripe_id:
        settle(order, gateway.get_checkout(order.stripe_id))
    return order


def settle(order: Order, page: gateway.Page) -> None:
    """Writes how an order's page has ended; what is paid for is delivered by the worker."""
    if not page.is_paid and page.status != "expired":
        return
    with tenancy.scope(order.organization_id):
        account = lock_account(order.organization_id)
        row = Order.objects.select_for_update().get(pk=order.pk)
        if row.state == OrderState.OPEN and page.is_paid:
            if row.kind == OrderKind.CREDITS and spending_currency(row.organization_id) in ("", row.currency):
                # As the first subscription does: from now on usage is priced in what its credit is in.
                note_customer(account, currency=row.currency)
            row.state, row.paid_at, row.intent_id = OrderState.PAID, timezone.now(), page.intent_id
            row.save(update_fields=["state", "paid_at", "intent_id"])
            facts = {"kind": row.kind, "name": row.name, "amount_minor": row.amount_minor, "currency": row.currency}
            events.record("order.paid", row.pk, facts)
            # Another purchase, paid for while this page was open, may have decided for another currency.
            idle_credit.give_back_idle(account)
            ring(DELIVER)
        elif row.state == OrderState.OPEN:
            row.state = OrderState.EXPIRED
            row.save(update_fields=["state"])
    order.state, order.paid_at, order.intent_id = row.state, row.paid_at, row.intent_id


def deliver_due(deliverers: Mapping[str, str]) -> int:
    """Delivers what is paid for and takes back what was reversed, in one transaction with the order; returns how many.

    `deliverers` names by kind the module of the app whose `deliver(order)` and `take_back(order, reversed_minor)` do
    it, each harmless when it is called again. One that fails is tried again by the next look, and holds up no other.
    """
    with across_tenants(Across.HOUSEKEEPING):
        rows = Order.objects.filter(Q(state=OrderState.PAID) | ~Q(reversed_minor=F("taken_back_minor")))
        due = list(rows.exclude(state__in=NEVER_PAID).values_list("organization_id", "pk", "kind")[:BATCH])
    return sum(_deliver(organization_id, id, deliverers.get(kind, "")) for organization_id, id, kind in due)


def _deliver(organization_id: UUID, id: UUID, deliverer: str) -> bool:
    if not deliverer:
        log.error("nobody delivers this kind of order", order=str(id))
        return False
    try:
        with tenancy.scope(organization_id):
            lock_account(organization_id)
            order = Order.objects.select_for_update().get(pk=id)
            app = import_module(deliverer)
            is_gone = order.reversed_minor >= order.amount_minor
            # Disputed before it was delivered and won since, it is delivered as if it had only now been paid.
            is_due = order.delivered_at is None and not is_gone
            if is_due and idle_credit.is_going_back(order) and order.taken_back_minor <= order.reversed_minor:
                # Its money is on its way, and all of it has not gone yet; what the bank sent back to us is delivered.
                return False
            if is_due:
                app.deliver(order)
                order.state, order.delivered_at = OrderState.DELIVERED, timezone.now()
                audit.record(system(organization_id), "order.delivered", order, kind=order.kind)
                events.record("order.delivered", order.pk, {"kind": order.kind, "name": order.name})
            if order.reversed_minor != order.taken_back_minor:
                _take_back(app, order, is_gone)
                idle_credit.tell_when_back(order)
            order.save(update_fields=["state", "delivered_at", "taken_back_minor"])
    except Exception:
        log.exception("order not delivered", order=str(id))
        return False
    return True


def _take_back(app: Any, order: Order, is_gone: bool) -> None:
    """What was reversed before it was delivered is never delivered, so nothing has to come back."""
    if order.delivered_at is not None:
        app.take_back(order, order.reversed_minor)
    state = OrderState.REVERSED if is_gone else OrderState.DELIVERED
    order.state, order.taken_back_minor = state, order.reversed_minor
    audit.record(system(order.organization_id), "order.taken_back", order, kind=order.kind)
