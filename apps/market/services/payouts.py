"""What the operator owes sellers, and that it was paid: by hand, outside of this product, and written down here."""

from __future__ import annotations

from typing import Any

from django.db.models import Sum

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.services.organizations import locked
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest
from apps.market.models import Earning, EarningKind

PAY_OUT = "earnings:pay_out"


def balances() -> dict[str, int]:
    """What the organization in scope has earned and was not paid yet, by currency, in minor units."""
    sums = Earning.objects.order_by("currency").values_list("currency").annotate(Sum("amount_minor"))
    return dict(sums)


def record_payout(actor: Actor, currency: str, amount_minor: int, reference: str) -> Earning:
    """Writes down that a seller was paid; needs `earnings:pay_out`, which only staff is given."""
    actor.require(PAY_OUT)
    reference = reference.strip()
    if not 3 <= len(reference) <= 100:
        raise InvalidRequest("Give the transfer's reference.", param="reference")
    with tenancy.scope(actor.organization_id):
        # Two at once would each see the whole balance.
        organization = locked(actor.organization_id)
        if not 0 < amount_minor <= balances().get(currency, 0):
            raise Conflict("No more can be paid out than was earned.", param="amount")
        if Earning.objects.filter(kind=EarningKind.PAYOUT, reference=reference).exists():
            raise Conflict("A payout with this reference is written down already.", param="reference")
        row: Earning = Earning.objects.create(
            organization=organization,
            kind=EarningKind.PAYOUT,
            currency=currency,
            amount_minor=-amount_minor,
            reference=reference,
        )
        facts: dict[str, Any] = {"amount_minor": amount_minor, "currency": currency, "reference": reference}
        audit.record(actor, "payout.recorded", organization, **facts)
        events.record("payout.recorded", row.pk, facts)
    return row
