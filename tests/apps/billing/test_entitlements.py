"""What a plan allows, without a database."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.entitlements import Limits, Usage, may_hold, month_of, next_month, price_micros, remaining

MONTH = date(2026, 11, 1)


def limits(monthly: int) -> Limits:
    return Limits("Test", monthly, requests_per_minute=60, tokens_per_minute=1000, max_queued=10)


@pytest.mark.parametrize(
    ("used", "held", "tokens", "allowed"),
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
def test_held_tokens_count_as_used(used: int, held: int, tokens: int, allowed: bool) -> None:
    assert may_hold(limits(100), Usage(MONTH, used, held), tokens) is allowed


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 10**9))
def test_what_may_be_held_never_exceeds_the_allowance(monthly: int, used: int, held: int, tokens: int) -> None:
    usage = Usage(MONTH, used, held)
    assert remaining(limits(monthly), usage) >= 0
    if may_hold(limits(monthly), usage, tokens):
        assert used + held + tokens <= monthly


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
