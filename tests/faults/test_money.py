"""Workers killed with kill -9 at every step of the outbox and of the inbox: one effect at Stripe, and one here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.billing import gateway
from apps.billing.models import CreditEntry, OperationState, Order, Payment, StripeEvent, StripeOperation
from apps.billing.services import inbox, orders, outbox
from apps.billing.services.catalogue import SEAT, find_price
from apps.billing.services.operations import write_operation
from apps.core import tenancy
from tests.faults.dying import MOST_STEPS, Worker
from tests.helpers.billing import invoices_of, subscribe, subscription_of
from tests.helpers.billing import payments as payments
from tests.helpers.people import Tenant, events_of
from tests.helpers.purchases import buy_credits
from tests.helpers.stripe_simulator import SECRET, Simulator
from tests.helpers.stripe_simulator import simulator as simulator
from tests.helpers.stripe_simulator import simulator_process as simulator_process
from workers.billing import DELIVERERS

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults"), pytest.mark.django_db(transaction=True)]
# What the next worker does, which finds what the dead one has left.
NEXT: dict[str, Callable[[], object]] = {
    "send_operations": outbox.send_operations,
    "handle_stripe_events": inbox.handle_events,
    "deliver_orders": lambda: orders.deliver_due(DELIVERERS),
}


@pytest.fixture
def worker(payments: Simulator) -> Iterator[Worker]:
    running = Worker(STRIPE_API_BASE=payments.url)
    yield running
    running.stop()


def kill_at_every_step(worker: Worker, task: str, prepare: Any, check: Any) -> int:
    """For each step: something new to do, a worker that dies there, one that finds what it left; then the check."""
    for step in range(1, MOST_STEPS):
        made = prepare()
        was_killed = worker.runs(task, dies_at=step)
        for _ in range(2):
            lapse()
            NEXT[task]()
        check(made, step)
        if not was_killed:
            return step - 1
    raise AssertionError(f"{task} takes more than {MOST_STEPS} steps.")


def lapse() -> None:
    """The dead worker's leases end."""
    StripeEvent.objects.filter(handled_at=None).update(next_at=timezone.now())
    with tenancy.across_tenants(tenancy.Across.STRIPE), connection.cursor() as cursor:
        cursor.execute("UPDATE billing_stripeoperation SET next_at = now() WHERE state IN ('waiting', 'sent')")


def asked(tenant: Tenant, kind: str, subject: str, parameters: dict[str, Any]) -> StripeOperation:
    with tenancy.scope(tenant.id):
        operation = write_operation(tenant.id, kind, subject, parameters)
        StripeOperation.objects.filter(pk=operation.pk).update(next_at=timezone.now())
    return operation


def state_of(operation: StripeOperation) -> str:
    with tenancy.scope(operation.organization_id):
        return StripeOperation.objects.get(pk=operation.pk).state


def test_a_line_that_is_billed_stands_there_once(payments: Simulator, org_a: Tenant, worker: Worker) -> None:
    subscription = subscribe(payments, org_a)
    customer = payments.client.v1.subscriptions.retrieve(subscription.stripe_id).customer
    line = {"customer": customer, "currency": "usd", "description": "Tokens", "amount_minor": 700}
    period = {"period_start": 1_790_000_000, "period_end": 1_790_000_100}
    made: list[str] = []

    def prepare() -> StripeOperation:
        return asked(org_a, "create_invoice_item", f"overage {len(made)}", line | period)

    def check(operation: StripeOperation, step: int) -> None:
        made.append(str(operation.pk))
        with gateway.stripe() as client:
            found = list(client.v1.invoice_items.list({"limit": 100}).auto_paging_iter())
        assert sorted(str((one.metadata or {})["operation"]) for one in found) == sorted(made), f"step {step}"
        assert state_of(operation) == OperationState.DONE, f"step {step}"

    assert kill_at_every_step(worker, "send_operations", prepare, check) > 10


