"""Seats: how many an organization has, how many are taken, and what one more costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.accounts.models import Invitation, Membership
from apps.billing import gateway
from apps.billing.models import FREE_PLAN, Interval, Plan, Status, Subscription
from apps.billing.services.mirrors import live_subscription
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, SeatsNeeded
from apps.core.templatetags.ui import minor


@dataclass(frozen=True, slots=True)
class Seats:
    """`total` is None where the operator has set no number; `further_minor` is what one more costs in an interval."""

    total: int | None
    members: int
    invited: int
    included: int
    most: int | None
    further_minor: int | None = None
    currency: str = ""
    interval: str = ""

    @property
    def taken(self) -> int:
        return self.members + self.invited

    @property
    def left(self) -> int | None:
        return None if self.total is None else max(0, self.total - self.taken)


def seats_of(organization_id: UUID) -> Seats:
    """The organization's seats at this moment."""
    with tenancy.scope(organization_id):
        return seats_with(live_subscription())


def seats_with(found: Subscription | None) -> Seats:
    """The same of the live subscription, with one question; in the scope of the organization."""
    taken = {"members": Membership.objects.all().number(), "invited": _pending().number()}
    plans: Any = Plan.objects.annotate(**taken)
    if found is None or found.status == Status.INCOMPLETE:
        plan = plans.get(code=FREE_PLAN)
        total = plan.included_seats if gateway.mode() is not gateway.Mode.OFF else None
        return Seats(total, plan.members, plan.invited, plan.included_seats, plan.max_seats)
    plan = plans.get(pk=found.plan_id)
    if found.price is None:
        return Seats(plan.max_seats, plan.members, plan.invited, plan.included_seats, plan.max_seats)
    agreed = found.price
    return Seats(
        total=found.seats if found.next_seats is None else min(found.seats, found.next_seats),
        members=plan.members,
        invited=plan.invited,
        included=plan.included_seats,
        most=plan.max_seats,
        further_minor=agreed.seat_minor,
        currency=agreed.currency,
        interval=agreed.interval,
    )


def require_seat(organization_id: UUID, *, for_invitation: bool) -> None:
    """Raises SeatsNeeded if there is no seat for one more person.

    Called with the organization locked, so that of two who want the last seat one gets it. Whoever accepts an
    invitation has had their seat since they were invited.
    """
    seats = seats_of(organization_id)
    if seats.total is None or seats.members + (seats.invited if for_invitation else 0) < seats.total:
        return
    if seats.most is not None and seats.total >= seats.most:
        raise SeatsNeeded(
            "All %(total)s seats of this plan are taken. A larger plan has more.", values={"total": seats.total}
        )
    if seats.further_minor is None:
        raise SeatsNeeded("All %(total)s seats are taken. A paid plan has more.", values={"total": seats.total})
    price = minor(seats.further_minor, seats.currency)
    if seats.interval == Interval.YEAR:
        raise SeatsNeeded(
            "All %(total)s seats are taken. Another one costs %(price)s a year: add it under Billing.",
            values={"total": seats.total, "price": price},
        )
    raise SeatsNeeded(
        "All %(total)s seats are taken. Another one costs %(price)s a month: add it under Billing.",
        values={"total": seats.total, "price": price},
    )


def check_seats(plan: Plan, seats: int) -> int:
    """So many seats of a plan, at least those that it includes; in the scope of the organization.

    Raises InvalidRequest beyond what the plan sells, Conflict below what is taken.
    """
    seats = max(seats, plan.included_seats)
    if plan.max_seats is not None and seats > plan.max_seats:
        raise InvalidRequest("This plan has at most %(most)s seats.", values={"most": plan.max_seats}, param="seats")
    taken = sum(taken_seats())
    if seats < taken:
        raise Conflict(
            "%(taken)s seats are taken by members and open invitations: remove some first.",
            values={"taken": taken},
            param="seats",
        )
    return seats


def taken_seats() -> tuple[int, int]:
    """Members, and invitations that may still be accepted; in the scope of the organization."""
    return Membership.objects.count(), _pending().count()


def _pending() -> Any:
    return Invitation.objects.open().filter(expires_at__gt=timezone.now())
