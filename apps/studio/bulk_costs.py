"""What a run would cost at most, beside what the organization has left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.billing import services as billing
from apps.billing.entitlements import Metered, charge, left, month_of, price_micros, refusal
from apps.billing.services.ledger import state_of
from apps.core import tenancy
from apps.registry.models import ModelVersion


@dataclass(frozen=True, slots=True)
class Cost:
    """The most that a run can take: tokens, what they are worth at list prices, and what is charged beyond the plan.

    `left` is what of the allowance is neither used nor held, of the meter that is short where one is. `reason` says
    why not all of it can be held as things stand ("allowance", "credits" or "cap"), and is empty if it can.
    """

    rows: int
    invalid: int
    prompt_tokens: int
    completion_tokens: int
    exact: bool
    value_micros: int
    currency: str
    charged_micros: int
    charge_currency: str
    left: int
    reason: str

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


def cost_of(organization_id: UUID, estimate: dict[str, Any], model: ModelVersion) -> Cost:
    """Read without locks, so that it may be outdated a moment later: the run itself stops where nothing is left."""
    limits = billing.limits_of(organization_id)
    asked = billing.tokens(estimate["prompt_tokens"], estimate["completion_tokens"])
    with tenancy.reading(organization_id):
        state = state_of(month_of(timezone.now()), limits.terms.currency, [])
    short = refusal(limits.terms, asked, state.meters, state.purse)
    beyond, room = 0, []
    for meter, quantity in asked.items():
        term, found = limits.terms.of(meter), state.meters.get(meter, Metered())
        beyond += charge(term, found.used + found.held, quantity)
        room.append((left(term, found) - quantity, left(term, found)))
    return Cost(
        rows=estimate["rows"],
        invalid=estimate["invalid"],
        prompt_tokens=estimate["prompt_tokens"],
        completion_tokens=estimate["completion_tokens"],
        exact=estimate["exact"],
        value_micros=price_micros(estimate["prompt_tokens"], model.input_price)
        + price_micros(estimate["completion_tokens"], model.output_price),
        currency=model.currency,
        charged_micros=beyond,
        charge_currency=limits.terms.currency,
        left=min(room)[1],
        reason=str(short[0]) if short else "",
    )
