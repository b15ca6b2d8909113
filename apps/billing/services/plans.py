"""Which plan an organization is on."""

from __future__ import annotations

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.services.organizations import locked
from apps.billing.models import FREE_PLAN, Plan, Subscription
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest


def change_plan(actor: Actor, code: str, *, reason: str = "") -> Subscription:
    """Puts the organization on a plan from the next request on; what has been used this month stays used."""
    actor.require("billing:manage")
    plan = Plan.objects.filter(code=code).first()
    if plan is None:
        raise InvalidRequest("There is no such plan.", param="plan")
    with tenancy.scope(actor.organization_id):
        organization = locked(actor.organization_id)
        found: Subscription | None = Subscription.objects.select_related("plan").filter(is_live=True).first()
        if found is not None and found.stripe_id:
            raise Conflict("The organization pays for a subscription: it is changed, or cancelled, there.")
        before = found.plan.code if found else FREE_PLAN
        if found is None:
            found = Subscription(organization=organization)
        if before != code or found._state.adding:
            found.plan = plan
            found.save()
            changed = {"before": {"plan": before}, "after": {"plan": code}}
            audit.record(actor, "subscription.changed", found, **changed, reason=reason)
            events.record("subscription.changed", found.pk, {"plan": code})
    return found
