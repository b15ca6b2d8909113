"""Lines that Stripe fails at hold up nobody, and stand on exactly one invoice that is paid."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.billing import services as billing
from apps.billing.models import OperationState, Status, StripeOperation
from apps.billing.services import operations, outbox
from apps.billing.services.accounts import ensure_customer
from apps.core import tenancy
from apps.core.errors import PaymentsUnavailable
from tests.apps.billing.test_order_of_changes import Silence, send_what_waits, states
from tests.apps.billing.test_pauses import overage, paid
from tests.helpers.billing import subscribe, subscription_of
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)
PassTime = Callable[[float], None]


def pause(tenant: Tenant) -> Any:
    return billing.pause_subscription(tenant.actor, 1).status


def end(tenant: Tenant) -> Any:
    return billing.cancel_subscription(tenant.actor, at_once=True).status


def fail(payments: Simulator, *, before: bool, times: int = 1) -> None:
    """The next lines are answered with 500, and so are their keys from then on."""
    payments.do("fail", times=times, matching="POST /v1/invoiceitems", replays="error", before=before)


def line_of(tenant: Tenant) -> StripeOperation:
    with tenancy.scope(tenant.id):
        found: StripeOperation = StripeOperation.objects.get(kind="create_invoice_item")
    return found


@pytest.mark.parametrize("before", [True, False], ids=["nothing was made", "it was made all the same"])
def test_what_stripe_fails_at_is_made_once_by_the_next_look(payments: Simulator, org_a: Tenant, before: bool) -> None:
    subscribe(payments, org_a)
    overage(payments, org_a, is_sent=False)
    fail(payments, before=before)
    outbox.send_operations()
    send_what_waits(org_a)
    send_what_waits(org_a)
    [made] = payments.client.v1.invoice_items.list({"pending": True}).data
    line = line_of(org_a)
    assert (line.state, line.answer_id, made.amount) == (OperationState.DONE, made.id, 700)
    assert (made.metadata or {})["operation"] == str(line.pk)


def test_two_who_are_failed_under_one_key_spend_it_once(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    overage(payments, org_a, is_sent=False)
    both = [line_of(org_a), line_of(org_a)]
    fail(payments, before=True)
    for each in both:
        with pytest.raises(PaymentsUnavailable):
            operations.perform(each)
    assert line_of(org_a).spent_keys == 1
    send_what_waits(org_a)
    assert [one.amount for one in payments.client.v1.invoice_items.list({}).data] == [700]


def test_a_key_is_held_for_a_day_from_when_it_was_sent(payments: Simulator, org_a: Tenant, pass_time: PassTime) -> None:
    subscribe(payments, org_a)
    overage(payments, org_a, is_sent=False)
    fail(payments, before=True)
    outbox.send_operations()
    pass_time(2)
    send_what_waits(org_a)
    assert line_of(org_a).state == OperationState.DONE


@pytest.mark.parametrize(("act", "status"), [(pause, Status.PAUSED), (end, Status.CANCELED)])
def test_a_line_that_stripe_fails_at_holds_up_no_change_and_is_billed_after_it(
    payments: Simulator, org_a: Tenant, pass_time: PassTime, act: Callable[[Tenant], Any], status: Status
) -> None:
    subscribe(payments, org_a)
    overage(payments, org_a, is_sent=False)
    fail(payments, before=True, times=5)
    assert act(org_a) == status
    payments.do("fail", times=0)
    for _ in range(3):
        send_what_waits(org_a)
    pass_time(0.1)
    assert paid(payments, "Images") == [700]
    with tenancy.scope(org_a.id):
        assert set(StripeOperation.objects.values_list("state", flat=True)) == {OperationState.DONE}
    pass_time(32)
    assert paid(payments, "Images") == [700]
    assert not list(payments.client.v1.invoice_items.list({"pending": True}).data)


def test_a_line_that_is_not_answered_holds_up_no_pause(
    payments: Simulator, org_a: Tenant, pass_time: PassTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(payments, org_a)
    for _ in range(3):
        overage(payments, org_a, is_sent=False)
    silence = Silence(monkeypatch, "create_invoice_item", is_done=True)
    assert pause(org_a) == Status.PAUSED
    with tenancy.scope(org_a.id):
        tried = StripeOperation.objects.filter(kind="create_invoice_item", attempts__gt=0)
        assert tried.count() == 1, "one is waited for"
    silence.lasts = False
    for _ in range(3):
        send_what_waits(org_a)
    pass_time(0.1)
    assert paid(payments, "Images") == [700] * 3


def test_a_pause_without_an_answer_is_sent_before_a_line_that_fails_again_and_again(
    payments: Simulator, org_a: Tenant, pass_time: PassTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(payments, org_a)
    overage(payments, org_a, is_sent=False)
    lines = Silence(monkeypatch, "create_invoice_item", is_done=False)
    changes = Silence(monkeypatch, "pause", is_done=False)
    with pytest.raises(PaymentsUnavailable):
        pause(org_a)
    changes.lasts = False
    for _ in range(operations.LOOK_AFTER_ATTEMPTS + 1):
        send_what_waits(org_a)
    assert states(org_a) == [("pause", "done")]
    assert subscription_of(org_a).status == Status.PAUSED
    lines.lasts = False
    for _ in range(3):
        send_what_waits(org_a)
    pass_time(0.1)
    assert paid(payments, "Images") == [700]


def test_a_customer_whose_making_failed_can_be_made_at_once(payments: Simulator, org_a: Tenant) -> None:
    payments.do("fail", times=1, matching="POST /v1/customers", replays="error", before=True)
    with pytest.raises(PaymentsUnavailable):
        ensure_customer(org_a.id)
    assert ensure_customer(org_a.id).stripe_id
    assert len(payments.client.v1.customers.list({}).data) == 1


def test_a_line_that_stripe_fails_at_for_days_is_shown_to_the_staff(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    overage(payments, org_a, is_sent=False)
    fail(payments, before=True, times=9)
    send_what_waits(org_a)
    assert line_of(org_a).state == OperationState.SENT
    with tenancy.scope(org_a.id):
        StripeOperation.objects.update(created_at=timezone.now() - operations.KEYS_FOR - timedelta(hours=1))
    send_what_waits(org_a)
    assert line_of(org_a).state == OperationState.UNKNOWN
