"""Credits, caps, and what a month comes to: to the cent, and once."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.billing import services as billing
from apps.billing.entitlements import Limits, Term, Terms, micros_of
from apps.billing.models import (
    BillingAccount,
    CreditEntry,
    CreditPack,
    LedgerEntry,
    Meter,
    Order,
    OrderKind,
    Plan,
    PlanPrice,
    SpendingCap,
    StripeOperation,
    Subscription,
    UsagePeriod,
)
from apps.billing.services import Charge, closing, credits
from apps.core import tenancy
from apps.core.errors import CapReached, InsufficientQuota, PermissionDenied, SubscriptionPastDue
from tests.helpers.people import Tenant, acting, audit_of, events_of
from tests.helpers.threads import together

OCTOBER, LATER = datetime(2026, 10, 15, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)
CENT = Decimal(10_000)


def limits(included: int = 0, rate: Decimal | None = CENT, charged: bool = True) -> Limits:
    terms = Terms("USD", {Meter.IMAGES: Term(included, rate, charged)})
    return Limits("Test", terms, requests_per_minute=60, tokens_per_minute=1000, max_queued=10)


def use(tenant: Tenant, images: int, agreed: Limits, now: datetime = OCTOBER) -> LedgerEntry:
    job = uuid4()
    with tenancy.scope(tenant.id):
        billing.hold(job, {Meter.IMAGES: images}, agreed, now)
        return billing.settle(job, Charge(quantity=images))


def customer(tenant: Tenant) -> None:
    with tenancy.scope(tenant.id):
        BillingAccount.objects.create(organization_id=tenant.id, stripe_id=f"cus_{tenant.organization.slug}")


def asked(tenant: Tenant) -> list[tuple[str, int]]:
    """(description, minor units) of every line that Stripe is to be asked for."""
    with tenancy.scope(tenant.id):
        rows = StripeOperation.objects.filter(kind=closing.INVOICE_ITEM).order_by("id")
        return [(row.parameters["description"], row.parameters["amount_minor"]) for row in rows]


def give(tenant: Tenant, dollars: int) -> None:
    credits.grant(tenant.id, "USD", dollars * 1_000_000, reference=str(uuid4()), note="")


def left(tenant: Tenant) -> int:
    with tenancy.scope(tenant.id):
        return credits.balance("USD")


# ---------------------------------------------------------------- charges


def test_only_what_exceeds_the_allowance_is_charged(org_a: Tenant) -> None:
    assert [use(org_a, count, limits(5)).charge_micros for count in (3, 2, 4)] == [0, 0, 40_000]
    assert billing.check_rollups(OCTOBER.date()) == []


@pytest.mark.django_db(transaction=True)
def test_fifty_calls_at_once_never_exceed_a_cap_for_five(org_a: Tenant) -> None:
    billing.set_cap(org_a.actor, 5 * 10_000)

    def call() -> None:
        with tenancy.scope(org_a.id):
            billing.hold(uuid4(), {Meter.IMAGES: 1}, limits())

    results = together([call] * 50)
    assert [type(result) for result in results].count(CapReached) == 45
    assert {type(result) for result in results} == {type(None), CapReached}


def test_a_cap_in_another_currency_than_is_paid_in_lets_nothing_through(org_a: Tenant) -> None:
    billing.set_cap(org_a.actor, 5 * 10_000)
    with tenancy.scope(org_a.id):
        SpendingCap.objects.update(currency="EUR")
        with pytest.raises(CapReached):
            billing.hold(uuid4(), {Meter.IMAGES: 1}, limits())


@pytest.mark.django_db(transaction=True)
def test_settlements_at_once_charge_what_one_after_the_other_would(org_a: Tenant) -> None:
    jobs = [uuid4() for _ in range(20)]
    with tenancy.scope(org_a.id):
        for job in jobs:
            billing.hold(job, {Meter.IMAGES: 3}, limits(10, Decimal("0.7")))

    def end(job: Any) -> int:
        with tenancy.scope(org_a.id):
            return billing.settle(job, Charge(quantity=3)).charge_micros

    assert sum(together([lambda job=job: end(job) for job in jobs])) == 35
    assert billing.check_rollups() == []


def test_a_stop_is_a_stop_until_there_are_credits(org_a: Tenant) -> None:
    stop = limits(2, charged=False)
    use(org_a, 2, stop)
    with pytest.raises(InsufficientQuota):
        use(org_a, 1, stop)
    give(org_a, 1)
    assert use(org_a, 100, stop).charge_micros == 1_000_000
    with pytest.raises(InsufficientQuota, match="credits"):
        use(org_a, 1, stop)


def test_an_unpaid_subscription_refuses_new_work_only(org_a: Tenant) -> None:
    job, plan = uuid4(), Plan.objects.get(code="pro")
    with tenancy.scope(org_a.id):
        row = Subscription.objects.create(organization_id=org_a.id, plan=plan, status="active")
        billing.hold(job, billing.tokens(1, 1), billing.limits_of(org_a.id))
        Subscription.objects.filter(pk=row.pk).update(status="unpaid")
    with pytest.raises(SubscriptionPastDue), tenancy.scope(org_a.id):
        billing.hold(uuid4(), billing.tokens(1, 1), billing.limits_of(org_a.id))
    with tenancy.scope(org_a.id):
        assert billing.settle(job, Charge(1, 1)).tokens == 2
        Subscription.objects.filter(pk=row.pk).update(status="canceled")
    assert billing.limits_of(org_a.id).plan == "Free"


# ---------------------------------------------------------------- caps


def test_a_cap_is_set_changed_and_removed(org_a: Tenant, org_b: Tenant, client: Client) -> None:
    sent: dict[str, Any] = {"content_type": "application/json", "headers": org_a.bearer}
    assert client.put("/api/v1/billing/cap", {"amount": "1"}, **sent).status_code == 403
    with pytest.raises(PermissionDenied):
        billing.set_cap(acting(org_a, org_a.member), 1)
    assert billing.set_cap(org_a.actor, 5_000_000).cap_micros == 5_000_000
    billing.set_cap(org_a.actor, 6_000_000)
    assert billing.get_cap(org_b.actor) is None
    billing.remove_cap(org_a.actor)
    names = ["spending_cap.created", "spending_cap.changed", "spending_cap.removed"]
    assert [len(audit_of(org_a, name)) for name in names] == [1, 1, 1]
    with tenancy.scope(org_a.id):
        assert billing.get_cap(org_a.actor) is None


# ---------------------------------------------------------------- credits


def order_of(tenant: Tenant, pack: str = "credit-usd-2") -> Order:
    """A pack that was bought, and delivered twice."""
    found = CreditPack.objects.get(code=pack)
    with tenancy.scope(tenant.id):
        order: Order = Order.objects.create(
            organization_id=tenant.id,
            kind=OrderKind.CREDITS,
            item_id=found.pk,
            name=found.name,
            currency=found.currency,
            amount_minor=found.price_minor,
        )
        credits.deliver(order)
        credits.deliver(order)
    return order


def test_credits_are_delivered_once_and_taken_back_once(org_a: Tenant, org_b: Tenant) -> None:
    order = order_of(org_a)
    assert (left(org_a), left(org_b)) == (52_500_000, 0)
    steps = ((2_500, 26_250_000), (2_500, 26_250_000), (5_000, 0), (9_999, 0), (0, 52_500_000))
    for reversed_minor, expected in steps:
        with tenancy.scope(org_a.id):
            credits.take_back(order, reversed_minor)
        assert left(org_a) == expected
    assert len(audit_of(org_a, "credits.bought")) == 1


def test_spent_credit_that_is_taken_back_blocks_spending(org_a: Tenant) -> None:
    order, stop = order_of(org_a, "credit-usd-1"), limits(0, charged=False)
    use(org_a, 600, stop)
    closing.close_months(LATER)
    with tenancy.scope(org_a.id):
        credits.take_back(order, order.amount_minor)
    assert left(org_a) == -6_000_000
    with pytest.raises(InsufficientQuota):
        use(org_a, 1, stop, now=LATER)


def test_the_command_gives_credit_once(org_a: Tenant) -> None:
    out = StringIO()
    for _ in range(2):
        call_command("credits", org_a.organization.slug, "--give=2.50", "--reference=ticket 7", stdout=out)
    assert "left: 2.50 USD" in out.getvalue()
    assert "nothing was added" in out.getvalue()
    assert left(org_a) == 2_500_000
    for wrong in (["--give=x", "--reference=1"], ["--give=1"], ["--give=-1", "--reference=1"]):
        with pytest.raises(CommandError):
            call_command("credits", org_a.organization.slug, *wrong)


# ---------------------------------------------------------------- closing


def test_a_month_is_closed_once_and_billed_to_the_cent(org_a: Tenant, org_b: Tenant) -> None:
    customer(org_a)
    give(org_a, 1)
    use(org_a, 253, limits(3))
    assert billing.close_months(LATER - timedelta(days=2)) == 0
    assert (billing.close_months(LATER), billing.close_months(LATER)) == (1, 0)
    assert asked(org_a) == [
        ("Images beyond the plan, October 2026", 250),
        ("Paid with prepaid credits, October 2026", -100),
    ]
    assert (left(org_a), asked(org_b)) == (0, [])
    with tenancy.scope(org_a.id):
        period = UsagePeriod.objects.get(month=date(2026, 10, 1))
        assert (period.billed_minor, period.currency, period.carried_micros) == (150, "USD", 0)
        # No subscription would bring an invoice.
        assert StripeOperation.objects.filter(kind=closing.INVOICE).count() == 1
    assert "usage.month_closed" in events_of(org_a)


@pytest.mark.parametrize(
    ("status", "interval", "undone", "own"),
    [
        ("active", "month", "", False),
        ("active", "month", "keep", False),
        ("active", "year", "", True),
        ("paused", "month", "", True),
        ("past_due", "month", "", True),
        ("active", "month", "pause", True),
        ("active", "month", "cancel_at_end", True),
    ],
)
def test_a_month_has_an_invoice_of_its_own_where_none_comes_soon(
    org_a: Tenant, status: str, interval: str, undone: str, own: bool
) -> None:
    customer(org_a)
    use(org_a, 7, limits())
    with tenancy.scope(org_a.id):
        price = PlanPrice.objects.get(plan__code="pro", interval=interval, currency="USD", is_active=True)
        facts: dict[str, Any] = {"plan": price.plan, "price": price, "status": status, "stripe_id": "sub_1"}
        Subscription.objects.create(organization_id=org_a.id, period_end=LATER + timedelta(days=200), **facts)
        if undone:
            parameters = {"subscription": "sub_1"}
            StripeOperation.objects.create(organization_id=org_a.id, kind=undone, parameters=parameters, state="sent")
    assert billing.close_months(LATER) == 1
    with tenancy.scope(org_a.id):
        rows = StripeOperation.objects.filter(kind__in=[closing.INVOICE_ITEM, closing.INVOICE]).order_by("id")
        kinds = list(rows.values_list("kind", flat=True))
    assert kinds == [closing.INVOICE_ITEM, closing.INVOICE][: 1 + own]


@pytest.mark.parametrize(("kind", "hours", "own"), [("pause", 1, True), ("cancel_now", 23, True), ("pause", 25, False)])
def test_an_end_that_may_not_be_copied_yet_brings_no_invoice(org_a: Tenant, kind: str, hours: int, own: bool) -> None:
    customer(org_a)
    use(org_a, 7, limits())
    with tenancy.scope(org_a.id):
        price = PlanPrice.objects.get(plan__code="pro", interval="month", currency="USD", is_active=True)
        facts: dict[str, Any] = {"plan": price.plan, "price": price, "status": "active", "stripe_id": "sub_1"}
        Subscription.objects.create(organization_id=org_a.id, period_end=LATER + timedelta(days=200), **facts)
        done = {"state": "done", "done_at": timezone.now() - timedelta(hours=hours)}
        StripeOperation.objects.create(
            organization_id=org_a.id, kind=kind, parameters={"subscription": "sub_1"}, **done
        )
    assert billing.close_months(LATER) == 1
    with tenancy.scope(org_a.id):
        assert StripeOperation.objects.filter(kind=closing.INVOICE).exists() == own


@pytest.mark.django_db(transaction=True)
def test_closed_by_many_at_once_it_is_closed_once(org_a: Tenant) -> None:
    customer(org_a)
    use(org_a, 7, limits())
    assert sum(together([lambda: billing.close_months(LATER)] * 8)) == 1
    assert asked(org_a) == [("Images beyond the plan, October 2026", 7)]


def test_a_month_waits_for_its_work(org_a: Tenant) -> None:
    job = uuid4()
    with tenancy.scope(org_a.id):
        billing.hold(job, {Meter.IMAGES: 2}, limits(), OCTOBER)
    assert billing.close_months(LATER) == 0
    with tenancy.scope(org_a.id):
        billing.release(job)
    assert billing.close_months(LATER) == 1


def test_less_than_a_cent_is_carried_to_the_next_month(org_a: Tenant) -> None:
    customer(org_a)
    for month in range(1, 11):
        use(org_a, 7, limits(0, Decimal(1_000)), now=datetime(2026, month, 9, tzinfo=UTC))
    for _ in range(10):
        billing.close_months(LATER)
    assert [minor for _, minor in asked(org_a)] == [1] * 7


def test_what_is_reported_after_the_close_is_a_line_that_says_so(org_a: Tenant) -> None:
    customer(org_a)
    with tenancy.scope(org_a.id):
        LedgerEntry.objects.create(
            organization_id=org_a.id,
            kind="usage",
            month=date(2026, 10, 1),
            day=date(2026, 10, 2),
            meter=Meter.IMAGES,
            quantity=3,
            charge_micros=30_000,
            charge_currency="USD",
            source="/late",
            event_id="1",
            occurred_at=datetime(2026, 9, 30, tzinfo=UTC),
            late_from=date(2026, 9, 1),
        )
        UsagePeriod.objects.create(organization_id=org_a.id, month=date(2026, 10, 1))
    billing.close_months(LATER)
    assert asked(org_a) == [("Images of September 2026, reported after that month was closed", 3)]


lines = st.lists(st.integers(0, 10**9), max_size=12)


@given(st.lists(lines, max_size=6), st.sampled_from(["USD", "JPY"]))
def test_cut_lines_and_what_is_carried_are_what_the_ledger_says(months: list[list[int]], currency: str) -> None:
    billed, carried = 0, 0
    for month in months:
        found, carried = closing.cut([("", "", micros) for micros in month], currency, carried)
        billed += sum(line.minor for line in found)
        assert all(line.minor >= 0 for line in found)
    assert micros_of(billed, currency) + carried == sum(map(sum, months))


def test_nothing_is_stored_where_closing_fails(org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    customer(org_a)
    give(org_a, 1)
    use(org_a, 205, limits())

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    for name in ("cut", "_ask"):
        with monkeypatch.context() as patch:
            patch.setattr(closing, name, fail)
            with pytest.raises(RuntimeError):
                billing.close_months(LATER)
        assert (asked(org_a), left(org_a)) == ([], 1_000_000)
    billing.close_months(LATER)
    with tenancy.scope(org_a.id):
        assert CreditEntry.objects.filter(kind="draw").count() == 1
