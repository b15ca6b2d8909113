"""The forecast: right where days repeat, honest about how far it may be off, and the same for pages and programs."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.billing import services as billing
from apps.billing.cloudevents import UsageEvent
from apps.billing.entitlements import Metered, Term, charge
from apps.billing.forecast import WINDOW, Expected, Pace, charges, month_end, pace_of, used_up_on
from apps.billing.models import Meter, Overage, Plan, PlanAllowance, PlanRate, SpendingCap
from apps.core import tenancy
from tests.helpers.people import Tenant

# A Monday at noon, with 14 whole days of the month gone and 15.5 to come.
NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
TODAY = NOW.date()


def before(count: int, quantity: Callable[[date], int]) -> dict[date, int]:
    days = [TODAY - timedelta(days=n) for n in range(1, count + 1)]
    return {day: quantity(day) for day in days}


def paced(days: dict[date, int], today: date = TODAY) -> Pace:
    pace = pace_of(days, today)
    assert pace is not None
    return pace


def test_days_that_are_all_the_same_go_on_so_without_a_doubt() -> None:
    pace = paced(before(WINDOW, lambda day: 100))
    assert month_end(pace, 1450, NOW) == Expected(3000, 3000, 3000)


def test_weekends_that_rest_go_on_resting() -> None:
    """Half a Monday, two whole weeks and a Tuesday are to come: 11.5 days of work, and four that rest."""
    pace = paced(before(WINDOW, lambda day: 100 if day.weekday() < 5 else 0))
    assert all(pace.weights[saturday] < pace.weights[0] / 6 for saturday in (5, 6))
    found = month_end(pace, 1050, NOW)
    assert found.low <= 1050 + 1150 <= found.high
    assert abs(found.expected - (1050 + 1150)) <= 40


def test_without_a_whole_day_nothing_is_said() -> None:
    assert pace_of({}, TODAY) is None
    assert pace_of({TODAY: 50}, TODAY) is None
    assert pace_of({TODAY - timedelta(days=3): 0}, TODAY) is None


def test_one_day_alone_is_said_to_be_uncertain() -> None:
    pace = paced({TODAY - timedelta(days=1): 100})
    found = month_end(pace, 150, NOW)
    assert (found.low, found.expected) == (150, 150 + 1550)
    assert found.high > 3000


def test_the_last_two_weeks_make_the_level() -> None:
    pace = paced(before(WINDOW, lambda day: 100 if (TODAY - day).days <= 14 else 10))
    assert pace.level == 100


def test_the_day_on_which_an_allowance_ends() -> None:
    pace = paced(before(WINDOW, lambda day: 100))
    assert used_up_on(pace, 1450, 1500, NOW) == TODAY
    assert used_up_on(pace, 1450, 1501, NOW) == TODAY + timedelta(days=1)
    assert used_up_on(pace, 1450, 3000, NOW) == date(2026, 6, 30)
    assert used_up_on(pace, 1450, 3001, NOW) is None


def test_at_the_months_last_second_it_is_what_it_is() -> None:
    last = datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)
    pace = paced({last.date() - timedelta(days=n): 86 for n in range(1, 10)}, last.date())
    assert month_end(pace, 2500, last) == Expected(2500, 2500, 2500)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=WINDOW), st.integers(0, 10**13), st.integers(0, 29))
def test_it_is_a_range_around_what_is_expected_and_never_below_what_was_used(
    history: list[int], used: int, day: int
) -> None:
    now = NOW.replace(day=1) + timedelta(days=day)
    today = now.date()
    pace = pace_of({today - timedelta(days=n): value for n, value in enumerate(history, 1)}, today)
    if pace is None:
        assert not any(history)
        return
    assert abs(sum(pace.weights) - 7) < Decimal("1e-20")
    found = month_end(pace, used, now)
    assert used <= found.low <= found.expected <= found.high


def test_four_of_five_months_end_within_the_range_and_nearer_than_by_the_rule_of_three() -> None:
    """Months of busy weekdays and quiet weekends, each day off by a third, looked at on each of days 8 to 24."""
    random, within, missed, by_three, looks = Random(7), 0, 0, 0, 0
    for _ in range(60):
        base = random.randint(200, 20_000)
        first = date(2026, random.randint(3, 12), 1)
        length = ((first + timedelta(days=31)).replace(day=1) - first).days
        days = {}
        for n in range(-WINDOW, length):
            day = first + timedelta(days=n)
            days[day] = round(base * (1 if day.weekday() < 5 else 0.2) * random.lognormvariate(0, 0.35))
        whole = sum(days[first + timedelta(days=n)] for n in range(length))
        for n in range(7, 24):
            today = first + timedelta(days=n)
            used = sum(days[first + timedelta(days=k)] for k in range(n))
            found = month_end(paced(days, today), used, datetime(today.year, today.month, today.day, tzinfo=UTC))
            within += found.low <= whole <= found.high
            missed += abs(found.expected - whole)
            by_three += abs(used * length // n - whole)
            looks += 1
    assert 0.75 <= within / looks <= 0.87
    assert missed < 0.95 * by_three


def test_a_charge_is_what_the_quantities_cost() -> None:
    term = Term(1000, Decimal(3), charged=True)
    so_far = Metered(used=1100, charged=charge(term, 0, 1100))
    assert charges(term, so_far, Expected(1100, 1200, 1500)) == Expected(300, 600, 1500)
    assert charges(Term(1000), Metered(used=10), Expected(20, 30, 40)) == Expected(0, 0, 0)


# ---------------------------------------------------------------- of an organization


@pytest.fixture
def images(org_a: Tenant) -> Tenant:
    """An organization that may use 1,000 images and pays 10 cents for each beyond them; 100 a day for two weeks."""
    PlanAllowance.objects.update_or_create(
        plan_id=_free(), meter=Meter.IMAGES, defaults={"included": 1000, "overage": Overage.CHARGE}
    )
    PlanRate.objects.filter(plan_id=_free(), meter=Meter.IMAGES).delete()
    PlanRate.objects.create(plan_id=_free(), meter=Meter.IMAGES, currency="USD", per=1, price_minor=Decimal(10))
    moments = [datetime(2026, 6, day, 9, tzinfo=UTC) for day in range(1, 15)]
    events = [
        UsageEvent(id=f"day-{moment.day}", source="test", meter=Meter.IMAGES, quantity=100, occurred_at=moment)
        for moment in moments
    ]
    with tenancy.scope(org_a.id):
        billing.write_usage(events, now=NOW)
    return org_a


def _free() -> Any:
    return Plan.objects.get(code="free").pk


def test_an_organization_sees_what_its_month_will_cost(images: Tenant) -> None:
    found = billing.forecast_of(images.id, NOW)
    [meter] = found.meters
    assert (meter.meter, meter.used, meter.used_up_on) == (Meter.IMAGES, 1400, None)
    assert meter.quantity == Expected(2950, 2950, 2950)
    assert found.charge == meter.charge == Expected(195_000_000, 195_000_000, 195_000_000)
    assert (found.month, found.ends_on, found.currency) == (date(2026, 6, 1), date(2026, 6, 30), "USD")


def test_no_more_is_expected_than_the_cap_allows(images: Tenant) -> None:
    with tenancy.scope(images.id):
        SpendingCap.objects.create(organization_id=images.id, currency="USD", cap_micros=60_000_000)
    assert billing.forecast_of(images.id, NOW).charge == Expected(60_000_000, 60_000_000, 60_000_000)


def test_nothing_is_expected_beyond_an_allowance_that_stops(images: Tenant) -> None:
    PlanRate.objects.filter(plan_id=_free(), meter=Meter.IMAGES).delete()
    PlanAllowance.objects.filter(plan_id=_free(), meter=Meter.IMAGES).update(included=2000)
    [meter] = billing.forecast_of(images.id, NOW).meters
    assert meter.quantity == Expected(2000, 2000, 2000)
    assert meter.used_up_on == date(2026, 6, 21)


def test_another_organizations_days_do_not_count(images: Tenant, org_b: Tenant) -> None:
    assert billing.forecast_of(org_b.id, NOW).meters == ()


def test_a_program_reads_the_forecast_of_texts(org_a: Tenant) -> None:
    answer = Client().get("/api/v1/usage/forecast", headers=org_a.bearer).json()
    assert (answer["object"], answer["meters"]) == ("usage_forecast", [])
    assert answer["charge"] == {"low": "0.000000", "expected": "0.000000", "high": "0.000000"}
    yesterday = datetime.now(UTC) - timedelta(days=1)
    job = org_a.id
    with tenancy.scope(org_a.id):
        limits = billing.limits_of(org_a.id)
        billing.hold(job, billing.tokens(30, 20), limits, yesterday)
        billing.settle(job, billing.Charge(30, 20))
    answer = Client().get("/api/v1/usage/forecast", headers=org_a.bearer).json()
    assert [line["meter"] for line in answer["meters"]] == ["tokens_in", "tokens_out"]
    for line in answer["meters"]:
        assert line["quantity"]["low"] <= line["quantity"]["expected"] <= line["quantity"]["high"]


def test_the_usage_page_shows_what_is_expected_of_this_month_and_of_no_other(
    org_a: Tenant, client_of: Callable[..., Client]
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    with tenancy.scope(org_a.id):
        billing.write_usage([UsageEvent("test", "one", Meter.IMAGES, 40, yesterday)])
    page = client_of(org_a.owner).get("/settings/usage/").content.decode()
    assert "Expected by" in page
    for query in ("meter=images", "month=2026-01"):
        assert "Expected by" not in client_of(org_a.owner).get(f"/settings/usage/?{query}").content.decode()
    assert "Expected by" not in client_of(org_a.member).get("/settings/usage/").content.decode()
