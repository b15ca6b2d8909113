"""What staff does in the market: answering offers, writing down payouts, and sponsored notices."""

from __future__ import annotations

from uuid import UUID

from django.db import transaction

from apps.accounts.models import User
from apps.market import services as market
from apps.market.models import Earning, Listing, Offer, Sponsor
from apps.market.services import sponsors
from apps.market.services.payouts import PAY_OUT
from apps.market.services.review import APPROVE
from apps.market.services.sponsors import Slot
from apps.staff.abilities import Ability
from apps.staff.services.acting import by_installation, require, staff_actor


def publish_offer(staff: User, organization_id: UUID, id: UUID) -> Listing:
    require(staff, Ability.OPERATE)
    return market.publish_offer(staff_actor(staff, organization_id, APPROVE), id)


def decline_offer(staff: User, organization_id: UUID, id: UUID, note: str) -> Offer:
    """Gives an offer back to its publisher, who reads the note."""
    require(staff, Ability.OPERATE)
    return market.decline_offer(staff_actor(staff, organization_id, APPROVE), id, note)


def record_payout(staff: User, organization_id: UUID, currency: str, amount_minor: int, reference: str) -> Earning:
    """Writes down a transfer that was made outside of this product."""
    require(staff, Ability.OPERATE)
    return market.record_payout(staff_actor(staff, organization_id, PAY_OUT), currency, amount_minor, reference)


@transaction.atomic
def save_sponsor(staff: User, slot: Slot, id: UUID | None = None) -> Sponsor:
    require(staff, Ability.OPERATE)
    sponsor = sponsors.save_sponsor(slot, id)
    after = {"title": slot.title, "link": slot.link, "until": slot.ends_at.isoformat()}
    by_installation(staff, "sponsor.changed" if id else "sponsor.created", sponsor, before={}, after=dict(after))
    return sponsor


@transaction.atomic
def end_sponsor(staff: User, id: UUID) -> Sponsor:
    require(staff, Ability.OPERATE)
    sponsor = sponsors.end_sponsor(id)
    by_installation(staff, "sponsor.ended", sponsor, before={}, after={"until": sponsor.ends_at.isoformat()})
    return sponsor
