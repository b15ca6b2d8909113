"""This month's use of an organization, for its pages and the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from apps.billing.entitlements import Metered, Term, left, next_month
from apps.billing.models import Meter
from apps.billing.services.figures import Figures, figures_of

TOKENS = (Meter.TOKENS_IN, Meter.TOKENS_OUT)


@dataclass(frozen=True, slots=True)
class MeterUse:
    """One meter in this month; `charged_micros` is what is to be paid beyond the allowance."""

    meter: Meter
    term: Term
    metered: Metered

    @property
    def left(self) -> int:
        return left(self.term, self.metered)

    @property
    def beyond(self) -> int:
        """What was used beyond the allowance."""
        return max(0, self.metered.used - self.term.included)

    @property
    def percent(self) -> int:
        taken = self.metered.used + self.metered.held
        return min(100, taken * 100 // self.term.included) if self.term.included else 100


@dataclass(frozen=True, slots=True)
class UsageSummary:
    """This month's allowances and use; tokens in and out together where no meter is named, money in micros.

    `spent_micros` is the value of what was used at the models' own prices, `charged_micros` what is to be paid.
    """

    plan: str
    meters: tuple[MeterUse, ...]
    spent_micros: int
    currency: str
    charged_micros: int
    charge_currency: str
    month: date
    resets_on: date

    @property
    def _tokens(self) -> list[MeterUse]:
        return [use for use in self.meters if use.meter in TOKENS]

    @property
    def allowance(self) -> int:
        return sum(use.term.included for use in self._tokens)

    @property
    def used(self) -> int:
        return sum(use.metered.used for use in self._tokens)

    @property
    def held(self) -> int:
        return sum(use.metered.held for use in self._tokens)

    @property
    def remaining(self) -> int:
        return sum(use.left for use in self._tokens)

    @property
    def percent(self) -> int:
        """The share that is used or reserved of the token allowance that is nearest to its end."""
        return max((use.percent for use in self._tokens), default=100)

    @property
    def spent(self) -> Decimal:
        return Decimal(self.spent_micros) / 1_000_000


def usage_summary(organization_id: UUID, figures: Figures | None = None) -> UsageSummary:
    """This month's use of an organization; of its figures where they have been read already."""
    found = figures or figures_of(organization_id)
    terms, metered = found.limits.terms, found.state.meters
    uses = tuple(MeterUse(meter, terms.of(meter), metered.get(meter, Metered())) for meter in Meter)
    return UsageSummary(
        plan=found.limits.plan,
        meters=uses,
        spent_micros=found.spent_micros,
        currency="USD",
        charged_micros=sum(use.metered.charged for use in uses),
        charge_currency=terms.currency,
        month=found.month,
        resets_on=next_month(found.month),
    )
