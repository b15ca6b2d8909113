"""What pages show of an organization's month, read once for all that is on them: the plan's limits, and every sum."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.billing.entitlements import Limits, month_of
from apps.billing.services.ledger import State, state_in
from apps.billing.services.terms import limits_of
from apps.billing.statements import FIGURES
from apps.core import tenancy
from apps.core.statements import prepared_cursor


@dataclass(frozen=True, slots=True)
class Cap:
    """The spending cap as it was set, maybe in another currency than the plan's terms are in now."""

    cap_micros: int
    currency: str


@dataclass(frozen=True, slots=True)
class Figures:
    """A month as a look without a lock finds it; money in micros.

    `spent_micros` is the value of what was used at the models' own prices. `credits` are what may still be spent, in
    the currency of the plan's terms, after what all open months owe: below 0 where spent credit was taken back.
    """

    limits: Limits
    month: date
    state: State
    spent_micros: int
    credits: int
    cap: Cap | None


def figures_of(organization_id: UUID, now: datetime | None = None) -> Figures:
    """The month of `now`, with two questions to the database."""
    limits, month = limits_of(organization_id), month_of(now or timezone.now())
    this: dict[str, Any] = {"organization": organization_id, "month": month, "currency": limits.terms.currency}
    with tenancy.reading(organization_id), prepared_cursor() as cursor:
        cursor.execute(FIGURES, this | {"owners": []})
        rows = cursor.fetchall()
    state = state_in(rows)
    spent, is_open = next(((value, bool(flag)) for kind, _, value, flag, _ in rows if kind == "period"), (0, False))
    # The purse leaves out what the month itself owes, which a hold measures by its meters.
    owed = sum(metered.charged for metered in state.meters.values()) if is_open else 0
    return Figures(
        limits=limits,
        month=month,
        state=state,
        spent_micros=spent,
        credits=state.purse.credits - owed,
        cap=next((Cap(micros, currency) for kind, currency, micros, _, _ in rows if kind == "cap"), None),
    )
