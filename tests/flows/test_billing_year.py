"""A year of three paying organizations, each in its currency: ledger, sums, invoices and Stripe agree to the cent.

Plans go up and down, seats come and go, and credits are bought and refunded.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import uuid4

import pytest
from django.db.models import Sum
from django.utils import timezone

from apps.billing import services as billing
from apps.billing.entitlements import micros_of
from apps.billing.models import (
    CreditEntry,
    Invoice,
    LedgerEntry,
    Meter,
    MeterPeriod,
    OperationState,
    PlanAllowance,
    StripeOperation,
    UsageHour,
    UsagePeriod,
)
from apps.billing.services import Charge, closing, credits, orders
from apps.billing.services.operations import perform
from apps.core import tenancy
from tests.helpers.billing import pass_time as pass_time
from tests.helpers.billing import payments as payments
from tests.helpers.billing import subscribe
from tests.helpers.people import Tenant, make_tenant
from tests.helpers.plans import include
from tests.helpers.stripe_simulator import Simulator
from tests.helpers.stripe_simulator import simulator as simulator
from tests.helpers.stripe_simulator import simulator_process as simulator_process
from workers.billing import DELIVERERS

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
CURRENCIES = ("USD", "EUR", "CNY")
MONTHS, DAYS = 12, 30.4375
# From which month on how many are paid for.
SEATS = {2: 9, 7: 4, 9: 11}


@pytest.fixture
def payers(payments: Simulator) -> Iterator[list[tuple[Tenant, str]]]:
    """Three organizations on a plan that charges, with small allowances."""
    # What is sold stays in the database between tests.
    included = PlanAllowance.objects.get(plan__code="pro", meter=Meter.TOKENS_IN).included
    include(50_000, "pro")
    found = [(make_tenant(f"payer-{currency.lower()}"), currency) for currency in CURRENCIES]
    for tenant, currency in found:
        subscribe(payments, tenant, currency=currency, seats=3)
    yield found
    include(included, "pro")


def work(tenant: Tenant, random: Random) -> None:
    """What an organization does in a month: texts, some given up, and images."""
    for _ in range(random.randint(3, 8)):
        prompt, answer = random.randint(1, 40_000), random.randint(1, 60_000)
        job = uuid4()
        with tenancy.scope(tenant.id):
            billing.hold(job, billing.tokens(prompt, answer), billing.limits_of(tenant.id))
            if random.random() < 0.2:
                billing.release(job)
            else:
                billing.settle(job, Charge(prompt, random.randint(0, answer)))
    job = uuid4()
    with tenancy.scope(tenant.id):
        billing.hold(job, {Meter.IMAGES: 9_000}, billing.limits_of(tenant.id))
        billing.settle(job, Charge(quantity=random.randint(4_000, 9_000)))


def change(tenant: Tenant, **wanted: Any) -> int:
    """Changes the subscription; what it was said to cost at once."""
    shown = billing.preview_change(tenant.actor, **wanted)
    billing.confirm_change(tenant.actor, shown.token)
    return shown.due_now_minor


def buy_and_refund(payments: Simulator, tenant: Tenant, currency: str, refunded: bool) -> None:
    """A pack of credits; half of it may be refunded later."""
    order = billing.buy_credits(tenant.actor, f"credit-{currency.lower()}-1")
    orders.checkout_url(tenant.actor, order)
    with tenancy.scope(tenant.id):
        order.refresh_from_db()
    payments.pay(order.stripe_id)
    orders.settle_order(tenant.id, order.pk)
    orders.deliver_due(DELIVERERS)
    if refunded:
        with tenancy.scope(tenant.id):
            order.refresh_from_db()
            half = order.amount_minor // 2
            payments.client.v1.refunds.create({"payment_intent": order.intent_id, "amount": half})
            credits.take_back(order, half)


def send_operations(tenant: Tenant) -> None:
    with tenancy.scope(tenant.id):
        waiting = list(StripeOperation.objects.filter(state=OperationState.WAITING).order_by("id"))
    for operation in waiting:
        perform(operation)


def test_a_year_agrees_to_the_cent(
    payments: Simulator, payers: list[tuple[Tenant, str]], pass_time: Callable[[float], None]
) -> None:
    random = Random(7)
    for month in range(MONTHS):
        for tenant, currency in payers:
            work(tenant, random)
            if month in SEATS:
                change(tenant, seats=SEATS[month])
            if month == 4:
                change(tenant, plan="enterprise", seats=25)
            if month == 6:
                change(tenant, plan="pro", seats=5)
            if month in (3, 5):
                buy_and_refund(payments, tenant, currency, refunded=month == 5)
        pass_time(DAYS)
        billing.close_months()
        for tenant, _ in payers:
            send_operations(tenant)
            billing.refresh(tenant.id)
    # The last open month, and the renewal that brings its lines.
    pass_time(2 * DAYS)
    billing.close_months()
    for tenant, _ in payers:
        send_operations(tenant)
    pass_time(DAYS + 1)
    assert billing.check_rollups((timezone.now() - timedelta(days=1)).date()) == []
    for tenant, currency in payers:
        billing.refresh(tenant.id)
        agrees(payments, tenant, currency)


def agrees(payments: Simulator, tenant: Tenant, currency: str) -> None:
    with tenancy.scope(tenant.id):
        charged = total(LedgerEntry.objects.filter(kind__in=["settle", "usage"]), "charge_micros")
        assert charged > 0
        assert charged == total(UsageHour.objects, "charge_micros") == total(MeterPeriod.objects, "charged_micros")
        periods = UsagePeriod.objects.filter(closed_at__isnull=False)
        assert periods.count() == UsagePeriod.objects.count() >= MONTHS
        drawn = -total(CreditEntry.objects.filter(kind="draw"), "amount_micros")
        billed = total(periods, "billed_minor")
        carried = int(periods.order_by("-month").first().carried_micros)
        assert micros_of(billed, currency) + carried + drawn == charged
        assert credits.balance(currency) == total(CreditEntry.objects, "amount_micros")
        asked = StripeOperation.objects.filter(kind=closing.INVOICE_ITEM)
        assert sum(row.parameters["amount_minor"] for row in asked) == billed
        assert not StripeOperation.objects.exclude(state=OperationState.DONE).exists()
        mirrored = {row.stripe_id: row for row in Invoice.objects.all()}
        customer = StripeOperation.objects.filter(kind=closing.INVOICE_ITEM).first().parameters["customer"]
    at_stripe = list(payments.client.v1.invoices.list({"customer": customer, "limit": 100}).auto_paging_iter())
    assert {invoice.id for invoice in at_stripe} == set(mirrored)
    beyond = 0
    for invoice in at_stripe:
        ours = mirrored[invoice.id]
        assert (invoice.total, invoice.amount_paid, invoice.status) == (ours.total_minor, ours.paid_minor, ours.status)
        assert sum(line["amount_minor"] for line in ours.lines) == ours.subtotal_minor == invoice.subtotal
        beyond += sum(line["amount_minor"] for line in ours.lines if is_usage(line["description"]))
    assert Decimal(beyond) == billed


def is_usage(description: str) -> bool:
    return "beyond the plan" in description or "prepaid credits" in description or "reported after" in description


def total(rows: Any, column: str) -> int:
    return int(rows.aggregate(sum=Sum(column, default=0))["sum"])
