"""Floating seats: taken, kept by a heartbeat, returned, or lapsed by the database's clock.

Seats are counted under the lock of the licence. They come and go by the minute, and leave no line in the audit trail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models.expressions import RawSQL

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest
from apps.licensing.errors import NoSeatLeft
from apps.licensing.models import Licence, SeatLease
from apps.licensing.services.licences import locked, require_served
from apps.licensing.services.signing import database_now


@dataclass(frozen=True, slots=True)
class Seat:
    """A seat that is held until `lapses_at`, unless a heartbeat comes before."""

    holder: str
    taken_at: datetime
    lapses_at: datetime
    used: int
    seats: int


def take_seat(actor: Actor, licence_id: UUID, holder: str) -> Seat:
    """Takes a seat for a holder, or keeps the one that the holder has: both are the same call.

    A holder who has one keeps it whatever has become of the licence, for running work is never stopped. Raises
    NoSeatLeft, and LicenceNotServed for a new one.
    """
    holder = _checked(holder)
    with tenancy.scope(actor.organization_id):
        licence = locked(licence_id)
        if not licence.floating or licence.seats is None:
            raise Conflict("This licence has no floating seats.")
        SeatLease.objects.filter(licence=licence, lapses_at__lte=_clock()).delete()
        lease = SeatLease.objects.filter(licence=licence, holder=holder).first()
        used = SeatLease.objects.filter(licence=licence).count()
        now = database_now()
        if lease is None:
            require_served(licence)
            if used >= licence.seats:
                raise NoSeatLeft("All %(seats)s seats of this licence are in use.", values={"seats": licence.seats})
            lease = SeatLease(organization_id=actor.organization_id, licence=licence, holder=holder, taken_at=now)
            used += 1
        lease.lapses_at = now + SeatLease.LASTS
        lease.save()
    return Seat(holder, lease.taken_at, lease.lapses_at, used, licence.seats)


def return_seat(actor: Actor, licence_id: UUID, holder: str) -> None:
    """Gives a seat back; one that is not held stays so."""
    with tenancy.scope(actor.organization_id):
        SeatLease.objects.filter(licence_id=licence_id, holder=_checked(holder)).delete()


def seats_in_use(licence: Licence) -> Any:
    """The leases that have not lapsed, newest first; the caller is in the vendor's scope."""
    return SeatLease.objects.filter(licence=licence, lapses_at__gt=_clock()).order_by("-taken_at")


def _clock() -> RawSQL:
    return RawSQL("clock_timestamp()", [])


def _checked(holder: str) -> str:
    holder = holder.strip()
    if not 1 <= len(holder) <= 120:
        raise InvalidRequest("Name whoever holds the seat, in 1 to 120 characters.", param="holder")
    return holder
