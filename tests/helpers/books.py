"""Books that a test of money keeps beside the ledger, in exact fractions."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction
from math import floor
from uuid import UUID

from apps.billing.models import Meter, Order
from tests.helpers.people import Tenant

CENT = 10_000
IN, OUT, IMAGES, MINUTES = Meter.TOKENS_IN, Meter.TOKENS_OUT, Meter.IMAGES, Meter.CAMERA_MINUTES
# Included, price of one in cents, whether it is charged; without a price it stops, uncharged it is paid with credits.
PLAN: dict[str, tuple[int, str | None, bool]] = {
    IN: (100, "0.00015", True),
    OUT: (60, None, False),
    IMAGES: (2, "33.33335", True),
    MINUTES: (10, "20.00001", False),
}


def cost(meter: str, used: int) -> int:
    included, cents, _ = PLAN[meter]
    return floor(max(0, used - included) * Fraction(cents or 0) * CENT + Fraction(1, 2))


def month_of(moment: datetime) -> date:
    return moment.date().replace(day=1)


@dataclass
class Sums:
    used: int = 0
    held: int = 0
    charged: int = 0


@dataclass
class Book:
    """One organization as the machine expects it."""

    tenant: Tenant
    meters: dict[tuple[date, str], Sums] = field(default_factory=lambda: defaultdict(Sums))
    jobs: dict[UUID, tuple[date, dict[str, int]]] = field(default_factory=dict)
    done: list[UUID] = field(default_factory=list)
    told: dict[str, tuple[str, int, datetime]] = field(default_factory=dict)
    orders: list[tuple[Order, int, int]] = field(default_factory=list)
    balance: int = 0
    cap: int | None = None
    # Months are opened by whatever locks them, and closed also with nothing in them.
    opened: set[date] = field(default_factory=set)
    closed: dict[date, tuple[int, int]] = field(default_factory=dict)
    rest: int = 0

    def of(self, month: date) -> dict[str, Sums]:
        return {meter: self.meters[month, meter] for meter in PLAN}

    def owed(self, months: set[date]) -> int:
        return sum(sums.charged for (month, _), sums in self.meters.items() if month in months)

    def credits(self, month: date) -> int:
        """What the month may take of credits: what other open months owe is gone."""
        others = {each for each, _ in self.meters if each != month and each not in self.closed}
        return self.balance - self.owed(others)

    def accepts(self, month: date, asked: dict[str, int]) -> bool:
        worst = 0
        for meter, sums in self.of(month).items():
            worst += sums.charged + cost(meter, sums.used + sums.held + asked.get(meter, 0)) - cost(meter, sums.used)
        credit = self.credits(month)
        for meter, quantity in asked.items():
            included, cents, charged = PLAN[meter]
            sums = self.of(month)[meter]
            if quantity <= max(0, included - sums.used - sums.held):
                continue
            by_cap = charged and (self.cap is None or worst <= max(0, credit) + self.cap)
            if cents is None or not (worst <= credit or by_cap):
                return False
        return True
