"""Seats: how many there are, who has one, what is about to change, and what another number would cost."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from apps.accounts.access import organization_page
from apps.accounts.models import Invitation, Membership
from apps.billing import gateway
from apps.billing import services as billing
from apps.billing.context import urgent
from apps.billing.models import Status
from apps.billing.plan_forms import SeatsForm
from apps.billing.services.accounts import MANAGE, READ
from apps.billing.services.changes import period_minor
from apps.billing.standing import standing_of
from apps.core.keyset import page_of

# Invitations are few, since each takes a seat; beyond these the page of invitations has them.
MOST_INVITED = 20


@require_GET
@organization_page
def seats(request: HttpRequest) -> HttpResponse:
    """Buying leads, by GET, to the page that says what the change costs before anything is changed."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    row = billing.live_subscription()
    found = billing.seats_with(row)
    may_see = "members:read" in actor.permissions
    may_change = row is not None and row.status in (Status.ACTIVE, Status.TRIALING) and row.next_at is None
    may_buy = MANAGE in actor.permissions and row is not None and bool(row.stripe_id) and may_change
    members = Membership.objects.select_related("user", "custom_role")
    context = {
        "row": row,
        "seats": found,
        "form": SeatsForm(initial={"seats": found.total}, seats=found) if may_buy else None,
        "may_manage": MANAGE in actor.permissions,
        "may_see": may_see,
        "page": page_of(members, request.GET.get("before")) if may_see else None,
        "invited": _invited() if may_see else [],
        "period_minor": period_minor(row.price, row.seats) if row and row.price else None,
        "money_notice": urgent(actor, standing_of(row)),
        "payments": gateway.mode() is not gateway.Mode.OFF,
    }
    return render(request, "billing/seats.html", context)


def _invited() -> list[Invitation]:
    """Who holds a seat without having taken it yet."""
    rows: Any = Invitation.objects.open().select_related("custom_role").filter(expires_at__gt=timezone.now())
    return list(rows.order_by("-id")[:MOST_INVITED])
