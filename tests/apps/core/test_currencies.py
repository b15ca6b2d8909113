"""Amounts of every kind of currency that Stripe takes."""

from decimal import Decimal

import pytest

from apps.billing.entitlements import micros_of, minor_of
from apps.core.currencies import chargeable, figure, minor_digits, minor_step, units_of
from apps.core.errors import AmountNotChargeable


@pytest.mark.parametrize(
    ("currency", "digits", "step"),
    [
        ("USD", 2, 1),
        ("usd", 2, 1),
        ("JPY", 0, 1),
        ("KRW", 0, 1),
        # Without a minor unit of their own, and yet written with two decimals, which are 00.
        ("UGX", 2, 100),
        ("ISK", 2, 100),
        # Without one in payouts only.
        ("HUF", 2, 1),
        ("TWD", 2, 1),
        ("KWD", 3, 10),
    ],
)
def test_decimals_are_as_stripe_counts_them(currency: str, digits: int, step: int) -> None:
    assert (minor_digits(currency), minor_step(currency)) == (digits, step)


def test_five_shillings_are_500_as_stripe_says() -> None:
    assert units_of(500, "UGX") == 5
    assert micros_of(500, "UGX") == 5_000_000


@pytest.mark.parametrize("currency", ["USD", "JPY", "UGX", "KWD"])
def test_what_is_billed_and_what_is_left_over_are_the_whole(currency: str) -> None:
    micros = 12_345_678_901
    minor, rest = minor_of(micros, currency)
    assert minor % minor_step(currency) == 0
    assert micros_of(minor, currency) + rest == micros
    assert 0 <= rest < micros_of(minor_step(currency), currency)


@pytest.mark.parametrize(
    ("micros", "currency", "shown"),
    [
        (10_000_000, "USD", "10.00"),
        (-2_500_000, "EUR", "-2.50"),
        (1_234, "USD", "0.001234"),
        (5_000_000, "JPY", "5"),
        (0, "KWD", "0.000"),
        # More than a float can tell apart.
        (9_007_199_254_740_993, "USD", "9007199254.740993"),
    ],
)
def test_figures_are_exact(micros: int, currency: str, shown: str) -> None:
    assert figure(micros, currency) == shown
    assert Decimal(shown) * 1_000_000 == micros


@pytest.mark.parametrize(("minor", "currency"), [(1, "USD"), (500, "ISK"), (0, "UGX"), (1_230, "KWD"), (7, "jpy")])
def test_what_can_be_charged_is_kept(minor: int, currency: str) -> None:
    assert chargeable(Decimal(minor), currency, "price") == minor


@pytest.mark.parametrize(
    ("minor", "currency", "least"),
    [(550, "ISK", "1.00"), (199, "ugx", "1.00"), (1_234, "KWD", "0.010"), ("0.5", "USD", "0.01"), ("1.5", "JPY", "1")],
)
def test_what_cannot_be_charged_is_refused_with_the_step(minor: int | str, currency: str, least: str) -> None:
    with pytest.raises(AmountNotChargeable) as refused:
        chargeable(Decimal(minor), currency, "price")
    assert refused.value.message == f"Amounts in {currency.upper()} are multiples of {least}."
    assert (refused.value.code, refused.value.param) == ("amount_not_chargeable", "price")
