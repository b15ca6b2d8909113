"""Changing a plan or its seats: what was shown is what is billed, to the cent, and nothing else is ever done."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core import signing

from apps.accounts import services as accounts
from apps.billing import services as billing
from apps.billing.models import Invoice, Status, StripeOperation
from apps.billing.services import changes
from apps.core import tenancy
from apps.core.errors import (
    Conflict,
    InvalidRequest,
    PaymentRefused,
    PermissionDenied,
    PreviewOutdated,
    SeatsNeeded,
)
from tests.helpers.billing import invoices_of, subscribe, subscription_of
from tests.helpers.people import Tenant, acting, add_person, audit_of
from tests.helpers.stripe_simulator import Simulator
from tests.helpers.threads import together

pytestmark = pytest.mark.django_db(transaction=True)
PassTime = Callable[[float], None]


def change(tenant: Tenant, **wanted: Any) -> changes.ChangePreview:
    """Previews a change and confirms it; returns what was shown."""
    shown = billing.preview_change(tenant.actor, **wanted)
    billing.confirm_change(tenant.actor, shown.token)
    return shown


def newest_invoice(tenant: Tenant) -> Invoice:
    billing.refresh(tenant.id)
    return invoices_of(tenant)[-1]


def lines_of(shown: changes.ChangePreview) -> list[tuple[str, int]]:
    return sorted((line.description, line.amount_minor) for line in shown.lines)


@pytest.mark.parametrize("currency", ["USD", "EUR", "CNY"])
@pytest.mark.parametrize(
    ("wanted", "days"),
    [({"seats": 7}, 11.3), ({"seats": 4}, 0.01), ({"plan": "enterprise", "seats": 30}, 17)],
    ids=["more seats", "fewer seats at once", "upgrade"],
)
def test_a_monthly_change_is_billed_with_the_next_invoice_as_shown(
    payments: Simulator, org_a: Tenant, pass_time: PassTime, currency: str, wanted: dict[str, Any], days: float
) -> None:
    subscribe(payments, org_a, seats=5, currency=currency)
    pass_time(days)
    shown = change(org_a, **wanted)
    assert shown.due_now_minor == 0
    assert any(line.is_proration for line in shown.lines)
    assert len(invoices_of(org_a)) == 1
    pass_time(31 - days + 0.5)
    invoice = newest_invoice(org_a)
    assert invoice.total_minor == shown.total_minor
    assert sorted((line["description"], line["amount_minor"]) for line in invoice.lines) == lines_of(shown)


@pytest.mark.parametrize("wanted", [{"seats": 9}, {"plan": "enterprise"}, {"interval": "month"}], ids=str)
def test_a_yearly_change_is_billed_at_once_as_shown(
    payments: Simulator, org_a: Tenant, pass_time: PassTime, wanted: dict[str, Any]
) -> None:
    subscribe(payments, org_a, seats=5, interval="year")
    pass_time(100)
    shown = change(org_a, **wanted)
    invoice = newest_invoice(org_a)
    assert len(invoices_of(org_a)) == 2
    assert (invoice.total_minor, invoice.paid_minor) == (shown.total_minor, shown.due_now_minor)
    assert sorted((line["description"], line["amount_minor"]) for line in invoice.lines) == lines_of(shown)


def test_a_change_during_the_trial_costs_nothing_now(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a, trial=True)
    shown = change(org_a, seats=10)
    assert shown.due_now_minor == 0
    assert subscription_of(org_a).seats == 10
    assert subscription_of(org_a).status == Status.TRIALING


def test_an_upgrade_holds_at_once(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    change(org_a, plan="enterprise")
    row = subscription_of(org_a)
    assert (row.plan.code, row.seats) == ("enterprise", 25)
    assert billing.limits_of(org_a.id).plan == "Enterprise"
    assert audit_of(org_a, "subscription.change_confirmed")


def test_a_downgrade_waits_for_the_end_of_what_is_paid_for(
    payments: Simulator, org_a: Tenant, pass_time: PassTime
) -> None:
    subscribe(payments, org_a, "enterprise", seats=30)
    pass_time(10)
    shown = change(org_a, plan="pro", seats=6, when="period_end")
    assert (shown.due_now_minor, shown.takes_effect_at) == (0, subscription_of(org_a).period_end)
    row = subscription_of(org_a)
    assert (row.plan.code, row.seats) == ("enterprise", 30)
    assert row.next_price is not None
    # Also after another look at Stripe, which has the smaller plan already.
    billing.refresh(org_a.id)
    assert subscription_of(org_a).plan.code == "enterprise"
    with pytest.raises(Conflict):
        billing.preview_change(org_a.actor, seats=40)
    pass_time(22)
    invoice = newest_invoice(org_a)
    row = subscription_of(org_a)
    assert (row.plan.code, row.seats, row.next_price) == ("pro", 6, None)
    assert invoice.total_minor == shown.total_minor == 2_900 + 3 * 900


def test_a_downgrade_that_waits_can_be_taken_back(payments: Simulator, org_a: Tenant, pass_time: PassTime) -> None:
    subscribe(payments, org_a, "enterprise")
    change(org_a, plan="pro", when="period_end")
    billing.take_back_change(org_a.actor)
    assert subscription_of(org_a).next_price is None
    pass_time(32)
    assert newest_invoice(org_a).total_minor == 49_900
    assert subscription_of(org_a).plan.code == "enterprise"


def test_only_what_is_smaller_may_wait(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    for wanted in ({"plan": "enterprise"}, {"interval": "year"}, {"seats": 9}):
        with pytest.raises(InvalidRequest) as refused:
            billing.preview_change(org_a.actor, **wanted, when="period_end")
        assert refused.value.param == "when"


@pytest.mark.parametrize("wanted", [{"seats": 4}, {"seats": 40}, {"plan": "enterprise"}, {"interval": "year"}])
def test_what_is_to_end_is_kept_before_it_is_changed(
    payments: Simulator, org_a: Tenant, wanted: dict[str, Any]
) -> None:
    """Stripe has no invoice any more on which the change could stand."""
    subscribe(payments, org_a, seats=5)
    billing.cancel_subscription(org_a.actor)
    with pytest.raises(Conflict, match="keep it first"):
        billing.preview_change(org_a.actor, **wanted)
    billing.keep_subscription(org_a.actor)
    assert billing.preview_change(org_a.actor, **wanted).token


def test_a_preview_is_good_for_one_version_and_a_quarter_of_an_hour(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(payments, org_a)
    first = billing.preview_change(org_a.actor, seats=6)
    change(org_a, seats=9)
    with pytest.raises(PreviewOutdated):
        billing.confirm_change(org_a.actor, first.token)
    shown = billing.preview_change(org_a.actor, seats=12)
    with pytest.raises(PreviewOutdated):
        billing.confirm_change(org_a.actor, shown.token[:-2] + "xx")
    monkeypatch.setattr(changes, "VALID_FOR", changes.VALID_FOR * 0)
    with pytest.raises(PreviewOutdated):
        billing.confirm_change(org_a.actor, shown.token)
    assert subscription_of(org_a).seats == 9


def test_a_price_that_differs_by_now_is_not_charged(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    shown = billing.preview_change(org_a.actor, seats=6)
    facts = signing.loads(shown.token, salt=changes.SALT) | {"total": shown.total_minor - 1}
    with pytest.raises(PreviewOutdated):
        billing.confirm_change(org_a.actor, signing.dumps(facts, salt=changes.SALT))
    assert subscription_of(org_a).seats == 3


def test_confirmed_twice_at_once_is_done_once(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    shown = billing.preview_change(org_a.actor, seats=6)
    together([lambda: billing.confirm_change(org_a.actor, shown.token)] * 3)
    with tenancy.scope(org_a.id):
        assert StripeOperation.objects.filter(kind="change_items").count() == 1
    assert subscription_of(org_a).seats == 6


def test_an_upgrade_whose_card_is_refused_changes_nothing(payments: Simulator, org_a: Tenant) -> None:
    row = subscribe(payments, org_a, interval="year")
    card = str(payments.client.v1.subscriptions.retrieve(row.stripe_id).default_payment_method)
    payments.do("decline", payment_method=card, reason="card_declined/insufficient_funds")
    shown = billing.preview_change(org_a.actor, plan="enterprise")
    with pytest.raises(PaymentRefused):
        billing.confirm_change(org_a.actor, shown.token)
    billing.refresh(org_a.id)
    row = subscription_of(org_a)
    assert (row.plan.code, row.status) == ("pro", Status.ACTIVE)
    payments.do("decline", payment_method=card, reason="")
    change(org_a, plan="enterprise")
    assert subscription_of(org_a).plan.code == "enterprise"


# ---------------------------------------------------------------- seats


def test_seats_are_never_fewer_than_are_taken(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a, seats=6)
    add_person(org_a, "fourth")
    accounts.invite(org_a.actor, "fifth@example.com", "member")
    with pytest.raises(Conflict) as refused:
        billing.preview_change(org_a.actor, seats=4)
    assert "5 seats are taken" in refused.value.message
    with pytest.raises(InvalidRequest):
        billing.preview_change(org_a.actor, seats=201)


def test_seats_that_were_shown_are_taken_meanwhile(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a, seats=6)
    shown = billing.preview_change(org_a.actor, seats=3)
    accounts.invite(org_a.actor, "fourth@example.com", "member")
    with pytest.raises(Conflict):
        billing.confirm_change(org_a.actor, shown.token)


def test_who_invites_beyond_the_seats_is_told_what_another_costs(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a)
    with pytest.raises(SeatsNeeded) as refused:
        accounts.invite(org_a.actor, "fourth@example.com", "member")
    assert "$9.00 a month" in refused.value.message
    change(org_a, seats=4)
    accounts.invite(org_a.actor, "fourth@example.com", "member")


def test_the_26th_of_25_seats_is_refused_under_a_race(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a, "enterprise")
    for number in range(21):
        add_person(org_a, f"person{number}")
    found = together(
        [lambda n=n: accounts.invite(org_a.actor, f"new{n}@example.com", "member") for n in range(4)]  # type: ignore[misc]
    )
    assert sum(isinstance(one, SeatsNeeded) for one in found) == 3
    seats = billing.seats_of(org_a.id)
    assert (seats.taken, seats.total, seats.left) == (25, 25, 0)


def test_the_free_plan_has_three_seats_where_seats_are_sold(payments: Simulator, org_a: Tenant) -> None:
    with pytest.raises(SeatsNeeded):
        accounts.invite(org_a.actor, "fourth@example.com", "member")


def test_members_and_other_organizations_change_nothing(payments: Simulator, org_a: Tenant, org_b: Tenant) -> None:
    subscribe(payments, org_a)
    with pytest.raises(PermissionDenied):
        billing.preview_change(acting(org_a, org_a.member), seats=6)
    shown = billing.preview_change(org_a.actor, seats=6)
    subscribe(payments, org_b)
    with pytest.raises(PreviewOutdated):
        billing.confirm_change(org_b.actor, shown.token)
    assert subscription_of(org_b).seats == subscription_of(org_a).seats == 3
