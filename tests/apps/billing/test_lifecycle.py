"""What becomes of a subscription: unpaid, restored, cancelled, kept, paused, and after its end."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.billing import services as billing
from apps.billing.entitlements import Access
from apps.billing.models import FREE_PLAN, Invoice, Status
from apps.billing.standing import live_or_last, standing_of
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, PermissionDenied
from tests.helpers.billing import invoices_of, subscribe, subscription_of
from tests.helpers.people import Tenant, acting, audit_of
from tests.helpers.stripe_simulator import Simulator
from tests.helpers.threads import together

pytestmark = pytest.mark.django_db(transaction=True)
PassTime = Callable[[float], None]


def access(tenant: Tenant) -> Access:
    billing.refresh(tenant.id)
    return billing.limits_of(tenant.id).access


def standing(tenant: Tenant) -> str:
    with tenancy.scope(tenant.id):
        return standing_of(*live_or_last()).tone


def test_a_failed_card_costs_new_work_after_seven_days_until_it_is_paid(
    payments: Simulator, org_a: Tenant, pass_time: PassTime
) -> None:
    row = subscribe(payments, org_a)
    card = str(payments.client.v1.subscriptions.retrieve(row.stripe_id).default_payment_method)
    payments.do("decline", payment_method=card, reason="card_declined/insufficient_funds")
    assert (access(org_a), standing(org_a)) == (Access.FULL, "ok")
    pass_time((subscription_of(org_a).period_end - timezone.now()) / timedelta(days=1) + 0.1)
    assert (access(org_a), standing(org_a)) == (Access.FULL, "warning")
    row = subscription_of(org_a)
    assert row.status == Status.PAST_DUE
    since = row.past_due_since
    assert since is not None
    assert timezone.now() - since < timedelta(days=1)
    pass_time(7)
    assert (access(org_a), standing(org_a)) == (Access.READ_ONLY, "error")
    assert subscription_of(org_a).past_due_since == since
    assert billing.limits_of(org_a.id).plan == "Pro"

    payments.do("decline", payment_method=card, reason="")
    owed = invoices_of(org_a)[-1]
    assert (owed.status, owed.remaining_minor) == ("open", 2_900)
    payments.client.v1.invoices.pay(owed.stripe_id)
    assert (access(org_a), standing(org_a)) == (Access.FULL, "ok")
    assert subscription_of(org_a).past_due_since is None


def test_cancelled_it_works_until_its_end_and_then_the_free_plan_holds(
    payments: Simulator, org_a: Tenant, pass_time: PassTime
) -> None:
    subscribe(payments, org_a)
    row = billing.cancel_subscription(org_a.actor, reason="Too many buttons.")
    assert row.cancel_at == row.period_end
    assert (row.status, access(org_a), standing(org_a)) == (Status.ACTIVE, Access.FULL, "warning")
    at_stripe = payments.client.v1.subscriptions.retrieve(row.stripe_id)
    assert at_stripe.cancellation_details
    assert at_stripe.cancellation_details.comment == "Too many buttons."
    pass_time(32)
    assert access(org_a) == Access.FREE
    row = subscription_of(org_a)
    assert (row.status, row.is_live) == (Status.CANCELED, False)
    assert billing.limits_of(org_a.id).plan == "Free"
    assert len(invoices_of(org_a)) == 1
    assert standing(org_a) == "warning"  # the export is possible for 30 days, which the page says
    pass_time(31)
    assert standing(org_a) == "ok"


def test_a_cancellation_can_be_taken_back(payments: Simulator, org_a: Tenant, pass_time: PassTime) -> None:
    subscribe(payments, org_a)
    billing.cancel_subscription(org_a.actor)
    assert billing.keep_subscription(org_a.actor).cancel_at is None
    billing.cancel_subscription(org_a.actor)
    assert billing.keep_subscription(org_a.actor).cancel_at is None
    pass_time(32)
    assert access(org_a) == Access.FULL
    assert [invoice.total_minor for invoice in invoices_of(org_a)] == [2_900, 2_900]
    assert len(audit_of(org_a, "subscription.cancelled")) == 2


def test_what_is_copied_from_stripe_is_not_told_of_as_done_outside_the_application(
    payments: Simulator, org_a: Tenant, pass_time: PassTime
) -> None:
    subscribe(payments, org_a)
    billing.cancel_subscription(org_a.actor)
    billing.keep_subscription(org_a.actor)
    pass_time(32)
    billing.refresh(org_a.id)
    assert len(audit_of(org_a, "subscription.copied")) >= 3
    outside = audit_of(org_a, "database.updated")
    assert [entry.after for entry in outside if entry.object_type == "billing.subscription"] == []


def test_cancelled_at_once_it_ends_at_once_however_often_it_is_asked(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    together([lambda: billing.cancel_subscription(org_a.actor, at_once=True)] * 3)
    row = subscription_of(org_a)
    assert (row.status, row.ended_at is not None) == (Status.CANCELED, True)
    with pytest.raises(Conflict):
        billing.keep_subscription(org_a.actor)


def test_a_pause_bills_nothing_and_ends_by_itself(payments: Simulator, org_a: Tenant, pass_time: PassTime) -> None:
    subscribe(payments, org_a)
    row = billing.pause_subscription(org_a.actor, 2)
    assert (row.status, access(org_a)) == (Status.PAUSED, Access.READ_ONLY)
    assert row.paused_until is not None
    pass_time(40)
    assert access(org_a) == Access.READ_ONLY
    assert [invoice.total_minor for invoice in invoices_of(org_a) if invoice.status == "paid"] == [2_900]
    pass_time(25)
    assert access(org_a) == Access.FULL
    assert subscription_of(org_a).paused_until is None


def test_a_pause_can_be_ended_earlier(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    billing.pause_subscription(org_a.actor, 1)
    with pytest.raises(Conflict):
        billing.pause_subscription(org_a.actor, 1)
    assert billing.resume_subscription(org_a.actor).status == Status.ACTIVE
    assert access(org_a) == Access.FULL


@pytest.mark.parametrize("months", [0, 4])
def test_a_pause_lasts_one_to_three_months(payments: Simulator, org_a: Tenant, months: int) -> None:
    subscribe(payments, org_a)
    with pytest.raises(InvalidRequest):
        billing.pause_subscription(org_a.actor, months)


def test_a_trial_without_payment_ends_as_stripe_says(payments: Simulator, org_a: Tenant, pass_time: PassTime) -> None:
    subscribe(payments, org_a, trial=True)
    pass_time(14.5)
    assert access(org_a) == Access.FULL
    assert subscription_of(org_a).status == Status.ACTIVE
    assert invoices_of(org_a)[-1].paid_minor == 2_900


def test_members_end_nothing(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    member = acting(org_a, org_a.member)
    for act in (billing.cancel_subscription, billing.keep_subscription, billing.resume_subscription):
        with pytest.raises(PermissionDenied):
            act(member)
    with pytest.raises(PermissionDenied):
        billing.pause_subscription(member, 1)
    assert subscription_of(org_a).status == Status.ACTIVE


def test_what_the_operator_has_given_is_not_cancelled_here(payments: Simulator, org_a: Tenant) -> None:
    billing.change_plan(org_a.actor, "pro")
    with pytest.raises(Conflict):
        billing.cancel_subscription(org_a.actor)


def test_the_operator_changes_nothing_that_is_paid_for(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    with pytest.raises(Conflict):
        billing.change_plan(org_a.actor, FREE_PLAN)


def test_copies_of_two_organizations_stay_apart(payments: Simulator, org_a: Tenant, org_b: Tenant) -> None:
    subscribe(payments, org_a)
    subscribe(payments, org_b, seats=9)
    billing.refresh(org_a.id)
    with tenancy.scope(org_a.id):
        assert [invoice.total_minor for invoice in Invoice.objects.all()] == [2_900]
    with tenancy.scope(org_b.id):
        assert [invoice.total_minor for invoice in Invoice.objects.all()] == [2_900 + 6 * 900]
