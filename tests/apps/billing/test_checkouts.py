"""Taking a plan: one page, one subscription, one trial and each coupon once, whoever asks and however often."""

from typing import Any

import pytest

from apps.billing import services as billing
from apps.billing.models import BillingAccount, CouponUse, PlanCheckout, Status, StripeOperation, Subscription
from apps.billing.services.operations import perform
from apps.core import tenancy
from apps.core.errors import InvalidRequest, NotFound, PaymentsOff, PermissionDenied, SubscriptionExists
from tests.helpers.billing import choose, invoices_of, subscribe, subscription_of
from tests.helpers.people import Tenant, acting, audit_of, events_of
from tests.helpers.stripe_simulator import Simulator
from tests.helpers.threads import together

pytestmark = pytest.mark.django_db(transaction=True)


def test_checkout_ends_in_a_subscription_that_stripe_has_too(payments: Simulator, org_a: Tenant) -> None:
    row = subscribe(payments, org_a, seats=5)
    assert (row.plan.code, row.status, row.seats) == ("pro", Status.ACTIVE, 5)
    [at_stripe] = payments.client.v1.subscriptions.list({}).data
    assert at_stripe.id == row.stripe_id
    assert sorted(item.quantity for item in at_stripe["items"].data) == [1, 2]
    [invoice] = invoices_of(org_a)
    assert (invoice.total_minor, invoice.paid_minor, invoice.status) == (2_900 + 2 * 900, 4_700, "paid")
    assert audit_of(org_a, "subscription.checkout_started")[0].actor_name == org_a.owner.email
    assert "subscription.changed" in events_of(org_a)


def test_two_tabs_lead_to_one_subscription(payments: Simulator, org_a: Tenant) -> None:
    pages = together([lambda: choose(org_a)] * 4)
    assert {page.stripe_id for page in pages} == {pages[0].stripe_id}
    assert len(payments.client.v1.checkout.sessions.list({}).data) == 1
    assert len(payments.client.v1.customers.list({}).data) == 1


def test_another_choice_closes_the_page_before(payments: Simulator, org_a: Tenant) -> None:
    first = choose(org_a)
    second = choose(org_a, interval="year")
    assert payments.client.v1.checkout.sessions.retrieve(first.stripe_id).status == "expired"
    payments.pay(second.stripe_id)
    assert billing.settle_checkout(org_a.id, second.pk).state == "complete"
    assert subscription_of(org_a).interval == "year"


def test_two_different_choices_at_once_leave_one_open_page(payments: Simulator, org_a: Tenant) -> None:
    together([lambda: choose(org_a), lambda: choose(org_a, interval="year")])
    open_pages = [page for page in payments.client.v1.checkout.sessions.list({}).data if page.status == "open"]
    assert len(open_pages) == 1


def test_who_pays_in_one_tab_gets_no_second_page(payments: Simulator, org_a: Tenant) -> None:
    page = choose(org_a)
    payments.pay(page.stripe_id)
    with pytest.raises(SubscriptionExists):
        choose(org_a, interval="year")
    # Nobody had come back from the page yet: the refusal has looked.
    assert subscription_of(org_a).status == Status.TRIALING
    with pytest.raises(SubscriptionExists):
        choose(org_a)


def test_a_second_subscription_made_elsewhere_is_found_and_ended(payments: Simulator, org_a: Tenant) -> None:
    row = subscribe(payments, org_a)
    first = payments.client.v1.subscriptions.retrieve(row.stripe_id)
    items: Any = [{"price": first["items"].data[0].price.id}]
    method = str(first.default_payment_method)
    second = payments.client.v1.subscriptions.create(
        {"customer": str(first.customer), "items": items, "default_payment_method": method}
    )
    assert billing.refresh(org_a.id) == row
    with tenancy.scope(org_a.id):
        assert Subscription.objects.filter(is_live=True).count() == 1
        [operation] = StripeOperation.objects.filter(kind="end_second")
    perform(operation)
    assert payments.client.v1.subscriptions.retrieve(second.id).status == "canceled"
    assert payments.client.v1.subscriptions.retrieve(row.stripe_id).status == "active"


