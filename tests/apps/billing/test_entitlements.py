"""What a plan allows, without a database."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.entitlements import (
    ACCESS,
    Access,
    Metered,
    Purse,
    Refusal,
    Term,
    Terms,
    access_of,
    charge,
    left,
    micros_of,
    minor_of,
    month_of,
    next_month,
    price_micros,
    refusal,
)
from apps.billing.models import Status

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
amounts = st.integers(0, 10**9)
rates = st.decimals("0.000001", "1000000", places=6)


@pytest.mark.parametrize(
    ("status", "access"),
    [
        ("manual", "full"),
        ("incomplete", "free"),
        ("incomplete_expired", "free"),
        ("trialing", "full"),
        ("active", "full"),
        ("past_due", "full"),
        ("unpaid", "read_only"),
        ("paused", "read_only"),
        ("canceled", "free"),
    ],
)
def test_what_each_status_gives(status: str, access: str) -> None:
    assert access_of(status, None, NOW) == access
    # How long ago a payment failed says nothing of any other status.
    if status != "past_due":
        assert access_of(status, NOW - timedelta(days=400), NOW) == access


def test_every_status_that_there_is_gives_something() -> None:
    assert set(ACCESS) == set(Status.values)


def test_an_unpaid_invoice_stops_new_work_after_a_week() -> None:
    assert access_of("past_due", NOW - timedelta(days=7, seconds=-1), NOW) == Access.FULL
    assert access_of("past_due", NOW - timedelta(days=7), NOW) == Access.READ_ONLY


def test_an_unknown_status_takes_nothing_away() -> None:
    assert access_of("dreaming", None, NOW) == Access.FULL


# ---------------------------------------------------------------- allowances


@pytest.mark.parametrize(
    ("used", "held", "asked", "allowed"),
    [
        (0, 0, 100, True),
        (0, 0, 101, False),
        (60, 40, 0, True),
        (60, 40, 1, False),
        (60, 39, 1, True),
        (0, 100, 1, False),
        (150, 0, 1, False),
        (150, 0, 0, True),
    ],
)
def test_what_is_held_counts_as_used(used: int, held: int, asked: int, allowed: bool) -> None:
    terms, month = Terms("USD", {"images": Term(100)}), {"images": Metered(used, held)}
    assert (refusal(terms, {"images": asked}, month, Purse()) is None) is allowed


@given(amounts, amounts, amounts, amounts)
def test_what_may_be_held_without_a_rate_never_exceeds_the_allowance(
    included: int, used: int, held: int, asked: int
) -> None:
    term, found = Term(included), Metered(used, held)
    assert left(term, found) >= 0
    if asked and refusal(Terms("USD", {"images": term}), {"images": asked}, {"images": found}, Purse()) is None:
        assert used + held + asked <= included


def test_of_a_meter_that_the_plan_does_not_name_nothing_is_included() -> None:
    assert refusal(Terms(), {"images": 1}, {}, Purse()) == (Refusal.ALLOWANCE, "images")


# ---------------------------------------------------------------- charges, credits and caps


@given(amounts, rates, st.lists(st.integers(0, 10**6), max_size=20))
def test_charges_add_up_to_what_all_of_it_costs(included: int, rate: Decimal, parts: list[int]) -> None:
    term, used, charged = Term(included, rate, charged=True), 0, 0
    for part in parts:
        charged += charge(term, used, part)
        used += part
    assert charged == charge(term, 0, used)
    assert (charged > 0) <= (used > included)


@given(
    st.booleans(), st.integers(0, 1000), st.integers(0, 1000), st.lists(st.tuples(st.booleans(), st.integers(0, 99)))
)
def test_whatever_is_held_may_also_be_used(
    charged: bool, credits: int, cap: int, steps: list[tuple[bool, int]]
) -> None:
    """In whatever order work ends, and however much it used, the month's charges stay within credits and cap."""
    term, purse = Term(50, Decimal(3), charged), Purse(credits, cap)
    open_work, used, spent = list[int](), 0, 0
    for begins, quantity in steps:
        if begins:
            month = {"images": Metered(used, sum(open_work), spent)}
            if refusal(Terms("USD", {"images": term}), {"images": quantity}, month, purse) is None:
                open_work.append(quantity)
        elif open_work:
            part = min(quantity, open_work.pop(quantity % len(open_work)))
            spent += charge(term, used, part)
            used += part
    for rest in open_work:
        spent += charge(term, used, rest)
        used += rest
    assert spent <= credits + (cap if charged else 0)


@pytest.mark.parametrize(
    ("term", "purse", "expected"),
    [
        (Term(0, Decimal(10), charged=True), Purse(), None),
        (Term(0, Decimal(10), charged=True), Purse(0, 50), None),
        (Term(0, Decimal(10), charged=True), Purse(0, 49), (Refusal.CAP, "images")),
        (Term(0, Decimal(10), charged=True), Purse(1, 49), None),
        (Term(0, Decimal(10)), Purse(50), None),
        (Term(0, Decimal(10)), Purse(49), (Refusal.CREDITS, "images")),
        (Term(0, Decimal(10)), Purse(0), (Refusal.ALLOWANCE, "images")),
        (Term(0, Decimal(10)), Purse(-5), (Refusal.ALLOWANCE, "images")),
        (Term(5, Decimal(10)), Purse(-5), None),
    ],
)
def test_who_pays_for_five_images(term: Term, purse: Purse, expected: object) -> None:
    assert refusal(Terms("USD", {"images": term}), {"images": 5}, {}, purse) == expected


@given(st.integers(0, 10**12), st.sampled_from(["USD", "JPY"]))
def test_no_micro_is_lost_between_minor_units(micros: int, currency: str) -> None:
    minor, rest = minor_of(micros, currency)
    assert micros_of(minor, currency) + rest == micros
    assert 0 <= rest < micros_of(1, currency)


@pytest.mark.parametrize(
    ("moment", "month", "following"),
    [
        (datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC), date(2026, 1, 1), date(2026, 2, 1)),
        (datetime(2026, 2, 1, tzinfo=UTC), date(2026, 2, 1), date(2026, 3, 1)),
        (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), date(2026, 12, 1), date(2027, 1, 1)),
        (datetime(2028, 2, 29, 12, tzinfo=UTC), date(2028, 2, 1), date(2028, 3, 1)),
    ],
)
def test_months_are_calendar_months(moment: datetime, month: date, following: date) -> None:
    assert month_of(moment) == month
    assert next_month(month) == following


@pytest.mark.parametrize(
    ("tokens", "price", "micros"),
    [
        (1000, "0.5", 500_000),
        (0, "0.5", 0),
        (1, "0.0005", 1),
        (1, "0.0004", 0),
        (1, "0.0015", 2),
        (3, "0.000500", 2),
        (10**9, "999999.999999", 999_999_999_999_000_000),
    ],
)
def test_prices_are_rounded_half_up_once(tokens: int, price: str, micros: int) -> None:
    assert price_micros(tokens, Decimal(price)) == micros
