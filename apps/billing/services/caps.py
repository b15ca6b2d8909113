"""The spending cap: how much may be charged beyond the plan in a calendar month (UTC)."""

from __future__ import annotations

from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.billing.entitlements import month_of
from apps.billing.models import SpendingCap
from apps.billing.services.ledger import Purpose, lock_month
from apps.billing.services.terms import limits_of
from apps.core import events, tenancy
from apps.core.currencies import figure
from apps.core.errors import InvalidRequest

MANAGE = "billing:manage"
# More than anybody is charged; a bigint holds it.
MOST_MICROS = 10**15


def get_cap(actor: Actor) -> SpendingCap | None:
    actor.require("billing:read")
    with tenancy.scope(actor.organization_id):
        cap: SpendingCap | None = SpendingCap.objects.first()
    return cap


def set_cap(actor: Actor, cap_micros: int) -> SpendingCap:
    """Sets the cap from the next call on, in the currency that the organization pays in.

    What runs already may still be charged: it was held against the cap there was.
    """
    actor.require(MANAGE)
    if not 0 <= cap_micros <= MOST_MICROS:
        raise InvalidRequest("A cap is 0 or more, up to a thousand million.", param="amount")
    currency = limits_of(actor.organization_id).terms.currency
    with tenancy.scope(actor.organization_id):
        lock_month(month_of(timezone.now()), Purpose())
        cap: SpendingCap | None = SpendingCap.objects.first()
        before = {"amount": _words(cap)} if cap else {}
        cap = cap or SpendingCap(organization_id=actor.organization_id)
        if cap._state.adding or (cap.cap_micros, cap.currency) != (cap_micros, currency):
            cap.cap_micros, cap.currency = cap_micros, currency
            cap.save()
            action = "spending_cap.changed" if before else "spending_cap.created"
            audit.record(actor, action, cap, before=before, after={"amount": _words(cap)})
            events.record(action, cap.pk, {"cap_micros": cap_micros, "currency": currency})
    return cap


def remove_cap(actor: Actor) -> None:
    """Lets the plan alone say what may be charged; nothing happens without a cap."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        lock_month(month_of(timezone.now()), Purpose())
        cap: SpendingCap | None = SpendingCap.objects.first()
        if cap is not None:
            audit.record(actor, "spending_cap.removed", cap, before={"amount": _words(cap)}, after={})
            events.record("spending_cap.removed", cap.pk, {"currency": cap.currency})
            cap.delete()


def _words(cap: SpendingCap) -> str:
    return f"{figure(cap.cap_micros, cap.currency)} {cap.currency}"
