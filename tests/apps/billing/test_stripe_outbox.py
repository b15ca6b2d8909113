"""What is asked of Stripe: whoever dies at whatever step, exactly one thing is made there."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.billing import gateway
from apps.billing.models import OperationState, StripeOperation
from apps.billing.services import operations, outbox
from apps.billing.services.accounts import ensure_customer
from apps.core import tenancy
from tests.helpers.people import Tenant, audit_of
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """As a worker's end: nothing catches it."""


def asked(tenant: Tenant) -> StripeOperation:
    """A line to be billed, as the closing of a month asks for it."""
    account = ensure_customer(tenant.id)
    line = {"customer": account.stripe_id, "currency": "usd", "amount_minor": 700, "description": "Tokens"}
    with tenancy.scope(tenant.id):
        found: StripeOperation = StripeOperation.objects.create(
            organization_id=tenant.id,
            kind="create_invoice_item",
            subject="overage 2026-10 USD",
            parameters=line | {"period_start": 1_790_000_000, "period_end": 1_790_000_100},
        )
    return found


def again(tenant: Tenant, **changes: Any) -> StripeOperation:
    """The outbox's next look, after its lease."""
    with tenancy.scope(tenant.id):
        StripeOperation.objects.update(next_at=timezone.now(), **changes)
    outbox.send_operations()
    with tenancy.scope(tenant.id):
        found: StripeOperation = StripeOperation.objects.get(kind="create_invoice_item")
    return found


def lines(simulator: Simulator) -> list[Any]:
    return list(simulator.client.v1.invoice_items.list({}).data)


@pytest.mark.parametrize("step", ["before the call", "after the call", "before the claim's answer"])
def test_a_worker_that_dies_at_any_step_leaves_one_line(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    asked(org_a)
    call = gateway.create_invoice_item

    def dies(**values: Any) -> str:
        if step == "after the call":
            call(**values)
        raise Killed

    with monkeypatch.context() as patch:
        if step == "before the claim's answer":
            patch.setattr(outbox, "_send", lambda operation: dies())
        else:
            patch.setattr(gateway, "create_invoice_item", dies)
        with pytest.raises(Killed):
            outbox.send_operations()
    assert again(org_a).state == OperationState.DONE
    assert again(org_a).state == OperationState.DONE
    [line] = lines(payments)
    assert line.amount == 700


def test_an_answer_that_was_lost_for_good_is_looked_for(payments: Simulator, org_a: Tenant) -> None:
    asked(org_a)
    payments.do("fail", times=1, matching="POST /v1/invoiceitems", replays="error")
    outbox.send_operations()
    for _ in range(operations.LOOK_AFTER_ATTEMPTS):
        found = again(org_a)
    [line] = lines(payments)
    assert (found.state, found.answer_id) == (OperationState.DONE, line.id)


@pytest.mark.parametrize("was_made", [True, False])
def test_after_a_day_it_is_looked_for_and_never_sent_again(payments: Simulator, org_a: Tenant, was_made: bool) -> None:
    operation = asked(org_a)
    if was_made:
        gateway.create_invoice_item(**operation.parameters, key=str(operation.pk))
    yesterday = timezone.now() - operations.KEY_HOLDS - timedelta(minutes=1)
    found = again(org_a, state=OperationState.SENT, first_sent_at=yesterday)
    assert found.state == (OperationState.DONE if was_made else OperationState.UNKNOWN)
    assert len(lines(payments)) == int(was_made)
    assert len(audit_of(org_a, "billing.operation_unknown")) == int(not was_made)


def test_changes_of_one_organization_are_sent_in_their_order(payments: Simulator, org_a: Tenant) -> None:
    first = asked(org_a)
    with tenancy.scope(org_a.id):
        second = operations.write_operation(
            org_a.id, "create_invoice", "overage", {"customer": first.parameters["customer"], "currency": "usd"}
        )
        StripeOperation.objects.filter(pk=second.pk).update(next_at=timezone.now())
        StripeOperation.objects.filter(pk=first.pk).update(next_at=timezone.now() + timedelta(minutes=5))
    assert outbox.send_operations() == 0, "the second waits for the first"
    with tenancy.scope(org_a.id):
        StripeOperation.objects.filter(pk=first.pk).update(next_at=timezone.now())
    assert outbox.send_operations() == 2
    [invoice] = payments.client.v1.invoices.list({}).data
    assert invoice.total == 700
