"""What this month is expected to come to, for pages and the API."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from django.db.models import Sum
from django.utils import timezone

from apps.billing.entitlements import Metered, Term, next_month
from apps.billing.forecast import WINDOW, Expected, charges, month_end, pace_of, used_up_on
from apps.billing.models import Meter
from apps.billing.services.figures import Figures, figures_of
from apps.billing.usage.filters import TEXT, by_day, midnight
from apps.billing.usage.totals import Counted, Totals
from apps.core import tenancy


@dataclass(frozen=True, slots=True)
class MeterForecast:
    """One meter at the end of the month; `used_up_on` is the day on which its allowance is expected to end."""

    meter: Meter
    term: Term
    used: int
    quantity: Expected
    charge: Expected
    used_up_on: date | None

    @property
    def shown_as(self) -> str:
        """The meter as usage pages name it: tokens of texts stand there together."""
        return TEXT if self.meter in (Meter.TOKENS_IN, Meter.TOKENS_OUT) else self.meter.value


@dataclass(frozen=True, slots=True)
class Forecast:
    """A month's end as expected now, of the meters that there is a whole day of; charges in micros.

    The range of all charges together is the sum of the meters', which is wider than four of five months.
    """

    month: date
    ends_on: date
    currency: str
    meters: tuple[MeterForecast, ...]
    charge: Expected


def forecast_of(
    organization_id: UUID,
    now: datetime | None = None,
    figures: Figures | None = None,
    counted: Counted | None = None,
) -> Forecast:
    """What the organization's month comes to if its days go on as they did.

    `figures` and what was `counted` since `window_before(today)` are given where they have been read already.
    """
    now = now or timezone.now()
    known = figures or figures_of(organization_id, now)
    limits, state, month = known.limits, known.state, known.month
    today = now.astimezone(UTC).date()
    with tenancy.reading(organization_id):
        days = (counted or _counted(today)).between(window_before(today), today)
    found = [
        _of(Meter(name), limits.terms.of(name), state.meters.get(name, Metered()), days[name], now)
        for name in Meter.values
    ]
    meters = tuple(each for each in found if each)
    total = sum((each.charge for each in meters), Expected(0, 0, 0))
    # Meters without a whole day are charged what they are.
    so_far = sum(metered.charged for metered in state.meters.values())
    total += Expected(*[so_far - sum(state.meters.get(each.meter, Metered()).charged for each in meters)] * 3)
    if state.purse.cap is not None:
        total = total.at_most(max(so_far, max(0, state.purse.credits) + state.purse.cap))
    return Forecast(month, next_month(month) - timedelta(days=1), limits.terms.currency, meters, total)


def _of(meter: Meter, term: Term, metered: Metered, days: dict[date, int], now: datetime) -> MeterForecast | None:
    pace = pace_of(days, now.astimezone(UTC).date())
    if pace is None:
        return None
    quantity = month_end(pace, metered.used, now)
    if term.rate is None:
        # Nothing beyond it is accepted.
        quantity = quantity.at_most(max(term.included, metered.used))
    ends = None if metered.used >= term.included else used_up_on(pace, metered.used, term.included, now)
    return MeterForecast(meter, term, metered.used, quantity, charges(term, metered, quantity), ends)


def window_before(today: date) -> date:
    """The first of the days by which this month's end is expected."""
    return today - timedelta(days=WINDOW)


def _counted(today: date) -> Counted:
    """What each meter counted on each of the last days before today."""
    rows = by_day().filter(hour__gte=midnight(window_before(today)), hour__lt=midnight(today))
    names = ("quantity", "prompt_tokens", "completion_tokens")
    found = Counted()
    for row in rows.values("day", "meter").annotate(**{f"sum_{name}": Sum(name) for name in names}):
        found.add(row["day"], row["meter"], Totals(**{name: row[f"sum_{name}"] for name in names}))
    return found
