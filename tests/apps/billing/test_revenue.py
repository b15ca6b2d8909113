"""What recurs, moves, was collected and stands out, from hand-made rows of three currencies over months."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.billing import revenue, services
from apps.billing.models import CreditEntry, SubscriptionMonth, UsagePeriod
from apps.billing.revenue import Collected, Credit, FailedTotal, Movements, Recurring
from apps.core import tenancy
from apps.core.tenancy import Across, across_tenants
from tests.helpers.money import give, make_invoice, make_order, make_payment, make_price
from tests.helpers.people import Tenant, make_tenant

pytestmark = pytest.mark.django_db
T = TypeVar("T")
JANUARY, FEBRUARY, MARCH, APRIL = (date(2026, month, 1) for month in (1, 2, 3, 4))


def at(month: date, day: int = 28) -> datetime:
    return datetime(month.year, month.month, day, 12, tzinfo=UTC)


def everywhere(ask: Callable[[], T]) -> T:
    with across_tenants(Across.OPERATE):
        return ask()


@pytest.mark.parametrize(
    ("base", "seat", "seats", "interval", "wanted"),
    [
        (2_000, 500, 1, "month", 2_000),
        (2_000, 500, 5, "month", 3_000),  # three are included
        (24_000, 0, 1, "year", 2_000),
        (1_001, 0, 1, "year", 83),  # 83.4
        (1_002, 0, 1, "year", 84),  # 83.5, half up
    ],
)
def test_what_a_subscription_comes_to_in_a_month(
    base: int, seat: int, seats: int, interval: str, wanted: int, org_a: Tenant
) -> None:
    give(org_a, make_price(base, seat, "EUR", interval, included=3), seats)
    assert everywhere(revenue.recurring) == [Recurring("EUR", wanted, 1, 0, 0)]


def test_currencies_are_never_added_up_and_past_due_stands_apart() -> None:
    dollars, euros, yen = make_price(1_000, 0, "USD"), make_price(900, 0, "EUR"), make_price(50_000, 0, "JPY", "year")
    given_out = [(dollars, "active"), (dollars, "past_due"), (euros, "active"), (yen, "past_due")]
    for number, (price, status) in enumerate(given_out):
        give(make_tenant(f"payer-{number}"), price, status=status)
    for status in ("trialing", "paused", "unpaid", "incomplete", "incomplete_expired", "canceled"):
        give(make_tenant(status.replace("_", "-")), dollars, status=status)
    assert everywhere(revenue.recurring) == [
        Recurring("EUR", 900, 1, 0, 0),
        Recurring("JPY", 4_167, 1, 4_167, 1),
        Recurring("USD", 2_000, 2, 1_000, 1),
    ]


def test_an_organization_sees_only_its_own(org_a: Tenant, org_b: Tenant) -> None:
    give(org_a, make_price(1_000, 0, "USD"))
    services.record_months(at(JANUARY))
    with tenancy.scope(org_b.id):
        assert (revenue.recurring(), revenue.movements(JANUARY, JANUARY), revenue.recorded_since()) == ([], [], None)


def test_months_are_written_as_they_stand_and_stay_once_they_have_ended(org_a: Tenant) -> None:
    small, large = make_price(1_000, 0, "USD"), make_price(5_000, 0, "EUR")

    def written() -> list[tuple[Any, ...]]:
        names = ("month", "currency", "mrr_minor")
        return everywhere(lambda: list(SubscriptionMonth.objects.order_by("month").values_list(*names)))

    give(org_a, small)
    services.record_months(at(JANUARY, 3))
    give(org_a, large)
    services.record_months(at(JANUARY, 31))
    services.record_months(at(JANUARY, 31))
    assert written() == [(JANUARY, "EUR", 5_000)]
    services.record_months(at(FEBRUARY, 1))
    give(org_a, None)
    services.record_months(at(FEBRUARY, 2))
    services.record_months(at(MARCH, 2))
    assert written() == [(JANUARY, "EUR", 5_000), (FEBRUARY, "EUR", 0)]
    assert everywhere(revenue.recorded_since) == JANUARY


def test_how_revenue_moved_over_four_months() -> None:
    usd, more, eur = make_price(1_000, 250, "USD"), make_price(4_000, 0, "USD"), make_price(800, 0, "EUR")
    stays, grows, leaves, comes_back, changes = (make_tenant(f"payer-{number}") for number in range(5))
    for tenant in (stays, grows, leaves, comes_back, changes):
        give(tenant, usd, seats=3)  # 1,500 each
    services.record_months(at(JANUARY))
    give(grows, more)
    give(leaves, None)
    give(comes_back, None)
    services.record_months(at(FEBRUARY))
    give(comes_back, usd)
    give(grows, usd, seats=2)
    give(changes, eur)
    services.record_months(at(MARCH))
    newcomer = make_tenant("newcomer")
    give(newcomer, eur)
    found = everywhere(lambda: revenue.movements(JANUARY, APRIL))
    assert found == [
        Movements("EUR", MARCH, 0, 800, 0, 0, 0, 0, 800, 0, 0),
        Movements("EUR", APRIL, 800, 1_600, 800, 0, 0, 0, 0, 1, 0),
        Movements("USD", JANUARY, 0, 7_500, 7_500, 0, 0, 0, 0, 0, 0),
        Movements("USD", FEBRUARY, 7_500, 7_000, 0, 2_500, 0, 3_000, 0, 5, 2),
        Movements("USD", MARCH, 7_000, 3_750, 0, 0, 2_750, 1_500, 1_000, 3, 1),
        Movements("USD", APRIL, 3_750, 3_750, 0, 0, 0, 0, 0, 3, 0),
    ]
    february, march = found[3], found[4]
    assert (february.logo_churn, february.revenue_churn) == (Decimal("40.0"), Decimal("40.0"))
    assert (march.logo_churn, march.revenue_churn) == (Decimal("33.3"), Decimal("60.7"))
    assert found[2].logo_churn is None


def test_the_first_month_shown_begins_with_what_stood_before_it(org_a: Tenant) -> None:
    give(org_a, make_price(1_000, 0, "USD"))
    services.record_months(at(JANUARY))
    give(org_a, None)
    assert everywhere(lambda: revenue.movements(FEBRUARY, FEBRUARY)) == [
        Movements("USD", FEBRUARY, 1_000, 0, 0, 0, 0, 1_000, 0, 1, 1)
    ]


_STANDS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["USD", "EUR", "JPY"]), st.integers(0, 3), st.integers(0, 9_999)),
    unique_by=lambda row: (row[0], row[2]),
    max_size=16,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=_STANDS)
def test_movements_add_up(rows: list[tuple[int, str, int, int]], four: list[UUID]) -> None:
    """Whatever stood: the end of a month is its start and what moved, and the start is the end of the month before."""
    months = (JANUARY, FEBRUARY, MARCH, APRIL)
    with transaction.atomic(), across_tenants(Across.OPERATE):
        for who, currency, month, minor in rows:
            SubscriptionMonth.objects.create(
                organization_id=four[who], currency=currency, month=months[month], mrr_minor=minor
            )
        found = revenue.movements(JANUARY, date(2026, 5, 1))
        transaction.set_rollback(True)
    ends: dict[tuple[str, date], int] = {}
    for row in found:
        came = row.new_minor + row.expansion_minor + row.reactivated_minor
        assert row.end_minor - row.start_minor == came - row.contraction_minor - row.churned_minor
        ends[row.currency, row.month] = row.end_minor
        before = date(row.month.year, row.month.month - 1, 1) if row.month > JANUARY else None
        assert row.start_minor == (ends.get((row.currency, before), 0) if before else 0)
        assert row.customers >= row.customers_churned
    for currency in ("USD", "EUR", "JPY"):
        for index, month in enumerate(months):
            stood = sum(minor for _who, code, at_month, minor in rows if (code, at_month) == (currency, index))
            assert ends.get((currency, month), 0) == stood


@pytest.fixture
def four(db: None) -> list[UUID]:
    return [make_tenant(f"payer-{number}").id for number in range(4)]


def test_what_was_collected_by_month_and_kind(org_a: Tenant, org_b: Tenant) -> None:
    invoice = make_invoice(org_a, 3_000, "USD")
    make_payment(org_a, 3_000, "USD", at(JANUARY), invoice=invoice, refunded_minor=500)
    make_payment(org_b, 1_000, "USD", at(JANUARY), order=make_order(org_b, 1_000, "USD"), disputed_minor=1_000)
    make_payment(org_b, 9_999, "USD", at(JANUARY), status="failed")
    make_payment(org_b, 700, "EUR", at(JANUARY))
    make_payment(org_a, 40, "USD", at(FEBRUARY))
    make_payment(org_a, 77, "USD", datetime(2025, 12, 31, 23, 59, tzinfo=UTC))
    for tenant, month, billed in ((org_a, JANUARY, 120), (org_b, JANUARY, 0)):
        with tenancy.scope(tenant.id):
            UsagePeriod.objects.create(
                organization_id=tenant.id, month=month, currency="USD", billed_minor=billed, closed_at=at(FEBRUARY, 3)
            )
    found = everywhere(lambda: revenue.collected(datetime(2026, 1, 1, tzinfo=UTC)))
    assert found == [
        Collected("EUR", JANUARY, 700, 0, 0, 0, 0),
        Collected("USD", JANUARY, 3_000, 1_000, 0, 500, 1_000),
        Collected("USD", FEBRUARY, 40, 0, 120, 0, 0),
    ]
    assert (found[1].gross_minor, found[1].net_minor) == (4_000, 2_500)


def test_months_begin_in_utc_whatever_the_connection_says(org_a: Tenant) -> None:
    make_payment(org_a, 5, "USD", datetime(2026, 2, 1, 0, 30, tzinfo=UTC))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL timezone TO 'America/Los_Angeles'")
    [row] = everywhere(lambda: revenue.collected(datetime(2026, 1, 1, tzinfo=UTC)))
    assert row.month == FEBRUARY


def test_payments_that_failed_wait_in_their_order(org_a: Tenant, org_b: Tenant) -> None:
    waiting: dict[str, Any] = {"status": "open"}
    make_invoice(org_a, 10, "USD", **waiting, remaining_minor=10, failed_at=at(FEBRUARY), number="A-2")
    make_invoice(org_b, 20, "USD", **waiting, remaining_minor=15, failed_at=at(JANUARY), number="B-1")
    make_invoice(org_b, 30, "EUR", **waiting, remaining_minor=30, failed_at=at(MARCH), number="B-2")
    make_invoice(org_a, 99, "USD", **waiting, remaining_minor=99)
    make_invoice(org_a, 99, "USD", status="paid", failed_at=at(JANUARY))
    found = everywhere(revenue.failed_payments)
    assert [(row.number, row.organization_id) for row in found] == [
        ("B-1", org_b.id),
        ("A-2", org_a.id),
        ("B-2", org_b.id),
    ]
    assert len(everywhere(lambda: revenue.failed_payments(2))) == 2
    assert everywhere(revenue.failed_totals) == [FailedTotal("EUR", 1, 30), FailedTotal("USD", 2, 25)]


def test_credit_that_is_still_to_be_used(org_a: Tenant, org_b: Tenant) -> None:
    entries = [
        (org_a, "purchase", "USD", 10_000_000),
        (org_a, "draw", "USD", -4_000_000),
        (org_b, "grant", "USD", 1_000_000),
        (org_b, "purchase", "EUR", 2_000_000),
        (org_b, "expiry", "EUR", -2_000_000),
    ]
    for tenant, kind, currency, micros in entries:
        with tenancy.scope(tenant.id):
            CreditEntry.objects.create(
                organization_id=tenant.id, kind=kind, currency=currency, amount_micros=micros, reference=uuid4().hex
            )
    assert everywhere(revenue.credits_outstanding) == [Credit("USD", 7_000_000)]
