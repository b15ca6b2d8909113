"""Currencies and their minor units, in which every amount is stored: cents of a dollar, but whole yen."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from apps.core.errors import AmountNotChargeable

# As Stripe counts (docs.stripe.com/currencies#zero-decimal and #three-decimal): most have two decimals.
_NONE: Final = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
_THREE: Final = frozenset("BHD JOD KWD OMR TND".split())
# Special cases (#special-cases): these have no minor unit any more and are still written with two decimals, which are
# always 00; of three decimals the last one is always 0.
_WHOLE: Final = frozenset({"ISK", "UGX"})


def minor_digits(currency: str) -> int:
    """How many decimals an amount of this currency has."""
    code = currency.upper()
    return 0 if code in _NONE else 3 if code in _THREE else 2


def minor_step(currency: str) -> int:
    """What every amount that is charged is a multiple of, in minor units."""
    code = currency.upper()
    return 100 if code in _WHOLE else 10 if code in _THREE else 1


def chargeable(minor: int | Decimal, currency: str, param: str) -> int:
    """A price in minor units as it is stored; AmountNotChargeable names the step that it has to be a multiple of."""
    step = minor_step(currency)
    if minor % step:
        least = f"{units_of(step, currency):f}"
        raise AmountNotChargeable(
            "Amounts in %(currency)s are multiples of %(least)s.",
            values={"currency": currency.upper(), "least": least},
            param=param,
        )
    return int(minor)


def units_of(minor: int | Decimal, currency: str) -> Decimal:
    """Minor units as units of the currency, exactly."""
    return Decimal(minor).scaleb(-minor_digits(currency))


def figure(micros: int, currency: str) -> str:
    """Micros in units of the currency, in plain figures: with its decimals, and more where it is less than exact."""
    value = Decimal(micros).scaleb(-6)
    places = max(minor_digits(currency), -int(value.normalize().as_tuple().exponent))
    return f"{value:.{places}f}"
