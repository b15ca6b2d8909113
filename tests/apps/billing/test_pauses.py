"""What was used before a pause, or before an end, stands on exactly one invoice that is paid."""

from collections.abc import Callable
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
from django.db.models.functions import Now

from apps.billing import gateway
from apps.billing import services as billing
from apps.billing.models import BillingAccount, Status, StripeOperation
from apps.billing.services import outbox
from apps.billing.services.operations import perform
from apps.core import tenancy
from apps.core.errors import PaymentsUnavailable
from tests.helpers.billing import subscribe, subscription_of
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)
PassTime = Callable[[float], None]


def overage(simulator: Simulator, tenant: Tenant, minor: int = 700, *, is_sent: bool = True) -> None:
    """A line of a month that was closed, which waits for the next invoice."""
    customer = simulator.client.v1.subscriptions.retrieve(subscription_of(tenant).stripe_id).customer
    line = {"customer": customer, "currency": "usd", "amount_minor": minor, "description": "Images beyond the plan"}
    with tenancy.scope(tenant.id):
        operation = StripeOperation.objects.create(
            organization_id=tenant.id,
            kind="create_invoice_item",
            subject=f"overage {uuid4()}",
            parameters=line | {"period_start": 1_790_000_000, "period_end": 1_790_000_100},
        )
    if is_sent:
        perform(operation)


def change(tenant: Tenant, **wanted: Any) -> int:
    """What a change of the monthly plan adds to the next invoice."""
    shown = billing.preview_change(tenant.actor, **wanted)
    billing.confirm_change(tenant.actor, shown.token)
    return shown.change_minor


def paid(simulator: Simulator, of: str = "") -> list[int]:
    """The amounts of all lines that were paid for, of one description or of changes within a period."""
    found = []
    for invoice in simulator.client.v1.invoices.list({"status": "paid", "limit": 100}).data:
        for line in invoice.lines.data:
            details = line.parent and (line.parent.invoice_item_details or line.parent.subscription_item_details)
            if (of in (line.description or "")) if of else (details and details.proration):
                found.append(line.amount)
    return sorted(found)


@pytest.mark.parametrize("is_sent", [True, False], ids=["the line waits at Stripe", "the line was not sent yet"])
def test_what_was_used_and_changed_before_a_pause_is_billed_once(
    payments: Simulator, org_a: Tenant, pass_time: PassTime, is_sent: bool
) -> None:
    subscribe(payments, org_a)
    pass_time(10)
    added = change(org_a, seats=7)
    overage(payments, org_a, is_sent=is_sent)
    assert billing.pause_subscription(org_a.actor, 2).status == Status.PAUSED
    assert (sum(paid(payments)), paid(payments, "Images")) == (added, [700])
    pass_time(75)
    outbox.send_operations()
    assert (sum(paid(payments)), paid(payments, "Images")) == (added, [700])
    assert not list(payments.client.v1.invoice_items.list({"pending": True}).data)
    voided = payments.client.v1.invoices.list({"status": "void"}).data
    assert voided
    assert "Images" not in str([line.description for invoice in voided for line in invoice.lines.data])


@pytest.mark.parametrize("is_done", [True, False])
@pytest.mark.parametrize("step", ["invoicing._make_final", "changes._update"])
def test_a_pause_whose_answer_is_lost_at_any_step_bills_once(
    payments: Simulator, org_a: Tenant, pass_time: PassTime, step: str, is_done: bool
) -> None:
    subscribe(payments, org_a)
    overage(payments, org_a)
    module, name = step.split(".")
    call = getattr(import_module(f"apps.billing.gateway.{module}"), name)

    def lost(*values: Any) -> None:
        if is_done:
            call(*values)
        raise PaymentsUnavailable("No answer.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"apps.billing.gateway.{step}", lost)
        with pytest.raises(PaymentsUnavailable):
            billing.pause_subscription(org_a.actor, 1)
    with tenancy.scope(org_a.id):
        perform(StripeOperation.objects.get(kind="pause"))
    billing.refresh(org_a.id)
    assert subscription_of(org_a).status == Status.PAUSED
    assert paid(payments, "Images") == [700]
    pass_time(40)
    assert paid(payments, "Images") == [700]


def test_what_a_year_uses_is_billed_month_by_month(payments: Simulator, org_a: Tenant, pass_time: PassTime) -> None:
    subscribe(payments, org_a, interval="year")
    overage(payments, org_a)
    with tenancy.scope(org_a.id):
        customer = BillingAccount.objects.get().stripe_id
    for again in range(2):
        key = f"own-invoice-{again}"
        made = gateway.create_invoice(customer=customer, currency="usd", key=key)
        assert gateway.create_invoice(customer=customer, currency="usd", key=key) == made
        assert bool(made) == (not again), "nothing waits a second time, so that there is no empty invoice"
    pass_time(0.1)
    assert paid(payments, "Images") == [700]


def test_what_stripe_has_begun_to_bill_is_billed_before_the_pause(
    payments: Simulator, org_a: Tenant, pass_time: PassTime
) -> None:
    subscribe(payments, org_a)
    overage(payments, org_a)
    end = subscription_of(org_a).period_end
    assert end is not None
    payments.advance(seconds=gateway.moment(end) - payments.now + 60)
    assert [one.status for one in payments.client.v1.invoices.list({"status": "draft"}).data] == ["draft"]
    billing.refresh(org_a.id)
    billing.pause_subscription(org_a.actor, 1)
    assert paid(payments, "Images") == [700]


def test_a_line_that_waits_where_stripe_itself_ends_the_subscription_is_billed_once(
    payments: Simulator, org_a: Tenant, pass_time: PassTime
) -> None:
    row = subscribe(payments, org_a)
    overage(payments, org_a)
    payments.client.v1.subscriptions.cancel(row.stripe_id, {"invoice_now": False, "prorate": False})
    for _ in range(2):
        billing.refresh(org_a.id)
        with tenancy.scope(org_a.id):
            StripeOperation.objects.update(next_at=Now())
        outbox.send_operations()
    pass_time(0.1)
    assert paid(payments, "Images") == [700]
    assert len(payments.client.v1.invoices.list({}).data) == 2


def test_a_line_that_was_not_sent_yet_is_billed_with_a_subscriptions_end(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    overage(payments, org_a, is_sent=False)
    billing.cancel_subscription(org_a.actor, at_once=True)
    assert paid(payments, "Images") == [700]