def test_a_trial_is_given_once(payments: Simulator, org_a: Tenant) -> None:
    row = subscribe(payments, org_a, trial=True)
    assert row.status == Status.TRIALING
    assert row.trial_end is not None
    billing.cancel_subscription(org_a.actor, at_once=True)
    again = choose(org_a)
    assert again.trial_days == 0
    payments.pay(again.stripe_id)
    billing.settle_checkout(org_a.id, again.pk)
    assert subscription_of(org_a).status == Status.ACTIVE


def test_a_trial_that_never_began_is_given_back(payments: Simulator, org_a: Tenant) -> None:
    page = choose(org_a)
    assert page.trial_days == 14
    payments.client.v1.checkout.sessions.expire(page.stripe_id)
    assert billing.settle_checkout(org_a.id, page.pk).state == "expired"
    with tenancy.scope(org_a.id):
        assert BillingAccount.objects.get().trial_used_at is None
    assert choose(org_a).trial_days == 14


@pytest.fixture
def coupon(payments: Simulator) -> str:
    """A coupon of half the price, which two codes give."""
    made = payments.client.v1.coupons.create({"percent_off": 50, "duration": "once"})
    for code in ("SPRING", "AGAIN"):
        payments.client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": made.id}, "code": code})
    return str(made.id)


def test_a_coupon_is_taken_once_whatever_its_code(payments: Simulator, org_a: Tenant, coupon: str) -> None:
    row = subscribe(payments, org_a, coupon="SPRING")
    assert invoices_of(org_a)[0].total_minor == 1_450
    billing.cancel_subscription(org_a.actor, at_once=True)
    for code in ("SPRING", "AGAIN"):
        with pytest.raises(InvalidRequest) as refused:
            choose(org_a, coupon=code)
        assert refused.value.param == "coupon"
    assert choose(org_a).promotion == ""
    assert row.stripe_id


def test_a_coupon_of_a_page_that_was_left_can_be_used(payments: Simulator, org_a: Tenant, coupon: str) -> None:
    page = choose(org_a, coupon="SPRING")
    payments.client.v1.checkout.sessions.expire(page.stripe_id)
    billing.settle_checkout(org_a.id, page.pk)
    with tenancy.scope(org_a.id):
        assert not CouponUse.objects.exists()
    assert choose(org_a, coupon="AGAIN").coupon == coupon


def test_a_code_that_nobody_knows_is_refused(payments: Simulator, org_a: Tenant) -> None:
    with pytest.raises(InvalidRequest) as refused:
        choose(org_a, coupon="NOTHING")
    assert refused.value.param == "coupon"
    with tenancy.scope(org_a.id):
        assert not PlanCheckout.objects.exists()


def test_who_has_paid_in_one_currency_goes_on_in_it(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a, currency="EUR")
    billing.cancel_subscription(org_a.actor, at_once=True)
    with pytest.raises(InvalidRequest) as refused:
        choose(org_a, currency="USD")
    assert refused.value.param == "currency"
    assert choose(org_a, currency="EUR").price.currency == "EUR"


@pytest.mark.parametrize("choice", [{"plan": "free"}, {"plan": "none"}, {"currency": "ZZZ"}, {"interval": "week"}])
def test_only_what_is_sold_can_be_taken(payments: Simulator, org_a: Tenant, choice: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        choose(org_a, **choice)


def test_members_and_outsiders_take_no_plan(payments: Simulator, org_a: Tenant, org_b: Tenant) -> None:
    with pytest.raises(PermissionDenied):
        choose(org_a, actor=acting(org_a, org_a.member))
    page = choose(org_a)
    with pytest.raises(NotFound):
        billing.settle_checkout(org_b.id, page.pk)


def test_without_payments_nothing_is_promised(org_a: Tenant) -> None:
    with pytest.raises(PaymentsOff):
        choose(org_a)
    with tenancy.scope(org_a.id):
        assert not PlanCheckout.objects.exists()


def test_a_plan_that_the_operator_gave_is_not_sold_over(payments: Simulator, org_a: Tenant) -> None:
    billing.change_plan(org_a.actor, "enterprise")
    with pytest.raises(SubscriptionExists):
        choose(org_a)
    billing.change_plan(org_a.actor, "free")
    assert subscribe(payments, org_a).plan.code == "pro"