def test_a_change_that_is_charged_at_once_is_charged_once(
    payments: Simulator, org_a: Tenant, worker: Worker, settings: Any
) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    row = subscribe(payments, org_a, interval="year", seats=4)
    [seat] = [one for one in gateway.get_subscription(row.stripe_id).items if is_seat(one)]
    quantity, charges = seat.quantity, 1

    def prepare() -> StripeOperation:
        nonlocal quantity
        quantity += 1
        items = [{"id": seat.id, "price": seat.price_id, "quantity": quantity}]
        change = {"subscription": row.stripe_id, "items": items, "proration": "always_invoice", "at": None}
        return asked(org_a, "change_items", f"change {quantity}", change)

    def check(operation: StripeOperation, step: int) -> None:
        nonlocal charges
        charges += 1
        # Who died after the change has not copied it; Stripe's events say where to look.
        payments.deliver(Client())
        inbox.handle_events()
        with gateway.stripe() as client:
            found = list(client.v1.charges.list({"limit": 100}).auto_paging_iter())
        assert [one.status for one in found] == ["succeeded"] * charges, f"step {step}"
        assert state_of(operation) == OperationState.DONE, f"step {step}"
        assert len(invoices_of(org_a)) == charges, f"step {step}"

    assert kill_at_every_step(worker, "send_operations", prepare, check) > 10
    assert subscription_of(org_a).seats == quantity + 3


def is_seat(item: gateway.Item) -> bool:
    found = find_price(item.price_id)
    return found is not None and found[1] == SEAT


@pytest.mark.parametrize("task", ["handle_stripe_events", "deliver_orders"])
def test_a_refund_takes_credits_back_once(
    payments: Simulator, org_a: Tenant, worker: Worker, settings: Any, task: str
) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    order = buy_credits(payments, org_a)
    gone = 0

    def prepare() -> None:
        nonlocal gone
        gone += 7
        with gateway.stripe() as client:
            client.v1.refunds.create({"payment_intent": order.intent_id, "amount": 7})
        payments.deliver(Client())
        if task == "deliver_orders":
            inbox.handle_events()

    def check(_: None, step: int) -> None:
        assert not StripeEvent.objects.filter(handled_at=None).exists(), f"step {step}"
        orders.deliver_due(DELIVERERS)
        with tenancy.scope(org_a.id):
            assert Payment.objects.get().refunded_minor == gone, f"step {step}"
            found = Order.objects.get()
            taken = list(CreditEntry.objects.filter(kind="clawback").values_list("amount_micros", flat=True))
        assert (found.reversed_minor, found.taken_back_minor) == (gone, gone), f"step {step}"
        assert len(taken) == gone // 7, f"step {step}"
        assert events_of(org_a).count("order.reversed") == gone // 7, f"step {step}"

    assert kill_at_every_step(worker, task, prepare, check) > 3


def test_a_paid_subscription_is_copied_once(payments: Simulator, org_a: Tenant, worker: Worker, settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    row = subscribe(payments, org_a)
    payments.deliver(Client())
    inbox.handle_events()
    changes = events_of(org_a).count("subscription.changed")
    versions, times = subscription_of(org_a).version, 0

    def prepare() -> None:
        nonlocal times
        times += 1
        cancels = times % 2 == 1
        with gateway.stripe() as client:
            client.v1.subscriptions.update(row.stripe_id, {"cancel_at_period_end": cancels})
        payments.deliver(Client())

    def check(_: None, step: int) -> None:
        assert not StripeEvent.objects.filter(handled_at=None).exists(), f"step {step}"
        found = subscription_of(org_a)
        assert (found.version, found.cancel_at is not None) == (versions + times, times % 2 == 1), f"step {step}"

    assert kill_at_every_step(worker, "handle_stripe_events", prepare, check) > 7
    assert events_of(org_a).count("subscription.changed") == changes
